//! One search under way: which files are looked into, what is kept of them, and when it is enough.

use super::pattern::Pattern;
use super::{Found, Match};
use crate::access::Reader;
use crate::settings::Search;

/// A file with a zero byte among so many of its first bytes is no text, as git has it.
const SNIFFED_BYTES: usize = 8 * 1024;
/// How every pointer of Git LFS begins.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// Most characters of a line that are told.
const LINE_CHARACTERS: usize = 300;
/// Bytes before a match that are told of a long line.
const BEFORE_BYTES: usize = 100;

/// Whether there is reason to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Enough,
}

/// One search under way.
pub(super) struct Hunt<'a> {
    reader: &'a Reader<'a>,
    pattern: &'a Pattern,
    pub(super) bounds: Search,
    until: u64,
    found: Found,
    larger: u64,
}

impl<'a> Hunt<'a> {
    pub(super) fn start(reader: &'a Reader<'a>, pattern: &'a Pattern) -> Self {
        let bounds = reader.config().search;
        let time = u64::from(bounds.seconds).saturating_mul(1_000_000);
        let until = reader.microseconds().saturating_add(time);
        Self { reader, pattern, bounds, until, found: Found::default(), larger: 0 }
    }

    /// Whether a file is to be read: the policy shows it, and it is not too large.
    pub(super) fn wants(&mut self, path: &str, bytes: u64) -> bool {
        if !self.reader.path_visible(path, false) {
            return false;
        }
        let fits = bytes <= self.bounds.file_bytes;
        if !fits {
            self.larger = self.larger.saturating_add(1);
        }
        fits
    }

    /// Look into one file.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) -> Next {
        let head = content.get(..SNIFFED_BYTES.min(content.len())).unwrap_or_default();
        if !head.contains(&0) && !content.starts_with(LFS_POINTER) {
            self.found.files = self.found.files.saturating_add(1);
            self.lines(path, content);
        }
        if self.found.matches.len() >= self.bounds.matches {
            let most = self.bounds.matches;
            self.stop(format!("more than {most} lines match (SEARCH_MAX_MATCHES): ask for something rarer"));
            return Next::Enough;
        }
        self.time()
    }

    /// Whether there is time left.
    pub(super) fn time(&mut self) -> Next {
        if self.reader.microseconds() < self.until {
            return Next::GoOn;
        }
        let most = self.bounds.seconds;
        self.stop(format!("the search took more than {most} s (SEARCH_MAX_SECONDS), so files are left"));
        Next::Enough
    }

    /// Not everything was searched or kept, and why.
    pub(super) fn stop(&mut self, why: String) {
        self.found.incomplete.push(why);
    }

    pub(super) fn finish(mut self) -> Found {
        self.found.matches.sort();
        if self.larger > 0 {
            self.found.incomplete.push(format!(
                "{} files are larger than {} bytes and were not searched (SEARCH_MAX_FILE_BYTES)",
                self.larger, self.bounds.file_bytes
            ));
        }
        self.found
    }

    fn lines(&mut self, path: &str, content: &[u8]) {
        let (mut at, mut line, mut counted, mut kept) = (0_usize, 1_u64, 0_usize, 0_usize);
        while at <= content.len()
            && let Some((start, end)) = self.pattern.find(content, at)
        {
            line = line.saturating_add(newlines(content.get(counted..start).unwrap_or_default()));
            counted = start;
            self.found.seen = self.found.seen.saturating_add(1);
            let room = self.found.matches.len() < self.bounds.matches;
            if kept < self.bounds.matches_per_file && room {
                kept = kept.saturating_add(1);
                let text = shown(content, start, end);
                self.found.matches.push(Match { path: path.to_owned(), line, text });
            }
            // A line counts once.
            let rest = content.get(start..).unwrap_or_default();
            let Some(ends) = rest.iter().position(|byte| *byte == b'\n') else { break };
            at = start.saturating_add(ends).saturating_add(1);
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u64::MAX)
}

/// The line in which a match begins; of a long one the part around the match.
fn shown(content: &[u8], start: usize, end: usize) -> String {
    let before = content.get(..start).unwrap_or_default();
    let begins = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1));
    let after = content.get(start..).unwrap_or_default();
    let ends =
        after.iter().position(|byte| *byte == b'\n').map_or(content.len(), |at| start.saturating_add(at));
    let whole = content.get(begins..ends).unwrap_or_default();
    let text = String::from_utf8_lossy(whole);
    let text = text.trim_end_matches('\r');
    if aegis_redaction::bound(text, LINE_CHARACTERS).is_none() {
        return text.to_owned();
    }
    let from = begins.max(start.saturating_sub(BEFORE_BYTES));
    let to = ends.min(end.max(from.saturating_add(LINE_CHARACTERS)));
    let part = String::from_utf8_lossy(content.get(from..to).unwrap_or_default()).into_owned();
    // A character that the cut went through is no part of the line.
    let part = part.trim_start_matches('\u{fffd}').trim_end_matches('\u{fffd}');
    let part = aegis_redaction::bound(part, LINE_CHARACTERS).unwrap_or(part);
    let (head, tail) = (if from > begins { "…" } else { "" }, if to < ends { "…" } else { "" });
    format!("{head}{part}{tail}")
}
