//! Signing in as a part of the gateway: which step a request is, and how many of them an address may make.
//!
//! What a step does is decided in [`crate::oauth`], which knows neither routes nor limits.

use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Method, Response};
use serde_json::{Map, Value};

use super::dress::Dress;
use super::media::{self, Body};
use super::route::Step;
use super::{Refusal, Visit, request_id};
use crate::admission::{self, Part};
use crate::oauth::refused::Refused;
use crate::oauth::{authorize, callback, cookies, metadata, register, token};
use crate::settings::Config;

/// Answers one request to a step of signing in.
pub(super) fn answer(visit: &Visit<'_>, step: Step, dress: &Dress) -> Result<Response<Vec<u8>>, Refusal> {
    let Visit { gateway, config, request, route } = *visit;
    let (ports, id) = (&gateway.ports, request_id(request));
    let (headers, body, query) = (request.headers(), request.body(), request.uri().query().unwrap_or(""));
    match (step, request.method()) {
        (Step::ResourceMetadata(path), &Method::GET | &Method::HEAD) => {
            public(visit, &metadata::resource(config, path))
        }
        (Step::ServerMetadata(_), &Method::GET | &Method::HEAD) => public(visit, &metadata::server(config)),
        (Step::Register(_), &Method::POST) => {
            admission::visitor(ports, config, Part::Registration)?;
            media::check_body(headers, Body::Json)?;
            Ok(register::answer(ports, config, body)?)
        }
        (Step::Token(_), &Method::POST) => {
            form(visit)?;
            guarded(visit, token::answer(ports, config, headers, body))
        }
        (Step::Revoke, &Method::POST) => {
            form(visit)?;
            guarded(visit, token::revoke(ports, headers, body))
        }
        (Step::Authorize(_), &Method::GET | &Method::HEAD) => {
            admission::visitor(ports, config, Part::Authorization)?;
            Ok(authorize::show(ports, config, query, &cookies::read(headers), id))
        }
        (Step::Authorize(_), &Method::POST) => {
            admission::visitor(ports, config, Part::Authorization)?;
            media::check_body(headers, Body::Form)?;
            Ok(authorize::decide(ports, config, headers, body, id))
        }
        (Step::Callback, &Method::GET) => {
            admission::visitor(ports, config, Part::Authorization)?;
            Ok(callback::answer(ports, config, query, &cookies::read(headers), id))
        }
        (
            Step::ResourceMetadata(_)
            | Step::ServerMetadata(_)
            | Step::Register(_)
            | Step::Token(_)
            | Step::Revoke,
            &Method::OPTIONS,
        ) => visit.preflight(dress),
        (_, _) => visit.or_a_stranger(Err(Refusal::MethodNotAllowed(route.allow()))),
    }
}

/// Where signing in happens, for `GET /`.
pub(super) fn endpoints(config: &Config) -> Map<String, Value> {
    let mut found = Map::new();
    for (name, path) in [
        ("protected_resource_metadata", "/.well-known/oauth-protected-resource/mcp"),
        ("authorization_server_metadata", "/.well-known/oauth-authorization-server"),
        ("authorize", "/oauth/authorize"),
        ("token", "/oauth/token"),
        ("revoke", "/oauth/revoke"),
        ("register", "/register"),
    ] {
        if name != "register" || config.dcr_enabled {
            found.insert(name.to_owned(), path.into());
        }
    }
    found
}

/// A public document. It says the same to everybody, so caches may keep it for a while; not for long, since
/// clients act on it after the settings have changed.
fn public(visit: &Visit<'_>, document: &Value) -> Result<Response<Vec<u8>>, Refusal> {
    admission::visitor(&visit.gateway.ports, visit.config, Part::Metadata)?;
    let mut response = media::json(document);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    Ok(response)
}

fn form(visit: &Visit<'_>) -> Result<(), Refusal> {
    admission::visitor(&visit.gateway.ports, visit.config, Part::Token)?;
    media::check_body(visit.request.headers(), Body::Form)
}

/// Counts what may have been a guess, after it was found to be wrong.
fn guarded(
    visit: &Visit<'_>,
    outcome: Result<Response<Vec<u8>>, Refused>,
) -> Result<Response<Vec<u8>>, Refusal> {
    if outcome.as_ref().is_err_and(Refused::is_guess) {
        admission::guess(&visit.gateway.ports, visit.config)?;
    }
    Ok(outcome?)
}
