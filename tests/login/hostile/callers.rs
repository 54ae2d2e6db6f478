//! A hostile guest that would act as somebody, or learn what belongs to somebody: only a credential that arrived with the
//! request proves a caller, and what is one caller's is no other's.

use aegis_tests::forge::world::ROOT_TOKEN;
use aegis_tests::http::send;
use aegis_tests::server::{STATE_SECRET, Server};
use aegis_tests::sign_in::REDIRECT;
use serde_json::Value;

use super::{Stage, TOKENS, asked, tried};
use crate::scene::Scene;

async fn asked_as(server: &Server, token: &str, attempt: &str, with: &[(&str, &str)]) -> String {
    let answer = tried(server, attempt, with, Some(token)).await;
    assert_eq!(answer.status, 200, "{attempt}: {}", answer.text());
    answer.text()
}

#[tokio::test]
async fn what_was_sealed_for_one_caller_does_not_open_for_another() {
    let stage = Stage::new().await;
    let (alice, bob) = (stage.token("alice").await, stage.token("bob").await);
    let with = [("purpose", "cursor"), ("value", "page 2")];
    let sealed = asked_as(&stage.server, &alice, "seal-as-caller", &with).await;
    let with = [("purpose", "cursor"), ("value", sealed.as_str())];
    let opened = asked_as(&stage.server, &alice, "unseal-as-caller", &with).await;
    assert_eq!(opened, format!("Ok({:?})", b"page 2"));
    assert_eq!(asked_as(&stage.server, &bob, "unseal-as-caller", &with).await, "Err(forged)");
    assert_eq!(stage.asked("unseal", &with).await, "Err(forged)", "nor for nobody");
    assert_eq!(stage.server.stop().await.code, 0);
}

#[tokio::test]
async fn nobody_is_proved_but_by_a_credential_that_arrived() {
    let stage = Stage::new().await;
    let token = stage.token("alice").await;
    // The guest saw this token pass through; it did not arrive with a request that is the guest's to act on.
    for claim in [
        token.as_str(),
        &format!("Bearer {token}"),
        "gitea-1",
        "alice",
        "handle-00000000000000000000000000000000",
    ] {
        let told = stage.asked("prove", &[("value", claim)]).await;
        assert_eq!(told, "Err(unknown)", "{claim}");
    }
    for somebody in [ROOT_TOKEN, aegis_tests::server::KEY] {
        let answer = tried(&stage.server, "admitted", &[], Some(somebody)).await;
        assert_eq!(answer.status, 500, "no caller");
    }
    // Another client may neither renew nor end what is alice's.
    let other = stage.asked("register", &[("redirect", REDIRECT)]).await;
    let with = [("client", other.as_str()), ("token", &token)];
    assert_eq!(stage.asked("revoke", &with).await, "Ok(())", "RFC 7009 tells nothing");
    assert_eq!(stage.asked("refresh", &with).await, "Err(invalid-grant)");
    let told = asked_as(&stage.server, &token, "admitted", &[]).await;
    assert!(told.contains("Admitted"), "alice is still signed in: {told}");
    assert_eq!(stage.server.stop().await.code, 0);
}

#[tokio::test]
async fn no_secret_is_a_setting_and_no_credential_enters_the_guest() {
    let stage = Stage::new().await;
    let told = stage.asked("settings", &[]).await;
    assert!(told.starts_with("[None") && !told.contains("Some"), "{told}");
    let token = stage.token("alice").await;
    let basic = "Basic Y2xpZW50OnNlY3JldA==";
    for path in ["/mcp", "/mcp/tool/call", "/credential"] {
        for value in [basic.to_owned(), format!("Bearer {token}"), token.clone()] {
            let seen = stage.server.stranger("POST", path, &[("authorization", &value)], b"").await.text();
            assert!(seen.starts_with("handle-") && !seen.contains(&token), "{path}: {seen}");
        }
    }
    // Where clients prove themselves Basic is theirs to present, and a token still is none of the guest's business.
    let at = async |value: &str| {
        stage.server.stranger("POST", "/oauth/token", &[("authorization", value)], b"").await.text()
    };
    assert_eq!(at(basic).await, basic);
    assert!(at(&format!("Bearer {token}")).await.starts_with("handle-"));
    let stopped = stage.server.stop().await;
    let all = format!("{} {:?}", stopped.log, stopped.audit);
    for secret in [STATE_SECRET, token.as_str(), "Y2xpZW50OnNlY3JldA"] {
        assert!(!all.contains(secret), "a secret was written down");
    }
}

#[tokio::test]
async fn a_count_is_the_callers_own() {
    let stage = Stage::new().await;
    let (alice, bob) = (stage.token("alice").await, stage.token("bob").await);
    assert_eq!(asked_as(&stage.server, &alice, "use-up", &[]).await, "Some(5)");
    assert!(asked_as(&stage.server, &alice, "admitted", &[]).await.contains("Refused"));
    let told = asked_as(&stage.server, &bob, "admitted", &[]).await;
    assert!(told.contains("Admitted(4)"), "nobody counted against bob: {told}");
    assert_eq!(stage.server.stop().await.code, 0);
}

#[tokio::test]
async fn remarks_of_one_request_are_few_and_name_no_one_whom_the_host_did_not_prove() {
    let stage = Stage::new().await;
    assert_eq!(stage.asked("remarks", &[]).await, "said");
    let lines = stage.server.stop().await.audit;
    let made_up =
        |line: &&serde_json::Value| line["reason"].as_str().unwrap_or_default().starts_with("made_up_");
    let made_up: Vec<_> = lines.iter().filter(made_up).collect();
    assert_eq!(made_up.len(), 16, "an honest guest makes one");
    for line in made_up {
        assert!(line.get("principal").is_none() && line.get("login").is_none(), "{line}");
        assert!(line["request_id"].is_string() && line["address"] == "127.0.0.1", "{line}");
    }
}

#[tokio::test]
async fn a_token_for_reading_opens_no_ticket_for_a_change() {
    let scene = Scene::new().await;
    let setup = scene.setup().set("MAX_AUTH_FAILURES", "1000000").writes("alice/demo");
    let server = setup.guest("hostile.wasm").start().await;
    let client = asked(&server, "register", &[("redirect", REDIRECT)]).await;
    let before = scene.forge.times("POST", TOKENS);
    let stage = Stage { scene, server, client, before };
    // One application, so that the grant in Gitea carries writes; the token does not.
    let token = stage.token("alice").await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let answer = send(&stage.server.url, "GET", "/write", &headers, b"").await.expect("an answer");
    assert!(!answer.text().contains("201"), "{}", answer.text());
    assert_eq!(stage.scene.forge.times("POST", "/api/v1/repos/alice/demo/issues"), 0);
    let denied = |line: &Value| line["event"] == "access_denied" && line["reason"] == "insufficient_scope";
    let lines = stage.server.audit_when(|lines| lines.iter().any(denied)).await;
    assert!(lines.iter().all(|line| line["class"] != "write"), "no intent of a change");
}
