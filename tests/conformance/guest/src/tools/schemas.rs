//! What tools take and clients fill in, as JSON schemas; and the tools that are about their schema alone.

use aegis_core::tools::kit::{ArgumentError, Entry, Mirrored};
use serde_json::{Map, Value, json};

use super::{Fixture, text};

pub(super) const TOOLS: &[&dyn Entry] = &[&JSON_SCHEMA_2020_12, &MIRRORED];

/// Arguments of a tool, some of them required.
pub(super) fn arguments(properties: &Value, required: &[&str]) -> Value {
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let Some(members) = schema.as_object_mut().filter(|_| !required.is_empty()) {
        members.insert("required".to_owned(), json!(required));
    }
    schema
}

/// A form to fill in, every field of it.
pub(crate) fn form(properties: &Value) -> Value {
    let required: Vec<String> = properties.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// Check arguments as far as the suite goes: those that are named, those that are required, and texts.
///
/// # Errors
/// Names the argument and what is allowed.
pub(super) fn check(schema: &Value, arguments: &Map<String, Value>) -> Result<(), ArgumentError> {
    for (name, value) in arguments {
        let property = schema.get("properties").and_then(|properties| properties.get(name));
        let kind = property.ok_or_else(|| ArgumentError::new(name, "is not an argument of this tool"))?;
        if kind.get("type") == Some(&json!("string")) && !value.is_string() {
            return Err(ArgumentError::new(name, "must be a string"));
        }
    }
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let missing = required.filter_map(Value::as_str).find(|name| !arguments.contains_key(*name));
    missing.map_or(Ok(()), |name| Err(ArgumentError::new(name, "is required")))
}

/// The definition is all that is looked at: nothing of it may be lost on the way to the client.
static JSON_SCHEMA_2020_12: Fixture = Fixture {
    takes: || {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {
                "address": {
                    "$anchor": "addressDef",
                    "type": "object",
                    "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
                },
            },
            "properties": {
                "name": { "type": "string" },
                "address": { "$ref": "#/$defs/address" },
                "contactMethod": { "type": "string", "enum": ["phone", "email"] },
                "phone": { "type": "string" },
                "email": { "type": "string" },
            },
            "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
            "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
            "then": { "required": ["phone"] },
            "else": { "required": ["email"] },
            "additionalProperties": false,
        })
    },
    ..Fixture::plain(
        "json_schema_2020_12_tool",
        "JSON Schema 2020-12",
        "Tool with JSON Schema 2020-12 features",
        |_, _| Ok(text("The schema is what is tested.")),
    )
};

/// What stands between a client and the server may read the argument from a header; core compares the two.
static MIRRORED: Fixture = Fixture {
    takes: || {
        let region = json!({ "type": "string", "description": "Any text.", "x-mcp-header": "Region" });
        arguments(&json!({ "region": region }), &[])
    },
    mirrored: &[Mirrored { header: "Region", argument: "/region" }],
    ..Fixture::plain(
        "test_mirrored_argument",
        "Argument in a header",
        "Has an argument that is repeated in a header.",
        |_, _| Ok(text("The header agrees with the argument.")),
    )
};
