//! What holds for every tool, what clients see of each, and the page that documents them.
//!
//! Snapshots and page are compared here and written anew when the environment holds `BLESS=1`.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that reads and writes generated files and fails where it cannot"
)]

mod catalogue {
    pub(crate) mod original;
    pub(crate) mod page;
    mod wanted;
}

use catalogue::original::ORIGINAL;
use catalogue::page::ADDED;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use aegis_core::gitea::WRITES;
use aegis_core::ports::{Class, Method};
use aegis_core::tools::kit::Entry;
use aegis_core::tools::{CATALOGUE, SHARED};
use serde_json::Value;

fn tools() -> impl Iterator<Item = (&'static dyn Entry, Value)> {
    CATALOGUE.tools().map(|tool| (tool, tool.definition()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// The file holds exactly this text; with `BLESS=1` it is made to.
fn golden(path: &Path, text: &str) {
    if std::env::var("BLESS").is_ok_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("a directory")).expect("the directory can be made");
        fs::write(path, text).expect("the file can be written");
        return;
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == text, "{} is out of date: run `make bless` and review the change", path.display());
}

fn properties(schema: &Value) -> Vec<(&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten().collect()
}

#[test]
fn names_are_unique_snake_case_and_short() {
    let mut seen = BTreeSet::new();
    for (tool, _) in tools() {
        let name = tool.name();
        assert!(seen.insert(name), "{name} is there twice");
        assert!((1..=64).contains(&name.len()), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert!(!name.starts_with('_') && !name.ends_with('_') && !name.contains("__"), "{name}");
        assert_eq!(CATALOGUE.find(name).map(Entry::name), Some(name));
    }
    assert!(CATALOGUE.find("LIST_ISSUES").is_none() && CATALOGUE.find("").is_none());
}

#[test]
fn the_first_tools_of_the_product_are_there() {
    let names: Vec<&str> = tools().map(|(tool, _)| tool.name()).collect();
    for expected in [
        "list_repositories",
        "get_repository_info",
        "get_file_tree",
        "get_file_contents",
        "list_issues",
        "get_issue",
        "create_issue",
        "create_issue_comment",
    ] {
        assert!(names.contains(&expected), "{expected} is missing");
    }
}

#[test]
fn every_tool_has_a_title_a_description_and_hints_that_agree_with_its_class() {
    for (tool, definition) in tools() {
        let name = tool.name();
        assert_eq!(definition["name"], name);
        assert_eq!(definition["title"], tool.title());
        assert!(!tool.title().is_empty() && tool.title().len() <= 60, "{name}");
        assert!(
            definition["description"].as_str().is_some_and(|text| text.len() > 30 && text.ends_with('.')),
            "{name}"
        );
        // A hint that equals the specification's default is left out.
        let hints = &definition["annotations"];
        let read_only = hints["readOnlyHint"].as_bool().unwrap_or(false);
        assert_eq!(read_only, tool.class() == Class::Read, "{name}");
        assert_ne!(hints["destructiveHint"], true, "{name}");
        assert_ne!(hints["idempotentHint"], false, "{name}");
    }
}

#[test]
fn input_schemas_are_plain_closed_and_described() {
    for (tool, definition) in tools() {
        let (name, schema) = (tool.name(), &definition["inputSchema"]);
        assert_eq!(schema["type"], "object", "{name}");
        assert_eq!(schema["additionalProperties"], false, "{name}");
        for (field, schema) in properties(schema) {
            assert!(schema["type"].is_string(), "{name}.{field} has one type");
            let shared = SHARED.iter().any(|(shared, _)| shared == field);
            assert!(
                shared || schema["description"].as_str().is_some_and(|text| text.ends_with('.')),
                "{name}.{field} is described"
            );
            if schema["type"] == "integer" {
                assert!(schema["minimum"].is_u64(), "{name}.{field} is bounded");
            }
            if schema["type"] == "string" && schema.get("enum").is_none() && !shared {
                assert!(schema["maxLength"].is_u64(), "{name}.{field} is bounded");
            }
            if schema["type"] == "array" {
                assert!(
                    schema["maxItems"].is_u64() && schema["items"]["maxLength"].is_u64(),
                    "{name}.{field} is bounded"
                );
            }
        }
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert!(
                schema["properties"].get(required).is_some(),
                "{name}.{required} is required and not there"
            );
        }
    }
}

#[test]
fn output_schemas_list_every_field_and_what_the_screen_may_add() {
    for (tool, definition) in tools() {
        let (name, schema) = (tool.name(), &definition["outputSchema"]);
        assert_eq!(schema["type"], "object", "{name}");
        assert!(properties(schema).len() > 3, "{name}");
        for (field, schema) in properties(schema) {
            assert!(schema["type"].is_string(), "{name}.{field}");
        }
        for field in tool.answer().explained() {
            assert!(!field.name.is_empty() && field.meaning.ends_with('.'), "{name}.{}", field.name);
        }
        for (added, _, _) in aegis_core::reply::ADDED {
            assert!(schema["properties"].get(*added).is_some(), "{name} does not declare {added}");
        }
    }
}

#[test]
fn no_schema_uses_references_or_combinators() {
    fn check(value: &Value, at: &str) {
        for (key, value) in value.as_object().into_iter().flatten() {
            for forbidden in ["$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "if", "patternProperties"] {
                assert!(key != forbidden, "{at} uses {forbidden}");
            }
            check(value, &format!("{at}/{key}"));
        }
        value.as_array().into_iter().flatten().for_each(|value| check(value, at));
    }
    for (tool, definition) in tools() {
        check(&definition, tool.name());
    }
}

/// Tools that are not about one repository.
const WITHOUT_REPOSITORY: [&str; 3] = ["list_repositories", "list_org_repositories", "list_organizations"];

#[test]
fn tools_that_name_a_repository_name_it_by_owner_and_repo() {
    for (tool, definition) in tools().filter(|(tool, _)| !WITHOUT_REPOSITORY.contains(&tool.name())) {
        let required = definition["inputSchema"]["required"].as_array().cloned().unwrap_or_default();
        assert!(required.contains(&"owner".into()) && required.contains(&"repo".into()), "{}", tool.name());
    }
}

#[test]
fn what_can_be_written_is_a_fixed_list_and_no_tool_writes_anything_else() {
    let mut sent: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (tool, _) in tools() {
        assert_eq!(tool.writes().is_empty(), tool.class() == Class::Read, "{}", tool.name());
        for row in tool.writes() {
            sent.insert((method(row.method()), row.template()));
        }
    }
    let listed: BTreeSet<(&str, &str)> =
        WRITES.iter().map(|row| (method(row.method()), row.template())).collect();
    assert_eq!(sent, listed, "a change that no tool sends is not allowed to be sent either");
    for (method, template) in listed {
        let label = template == "/repos/{owner}/{repo}/issues/{index}/labels/{id}";
        assert!(method != "DELETE" || label, "{template}");
        for forbidden in
            ["/merge", "/contents", "/collaborators", "/hooks", "/keys", "/transfer", "/admin", "{path"]
        {
            assert!(!template.contains(forbidden), "{template}");
        }
    }
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

/// Most bytes of `tools/list` as compact JSON: without output schemas, which is what a model is shown ...
const SHOWN_BYTES: usize = 26_000;
/// ... and with them.
const WHOLE_BYTES: usize = 46_000;

#[test]
fn the_whole_catalogue_is_cheap_to_show_to_a_model() {
    let whole: Vec<Value> = tools().map(|(_, definition)| definition).collect();
    let mut shown = whole.clone();
    for tool in shown.iter_mut().filter_map(Value::as_object_mut) {
        tool.remove("outputSchema");
    }
    let bytes = |tools: &[Value]| Value::from(tools).to_string().len();
    let (shown, whole) = (bytes(&shown), bytes(&whole));
    assert!(shown <= SHOWN_BYTES, "{shown} bytes of {SHOWN_BYTES} without output schemas");
    assert!(whole <= WHOLE_BYTES, "{whole} bytes of {WHOLE_BYTES} with output schemas");
}

#[test]
fn every_argument_is_one_of_the_original_tools_or_marked_as_an_addition() {
    for (tool, definition) in tools() {
        let name = tool.name();
        let (_, original) =
            ORIGINAL.iter().find(|(known, _)| *known == name).expect("a tool of the original");
        let original: BTreeSet<&str> = original.split_whitespace().collect();
        let schema = &definition["inputSchema"];
        let here: BTreeSet<&str> = properties(schema).into_iter().map(|(name, _)| name.as_str()).collect();
        let missing: Vec<_> = original.difference(&here).collect();
        assert!(missing.is_empty(), "{name} lacks {missing:?}");
        let more: BTreeSet<&str> = here.difference(&original).copied().collect();
        let marked = ADDED.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, added)| *added);
        assert_eq!(more, marked.iter().copied().collect(), "{name}: ADDED marks what is new");
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert!(required.iter().all(|field| !more.contains(field)), "{name}: an addition is optional");
    }
    assert_eq!(tools().count(), ORIGINAL.len());
}

#[test]
fn what_clients_see_of_each_tool_is_on_file() {
    let at = root().join("tests/snapshots");
    for (tool, definition) in tools() {
        let text = serde_json::to_string_pretty(&definition).expect("JSON") + "\n";
        golden(&at.join(format!("{}.json", tool.name())), &text);
    }
    let names: BTreeSet<String> = tools().map(|(tool, _)| format!("{}.json", tool.name())).collect();
    for entry in fs::read_dir(&at).expect("the snapshots") {
        let file = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(names.contains(&file), "{file} is the snapshot of no tool: remove it");
    }
}

#[test]
fn the_page_about_tools_is_up_to_date() {
    let tools: Vec<&dyn Entry> = CATALOGUE.tools().collect();
    let sizes = fs::read_to_string(root().join("tests/sizes.md")).expect("the table of sizes");
    golden(&root().join("../../docs/tools.md"), &catalogue::page::page(&tools, &sizes, example));
}

/// Stands above what is made, and below it.
const MADE: [&str; 2] = ["<!-- Made from the tools by `make bless`. -->\n", "<!-- end -->\n"];

#[test]
fn the_table_for_reviewers_is_up_to_date() {
    let path = root().join("../../docs/review.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(MADE[0]).expect("where the table begins");
    let (_, after) = rest.split_once(MADE[1]).expect("where it ends");
    let tools: Vec<&dyn Entry> = CATALOGUE.tools().collect();
    let table = catalogue::page::review(&tools);
    golden(&path, &format!("{before}{}\n{table}\n{}{after}", MADE[0], MADE[1]));
}

/// What the unit tests made of a call of this tool.
fn example(tool: &str) -> Value {
    let file = root().join("tests/examples").join(format!("{tool}.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|_| {
        panic!("{tool} has no example: give it a line in src/tools/examples/calls.rs and run `make bless`")
    });
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn every_tool_has_an_example_that_its_schemas_describe_and_there_is_no_other() {
    let mut names = BTreeSet::new();
    for (tool, definition) in tools() {
        let name = tool.name();
        names.insert(format!("{name}.json"));
        let example = example(name);
        let arguments = example["arguments"].as_object().cloned().expect("arguments");
        assert!(tool.parse(arguments).is_ok(), "{name}: the arguments are good");
        for (field, _) in example["answer"].as_object().expect("an answer") {
            assert!(definition["outputSchema"]["properties"].get(field).is_some(), "{name}.{field}");
        }
    }
    for entry in fs::read_dir(root().join("tests/examples")).expect("the examples") {
        let file = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(names.contains(&file), "{file} is the example of no tool: remove it");
    }
}

#[test]
fn the_instructions_name_no_tool_that_is_not_there() {
    let words = CATALOGUE.instructions.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    for word in words.filter(|word| ["list_", "get_", "create_"].iter().any(|verb| word.starts_with(verb))) {
        assert!(CATALOGUE.find(word).is_some(), "{word}");
    }
}

/// Editors are pointed at this file; it names the tools.
#[test]
fn the_schema_of_policies_is_up_to_date() {
    let schema = aegis_core::operator::operator(r#"{"command":"policy-schema"}"#, &CATALOGUE);
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    golden(&root().join("../../policy/schema.json"), &format!("{schema:#}\n"));
}
