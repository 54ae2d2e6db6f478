//! A Gitea that was away when the server started and turns out to be too old when it comes: nobody signs in through it,
//! and nobody who had signed in before reaches it.

use aegis_tests::browser::Browser;
use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::Server;
use aegis_tests::sign_in::call;
use serde_json::{Value, json};

use super::Desk;
use crate::scene::password;

const VERSION: &str = "/api/v1/version";

async fn ready(server: &Server) -> (u16, Value) {
    let answer = server.stranger("GET", "/ready", &[], b"").await;
    (answer.status, answer.json()["reasons"].clone())
}

/// Wait until `/ready` says this.
async fn until(server: &Server, expected: (u16, Value)) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while ready(server).await != expected {
        assert!(tokio::time::Instant::now() < deadline, "{:?}, not {expected:?}", ready(server).await);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// A call with a token: status, name and message of its error, and the audit lines about it.
async fn called(desk: &Desk, token: &str) -> (u16, String, String, Vec<Value>) {
    let at = json!({"owner": "alice", "repo": "demo"});
    let answer = call(&desk.server.url, token, "get_repository_info", &at).await;
    let error = answer.json()["error"].clone();
    let id = answer.header("x-request-id").unwrap_or_default().to_owned();
    let lines = desk.server.audit().into_iter().filter(|line| line["request_id"] == id.as_str());
    let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
    (answer.status, text("code"), text("message"), lines.collect())
}

#[tokio::test]
async fn a_gitea_that_comes_late_and_is_too_old_is_refused_until_it_is_updated() {
    let mut desk = Desk::new().await;
    let tokens = desk.client.tokens("alice", &password("alice"), false).await;
    desk.secret(&tokens.access);
    desk.scene.forge.every_fault(Fault::on(VERSION, FaultKind::Close));
    let mut desk = desk.restarted(|setup| setup).await;
    assert_eq!(ready(&desk.server).await, (503, json!(["gitea_unreachable"])));
    // Nobody knows yet what it is: it is not given a chance to be too old.
    let (status, code, _, lines) = called(&desk, &tokens.access).await;
    assert_eq!((status, code.as_str()), (502, "gitea_unreachable"));
    assert!(lines.iter().any(|line| line["reason"] == "gitea_unreachable"), "{lines:#?}");

    desk.scene.forge.mend();
    // With discovery away nothing but the version can be looked at, and no code is presented.
    desk.scene.forge.every_fault(Fault::on("/.well-known/openid-configuration", FaultKind::Close));
    desk.scene.forge.every_fault(Fault::on(VERSION, FaultKind::Instead(200, json!({"version": "1.26.1"}))));
    until(&desk.server, (503, json!(["gitea_too_old"]))).await;

    let (status, code, message, lines) = called(&desk, &tokens.access).await;
    assert_eq!((status, code.as_str()), (502, "gitea_request_not_sent"), "{message}");
    assert!(message.contains("MIN_GITEA_VERSION"), "{message}");
    let outcome = lines.last().expect("an outcome");
    assert_eq!(outcome["reason"], "gitea_request_not_sent", "{outcome}");

    let mut browser = Browser::new();
    let url = desk.before_return(&mut browser, false).await;
    let page = browser.get(&url).await;
    assert_eq!(page.status(), 502, "{}", page.text());
    assert!(page.text().contains("<code>gitea_application_refused</code>"), "{}", page.text());
    let id = page.answer.header("x-request-id").expect("an id").to_owned();
    let lines = desk
        .server
        .audit_when(|lines| lines.iter().filter(|line| line["request_id"] == id.as_str()).count() >= 2)
        .await;
    let host =
        lines.iter().find(|line| line["request_id"] == id.as_str() && line["reason"] == "login_refused");
    assert_eq!(host.expect("the host's line")["detail"]["cause"], "gitea_too_old");
    let heard = desk.scene.forge.upstream();
    let others: Vec<_> =
        heard.iter().filter(|line| !line.ends_with(VERSION) && !line.contains("/.well-known/")).collect();
    assert!(others.is_empty(), "no code, no call: {others:?}");

    desk.scene.forge.mend();
    until(&desk.server, (200, json!([]))).await;
    assert_eq!(called(&desk, &tokens.access).await.0, 200, "what was granted before is good again");
    let again = desk.client.tokens("alice", &password("alice"), false).await;
    assert_eq!(called(&desk, &again.access).await.0, 200);
    let stopped = desk.server.stop().await;
    assert_eq!(stopped.code, 0);
    assert!(!stopped.log.contains(&tokens.access));
}
