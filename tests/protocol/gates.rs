//! The local gates of a tool call, and Gitea's own failures: each by its name, over both doors.

use aegis_tests::forge::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::ground::{Ground, legacy};

/// The call is refused before anything is sent, by this name, over MCP and over the direct door.
async fn gate(ground: &Ground, tool: &str, arguments: Value, reason: &str) {
    let params = json!({"name": tool, "arguments": arguments});
    let mcp = ground.server.legacy(&legacy(json!(1), "tools/call", params)).await;
    assert_eq!(mcp.json()["result"]["_meta"]["io.aegisgitea/reason"], reason, "{}", mcp.text());
    let direct = ground.server.tool(tool, arguments).await;
    assert_eq!((direct.status, &direct.json()["error"]["code"]), (403, &json!(reason)), "{}", direct.text());
    for answer in [mcp, direct] {
        let line = ground.only_line(&answer).await;
        assert_eq!((&line["event"], &line["reason"]), (&json!("access_denied"), &json!(reason)), "{line}");
        assert_eq!((&line["tool"], &line["principal"]), (&json!(tool), &json!("laptop")));
    }
    ground.assert_nothing_upstream();
}

fn issue(repo: &str) -> Value {
    json!({"owner": "alice", "repo": repo, "title": "x"})
}

#[tokio::test]
async fn writes_are_off_unless_the_operator_turns_them_on() {
    let ground = Ground::new().await;
    gate(&ground, "create_issue", issue("demo"), "write_mode_disabled").await;
}

#[tokio::test]
async fn a_write_to_a_repository_that_is_not_listed_is_refused() {
    let ground = Ground::with(|setup| setup.writes("alice/private")).await;
    gate(&ground, "create_issue", issue("demo"), "repository_not_writable").await;
}

#[tokio::test]
async fn what_the_policy_denies_is_refused_for_reads_and_writes() {
    let deny = "defaults: {read: deny, write: deny}\n";
    let ground = Ground::with(|setup| setup.writes("alice/*").policy(deny)).await;
    gate(&ground, "create_issue", issue("demo"), "policy_denied").await;
    gate(&ground, "get_repository_info", json!({"owner": "alice", "repo": "demo"}), "policy_denied").await;
}

#[tokio::test]
async fn failures_of_gitea_have_names_and_an_outcome_on_record() {
    let ground = Ground::new().await;
    for (kind, reason) in [
        (FaultKind::Status(400), "gitea_bad_request"),
        (FaultKind::Status(401), "gitea_unauthorized"),
        (FaultKind::Status(403), "repository_permission_denied"),
        (FaultKind::Status(404), "not_found"),
        (FaultKind::Status(409), "conflict"),
        (FaultKind::Status(412), "precondition_failed"),
        (FaultKind::Status(413), "gitea_request_too_large"),
        (FaultKind::Status(418), "gitea_unexpected_status"),
        (FaultKind::Status(422), "unprocessable"),
        (FaultKind::Status(423), "repository_locked"),
        (FaultKind::Status(429), "gitea_busy"),
        (FaultKind::Status(500), "gitea_failed"),
        (FaultKind::RetryAfter(503, "30"), "gitea_busy"),
        (FaultKind::BadJson, "gitea_answer_not_json"),
        (FaultKind::CloseMidBody, "gitea_answer_broken"),
    ] {
        ground.forge.forget();
        ground.forge.next_fault(Fault::on("/repos/alice/demo", kind.clone()));
        let params = json!({"name": "get_repository_info", "arguments": {"owner": "alice", "repo": "demo"}});
        let answer = ground.server.modern("tools/call", params).await;
        let result = &answer.json()["result"];
        assert_eq!((answer.status, &result["isError"]), (200, &json!(true)), "{kind:?}: {}", answer.text());
        assert_eq!(result["_meta"]["io.aegisgitea/reason"], reason, "{kind:?}: {}", answer.text());
        let lines = ground.server.audit();
        let ticket = &result["_meta"]["correlation_id"];
        let outcome = lines.iter().rfind(|line| line["ticket"] == *ticket).expect("an outcome");
        assert_eq!(outcome["reason"], reason, "{kind:?}: {outcome}");
        assert_eq!(ground.forge.requests().len(), 1, "{kind:?}: not repeated");
        assert_eq!(ground.forge.violations(), [] as [String; 0]);
    }
}
