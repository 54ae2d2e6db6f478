//! `aegis:gateway/telemetry`: metrics and logs of a guest, bounded and with sensitive names masked.

use crate::component::bindings::aegis::gateway::telemetry::{Host, Level};
use crate::instance::State;

/// Longest event name, field name, field value, and most fields of a log line.
const MAX_EVENT: usize = 64;
const MAX_VALUE: usize = 512;
const MAX_FIELDS: usize = 32;

/// Names whose values are never written.
const SENSITIVE: &[&str] =
    &["authorization", "cookie", "credential", "key", "password", "secret", "token", "verifier"];

impl Host for State {
    fn tool_call(
        &mut self,
        tool: String,
        status: String,
        duration_microseconds: u64,
    ) -> wasmtime::Result<()> {
        let status = match status.as_str() {
            known @ ("success" | "error" | "denied") => known,
            _ => "error",
        };
        let tool = if is_name(&tool) { tool.as_str() } else { "other" };
        self.shared.metrics.tool_call(tool, status, duration_microseconds);
        Ok(())
    }

    fn route(&mut self, template: String) -> wasmtime::Result<()> {
        if template.len() <= MAX_EVENT {
            let _ = self.bound.route.set(template);
        }
        Ok(())
    }

    fn log(&mut self, level: Level, event: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        let context: serde_json::Map<String, serde_json::Value> =
            fields.into_iter().take(MAX_FIELDS).map(|(name, value)| masked(&name, &value)).collect();
        let context = serde_json::Value::Object(context).to_string();
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

fn masked(name: &str, value: &str) -> (String, serde_json::Value) {
    let lower = name.to_ascii_lowercase();
    let hidden = SENSITIVE.iter().any(|sensitive| lower.contains(sensitive));
    let value = if hidden { "***" } else { cut(value, MAX_VALUE) };
    (cut(name, MAX_EVENT).to_owned(), serde_json::Value::String(value.to_owned()))
}

fn is_name(text: &str) -> bool {
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
    fn a_cut_ends_where_a_character_ends() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}
