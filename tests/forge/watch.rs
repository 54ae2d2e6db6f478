//! What the forge notices: every request, what was wrong with it, and the faults that a test asked for.

use std::collections::VecDeque;

use hyper::Method;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Count of arrival, from 1; goes on after `forget`.
    pub number: usize,
    /// Method.
    pub method: String,
    /// Path as sent, still encoded.
    pub path: String,
    /// Query as sent, without the question mark.
    pub query: String,
    /// Status answered; 0 where no answer was given.
    pub status: u16,
    /// Whether an Authorization header came along.
    pub has_authorization: bool,
    /// Whether the client went away while its request was held or hung.
    pub left: bool,
    /// Login behind the token; none for no token or an unknown one.
    pub user: Option<String>,
    /// The request id that the client stated.
    pub x_request_id: Option<String>,
    /// The body as sent.
    pub body: Vec<u8>,
}

/// Something that shall go wrong with the next request whose method and path match.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Only requests of this method; any if none.
    pub method: Option<Method>,
    /// A part of the path as sent; empty matches every request.
    pub path: String,
    /// What happens.
    pub kind: FaultKind,
}

impl Fault {
    /// A fault for requests of any method.
    #[must_use]
    pub fn on(path: &str, kind: FaultKind) -> Self {
        Self { method: None, path: path.to_owned(), kind }
    }
}

/// What can go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// This status with Gitea's error body; the request has no effect.
    Status(u16),
    /// No answer until the client or the forge gives up; the request has no effect.
    Hang,
    /// The answer waits until a test calls `release`; the effect is there before.
    Hold,
    /// The connection closes before the answer, after the request took effect.
    Close,
    /// The connection closes in the middle of the body, after the request took effect.
    CloseMidBody,
    /// The right status and headers with a body that is not JSON.
    BadJson,
}

/// Everything noticed.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) arrived: usize,
    pub(super) seen: Vec<Seen>,
    pub(super) violations: Vec<String>,
    pub(super) faults: VecDeque<Fault>,
}

impl Watch {
    /// Take the first fault that matches.
    pub(super) fn fault(&mut self, method: &Method, path: &str) -> Option<FaultKind> {
        let matches = |fault: &Fault| {
            fault.method.as_ref().is_none_or(|wanted| wanted == method) && path.contains(&fault.path)
        };
        let at = self.faults.iter().position(matches)?;
        self.faults.remove(at).map(|fault| fault.kind)
    }
}

/// What is wrong with a request whatever it asks for.
pub(super) fn faults_of_form(seen: &Seen, sudo_header: bool, names: &[(String, String)]) -> Vec<String> {
    let what = format!("{} {}", seen.method, seen.path);
    let mut wrong = Vec::new();
    for (name, _) in
        names.iter().filter(|(name, _)| matches!(name.as_str(), "sudo" | "token" | "access_token"))
    {
        wrong.push(format!("{what}: `{name}` in the query acts as somebody else"));
    }
    if sudo_header {
        wrong.push(format!("{what}: a Sudo header acts as somebody else"));
    }
    if !clean(&seen.path) {
        wrong.push(format!("{what}: the path is not clean, so a policy and Gitea may read it differently"));
    }
    let open = matches!(seen.path.as_str(), "/api/v1/version" | "/api/v1/settings/api");
    if !open && !seen.has_authorization {
        wrong.push(format!("{what}: no Authorization header"));
    }
    wrong
}

/// No empty, `.` or `..` segment, no backslash and no control character, encoded or not; UTF-8 throughout.
fn clean(path: &str) -> bool {
    let mut segments = path.split('/');
    segments.next() == Some("")
        && segments.all(|segment| {
            super::call::decoded(segment, false).is_some_and(|segment| {
                segment.split('/').all(|part| !matches!(part, "" | "." | ".."))
                    && !segment.chars().any(|c| c == '\\' || c.is_control())
            })
        })
}
