//! Secrets written with escapes (`%2B`, `\u002b`, `\/`) or continued over a line end (`\` at its end, a string
//! joined to another). Such lines are scanned again as what they mean, one level deep; places are told in the text
//! as it stands. Line ends and quotes that are escaped need nothing of this: the scan reads over them.

use crate::class::Class;
use crate::scan::{Found, Hit, plain};

/// The deepest indent of a line that another goes on in.
const INDENT: usize = 80;

/// Lines that go on in each other, and what they mean.
#[derive(Default)]
struct Stretch {
    text: String,
    pieces: Vec<Piece>,
}

/// From `at` in the meaning on, the text stands at `raw`; its first byte takes `width` bytes there.
struct Piece {
    at: usize,
    raw: usize,
    width: usize,
}

/// The secrets in the escaped lines of `text`.
pub(crate) fn lines(text: &str, only_always: bool) -> Found {
    let mut found = Found { hits: Vec::new(), work: text.len() as u64 };
    let mut stretch = Stretch::default();
    let mut start = 0_usize;
    let mut wanted = false;
    let bytes = text.as_bytes();
    for line in text.split_inclusive('\n') {
        let end = start.saturating_add(line.len());
        let joint = joint(bytes, start, end);
        wanted |= joint.is_some() || has_escape(line.as_bytes());
        let kept = joint.map_or(end, |(kept, _)| kept);
        if wanted {
            stretch.add(text, start.max(stretch.end()), kept);
        }
        if let Some((_, next)) = joint {
            stretch.skip(next);
        } else {
            if wanted {
                stretch.scan(only_always, &mut found);
            }
            stretch = Stretch::default();
            wanted = false;
        }
        start = end;
    }
    if wanted {
        stretch.scan(only_always, &mut found);
    }
    found
}

/// Whether a line has an escape that hides what it means from the plain scan.
fn has_escape(line: &[u8]) -> bool {
    line.windows(2).any(|pair| matches!(pair, [b'\\', b'u' | b'x' | b'/']))
        || line.windows(3).any(|three| percent(three).is_some())
}

/// Where a line that goes on in the next one ends, and where the next one begins.
fn joint(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let line = text.get(start..end)?.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let from = end.saturating_add(indent(line, text.get(end..)?));
    let string = without_sign(line.trim_ascii_end()).trim_ascii_end();
    if let Some((quote, inner)) = string.split_last()
        && b"\"'`".contains(quote)
        && text.get(from) == Some(quote)
    {
        return Some((start.saturating_add(inner.len()), from.saturating_add(1)));
    }
    let kept = line.strip_suffix(b"\\")?;
    Some((start.saturating_add(kept.len()), from))
}

/// How much of `next` stands before what it says: its indent, and the mark of a diff where `line` has one too.
fn indent(line: &[u8], next: &[u8]) -> usize {
    let marked = |line: &[u8]| matches!(line.first(), Some(b'+' | b'-'));
    let mark = usize::from(marked(line) && marked(next));
    let blank = next.iter().skip(mark).take(INDENT).take_while(|byte| matches!(byte, b' ' | b'\t'));
    blank.count().saturating_add(mark)
}

/// `line` without the sign at its end that joins strings in some language.
fn without_sign(line: &[u8]) -> &[u8] {
    match line {
        [rest @ .., b'.', b'.'] | [rest @ .., b'+' | b'.' | b'&' | b'\\'] => rest,
        _ => line,
    }
}

impl Stretch {
    /// Where in the text the stretch goes on, 0 before it has begun.
    fn end(&self) -> usize {
        self.pieces.last().filter(|piece| piece.at == self.text.len()).map_or(0, |piece| piece.raw)
    }

    /// What follows stands at `raw`.
    fn skip(&mut self, raw: usize) {
        self.pieces.push(Piece { at: self.text.len(), raw, width: 1 });
    }

    /// Take in what `text` means from `from` to `to`.
    fn add(&mut self, text: &str, from: usize, to: usize) {
        let mut at = from;
        self.skip(at);
        while let Some(rest) = text.get(at..to).filter(|rest| !rest.is_empty()) {
            let plain = rest.bytes().take_while(|byte| !matches!(byte, b'\\' | b'%')).count();
            self.text.push_str(rest.get(..plain).unwrap_or_default());
            at = at.saturating_add(plain);
            let Some(escape) = text.get(at..to).filter(|rest| !rest.is_empty()) else {
                return;
            };
            let (meaning, width) = meaning(escape.as_bytes());
            self.pieces.push(Piece { at: self.text.len(), raw: at, width });
            self.text.push(meaning);
            at = at.saturating_add(width);
        }
    }

    fn scan(&self, only_always: bool, found: &mut Found) {
        let within = plain(&self.text, only_always);
        found.work = found.work.saturating_add(within.work);
        found.hits.extend(within.hits.iter().filter_map(|hit| {
            let (start, _) = self.raw(hit.start)?;
            let (_, end) = self.raw(hit.end.checked_sub(1)?)?;
            Some(Hit { start, end, rule: hit.rule })
        }));
    }

    /// Where in the text the byte at `at` of the meaning begins and ends.
    fn raw(&self, at: usize) -> Option<(usize, usize)> {
        let place = self.pieces.partition_point(|piece| piece.at <= at).checked_sub(1)?;
        let piece = self.pieces.get(place)?;
        Some(match at.checked_sub(piece.at)? {
            0 => (piece.raw, piece.raw.saturating_add(piece.width)),
            more => {
                let start = piece.raw.saturating_add(piece.width).saturating_add(more).saturating_sub(1);
                (start, start.saturating_add(1))
            }
        })
    }
}

/// What the escape at the start of `text` means, and its length; a sign that begins none means itself.
fn meaning(text: &[u8]) -> (char, usize) {
    let itself = text.first().copied().map_or(' ', char::from);
    match text {
        [b'%', ..] => percent(text).map_or((itself, 1), |c| (c, 3)),
        [b'\\', b'u', digits @ ..] => hex(digits, 4).map_or((itself, 1), |c| (c, 6)),
        [b'\\', b'x', digits @ ..] => hex(digits, 2).map_or((itself, 1), |c| (c, 4)),
        [b'\\', b'n', ..] => ('\n', 2),
        [b'\\', b'r', ..] => ('\r', 2),
        [b'\\', b't', ..] => ('\t', 2),
        [b'\\', sign @ (b'/' | b'"' | b'\'' | b'\\'), ..] => (char::from(*sign), 2),
        _ => (itself, 1),
    }
}

fn percent(text: &[u8]) -> Option<char> {
    hex(text.strip_prefix(b"%")?, 2)
}

/// The ASCII character that `length` hex digits name. Others stay as they are written: no token holds one.
fn hex(digits: &[u8], length: usize) -> Option<char> {
    let digits = digits.get(..length)?;
    let code = digits.iter().try_fold(0_u32, |code, digit| {
        Class::HEX.has(*digit).then(|| code << 4 | char::from(*digit).to_digit(16).unwrap_or(0))
    })?;
    char::from_u32(code).filter(|c| c.is_ascii_graphic() || matches!(c, ' ' | '\n' | '\r' | '\t'))
}
