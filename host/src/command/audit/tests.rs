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
