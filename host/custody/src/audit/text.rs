//! JSON text as the audit log writes it. What a terminal would act on, or not show, is always escaped.

use std::fmt::Write as _;

use serde_json::Value;

/// Code points (first and last of each range) that never stand raw in a line: controls, line separators,
/// characters that change the direction of text, and characters without a width. Fixed for format 1.
pub const HIDDEN: [(u32, u32); 19] = [
    (0x0000, 0x001f),
    (0x007f, 0x009f),
    (0x00ad, 0x00ad),
    (0x034f, 0x034f),
    (0x061c, 0x061c),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0000, 0xe0fff),
];

/// Whether a character must be escaped wherever it stands in a line.
pub(super) fn hidden(c: char) -> bool {
    let code = u32::from(c);
    // Printable ASCII is nearly everything there is.
    !(0x20..0x7f).contains(&code) && HIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&code))
}

/// A value as JSON text in one line, written as the log writes it: what a terminal would act on, or not show, is escaped.
#[must_use]
pub fn json_text(value: &Value) -> String {
    let mut out = String::new();
    put_value(&mut out, value);
    out
}

/// Append a string with its quotes.
pub(super) fn put_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if hidden(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// Append a value, without any space between tokens.
pub(super) fn put_value(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => put_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                put_value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                put_member(out, name, member);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _ = write!(out, "{value}");
        }
    }
}

/// Append `"name":value`.
pub(super) fn put_member(out: &mut String, name: &str, value: &Value) {
    put_string(out, name);
    out.push(':');
    put_value(out, value);
}

/// Bytes that a value takes in a line.
pub(super) fn written_len(value: &Value) -> usize {
    let mut out = String::new();
    put_value(&mut out, value);
    out.len()
}

/// Bytes that `"name":value` takes in a line.
pub(super) fn written_member_len(name: &str, value: &Value) -> usize {
    let mut out = String::new();
    put_member(&mut out, name, value);
    out.len()
}
