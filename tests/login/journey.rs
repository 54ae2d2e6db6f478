//! The whole way: nothing is known, and at the end a person's assistant works as that person.

use aegis_tests::browser::Browser;
use aegis_tests::sign_in::{Client, Tokens, call, parameter, post_form};
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

#[tokio::test]
async fn who_has_signed_in_is_told_in_figures_without_a_name() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    for name in ["aegis_token_families", "aegis_grants", "aegis_registry_rows{kind=\"users\"}"] {
        assert!(server.metric(name).await < 0.5, "{name}");
    }
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    let answer = call(&server.url, &tokens.access, "list_repositories", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for (name, count) in [
        ("aegis_token_families", 1.0),
        ("aegis_grants", 1.0),
        ("aegis_registry_rows{kind=\"families\"}", 1.0),
        ("aegis_registry_rows{kind=\"users\"}", 1.0),
        ("aegis_registry_rows_limit{kind=\"users\"}", 65_536.0),
        ("aegis_registry_durable", 1.0),
    ] {
        let found = server.metric(name).await;
        assert!((found - count).abs() < 0.5, "{name} is {found}");
    }
    let text = server.stranger("GET", "/metrics", &[], b"").await.text();
    assert!(!text.contains("alice"), "{text}");
    let revoked =
        post_form(&server.url, "/oauth/revoke", &[("token", &tokens.refresh), ("client_id", &client.id)])
            .await;
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    assert!(server.metric("aegis_token_families").await < 0.5, "an ended login does not count as live");
    assert!(server.metric("aegis_registry_rows{kind=\"families\"}").await > 0.5, "it is still known");
    assert_eq!(server.stop().await.code, 0);
}
