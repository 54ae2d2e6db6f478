//! What the forge notices: every request, what was wrong with it, and the faults that a test asked for.

use std::collections::VecDeque;

use hyper::Method;
use serde_json::Value;

use super::oauth::{form_encoded, pairs};

/// What kind of credential a request carried. Its value is nowhere kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// None.
    None,
    /// A browser's session, signed in.
    Session,
    /// `Basic`: a password, or a client's id and secret.
    Basic,
    /// A personal access token that is known.
    Pat,
    /// An access token of OAuth that is good.
    OAuth,
    /// A token that is not known, or dead.
    Unknown,
}

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
    /// What kind of credential came along.
    pub credential: Credential,
    /// Whether the client went away while its request was held or hung.
    pub left: bool,
    /// Login behind the token; none for no token or an unknown one.
    pub user: Option<String>,
    /// The request id that the client stated.
    pub x_request_id: Option<String>,
    /// `traceparent` and `tracestate`.
    pub trace: [Option<String>; 2],
    /// The body: as sent to the API; the fields of a form elsewhere, with every secret value replaced by `***`.
    pub body: Vec<u8>,
}

/// Paths that a person's browser asks for; everything else is asked for by a program.
const BROWSER: [&str; 3] = ["/user/", "/login/oauth/authorize", "/login/oauth/grant"];

impl Seen {
    /// Whether a person's browser asks for such a path.
    #[must_use]
    pub fn by_browser(&self) -> bool {
        self.path == "/" || BROWSER.iter().any(|path| self.path.starts_with(path))
    }

    /// A field of the form that was sent; secrets read `***`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        let body = String::from_utf8_lossy(&self.body);
        pairs(&body).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// Names of fields whose values are nobody's to keep.
const SECRETS: [&str; 8] = [
    "access_token",
    "client_secret",
    "code",
    "code_verifier",
    "id_token",
    "password",
    "refresh_token",
    "token",
];

/// A form or a query without its secrets.
pub(super) fn without_secrets(text: &str) -> String {
    let hidden = |name: &str| SECRETS.contains(&name);
    if !pairs(text).iter().any(|(name, _)| hidden(name)) {
        return text.to_owned();
    }
    let shown = pairs(text).into_iter().map(|(name, value)| {
        let value = if hidden(&name) { "***".to_owned() } else { form_encoded(&value) };
        format!("{}={value}", form_encoded(&name))
    });
    shown.collect::<Vec<_>>().join("&")
}

/// The fields of a body sent outside the API, as a form without secrets, whether it came as a form or as JSON.
pub(super) fn fields_of(body: &[u8]) -> Vec<u8> {
    if let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(body) {
        let pair = |(name, value): (String, serde_json::Value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{}={}", form_encoded(&name), form_encoded(&value))
        };
        let form = fields.into_iter().map(pair).collect::<Vec<_>>().join("&");
        return without_secrets(&form).into_bytes();
    }
    without_secrets(&String::from_utf8_lossy(body)).into_bytes()
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
    /// The right answer announced as longer than it is, after the request took effect.
    WrongLength,
    /// The first byte of the right body, and then nothing until the client gives up.
    Stall,
    /// The right body, a byte a second.
    Drip,
    /// The right status with a body of a gigabyte of spaces.
    Gigabyte,
    /// The status of [`FaultKind::Status`] with this `Retry-After`.
    RetryAfter(u16, &'static str),
    /// The right status and headers with a body that is not JSON.
    BadJson,
    /// This status and JSON; the request has no effect.
    Instead(u16, Value),
    /// The right answer, its JSON object changed: each field of this object replaces one, null leaves it out.
    Patch(Value),
    /// The answer as it would be, with the token that the request came with in the text of this member of its object: once as
    /// it is, and once with a character in it that nobody sees.
    Echo(&'static str),
    /// The right answer followed by so many spaces, which leaves JSON good.
    Oversize(usize),
    /// 302 to this URL; the request has no effect.
    Redirect(String),
    /// 200 with a page of HTML, as a proxy or a portal in between would send it; the request has no effect.
    Html,
}

/// Everything noticed.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) arrived: usize,
    pub(super) seen: Vec<Seen>,
    pub(super) violations: Vec<String>,
    pub(super) faults: VecDeque<Fault>,
    pub(super) standing: Vec<Fault>,
}

impl Watch {
    /// Take the first fault that matches, or find the first one that stays.
    pub(super) fn fault(&mut self, method: &Method, path: &str) -> Option<FaultKind> {
        let matches = |fault: &Fault| {
            fault.method.as_ref().is_none_or(|wanted| wanted == method) && path.contains(&fault.path)
        };
        match self.faults.iter().position(matches) {
            Some(at) => self.faults.remove(at).map(|fault| fault.kind),
            None => self.standing.iter().find(|fault| matches(fault)).map(|fault| fault.kind.clone()),
        }
    }
}

/// Paths that need no Authorization header of their own.
const OUTSIDE: [&str; 3] = ["/login/oauth/", "/user/", "/.well-known/"];

/// What is wrong with a request whatever it asks for.
pub(super) fn faults_of_form(
    seen: &Seen,
    sudo_header: bool,
    sudo_allowed: bool,
    names: &[(String, String)],
) -> Vec<String> {
    let what = format!("{} {}", seen.method, seen.path);
    let mut wrong = Vec::new();
    for (name, _) in
        names.iter().filter(|(name, _)| matches!(name.as_str(), "sudo" | "token" | "access_token"))
    {
        wrong.push(format!("{what}: `{name}` in the query acts as somebody else"));
    }
    for (name, _) in names.iter().filter(|(name, _)| {
        matches!(name.as_str(), "client_secret" | "code_verifier" | "refresh_token" | "password")
    }) {
        wrong.push(format!("{what}: `{name}` in the query stands in every log on the way"));
    }
    if sudo_header && !sudo_allowed {
        wrong.push(format!("{what}: a Sudo header acts as somebody else"));
    }
    if seen.path != "/" && !clean(&seen.path) {
        wrong.push(format!("{what}: the path is not clean, so a policy and Gitea may read it differently"));
    }
    let open = matches!(seen.path.as_str(), "/api/v1/version" | "/api/v1/settings/api")
        || seen.path == "/"
        || OUTSIDE.iter().any(|path| seen.path.starts_with(path));
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
