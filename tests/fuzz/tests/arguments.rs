//! Arguments of every tool, and what is accepted as a name, a path, a ref.

use aegis_core::tools::CATALOGUE;
use aegis_fuzz::campaign;
use serde_json::{Map, Value};

const WORDS: &[&str] = &[
    "owner: ",
    "repo: ",
    "ref: ",
    "filepath: ",
    "page: ",
    "limit: ",
    "labels: [\"bug\"]",
    "state: ",
    "sha: ",
    "branch: ",
    "issue_number: ",
    "milestone: ",
    "due_on: ",
    "color: #",
    "base: ",
    "head: ",
    "start_line: ",
    "tag_name: ",
    ".git",
    "2026-12-31T23:59:59Z",
    "HEAD~2",
    "refs/heads/",
    "@{",
    "feature/one",
    "true",
    "1.5",
    "\\u0000",
];

/// An input as a call: its first line chooses the tool, each other is `field: value`, as JSON or else as text. Owner
/// and repository are good unless the input names them, so that the fields behind them are reached.
fn call(input: &[u8]) -> (usize, Map<String, Value>) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let tool = lines.next().unwrap_or_default().bytes().map(usize::from).sum();
    let mut arguments = Map::new();
    for line in lines {
        let Some((name, value)) = line.split_once(": ") else { continue };
        arguments.insert(name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into()));
    }
    (tool, arguments)
}

#[test]
fn arguments() {
    let tools: Vec<_> = CATALOGUE.tools().map(|tool| (tool, tool.definition())).collect();
    campaign("arguments", WORDS, |input| {
        let (nth, mut arguments) = call(input);
        let (tool, schema) = &tools[nth % tools.len()];
        let known = |name: &str| schema["inputSchema"]["properties"].get(name).is_some();
        for name in ["owner", "repo"] {
            if known(name) && !arguments.contains_key(name) {
                arguments.insert(name.to_owned(), "demo".into());
            }
        }
        match tool.parse(arguments.clone()) {
            Ok(prepared) => {
                let _ = (prepared.target(), prepared.recorded());
                for (name, value) in &arguments {
                    assert!(known(name), "{name} was accepted and is not in the schema");
                    good(name, value);
                }
                format!("{} accepts {:?}", tool.name(), arguments.keys().collect::<Vec<_>>())
            }
            Err(error) => {
                let said = error.to_string();
                assert!(said.chars().count() < 2000, "an error is short");
                // What it repeats of the input is no behaviour.
                let own: String = said.split('`').step_by(2).collect();
                format!("{} refuses: {}", tool.name(), own.chars().take(60).collect::<String>())
            }
        }
    });
}

#[test]
fn names() {
    let fields = [
        ("get_repository_info", "owner"),
        ("get_repository_info", "repo"),
        ("get_file_contents", "filepath"),
        ("get_file_contents", "ref"),
        ("list_commits", "ref"),
        ("get_commit_diff", "sha"),
        ("compare_refs", "base"),
        ("get_branch", "branch"),
        ("create_branch", "new_branch_name"),
    ];
    let calls = fields.map(|(name, field)| {
        let tool = CATALOGUE.find(name).expect("the tool");
        (tool, required(&tool.definition()), field)
    });
    campaign("names", WORDS, |input| {
        let text = String::from_utf8_lossy(input).into_owned();
        let mut accepted = Vec::new();
        for (tool, arguments, field) in &calls {
            let mut arguments = arguments.clone();
            let text = Value::from(text.clone());
            arguments.insert((*field).to_owned(), text.clone());
            if tool.parse(arguments).is_ok() {
                good(field, &text);
                accepted.push(*field);
            }
        }
        let kinds: String = text.chars().take(6).map(kind).collect();
        format!("{accepted:?} {kinds}")
    });
}

/// Good values for what a tool needs.
fn required(definition: &Value) -> Map<String, Value> {
    let names = definition["inputSchema"]["required"].as_array().into_iter().flatten();
    names.filter_map(Value::as_str).map(|name| (name.to_owned(), "demo".into())).collect()
}

fn kind(character: char) -> char {
    match character {
        'a'..='z' | 'A'..='Z' => 'a',
        '0'..='9' => '0',
        '.' | '/' | '-' | '@' | '~' | '^' | ':' | '\\' => character,
        _ if character.is_control() => 'c',
        _ if character.is_ascii() => '!',
        _ => 'u',
    }
}

/// What must be true of an accepted value, said anew: not by the rules of the product.
fn good(field: &str, value: &Value) {
    let Some(text) = value.as_str() else { return };
    let control = text.chars().any(char::is_control);
    match field {
        "owner" | "repo" | "org" => {
            let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            assert!(
                plain && (1..=100).contains(&text.len()) && text != "." && text != "..",
                "{field} {text:?}"
            );
            assert!(field != "repo" || !text.to_lowercase().ends_with(".git"), "{text:?}");
        }
        "filepath" => {
            assert!(!control && !text.contains('\\'), "{text:?}");
            for part in text.split('/') {
                assert!(!matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git"), "{text:?}");
            }
        }
        "ref" | "sha" | "base" | "head" | "branch" | "new_branch_name" | "old_branch_name" => {
            let forbidden = ["..", "@{", " ", ":", "^", "~", "?", "*", "[", "\\"];
            assert!(!control && forbidden.iter().all(|part| !text.contains(part)), "{field} {text:?}");
            assert!(
                !text.is_empty() && !text.starts_with(['-', '/']) && text.len() <= 255,
                "{field} {text:?}"
            );
        }
        _ => {}
    }
}
