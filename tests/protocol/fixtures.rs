//! The component of the conformance suite: the product offers nothing of it, and the path of its calls is the product's.
//! Some refusals need what no tool of the product has, and are tried with it.

use std::collections::BTreeSet;

use aegis_tests::http::Answer;
use aegis_tests::server::dist;
use serde_json::{Value, json};

use crate::ground::Ground;

async fn fixtures() -> Ground {
    Ground::with(|setup| setup.guest("fixtures.wasm")).await
}

/// What each list is called, where it is, and what its entries are known by.
const LISTS: [(&str, &str, &str); 4] = [
    ("tools/list", "tools", "name"),
    ("resources/list", "resources", "uri"),
    ("resources/templates/list", "resourceTemplates", "uriTemplate"),
    ("prompts/list", "prompts", "name"),
];

async fn offered(ground: &Ground) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (method, list, key) in LISTS {
        let answer = ground.server.modern(method, json!({})).await.json();
        let entries =
            answer["result"][list].as_array().unwrap_or_else(|| panic!("{method}: {answer}")).clone();
        found.extend(entries.iter().map(|entry| entry[key].as_str().expect("a name").to_owned()));
    }
    found
}

#[tokio::test]
async fn the_product_offers_nothing_of_the_conformance_suite() {
    let (product, suite) = (Ground::new().await, fixtures().await);
    let (ours, theirs) = (offered(&product).await, offered(&suite).await);
    assert!(ours.contains("get_issue") && theirs.contains("test_simple_text"), "{ours:?} {theirs:?}");
    assert_eq!(ours.intersection(&theirs).collect::<Vec<_>>(), [] as [&String; 0]);

    let bytes = std::fs::read(dist().join("gateway.wasm")).expect("built");
    let holds = |name: &str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
    assert!(holds("list_repositories"), "names stand in the component as they are");
    for name in &theirs {
        assert!(!holds(name), "{name} is in the product");
    }
}

#[tokio::test]
async fn a_call_of_a_fixture_is_on_record_and_asks_gitea_for_nothing() {
    let ground = fixtures().await;
    let call = json!({"name": "test_simple_text", "arguments": {}});
    let answer = ground.server.modern("tools/call", call).await;
    let result = &answer.json()["result"];
    assert_eq!(result["content"][0]["text"], "This is a simple text response for testing.", "{result}");
    let of_call = |line: &&Value| line["tool"] == "test_simple_text";
    let lines = ground.server.audit_when(|lines| lines.iter().filter(of_call).count() == 2).await;
    let statuses: Vec<&Value> = lines.iter().filter(of_call).map(|line| &line["status"]).collect();
    assert_eq!(statuses, ["pending", "success"]);
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_policy_decides_on_fixtures_as_on_any_tool() {
    let ground = Ground::with(|setup| {
        setup.guest("fixtures.wasm").policy("defaults: {read: allow}\ntools: {deny: [test_simple_text]}\n")
    })
    .await;
    let call = json!({"name": "test_simple_text", "arguments": {}});
    let answer = ground.server.modern("tools/call", call).await;
    let result = &answer.json()["result"];
    assert_eq!((&result["isError"], answer.status), (&json!(true), 200), "{result}");
    let line = ground.only_line(&answer).await;
    assert_eq!(
        (&line["event"], &line["reason"]),
        (&json!("access_denied"), &json!("policy_denied")),
        "{line}"
    );
    ground.assert_nothing_upstream();
}

/// A call of the tool whose argument stands in a header too.
async fn mirrored(ground: &Ground, region: &str, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "test_mirrored_argument"),
    ];
    all.extend_from_slice(headers);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": "test_mirrored_argument", "arguments": {"region": region}, "_meta": meta});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    ground.post("/mcp", &all, message.to_string().as_bytes()).await
}

#[tokio::test]
async fn an_argument_and_its_header_agree_or_the_call_is_refused() {
    let ground = fixtures().await;
    for header in ["eu", "  eu ", "=?base64?ZXU=?="] {
        let answer = mirrored(&ground, "eu", &[("mcp-param-region", header)]).await;
        assert_eq!((answer.status, &answer.json()["result"]["isError"]), (200, &json!(false)), "{header}");
    }
    for headers in [
        &[][..],
        &[("mcp-param-region", "us")],
        &[("mcp-param-region", "EU")],
        &[("mcp-param-region", "=?base64?ZXU?=")],
        &[("mcp-param-region", "eu"), ("mcp-param-region", "eu")],
    ] {
        let answer = mirrored(&ground, "eu", headers).await;
        ground.fault(&answer, 400, -32020, "header_mismatch").await;
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn what_a_client_has_not_declared_is_named_and_not_asked_for() {
    let ground = fixtures().await;
    for (tool, capability) in [
        ("test_missing_capability", "sampling"),
        ("test_input_required_result_list_roots", "roots"),
        ("test_input_required_result_elicitation", "elicitation"),
    ] {
        let answer = ground.server.modern("tools/call", json!({"name": tool, "arguments": {}})).await;
        ground.fault(&answer, 400, -32021, "client_capability_missing").await;
        let data = &answer.json()["error"]["data"];
        assert_eq!(data["requiredCapabilities"], json!({capability: {}}), "{data}");
    }
    ground.assert_nothing_upstream();
}
