//! The audit log as bytes: what reads a line, a log and the checkpoints beside it.

use aegis_custody::audit::{End, EntryHash, Line, Note, Segment, Verifier};
use aegis_fuzz::campaign;

const WORDS: &[&str] = &[
    "{\"v\":1,\"seq\":",
    ",\"ts\":\"2026-05-28T20:26:41.391Z\"",
    ",\"event\":\"segment_close\"",
    ",\"event\":\"log_open\"",
    ",\"prev_hash\":\"",
    ",\"entry_hash\":\"",
    "\"\\ud800\"",
    "\\u0000",
    "18446744073709551616",
    "-0",
    "1e5",
    "[[[[[[[[[",
    "\n",
    "\0\0\0\0",
    "\n\n\u{2014} ",
];

/// Every line with the hash that it should have: without that, no change would get past the first check.
fn mended(text: &str) -> Vec<u8> {
    let (mut whole, mut previous) = (Vec::new(), "0".repeat(64));
    for line in text.split_inclusive('\n') {
        let Some((said, end)) = line.split_once(",\"prev_hash\":\"") else {
            whole.extend_from_slice(line.as_bytes());
            continue;
        };
        let payload = format!("{said},\"prev_hash\":\"{previous}\"");
        previous =
            EntryHash::of(payload.as_bytes()).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let feed = if end.ends_with('\n') { "\n" } else { "" };
        whole.extend_from_slice(format!("{payload},\"entry_hash\":\"{previous}\"}}{feed}").as_bytes());
    }
    whole
}

fn verified(bytes: &[u8]) -> Segment {
    Verifier::default().segment(&mut &*bytes, None, &mut |_| {}).expect("memory can be read")
}

/// First byte: whether hashes are made to fit. What is said to be valid is valid alone, and so is each line of it.
/// A line as another reader of JSON has it; null where it holds a number that is beyond what that reader counts to, which is JSON all the same.
fn by_others(line: &[u8]) -> serde_json::Value {
    match serde_json::from_slice(line) {
        Err(error) if error.to_string().starts_with("number out of range") => serde_json::Value::Null,
        read => read.expect("what others call JSON"),
    }
}

#[test]
fn logs() {
    campaign("logs", WORDS, |input| {
        let (first, rest) = input.split_first().unwrap_or((&b'0', &[]));
        let bytes = if first % 2 == 1 { mended(&String::from_utf8_lossy(rest)) } else { rest.to_vec() };
        let found = verified(&bytes);
        let valid = usize::try_from(found.bytes).expect("no more than there is");
        let again = verified(&bytes[..valid]);
        assert_eq!((again.lines, again.bytes, &again.end), (found.lines, found.bytes, &End::Whole));
        assert_eq!(bytes[..valid].split_inclusive(|byte| *byte == b'\n').count() as u64, found.lines);
        for line in bytes[..valid].split_inclusive(|byte| *byte == b'\n') {
            let line = &line[..line.len() - 1];
            Line::parse(line).expect("a line of what is valid");
            let read = by_others(line);
            assert!(read.is_null() || read["v"] == 1, "what others call JSON");
        }
        for line in bytes.split(|byte| *byte == b'\n') {
            if Line::parse(line).is_ok() {
                by_others(line);
                assert!(Line::unproven(line).is_ok());
            }
        }
        // Where it is, and what it repeats of the input, is no behaviour.
        let end = format!("{:?}", found.end);
        let word = |text: &str| text.chars().take_while(char::is_ascii_alphabetic).collect::<String>();
        let kind = format!(
            "{} {}",
            word(&end),
            end.split_once("fault: ").map(|(_, fault)| word(fault)).unwrap_or_default()
        );
        format!("{} lines, {kind}", found.lines.min(5))
    });
}

/// What was read of checkpoints is read alike alone.
#[test]
fn notes() {
    campaign("notes", WORDS, |input| match Note::parse_all(input) {
        Ok((notes, read)) => {
            let (again, whole) = Note::parse_all(&input[..read]).expect("what was read");
            assert_eq!((again.len(), whole), (notes.len(), read));
            format!("{} notes, all: {}", notes.len().min(4), read == input.len())
        }
        Err(error) => error.to_string(),
    });
}
