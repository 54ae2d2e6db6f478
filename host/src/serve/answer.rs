//! A guest's answer on its way out.
//!
//! An answer that is not a stream is held until the instance has ended and every ticket has its durable outcome.
//! A stream passes as it comes, but for frames that carry a result while a ticket is open. When the client goes,
//! the instance goes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderName, Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::Server;
use super::refusal::Refusal;
use crate::instance::{Bound, Failed, handle, store};
use crate::ticket::Tickets;

/// Largest answer that is held.
const MAX_HELD: usize = 16 << 20;

/// Run a guest for one request and take its answer.
///
/// # Errors
/// The guest gave no answer, or none that may leave.
pub(crate) async fn from_guest(
    server: &Arc<Server>,
    request: Request<Full<Bytes>>,
    bound: Bound,
    permit: OwnedSemaphorePermit,
) -> Result<Response<Body>, Refusal> {
    let tickets = bound.tickets.clone();
    let answered = run(server, request, bound, permit).await;
    answered.map_err(|refusal| if tickets.wrote() { refusal.after_a_write() } else { refusal })
}

async fn run(
    server: &Arc<Server>,
    request: Request<Full<Bytes>>,
    bound: Bound,
    permit: OwnedSemaphorePermit,
) -> Result<Response<Body>, Refusal> {
    let started = Instant::now();
    let limits = server.limits;
    let tickets = bound.tickets.clone();
    let (sender, receiver) = oneshot::channel();
    let mut instance = Instance(server.shared.runtime.spawn({
        let server = server.clone();
        async move {
            let _permit = permit;
            let store = store(&server.linked.engine, &server.shared, bound);
            handle(&server.linked.handler, store, request, sender).await
        }
    }));
    let head = match tokio::time::timeout_at(started + limits.head, receiver).await {
        Err(_) => return Err(Refusal::TimedOut),
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(error))) => {
            tracing::warn!(event = "guest_answered_error", ?error);
            return Err(Refusal::Instance(Failed::Trapped));
        }
        // The sender went without a word: the instance has ended, and says why.
        Ok(Err(_)) => return Err(instance.failure().await),
    };
    let (mut parts, body) = head.into_parts();
    for hop in [CONNECTION, TRANSFER_ENCODING, HeaderName::from_static("keep-alive")] {
        parts.headers.remove(hop);
    }
    let stream =
        parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if stream {
        let deadline = Box::pin(tokio::time::sleep_until(started + limits.stream));
        return Ok(Response::from_parts(
            parts,
            Body::Stream(Stream { body, tickets, instance, deadline, held: None, ended: false }),
        ));
    }
    let held = hold(&mut instance, body, started + limits.total).await?;
    if tickets.outcome_lost() {
        return Err(Refusal::OutcomeLost);
    }
    if !tickets.all_closed() {
        return Err(Refusal::TicketLeftOpen);
    }
    Ok(Response::from_parts(parts, Body::whole(held)))
}

/// Collect the body, then wait for the instance to end.
async fn hold(instance: &mut Instance, body: HyperOutgoingBody, deadline: Instant) -> Result<Bytes, Refusal> {
    let collected = match tokio::time::timeout_at(deadline, Limited::new(body, MAX_HELD).collect()).await {
        Err(_) => return Err(Refusal::TimedOut),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Refusal::AnswerTooLarge),
        Ok(Err(_)) => return Err(instance.failure().await),
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    match tokio::time::timeout_at(deadline, &mut instance.0).await {
        Err(_) => Err(Refusal::TimedOut),
        Ok(Ok(Ok(()))) => Ok(collected),
        Ok(Ok(Err(failed))) => Err(Refusal::Instance(failed)),
        Ok(Err(_)) => Err(Refusal::Instance(Failed::Trapped)),
    }
}

/// A running instance. Dropped, it is stopped: its store goes, and open tickets close as aborted.
struct Instance(JoinHandle<Result<(), Failed>>);

impl Instance {
    async fn failure(&mut self) -> Refusal {
        match (&mut self.0).await {
            Ok(Err(failed)) => Refusal::Instance(failed),
            Ok(Ok(())) | Err(_) => Refusal::Instance(Failed::Trapped),
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The body of an answer.
pub(crate) enum Body {
    /// All of it is here.
    Whole(Full<Bytes>),
    /// It comes as the guest writes it.
    Stream(Stream),
}

/// A streamed answer and the instance that writes it.
pub(crate) struct Stream {
    body: HyperOutgoingBody,
    tickets: Arc<Tickets>,
    instance: Instance,
    deadline: Pin<Box<Sleep>>,
    /// A piece with a result that came while a ticket was open; it leaves only when the instance has ended well.
    held: Option<Bytes>,
    ended: bool,
}

impl Body {
    /// A body in memory.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

/// Why a stream ends early: the connection is closed, which a client reads as incomplete.
#[derive(Debug, thiserror::Error)]
#[error("the stream was cut off")]
pub(crate) struct CutOff;

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        match self.get_mut() {
            Self::Whole(full) => Pin::new(full).poll_frame(context).map_err(|never| match never {}),
            Self::Stream(stream) => stream.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(full) if full.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(full) => full.size_hint(),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

impl Stream {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(CutOff)));
        }
        while !self.ended {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Poll::Ready(Some(Err(CutOff))),
                None => {
                    self.ended = true;
                    break;
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            if self.tickets.all_closed() || is_progress(&data) {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if self.held.replace(data).is_some() {
                return Poll::Ready(Some(Err(CutOff)));
            }
        }
        self.end(context)
    }

    /// The guest has written everything: what was held leaves if the tickets are closed by now.
    fn end(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let Some(held) = self.held.take() else { return Poll::Ready(None) };
        match Pin::new(&mut self.instance.0).poll(context) {
            Poll::Pending => {
                self.held = Some(held);
                Poll::Pending
            }
            Poll::Ready(Ok(Ok(()))) if self.tickets.all_closed() => Poll::Ready(Some(Ok(Frame::data(held)))),
            Poll::Ready(_) => Poll::Ready(Some(Err(CutOff))),
        }
    }
}

/// What may leave before the outcome is recorded: one short comment, or one progress notification with nothing in
/// it but its numbers and a few words.
fn is_progress(data: &[u8]) -> bool {
    const MAX_COMMENT: usize = 40;
    const MAX_EVENT: usize = 1_024;
    let Some(text) = str::from_utf8(data).ok().and_then(|text| text.strip_suffix("\n\n")) else {
        return false;
    };
    if let Some(comment) = text.strip_prefix(':') {
        return comment.len() <= MAX_COMMENT && comment.bytes().all(|b| b.is_ascii_alphabetic() || b == b' ');
    }
    let Some(json) = text.strip_prefix("event: message\ndata: ") else { return false };
    json.len() <= MAX_EVENT
        && serde_json::from_str::<Notification<'_>>(json).is_ok_and(|told| {
            told.jsonrpc == "2.0" && told.method == "notifications/progress" && told.params.is_short()
        })
}

/// A progress notification and nothing else.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Notification<'a> {
    jsonrpc: &'a str,
    method: &'a str,
    #[serde(borrow)]
    params: Told<'a>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Told<'a> {
    #[serde(rename = "progressToken")]
    token: serde_json::Value,
    #[serde(rename = "progress")]
    _progress: u64,
    #[serde(rename = "total")]
    _total: Option<u64>,
    message: Option<&'a str>,
}

impl Told<'_> {
    fn is_short(&self) -> bool {
        let token = self.token.is_number() || self.token.as_str().is_some_and(|token| token.len() <= 256);
        token && self.message.is_none_or(|message| message.len() <= 64)
    }
}

#[cfg(test)]
mod tests {
    use super::is_progress;

    #[test]
    fn comments_and_progress_may_leave_early_and_nothing_else() {
        let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1,"total":3,"message":"asking Gitea"}}"#;
        let event = |json: &str| format!("event: message\ndata: {json}\n\n");
        assert!(is_progress(b": progress follows\n\n"));
        assert!(is_progress(event(progress).as_bytes()));
        let long = format!(": {}\n\n", "x".repeat(50));
        let smuggled = progress.replace(r#""total":3"#, r#""total":3,"result":{"content":"secret"}"#);
        let wordy = progress.replace("asking Gitea", &"x".repeat(65));
        let two = event(progress) + &event(progress);
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"text":"\"method\":\"notifications/"}}"#;
        for refused in
            [long, event(&smuggled), event(&wordy), two, event(answer), ":secret: 42\n\n".to_owned()]
        {
            assert!(!is_progress(refused.as_bytes()), "{refused}");
        }
    }
}
