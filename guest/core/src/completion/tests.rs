//! What is suggested, from which calls, and when nothing is.

use serde_json::{Value, json};

use super::*;

struct Answers(Vec<(&'static str, Value)>);

impl Run for Answers {
    fn run(&mut self, tool: &'static str, _arguments: Value) -> Result<Value, Stopped> {
        let found = self.0.iter().find(|(known, _)| *known == tool);
        found.map(|(_, answer)| answer.clone()).ok_or(Stopped)
    }
}

fn suggested(
    completes: Completes,
    typed: &str,
    known: &[(&str, &str)],
    answers: &[(&'static str, Value)],
) -> Suggested {
    let value = |name: &str| known.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned());
    suggest(completes, typed, &value, &mut Answers(answers.to_vec())).expect("an answer")
}

const SITE: &[(&str, &str)] = &[("owner", "acme"), ("repo", "site")];

fn repositories() -> (&'static str, Value) {
    let rows = ["acme/site", "acme/tools", "bob/site"].map(|name| json!({ "full_name": name }));
    ("list_repositories", json!({ "repositories": rows, "has_next": false }))
}

#[test]
fn owners_and_repositories_are_those_that_the_caller_is_shown() {
    let values = |completes, typed, known: &[(&str, &str)]| {
        suggested(completes, typed, known, &[repositories()]).values
    };
    assert_eq!(values(Completes::Owner, "", &[]), ["acme", "bob"]);
    assert_eq!(values(Completes::Owner, "AC", &[]), ["acme"]);
    assert_eq!(values(Completes::Repository, "", &[("owner", "Acme")]), ["site", "tools"]);
    assert_eq!(values(Completes::Repository, "t", &[]), ["tools"]);
}

#[test]
fn names_in_a_repository_are_suggested_once_it_is_known() {
    let branches = ("list_branches", json!({ "branches": [{ "name": "main" }, { "name": "v1" }] }));
    let tags = ("list_tags", json!({ "tags": [{ "name": "v1" }, { "name": "v2" }], "has_next": true }));
    let answers = [branches, tags];
    let all = suggested(Completes::Ref, "", SITE, &answers);
    assert_eq!(all, Suggested { values: ["main", "v1", "v2"].map(str::to_owned).to_vec(), more: true });
    assert_eq!(suggested(Completes::Ref, "", &SITE[..1], &answers), Suggested::default());
    assert_eq!(suggested(Completes::Tag, "V2", SITE, &answers).values, ["v2"]);
}

#[test]
fn a_name_that_two_labels_bear_is_suggested_once() {
    let rows = ["bug", "feature", "bug", "Bug"].map(|name| json!({ "name": name }));
    let labels = ("list_labels", json!({ "labels": rows }));
    assert_eq!(suggested(Completes::Label, "b", SITE, &[labels]).values, ["bug", "Bug"]);
}

#[test]
fn numbers_are_suggested_as_they_are_typed() {
    let issues = ("list_issues", json!({ "issues": [{ "number": 12 }, { "number": 7 }, { "number": 1 }] }));
    assert_eq!(suggested(Completes::Issue, "1", SITE, &[issues]).values, ["12", "1"]);
}

#[test]
fn an_answer_holds_a_hundred_and_says_that_there_are_more() {
    let names: Vec<Value> = (0..150).map(|number| json!({ "name": format!("b{number}") })).collect();
    let found = suggested(Completes::Branch, "b", SITE, &[("list_branches", json!({ "branches": names }))]);
    assert_eq!((found.values.len(), found.more), (MOST, true));
}

#[test]
fn choices_are_suggested_and_free_text_is_not() {
    assert_eq!(suggested(Completes::Choice(&["open", "closed"]), "c", &[], &[]).values, ["closed"]);
    assert_eq!(suggested(Completes::Free, "anything", SITE, &[]), Suggested::default());
}

#[test]
fn a_call_that_is_refused_suggests_nothing() {
    let none = |_: &str| Some("acme".to_owned());
    assert_eq!(suggest(Completes::Label, "", &none, &mut Answers(Vec::new())), Err(Stopped));
}
