//! Ids: one for each request in and out, one for each call, and the same in answer, record and upstream request.

use serde_json::{Value, json};

use crate::ground::{Ground, good_call, legacy, request_id};
use crate::raw::{authority, exchange};

fn is_ours(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[tokio::test]
async fn a_fit_request_id_comes_back_and_is_recorded() {
    let ground = Ground::new().await;
    for id in ["a", "req-1_2.3", &"x".repeat(64)] {
        for path in ["/", "/nothing", "/health", "/mcp"] {
            let answer = ground.server.stranger("GET", path, &[("x-request-id", id)], b"").await;
            assert_eq!(answer.header("x-request-id"), Some(id), "{path}");
        }
        let lines = ground
            .server
            .audit_when(|lines| lines.iter().filter(|line| line["request_id"] == id).count() == 2);
        lines.await;
    }
}

#[tokio::test]
async fn an_unfit_request_id_is_replaced() {
    let ground = Ground::new().await;
    let long = "x".repeat(65);
    let mut seen = Vec::new();
    for id in ["", "a b", "a/b", "a\tb", "\u{e9}", "<script>", "a,b", "${jndi:x}", &long] {
        let answer = ground.server.stranger("GET", "/nothing", &[("x-request-id", id)], b"").await;
        let given = request_id(&answer);
        assert!(is_ours(&given), "{id:?} became {given}");
        assert_eq!(ground.only_line(&answer).await["request_id"], given);
        seen.push(given);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 9, "each request has an id of its own");
    let audit = std::fs::read_to_string(ground.server.audit_path()).expect("an audit log");
    for trace in ["script", "jndi", "a b"] {
        assert!(!audit.contains(trace) && !ground.server.log().contains(trace), "{trace}");
    }
}

#[tokio::test]
async fn line_breaks_cannot_be_smuggled_into_a_request_id() {
    let ground = Ground::new().await;
    let host = authority(&ground.server);
    for id in ["a\rX-Evil: 1", "a\0b", "a\u{b}b"] {
        let bytes =
            format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-Request-ID: {id}\r\nConnection: close\r\n\r\n");
        for piece in exchange(&ground.server, bytes.as_bytes()).await {
            assert!(!piece.head.to_lowercase().contains("x-evil"), "{piece:?}");
            assert!(piece.status == 400 || piece.status == 200, "{piece:?}");
        }
    }
}

#[tokio::test]
async fn refusals_bear_the_id_too() {
    let ground = Ground::new().await;
    let id = [("x-request-id", "mine-7")];
    let refused = ground.server.stranger("POST", "/mcp", &id, b"{}").await;
    assert_eq!((refused.status, refused.header("x-request-id")), (401, Some("mine-7")));
    let missing = ground.server.stranger("POST", "/health", &id, b"").await;
    assert_eq!(missing.json()["request_id"], "mine-7");
}

/// Ticket of the call that bears this request id, whose lines must be an intent and its outcome.
fn ticket(lines: &[Value], id: &str) -> String {
    let mine: Vec<&Value> = lines.iter().filter(|line| line["request_id"] == id).collect();
    let states: Vec<&Value> = mine.iter().map(|line| &line["status"]).collect();
    assert_eq!(states, ["pending", "success"], "{mine:#?}");
    assert_eq!(mine[0]["ticket"], mine[1]["ticket"]);
    mine[0]["ticket"].as_str().expect("a ticket").to_owned()
}

#[tokio::test]
async fn a_call_has_one_id_in_its_answer_its_record_and_upstream() {
    let ground = Ground::new().await;
    let (name, arguments) = good_call();
    let params = json!({"name": name, "arguments": arguments});
    let legacy_answer = ground.server.legacy(&legacy(json!(1), "tools/call", params.clone())).await;
    let modern_answer = ground.server.modern("tools/call", params).await;
    let direct_answer = ground.server.tool(name, arguments).await;
    let lines = ground.server.audit();
    let mut tickets = Vec::new();
    for answer in [&legacy_answer, &modern_answer] {
        let meta = &answer.json()["result"]["_meta"];
        let ticket = ticket(&lines, &request_id(answer));
        assert_eq!(meta["correlation_id"], ticket);
        assert_eq!(meta["io.aegisgitea/correlation_id"], ticket);
        tickets.push(ticket);
    }
    let direct = ticket(&lines, &request_id(&direct_answer));
    assert_eq!(direct_answer.json()["correlation_id"], direct);
    tickets.push(direct);
    let upstream: Vec<String> =
        ground.forge.requests().into_iter().filter_map(|seen| seen.x_request_id).collect();
    assert_eq!(upstream, tickets, "Gitea's own log can be joined to ours");
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn a_client_cannot_choose_the_id_of_the_record() {
    let ground = Ground::new().await;
    let (name, arguments) = good_call();
    let body = json!({"tool": name, "arguments": arguments, "correlation_id": "mine-1"}).to_string();
    let answer = ground.post("/mcp/tool/call", &[("x-request-id", "mine-2")], body.as_bytes()).await;
    let ticket = ticket(&ground.server.audit(), "mine-2");
    assert!(is_ours(&ticket), "{ticket}");
    assert_eq!(answer.json()["correlation_id"], ticket);
    let seen = ground.forge.requests();
    assert_eq!(seen.iter().filter_map(|seen| seen.x_request_id.as_deref()).collect::<Vec<_>>(), [&ticket]);
}

#[tokio::test]
async fn a_call_that_is_refused_before_its_ticket_bears_the_request_id() {
    let ground = Ground::new().await;
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "x"});
    let direct = ground.server.tool("create_issue", arguments.clone()).await;
    assert_eq!(direct.json()["correlation_id"], request_id(&direct));
    let params = json!({"name": "create_issue", "arguments": arguments});
    let answer = ground.server.legacy(&legacy(json!(1), "tools/call", params)).await;
    assert_eq!(answer.json()["result"]["_meta"]["correlation_id"], request_id(&answer));
    ground.assert_nothing_upstream();
}
