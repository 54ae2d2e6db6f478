//! Progress frames, one by one.

use serde_json::json;

use super::Stream;
use crate::mcp::call::Progress;
use crate::mcp::fake::Reader;

#[test]
fn streams_every_report_and_the_answer_last() {
    let mut reader = Reader::default();
    let mut stream = Stream::new(&mut reader, Some(json!("t")));
    stream.report(0, Some(3), "start");
    stream.report(1, Some(3), "line\nbreak");
    stream.report(2, None, "end");
    assert_eq!(stream.finish(json!({ "id": 1 })), None, "the answer went out");

    let head = reader.head.as_ref().unwrap();
    assert_eq!(head["content-type"], "text/event-stream");
    assert_eq!(head["x-accel-buffering"], "no");
    assert!(reader.bytes.starts_with(b": "), "a comment first");
    let report =
        |done: u32, message: &str| json!({ "progressToken": "t", "progress": done, "message": message });
    let mut expected = vec![report(0, "start"), report(1, "line\nbreak"), report(2, "end")];
    expected[0]["total"] = json!(3);
    expected[1]["total"] = json!(3);
    let events = reader.events();
    assert_eq!(events.iter().map(|event| event["params"].clone()).take(3).collect::<Vec<_>>(), expected);
    assert!(events[..3].iter().all(|event| event["method"] == "notifications/progress"));
    assert_eq!(events[3], json!({ "id": 1 }));
    assert_eq!(events.len(), 4);
}

#[test]
fn gives_the_answer_back_while_a_status_can_still_be_chosen() {
    let mut reader = Reader::default();
    let mut stream = Stream::new(&mut reader, Some(json!(5)));
    stream.report(0, Some(3), "start");
    assert_eq!(stream.finish(json!(1)), Some(json!(1)));
    assert!(reader.head.is_none(), "nothing was sent");
}

#[test]
fn stays_silent_without_a_token() {
    let mut reader = Reader::default();
    let mut stream = Stream::new(&mut reader, None);
    (0..9).for_each(|done| stream.report(done, None, "step"));
    assert_eq!(stream.finish(json!(1)), Some(json!(1)));
    assert!(reader.head.is_none());
}

#[test]
fn drops_reports_that_do_not_move_forward() {
    let mut reader = Reader::default();
    let mut stream = Stream::new(&mut reader, Some(json!(5)));
    [1, 1, 0, 2, 2, 1, 3].iter().for_each(|done| stream.report(*done, None, "step"));
    stream.finish(json!({}));
    let events = reader.events();
    let progress: Vec<_> = events.iter().filter_map(|event| event["params"]["progress"].as_u64()).collect();
    assert_eq!(progress, [1, 2, 3]);
}

#[test]
fn sends_nothing_more_to_a_client_that_hung_up() {
    let mut reader = Reader { patience: Some(100), ..Reader::default() };
    let mut stream = Stream::new(&mut reader, Some(json!(5)));
    (0..50).for_each(|done| stream.report(done, None, "step"));
    assert_eq!(stream.finish(json!({})), None);
    assert!(reader.events().len() < 3);
}
