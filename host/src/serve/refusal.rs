//! What the host itself refuses: one reason, one status, one metric each. Bodies tell a reason and what to do,
//! never what went wrong inside.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use super::answer::Body;
use crate::instance::Failed;
use crate::metrics::Metrics;

/// Why the host answers in place of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No Host, two of them, or one that contradicts the request target.
    BadHost,
    /// More or other transfer codings than one `chunked`.
    BadFraming,
    /// The body is larger than MAX_REQUEST_BYTES.
    BodyTooLarge,
    /// The body did not arrive in BODY_TIMEOUT_SECONDS.
    BodyTooSlow,
    /// The body broke off.
    BodyBroken,
    /// Every permit is taken.
    Busy,
    /// The instance ended without an answer.
    Instance(Failed),
    /// No answer in time.
    TimedOut,
    /// The answer is larger than the host holds.
    AnswerTooLarge,
    /// The guest answered with a ticket open.
    TicketLeftOpen,
    /// The trail could not take the outcome.
    OutcomeLost,
    /// There is no answer, and a change was sent to Gitea.
    WriteOutcomeUnknown,
    /// The path is the host's, the method is not.
    MethodNotAllowed,
    /// A path that is switched off.
    NotFound,
}

impl Refusal {
    /// Status, reason and message.
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadHost => (
                StatusCode::BAD_REQUEST,
                "bad_host",
                "Send exactly one Host header that agrees with the request target.",
            ),
            Self::BadFraming => (
                StatusCode::BAD_REQUEST,
                "bad_framing",
                "Send one Content-Length, or Transfer-Encoding: chunked and nothing else.",
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "The request body is larger than MAX_REQUEST_BYTES.",
            ),
            Self::BodyTooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The request body did not arrive in time.")
            }
            Self::BodyBroken => (StatusCode::BAD_REQUEST, "body_broken", "The request body broke off."),
            Self::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "busy", "Every place is taken. Try again in a moment.")
            }
            Self::Instance(failed) => match failed {
                Failed::CpuLimit => (
                    StatusCode::GATEWAY_TIMEOUT,
                    "cpu_limit",
                    "The request needed more computing time than one request may have.",
                ),
                Failed::NoMemory => (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "no_memory",
                    "Requests under way use all the memory there is for them. Try again in a moment.",
                ),
                Failed::MemoryLimit => (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "memory_limit",
                    "The request needed more memory than one request may have.",
                ),
                Failed::StackOverflow | Failed::Trapped => (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal_error",
                    "The request failed inside. The log has it under the request id.",
                ),
            },
            Self::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "timed_out", "There was no answer in time."),
            Self::AnswerTooLarge => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "answer_too_large",
                "The answer was larger than one answer may be.",
            ),
            Self::TicketLeftOpen => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "outcome_not_recorded",
                "The outcome was not recorded, so the answer is withheld.",
            ),
            // As the guest says it, whose own answer is withheld with the rest. No Retry-After: repeating a change
            // that may have been made is for a person to decide.
            Self::OutcomeLost => (
                StatusCode::SERVICE_UNAVAILABLE,
                "outcome_not_recorded",
                "The audit trail could not take the outcome, so the answer is withheld. If this was a change, it \
                 may have been made: look before trying again.",
            ),
            Self::WriteOutcomeUnknown => (
                StatusCode::GATEWAY_TIMEOUT,
                "write_outcome_unknown",
                "A change was sent to Gitea and there is no answer to give. It may have been made: look before \
                 trying again. The audit log has what was sent under the request id.",
            ),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Use GET."),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "There is nothing here."),
        }
    }

    /// What is told in its place when a change was sent meanwhile: a plain failure would be tried again.
    pub(crate) fn after_a_write(self) -> Self {
        match self {
            Self::Instance(_) | Self::TimedOut | Self::AnswerTooLarge | Self::TicketLeftOpen => {
                Self::WriteOutcomeUnknown
            }
            Self::BadHost
            | Self::BadFraming
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::BodyBroken
            | Self::Busy
            | Self::OutcomeLost
            | Self::WriteOutcomeUnknown
            | Self::MethodNotAllowed
            | Self::NotFound => self,
        }
    }

    /// Whether the guest itself has failed, as far as can be told: not what it could not have, nor what a client did.
    pub(crate) fn is_the_guests_fault(self) -> bool {
        match self {
            Self::Instance(failed) => failed != Failed::NoMemory,
            Self::TimedOut | Self::AnswerTooLarge | Self::TicketLeftOpen => true,
            Self::BadHost
            | Self::BadFraming
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::BodyBroken
            | Self::Busy
            | Self::OutcomeLost
            | Self::WriteOutcomeUnknown
            | Self::MethodNotAllowed
            | Self::NotFound => false,
        }
    }

    /// The named reason.
    pub(crate) fn reason(self) -> &'static str {
        self.parts().1
    }

    /// What to do, for a person.
    pub(crate) fn message(self) -> &'static str {
        self.parts().2
    }

    /// The answer, counted.
    pub(crate) fn answer(self, metrics: &Metrics, request_id: &str) -> Response<Body> {
        let (status, reason, message) = self.parts();
        metrics.refused(reason);
        let text = json!({"error": reason, "message": message, "request_id": request_id}).to_string();
        let mut response = Response::new(Body::whole(Bytes::from(text)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        match self {
            Self::Busy | Self::Instance(Failed::NoMemory) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // What is left of the request is not read, so the connection cannot go on.
            Self::BadHost | Self::BadFraming | Self::BodyTooLarge | Self::BodyTooSlow | Self::BodyBroken => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::MethodNotAllowed => {
                headers.insert(http::header::ALLOW, HeaderValue::from_static("GET"));
            }
            Self::Instance(_)
            | Self::TimedOut
            | Self::AnswerTooLarge
            | Self::TicketLeftOpen
            | Self::OutcomeLost
            | Self::WriteOutcomeUnknown
            | Self::NotFound => {}
        }
        response
    }
}
