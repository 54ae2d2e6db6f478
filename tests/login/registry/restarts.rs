//! What a restart costs: nothing, where the volume is good; a sign-in that was under way, always.

use aegis_tests::browser::{Arrived, Browser};
use aegis_tests::sign_in::{Client, Tokens, parameter, post_form};
use serde_json::json;

use super::{registry, set_mode, signs_in, told, unprivileged, warnings, works};
use crate::scene::{Scene, password};

#[tokio::test]
async fn tokens_survive_a_restart() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let (client, tokens) = signs_in(&server).await;
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
    let server = scene.start().await;
    assert_eq!(works(&server, &tokens).await.status, 200);
    let next = Tokens::of(&client.refresh(&tokens.refresh, &[]).await);
    assert_eq!(works(&server, &next).await.status, 200);
    let lines = server.stop().await.audit;
    for trouble in ["registry_volatile", "registry_corrupt", "registry_unread"] {
        assert_eq!(told(&lines, trouble), Vec::<String>::new());
    }
    assert_eq!(told(&lines, "registry_created").len(), 1, "the second start found what the first one made");
}

#[tokio::test]
async fn what_was_answered_survives_a_kill_right_after_the_answer() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let first = client.tokens("alice", &password("alice"), false).await;
    server.signal("KILL").await;
    assert_eq!(server.wait().await.code, 128 + 9);
    let server = scene.start().await;
    assert_eq!(works(&server, &first).await.status, 200, "a sign-in");
    let second = Tokens::of(&client.refresh(&first.refresh, &[]).await);
    server.signal("KILL").await;
    server.wait().await;
    let server = scene.start().await;
    assert_eq!(works(&server, &second).await.status, 200, "a renewal");
    let third = Tokens::of(&client.refresh(&second.refresh, &[]).await);
    let fields = [("token", third.refresh.as_str()), ("client_id", client.id.as_str())];
    assert_eq!(post_form(&server.url, "/oauth/revoke", &fields).await.status, 200);
    server.signal("KILL").await;
    server.wait().await;
    let server = scene.start().await;
    assert_eq!(works(&server, &third).await.status, 401, "an end");
    assert_eq!(client.refresh(&third.refresh, &[]).await.status, 400);
    assert_eq!(told(&server.stop().await.audit, "registry_corrupt"), Vec::<String>::new());
}

#[tokio::test]
async fn a_registry_that_a_kill_left_open_is_read_also_where_it_cannot_be_written() {
    let scene = Scene::new().await;
    let server = unprivileged(scene.setup()).start().await;
    let (client, tokens) = signs_in(&server).await;
    server.signal("KILL").await;
    server.wait().await;
    let directory = registry(&scene);
    let file = directory.join("registry.redb");
    let left = std::fs::read(&file).unwrap();
    set_mode(&file, 0o444);
    set_mode(&directory, 0o555);
    let server = unprivileged(scene.setup()).start().await;
    assert_eq!(works(&server, &tokens).await.status, 200, "who was signed in still is");
    let next = Tokens::of(&client.refresh(&tokens.refresh, &[]).await);
    assert_eq!(works(&server, &next).await.status, 200);
    assert_eq!(warnings(&server).await, json!(["registry_volatile", "audit_high_water"]));
    let stopped = server.stop().await;
    assert_eq!(told(&stopped.audit, "registry_volatile").len(), 1);
    assert_eq!(told(&stopped.audit, "registry_corrupt"), Vec::<String>::new());
    assert_eq!(std::fs::read(&file).unwrap(), left, "nothing was written");
    set_mode(&directory, 0o755);
    set_mode(&file, 0o600);
    // The renewal was never written; its token is good all the same.
    let server = unprivileged(scene.setup()).start().await;
    assert_eq!(warnings(&server).await, json!([]));
    let after = Tokens::of(&client.refresh(&next.refresh, &[]).await);
    assert_eq!(works(&server, &after).await.status, 200);
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_sign_in_from_before_a_restart_gets_a_page_that_says_so() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let mut browser = Browser::new();
    client.approve(&mut browser, false).await;
    assert_eq!(server.stop().await.code, 0);
    let server = scene.start().await;
    let exchanged = || scene.forge.times("POST", "/login/oauth/access_token");
    let before = exchanged();
    let arrived = browser.sign_in_at_gitea("alice", &password("alice")).await;
    assert!(matches!(arrived, Arrived::Stopped(_)), "{arrived:?}");
    let arrived = browser.follow_until(|_| false).await;
    let Arrived::Page(page) = arrived else { panic!("a page: {arrived:?}") };
    assert!((400..500).contains(&page.status()), "{}: {}", page.status(), page.text());
    assert!(page.text().contains("the server was restarted"), "{}", page.text());
    assert_eq!(exchanged(), before, "nothing was traded for it");
    let mut fresh = Browser::new();
    client.sign_in(&mut fresh, "alice", &password("alice"), false).await;
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_code_from_before_a_restart_is_refused_as_any_other_that_is_over() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let url = client.sign_in(&mut Browser::new(), "alice", &password("alice"), false).await;
    assert_eq!(server.stop().await.code, 0);
    let server = scene.start().await;
    let answer = client.redeem(&parameter(&url, "code").expect("a code"), &[]).await;
    assert_eq!((answer.status, answer.reason().as_deref()), (400, Some("invalid_grant")));
    assert_eq!(server.stop().await.code, 0);
}
