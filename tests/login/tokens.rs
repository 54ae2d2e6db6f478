//! What a client holds: how it gets tokens, how they follow each other, and every way in which they end.

use aegis_tests::browser::Browser;
use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::http::{Answer, send};
use aegis_tests::sign_in::{Client, REDIRECT, Tokens, VERIFIER, call, form, parameter, post_form, register};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::refusals::Desk;
use crate::scene::password;

const SECURITY: &str = "security_event";
const DENIED: &str = "access_denied";
const USERINFO: &[&str] = &["GET /login/oauth/userinfo"];

async fn read(desk: &Desk, token: &str) -> Answer {
    call(&desk.server.url, token, "get_repository_info", &json!({"owner": "alice", "repo": "demo"})).await
}

/// A token that was good and is dead.
async fn dead(desk: &mut Desk, token: &str) {
    let answer = read(desk, token).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (401, Some("expired_credential")),
        "{}",
        answer.text()
    );
    desk.recorded(&answer, &[(DENIED, "expired_credential")], &[]).await;
}

async fn alive(desk: &Desk, token: &str) {
    let answer = read(desk, token).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    desk.scene.forge.forget();
}

/// Two lines where the finer reason is on record too.
async fn invalid_grant(desk: &mut Desk, answer: &Answer, finer: Option<&str>, upstream: &[&str]) {
    let lines: Vec<(&str, &str)> =
        finer.into_iter().chain(["invalid_grant"]).map(|reason| (SECURITY, reason)).collect();
    desk.errors(answer, 400, "invalid_grant", &lines, upstream).await;
}

async fn revoke(desk: &Desk, client: &Client, token: &str) -> Answer {
    post_form(&desk.server.url, "/oauth/revoke", &[("token", token), ("client_id", &client.id)]).await
}

#[tokio::test]
async fn an_answer_with_tokens_says_what_the_standard_says_and_is_kept_by_nobody() {
    let mut desk = Desk::new().await;
    let code = desk.code("alice").await;
    let answer = desk.client.redeem(&code, &[]).await;
    let body = answer.json();
    let mut names: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert!(body["access_token"].as_str().is_some_and(|token| token.starts_with("aegis_at_")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let tokens = Tokens::of(&answer);
    desk.secret(&tokens.access);
    desk.secret(&tokens.refresh);
    alive(&desk, &tokens.access).await;
    desk.end().await;
}

#[tokio::test]
async fn a_client_proves_itself_as_it_registered() {
    let desk = Desk::new().await;
    for method in ["none", "client_secret_basic", "client_secret_post"] {
        let body = json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": method});
        let made = register(&desk.server.url, &body).await.json();
        assert_eq!(made["token_endpoint_auth_method"], method);
        let id = made["client_id"].as_str().expect("an id").to_owned();
        let secret = made["client_secret"].as_str().unwrap_or_default().to_owned();
        assert_eq!(secret.is_empty(), method == "none", "{made}");
        let client =
            Client { server: desk.server.url.clone(), id: id.clone(), redirect: REDIRECT.to_owned() };
        let url = client.sign_in(&mut Browser::new(), "alice", &password("alice"), false).await;
        let code = parameter(&url, "code").expect("a code");
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        let coded = |text: &str| form(&[("x", text)])[2..].to_owned();
        let basic = BASE64_STANDARD.encode(format!("{}:{}", coded(&id), coded(&secret)));
        let header = format!("Basic {basic}");
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        match method {
            "client_secret_basic" => headers.push(("authorization", &header)),
            _ => fields.push(("client_id", &id)),
        }
        if method == "client_secret_post" {
            fields.push(("client_secret", &secret));
        }
        // The alias is the same endpoint.
        for path in ["/token", "/oauth/token"] {
            let body = form(&fields);
            let answer =
                send(&desk.server.url, "POST", path, &headers, body.as_bytes()).await.expect("an answer");
            let wanted = if path == "/token" { 200 } else { 400 };
            assert_eq!(answer.status, wanted, "{method} {path}: {}", answer.text());
        }
    }
    desk.end().await;
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_at_once_what_it_gave() {
    let mut desk = Desk::new().await;
    let code = desk.code("alice").await;
    let tokens = Tokens::of(&desk.client.redeem(&code, &[]).await);
    desk.secret(&tokens.access);
    alive(&desk, &tokens.access).await;
    let bystander = desk.tokens("bob", false).await;
    let answer = desk.client.redeem(&code, &[]).await;
    invalid_grant(&mut desk, &answer, Some("code_replayed"), &[]).await;
    dead(&mut desk, &tokens.access).await;
    // What the family died of is no new event.
    let answer = desk.client.refresh(&tokens.refresh, &[]).await;
    invalid_grant(&mut desk, &answer, None, &[]).await;
    assert_eq!(desk.client.refresh(&bystander.refresh, &[]).await.status, 200, "nobody else is concerned");
    desk.end().await;
}

#[tokio::test]
async fn a_refresh_that_is_sent_twice_gives_the_same_successor_and_an_older_one_ends_everything() {
    let mut desk = Desk::new().await;
    let first = desk.tokens("alice", false).await;
    let second = Tokens::of(&desk.client.refresh(&first.refresh, &[]).await);
    let again = Tokens::of(&desk.client.refresh(&first.refresh, &[]).await);
    assert_eq!(second.refresh, again.refresh, "a client that lost the answer asks again");
    assert_ne!(second.refresh, first.refresh);
    assert_ne!(second.access, again.access);
    for token in [&first.access, &second.access, &again.access] {
        alive(&desk, token).await;
    }
    let third = Tokens::of(&desk.client.refresh(&second.refresh, &[]).await);
    assert_ne!(third.refresh, second.refresh);
    for tokens in [&second, &third] {
        desk.secret(&tokens.access);
        desk.secret(&tokens.refresh);
    }
    desk.scene.forge.forget();
    // Two behind: somebody has a copy.
    let answer = desk.client.refresh(&first.refresh, &[]).await;
    invalid_grant(&mut desk, &answer, Some("refresh_token_reused"), &[]).await;
    for token in [&first.access, &second.access, &again.access, &third.access] {
        dead(&mut desk, token).await;
    }
    for token in [&first.refresh, &second.refresh, &third.refresh] {
        let answer = desk.client.refresh(token, &[]).await;
        invalid_grant(&mut desk, &answer, None, &[]).await;
    }
    desk.end().await;
}

#[tokio::test]
async fn sixty_four_refreshes_at_once_have_one_successor() {
    let mut desk = Desk::new().await;
    let tokens = desk.tokens("alice", false).await;
    let tries: Vec<_> = (0..64)
        .map(|_| {
            let (client, refresh) = (desk.client.clone(), tokens.refresh.clone());
            tokio::spawn(async move { Tokens::of(&client.refresh(&refresh, &[]).await).refresh })
        })
        .collect();
    let mut successors = std::collections::BTreeSet::new();
    for tried in tries {
        successors.insert(tried.await.expect("tokens"));
    }
    assert_eq!(successors.len(), 1);
    desk.end().await;
}

#[tokio::test]
async fn a_refresh_narrows_and_never_widens() {
    let mut desk = Desk::with(|setup| setup.writes("alice/demo")).await;
    let writer = desk.tokens("alice", true).await;
    let both = "read:repository write:repository";
    assert_eq!(writer.answer["scope"], both);
    let narrow = Tokens::of(&desk.client.refresh(&writer.refresh, &[("scope", "read:repository")]).await);
    assert_eq!(narrow.answer["scope"], "read:repository");
    let issue = json!({"owner": "alice", "repo": "demo", "title": "From a test"});
    let answer = call(&desk.server.url, &narrow.access, "create_issue", &issue).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (403, Some("insufficient_scope")),
        "{}",
        answer.text()
    );
    // RFC 6749 section 6: leaving the scope out asks for what was granted.
    let whole = Tokens::of(&desk.client.refresh(&narrow.refresh, &[]).await);
    assert_eq!(whole.answer["scope"], both);
    let answer = call(&desk.server.url, &whole.access, "create_issue", &issue).await;
    assert_eq!(answer.status, 200, "{}", answer.text());

    let reader = desk.tokens("bob", false).await;
    for scope in ["write:repository", both, "admin", "read:repository all"] {
        let answer = desk.client.refresh(&reader.refresh, &[("scope", scope)]).await;
        desk.error(&answer, 400, "invalid_scope", (DENIED, "invalid_scope"), &[]).await;
    }
    for resource in ["https://other.example/mcp", "http://127.0.0.1:1/mcp"] {
        let answer = desk.client.refresh(&reader.refresh, &[("resource", resource)]).await;
        desk.error(&answer, 400, "invalid_target", (SECURITY, "invalid_target"), &[]).await;
    }
    let mine = format!("{}/mcp", desk.server.url);
    let next = desk
        .client
        .refresh(&reader.refresh, &[("resource", &mine), ("scope", "read:repository openid")])
        .await;
    assert_eq!(Tokens::of(&next).answer["scope"], "read:repository", "nothing of all that has ended it");
    desk.end().await;
}

#[tokio::test]
async fn a_refresh_token_is_good_for_its_client_alone() {
    let mut desk = Desk::new().await;
    let tokens = desk.tokens("alice", false).await;
    let other = Client::register(&desk.server.url).await;
    assert_ne!(other.id, desk.client.id);
    let at = tokens.refresh.len() - 4;
    let swapped = if tokens.refresh.as_bytes()[at] == b'A' { "B" } else { "A" };
    let tampered = format!("{}{swapped}{}", &tokens.refresh[..at], &tokens.refresh[at + 1..]);
    for (client, token) in [
        (&other, tokens.refresh.as_str()),
        (&desk.client.clone(), &tampered),
        (&desk.client.clone(), &tokens.refresh[..at]),
        (&desk.client.clone(), &tokens.access),
        (&desk.client.clone(), "gtr_of_gitea"),
    ] {
        let answer = client.refresh(token, &[]).await;
        invalid_grant(&mut desk, &answer, None, &[]).await;
    }
    assert!(desk.server.log().contains("\"reason\":\"refresh_token_unknown\""), "{}", desk.server.log());
    alive(&desk, &tokens.access).await;
    assert_eq!(desk.client.refresh(&tokens.refresh, &[]).await.status, 200);
    desk.end().await;
}

#[tokio::test]
async fn either_token_revokes_both_and_nobody_elses() {
    for by_access in [true, false] {
        let mut desk = Desk::new().await;
        let tokens = desk.tokens("alice", false).await;
        let next = Tokens::of(&desk.client.refresh(&tokens.refresh, &[]).await);
        desk.secret(&next.access);
        let bystander = desk.tokens("alice", false).await;
        let other = Client::register(&desk.server.url).await;
        // What is not known, and what is another client's, is as good as revoked, and stays (RFC 7009 section 2.2).
        for (client, token) in [
            (&other, next.access.as_str()),
            (&other, &next.refresh),
            (&desk.client, "aegis_at_unknown"),
            (&desk.client, "whatever"),
        ] {
            let answer = revoke(&desk, client, token).await;
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{}", answer.text());
            desk.scene.forge.forget();
        }
        alive(&desk, &next.access).await;

        let answer = revoke(&desk, &desk.client, if by_access { &next.access } else { &next.refresh }).await;
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (200, Some("no-store")),
            "{}",
            answer.text()
        );
        desk.recorded(&answer, &[(SECURITY, "tokens_revoked")], &[]).await;
        dead(&mut desk, &tokens.access).await;
        dead(&mut desk, &next.access).await;
        let answer = desk.client.refresh(&next.refresh, &[]).await;
        invalid_grant(&mut desk, &answer, None, &[]).await;
        alive(&desk, &bystander.access).await;

        let answer = post_form(&desk.server.url, "/oauth/revoke", &[("client_id", &desk.client.id)]).await;
        desk.error(&answer, 400, "invalid_request", (DENIED, "missing_parameter"), &[]).await;
        let answer = post_form(&desk.server.url, "/oauth/revoke", &[("token", &bystander.access)]).await;
        desk.error(&answer, 401, "invalid_client", (DENIED, "client_not_named"), &[]).await;
        let answer =
            post_form(&desk.server.url, "/oauth/revoke", &[("token", "x"), ("client_id", "nobody")]).await;
        desk.error(&answer, 401, "invalid_client", (SECURITY, "invalid_client"), &[]).await;
        desk.end().await;
    }
}

#[tokio::test]
async fn tokens_of_another_deployment_are_strangers() {
    let mut desk = Desk::new().await;
    let mut other =
        Desk::with(|setup| setup.set("OAUTH_STATE_SECRET", "another-secret-that-is-long-enough-too")).await;
    let foreign = other.tokens("alice", false).await;
    desk.secret(&foreign.access);
    desk.secret(&foreign.refresh);
    let answer = read(&desk, &foreign.access).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (401, Some("invalid_credential")),
        "{}",
        answer.text()
    );
    desk.recorded(&answer, &[(SECURITY, "invalid_credential")], &[]).await;
    let answer = desk.client.refresh(&foreign.refresh, &[]).await;
    invalid_grant(&mut desk, &answer, None, &[]).await;
    let answer = desk.client.refresh(&foreign.refresh, &[("client_id", &other.client.id)]).await;
    desk.error(&answer, 401, "invalid_client", (SECURITY, "invalid_client"), &[]).await;
    let code = other.code("alice").await;
    let answer = desk.client.redeem(&code, &[]).await;
    invalid_grant(&mut desk, &answer, None, &[]).await;
    // The same secret under another origin is another audience.
    let twin = Desk::new().await;
    let mut home = Desk::new().await;
    let tokens = home.tokens("alice", false).await;
    let answer = read(&twin, &tokens.access).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (401, Some("invalid_credential")),
        "{}",
        answer.text()
    );
    for desk in [desk, other, twin, home] {
        desk.end().await;
    }
}

#[tokio::test]
async fn what_gitea_has_ended_is_ended_here() {
    let mut desk = Desk::new().await;
    let tokens = desk.tokens("alice", false).await;
    assert!(desk.scene.forge.revoke("alice", &desk.scene.client_id.clone()));
    let answer = desk.client.refresh(&tokens.refresh, &[]).await;
    invalid_grant(&mut desk, &answer, None, USERINFO).await;
    assert!(desk.server.log().contains("\"reason\":\"grant_revoked\""), "{}", desk.server.log());
    dead(&mut desk, &tokens.access).await;
    desk.end().await;
}

#[tokio::test]
async fn a_stolen_refresh_token_is_noticed_while_gitea_is_away_too() {
    let mut desk = Desk::new().await;
    let first = desk.tokens("alice", false).await;
    let second = Tokens::of(&desk.client.refresh(&first.refresh, &[]).await);
    let third = Tokens::of(&desk.client.refresh(&second.refresh, &[]).await);
    for tokens in [&second, &third] {
        desk.secret(&tokens.access);
        desk.secret(&tokens.refresh);
    }
    desk.scene.forge.forget();
    desk.scene.forge.every_fault(Fault::on("/login/oauth/userinfo", FaultKind::Status(500)));
    let answer = desk.client.refresh(&first.refresh, &[]).await;
    invalid_grant(&mut desk, &answer, Some("refresh_token_reused"), &[]).await;
    dead(&mut desk, &third.access).await;
    desk.end().await;
}

#[tokio::test]
async fn whoever_is_not_admitted_any_more_refreshes_nothing() {
    let mut desk = Desk::new().await;
    let tokens = desk.tokens("alice", false).await;
    let mut desk = desk.restarted(|setup| setup.set("SIGNIN_ALLOW", "bob")).await;
    let answer = desk.client.refresh(&tokens.refresh, &[]).await;
    invalid_grant(&mut desk, &answer, None, USERINFO).await;
    assert!(desk.server.log().contains("\"reason\":\"not_allowed\""), "{}", desk.server.log());
    desk.end().await;
}
