//! Events, one by one.

use serde_json::json;

use super::Stream;
use crate::mcp::fake::Reader;

#[test]
fn everything_said_comes_before_the_answer_in_its_order() {
    let mut reader = Reader::default();
    let mut stream = Stream::new(&mut reader);
    stream.hold(json!({ "n": 1, "text": "line\nbreak" }));
    stream.hold(json!({ "n": 2 }));
    stream.send(&json!({ "n": 3 }));
    assert_eq!(stream.finish(json!({ "id": 1 })), None, "the answer went out");

    let head = reader.head.as_ref().unwrap();
    assert_eq!(head["content-type"], "text/event-stream");
    assert_eq!(head["x-accel-buffering"], "no");
    assert!(reader.bytes.starts_with(b": "), "a comment first");
    let expected =
        [json!({ "n": 1, "text": "line\nbreak" }), json!({ "n": 2 }), json!({ "n": 3 }), json!({ "id": 1 })];
    assert_eq!(reader.events(), expected);
}

#[test]
fn gives_the_answer_back_while_a_status_can_still_be_chosen() {
    let mut reader = Reader::default();
    let mut stream = Stream::new(&mut reader);
    stream.hold(json!(0));
    assert_eq!(stream.finish(json!(1)), Some(json!(1)));
    assert!(reader.head.is_none(), "nothing was sent");
}

#[test]
fn what_cannot_wait_begins_the_stream_at_once() {
    let mut reader = Reader::default();
    let mut stream = Stream::new(&mut reader);
    stream.send(&json!("now"));
    drop(stream);
    assert_eq!(reader.events(), [json!("now")]);
}

#[test]
fn sends_nothing_more_to_a_client_that_hung_up() {
    let mut reader = Reader { patience: Some(60), ..Reader::default() };
    let mut stream = Stream::new(&mut reader);
    (0..50).for_each(|n| stream.send(&json!({ "n": n })));
    assert_eq!(stream.finish(json!({})), Some(json!({})), "nobody heard it");
    assert!(reader.events().len() < 3);
}
