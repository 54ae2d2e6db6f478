//! Streams that a client opens with GET, and answers that travel on them.

use serde_json::json;

use super::{FEW, JSON, KEY, PING, body, refused, send};
use crate::gateway::{Answer, Gateway, handle};
use crate::mcp::fake::{Reader, World, request};
use crate::ports::Topic;

const EVENTS: (&str, &str) = ("accept", "text/event-stream");

/// What a stream says first.
fn opened(world: &World, path: &str, headers: &[(&str, &str)]) -> String {
    let gateway = Gateway { ports: world.ports(), offer: &FEW, version: "1.2.3" };
    let mut reader = Reader::default();
    let answer = handle(&gateway, request("GET", path, headers, ""), &mut reader);
    assert!(matches!(answer, Answer::Streamed), "{path} {headers:?}");
    assert_eq!(reader.head.unwrap()["content-type"], "text/event-stream");
    String::from_utf8(reader.bytes).unwrap()
}

#[test]
fn a_legacy_client_hears_of_changes_on_a_stream_of_its_own() {
    for version in [None, Some("2025-06-18"), Some("2025-11-25")] {
        let world = World::new();
        let mut headers = vec![KEY, EVENTS];
        headers.extend(version.map(|version| ("mcp-protocol-version", version)));
        assert_eq!(opened(&world, "/mcp", &headers), ": open\n\n");
        let kept = world.office.kept.borrow();
        let (announcements, farewell) = &kept[0];
        let topics: Vec<Topic> = announcements.iter().map(|announcement| announcement.topic).collect();
        assert_eq!(topics, [Topic::Tools, Topic::Prompts, Topic::Resources]);
        let told = r#"event: message
data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}

"#;
        assert_eq!(announcements[0].event, told);
        assert_eq!(*farewell, None);
    }
}

#[test]
fn a_client_of_the_first_revision_is_told_where_to_post() {
    let first = opened(&World::new(), "/mcp/sse", &[KEY, EVENTS]);
    assert_eq!(first, "event: endpoint\ndata: /mcp/sse?stream=stream-1\n\n");
}

#[test]
fn a_modern_client_one_without_events_and_one_too_many_get_no_stream() {
    let world = World::new();
    let modern = [KEY, EVENTS, ("mcp-protocol-version", "2026-07-28")];
    assert_eq!(refused(&world, "GET", "/mcp", &modern, ""), (405, "method_not_allowed".to_owned()));
    assert_eq!(refused(&world, "GET", "/mcp", &[KEY], ""), (406, "events_not_accepted".to_owned()));
    assert_eq!(refused(&world, "GET", "/mcp", &[EVENTS], ""), (401, "missing_credential".to_owned()));
    world.office.full.set(true);
    let response = send(&world, "GET", "/mcp", &[KEY, EVENTS], "");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"9".parse().unwrap())
    );
    assert_eq!(world.reasons().last().unwrap(), "too_many_streams");
    assert!(world.office.kept.borrow().is_empty());
}

#[test]
fn where_nothing_is_announced_there_is_nothing_to_open() {
    let world = World::new();
    world.office.topics.borrow_mut().clear();
    assert_eq!(refused(&world, "GET", "/mcp", &[KEY, EVENTS], ""), (405, "method_not_allowed".to_owned()));
}

#[test]
fn what_is_posted_for_a_stream_is_answered_on_it() {
    let world = World::new();
    let response = send(&world, "POST", "/mcp/sse?stream=stream-1", &[KEY, JSON], PING);
    assert_eq!((response.status().as_u16(), response.body().len()), (202, 0));
    assert_eq!(world.office.messages(), [json!({ "jsonrpc": "2.0", "id": 1, "result": {} })]);

    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"greet","_meta":{"progressToken":1}}}"#;
    taken(&world, call);
    let messages = world.office.messages();
    assert_eq!(messages.last().unwrap()["result"]["structuredContent"]["greeting"], "hello");
    assert!(messages.iter().any(|message| message["method"] == "notifications/progress"));

    let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(send(&world, "POST", "/mcp/sse?stream=stream-1", &[KEY, JSON], notification).status(), 202);
    assert_eq!(world.office.messages().len(), messages.len(), "nothing answers a notification");
}

/// The post is answered before its call is, with nothing to read.
fn taken(world: &World, call: &str) {
    let gateway = Gateway { ports: world.ports(), offer: &FEW, version: "1.2.3" };
    let mut reader = Reader::default();
    let posted = request("POST", "/mcp/sse?stream=stream-1", &[KEY, JSON], call);
    assert!(matches!(handle(&gateway, posted, &mut reader), Answer::Streamed));
    assert_eq!((reader.status, reader.bytes.len()), (202, 0));
    assert_eq!(reader.head.unwrap()["cache-control"], "no-store");
}

#[test]
fn nothing_is_done_for_a_stream_that_is_not_there() {
    let world = World::new();
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"greet"}}"#;
    for name in ["stream-2", "", "%73tream-1"] {
        let target = format!("/mcp/sse?stream={name}");
        let told = refused(&world, "POST", &target, &[KEY, JSON], call);
        assert_eq!(told, (404, "no_such_stream".to_owned()), "{name}");
    }
    assert!(world.trail.intents.borrow().is_empty());
}

#[test]
fn what_only_signing_in_or_waiting_can_mend_answers_the_post_itself() {
    let world = World::new();
    world.scopes.borrow_mut().clear();
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"greet"}}"#;
    let response = send(&world, "POST", "/mcp/sse?stream=stream-1", &[KEY, JSON], call);
    assert_eq!(response.status(), 403);
    assert!(response.headers().contains_key("www-authenticate"));
    assert_eq!(body(&response)["error"]["data"]["reason"], "insufficient_scope");
    assert!(world.office.messages().is_empty());
}
