//! Whether the data means something: each case can fail, each step is read, each name has a meaning. It looks at
//! cases that are skipped too, which nothing else would.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::data::{self, Case, Step, Table};
use crate::judge;

#[test]
fn every_case_can_fail() {
    let table = data::table();
    for (name, steps) in &table.procedures {
        steps.iter().for_each(|step| sound(name, step));
    }
    for row in &table.rows {
        for case in &row.cases {
            let expecting = |step: &Value| {
                step.get("expect").is_some()
                    || step.get("start").is_some()
                    || step.get("process").is_some()
                    || step.get("use").is_some()
            };
            assert!(case.steps.iter().any(expecting), "{}: `{}` expects nothing", row.id, case.name);
            case.steps.iter().for_each(|step| sound(&row.id, step));
        }
    }
}

/// A step is read as one, also where it is skipped; names in it stand for texts.
fn sound(place: &str, step: &Value) {
    let mut step = step.clone();
    for list in ["headers", "form", "host"] {
        // A name that stands for a list.
        if let Some(value) = step.pointer_mut(&format!("/send/{list}")).filter(|value| value.is_string()) {
            *value = json!([]);
        }
    }
    let step: Step =
        serde_json::from_value(step.clone()).unwrap_or_else(|error| panic!("{place}: {error}: {step}"));
    let kinds = [
        step.send.is_some(),
        step.raw.is_some(),
        step.call.is_some(),
        step.start.is_some(),
        step.at_gitea.is_some(),
        step.process.is_some(),
        step.procedure.is_some(),
    ];
    assert_eq!(
        kinds.into_iter().filter(|there| *there).count(),
        1,
        "{place}: a step does one thing: {step:?}"
    );
    if let Some(name) = &step.procedure {
        assert!(data::table().procedures.contains_key(name), "{place}: no procedure is called `{name}`");
    }
    let asks = step.send.is_some() || step.raw.is_some() || step.call.is_some();
    if asks && step.times.is_none() {
        let expect = step.expect.unwrap_or_else(|| panic!("{place}: a request whose answer nobody judges"));
        assert!(
            !judge::due(&expect).is_null(),
            "{place}: it is not said which audit lines are due: {expect:?}"
        );
    }
}

/// Names that every server gives.
const GIVEN: &[&str] = &[
    "key",
    "other_key",
    "canary",
    "canary_token",
    "bidi",
    "gitea",
    "origin",
    "host",
    "last",
    "port",
    "callback",
    "app.client_id",
    "app.client_secret",
    "it",
    "also",
    "i",
    "back",
];

#[test]
fn every_name_has_a_meaning() {
    let table = data::table();
    for row in &table.rows {
        for case in &row.cases {
            let mut known: BTreeSet<String> = GIVEN.iter().map(|name| (*name).to_owned()).collect();
            known.extend(case.names.iter().map(|(name, _)| name.clone()));
            let place = format!("{}: {}", row.id, case.name);
            let mut used = Vec::new();
            follow(&table, &case.steps, None, &mut known, &mut used);
            // A spelling may name what a step finds out, so it is judged with everything that is known in the end.
            spellings(case).iter().for_each(|value| texts(value, &mut used));
            for text in &used {
                for inner in text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
                    assert!(has_meaning(inner, &known), "{place}: `{inner}` stands for nothing in {text:?}");
                }
            }
        }
    }
}

fn spellings(case: &Case) -> Vec<Value> {
    let settings = case.settings.values().map(|value| json!(value));
    let names = case.names.iter().map(|(_, value)| value.clone());
    case.each.iter().chain(&case.also).cloned().chain(settings).chain(names).collect()
}

/// What steps know after them, and the texts in them.
fn follow(
    table: &Table,
    steps: &[Value],
    prefix: Option<&str>,
    known: &mut BTreeSet<String>,
    used: &mut Vec<String>,
) {
    let named = |name: &str| prefix.map_or_else(|| name.to_owned(), |prefix| format!("{prefix}.{name}"));
    for step in steps {
        texts(step, used);
        let named_of = |place: &str| {
            let members = step.get(place).and_then(Value::as_object);
            members.into_iter().flat_map(|members| members.keys().cloned()).collect::<Vec<_>>()
        };
        for name in named_of("capture") {
            known.insert(named(&name));
            // Inside its procedure a name needs no prefix.
            known.insert(name);
        }
        if let Some(procedure) = step.get("use").and_then(Value::as_str) {
            let prefix = step.get("as").and_then(Value::as_str).or(prefix);
            for name in named_of("with") {
                known.insert(name);
            }
            follow(table, &table.procedures[procedure], prefix, known, used);
            if let Some(prefix) = prefix {
                known.insert(format!("{prefix}.back"));
            }
        }
    }
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            found.push(name.clone());
            texts(value, found);
        }),
        _ => {}
    }
}

/// A known name, or a function of one, or of a text that does not look like a name.
fn has_meaning(inner: &str, known: &BTreeSet<String>) -> bool {
    let is_known = |name: &str| {
        known.contains(name)
            || name.starts_with("it.")
            || name.starts_with("also.")
            || name.starts_with("token_of.")
    };
    if is_known(inner.trim()) {
        return true;
    }
    let Some((function, argument)) = inner.split_once(' ') else { return false };
    let functions = [
        "hex",
        "repeat",
        "cut",
        "upper",
        "lower",
        "base64",
        "base64url",
        "s256",
        "pct",
        "len",
        "hexlen",
        "hmac",
        "json",
        "flip",
        "reverse",
        "dots",
    ];
    let of_two = matches!(function, "repeat" | "cut" | "hmac");
    let last = if of_two { argument.split_once(' ').map_or(" ", |(_, text)| text) } else { argument };
    let looks_like_a_name =
        !of_two && !matches!(function, "hex" | "base64" | "s256" | "dots") || last.contains('.');
    functions.contains(&function) && (is_known(last.trim()) || !looks_like_a_name)
}
