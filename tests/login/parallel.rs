//! One state, one code, one refresh token, and sixty-four who have it at the same time.

use std::collections::BTreeSet;

use aegis_tests::browser::{Arrived, Browser};
use aegis_tests::http::{Answer, send};
use aegis_tests::server::Server;
use aegis_tests::sign_in::{Client, Tokens, call, parameter};
use serde_json::json;

use crate::scene::{Scene, password};

const MANY: usize = 64;

/// A server with room for all of them at once, that does not take them for somebody who guesses.
async fn roomy(scene: &Scene) -> Server {
    let setup = scene.setup().set("MAX_CONCURRENT_REQUESTS", "128");
    setup.set("MAX_AUTH_FAILURES", "1000000").start().await
}

/// What sixty-four of the same request are answered.
async fn at_once<F>(one: impl Fn() -> F) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let all: Vec<_> = (0..MANY).map(|_| tokio::spawn(one())).collect();
    let mut answers = Vec::new();
    for one in all {
        answers.push(one.await.expect("answered"));
    }
    answers
}

fn with_status(answers: &[Answer], status: u16) -> Vec<&Answer> {
    answers.iter().filter(|answer| answer.status == status).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_return_with_one_state_exactly_one_gets_a_code() {
    let scene = Scene::new().await;
    let server = roomy(&scene).await;
    let client = Client::register(&server.url).await;
    let mut browser = Browser::new();
    client.approve(&mut browser, false).await;
    let Arrived::Stopped(back) = browser.sign_in_at_gitea("alice", &password("alice")).await else {
        panic!("Gitea sends the browser back: {:?}", browser.trail());
    };
    let cookies: Vec<String> = browser
        .cookies(&back)
        .into_iter()
        .map(|name| format!("{name}={}", browser.cookie(&back, &name).unwrap_or_default()))
        .collect();
    let (url, cookies) = (server.url.clone(), cookies.join("; "));
    let target = back.strip_prefix(&url).expect("the way back leads here").to_owned();
    let exchanged = || scene.forge.times("POST", "/login/oauth/access_token");
    let before = exchanged();
    let answers = at_once(|| {
        let (url, target, cookies) = (url.clone(), target.clone(), cookies.clone());
        async move { send(&url, "GET", &target, &[("cookie", &cookies)], b"").await.expect("an answer") }
    })
    .await;
    let won = with_status(&answers, 303);
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for lost in answers.iter().filter(|answer| answer.status != 303) {
        assert!((400..500).contains(&lost.status), "{}: {}", lost.status, lost.text());
        assert!(lost.header("location").is_none());
    }
    assert_eq!(exchanged() - before, 1, "Gitea was asked once");
    let code = parameter(won[0].header("location").unwrap_or_default(), "code").expect("a code");
    let tokens = Tokens::of(&client.redeem(&code, &[]).await);
    assert_eq!(call(&server.url, &tokens.access, "list_repositories", &json!({})).await.status, 200);
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_redeem_one_code_exactly_one_succeeds_and_the_others_end_what_it_got() {
    let scene = Scene::new().await;
    let server = roomy(&scene).await;
    let client = Client::register(&server.url).await;
    let url = client.sign_in(&mut Browser::new(), "alice", &password("alice"), false).await;
    let code = parameter(&url, "code").expect("a code");
    let answers = at_once(|| {
        let (client, code) = (client.clone(), code.clone());
        async move { client.redeem(&code, &[]).await }
    })
    .await;
    let won = with_status(&answers, 200);
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((lost.status, lost.reason().as_deref()), (400, Some("invalid_grant")), "{}", lost.text());
    }
    let tokens = Tokens::of(won[0]);
    let answer = call(&server.url, &tokens.access, "list_repositories", &json!({})).await;
    assert_eq!(answer.status, 401, "whoever replays a code may have stolen it: {}", answer.text());
    let answer = client.refresh(&tokens.refresh, &[]).await;
    assert_eq!((answer.status, answer.reason().as_deref()), (400, Some("invalid_grant")));
    let lines = server.stop().await.audit;
    let reasons = |reason: &str| lines.iter().filter(|line| line["reason"] == reason).count();
    assert_eq!(reasons("tokens_issued"), 1);
    assert!(reasons("code_replayed") >= 1, "a replay is on record");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_refresh_one_token_all_get_the_same_successor() {
    let scene = Scene::new().await;
    let server = roomy(&scene).await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    let answers = at_once(|| {
        let (client, token) = (client.clone(), tokens.refresh.clone());
        async move { client.refresh(&token, &[]).await }
    })
    .await;
    let next: Vec<Tokens> = answers.iter().map(Tokens::of).collect();
    let successors: BTreeSet<&str> = next.iter().map(|tokens| tokens.refresh.as_str()).collect();
    assert_eq!(successors.len(), 1, "exactly one successor");
    assert!(!successors.contains(tokens.refresh.as_str()));
    for tokens in [&next[0], &next[MANY - 1]] {
        let answer = call(&server.url, &tokens.access, "list_repositories", &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let after = Tokens::of(&client.refresh(&next[0].refresh, &[]).await);
    assert!(!successors.contains(after.refresh.as_str()), "the successor is good for a successor of its own");
    assert_eq!(server.stop().await.code, 0);
}
