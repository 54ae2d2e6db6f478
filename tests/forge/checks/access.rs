//! Who may see what: tokens, scopes, private repositories, teams and the permission route.

use aegis_tests::forge::world::{
    ALICE_TOKEN, BOB_TOKEN, CAROL_TOKEN, MALLORY_TOKEN, READONLY_TOKEN, REPOSITORY_ONLY_TOKEN, SVC_TOKEN,
};
use aegis_tests::http::send;
use serde_json::{Value, json};

use super::{each, forge, get, post};

#[tokio::test]
async fn takes_bearer_and_token_and_refuses_an_unknown_one() {
    let forge = forge().await;
    for scheme in ["Bearer", "bearer", "token"] {
        let header = format!("{scheme} {ALICE_TOKEN}");
        let answer = send(&forge.url(), "GET", "/api/v1/user", &[("authorization", &header)], b"")
            .await
            .expect("sent");
        assert_eq!((answer.status, answer.json()["login"].clone()), (200, json!("alice")), "{scheme}");
    }
    assert_eq!(get(&forge, &"0".repeat(40), "/version").await.status, 401, "even where no token is needed");
    let stranger = send(&forge.url(), "GET", "/api/v1/user", &[], b"").await.expect("sent");
    assert_eq!(stranger.status, 401);
    assert_eq!(stranger.json()["message"], "token is required");
}

#[tokio::test]
async fn hides_a_private_repository_as_if_it_were_not_there() {
    let forge = forge().await;
    for (token, path) in [
        (SVC_TOKEN, "/repos/mallory/secret"),
        (ALICE_TOKEN, "/repos/mallory/secret/contents-ext/README.md"),
        (CAROL_TOKEN, "/repos/acme/vault"),
        (MALLORY_TOKEN, "/repos/alice/private/issues"),
    ] {
        let (hidden, absent) =
            (get(&forge, token, path).await, get(&forge, token, "/repos/alice/nowhere").await);
        assert_eq!((hidden.status, hidden.text()), (404, absent.text()), "{path}");
    }
    assert_eq!(get(&forge, SVC_TOKEN, "/repos/acme/vault").await.status, 200);
    assert_eq!(get(&forge, MALLORY_TOKEN, "/repos/mallory/secret").await.status, 200);
    let found = get(&forge, SVC_TOKEN, "/repos/search?q=secret").await.json();
    assert_eq!(found["data"], json!([]), "nor does the search show it");
}

#[tokio::test]
async fn names_the_missing_scope_before_it_looks_at_the_repository() {
    let forge = forge().await;
    for path in ["/repos/alice/demo/issues", "/repos/alice/demo/labels", "/repos/alice/nowhere/milestones"] {
        let answer = get(&forge, REPOSITORY_ONLY_TOKEN, path).await;
        assert_eq!(answer.status, 403, "{path}");
        let expected = "token does not have at least one of required scope(s), required=[read:issue], \
            token scope=read:repository";
        assert_eq!(answer.json()["message"], expected);
    }
    let mine = get(&forge, REPOSITORY_ONLY_TOKEN, "/user/repos").await;
    assert_eq!(mine.status, 403);
    assert!(mine.text().contains("required=[read:user]"));
    assert_eq!(get(&forge, REPOSITORY_ONLY_TOKEN, "/repos/search?uid=2").await.status, 200);
    assert_eq!(get(&forge, REPOSITORY_ONLY_TOKEN, "/orgs/acme/labels").await.status, 403);
    assert_eq!(get(&forge, READONLY_TOKEN, "/repos/alice/demo/issues").await.status, 200);
    let write = post(&forge, READONLY_TOKEN, "/repos/alice/demo/issues", &json!({ "title": "x" })).await;
    assert_eq!(write.status, 403);
    assert!(write.text().contains("required=[write:issue]"));
}

#[tokio::test]
async fn reports_less_than_a_team_member_may_do_and_tells_only_admins_about_others() {
    let forge = forge().await;
    let permission = async |token: &'static str, repo: &str, login: &str| {
        let answer = get(&forge, token, &format!("/repos/{repo}/collaborators/{login}/permission")).await;
        (answer.status, answer.json()["permission"].clone())
    };
    assert_eq!(permission(SVC_TOKEN, "acme/vault", "bob").await, (200, json!("none")));
    assert_eq!(get(&forge, BOB_TOKEN, "/repos/acme/vault").await.json()["permissions"]["push"], true);
    assert_eq!(permission(SVC_TOKEN, "acme/site", "bob").await, (200, json!("read")));
    assert_eq!(permission(SVC_TOKEN, "alice/demo", "bob").await, (200, json!("write")));
    assert_eq!(permission(SVC_TOKEN, "alice/demo", "ALICE").await, (200, json!("owner")));
    assert_eq!(permission(SVC_TOKEN, "alice/private", "mallory").await, (200, json!("none")));
    assert_eq!(permission(SVC_TOKEN, "alice/demo", "nobody").await, (404, Value::Null));
    assert_eq!(permission(BOB_TOKEN, "alice/demo", "bob").await, (200, json!("write")), "of oneself");
    assert_eq!(permission(BOB_TOKEN, "alice/demo", "carol").await, (403, Value::Null));
    assert_eq!(permission(SVC_TOKEN, "mallory/notes", "carol").await, (403, Value::Null));
    assert_eq!(permission(SVC_TOKEN, "mallory/secret", "mallory").await, (404, Value::Null));
}

#[tokio::test]
async fn lists_what_belongs_to_somebody_and_only_what_the_asking_one_may_see() {
    let forge = forge().await;
    let names = async |token: &'static str, path: &str| {
        let body = get(&forge, token, path).await.json();
        each(if body.is_array() { &body } else { &body["data"] }, "/full_name")
    };
    let bobs = ["acme/site", "acme/vault", "alice/demo", "bob/empty"];
    assert_eq!(names(BOB_TOKEN, "/user/repos").await, bobs);
    assert_eq!(names(BOB_TOKEN, "/repos/search?uid=3").await, bobs);
    assert_eq!(names(CAROL_TOKEN, "/repos/search?uid=3").await, ["acme/site", "alice/demo", "bob/empty"]);
    assert_eq!(
        names(ALICE_TOKEN, "/repos/search?uid=2&exclusive=true&q=priv,NEW").await,
        ["alice/new-name", "alice/private"]
    );
    assert_eq!(names(ALICE_TOKEN, "/repos/search?q=vault&is_private=false").await, [] as [Value; 0]);
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/search?mode=odd").await.status, 422);
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/search?sort=odd").await.status, 422);
    let newest = names(ALICE_TOKEN, "/repos/search?sort=id&order=desc&limit=1").await;
    assert_eq!(newest, ["carol/wide"]);
}
