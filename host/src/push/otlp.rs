//! OpenTelemetry: log records ([`crate::otlp`], `/v1/logs`). The body of a record is the audit line as
//! it stands in the log.

use serde_json::{Value, json};

use super::record::{Record, Severity};
use super::{Receiver, Refused};
use crate::audit::LiveLine;
use crate::otlp::{Collector, NotTaken, attribute, rejected, resource};
use crate::settings::Settings;

/// The receiver.
pub(super) struct Otlp {
    collector: Collector,
    service: String,
}

impl Otlp {
    /// The one that the settings name.
    ///
    /// # Errors
    /// It cannot be asked for: no address, or nothing to trust it by.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>, String> {
        let Some(url) = settings.audit_otlp_url() else { return Ok(None) };
        let none = http::HeaderMap::new();
        let collector = Collector::at(url, "AUDIT_OTLP_URL", none, settings.gitea_ca_file())?;
        Ok(Some(Self { collector, service: settings.otel_service_name().to_owned() }))
    }
}

impl Receiver for Otlp {
    const NAME: &'static str = "otlp";

    async fn take(&mut self, lines: &[LiveLine]) -> Result<(), Refused> {
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        match self.collector.post(&request(&self.service, lines)).await {
            Ok(answer) => match rejected(&answer, "rejectedLogRecords") {
                0 => Ok(()),
                some => Err(Refused::ForGood("it rejected some of them".to_owned(), some.min(count))),
            },
            Err(NotTaken::ForGood(why)) => Err(Refused::ForGood(why, count)),
            Err(NotTaken::ForNow(why)) => Err(Refused::ForNow(why)),
        }
    }

    async fn end(self) {}
}

/// `ExportLogsServiceRequest`.
fn request(service: &str, lines: &[LiveLine]) -> Value {
    json!({"resourceLogs": [{
        "resource": resource(service),
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
}
