//! What goes wrong on the MCP side, on the wire: the map for protocol errors and the map for failed calls.
//!
//! Both are exhaustive without a catch-all, so a new error cannot reach a client before somebody has decided
//! how. Nothing here may carry more of a cause than its own message.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::call::CallError;
use super::era::Era;
use super::json::Invalid;
use super::methods;
use crate::ports::{Class, Kind, Remark};

/// How long a client waits before it asks again while the audit trail cannot be written, in seconds.
const AUDIT_RETRY_SECONDS: u32 = 5;

/// A message that breaks the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The body is not strict JSON.
    Parse(Invalid),
    /// The body is not one JSON-RPC message as MCP allows it.
    InvalidRequest(&'static str),
    /// A parameter that the protocol itself asks for is missing or wrong.
    InvalidParams(String),
    /// A header that repeats a fact of the body, and what is wrong with it.
    HeaderMismatch(&'static str, &'static str),
    /// A revision that is not served.
    UnsupportedVersion(String),
    /// A method that this era does not have.
    UnknownMethod(String),
    /// An address at which there is nothing.
    NoSuchResource(String),
    /// A reply that nobody waits for.
    NoSuchQuestion,
    /// A stream where the client cannot read events.
    NeedsEvents,
    /// The caller, or the server, has as many streams as it may; seconds to wait.
    TooManyStreams(u32),
}

impl Fault {
    /// The name under which it is recorded.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Parse(Invalid::Syntax) => "invalid_json",
            Self::Parse(Invalid::DuplicateKey) => "duplicate_key",
            Self::Parse(Invalid::TooDeep) => "nested_too_deep",
            Self::Parse(Invalid::TooMany) => "too_many_values",
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidParams(_) => "invalid_params",
            Self::HeaderMismatch(..) => "header_mismatch",
            Self::UnsupportedVersion(_) => "unsupported_version",
            Self::UnknownMethod(_) => "unknown_method",
            Self::NoSuchResource(_) => "no_such_resource",
            Self::NoSuchQuestion => "no_such_question",
            Self::NeedsEvents => "events_not_accepted",
            Self::TooManyStreams(_) => "too_many_streams",
        }
    }

    /// The HTTP status. Modern revisions fix it; legacy ones answer a readable request with 200.
    #[must_use]
    pub fn status(&self, era: Era) -> StatusCode {
        match (self, era) {
            (Self::InvalidParams(_) | Self::UnknownMethod(_) | Self::NoSuchResource(_), Era::Legacy) => {
                StatusCode::OK
            }
            (Self::UnknownMethod(_), Era::Modern) => StatusCode::NOT_FOUND,
            (Self::NeedsEvents, _) => StatusCode::NOT_ACCEPTABLE,
            (Self::TooManyStreams(_), _) => StatusCode::TOO_MANY_REQUESTS,
            (Self::InvalidParams(_) | Self::NoSuchResource(_), Era::Modern)
            | (
                Self::Parse(_)
                | Self::InvalidRequest(_)
                | Self::HeaderMismatch(..)
                | Self::NoSuchQuestion
                | Self::UnsupportedVersion(_),
                Era::Legacy | Era::Modern,
            ) => StatusCode::BAD_REQUEST,
        }
    }

    /// Seconds after which it makes sense to come again.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooManyStreams(seconds) => Some(*seconds),
            Self::Parse(_)
            | Self::InvalidRequest(_)
            | Self::InvalidParams(_)
            | Self::HeaderMismatch(..)
            | Self::UnsupportedVersion(_)
            | Self::UnknownMethod(_)
            | Self::NoSuchResource(_)
            | Self::NoSuchQuestion
            | Self::NeedsEvents => None,
        }
    }

    /// The JSON-RPC error object.
    #[must_use]
    pub fn error(&self, era: Era) -> Value {
        match self {
            Self::Parse(why) => json!({ "code": -32700, "message": why.message() }),
            Self::InvalidRequest(why) => json!({ "code": -32600, "message": why }),
            Self::InvalidParams(why) => json!({ "code": -32602, "message": why }),
            Self::HeaderMismatch(header, why) => {
                json!({ "code": -32020, "message": format!("The header {header} {why}.") })
            }
            Self::UnsupportedVersion(requested) => json!({
                "code": -32022,
                "message": "This revision of the protocol is not served. Choose one of data.supported.",
                "data": { "supported": methods::supported_versions(), "requested": printable(requested) },
            }),
            Self::UnknownMethod(method) => {
                json!({ "code": -32601, "message": format!("There is no method {}.", printable(method)) })
            }
            Self::NoSuchQuestion => json!({
                "code": -32600,
                "message": "Nobody waits for this reply: it was asked of another client, or too long ago.",
            }),
            Self::NeedsEvents => json!({
                "code": -32600,
                "message": "The answer is a stream: accept text/event-stream.",
            }),
            Self::TooManyStreams(_) => json!({
                "code": -32603,
                "message": "There are as many open streams as there may be. Close one, or come again later.",
            }),
            Self::NoSuchResource(uri) => json!({
                "code": match era { Era::Legacy => -32002, Era::Modern => -32602 },
                "message": "There is nothing to read at this address. resources/templates/list shows which there are.",
                "data": { "uri": uri },
            }),
        }
    }

    /// The audit line.
    #[must_use]
    pub fn remark(&self) -> Remark {
        let detail = match self {
            Self::Parse(_)
            | Self::InvalidRequest(_)
            | Self::InvalidParams(_)
            | Self::NoSuchQuestion
            | Self::NeedsEvents
            | Self::TooManyStreams(_) => None,
            Self::HeaderMismatch(header, why) => Some(("header", format!("{header} {why}"))),
            Self::UnsupportedVersion(requested) => Some(("requested", printable(requested))),
            Self::UnknownMethod(method) => Some(("method", printable(method))),
            Self::NoSuchResource(uri) => Some(("uri", printable(uri))),
        };
        Remark {
            kind: Kind::AccessDenied,
            reason: self.reason().to_owned(),
            tool: None,
            owner: None,
            repo: None,
            paths: Vec::new(),
            detail: detail.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

/// At most 64 visible ASCII characters of what a client sent, for messages and records.
fn printable(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// What an answer says.
pub(super) enum Said {
    /// A result.
    Result(Map<String, Value>),
    /// An error object.
    Error(Value),
}

/// An answer before it is written down.
pub(super) struct Wire {
    pub(super) status: StatusCode,
    pub(super) said: Said,
    /// Seconds.
    pub(super) retry_after: Option<u32>,
    /// `WWW-Authenticate`.
    pub(super) challenge: Option<String>,
}

impl Wire {
    pub(super) fn fault(fault: &Fault, era: Era) -> Self {
        let said = Said::Error(fault.error(era));
        Self { status: fault.status(era), said, retry_after: fault.retry_after(), challenge: None }
    }

    pub(super) fn result(result: Map<String, Value>) -> Self {
        Self { status: StatusCode::OK, said: Said::Result(result), retry_after: None, challenge: None }
    }
}

/// A failed call on the MCP wire.
///
/// What a model can act on is a result that says so. What only the person behind the client can mend (a missing
/// scope) or nobody outside (the audit trail) is an HTTP status, so that clients start what they have for it.
pub(super) fn on_mcp(error: &CallError, era: Era, correlation_id: &str) -> Wire {
    let (status, code) = match error {
        CallError::UnknownTool { .. } => (status_of_params(era), -32602),
        CallError::Undeclared { .. } => (status_of_params(era), -32021),
        CallError::Stale => (status_of_params(era), -32602),
        CallError::InsufficientScope { .. } => (StatusCode::FORBIDDEN, -32600),
        CallError::SignedOut { .. } => (StatusCode::UNAUTHORIZED, -32600),
        CallError::AuditUnavailable | CallError::AuditSpaceLow | CallError::OutcomeNotRecorded { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, -32603)
        }
        CallError::InvalidArguments { .. }
        | CallError::Denied { .. }
        | CallError::NotFound { .. }
        | CallError::Renamed { .. }
        | CallError::Conflict { .. }
        | CallError::Unprocessable { .. }
        | CallError::UpstreamUnauthorized { .. }
        | CallError::Upstream { .. }
        | CallError::Busy { .. }
        | CallError::UpstreamTimeout { .. }
        | CallError::Deferred
        | CallError::WriteOutcomeUnknown { .. } => {
            return Wire::result(methods::tool_error(error.reason(), &error.message(), correlation_id));
        }
    };
    let said = Said::Error(json!({
        "code": code,
        "message": error.message(),
        "data": data(error, correlation_id),
    }));
    Wire { status, said, retry_after: retry_after(error), challenge: challenge(error) }
}

/// Modern revisions answer a wrong parameter with a status of its own.
fn status_of_params(era: Era) -> StatusCode {
    match era {
        Era::Legacy => StatusCode::OK,
        Era::Modern => StatusCode::BAD_REQUEST,
    }
}

fn data(error: &CallError, correlation_id: &str) -> Value {
    let mut data = json!({ "reason": error.reason(), "correlation_id": correlation_id });
    if let (CallError::Undeclared { capability }, Some(data)) = (error, data.as_object_mut()) {
        data.insert("requiredCapabilities".to_owned(), json!({ *capability: {} }));
    }
    data
}

/// The same for a method whose result has no place for a failure: what a tool's result would say is an error object.
pub(super) fn on_read(error: &CallError, era: Era, correlation_id: &str) -> Wire {
    let wire = on_mcp(error, era, correlation_id);
    if matches!(wire.said, Said::Error(_)) {
        return wire;
    }
    let of_the_request = matches!(
        error,
        CallError::InvalidArguments { .. }
            | CallError::Denied { .. }
            | CallError::Renamed { .. }
            | CallError::Conflict { .. }
            | CallError::Unprocessable { .. }
    );
    let code = if of_the_request { -32602 } else { -32603 };
    let status = if of_the_request && era == Era::Modern { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let said = Said::Error(json!({
        "code": code,
        "message": error.message(),
        "data": data(error, correlation_id),
    }));
    Wire { status, said, ..wire }
}

/// The status of a failed call at `POST /mcp/tool/call`.
#[must_use]
pub fn status(error: &CallError) -> StatusCode {
    match error {
        CallError::InvalidArguments { .. } | CallError::Stale => StatusCode::BAD_REQUEST,
        // Nobody is asked here: such a call is denied before.
        CallError::Deferred | CallError::Undeclared { .. } => StatusCode::FORBIDDEN,
        CallError::InsufficientScope { .. } | CallError::Denied { .. } => StatusCode::FORBIDDEN,
        CallError::SignedOut { .. } => StatusCode::UNAUTHORIZED,
        CallError::UnknownTool { .. } | CallError::NotFound { .. } | CallError::Renamed { .. } => {
            StatusCode::NOT_FOUND
        }
        CallError::Conflict { .. } => StatusCode::CONFLICT,
        CallError::Unprocessable { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        CallError::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
        // The caller's credential is good; it is ours toward Gitea that is not.
        CallError::UpstreamUnauthorized { .. } | CallError::Upstream { .. } => StatusCode::BAD_GATEWAY,
        CallError::UpstreamTimeout { .. } | CallError::WriteOutcomeUnknown { .. } => {
            StatusCode::GATEWAY_TIMEOUT
        }
        CallError::AuditUnavailable | CallError::AuditSpaceLow | CallError::OutcomeNotRecorded { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// Seconds after which trying again makes sense. Never for a write that may have happened: a client that tries
/// again by itself would do it twice.
#[must_use]
pub fn retry_after(error: &CallError) -> Option<u32> {
    match error {
        CallError::AuditUnavailable
        | CallError::AuditSpaceLow
        | CallError::OutcomeNotRecorded { class: Class::Read, .. } => Some(AUDIT_RETRY_SECONDS),
        CallError::Busy { seconds, .. } => *seconds,
        CallError::OutcomeNotRecorded { class: Class::Write, .. }
        | CallError::UnknownTool { .. }
        | CallError::InvalidArguments { .. }
        | CallError::InsufficientScope { .. }
        | CallError::Denied { .. }
        | CallError::NotFound { .. }
        | CallError::Renamed { .. }
        | CallError::Conflict { .. }
        | CallError::Unprocessable { .. }
        | CallError::UpstreamUnauthorized { .. }
        | CallError::Upstream { .. }
        | CallError::UpstreamTimeout { .. }
        | CallError::SignedOut { .. }
        | CallError::Deferred
        | CallError::Undeclared { .. }
        | CallError::Stale
        | CallError::WriteOutcomeUnknown { .. } => None,
    }
}

/// `WWW-Authenticate` for what signing in again can mend (RFC 6750 section 3). Where people sign in, the gateway
/// adds where a client learns how.
#[must_use]
pub fn challenge(error: &CallError) -> Option<String> {
    match error {
        CallError::InsufficientScope { needed } => {
            Some(format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\""))
        }
        CallError::SignedOut { .. } => Some("Bearer error=\"invalid_token\"".to_owned()),
        CallError::UnknownTool { .. }
        | CallError::InvalidArguments { .. }
        | CallError::Denied { .. }
        | CallError::NotFound { .. }
        | CallError::Renamed { .. }
        | CallError::Conflict { .. }
        | CallError::Unprocessable { .. }
        | CallError::UpstreamUnauthorized { .. }
        | CallError::Upstream { .. }
        | CallError::Busy { .. }
        | CallError::UpstreamTimeout { .. }
        | CallError::WriteOutcomeUnknown { .. }
        | CallError::Deferred
        | CallError::Undeclared { .. }
        | CallError::Stale
        | CallError::AuditUnavailable
        | CallError::AuditSpaceLow
        | CallError::OutcomeNotRecorded { .. } => None,
    }
}

#[cfg(test)]
mod tests;
