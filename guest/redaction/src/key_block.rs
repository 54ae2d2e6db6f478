//! Private keys in PEM and its relatives (RFC 7468, OpenPGP armour, SSH2), as text, with escaped line ends,
//! inside a diff, or cut off. It does not parse keys: a header that means one is enough.

use crate::class::Class;
use crate::scan::Scan;

/// The longest label looked at; `ENCRYPTED PRIVATE KEY` and `PGP PRIVATE KEY BLOCK` have 21.
const LABEL: usize = 64;
/// How far behind a header without an end the first key material is looked for.
const OPENING: usize = 400;
/// How many characters in a row make key material.
const MATERIAL: usize = 24;

impl Scan<'_> {
    /// The block whose `BEGIN` stands at `at` with its label at `label`: to its end line, or to the end of the
    /// text. A header with no end line and no key material behind it is talk about keys, and stays.
    pub(crate) fn pem(&mut self, at: usize, label: usize) -> Option<(usize, usize)> {
        let start = self.dashes_before(at)?;
        let body = self.label(label)?;
        if let Some(end) = self.end_line(body) {
            return Some((start, end));
        }
        self.material(body).then_some((start, self.text.bytes.len()))
    }

    /// Where the dashes before `at` begin; a space may stand between (SSH2).
    fn dashes_before(&self, at: usize) -> Option<usize> {
        let space = usize::from(self.text.before(at, 1) == Some(b' '));
        let edge = at.checked_sub(space)?;
        let before = self.text.bytes.get(..edge)?;
        let dashes = before.iter().rev().take(16).take_while(|byte| **byte == b'-').count();
        (dashes >= 4).then(|| edge.saturating_sub(dashes))
    }

    /// The place behind a label that names a private key and the dashes that close it.
    fn label(&mut self, at: usize) -> Option<usize> {
        let rest = self.text.rest(at);
        let length = rest
            .iter()
            .take(LABEL)
            .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" +%".contains(byte))
            .count();
        self.text.work = self.text.work.saturating_add(3 * length as u64);
        let label = rest.get(..length)?;
        let names = |word: &[u8]| label.windows(word.len()).any(|part| part == word);
        if !names(b"PRIVATE") || !names(b"KEY") {
            return None;
        }
        let closing = rest.get(length..)?;
        let dashes = closing.iter().take(16).take_while(|byte| **byte == b'-').count();
        (dashes >= 4).then(|| at.saturating_add(length).saturating_add(dashes))
    }

    /// The end of the first end line of a private key from `from` on.
    fn end_line(&mut self, from: usize) -> Option<usize> {
        if self.endless {
            return None;
        }
        let mut at = from;
        for part in self.text.rest(from).windows(3) {
            self.text.work = self.text.work.saturating_add(1);
            if part == b"END"
                && self.dashes_before(at).is_some()
                && let Some(end) = self.label(at.saturating_add(3))
            {
                return Some(end);
            }
            at = at.saturating_add(1);
        }
        self.endless = true;
        None
    }

    /// Whether key material (a long run of Base64 with digits and both cases) stands near behind a header.
    fn material(&mut self, from: usize) -> bool {
        let opening = self.text.rest(from);
        let opening = opening.get(..OPENING).unwrap_or(opening);
        self.text.work = self.text.work.saturating_add(opening.len() as u64);
        opening.split(|byte| !Class::BASE64.has(*byte)).any(|run| {
            run.len() >= MATERIAL
                && [Class::DIGITS, Class::UPPER, Class::LOWER]
                    .iter()
                    .all(|kind| run.iter().any(|byte| kind.has(*byte)))
        })
    }
}
