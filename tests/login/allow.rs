//! `SIGNIN_ALLOW`: who may enter, when they sign in and at every refresh.

use aegis_tests::browser::Browser;
use aegis_tests::forge::world::World;
use aegis_tests::server::{Server, of_event};
use aegis_tests::sign_in::{Client, Tokens, call};
use serde_json::json;

use crate::grants::line_with;
use crate::scene::{Scene, password};

/// Whether somebody gets in; a refusal is the page for it.
async fn enters(server: &Server, client: &Client, login: &str) -> bool {
    let mut browser = Browser::new();
    client.approve(&mut browser, false).await;
    browser.sign_in_at_gitea(login, &password(login)).await;
    let redirect = client.redirect.clone();
    let arrived = browser.follow_until(|url| url.starts_with(&redirect)).await;
    let Some(page) = browser.page().filter(|page| page.redirect().is_none()) else {
        assert!(arrived.stopped().is_some_and(|url| url.contains("code=")), "{login}");
        return true;
    };
    assert_eq!(page.status(), 403, "{login}: {}", page.text());
    assert!(page.text().contains("sign_in_not_allowed"), "{login}: {}", page.text());
    assert!(!page.text().contains("code="), "no code on the page");
    let line = line_with(server, "access_denied", "login_refused").await;
    assert_eq!(line["detail"]["cause"], "not_allowed");
    line_with(server, "access_denied", "sign_in_not_allowed").await;
    false
}

/// Take everybody out of a team of acme, or put these in.
fn team(world: &mut World, name: &str, members: &[&str]) {
    let members: Vec<u64> = members.iter().map(|login| world.account(login).unwrap().id).collect();
    let team = world.teams.iter_mut().find(|team| team.name == name).unwrap();
    team.members = members;
}

#[tokio::test]
async fn only_whom_the_operator_admits_gets_in() {
    for (allow, admitted) in [
        ("all", ["alice", "bob", "carol"].as_slice()),
        ("carol", &["carol"]),
        ("CAROL,nobody", &["carol"]),
        ("org:acme", &["alice", "bob"]),
        ("team:acme/dev", &["bob"]),
        ("team:acme/dev,carol", &["bob", "carol"]),
        ("acme", &[]),
        ("org:umbrella", &[]),
    ] {
        let scene = Scene::new().await;
        let server = scene.setup().set("SIGNIN_ALLOW", allow).start().await;
        scene.forge.forget();
        let client = Client::register(&server.url).await;
        for login in ["alice", "bob", "carol"] {
            let entered = enters(&server, &client, login).await;
            assert_eq!(entered, admitted.contains(&login), "SIGNIN_ALLOW={allow}: {login}");
        }
        assert!(scene.forge.upstream().iter().all(|asked| !asked.contains("/api/v1/")));
    }
}

#[tokio::test]
async fn a_list_that_means_nothing_is_no_start() {
    let scene = Scene::new().await;
    for allow in ["team:acme", "org:", "all,group:dev"] {
        let (code, said) = scene.setup().set("SIGNIN_ALLOW", allow).refused().await;
        assert_eq!(code, 64, "{allow}: {said}");
        assert!(said.contains("SIGNIN_ALLOW"), "{said}");
    }
}

#[tokio::test]
async fn somebody_who_left_the_team_gets_no_new_tokens() {
    let scene = Scene::new().await;
    let server = scene.setup().set("SIGNIN_ALLOW", "team:acme/dev").start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("bob", &password("bob"), false).await;
    let tokens = Tokens::of(&client.refresh(&tokens.refresh, &[]).await);

    scene.forge.change(|world| team(world, "Dev", &["carol"]));
    scene.forge.forget();
    let answer = client.refresh(&tokens.refresh, &[]).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (400, Some("invalid_grant")),
        "{}",
        answer.text()
    );
    assert_eq!(scene.forge.upstream(), ["GET /login/oauth/userinfo"]);
    assert!(!enters(&server, &client, "bob").await, "and cannot sign in again");
    assert!(enters(&server, &client, "carol").await);

    // Back in the team, the session goes on: nothing was rotated away by the refusal.
    scene.forge.change(|world| team(world, "Dev", &["bob"]));
    let tokens = Tokens::of(&client.refresh(&tokens.refresh, &[]).await);
    let answer = call(&server.url, &tokens.access, "list_repositories", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let log = server.log();
    assert!(log.lines().any(|line| line.contains("tokens_refused") && line.contains("not_allowed")), "{log}");
    let lines = server.audit();
    assert_eq!(of_event(&lines, "tool_invocation").len(), 2, "an intent and an outcome");
}
