//! What a client hears, by what it asked for.

use super::*;
use crate::client::Input;
use crate::mcp::fake::{GOOD, Reader, World};
use crate::ports::Identity as _;

fn params(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap()
}

/// What a client with these parameters hears of a call.
fn heard(
    params_text: &str,
    least: Option<Level>,
    reads_events: bool,
    say: impl Fn(&dyn Client),
) -> Vec<Value> {
    let world = World::new();
    let caller = world.authenticate(GOOD).unwrap();
    let mut reader = Reader::default();
    let asking = Asking::Meanwhile(&*caller);
    let client = Conversation::new(asking, least, &params(params_text), reads_events, &mut reader).unwrap();
    say(&client);
    drop(client);
    if reader.head.is_some() { reader.events() } else { Vec::new() }
}

const TOKEN: &str = r#"{"_meta":{"progressToken":"t"}}"#;

#[test]
fn progress_carries_the_token_and_only_moves_forward() {
    let told = heard(TOKEN, None, true, |client| {
        [1, 1, 0, 2, 2, 1, 3].iter().for_each(|done| client.progress(*done, Some(3), "step"));
    });
    let numbers: Vec<_> = told.iter().map(|event| event["params"]["progress"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let last = json!({ "progressToken": "t", "progress": 3, "total": 3, "message": "step" });
    assert_eq!(told[2], json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": last }));
}

#[test]
fn a_client_without_a_token_or_without_events_hears_no_progress() {
    let say = |client: &dyn Client| (0..9).for_each(|done| client.progress(done, None, ""));
    assert!(heard("{}", None, true, say).is_empty());
    assert!(heard(TOKEN, None, false, say).is_empty());
    for wrong in ["null", "1.5", "[]", "{}", "true"] {
        let params = params(&format!(r#"{{"_meta":{{"progressToken":{wrong}}}}}"#));
        assert!(progress_token(&params).is_err(), "{wrong}");
    }
}

#[test]
fn messages_come_from_the_level_that_was_asked_for() {
    let say = |client: &dyn Client| {
        for level in [Level::Debug, Level::Info, Level::Warning, Level::Error] {
            client.log(level, "x");
        }
    };
    let names = |told: Vec<Value>| told.iter().map(|t| t["params"]["level"].to_string()).collect::<Vec<_>>();
    assert_eq!(names(heard("{}", Some(Level::Warning), true, say)), ["\"warning\"", "\"error\""]);
    assert_eq!(names(heard("{}", Some(Level::Debug), true, say)).len(), 4);
    assert!(heard("{}", None, true, say).is_empty());
}

#[test]
fn a_client_that_reads_no_events_cannot_be_asked_meanwhile() {
    let question = Question { key: "k", input: Input::Roots, bound: false };
    let world = World::new();
    world.office.replies.borrow_mut().push(Some(json!({ "result": { "roots": [] } })));
    let caller = world.authenticate(GOOD).unwrap();
    let mut reader = Reader::default();
    let client =
        Conversation::new(Asking::Meanwhile(&*caller), None, &Map::new(), false, &mut reader).unwrap();
    assert_eq!(client.ask(&[question]), Err(Unasked::Unreachable));
}
