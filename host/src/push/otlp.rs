//! OpenTelemetry: log records by OTLP over HTTP, as JSON (OTLP 1.x, `/v1/logs`). The body of a record is the audit line as
//! it stands in the log.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use serde_json::{Value, json};

use super::record::{Record, Severity};
use super::{PATIENCE, Receiver, Refused};
use crate::audit::LiveLine;
use crate::https::{HttpsClient, client, reason};
use crate::settings::Settings;

/// Most of an answer that is read, in bytes.
const ANSWER: usize = 64 * 1024;

/// The receiver.
pub(super) struct Otlp {
    client: HttpsClient,
    uri: Uri,
}

impl Otlp {
    /// The one that the settings name.
    ///
    /// # Errors
    /// It cannot be asked for: no address, or nothing to trust it by.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>, String> {
        let Some(url) = settings.audit_otlp_url() else { return Ok(None) };
        let wrong = |why: String| format!("AUDIT_OTLP_URL cannot be used: {why}");
        let uri = url.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
        let client = client(url, PATIENCE, settings.gitea_ca_file(), None);
        Ok(Some(Self { client: client.map_err(|error| wrong(error.to_string()))?, uri }))
    }

    async fn post(&self, body: String) -> Result<u64, Refused> {
        let passing = |why: String| Refused::ForNow(why);
        let request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(Bytes::from(body)))
            .map_err(|error| passing(error.to_string()))?;
        let answer = self.client.request(request).await.map_err(|error| passing(reason(&error)))?;
        let status = answer.status();
        if !status.is_success() {
            let why = format!("it answered {}", status.as_u16());
            return Err(if may_pass(status) { passing(why) } else { Refused::ForGood(why, u64::MAX) });
        }
        let answer = Limited::new(answer.into_body(), ANSWER).collect().await;
        // It has taken them, whatever becomes of its answer.
        Ok(answer.map_or(0, |answer| rejected(&answer.to_bytes())))
    }
}

impl Receiver for Otlp {
    const NAME: &'static str = "otlp";

    async fn take(&mut self, lines: &[LiveLine]) -> Result<(), Refused> {
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let lost = |why, lost: u64| Refused::ForGood(why, lost.min(count));
        match self.post(request(lines).to_string()).await {
            Ok(0) => Ok(()),
            Ok(rejected) => Err(lost("it rejected some of them".to_owned(), rejected)),
            Err(Refused::ForGood(why, all)) => Err(lost(why, all)),
            Err(passing) => Err(passing),
        }
    }

    async fn end(self) {}
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

/// How many records an answer says were not taken (OTLP, Partial Success). A 64-bit number is text in its JSON.
fn rejected(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    match answer.pointer("/partialSuccess/rejectedLogRecords") {
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        Some(Value::Number(number)) => number.as_u64().unwrap_or(0),
        _ => 0,
    }
}

/// `ExportLogsServiceRequest`.
fn request(lines: &[LiveLine]) -> Value {
    let resource = [
        attribute("service.name", &json!("aegis-mcp")),
        attribute("service.version", &json!(env!("CARGO_PKG_VERSION"))),
    ];
    json!({"resourceLogs": [{
        "resource": {"attributes": resource.into_iter().flatten().collect::<Vec<_>>()},
        "scopeLogs": [{
            "scope": {"name": "aegis.audit"},
            "logRecords": lines.iter().map(|line| record(line)).collect::<Vec<_>>(),
        }],
    }]})
}

fn record(line: &str) -> Value {
    let record = Record::of(line);
    let (number, text) = match record.severity {
        Severity::Info => (9, "INFO"),
        Severity::Warning => (13, "WARN"),
    };
    let nanos = record.time.map(|time| i128::from(time.unix_millis()) * 1_000_000).unwrap_or_default();
    let members = record.members.iter().filter(|(name, _)| !name.ends_with("_hash"));
    json!({
        "timeUnixNano": nanos.to_string(),
        "severityNumber": number,
        "severityText": text,
        "eventName": format!("aegis.{}", record.event),
        "body": {"stringValue": line},
        "attributes": members
            .filter_map(|(name, value)| attribute(&format!("aegis.{name}"), value))
            .collect::<Vec<_>>(),
    })
}

/// A member as an attribute; none for lists and objects, which the body has.
fn attribute(key: &str, value: &Value) -> Option<Value> {
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
    fn a_record_holds_the_line_and_its_plain_members() {
        let line = r#"{"v":1,"seq":7,"ts":"2026-11-23T00:00:00.123Z","event":"access_denied","reason":"x","paths":["a"],"entry_hash":"00"}"#;
        let record = record(line);
        assert_eq!(record["body"]["stringValue"], line);
        assert_eq!(record["timeUnixNano"], "1795392000123000000");
        assert_eq!(
            (&record["severityText"], &record["eventName"]),
            (&json!("WARN"), &json!("aegis.access_denied"))
        );
        let attributes = record["attributes"].as_array().unwrap();
        assert!(
            attributes.contains(&json!({"key": "aegis.seq", "value": {"intValue": "7"}})),
            "{attributes:?}"
        );
        assert!(attributes.contains(&json!({"key": "aegis.reason", "value": {"stringValue": "x"}})));
        assert!(attributes.iter().all(|a| a["key"] != "aegis.paths" && a["key"] != "aegis.entry_hash"));
    }

    #[test]
    fn what_an_answer_rejects_is_read_and_only_passing_failures_are_tried_again() {
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedLogRecords":"3"}}"#), 3);
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedLogRecords":2}}"#), 2);
        assert_eq!((rejected(b"{}"), rejected(b"")), (0, 0));
        for (status, passes) in
            [(429, true), (502, true), (503, true), (504, true), (400, false), (500, false)]
        {
            assert_eq!(may_pass(StatusCode::from_u16(status).unwrap()), passes, "{status}");
        }
    }
}
