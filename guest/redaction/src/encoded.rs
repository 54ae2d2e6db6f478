//! Secrets inside Base64: values of Kubernetes secrets, encoded files, pasted blobs. What a Base64 word stands
//! for is scanned like any text, once: Base64 within Base64 is left.

use crate::class::Class;
use crate::matching::Text;
use crate::scan::{Found, Hit, plain};

/// The shortest word that is decoded. The shortest token that stands alone takes more.
const WORD: usize = 20;
/// How many characters are decoded to see whether text may follow: a multiple of four.
const HEAD: usize = 20;
/// The most letters of an escape (`\u003d`, without its backslash) that a run may begin with.
const ESCAPE: usize = 5;
/// Lines of wrapped Base64 are at least this long, all but the last.
const LINE: usize = 56;

/// The Base64 words of `text` that hold a secret, each to be masked whole.
pub(crate) fn words(text: &str, only_always: bool) -> Found {
    let mut text = Text::new(text.as_bytes());
    let mut hits = Vec::new();
    let mut at = 0;
    while at < text.bytes.len() {
        let end = text.run(at, Class::BASE64_ANY, usize::MAX);
        let long = end.saturating_sub(at) >= WORD;
        let hit = if long { word(&mut text, at, end, only_always) } else { None };
        at = hit.map_or(end.max(at).saturating_add(1), |hit| hit.end);
        hits.extend(hit);
    }
    Found { hits, work: text.work }
}

/// The secret in the run from `at` to `end`. The run may begin with what is no part of it: a path, a diff's mark,
/// the letter of an escape. So each place behind a sign or a mark is tried, with a look at a few characters.
fn word(text: &mut Text<'_>, at: usize, end: usize, only_always: bool) -> Option<Hit> {
    for start in at..end.saturating_sub(WORD).saturating_add(1) {
        let before = text.before(start, 1).unwrap_or(b' ');
        let sign = start > at && matches!(before, b'+' | b'/' | b'-' | b'_');
        let escaped = start.saturating_sub(at) <= ESCAPE && text.boundary(start, true);
        if start != at && !(sign && begins(text.rest(start))) && !escaped {
            continue;
        }
        text.work = text.work.saturating_add(HEAD as u64);
        if readable(&decode(text.rest(start).iter().take(HEAD))) {
            return decoded(text, start, end, only_always);
        }
    }
    None
}

/// Whether what follows a sign may begin a Base64 word: signs are rare in one.
fn begins(rest: &[u8]) -> bool {
    rest.iter().take(4).all(|byte| Class::ALNUM.has(*byte))
}

/// What stands encoded from `start` on, over the lines it is wrapped into, if it holds a secret.
fn decoded(text: &mut Text<'_>, start: usize, end: usize, only_always: bool) -> Option<Hit> {
    let mut characters = text.bytes.get(start..end)?.to_vec();
    let mut end = end;
    let mut last = characters.len();
    while last >= LINE
        && last.is_multiple_of(4)
        && let Some((from, to)) = next_line(text, end)
    {
        let line = text.bytes.get(from..to)?;
        characters.extend_from_slice(line);
        (end, last) = (to, line.len());
    }
    text.work = text.work.saturating_add(2 * characters.len() as u64);
    let mut bytes = decode(characters.iter());
    let whole = std::str::from_utf8(&bytes).map_or_else(|error| error.valid_up_to(), str::len);
    bytes.truncate(whole);
    let found = plain(std::str::from_utf8(&bytes).ok()?, only_always);
    text.work = text.work.saturating_add(found.work);
    let first = found.hits.first()?;
    Some(Hit { start, end: text.padding(end), rule: first.rule })
}

/// The Base64 that goes on in the next line, behind a line end (which may be an escape), an indent or a diff's
/// mark, up to the end of that line.
fn next_line(text: &mut Text<'_>, end: usize) -> Option<(usize, usize)> {
    let rest = text.rest(end);
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
    let rest = rest.strip_prefix(b"\\r").unwrap_or(rest);
    let rest = rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\\n"))?;
    let mark =
        usize::from(matches!(rest.first(), Some(b'+' | b'-')) && rest.get(1..).is_some_and(starts_line));
    let rest = rest.get(mark..)?;
    let indent = rest.iter().take(40).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let from = text.bytes.len().checked_sub(rest.len())?.saturating_add(indent);
    let to = text.run(from, Class::BASE64_ANY, usize::MAX);
    let close = text.byte(text.padding(to));
    let ends = close.is_none_or(|byte| matches!(byte, b'\n' | b'\r' | b'\\' | b'"' | b'\''));
    (to > from && ends).then_some((from, to))
}

/// Whether a line of a diff goes on behind its mark with an indent or with Base64.
fn starts_line(rest: &[u8]) -> bool {
    rest.first().is_some_and(|byte| *byte == b' ' || Class::BASE64_ANY.has(*byte))
}

/// Whether these first bytes are those of a text in ASCII, as nearly all that is configuration or a key is.
fn readable(head: &[u8]) -> bool {
    head.iter().all(|byte| matches!(byte, b'\n' | b'\r' | b'\t' | 0x20..=0x7e))
}

/// The bytes that Base64 characters of either alphabet stand for, up to the first that is neither.
pub(crate) fn decode<'c>(characters: impl Iterator<Item = &'c u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut held = 0_u32;
    let mut bits = 0_u32;
    for character in characters {
        let value = match character {
            b'A'..=b'Z' => character.wrapping_sub(b'A'),
            b'a'..=b'z' => character.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => character.wrapping_sub(b'0').wrapping_add(52),
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => break,
        };
        held = (held << 6 | u32::from(value)) & 0x3fff;
        bits = bits.saturating_add(6);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            out.push((held >> bits & 0xff) as u8);
        }
    }
    out
}
