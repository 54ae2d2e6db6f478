//! `gitea`: requests to Gitea's API. The rules of what may be sent are those of the native host
//! (`aegis_custody::egress`); origin, credential and headers are chosen here. A call of a person goes out with what that
//! person granted; where Gitea refuses that, it is renewed and the call sent once more.

use std::cell::RefCell;

use aegis_custody::egress;
use aegis_custody::oauth::registry::{Application, UserId};
use wasip2::http::types::Method as HttpMethod;

use crate::audit::{Call, Calls, Issued};
use crate::bindings::exports::aegis::gateway::gitea::{
    Exchange, Failure, Guest, GuestExchange, Head, Media, Method, Request, TicketBorrow,
};
use crate::identity::Access;
use crate::origin::Origin;
use crate::outgoing::{Incoming, Outgoing, Sending};
use crate::{Adapter, environment, settings, sign_in};

/// Largest answer that may be asked for.
const MAX_ANSWER: u64 = 128 << 20;

/// Largest piece that one `read` returns.
const MAX_PIECE: u32 = 64 << 10;

/// Headers that the gateway may see.
const HEADERS: [&str; 7] =
    ["content-type", "content-length", "link", "location", "retry-after", "x-hasmore", "x-total-count"];

/// A request under way.
pub(crate) struct Sent {
    progress: RefCell<Progress>,
    calls: Calls,
    /// Which of the ticket's calls this is.
    nth: usize,
    write: bool,
    max_bytes: u64,
    /// The request once more, and whose grant it went out with: where it may be sent again with a renewed one.
    again: RefCell<Option<(Outgoing, Granted)>>,
}

enum Progress {
    Waiting(Sending),
    Answered(Answer),
    Failed(Failure),
}

struct Answer {
    incoming: Incoming,
    deadline: u64,
    head: Head,
    taken: u64,
}

/// Which state of whose grant a request went out with.
#[derive(Clone, Copy)]
struct Granted {
    user: UserId,
    application: Application,
    revision: u64,
}

impl Guest for Adapter {
    type Exchange = Sent;

    fn start(ticket: TicketBorrow<'_>, request: Request) -> Result<Exchange, Failure> {
        let (id, access, calls) = ticket.get::<Issued>().usable().ok_or(Failure::TicketClosed)?;
        let method = match request.method {
            Method::Get => egress::Method::Get,
            Method::Post => egress::Method::Post,
            Method::Patch => egress::Method::Patch,
            Method::Delete => egress::Method::Delete,
        };
        let write = method != egress::Method::Get;
        if !write && request.body.is_some() {
            return Err(Failure::Refused("a GET carries no body".to_owned()));
        }
        if request.max_bytes > MAX_ANSWER {
            return Err(Failure::Refused(format!("max-bytes is at most {MAX_ANSWER}")));
        }
        let target = egress::target(
            method,
            &request.template,
            &request.segments,
            &request.query,
            settings::writes_enabled(),
        )
        .map_err(|refused| Failure::Refused(refused.to_string()))?;
        let (credential, granted) = credential(access)?;
        let max_bytes = request.max_bytes;
        let template = request.template.clone();
        let outgoing = prepare(method, &target, request, id, credential)?;
        let again = granted.map(|granted| (outgoing.clone(), granted));
        let nth = calls.borrow().len();
        calls.borrow_mut().push(Call { method: method.as_str(), template, status: None });
        Ok(Exchange::new(Sent {
            progress: RefCell::new(Progress::Waiting(outgoing.send()?)),
            calls: calls.clone(),
            nth,
            write,
            max_bytes,
            again: RefCell::new(again),
        }))
    }
}

/// What a request goes out with.
fn credential(access: Access) -> Result<(String, Option<Granted>), Failure> {
    match access {
        Access::Service => {
            let token = environment::variable("GITEA_TOKEN")
                .ok_or_else(|| Failure::Refused("GITEA_TOKEN is not set".to_owned()))?;
            Ok((format!("token {}", token.trim()), None))
        }
        Access::User(user, application) => {
            let access = sign_in::access(user, application, None).map_err(no_access)?;
            let granted = Granted { user, application, revision: access.revision };
            Ok((format!("Bearer {}", access.token.as_str()), Some(granted)))
        }
    }
}

fn no_access(no: sign_in::NoAccess) -> Failure {
    match no {
        sign_in::NoAccess::SignedOut => Failure::SignedOut,
        sign_in::NoAccess::Unavailable => {
            Failure::Unreachable("the access of this person cannot be renewed now".to_owned())
        }
    }
}

/// The request with everything that the host decides: origin, credential and headers.
fn prepare(
    method: egress::Method,
    target: &str,
    request: Request,
    ticket: &str,
    credential: String,
) -> Result<Outgoing, Failure> {
    let origin = Origin::of_settings().map_err(|what| Failure::Refused(what.to_owned()))?;
    let mut headers = vec![
        ("authorization".to_owned(), credential.into_bytes()),
        ("accept".to_owned(), accept(request.accept).into()),
        ("accept-encoding".to_owned(), b"identity".to_vec()),
        ("user-agent".to_owned(), USER_AGENT.into()),
        ("x-request-id".to_owned(), ticket.as_bytes().to_vec()),
    ];
    let write = method != egress::Method::Get;
    let method = match method {
        egress::Method::Get => HttpMethod::Get,
        egress::Method::Post => HttpMethod::Post,
        egress::Method::Patch => HttpMethod::Patch,
        egress::Method::Delete => HttpMethod::Delete,
    };
    if write {
        let length = request.body.as_ref().map_or(0, Vec::len);
        headers.push(("content-length".to_owned(), length.to_string().into_bytes()));
        headers.push(("content-type".to_owned(), b"application/json".to_vec()));
    }
    let path = format!("{}/api/v1{target}", origin.path);
    Ok(Outgoing { origin, method, path, headers, body: request.body })
}

/// What this program calls itself.
pub(crate) const USER_AGENT: &str = concat!("aegis-mcp-edge/", env!("CARGO_PKG_VERSION"));

fn accept(media: Media) -> &'static str {
    match media {
        Media::Json => "application/json",
        Media::Text => "text/plain",
        Media::Archive => "application/octet-stream, application/gzip, application/zip",
    }
}

impl GuestExchange for Sent {
    fn head(&self) -> Result<Head, Failure> {
        self.settle();
        match &*self.progress.borrow() {
            Progress::Answered(answer) => Ok(answer.head.clone()),
            Progress::Failed(failure) => Err(failure.clone()),
            Progress::Waiting(_) => Err(Failure::TimedOut),
        }
    }

    fn read(&self, max: u32) -> Result<Vec<u8>, Failure> {
        self.settle();
        let mut progress = self.progress.borrow_mut();
        let read = match &mut *progress {
            Progress::Answered(answer) => answer.read(max, self.max_bytes),
            Progress::Failed(failure) => Err(failure.clone()),
            Progress::Waiting(_) => Err(Failure::TimedOut),
        };
        if let Err(failure) = &read {
            *progress = Progress::Failed(failure.clone());
        }
        read
    }
}

impl Sent {
    /// Wait for the head, once, and record its status on the ticket.
    fn settle(&self) {
        let mut progress = self.progress.borrow_mut();
        let Progress::Waiting(sending) = &*progress else { return };
        *progress = match self.answered(sending) {
            Ok(answer) => Progress::Answered(answer),
            Err(failure) => Progress::Failed(failure),
        };
    }

    fn answered(&self, sending: &Sending) -> Result<Answer, Failure> {
        let incoming = sending.wait()?;
        self.note(incoming.status);
        let again = self.again.borrow_mut().take().filter(|_| incoming.status == 401);
        let Some((mut outgoing, Granted { user, application, revision })) = again else {
            return Ok(Answer::new(incoming, sending.deadline));
        };
        // Gitea did nothing with it, so it may be sent once more.
        drop(incoming);
        let access = sign_in::access(user, application, Some(revision)).map_err(no_access)?;
        for (name, value) in &mut outgoing.headers {
            if name == "authorization" {
                *value = format!("Bearer {}", access.token.as_str()).into_bytes();
            }
        }
        let sending = outgoing.send()?;
        let incoming = sending.wait()?;
        self.note(incoming.status);
        if incoming.status == 401 {
            sign_in::end_grant(user, application, access.revision, "refused_by_gitea");
            return Err(Failure::SignedOut);
        }
        Ok(Answer::new(incoming, sending.deadline))
    }

    fn note(&self, status: u16) {
        if let Some(call) = self.calls.borrow_mut().get_mut(self.nth) {
            call.status = Some(status);
        }
    }
}

impl Drop for Sent {
    /// A read that nobody waits for is cancelled; a write is followed to its answer, so that the ticket knows it.
    fn drop(&mut self) {
        if self.write {
            self.settle();
        }
    }
}

impl Answer {
    fn new(incoming: Incoming, deadline: u64) -> Self {
        let shown = |(name, _): &&(String, String)| HEADERS.contains(&name.as_str());
        let headers = incoming.headers.iter().filter(shown).cloned().collect();
        let head = Head { status: incoming.status, headers };
        Self { incoming, deadline, head, taken: 0 }
    }

    fn read(&mut self, max: u32, max_bytes: u64) -> Result<Vec<u8>, Failure> {
        let piece = self.incoming.read(u64::from(max.clamp(1, MAX_PIECE)), self.deadline)?;
        self.taken = self.taken.saturating_add(piece.len() as u64);
        if self.taken > max_bytes { Err(Failure::TooLarge) } else { Ok(piece) }
    }
}
