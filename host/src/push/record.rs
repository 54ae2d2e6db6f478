//! What a receiver wants to know of a line besides the line itself. It changes nothing in it.

use aegis_custody::Timestamp;
use aegis_custody::audit::Event;
use serde_json::{Map, Value};

/// How much a line matters to whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// Work, and the log's own housekeeping.
    Info,
    /// A refusal, or something that a person should look at.
    Warning,
}

/// A line, read.
pub(super) struct Record {
    /// The `event` member.
    pub(super) event: String,
    /// The `ts` member as written.
    pub(super) ts: String,
    /// The same, where it can be read.
    pub(super) time: Option<Timestamp>,
    pub(super) severity: Severity,
    /// All members.
    pub(super) members: Map<String, Value>,
}

impl Record {
    /// A line of the log, which is JSON; whatever is not found in it is empty.
    pub(super) fn of(line: &str) -> Self {
        let members: Map<String, Value> = serde_json::from_str(line).unwrap_or_default();
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (event, ts) = (text("event"), text("ts"));
        Self { severity: severity(&event), time: ts.parse().ok(), event, ts, members }
    }
}

fn severity(event: &str) -> Severity {
    match Event::from_name(event) {
        Some(
            Event::AccessDenied
            | Event::SecurityEvent
            | Event::Recovery
            | Event::ClockStep
            | Event::AuditDiskFull
            | Event::AuditSpace
            | Event::LinesLost
            | Event::OutcomeUnknown
            | Event::KeyHandover,
        ) => Severity::Warning,
        Some(
            Event::ToolInvocation
            | Event::LogOpen
            | Event::LogClose
            | Event::SegmentClose
            | Event::SegmentOpen
            | Event::OpenTickets,
        )
        | None => Severity::Info,
    }
}
