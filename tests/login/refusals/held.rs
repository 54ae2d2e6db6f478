//! Refused with a token in hand: not ours, dead, or good for less than is asked for.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::http::Answer;
use aegis_tests::sign_in::{Client, call};
use serde_json::json;

use super::Desk;

const DENIED: &str = "access_denied";
const SECURITY: &str = "security_event";

/// A read by a direct call.
async fn read(desk: &Desk, token: &str) -> Answer {
    call(&desk.server.url, token, "get_repository_info", &json!({"owner": "alice", "repo": "demo"})).await
}

/// A write by a direct call.
async fn write(desk: &Desk, token: &str) -> Answer {
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "From a test"});
    call(&desk.server.url, token, "create_issue", &arguments).await
}

/// The challenge of a 401 that was given for a token.
fn challenged(desk: &Desk, answer: &Answer) {
    let said = answer.header("www-authenticate").unwrap_or_default();
    let document = format!("resource_metadata=\"{}/.well-known/oauth-protected-resource\"", desk.server.url);
    assert!(said.starts_with("Bearer ") && said.contains(&document), "{said}");
    assert!(said.contains("error=\"invalid_token\"") && said.contains("scope=\"read:repository\""), "{said}");
}

#[tokio::test]
async fn what_was_good_once_has_expired_and_what_never_was_is_unknown() {
    let mut desk = Desk::with(|setup| setup.set("MAX_AUTH_FAILURES", "1000")).await;
    let tokens = desk.tokens("alice", false).await;
    let gitea = desk.scene.forge.mint("alice", &desk.scene.client_id, "openid").access_token;
    desk.secret(&gitea);
    let at = tokens.access.len() - 6;
    let other = if tokens.access.as_bytes()[at] == b'A' { "B" } else { "A" };
    let tampered = format!("{}{other}{}", &tokens.access[..at], &tokens.access[at + 1..]);
    for token in [tampered.as_str(), &tokens.access[..at], &tokens.refresh, &gitea, "aegis_at_x"] {
        let answer = read(&desk, token).await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (401, Some("invalid_credential")),
            "{}",
            answer.text()
        );
        challenged(&desk, &answer);
        desk.recorded(&answer, &[(SECURITY, "invalid_credential")], &[]).await;
    }
    let fields = [("token", tokens.access.as_str()), ("client_id", desk.client.id.as_str())];
    let revoked = aegis_tests::sign_in::post_form(&desk.server.url, "/oauth/revoke", &fields).await;
    assert_eq!(revoked.status, 200);
    let answer = read(&desk, &tokens.access).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (401, Some("expired_credential")),
        "{}",
        answer.text()
    );
    challenged(&desk, &answer);
    desk.recorded(&answer, &[(DENIED, "expired_credential")], &[]).await;
    desk.end().await;
}

#[tokio::test]
async fn while_writes_are_off_a_reader_hears_that_and_not_that_it_lacks_a_scope() {
    let mut desk = Desk::new().await;
    let tokens = desk.tokens("alice", false).await;
    let answer = write(&desk, &tokens.access).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (403, Some("write_mode_disabled")),
        "{}",
        answer.text()
    );
    assert_eq!(answer.header("www-authenticate"), None, "signing in again would not help");
    desk.recorded(&answer, &[(DENIED, "write_mode_disabled")], &[]).await;
    desk.end().await;
}

#[tokio::test]
async fn a_reader_that_wants_to_write_is_told_which_scope_to_ask_for() {
    let mut desk = Desk::with(|setup| setup.writes("alice/demo")).await;
    let tokens = desk.tokens("alice", false).await;
    let answer = write(&desk, &tokens.access).await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (403, Some("insufficient_scope")),
        "{}",
        answer.text()
    );
    let said = answer.header("www-authenticate").unwrap_or_default();
    assert!(said.contains("error=\"insufficient_scope\""), "{said}");
    assert!(said.contains("scope=\"read:repository write:repository\""), "{said}");
    assert!(said.contains("resource_metadata=\""), "{said}");
    desk.recorded(&answer, &[(DENIED, "insufficient_scope")], &[]).await;
    let writer = Client::register(&desk.server.url).await;
    let tokens = writer.tokens("alice", &crate::scene::password("alice"), true).await;
    assert_eq!(tokens.answer["scope"], "read:repository write:repository");
    let answer = write(&desk, &tokens.access).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    desk.end().await;
}

#[tokio::test]
async fn a_token_of_gitea_is_taken_where_the_operator_wants_it_and_only_with_scopes_that_were_named() {
    let mut desk = Desk::with(|setup| setup.set("ACCEPT_GITEA_TOKENS", "true")).await;
    let all = desk.scene.forge.mint("alice", &desk.scene.client_id, "openid profile email").access_token;
    desk.secret(&all);
    let answer = read(&desk, &all).await;
    let name = answer.reason();
    assert_eq!(
        (answer.status, name.as_deref()),
        (403, Some("oauth_token_lacks_api_scope")),
        "{}",
        answer.text()
    );
    let heard = desk.scene.forge.upstream();
    assert!(heard.iter().all(|call| !call.contains("/api/v1/")), "only who it is was asked: {heard:?}");
    desk.scene.forge.forget();
    desk.recorded(&answer, &[(DENIED, "oauth_token_lacks_api_scope")], &[]).await;

    let scope = "openid profile read:user read:repository read:issue read:organization";
    let good = desk.scene.forge.mint("bob", &desk.scene.client_id, scope).access_token;
    desk.secret(&good);
    desk.scene.forge.every_fault(Fault::on("/login/oauth/introspect", FaultKind::Status(500)));
    let answer = read(&desk, &good).await;
    let name = answer.reason();
    assert_eq!((answer.status, name.as_deref()), (503, Some("identity_unavailable")), "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    desk.scene.forge.forget();
    desk.recorded(&answer, &[(DENIED, "identity_unavailable")], &[]).await;
    desk.scene.forge.mend();
    desk.end().await;
}
