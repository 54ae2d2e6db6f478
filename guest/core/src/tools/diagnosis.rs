//! What came from Gitea, told to the log by its shape alone, at `LOG_LEVEL=DEBUG`: which members it has and of what kind, and
//! which are null where there is mostly a value. An answer that a tool reads wrongly can be explained by that.
//!
//! No value is ever written.

use serde_json::Value;

use crate::access::Reader;

/// Most names that are told of one answer.
const NAMES: usize = 40;

/// The events of one call of a tool.
pub(super) struct Diagnosis<'r, 'g> {
    reader: &'r Reader<'g>,
    tool: &'static str,
}

impl<'r, 'g> Diagnosis<'r, 'g> {
    /// `TOOL.start`.
    pub(super) fn start(reader: &'r Reader<'g>, tool: &'static str) -> Self {
        let this = Self { reader, tool };
        this.tell("start", &[]);
        this
    }

    /// `TOOL.payload_shape`, and `TOOL.field_check` for each of these members of the answer.
    pub(super) fn of(&self, answer: &Value, fields: &[&str]) {
        self.check(&[("type", kind(answer))], Some(answer), fields);
    }

    /// The same of a list, by its first row.
    pub(super) fn rows(&self, rows: &[Value], fields: &[&str]) {
        self.check(&[("type", "array"), ("rows", &rows.len().to_string())], rows.first(), fields);
    }

    fn check(&self, shape: &[(&str, &str)], row: Option<&Value>, fields: &[&str]) {
        if !self.reader.config().diagnose {
            return;
        }
        let names = row.and_then(Value::as_object).into_iter().flat_map(|row| row.keys()).take(NAMES);
        let names = names.map(String::as_str).collect::<Vec<_>>().join(" ");
        self.tell("payload_shape", &[shape, &[("members", &names)]].concat());
        for field in fields {
            let value = row.map_or(&Value::Null, |row| row.get(field).unwrap_or(&Value::Null));
            let is_null = if value.is_null() { "true" } else { "false" };
            self.tell("field_check", &[("field", field), ("is_null", is_null), ("type", kind(value))]);
        }
    }

    fn tell(&self, event: &str, context: &[(&str, &str)]) {
        self.reader.debug(&format!("{}.{event}", self.tool), context);
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
