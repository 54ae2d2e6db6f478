//! The operator's questions, and what is said where one cannot be answered.

use serde_json::{Value, json};

use crate::tools::CATALOGUE;

const POLICY: &str = "\
defaults: {read: allow, write: deny}
tools: {deny: [search_code]}
repositories:
  acme/*: {paths: {deny: [src/secrets/*]}}
  acme/site:
    tools: {allow: [get_file_contents, create_issue]}
";

fn ask(command: &Value) -> Value {
    serde_json::from_str(&super::operator(&command.to_string(), &CATALOGUE)).unwrap()
}

fn explain(more: &Value) -> Value {
    let mut command = json!({"command": "policy-explain", "policy": POLICY});
    command.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ask(&command)
}

#[test]
fn a_question_that_is_none_is_refused_with_what_there_is() {
    for command in ["{}", "not json", r#"{"command":"x"}"#, r#"{"command":"tools","more":1}"#] {
        let answer: Value = serde_json::from_str(&super::operator(command, &CATALOGUE)).unwrap();
        assert!(
            answer["error"].as_str().is_some_and(|why| why.contains("no command of this version")),
            "{answer}"
        );
    }
    assert!(super::operator(r#"{"command":"x"}"#, &CATALOGUE).contains("policy-replay"));
    assert!(ask(&json!({"command": "tools"})).to_string().contains("get_file_contents"));
}

#[test]
fn a_call_is_explained_rule_by_rule() {
    let told = explain(&json!({
        "tool": "get_file_contents", "repository": "Acme/Site", "paths": ["src/Secrets/key"]
    }));
    assert_eq!((&told["allowed"], &told["rule"]), (&json!(false), &json!("repositories.acme/*.paths.deny")));
    let spoken: Vec<_> = told["looked_at"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["rule"].as_str().unwrap(), step["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(
        spoken,
        [
            ("request", "passes"),
            ("tools.deny", "passes"),
            ("repositories.acme/site.tools.deny", "absent"),
            ("repositories.acme/*.tools.deny", "absent"),
            ("repositories.acme/site.paths.deny", "absent"),
            ("repositories.acme/*.paths.deny", "denies"),
            ("tools.allow", "absent"),
            ("repositories.acme/site.tools.allow", "allows"),
            ("repositories.acme/*.tools.allow", "absent"),
            ("repositories.acme/site.paths.allow", "absent"),
            ("repositories.acme/*.paths.allow", "absent"),
            ("defaults.read", "absent"),
        ]
    );
    assert_eq!(told["listings"], json!([{"path": "src/Secrets/key", "shown": false}]));
    assert_eq!(told["settings"], Value::Null);
}

#[test]
fn what_the_settings_refuse_is_told_beside_the_policy() {
    let with = |mode: &str, list: &str| {
        let settings = json!([
            ["GITEA_URL", "https://git.example.com"],
            ["WRITE_MODE", mode],
            ["WRITE_REPOSITORY_WHITELIST", list]
        ]);
        explain(&json!({"tool": "create_issue", "repository": "acme/site", "settings": settings}))
    };
    let told = with("false", "");
    assert_eq!(
        (&told["allowed"], &told["settings"]["refuses"]),
        (&json!(true), &json!("write_mode_disabled"))
    );
    assert_eq!(with("true", "acme/other")["settings"]["refuses"], "repository_not_writable");
    assert_eq!(with("true", "acme/*")["settings"], json!({"refuses": null}));
}

#[test]
fn an_unclear_question_is_refused() {
    for (more, says) in [
        (json!({"tool": "get_isue"}), "did you mean \"get_issue\"?"),
        (json!({"tool": "create_issue", "class": "read"}), "`create_issue` is a write"),
        (json!({"tool": "automation_webhook", "class": "admin"}), "is no class"),
        (json!({"tool": "create_issue", "repository": "acme"}), "write owner/repo"),
        (json!({"tool": "create_issue", "repository": "a/b/c"}), "write owner/repo"),
    ] {
        let answer = explain(&more);
        assert!(answer["error"].as_str().is_some_and(|why| why.contains(says)), "{more}: {answer}");
    }
}

#[test]
fn a_job_is_explained_by_its_name_and_by_class_where_it_has_two() {
    let job = "automation_stale_issue_detection";
    for (tool, class, rule) in [
        ("automation_webhook", None, "defaults.read"),
        ("automation_webhook", Some("read"), "defaults.read"),
        (job, None, "defaults.read"),
        (job, Some("read"), "defaults.read"),
        (job, Some("write"), "defaults.write"),
    ] {
        let mut asked = json!({"tool": tool, "repository": "acme/other"});
        if let Some(class) = class {
            asked["class"] = class.into();
        }
        assert_eq!(explain(&asked)["rule"], rule, "{asked}");
    }
    for (more, says) in [
        (json!({"tool": "automation_webhok"}), "did you mean \"automation_webhook\"?"),
        (json!({"tool": "automation_webhok", "class": "read"}), "did you mean \"automation_webhook\"?"),
        (json!({"tool": "automation_webhook", "class": "write"}), "is a read, not a write"),
    ] {
        let answer = explain(&more);
        assert!(answer["error"].as_str().is_some_and(|why| why.contains(says)), "{more}: {answer}");
    }
}

#[test]
fn a_path_with_a_character_that_nobody_sees_is_explained_as_it_is_decided() {
    let told = explain(&json!({
        "tool": "get_file_contents", "repository": "acme/site", "paths": ["src/se\u{200b}crets/k"]
    }));
    assert_eq!((&told["allowed"], &told["rule"]), (&json!(false), &json!("repositories.acme/*.paths.deny")));
    assert_eq!(told["listings"], json!([{"path": "src/se\u{200b}crets/k", "shown": false}]));
    let call = json!({"tool": "get_file_contents", "owner": "acme", "repo": "a", "paths": ["src/se\u{200b}crets/k"]});
    let told = ask(&json!({"command": "policy-replay", "policy": POLICY, "calls": [call]}));
    assert_eq!(told["calls"][0]["allowed"], false);
    let cases = "cases:
  - {it: calls, tool: get_file_contents, class: read, repository: acme/a, paths: [\"src/se\\u200Bcrets/k\"], expect: deny}
  - {it: lists, repository: acme/a, file: \"src/se\\u200Bcrets/k\", expect: deny}
";
    let told = ask(&json!({"command": "policy-test", "policy": POLICY, "cases": cases}));
    assert_eq!((&told["cases"], &told["failed"]), (&json!(2), &json!([])));
}

#[test]
fn a_case_about_a_tool_that_there_is_not_fails_whatever_it_expects() {
    let cases = "cases:
  - {it: allows, tool: get_isue, class: read, repository: acme/a, expect: allow}
  - {it: denies, tool: create_isue, class: write, repository: acme/a, expect: deny}
  - {it: knows a job, tool: automation_webhook, class: read, repository: acme/a, expect: allow}
  - {it: knows its class, tool: automation_webhook, class: write, repository: acme/a, expect: deny}
";
    let told = ask(&json!({"command": "policy-test", "policy": POLICY, "cases": cases}));
    let failed: Vec<_> =
        told["failed"].as_array().unwrap().iter().map(|row| (&row["line"], row["why"].as_str())).collect();
    let lines: Vec<_> = failed.iter().map(|(line, _)| (*line).clone()).collect();
    assert_eq!(lines, [json!(2), json!(3), json!(5)], "{told}");
    for (row, says) in
        failed.iter().zip(["did you mean \"get_issue\"?", "did you mean \"create_issue\"?", "is a read"])
    {
        assert!(row.1.is_some_and(|why| why.contains(says)), "{told}");
    }
}

#[test]
fn a_document_with_a_mistake_answers_nothing() {
    for (policy, says) in [
        ("tool: {}", "the policy:1:1: unknown key"),
        ("tools: {deny: [get_isue]}", "the policy:1:16: there is no tool"),
    ] {
        for command in [
            json!({"command": "policy-explain", "policy": policy, "tool": "get_issue"}),
            json!({"command": "policy-replay", "policy": policy, "calls": []}),
            json!({"command": "policy-test", "policy": policy, "cases": "cases: [{it: x, file: a, expect: deny}]"}),
        ] {
            let answer = ask(&command);
            assert_eq!(answer["error"], "the policy has mistakes");
            assert!(answer["problems"][0].as_str().is_some_and(|told| told.starts_with(says)), "{answer}");
        }
    }
}

#[test]
fn cases_are_counted_and_what_differs_is_told_with_both_answers() {
    let cases = "\
cases:
  - {it: denies secrets, tool: get_file_contents, class: read, repository: acme/a, paths: [src/secrets/x], expect: deny}
  - {it: allows search, tool: search_code, class: read, repository: acme/a, expect: allow}
  - {it: says what kind of tool it is, tool: create_issue, class: read, repository: acme/a, expect: allow}
";
    let told = ask(&json!({"command": "policy-test", "policy": POLICY, "cases": cases}));
    assert_eq!((&told["cases"], &told["policy"]), (&json!(3), &json!("given")));
    let failed = told["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 2, "{told}");
    assert_eq!((&failed[0]["line"], &failed[0]["expected"]), (&json!(3), &json!("allow")));
    assert_eq!(failed[0]["got"], "deny by tools.deny");
    assert_eq!((&failed[1]["expected"], &failed[1]["got"]), (&json!("class read"), &json!("class write")));
    let built_in = ask(&json!({"command": "policy-test", "cases": cases}));
    assert_eq!(built_in["policy"], "built-in");
    let broken = ask(&json!({"command": "policy-test", "cases": "case: []"}));
    assert!(
        broken["problems"][0].as_str().is_some_and(|told| told.contains("did you mean \"cases\"?")),
        "{broken}"
    );
}

#[test]
fn recorded_calls_are_judged_in_their_order() {
    let call = |tool: &str, repo: &str, paths: &[&str]| json!({"tool": tool, "owner": "acme", "repo": repo, "paths": paths});
    let calls = json!([
        call("search_code", "a", &[]),
        call("get_file_contents", "a", &["src/main.rs"]),
        call("no_longer_there", "a", &[]),
        {"tool": "no_longer_there", "class": "write", "owner": "acme", "repo": "a"},
        {"tool": "list_organizations", "class": "read"},
    ]);
    let told = ask(&json!({"command": "policy-replay", "policy": POLICY, "calls": calls}));
    let allowed: Vec<&Value> =
        told["calls"].as_array().unwrap().iter().map(|call| &call["allowed"]).collect();
    assert_eq!(allowed, [&json!(false), &json!(true), &Value::Null, &json!(false), &json!(true)]);
    assert_eq!(told["calls"][0]["rule"], "tools.deny");
}

#[test]
fn the_schema_offers_every_tool_with_what_it_does() {
    let schema = ask(&json!({"command": "policy-schema"}));
    let offered =
        schema.pointer("/definitions/tools/properties/allow/items/anyOf").unwrap().as_array().unwrap();
    for tool in CATALOGUE.tools() {
        let found = offered.iter().find(|one| one["const"] == tool.name()).expect("it is offered");
        assert!(found["description"].as_str().is_some_and(|doc| doc.len() > 10), "{found}");
    }
    let jobs: Vec<&str> = offered
        .iter()
        .filter_map(|one| one["const"].as_str())
        .filter(|name| name.starts_with("automation_"))
        .collect();
    assert_eq!(jobs, crate::tools::jobs::IN_POLICIES, "these and no others");
    assert!(offered.iter().all(|one| one.get("pattern").is_none()), "no name is open: {offered:?}");
    assert_eq!(schema["minProperties"], 1, "an empty document is refused");
}
