//! Secrets inside Base64: values of Kubernetes secrets, encoded files, pasted blobs. What can be read of what a
//! Base64 word stands for is scanned like any text, once: Base64 within Base64 is left.

use std::borrow::Cow;

use crate::class::Class;
use crate::hostile::suspicious;
use crate::invisible::hidden;
use crate::matching::Text;
use crate::scan::{Found, Hit, plain};

/// The shortest word that is decoded. The shortest token that stands alone takes more.
const WORD: usize = 20;
/// How many characters are decoded to see whether text may follow: a multiple of four.
const HEAD: usize = 20;
/// The most letters of an escape (`\u003d`, without its backslash) that a run may begin with.
const ESCAPE: usize = 5;
/// Lines of wrapped Base64 are at least this long, all but the last.
const LINE: usize = 32;
/// Characters of Base64 that stand for whole bytes. What stands glued before a word moves it by fewer.
const GROUP: usize = 4;
/// Bytes with this many readable ones in a row are read as text; those of an image or a hash hardly ever are.
const LEGIBLE: usize = 12;

/// The Base64 words of `text` that hold a secret, each to be masked whole.
pub(crate) fn words(text: &str, only_always: bool) -> Found {
    let mut words = Words { text: Text::new(text.as_bytes()), joined: 0, only_always };
    let mut hits = Vec::new();
    let mut at = 0;
    while at < words.text.bytes.len() {
        let end = words.text.run(at, Class::BASE64_ANY, usize::MAX);
        let long = end.saturating_sub(at) >= WORD;
        let hit = if long { words.word(at, end) } else { None };
        at = hit.map_or(end.max(at).saturating_add(1), |hit| hit.end);
        hits.extend(hit);
    }
    Found { hits, work: words.text.work }
}

struct Words<'t> {
    text: Text<'t>,
    /// The end of the last line that was read as part of those before it. INVARIANT: what stands before it is not
    /// joined again, so that each line is decoded with others once and on its own once.
    joined: usize,
    only_always: bool,
}

impl Words<'_> {
    /// The secret in the run from `at` to `end` and the lines it goes on in. Where a text in ASCII begins in it, that
    /// is the word; else what stands glued before the word may have any length, so it is decoded from each of four
    /// places.
    fn word(&mut self, at: usize, end: usize) -> Option<Hit> {
        let text = self.readable_from(at, end);
        let base = self.base(at).min(text.unwrap_or(end));
        let start = text.unwrap_or(base);
        let (characters, last) = self.lines(base, start, end)?;
        let places = (0..GROUP).map(|place| (base, place));
        for (start, place) in [(start, start.saturating_sub(base))].into_iter().chain(places) {
            let bytes = decode(characters.get(place..)?.iter());
            self.text.work = self.text.work.saturating_add(bytes.len() as u64);
            if !legible(&bytes) {
                continue;
            }
            let found = plain(&visible(&bytes), self.only_always);
            self.text.work = self.text.work.saturating_add(found.work);
            if let Some(first) = found.hits.first() {
                return Some(Hit { start, end: self.text.padding(last), rule: first.rule });
            }
        }
        None
    }

    /// Where a text in ASCII begins in the run from `at` to `end`, which may begin with what is no part of a word: a
    /// path, a diff's mark, the letter of an escape. Each place behind a sign or a mark is tried, with a look at a
    /// few characters.
    fn readable_from(&mut self, at: usize, end: usize) -> Option<usize> {
        for start in at..end.saturating_sub(WORD).saturating_add(1) {
            let before = self.text.before(start, 1).unwrap_or(b' ');
            let sign = start > at && matches!(before, b'+' | b'/' | b'-' | b'_');
            let escaped = start.saturating_sub(at) <= ESCAPE && self.text.boundary(start, true);
            if start != at && !(sign && begins(self.text.rest(start))) && !escaped {
                continue;
            }
            self.text.work = self.text.work.saturating_add(HEAD as u64);
            if decode(self.text.rest(start).iter().take(HEAD)).iter().copied().all(readable) {
                return Some(start);
            }
        }
        None
    }

    /// Where the run at `at` begins without what surely is no Base64: a diff's mark, the letters of an escape.
    fn base(&self, at: usize) -> usize {
        let letters = (1..=ESCAPE).find(|letters| self.text.boundary(at.saturating_add(*letters), false));
        match (self.text.before(at, 1).unwrap_or(b'\n'), letters) {
            (b'\\' | b'%', Some(letters)) => at.saturating_add(letters),
            (b'\n', _) => at.saturating_add(usize::from(matches!(self.text.byte(at), Some(b'+' | b'-')))),
            _ => at,
        }
    }

    /// The characters from `base` on over the lines that the word from `start` to `end` is wrapped into, and where
    /// these end.
    fn lines(&mut self, base: usize, start: usize, end: usize) -> Option<(Vec<u8>, usize)> {
        let mut characters = self.text.bytes.get(base..end)?.to_vec();
        let width = end.checked_sub(start)?;
        let mut end = end;
        let mut last = width;
        let mut marks = true;
        while start >= self.joined
            && last >= LINE
            && last.is_multiple_of(GROUP)
            && let Some((mark, from, to)) = next_line(&mut self.text, end, width, marks)
        {
            let line = self.text.bytes.get(from..to)?;
            characters.extend_from_slice(line);
            (end, last, marks) = (to, line.len(), mark);
        }
        self.joined = self.joined.max(end);
        self.text.work = self.text.work.saturating_add(characters.len() as u64);
        Some((characters, end))
    }
}

/// Whether what follows a sign may begin a Base64 word: signs are rare in one.
fn begins(rest: &[u8]) -> bool {
    rest.iter().take(4).all(|byte| Class::ALNUM.has(*byte))
}

/// The Base64 that goes on in the next line, behind a line end (which may be an escape), an indent or a diff's
/// mark, up to the end of that line; and whether there is a mark. A sign is none where the line has with it the
/// `width` of the first one, nor where the line before has none (`marks`).
fn next_line(text: &mut Text<'_>, end: usize, width: usize, marks: bool) -> Option<(bool, usize, usize)> {
    let rest = text.rest(end);
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
    let rest = rest.strip_prefix(b"\\r").unwrap_or(rest);
    let rest = rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\\n"))?;
    let sign = matches!(rest.first(), Some(b'+' | b'-')) && rest.get(1..).is_some_and(starts_line);
    let whole = rest.iter().take(width.saturating_add(1)).take_while(|byte| Class::BASE64_ANY.has(**byte));
    let whole = whole.count();
    text.work = text.work.saturating_add(whole as u64);
    let mark = marks && sign && whole != width;
    let rest = rest.get(usize::from(mark)..)?;
    let indent = rest.iter().take(40).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let from = text.bytes.len().checked_sub(rest.len())?.saturating_add(indent);
    let to = text.run(from, Class::BASE64_ANY, usize::MAX);
    let close = text.byte(text.padding(to));
    let ends = close.is_none_or(|byte| matches!(byte, b'\n' | b'\r' | b'\\' | b'"' | b'\''));
    (to > from && ends).then_some((mark, from, to))
}

/// Whether a line of a diff goes on behind its mark with an indent or with Base64.
fn starts_line(rest: &[u8]) -> bool {
    rest.first().is_some_and(|byte| *byte == b' ' || Class::BASE64_ANY.has(*byte))
}

/// Whether a byte is one of a text in ASCII, as nearly all that is configuration or a key is.
const fn readable(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b'\t' | 0x20..=0x7e)
}

/// Whether bytes may be text: enough readable ones stand in a row, zeros (UTF-16) aside.
fn legible(bytes: &[u8]) -> bool {
    let mut row = 0_usize;
    bytes.iter().any(|byte| {
        row = match *byte {
            0 => row,
            byte if readable(byte) => row.saturating_add(1),
            _ => 0,
        };
        row >= LEGIBLE
    })
}

/// What can be read of `bytes`: a sign in place of each that is no UTF-8, nothing in place of hidden characters, the
/// zeros of UTF-16 among them.
fn visible(bytes: &[u8]) -> Cow<'_, str> {
    let mut text = String::from_utf8_lossy(bytes);
    if text.bytes().any(suspicious) {
        text.to_mut().retain(|c| !hidden(c));
    }
    text
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
