//! `search_code` where something is in its way: no archive, paths that the policy hides, secrets over many lines, a
//! result that is longer than a page.

use aegis_tests::forge::{Fault, FaultKind, Options, Version};
use serde_json::json;

use crate::place::{Ground, Who, forge};
use crate::repositories::each;
use crate::stand::Stand;

const HIDING: &str = "\
defaults: {read: allow, write: deny}
repositories:
  alice/demo:
    paths: {deny: [\"src/secrets/*\", \"docs/**\"]}
  mallory/notes:
    paths: {deny: [\"secrets/*\"]}
";

fn without_archive(stand: &Stand) {
    let fault = Fault::on("/archive/", FaultKind::Status(404));
    stand.forge.as_ref().expect("a forge").every_fault(fault);
}

/// The paths that were asked for by name, as they stand in the queries.
fn asked_by_name(stand: &Stand) -> Vec<String> {
    let asked = stand.requests().into_iter().filter(|seen| seen.path.ends_with("/file-contents"));
    asked.map(|seen| seen.query).collect()
}

#[tokio::test]
async fn where_gitea_gives_no_archive_the_files_are_asked_for_by_name() {
    for version in [Version::V1_27, Version::V1_26] {
        let stand = Ground::Forge(version).stand(Who::Alice, |setup| setup).await;
        let search = stand.at("alice/demo", json!({ "query": "START here", "ref": "v1.0" }));
        let archived = stand.read("search_code", search.clone()).await;
        without_archive(&stand);
        // Another page is another question, and the answer of a moment ago is of another search.
        let again = stand.at("alice/demo", json!({ "query": "start HERE", "ref": "v1.0" }));
        let found = stand.read("search_code", again).await;
        assert_eq!(found["matches"], archived["matches"]);
        assert_eq!(found["matches"][0]["text"], "Start here.");
        assert_eq!((&found["files_searched"], found.get("incomplete")), (&archived["files_searched"], None));
        assert!(!asked_by_name(&stand).is_empty());
        stand.end().await;
    }
}

#[tokio::test]
async fn what_the_policy_hides_is_neither_searched_nor_asked_for() {
    let stand = forge(Options::default(), Who::Alice, |setup| setup.policy(HIDING)).await;
    let mut hidden = Vec::new();
    for round in ["Start here", "start here"] {
        let found = stand.read("search_code", stand.at("alice/demo", json!({ "query": round }))).await;
        assert_eq!((&found["matches"], &found["total_matches"]), (&json!([]), &json!(0)), "{found}");
        assert!(!found.to_string().contains("docs/") && !found.to_string().contains("secrets/"), "{found}");
        hidden.push(found["hidden_by_policy"].as_u64().expect("hidden files are counted"));
        without_archive(&stand);
    }
    assert!(hidden[0] > 0 && hidden[0] == hidden[1], "either way the same files: {hidden:?}");
    let asked = asked_by_name(&stand);
    assert!(asked.iter().any(|query| query.contains("main.rs")), "{asked:?}");
    assert!(!asked.iter().any(|query| query.contains("secrets") || query.contains("guide")), "{asked:?}");
    stand.end().await;
}

#[tokio::test]
async fn the_body_of_a_key_is_not_found() {
    let stand = forge(Options::default(), Who::Alice, |setup| setup).await;
    for query in ["bm90IGEga2V5", "PRIVATE KEY"] {
        let found = stand.read("search_code", stand.at("alice/demo", json!({ "query": query }))).await;
        assert_eq!((&found["matches"], &found["total_matches"]), (&json!([]), &json!(0)), "{found}");
    }
    assert!(!stand.heard().contains("bm90IGEga2V5"));
    stand.end().await;
}

#[tokio::test]
async fn pages_of_a_long_result_come_from_one_search() {
    let stand = forge(Options::default(), Who::Carol, |setup| setup).await;
    let mut paths = Vec::new();
    for page in 1..=4 {
        let more = json!({ "query": r"\w", "regex": true, "limit": 100, "page": page });
        let found = stand.read("search_code", stand.at("carol/wide", more)).await;
        assert_eq!((&found["total"], &found["has_next"]), (&json!(500), &json!(true)), "{found}");
        assert!(
            found["incomplete"].as_str().is_some_and(|why| why.contains("SEARCH_MAX_MATCHES")),
            "{found}"
        );
        paths.extend(each(&found["matches"], "/path").into_iter().map(ToString::to_string));
    }
    assert_eq!(paths.len(), 400);
    paths.dedup();
    assert_eq!(paths.len(), 400, "no page repeats another");
    let archives = stand.requests().iter().filter(|seen| seen.path.contains("/archive/")).count();
    assert_eq!(archives, 1);
    stand.end().await;
}

#[tokio::test]
async fn counts_of_a_pull_request_are_without_what_the_policy_hides() {
    for hides in [false, true] {
        let stand =
            forge(Options::default(), Who::Mallory, |setup| if hides { setup.policy(HIDING) } else { setup })
                .await;
        let pulls = stand.read("list_pull_requests", stand.at("mallory/notes", json!({}))).await;
        let rows = pulls["pull_requests"].as_array().cloned().unwrap_or_default();
        let row = rows.iter().find(|row| row["title"] == "WIP: Another chapter").expect("the draft");
        let at = || stand.at("mallory/notes", json!({ "pull_number": row["number"] }));
        let found = stand.read("get_pull_request", at()).await;
        let pull = &found["pull_request"];
        let files = stand.read("list_pull_request_files", at()).await;
        let shown = files["files"].as_array().map_or(0, Vec::len);
        assert_eq!((&pull["changed_files"], shown), (&json!(shown), if hides { 3 } else { 4 }), "{found}");
        assert_eq!(found["hidden_by_policy"], if hides { json!(1) } else { json!(null) });
        // The sample counts the lines of a moved file twice, as Gitea does not; so only our own sum is looked at.
        if hides {
            let lines: u64 = each(&files["files"], "/additions").into_iter().filter_map(|n| n.as_u64()).sum();
            assert_eq!(pull["additions"], lines, "{found}");
        }
        stand.end().await;
    }
}
