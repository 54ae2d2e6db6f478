//! The whole way: nothing is known, and at the end a person's assistant works as that person.

use aegis_tests::browser::Browser;
use aegis_tests::sign_in::{Client, Tokens, call, parameter};
use serde_json::json;

use crate::scene::{Scene, password};

#[tokio::test]
async fn a_person_signs_in_and_their_assistant_works_as_them() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let mut browser = Browser::new();
    let url = client.sign_in(&mut browser, "alice", &password("alice"), false).await;
    assert_eq!(parameter(&url, "state").as_deref(), Some("the client's own state"));
    assert_eq!(parameter(&url, "iss").as_deref(), Some(server.url.as_str()));
    let code = parameter(&url, "code").unwrap();
    let tokens = Tokens::of(&client.redeem(&code, &[]).await);
    assert_eq!(tokens.answer["token_type"], "Bearer");
    assert_eq!(tokens.answer["scope"], "read:repository");
    let answer =
        call(&server.url, &tokens.access, "get_repository_info", &json!({"owner": "alice", "repo": "demo"}))
            .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let next = Tokens::of(&client.refresh(&tokens.refresh, &[]).await);
    assert_ne!(next.refresh, tokens.refresh);
    let answer = call(&server.url, &next.access, "list_repositories", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
}

#[tokio::test]
async fn without_its_record_people_sign_in_and_nothing_is_done_for_them() {
    let scene = Scene::new().await;
    let nowhere = scene.folder().join("none").join("trail").join("audit.log").display().to_string();
    let server = scene.setup().set("AUDIT_LOG_PATH", &nowhere).start().await;
    let client = Client::register(&server.url).await;
    let ready = aegis_tests::http::send(&server.url, "GET", "/ready", &[], b"").await.unwrap();
    assert_eq!((ready.status, &ready.json()["reasons"]), (503, &json!(["audit_unavailable"])));
    let tokens = client.tokens("alice", &password("alice"), false).await;
    let before = scene.forge.requests().len();
    let answer =
        call(&server.url, &tokens.access, "get_repository_info", &json!({"owner": "alice", "repo": "demo"}))
            .await;
    assert_eq!((answer.status, answer.reason().as_deref()), (503, Some("audit_unavailable")));
    assert_eq!(scene.forge.requests().len(), before, "nothing is asked of Gitea without a record");
    assert_eq!(server.stop().await.code, 0);
}
