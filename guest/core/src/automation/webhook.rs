//! A delivery of Gitea's webhook: proved by its signature, put on record, and what it starts handed to the host.
//!
//! The signature is over the body's bytes, so nothing in them is read before the host has checked it. Gitea signs no
//! time, and headers are not signed at all: what a delivery says of the repository decides what is looked at, and
//! everything else is asked of Gitea again.

use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::{Desk, Failed, LOOKING, Refused, call};
use crate::mcp::json as strict;
use crate::ports::{Caller, NotVerified};
use crate::tools::jobs::{Happened, JOBS, WEBHOOK};

const SIGNATURE: HeaderName = HeaderName::from_static("x-gitea-signature");
const DELIVERY: HeaderName = HeaderName::from_static("x-gitea-delivery");
const EVENT: HeaderName = HeaderName::from_static("x-gitea-event");

/// A delivery that Gitea has signed. Nothing else of it is known to be good.
pub struct Verified<'a> {
    caller: Box<dyn Caller>,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

/// A delivery that is on record.
pub struct Accepted {
    caller: Box<dyn Caller>,
    event: String,
    action: Option<String>,
    default_branch: bool,
}

/// Prove a delivery. Its signature is looked at first: whoever has not the secret learns nothing else.
///
/// # Errors
/// It is not signed by this body and the secret, or was taken before.
pub fn verify<'a>(desk: &Desk<'_>, headers: &'a HeaderMap, body: &'a [u8]) -> Result<Verified<'a>, Refused> {
    // Without a secret Gitea sends the header empty.
    let signature = only(headers, &SIGNATURE).filter(|text| !text.is_empty()).ok_or(Refused::Unsigned)?;
    // One without a name is refused as soon as it is proved.
    let delivery = word(headers, &DELIVERY).unwrap_or_default();
    let caller = desk.ports.automation.verify(signature, delivery, body).map_err(|why| match why {
        NotVerified::Forged => Refused::Forged,
        NotVerified::Replayed => Refused::Replayed,
        NotVerified::Full => Refused::Full,
        NotVerified::TooManyConcurrent => Refused::TooManyConcurrent,
        NotVerified::Disabled => Refused::Disabled,
    })?;
    Ok(Verified { caller, headers, body })
}

/// Ask the policy and put the delivery on record.
///
/// # Errors
/// The outer: its headers are not Gitea's, or it is not about a repository. The inner: it may not be taken, or that
/// cannot be recorded.
pub fn accept(desk: &Desk<'_>, verified: Verified<'_>) -> Result<Result<Accepted, Failed>, Refused> {
    let Verified { caller, headers, body } = verified;
    let delivery =
        word(headers, &DELIVERY).ok_or(Refused::Malformed("A delivery needs one X-Gitea-Delivery."))?;
    let event = word(headers, &EVENT).ok_or(Refused::Malformed("A delivery needs one X-Gitea-Event."))?;
    let body = strict::parse(body).map_err(|why| Refused::Malformed(why.message()))?;
    let text = |at: &str| body.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let named = text("/repository/owner/login").zip(text("/repository/name"));
    let (owner, repo) = named.ok_or(Refused::Malformed("The delivery names no repository."))?;
    let action = text("/action");
    let branch = text("/ref").and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned));
    let default_branch = branch.is_some() && branch == text("/repository/default_branch");
    let mut arguments = json!({ "owner": owner, "repo": repo, "event": event, "delivery": delivery });
    if let (Some(members), Some(action)) = (arguments.as_object_mut(), &action) {
        members.insert("action".to_owned(), action.as_str().into());
    }
    let called = call(desk, &*caller, &LOOKING, WEBHOOK, arguments);
    Ok(match called.result {
        Ok(_) => Ok(Accepted { caller, event: event.to_owned(), action, default_branch }),
        Err(error) => Err(Failed { error, correlation_id: called.correlation_id }),
    })
}

/// Hand what the delivery starts to the host, which runs it when the answer has left.
pub fn hand_over(desk: &Desk<'_>, accepted: &Accepted) {
    let Accepted { caller, event, action, default_branch } = accepted;
    let happened = Happened { event, action: action.as_deref(), default_branch: *default_branch };
    let started = JOBS.iter().filter(|job| desk.config.automation.lists(job.name) && job.starts(happened));
    for job in started {
        // The host says in the log where it does not run it, and why.
        caller.hand_over(job.name, job.pause_seconds);
    }
}

/// The one value of a header.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (None, _) | (Some(_), Some(_)) => None,
    }
}

/// The same where it is a word of letters, digits, `_` and `-`.
fn word<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    only(headers, name).filter(|text| (1..=64).contains(&text.len()) && text.bytes().all(fits))
}
