//! `POST /mcp/tool/call`: the request and the errors of the manual.

use aegis_tests::forge::{Fault, FaultKind};
use serde_json::json;

use crate::ground::{Ground, good_call};

#[tokio::test]
async fn a_call_answers_with_its_result() {
    let ground = Ground::new().await;
    let (name, arguments) = good_call();
    let answer = ground.server.tool(name, arguments).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["success"]), (200, &json!(true)), "{said}");
    assert_eq!(said["result"]["repository"]["full_name"], "alice/demo");
    assert!(said["correlation_id"].as_str().is_some());
    assert_eq!(said.as_object().map(serde_json::Map::len), Some(3), "{said}");
    assert_eq!(ground.forge.requests().len(), 1);
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn a_tool_without_arguments_needs_none() {
    let ground = Ground::new().await;
    let answer = ground.post("/mcp/tool/call", &[], br#"{"tool":"list_repositories"}"#).await;
    assert_eq!((answer.status, &answer.json()["success"]), (200, &json!(true)), "{}", answer.text());
}

#[tokio::test]
async fn a_body_that_is_no_call_is_malformed() {
    let ground = Ground::new().await;
    let long = format!(r#"{{"tool":"get_issue","correlation_id":"{}"}}"#, "x".repeat(65));
    for body in [
        "[]",
        "null",
        "{}",
        r#"{"name":"get_issue"}"#,
        r#"{"tool":null}"#,
        r#"{"tool":["get_issue"]}"#,
        r#"{"tool":"get_issue","arguments":{},"extra":1}"#,
        r#"{"tool":"get_issue","tool":"get_issue"}"#,
        r#"{"tool":"get_issue","correlation_id":""}"#,
        r#"{"tool":"get_issue","correlation_id":"a b"}"#,
        r#"{"tool":"get_issue","correlation_id":"a\nb"}"#,
        r#"{"tool":"get_issue","correlation_id":7}"#,
        &long,
    ] {
        let answer = ground.post("/mcp/tool/call", &[], body.as_bytes()).await;
        ground.refused(&answer, 400, "access_denied", "malformed_body").await;
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn every_kind_of_failure_has_the_status_of_the_manual() {
    let ground = Ground::new().await;
    let demo = json!({"owner": "alice", "repo": "demo"});
    for (tool, arguments, status, code) in [
        ("no_such_tool", json!({}), 404, "unknown_tool"),
        ("get_repository_info", json!({"owner": "alice"}), 400, "invalid_arguments"),
        ("create_issue", json!({"owner": "alice", "repo": "demo", "title": "x"}), 403, "write_mode_disabled"),
    ] {
        let answer = ground.server.tool(tool, arguments).await;
        let said = answer.json();
        assert_eq!((answer.status, &said["error"]["code"]), (status, &json!(code)), "{said}");
        assert_eq!(said["success"], false);
        assert!(said["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{said}");
        let line = ground.only_line(&answer).await;
        assert_eq!((&line["event"], &line["reason"]), (&json!("access_denied"), &json!(code)));
    }
    ground.assert_nothing_upstream();
    for (fault, status, code) in [
        (FaultKind::Status(401), 502, "gitea_unauthorized"),
        (FaultKind::Status(403), 403, "repository_permission_denied"),
        (FaultKind::Status(404), 404, "not_found"),
        (FaultKind::Status(409), 409, "conflict"),
        (FaultKind::Status(422), 422, "unprocessable"),
        (FaultKind::Status(429), 429, "gitea_busy"),
        (FaultKind::Status(500), 502, "gitea_failed"),
        (FaultKind::BadJson, 502, "gitea_answer_not_json"),
    ] {
        ground.forge.forget();
        ground.forge.next_fault(Fault::on("/repos/alice/demo", fault.clone()));
        let answer = ground.server.tool("get_repository_info", demo.clone()).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (status, &json!(code)),
            "{}",
            answer.text()
        );
        assert!(
            answer.header("www-authenticate").is_none(),
            "the caller's own credential is good: {fault:?}"
        );
        assert_eq!(ground.forge.requests().len(), 1, "a failed request is not repeated");
    }
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn nothing_of_the_inside_is_told() {
    let ground = Ground::new().await;
    ground.forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Status(500)));
    let (name, arguments) = good_call();
    let text = ground.server.tool(name, arguments).await.text();
    for inside in
        ["127.0.0.1", "panicked", ".rs", "backtrace", "wasm", "/api/v1", aegis_tests::forge::world::SVC_TOKEN]
    {
        assert!(!text.contains(inside), "{inside} in {text}");
    }
}
