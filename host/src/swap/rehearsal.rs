//! A guest tries itself before it has any traffic, in a world of its own: no caller can be proved there, so there is no
//! ticket, nothing reaches Gitea, and nothing that is counted or kept for real callers is touched.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{Cause, Refused};
use crate::aside::{Aside, NotAside};
use crate::guest::Linked;
use crate::policy::Policy;
use crate::settings::Settings;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most problems of a policy that are told.
const MAX_TOLD: usize = 5;

/// What a gateway answers to somebody who has shown no credential.
enum Expected {
    /// 200 and a JSON object.
    Document,
    /// 200 and a list of tools with names.
    Tools,
    /// 401.
    Refusal,
}

/// Have it prepare the policy in force, and answer requests; the policy in its form.
pub(super) async fn rehearse(
    settings: &Arc<Settings>,
    linked: &Arc<Linked>,
    values: &[(String, String)],
    document: &[u8],
) -> Result<Policy, Refused> {
    let (world, given, own) = (settings.clone(), linked.clone(), values.to_vec());
    let made = tokio::task::spawn_blocking(move || Aside::new(given, &world, &own)).await;
    let aside = made
        .map_err(|_| Refused::stopping())?
        .map_err(|not: NotAside| Cause::SelfTest.because(format!("it cannot be tried: {not}")))?;
    let tried = tokio::time::timeout(PATIENCE, try_all(&aside, document, values)).await;
    // Its log is on a disk.
    let _ = tokio::task::spawn_blocking(move || drop(aside)).await;
    tried.unwrap_or_else(|_| {
        let text = format!(
            "it was not done with the policy and the requests that it is tried with in {} seconds",
            PATIENCE.as_secs()
        );
        Err(Cause::SelfTest.because(text))
    })
}

async fn try_all(aside: &Aside, document: &[u8], values: &[(String, String)]) -> Result<Policy, Refused> {
    let prepared = aside.preflight(document, values).await;
    let prepared = prepared.map_err(|error| Cause::Preflight.because(error.to_string()))?;
    let prepared = prepared.map_err(|problems| {
        let told: Vec<String> =
            problems.iter().take(MAX_TOLD).map(|problem| problem.told("the policy in force")).collect();
        Cause::PolicyRejected.because(format!("it does not take what is in force: {}", told.join("; ")))
    })?;
    aside.use_policy(Policy::of(document, prepared.clone())).await;
    let initialize = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "self-test", "version": "1"}},
    });
    let call = json!({"tool": "get_repository_info", "arguments": {"owner": "self", "repo": "test"}});
    let asked = [
        (Method::GET, "/", None, Expected::Document),
        (Method::GET, "/mcp/tools", None, Expected::Tools),
        (Method::POST, "/mcp", Some(initialize), Expected::Refusal),
        (Method::POST, "/mcp/tool/call", Some(call), Expected::Refusal),
    ];
    for (method, path, body, expected) in asked {
        let what = format!("{method} {path}");
        let failed = |why: String| Cause::SelfTest.because(format!("tried with {what}, {why}"));
        let answer = aside.answer(request(method, path, body)).await.map_err(failed)?;
        expected.judge(&answer).map_err(failed)?;
    }
    Ok(Policy::of(document, prepared))
}

fn request(method: Method, path: &str, body: Option<Value>) -> Request<Full<Bytes>> {
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    // Every one of these is a path.
    *request.uri_mut() = path.parse().unwrap_or_default();
    let headers = [
        (HOST, "127.0.0.1"),
        (CONTENT_TYPE, "application/json"),
        (http::header::ACCEPT, "application/json, text/event-stream"),
        (http::HeaderName::from_static("x-request-id"), "self-test"),
    ];
    for (name, value) in headers {
        request.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    request
}

impl Expected {
    fn judge(&self, answer: &Response<Bytes>) -> Result<(), String> {
        let status = match self {
            Self::Document | Self::Tools => StatusCode::OK,
            Self::Refusal => StatusCode::UNAUTHORIZED,
        };
        if answer.status() != status {
            return Err(format!("it answered {} where {status} is due", answer.status()));
        }
        let document = || serde_json::from_slice::<Value>(answer.body()).ok();
        let tools = |document: Value| Some(document.get("tools")?.as_array()?.clone());
        let is_right = match self {
            Self::Refusal => true,
            Self::Document => document().is_some_and(|document| document.is_object()),
            Self::Tools => document().and_then(tools).is_some_and(|tools| {
                !tools.is_empty() && tools.iter().all(|tool| tool.get("name").is_some_and(Value::is_string))
            }),
        };
        if is_right { Ok(()) } else { Err("its answer is not what a gateway says".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response<Bytes> {
        Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap()
    }

    #[test]
    fn a_gateway_is_told_from_what_is_none() {
        let tools = r#"{"tools":[{"name":"get_issue"}]}"#;
        for (expected, status, body) in
            [(Expected::Document, 200, "{}"), (Expected::Tools, 200, tools), (Expected::Refusal, 401, "")]
        {
            assert_eq!(expected.judge(&answer(status, body)), Ok(()), "{body}");
        }
        for (expected, status, body) in [
            (Expected::Document, 200, "what?"),
            (Expected::Document, 500, "{}"),
            (Expected::Tools, 200, r#"{"tools":[]}"#),
            (Expected::Tools, 200, r#"{"tools":[{"nome":"x"}]}"#),
            (Expected::Tools, 401, tools),
            (Expected::Refusal, 200, "{}"),
            (Expected::Refusal, 403, "{}"),
        ] {
            assert!(expected.judge(&answer(status, body)).is_err(), "{status} {body}");
        }
    }
}
