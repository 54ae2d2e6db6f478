//! Too many requests while signing in: each part counts by itself, answers in its own form, and keeps nobody out who
//! brings what is right. Windows are longer than any test.

use aegis_tests::browser::{Browser, Page};
use aegis_tests::http::{Answer, send};
use aegis_tests::sign_in::{Client, REDIRECT, form, parameter, post_form, register};
use serde_json::json;

use crate::refusals::Desk;
use crate::scene::password;

const DENIED: &str = "access_denied";
const SECURITY: &str = "security_event";

/// Seconds to wait, which must make sense for a window of so many.
fn waits(answer: &Answer, window: u64) {
    let wait = answer.header("retry-after").and_then(|text| text.parse::<u64>().ok());
    assert!(wait.is_some_and(|seconds| (1..=window + 1).contains(&seconds)), "{wait:?}");
}

#[tokio::test]
async fn registrations_have_their_minute_and_say_so_to_clients() {
    // The desk itself registers one client.
    let mut desk = Desk::with(|setup| setup.set("REGISTER_RATE_LIMIT_PER_MINUTE", "3")).await;
    for _ in 0..2 {
        Client::register(&desk.server.url).await;
    }
    for _ in 0..3 {
        let answer = register(&desk.server.url, &json!({"redirect_uris": [REDIRECT]})).await;
        waits(&answer, 60);
        desk.error(&answer, 429, "temporarily_unavailable", (DENIED, "rate_limited"), &[]).await;
    }
    // A registered client goes on.
    desk.tokens("alice", false).await;
    desk.end().await;
}

#[tokio::test]
async fn browsers_have_their_minute_and_read_it_on_a_page() {
    let mut desk = Desk::with(|setup| setup.set("LOGIN_RATE_LIMIT_PER_MINUTE", "6")).await;
    let mut browser = Browser::new();
    let tokens = desk.client.tokens("alice", &password("alice"), false).await;
    let url = desk.before_return(&mut browser, false).await;
    let consent = format!("{}/oauth/authorize", desk.server.url);
    // Three for the first sign-in, two for the second before it comes back; one is left.
    assert_eq!(browser.get(&desk.client.authorize_url(&[])).await.status(), 200);
    for at in [desk.client.authorize_url(&[]), url.clone(), format!("{}/oauth/callback", desk.server.url)] {
        let page = browser.get(&at).await;
        waits(&page.answer, 60);
        desk.page(&page, 429, &[(DENIED, "rate_limited")], &[]).await;
    }
    let answer = post_form(&desk.server.url, "/oauth/authorize", &[("decision", "approve")]).await;
    waits(&answer, 60);
    desk.page(&Page { url: consent, answer }, 429, &[(DENIED, "rate_limited")], &[]).await;
    // Who has tokens is not kept out by what browsers behind the same address do.
    assert_eq!(desk.client.refresh(&tokens.refresh, &[]).await.status, 200);
    let target = json!({"owner": "alice", "repo": "demo"});
    let answer =
        aegis_tests::sign_in::call(&desk.server.url, &tokens.access, "get_repository_info", &target).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    desk.end().await;
}

#[tokio::test]
async fn the_token_endpoint_has_its_minute_and_so_has_revocation_with_it() {
    let mut desk = Desk::with(|setup| setup.set("TOKEN_ENDPOINT_RATE_LIMIT_PER_MINUTE", "2")).await;
    let tokens = desk.tokens("alice", false).await;
    assert_eq!(desk.client.refresh(&tokens.refresh, &[]).await.status, 200);
    desk.scene.forge.forget();
    let revoke = [("token", tokens.access.as_str()), ("client_id", desk.client.id.as_str())];
    let answers = [
        desk.client.refresh(&tokens.refresh, &[]).await,
        desk.client.redeem("x", &[]).await,
        post_form(&desk.server.url, "/oauth/revoke", &revoke).await,
    ];
    for answer in answers {
        waits(&answer, 60);
        desk.error(&answer, 429, "temporarily_unavailable", (DENIED, "rate_limited"), &[]).await;
    }
    desk.end().await;
}

#[tokio::test]
async fn guesses_are_counted_and_keep_nobody_out_who_brings_what_is_right() {
    // Four times as many at the token endpoint as elsewhere.
    let mut desk =
        Desk::with(|setup| setup.set("MAX_AUTH_FAILURES", "1").set("AUTH_FAILURE_WINDOW", "3600")).await;
    let tokens = desk.tokens("alice", false).await;
    let code = desk.code("bob").await;
    for guess in 0..4 {
        let answer = desk.client.redeem(&format!("guess-{guess}"), &[]).await;
        desk.error(&answer, 400, "invalid_grant", (SECURITY, "invalid_grant"), &[]).await;
    }
    for guess in 4..6 {
        let answer = desk.client.redeem(&format!("guess-{guess}"), &[]).await;
        waits(&answer, 3600);
        desk.error(&answer, 429, "temporarily_unavailable", (SECURITY, "too_many_auth_failures"), &[]).await;
    }
    let answer = desk.client.refresh(&tokens.refresh, &[("client_id", "nobody")]).await;
    desk.error(&answer, 429, "temporarily_unavailable", (SECURITY, "too_many_auth_failures"), &[]).await;
    // The right code, the right refresh token, and the right access token from the same address.
    assert_eq!(desk.client.redeem(&code, &[]).await.status, 200);
    let next = desk.client.refresh(&tokens.refresh, &[]).await;
    assert_eq!(next.status, 200, "{}", next.text());
    let target = json!({"owner": "alice", "repo": "demo"});
    let answer =
        aegis_tests::sign_in::call(&desk.server.url, &tokens.access, "get_repository_info", &target).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    desk.end().await;
}

#[tokio::test]
async fn a_new_sign_in_passes_while_an_address_is_full_of_bad_bearers() {
    let mut desk =
        Desk::with(|setup| setup.set("MAX_AUTH_FAILURES", "1").set("RATE_LIMIT_PER_MINUTE", "2")).await;
    let mut last = 0;
    for guess in 0..5 {
        let target = json!({"owner": "alice", "repo": "demo"});
        let token = format!("aegis_at_guess{guess}");
        let answer =
            aegis_tests::sign_in::call(&desk.server.url, &token, "get_repository_info", &target).await;
        last = answer.status;
        desk.hear(&answer);
    }
    assert_eq!(last, 429);
    let url = desk.client.sign_in(&mut Browser::new(), "alice", &password("alice"), false).await;
    let code = parameter(&url, "code").expect("a code");
    assert_eq!(desk.client.redeem(&code, &[]).await.status, 200);
    desk.end().await;
}

/// Ask and approve without a browser: the state of the flow, and the cookie that goes with it.
async fn departed(client: &Client) -> (String, String) {
    let page = Browser::new().get(&client.authorize_url(&[])).await;
    let sealed = page.form("decision").value("request").expect("the sealed request").to_owned();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", client.server.as_str())];
    let body = form(&[("request", &sealed), ("decision", "approve")]);
    let sent = send(&client.server, "POST", "/oauth/authorize", &headers, body.as_bytes());
    let sent = sent.await.expect("an answer");
    assert_eq!(sent.status, 303, "{}", sent.text());
    let cookie = sent.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
    let state = sent.header("location").and_then(|to| parameter(to, "state")).expect("a state");
    (state, cookie.to_owned())
}

/// The same, and back from Gitea with this instead of its own words.
async fn returned(client: &Client, said: &str) -> Answer {
    let (state, cookie) = departed(client).await;
    let target = format!("/oauth/callback?state={state}&{said}");
    send(&client.server, "GET", &target, &[("cookie", &cookie)], b"").await.expect("an answer")
}

/// So many at once, a few at a time.
async fn many(client: &Client, said: &'static str, count: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..count.div_ceil(16) {
        let some = (answers.len()..count).take(16).map(|_| {
            let client = client.clone();
            tokio::spawn(async move { returned(&client, said).await })
        });
        for answer in some.collect::<Vec<_>>() {
            answers.push(answer.await.expect("it ran"));
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn one_network_lets_a_thousand_flows_come_back_and_keeps_nobody_else_out() {
    let proxied = |setup: aegis_tests::server::Setup| {
        setup.set("LOGIN_RATE_LIMIT_PER_MINUTE", "1000000").set("TRUSTED_PROXIES", "127.0.0.1")
    };
    let mut desk = Desk::with(proxied).await;
    for answer in many(&desk.client, "error=access_denied", 1_024).await {
        assert_eq!(answer.status, 303, "{}", answer.text());
    }
    let url = format!("{}/oauth/callback", desk.server.url);
    let (state, cookie) = departed(&desk.client).await;
    let target = format!("/oauth/callback?state={state}&error=access_denied");
    let answer = desk.server.stranger("GET", &target, &[("cookie", &cookie)], b"").await;
    assert!(answer.text().contains("Too many sign-ins from your network"), "{}", answer.text());
    desk.page(&Page { url, answer }, 429, &[(DENIED, "state_too_many")], &[]).await;
    // It was not used up by that, and another network is not concerned.
    let headers = [("cookie", cookie.as_str()), ("x-forwarded-for", "192.0.2.7")];
    let answer = desk.server.stranger("GET", &target, &headers, b"").await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_sign_ins_that_come_in_floods_are_counted_instead_of_written() {
    let desk = Desk::with(|setup| setup.set("LOGIN_RATE_LIMIT_PER_MINUTE", "1000000")).await;
    let answers = many(&desk.client, "code=gta_guessed_and_wrong", 130).await;
    assert!(answers.iter().all(|answer| answer.status == 400), "{}", answers[0].text());
    // Both lines, the host's and the guest's, are bounded alike, and what was kept back is told in the end.
    let audit = desk.server.audit_path().to_owned();
    let stopped = desk.server.stop().await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
    let text = std::fs::read_to_string(audit).expect("the audit log can be read");
    let trail: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for (event, reason) in [(DENIED, "login_refused"), (SECURITY, "gitea_code_refused")] {
        let lines: Vec<_> = trail.iter().filter(|line| line["reason"] == reason).collect();
        assert!(lines.iter().all(|line| line["event"] == event));
        let kept_back = |line: &&&serde_json::Value| line["suppressed"].is_u64();
        assert_eq!(lines.iter().filter(|line| !kept_back(line)).count(), 100, "{reason}");
        let told: Vec<_> = lines.iter().filter(kept_back).map(|line| line["suppressed"].as_u64()).collect();
        assert_eq!(told, [Some(30)], "{reason}");
    }
}

#[tokio::test]
async fn an_office_full_of_dead_tokens_has_guessed_nothing() {
    // Room for four guesses at the token endpoint.
    let mut desk =
        Desk::with(|setup| setup.set("MAX_AUTH_FAILURES", "1").set("AUTH_FAILURE_WINDOW", "3600")).await;
    let (revoked, used, grantless) = (
        desk.tokens("alice", false).await,
        desk.tokens("bob", false).await,
        desk.tokens("carol", false).await,
    );
    let fields = [("token", revoked.refresh.as_str()), ("client_id", desk.client.id.as_str())];
    assert_eq!(post_form(&desk.server.url, "/oauth/revoke", &fields).await.status, 200);
    // Two refreshes on, the first token is a reuse, which ends the whole family.
    let mut newest = used.refresh.clone();
    for _ in 0..2 {
        newest = aegis_tests::sign_in::Tokens::of(&desk.client.refresh(&newest, &[]).await).refresh;
        desk.secret(&newest);
    }
    desk.scene.forge.revoke("carol", &desk.scene.client_id);
    let dead = [&revoked.refresh, &used.refresh, &newest, &grantless.refresh];
    for token in dead.iter().cycle().take(25) {
        let answer = desk.client.refresh(token, &[]).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (400, Some("invalid_grant")),
            "{}",
            answer.text()
        );
        desk.hear(&answer);
    }
    // Somebody signs in anew from the same address, and there is as much room for guesses as before.
    desk.tokens("alice", false).await;
    for guess in 0..5 {
        let answer = desk
            .client
            .refresh(&format!("{}guess{guess}", &revoked.refresh[..revoked.refresh.len() - 6]), &[])
            .await;
        assert_eq!(answer.status, if guess < 4 { 400 } else { 429 }, "{guess}: {}", answer.text());
    }
    desk.end().await;
}
