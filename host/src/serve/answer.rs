//! A guest's answer on its way out.
//!
//! An answer that is not a stream is held until the instance has ended and every ticket has its durable outcome.
//! A stream passes as it comes ([`super::stream`]). When the client goes, the instance goes; an instance that has said no
//! more than "accepted" and delivers to a kept stream goes with that stream.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderName, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::Server;
use super::refusal::Refusal;
use super::stream::{Source, Stream};
use crate::generation::Generation;
use crate::instance::{Bound, Failed, handle, store};
use crate::mailbox::Open;
use crate::own::outlet::Flow;

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
    let fault = Arc::new(Fault::new(server, &bound.guest));
    let answered = run(server, request, bound, permit, &fault).await;
    if let Err(refusal) = &answered {
        fault.of(*refusal);
    }
    answered.map_err(|refusal| if tickets.wrote() { refusal.after_a_write() } else { refusal })
}

async fn run(
    server: &Arc<Server>,
    request: Request<Full<Bytes>>,
    bound: Bound,
    permit: OwnedSemaphorePermit,
    fault: &Arc<Fault>,
) -> Result<Response<Body>, Refusal> {
    let started = Instant::now();
    let limits = server.limits;
    let (tickets, keep, delivers) = (bound.tickets.clone(), bound.keep.clone(), bound.delivers.clone());
    let outlet = bound.outlet.clone();
    let (sender, receiver) = oneshot::channel();
    let mut instance = Instance(server.shared.runtime.spawn({
        let (server, guest) = (server.clone(), bound.guest.clone());
        let fault = fault.clone();
        async move {
            let _permit = permit;
            let mut traced = bound.trace.open_guest();
            traced.set("aegis.guest.generation", guest.number);
            let store = store(&guest.linked.engine, &server.shared, bound);
            let ended = handle(&guest.linked.handler, store, request, sender).await;
            ended.inspect_err(|failed| {
                let refusal = Refusal::Instance(*failed);
                traced.fail(refusal.reason());
                fault.of(refusal);
            })
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
    if parts.status == StatusCode::INTERNAL_SERVER_ERROR {
        fault.is_the_guests();
    }
    for hop in [CONNECTION, TRANSFER_ENCODING, HeaderName::from_static("keep-alive")] {
        parts.headers.remove(hop);
    }
    outlet.headers(&server.shared, &mut parts.headers);
    let stream =
        parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if stream {
        let flow = Flow::new(outlet, server.shared.clone());
        let source = Source { body, tickets, instance, over: false, flow };
        let stream = Stream::new(source, server.shared.clone(), keep, started + limits.stream);
        return Ok(Response::from_parts(parts, Body::Stream(stream)));
    }
    let deadline = started + limits.total;
    let held = collect(&mut instance, body, deadline).await?;
    let held = outlet.bytes(&server.shared, held);
    let accepts = parts.status == StatusCode::ACCEPTED && held.is_empty();
    let elsewhere = delivers.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(name) = elsewhere.filter(|_| accepts) {
        // Its client may wait for this answer before it sends anything else, and what matters comes on the stream.
        let work = server.shared.runtime.spawn(instance.go_on(deadline)).abort_handle();
        server.shared.mailbox.streams.carry(&name, work);
        return Ok(Response::from_parts(parts, Body::whole(held)));
    }
    end(&mut instance, deadline).await?;
    if tickets.outcome_lost() {
        return Err(Refusal::OutcomeLost);
    }
    if !tickets.all_closed() {
        return Err(Refusal::TicketLeftOpen);
    }
    Ok(Response::from_parts(parts, Body::whole(held)))
}

/// Counts a request that fails for the guest's own fault, once.
struct Fault {
    server: Arc<Server>,
    guest: Arc<Generation>,
    /// How long the guest had been in force when the request began.
    age: Duration,
    is_told: AtomicBool,
}

impl Fault {
    /// A request begins.
    fn new(server: &Arc<Server>, guest: &Arc<Generation>) -> Self {
        guest.tally.begin();
        let age = guest.since.elapsed();
        Self { server: server.clone(), guest: guest.clone(), age, is_told: AtomicBool::new(false) }
    }

    fn of(&self, refusal: Refusal) {
        if refusal.is_the_guests_fault() {
            self.is_the_guests();
        }
    }

    fn is_the_guests(&self) {
        if !self.is_told.swap(true, Ordering::AcqRel) {
            self.guest.tally.fail();
            crate::swap::look(&self.server, &self.guest, self.age);
        }
    }
}

/// The whole body.
async fn collect(
    instance: &mut Instance,
    body: HyperOutgoingBody,
    deadline: Instant,
) -> Result<Bytes, Refusal> {
    match tokio::time::timeout_at(deadline, Limited::new(body, MAX_HELD).collect()).await {
        Err(_) => Err(Refusal::TimedOut),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::AnswerTooLarge),
        Ok(Err(_)) => Err(instance.failure().await),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
    }
}

/// Wait for the instance to end.
async fn end(instance: &mut Instance, deadline: Instant) -> Result<(), Refusal> {
    match tokio::time::timeout_at(deadline, &mut instance.0).await {
        Err(_) => Err(Refusal::TimedOut),
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(failed))) => Err(Refusal::Instance(failed)),
        Ok(Err(_)) => Err(Refusal::Instance(Failed::Trapped)),
    }
}

/// A running instance. Dropped, it is stopped: its store goes, and open tickets close as aborted.
pub(super) struct Instance(JoinHandle<Result<(), Failed>>);

impl Instance {
    /// Whether it has ended well. Not to be asked again once it has ended.
    pub(super) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        Pin::new(&mut self.0).poll(context).map(|ended| matches!(ended, Ok(Ok(()))))
    }

    /// Run to the end, for a stream. Its client hears nothing of a failure but the silence.
    async fn go_on(mut self, deadline: Instant) {
        if let Err(refusal) = end(&mut self, deadline).await {
            tracing::warn!(
                event = "answer_lost",
                ?refusal,
                text = "a request on a kept stream has no answer"
            );
        }
    }

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
    /// The guest is gone, and it goes on with what others have to say.
    Kept(Open),
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
        let this = self.get_mut();
        if let Self::Stream(stream) = this {
            let Some(piece) = ready!(stream.poll_next(context)) else {
                let Some(open) = stream.kept() else { return Poll::Ready(None) };
                // With this the instance's last traces go.
                *this = Self::Kept(open);
                return Pin::new(this).poll_frame(context);
            };
            return Poll::Ready(Some(piece.map(Frame::data)));
        }
        match this {
            Self::Whole(full) => Pin::new(full).poll_frame(context).map_err(|never| match never {}),
            Self::Kept(open) => {
                open.poll_next(context).map(|event| event.map(|event| Ok(Frame::data(event))))
            }
            Self::Stream(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(full) if full.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(full) => full.size_hint(),
            Self::Stream(_) | Self::Kept(_) => SizeHint::default(),
        }
    }
}
