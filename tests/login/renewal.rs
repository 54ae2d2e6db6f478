//! What somebody granted in Gitea while it lasts: one for a user and an application, renewed once whoever asks, lost
//! by nothing but Gitea's word.

use std::sync::Arc;
use std::time::Duration;

use aegis_tests::browser::Browser;
use aegis_tests::forge::{Fault, FaultKind, Forge, Options, Settings};
use aegis_tests::http::Answer;
use aegis_tests::server::{Server, of_event};
use aegis_tests::sign_in::{Client, Tokens, call, parameter};
use serde_json::json;

use crate::scene::{Scene, password};

const TOKEN: &str = "/login/oauth/access_token";
const LIST: &str = "/api/v1/user/repos";

/// A forge whose access tokens are over so soon that each call would renew them, until a test changes that.
async fn short_lived(invalidate: bool) -> Scene {
    let oauth =
        Settings { access_token_seconds: 30, invalidate_refresh_tokens: invalidate, ..Settings::default() };
    Scene::with(Options { oauth, ..Options::default() }).await
}

async fn list(server: &Server, tokens: &Tokens) -> Answer {
    call(&server.url, &tokens.access, "list_repositories", &json!({})).await
}

fn renewals(forge: &Forge) -> usize {
    forge.times("POST", TOKEN)
}

/// Until the forge has had so many requests for this path.
async fn arrived(forge: &Forge, path: &str, count: usize) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while forge.requests().iter().filter(|seen| seen.path == path).count() < count {
        assert!(tokio::time::Instant::now() < deadline, "{path} was not asked for: {:?}", forge.upstream());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn challenged(server: &Server, answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.text());
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let document = format!("resource_metadata=\"{}/.well-known/oauth-protected-resource\"", server.url);
    assert!(challenge.contains(&document) && challenge.contains("error=\"invalid_token\""), "{challenge}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_calls_at_once_renew_a_grant_once() {
    for (invalidate, refused) in [(false, false), (false, true), (true, false), (true, true)] {
        let scene = short_lived(invalidate).await;
        let server = Arc::new(scene.start().await);
        let client = Client::register(&server.url).await;
        let first = client.tokens("alice", &password("alice"), false).await;
        if refused {
            // By this server's clock it is good for long; Gitea says otherwise.
            scene.forge.configure(|oauth| oauth.access_token_seconds = 3_600);
        }
        let second = client.tokens("alice", &password("alice"), false).await;
        scene.forge.configure(|oauth| oauth.access_token_seconds = 7_200);
        if refused {
            scene.forge.pass(3_700);
        }
        scene.forge.forget();
        let calls = (0..32).map(|at| {
            let (server, tokens) = (server.clone(), if at % 2 == 0 { first.clone() } else { second.clone() });
            tokio::spawn(async move {
                loop {
                    // One person may have eight calls under way; the others are told to come again.
                    let answer = list(&server, &tokens).await;
                    if answer.status != 429 {
                        return answer;
                    }
                }
            })
        });
        for done in calls.collect::<Vec<_>>() {
            let answer = done.await.unwrap();
            assert_eq!(answer.status, 200, "{invalidate} {refused}: {}", answer.text());
        }
        assert_eq!(renewals(&scene.forge), 1, "{invalidate} {refused}");
        let good = scene.forge.requests().iter().filter(|s| s.path == LIST && s.status == 200).count();
        assert_eq!(good, 32);
        assert_eq!(scene.forge.grants().len(), 1, "one for a user and an application");
        assert!(scene.forge.violations().is_empty(), "{:?}", scene.forge.violations());
    }
}

#[tokio::test]
async fn two_clients_of_one_person_live_on_one_grant() {
    for invalidate in [false, true] {
        let scene = short_lived(invalidate).await;
        let server = scene.start().await;
        scene.forge.forget();
        let (one, other) = (Client::register(&server.url).await, Client::register(&server.url).await);
        let mut first = one.tokens("bob", &password("bob"), false).await;
        let mut second = other.tokens("bob", &password("bob"), false).await;
        for round in 1..=4 {
            // Every step renews at Gitea, since its tokens are over at once.
            for tokens in [&first, &second] {
                let answer = list(&server, tokens).await;
                assert_eq!(answer.status, 200, "{invalidate} {round}: {}", answer.text());
            }
            first = Tokens::of(&one.refresh(&first.refresh, &[]).await);
            second = Tokens::of(&other.refresh(&second.refresh, &[]).await);
        }
        let grants = scene.forge.grants();
        assert_eq!(grants.len(), 1);
        // Two sign-ins, and four renewals in each of four rounds.
        assert_eq!(renewals(&scene.forge), 2 + 16);
        assert_eq!(grants[0].counter, if invalidate { 18 } else { 0 });
        let users: Vec<_> =
            scene.forge.requests().into_iter().filter(|s| s.path == LIST).map(|s| s.user).collect();
        assert_eq!(users, vec![Some("bob".to_owned()); 8]);
    }
}

#[tokio::test]
async fn a_call_that_its_client_gave_up_loses_no_grant() {
    let scene = short_lived(true).await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    scene.forge.configure(|oauth| oauth.access_token_seconds = 3_600);
    scene.forge.forget();
    scene.forge.next_fault(Fault::on(TOKEN, FaultKind::Hold));
    let (url, access) = (server.url.clone(), tokens.access.clone());
    let given_up = tokio::spawn(async move { call(&url, &access, "list_repositories", &json!({})).await });
    arrived(&scene.forge, TOKEN, 1).await;
    given_up.abort();
    assert!(given_up.await.is_err());
    // The server has noticed: the call is over in its record.
    server.audit_when(|lines| of_event(lines, "tool_invocation").len() >= 2).await;
    scene.forge.release(1);
    let answer = list(&server, &tokens).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(renewals(&scene.forge), 1, "what Gitea issued was kept");
    assert!(scene.forge.requests().iter().all(|seen| !(seen.path == TOKEN && seen.left)));
}

#[tokio::test]
async fn a_renewal_that_crosses_a_sign_in_ends_no_session() {
    let scene = short_lived(true).await;
    let server = scene.start().await;
    let (one, other) = (Client::register(&server.url).await, Client::register(&server.url).await);
    let first = one.tokens("alice", &password("alice"), false).await;
    scene.forge.configure(|oauth| oauth.access_token_seconds = 3_600);

    let mut browser = Browser::new();
    other.approve(&mut browser, false).await;
    browser.sign_in_at_gitea("alice", &password("alice")).await;
    scene.forge.forget();
    scene.forge.next_fault(Fault::on(TOKEN, FaultKind::Hold));
    let redirect = other.redirect.clone();
    let coming_back =
        tokio::spawn(async move { browser.follow_until(|url| url.starts_with(&redirect)).await.stopped() });
    arrived(&scene.forge, TOKEN, 1).await;
    // Gitea has issued tokens to the second client, which killed the refresh token that is on record here.
    let (url, access) = (server.url.clone(), first.access.clone());
    let calling = tokio::spawn(async move { call(&url, &access, "list_repositories", &json!({})).await });
    arrived(&scene.forge, TOKEN, 2).await;
    scene.forge.release(1);
    let back = coming_back.await.unwrap().expect("the client's redirect");
    let second = Tokens::of(&other.redeem(&parameter(&back, "code").unwrap(), &[]).await);
    let answer = calling.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    for tokens in [&first, &second] {
        let answer = list(&server, tokens).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let _ = Tokens::of(&one.refresh(&first.refresh, &[]).await);
}

#[tokio::test]
async fn a_grant_revoked_in_gitea_fails_at_the_next_call_and_from_then_on() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    assert_eq!(list(&server, &tokens).await.status, 200);
    assert!(scene.forge.revoke("alice", &scene.client_id));
    scene.forge.forget();
    let answer = list(&server, &tokens).await;
    challenged(&server, &answer);
    assert_eq!(answer.reason().as_deref(), Some("signed_out_in_gitea"));
    assert_eq!(scene.forge.upstream(), [format!("GET {LIST}"), format!("POST {TOKEN}")]);
    scene.forge.forget();
    let answer = list(&server, &tokens).await;
    challenged(&server, &answer);
    assert!(
        scene.forge.requests().is_empty(),
        "a dead grant is not tried again: {:?}",
        scene.forge.upstream()
    );
    let refresh = client.refresh(&tokens.refresh, &[]).await;
    assert_eq!((refresh.status, refresh.reason().as_deref()), (400, Some("invalid_grant")));

    let lines = server.audit_when(|lines| lines.iter().any(|l| l["reason"] == "signed_out_in_gitea")).await;
    let line = lines.iter().find(|line| line["reason"] == "signed_out_in_gitea").unwrap();
    assert_eq!((&line["event"], &line["status"]), (&json!("tool_invocation"), &json!("denied")), "{line}");
    assert_eq!(line["calls"].as_array().map(Vec::len), Some(1), "{line}");
    let log = server.log();
    assert!(log.contains("grant_ended") && log.contains("grant_revoked"), "{log}");

    let again = client.tokens("alice", &password("alice"), false).await;
    assert_eq!(list(&server, &again).await.status, 200);
    challenged(&server, &list(&server, &tokens).await);
}

#[tokio::test]
async fn a_disabled_user_fails_at_the_next_call_and_an_ordinary_403_ends_nothing() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("bob", &password("bob"), false).await;
    for said in ["user should have permission", "Reason: This account is prohibited from signing in"] {
        scene.forge.next_fault(Fault::on(LIST, FaultKind::Instead(403, json!({ "message": said }))));
        let answer = list(&server, &tokens).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert!(answer.text().contains(&format!("Gitea says: {said}")), "{}", answer.text());
        assert_eq!(list(&server, &tokens).await.status, 200, "and the session goes on");
    }

    scene.forge.disable("bob", true);
    scene.forge.forget();
    let answer = list(&server, &tokens).await;
    challenged(&server, &answer);
    assert_eq!(answer.reason().as_deref(), Some("signed_out_in_gitea"));
    assert_eq!(scene.forge.upstream(), [format!("GET {LIST}")]);
    scene.forge.forget();
    challenged(&server, &list(&server, &tokens).await);
    assert!(scene.forge.requests().is_empty(), "{:?}", scene.forge.upstream());
    let refresh = client.refresh(&tokens.refresh, &[]).await;
    assert_eq!((refresh.status, refresh.reason().as_deref()), (400, Some("invalid_grant")));
    let lines = server.audit_when(|lines| lines.iter().any(|l| l["reason"] == "signed_out_in_gitea")).await;
    assert!(lines.iter().any(|line| line["status"] == "denied" && line["calls"][0]["status"] == 403));

    scene.forge.disable("bob", false);
    challenged(&server, &list(&server, &tokens).await);
    let again = client.tokens("bob", &password("bob"), false).await;
    assert_eq!(list(&server, &again).await.status, 200);
}

#[tokio::test]
async fn a_disabled_user_is_noticed_at_a_refresh_too() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("bob", &password("bob"), false).await;
    scene.forge.disable("bob", true);
    let refresh = client.refresh(&tokens.refresh, &[]).await;
    assert_eq!((refresh.status, refresh.reason().as_deref()), (400, Some("invalid_grant")));
    challenged(&server, &list(&server, &tokens).await);
}

#[tokio::test]
async fn a_gitea_that_fails_while_a_grant_is_renewed_costs_nobody_the_session() {
    let scene = short_lived(false).await;
    let server = scene.setup().set("REQUEST_TIMEOUT_SECONDS", "1").start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    for kind in [
        FaultKind::Status(500),
        FaultKind::Status(429),
        FaultKind::Html,
        FaultKind::BadJson,
        FaultKind::Close,
        FaultKind::Hang,
        FaultKind::Redirect("http://127.0.0.1:1/".to_owned()),
        FaultKind::Patch(json!({ "access_token": null })),
        FaultKind::Instead(
            400,
            json!({ "error": "invalid_client", "error_description": "invalid client secret" }),
        ),
        FaultKind::Instead(400, json!({ "error": "invalid_request", "error_description": "cannot sign" })),
    ] {
        scene.forge.every_fault(Fault::on(TOKEN, kind.clone()));
        scene.forge.forget();
        let answer = list(&server, &tokens).await;
        assert!(matches!(answer.status, 502..=504), "{kind:?}: {} {}", answer.status, answer.text());
        let reason = answer.reason().unwrap_or_default();
        assert!(["gitea_unreachable", "gitea_timeout"].contains(&reason.as_str()), "{kind:?}: {reason}");
        assert!(scene.forge.upstream().iter().all(|asked| !asked.contains("/api/")), "{kind:?}");
        let refresh = client.refresh(&tokens.refresh, &[]).await;
        assert_eq!(refresh.status, 503, "{kind:?}: {}", refresh.text());
        assert_eq!(refresh.reason().as_deref(), Some("temporarily_unavailable"), "{kind:?}");
        scene.forge.mend();
        let answer = list(&server, &tokens).await;
        assert_eq!(answer.status, 200, "{kind:?}: {}", answer.text());
    }
    let _ = Tokens::of(&client.refresh(&tokens.refresh, &[]).await);
    assert!(server.log().contains("grant_not_renewed"));
}

#[tokio::test]
async fn a_gitea_that_fails_during_a_sign_in_is_a_page_that_says_so() {
    for (path, kind, status, reason) in [
        (TOKEN, FaultKind::Status(500), 503, "gitea_unavailable"),
        (TOKEN, FaultKind::Close, 503, "gitea_unavailable"),
        (TOKEN, FaultKind::Html, 502, "gitea_application_refused"),
        ("/.well-known/openid-configuration", FaultKind::Status(503), 503, "gitea_unavailable"),
        ("/login/oauth/introspect", FaultKind::Html, 502, "gitea_application_refused"),
        ("/login/oauth/userinfo", FaultKind::Status(500), 503, "gitea_unavailable"),
    ] {
        let scene = Scene::new().await;
        // Nothing is known of Gitea at the start, so that each of these is asked for.
        let server = scene.setup().set("STARTUP_VALIDATE_GITEA", "false").start().await;
        let client = Client::register(&server.url).await;
        scene.forge.every_fault(Fault::on(path, kind.clone()));
        let mut browser = Browser::new();
        client.approve(&mut browser, false).await;
        browser.sign_in_at_gitea("alice", &password("alice")).await;
        let redirect = client.redirect.clone();
        let page = browser.follow_until(|url| url.starts_with(&redirect)).await.page();
        assert_eq!(page.status(), status, "{path} {kind:?}: {}", page.text());
        assert!(page.text().contains(reason), "{path} {kind:?}: {}", page.text());
        scene.forge.mend();
        if path.contains("well-known") {
            // A discovery document that could not be had is not asked for again at once.
            continue;
        }
        // From the start, with another browser: nothing stands in the way.
        let tokens = client.tokens("alice", &password("alice"), false).await;
        assert_eq!(list(&server, &tokens).await.status, 200);
    }
}
