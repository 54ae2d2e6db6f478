//! What the command says about logs that are whole, damaged, torn and missing.

use std::fs;
use std::path::Path;

use aegis_custody::audit::{Checkpoint, Event, LogState, Note};
use aegis_custody::{Random, Timestamp};
use serde_json::{Map, Value, json};

use super::{Report, Verify};
use crate::audit::signer::{Signer, fresh_pem};

#[path = "tests/reading.rs"]
mod reading;

fn asked(path: &Path) -> Verify {
    Verify::plain(path)
}

fn judged(path: &Path) -> Report {
    Report::of(&asked(path))
}

fn verify(path: &Path, json: bool) -> u8 {
    super::verify(&Verify { json, ..asked(path) })
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

const LOG_ID: &str = "00112233445566778899aabbccddeeff";

struct Same;

impl Random for Same {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

fn at() -> Timestamp {
    Timestamp::from_unix_millis(1_780_000_000_000)
}

fn key() -> Signer {
    Signer::from_pem(fresh_pem(&Same).as_bytes()).unwrap()
}

/// What every first line of a file says.
fn beginning(log: &LogState, number: u64) -> Map<String, Value> {
    object(json!({
        "log_id": LOG_ID, "number": number, "last_seq": log.tree().size(), "previous": "x",
        "tree": log.tree().peaks().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "key": key().public(LOG_ID).to_string(),
    }))
}

/// A checkpoint for these lines.
fn note(log: &LogState, number: u64) -> String {
    let tree = log.tree();
    let checkpoint =
        Checkpoint { log_id: LOG_ID.to_owned(), size: tree.size(), root: tree.root(), number, time: at() };
    let signature = key().sign_as(None, &checkpoint.text()).unwrap();
    Note::signed(checkpoint, &key().public(LOG_ID), &signature).to_string()
}

/// Three files: two closed segments and the active one, with a checkpoint for each.
fn write_log(dir: &Path) {
    let (mut log, mut notes) = (LogState::EMPTY, String::new());
    for (number, name) in [
        (1, "audit-000000000001-000000000003.jsonl"),
        (2, "audit-000000000004-000000000006.jsonl"),
        (3, "audit.log"),
    ] {
        let mut bytes = Vec::new();
        let first = if number == 1 { Event::LogOpen } else { Event::SegmentOpen };
        let members = beginning(&log, number);
        log.seal(&mut bytes, at(), first, &members);
        log.seal(&mut bytes, at(), Event::SecurityEvent, &object(json!({"reason": "seen"})));
        log.seal(&mut bytes, at(), Event::SegmentClose, &Map::new());
        fs::write(dir.join(name), bytes).unwrap();
        notes.push_str(&note(&log, number));
    }
    fs::write(dir.join("audit.checkpoints"), notes).unwrap();
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
    let report = judged(dir.path());
    assert_eq!((report.parts.len(), report.lines()), (3, 9));
    let json = report.json();
    assert_eq!(
        (&json["verdict"], &json["first"]["seq"], &json["last"]["seq"]),
        (&json!("valid"), &json!(1), &json!(9))
    );
    for part in &report.parts {
        let begins = part.segment.first.is_some_and(|first| first.seq == 1);
        assert_eq!(verify(&part.path, true), if begins { 0 } else { 4 }, "{}", part.path.display());
    }
}

#[test]
fn damage_names_the_file_the_line_and_what_is_wrong() {
    let dir = log();
    let path = dir.path().join("audit-000000000004-000000000006.jsonl");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("seen", "seem")).unwrap();
    let report = judged(dir.path());
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
    assert_eq!(judged(dir.path()).code(), 1);
    let dir = log();
    let name = |name: &str| dir.path().join(name);
    fs::rename(name("audit-000000000004-000000000006.jsonl"), name("audit-000000000004-000000000007.jsonl"))
        .unwrap();
    let report = judged(dir.path());
    assert!(report.code() == 1 && report.text().contains("the name states"), "{}", report.text());
}

#[test]
fn expired_first_segments_leave_a_valid_rest_that_says_where_it_begins() {
    let dir = log();
    fs::remove_file(dir.path().join("audit-000000000001-000000000003.jsonl")).unwrap();
    let report = judged(dir.path());
    assert!(report.code() == 4 && report.text().contains("begins at seq 4"), "{}", report.text());
    let expired = Report::of(&Verify { expired: true, ..asked(dir.path()) });
    assert_eq!((expired.code(), expired.evidence.covered), (0, 9), "{}", expired.text());
}

#[test]
fn a_torn_tail_has_an_exit_code_of_its_own() {
    let dir = log();
    let path = dir.path().join("audit.log");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    // What was signed for the line that is torn now, shows that it was there.
    let report = judged(dir.path());
    assert!(
        report.code() == 1 && report.text().contains("9 lines, and the log ends at 8"),
        "{}",
        report.text()
    );
    fs::remove_file(dir.path().join("audit.checkpoints")).unwrap();
    assert_eq!(verify(dir.path(), false), 3);
    assert_eq!(judged(&path).json()["torn"][0]["file"], path.display().to_string());
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
    let (at, mut chain, mut bytes) = (at(), LogState::EMPTY, Vec::new());
    let call = |ticket: &str, status: &str| object(json!({"ticket": ticket, "status": status, "tool": "t"}));
    let first = beginning(&chain, 1);
    chain.seal(&mut bytes, at, Event::LogOpen, &first);
    for ticket in ["a", "b", "c\u{202e}"] {
        chain.seal(&mut bytes, at, Event::ToolInvocation, &call(ticket, "pending"));
    }
    chain.seal(&mut bytes, at, Event::SegmentClose, &Map::new());
    fs::write(dir.join("audit-000000000001-000000000005.jsonl"), &bytes).unwrap();
    bytes.clear();
    let mut open = beginning(&chain, 2);
    open.extend(object(carried));
    chain.seal(&mut bytes, at, Event::SegmentOpen, &open);
    chain.seal(&mut bytes, at, Event::ToolInvocation, &call("a", "success"));
    chain.seal(&mut bytes, at, last, &Map::new());
    fs::write(dir.join("audit.log"), &bytes).unwrap();
    fs::write(dir.join("audit.checkpoints"), note(&chain, 1)).unwrap();
}

#[test]
fn calls_without_an_outcome_are_noted_and_change_no_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    write_calls(dir.path(), json!({}), Event::LogClose);
    let report = judged(dir.path());
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
    let text = judged(dir.path()).text();
    assert!(text.contains("without an outcome: 2, while the server runs"), "{text}");
}

#[test]
fn the_active_segment_alone_tells_of_calls_that_began_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let named = |ticket: &str, seq: u64| json!({"ticket": ticket, "intent_seq": seq, "tool": "t"});
    let carried = json!({"open_count": 3, "open": [named("a", 2), named("b", 3)]});
    write_calls(dir.path(), carried, Event::LogClose);
    let report = judged(&dir.path().join("audit.log"));
    assert_eq!(report.json()["without_outcome"], json!({"count": 2, "first": [named("b", 3)]}));
    assert!(report.text().contains("tickets b, ...\n"), "{}", report.text());
}

#[test]
fn a_closed_segment_alone_and_a_damaged_log_do_not_tell_what_is_open() {
    let dir = tempfile::tempdir().unwrap();
    write_calls(dir.path(), json!({}), Event::LogClose);
    let closed = dir.path().join("audit-000000000001-000000000005.jsonl");
    assert_eq!(judged(&closed).json()["without_outcome"], Value::Null);
    fs::write(&closed, fs::read_to_string(&closed).unwrap().replace("\"b\"", "\"d\"")).unwrap();
    let report = judged(dir.path());
    assert_eq!((report.code(), &report.json()["without_outcome"]), (1, &Value::Null));
}

#[test]
fn a_log_in_which_every_call_came_to_an_outcome_has_no_such_note() {
    let dir = log();
    let report = judged(dir.path());
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
        assert!(judged(path).text().contains("holds no line"), "{}", path.display());
    }
}

#[test]
fn without_checkpoints_the_chain_is_checked_and_the_proof_has_a_gap() {
    let dir = log();
    fs::remove_file(dir.path().join("audit.checkpoints")).unwrap();
    let report = judged(dir.path());
    assert!(report.code() == 4 && report.text().contains("no checkpoint was given"), "{}", report.text());
    assert_eq!(report.json()["verdict"], "gap");
}

#[test]
fn a_log_cut_at_a_segment_is_found_by_its_checkpoints_and_by_an_anchor() {
    let dir = log();
    let notes = fs::read_to_string(dir.path().join("audit.checkpoints")).unwrap();
    let anchor = dir.path().join("kept-elsewhere");
    let last = notes.split_inclusive("aegis-audit/").count() / 2;
    assert_eq!(last, 3);
    fs::write(&anchor, Note::parse_all(notes.as_bytes()).unwrap().0[2].to_string()).unwrap();
    fs::remove_file(dir.path().join("audit.log")).unwrap();
    assert!(judged(dir.path()).text().contains("9 lines, and the log ends at 6"));
    let first_two: String =
        Note::parse_all(notes.as_bytes()).unwrap().0[..2].iter().map(ToString::to_string).collect();
    fs::write(dir.path().join("audit.checkpoints"), first_two).unwrap();
    assert_eq!(verify(dir.path(), false), 0, "nobody on this machine can tell");
    let with = Report::of(&Verify { anchor: vec![anchor.clone()], ..asked(dir.path()) });
    assert!(with.code() == 1 && with.text().contains("anchor 3 was signed for 9 lines"), "{}", with.text());

    // The same from lines that a container's log kept, among others.
    let text = json!({"event": "audit_checkpoint", "checkpoint": fs::read_to_string(&anchor).unwrap()});
    fs::write(&anchor, format!("{{\"event\":\"listening\"}}\n{text}\nnot json\n")).unwrap();
    let with = Report::of(&Verify { anchor: vec![anchor], ..asked(dir.path()) });
    assert_eq!(with.code(), 1);
}

#[test]
fn a_checkpoint_is_found_wherever_it_stands_in_a_file_of_anchors() {
    let dir = log();
    let notes = fs::read_to_string(dir.path().join("audit.checkpoints")).unwrap();
    let notes: Vec<String> =
        Note::parse_all(notes.as_bytes()).unwrap().0.iter().map(ToString::to_string).collect();
    let (first, last) = (&notes[0], &notes[2]);
    let (cut, _) = last.split_at(last.len() / 2);
    let logged = json!({"event": "audit_checkpoint", "checkpoint": last}).to_string();
    let pretty = format!("{:#}", json!({"checkpoint": last}));
    let docker = json!({"log": format!("{logged}\n"), "stream": "stderr"}).to_string();
    for (text, whole, broken) in [
        (format!("{first}{last}"), 2, 0),
        (format!("{first}{last}").replace('\n', "\r\n"), 2, 0),
        (format!("{first}{last}").replace('\n', " \t\n"), 2, 0),
        (format!("\u{feff}\n{first}\n\n{last}\n"), 2, 0),
        (format!("\u{feff}{first}"), 1, 0),
        (format!("<html>502 Bad Gateway</html>\n{first}no answer\n{last}"), 2, 0),
        (format!("{first}{cut}"), 1, 1),
        (format!("{cut}\n{first}"), 1, 1),
        (format!("{cut}{first}"), 1, 1),
        (format!("{first}{}", last.trim_end()), 2, 0),
        (format!("{first}{logged}\n{last}"), 3, 0),
        (format!("aegis-mcp-1  | {logged}\n{first}"), 2, 0),
        (format!("{docker}\n{pretty}\n"), 2, 0),
        (cut.to_owned(), 0, 1),
        ("aegis-audit/\u{e4}".repeat(40), 0, 0),
    ] {
        let (found, missed) = super::anchors::found(text.as_bytes());
        assert_eq!((found.len(), missed), (whole, broken), "{text}");
    }
    let anchor = dir.path().join("kept-elsewhere");
    fs::write(&anchor, format!("{first}{cut}")).unwrap();
    let report = Report::of(&Verify { anchor: vec![anchor], ..asked(dir.path()) });
    assert!(report.code() == 0 && report.text().contains("1 checkpoints in the anchors are not whole"));
}

#[test]
fn a_closed_segment_by_itself_says_that_earlier_ones_are_missing() {
    let dir = log();
    let second = dir.path().join("audit-000000000004-000000000006.jsonl");
    let report = judged(&second);
    assert!(report.code() == 4 && report.text().contains("the log begins at seq 4"), "{}", report.text());
    assert_eq!(Report::of(&Verify { expired: true, ..asked(&second) }).code(), 0);
    // A name that the log would not write is none of its segments.
    for name in ["audit-4-6.jsonl", "audit-00000000000000000000004-000000000006.jsonl"] {
        fs::rename(&second, dir.path().join(name)).unwrap();
        assert_eq!(judged(dir.path()).code(), 1, "{name}");
        fs::rename(dir.path().join(name), &second).unwrap();
    }
}

#[test]
fn a_key_that_is_known_from_elsewhere_is_compared() {
    let dir = log();
    let known = |key: String| Report::of(&Verify { key: Some(key), ..asked(dir.path()) }).code();
    let mine = key().public(LOG_ID).to_string();
    assert_eq!(known(mine.clone()), 0);
    let file = dir.path().join("key");
    fs::write(&file, format!("{mine}\n")).unwrap();
    assert_eq!(known(file.display().to_string()), 0);
    assert_eq!(known(aegis_custody::audit::PublicKey::new(LOG_ID, [9; 32]).to_string()), 1);
    assert_eq!(known("nonsense".to_owned()), 2);
}

#[test]
fn segments_may_be_compressed() {
    use std::io::Write as _;
    let dir = log();
    let first = dir.path().join("audit-000000000001-000000000003.jsonl");
    let bytes = fs::read(&first).unwrap();
    let gz = dir.path().join("audit-000000000001-000000000003.jsonl.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(fs::File::create(&gz).unwrap(), flate2::Compression::default());
    encoder.write_all(&bytes).unwrap();
    encoder.finish().unwrap();
    assert_eq!(verify(dir.path(), false), 0, "both are there while one is being made of the other");
    fs::remove_file(&first).unwrap();
    let second = dir.path().join("audit-000000000004-000000000006.jsonl");
    let zst = dir.path().join("audit-000000000004-000000000006.jsonl.zst");
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    fs::write(&zst, ruzstd::encoding::compress_to_vec(&fs::read(&second).unwrap()[..], level)).unwrap();
    fs::remove_file(&second).unwrap();
    let report = judged(dir.path());
    assert_eq!((report.code(), report.parts.len()), (0, 3), "{}", report.text());
    assert_eq!(verify(&gz, false), 0);
    fs::write(&gz, &bytes[..100]).unwrap();
    assert_eq!(verify(dir.path(), false), 2);
}

/// What is said about a log by this many threads, in pieces of this size.
fn by_threads(path: &Path, threads: usize, piece: usize) -> (u8, String, Value) {
    let report = Report::of(&Verify { threads: std::num::NonZeroUsize::new(threads), piece, ..asked(path) });
    (report.code(), report.text(), report.json())
}

#[test]
fn several_threads_with_tiny_pieces_say_what_one_says_of_every_damage() {
    let dir = log();
    let alike = |what: &str| {
        let one = by_threads(dir.path(), 1, 1);
        for (threads, piece) in [(2, 1), (4, 300), (4, 5_000), (3, super::pieces::PIECE)] {
            assert_eq!(
                by_threads(dir.path(), threads, piece),
                one,
                "{what}, {threads} threads, {piece} bytes"
            );
        }
        one.0
    };
    assert_eq!(alike("whole"), 0);
    for name in
        ["audit-000000000001-000000000003.jsonl", "audit-000000000004-000000000006.jsonl", "audit.log"]
    {
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        let mut codes = Vec::new();
        for index in (0..whole.len()).step_by(13) {
            let mut changed = whole.clone();
            changed[index] ^= 4;
            fs::write(&path, &changed).unwrap();
            codes.push(alike(&format!("{name} byte {index}")));
            fs::write(&path, &whole[..index]).unwrap();
            codes.push(alike(&format!("{name} cut at {index}")));
        }
        assert!(codes.contains(&1) && codes.iter().all(|code| *code != 0), "{codes:?}");
        for more in [&b"\0\0\0"[..], b"{\"v\":1", b"rubbish\n", &vec![b'x'; 70_000], &whole] {
            fs::write(&path, [&whole[..], more].concat()).unwrap();
            alike(&format!("{name} with {} bytes more", more.len()));
        }
        fs::write(&path, &whole).unwrap();
    }
    let (gz, cut) = (
        "audit-000000000001-000000000003.jsonl.gz",
        dir.path().join("audit-000000000001-000000000003.jsonl"),
    );
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &fs::read(&cut).unwrap()).unwrap();
    let bytes = encoder.finish().unwrap();
    fs::remove_file(cut).unwrap();
    for (end, code) in [(bytes.len(), 0), (bytes.len() - 9, 2), (30, 2)] {
        fs::write(dir.path().join(gz), &bytes[..end]).unwrap();
        assert_eq!(alike(&format!("{end} bytes compressed")), code);
    }
}
