//! What the command says about logs that are whole, damaged, torn and missing.

use std::fs;
use std::path::Path;

use aegis_custody::Timestamp;
use aegis_custody::audit::{Chain, Event};
use serde_json::{Map, Value, json};

use super::{Report, verify};

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// Three files: two closed segments and the active one.
fn write_log(dir: &Path) {
    let log_id = "00112233445566778899aabbccddeeff";
    let (mut chain, at) = (Chain::EMPTY, Timestamp::from_unix_millis(1_780_000_000_000));
    for (number, name) in [
        (1, "audit-000000000001-000000000003.jsonl"),
        (2, "audit-000000000004-000000000006.jsonl"),
        (3, "audit.log"),
    ] {
        let mut bytes = Vec::new();
        let members =
            json!({"log_id": log_id, "number": number, "last_seq": chain.last_seq(), "previous": "x"});
        let first = if number == 1 { Event::LogOpen } else { Event::SegmentOpen };
        chain.seal(&mut bytes, at, first, &object(members));
        chain.seal(&mut bytes, at, Event::SecurityEvent, &object(json!({"reason": "seen"})));
        chain.seal(&mut bytes, at, Event::SegmentClose, &Map::new());
        fs::write(dir.join(name), bytes).unwrap();
    }
}

fn log() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_log(dir.path());
    dir
}

#[test]
fn a_whole_log_is_valid_as_a_directory_and_file_by_file() {
    let dir = log();
    assert_eq!(verify(dir.path(), false), 0);
    let report = Report::of(dir.path());
    assert_eq!((report.parts.len(), report.lines()), (3, 9));
    let json = report.json();
    assert_eq!(
        (&json["verdict"], &json["first"]["seq"], &json["last"]["seq"]),
        (&json!("valid"), &json!(1), &json!(9))
    );
    for part in &report.parts {
        assert_eq!(verify(&part.path, true), 0, "{}", part.path.display());
    }
}

#[test]
fn damage_names_the_file_the_line_and_what_is_wrong() {
    let dir = log();
    let path = dir.path().join("audit-000000000004-000000000006.jsonl");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("seen", "seem")).unwrap();
    let report = Report::of(dir.path());
    assert_eq!(report.code(), 1);
    let text = report.text();
    assert!(text.contains("DAMAGED") && text.contains(&format!("{} line 2", path.display())), "{text}");
    assert!(text.contains("entry_hash does not match"), "{text}");
    assert_eq!(report.json()["problem"]["line"], 2);
}

#[test]
fn a_missing_or_renamed_segment_is_damage() {
    let dir = log();
    fs::remove_file(dir.path().join("audit-000000000004-000000000006.jsonl")).unwrap();
    assert_eq!(Report::of(dir.path()).code(), 1);
    let dir = log();
    let name = |name: &str| dir.path().join(name);
    fs::rename(name("audit-000000000004-000000000006.jsonl"), name("audit-000000000004-000000000007.jsonl"))
        .unwrap();
    let report = Report::of(dir.path());
    assert!(report.code() == 1 && report.text().contains("the name states"), "{}", report.text());
}

#[test]
fn expired_first_segments_leave_a_valid_rest_that_says_where_it_begins() {
    let dir = log();
    fs::remove_file(dir.path().join("audit-000000000001-000000000003.jsonl")).unwrap();
    let report = Report::of(dir.path());
    assert!(report.code() == 0 && report.text().contains("begins at seq 4"), "{}", report.text());
}

#[test]
fn a_torn_tail_has_an_exit_code_of_its_own() {
    let dir = log();
    let path = dir.path().join("audit.log");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(verify(dir.path(), false), 3);
    assert_eq!(Report::of(&path).json()["torn"][0]["file"], path.display().to_string());
}

#[test]
fn what_cannot_be_read_is_not_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(verify(dir.path(), false), 2);
    assert_eq!(verify(&dir.path().join("none.log"), true), 2);
}

/// Two files: a closed segment, and the active one that begins with what `carried` says is open. In the first
/// the calls `a`, `b` and `c` begin; in the second `a` ends.
fn write_calls(dir: &Path, carried: Value, last: Event) {
    let at = Timestamp::from_unix_millis(1_780_000_000_000);
    let (mut chain, mut bytes) = (Chain::EMPTY, Vec::new());
    let call = |ticket: &str, status: &str| object(json!({"ticket": ticket, "status": status, "tool": "t"}));
    let log_id = json!("00112233445566778899aabbccddeeff");
    chain.seal(&mut bytes, at, Event::LogOpen, &object(json!({"log_id": log_id})));
    for ticket in ["a", "b", "c\u{202e}"] {
        chain.seal(&mut bytes, at, Event::ToolInvocation, &call(ticket, "pending"));
    }
    chain.seal(&mut bytes, at, Event::SegmentClose, &Map::new());
    fs::write(dir.join("audit-000000000001-000000000005.jsonl"), &bytes).unwrap();
    bytes.clear();
    let mut open = object(json!({"log_id": log_id, "number": 2, "last_seq": 5}));
    open.extend(object(carried));
    chain.seal(&mut bytes, at, Event::SegmentOpen, &open);
    chain.seal(&mut bytes, at, Event::ToolInvocation, &call("a", "success"));
    chain.seal(&mut bytes, at, last, &Map::new());
    fs::write(dir.join("audit.log"), &bytes).unwrap();
}

#[test]
fn calls_without_an_outcome_are_noted_and_change_no_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    write_calls(dir.path(), json!({}), Event::LogClose);
    let report = Report::of(dir.path());
    assert_eq!((report.code(), &report.json()["verdict"]), (0, &json!("valid")));
    assert_eq!(
        report.json()["without_outcome"],
        json!({"count": 2, "first": [
            {"ticket": "b", "intent_seq": 3, "tool": "t"}, {"ticket": "c\u{202e}", "intent_seq": 4, "tool": "t"},
        ]})
    );
    let text = report.text();
    assert!(text.contains("without an outcome: 2, though the server stopped in good order"), "{text}");
    assert!(text.contains("tickets b, c\\u{202e}\n"), "{text}");
    write_calls(dir.path(), json!({}), Event::SecurityEvent);
    let text = Report::of(dir.path()).text();
    assert!(text.contains("without an outcome: 2, while the server runs"), "{text}");
}

#[test]
fn the_active_segment_alone_tells_of_calls_that_began_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let named = |ticket: &str, seq: u64| json!({"ticket": ticket, "intent_seq": seq, "tool": "t"});
    let carried = json!({"open_count": 3, "open": [named("a", 2), named("b", 3)]});
    write_calls(dir.path(), carried, Event::LogClose);
    let report = Report::of(&dir.path().join("audit.log"));
    assert_eq!(report.json()["without_outcome"], json!({"count": 2, "first": [named("b", 3)]}));
    assert!(report.text().contains("tickets b, ...\n"), "{}", report.text());
}

#[test]
fn a_closed_segment_alone_and_a_damaged_log_do_not_tell_what_is_open() {
    let dir = tempfile::tempdir().unwrap();
    write_calls(dir.path(), json!({}), Event::LogClose);
    let closed = dir.path().join("audit-000000000001-000000000005.jsonl");
    assert_eq!(Report::of(&closed).json()["without_outcome"], Value::Null);
    fs::write(&closed, fs::read_to_string(&closed).unwrap().replace("\"b\"", "\"d\"")).unwrap();
    let report = Report::of(dir.path());
    assert_eq!((report.code(), &report.json()["without_outcome"]), (1, &Value::Null));
}

#[test]
fn a_log_in_which_every_call_came_to_an_outcome_has_no_such_note() {
    let dir = log();
    let report = Report::of(dir.path());
    assert_eq!(report.json()["without_outcome"]["count"], 0);
    assert!(!report.text().contains("without an outcome"), "{}", report.text());
}

#[test]
fn a_file_without_a_line_is_no_log_and_not_called_valid() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("audit.log");
    fs::write(&empty, b"").unwrap();
    for path in [empty.as_path(), dir.path()] {
        assert_eq!(verify(path, false), 2, "{}", path.display());
        assert!(Report::of(path).text().contains("holds no line"), "{}", path.display());
    }
}
