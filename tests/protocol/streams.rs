//! Progress as server-sent events, for a client that asks for it and can read them.

use aegis_tests::http::Answer;
use serde_json::{Value, json};

use crate::ground::{Ground, good_call, legacy, request_id};

/// A call that asks Gitea more than once, so that there is progress to tell.
fn long_call() -> (&'static str, Value) {
    ("search_code", json!({"owner": "alice", "repo": "demo", "query": "fn"}))
}

/// The messages of a stream, and that nothing stands between them but comments.
fn events(answer: &Answer) -> Vec<Value> {
    let text = answer.text();
    assert!(text.ends_with("\n\n"), "the last event is whole: {text}");
    let frames = text.split_terminator("\n\n").filter(|frame| !frame.starts_with(':'));
    let read = |frame: &str| {
        let data = frame.strip_prefix("event: message\ndata: ").expect("an event and its data");
        assert!(!data.contains('\n'), "one line of data: {frame}");
        serde_json::from_str(data).expect("JSON")
    };
    frames.map(read).collect()
}

async fn call(ground: &Ground, accept: &str, token: &Value) -> Answer {
    let (name, arguments) = long_call();
    let params = json!({"name": name, "arguments": arguments, "_meta": {"progressToken": token}});
    let message = legacy(json!("s"), "tools/call", params).to_string();
    ground
        .post("/mcp", &[("accept", accept), ("mcp-protocol-version", "2025-11-25")], message.as_bytes())
        .await
}

#[tokio::test]
async fn a_progress_token_gets_increasing_reports_and_the_answer_last() {
    for token in [json!("token-1"), json!(7), json!("")] {
        // What one caller has searched is on its shelf for a while: no progress to tell the second time.
        let ground = Ground::new().await;
        let answer = call(&ground, "application/json, text/event-stream", &token).await;
        assert_eq!((answer.status, answer.complete), (200, true));
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("x-request-id").is_some());
        let events = events(&answer);
        let (last, reports) = events.split_last().expect("events");
        assert!(reports.len() >= 2, "{events:#?}");
        let mut before = -1;
        for report in reports {
            assert_eq!(report["method"], "notifications/progress");
            assert_eq!(report.get("id"), None);
            assert_eq!(report["params"]["progressToken"], token);
            let done = report["params"]["progress"].as_i64().unwrap_or(-1);
            assert!(done > before, "{events:#?}");
            before = done;
            let text = report.to_string();
            assert!(!text.contains("demo"), "no data of the call before its outcome is recorded: {text}");
        }
        assert_eq!((&last["id"], &last["result"]["isError"]), (&json!("s"), &json!(false)));
        assert!(last["result"]["structuredContent"]["matches"].as_array().is_some_and(|all| !all.is_empty()));
        assert_eq!(ground.forge.violations(), [] as [String; 0]);
    }
}

#[tokio::test]
async fn a_stream_is_recorded_like_any_call() {
    let ground = Ground::new().await;
    let answer = call(&ground, "application/json, text/event-stream", &json!(1)).await;
    let id = request_id(&answer);
    let last = events(&answer).pop().expect("an answer");
    let lines = ground.server.audit();
    let mine: Vec<&Value> = lines.iter().filter(|line| line["request_id"] == id).collect();
    let states: Vec<&Value> = mine.iter().map(|line| &line["status"]).collect();
    assert_eq!(states, ["pending", "success"], "both are on disk when the client has the result");
    assert_eq!(last["result"]["_meta"]["correlation_id"], mine[0]["ticket"]);
}

#[tokio::test]
async fn who_cannot_read_events_gets_one_document() {
    let ground = Ground::new().await;
    for accept in ["application/json", "*/*", "application/json, text/event-stream;q=0", "application/*"] {
        let answer = call(&ground, accept, &json!("t")).await;
        assert_eq!(answer.header("content-type"), Some("application/json"), "{accept}");
        assert_eq!(answer.json()["result"]["isError"], false, "{accept}");
    }
}

#[tokio::test]
async fn without_a_token_there_is_one_document() {
    let ground = Ground::new().await;
    let (name, arguments) = good_call();
    let answer = ground.server.modern("tools/call", json!({"name": name, "arguments": arguments})).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_write_is_one_document_even_for_who_asks_for_progress() {
    let ground = Ground::with(|setup| setup.writes("alice/demo")).await;
    let params = json!({"name": "create_issue", "_meta": {"progressToken": "t"},
        "arguments": {"owner": "alice", "repo": "demo", "title": "Held"}});
    let message = legacy(json!("w"), "tools/call", params.clone()).to_string();
    let accept = [("accept", "application/json, text/event-stream"), ("mcp-protocol-version", "2025-11-25")];
    let old = ground.post("/mcp", &accept, message.as_bytes()).await;
    let new = ground.server.modern("tools/call", params).await;
    for answer in [old, new] {
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        assert_eq!(answer.json()["result"]["structuredContent"]["issue"]["title"], "Held");
    }
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn a_call_that_is_refused_before_it_starts_is_one_document_with_its_status() {
    let ground = Ground::new().await;
    let params = json!({"name": "no_such_tool", "_meta": {"progressToken": 1}});
    let answer = ground.server.modern("tools/call", params).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    ground.fault(&answer, 400, -32602, "unknown_tool").await;
    let params = json!({"name": "create_issue", "_meta": {"progressToken": 1},
        "arguments": {"owner": "alice", "repo": "demo", "title": "x"}});
    let answer = ground.server.modern("tools/call", params).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["result"]["_meta"]["io.aegisgitea/reason"], "write_mode_disabled");
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_token_that_no_report_could_carry_is_refused() {
    let ground = Ground::new().await;
    for token in ["p".repeat(257), "\u{1}".repeat(200)] {
        let answer = call(&ground, "application/json, text/event-stream", &json!(token)).await;
        ground.fault(&answer, 200, -32602, "invalid_params").await;
    }
    let answer = call(&ground, "application/json, text/event-stream", &json!("p".repeat(254))).await;
    let last = events(&answer).pop().expect("an answer");
    assert_eq!(last["result"]["isError"], false, "{last}");
}
