//! `POST /mcp/tool/call`.

use super::{JSON, KEY, World, body, refused, send, status};

#[test]
fn direct_calls_say_how_it_went() {
    let world = World::new();
    let call = |text: &str| {
        let response = send(&world, "POST", "/mcp/tool/call", &[KEY, JSON], text);
        (response.status().as_u16(), body(&response))
    };
    let (status, said) = call(r#"{"tool":"greet","arguments":{},"correlation_id":"mine.1"}"#);
    assert_eq!(status, 200);
    assert_eq!(said["success"], true);
    assert_eq!(said["result"]["greeting"], "hello");
    assert_eq!(said["correlation_id"], "ticket-1");
    assert!(world.logs.borrow()[0].contains("mine.1"), "both ids stand in one log line");

    for (text, expected, code) in [
        (r#"{"tool":"nope"}"#, 404, "unknown_tool"),
        (r#"{"tool":"fail"}"#, 404, "not_found"),
        (r#"{"tool":"write"}"#, 403, "write_mode_disabled"),
        (r#"{"tool":"greet","arguments":[]}"#, 400, "invalid_arguments"),
    ] {
        let (status, said) = call(text);
        assert_eq!((status, said["error"]["code"].as_str()), (expected, Some(code)));
        assert_eq!(said["success"], false);
        assert!(said["correlation_id"].is_string() && said["error"]["message"].is_string());
    }
}

#[test]
fn direct_calls_are_exactly_what_they_should_be() {
    let world = World::new();
    for text in [
        "",
        "[]",
        "{}",
        r#"{"tool":5}"#,
        r#"{"tool":"greet","extra":1}"#,
        r#"{"tool":"greet","tool":"write"}"#,
        r#"{"tool":"greet","correlation_id":5}"#,
        r#"{"tool":"greet","correlation_id":""}"#,
        r#"{"tool":"greet","correlation_id":"a\nb"}"#,
        r#"{"tool":"greet","correlation_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
    ] {
        let found = refused(&world, "POST", "/mcp/tool/call", &[KEY, JSON], text);
        assert_eq!(found, (400, "malformed_body".to_owned()), "{text}");
    }
    assert!(world.trail.intents.borrow().is_empty());
    assert_eq!(status(&world, "POST", "/mcp/tool/call", &[KEY, ("content-type", "text/plain")]), 415);
}

#[test]
fn a_missing_scope_challenges_a_direct_call() {
    let world = World::new();
    world.scopes.borrow_mut().clear();
    let response = send(&world, "POST", "/mcp/tool/call", &[KEY, JSON], r#"{"tool":"greet"}"#);
    assert_eq!(response.status(), 403);
    assert_eq!(
        response.headers()["www-authenticate"],
        "Bearer error=\"insufficient_scope\", scope=\"read:repository\""
    );
}

#[test]
fn a_trail_that_cannot_be_written_stops_a_direct_call() {
    let world = World::new();
    world.trail.refuses_intents.set(true);
    let response = send(&world, "POST", "/mcp/tool/call", &[KEY, JSON], r#"{"tool":"greet"}"#);
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"5".parse().unwrap())
    );
    assert_eq!(body(&response)["error"]["code"], "audit_unavailable");
}
