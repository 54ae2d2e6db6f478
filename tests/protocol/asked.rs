//! Changes that a person confirms at the client (`WRITE_CONFIRMATION=elicit`), over HTTP in both eras.

use aegis_tests::http::{Answer, Coming, open};
use aegis_tests::server::{KEY, OTHER_KEY, of_event};
use serde_json::{Value, json};

use crate::ground::{Ground, legacy, request_id};

async fn careful() -> Ground {
    Ground::with(|setup| setup.writes("alice/demo").set("WRITE_CONFIRMATION", "elicit")).await
}

fn wanted(title: &str) -> Value {
    json!({"name": "create_issue", "arguments": {"owner": "alice", "repo": "demo", "title": title}})
}

/// A modern call with these capabilities and this key.
async fn modern(ground: &Ground, key: &str, capabilities: &Value, mut params: Value) -> Answer {
    params["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "create_issue"),
    ];
    ground.server.stranger("POST", "/mcp", &headers, message.to_string().as_bytes()).await
}

/// The same call again with a reply.
fn again(title: &str, reply: &Value, state: &Value) -> Value {
    let mut params = wanted(title);
    params["inputResponses"] = json!({"confirm": reply});
    params["requestState"] = state.clone();
    params
}

fn yes() -> Value {
    json!({"action": "accept", "content": {"confirm": true}})
}

fn able() -> Value {
    json!({"elicitation": {}})
}

/// Ask for a change as a client that can be asked; the state that comes back.
async fn asked(ground: &Ground, title: &str) -> Value {
    let said = modern(ground, KEY, &able(), wanted(title)).await.json();
    assert_eq!(said["result"]["resultType"], "input_required", "{said}");
    let question = &said["result"]["inputRequests"]["confirm"];
    let effect = question["params"]["message"].as_str().unwrap_or_default();
    assert!(effect.contains("alice/demo") && effect.contains(title), "{effect}");
    said["result"]["requestState"].clone()
}

#[tokio::test]
async fn a_change_is_made_once_it_is_confirmed_and_not_before() {
    let ground = careful().await;
    let state = asked(&ground, "Confirmed").await;
    ground.assert_nothing_upstream();
    assert!(of_event(&ground.server.audit(), "tool_invocation").is_empty(), "nothing was about to be done");
    let done = modern(&ground, KEY, &able(), again("Confirmed", &yes(), &state)).await;
    assert_eq!(done.json()["result"]["structuredContent"]["issue"]["title"], "Confirmed", "{}", done.text());
    let id = request_id(&done);
    let lines = ground.server.audit();
    let intent = lines.iter().find(|line| line["request_id"] == id).expect("an intent");
    assert!(intent.to_string().contains("by elicitation"), "{intent}");
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn a_confirmation_that_was_used_forged_or_made_for_another_is_refused() {
    let ground = careful().await;
    let used = asked(&ground, "Once").await;
    assert_eq!(modern(&ground, KEY, &able(), again("Once", &yes(), &used)).await.status, 200);
    let before = ground.forge.requests().len();
    let fresh = asked(&ground, "Two").await;
    let forged = json!(format!("{}x", fresh.as_str().unwrap_or_default()));
    for (key, title, state) in [(KEY, "Once", &used), (KEY, "Two", &forged), (KEY, "Three", &fresh)] {
        let answer = modern(&ground, key, &able(), again(title, &yes(), state)).await;
        ground.fault(&answer, 400, -32602, "request_state_invalid").await;
    }
    let other = asked(&ground, "Mine").await;
    let theirs = modern(&ground, OTHER_KEY, &able(), again("Mine", &yes(), &other)).await;
    assert_eq!(theirs.json()["error"]["data"]["reason"], "request_state_invalid", "{}", theirs.text());
    assert_eq!(ground.forge.requests().len(), before, "Gitea heard nothing of any of them");
}

#[tokio::test]
async fn whoever_says_no_has_nothing_done() {
    let ground = careful().await;
    for no in [json!({"action": "decline"}), json!({"action": "accept", "content": {"confirm": false}})] {
        let state = asked(&ground, "No").await;
        let answer = modern(&ground, KEY, &able(), again("No", &no, &state)).await;
        assert_eq!(answer.json()["result"]["_meta"]["io.aegisgitea/reason"], "not_confirmed");
        let line = ground.only_line(&answer).await;
        assert_eq!((&line["event"], &line["reason"]), (&json!("access_denied"), &json!("not_confirmed")));
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn who_cannot_be_asked_is_refused_with_what_to_set() {
    let ground = careful().await;
    let answer = modern(&ground, KEY, &json!({}), wanted("x")).await;
    assert_eq!(answer.json()["error"]["data"]["requiredCapabilities"], json!({"elicitation": {}}));
    assert!(answer.text().contains("WRITE_CONFIRMATION"), "{}", answer.text());
    ground.fault(&answer, 400, -32021, "client_capability_missing").await;

    let direct = ground.server.tool("create_issue", wanted("x")["arguments"].clone()).await;
    assert!(direct.text().contains("WRITE_CONFIRMATION"), "{}", direct.text());
    ground.refused(&direct, 403, "access_denied", "client_cannot_be_asked").await;

    let message = legacy(json!(3), "tools/call", wanted("x")).to_string();
    let deaf = ground.post("/mcp", &[("accept", "application/json")], message.as_bytes()).await;
    assert_eq!(deaf.json()["result"]["_meta"]["io.aegisgitea/reason"], "client_cannot_be_asked");
    assert_eq!(ground.only_line(&deaf).await["reason"], "client_cannot_be_asked");
    ground.assert_nothing_upstream();
}

/// A legacy call on a stream, and the question on it.
async fn questioned(ground: &Ground, title: &str) -> (Coming, Value) {
    let message = legacy(json!(9), "tools/call", wanted(title)).to_string();
    let bearer = format!("Bearer {KEY}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    let mut stream =
        open(&ground.server.url, "POST", "/mcp", &headers, message.as_bytes()).await.expect("an answer");
    let question = stream.message().await;
    assert_eq!(question["method"], "elicitation/create");
    assert!(question["params"]["message"].as_str().is_some_and(|text| text.contains(title)), "{question}");
    (stream, question["id"].clone())
}

async fn reply(ground: &Ground, key: &str, message: &Value) -> Answer {
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    ground.server.stranger("POST", "/mcp", &headers, message.to_string().as_bytes()).await
}

#[tokio::test]
async fn a_legacy_client_confirms_on_another_request_while_its_call_waits() {
    let ground = careful().await;
    let (mut stream, id) = questioned(&ground, "Waited").await;
    ground.assert_nothing_upstream();
    let answer = json!({"jsonrpc": "2.0", "id": id, "result": yes()});
    let theirs = reply(&ground, OTHER_KEY, &answer).await;
    assert_eq!(theirs.json()["error"]["code"], -32600, "another caller cannot answer: {}", theirs.text());
    assert_eq!(reply(&ground, KEY, &answer).await.status, 202);
    let said = stream.message().await;
    assert_eq!(said["result"]["structuredContent"]["issue"]["title"], "Waited", "{said}");
    let twice = reply(&ground, KEY, &answer).await;
    ground.fault(&twice, 400, -32600, "no_such_question").await;
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn a_legacy_client_that_does_not_know_the_question_has_nothing_done() {
    let ground = careful().await;
    let (mut stream, id) = questioned(&ground, "Unknown").await;
    let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "Method not found"}});
    assert_eq!(reply(&ground, KEY, &error).await.status, 202);
    let said = stream.message().await;
    assert_eq!(said["result"]["_meta"]["io.aegisgitea/reason"], "client_refused_to_ask", "{said}");
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn what_was_forbidden_while_somebody_thought_is_not_done() {
    let ground = careful().await;
    let (mut stream, id) = questioned(&ground, "Too late").await;
    std::fs::write(ground.server.folder().join("policy.yaml"), "defaults: {read: allow, write: deny}\n")
        .unwrap();
    ground.server.signal("HUP").await;
    ground.server.audit_when(|lines| lines.iter().any(|line| line["reason"] == "policy_reloaded")).await;
    let answer = json!({"jsonrpc": "2.0", "id": id, "result": yes()});
    assert_eq!(reply(&ground, KEY, &answer).await.status, 202);
    let said = stream.message().await;
    assert_eq!(said["result"]["_meta"]["io.aegisgitea/reason"], "policy_denied", "{said}");
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_reply_that_is_two_things_is_none() {
    let ground = careful().await;
    let (_stream, id) = questioned(&ground, "Both").await;
    let error = json!({"code": -1, "message": "no"});
    let both = json!({"jsonrpc": "2.0", "id": id, "result": yes(), "error": error});
    let answer = reply(&ground, KEY, &both).await;
    ground.fault(&answer, 400, -32600, "invalid_request").await;
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_form_is_put_to_clients_that_take_forms_alone() {
    let ground = careful().await;
    for capabilities in
        [json!({"elicitation": {"url": {}}}), json!({"elicitation": null}), json!({"elicitation": 5})]
    {
        let answer = modern(&ground, KEY, &capabilities, wanted("x")).await;
        ground.fault(&answer, 400, -32021, "client_capability_missing").await;
    }
    let both = json!({"elicitation": {"form": {}, "url": {}}});
    assert_eq!(
        modern(&ground, KEY, &both, wanted("x")).await.json()["result"]["resultType"],
        "input_required"
    );
}

#[tokio::test]
async fn what_is_too_long_to_read_cannot_be_confirmed() {
    let ground = careful().await;
    let mut long = wanted("x");
    long["arguments"]["body"] = json!("y".repeat(40_000));
    let answer = modern(&ground, KEY, &able(), long).await;
    assert_eq!(
        answer.json()["result"]["_meta"]["io.aegisgitea/reason"],
        "too_long_to_confirm",
        "{}",
        answer.text()
    );
    assert_eq!(ground.only_line(&answer).await["reason"], "too_long_to_confirm");
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn who_has_four_open_questions_is_asked_no_fifth() {
    let ground = careful().await;
    let mut open = Vec::new();
    for title in ["One", "Two", "Three", "Four"] {
        open.push(questioned(&ground, title).await.0);
    }
    let message = legacy(json!(5), "tools/call", wanted("Five")).to_string();
    let accept = [("accept", "application/json, text/event-stream"), ("mcp-protocol-version", "2025-11-25")];
    let answer = ground.post("/mcp", &accept, message.as_bytes()).await;
    let said = answer.json();
    assert_eq!(said["result"]["_meta"]["io.aegisgitea/reason"], "questions_busy", "{}", answer.text());
    assert_eq!(ground.only_line(&answer).await["reason"], "questions_busy");
    ground.assert_nothing_upstream();
}
