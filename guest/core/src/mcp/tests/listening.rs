//! `subscriptions/listen`: what is acknowledged, and what is said later.

use super::*;
use crate::ports::Topic;

fn listen(world: &World, params: &Value) -> (Option<(u16, Value)>, Vec<Value>) {
    let headers = [("mcp-protocol-version", MODERN), ("mcp-method", "subscriptions/listen")];
    let mut reader = Reader::default();
    let answer = post(world, &headers, &modern_message("subscriptions/listen", params), &mut reader);
    let events = if reader.head.is_some() { reader.events() } else { Vec::new() };
    (answer.map(|response| (response.status().as_u16(), body(&response))), events)
}

#[test]
fn what_was_asked_for_and_is_announced_is_acknowledged_first() {
    let world = World::new();
    let asked =
        json!({ "toolsListChanged": true, "promptsListChanged": false, "resourceSubscriptions": ["x:y"] });
    let (answer, events) = listen(&world, &json!({ "notifications": asked }));
    assert_eq!(answer, None);
    let meta = json!({ "io.modelcontextprotocol/subscriptionId": "m" });
    let params = json!({ "notifications": { "toolsListChanged": true }, "_meta": meta });
    let method = "notifications/subscriptions/acknowledged";
    assert_eq!(events, [json!({ "jsonrpc": "2.0", "method": method, "params": params })]);

    let kept = world.office.kept.borrow();
    let (announcements, farewell) = &kept[0];
    assert_eq!(announcements.iter().map(|told| told.topic).collect::<Vec<_>>(), [Topic::Tools]);
    let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": { "_meta": meta } });
    assert_eq!(announcements[0].event, format!("event: message\ndata: {changed}\n\n"));
    assert!(farewell.as_ref().unwrap().contains("\"resultType\":\"complete\""), "{farewell:?}");
}

#[test]
fn a_list_that_nobody_announces_is_not_acknowledged() {
    let world = World::new();
    *world.office.topics.borrow_mut() = vec![Topic::Prompts];
    let asked = json!({ "toolsListChanged": true });
    let (_, events) = listen(&world, &json!({ "notifications": asked }));
    assert_eq!(events[0]["params"]["notifications"], json!({}));

    world.office.topics.borrow_mut().clear();
    let (answer, _) = listen(&world, &json!({ "notifications": asked }));
    let (status, said) = answer.unwrap();
    assert_eq!((status, said["error"]["code"].as_i64()), (404, Some(-32601)));
    assert_eq!(world.reasons(), ["unknown_method"]);
}

#[test]
fn without_a_filter_or_room_there_is_no_stream() {
    let world = World::new();
    let (status, said) = listen(&world, &json!({})).0.unwrap();
    assert_eq!((status, said["error"]["code"].as_i64()), (400, Some(-32602)));
    world.office.full.set(true);
    let (status, _) = listen(&world, &json!({ "notifications": {} })).0.unwrap();
    assert_eq!(status, 429);
    assert_eq!(world.reasons(), ["invalid_params", "too_many_streams"]);
}
