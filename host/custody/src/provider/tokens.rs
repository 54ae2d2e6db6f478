//! What Gitea's token endpoint answers (RFC 6749 sections 5.1 and 5.2).
//!
//! Gitea answers 400 to everything that fails and uses `unauthorized_client` for a wrong secret, a used code and a
//! dead refresh token alike, so its description decides where the word alone does not. A description that is not
//! known counts against the code or the grant, never against the operator's settings.

use serde_json::{Map, Value};

use super::Answer;
use super::error::{Dead, UpstreamError};
use super::strict;
use crate::Timestamp;
use crate::oauth::SecretText;

/// What errors call it.
pub const WHAT: &str = "its token endpoint";

/// The tokens of one grant. `Debug` shows none of them.
#[derive(Debug)]
pub struct Tokens {
    /// For calls of Gitea's API.
    pub access: SecretText,
    /// For the next refresh; none only where Gitea gave none.
    pub refresh: Option<SecretText>,
    /// Who signed in; of use once, in [`identify`](super::Upstream::identify).
    pub id: Option<SecretText>,
    /// When the access token ends, counted from before it was asked for.
    pub expires: Timestamp,
}

impl Tokens {
    /// Reads a success; `asked_at` is from before the request.
    pub fn read(answer: &Answer, asked_at: Timestamp) -> Result<Self, UpstreamError> {
        let wrong = |why| UpstreamError::Unreadable(WHAT, why);
        let mut members =
            strict::object(&answer.body).ok_or(wrong("is not one JSON object with each member once"))?;
        let kind = strict::text(&members, "token_type").unwrap_or_default();
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(wrong("holds no bearer token"));
        }
        let seconds =
            members.get("expires_in").and_then(Value::as_u64).filter(|s| (1..=315_360_000).contains(s));
        let seconds =
            seconds.and_then(|s| i64::try_from(s).ok()).ok_or(wrong("does not say how long it lives"))?;
        let expires = asked_at.unix_millis().saturating_add(seconds.saturating_mul(1_000));
        let access = taken(&mut members, "access_token")?.ok_or(wrong("holds no access token"))?;
        let refresh = taken(&mut members, "refresh_token")?;
        let id = taken(&mut members, "id_token")?;
        Ok(Self { access, refresh, id, expires: Timestamp::from_unix_millis(expires) })
    }
}

/// A member that is a token: visible ASCII, so that it can stand in a header.
fn taken(members: &mut Map<String, Value>, name: &str) -> Result<Option<SecretText>, UpstreamError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            // Taken over first: whatever happens to it then, its memory is wiped.
            let secret = SecretText::new(text);
            let plain = !secret.expose().is_empty() && secret.expose().bytes().all(|b| b.is_ascii_graphic());
            if plain {
                Ok(Some(secret))
            } else {
                Err(UpstreamError::Unreadable(WHAT, "holds no usable token"))
            }
        }
        Some(_) => Err(UpstreamError::Unreadable(WHAT, "holds no usable token")),
    }
}

/// What was asked for when it was refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A code.
    Code,
    /// A refresh token.
    Refresh,
}

/// Reads a refusal for the application of that name.
pub fn refusal(answer: &Answer, asked: Asked, app: &'static str) -> UpstreamError {
    match answer.status {
        400 | 401 => {}
        404 => return UpstreamError::OauthDisabled(WHAT),
        status => return UpstreamError::Failed(WHAT, status),
    }
    let Some(members) = strict::object(&answer.body) else {
        return UpstreamError::Unreadable(WHAT, "is no error of OAuth");
    };
    let error = strict::text(&members, "error").unwrap_or_default();
    let description = strict::text(&members, "error_description").unwrap_or_default();
    let says = |words: &str| description.contains(words);
    match (error, asked) {
        ("invalid_client", _) => UpstreamError::ClientRejected(app),
        ("unauthorized_client", _) if says("client secret") || says("client id") => {
            UpstreamError::ClientRejected(app)
        }
        ("unauthorized_client" | "invalid_request" | "invalid_grant", Asked::Code)
            if says("redirect URI") || says("redirect_uri") =>
        {
            UpstreamError::RedirectRejected(app)
        }
        ("unauthorized_client" | "invalid_grant", Asked::Code) => UpstreamError::CodeRefused,
        ("unauthorized_client" | "invalid_grant", Asked::Refresh) => {
            UpstreamError::GrantRevoked(if says("already used") {
                Dead::AlreadyUsed
            } else if says("unable to parse") {
                Dead::Unreadable
            } else {
                Dead::Gone
            })
        }
        // `invalid_request` is what Gitea says when it could not sign, or not find the user: not a verdict.
        _ => UpstreamError::Failed(WHAT, answer.status),
    }
}
