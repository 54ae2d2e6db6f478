//! The policy from outside: what it denies asks Gitea for nothing and names its line; what it hides is left out of
//! lists and counted.

use aegis_tests::forge::Options;
use serde_json::{Value, json};

use crate::place::{Who, forge};
use crate::repositories::each;

const BY_TOOL: &str = "\
defaults: {read: allow, write: allow}
tools:
  deny:
    - get_issue
    - list_repositories
repositories:
  alice/private:
    tools:
      deny: [\"*\"]
  acme/*:
    tools:
      allow: [get_repository_info, get_file_contents]
";

const BY_PATH: &str = "\
defaults: {read: allow, write: deny}
repositories:
  alice/demo:
    paths:
      deny:
        - src/secrets/*
        - \"**/*.env\"
  acme/vault:
    paths:
      allow:
        - README.md
        - public/*
";

#[tokio::test]
async fn a_denied_tool_asks_gitea_for_nothing_and_names_its_line() {
    let stand = forge(Options::default(), Who::Alice, |setup| setup.policy(BY_TOOL)).await;
    let file = json!({ "filepath": "README.md" });
    let denied = [
        ("list_repositories", json!({}), "tools.deny", "line 5"),
        ("get_issue", stand.at("alice/demo", json!({ "issue_number": 5 })), "tools.deny", "line 4"),
        (
            "get_repository_info",
            stand.at("alice/private", json!({})),
            "repositories.alice/private.tools.deny",
            "line 9",
        ),
        (
            "get_file_contents",
            stand.at("ALICE/Private", file.clone()),
            "repositories.alice/private.tools.deny",
            "line 9",
        ),
        ("list_issues", stand.at("acme/site", json!({})), "repositories.acme/*.tools.allow", "line 12"),
    ];
    for (tool, arguments, rule, line) in denied {
        let named = arguments.clone();
        let (message, detail) = stand.refused(tool, arguments, 403, "policy_denied").await;
        assert_eq!(detail["rule"], rule, "{tool} {named}");
        assert!(message.contains(line) && message.contains(tool), "{tool} {named}: {message}");
    }
    assert_eq!(stand.requests().iter().filter(|seen| seen.x_request_id.is_some()).count(), 0);
    let allowed = stand.read("get_file_contents", stand.at("acme/vault", file)).await;
    assert_eq!(allowed["content"], "# vault\n");
    stand.end().await;
}

#[tokio::test]
async fn a_denied_path_is_not_read_in_any_spelling() {
    let stand = forge(Options::default(), Who::Alice, |setup| setup.policy(BY_PATH)).await;
    let denied = [
        ("alice/demo", "src/secrets/key.pem", "repositories.alice/demo.paths.deny", "line 6"),
        ("alice/demo", "SRC/Secrets/key.pem", "repositories.alice/demo.paths.deny", "line 6"),
        ("Alice/Demo", "src/secrets", "repositories.alice/demo.paths.deny", "line 6"),
        ("alice/demo", "config.env", "repositories.alice/demo.paths.deny", "line 7"),
        ("acme/vault", "plans/merger.md", "repositories.acme/vault.paths.allow", "line 11"),
    ];
    for (repository, path, rule, line) in denied {
        for reference in [None, Some("v1.0"), Some("b1")] {
            let at = stand.at(repository, json!({ "filepath": path, "ref": reference }));
            let (message, detail) = stand.refused("get_file_contents", at, 403, "policy_denied").await;
            assert_eq!(detail["rule"], rule, "{path}");
            assert!(message.contains(line), "{path}: {message}");
        }
    }
    let stray = [
        "src//secrets/key.pem",
        "./src/secrets/key.pem",
        "src/x/../secrets/key.pem",
        "src\\secrets\\key.pem",
    ];
    for path in stray {
        let at = stand.at("alice/demo", json!({ "filepath": path }));
        stand.refused("get_file_contents", at, 400, "invalid_arguments").await;
    }
    // Percent signs mean themselves: such a file does not exist.
    let at = stand.at("alice/demo", json!({ "filepath": "src%2Fsecrets/key.pem" }));
    stand.fails("get_file_contents", at, 404, "not_found").await;
    let file = json!({ "filepath": "src/main.rs" });
    let found = stand.read("get_file_contents", stand.at("alice/demo", file)).await;
    assert_eq!(found["type"], "text");
    stand.end().await;
}

#[tokio::test]
async fn a_tree_leaves_out_what_the_policy_hides_and_counts_it() {
    let stand = forge(Options::default(), Who::Alice, |setup| setup.policy(BY_PATH)).await;
    let tree = stand.read("get_file_tree", stand.at("alice/demo", json!({ "recursive": true }))).await;
    let paths: Vec<&str> = each(&tree["entries"], "/path").into_iter().filter_map(Value::as_str).collect();
    assert!(!paths.iter().any(|path| path.starts_with("src/secrets") || path.ends_with(".env")), "{paths:?}");
    assert!(paths.contains(&"src") && paths.contains(&"src/main.rs") && paths.len() == 22, "{paths:?}");
    assert_eq!((&tree["hidden_by_policy"], &tree["total"]), (&json!(3), &json!(22)));
    assert!(!tree.to_string().contains("key.pem"), "no trace of what is hidden");

    let link = json!({ "filepath": "link-to-secret" });
    let link = stand.read("get_file_contents", stand.at("alice/demo", link)).await;
    assert_eq!(
        (&link["type"], &link["target_hidden"], link.get("target")),
        (&json!("symlink"), &json!(true), None)
    );

    let tree = stand.read("get_file_tree", stand.at("acme/vault", json!({ "recursive": true }))).await;
    assert_eq!(each(&tree["entries"], "/path"), [&json!("README.md")]);
    assert_eq!(tree["hidden_by_policy"], 2, "a directory and its file: {tree}");
    stand.end().await;
}

#[tokio::test]
async fn a_list_of_repositories_leaves_out_what_the_policy_does_not_list() {
    let policy = "\
defaults: {read: allow, write: deny}
repositories:
  alice/private:
    tools:
      deny: [\"*\"]
  acme/*:
    tools:
      deny: [\"*\"]
";
    let stand = forge(Options::default(), Who::Alice, |setup| setup.policy(policy)).await;
    let found = stand.read("list_repositories", json!({})).await;
    let names = each(&found["repositories"], "/full_name");
    let expected = ["alice/archived", "alice/demo", "alice/empty", "alice/new-name"].map(|name| json!(name));
    assert_eq!(names, expected.iter().collect::<Vec<_>>());
    assert_eq!((&found["hidden_by_policy"], &found["total"]), (&json!(3), &json!(4)));
    assert!(!found.to_string().contains("vault") && !found.to_string().contains("private of"), "{found}");
    let mut hidden = 0;
    for page in 1..=4 {
        let found = stand.read("list_repositories", json!({ "page": page, "limit": 2 })).await;
        assert_eq!(found["has_next"], page < 4, "what is hidden does not end the list");
        hidden += found["hidden_by_policy"].as_u64().unwrap_or_default();
    }
    assert_eq!(hidden, 3);
    stand.end().await;
}

#[tokio::test]
async fn a_closed_policy_opens_only_what_it_names() {
    let policy = "defaults: {read: deny, write: deny}\nrepositories:\n  alice/demo:\n    tools:\n      allow: [get_issue]\n";
    let stand = forge(Options::default(), Who::Alice, |setup| setup.policy(policy)).await;
    let found = stand.read("get_issue", stand.at("alice/demo", json!({ "issue_number": 5 }))).await;
    assert_eq!(found["issue"]["number"], 5);
    for (tool, arguments, rule) in [
        ("get_issue", stand.at("alice/archived", json!({ "issue_number": 1 })), "defaults.read"),
        ("list_issues", stand.at("alice/demo", json!({})), "repositories.alice/demo.tools.allow"),
        ("list_repositories", json!({}), "defaults.read"),
    ] {
        let (_, detail) = stand.refused(tool, arguments, 403, "policy_denied").await;
        assert_eq!(detail["rule"], rule, "{tool}");
    }
    stand.end().await;
}
