//! The token endpoint and the revocation endpoint: RFC 6749 sections 4.1.3, 5 and 6, RFC 7009.
//!
//! A code or a token passes through here unread: the host says what it is worth. What is checked before is form
//! alone, so that a request with a mistake in it burns nothing.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, PRAGMA};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::client_auth::{self, wrong};
use super::form::{Form, MAX_BYTES};
use super::refused::{Refused, fingerprint};
use super::{resource, scope};
use crate::ports::{Denied, Ports, Proof, Tokens};
use crate::settings::Config;

/// The longest code, token, verifier or redirect URI, in bytes.
const MAX_VALUE: usize = 2048;

/// `POST /oauth/token`. The type of the body was checked before.
///
/// # Errors
/// See [`Refused`].
pub fn answer(
    ports: &Ports<'_>,
    config: &Config,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response<Vec<u8>>, Refused> {
    let form = read(body)?;
    let proof = client_auth::proof(headers, &form)?;
    let grant = form.one("grant_type")?.ok_or(Refused::MissingParameter("grant_type"))?;
    let tokens = match grant {
        "authorization_code" => redeem(ports, config, &proof, &form),
        "refresh_token" => refresh(ports, config, &proof, &form),
        _ => return Err(Refused::UnsupportedGrantType),
    }?;
    Ok(unkept(StatusCode::OK, Some(&told(&tokens))))
}

/// `POST /oauth/revoke`. A token that is not known is as good as revoked (RFC 7009 section 2.2), and a
/// `token_type_hint` is only a hint: the host finds either kind without one.
///
/// # Errors
/// See [`Refused`].
pub fn revoke(ports: &Ports<'_>, headers: &HeaderMap, body: &[u8]) -> Result<Response<Vec<u8>>, Refused> {
    let form = read(body)?;
    let proof = client_auth::proof(headers, &form)?;
    let token = required(&form, "token")?;
    ports.login.revoke(&proof, token).map_err(|denied| refused(denied, &proof))?;
    Ok(unkept(StatusCode::OK, None))
}

fn redeem(ports: &Ports<'_>, config: &Config, proof: &Proof, form: &Form) -> Result<Tokens, Refused> {
    // Before the code is shown to anybody: all our tokens are for this server, so another resource is a mistake of
    // the client (RFC 8707 section 2) and no sign that somebody else holds the code. It burns nothing.
    resource::check(config, form.one("resource")?)?;
    let code = required(form, "code")?;
    // Whether there has to be a verifier or a redirect URI, and which, stands in the code.
    let (verifier, redirect) = (optional(form, "code_verifier")?, optional(form, "redirect_uri")?);
    ports.login.redeem(proof, code, verifier, redirect).map_err(|denied| refused(denied, proof))
}

fn refresh(ports: &Ports<'_>, config: &Config, proof: &Proof, form: &Form) -> Result<Tokens, Refused> {
    resource::check(config, form.one("resource")?)?;
    let token = required(form, "refresh_token")?;
    let scopes = scope::narrowed(form.one("scope")?)?;
    ports.login.refresh(proof, token, scopes.as_deref()).map_err(|denied| refused(denied, proof))
}

fn refused(denied: Denied, proof: &Proof) -> Refused {
    match denied {
        Denied::InvalidClient => wrong(proof),
        Denied::InvalidGrant => Refused::InvalidGrant { client: fingerprint(&proof.client_id), guess: true },
        Denied::EndedGrant => Refused::InvalidGrant { client: fingerprint(&proof.client_id), guess: false },
        Denied::InvalidScope => Refused::InvalidScope,
        Denied::Unavailable => Refused::Unavailable,
    }
}

fn read(body: &[u8]) -> Result<Form, Refused> {
    if body.len() > MAX_BYTES {
        return Err(Refused::TooLarge(MAX_BYTES));
    }
    let form = Form::parse(body)?;
    form.unrepeated()?;
    Ok(form)
}

fn required<'f>(form: &'f Form, name: &'static str) -> Result<&'f str, Refused> {
    optional(form, name)?.ok_or(Refused::MissingParameter(name))
}

/// A value as RFC 6749 appendix A has them: visible ASCII.
fn optional<'f>(form: &'f Form, name: &'static str) -> Result<Option<&'f str>, Refused> {
    let value = form.one(name)?;
    let fits = |value: &str| value.len() <= MAX_VALUE && value.bytes().all(|byte| byte.is_ascii_graphic());
    if value.is_none_or(fits) { Ok(value) } else { Err(Refused::MalformedParameter(name)) }
}

fn told(tokens: &Tokens) -> Value {
    json!({
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
        "refresh_token": tokens.refresh_token,
        "scope": tokens.scopes.join(" "),
    })
}

/// An answer that nobody keeps. `Cache-Control: no-store` is on every answer; RFC 6749 section 5.1 wants this
/// one besides, for caches of HTTP/1.0.
pub(super) fn unkept(status: StatusCode, document: Option<&Value>) -> Response<Vec<u8>> {
    let body = document.map(|document| document.to_string().into_bytes()).unwrap_or_default();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    if document.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

#[cfg(test)]
mod tests;
