//! The token that a person's request goes to Gitea with: it comes back in no answer and stands in no line, also where nothing
//! else is masked.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::http::{Answer, send};
use aegis_tests::server::of_event;
use aegis_tests::sign_in::{Client, Tokens, call};
use serde_json::{Value, json};

use crate::scene::{Scene, password};

/// How every JWT begins, which Gitea's access tokens are.
const BEGINNING: &str = "eyJ";

/// The same call over MCP, whose answer says everything twice.
async fn over_mcp(server: &str, tokens: &Tokens, tool: &str, arguments: &Value) -> Answer {
    let bearer = format!("Bearer {}", tokens.access);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    let params = json!({"name": tool, "arguments": arguments});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    send(server, "POST", "/mcp", &headers, message.to_string().as_bytes()).await.expect("an answer")
}

#[tokio::test]
async fn the_token_of_a_person_toward_gitea_is_masked_in_what_they_are_told() {
    let scene = Scene::new().await;
    let server = scene.setup().set("SECRET_DETECTION_MODE", "off").start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), false).await;
    scene.forge.forget();
    // A Gitea, or something before it, that tells a client its own token.
    scene.forge.every_fault(Fault::on("/issues/1", FaultKind::Echo("body")));
    let (tool, arguments) = ("get_issue", json!({"owner": "alice", "repo": "demo", "issue_number": 1}));
    let direct = call(&server.url, &bob.access, tool, &arguments).await;
    let mcp = over_mcp(&server.url, &bob, tool, &arguments).await;
    for (answer, places) in [(&direct, 2), (&mcp, 4)] {
        let text = answer.text();
        assert_eq!((answer.status, answer.complete), (200, true), "{text}");
        // The one that Gitea has written, and the one that is put together when the hidden character is taken out.
        let stars: Vec<&str> =
            text.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(told, _)| told).collect();
        assert_eq!(stars.len(), places, "{text}");
        for told in stars {
            assert!(told.len() > 200 && told.bytes().all(|byte| byte == b'*'), "{text}");
        }
        assert!(!text.contains(BEGINNING), "{text}");
    }
    assert!(scene.forge.requests().iter().all(|seen| seen.user.as_deref() == Some("bob")));
    assert!(server.metric("aegis_own_secrets_total{outcome=\"masked\"}").await >= 2.0);

    let stopped = server.stop().await;
    let mut masked = of_event(&stopped.audit, "security_event");
    masked.retain(|line| line["reason"] == "own_secret_masked");
    assert_eq!(masked.len(), 2, "one line for each request: {masked:#?}");
    assert!(
        masked.iter().all(|line| line["principal"].as_str().is_some_and(|who| who.starts_with("gitea-")))
    );
    let on_disk = stopped.audit.iter().map(Value::to_string).collect::<String>();
    assert!(!on_disk.contains(BEGINNING) && !stopped.log.contains(BEGINNING), "{on_disk} {}", stopped.log);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}
