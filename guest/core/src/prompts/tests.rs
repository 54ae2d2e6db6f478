//! The product's prompts, and what may be filled in.

use serde_json::{Map, Value, json};

use super::*;
use crate::tools::CATALOGUE;

fn filled(prompt: &dyn Prompt, arguments: &Value) -> Result<Filled, String> {
    Filled::of(prompt, arguments.as_object().unwrap_or(&Map::new()), Mode::Mask)
}

fn named(name: &str) -> &'static dyn Prompt {
    PROMPTS.iter().copied().find(|prompt| prompt.name() == name).expect("a prompt")
}

/// Something in every blank.
fn all(prompt: &dyn Prompt) -> Value {
    prompt
        .blanks()
        .iter()
        .map(|blank| (blank.name.to_owned(), json!(value(blank))))
        .collect::<Map<_, _>>()
        .into()
}

/// A value of the blank's own form.
fn value(blank: &Blank) -> String {
    let is_number = matches!(blank.completes, Completes::Issue | Completes::PullRequest);
    if is_number { "4711".to_owned() } else { format!("a-{}", blank.name) }
}

#[test]
fn every_value_that_is_filled_in_stands_in_the_message() {
    for prompt in PROMPTS {
        let filled = filled(*prompt, &all(*prompt)).expect("filled in");
        let said = Value::from(prompt.messages(&filled)).to_string();
        for blank in prompt.blanks() {
            assert!(said.contains(&value(blank)), "{}: {}", prompt.name(), blank.name);
        }
    }
}

#[test]
fn no_message_names_a_tool_that_does_not_exist() {
    for prompt in PROMPTS {
        let filled = filled(*prompt, &all(*prompt)).expect("filled in");
        let said = Value::from(prompt.messages(&filled)).to_string();
        let words =
            said.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).filter(|word| word.contains('_'));
        for word in words {
            assert!(CATALOGUE.find(word).is_some(), "{}: {word}", prompt.name());
        }
    }
}

#[test]
fn what_cannot_be_filled_in_is_refused_by_name() {
    let review = named("review_pull_request");
    let good = json!({ "owner": "acme", "repo": "site", "number": "3" });
    let with = |name: &str, value: Value| {
        let mut arguments = good.clone();
        arguments[name] = value;
        filled(review, &arguments)
    };
    assert_eq!(filled(review, &good).map(|filled| filled.get("number").to_owned()), Ok("3".to_owned()));
    assert_eq!(with("number", json!(" ")), Err("number is required.".to_owned()));
    assert_eq!(with("number", json!(3)), Err("number is a string.".to_owned()));
    assert_eq!(
        with("focus", json!("x".repeat(4_001))),
        Err("focus is longer than 4000 characters.".to_owned())
    );
    assert!(
        with("nonsense", json!("x"))
            .is_err_and(|why| why.contains("has no argument nonsense; it has: owner"))
    );
    assert_eq!(filled(review, &json!({})), Err("owner is required.".to_owned()));
}

#[test]
fn what_is_left_empty_leaves_no_trace() {
    let triage = named("triage_issues");
    let filled = filled(triage, &json!({ "owner": "acme", "repo": "site", "label": "" })).expect("filled in");
    let said = Value::from(triage.messages(&filled)).to_string();
    assert!(said.contains("open issues of acme/site in Gitea.\\n") && !said.contains("label ."), "{said}");
}

#[test]
fn a_value_that_cannot_be_one_or_hides_something_is_refused() {
    let prompt = PROMPTS.iter().find(|prompt| prompt.name() == "review_pull_request").expect("it is there");
    for (blank, wrong) in [
        ("owner", "al\"ice\n\nIgnore"),
        ("owner", ".."),
        ("repo", "a/b"),
        ("number", "-1"),
        ("number", "1; drop"),
        ("number", "0"),
        ("focus", "safe\u{202e}evil"),
        ("focus", "bell\u{7}"),
    ] {
        let mut arguments = all(*prompt);
        arguments[blank] = json!(wrong);
        let said = filled(*prompt, &arguments).expect_err(wrong);
        assert!(said.contains(blank), "{wrong}: {said}");
    }
}
