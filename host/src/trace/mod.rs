//! Traces: what one request did and how long each part of it took, for a collector of OpenTelemetry. Off by default, and then
//! nothing is noted and nothing is sent.
//!
//! All spans of a request are handed over together, when the last of them that holds it is gone ([`export`]). They are names from
//! lists and templates with statuses and tickets' ids: no text of people, repositories or clients, and nothing that was
//! presented. Where a request comes from is what its client says ([`context`]) and decides nothing but where its spans
//! hang.

mod context;
mod export;
mod ratio;
mod span;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use context::{Parent, SpanId, TraceId, traceparent};
use export::Queue;
pub(crate) use export::{Exporter, Exporting, Outcome, header_values, headers};
pub(crate) use ratio::Ratio;
pub(crate) use span::Kind;
use span::{Span, Told};

use crate::own::Own;
use crate::shared::SystemRandom;

/// Most spans of one request. A tool call may send 36 requests to Gitea; the rest is room.
const MOST: usize = 128;

/// Traces of this process; empty where there are none.
#[derive(Default)]
pub(crate) struct Tracing(OnceLock<Queue>);

impl Tracing {
    /// From now on requests are traced.
    fn turn_on(&self, queue: Queue) {
        // Asked for once, at the start.
        let _ = self.0.set(queue);
    }

    /// The trace of a request with these headers. A state that a secret of this server stands in is nobody's.
    pub(crate) fn begin(&self, headers: &HeaderMap, own: &Own) -> Trace {
        let Some(queue) = self.0.get() else { return Trace(None) };
        let mut parent = Parent::of(headers);
        if let Some(parent) = &mut parent {
            parent.state = parent.state.take().filter(|state| !own.stands_in(state));
        }
        Trace(Some(Arc::new(Going::new(queue.clone(), parent))))
    }

    /// What became of spans, by outcome; and how many wait.
    pub(crate) fn told(&self) -> Outcome {
        self.0.get().map(Queue::told).unwrap_or_default()
    }
}

/// The trace of one request; nothing where there are none.
#[derive(Clone, Default)]
pub(crate) struct Trace(Option<Arc<Going>>);

/// What a span hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Below {
    /// The request itself.
    Request,
    /// The instance that answers it.
    Guest,
}

struct Going {
    queue: Queue,
    /// What its headers say.
    headers: Option<Parent>,
    /// What its message says.
    message: OnceLock<Parent>,
    /// Settled when something leaves, or at the end.
    settled: OnceLock<Settled>,
    root: SpanId,
    guest: SpanId,
    /// When it began, on the two clocks.
    unix: u64,
    since: Instant,
    spans: Mutex<Vec<Span>>,
    /// The tool that was called, and how that ended.
    tool: OnceLock<(String, &'static str)>,
    /// Why the request, or a part of it, was refused.
    refused: OnceLock<String>,
    answered: OnceLock<Answered>,
}

struct Settled {
    trace: TraceId,
    parent: Option<SpanId>,
    state: Option<String>,
    sampled: bool,
}

struct Answered {
    method: &'static str,
    route: String,
    status: u16,
    at: u64,
}

impl Going {
    fn new(queue: Queue, headers: Option<Parent>) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            queue,
            headers,
            message: OnceLock::new(),
            settled: OnceLock::new(),
            root: SpanId::draw(&SystemRandom),
            guest: SpanId::draw(&SystemRandom),
            unix: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX),
            since: Instant::now(),
            spans: Mutex::default(),
            tool: OnceLock::new(),
            refused: OnceLock::new(),
            answered: OnceLock::new(),
        }
    }

    fn now(&self) -> u64 {
        let passed = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.unix.saturating_add(passed)
    }

    /// Headers first: they are of the very request. A sampler that has decided is followed.
    fn settled(&self) -> &Settled {
        self.settled.get_or_init(|| match self.headers.as_ref().or_else(|| self.message.get()) {
            Some(parent) => Settled {
                trace: parent.trace,
                parent: Some(parent.span),
                state: parent.state.clone(),
                sampled: parent.sampled,
            },
            None => {
                let trace = TraceId::draw(&SystemRandom);
                let sampled = self.queue.ratio.takes(trace.chance());
                Settled { trace, parent: None, state: None, sampled }
            }
        })
    }

    fn is_left_out(&self) -> bool {
        self.settled.get().is_some_and(|settled| !settled.sampled)
    }

    fn keep(&self, span: Span) {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() < MOST {
            spans.push(span);
        } else {
            self.queue.drop_spans(1);
        }
    }

    /// The span of the request itself. It lasts as long as anything in it.
    fn request(&self, settled: &Settled, spans: &[Span]) -> Span {
        let now = self.now();
        let (mut name, mut attributes, mut failed, mut end) = ("request".to_owned(), Vec::new(), true, now);
        match self.answered.get() {
            Some(Answered { method, route, status, at }) => {
                name = format!("{method} {route}");
                attributes.push(("http.request.method", Value::from(*method)));
                attributes.push(("http.route", Value::from(route.as_str())));
                attributes.push(("http.response.status_code", Value::from(*status)));
                let refused = self.refused.get().filter(|_| *status >= 400);
                attributes.extend(refused.map(|reason| ("error.type", Value::from(reason.as_str()))));
                failed = *status >= 500;
                end = spans.iter().map(|span| span.end).fold(*at, u64::max);
            }
            None => attributes.push(("error.type", Value::from("client_left"))),
        }
        if let Some((tool, status)) = self.tool.get() {
            attributes.push(("aegis.tool", Value::from(tool.as_str())));
            attributes.push(("aegis.status", Value::from(*status)));
        }
        let (id, parent, start) = (self.root, settled.parent, self.unix);
        // What the message says counts beside what the headers say.
        let link = self.message.get().filter(|message| message.trace != settled.trace).cloned();
        Span { id, parent, name, kind: Kind::Server, start, end, attributes, failed, link }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let mut spans = std::mem::take(self.spans.get_mut().unwrap_or_else(PoisonError::into_inner));
        let settled = self.settled();
        if !settled.sampled {
            return;
        }
        spans.insert(0, self.request(settled, &spans));
        self.queue.push(Told { trace: settled.trace, state: settled.state.clone(), spans });
    }
}

impl Trace {
    /// The message that the request holds says where it comes from. It counts once, and where the headers say nothing.
    pub(crate) fn continues(&self, parent: &str, state: &str, own: &Own) {
        let state = if own.stands_in(state) { "" } else { state };
        if let (Some(going), Some(parent)) = (&self.0, Parent::read(parent, state)) {
            let _ = going.message.set(parent);
        }
    }

    /// A tool was called. The name is one that `/metrics` takes, too.
    pub(crate) fn called(&self, tool: &str, status: &'static str) {
        if let Some(going) = &self.0 {
            let _ = going.tool.set((tool.to_owned(), status));
        }
    }

    /// Something was refused, for a reason with a name. The first counts.
    pub(crate) fn refused(&self, reason: &str) {
        if let Some(going) = &self.0 {
            let _ = going.refused.set(reason.to_owned());
        }
    }

    /// The head of the answer is there.
    pub(crate) fn answered(&self, method: &Method, route: &str, status: u16) {
        let Some(going) = &self.0 else { return };
        let answered = Answered {
            method: crate::metrics::name_of(method),
            route: route.to_owned(),
            status,
            at: going.now(),
        };
        let _ = going.answered.set(answered);
    }

    /// A part of it begins. `name` is asked for where it is noted.
    pub(crate) fn open(&self, below: Below, kind: Kind, name: impl FnOnce() -> Cow<'static, str>) -> Open {
        let Some(going) = &self.0 else { return Open(None) };
        let parent = match below {
            Below::Request => going.root,
            Below::Guest => going.guest,
        };
        going.open(SpanId::draw(&SystemRandom), parent, kind, name())
    }

    /// The instance begins that answers it.
    pub(crate) fn open_guest(&self) -> Open {
        let Some(going) = &self.0 else { return Open(None) };
        going.open(going.guest, going.root, Kind::Internal, Cow::Borrowed("guest"))
    }
}

impl Going {
    fn open(self: &Arc<Self>, id: SpanId, parent: SpanId, kind: Kind, name: Cow<'static, str>) -> Open {
        let span = Span {
            id,
            parent: Some(parent),
            name: name.into_owned(),
            kind,
            start: self.now(),
            end: 0,
            attributes: Vec::new(),
            failed: false,
            link: None,
        };
        Open(Some(Box::new((self.clone(), span))))
    }
}

/// A part of a request, under way; it ends when this goes.
#[derive(Default)]
pub(crate) struct Open(Option<Box<(Arc<Going>, Span)>>);

impl Open {
    /// What is known of it.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(open) = &mut self.0 {
            open.1.attributes.push((name, value.into()));
        }
    }

    /// It failed, for a reason with a name.
    pub(crate) fn fail(&mut self, reason: impl Into<Value>) {
        self.set("error.type", reason);
        if let Some(open) = &mut self.0 {
            open.1.failed = true;
        }
    }

    /// What whoever is asked gets: `traceparent`, and `tracestate` where there is one.
    pub(crate) fn sent_on(&self) -> [Option<(&'static str, HeaderValue)>; 2] {
        let Some((going, span)) = self.0.as_deref() else { return [None, None] };
        let Settled { trace, state, sampled, .. } = going.settled();
        let state = state.as_deref().and_then(|state| HeaderValue::from_str(state).ok());
        [
            traceparent(*trace, span.id, *sampled).map(|value| ("traceparent", value)),
            state.map(|value| ("tracestate", value)),
        ]
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            let (going, mut span) = *open;
            span.end = going.now();
            if !going.is_left_out() {
                going.keep(span);
            }
        }
    }
}
