//! The format: what is written verifies, and nothing else does.

use serde_json::{Map, Value, json};

use super::{Chain, End, EntryHash, Event, Fault, HIDDEN, Line, MAX_LINE, MAX_STRING, Segment, Verifier};
use crate::Timestamp;

mod document;
mod evidence;
mod pieces;
mod tamper;
mod tickets;

const LOG_ID: &str = "00112233445566778899aabbccddeeff";

fn members(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_780_000_000_000 + millis)
}

fn open() -> Map<String, Value> {
    members(json!({"log_id": LOG_ID, "version": "0.1.0"}))
}

/// A log of `count` lines after its first.
fn log(count: u64) -> (Chain, Vec<u8>) {
    let (mut chain, mut bytes) = (Chain::EMPTY, Vec::new());
    chain.seal(&mut bytes, at(0), Event::LogOpen, &open());
    for n in 0..count {
        let entry = members(json!({"ticket": format!("t{n}"), "tool": "list_issues", "n": n}));
        chain.seal(&mut bytes, at(i64::try_from(n).unwrap()), Event::ToolInvocation, &entry);
    }
    (chain, bytes)
}

fn verify(bytes: &[u8]) -> Segment {
    Verifier::default().segment(&mut &bytes[..], None, &mut |_| ()).unwrap()
}

fn fault(bytes: &[u8]) -> Fault {
    let end = verify(bytes).end;
    let End::Bad { fault, .. } = end else { panic!("accepted: {end:?}") };
    fault
}

/// One sealed line and what it parses to as plain JSON.
fn sealed(entry: Value) -> (String, Value) {
    let mut bytes = Vec::new();
    Chain::EMPTY.clone().seal(&mut bytes, at(0), Event::SecurityEvent, &members(entry));
    assert!(bytes.len() <= MAX_LINE, "{} bytes", bytes.len());
    let text = String::from_utf8(bytes).unwrap();
    Line::parse(text.trim_end_matches('\n').as_bytes()).unwrap();
    let value = serde_json::from_str(&text).unwrap();
    (text, value)
}

#[test]
fn a_log_verifies_and_is_described() {
    let (chain, bytes) = log(9);
    let segment = verify(&bytes);
    assert_eq!((segment.end, segment.lines), (End::Whole, 10));
    assert_eq!(segment.bytes, u64::try_from(bytes.len()).unwrap());
    assert_eq!(segment.first.unwrap().seq, 1);
    assert_eq!(segment.last.unwrap().hash, chain.head());
}

#[test]
fn a_chain_goes_on_from_its_last_line() {
    let (chain, mut bytes) = log(2);
    let mut resumed = Chain::after(chain.last_seq(), chain.head());
    assert_eq!(resumed.seal(&mut bytes, at(5), Event::LogClose, &Map::new()).seq, 4);
    assert_eq!(verify(&bytes).lines, 4);
}

#[test]
fn hidden_characters_are_escaped_and_read_back() {
    let mut all = String::new();
    for (first, last) in HIDDEN {
        all.extend([first, last].into_iter().map(|code| char::from_u32(code).unwrap()));
    }
    let text = format!("a\"\\\n\t{all}é日😀");
    let (line, value) = sealed(json!({"detail": text, "\u{202e}name": 1}));
    assert_eq!(value["detail"], text);
    assert_eq!(value["\u{202e}name"], 1);
    assert!(line.contains("\\u202ename") && line.contains("\\udb40\\udc00") && line.contains("é日😀"));
    assert!(line.trim_end_matches('\n').chars().all(|c| !super::text::hidden(c)));
}

#[test]
fn long_strings_are_cut_at_a_character_and_named() {
    let text = "é".repeat(400);
    let (_, value) = sealed(json!({"reason": text, "deep": {"a/b~c": ["x".repeat(MAX_STRING + 1)]}}));
    assert_eq!(value["reason"], "é".repeat(256));
    assert_eq!(value["cut"], json!({"/reason": 800, "/deep/a~1b~0c/0": 513}));
}

#[test]
fn a_string_at_the_bound_is_left_alone() {
    let (_, value) = sealed(json!({"reason": "x".repeat(MAX_STRING)}));
    assert_eq!(value["reason"].as_str().unwrap().len(), MAX_STRING);
    assert_eq!(value.get("cut"), None);
}

#[test]
fn a_line_over_its_bound_loses_from_its_largest_member_first() {
    let paths: Vec<String> = (0..500).map(|n| format!("src/some/directory/file-{n}.rs")).collect();
    let (_, value) = sealed(json!({"paths": paths, "tool": "get_file_contents", "owner": "acme"}));
    assert_eq!((&value["tool"], &value["owner"]), (&json!("get_file_contents"), &json!("acme")));
    assert_eq!(value["cut"], json!({"/paths": 500}));
    let kept = value["paths"].as_array().unwrap();
    assert!(kept.len() > 150, "{}", kept.len());
    assert_eq!(kept[0], "src/some/directory/file-0.rs");
}

#[test]
fn no_members_make_a_line_that_breaks_a_bound() {
    let hostile = "\u{200b}".repeat(10_000);
    let many: Map<String, Value> = (0..5_000).map(|n| (format!("m{n}"), json!(n))).collect();
    let strings: Map<String, Value> =
        (0..100).map(|n| (format!("{hostile:.30}{n}"), json!(hostile))).collect();
    let deep = (0..50).fold(json!(1), |inner, _| json!([inner]));
    let long_name: Map<String, Value> =
        [("n".repeat(129), json!(1)), ("short".into(), json!(2))].into_iter().collect();
    for entry in [
        json!(many),
        json!(strings),
        json!({"arguments": many}),
        json!({"arguments": strings}),
        json!({"a": hostile, "b": [hostile, hostile], "c": {"d": hostile}}),
        json!({"deep": deep}),
        json!({"long": long_name}),
        json!({"calls": vec![json!({"method": "GET", "template": hostile, "status": 200}); 300]}),
        json!({"v": 2, "seq": 9, "ts": 1, "event": "x", "cut": 1, "prev_hash": "", "entry_hash": ""}),
    ] {
        let (_, value) = sealed(entry);
        assert!(!value["cut"].as_object().unwrap().is_empty());
        assert_eq!((&value["v"], &value["seq"]), (&json!(1), &json!(1)));
    }
}

#[test]
fn a_line_of_exactly_the_bound_is_accepted_and_one_more_byte_is_not() {
    let line = |fill: usize| {
        let mut strings = vec!["x".repeat(MAX_STRING); 15];
        strings.push("x".repeat(fill));
        let mut bytes = Vec::new();
        Chain::EMPTY.clone().seal(
            &mut bytes,
            at(0),
            Event::LogOpen,
            &members(json!({"a": strings, "log_id": LOG_ID})),
        );
        bytes
    };
    let room = MAX_LINE - line(0).len();
    assert_eq!(line(room).len(), MAX_LINE);
    assert_eq!(verify(&line(room)).end, End::Whole);
    let cut = line(room + 1);
    assert!(cut.len() <= MAX_LINE && String::from_utf8(cut).unwrap().contains("\"cut\""));
}

#[test]
fn the_first_line_of_a_file_opens_a_log_or_a_segment() {
    let mut bytes = Vec::new();
    Chain::EMPTY.clone().seal(&mut bytes, at(0), Event::SecurityEvent, &Map::new());
    assert_eq!(fault(&bytes), Fault::Beginning);

    let mut bytes = Vec::new();
    Chain::after(0, EntryHash::of(b"x")).seal(&mut bytes, at(0), Event::LogOpen, &open());
    assert_eq!(fault(&bytes), Fault::PrevHash(0));

    let mut bytes = Vec::new();
    Chain::EMPTY.clone().seal(&mut bytes, at(0), Event::LogOpen, &members(json!({"log_id": "short"})));
    assert_eq!(fault(&bytes), Fault::Form("log_id"));
}

#[test]
fn a_clock_that_steps_back_is_counted_and_not_a_fault() {
    let (mut chain, mut bytes) = log(1);
    chain.seal(&mut bytes, at(-10), Event::ClockStep, &Map::new());
    let segment = verify(&bytes);
    assert_eq!((segment.end, segment.steps_back), (End::Whole, 1));
}
