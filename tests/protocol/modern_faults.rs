//! What breaks MCP 2026-07-28, as the specification tables it: the condition, the status, the code.

use serde_json::{Value, json};

use crate::ground::Ground;

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

fn meta(version: &str) -> Value {
    json!({VERSION: version, CAPABILITIES: {}})
}

fn message(method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "id": "q-1", "method": method, "params": params}).to_string()
}

/// Headers of a right request for `tools/list`.
const LIST: &[(&str, &str)] = &[("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")];

#[tokio::test]
async fn every_request_carries_its_meta() {
    let ground = Ground::new().await;
    for params in [
        json!({}),
        json!({"_meta": null}),
        json!({"_meta": []}),
        json!({"_meta": {}}),
        json!({"_meta": {CAPABILITIES: {}}}),
        json!({"_meta": {VERSION: 20_260_728, CAPABILITIES: {}}}),
        json!({"_meta": {VERSION: "2026-07-28"}}),
        json!({"_meta": {VERSION: "2026-07-28", CAPABILITIES: []}}),
        json!({"_meta": {VERSION: "2026-07-28", CAPABILITIES: null}}),
    ] {
        let answer = ground.post("/mcp", LIST, message("tools/list", params.clone()).as_bytes()).await;
        ground.fault(&answer, 400, -32602, "invalid_params").await;
        assert_eq!(answer.json()["id"], "q-1", "{params}");
    }
    let discover = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "server/discover")];
    let answer = ground.post("/mcp", &discover, message("server/discover", json!({})).as_bytes()).await;
    ground.fault(&answer, 400, -32602, "invalid_params").await;
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn headers_repeat_the_body_or_the_request_is_refused() {
    let ground = Ground::new().await;
    let version = ("mcp-protocol-version", "2026-07-28");
    let method = ("mcp-method", "tools/call");
    let rows: &[&[(&str, &str)]] = &[
        &[method, ("mcp-name", "get_issue")],
        &[("mcp-protocol-version", "2025-11-25"), method, ("mcp-name", "get_issue")],
        &[version, version, method, ("mcp-name", "get_issue")],
        &[version, ("mcp-name", "get_issue")],
        &[version, ("mcp-method", "tools/list"), ("mcp-name", "get_issue")],
        &[version, ("mcp-method", "Tools/Call"), ("mcp-name", "get_issue")],
        &[version, ("mcp-method", "=?base64?dG9vbHMvY2FsbA==?="), ("mcp-name", "get_issue")],
        &[version, method],
        &[version, method, ("mcp-name", "")],
        &[version, method, ("mcp-name", "list_issues")],
        &[version, method, ("mcp-name", "GET_ISSUE")],
        &[version, method, ("mcp-name", "get_issue"), ("mcp-name", "get_issue")],
        &[version, method, ("mcp-name", "=?base64?Z2V0X2lzc3Vl?=x")],
        &[version, method, ("mcp-name", "=?base64?Z2V0X2lzc3V=?=")],
        &[version, method, ("mcp-name", "=?base64?/////w==?=")],
        &[version, method, ("mcp-name", "=?base64?bGlzdF9pc3N1ZXM=?=")],
        &[version, method, ("mcp-name", "g\u{e9}t_issue")],
    ];
    let params = json!({"name": "get_issue", "arguments": {"owner": "alice", "repo": "demo", "issue_number": 1},
        "_meta": meta("2026-07-28")});
    for headers in rows {
        let answer = ground.post("/mcp", headers, message("tools/call", params.clone()).as_bytes()).await;
        assert_eq!(answer.json()["error"]["code"], -32020, "{headers:?}: {}", answer.text());
        ground.fault(&answer, 400, -32020, "header_mismatch").await;
        assert_eq!(answer.json()["id"], "q-1");
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn prompts_and_resources_are_named_in_a_header_before_they_are_found_missing() {
    let ground = Ground::new().await;
    for (method, field, name, reason) in [
        ("prompts/get", "name", "p", "invalid_params"),
        ("resources/read", "uri", "test://x", "no_such_resource"),
    ] {
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        let body = message(method, json!({field: name, "_meta": meta("2026-07-28")}));
        let unnamed = ground.post("/mcp", &headers, body.as_bytes()).await;
        ground.fault(&unnamed, 400, -32020, "header_mismatch").await;
        let headers = [headers[0], headers[1], ("mcp-name", name)];
        let named = ground.post("/mcp", &headers, body.as_bytes()).await;
        ground.fault(&named, 400, -32602, reason).await;
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_revision_that_is_not_served_is_answered_with_those_that_are() {
    let ground = Ground::new().await;
    // A legacy revision in the body makes a modern request of a revision without such requests.
    for version in ["2099-01-01", "2026-07-29", "", "2025-11-25", "../../etc"] {
        let headers = [("mcp-protocol-version", version), ("mcp-method", "tools/list")];
        let body = message("tools/list", json!({"_meta": meta(version)}));
        let answer = ground.post("/mcp", &headers, body.as_bytes()).await;
        ground.fault(&answer, 400, -32022, "unsupported_version").await;
        let data = &answer.json()["error"]["data"];
        assert_eq!(data["requested"], version);
        let served = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
        assert_eq!(data["supported"], json!(served));
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn methods_that_were_removed_or_never_were_are_not_found() {
    let ground = Ground::new().await;
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "resources/write",
        "prompts/set",
        "tasks/get",
        "tools/Call",
        "tools/delete",
        "rpc.discover",
    ] {
        let answer = ground.server.modern(method, json!({})).await;
        ground.fault(&answer, 404, -32601, "unknown_method").await;
        assert_eq!(answer.json()["id"], 1, "{method}");
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn parameters_of_the_protocol_itself_are_checked() {
    let ground = Ground::new().await;
    let answer = ground.server.modern("tools/call", json!({"name": "no_such_tool"})).await;
    ground.fault(&answer, 400, -32602, "unknown_tool").await;
    assert_eq!(answer.json()["error"]["data"]["reason"], "unknown_tool");
    for (method, params) in [
        ("tools/call", json!({})),
        ("tools/call", json!({"name": 7})),
        ("tools/call", json!({"name": null})),
        ("tools/call", json!({"name": "get_issue", "_meta": {"progressToken": {}}})),
        ("tools/call", json!({"name": "get_issue", "_meta": {"progressToken": 1.5}})),
        ("tools/list", json!({"cursor": "2"})),
    ] {
        let answer = ground.server.modern(method, params.clone()).await;
        assert_eq!(answer.json()["error"]["code"], -32602, "{params}");
        ground.fault(&answer, 400, -32602, "invalid_params").await;
    }
    ground.assert_nothing_upstream();
}
