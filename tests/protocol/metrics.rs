//! `/metrics`: the names of the manual with their labels, after traffic that is known.

use std::collections::{BTreeMap, BTreeSet};

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

/// A row of a table in docs/observability.md.
pub(crate) struct Row {
    pub(crate) names: Vec<String>,
    pub(crate) kind: String,
    labels: BTreeSet<String>,
}

/// What stands in backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

pub(crate) fn documented() -> Vec<Row> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/observability.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| `aegis_")).map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 6, "{line}");
        assert!(!cells[4].is_empty(), "{line}");
        Row {
            names: quoted(cells[1]),
            kind: cells[2].to_owned(),
            labels: quoted(cells[3]).into_iter().collect(),
        }
    });
    rows.collect()
}

/// The family of a sample, where these are the histograms.
pub(crate) fn family(sample: &str, histograms: &BTreeSet<&str>) -> String {
    let parts = ["_bucket", "_sum", "_count"].iter().filter_map(|end| sample.strip_suffix(end));
    let found = parts.into_iter().find(|name| histograms.contains(name));
    found.unwrap_or(sample).to_owned()
}

/// Labels and values of one sample.
fn labels(sample: &str) -> Vec<(String, String)> {
    let Some((_, rest)) = sample.split_once('{') else { return Vec::new() };
    let inside = rest.rsplit_once('}').expect("an end").0;
    let pairs = inside.split("\",").map(|pair| pair.split_once("=\"").expect("a pair"));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned())).collect()
}

fn samples(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

#[tokio::test]
async fn what_is_served_and_what_is_documented_are_the_same_names_kinds_and_labels() {
    let rows = documented();
    let all: Vec<&String> = rows.iter().flat_map(|row| &row.names).collect();
    let kinds: BTreeMap<&str, &str> =
        rows.iter().flat_map(|row| row.names.iter().map(|name| (name.as_str(), row.kind.as_str()))).collect();
    assert_eq!(kinds.len(), all.len(), "a name has one row");
    let ground = Ground::new().await;
    let (name, arguments) = good_call();
    ground.server.tool(name, arguments).await;
    ground.server.stranger("POST", "/health", &[], b"").await;
    let answer = ground.server.stranger("GET", "/metrics", &[], b"").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    let served: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    assert_eq!(served, kinds);
    for name in served.keys() {
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
    let histograms = kinds.iter().filter(|(_, kind)| **kind == "histogram").map(|(name, _)| *name).collect();
    for line in samples(&text) {
        let family = family(line.split(['{', ' ']).next().unwrap_or_default(), &histograms);
        let row = rows.iter().find(|row| row.names.contains(&family)).unwrap_or_else(|| panic!("{line}"));
        let found: BTreeSet<String> =
            labels(line).into_iter().map(|(name, _)| name).filter(|name| name != "le").collect();
        assert_eq!(found, row.labels, "{line}");
    }
    assert!(text.contains("aegis_audit_writable 1\n"));
    let lines = ground.server.metric("aegis_audit_lines_total").await;
    assert!(lines >= 2.0, "an intent and an outcome at least: {lines}");
    let syncs = ground.server.metric("aegis_audit_sync_duration_seconds_count").await;
    assert!(syncs >= 2.0, "each was synced: {syncs}");
    let calls = r#"aegis_gitea_request_duration_seconds_count{method="GET",status="2xx"}"#;
    assert!(ground.server.metric(calls).await >= 1.0, "{text}");
    for (used, limit) in [("aegis_connections", 1024.0), ("aegis_instances", 4.0), ("aegis_streams", 1.0)] {
        assert!(ground.server.metric(&format!("{used}_limit")).await >= limit, "{used}\n{text}");
    }
}

#[tokio::test]
async fn whatever_is_asked_for_labels_stay_names_from_lists() {
    let ground = Ground::new().await;
    let server = &ground.server;
    let catalogue = server.stranger("GET", "/mcp/tools", &[], b"").await.json();
    let tools: BTreeSet<&str> = catalogue["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .chain(["unknown", "other"])
        .collect();
    for i in 0..40 {
        server.tool(&format!("tool_{i}"), json!({})).await;
        server.stranger("GET", &format!("/path-{i}?q={i}"), &[], b"").await;
        server.stranger(&format!("VERB{i}"), "/mcp", &[], b"").await;
        server.modern(&format!("method/{i}"), json!({})).await;
        server.stranger("GET", "/", &[("host", &format!("host-{i}.example"))], b"").await;
    }
    let (name, arguments) = good_call();
    server.tool(name, arguments).await;
    let text = server.stranger("GET", "/metrics", &[], b"").await.text();
    let named = |text: &str| {
        !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    for (name, value) in samples(&text).flat_map(labels) {
        let fits = match name.as_str() {
            "tool" => tools.contains(value.as_str()),
            "path" => ["/mcp", "/mcp/tools", "/mcp/tool/call", "/", "/metrics", "other", "none"]
                .contains(&value.as_str()),
            "method" => ["GET", "POST", "other"].contains(&value.as_str()),
            "status" => named(&value) || value.len() == 3,
            "digest" => value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit()),
            "le" => value == "+Inf" || value.parse::<f64>().is_ok(),
            "reason" | "outcome" | "cache" | "receiver" | "job" | "kind" => named(&value),
            _ => false,
        };
        assert!(fits, "{name}={value:?}");
    }
    let count = samples(&text).count();
    assert!(count < 400, "{count} samples\n{text}");
}
