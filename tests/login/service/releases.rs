//! Drafts of releases, which Gitea shows to whoever may write them: the account may, and shows them to nobody.

use aegis_tests::forge::Credential;
use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::http::Answer;
use aegis_tests::server::Server;
use aegis_tests::sign_in::{Client, call};
use serde_json::{Value, json};

use super::{setup, story};
use crate::scene::{Scene, password};

async fn ask(server: &Server, token: &str, tool: &str, mut more: Value) -> Answer {
    more["owner"] = "alice".into();
    more["repo"] = "demo".into();
    call(&server.url, token, tool, &more).await
}

/// Tags of the releases in an answer's structured result, and the id of the draft among them.
fn listed(answer: &Answer) -> (Vec<String>, Option<u64>) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let all = answer.json()["result"]["releases"].clone();
    let rows = all.as_array().unwrap_or_else(|| panic!("releases: {}", answer.text()));
    let tags = rows.iter().filter_map(|row| row["tag_name"].as_str()).map(str::to_owned).collect();
    (tags, rows.iter().find(|row| row["draft"] == true).and_then(|row| row["id"].as_u64()))
}

#[tokio::test]
async fn a_reader_sees_no_draft_through_an_account_that_may_write() {
    let scene = Scene::new().await;
    let server = setup(&scene, SVC_TOKEN).writes("alice/demo").start().await;
    let client = Client::register(&server.url).await;
    let alice = client.tokens("alice", &password("alice"), true).await.access;
    let (tags, draft) = listed(&ask(&server, &alice, "list_releases", json!({})).await);
    assert_eq!(tags, ["v1.1.0", "v1.0"], "who may write sees the draft");
    let draft = draft.expect("a draft");
    let read = ask(&server, &alice, "get_release", json!({ "release_id": draft })).await;
    assert_eq!(read.status, 200, "{}", read.text());

    let carol = client.tokens("carol", &password("carol"), false).await.access;
    scene.forge.forget();
    let (tags, none) = listed(&ask(&server, &carol, "list_releases", json!({})).await);
    assert_eq!((tags, none), (vec!["v1.0".to_owned()], None));
    let latest = ask(&server, &carol, "get_latest_release", json!({})).await;
    assert_eq!(latest.status, 200, "{}", latest.text());
    let refused = ask(&server, &carol, "get_release", json!({ "release_id": draft })).await;
    assert_eq!((refused.status, refused.reason().as_deref()), (404, Some("not_found")), "{}", refused.text());
    assert!(!refused.text().contains("v1.1.0"), "{}", refused.text());
    let edit = json!({ "release_id": draft, "name": "No" });
    assert_eq!(ask(&server, &carol, "edit_release", edit).await.status, 403);

    let asked = story(&scene.forge);
    let (list, one) = ("/releases", format!("/releases/{draft}"));
    for (what, who, by) in asked.iter().filter(|(what, ..)| what.ends_with(list) || what.ends_with(&one)) {
        assert_eq!((who.as_str(), by), ("carol", &Credential::OAuth), "{what}");
    }
    assert!(asked.iter().any(|(what, ..)| what.ends_with(&one)), "Gitea itself said no: {asked:?}");
    assert!(scene.forge.violations().is_empty(), "{:?}", scene.forge.violations());
    // Two lines for each call that came to Gitea; the refusal is on record as one.
    let lines = server.audit();
    let outcome = lines.iter().rfind(|line| line["tool"] == "get_release" && line["status"] == "error");
    assert_eq!(outcome.map(|line| &line["reason"]), Some(&json!("not_found")), "{lines:#?}");
}
