//! Dynamic client registration: RFC 7591.
//!
//! Nothing is written for a stranger: the host makes an id that proves what was registered. Whatever could not be
//! honoured later is refused here or replaced in the answer, and members that mean nothing here are left out.

use aegis_redaction::{Mode, Redactor};
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::redirect;
use super::refused::Refused;
use super::token::unkept;
use crate::mcp::json as strict;
use crate::ports::{Authentication, NotRegistered, Ports, Registered, Registration};
use crate::settings::Config;

/// The longest registration, in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// Most redirect URIs of one client.
const MAX_REDIRECTS: usize = 5;

/// The longest redirect URI, in bytes.
const MAX_REDIRECT: usize = 512;

/// Most characters of a client's name.
const MAX_NAME: usize = 64;

/// `POST /register`. The type of the body was checked before.
///
/// # Errors
/// See [`Refused`].
pub fn answer(ports: &Ports<'_>, config: &Config, body: &[u8]) -> Result<Response<Vec<u8>>, Refused> {
    if !config.dcr_enabled {
        return Err(Refused::RegistrationClosed);
    }
    let registration = read(config, body)?;
    let registered = ports.clients.register(&registration).map_err(|why| match why {
        NotRegistered::Disabled => Refused::RegistrationClosed,
        NotRegistered::TooLarge => {
            malformed("The redirect URIs and the name together are too long. Register fewer or shorter ones.")
        }
    })?;
    Ok(unkept(StatusCode::CREATED, Some(&told(registration, &registered))))
}

fn read(config: &Config, body: &[u8]) -> Result<Registration, Refused> {
    if body.len() > MAX_BYTES {
        return Err(Refused::TooLarge(MAX_BYTES));
    }
    let document = strict::parse(body).map_err(|why| malformed(why.message()))?;
    let Value::Object(members) = document else { return Err(malformed("The body is a JSON object.")) };
    let redirect_uris = redirect_uris(config, &members)?;
    let name = name(&members)?;
    listed(&members, "grant_types", &["authorization_code", "refresh_token"])
        .ok_or(malformed("grant_types is a list of authorization_code and refresh_token."))?;
    listed(&members, "response_types", &["code"]).ok_or(malformed("response_types is the list of code."))?;
    Ok(Registration { name, redirect_uris, authentication: authentication(&members)? })
}

fn redirect_uris(config: &Config, members: &Map<String, Value>) -> Result<Vec<String>, Refused> {
    let wanted = || malformed("redirect_uris is a list of 1 to 5 texts of at most 512 bytes each.");
    let Some(Value::Array(listed)) = members.get("redirect_uris") else { return Err(wanted()) };
    if listed.is_empty() || listed.len() > MAX_REDIRECTS {
        return Err(wanted());
    }
    let mut uris = Vec::new();
    for item in listed {
        let uri = item.as_str().filter(|uri| uri.len() <= MAX_REDIRECT).ok_or_else(wanted)?;
        redirect::judge_registration(config, uri).map_err(Refused::RedirectNotAllowed)?;
        uris.push(uri.to_owned());
    }
    Ok(uris)
}

/// The name that a person will be shown: on one line, without characters that deceive, and cut.
fn name(members: &Map<String, Value>) -> Result<Option<String>, Refused> {
    let given = match members.get("client_name") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(given)) => given,
        Some(_) => return Err(malformed("client_name is a text.")),
    };
    let cleaned = Redactor::new(Mode::Mask).clean(given).text;
    let line = cleaned.split_whitespace().collect::<Vec<_>>().join(" ");
    let short = aegis_redaction::bound(&line, MAX_NAME).map_or(line.as_str(), str::trim_end);
    Ok(if short.is_empty() { None } else { Some(short.to_owned()) })
}

/// RFC 7591 section 2 makes `client_secret_basic` of a method that is left out, and clients that leave it out do
/// read the answer: it names the method and carries the secret. An application that says it is native cannot
/// keep one (RFC 8252 section 8.5), so it gets none.
fn authentication(members: &Map<String, Value>) -> Result<Authentication, Refused> {
    let native = members.get("application_type").and_then(Value::as_str) == Some("native");
    match members.get("token_endpoint_auth_method") {
        None | Some(Value::Null) if native => Ok(Authentication::None),
        None | Some(Value::Null) => Ok(Authentication::Basic),
        Some(Value::String(method)) => match method.as_str() {
            "none" => Ok(Authentication::None),
            "client_secret_basic" => Ok(Authentication::Basic),
            "client_secret_post" => Ok(Authentication::Post),
            _ => Err(UNKNOWN_METHOD),
        },
        Some(_) => Err(UNKNOWN_METHOD),
    }
}

const UNKNOWN_METHOD: Refused =
    malformed("token_endpoint_auth_method is none, client_secret_basic or client_secret_post.");

/// Whether a list, where there is one, holds known words alone and at least the first of them.
fn listed(members: &Map<String, Value>, name: &str, known: &[&str]) -> Option<()> {
    match members.get(name) {
        None | Some(Value::Null) => Some(()),
        Some(Value::Array(items)) => {
            let words: Vec<&str> = items.iter().map(Value::as_str).collect::<Option<_>>()?;
            let fits = words.iter().all(|word| known.contains(word));
            (fits && known.first().is_some_and(|first| words.contains(first))).then_some(())
        }
        Some(_) => None,
    }
}

const fn malformed(why: &'static str) -> Refused {
    Refused::MalformedRegistration(why)
}

/// RFC 7591 section 3.2.1: what was registered, which is what counts from now on.
fn told(registration: Registration, registered: &Registered) -> Value {
    let mut document = json!({
        "client_id": registered.client_id,
        "client_id_issued_at": registered.issued_at,
        "redirect_uris": registration.redirect_uris,
        "token_endpoint_auth_method": match registration.authentication {
            Authentication::None => "none",
            Authentication::Basic => "client_secret_basic",
            Authentication::Post => "client_secret_post",
        },
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    });
    if let Some(members) = document.as_object_mut() {
        if let Some(name) = registration.name {
            members.insert("client_name".to_owned(), name.into());
        }
        if let Some(secret) = &registered.client_secret {
            members.insert("client_secret".to_owned(), secret.as_str().into());
            // It does not expire by itself.
            members.insert("client_secret_expires_at".to_owned(), 0.into());
        }
    }
    document
}

#[cfg(test)]
mod tests;
