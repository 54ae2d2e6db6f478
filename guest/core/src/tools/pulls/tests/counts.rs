//! Counts of files and lines, and what the policy hides of them.

use serde_json::{Value, json};

use super::{and, pull, site};
use crate::tools::fake::{Route, World};

#[test]
fn what_gitea_counts_over_hidden_files_is_not_told() {
    let policy = "repositories:\n  acme/site:\n    paths: {deny: [\"secrets/**\"]}\n";
    let file = |path: &str| json!({ "filename": path, "additions": 10, "deletions": 3 });
    let counts = |pull: &Value| ["additions", "deletions", "changed_files"].map(|name| pull[name].clone());
    let gitea = json!({ "additions": 99, "deletions": 98, "changed_files": 97 });
    let files = "GET /repos/acme/site/pulls/36/files";
    let two = || Route::new(files, 200, json!([file("src/a"), file("secrets/b"), file("src/c")]));
    let null = || [Value::Null, Value::Null, Value::Null];
    for (policy, route, expected, hidden) in [
        ("defaults: {write: allow}\n", two(), [json!(99), json!(98), json!(97)], Value::Null),
        (policy, two(), [json!(20), json!(6), json!(2)], json!(1)),
        (policy, two().header("x-total-count", "51"), null(), Value::Null),
        (policy, two().header("link", "<x>; rel=\"next\""), null(), Value::Null),
        (policy, Route::new(files, 500, json!({})), null(), Value::Null),
    ] {
        let rules = policy.contains("deny");
        let read = and(pull(36, "one", "acme"), gitea.clone());
        let commit = json!({ "sha": "e2", "commit": {}, "stats": { "additions": 99, "deletions": 98 } });
        let world = World::with(policy, &[])
            .on("GET /repos/acme/site/pulls/36", read)
            .on("GET /repos/acme/site/pulls/36/commits", json!([commit]))
            .route(route);
        let answer = world.answer("get_pull_request", and(site(), json!({ "pull_number": 36 })));
        assert_eq!((counts(&answer["pull_request"]), &answer["hidden_by_policy"]), (expected, &hidden));
        let asked = world.asked().iter().any(|line| line.contains("/files"));
        assert_eq!(asked, rules, "a policy without path rules costs no request");
        let commits = world.answer("list_pull_request_commits", and(site(), json!({ "pull_number": 36 })));
        assert_eq!(commits["commits"][0].get("additions").is_none(), rules);
        assert_eq!(commits["commits"][0].get("deletions").is_none(), rules);
    }
}
