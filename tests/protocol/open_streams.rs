//! Streams that stay open: changes announced in both eras, and the transport of 2024-11-05.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::http::{Coming, open};
use aegis_tests::server::{KEY, OTHER_KEY};
use serde_json::{Value, json};

use crate::ground::{Ground, good_call, legacy};
use crate::raw::until;

const EVENTS: (&str, &str) = ("accept", "text/event-stream");

/// Open a stream with a key.
async fn get(ground: &Ground, key: &str, target: &str, headers: &[(&str, &str)]) -> Coming {
    let bearer = format!("Bearer {key}");
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend_from_slice(headers);
    open(&ground.server.url, "GET", target, &all, b"").await.expect("an answer")
}

/// `subscriptions/listen` with this filter.
async fn listen(ground: &Ground, filter: &Value) -> Coming {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}});
    let params = json!({"notifications": filter, "_meta": meta});
    let message =
        json!({"jsonrpc": "2.0", "id": "sub-1", "method": "subscriptions/listen", "params": params});
    let bearer = format!("Bearer {KEY}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "subscriptions/listen"),
    ];
    open(&ground.server.url, "POST", "/mcp", &headers, message.to_string().as_bytes())
        .await
        .expect("an answer")
}

/// Change the policy and have it read again.
async fn change_policy(ground: &Ground, yaml: &str) {
    std::fs::write(ground.server.folder().join("policy.yaml"), yaml).expect("the policy is written");
    ground.server.signal("HUP").await;
}

async fn with_policy() -> Ground {
    Ground::with(|setup| setup.policy("defaults: {read: allow, write: deny}\n")).await
}

#[tokio::test]
async fn a_new_policy_is_announced_to_everybody_who_listens_for_it() {
    let ground = with_policy().await;
    let mut old = get(&ground, KEY, "/mcp", &[EVENTS, ("mcp-protocol-version", "2025-11-25")]).await;
    assert_eq!((old.head.status, old.head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(old.head.header("x-accel-buffering"), Some("no"));
    let mut new = listen(&ground, &json!({"toolsListChanged": true, "resourceSubscriptions": []})).await;
    let acknowledged = new.message().await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"]["notifications"], json!({"toolsListChanged": true}));
    assert_eq!(acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "sub-1");

    change_policy(&ground, "defaults: {read: allow, write: allow}\n").await;
    let told = new.message().await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "sub-1");
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(old.message().await["method"].as_str().unwrap_or_default().to_owned());
    }
    heard.sort();
    let all = ["prompts", "resources", "tools"].map(|list| format!("notifications/{list}/list_changed"));
    assert_eq!(heard, all);
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_stopping_server_says_so_to_modern_clients_and_does_not_wait_for_anybody() {
    let ground = with_policy().await;
    let mut old = get(&ground, KEY, "/mcp", &[EVENTS]).await;
    let mut new = listen(&ground, &json!({"toolsListChanged": true})).await;
    new.message().await;
    ground.server.signal("TERM").await;
    let last = new.message().await;
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!("sub-1"), &json!("complete")));
    assert_eq!((new.event().await, old.event().await), (None, None), "both end cleanly");
    let stopped = ground.server.wait().await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
    assert!(!stopped.log.contains("drain_cut_off"), "{}", stopped.log);
}

/// The address that the first event of a stream of 2024-11-05 names.
async fn endpoint(stream: &mut Coming) -> String {
    let event = stream.event().await.expect("an event");
    event.strip_prefix("event: endpoint\ndata: ").expect("the endpoint").to_owned()
}

#[tokio::test]
async fn a_client_of_the_first_revision_posts_where_it_is_told_and_is_answered_on_its_stream() {
    let ground = Ground::new().await;
    let mut stream = get(&ground, KEY, "/mcp/sse", &[EVENTS]).await;
    let target = endpoint(&mut stream).await;
    assert!(target.starts_with("/mcp/sse?stream="), "{target}");
    let params = json!({"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
    let hello =
        ground.post(&target, &[], legacy(json!(0), "initialize", params).to_string().as_bytes()).await;
    assert_eq!((hello.status, hello.body.len()), (202, 0));
    assert_eq!(stream.message().await["result"]["protocolVersion"], "2024-11-05");

    let (name, arguments) = good_call();
    let call = legacy(json!(1), "tools/call", json!({"name": name, "arguments": arguments}));
    assert_eq!(ground.post(&target, &[], call.to_string().as_bytes()).await.status, 202);
    let said = stream.message().await;
    assert_eq!(said["result"]["structuredContent"]["repository"]["full_name"], "alice/demo");
    assert_eq!(ground.forge.violations(), [] as [String; 0]);

    let wrong = legacy(json!(2), "no/such", json!({}));
    assert_eq!(ground.post(&target, &[], wrong.to_string().as_bytes()).await.status, 202);
    assert_eq!(stream.message().await["error"]["code"], -32601);
}

/// A call that Gitea does not answer, posted to a stream: it is taken at once, since its client may send nothing else before.
async fn taken_but_not_answered(ground: &Ground, stream: &mut Coming) {
    ground.forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Hold));
    let target = endpoint(stream).await;
    let (name, arguments) = good_call();
    let call = legacy(json!(1), "tools/call", json!({"name": name, "arguments": arguments}));
    let taken = ground.post(&target, &[], call.to_string().as_bytes()).await;
    assert_eq!((taken.status, taken.body.len()), (202, 0));
}

#[tokio::test]
async fn a_post_to_a_stream_is_taken_before_its_call_is_answered() {
    let ground = Ground::new().await;
    let mut stream = get(&ground, KEY, "/mcp/sse", &[EVENTS]).await;
    taken_but_not_answered(&ground, &mut stream).await;
    ground.forge.release(1);
    let said = stream.message().await;
    assert_eq!(said["result"]["structuredContent"]["repository"]["full_name"], "alice/demo");
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn a_call_that_was_taken_stops_with_its_stream() {
    let ground = Ground::new().await;
    let mut stream = get(&ground, KEY, "/mcp/sse", &[EVENTS]).await;
    taken_but_not_answered(&ground, &mut stream).await;
    // The call is taken before Gitea has it.
    until(|| !ground.forge.requests().is_empty()).await;
    drop(stream);
    until(|| ground.forge.requests().first().is_some_and(|request| request.left)).await;
    until(|| ground.server.audit().iter().any(|line| line["status"] == "aborted")).await;
}

#[tokio::test]
async fn a_stream_of_somebody_else_or_of_nobody_takes_nothing() {
    let ground = Ground::new().await;
    let mut theirs = get(&ground, OTHER_KEY, "/mcp/sse", &[EVENTS]).await;
    let target = endpoint(&mut theirs).await;
    let (name, arguments) = good_call();
    let call = legacy(json!(1), "tools/call", json!({"name": name, "arguments": arguments})).to_string();
    for target in [target.as_str(), "/mcp/sse?stream=0123456789abcdef0123456789abcdef", "/mcp/sse?stream="] {
        let answer = ground.post(target, &[], call.as_bytes()).await;
        ground.refused(&answer, 404, "access_denied", "no_such_stream").await;
    }
    ground.assert_nothing_upstream();
    drop(theirs);
}

#[tokio::test]
async fn who_cannot_have_a_stream_is_told_why() {
    let ground = Ground::with(|setup| setup.set("MAX_STREAMS", "1")).await;
    let modern = get(&ground, KEY, "/mcp", &[EVENTS, ("mcp-protocol-version", "2026-07-28")]).await;
    let modern = modern.whole().await.expect("an answer");
    assert_eq!(modern.header("allow"), Some("POST"));
    ground.refused(&modern, 405, "access_denied", "method_not_allowed").await;
    let deaf = get(&ground, KEY, "/mcp", &[]).await.whole().await.expect("an answer");
    ground.refused(&deaf, 406, "access_denied", "events_not_accepted").await;

    let first = get(&ground, KEY, "/mcp", &[EVENTS]).await;
    let second = get(&ground, KEY, "/mcp", &[EVENTS]).await.whole().await.expect("an answer");
    assert!(second.header("retry-after").is_some());
    ground.fault(&second, 429, -32603, "too_many_streams").await;
    drop(first);
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn where_no_streams_are_kept_none_are_offered() {
    let ground = Ground::with(|setup| setup.set("MAX_STREAMS", "0")).await;
    let discovered = ground.server.modern("server/discover", json!({})).await.json();
    assert_eq!(discovered["result"]["capabilities"]["tools"], json!({}));
    let answer = get(&ground, KEY, "/mcp", &[EVENTS]).await.whole().await.expect("an answer");
    ground.refused(&answer, 405, "access_denied", "method_not_allowed").await;
    let listened =
        listen(&ground, &json!({"toolsListChanged": true})).await.whole().await.expect("an answer");
    ground.fault(&listened, 404, -32601, "unknown_method").await;
}

#[tokio::test]
async fn silence_is_broken_by_comments() {
    let ground = Ground::with(|setup| setup.set("STREAM_KEEPALIVE_SECONDS", "1")).await;
    let stream = get(&ground, KEY, "/mcp", &[EVENTS]).await;
    assert_eq!(stream.comments(2).await, 2);
}

#[tokio::test]
async fn who_listens_has_a_connection_of_its_own_and_an_id_of_reasonable_length() {
    let ground = Ground::new().await;
    let long = "\u{1}".repeat(150);
    let message = |id: &str| {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}});
        let params = json!({"notifications": {"toolsListChanged": true}, "_meta": meta});
        json!({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params}).to_string()
    };
    let headers = [
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "subscriptions/listen"),
    ];
    for id in [long.as_str(), &"x".repeat(500)] {
        let answer = ground.post("/mcp", &headers, message(id).as_bytes()).await;
        ground.fault(&answer, 400, -32600, "invalid_request").await;
    }
    let mut stream = get(&ground, KEY, "/mcp/sse", &[EVENTS]).await;
    let target = endpoint(&mut stream).await;
    assert_eq!(ground.post(&target, &headers, message("s").as_bytes()).await.status, 202);
    assert_eq!(stream.message().await["error"]["code"], -32600);
}

#[tokio::test]
async fn a_revision_that_is_not_served_opens_no_stream_and_tells_nothing() {
    let ground = Ground::new().await;
    let odd = ("mcp-protocol-version", "1999-01-01");
    let answer = get(&ground, KEY, "/mcp", &[EVENTS, odd]).await.whole().await.expect("an answer");
    ground.fault(&answer, 400, -32022, "unsupported_version").await;
    let told = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let answer = ground.post("/mcp", &[odd], told).await;
    ground.fault(&answer, 400, -32022, "unsupported_version").await;
    let answer = ground.post("/mcp", &[("mcp-method", "tools/call")], told).await;
    ground.fault(&answer, 400, -32020, "header_mismatch").await;
    ground.assert_nothing_upstream();
}
