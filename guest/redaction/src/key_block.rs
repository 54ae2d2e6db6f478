//! Private keys in PEM and its relatives (RFC 7468, OpenPGP armour, SSH2), as text, with escaped line ends,
//! inside a diff, or cut off on either side. It does not parse keys: a header or an end line that means one is enough.

use crate::class::Class;
use crate::scan::Scan;

/// The longest label looked at; `ENCRYPTED PRIVATE KEY` and `PGP PRIVATE KEY BLOCK` have 21.
const LABEL: usize = 64;
/// How far behind a header without an end the first key material is looked for.
const OPENING: usize = 400;
/// How many characters in a row make key material.
const MATERIAL: usize = 24;
/// Columns of a full line: PEM and OpenPGP, OpenSSH, MIME.
const COLUMNS: [usize; 3] = [64, 70, LONGEST];
const LONGEST: usize = 76;
/// The most spaces and marks of a diff before a line.
const INDENT: usize = 40;

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

    /// The end of a block whose beginning is not in the text: `END` stands at `at`, its label at `label`. The lines
    /// of key material directly before it go with it; without one it is talk about keys, and stays.
    pub(crate) fn pem_end(&mut self, at: usize, label: usize) -> Option<(usize, usize)> {
        let dashes = self.dashes_before(at)?;
        let end = self.label(label)?;
        let (mut start, mut short) = self.last_line(dashes)?;
        if self.text.byte(start) == Some(b'=') {
            // The checksum of OpenPGP.
            (start, short) = self.last_line(start)?;
        }
        let mut width = None;
        while let Some((begin, columns)) = self.full_line(start, width) {
            (start, width) = (begin, Some(columns));
        }
        (short >= MATERIAL || width.is_some()).then_some((start, end))
    }

    /// Where the line of Base64 of any length directly before the line at `edge` begins, and its length: `edge` and 0
    /// where there is none.
    fn last_line(&mut self, edge: usize) -> Option<(usize, usize)> {
        let close = self.line_end(edge)?;
        let padding = self.back(close, 2, |byte| byte == b'=');
        let mut start = self.back(padding, LONGEST, |byte| Class::BASE64.has(byte));
        // The letter of an escaped line end and the mark of a diff are no Base64; a checksum (OpenPGP) begins with a
        // sign.
        match (self.text.before(start, 1), self.text.byte(start)) {
            (Some(b'\\'), Some(b'n')) => start = start.saturating_add(1),
            (None | Some(b'\n'), Some(b'+')) => start = start.saturating_add(1),
            (Some(b'='), _) => start = start.saturating_sub(1),
            _ => {}
        }
        let alone = start == 0 || self.line_end(start).is_some();
        Some(if alone { (start, padding.saturating_sub(start)) } else { (edge, 0) })
    }

    /// Where the full line of Base64 directly before the line at `edge` begins, and its columns: `width` if that
    /// is known.
    fn full_line(&mut self, edge: usize, width: Option<usize>) -> Option<(usize, usize)> {
        let close = self.line_end(edge)?;
        let close = self.back(close, 2, |byte| byte == b'=');
        COLUMNS.into_iter().filter(|columns| width.is_none_or(|width| width == *columns)).find_map(
            |columns| {
                let start = close.checked_sub(columns)?;
                let whole = self.back(close, columns, |byte| Class::BASE64.has(byte)) == start;
                (whole && (start == 0 || self.line_end(start).is_some())).then_some((start, columns))
            },
        )
    }

    /// Where what stands before the line at `edge` ends: before the indent or mark and the line end, which may be
    /// an escape. Nothing where no line begins there.
    fn line_end(&mut self, edge: usize) -> Option<usize> {
        let from = self.back(edge, INDENT, |byte| b" \t+-".contains(&byte));
        let before = self.text.bytes.get(..from)?;
        let before = before.strip_suffix(b"\n").or_else(|| before.strip_suffix(b"\\n"))?;
        let before = before.strip_suffix(b"\r").or_else(|| before.strip_suffix(b"\\r")).unwrap_or(before);
        Some(before.len())
    }

    /// Where the run of at most `most` bytes that fit begins, which ends at `at`.
    fn back(&mut self, at: usize, most: usize, fits: impl Fn(u8) -> bool) -> usize {
        let before = self.text.bytes.get(..at).unwrap_or_default();
        let run = before.iter().rev().take(most).take_while(|byte| fits(**byte)).count();
        self.text.work = self.text.work.saturating_add(run as u64).saturating_add(1);
        at.saturating_sub(run)
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
