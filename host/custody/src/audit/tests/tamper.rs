//! Every change to a log is found, and every unfinished write is told from a change.

use serde_json::{Map, Value, json};

use super::{LOG_ID, at, fault, log, members, verify};
use crate::audit::{Chain, End, EntryHash, Event, Fault, Line, Tree, Verifier};

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
}

/// The same line with another text in it and a hash that fits.
fn rehashed(line: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = str::from_utf8(line).unwrap();
    let payload = text.split(",\"entry_hash\"").next().unwrap().replacen(from, to, 1);
    assert_ne!(payload, text);
    format!("{payload},\"entry_hash\":\"{}\"}}\n", EntryHash::of(payload.as_bytes())).into_bytes()
}

#[test]
fn every_flipped_bit_is_found() {
    let (_, bytes) = log(4);
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << bit;
            let end = verify(&changed).end;
            // The last line feed gone leaves a line that was never finished, as far as anyone can tell.
            let unfinished = index == bytes.len() - 1 && changed[index] != 0;
            match end {
                End::Bad { .. } => assert!(!unfinished),
                End::Torn { .. } => assert!(index >= bytes.len() - lines(&bytes)[4].len(), "byte {index}"),
                End::Whole => panic!("byte {index} bit {bit}"),
            }
        }
    }
}

#[test]
fn dropped_repeated_swapped_and_inserted_lines_are_found() {
    let (_, bytes) = log(6);
    let whole = lines(&bytes);
    for index in 0..whole.len() - 1 {
        let mut dropped = whole.clone();
        dropped.remove(index);
        assert!(matches!(verify(&dropped.concat()).end, End::Bad { .. }), "dropped {index}");
        let mut swapped = whole.clone();
        swapped.swap(index, index + 1);
        assert!(matches!(verify(&swapped.concat()).end, End::Bad { .. }), "swapped {index}");
    }
    for index in 0..whole.len() {
        let mut repeated = whole.clone();
        repeated.insert(index, whole[index].clone());
        assert!(matches!(verify(&repeated.concat()).end, End::Bad { .. }), "repeated {index}");
    }
}

#[test]
fn a_changed_line_with_a_new_hash_breaks_the_line_after_it() {
    let (_, bytes) = log(3);
    let mut whole = lines(&bytes);
    whole[2] = rehashed(&whole[2], "list_issues", "show_issues");
    let segment = verify(&whole.concat());
    assert_eq!(segment.end, End::Bad { line: 4, fault: Fault::PrevHash(3) });
}

#[test]
fn every_cut_within_the_last_line_is_a_torn_tail() {
    let (_, bytes) = log(3);
    let before = bytes.len() - lines(&bytes)[3].len();
    for end in before + 1..bytes.len() {
        let segment = verify(&bytes[..end]);
        assert_eq!(segment.lines, 3);
        assert_eq!(segment.bytes, u64::try_from(before).unwrap());
        let torn = u64::try_from(end - before).unwrap();
        assert!(matches!(segment.end, End::Torn { bytes, .. } if bytes == torn), "{end}");
    }
}

#[test]
fn a_hole_that_a_crash_left_is_a_torn_tail_unless_a_line_follows_it() {
    let (_, bytes) = log(3);
    let mut hole = bytes.clone();
    hole.extend([0; 700]);
    hole.extend(b"rest of a line\n");
    assert!(matches!(verify(&hole).end, End::Torn { bytes: 715, .. }));
    let mut filled = hole;
    filled.extend(&lines(&bytes)[3]);
    assert!(matches!(verify(&filled).end, End::Bad { line: 5, .. }));
}

#[test]
fn sectors_that_a_disk_did_not_write_before_later_ones_are_a_torn_tail_whatever_follows() {
    let (_, bytes) = log(20);
    let end = lines(&bytes)[..6].concat().len();
    let sector = end.next_multiple_of(512);
    for (from, to) in [(end, sector), (sector, sector + 512), (sector, bytes.len())] {
        let mut hole = bytes.clone();
        hole[from..to].fill(0);
        assert!(matches!(verify(&hole).end, End::Torn { .. }), "{from} to {to}");
    }
    // One line made of zeros is no hole: a disk does not write lines.
    let mut blank = bytes;
    blank[end..end + lines(&log(20).1)[6].len()].fill(0);
    assert!(matches!(verify(&blank).end, End::Bad { line: 7, .. }));
}

#[test]
fn a_foreign_line_at_the_end_is_damage() {
    let (_, mut bytes) = log(2);
    bytes.extend(b"{\"v\":1}\n");
    assert!(matches!(verify(&bytes).end, End::Bad { line: 4, fault: Fault::Order("seq") }));
}

#[test]
fn text_without_a_line_feed_that_is_longer_than_a_line_does_not_fill_memory() {
    let (_, mut bytes) = log(1);
    bytes.extend(vec![b'x'; 5 * 1024 * 1024]);
    assert!(matches!(verify(&bytes).end, End::Torn { bytes, .. } if bytes == 5 * 1024 * 1024));
}

#[test]
fn only_one_written_form_of_a_line_is_accepted() {
    let first = String::from_utf8(log(0).1).unwrap();
    for (from, to) in [
        ("{\"v\":1", "{\"v\": 1"),
        ("{\"v\":1", "{\"v\":1.0"),
        ("{\"v\":1", "{\"v\":2"),
        ("{\"v\":1", "{\"\\u0076\":1"),
        ("\"seq\":1", "\"seq\":01"),
        ("\"seq\":1", "\"seq\":1e0"),
        ("\"seq\":1", "\"seq\":\"1\""),
        ("\"seq\":1,", ""),
        ("\"version\"", "\"log_id\""),
        ("\"version\"", "\"log\\u005fid\""),
        ("\"version\"", "\"prev_hash\""),
        ("0.1.0", "\\ud800"),
        ("0.1.0", "\\udc00\\ud800"),
        ("0.1.0", "\\ud800\\u0041"),
        ("0.1.0", "\\x41"),
        ("0.1.0", "\\u12g4"),
        ("0.1.0", "\u{202e}"),
        ("0.1.0", "\u{200b}"),
        ("0.1.0", "\t"),
        ("0.1.0", "\u{85}"),
        ("\"0.1.0\"", "[1,]"),
        ("\"0.1.0\"", "{\"a\":1,\"a\":2}"),
        ("\"0.1.0\"", "[[[[[[[[1]]]]]]]]"),
        ("\"0.1.0\"", "NaN"),
        ("\"0.1.0\"", "+1"),
        ("\"0.1.0\"", ".5"),
        ("\"0.1.0\"", "1."),
        ("log_open", "Log_open"),
        ("log_open", ""),
        ("T", " "),
    ] {
        let line = rehashed(first.as_bytes(), from, to);
        let bare = line.strip_suffix(b"\n").unwrap();
        assert!(Line::parse(bare).is_err(), "{from} -> {to}: {}", String::from_utf8_lossy(&line));
    }
    let line = rehashed(first.as_bytes(), "0.1.0", "\\ud83d\\ude00\\/");
    assert_eq!(Line::parse(line.strip_suffix(b"\n").unwrap()).unwrap().text("version").unwrap(), "😀/");
}

#[test]
fn what_follows_or_precedes_the_object_is_refused() {
    let (_, bytes) = log(0);
    let bare = bytes.strip_suffix(b"\n").unwrap();
    for changed in [
        [bare, b"\r"].concat(),
        [bare, b" "].concat(),
        [b"\xef\xbb\xbf", bare].concat(),
        [bare, b"\xff"].concat(),
    ] {
        assert!(Line::parse(&changed).is_err());
    }
    let upper = str::from_utf8(bare).unwrap();
    let (head, hash) = upper.split_at(upper.len() - 66);
    assert!(Line::parse(format!("{head}{}", hash.to_uppercase()).as_bytes()).is_err());
}

fn segment_open(log_id: &str, number: u64, last_seq: u64) -> Map<String, Value> {
    members(json!({"log_id": log_id, "number": number, "previous": "audit-1.jsonl", "last_seq": last_seq}))
}

/// The peaks of the tree over these lines.
fn tree(bytes: &[u8]) -> Value {
    let mut tree = Tree::EMPTY;
    for line in lines(bytes) {
        tree.push(Line::parse(line.strip_suffix(b"\n").unwrap()).unwrap().hash());
    }
    tree.peaks().iter().map(ToString::to_string).collect()
}

/// A closed segment and the one after it.
fn two_segments(number: u64, last_seq: u64, log_id: &str) -> (Vec<u8>, Vec<u8>) {
    let (mut chain, mut first) = log(2);
    chain.seal(&mut first, at(3), Event::SegmentClose, &Map::new());
    let mut second = Vec::new();
    let mut begin = segment_open(log_id, number, last_seq);
    begin.insert("tree".to_owned(), tree(&first));
    chain.seal(&mut second, at(4), Event::SegmentOpen, &begin);
    chain.seal(&mut second, at(5), Event::LogClose, &Map::new());
    (first, second)
}

fn second_end(first: &[u8], second: &[u8]) -> End {
    let mut verifier = Verifier::default();
    assert_eq!(verifier.segment(&mut &*first, None, &mut |_| ()).unwrap().end, End::Whole);
    verifier.segment(&mut &*second, None, &mut |_| ()).unwrap().end
}

#[test]
fn segments_join_only_in_their_own_order() {
    let (first, second) = two_segments(2, 4, LOG_ID);
    assert_eq!(second_end(&first, &second), End::Whole);
    for (number, last_seq, log_id, fault) in [
        (3, 4, LOG_ID, Fault::Contradiction("number")),
        (1, 4, LOG_ID, Fault::Form("number")),
        (2, 3, LOG_ID, Fault::Contradiction("last_seq")),
        (2, 4, "ffffffffffffffffffffffffffffffff", Fault::Contradiction("log_id")),
    ] {
        let (first, second) = two_segments(number, last_seq, log_id);
        assert_eq!(second_end(&first, &second), End::Bad { line: 1, fault });
    }
    let (_, other) = log(1);
    let end = second_end(&other, &second);
    assert_eq!(end, End::Bad { line: 1, fault: Fault::Seq { expected: 3, found: 5 } });
}

#[test]
fn a_segment_tells_the_tree_before_it_as_it_is() {
    let (first, second) = two_segments(2, 4, LOG_ID);
    let told = tree(&first)[0].as_str().unwrap().to_owned();
    let opening = |text: &str, to: &str| {
        let mut changed = lines(&second);
        changed[0] = rehashed(&changed[0], text, to);
        second_end(&first, &changed[..1].concat())
    };
    let another = "f".repeat(64);
    assert_eq!(opening(&told, &another), End::Bad { line: 1, fault: Fault::Contradiction("tree") });
    assert_eq!(opening("\"tree\"", "\"shrub\""), End::Bad { line: 1, fault: Fault::Form("tree") });
    assert_eq!(opening(&format!("\"{told}\""), ""), End::Bad { line: 1, fault: Fault::Form("tree") });
}

#[test]
fn the_roots_that_were_asked_for_are_kept_from_a_later_segment_too() {
    let (first, second) = two_segments(2, 4, LOG_ID);
    let roots = |files: &[&[u8]]| {
        let mut verifier = Verifier::with_roots_at([0, 2, 4, 6, 9]);
        for mut bytes in files.iter().copied() {
            verifier.segment(&mut bytes, None, &mut |_| ()).unwrap();
        }
        verifier.roots().clone()
    };
    let (all, later) = (roots(&[&first, &second]), roots(&[&second]));
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), [0, 2, 4, 6]);
    assert_eq!(later.keys().copied().collect::<Vec<_>>(), [4, 6]);
    assert!(later.iter().all(|(size, root)| all[size] == *root));
}

#[test]
fn a_later_segment_verifies_alone_and_says_where_it_begins() {
    let (_, second) = two_segments(2, 4, LOG_ID);
    let mut verifier = Verifier::default();
    let segment = verifier.segment(&mut &second[..], None, &mut |_| ()).unwrap();
    assert_eq!((segment.end, segment.first.unwrap().seq, verifier.number()), (End::Whole, 5, 2));
    assert_eq!(verifier.log_id(), Some(LOG_ID));
}

#[test]
fn nothing_follows_the_end_of_a_segment_and_no_segment_begins_within_another() {
    let (mut first, second) = two_segments(2, 4, LOG_ID);
    first.extend(&second);
    assert_eq!(fault(&first), Fault::Misplaced("a line after segment_close"));
    let (mut chain, mut bytes) = log(1);
    chain.seal(&mut bytes, at(2), Event::SegmentOpen, &segment_open(LOG_ID, 2, 2));
    assert_eq!(fault(&bytes), Fault::Misplaced("segment_open within a segment"));
}

#[test]
fn bytes_after_the_named_last_line_were_never_acknowledged() {
    let (_, bytes) = log(3);
    let named = |last| Verifier::default().segment(&mut &bytes[..], Some(last), &mut |_| ()).unwrap();
    assert_eq!(named(4).end, End::Whole);
    let segment = named(3);
    assert_eq!(segment.lines, 3);
    assert!(matches!(segment.end, End::Torn { .. }));
    assert_eq!(Chain::after(3, segment.last.unwrap().hash).last_seq(), 3);
}
