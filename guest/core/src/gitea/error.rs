//! What can go wrong with a request to Gitea: one list, one table from statuses to it.

use super::location;
use crate::ports::{Failure, Head};

/// Gitea's words where a token, not its user, is what falls short.
const LACKS_SCOPE: &str = "does not have at least one of required scope";

/// Why a request to Gitea gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// 400: a parameter it does not understand.
    BadRequest {
        /// Gitea's words.
        said: String,
    },
    /// 401: it does not accept the credential.
    Unauthorized,
    /// 403: the user or the token may not.
    Forbidden {
        /// Gitea's words.
        said: String,
    },
    /// 404: not there, or not visible to this user; Gitea makes no difference.
    NotFound {
        /// Gitea's words.
        said: String,
    },
    /// 409: it exists already, or the repository is empty.
    Conflict {
        /// Gitea's words.
        said: String,
    },
    /// 412: the state of an issue forbids it.
    Precondition {
        /// Gitea's words.
        said: String,
    },
    /// 413: what was sent is too large.
    RequestTooLarge {
        /// Gitea's words.
        said: String,
    },
    /// 422: a value it does not accept.
    Invalid {
        /// Gitea's words.
        said: String,
    },
    /// 423: the repository is archived or a mirror.
    Locked {
        /// Gitea's words.
        said: String,
    },
    /// 429, or 503: too many requests.
    Busy {
        /// Seconds to wait, where it says so.
        seconds: Option<u32>,
    },
    /// 301 to another repository.
    Renamed {
        /// New owner.
        owner: String,
        /// New name.
        repo: String,
        /// Whether the message may tell them: only where the policy lists that repository. Nobody has asked
        /// it yet when an answer is read, so it begins as no.
        told: bool,
    },
    /// Another 3xx. Never followed.
    Redirected {
        /// The status.
        status: u16,
    },
    /// 5xx.
    Failed {
        /// The status.
        status: u16,
    },
    /// A status that no endpoint in use gives.
    Unexpected {
        /// The status.
        status: u16,
    },
    /// The host did not send it.
    NotSent {
        /// Its rule.
        rule: String,
    },
    /// The service account could, but this user may not, or that could not be made sure. Nothing was sent.
    NotPermitted {
        /// Why, in the host's words.
        why: String,
    },
    /// What this user granted in Gitea has ended.
    SignedOut,
    /// No connection.
    Unreachable,
    /// No complete answer in time.
    TimedOut,
    /// The answer is larger than it may be.
    TooLarge,
    /// The answer broke off or was not HTTP.
    Broken,
    /// The answer is not JSON.
    NotJson,
    /// A write was sent and no readable answer came: it may or may not have happened. Never sent again.
    OutcomeUnknown {
        /// The name of what went wrong.
        because: &'static str,
    },
}

impl Error {
    /// What a status other than success means. `said` are Gitea's words, `writes` whether something was to
    /// change. They are kept whole: who tells them masks them first and cuts them then, since a secret that was cut
    /// is not recognised.
    pub(super) fn of_status(head: &Head, said: String, writes: bool) -> Self {
        match head.status {
            301 | 302 | 303 | 307 | 308 => Self::redirected(head),
            400 => Self::BadRequest { said },
            401 => Self::Unauthorized,
            403 => Self::Forbidden { said },
            404 => Self::NotFound { said },
            409 => Self::Conflict { said },
            412 => Self::Precondition { said },
            413 => Self::RequestTooLarge { said },
            422 => Self::Invalid { said },
            423 => Self::Locked { said },
            429 => Self::Busy { seconds: wait(head) },
            503 => Self::Busy { seconds: wait(head) }.after(writes),
            status @ 500..=599 => Self::Failed { status }.after(writes),
            // An odd success is still a success: something may have changed.
            status @ 200..=299 => Self::Unexpected { status }.after(writes),
            status => Self::Unexpected { status },
        }
    }

    /// What a failed exchange means.
    pub(super) fn of_failure(failure: Failure, writes: bool) -> Self {
        match failure {
            Failure::TicketClosed => Self::NotSent { rule: "the ticket was closed".to_owned() },
            Failure::Refused(rule) => Self::NotSent { rule },
            // The host says this only where no connection came about, so nothing was changed.
            Failure::Unreachable(_) => Self::Unreachable,
            Failure::TimedOut => Self::TimedOut.after(writes),
            Failure::TooLarge => Self::TooLarge.after(writes),
            Failure::Broken(_) => Self::Broken.after(writes),
            Failure::NotPermitted(why) => Self::NotPermitted { why },
            Failure::SignedOut => Self::SignedOut,
        }
    }

    /// The same for a read; for a write that was sent, that its effect is unknown.
    pub(super) fn after(self, writes: bool) -> Self {
        if writes { Self::OutcomeUnknown { because: self.reason() } } else { self }
    }

    fn redirected(head: &Head) -> Self {
        let target =
            if head.status == 301 { head.header("location").and_then(location::repository) } else { None };
        match target {
            Some((owner, repo)) => Self::Renamed { owner, repo, told: false },
            None => Self::Redirected { status: head.status },
        }
    }

    /// The one name of this error.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::BadRequest { .. } => "gitea_bad_request",
            Self::Unauthorized => "gitea_unauthorized",
            Self::Forbidden { .. } => "repository_permission_denied",
            Self::NotFound { .. } => "not_found",
            Self::Conflict { .. } => "conflict",
            Self::Precondition { .. } => "precondition_failed",
            Self::RequestTooLarge { .. } => "gitea_request_too_large",
            Self::Invalid { .. } => "unprocessable",
            Self::Locked { .. } => "repository_locked",
            Self::Busy { .. } => "gitea_busy",
            Self::Renamed { .. } => "repository_renamed",
            Self::Redirected { .. } => "gitea_redirected",
            Self::Failed { .. } => "gitea_failed",
            Self::Unexpected { .. } => "gitea_unexpected_status",
            Self::NotSent { .. } => "gitea_request_not_sent",
            Self::NotPermitted { .. } => "repository_permission_denied",
            Self::SignedOut => "signed_out_in_gitea",
            Self::Unreachable => "gitea_unreachable",
            Self::TimedOut => "gitea_timeout",
            Self::TooLarge => "gitea_answer_too_large",
            Self::Broken => "gitea_answer_broken",
            Self::NotJson => "gitea_answer_not_json",
            Self::OutcomeUnknown { .. } => "write_outcome_unknown",
        }
    }

    /// What happened and what to do, for the model. Not yet cleaned: Gitea's words are in it.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::BadRequest { said } => with("Gitea does not accept a value of this request.", said),
            Self::Unauthorized => {
                "Gitea does not accept the credential of this connection. Connect again; if \
                                   that does not help, the operator has to look at the Gitea credential."
                    .to_owned()
            }
            Self::Forbidden { said } if said.contains(LACKS_SCOPE) => with(
                "Gitea rejected the API call: the token behind this connection lacks a scope. Revoke this \
                 application in Gitea (Settings, Applications) and sign in again; where the operator gave this \
                 server a token of its own, the operator has to widen it.",
                said,
            ),
            Self::Forbidden { said } => with(
                "Gitea rejected the API call: the user behind this connection may not do this. Signing in again \
                 does not help; ask the owner of the repository for access.",
                said,
            ),
            Self::NotFound { said } => {
                with("Gitea has no such thing, or does not show it to this user. Check the names.", said)
            }
            Self::Conflict { said } => with("It conflicts with what is already there.", said),
            Self::Precondition { said } => with("The present state forbids it.", said),
            Self::RequestTooLarge { said } => with("Gitea finds what was sent too large.", said),
            Self::Invalid { said } => with("Gitea does not accept a value of this request.", said),
            Self::Locked { said } => {
                with("The repository is archived or a mirror, so it cannot be changed.", said)
            }
            Self::Busy { seconds: Some(seconds) } => {
                format!("Gitea asks for fewer requests. Try again in {seconds} seconds.")
            }
            Self::Busy { seconds: None } => "Gitea asks for fewer requests. Try again later.".to_owned(),
            Self::Renamed { told: false, .. } => {
                "The repository was renamed. Ask again with its new owner and name.".to_owned()
            }
            Self::Renamed { owner, repo, told: true } => format!(
                "The repository is now called {owner}/{repo}. Ask again with that owner and repo; the policy \
                 judges the new name by itself."
            ),
            Self::Redirected { status } => format!(
                "Gitea answered with a redirect (status {status}), which is not followed. The operator has to \
                 check GITEA_URL."
            ),
            Self::Failed { status } => format!("Gitea failed (status {status}). Try again later."),
            Self::Unexpected { status } => {
                format!("Gitea answered with status {status}, which says nothing.")
            }
            Self::NotSent { rule } => format!("The request was not sent to Gitea: {rule}."),
            Self::NotPermitted { why } => format!(
                "Gitea does not show that you have the permission this needs on the repository ({why}). Ask its owner \
                 for access, or use a repository that you have access to."
            ),
            Self::SignedOut => {
                "What you granted to this server in Gitea has ended. Sign in again.".to_owned()
            }
            Self::Unreachable => "Gitea cannot be reached. Try again later.".to_owned(),
            Self::TimedOut => "Gitea did not answer in time. Try again later, or ask for less.".to_owned(),
            Self::TooLarge => "Gitea's answer is larger than what is read here. Ask for less.".to_owned(),
            Self::Broken => "Gitea's answer broke off. Try again.".to_owned(),
            Self::NotJson => "Gitea's answer cannot be read. The operator has to check GITEA_URL.".to_owned(),
            Self::OutcomeUnknown { because } => format!(
                "State unknown: the change was sent to Gitea once, but no readable answer came ({because}). Look \
                 whether it happened before trying again."
            ),
        }
    }
}

/// `Retry-After` in seconds (RFC 9110 section 10.2.3); a date is not read, and nobody is sent away for long.
fn wait(head: &Head) -> Option<u32> {
    head.header("retry-after")?.trim().parse().ok().map(|seconds: u32| seconds.clamp(1, 3600))
}

fn with(sentence: &str, said: &str) -> String {
    if said.trim().is_empty() {
        sentence.to_owned()
    } else {
        format!("{sentence} Gitea says: {}", said.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn a_refused_call_says_whether_to_sign_in_again_or_to_ask_for_access() {
        let scope = "token does not have at least one of required scope(s), required=[read:issue], token scope=read:repository";
        for (said, advice, not) in [
            (scope, "sign in again", "ask the owner"),
            ("user should have permission", "ask the owner", "Revoke"),
        ] {
            let message = Error::Forbidden { said: said.to_owned() }.message();
            assert!(message.starts_with("Gitea rejected the API call: "), "{message}");
            assert!(message.contains(advice) && !message.contains(not), "{message}");
            assert!(message.ends_with(&format!("Gitea says: {said}")), "{message}");
        }
    }
}
