//! MCP 2026-07-28: discovery, lists and calls of clients that state everything in each request.

use serde_json::{Value, json};

use crate::ground::{Ground, good_call};

const SERVED: [&str; 5] = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Every modern result names its kind and its server.
fn assert_modern(result: &Value) {
    assert_eq!(result["resultType"], "complete", "{result}");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "aegis-gitea-mcp", "{result}");
}

#[tokio::test]
async fn discovery_lists_every_revision_newest_first() {
    let ground = Ground::new().await;
    let answer = ground.server.modern("server/discover", json!({})).await;
    let result = &answer.json()["result"];
    assert_eq!((answer.status, &result["supportedVersions"]), (200, &json!(SERVED)));
    assert_eq!(
        result["capabilities"],
        json!({"completions": {}, "logging": {}, "prompts": {"listChanged": true},
               "resources": {"listChanged": true}, "tools": {"listChanged": true}})
    );
    assert!(result["instructions"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(result["cacheScope"], "private");
    assert!(result["ttlMs"].as_u64().is_some());
    assert_modern(result);
    assert_eq!(answer.header("mcp-session-id"), None);
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn the_list_of_tools_is_private_and_the_same_each_time() {
    let ground = Ground::new().await;
    let first = ground.server.modern("tools/list", json!({})).await;
    let result = &first.json()["result"];
    assert_eq!(result["cacheScope"], "private");
    assert!(result["ttlMs"].as_u64().is_some());
    assert_eq!(result.get("nextCursor"), None);
    assert_modern(result);
    for _ in 0..3 {
        assert_eq!(ground.server.modern("tools/list", json!({})).await.body, first.body, "byte for byte");
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_call_answers_with_structured_content_and_the_same_text() {
    let ground = Ground::new().await;
    let (name, arguments) = good_call();
    let answer = ground.server.modern("tools/call", json!({"name": name, "arguments": arguments})).await;
    let result = &answer.json()["result"];
    assert_eq!((answer.status, &result["isError"]), (200, &json!(false)), "{}", answer.text());
    assert_eq!(result["structuredContent"]["repository"]["full_name"], "alice/demo");
    let text = result["content"][0]["text"].as_str().expect("a text block");
    assert_eq!(serde_json::from_str::<Value>(text).ok().as_ref(), Some(&result["structuredContent"]));
    assert_modern(result);
    let heard: Vec<_> = ground.forge.requests().into_iter().map(|seen| (seen.method, seen.path)).collect();
    assert_eq!(heard, [("GET".to_owned(), "/api/v1/repos/alice/demo".to_owned())]);
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn names_may_travel_coded_or_padded() {
    let ground = Ground::new().await;
    let (name, arguments) = good_call();
    let message = call(name, &arguments);
    for named in ["get_repository_info", "  get_repository_info\t", "=?base64?Z2V0X3JlcG9zaXRvcnlfaW5mbw==?="]
    {
        let headers =
            [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", named)];
        let answer = ground.post("/mcp", &headers, message.as_bytes()).await;
        assert_eq!(answer.json()["result"]["isError"], false, "{named}: {}", answer.text());
    }
}

#[tokio::test]
async fn what_clients_say_of_themselves_and_of_sessions_changes_nothing() {
    let ground = Ground::new().await;
    let plain = ground.server.modern("tools/list", json!({})).await;
    let meta = json!({"io.modelcontextprotocol/clientInfo": {"name": "root", "version": "9"}, "traceparent": "00-x"});
    let told = ground.server.modern("tools/list", json!({"_meta": meta})).await;
    assert_eq!(told.body, plain.body);
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}}}});
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/list"),
        ("mcp-session-id", "stolen"),
        ("last-event-id", "7"),
    ];
    let answer = ground.post("/mcp", &headers, message.to_string().as_bytes()).await;
    assert_eq!(answer.body, plain.body);
    assert_eq!(answer.header("mcp-session-id"), None);
}

#[tokio::test]
async fn notifications_are_accepted_and_answers_to_nothing_are_not() {
    let ground = Ground::new().await;
    let modern = [("mcp-protocol-version", "2026-07-28")];
    let note = br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let answer = ground.post("/mcp", &modern, note).await;
    assert_eq!((answer.status, answer.body.len()), (202, 0));
    let answer = ground.post("/mcp", &modern, br#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await;
    ground.fault(&answer, 400, -32600, "invalid_request").await;
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_refused_call_is_a_result_that_a_model_can_act_on() {
    let ground = Ground::new().await;
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "x"});
    let answer =
        ground.server.modern("tools/call", json!({"name": "create_issue", "arguments": arguments})).await;
    let result = &answer.json()["result"];
    assert_eq!((answer.status, &result["isError"]), (200, &json!(true)), "{}", answer.text());
    assert_eq!(result["_meta"]["io.aegisgitea/reason"], "write_mode_disabled");
    assert!(result["content"][0]["text"].as_str().is_some_and(|text| text.contains("WRITE_MODE")));
    assert_modern(result);
    ground.assert_nothing_upstream();
}

/// A whole `tools/call`.
pub fn call(name: &str, arguments: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": name, "arguments": arguments, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}}}})
    .to_string()
}
