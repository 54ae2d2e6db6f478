//! `aegis:gateway/telemetry`: metrics and logs of a guest, bounded, with sensitive names masked and without the server's
//! own secrets.

use std::time::Duration;

use crate::component::bindings::aegis::gateway::telemetry::{Host, Level};
use crate::instance::State;

/// Longest event name, field name, field value, and most fields of a log line.
const MAX_EVENT: usize = 64;
const MAX_VALUE: usize = 512;
const MAX_FIELDS: usize = 32;

/// Most log lines of one request. An honest guest writes a handful.
const MAX_LINES: u32 = 64;

/// Names whose values are never written.
const SENSITIVE: &[&str] =
    &["authorization", "cookie", "credential", "key", "password", "secret", "token", "verifier"];

/// How many log lines a request has written, and how many were kept back. What was kept back is told in one line when
/// the request ends, however it ends.
pub(crate) struct Lines {
    request_id: String,
    written: u32,
    dropped: u64,
}

impl Lines {
    /// Those of this request: none yet.
    pub(crate) fn new(request_id: &str) -> Self {
        Self { request_id: request_id.to_owned(), written: 0, dropped: 0 }
    }

    /// Whether one more is written; if not, it is counted.
    fn admit(&mut self) -> bool {
        if self.written < MAX_LINES {
            self.written = self.written.saturating_add(1);
            return true;
        }
        self.dropped = self.dropped.saturating_add(1);
        false
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if self.dropped > 0 {
            tracing::warn!(
                event = "log_lines_dropped",
                request_id = %self.request_id,
                written = self.written,
                dropped = self.dropped,
            );
        }
    }
}

impl Host for State {
    fn tool_call(
        &mut self,
        tool: String,
        status: String,
        duration_microseconds: u64,
    ) -> wasmtime::Result<()> {
        let status = match status.as_str() {
            "success" => "success",
            "denied" => "denied",
            _ => "error",
        };
        let tool = if is_name(&tool) { tool.as_str() } else { "other" };
        let took = Duration::from_micros(duration_microseconds);
        self.shared.metrics.tool_call(tool, status, took);
        self.bound.trace.called(tool, status);
        Ok(())
    }

    fn trace_context(&mut self, parent: String, state: String) -> wasmtime::Result<()> {
        self.bound.trace.continues(&parent, &state, &self.shared.own);
        Ok(())
    }

    fn route(&mut self, template: String) -> wasmtime::Result<()> {
        if template.len() <= MAX_EVENT {
            let _ = self.bound.route.set(template);
        }
        Ok(())
    }

    fn log(&mut self, level: Level, event: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        if !self.lines.admit() {
            return Ok(());
        }
        let context: serde_json::Map<String, serde_json::Value> =
            fields.into_iter().take(MAX_FIELDS).map(|(name, value)| self.masked(name, value)).collect();
        let context = serde_json::Value::Object(context).to_string();
        let event = self.bound.outlet.text(&self.shared, event);
        let event = cut(&event, MAX_EVENT);
        let id = self.bound.request_id.as_str();
        match level {
            Level::Debug => tracing::debug!(target: "guest", event, request_id = id, context),
            Level::Info => tracing::info!(target: "guest", event, request_id = id, context),
            Level::Warning => tracing::warn!(target: "guest", event, request_id = id, context),
            Level::Error => tracing::error!(target: "guest", event, request_id = id, context),
        }
        Ok(())
    }
}

impl State {
    /// A field as it is logged. It is looked into before it is cut.
    fn masked(&self, name: String, value: String) -> (String, serde_json::Value) {
        let clean = |text| self.bound.outlet.text(&self.shared, text);
        masked(&clean(name), &clean(value))
    }
}

fn masked(name: &str, value: &str) -> (String, serde_json::Value) {
    let lower = name.to_ascii_lowercase();
    let hidden = SENSITIVE.iter().any(|sensitive| lower.contains(sensitive));
    let value = if hidden { "***" } else { cut(value, MAX_VALUE) };
    (cut(name, MAX_EVENT).to_owned(), serde_json::Value::String(value.to_owned()))
}

/// Whether it may be a label: a name as lists have them.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// At most `most` bytes, cut where a character ends.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_sensitive_names_are_masked() {
        assert_eq!(masked("Access_Token", "abc").1, "***");
        assert_eq!(masked("tool", "get_issue").1, "get_issue");
    }

    #[test]
    fn a_request_has_so_many_log_lines_and_the_rest_are_counted() {
        let mut lines = Lines::new("id");
        assert_eq!((0..100).filter(|_| lines.admit()).count(), 64);
        assert_eq!((lines.written, lines.dropped), (64, 36));
    }

    #[test]
    fn a_cut_ends_where_a_character_ends() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}
