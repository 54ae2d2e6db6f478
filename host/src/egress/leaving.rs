//! No secret of this server goes to Gitea in a request: not into an issue that somebody is made to write, nor into the
//! log of a search. What a guest wants sent is looked through before it is; a find stops the request and is on record.

use http::HeaderValue;

use super::scrub::token_of;
use super::{Asked, NotSent, Wire};
use crate::component::bindings::aegis::gateway::gitea::Failure;
use crate::shared::Shared;
use crate::ticket::Record;

/// Said of a request that is stopped.
pub(super) const OWN_SECRET: &str = "a key or token of this server stands in it";
/// The reason of its line.
const REFUSED: &str = "own_secret_refused";

/// Before anything is noted or sent.
///
/// # Errors
/// A secret stands in the request.
pub(super) fn check(shared: &Shared, record: &Record, asked: &Asked) -> Result<(), NotSent> {
    let outlet = record.outlet();
    let pairs = asked.query.iter().flat_map(|(name, value)| [name, value]);
    let mut texts = asked.segments.iter().chain(pairs).map(String::as_bytes).chain(asked.body.as_deref());
    if !texts.any(|text| outlet.holds(shared, text)) {
        return Ok(());
    }
    on_record(shared, record, asked.method.as_str(), &asked.template);
    Err(NotSent::OwnSecret)
}

/// Once it is known whose token the request goes with: that one is looked for too, here and in the answer.
///
/// # Errors
/// It stands in the request, which is then not sent.
pub(super) fn check_again(
    shared: &Shared,
    record: &Record,
    wire: &Wire,
    authorization: &HeaderValue,
    place: usize,
) -> Result<(), Failure> {
    let outlet = record.outlet();
    outlet.uses(shared, token_of(authorization).unwrap_or_default());
    let body = wire.body.as_deref().unwrap_or_default();
    if !outlet.holds(shared, wire.target.as_bytes()) && !outlet.holds(shared, body) {
        return Ok(());
    }
    record.take_back(place);
    on_record(shared, record, wire.method.as_str(), &wire.template);
    Err(Failure::Refused(OWN_SECRET.to_owned()))
}

fn on_record(shared: &Shared, record: &Record, method: &str, template: &str) {
    shared.metrics.own_secrets("refused", 1);
    record.deny(REFUSED, &[("method", method), ("template", template)]);
}
