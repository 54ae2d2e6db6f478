//! Both eras, message in and answer out.

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use serde_json::{Value, json};

use super::fake::tools::FEW;
use super::fake::{GOOD, Reader, World, body};
use super::{Post, answer};
use crate::mcp::call::Session;
use crate::selection::Selection;
use crate::settings::Config;

const MODERN: &str = "2026-07-28";

fn post(
    world: &World,
    headers: &[(&str, &str)],
    message: &Value,
    reader: &mut Reader,
) -> Option<Response<Vec<u8>>> {
    let ports = world.ports();
    let config = Config::load(world).unwrap();
    let caller = ports.identity.authenticate(GOOD).unwrap();
    let claims = caller.claims();
    let session = Session {
        ports,
        config: &config,
        offer: &FEW,
        selection: Selection::default(),
        caller: &*caller,
        claims: &claims,
        request_id: "req-1",
    };
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
    };
    let headers: HeaderMap = headers.iter().map(pair).collect();
    let body = message.to_string().into_bytes();
    answer(&session, &Post { headers: &headers, body: &body, streams: true, version: "1.2.3" }, reader)
}

fn legacy(world: &World, method: &str, params: &Value) -> (u16, Value) {
    let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let response = post(world, &[], &message, &mut Reader::default()).unwrap();
    (response.status().as_u16(), body(&response))
}

fn modern_message(method: &str, params: &Value) -> Value {
    let mut params = params.clone();
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    json!({ "jsonrpc": "2.0", "id": "m", "method": method, "params": params })
}

fn modern(world: &World, method: &str, params: &Value) -> (u16, Value) {
    let name = params["name"].as_str().unwrap_or("").to_owned();
    let headers = [("mcp-protocol-version", MODERN), ("mcp-method", method), ("mcp-name", name.as_str())];
    let response = post(world, &headers, &modern_message(method, params), &mut Reader::default()).unwrap();
    (response.status().as_u16(), body(&response))
}

mod confirmed;
mod listening;

#[test]
fn initialize_agrees_on_the_asked_revision_or_offers_the_newest_legacy_one() {
    for (asked, agreed) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2024-11-05"),
        ("2024-10-07", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("tomorrow", "2025-11-25"),
    ] {
        let (status, said) =
            legacy(&World::new(), "initialize", &json!({ "protocolVersion": asked, "capabilities": {} }));
        assert_eq!(status, 200);
        assert_eq!(
            said,
            json!({ "jsonrpc": "2.0", "id": 7, "result": {
                "protocolVersion": agreed,
                "capabilities": { "tools": { "listChanged": true }, "logging": {} },
                "serverInfo": { "name": "aegis-gitea-mcp", "title": "AegisGitea-MCP", "version": "1.2.3" },
                "instructions": "Be kind.",
            }}),
            "{asked}"
        );
    }
    let (status, said) = legacy(&World::new(), "initialize", &json!({}));
    assert_eq!((status, said["error"]["code"].as_i64()), (200, Some(-32602)));
}

#[test]
fn legacy_answers_carry_nothing_of_the_modern_wire() {
    let world = World::new();
    assert_eq!(legacy(&world, "ping", &json!({})), (200, json!({ "jsonrpc": "2.0", "id": 7, "result": {} })));
    let (status, said) = legacy(&world, "tools/list", &json!({}));
    assert_eq!(status, 200);
    let result = said["result"].as_object().unwrap();
    assert_eq!(result.keys().collect::<Vec<_>>(), ["tools"]);
    let (_, said) = legacy(&world, "tools/call", &json!({ "name": "greet" }));
    assert!(said["result"].get("resultType").is_none());
    assert!(world.reasons().is_empty());
}

#[test]
fn methods_that_an_era_does_not_have_are_unknown_in_it() {
    let world = World::new();
    for method in ["server/discover", "subscriptions/listen", "tools/get", "x"] {
        let (status, said) = legacy(&world, method, &json!({}));
        assert_eq!(
            (status, said["error"]["code"].as_i64(), &said["id"]),
            (200, Some(-32601), &json!(7)),
            "{method}"
        );
    }
    for method in
        ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "x"]
    {
        let (status, said) = modern(&world, method, &json!({}));
        assert_eq!(
            (status, said["error"]["code"].as_i64(), &said["id"]),
            (404, Some(-32601), &json!("m")),
            "{method}"
        );
    }
    assert_eq!(world.reasons(), vec!["unknown_method"; 10], "one line each");
}

#[test]
fn discover_names_every_revision_and_the_server() {
    let (status, said) = modern(&World::new(), "server/discover", &json!({}));
    assert_eq!(status, 200);
    assert_eq!(
        said["result"],
        json!({
            "supportedVersions": ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"],
            "capabilities": { "tools": { "listChanged": true }, "logging": {} },
            "instructions": "Be kind.",
            "ttlMs": 300_000,
            "cacheScope": "private",
            "resultType": "complete",
            "_meta": { "io.modelcontextprotocol/serverInfo":
                { "name": "aegis-gitea-mcp", "title": "AegisGitea-MCP", "version": "1.2.3" } },
        })
    );
}

#[test]
fn modern_lists_may_be_kept_by_their_reader_alone() {
    let world = World::new();
    world.set("WRITE_MODE", "true");
    world.set("WRITE_ALLOW_ALL_TOKEN_REPOS", "true");
    let (_, said) = modern(&world, "tools/list", &json!({}));
    let result = &said["result"];
    assert_eq!(result["cacheScope"], "private");
    assert_eq!(result["ttlMs"], 300_000);
    assert_eq!(result["resultType"], "complete");
    let names: Vec<_> = result["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["greet", "fail", "write"], "in the catalogue's order");
}

#[test]
fn refuses_a_cursor_that_it_never_gave() {
    assert_eq!(modern(&World::new(), "tools/list", &json!({ "cursor": "x" })).0, 400);
    let (status, said) = legacy(&World::new(), "tools/list", &json!({ "cursor": "x" }));
    assert_eq!((status, said["error"]["code"].as_i64()), (200, Some(-32602)));
}

#[test]
fn a_tool_result_has_text_structure_and_the_id_of_its_record() {
    for said in [legacy, modern]
        .map(|era| era(&World::new(), "tools/call", &json!({ "name": "greet", "arguments": {} })).1)
    {
        let result = &said["result"];
        assert_eq!(result["isError"], false);
        assert_eq!(result["structuredContent"]["greeting"], "hello");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"]);
        assert_eq!(result["_meta"]["correlation_id"], "ticket-1");
        assert_eq!(result["_meta"]["io.aegisgitea/correlation_id"], "ticket-1");
    }
}

#[test]
fn every_modern_tool_result_is_complete_and_signed() {
    for name in ["greet", "fail"] {
        let (status, said) = modern(&World::new(), "tools/call", &json!({ "name": name }));
        assert_eq!(status, 200);
        assert_eq!(said["result"]["resultType"], "complete");
        assert_eq!(said["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["version"], "1.2.3");
    }
}

#[test]
fn what_a_model_can_act_on_is_a_result_that_says_so() {
    let (_, failed) = legacy(&World::new(), "tools/call", &json!({ "name": "fail" }));
    assert_eq!(failed["result"]["isError"], true);
    assert_eq!(failed["result"]["content"][0]["text"], "not_found: There is no such greeting.");

    let world = World::new();
    let (status, denied) = legacy(&world, "tools/call", &json!({ "name": "write" }));
    assert_eq!(status, 200);
    assert_eq!(denied["result"]["_meta"]["io.aegisgitea/reason"], "write_mode_disabled");
    assert_eq!(world.reasons(), ["write_mode_disabled"]);
    assert!(world.trail.intents.borrow().is_empty(), "nothing was about to be done");
}

#[test]
fn a_tool_call_needs_a_name_and_a_known_one() {
    for (era, malformed, unknown) in [(legacy as fn(&_, &_, &_) -> _, 200, 200), (modern, 400, 400)] {
        for params in [json!({}), json!({ "name": 5 })] {
            let (status, said): (u16, Value) = era(&World::new(), "tools/call", &params);
            assert_eq!((status, said["error"]["code"].as_i64()), (malformed, Some(-32602)));
        }
        let world = World::new();
        let (status, said) = era(&world, "tools/call", &json!({ "name": "nope" }));
        assert_eq!((status, said["error"]["code"].as_i64()), (unknown, Some(-32602)));
        assert_eq!(said["error"]["data"]["reason"], "unknown_tool");
        assert_eq!(world.reasons(), ["unknown_tool"], "recorded once");
    }
}

#[test]
fn a_missing_scope_is_a_challenge() {
    let world = World::new();
    world.scopes.borrow_mut().clear();
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "greet" } });
    let response = post(&world, &[], &message, &mut Reader::default()).unwrap();
    assert_eq!(response.status(), 403);
    let challenge = &response.headers()["www-authenticate"];
    assert_eq!(challenge, "Bearer error=\"insufficient_scope\", scope=\"read:repository\"");
    assert_eq!(body(&response)["error"]["data"]["reason"], "insufficient_scope");
}

#[test]
fn nothing_is_told_while_the_trail_cannot_be_written() {
    for (intents, outcomes, reason) in
        [(true, false, "audit_unavailable"), (false, true, "outcome_not_recorded")]
    {
        let world = World::new();
        world.trail.refuses_intents.set(intents);
        world.trail.refuses_outcomes.set(outcomes);
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "greet" } });
        let response = post(&world, &[], &message, &mut Reader::default()).unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "5");
        assert_eq!(body(&response)["error"]["data"]["reason"], reason);
        assert!(!String::from_utf8_lossy(response.body()).contains("hello"));
    }
}

#[test]
fn progress_streams_and_the_answer_comes_last() {
    for token in [json!("t"), json!(5), json!(0)] {
        let mut reader = Reader::default();
        let params = json!({ "name": "greet", "_meta": { "progressToken": token } });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        assert!(post(&World::new(), &[], &message, &mut reader).is_none());
        let events = reader.events();
        let (last, reports) = events.split_last().unwrap();
        assert_eq!(last["result"]["structuredContent"]["greeting"], "hello");
        assert!(reports.len() > 1);
        assert!(reports.iter().all(|report| report["params"]["progressToken"] == token));
    }
}

#[test]
fn where_a_message_says_that_it_comes_from_is_told_on_and_changes_nothing() {
    for (meta, told) in [
        (json!({ "traceparent": "00-1-2-01", "tracestate": "a=1" }), vec![("00-1-2-01", "a=1")]),
        (json!({ "traceparent": "whatever" }), vec![("whatever", "")]),
        (json!({ "tracestate": "a=1" }), vec![]),
        (json!({ "traceparent": 7 }), vec![]),
    ] {
        let world = World::new();
        let params = json!({ "name": "greet", "_meta": meta });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let response = post(&world, &[], &message, &mut Reader::default()).unwrap();
        assert_eq!(body(&response)["result"]["structuredContent"]["greeting"], "hello");
        let traces = world.traces.borrow();
        let found: Vec<_> = traces.iter().map(|(parent, state)| (parent.as_str(), state.as_str())).collect();
        assert_eq!(found, told);
    }
}

#[test]
fn a_write_answers_in_one_document_even_when_progress_was_asked_for() {
    for unrecorded in [false, true] {
        let world = World::new();
        world.set("WRITE_MODE", "true");
        world.set("WRITE_ALLOW_ALL_TOKEN_REPOS", "true");
        world.trail.refuses_outcomes.set(unrecorded);
        let mut reader = Reader::default();
        let params = json!({ "name": "write", "_meta": { "progressToken": "t" } });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let response = post(&world, &[], &message, &mut reader).expect("one document");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert!(reader.head.is_none() && reader.bytes.is_empty(), "nothing went before it");
        assert_eq!(world.trail.intents.borrow().len(), 1, "it was done");
        if unrecorded {
            assert_eq!(response.status(), 503);
            assert_eq!(body(&response)["error"]["data"]["reason"], "outcome_not_recorded");
        } else {
            assert_eq!(response.status(), 200);
            assert_eq!(body(&response)["result"]["structuredContent"]["greeting"], "hello");
        }
    }
}

#[test]
fn a_refusal_keeps_its_status_even_when_progress_was_asked_for() {
    let world = World::new();
    world.trail.refuses_intents.set(true);
    let mut reader = Reader::default();
    let params = json!({ "name": "greet", "_meta": { "progressToken": 1 } });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let response = post(&world, &[], &message, &mut reader).unwrap();
    assert_eq!(response.status(), 503);
    assert!(reader.head.is_none());
}

#[test]
fn an_outcome_that_cannot_be_recorded_ends_a_stream_without_the_result() {
    let world = World::new();
    world.trail.refuses_outcomes.set(true);
    let mut reader = Reader::default();
    let params = json!({ "name": "greet", "_meta": { "progressToken": 1 } });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    assert!(post(&world, &[], &message, &mut reader).is_none());
    assert_eq!(reader.events().last().unwrap()["error"]["data"]["reason"], "outcome_not_recorded");
    assert!(!String::from_utf8_lossy(&reader.bytes).contains("hello"));
}

#[test]
fn refuses_a_progress_token_of_another_type() {
    for token in [json!(1.5), json!({}), json!(null), json!(true)] {
        let params = json!({ "name": "greet", "_meta": { "progressToken": token } });
        assert_eq!(legacy(&World::new(), "tools/call", &params).1["error"]["code"], -32602);
    }
}

#[test]
fn accepts_notifications_without_a_word_and_never_runs_them() {
    let world = World::new();
    for method in ["notifications/initialized", "notifications/cancelled", "notifications/made/up"] {
        for headers in [&[][..], &[("mcp-protocol-version", MODERN)]] {
            let message = json!({ "jsonrpc": "2.0", "method": method });
            let response = post(&world, headers, &message, &mut Reader::default()).unwrap();
            assert_eq!((response.status().as_u16(), response.body().len()), (202, 0));
        }
    }
    let call = json!({ "jsonrpc": "2.0", "method": "tools/call", "params": { "name": "greet" } });
    let response = post(&world, &[], &call, &mut Reader::default()).unwrap();
    assert_eq!(response.status(), 400);
    assert!(world.trail.intents.borrow().is_empty());
}

#[test]
fn takes_responses_in_the_legacy_era_only() {
    let world = World::new();
    let reply = json!({ "jsonrpc": "2.0", "id": "question-1", "result": {} });
    assert_eq!(post(&world, &[], &reply, &mut Reader::default()).unwrap().status(), 202);
    assert_eq!(world.office.answered.borrow()[0].1, reply.to_string().into_bytes());
    let message = json!({ "jsonrpc": "2.0", "id": 1, "result": {} });
    assert_eq!(post(&world, &[], &message, &mut Reader::default()).unwrap().status(), 400);
    let headers = [("mcp-protocol-version", MODERN)];
    assert_eq!(post(&world, &headers, &message, &mut Reader::default()).unwrap().status(), 400);
    assert_eq!(world.reasons(), ["no_such_question", "invalid_request"]);
}

#[test]
fn decides_on_the_body_and_refuses_headers_that_say_otherwise() {
    let world = World::new();
    let message = modern_message("tools/call", &json!({ "name": "write" }));
    let headers = [("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"), ("mcp-name", "greet")];
    let response = post(&world, &headers, &message, &mut Reader::default()).unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(body(&response)["error"]["code"], -32020);
    assert_eq!(body(&response)["id"], "m");
    assert_eq!(world.reasons(), ["header_mismatch"]);
}
