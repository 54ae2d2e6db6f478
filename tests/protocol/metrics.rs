//! `/metrics`: the names of the manual with their labels, after traffic that is known.

use std::collections::BTreeSet;

use serde_json::json;

use crate::ground::{Ground, good_call};

#[tokio::test]
async fn known_traffic_gives_known_counts() {
    let ground = Ground::new().await;
    let server = &ground.server;
    let (name, arguments) = good_call();
    for _ in 0..2 {
        assert_eq!(server.tool(name, arguments.clone()).await.status, 200);
    }
    assert_eq!(server.modern("tools/call", json!({"name": name, "arguments": arguments})).await.status, 200);
    server.tool(name, json!({"owner": "alice"})).await;
    server.tool("create_issue", json!({"owner": "alice", "repo": "demo", "title": "x"})).await;
    server.tool("no_such_tool_9f3", json!({})).await;
    server.stranger("POST", "/mcp", &[], b"{}").await;
    server.stranger("GET", "/secret-path-9f3", &[], b"").await;
    server.stranger("BREW", "/", &[], b"").await;
    server.stranger("GET", "/health", &[], b"").await;
    server.ask("POST", "/mcp/sse", &[("content-type", "text/plain")], b"").await;
    let text = server.stranger("GET", "/metrics", &[], b"").await.text();
    for line in [
        r#"aegis_http_requests_total{method="POST",path="/mcp/tool/call",status="200"} 2"#,
        r#"aegis_http_requests_total{method="POST",path="/mcp/tool/call",status="400"} 1"#,
        r#"aegis_http_requests_total{method="POST",path="/mcp/tool/call",status="403"} 1"#,
        r#"aegis_http_requests_total{method="POST",path="/mcp/tool/call",status="404"} 1"#,
        r#"aegis_http_requests_total{method="POST",path="/mcp",status="200"} 1"#,
        r#"aegis_http_requests_total{method="POST",path="/mcp",status="401"} 1"#,
        r#"aegis_http_requests_total{method="POST",path="/mcp/sse",status="415"} 1"#,
        r#"aegis_http_requests_total{method="GET",path="other",status="404"} 1"#,
        r#"aegis_http_requests_total{method="other",path="/",status="405"} 1"#,
        r#"aegis_http_requests_total{method="GET",path="/health",status="200"} 1"#,
        r#"aegis_tool_calls_total{tool="get_repository_info",status="success"} 3"#,
        r#"aegis_tool_calls_total{tool="get_repository_info",status="error"} 1"#,
        r#"aegis_tool_calls_total{tool="create_issue",status="denied"} 1"#,
        r#"aegis_tool_calls_total{tool="unknown",status="error"} 1"#,
        r#"aegis_tool_duration_seconds_count{tool="get_repository_info"} 4"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    let sum = server.metric(r#"aegis_tool_duration_seconds_sum{tool="get_repository_info"}"#).await;
    assert!(sum > 0.0, "{text}");
    for made_up in ["9f3", "alice", "demo", "laptop", "BREW", "127.0.0.1"] {
        assert!(!text.contains(made_up), "{made_up} became a label:\n{text}");
    }
}

#[tokio::test]
async fn the_names_are_those_of_the_manual_and_the_documented_few_besides() {
    let ground = Ground::new().await;
    let (name, arguments) = good_call();
    ground.server.tool(name, arguments).await;
    ground.server.stranger("POST", "/health", &[], b"").await;
    let answer = ground.server.stranger("GET", "/metrics", &[], b"").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    let sample = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
    let names: BTreeSet<String> = text.lines().filter(|line| !line.starts_with('#')).map(sample).collect();
    let expected = [
        "aegis_audit_free_bytes",
        "aegis_audit_lines_total",
        "aegis_audit_signed_lines",
        "aegis_audit_writable",
        "aegis_gitea_kept_back_total",
        "aegis_gitea_left_alone",
        "aegis_gitea_repeated_total",
        "aegis_guest_generation",
        "aegis_guest_info",
        "aegis_host_refusals_total",
        "aegis_http_requests_total",
        "aegis_instance_memory_bytes",
        "aegis_instances",
        "aegis_policy_info",
        "aegis_streams",
        "aegis_streams_ended_total",
        "aegis_tool_calls_total",
        "aegis_tool_duration_seconds_count",
        "aegis_tool_duration_seconds_sum",
        "aegis_writes_on",
    ];
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    for name in expected {
        assert!(
            text.contains(&format!("# HELP {name} ")) && text.contains(&format!("# TYPE {name} ")),
            "{name}"
        );
    }
    assert!(text.contains("aegis_audit_writable 1\n"));
    let lines = ground.server.metric("aegis_audit_lines_total").await;
    assert!(lines >= 2.0, "an intent and an outcome at least: {lines}");
}
