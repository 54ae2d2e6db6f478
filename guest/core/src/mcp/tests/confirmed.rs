//! Changes that a person confirms, in both eras.

use super::*;

fn careful() -> World {
    let world = World::new();
    world.set("WRITE_MODE", "true");
    world.set("WRITE_ALLOW_ALL_TOKEN_REPOS", "true");
    world.set("WRITE_CONFIRMATION", "elicit");
    world
}

fn call(more: &Value) -> Value {
    let mut params =
        json!({ "name": "write", "arguments": { "owner": "acme", "repo": "shop", "title": "Hi" } });
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    params
}

/// A modern call by a client with these capabilities.
fn round(world: &World, capabilities: &Value, more: &Value) -> (u16, Value) {
    let mut message = modern_message("tools/call", &call(more));
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities.clone();
    let headers = [("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"), ("mcp-name", "write")];
    let response = post(world, &headers, &message, &mut Reader::default()).unwrap();
    (response.status().as_u16(), body(&response))
}

fn able() -> Value {
    json!({ "elicitation": {} })
}

fn yes(state: &Value) -> Value {
    let reply = json!({ "action": "accept", "content": { "confirm": true } });
    json!({ "inputResponses": { "confirm": reply }, "requestState": state })
}

#[test]
fn a_modern_client_gets_the_exact_effect_and_confirms_it_once() {
    let world = careful();
    let (status, said) = round(&world, &able(), &json!({}));
    assert_eq!((status, said["result"]["resultType"].as_str()), (200, Some("input_required")));
    let request = &said["result"]["inputRequests"]["confirm"];
    assert_eq!(request["method"], "elicitation/create");
    assert_eq!(request["params"]["message"], "write in acme/shop?\n\ntitle: Hi");
    assert!(
        world.trail.intents.borrow().is_empty() && world.reasons().is_empty(),
        "nothing was done or refused"
    );

    let state = &said["result"]["requestState"];
    let (_, said) = round(&world, &able(), &yes(state));
    assert_eq!(said["result"]["structuredContent"]["greeting"], "hello");
    let intents = world.trail.intents.borrow().clone();
    assert!(intents[0].arguments.iter().any(|(name, _)| name == "confirmed"), "{intents:?}");

    let (status, said) = round(&world, &able(), &yes(state));
    assert_eq!((status, said["error"]["data"]["reason"].as_str()), (400, Some("request_state_invalid")));
    assert_eq!(world.reasons(), ["request_state_invalid"]);
    assert_eq!(world.trail.intents.borrow().len(), 1);
}

#[test]
fn a_confirmation_of_one_change_is_none_of_another() {
    let world = careful();
    let (_, said) = round(&world, &able(), &json!({}));
    let mut other = yes(&said["result"]["requestState"]);
    other["arguments"] = json!({ "owner": "acme", "repo": "shop", "title": "Something else" });
    let (_, said) = round(&world, &able(), &other);
    assert_eq!(said["error"]["data"]["reason"], "request_state_invalid");
    assert!(world.trail.intents.borrow().is_empty());
}

#[test]
fn a_reply_without_its_state_confirms_nothing() {
    let world = careful();
    let mut early = yes(&Value::Null);
    early.as_object_mut().unwrap().remove("requestState");
    let (_, said) = round(&world, &able(), &early);
    assert_eq!(said["result"]["resultType"], "input_required");
    assert!(world.trail.intents.borrow().is_empty());
}

#[test]
fn whoever_declines_has_nothing_done() {
    for reply in
        [json!({ "action": "decline" }), json!({ "action": "accept", "content": { "confirm": false } })]
    {
        let world = careful();
        let (_, said) = round(&world, &able(), &json!({}));
        let state = &said["result"]["requestState"];
        let answer = json!({ "inputResponses": { "confirm": reply }, "requestState": state });
        let (_, said) = round(&world, &able(), &answer);
        assert_eq!(said["result"]["_meta"]["io.aegisgitea/reason"], "not_confirmed");
        assert_eq!(world.reasons(), ["not_confirmed"]);
        assert!(world.trail.intents.borrow().is_empty());
    }
}

#[test]
fn a_client_that_cannot_be_asked_is_told_what_it_lacks_and_what_to_set() {
    let world = careful();
    let (status, said) = round(&world, &json!({}), &json!({}));
    assert_eq!((status, said["error"]["code"].as_i64()), (400, Some(-32021)));
    assert_eq!(said["error"]["data"]["requiredCapabilities"], json!({ "elicitation": {} }));
    assert!(said["error"]["message"].as_str().unwrap().contains("WRITE_CONFIRMATION"), "{said}");
    assert_eq!(world.reasons(), ["client_capability_missing"]);
}

#[test]
fn a_gate_that_does_not_agree_comes_before_the_question() {
    let world = careful();
    world.set("WRITE_MODE", "false");
    let (_, said) = round(&world, &able(), &json!({}));
    assert_eq!(said["result"]["_meta"]["io.aegisgitea/reason"], "write_mode_disabled");
}

#[test]
fn a_legacy_client_is_asked_while_it_waits() {
    let world = careful();
    let reply = json!({ "result": { "action": "accept", "content": { "confirm": true } } });
    world.office.replies.borrow_mut().push(Some(reply));
    let message = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call(&json!({})) });
    let mut reader = Reader::default();
    assert!(post(&world, &[], &message, &mut reader).is_none(), "it is a stream");
    let events = reader.events();
    assert_eq!(events[0]["method"], "elicitation/create");
    assert_eq!(events[0]["id"], "question-1");
    assert_eq!(events[1]["result"]["structuredContent"]["greeting"], "hello");
}

#[test]
fn a_legacy_client_that_says_nothing_or_does_not_know_the_question_has_nothing_done() {
    let error = json!({ "error": { "code": -32601, "message": "Method not found" } });
    for (reply, reason) in [(None, "client_did_not_reply"), (Some(error), "client_refused_to_ask")] {
        let world = careful();
        world.office.replies.borrow_mut().push(reply);
        let message =
            json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call(&json!({})) });
        let mut reader = Reader::default();
        assert!(post(&world, &[], &message, &mut reader).is_none());
        assert_eq!(reader.events()[1]["result"]["_meta"]["io.aegisgitea/reason"], reason);
        assert_eq!(world.reasons(), [reason]);
        assert!(world.trail.intents.borrow().is_empty());
    }
}

#[test]
fn reads_are_not_asked_about() {
    let world = careful();
    let (_, said) = legacy(&world, "tools/call", &json!({ "name": "fail" }));
    assert_eq!(said["result"]["isError"], true);
    assert!(world.office.replies.borrow().is_empty());
}
