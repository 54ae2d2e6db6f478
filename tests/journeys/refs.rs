//! What a ref must not be, and what a new name must not tell: neither steps around the policy.

use aegis_tests::forge::{Options, Version};
use serde_json::{Value, json};

use crate::place::{Who, forge};
use crate::stand::Stand;

const HIDING: &str = "\
defaults: {read: allow, write: allow}
repositories:
  alice/demo:
    paths:
      deny: [\"src/secrets/*\"]
  alice/new-name:
    tools:
      deny: [\"*\"]
";

async fn hiding(version: Version) -> Stand {
    let dress = |setup: aegis_tests::server::Setup| setup.writes("alice/demo,alice/old-name").policy(HIDING);
    forge(Options { version, ..Options::default() }, Who::Alice, dress).await
}

/// The ids that a listing gives away: of a directory that holds hidden ones, and of a file.
async fn ids(stand: &Stand) -> Vec<String> {
    let tree = stand.read("get_file_tree", stand.at("alice/demo", json!({ "recursive": true }))).await;
    let rows = tree["entries"].as_array().expect("entries");
    let named = |path: &str| rows.iter().find(|row| row["path"] == path).expect("an entry");
    let ids = ["src", "src/main.rs"].map(|path| named(path)["sha"].as_str().expect("an id").to_owned());
    assert!(!tree.to_string().contains("key.pem"), "{tree}");
    ids.into()
}

#[tokio::test]
async fn the_id_of_a_directory_is_no_way_around_a_denied_path() {
    for version in [Version::V1_27, Version::V1_26] {
        let stand = hiding(version).await;
        for id in ids(&stand).await {
            for reference in [&id, &id[..10], &id.to_uppercase()] {
                for (tool, more) in [
                    ("get_file_tree", json!({ "recursive": true })),
                    ("get_file_tree", json!({})),
                    ("get_file_contents", json!({ "filepath": "secrets/key.pem" })),
                    ("get_file_contents", json!({ "filepath": "main.rs" })),
                ] {
                    let mut arguments = stand.at("alice/demo", more);
                    arguments["ref"] = json!(reference);
                    let said = stand.fails(tool, arguments, 404, "not_found").await;
                    assert!(said.contains(&format!("no branch, tag or commit `{reference}`")), "{said}");
                }
            }
            let asked = stand.requests();
            assert!(asked.iter().all(|seen| !seen.path.contains(&id)), "never named where a tree is taken");
        }
        assert!(!stand.heard().contains("key.pem"), "no answer on any wire names what is hidden");
        stand.end().await;
    }
}

#[tokio::test]
async fn a_full_commit_id_is_looked_up_once_and_hides_what_the_branch_hides() {
    let stand = hiding(Version::V1_27).await;
    let arguments = stand.at("alice/demo", json!({ "ref": stand.commit("main"), "recursive": true }));
    let by_id = stand.read("get_file_tree", arguments).await;
    let by_name = stand.at("alice/demo", json!({ "ref": "main", "recursive": true }));
    assert_eq!(by_id, stand.read("get_file_tree", by_name).await);
    assert_eq!((&by_id["commit"], &by_id["hidden_by_policy"]), (&json!(stand.commit("main")), &json!(2)));
    let query = format!("sha={}", stand.commit("main"));
    let lookups = stand.requests().into_iter().filter(|seen| seen.query.contains(&query)).count();
    assert_eq!(lookups, 1, "on four wires");
    stand.end().await;
}

#[tokio::test]
async fn the_new_name_of_a_repository_that_the_policy_hides_is_not_told() {
    let stand = hiding(Version::V1_27).await;
    let calls: [(&str, Value); 5] = [
        ("get_repository_info", json!({})),
        ("get_file_tree", json!({})),
        ("get_file_contents", json!({ "filepath": "README.md" })),
        ("list_issues", json!({})),
        ("create_issue", json!({ "title": "Late" })),
    ];
    for (tool, more) in calls {
        let said = stand.fails(tool, stand.at("alice/old-name", more), 404, "repository_renamed").await;
        assert!(said.contains("renamed"), "{tool}: {said}");
    }
    assert!(!stand.heard().contains("new-name"), "no answer on any wire tells it");
    assert_eq!(stand.count("POST"), 0);
    stand.end().await;
}
