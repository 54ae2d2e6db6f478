//! What happens when issues, comments, labels and assignees are changed.

use aegis_tests::forge::world::{ALICE_TOKEN, BOB_TOKEN, CAROL_TOKEN, Label, READONLY_TOKEN};
use aegis_tests::forge::{Forge, Options, Version};
use aegis_tests::http::{Answer, send};
use serde_json::{Value, json};

use super::{each, forge, get, post};

const DEMO: &str = "/repos/alice/demo/issues";

async fn change(forge: &Forge, token: &str, line: &str, body: &Value) -> Answer {
    let (method, path) = line.split_once(' ').expect("method and path");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let (path, body) = (format!("/api/v1{path}"), body.to_string());
    send(&forge.url(), method, &path, &headers, body.as_bytes()).await.expect("an answer")
}

async fn patch(forge: &Forge, token: &str, number: u64, body: Value) -> Answer {
    change(forge, token, &format!("PATCH {DEMO}/{number}"), &body).await
}

#[tokio::test]
async fn changes_an_issue_with_201_and_ignores_an_empty_title_but_not_an_empty_body() {
    let forge = forge().await;
    let all = json!({ "title": "New", "body": "text", "state": "closed", "milestone": 2 });
    let changed = patch(&forge, ALICE_TOKEN, 1, all).await;
    assert_eq!(changed.status, 201);
    let changed = changed.json();
    assert_eq!((&changed["title"], &changed["state"]), (&json!("New"), &json!("closed")));
    assert_eq!((&changed["milestone"]["id"], changed["closed_at"].is_string()), (&json!(2), true));
    assert_eq!(get(&forge, ALICE_TOKEN, &format!("{DEMO}/1")).await.json(), changed, "it is remembered");
    let cleared = json!({ "title": "", "body": "", "state": "open", "milestone": 0 });
    let changed = patch(&forge, ALICE_TOKEN, 1, cleared).await.json();
    assert_eq!((&changed["title"], &changed["body"]), (&json!("New"), &json!("")));
    assert_eq!((&changed["milestone"], &changed["closed_at"]), (&Value::Null, &Value::Null));
    let pull = patch(&forge, ALICE_TOKEN, 36, json!({ "title": "A pull request" })).await;
    assert_eq!((pull.status, &pull.json()["title"]), (201, &json!("A pull request")));
    let archived = "PATCH /repos/alice/archived/issues/1";
    let archived = change(&forge, ALICE_TOKEN, archived, &json!({ "title": "x" })).await;
    assert_eq!(archived.status, 201, "an archived repository is not protected here");
}

#[tokio::test]
async fn guards_the_text_by_its_version() {
    let forge = forge().await;
    let version = |answer: Answer| answer.json()["content_version"].clone();
    let edit = |version: u64| json!({ "body": "mine", "content_version": version });
    assert_eq!(version(patch(&forge, ALICE_TOKEN, 1, edit(0)).await), 1);
    let late = json!({ "title": "Kept", "body": "late", "content_version": 0 });
    assert_eq!(patch(&forge, BOB_TOKEN, 1, late).await.status, 409);
    let now = get(&forge, ALICE_TOKEN, &format!("{DEMO}/1")).await.json();
    assert_eq!((&now["title"], &now["body"]), (&json!("Kept"), &json!("mine")), "what came before is done");
    assert_eq!(version(patch(&forge, BOB_TOKEN, 1, json!({ "body": "unguarded" })).await), 2);
}

#[tokio::test]
async fn refuses_changes_as_gitea_does() {
    let forge = forge().await;
    for (number, body, status, message) in [
        (40, json!({ "milestone": 999 }), 500, Some("")),
        (40, json!({ "assignees": ["nobody"] }), 500, Some("")),
        (40, json!({ "assignees": ["mallory"] }), 500, Some("")),
        (40, json!({ "state": "all" }), 412, None),
        (37, json!({ "state": "open" }), 412, None),
        (999, json!({ "title": "x" }), 404, None),
        (40, json!({ "title": 1 }), 422, None),
    ] {
        let answer = patch(&forge, ALICE_TOKEN, number, body.clone()).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(message.is_none_or(|message| answer.json()["message"] == message), "{body}");
    }
    let blocked = patch(&forge, ALICE_TOKEN, 34, json!({ "title": "Later", "state": "closed" })).await;
    assert_eq!(blocked.status, 412);
    let now = get(&forge, ALICE_TOKEN, &format!("{DEMO}/34")).await.json();
    assert_eq!((&now["title"], &now["state"]), (&json!("Later"), &json!("open")), "half of it is done");
    assert_eq!(patch(&forge, ALICE_TOKEN, 33, json!({ "state": "closed" })).await.status, 201);
    assert_eq!(patch(&forge, ALICE_TOKEN, 34, json!({ "state": "closed" })).await.status, 201);

    let stranger = patch(&forge, CAROL_TOKEN, 1, json!({ "title": "x" })).await;
    assert_eq!((stranger.status, stranger.text().as_str()), (403, ""), "without a word");
    let own = json!({ "title": "Mine", "milestone": 1, "assignees": ["bob"] });
    let poster = patch(&forge, CAROL_TOKEN, 40, own).await.json();
    assert_eq!((&poster["title"], &poster["milestone"]), (&json!("Mine"), &Value::Null));
    assert_eq!(poster["assignees"], Value::Null, "dropped without a word");
    let scope = patch(&forge, READONLY_TOKEN, 1, json!({ "title": "x" })).await;
    assert!(scope.status == 403 && scope.text().contains("write:issue"), "{}", scope.text());
}

#[tokio::test]
async fn adds_assignees_since_1_27_and_replaces_them_before() {
    let forge = forge().await;
    let path = format!("{DEMO}/40/assignees");
    let assign =
        async |token: &str, login: &str| post(&forge, token, &path, &json!({ "assignees": [login] })).await;
    assert_eq!(assign(ALICE_TOKEN, "bob").await.status, 201);
    let both = assign(ALICE_TOKEN, "alice").await.json();
    assert_eq!(each(&both["assignees"], "/login"), ["bob", "alice"]);
    assert_eq!(assign(ALICE_TOKEN, "nobody").await.status, 422);
    assert_eq!(assign(ALICE_TOKEN, "mallory").await.status, 403);
    let stranger = assign(CAROL_TOKEN, "bob").await;
    assert_eq!((stranger.status, stranger.text().as_str()), (403, ""));
    let replaced = patch(&forge, ALICE_TOKEN, 40, json!({ "assignees": ["bob"] })).await.json();
    assert_eq!(each(&replaced["assignees"], "/login"), ["bob"]);
    let archived = "/repos/alice/archived/issues/1/assignees";
    assert_eq!(post(&forge, ALICE_TOKEN, archived, &json!({ "assignees": ["bob"] })).await.status, 423);

    let older = Forge::start(Options { version: Version::V1_26, ..Options::default() }).await;
    let unknown = post(&older, ALICE_TOKEN, &path, &json!({ "assignees": ["bob"] })).await;
    assert_eq!((unknown.status, unknown.text().as_str()), (404, "404 page not found\n"));
    let issue = get(&older, ALICE_TOKEN, &format!("{DEMO}/40")).await.json();
    assert_eq!(issue["assignees"], Value::Null, "a route that is not there does nothing");
}

#[tokio::test]
async fn edits_comments_of_this_repository_only_and_says_nothing_of_events() {
    let forge = forge().await;
    let one = |id: u64| format!("{DEMO}/comments/{id}");
    let comments = get(&forge, ALICE_TOKEN, &format!("{DEMO}/2/comments")).await.json();
    let (first, bobs) =
        (comments[0]["id"].as_u64().expect("an id"), comments[1]["id"].as_u64().expect("an id"));
    assert_eq!(get(&forge, ALICE_TOKEN, &one(first)).await.json(), comments[0]);
    let edit = async |token: &str, path: &str, text: &str| {
        change(&forge, token, &format!("PATCH {path}"), &json!({ "body": text })).await
    };
    let edited = edit(BOB_TOKEN, &one(first), "edited").await;
    assert_eq!((edited.status, &edited.json()["body"]), (200, &json!("edited")), "a writer may");
    assert_eq!(edit(ALICE_TOKEN, &one(first), "").await.status, 422);
    let stranger = edit(CAROL_TOKEN, &one(bobs), "x").await;
    assert_eq!((stranger.status, stranger.text().as_str()), (403, ""));
    let elsewhere = format!("/repos/acme/site/issues/comments/{first}");
    assert_eq!(edit(ALICE_TOKEN, &elsewhere, "x").await.status, 404, "ids count over all repositories");
    assert_eq!(get(&forge, ALICE_TOKEN, &elsewhere).await.status, 404);
    // The sixty-four comments of the sample are followed by an event.
    let event = get(&forge, ALICE_TOKEN, &one(65)).await;
    assert_eq!((event.status, event.text().as_str()), (204, ""));
    assert_eq!(edit(ALICE_TOKEN, &one(65), "x").await.status, 204, "and nothing is changed");
    let next = post(&forge, ALICE_TOKEN, &format!("{DEMO}/1/comments"), &json!({ "body": "x" })).await;
    assert_eq!(next.json()["id"], 66, "events and comments share their ids");
    let archived = "/repos/alice/archived/issues/comments/1";
    assert_eq!(edit(ALICE_TOKEN, archived, "x").await.status, 423);
}

#[tokio::test]
async fn puts_labels_on_by_id_or_by_name_and_takes_off_what_was_never_on() {
    let forge = forge().await;
    let site = "/repos/acme/site/issues/2/labels";
    let add = async |labels: Value| post(&forge, ALICE_TOKEN, site, &json!({ "labels": labels })).await;
    assert_eq!(add(json!([101, "bug"])).await.status, 400, "no mixture");
    assert_eq!(each(&add(json!([101, 999])).await.json(), "/id"), [6, 101]);
    assert_eq!(
        each(&add(json!(["bug", "Security", "nosuch"])).await.json(), "/id"),
        [6, 7, 101],
        "both of one name, and none in another case"
    );
    assert_eq!(get(&forge, ALICE_TOKEN, site).await.json(), add(json!([])).await.json());
    let off =
        async |token: &str, id: u64| change(&forge, token, &format!("DELETE {site}/{id}"), &json!({})).await;
    let taken = off(ALICE_TOKEN, 101).await;
    assert_eq!((taken.status, taken.text().as_str()), (204, ""));
    assert_eq!(off(ALICE_TOKEN, 101).await.status, 204, "a yes that says nothing");
    assert_eq!(off(ALICE_TOKEN, 999).await.status, 422);
    let stranger = off(CAROL_TOKEN, 6).await;
    assert_eq!((stranger.status, stranger.text().as_str()), (403, ""));
    assert_eq!(each(&get(&forge, ALICE_TOKEN, site).await.json(), "/id"), [6, 7]);
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/acme/site/issues/99/labels").await.status, 404);
    let archived = "/repos/alice/archived/issues/1/labels";
    let archived = post(&forge, ALICE_TOKEN, archived, &json!({ "labels": ["bug"] })).await;
    assert_eq!(archived.status, 200, "an archived repository is not protected here");
}

#[tokio::test]
async fn an_exclusive_label_takes_its_siblings_off() {
    let forge = forge().await;
    forge.change(|world| {
        let mut sibling: Label = world.repos[0].labels[3].clone();
        (sibling.id, sibling.name) = (90, "kind/wish".to_owned());
        world.repos[0].labels.push(sibling);
    });
    let path = format!("{DEMO}/2/labels");
    let add = async |name: &str| post(&forge, ALICE_TOKEN, &path, &json!({ "labels": [name] })).await.json();
    assert_eq!(each(&add("kind/question").await, "/name"), ["bug", "kind/question"]);
    assert_eq!(each(&add("kind/wish").await, "/name"), ["bug", "kind/wish"]);
}
