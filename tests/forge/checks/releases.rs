//! Labels, milestones and releases when they are written, and drafts when they are read.

use aegis_tests::forge::Forge;
use aegis_tests::forge::world::{ALICE_TOKEN, BOB_TOKEN, CAROL_TOKEN, NO_ORGANISATION_TOKEN, READONLY_TOKEN};
use aegis_tests::http::{Answer, send};
use serde_json::{Value, json};

use super::{each, forge, get, post};

async fn patch(forge: &Forge, token: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = body.to_string();
    send(&forge.url(), "PATCH", &format!("/api/v1{path}"), &headers, body.as_bytes())
        .await
        .expect("an answer")
}

#[tokio::test]
async fn takes_a_second_label_and_a_second_milestone_of_the_same_name() {
    let forge = forge().await;
    let wish = json!({ "name": "bug", "color": "0AB" });
    let made = post(&forge, ALICE_TOKEN, "/repos/alice/demo/labels", &wish).await;
    assert_eq!((made.status, &made.json()["color"]), (201, &json!("00aabb")));
    let labels = get(&forge, ALICE_TOKEN, "/repos/alice/demo/labels").await.json();
    assert_eq!(each(&labels, "/name").iter().filter(|name| **name == json!("bug")).count(), 2);
    for title in ["V1 Release", ""] {
        let made =
            post(&forge, ALICE_TOKEN, "/repos/alice/demo/milestones", &json!({ "title": title })).await;
        assert_eq!((made.status, &made.json()["title"]), (201, &json!(title)));
    }
    let same = get(&forge, ALICE_TOKEN, "/repos/alice/demo/milestones?state=all&name=v1%20release").await;
    assert_eq!(same.header("x-total-count"), Some("2"));
    let day = json!({ "title": "x", "due_on": "2026-12-31" });
    assert_eq!(post(&forge, ALICE_TOKEN, "/repos/alice/demo/milestones", &day).await.status, 422);
}

#[tokio::test]
async fn brings_a_label_back_that_is_not_called_archived_again() {
    let forge = forge().await;
    let path = "/repos/alice/demo/labels/1";
    for (body, archived) in [
        (json!({ "is_archived": true }), true),
        (json!({ "description": "x", "is_archived": true }), true),
        (json!({ "description": "y" }), false),
    ] {
        let changed = patch(&forge, ALICE_TOKEN, path, &body).await;
        assert_eq!((changed.status, &changed.json()["is_archived"]), (200, &json!(archived)), "{body}");
    }
    assert_eq!(patch(&forge, ALICE_TOKEN, path, &json!({ "color": "red" })).await.status, 422);
    let shared = patch(&forge, ALICE_TOKEN, "/repos/acme/site/labels/101", &json!({ "name": "x" })).await;
    assert_eq!(shared.status, 404, "an organisation's label is not changed in a repository");
    assert_eq!(patch(&forge, CAROL_TOKEN, path, &json!({ "name": "x" })).await.status, 403);
}

#[tokio::test]
async fn protects_no_archived_repository_from_labels_and_milestones_and_fails_at_its_releases() {
    let forge = forge().await;
    let status = async |path: &str, body: Value| {
        post(&forge, ALICE_TOKEN, &format!("/repos/alice/archived/{path}"), &body).await
    };
    assert_eq!(status("labels", json!({ "name": "x", "color": "#123456" })).await.status, 201);
    assert_eq!(status("milestones", json!({ "title": "x" })).await.status, 201);
    let failed = status("releases", json!({ "tag_name": "v1" })).await;
    assert_eq!((failed.status, &failed.json()["message"]), (500, &json!("")));
}

#[tokio::test]
async fn shows_drafts_only_to_those_who_may_write_with_a_token_that_may() {
    let forge = forge().await;
    for (token, total, status) in [
        (ALICE_TOKEN, "2", 200),
        (BOB_TOKEN, "2", 200),
        (NO_ORGANISATION_TOKEN, "2", 200),
        (READONLY_TOKEN, "1", 404),
        (CAROL_TOKEN, "1", 404),
    ] {
        let list = get(&forge, token, "/repos/alice/demo/releases").await;
        assert_eq!(list.header("x-total-count"), Some(total));
        assert_eq!(get(&forge, token, "/repos/alice/demo/releases/2").await.status, status);
        assert_eq!(get(&forge, token, "/repos/alice/demo/releases/tags/v1.1.0").await.status, status);
        let latest = get(&forge, token, "/repos/alice/demo/releases/latest").await.json();
        assert_eq!(latest["tag_name"], "v1.0");
    }
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/acme/site/releases/latest").await.status, 404);
    let page = get(&forge, ALICE_TOKEN, "/repos/alice/demo/releases?limit=1").await;
    assert!(page.header("link").is_some_and(|link| link.contains("rel=\"next\"")));
    assert_eq!(each(&page.json(), "/id"), [2], "newest first");
}

#[tokio::test]
async fn makes_the_tag_of_what_is_published_and_ignores_the_target_where_there_is_one() {
    let forge = forge().await;
    let make = async |body: Value| post(&forge, ALICE_TOKEN, "/repos/alice/demo/releases", &body).await;
    let tag = |name: &str| forge.commit("alice/demo", &format!("refs/tags/{name}"));
    for taken in ["v1.0", "V1.0", "v1.1.0"] {
        assert_eq!(make(json!({ "tag_name": taken })).await.status, 409, "{taken}");
    }
    forge.change(|world| {
        let git = &mut world.repos[0].git;
        git.tags.push(("Old".to_owned(), git.branches[0].1.clone()));
    });
    let other = make(json!({ "tag_name": "OLD", "target_commitish": "gone" })).await;
    let (status, other) = (other.status, other.json());
    assert_eq!((status, &other["tag_name"]), (201, &json!("Old")), "a tag is known in any case");
    assert_eq!(other["target_commitish"], "gone", "kept, though the tag stands elsewhere");
    assert_eq!(make(json!({ "tag_name": "v2", "target_commitish": "gone" })).await.status, 404);
    assert_eq!(make(json!({ "tag_name": "" })).await.status, 422);
    let empty = post(&forge, ALICE_TOKEN, "/repos/alice/empty/releases", &json!({ "tag_name": "v1" })).await;
    assert_eq!(empty.status, 422);

    let made = make(json!({ "tag_name": "v2", "prerelease": true })).await;
    assert_eq!((made.status, &made.json()["target_commitish"]), (201, &json!("main")));
    assert_eq!(tag("v2"), forge.commit("alice/demo", "main"));
    let latest = get(&forge, ALICE_TOKEN, "/repos/alice/demo/releases/latest").await.json();
    assert_eq!(latest["tag_name"], "Old", "a prerelease is not the latest");

    let draft =
        make(json!({ "tag_name": "v3", "target_commitish": "feature/one", "draft": true })).await.json();
    assert_eq!(tag("v3"), None, "a draft makes no tag");
    let path = format!("/repos/alice/demo/releases/{}", draft["id"]);
    let changed = patch(&forge, ALICE_TOKEN, &path, &json!({ "name": "", "body": "kept" })).await.json();
    assert_eq!(
        (&changed["name"], &changed["body"], &changed["draft"]),
        (&json!(""), &json!("kept"), &json!(true))
    );
    let changed = patch(&forge, ALICE_TOKEN, &path, &json!({ "body": "" })).await.json();
    assert_eq!(changed["body"], "kept", "an empty text is ignored");
    let published = patch(&forge, ALICE_TOKEN, &path, &json!({ "draft": false })).await;
    assert_eq!(published.status, 200);
    assert_eq!(tag("v3"), forge.commit("alice/demo", "feature/one"));

    let lost = make(json!({ "tag_name": "v4", "target_commitish": "gone", "draft": true })).await.json();
    let path = format!("/repos/alice/demo/releases/{}", lost["id"]);
    assert_eq!(patch(&forge, ALICE_TOKEN, &path, &json!({ "draft": false })).await.status, 500);
}
