//! Streams that a client opens with GET: announcements, and the HTTP+SSE transport of 2024-11-05.
//!
//! In that transport `GET /mcp/sse` opens a stream whose first event says where to post; what is posted there is
//! answered on the stream. `/mcp/sse` without a stream's name is another name of the MCP endpoint.

use http::{Response, StatusCode, Uri};

use super::dress::{Dress, Dressed};
use super::{Refusal, Visit, media};
use crate::mcp::call::Session;
use crate::mcp::era::{self, Era};
use crate::mcp::stream::{Gone, Outgoing};
use crate::mcp::{self, Post, listen};

/// Where HTTP+SSE is spoken.
const SSE: &str = "/mcp/sse";

/// `GET` on the MCP endpoint.
///
/// # Errors
/// No caller, a modern client (which listens by `subscriptions/listen`), one that cannot read events, or too many
/// streams.
pub(super) fn open(
    visit: &Visit<'_>,
    path: &'static str,
    dress: &Dress,
    out: &mut dyn Outgoing,
) -> Result<Option<Response<Vec<u8>>>, Refusal> {
    let caller = visit.caller()?;
    let headers = visit.request.headers();
    let kept = !visit.gateway.ports.mailbox.topics().is_empty();
    if let Err(fault) = era::check_version(headers) {
        let claims = caller.claims();
        return Ok(Some(mcp::refused(&visit.session(&*caller, &claims)?, &fault)));
    }
    if !kept || Era::of_headers(headers) == Era::Modern {
        return Err(Refusal::MethodNotAllowed("POST"));
    }
    if !media::reads_events(headers)? {
        return Err(Refusal::EventsNotAccepted);
    }
    let claims = caller.claims();
    let session = visit.session(&*caller, &claims)?;
    let answers_at = Some(SSE).filter(|sse| *sse == path);
    match listen::open(&session, answers_at, &mut Dressed { dress, out }) {
        Ok(()) => Ok(None),
        Err(fault) => Ok(Some(mcp::refused(&session, &fault))),
    }
}

/// The stream that a request names to be answered on.
pub(super) fn named(uri: &Uri) -> Option<&str> {
    let query = uri.query().filter(|_| uri.path() == SSE)?;
    query.split('&').find_map(|pair| pair.strip_prefix("stream="))
}

/// A message whose answer goes to a stream. What a client can mend only by signing in, or by waiting, stays the answer
/// to the post itself, as long as nothing was said on the stream and Gitea was not asked: from then on the post is
/// answered, since its client may send nothing else before.
///
/// # Errors
/// There is no such stream of this caller, or it does not take the answer.
pub(super) fn post(
    session: &Session<'_>,
    post: &Post<'_>,
    stream: &str,
    taken: &mut dyn Outgoing,
) -> Result<Option<Response<Vec<u8>>>, Refusal> {
    let mut out = Elsewhere { session, stream, taken, is_taken: false };
    // Nothing is done for a client that could not hear of it.
    out.write(b": heard\n\n").map_err(|Gone| Refusal::NoSuchStream)?;
    let answer = mcp::answer(session, post, &mut out);
    if let Some(answer) = answer {
        let said = out.is_taken
            || matches!(answer.status(), StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND);
        if !said || answer.body().is_empty() {
            return Ok(Some(answer));
        }
        let event = [b"event: message\ndata: ".as_slice(), answer.body(), b"\n\n"].concat();
        // What was done is told where it can be told.
        if out.write(&event).is_err() && !out.is_taken {
            return Ok(Some(answer));
        }
    }
    Ok(if out.is_taken { None } else { Some(accepted(Vec::new())) })
}

fn accepted<T>(body: T) -> Response<T> {
    let mut accepted = Response::new(body);
    *accepted.status_mut() = StatusCode::ACCEPTED;
    accepted
}

/// The way out by another connection of the same caller.
struct Elsewhere<'a> {
    session: &'a Session<'a>,
    stream: &'a str,
    /// The way out by the post's own connection, which says no more than that the message was taken.
    taken: &'a mut dyn Outgoing,
    is_taken: bool,
}

impl Outgoing for Elsewhere<'_> {
    /// The stream has begun; the post need not wait for what comes on it.
    fn begin(&mut self, _head: Response<()>) -> Result<(), Gone> {
        self.under_way();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let event = str::from_utf8(bytes).map_err(|_| Gone)?;
        self.session.caller.deliver(self.stream, event).map_err(|_| Gone)
    }

    /// The stream is another request's.
    fn stays(&self) -> bool {
        false
    }

    fn under_way(&mut self) {
        if !self.is_taken {
            // A post that nobody waits for any more changes nothing for the stream.
            self.is_taken = self.taken.begin(accepted(())).is_ok();
        }
    }
}
