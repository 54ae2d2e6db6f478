//! Tokens inside Base64, where the token is what was encoded: values of Kubernetes secrets, pasted blobs.
//! It does not look for a token in the middle of other encoded content.

use crate::class::Class;
use crate::matching::Text;
use crate::scan::Scan;
use crate::table::Token;

/// The most characters that are decoded: more than any token of the table needs.
const DECODED: usize = 4096;

impl Scan<'_> {
    /// The Base64 word at `at`, if it decodes to `token` and a line end at most.
    pub(crate) fn encoded(&mut self, at: usize, token: &Token, start: &str) -> Option<(usize, usize)> {
        let end = self.base64_word(at)?;
        let bytes = decode(self.text.bytes.get(at..end)?.iter().take(DECODED));
        self.text.work = self.text.work.saturating_add(2 * bytes.len() as u64);
        let mut inner = Text::new(&bytes);
        if !inner.starts(0, start, false) {
            return None;
        }
        inner.token(0, start.len(), token)?;
        Some((at, self.text.padding(end)))
    }

    /// The end, without padding, of the Base64 word that begins at `at`; nothing in the middle of one.
    pub(crate) fn base64_word(&mut self, at: usize) -> Option<usize> {
        let before = self.text.before(at, 1);
        // A plus at the start of a line is a mark of a diff.
        let mark = before == Some(b'+') && self.text.before(at, 2).is_none_or(|byte| byte == b'\n');
        let sign = matches!(before, Some(b'+' | b'/')) && !mark;
        if sign || !self.text.boundary(at, false) {
            return None;
        }
        Some(self.text.run(at, Class::BASE64_ANY, usize::MAX))
    }
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
