//! Arguments that must not get through, as tables; and that nothing was sent for them.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals are handed over as they are written")]

use serde_json::{Value, json};

use crate::tools::CATALOGUE;
use crate::tools::fake::{Stopped, World};

const RTLO: &str = "a\u{202e}b";

fn refusal(tool: &str, arguments: Value) -> String {
    let world = World::open();
    let stopped = world.call(tool, arguments.clone());
    assert!(world.asked().is_empty(), "{arguments} reached Gitea");
    match stopped {
        Err(Stopped::Argument(error)) => error.to_string(),
        other => panic!("{arguments} was not refused as an argument: {other:?}"),
    }
}

#[test]
fn names_of_owners_and_repositories_cannot_change_the_request() {
    let long = "a".repeat(300);
    let bad = [
        ".", "..", "a/b", "a%2fb", "%2e%2e", "a?x", "a#x", "a\\b", "a\0", "a;b", "", &long, "a／b", "．．",
        "a b", "a\r\nb", "ä", "a:b", "a@b", RTLO,
    ];
    for name in bad {
        let message = refusal("get_repository_info", json!({ "owner": name, "repo": "site" }));
        assert!(message.contains("`owner`") && message.contains("letters, digits"), "{name}: {message}");
        let message = refusal("get_repository_info", json!({ "owner": "acme", "repo": name }));
        assert!(message.contains("`repo`"), "{name}: {message}");
    }
    for name in ["site.git", "SITE.GIT", ".git"] {
        let message = refusal("get_repository_info", json!({ "owner": "acme", "repo": name }));
        assert!(message.contains("without `.git`"), "{name}: {message}");
    }
}

#[test]
fn paths_that_gitea_would_clean_are_refused() {
    let long = "a/".repeat(3000);
    let bad = [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a/..",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        "a\\b",
        "a\0b",
        "a\nb",
        ".git",
        "a/.git/config",
        "a/.GIT",
        ".",
        "..",
        &long,
        "\u{85}",
    ];
    for path in bad {
        let message =
            refusal("get_file_contents", json!({ "owner": "acme", "repo": "site", "filepath": path }));
        assert!(message.starts_with("`filepath` must"), "{path}: {message}");
    }
}

#[test]
fn refs_that_mean_something_else_to_git_are_refused() {
    let long = "a".repeat(256);
    let bad = [
        "", "-x", "/x", "x/", "a..b", "a:b", "a^", "a~1", "a?", "a*", "a[b", "a\\b", "a@{1}", "a b", "a\tb",
        "a\0", "a//b", "a\u{a0}b", &long,
    ];
    for reference in bad {
        let message = refusal("get_file_tree", json!({ "owner": "acme", "repo": "site", "ref": reference }));
        assert!(message.starts_with("`ref` must"), "{reference}: {message}");
    }
}

#[test]
fn numbers_are_whole_and_within_bounds_and_never_strings() {
    let big: Value = serde_json::from_str("9007199254740993").expect("a number");
    let huge: Value = serde_json::from_str("1e300").expect("a number");
    for value in [json!(0), json!(-1), json!(1.5), json!(1.0), json!("1"), json!(true), json!([]), big, huge]
    {
        let message =
            refusal("get_issue", json!({ "owner": "acme", "repo": "site", "issue_number": value.clone() }));
        assert!(message.contains("integer from 1 to 9007199254740991"), "{value}: {message}");
        for field in ["page", "limit"] {
            let message =
                refusal("list_issues", json!({ "owner": "acme", "repo": "site", field: value.clone() }));
            assert!(message.starts_with(&format!("`{field}` must be an integer from 1 to")), "{message}");
        }
    }
    let message = refusal("list_issues", json!({ "owner": "acme", "repo": "site", "limit": 10_001 }));
    assert_eq!(message, "`limit` must be an integer from 1 to 10000");
}

#[test]
fn a_query_cannot_be_injected_through_any_argument() {
    for (tool, field) in [("list_issues", "page"), ("list_issues", "limit"), ("list_repositories", "page")] {
        refusal(tool, json!({ "owner": "acme", "repo": "site", field: "1&sudo=root" }));
    }
    refusal("list_issues", json!({ "owner": "acme", "repo": "site", "state": "all&token=x" }));
    for field in ["sudo", "token", "access_token", "__proto__", "constructor", "q"] {
        let message = refusal("list_issues", json!({ "owner": "acme", "repo": "site", field: "x" }));
        assert!(
            message
                .starts_with(&format!("`{field}` is not an argument of this tool; allowed: `owner`, `repo`")),
            "{message}"
        );
    }
}

#[test]
fn types_are_not_converted() {
    let base = json!({ "owner": "acme", "repo": "site", "title": "t" });
    for (field, value) in [
        ("owner", json!(1)),
        ("repo", json!(["site"])),
        ("title", json!({ "a": 1 })),
        ("body", json!(1)),
        ("labels", json!("bug")),
        ("labels", json!([1])),
        ("labels", json!([""])),
        ("labels", json!(["a\nb"])),
        ("labels", json!(vec!["x"; 51])),
        ("assignees", json!(["a/b"])),
        ("assignees", json!([null])),
        ("milestone", json!(0)),
        ("milestone", json!(-1)),
        ("milestone", json!(1.5)),
        ("milestone", json!([])),
        ("milestone", json!("")),
        ("title", json!("")),
        ("title", json!("  ")),
        ("title", json!("a\nb")),
        ("title", json!("x".repeat(256))),
        ("body", json!("x".repeat(65_537))),
        ("body", json!("a\u{1b}[0m")),
    ] {
        let mut arguments = base.clone();
        arguments[field] = value;
        let message = refusal("create_issue", arguments);
        assert!(message.starts_with(&format!("`{field}` must")), "{message}");
    }
    refusal("get_file_tree", json!({ "owner": "acme", "repo": "site", "recursive": "true" }));
    refusal(
        "create_issue_comment",
        json!({ "owner": "acme", "repo": "site", "issue_number": 1, "body": " \n" }),
    );
}

#[test]
fn a_missing_argument_is_named() {
    assert_eq!(
        refusal("get_issue", json!({ "owner": "acme", "repo": "site" })),
        "`issue_number` is required"
    );
    assert_eq!(refusal("get_repository_info", json!({ "repo": "site" })), "`owner` is required");
    assert_eq!(
        refusal("get_repository_info", json!({ "owner": null, "repo": "site" })),
        "`owner` is required"
    );
}

#[test]
fn a_tool_without_arguments_says_what_it_takes() {
    let message = refusal("list_repositories", json!({ "owner": "acme" }));
    assert_eq!(message, "`owner` is not an argument of this tool; allowed: `page`, `limit`");
}

#[test]
fn free_text_leaves_no_trace_in_the_record_but_its_length_and_digest() {
    let entry = CATALOGUE.find("create_issue").expect("the tool exists");
    let arguments = json!({
        "owner": "acme", "repo": "site", "title": "very private title", "body": "very private body",
        "labels": ["bug", "bug"], "milestone": 7,
    });
    let prepared = entry.parse(arguments.as_object().cloned().unwrap_or_default()).expect("good arguments");
    let recorded = format!("{:?}", prepared.recorded());
    assert!(!recorded.contains("private"), "{recorded}");
    assert!(
        recorded.contains("bytes: 18") && recorded.contains(r#"("labels", Scalar("bug"))"#),
        "{recorded}"
    );
    assert!(recorded.contains(r#"("milestone", Scalar("7"))"#), "{recorded}");
    assert_eq!(prepared.target().repository, Some(("acme", "site")));
}

#[test]
fn null_counts_as_absent_for_what_is_optional() {
    let world = World::open().on("GET /repos/acme/site/issues", json!([]));
    let arguments = json!({ "owner": "acme", "repo": "site", "state": null, "labels": null, "page": null });
    assert_eq!(world.answer("list_issues", arguments)["page"], 1);
}

#[test]
fn odd_but_legal_paths_and_refs_reach_gitea_as_they_are() {
    let id = "a".repeat(40);
    for path in
        ["a b/c.txt", "a%2fb", "%2e%2e/x", "...", "src/x.", "ünïcode/文件", "a;b&c=d?e#f", ".github/x"]
    {
        let commit = format!("GET /repos/acme/site/commits?sha={id}");
        let world = World::open().on(&commit, json!([{ "sha": id }]));
        let error = world.failure(
            "get_file_contents",
            json!({ "owner": "acme", "repo": "site", "filepath": path, "ref": id.clone() }),
        );
        assert!(matches!(error, crate::tools::kit::Error::NotFound { .. }), "{error:?}");
        let requests = world.state.borrow().requests.clone();
        assert_eq!(requests.len(), 3, "the commit, and both ways to the file");
        let mut files = requests.iter().skip(1);
        assert!(files.all(|request| request.segments == ["acme", "site", path]), "{requests:?}");
    }
    for reference in ["feature/x", "v1.0", "release-1.x", "a%2fb"] {
        let world = World::open();
        world.failure("get_file_tree", json!({ "owner": "acme", "repo": "site", "ref": reference }));
        let requests = world.state.borrow().requests.clone();
        assert!(requests[0].query.contains(&("sha", reference.to_owned())), "{requests:?}");
    }
}
