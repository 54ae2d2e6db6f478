//! Which generation of the protocol a request speaks, and whether its headers agree with its body.
//!
//! *Legacy* revisions (up to 2025-11-25) open with `initialize`; *modern* ones (2026-07-28) carry everything in
//! each request's `_meta` and repeat the routing facts in headers. Headers are for intermediaries: where one
//! says something else than the body, the request is refused, and nothing here or later decides on a header.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::base64;
use super::error::Fault;
use super::message::Request;
use crate::tools::kit::Mirrored;

/// Modern revisions served, newest first.
pub const MODERN: &[&str] = &["2026-07-28"];
/// Legacy revisions served, newest first.
pub const LEGACY: &[&str] = &["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// What `initialize` answers to a client that asks for a revision not served.
pub const LEGACY_NEWEST: &str = "2025-11-25";

const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// A generation of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25.
    Legacy,
    /// From 2026-07-28.
    Modern,
}

impl Era {
    /// The era of a request.
    ///
    /// `Mcp-Method` plays no part: legacy clients behind some bridges send it too.
    #[must_use]
    pub fn of_request(headers: &HeaderMap, request: &Request) -> Self {
        let stated = meta(&request.params).is_some_and(|meta| meta.contains_key(PROTOCOL_VERSION));
        if stated {
            Self::Modern
        } else if request.method == "initialize" {
            Self::Legacy
        } else {
            Self::of_headers(headers)
        }
    }

    /// The era of a message without parameters of its own: modern if the version header names anything but a
    /// legacy revision.
    #[must_use]
    pub fn of_headers(headers: &HeaderMap) -> Self {
        match Header::read(headers, "mcp-protocol-version") {
            Header::Absent => Self::Legacy,
            Header::One(version) if LEGACY.contains(&&*version) => Self::Legacy,
            Header::One(_) | Header::Unreadable => Self::Modern,
        }
    }

    /// Checks `_meta`, then the headers, then the version, in this order.
    ///
    /// # Errors
    /// What the era asks for is missing or contradicts itself.
    pub fn check(self, headers: &HeaderMap, request: &Request) -> Result<(), Fault> {
        match self {
            Self::Legacy => check_legacy(headers, request),
            Self::Modern => check_modern(headers, request),
        }
    }
}

/// `params._meta`.
#[must_use]
pub fn meta(params: &Map<String, Value>) -> Option<&Map<String, Value>> {
    params.get("_meta").and_then(Value::as_object)
}

/// Checks the version header of a message or request that names no version in a body.
///
/// # Errors
/// It names a revision that is not served, or cannot be read.
pub fn check_version(headers: &HeaderMap) -> Result<(), Fault> {
    match Header::read(headers, "mcp-protocol-version") {
        Header::Absent => Ok(()),
        Header::One(version) if MODERN.contains(&&*version) || LEGACY.contains(&&*version) => Ok(()),
        Header::One(version) => Err(Fault::UnsupportedVersion(version.into_owned())),
        Header::Unreadable => Err(Fault::HeaderMismatch(
            "mcp-protocol-version",
            "is sent twice or holds characters that are not allowed",
        )),
    }
}

/// Checks the headers of a notification, which owes none.
///
/// # Errors
/// One that is there says something else than the body, or names a revision that is not served.
pub fn check_notification(headers: &HeaderMap, method: &str) -> Result<(), Fault> {
    check_version(headers)?;
    if headers.contains_key("mcp-method") { demand(headers, "mcp-method", method) } else { Ok(()) }
}

/// What a modern client declares that it can be asked.
#[must_use]
pub fn client_capabilities(params: &Map<String, Value>) -> Option<&Map<String, Value>> {
    meta(params).and_then(|meta| meta.get(CLIENT_CAPABILITIES)).and_then(Value::as_object)
}

fn check_modern(headers: &HeaderMap, request: &Request) -> Result<(), Fault> {
    let missing = |what: &str| Fault::InvalidParams(format!("Every request carries {what}."));
    let meta = meta(&request.params).ok_or_else(|| missing("params._meta"))?;
    let version = meta.get(PROTOCOL_VERSION).and_then(Value::as_str);
    let version = version
        .ok_or_else(|| missing("the revision as _meta[\"io.modelcontextprotocol/protocolVersion\"]"))?;
    if !meta.get(CLIENT_CAPABILITIES).is_some_and(Value::is_object) {
        return Err(missing("an object as _meta[\"io.modelcontextprotocol/clientCapabilities\"]"));
    }
    demand(headers, "mcp-protocol-version", version)?;
    demand(headers, "mcp-method", &request.method)?;
    if let Some(field) = naming_field(&request.method) {
        let name = request.params.get(field).and_then(Value::as_str);
        let name =
            name.ok_or_else(|| Fault::InvalidParams(format!("params.{field} is a string and required.")))?;
        demand(headers, "mcp-name", name)?;
    }
    if MODERN.contains(&version) { Ok(()) } else { Err(Fault::UnsupportedVersion(version.to_owned())) }
}

/// Checks the headers that repeat arguments of a modern tool call: each one that the body has stands there with the same
/// value, and none that the body has not.
///
/// # Errors
/// One is missing, differs, or cannot be read.
pub fn check_mirrored(
    headers: &HeaderMap,
    mirrored: &[Mirrored],
    arguments: Option<&Value>,
) -> Result<(), Fault> {
    for Mirrored { header, argument } in mirrored {
        let name = format!("mcp-param-{}", header.to_ascii_lowercase());
        let fault = |why| Err(Fault::HeaderMismatch(header, why));
        let told = arguments.and_then(|arguments| arguments.pointer(argument)).and_then(written);
        match (Header::read(headers, &name), told) {
            (Header::Absent, None) => {}
            (Header::One(value), Some(told)) if value == told => {}
            (Header::Absent, Some(_)) => return fault("is missing"),
            (Header::One(_), _) => return fault("differs from the body"),
            (Header::Unreadable, _) => {
                return fault("is sent twice or holds characters that are not allowed");
            }
        }
    }
    Ok(())
}

/// An argument as a header has it. What is no text, whole number or flag is not repeated.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Legacy clients owe no headers, but one that is there and says something else than the body is a lie.
fn check_legacy(headers: &HeaderMap, request: &Request) -> Result<(), Fault> {
    if headers.contains_key("mcp-method") {
        demand(headers, "mcp-method", &request.method)?;
    }
    let name =
        naming_field(&request.method).and_then(|field| request.params.get(field)).and_then(Value::as_str);
    match name {
        Some(name) if headers.contains_key("mcp-name") => demand(headers, "mcp-name", name),
        Some(_) | None => Ok(()),
    }
}

/// Which parameter `Mcp-Name` repeats.
fn naming_field(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ => None,
    }
}

fn demand(headers: &HeaderMap, name: &'static str, expected: &str) -> Result<(), Fault> {
    match Header::read(headers, name) {
        Header::One(value) if value == expected => Ok(()),
        Header::One(_) => Err(Fault::HeaderMismatch(name, "differs from the body")),
        Header::Absent => Err(Fault::HeaderMismatch(name, "is missing")),
        Header::Unreadable => {
            Err(Fault::HeaderMismatch(name, "is sent twice or holds characters that are not allowed"))
        }
    }
}

enum Header<'a> {
    Absent,
    One(Cow<'a, str>),
    Unreadable,
}

impl<'a> Header<'a> {
    fn read(headers: &'a HeaderMap, name: &str) -> Self {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            (Some(value), None) => text(value, name).map_or(Self::Unreadable, Self::One),
            (Some(_), Some(_)) => Self::Unreadable,
        }
    }
}

/// Names outside visible ASCII travel as `=?base64?...?=` holding UTF-8.
fn text<'a>(value: &'a HeaderValue, name: &str) -> Option<Cow<'a, str>> {
    let plain = value.to_str().ok()?.trim_matches([' ', '\t']);
    let coded = plain.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match coded {
        Some(coded) if name == "mcp-name" || name.starts_with("mcp-param-") => {
            String::from_utf8(base64::decode(coded)?).ok().map(Cow::Owned)
        }
        Some(_) | None => Some(Cow::Borrowed(plain)),
    }
}

#[cfg(test)]
mod tests;
