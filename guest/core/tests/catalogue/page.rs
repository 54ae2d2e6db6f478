//! The page about tools, made from the tools themselves.

use aegis_core::ports::{Class, Method};
use aegis_core::tools::kit::Entry;
use aegis_core::tools::{CATALOGUE, SHARED};
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
`notice` reminds the reader that text from Gitea is data, and counts the secrets that were masked and the hidden \
characters that were removed, if any; clients find the numbers in `_meta` under `io.aegisgitea/removed`, and scripts \
in `removed` beside `result`. Writes are sent once and never repeated.

Merging, deleting, force pushing, administration and changes to file contents are not built. A tool sends to Gitea \
what its list of endpoints names and nothing else; the host refuses everything outside of all these lists.

## Arguments that mean the same everywhere

| Argument | Meaning |
|---|---|
";

const TOOLSETS: &str = "
## Sets of tools

The operator can offer some sets alone with `TOOLSETS`, and take away single tools with `TOOLS_DENY`; a client can narrow \
what is left for itself, as [connect.md](connect.md#fewer-tools) shows. `tools/list` shows what remains, without what \
`WRITE_MODE` or the policy refuse wherever it is tried; a scope that is missing hides nothing, since a client learns from \
the refusal which one to ask for. A call of a tool that is left out is refused as `tool_not_selected`, and names the \
setting or header. `GET /mcp/tools` always lists the whole catalogue, for anybody and without a credential.

| Set | Tools |
|---|---|
";

const SIZES: &str = "
## What an answer costs

Bytes of compact JSON, for recorded answers of Gitea 1.27: what Gitea said, and what a tool makes of it with all \
that is worth knowing. Of files the content is not counted. A test holds each below half.

";

/// So many lines of an example are shown.
const EXAMPLE_LINES: usize = 60;

/// Arguments that the original interface of these tools did not have; all are optional.
pub(crate) const ADDED: &[(&str, &[&str])] = &[
    ("list_repositories", &["page", "limit"]),
    ("get_file_tree", &["page", "limit"]),
    ("get_file_contents", &["start_line", "end_line"]),
    ("search_code", &["regex"]),
    ("get_commit_diff", &["page", "limit"]),
    ("compare_refs", &["page", "limit"]),
    ("get_issue", &["start_character"]),
    ("list_issue_comments", &["start_character"]),
    ("update_issue", &["content_version"]),
    ("get_pull_request", &["start_character"]),
];

/// The page. `sizes` is the table of sizes, `example` gives the example of a tool.
pub(crate) fn page(tools: &[&dyn Entry], sizes: &str, example: impl Fn(&str) -> Value) -> String {
    let mut out = HEAD.to_owned();
    for (name, meaning) in SHARED {
        out.push_str(&format!("| `{name}` | {meaning} |\n"));
    }
    out.push_str("\n## All tools\n\n| Tool | Class | Scope | What it does |\n|---|---|---|---|\n");
    for tool in tools {
        let (class, scope) = words(tool.class());
        let definition = tool.definition();
        let first = text(&definition, "description").split_inclusive(". ").next().unwrap_or_default().trim();
        out.push_str(&format!("| [`{0}`](#{0}) | {class} | `{scope}` | {first} |\n", tool.name()));
    }
    out.push_str(TOOLSETS);
    for set in CATALOGUE.toolsets {
        let names: Vec<String> = set.tools.iter().map(|tool| format!("`{}`", tool.name())).collect();
        out.push_str(&format!("| `{}` | {} |\n", set.name, names.join(", ")));
    }
    out.push_str(SIZES);
    out.push_str(sizes);
    for tool in tools {
        one(&mut out, *tool);
        shown(&mut out, &example(tool.name()));
    }
    out
}

fn one(out: &mut String, tool: &dyn Entry) {
    let (class, scope) = words(tool.class());
    let definition = tool.definition();
    out.push_str(&format!(
        "\n## {}\n\n{}\n\n{class}, scope `{scope}`. ",
        tool.name(),
        text(&definition, "description")
    ));
    endpoints(out, tool);
    arguments(out, tool.name(), definition.get("inputSchema").unwrap_or(&Value::Null));
    out.push_str("\n| Result | Type | Meaning |\n|---|---|---|\n");
    for field in tool.answer().explained() {
        out.push_str(&format!("| `{}` | {} | {} |\n", field.name, field.kind, field.meaning));
    }
}

/// A call and what came of it, as recorded answers of Gitea 1.27 make it.
fn shown(out: &mut String, example: &Value) {
    let pretty =
        serde_json::to_string_pretty(example.get("answer").unwrap_or(&Value::Null)).unwrap_or_default();
    let arguments = example.get("arguments").unwrap_or(&Value::Null);
    let lines: Vec<&str> = pretty.lines().collect();
    out.push_str(&format!("\nExample, called with `{arguments}`:\n\n```json\n"));
    for line in lines.iter().take(EXAMPLE_LINES) {
        out.push_str(&format!("{line}\n"));
    }
    out.push_str("```\n");
    if let Some(left) = lines.len().checked_sub(EXAMPLE_LINES).filter(|left| *left > 0) {
        out.push_str(&format!("\nThe other {left} lines are in `guest/core/tests/examples/`.\n"));
    }
}

/// The endpoints below `/api/v1`, and the scopes that a token of Gitea needs for them.
fn endpoints(out: &mut String, tool: &dyn Entry) {
    let (all, scopes) = asked(tool);
    out.push_str(&format!("In Gitea: {scopes}.\n\n"));
    for (verb, template) in all {
        out.push_str(&format!("- `{verb} {template}`\n"));
    }
    out.push('\n');
}

/// What a tool sends to Gitea, and the scopes for all of it in words.
fn asked(tool: &dyn Entry) -> (Vec<(&'static str, &'static str)>, String) {
    let reads = tool.reads().iter().map(|template| ("GET", *template));
    let writes = tool.writes().iter().map(|row| (verb(row.method()), row.template()));
    let all: Vec<(&str, &str)> = reads.chain(writes).collect();
    let mut scopes: Vec<String> =
        all.iter().flat_map(|(verb, template)| gitea_scopes(verb, template)).collect();
    scopes.sort();
    scopes.dedup();
    let scopes: Vec<String> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
    (all, scopes.join(", "))
}

/// The table for reviewers: each tool with its class, the scopes in Gitea, and every request.
pub(crate) fn review(tools: &[&dyn Entry]) -> String {
    let mut out = "| Tool | Class | Scopes in Gitea | Requests |\n|---|---|---|---|\n".to_owned();
    for tool in tools {
        let (class, _) = words(tool.class());
        let (all, scopes) = asked(*tool);
        let requests: Vec<String> =
            all.iter().map(|(verb, template)| format!("`{verb} {template}`")).collect();
        let name = tool.name();
        out.push_str(&format!(
            "| [`{name}`](tools.md#{name}) | {class} | {scopes} | {} |\n",
            requests.join("<br>")
        ));
    }
    out
}

/// Which scopes of Gitea an endpoint needs; none for what everybody may read.
fn gitea_scopes(verb: &str, template: &str) -> Vec<String> {
    let categories: &[&str] = match template.strip_prefix("/repos/{owner}/{repo}") {
        Some(rest) if ["/issues", "/labels", "/milestones"].iter().any(|part| rest.starts_with(part)) => {
            &["issue"]
        }
        Some(_) => &["repository"],
        None if template == "/user/repos" => &["repository", "user"],
        None if template == "/user/orgs" => &["organization", "user"],
        None if template.starts_with("/orgs") => &["organization"],
        None if template.starts_with("/user") => &["user"],
        None => &[],
    };
    let level = if verb == "GET" { "read" } else { "write" };
    categories.iter().map(|category| format!("{level}:{category}")).collect()
}

fn verb(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

fn words(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Read => ("Read", "read:repository"),
        Class::Write => ("Write", "write:repository"),
    }
}

fn arguments(out: &mut String, tool: &str, schema: &Value) {
    let mut rows: Vec<(&String, &Value)> = schema["properties"].as_object().into_iter().flatten().collect();
    if rows.is_empty() {
        out.push_str("No arguments.\n");
        return;
    }
    let added = ADDED.iter().find(|(name, _)| *name == tool).map_or(&[][..], |(_, added)| *added);
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    out.push_str("| Argument | Type | Allowed | Meaning |\n|---|---|---|---|\n");
    rows.sort_by_key(|(name, _)| !required.contains(&Value::String((*name).clone())));
    for (name, field) in rows {
        let star = if required.contains(&Value::String(name.clone())) { " (required)" } else { "" };
        let addition = if added.contains(&name.as_str()) { " (addition)" } else { "" };
        let meaning = SHARED.iter().find(|(shared, _)| shared == name).map_or("", |(_, meaning)| *meaning);
        let meaning = field["description"].as_str().unwrap_or(meaning);
        out.push_str(&format!(
            "| `{name}`{star}{addition} | {} | {} | {meaning} |\n",
            text(field, "type"),
            allowed(field),
        ));
    }
}

fn allowed(field: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(words) = field["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`"));
        parts.push(words.collect::<Vec<_>>().join(", "));
    }
    if let Some(least) = field["minimum"].as_u64() {
        parts.push(
            field["maximum"].as_u64().map_or(format!("from {least}"), |most| format!("{least} to {most}")),
        );
    }
    if let Some(most) = field["maxLength"].as_u64() {
        parts.push(format!("up to {most} characters"));
    }
    if let Some(most) = field["maxItems"].as_u64() {
        parts.push(format!("up to {most} strings"));
    }
    parts.join("; ")
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}
