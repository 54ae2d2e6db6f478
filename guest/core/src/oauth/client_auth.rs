//! How a client proves itself at the token and revocation endpoints: RFC 6749 section 2.3.
//!
//! Only where the proof stands and how it is written is settled here; whether it is good, the host says. One
//! proof in one place: with two, somebody is trying which of them is looked at.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::form::{self, Form};
use super::refused::{BadClient, Refused, fingerprint};
use crate::ports::{Presented, Proof};

/// The longest client id, in bytes: one that proves itself holds five redirect URIs.
const MAX_ID: usize = 4096;

/// The longest secret, in bytes.
const MAX_SECRET: usize = 512;

/// The proof that comes with a request.
///
/// # Errors
/// There is none, there are two, or it cannot be read: always `invalid_client`. A repeated parameter.
pub fn proof(headers: &HeaderMap, form: &Form) -> Result<Proof, Refused> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let header = match (values.next(), values.next()) {
        (None, _) => None,
        (Some(only), None) => Some(only),
        (Some(_), Some(_)) => return Err(bad(BadClient::TwoWays, true, None)),
    };
    let (id, secret) = (form.one("client_id")?, form.one("client_secret")?);
    let asserted = form.one("client_assertion")?.is_some() || form.one("client_assertion_type")?.is_some();
    if asserted {
        return Err(bad(BadClient::UnknownMethod, header.is_some(), id));
    }
    let proof = match header {
        None => in_form(id, secret)?,
        Some(_) if secret.is_some() => return Err(bad(BadClient::TwoWays, true, id)),
        Some(value) => {
            let proof = basic(value)?;
            // Many libraries repeat the id in the form. Another one is another client.
            if id.is_some_and(|id| id != proof.client_id) {
                return Err(bad(BadClient::TwoWays, true, id));
            }
            proof
        }
    };
    let fits = |text: &str, most| text.len() <= most && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if fits(&proof.client_id, MAX_ID) && proof.secret.as_deref().is_none_or(|secret| fits(secret, MAX_SECRET))
    {
        Ok(proof)
    } else {
        Err(wrong(&proof))
    }
}

/// What a client gets whose proof the host does not accept.
#[must_use]
pub(super) fn wrong(proof: &Proof) -> Refused {
    bad(BadClient::Wrong, proof.method == Presented::Basic, Some(&proof.client_id))
}

fn in_form(id: Option<&str>, secret: Option<&str>) -> Result<Proof, Refused> {
    let Some(id) = id else { return Err(bad(BadClient::Unnamed, false, None)) };
    let method = if secret.is_some() { Presented::Post } else { Presented::Nothing };
    Ok(Proof { client_id: id.to_owned(), secret: secret.map(str::to_owned), method })
}

/// RFC 6749 section 2.3.1: id and secret are each encoded like a form before they are joined.
fn basic(value: &HeaderValue) -> Result<Proof, Refused> {
    let unreadable = || bad(BadClient::Unreadable, true, None);
    let text = value.to_str().map_err(|_| unreadable())?;
    let (scheme, coded) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(bad(BadClient::UnknownMethod, true, None));
    }
    let joined = STANDARD.decode(coded.trim()).map_err(|_| unreadable())?;
    let mut halves = joined.splitn(2, |byte| *byte == b':');
    let (id, secret) = (halves.next().and_then(form::decode), halves.next().and_then(form::decode));
    match (id, secret) {
        (Some(client_id), Some(secret)) if !client_id.is_empty() => {
            Ok(Proof { client_id, secret: Some(secret), method: Presented::Basic })
        }
        (Some(_) | None, _) => Err(unreadable()),
    }
}

fn bad(why: BadClient, header: bool, client: Option<&str>) -> Refused {
    Refused::Client { why, header, client: client.map(fingerprint) }
}

#[cfg(test)]
mod tests;
