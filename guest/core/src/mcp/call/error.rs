//! Every way a tool call ends without a result, with one name inside and one sentence for the model.
//!
//! Texts are cleaned, masked and bounded when a value is made: nothing here may hold what has not passed
//! [`Screen`].

use crate::access::Refused;
use crate::client::Unasked;
use crate::gitea;
use crate::ports::{Class, Status};
use crate::reply::Screen;
use crate::tools::kit;

/// What an operator can do about clients that cannot be asked.
const CONFIRMATION: &str = " Changes are confirmed because the operator has set WRITE_CONFIRMATION=elicit.";

/// Why a tool call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// No tool bears this name.
    UnknownTool {
        /// The name, cleaned and bounded.
        name: String,
    },
    /// An argument is missing, unknown, of the wrong type or out of bounds. Nothing was sent to Gitea.
    InvalidArguments {
        /// Which field, and what is allowed.
        message: String,
    },
    /// The credential lacks the scope. Nothing was sent to Gitea.
    InsufficientScope {
        /// The scope that would do.
        needed: &'static str,
    },
    /// Write mode, the policy or Gitea's permissions forbid it.
    Denied {
        /// `tool_not_selected`, `write_mode_disabled`, `repository_not_writable`, `policy_denied`, `policy_unreadable`,
        /// `repository_permission_denied`.
        reason: &'static str,
        /// What denied and what would allow it.
        message: String,
    },
    /// Gitea does not know it, or does not show it to this user.
    NotFound {
        /// What is missing.
        message: String,
    },
    /// The repository has a new name, which has to be asked for by itself.
    Renamed {
        /// Names the new one.
        message: String,
    },
    /// The state of things forbids it: archived, empty, locked, already there.
    Conflict {
        /// `conflict`, `repository_archived`, `repository_empty`, ...
        reason: &'static str,
        /// What stands in the way.
        message: String,
    },
    /// Understood, but not possible with these values.
    Unprocessable {
        /// `unprocessable`, `unknown_label`, `unknown_milestone`, `is_a_directory`, ...
        reason: &'static str,
        /// Which value and what would be possible.
        message: String,
    },
    /// Gitea does not accept the credential that the host sent.
    UpstreamUnauthorized {
        /// What to do.
        message: String,
    },
    /// What the user granted in Gitea has ended: only signing in again helps.
    SignedOut {
        /// What to do.
        message: String,
    },
    /// Gitea cannot be reached, failed, or answered nonsense.
    Upstream {
        /// `gitea_unreachable`, `gitea_failed`, `gitea_answer_broken`, `gitea_answer_too_large`, ...
        reason: &'static str,
        /// What happened.
        message: String,
    },
    /// Gitea asks for fewer requests.
    Busy {
        /// `gitea_busy`, `searches_busy`.
        reason: &'static str,
        /// When to try again.
        message: String,
        /// Seconds to wait, where they are known.
        seconds: Option<u32>,
    },
    /// Gitea did not answer in time. Nothing was changed.
    UpstreamTimeout {
        /// What to do.
        message: String,
    },
    /// A write was sent and its effect is not known.
    WriteOutcomeUnknown {
        /// What to look at before trying again.
        message: String,
    },
    /// Not yet: the answer puts questions, and the client comes again with the replies.
    Deferred,
    /// The client has to be asked something and has not declared that it can be.
    Undeclared {
        /// What it would have to declare.
        capability: &'static str,
    },
    /// What the client came back with was made for another call, is too old, or was used.
    Stale,
    /// The intent could not be recorded, so nothing was done.
    AuditUnavailable,
    /// The volume of the audit trail is nearly full, so nothing was changed.
    AuditSpaceLow,
    /// The outcome could not be recorded, so the result is withheld.
    OutcomeNotRecorded {
        /// A write may have happened.
        class: Class,
        /// Joins what is on record of this call.
        correlation_id: String,
    },
}

impl CallError {
    /// The one name of this refusal, as it stands in the audit trail.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownTool { .. } => "unknown_tool",
            Self::InvalidArguments { .. } => "invalid_arguments",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::Denied { reason, .. }
            | Self::Conflict { reason, .. }
            | Self::Busy { reason, .. }
            | Self::Unprocessable { reason, .. }
            | Self::Upstream { reason, .. } => reason,
            Self::NotFound { .. } => "not_found",
            Self::Renamed { .. } => "repository_renamed",
            Self::UpstreamUnauthorized { .. } => "gitea_unauthorized",
            Self::SignedOut { .. } => "signed_out_in_gitea",
            Self::UpstreamTimeout { .. } => "gitea_timeout",
            Self::WriteOutcomeUnknown { .. } => "write_outcome_unknown",
            Self::Deferred => "input_required",
            Self::Undeclared { .. } => "client_capability_missing",
            Self::Stale => "request_state_invalid",
            Self::AuditUnavailable => "audit_unavailable",
            Self::AuditSpaceLow => "audit_space_low",
            Self::OutcomeNotRecorded { .. } => "outcome_not_recorded",
        }
    }

    /// For the model: what was wrong and what to do. Cleaned, masked and bounded.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::UnknownTool { name } => {
                format!("There is no tool `{name}`. tools/list names those that exist.")
            }
            Self::InvalidArguments { message }
            | Self::Denied { message, .. }
            | Self::NotFound { message }
            | Self::Renamed { message }
            | Self::Conflict { message, .. }
            | Self::Unprocessable { message, .. }
            | Self::UpstreamUnauthorized { message }
            | Self::SignedOut { message }
            | Self::Upstream { message, .. }
            | Self::Busy { message, .. }
            | Self::UpstreamTimeout { message }
            | Self::WriteOutcomeUnknown { message } => message.clone(),
            Self::InsufficientScope { needed } => format!(
                "What this connection was granted lacks the scope {needed}. Sign in again and grant it, or connect \
                 with a credential that has it."
            ),
            Self::Deferred => "Come again with the replies to what was asked.".to_owned(),
            Self::Undeclared { capability } => format!(
                "This call has to ask its client something, and the client has not declared the capability \
                 {capability}. Use a client that has it.{}",
                if *capability == "elicitation" { CONFIRMATION } else { "" }
            ),
            Self::Stale => "requestState is not of this call, is older than five minutes, or was used. Call again \
                            without it."
                .to_owned(),
            Self::AuditUnavailable => {
                "The audit trail cannot be written, so nothing was done. Try again later; the operator has to \
                 look at the audit volume."
                    .to_owned()
            }
            Self::AuditSpaceLow => "The volume of the audit trail is nearly full, so nothing was changed. Reads go on. \
                                    Try again later; the operator has to make room on the audit volume."
                .to_owned(),
            Self::OutcomeNotRecorded { class: Class::Read, correlation_id } => format!(
                "The audit trail could not be completed, so the result is withheld. Nothing was changed. \
                 Correlation id {correlation_id}."
            ),
            Self::OutcomeNotRecorded { class: Class::Write, correlation_id } => format!(
                "State unknown: the change may have been made, but its outcome could not be recorded, so the \
                 result is withheld. Look at the repository before trying again. Correlation id \
                 {correlation_id}."
            ),
        }
    }

    /// How the audit trail and the metrics count it.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::InsufficientScope { .. }
            | Self::Denied { .. }
            | Self::SignedOut { .. }
            | Self::Undeclared { .. }
            | Self::Stale => Status::Denied,
            Self::Deferred => Status::Success,
            Self::UnknownTool { .. }
            | Self::InvalidArguments { .. }
            | Self::NotFound { .. }
            | Self::Renamed { .. }
            | Self::Conflict { .. }
            | Self::Unprocessable { .. }
            | Self::UpstreamUnauthorized { .. }
            | Self::Upstream { .. }
            | Self::Busy { .. }
            | Self::UpstreamTimeout { .. }
            | Self::WriteOutcomeUnknown { .. }
            | Self::AuditUnavailable
            | Self::AuditSpaceLow
            | Self::OutcomeNotRecorded { .. } => Status::Error,
        }
    }

    /// A refusal by scope, write mode or policy.
    pub(in crate::mcp) fn refused(refused: &Refused, screen: &Screen) -> Self {
        match refused {
            Refused::Scope { needed } => Self::InsufficientScope { needed },
            Refused::WriteModeOff
            | Refused::NotWritable { .. }
            | Refused::Policy { .. }
            | Refused::PolicyUnreadable => {
                Self::Denied { reason: refused.reason(), message: screen.message(&refused.message()) }
            }
        }
    }

    /// A client that could not be asked.
    pub(in crate::mcp) fn unasked(unasked: Unasked) -> Self {
        let denied =
            |reason, message: &str| Self::Denied { reason, message: format!("{message}{CONFIRMATION}") };
        match unasked {
            Unasked::Deferred => Self::Deferred,
            Unasked::Undeclared(capability) => Self::Undeclared { capability },
            Unasked::Stale => Self::Stale,
            Unasked::Busy(seconds) => Self::Busy {
                reason: "questions_busy",
                message: format!(
                    "There are as many open questions as there may be. Answer them, or try again in {seconds} s."
                ),
                seconds: Some(seconds),
            },
            Unasked::Unreachable => denied(
                "client_cannot_be_asked",
                "This call has to ask its client something, and over this connection it cannot be asked: connect \
                 over MCP with a client that reads event streams and supports elicitation.",
            ),
            Unasked::NoReply => {
                denied("client_did_not_reply", "Nobody replied in time, so nothing was done.")
            }
            Unasked::Refused => denied(
                "client_refused_to_ask",
                "The client did not put the question to its person, so nothing was done: it may not support \
                 elicitation.",
            ),
        }
    }

    /// A tool that came to no result.
    pub(super) fn failed(error: &kit::Error, screen: &Screen) -> Self {
        let message = screen.message(&error.message());
        match error {
            kit::Error::NotFound { .. } => Self::NotFound { message },
            kit::Error::Conflict { reason, .. } => Self::Conflict { reason, message },
            kit::Error::Unprocessable { reason, .. } => Self::Unprocessable { reason, message },
            kit::Error::Busy { reason, seconds, .. } => {
                Self::Busy { reason, message, seconds: Some(*seconds) }
            }
            kit::Error::Gitea(error) => Self::of_gitea(error, message),
        }
    }

    /// The same, naming the request where somebody has to look what became of it: Gitea was sent the same id.
    pub(super) fn under(mut self, request_id: &str) -> Self {
        if let Self::WriteOutcomeUnknown { message } = &mut self {
            message.push_str(&format!(" The request id is {request_id}, in the audit log and toward Gitea."));
        }
        self
    }

    fn of_gitea(error: &gitea::Error, message: String) -> Self {
        let reason = error.reason();
        match error {
            gitea::Error::Forbidden { .. } | gitea::Error::NotPermitted { .. } => {
                Self::Denied { reason, message }
            }
            gitea::Error::SignedOut => Self::SignedOut { message },
            gitea::Error::NotFound { .. } => Self::NotFound { message },
            gitea::Error::Renamed { .. } => Self::Renamed { message },
            gitea::Error::Conflict { .. }
            | gitea::Error::Precondition { .. }
            | gitea::Error::Locked { .. } => Self::Conflict { reason, message },
            gitea::Error::BadRequest { .. }
            | gitea::Error::Invalid { .. }
            | gitea::Error::RequestTooLarge { .. } => Self::Unprocessable { reason, message },
            gitea::Error::Unauthorized => Self::UpstreamUnauthorized { message },
            gitea::Error::Busy { seconds } => Self::Busy { reason, message, seconds: *seconds },
            gitea::Error::TimedOut => Self::UpstreamTimeout { message },
            gitea::Error::OutcomeUnknown { .. } => Self::WriteOutcomeUnknown { message },
            gitea::Error::Redirected { .. }
            | gitea::Error::Failed { .. }
            | gitea::Error::Unexpected { .. }
            | gitea::Error::NotSent { .. }
            | gitea::Error::Unreachable
            | gitea::Error::TooLarge
            | gitea::Error::Broken
            | gitea::Error::NotJson => Self::Upstream { reason, message },
        }
    }
}
