//! The JSON schema of policy documents, for editors that complete and check while somebody types.
//!
//! An editor reads YAML more loosely than the server does, and a schema cannot say everything: what it accepts may still
//! be refused at the start. What it refuses, the server refuses too.

use crate::document::{EVERY_TOOL, LIST_ITEMS, REPOSITORIES};
use crate::grammar::{DEFAULTS, ENTRY, Mapping, PATHS, TOOLS, TOP};
use crate::pattern::PATTERN_LENGTH;
use serde_json::{Map, Value, json};

/// A tool as the schema offers it.
#[derive(Clone, Copy, Debug)]
pub struct KnownTool<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it does, in a sentence.
    pub doc: &'a str,
}

/// The schema (draft 07, which editors understand best) for documents that may name these tools.
#[must_use]
pub fn schema(tools: &[KnownTool<'_>]) -> Value {
    let named: Vec<Value> =
        tools.iter().map(|tool| json!({"const": tool.name, "description": tool.doc})).collect();
    let every = json!({"const": EVERY_TOOL, "description": "Every tool."});
    let any_of = |more: &[&Value]| -> Value {
        let all: Vec<Value> = named.iter().chain(more.iter().copied()).cloned().collect();
        json!({ "anyOf": all })
    };
    let mut root = mapping(&TOP, |key| match key {
        "defaults" => mapping(&DEFAULTS, |_| json!({"enum": ["allow", "deny"]})),
        "tools" => json!({"$ref": "#/definitions/tools"}),
        _ => repositories(),
    });
    if let Some(members) = root.as_object_mut() {
        members.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
        members.insert("title".to_owned(), "Policy of AegisGitea-MCP".into());
        members.insert("minProperties".to_owned(), 1.into());
        let tools = mapping(&TOOLS, |key| match key {
            "allow" => {
                json!({"type": "array", "minItems": 1, "maxItems": LIST_ITEMS, "items": any_of(&[])})
            }
            _ => json!({"type": "array", "maxItems": LIST_ITEMS, "items": any_of(&[&every])}),
        });
        members.insert("definitions".to_owned(), json!({ "tools": tools }));
    }
    root
}

fn repositories() -> Value {
    let entry = mapping(&ENTRY, |key| match key {
        "tools" => json!({"$ref": "#/definitions/tools"}),
        _ => mapping(&PATHS, |key| {
            let least = u8::from(key == "allow");
            json!({"type": "array", "minItems": least, "maxItems": LIST_ITEMS, "items": pattern()})
        }),
    });
    json!({
        "type": "object",
        "maxProperties": REPOSITORIES,
        "additionalProperties": false,
        "patternProperties": {"^[A-Za-z0-9._-]{1,128}/(?!.+\\.([Gg][Ii][Tt]|[Ww][Ii][Kk][Ii])$)([A-Za-z0-9._-]{1,128}|\\*)$": entry},
    })
}

fn pattern() -> Value {
    json!({
        "type": "string",
        "minLength": 1,
        "maxLength": PATTERN_LENGTH,
        // Neither `!` nor `/` first, no `/` last, and none of the characters that mean something in other languages.
        "pattern": "^(?![!/])[^\\[\\]{}\\\\]*[^\\[\\]{}\\\\/]$",
        "description": "`*` is any run of characters, also across `/`; `**/` any number of directories; `?` one character.",
    })
}

/// A mapping with these keys and no others. It may be empty: the server refuses that of the document alone.
fn mapping(of: &Mapping, value: impl Fn(&str) -> Value) -> Value {
    let properties: Map<String, Value> = of
        .keys
        .iter()
        .map(|key| {
            let mut schema = value(key.name);
            // Draft 07 ignores what stands beside a reference.
            if schema.get("$ref").is_some() {
                schema = json!({ "allOf": [schema] });
            }
            if let Some(members) = schema.as_object_mut() {
                members.insert("description".to_owned(), key.doc.into());
            }
            (key.name.to_owned(), schema)
        })
        .collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}
