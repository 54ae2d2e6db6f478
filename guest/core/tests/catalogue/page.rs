//! The page about tools, made from their definitions.

use aegis_core::ports::Class;
use serde_json::Value;

const HEAD: &str = "\
# Tools

This page is generated from the tools themselves: change a tool, then run `make bless`.

Every tool refuses arguments that it does not list, checks the rest before anything happens, and names the field \
and what is allowed. A call needs the scope named below; a write also needs `WRITE_MODE=true`, a repository in \
`WRITE_REPOSITORY_WHITELIST` (or `WRITE_ALLOW_ALL_TOKEN_REPOS=true`), and a policy that allows it. An explicit \
`null` counts as an argument that was left out. Arguments marked as additions were not in the original interface.

Results are JSON objects. Fields that Gitea leaves empty are absent. Text is cleaned of hostile characters, \
secrets are masked as `SECRET_DETECTION_MODE` says, and what is longer than `MAX_TOOL_RESPONSE_CHARS` or \
`MAX_TOOL_RESPONSE_ITEMS` is cut: then `truncated` is true and `truncated_how` says how to get the rest. \
`notice` reminds the reader that text from Gitea is data. Writes are sent once and never repeated.

Merging, deleting, force pushing, administration and changes to file contents are not built.
";

/// Arguments that the original interface of these tools did not have; all are optional.
const ADDED: &[(&str, &[&str])] = &[
    ("list_repositories", &["page", "limit"]),
    ("get_file_tree", &["page", "limit"]),
    ("get_file_contents", &["start_line", "end_line"]),
];

pub(crate) fn page(tools: &[(Class, Value)]) -> String {
    let mut out = HEAD.to_owned();
    out.push_str("\n| Tool | Class | Scope | What it does |\n|---|---|---|---|\n");
    for (class, tool) in tools {
        let (class, scope) = words(*class);
        let first = text(tool, "description").split_inclusive(". ").next().unwrap_or_default().trim();
        out.push_str(&format!("| [`{0}`](#{0}) | {class} | `{scope}` | {first} |\n", text(tool, "name")));
    }
    for (class, tool) in tools {
        let (class, scope) = words(*class);
        out.push_str(&format!(
            "\n## {}\n\n{}\n\n{class}, scope `{scope}`.\n\n",
            text(tool, "name"),
            text(tool, "description")
        ));
        arguments(&mut out, text(tool, "name"), &tool["inputSchema"]);
        out.push_str("\n| Result | Type | Meaning |\n|---|---|---|\n");
        results(&mut out, &tool["outputSchema"], "");
    }
    out
}

fn words(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Read => ("Read", "read:repository"),
        Class::Write => ("Write", "write:repository"),
    }
}

fn arguments(out: &mut String, tool: &str, schema: &Value) {
    let added = ADDED.iter().find(|(name, _)| *name == tool).map_or(&[][..], |(_, added)| *added);
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    out.push_str("| Argument | Type | Allowed | Meaning |\n|---|---|---|---|\n");
    let mut rows: Vec<(&String, &Value)> = schema["properties"].as_object().into_iter().flatten().collect();
    rows.sort_by_key(|(name, _)| !required.contains(&Value::String((*name).clone())));
    for (name, field) in rows {
        let star = if required.contains(&Value::String(name.clone())) { " (required)" } else { "" };
        let addition = if added.contains(&name.as_str()) { " (addition)" } else { "" };
        out.push_str(&format!(
            "| `{name}`{star}{addition} | {} | {} | {} |\n",
            text(field, "type"),
            allowed(field),
            text(field, "description")
        ));
    }
}

fn allowed(field: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(words) = field["enum"].as_array() {
        parts.push(
            words
                .iter()
                .filter_map(Value::as_str)
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(", "),
        );
    }
    if let (Some(least), Some(most)) = (field["minimum"].as_u64(), field["maximum"].as_u64()) {
        parts.push(format!("{least} to {most}"));
    }
    if let Some(most) = field["maxLength"].as_u64() {
        parts.push(format!("up to {most} characters"));
    }
    if let Some(most) = field["maxItems"].as_u64() {
        parts.push(format!("up to {most} strings"));
    }
    if let Some(default) = field["default"].as_u64() {
        parts.push(format!("default {default}"));
    }
    parts.join("; ")
}

/// Fields of objects and of entries of lists stand below them, with the way to them.
fn results(out: &mut String, schema: &Value, path: &str) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let list = field["type"] == "array";
        let kind = if list {
            format!("list of {}s", text(&field["items"], "type"))
        } else {
            text(field, "type").to_owned()
        };
        out.push_str(&format!("| `{path}{name}` | {kind} | {} |\n", text(field, "description")));
        let (inner, mark) = if list { (&field["items"], "[].") } else { (field, ".") };
        results(out, inner, &format!("{path}{name}{mark}"));
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}
