//! What a body may be, what the client can read, and JSON on the way out.
//!
//! Only the headers are looked at here: RFC 9110 sections 8.3, 8.4 and 12.5.1.

use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use serde_json::Value;

use super::Refusal;

/// What a posted body has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// A posted body is of its one type, and as it is. A compressed one is refused: nobody here inflates what a
/// stranger sent.
pub(super) fn check_body(headers: &HeaderMap, wanted: Body) -> Result<(), Refusal> {
    let encodings = listed(headers, &CONTENT_ENCODING).ok_or(Refusal::EncodedBody)?;
    if encodings.iter().any(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(Refusal::EncodedBody);
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (kind, advice) = match wanted {
        Body::Json => ("application/json", "Send the body as Content-Type: application/json."),
        Body::Form => (
            "application/x-www-form-urlencoded",
            "Send the body as Content-Type: application/x-www-form-urlencoded.",
        ),
    };
    let fits = match (types.next(), types.next()) {
        (Some(only), None) => only.to_str().is_ok_and(|text| essence(text).eq_ignore_ascii_case(kind)),
        (None, _) | (Some(_), Some(_)) => false,
    };
    if fits { Ok(()) } else { Err(Refusal::UnsupportedMediaType(advice)) }
}

/// Whether the client can read events. MCP asks clients to accept both JSON and events; one that accepts JSON
/// alone, or says nothing, is served all the same.
pub(super) fn check_accept(headers: &HeaderMap) -> Result<bool, Refusal> {
    let ranges = listed(headers, &ACCEPT).ok_or(Refusal::NotAcceptable)?;
    let takes = |kind: &str| {
        let (family, _) = kind.split_once('/').unwrap_or((kind, ""));
        let weight_of = |wanted: &str| {
            ranges
                .iter()
                .find(|range| essence(range).eq_ignore_ascii_case(wanted))
                .map(|range| !is_zero(range))
        };
        // The most specific range decides.
        weight_of(kind)
            .or_else(|| weight_of(&format!("{family}/*")))
            .or_else(|| weight_of("*/*"))
            .unwrap_or(false)
    };
    if !ranges.is_empty() && !takes("application/json") {
        return Err(Refusal::NotAcceptable);
    }
    Ok(names_events(&ranges))
}

/// Whether the client asks for events.
pub(super) fn reads_events(headers: &HeaderMap) -> Result<bool, Refusal> {
    Ok(names_events(&listed(headers, &ACCEPT).ok_or(Refusal::NotAcceptable)?))
}

/// A wildcard is what plain HTTP tools send; they want one document, so events are for those who name them.
fn names_events(ranges: &[&str]) -> bool {
    let named = ranges.iter().find(|range| essence(range).eq_ignore_ascii_case("text/event-stream"));
    named.is_some_and(|range| !is_zero(range))
}

/// An answer of status 200.
pub(super) fn json(document: &Value) -> Response<Vec<u8>> {
    let mut response = Response::new(document.to_string().into_bytes());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The members of a comma-separated header over all its lines; none where a line is not text.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Vec<&'a str>> {
    let mut members = Vec::new();
    for value in headers.get_all(name) {
        let line = value.to_str().ok()?;
        members.extend(line.split(',').map(str::trim).filter(|member| !member.is_empty()));
    }
    Some(members)
}

fn essence(media: &str) -> &str {
    media.split(';').next().unwrap_or("").trim()
}

/// `q=0`, `q=0.0` and so on mean "not this".
fn is_zero(range: &str) -> bool {
    range.split(';').skip(1).any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
    })
}
