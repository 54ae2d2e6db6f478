//! The issue list's surprises, and what happens when issues and comments are written.

use aegis_tests::forge::world::{ALICE_TOKEN, BOB_TOKEN, CAROL_TOKEN};
use aegis_tests::forge::{Forge, Options};
use serde_json::{Value, json};

use super::{each, forge, get, post};

async fn total(forge: &Forge, repo: &str, query: &str) -> String {
    let answer = get(forge, ALICE_TOKEN, &format!("/repos/{repo}/issues?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.header("x-total-count").expect("a total").to_owned()
}

#[tokio::test]
async fn mixes_pull_requests_into_issues_unless_told_otherwise() {
    let forge = forge().await;
    assert_eq!(total(&forge, "alice/demo", "state=all").await, "43");
    assert_eq!(total(&forge, "alice/demo", "state=all&type=issues").await, "41");
    assert_eq!(total(&forge, "alice/demo", "type=pulls").await, "1");
    assert_eq!(total(&forge, "alice/demo", "type=issues").await, "40", "open is the default");
    assert_eq!(total(&forge, "alice/demo", "type=issues&state=closed").await, "1");
}

#[tokio::test]
async fn drops_unknown_labels_from_the_filter_and_demands_all_known_ones() {
    let forge = forge().await;
    assert_eq!(total(&forge, "alice/demo", "type=issues&labels=bug").await, "5");
    assert_eq!(total(&forge, "alice/demo", "type=issues&labels=bug,nosuch").await, "5");
    assert_eq!(total(&forge, "alice/demo", "type=issues&labels=nosuch").await, "40", "the filter vanishes");
    assert_eq!(total(&forge, "alice/demo", "type=issues&labels=bug,feature").await, "0");
    assert_eq!(
        total(&forge, "acme/site", "labels=bug").await,
        "0",
        "two labels of one name are both demanded"
    );
    assert_eq!(
        total(&forge, "acme/site", "labels=org-wide").await,
        "3",
        "an organisation's label is unknown here"
    );
}

#[tokio::test]
async fn a_milestone_without_title_filters_every_list_that_names_none() {
    let forge = Forge::start(Options { empty_milestone: true, ..Options::default() }).await;
    assert_eq!(total(&forge, "alice/demo", "type=issues").await, "0");
    assert_eq!(total(&forge, "alice/demo", "type=issues&milestones=no-such-milestone").await, "40");
    assert_eq!(total(&forge, "alice/demo", "type=issues&milestones=V1%20Release").await, "2");
    assert_eq!(
        total(&forge, "alice/demo", "type=issues&milestones=1&state=all").await,
        "3",
        "a number is an id"
    );
    assert_eq!(total(&super::forge().await, "alice/demo", "type=issues").await, "40");
}

#[tokio::test]
async fn filters_by_words_people_and_times() {
    let forge = forge().await;
    assert_eq!(total(&forge, "alice/demo", "q=debate").await, "1");
    assert_eq!(total(&forge, "alice/demo", "q=looks%20GOOD").await, "1", "comments are searched too");
    assert_eq!(total(&forge, "alice/demo", "q=nothing-like-it").await, "0");
    assert_eq!(total(&forge, "alice/demo", "mentioned_by=bob").await, "4");
    assert_eq!(total(&forge, "alice/demo", "assigned_by=bob").await, "1");
    assert_eq!(total(&forge, "alice/demo", "type=issues&created_by=carol").await, "4");
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/alice/demo/issues?created_by=nobody").await.status, 404);
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/alice/demo/issues?since=2026-11-01").await.status, 422);
    assert_eq!(total(&forge, "alice/demo", "since=2030-01-01T00:00:00%2B01:00").await, "0");
    let newest = get(&forge, ALICE_TOKEN, "/repos/alice/demo/issues?type=issues&limit=2").await.json();
    assert_eq!(each(&newest, "/number"), [43, 41], "newest first");
}

#[tokio::test]
async fn opens_an_issue_and_drops_without_a_word_what_a_stranger_may_not_set() {
    let forge = forge().await;
    let wish =
        json!({ "title": "New", "body": "text", "labels": [1, 999], "milestone": 1, "assignees": ["bob"] });
    let made = post(&forge, ALICE_TOKEN, "/repos/alice/demo/issues", &wish).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!((&made["number"], each(&made["labels"], "/id")), (&json!(44), vec![json!(1)]));
    assert_eq!(
        (&made["milestone"]["id"], each(&made["assignees"], "/login")),
        (&json!(1), vec![json!("bob")])
    );
    assert_eq!(
        get(&forge, ALICE_TOKEN, "/repos/alice/demo/issues/44").await.json(),
        made,
        "it is remembered"
    );
    let strangers = post(&forge, CAROL_TOKEN, "/repos/alice/demo/issues", &wish).await.json();
    assert_eq!(
        (&strangers["labels"], &strangers["milestone"], &strangers["assignees"]),
        (&json!([]), &Value::Null, &Value::Null)
    );
    let unknown =
        post(&forge, ALICE_TOKEN, "/repos/alice/demo/issues", &json!({ "title": "x", "milestone": 999 }))
            .await;
    assert_eq!((unknown.status, &unknown.json()["milestone"]), (201, &Value::Null));
    let long = post(&forge, ALICE_TOKEN, "/repos/alice/demo/issues", &json!({ "title": "é".repeat(300) }))
        .await
        .json();
    assert_eq!(long["title"].as_str().map(|title| title.chars().count()), Some(255));
}

#[tokio::test]
async fn refuses_writes_as_gitea_does() {
    let forge = forge().await;
    let status = async |path: &str, body: Value| post(&forge, ALICE_TOKEN, path, &body).await.status;
    assert_eq!(status("/repos/alice/demo/issues", json!({ "title": "" })).await, 422);
    assert_eq!(
        status("/repos/alice/demo/issues", json!({ "title": "x", "labels": ["bug"] })).await,
        422,
        "ids only"
    );
    assert_eq!(
        status("/repos/alice/demo/issues", json!({ "title": "x", "assignees": ["nobody"] })).await,
        422
    );
    assert_eq!(
        status("/repos/alice/demo/issues", json!({ "title": "x", "assignees": ["mallory"] })).await,
        422
    );
    assert_eq!(status("/repos/alice/archived/issues", json!({ "title": "x" })).await, 423);
    assert_eq!(status("/repos/alice/archived/issues/1/comments", json!({ "body": "x" })).await, 423);
    assert_eq!(status("/repos/alice/demo/issues/2/comments", json!({ "body": "" })).await, 422);
    let unknown =
        post(&forge, ALICE_TOKEN, "/repos/alice/demo/issues/999/comments", &json!({ "body": "x" })).await;
    assert_eq!((unknown.status, &unknown.json()["message"]), (500, &json!("")));
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/alice/demo/issues/999/comments").await.status, 500);
    let locked =
        post(&forge, CAROL_TOKEN, "/repos/alice/demo/issues/43/comments", &json!({ "body": "x" })).await;
    assert_eq!(locked.status, 403);
    let writer =
        post(&forge, BOB_TOKEN, "/repos/alice/demo/issues/43/comments", &json!({ "body": "x" })).await;
    assert_eq!((writer.status, &writer.json()["user"]["login"]), (201, &json!("bob")));
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/alice/demo/issues/43").await.json()["comments"], 1);
}

#[tokio::test]
async fn keeps_organisation_labels_in_their_own_list() {
    let forge = forge().await;
    let own = get(&forge, ALICE_TOKEN, "/repos/acme/site/labels").await.json();
    assert_eq!(each(&own, "/name"), ["bug", "bug"]);
    let shared = get(&forge, ALICE_TOKEN, "/orgs/acme/labels").await.json();
    assert_eq!(each(&shared, "/name"), ["org-wide", "security"]);
    assert_eq!(
        get(&forge, ALICE_TOKEN, "/orgs/alice/labels").await.status,
        404,
        "a person is no organisation"
    );
    let issue = get(&forge, ALICE_TOKEN, "/repos/acme/site/issues/1").await.json();
    assert_eq!(each(&issue["labels"], "/name"), ["bug", "org-wide"]);
}
