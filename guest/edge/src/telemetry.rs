//! `telemetry`: JSON lines on standard error. Metrics become log lines of level debug, since no standard interface
//! takes them. Values of sensitive names are masked.

use serde_json::{Map, Value};

use crate::bindings::exports::aegis::gateway::telemetry::{Guest, Level};
use crate::{Adapter, environment};

/// Longest value in a log line, in characters.
const MAX_VALUE: usize = 512;

/// Words in a field's name that make its value a secret.
const SENSITIVE: [&str; 8] =
    ["token", "secret", "password", "authorization", "cookie", "api_key", "apikey", "credential"];

impl Guest for Adapter {
    fn tool_call(tool: String, status: String, duration_microseconds: u64) {
        let duration = duration_microseconds.to_string();
        let fields = [("tool", tool.as_str()), ("status", &status), ("duration_microseconds", &duration)];
        write(Level::Debug, "tool_call", &fields);
    }

    fn route(template: String) {
        write(Level::Debug, "route", &[("template", template.as_str())]);
    }

    fn trace_context(_parent: String, _state: String) {
        // Nothing is traced here: the runtime below has traces of its own, and the header that came to it.
    }

    fn log(level: Level, event: String, fields: Vec<(String, String)>) {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        write(level, &event, &fields);
    }
}

/// Write a line where `LOG_LEVEL` asks for its level.
pub(crate) fn write(level: Level, event: &str, fields: &[(&str, &str)]) {
    if rank(level) >= threshold(environment::variable("LOG_LEVEL").as_deref()) {
        environment::print(&line(&environment::now().to_string(), level, event, fields));
    }
}

fn rank(level: Level) -> u8 {
    match level {
        Level::Debug => 0,
        Level::Info => 1,
        Level::Warning => 2,
        Level::Error => 3,
    }
}

fn threshold(setting: Option<&str>) -> u8 {
    match setting.map(str::to_ascii_uppercase).as_deref() {
        Some("DEBUG") => 0,
        Some("WARNING") => 2,
        Some("ERROR" | "CRITICAL") => 3,
        _ => 1,
    }
}

fn line(time: &str, level: Level, event: &str, fields: &[(&str, &str)]) -> String {
    let name = match level {
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warning => "WARNING",
        Level::Error => "ERROR",
    };
    let mut members = Map::new();
    members.insert("ts".to_owned(), time.into());
    members.insert("level".to_owned(), name.into());
    members.insert("event".to_owned(), event.into());
    for (name, value) in fields {
        let value = if sensitive(name) { "***".to_owned() } else { value.chars().take(MAX_VALUE).collect() };
        members.entry((*name).to_owned()).or_insert(Value::String(value));
    }
    Value::Object(members).to_string()
}

fn sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SENSITIVE.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::{Level, line, threshold};

    #[test]
    fn a_line_is_one_json_object_whatever_the_values_hold() {
        let line = line("T", Level::Warning, "e\n", &[("path", "a\r\n\"b\""), ("level", "ERROR")]);
        assert!(!line.contains('\n'));
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["path"], "a\r\n\"b\"");
        assert_eq!(read["level"], "WARNING");
    }

    #[test]
    fn masks_values_of_sensitive_names_and_cuts_long_ones() {
        let long = "x".repeat(600);
        for name in ["token", "X-API-Key", "client_secret", "Authorization", "set-cookie"] {
            assert!(line("T", Level::Info, "e", &[(name, "hunter2")]).contains("\"***\""), "{name}");
        }
        let line = line("T", Level::Info, "e", &[("text", &long)]);
        assert!(line.len() < 600 && line.contains(&"x".repeat(512)));
    }

    #[test]
    fn the_threshold_follows_the_setting_and_else_is_info() {
        assert_eq!(
            ["DEBUG", "info", "Warning", "CRITICAL", "?"].map(|name| threshold(Some(name))),
            [0, 1, 2, 3, 1]
        );
        assert_eq!(threshold(None), 1);
    }
}
