//! MCP up to 2025-11-25: the handshake, what follows it, and nothing of the later era on its wire.

use serde_json::{Value, json};

use crate::ground::{Ground, good_call, legacy};

#[tokio::test]
async fn initialize_echoes_a_revision_that_is_served_and_offers_the_newest_otherwise() {
    let ground = Ground::new().await;
    let table = [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2024-11-05"),
        ("2024-10-07", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("2099-01-01", "2025-11-25"),
        ("", "2025-11-25"),
    ];
    for (asked, agreed) in table {
        let params = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
        let message = legacy(json!(0), "initialize", params).to_string();
        // Some bridges name the method in a header of the later era; that makes no modern request of it.
        for headers in [&[][..], &[("mcp-method", "initialize")], &[("mcp-protocol-version", "2025-06-18")]] {
            let answer = ground.post("/mcp", headers, message.as_bytes()).await;
            let said = answer.json();
            assert_eq!(
                (answer.status, &said["result"]["protocolVersion"]),
                (200, &json!(agreed)),
                "{asked}: {said}"
            );
            assert_eq!(said["id"], 0);
            assert_eq!(
                said["result"]["capabilities"],
                json!({"completions": {}, "logging": {}, "prompts": {"listChanged": true},
                    "resources": {"listChanged": true}, "tools": {"listChanged": true}})
            );
            assert_eq!(said["result"]["serverInfo"]["name"], "aegis-gitea-mcp");
            assert!(said["result"]["instructions"].as_str().is_some_and(|text| !text.is_empty()));
            assert_eq!(answer.header("mcp-session-id"), None, "there are no sessions");
        }
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn initialize_without_a_revision_is_told_what_is_missing() {
    let ground = Ground::new().await;
    for params in [json!({}), json!({"protocolVersion": 3}), json!({"protocolVersion": null})] {
        let answer = ground.server.legacy(&legacy(json!(1), "initialize", params)).await;
        ground.fault(&answer, 200, -32602, "invalid_params").await;
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_ping_is_answered_with_an_empty_result() {
    let ground = Ground::new().await;
    for version in [None, Some("2024-11-05"), Some("2025-03-26"), Some("2025-06-18"), Some("2025-11-25")] {
        let headers: Vec<_> = version.map(|version| ("mcp-protocol-version", version)).into_iter().collect();
        let answer = ground.post("/mcp", &headers, br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await;
        assert_eq!(answer.json(), json!({"jsonrpc": "2.0", "id": 1, "result": {}}), "{version:?}");
    }
}

#[tokio::test]
async fn ids_come_back_as_they_were_sent() {
    let ground = Ground::new().await;
    let big = 9_007_199_254_740_993_u64;
    for id in [
        json!(0),
        json!(-7),
        json!(big),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!("a-1"),
        json!("1"),
    ] {
        let answer = ground.server.legacy(&legacy(id.clone(), "ping", json!({}))).await.json();
        assert_eq!(answer["id"], id);
    }
    let exotic = json!("\u{2028}\"\\\u{1F600}");
    assert_eq!(ground.server.legacy(&legacy(exotic.clone(), "ping", json!({}))).await.json()["id"], exotic);
}

#[tokio::test]
async fn notifications_are_accepted_without_a_body_and_replies_to_nothing_are_not() {
    let ground = Ground::new().await;
    for message in [
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}),
        json!({"jsonrpc": "2.0", "method": "notifications/of_no_kind"}),
    ] {
        let answer = ground.server.legacy(&message).await;
        assert_eq!((answer.status, answer.body.len()), (202, 0), "{message}");
    }
    for reply in [
        json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
        json!({"jsonrpc": "2.0", "id": "x", "error": {"code": -1, "message": "no"}}),
    ] {
        let answer = ground.server.legacy(&reply).await;
        ground.fault(&answer, 400, -32600, "no_such_question").await;
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn methods_that_are_not_offered_are_unknown() {
    let ground = Ground::new().await;
    for method in [
        "server/discover",
        "resources/List",
        "prompts",
        "subscriptions/listen",
        "tasks/list",
        "tools/Call",
        "initialized",
        "PING",
        "\u{0}\r\nX: 1",
    ] {
        let answer = ground.server.legacy(&legacy(json!("m"), method, json!({}))).await;
        ground.fault(&answer, 200, -32601, "unknown_method").await;
        assert_eq!(answer.json()["id"], "m");
        assert!(!answer.text().contains('\n'), "{}", answer.text());
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn the_legacy_wire_bears_nothing_of_the_later_era() {
    let ground = Ground::new().await;
    let (name, arguments) = good_call();
    let list = ground.server.legacy(&legacy(json!(1), "tools/list", json!({}))).await.json();
    let call = legacy(json!(2), "tools/call", json!({"name": name, "arguments": arguments}));
    let call = ground.server.legacy(&call).await.json();
    assert_eq!(call["result"]["isError"], false, "{call}");
    assert_eq!(call["result"]["structuredContent"]["repository"]["full_name"], "alice/demo");
    let text = call["result"]["content"][0]["text"].as_str().expect("a text block");
    assert_eq!(serde_json::from_str::<Value>(text).ok().as_ref(), Some(&call["result"]["structuredContent"]));
    for result in [&list["result"], &call["result"]] {
        for key in ["resultType", "ttlMs", "cacheScope"] {
            assert_eq!(result.get(key), None, "{key}");
        }
        assert_eq!(result["_meta"].get("io.modelcontextprotocol/serverInfo"), None);
    }
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn an_unknown_tool_is_an_error_and_nothing_is_asked() {
    let ground = Ground::new().await;
    let answer =
        ground.server.legacy(&legacy(json!(1), "tools/call", json!({"name": "delete_repository"}))).await;
    ground.fault(&answer, 200, -32602, "unknown_tool").await;
    assert_eq!(answer.json()["error"]["data"]["reason"], "unknown_tool");
    let answer = ground.server.legacy(&legacy(json!(1), "tools/list", json!({"cursor": "x"}))).await;
    ground.fault(&answer, 200, -32602, "invalid_params").await;
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_header_that_contradicts_the_body_is_refused_here_too() {
    let ground = Ground::new().await;
    let call = legacy(json!(1), "tools/call", json!({"name": "get_issue", "arguments": {}})).to_string();
    for headers in [
        &[("mcp-method", "tools/list")][..],
        &[("mcp-method", "tools/call"), ("mcp-name", "list_issues")],
        &[("mcp-name", "=?base64?bGlzdF9pc3N1ZXM=?=")],
        &[("mcp-method", "tools/call"), ("mcp-method", "tools/call")],
    ] {
        let answer = ground.post("/mcp", headers, call.as_bytes()).await;
        ground.fault(&answer, 400, -32020, "header_mismatch").await;
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_revision_that_never_was_is_refused() {
    let ground = Ground::new().await;
    let ping = legacy(json!(5), "ping", json!({})).to_string();
    for version in ["1999-01-01", "2025-11-26", "latest", "2025-11-25, 2025-06-18"] {
        let answer = ground.post("/mcp", &[("mcp-protocol-version", version)], ping.as_bytes()).await;
        assert_eq!(answer.status, 400, "{version}: {}", answer.text());
        assert_eq!(answer.json()["id"], 5);
    }
    ground.assert_nothing_upstream();
}
