//! Every way in which automation refuses before a call begins: one name, one status, one audit line each.

use http::StatusCode;

use crate::ports::Kind;

/// Why nothing is taken or started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `AUTOMATION_ENABLED` is not true.
    Disabled,
    /// A delivery without a signature, or with several.
    Unsigned,
    /// A signature that is not of this body and this secret.
    Forged,
    /// A delivery that was taken before.
    Replayed,
    /// As many deliveries are remembered as may be.
    Full,
    /// A delivery that cannot be understood, and why.
    Malformed(&'static str),
    /// The host does not let this caller start jobs.
    NotPermitted,
    /// Automation has as many requests in flight as one principal may have.
    TooManyConcurrent,
    /// There is no such job.
    UnknownJob,
    /// The operator does not list the job.
    JobOff,
    /// The job is under way in this repository.
    JobRunning,
    /// It is to act, and the job only ever reports.
    ChangesNothing,
}

/// A refusal on the wire and on record.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Kind of audit line.
    pub kind: Kind,
    /// The name.
    pub reason: &'static str,
    /// Status.
    pub status: StatusCode,
    /// What to do. Nothing that was sent is repeated.
    pub message: &'static str,
}

impl Refused {
    /// The one line of this refusal.
    #[must_use]
    pub fn line(self) -> Line {
        use Kind::{AccessDenied, SecurityEvent};
        match self {
            Self::Disabled => line(
                AccessDenied,
                "automation_disabled",
                StatusCode::FORBIDDEN,
                "Automation is off on this server. Its operator can turn it on with AUTOMATION_ENABLED=true.",
            ),
            Self::Unsigned => line(
                SecurityEvent,
                "webhook_unsigned",
                StatusCode::UNAUTHORIZED,
                "A delivery needs one X-Gitea-Signature. Set the secret of the webhook in Gitea to WEBHOOK_SECRET.",
            ),
            Self::Forged => line(
                SecurityEvent,
                "webhook_forged",
                StatusCode::UNAUTHORIZED,
                "X-Gitea-Signature is not of this body. The secret of the webhook in Gitea has to be WEBHOOK_SECRET.",
            ),
            Self::Replayed => line(
                SecurityEvent,
                "webhook_replayed",
                StatusCode::CONFLICT,
                "This delivery was taken within the last 24 hours. To run a job again, run it by name.",
            ),
            Self::Full => line(
                AccessDenied,
                "webhook_memory_full",
                StatusCode::SERVICE_UNAVAILABLE,
                "As many deliveries came within 24 hours as can be remembered. Send fewer events.",
            ),
            Self::Malformed(why) => line(AccessDenied, "webhook_malformed", StatusCode::BAD_REQUEST, why),
            Self::NotPermitted => line(
                AccessDenied,
                "automation_not_permitted",
                StatusCode::FORBIDDEN,
                "This caller may not start jobs here: that needs a credential of a caller that may write.",
            ),
            Self::TooManyConcurrent => line(
                AccessDenied,
                "automation_busy",
                StatusCode::SERVICE_UNAVAILABLE,
                "As many jobs are under way as may be. Try again when Retry-After has passed.",
            ),
            Self::UnknownJob => line(
                AccessDenied,
                "unknown_job",
                StatusCode::NOT_FOUND,
                "There is no job of this name. The documentation of AUTOMATION_JOBS names those that exist.",
            ),
            Self::JobOff => line(
                AccessDenied,
                "job_not_enabled",
                StatusCode::FORBIDDEN,
                "This job is off. The operator can add it to AUTOMATION_JOBS.",
            ),
            Self::JobRunning => line(
                AccessDenied,
                "job_running",
                StatusCode::CONFLICT,
                "This job is under way in this repository. Its report will be the newest one.",
            ),
            Self::ChangesNothing => line(
                AccessDenied,
                "job_changes_nothing",
                StatusCode::BAD_REQUEST,
                "This job only reports, so it cannot be told to act. Run it without `apply`.",
            ),
        }
    }
}

fn line(kind: Kind, reason: &'static str, status: StatusCode, message: &'static str) -> Line {
    Line { kind, reason, status, message }
}
