//! Who is calling, and whether there is room for one more request.
//!
//! The credential is looked at first: a good one is counted against its principal alone, so that a neighbour
//! behind the same address cannot lock anybody out. Everything else is counted against the address, and a
//! credential that was presented and refused counts as a failure besides. Nothing here knows what is asked for.

use http::HeaderValue;

use crate::ports::{Admission, Bucket, Caller, Ports, Refusal};
use crate::settings::Config;

/// The window of the two per-minute limits, in seconds.
const MINUTE: u32 = 60;

/// How many times as many refusals the token endpoint has room for: after a restart or a revocation all clients of
/// an office come with dead tokens at once.
const GUESSES: u32 = 4;

/// The parts of signing in that are counted by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Public documents.
    Metadata,
    /// What a browser visits.
    Authorization,
    /// Client registration.
    Registration,
    /// Tokens and their revocation.
    Token,
}

/// Why a request may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No credential where one is needed.
    MissingCredential,
    /// Not `Bearer` and one token.
    MalformedCredential,
    /// A credential that is not known here.
    UnknownCredential,
    /// A credential that was good once.
    ExpiredCredential,
    /// Too many requests in this minute; seconds to wait.
    RateLimited(u32),
    /// Too many refused credentials from this address; seconds to wait.
    TooManyFailures(u32),
    /// The principal has too many requests in flight.
    TooManyConcurrent,
    /// Credentials cannot be checked now.
    IdentityUnavailable,
    /// A token of Gitea without the API scopes needed.
    LacksScope,
}

/// Admits a request that needs a caller. `presented` is the value of the `Authorization` header.
///
/// Without a header the host is asked too: it answers with a caller where the operator has turned
/// authentication off, and with a refusal everywhere else.
///
/// # Errors
/// No good credential, or no room.
pub fn admit(
    ports: &Ports<'_>,
    config: &Config,
    presented: Option<&HeaderValue>,
) -> Result<Box<dyn Caller>, Refused> {
    let answer = match presented.map(HeaderValue::to_str) {
        None => ports.identity.authenticate(""),
        Some(Ok(value)) => ports.identity.authenticate(value),
        Some(Err(_)) => Err(Refusal::Malformed),
    };
    let refusal = match answer {
        Ok(caller) => {
            count(ports, Bucket::Principal, config.token_rate_limit_per_minute)?;
            return Ok(caller);
        }
        Err(refusal) => refusal,
    };
    let refused = match (refusal, presented) {
        // Proved, so it is not the address's concern.
        (Refusal::TooManyConcurrent, _) => return Err(Refused::TooManyConcurrent),
        // It was good once, so it is no guess: whoever has it must hear that it is time to renew it, also where a whole
        // office behind one address hears so in the same minute.
        (Refusal::Expired, Some(_)) => return Err(Refused::ExpiredCredential),
        (Refusal::Unavailable, _) => Refused::IdentityUnavailable,
        (Refusal::LacksScope, _) => Refused::LacksScope,
        (Refusal::Malformed | Refusal::Unknown | Refusal::Expired, None) => Refused::MissingCredential,
        (Refusal::Malformed, Some(_)) => failed(ports, config, Refused::MalformedCredential),
        (Refusal::Unknown, Some(_)) => failed(ports, config, Refused::UnknownCredential),
    };
    let room = stranger(ports, config);
    match refused {
        // The longer wait is the honest one.
        Refused::TooManyFailures(_) => Err(refused),
        Refused::MissingCredential
        | Refused::MalformedCredential
        | Refused::UnknownCredential
        | Refused::ExpiredCredential
        | Refused::RateLimited(_)
        | Refused::TooManyConcurrent
        | Refused::LacksScope
        | Refused::IdentityUnavailable => Err(room.err().unwrap_or(refused)),
    }
}

/// Counts a request of the caller that was proved by other means than a credential.
///
/// # Errors
/// The caller has used up their minute.
pub fn proved(ports: &Ports<'_>, config: &Config) -> Result<(), Refused> {
    count(ports, Bucket::Principal, config.token_rate_limit_per_minute)
}

/// Counts a request that nobody vouches for against its source address.
///
/// # Errors
/// The address has used up its minute.
pub fn stranger(ports: &Ports<'_>, config: &Config) -> Result<(), Refused> {
    count(ports, Bucket::Address, config.rate_limit_per_minute)
}

/// Counts a request to a part of signing in against its source address.
///
/// # Errors
/// The address has used up its minute there.
pub fn visitor(ports: &Ports<'_>, config: &Config, part: Part) -> Result<(), Refused> {
    let (bucket, limit) = match part {
        Part::Metadata => (Bucket::Metadata, config.login_rate_limit_per_minute),
        Part::Authorization => (Bucket::Authorization, config.login_rate_limit_per_minute),
        Part::Registration => (Bucket::Registration, config.register_rate_limit_per_minute),
        Part::Token => (Bucket::Token, config.token_endpoint_rate_limit_per_minute),
    };
    count(ports, bucket, limit)
}

/// Counts a client secret, a code or a refresh token that was refused. It comes after the refusal: whoever has
/// the right one is never kept out by what others tried behind the same address.
///
/// # Errors
/// The address has guessed too often.
pub fn guess(ports: &Ports<'_>, config: &Config) -> Result<(), Refused> {
    let most = config.max_auth_failures.saturating_mul(GUESSES);
    match ports.limits.admit(Bucket::TokenFailures, most, config.auth_failure_window) {
        Admission::Admitted(_) => Ok(()),
        Admission::Refused(seconds) => Err(Refused::TooManyFailures(seconds)),
    }
}

fn count(ports: &Ports<'_>, bucket: Bucket, limit: u32) -> Result<(), Refused> {
    match ports.limits.admit(bucket, limit, MINUTE) {
        Admission::Admitted(_) => Ok(()),
        Admission::Refused(seconds) => Err(Refused::RateLimited(seconds)),
    }
}

fn failed(ports: &Ports<'_>, config: &Config, refused: Refused) -> Refused {
    let bucket = Bucket::AuthenticationFailures;
    match ports.limits.admit(bucket, config.max_auth_failures, config.auth_failure_window) {
        Admission::Admitted(_) => refused,
        Admission::Refused(seconds) => Refused::TooManyFailures(seconds),
    }
}

#[cfg(test)]
mod tests;
