//! OpenTelemetry's protocol (OTLP 1.x) over HTTP, as JSON: one collector and what a request to it is made of. What is sent, and
//! what becomes of it where it is not taken, its users decide.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use serde_json::{Value, json};

use crate::https::{HttpsClient, client, reason};

/// What one attempt may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Most of an answer that is read, in bytes.
const ANSWER: usize = 64 * 1024;

/// Whoever takes what is sent.
pub(crate) struct Collector {
    client: HttpsClient,
    uri: Uri,
    headers: HeaderMap,
}

/// Why something was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// It may be later.
    ForNow(String),
    /// It will not be.
    ForGood(String),
}

impl Collector {
    /// The one at `url`, which the setting of this name holds, with these headers in every request.
    ///
    /// # Errors
    /// It cannot be asked for: no address, or nothing to trust it by.
    pub(crate) fn at(
        url: &str,
        setting: &str,
        headers: HeaderMap,
        authorities: Option<&Path>,
    ) -> Result<Self, String> {
        let wrong = |why: String| format!("{setting} cannot be used: {why}");
        let uri = url.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
        let client = client(url, PATIENCE, authorities, None).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { client, uri, headers })
    }

    /// Hand something over; what it answered, null where that cannot be read.
    ///
    /// # Errors
    /// It was not taken. The words never hold a header.
    pub(crate) async fn post(&self, body: &Value) -> Result<Value, NotTaken> {
        let sent = tokio::time::timeout(PATIENCE, self.send(body.to_string())).await;
        sent.unwrap_or_else(|_| Err(NotTaken::ForNow("it took too long".to_owned())))
    }

    async fn send(&self, body: String) -> Result<Value, NotTaken> {
        let mut request = Request::post(self.uri.clone())
            .body(Full::from(Bytes::from(body)))
            .map_err(|error| NotTaken::ForNow(error.to_string()))?;
        request.headers_mut().clone_from(&self.headers);
        request.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        let answer = self.client.request(request).await.map_err(|error| NotTaken::ForNow(reason(&error)))?;
        let status = answer.status();
        if !status.is_success() {
            let why = format!("it answered {}", status.as_u16());
            return Err(if may_pass(status) { NotTaken::ForNow(why) } else { NotTaken::ForGood(why) });
        }
        let answer = Limited::new(answer.into_body(), ANSWER).collect().await;
        // It has taken them, whatever becomes of its answer.
        Ok(answer
            .map_or(Value::Null, |answer| serde_json::from_slice(&answer.to_bytes()).unwrap_or_default()))
    }
}

/// The answers after which a client tries again (OTLP, Retryable Response Codes).
fn may_pass(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// How many an answer says were not taken (OTLP, Partial Success), under this name. A 64-bit number is text in its JSON.
pub(crate) fn rejected(answer: &Value, name: &str) -> u64 {
    match answer.get("partialSuccess").and_then(|partial| partial.get(name)) {
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        Some(Value::Number(number)) => number.as_u64().unwrap_or(0),
        _ => 0,
    }
}

/// Who says it.
pub(crate) fn resource(service: &str) -> Value {
    let attributes = [
        attribute("service.name", &json!(service)),
        attribute("service.version", &json!(env!("CARGO_PKG_VERSION"))),
    ];
    json!({"attributes": attributes.into_iter().flatten().collect::<Vec<_>>()})
}

/// A plain value as an attribute; none for lists and objects.
pub(crate) fn attribute(key: &str, value: &Value) -> Option<Value> {
    let value = match value {
        Value::String(text) => json!({"stringValue": text}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        // A 64-bit number is text in OTLP's JSON.
        Value::Number(number) if number.is_i64() => json!({"intValue": number.to_string()}),
        Value::Number(number) => json!({"doubleValue": number}),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(json!({"key": key, "value": value}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_rejects_is_read_and_only_passing_failures_are_tried_again() {
        let name = "rejectedLogRecords";
        assert_eq!(rejected(&json!({"partialSuccess": {"rejectedLogRecords": "3"}}), name), 3);
        assert_eq!(rejected(&json!({"partialSuccess": {"rejectedLogRecords": 2}}), name), 2);
        assert_eq!((rejected(&json!({}), name), rejected(&Value::Null, name)), (0, 0));
        for (status, passes) in
            [(429, true), (502, true), (503, true), (504, true), (400, false), (500, false)]
        {
            assert_eq!(may_pass(StatusCode::from_u16(status).unwrap()), passes, "{status}");
        }
    }
}
