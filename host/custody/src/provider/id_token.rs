//! Gitea's ID token: who just signed in, for this login and this application.
//!
//! OpenID Connect Core 1.0 section 3.1.3.7, each step or refusal in order. It says nothing about what the access
//! token may do.

use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::discovery::{Discovery, without_slash};
use super::fault::Fault;
use super::jwt::Parts;
use super::strict;

/// What an ID token is checked against, besides its key.
pub struct Expected<'a> {
    /// Whose it has to be.
    pub discovery: &'a Discovery,
    /// The application it has to be for.
    pub client_id: &'a str,
    /// What was drawn for this sign-in.
    pub nonce: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

impl Expected<'_> {
    /// Checks the claims of a token whose signature was found good; gives the subject.
    pub fn claims(&self, parts: &Parts<'_>) -> Result<String, Fault> {
        let claims = &parts.claims;
        let issuer = strict::text(claims, "iss").ok_or(Fault::Issuer)?;
        if without_slash(issuer) != self.discovery.issuer {
            return Err(Fault::Issuer);
        }
        self.audience(claims.get("aud"), claims.get("azp"))?;
        parts.times(self.now)?;
        let nonce = strict::text(claims, "nonce").ok_or(Fault::Nonce)?;
        if self.nonce.is_empty() || !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err(Fault::Nonce);
        }
        strict::text(claims, "sub").filter(|sub| is_user_id(sub)).map(str::to_owned).ok_or(Fault::Subject)
    }

    fn audience(&self, aud: Option<&Value>, azp: Option<&Value>) -> Result<(), Fault> {
        let ours = |value: &Value| value.as_str() == Some(self.client_id);
        let several = match aud {
            Some(one @ Value::String(_)) if ours(one) => false,
            Some(Value::Array(list)) if list.iter().any(ours) && list.iter().all(Value::is_string) => {
                list.len() > 1
            }
            _ => return Err(Fault::Audience),
        };
        match azp {
            None if several => Err(Fault::Audience),
            None => Ok(()),
            Some(azp) if ours(azp) => Ok(()),
            Some(_) => Err(Fault::Audience),
        }
    }
}

/// Gitea's user ids are positive 64-bit numbers, written in decimal without leading zeros.
pub fn is_user_id(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0')
        && text.parse::<i64>().is_ok_and(|id| id > 0)
}
