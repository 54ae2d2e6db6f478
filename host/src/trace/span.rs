//! What is told of one request: spans with names from templates and lists, and how they look as OTLP. No text that a person
//! or a repository has, and nothing that was presented, gets in here.

use serde_json::{Value, json};

use super::context::{Parent, SpanId, TraceId};
use crate::otlp::{attribute, resource};

/// What a span is to its neighbours; the numbers of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Within this process.
    Internal = 1,
    /// Somebody's request.
    Server = 2,
    /// A request of ours.
    Client = 3,
}

/// One span, ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Nanoseconds since 1970.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) attributes: Vec<(&'static str, Value)>,
    /// It failed.
    pub(super) failed: bool,
    /// Where else it came from.
    pub(super) link: Option<Parent>,
}

/// All that is told of one request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) trace: TraceId,
    pub(super) state: Option<String>,
    pub(super) spans: Vec<Span>,
}

/// `ExportTraceServiceRequest`.
pub(super) fn request(service: &str, batch: &[Told]) -> Value {
    let spans = batch.iter().flat_map(|told| told.spans.iter().map(move |span| span.json(told)));
    json!({"resourceSpans": [{
        "resource": resource(service),
        "scopeSpans": [{"scope": {"name": "aegis.requests"}, "spans": spans.collect::<Vec<_>>()}],
    }]})
}

impl Span {
    fn json(&self, told: &Told) -> Value {
        let attributes = self.attributes.iter().filter_map(|(name, value)| attribute(name, value));
        let parent = self.parent.map(|parent| parent.to_string());
        let link = |to: &Parent| json!([{"traceId": to.trace.to_string(), "spanId": to.span.to_string()}]);
        let members = [
            ("traceId", Some(json!(told.trace.to_string()))),
            ("spanId", Some(json!(self.id.to_string()))),
            ("parentSpanId", parent.map(Value::from)),
            ("traceState", told.state.as_deref().map(Value::from)),
            ("flags", Some(json!(1))),
            ("name", Some(json!(self.name))),
            ("kind", Some(json!(self.kind as i32))),
            ("startTimeUnixNano", Some(json!(self.start.to_string()))),
            ("endTimeUnixNano", Some(json!(self.end.to_string()))),
            ("attributes", Some(attributes.collect())),
            ("links", self.link.as_ref().map(link)),
            ("status", self.failed.then(|| json!({"code": 2}))),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
