//! `POST /mcp/tool/call`: one tool call without JSON-RPC around it, for scripts.
//!
//! The same call with the same gates as over MCP; only the envelope differs, and every outcome has a status of
//! its own. It must not run anything by itself.

use http::Response;
use http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Map, Value, json};

use super::{Refusal, media};
use crate::client::Silent;
use crate::mcp::call::{self, CallError, Finished, Session};
use crate::mcp::{error, json as strict};
use crate::ports::Level;

/// Answers one direct call.
pub(super) fn answer(session: &Session<'_>, body: &[u8]) -> Result<Response<Vec<u8>>, Refusal> {
    let asked = Asked::read(body)?;
    let called = call::call(session, &asked.tool, asked.arguments, &Silent);
    let id = called.correlation_id;
    if let Some(theirs) = asked.correlation_id {
        // The caller's own id is for the caller: the trail keeps ours, and this line joins the two.
        let fields = [("correlation_id", id.as_str()), ("client_correlation_id", theirs.as_str())];
        session.ports.telemetry.log(Level::Info, "direct_tool_call", &fields);
    }
    Ok(match called.result {
        Ok(finished) => succeeded(finished, &id),
        Err(error) => failed(&error, &id),
    })
}

/// What was found, and beside it how much was taken out of it.
pub(super) fn succeeded(finished: Finished, correlation_id: &str) -> Response<Vec<u8>> {
    let mut said = Map::new();
    said.insert("success".to_owned(), true.into());
    said.insert("correlation_id".to_owned(), correlation_id.into());
    said.extend(finished.removed.told().map(|told| ("removed".to_owned(), told)));
    said.insert("result".to_owned(), finished.structured);
    media::json(&Value::Object(said))
}

pub(super) fn failed(error: &CallError, correlation_id: &str) -> Response<Vec<u8>> {
    let said = json!({ "code": error.reason(), "message": error.message() });
    let mut response =
        media::json(&json!({ "success": false, "error": said, "correlation_id": correlation_id }));
    *response.status_mut() = error::status(error);
    let headers = response.headers_mut();
    if let Some(seconds) = error::retry_after(error) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(challenge) = error::challenge(error).and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The body of a direct call.
struct Asked {
    tool: String,
    arguments: Option<Value>,
    correlation_id: Option<String>,
}

impl Asked {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let document = strict::parse(body).map_err(|why| Refusal::MalformedBody(why.message()))?;
        let Value::Object(mut members) = document else {
            return Err(Refusal::MalformedBody("The body is a JSON object."));
        };
        let Some(Value::String(tool)) = members.remove("tool") else {
            return Err(Refusal::MalformedBody("`tool` is required and a string: a name of /mcp/tools."));
        };
        let correlation_id = match members.remove("correlation_id") {
            None => None,
            Some(Value::String(id)) if is_id(&id) => Some(id),
            Some(_) => {
                return Err(Refusal::MalformedBody(
                    "`correlation_id` is 1 to 64 characters of A-Z a-z 0-9 . _ -",
                ));
            }
        };
        let arguments = members.remove("arguments");
        if members.is_empty() {
            Ok(Self { tool, arguments, correlation_id })
        } else {
            Err(Refusal::MalformedBody(
                "The body holds `tool`, `arguments` and `correlation_id`, nothing else.",
            ))
        }
    }
}

/// The form of request ids: safe in a log line and in a header.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
