//! `AUTH_ENABLED=false`: every program on this machine is `anonymous`, and nothing else gets looser.

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::server::Setup;
use serde_json::json;

use crate::ground::{Ground, good_call};

async fn open() -> Ground {
    Ground::with(|setup| setup.set("AUTH_ENABLED", "false").unset("MCP_API_KEYS")).await
}

#[tokio::test]
async fn a_caller_without_a_key_is_anonymous_on_record() {
    let ground = open().await;
    let (name, arguments) = good_call();
    let body = json!({"tool": name, "arguments": arguments}).to_string();
    let headers = [("content-type", "application/json")];
    let answer = ground.server.stranger("POST", "/mcp/tool/call", &headers, body.as_bytes()).await;
    assert_eq!((answer.status, &answer.json()["success"]), (200, &json!(true)), "{}", answer.text());
    let lines = ground.server.audit();
    let calls = aegis_tests::server::of_event(&lines, "tool_invocation");
    assert_eq!(calls.iter().map(|line| &line["principal"]).collect::<Vec<_>>(), ["anonymous", "anonymous"]);
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn places_limits_and_the_write_gate_hold_as_ever() {
    let change = |setup: Setup| {
        setup.set("AUTH_ENABLED", "false").unset("MCP_API_KEYS").set("TOKEN_RATE_LIMIT_PER_MINUTE", "2")
    };
    let ground = Ground::with(change).await;
    let headers = [("content-type", "application/json")];
    let foreign = [headers[0], ("origin", "https://evil.example")];
    let answer = ground.server.stranger("POST", "/mcp", &foreign, b"{}").await;
    ground.refused(&answer, 403, "security_event", "foreign_origin").await;
    let write =
        json!({"tool": "create_issue", "arguments": {"owner": "alice", "repo": "demo", "title": "x"}});
    let answer =
        ground.server.stranger("POST", "/mcp/tool/call", &headers, write.to_string().as_bytes()).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (403, &json!("write_mode_disabled")));
    let answer = ground.server.stranger("POST", "/mcp?token=x", &headers, b"{}").await;
    ground.refused(&answer, 400, "security_event", "token_in_query").await;
    let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(ground.server.stranger("POST", "/mcp", &headers, ping).await.status, 200);
    let answer = ground.server.stranger("POST", "/mcp", &headers, ping).await;
    ground.refused(&answer, 429, "access_denied", "rate_limited").await;
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn an_open_server_does_not_start_where_others_could_reach_it() {
    let rows: &[&[(&str, &str)]] = &[
        &[("MCP_HOST", "0.0.0.0"), ("ALLOW_INSECURE_BIND", "true")],
        &[("MCP_HOST", "::"), ("ALLOW_INSECURE_BIND", "true")],
    ];
    for row in rows {
        let setup = Setup::new("http://127.0.0.1:1", SVC_TOKEN).set("AUTH_ENABLED", "false");
        let setup = row.iter().fold(setup, |setup, (name, value)| setup.set(name, value));
        let (code, said) = setup.refused().await;
        assert!(code != 0 && said.contains("AUTH_ENABLED"), "{row:?}: {code} {said}");
        assert!(!said.contains(SVC_TOKEN));
    }
}
