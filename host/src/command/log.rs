//! The log of a server: JSON lines on standard error. It is for people who look after the server and holds no secret; what was
//! done is in the audit log.

use std::fmt::{Debug, Write as _};

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::settings::LogLevel;

/// The member of a line that holds what a guest says of an event, as an object.
const CONTEXT: &str = "context";

/// JSON lines on standard error, from this level on.
pub(super) fn log_to_stderr(level: LogLevel) {
    let level = match level {
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Warning => tracing::Level::WARN,
        LogLevel::Error | LogLevel::Critical => tracing::Level::ERROR,
    };
    let log = tracing_subscriber::fmt().event_format(Line).with_max_level(level);
    log.with_writer(std::io::stderr).init();
}

/// One event as one line: `timestamp`, `level`, the event's own members, and `target`.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut members = Members(vec![
            ("timestamp", timestamp.into()),
            ("level", event.metadata().level().as_str().into()),
        ]);
        event.record(&mut members);
        members.0.push(("target", event.metadata().target().into()));
        for (index, (name, value)) in members.0.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            write!(writer, "{before}{}:{value}", Value::from(*name))?;
        }
        writeln!(writer, "}}")
    }
}

/// The members of a line, in their order.
struct Members(Vec<(&'static str, Value)>);

impl Members {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.push((field.name(), value));
    }
}

impl Visit for Members {
    fn record_str(&mut self, field: &Field, value: &str) {
        let parsed = if field.name() == CONTEXT { serde_json::from_str(value).ok() } else { None };
        self.put(field, parsed.unwrap_or_else(|| value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = write!(text, "{value:?}");
        self.put(field, text.into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The line that is written of what `say` says.
    fn line(say: impl FnOnce()) -> Value {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = tracing_subscriber::fmt().event_format(Line).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(log, say);
        let bytes = kept.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn an_event_is_one_line_with_its_members_beside_time_level_and_target() {
        let said = line(
            || tracing::warn!(target: "guest", event = "e\n", count = 3_u64, ok = true, error = %"no", "words"),
        );
        let mut expected = json!({"level": "WARN", "event": "e\n", "count": 3, "ok": true, "error": "no"});
        expected["message"] = "words".into();
        expected["target"] = "guest".into();
        expected["timestamp"] = said["timestamp"].clone();
        assert_eq!(said, expected);
        assert!(said["timestamp"].as_str().unwrap().ends_with('Z'), "{said}");
    }

    #[test]
    fn a_context_is_an_object_and_text_where_it_is_none() {
        let context = json!({"field": "body", "token": "***"}).to_string();
        assert_eq!(line(|| tracing::info!(context))["context"], json!({"field": "body", "token": "***"}));
        let broken = "{".to_owned();
        assert_eq!(line(|| tracing::info!(context = broken))["context"], "{");
    }
}
