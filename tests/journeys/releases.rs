//! Releases: reading them, and the way of one from a draft to its tag.

use serde_json::{Value, json};

use crate::place::{Ground, Who, everything_writable};
use crate::repositories::each;
use crate::wire::Wire;

/// Which there are, by id, and the latest, which no draft is.
pub async fn reads_releases(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let list = stand.read("list_releases", stand.at("alice/demo", json!({}))).await;
    assert_eq!(each(&list["releases"], "/tag_name"), [&json!("v1.1.0"), &json!("v1.0")], "newest first");
    assert_eq!(each(&list["releases"], "/draft"), [&json!(true), &json!(false)]);
    assert_eq!((&list["has_next"], &list["total"]), (&json!(false), &json!(2)));
    let at = stand.at("alice/demo", json!({ "release_id": list["releases"][1]["id"] }));
    let found = stand.read("get_release", at).await["release"].clone();
    assert_eq!((&found["name"], &found["body"]), (&json!("One"), &json!("Notes of One\n")));
    assert_eq!((&found["author"], &found["assets"]), (&json!(stand.login("alice")), &json!([])));
    let latest = stand.read("get_latest_release", stand.at("alice/demo", json!({}))).await;
    assert_eq!(latest["release"], found);
    stand.end().await;

    // Who may not write sees no draft, neither in the list nor by its id.
    let draft = list["releases"][0]["id"].clone();
    let stand = ground.stand(Who::Carol, |setup| setup).await;
    let list = stand.read("list_releases", stand.at("alice/demo", json!({}))).await;
    assert_eq!(each(&list["releases"], "/tag_name"), [&json!("v1.0")]);
    let at = stand.at("alice/demo", json!({ "release_id": draft }));
    let said = stand.fails("get_release", at, 404, "not_found").await;
    assert!(said.contains("list_releases"), "{said}");
    let said = stand.fails("get_latest_release", stand.at("acme/site", json!({})), 404, "not_found").await;
    assert!(said.contains("acme"), "{said}");
    stand.end().await;
}

/// A draft has no tag; its notes are rewritten; published, it has one and is the latest. Then one for a branch.
pub async fn drafts_and_publishes_a_release(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let demo = |more| stand.at("alice/demo", more);
    let tags = async || {
        let found = stand.read("list_tags", demo(json!({}))).await;
        let mut names: Vec<Value> = each(&found["tags"], "/name").into_iter().cloned().collect();
        names.sort_by_key(ToString::to_string);
        names
    };
    let more = json!({
        "tag_name": "v2.0.0", "name": "Two", "body": "## New\n\n- faster\n", "draft": true, "target": "feature/one",
    });
    let made = stand.once(Wire::Modern, "create_release", &demo(more)).await;
    assert_eq!((&made["release"]["draft"], &made["not_applied"]), (&json!(true), &json!([])));
    assert_eq!(made["release"]["target_commitish"], "feature/one");
    let id = made["release"]["id"].clone();
    assert_eq!(tags().await, [json!("v1.0")], "a draft makes no tag");
    let more = json!({ "release_id": id, "body": "## New\n\n- faster\n- smaller\n", "name": "Two, at last" });
    let edited = stand.once(Wire::Direct, "edit_release", &demo(more)).await;
    assert_eq!((&edited["release"]["name"], &edited["not_applied"]), (&json!("Two, at last"), &json!([])));
    let more = json!({ "release_id": id, "draft": false });
    let edited = stand.once(Wire::Legacy, "edit_release", &demo(more)).await;
    assert_eq!((&edited["release"]["draft"], &edited["not_applied"]), (&json!(false), &json!([])));
    assert_eq!(tags().await, [json!("v1.0"), json!("v2.0.0")]);
    let latest = stand.read("get_latest_release", demo(json!({}))).await["release"].clone();
    assert_eq!((&latest["id"], &latest["name"]), (&id, &json!("Two, at last")));
    assert_eq!(latest["body"], "## New\n\n- faster\n- smaller\n");
    let at = demo(json!({ "ref": "v2.0.0", "limit": 1 }));
    assert_eq!(stand.read("list_commits", at).await["commit"], stand.commit("feature/one"));

    let more = json!({ "tag_name": "v2.1.0-rc.1", "prerelease": true });
    let made = stand.once(Wire::Stream, "create_release", &demo(more)).await;
    assert_eq!((&made["release"]["prerelease"], &made["not_applied"]), (&json!(true), &json!([])));
    let latest = stand.read("get_latest_release", demo(json!({}))).await;
    assert_eq!(latest["release"]["id"], id, "a prerelease is not the latest");
    let found = stand.read("get_commit_diff", demo(json!({ "sha": "v2.1.0-rc.1", "limit": 1 }))).await;
    assert_eq!(found["commit"]["sha"], stand.commit("main"), "without a target, the default branch");
    stand.end().await;
}
