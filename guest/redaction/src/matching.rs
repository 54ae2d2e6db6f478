//! Deciding whether a token of the table stands at a place. It looks at bytes and counts what it looked at;
//! it never goes back, so the count bounds the time.

use crate::class::Class;
use crate::table::{Step, Token};

/// The text under scan, and how many bytes have been looked at.
pub(crate) struct Text<'t> {
    pub(crate) bytes: &'t [u8],
    /// Bytes examined so far, some of them more than once. Tests hold it to a multiple of the length.
    pub(crate) work: u64,
    /// The end of the last secret found: what follows it begins a new word.
    pub(crate) fresh: usize,
}

impl<'t> Text<'t> {
    pub(crate) const fn new(bytes: &'t [u8]) -> Self {
        Self { bytes, work: 0, fresh: 0 }
    }

    pub(crate) fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The byte `back` places before `at`.
    pub(crate) fn before(&self, at: usize, back: usize) -> Option<u8> {
        self.byte(at.checked_sub(back)?)
    }

    pub(crate) fn rest(&self, at: usize) -> &'t [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    pub(crate) fn starts(&mut self, at: usize, literal: &str, fold: bool) -> bool {
        self.work = self.work.saturating_add(1);
        let wanted = literal.as_bytes();
        let found = self.rest(at).get(..wanted.len());
        found.is_some_and(|found| found == wanted || fold && found.eq_ignore_ascii_case(wanted))
    }

    /// The end of the run of `class` from `at`, looking at no more than `max` bytes and one.
    pub(crate) fn run(&mut self, at: usize, class: Class, max: usize) -> usize {
        let found =
            self.rest(at).iter().take(max.saturating_add(1)).take_while(|byte| class.has(**byte)).count();
        self.work = self.work.saturating_add(found as u64).saturating_add(1);
        at.saturating_add(found)
    }

    /// Whether a word may begin at `at`: nothing that belongs to a word stands before it, or what stands there
    /// is an escape (`\n`, `\u003d`, `%3D`) of something that does not. A dash begins a word at the start of
    /// a line (a removed line of a diff), elsewhere only if `dash`.
    pub(crate) fn boundary(&self, at: usize, dash: bool) -> bool {
        if at == self.fresh {
            return true;
        }
        let Some(last) = self.before(at, 1) else {
            return true;
        };
        if last == b'-' {
            return dash || self.before(at, 2).is_none_or(|byte| byte == b'\n');
        }
        if !Class::WORD.has(last) {
            return true;
        }
        let hex = |back| self.before(at, back).is_some_and(|byte| Class::HEX.has(byte));
        let escape =
            self.before(at, 2) == Some(b'\\') && matches!(last, b'n' | b'r' | b't' | b'b' | b'f' | b'v');
        let percent = self.before(at, 3) == Some(b'%') && hex(2) && hex(1);
        let unicode =
            self.before(at, 6) == Some(b'\\') && self.before(at, 5) == Some(b'u') && (1..=4).all(hex);
        escape || percent || unicode
    }

    /// Whether a word may end at `at`.
    pub(crate) fn ends(&self, at: usize) -> bool {
        self.byte(at).is_none_or(|byte| !Class::WORD.has(byte))
    }

    /// The end of what `steps` describe from `at`, if it is there whole and not part of a longer word.
    pub(crate) fn steps(&mut self, mut at: usize, steps: &[Step]) -> Option<usize> {
        for step in steps {
            match step {
                Step::Literal(literal) => {
                    if !self.starts(at, literal, false) {
                        return None;
                    }
                    at = at.checked_add(literal.len())?;
                }
                Step::Run { class, min, max } => {
                    let end = self.run(at, *class, *max);
                    let end = if class.has_dot() { self.without_dots(at, end, *min, *max) } else { end };
                    let length = end.checked_sub(at)?;
                    if length < *min || length > *max {
                        return None;
                    }
                    at = if class.padded() { self.padding(end) } else { end };
                }
            }
        }
        self.ends(at).then_some(at)
    }

    /// The place behind Base64 padding that may stand at `at`.
    pub(crate) fn padding(&self, at: usize) -> usize {
        let signs = self.rest(at).iter().take(2).take_while(|byte| **byte == b'=').count();
        at.saturating_add(signs)
    }

    /// `end` without full stops; of a run of fixed length only what is too many, since a dot may belong to it.
    fn without_dots(&self, start: usize, end: usize, min: usize, max: usize) -> usize {
        let run = self.bytes.get(start..end).unwrap_or_default();
        let dots = run.iter().rev().take_while(|byte| **byte == b'.').count();
        let many = if min == max { run.len().saturating_sub(max) } else { dots };
        end.saturating_sub(dots.min(many))
    }

    /// Whether each kind of character occurs between `start` and `end`.
    pub(crate) fn holds(&mut self, start: usize, end: usize, needs: &[Class]) -> bool {
        let range = self.bytes.get(start..end).unwrap_or_default();
        needs.iter().all(|class| {
            let looked = range.iter().take_while(|byte| !class.has(**byte)).count();
            self.work = self.work.saturating_add(looked as u64).saturating_add(1);
            looked < range.len()
        })
    }

    /// What to mask if `token` stands at `at`, where a start of it of `length` bytes was seen.
    pub(crate) fn token(&mut self, at: usize, length: usize, token: &Token) -> Option<(usize, usize)> {
        let mut start = at;
        if let Some((class, min, max)) = token.behind {
            let seen = self.bytes.get(..at).unwrap_or_default();
            let back =
                seen.iter().rev().take(max.saturating_add(1)).take_while(|byte| class.has(**byte)).count();
            self.work = self.work.saturating_add(back as u64).saturating_add(1);
            // The longest part of the run that is a word: an escape may stand before it (`\u0022`).
            start = (min..=back.min(max))
                .rev()
                .filter_map(|length| at.checked_sub(length))
                .find(|start| self.boundary(*start, token.dash))?;
        }
        if !token.free && !self.boundary(start, token.dash) {
            return None;
        }
        let body = at.checked_add(length)?;
        let end = self.steps(body, token.steps)?;
        let mask = if token.keep { body } else { start };
        self.holds(body, end, token.needs).then_some((mask, end))
    }
}
