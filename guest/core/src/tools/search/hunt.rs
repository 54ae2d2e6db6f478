//! One search under way: which files are looked into, what is kept of them, and when it is enough.

use aegis_redaction::{Mode, Redactor};

use super::look::{Look, Next};
use super::pattern::Pattern;
use super::{Found, Match};
use crate::access::Reader;
use crate::reply::Removed;
use crate::settings::Search;

/// A file with a zero byte among so many of its first bytes is no text, as git has it.
const SNIFFED_BYTES: usize = 8 * 1024;
/// How every pointer of Git LFS begins.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// How the mask of a secret begins.
const MASK: &str = "[redacted:";
/// Most characters of a line that are told.
const LINE_CHARACTERS: usize = 300;
/// Bytes before a match that are told of a long line.
const BEFORE_BYTES: usize = 100;
/// Files after which the client is told how far it is.
const FILES_IN_A_STEP: u64 = 250;
/// Lines after which the clock is looked at within a file.
const BREATH_LINES: usize = 4096;

/// One search under way.
pub(super) struct Hunt<'a> {
    reader: &'a Reader<'a>,
    pattern: &'a Pattern,
    bounds: Search,
    until: u64,
    found: Found,
    left_out: LeftOut,
}

/// Files of which not everything was searched or kept.
#[derive(Clone, Copy, Debug, Default)]
struct LeftOut {
    /// Larger than `SEARCH_MAX_FILE_BYTES`.
    larger: u64,
    /// More lines match than are kept of one file.
    fuller: u64,
    /// Gitea named them and gave no content.
    missing: u64,
    /// Their names cannot be read for sure.
    unnamed: u64,
    /// Their text cannot be cleaned.
    withheld: u64,
}

impl<'a> Hunt<'a> {
    pub(super) fn start(reader: &'a Reader<'a>, pattern: &'a Pattern) -> Self {
        let bounds = reader.config().search;
        let time = u64::from(bounds.seconds).saturating_mul(1_000_000);
        let until = reader.microseconds().saturating_add(time);
        Self { reader, pattern, bounds, until, found: Found::default(), left_out: LeftOut::default() }
    }

    pub(super) fn finish(mut self) -> Found {
        self.found.matches.sort();
        let LeftOut { larger, fuller, missing, unnamed, withheld } = self.left_out;
        let Search { file_bytes, matches_per_file, .. } = self.bounds;
        let told = [
            (
                larger,
                format!("are larger than {file_bytes} bytes and were not searched (SEARCH_MAX_FILE_BYTES)"),
            ),
            (
                fuller,
                format!(
                    "have more matching lines than the {matches_per_file} kept of each (SEARCH_MATCHES_PER_FILE)"
                ),
            ),
            (missing, "were not searched: Gitea gave no content for them".to_owned()),
            (
                unnamed,
                "were not searched: their names cannot be read for sure, as where they are not UTF-8 or hold control characters"
                    .to_owned(),
            ),
            (withheld, "hold so many secrets in one another that none of their lines is told".to_owned()),
        ];
        // Said of every search: were it said where such a file matches, it would tell what is in it.
        if self.mode() == Mode::Block {
            self.found.incomplete.push(
                "lines of files that hold a secret are not told (SECRET_DETECTION_MODE=block)".to_owned(),
            );
        }
        let told = told.into_iter().filter(|(files, _)| *files > 0);
        self.found.incomplete.extend(told.map(|(files, what)| format!("{files} files {what}")));
        self.found
    }

    /// Index of the first line that matches as it is in the file. Most files end here, and need no cleaning.
    fn first_match(&mut self, content: &[u8]) -> Result<Option<usize>, OutOfTime> {
        if self.pattern.is_nowhere_in(content) {
            return Ok(None);
        }
        for (nth, line) in content.split(|byte| *byte == b'\n').enumerate() {
            if self.pattern.find(line).is_some() {
                return Ok(Some(nth));
            }
            self.breath(nth)?;
        }
        Ok(None)
    }

    /// Take the matching lines of a file, of which the `first` is known.
    ///
    /// The text is cleaned as a whole before any line of it is told: what makes a secret of a line (the begin of a
    /// private key) may stand far from it. A line counts where it matches as it is and as it is told: otherwise
    /// counts would tell of a masked secret what its text does not.
    fn lines(&mut self, path: &str, content: &[u8], first: usize) -> Next {
        let text = String::from_utf8_lossy(content);
        let Some(cleaned) = Redactor::new(self.mode()).clean_lines(&text) else {
            if self.mode() != Mode::Block {
                self.left_out.withheld = self.left_out.withheld.saturating_add(1);
            }
            return self.time();
        };
        let mut kept = 0_usize;
        let both = content.split(|byte| *byte == b'\n').zip(cleaned.text.split('\n'));
        for (nth, (raw, told)) in both.enumerate().skip(first) {
            if self.breath(nth).is_err() {
                return Next::Enough;
            }
            if self.pattern.find(raw).is_none() {
                continue;
            }
            let Some((start, end)) = self.pattern.find(told.as_bytes()) else { continue };
            self.found.seen = self.found.seen.saturating_add(1);
            if kept == self.bounds.matches_per_file {
                self.left_out.fuller = self.left_out.fuller.saturating_add(1);
            }
            kept = kept.saturating_add(1);
            if kept > self.bounds.matches_per_file {
                continue;
            }
            let most = self.bounds.matches;
            if self.found.matches.len() >= most {
                self.stop(format!(
                    "more than {most} lines match (SEARCH_MAX_MATCHES): ask for something rarer"
                ));
                return Next::Enough;
            }
            let line = u64::try_from(nth).unwrap_or(u64::MAX).saturating_add(1);
            let text = shown(told, start, end);
            let changed = cleaned.secrets > 0 || cleaned.hostile > 0;
            let removed = if changed { removed(raw, told) } else { Removed::default() };
            self.found.matches.push(Match { path: path.to_owned(), line, text, removed });
        }
        self.time()
    }

    fn mode(&self) -> Mode {
        self.reader.config().secret_detection_mode
    }

    /// Look at the clock now and then within a file.
    fn breath(&mut self, nth: usize) -> Result<(), OutOfTime> {
        let due = nth.checked_rem(BREATH_LINES) == Some(BREATH_LINES.saturating_sub(1));
        if due && self.time() == Next::Enough { Err(OutOfTime) } else { Ok(()) }
    }
}

impl Look for Hunt<'_> {
    fn bounds(&self) -> Search {
        self.bounds
    }

    fn again(&mut self) {
        self.found = Found::default();
        self.left_out = LeftOut::default();
    }

    fn wants(&mut self, path: &str, bytes: u64) -> bool {
        if !self.reader.path_visible(path, false) {
            // Without rules only names that are no clean text (one with a line break) are not shown.
            if self.reader.has_path_rules() {
                self.found.hidden = self.found.hidden.saturating_add(1);
            } else {
                self.unnamed();
            }
            return false;
        }
        let fits = bytes <= self.bounds.file_bytes;
        if !fits {
            self.left_out.larger = self.left_out.larger.saturating_add(1);
        }
        fits
    }

    fn missing(&mut self) {
        self.left_out.missing = self.left_out.missing.saturating_add(1);
    }

    fn unnamed(&mut self) {
        self.left_out.unnamed = self.left_out.unnamed.saturating_add(1);
    }

    fn file(&mut self, path: &str, content: &[u8]) -> Next {
        let head = content.get(..SNIFFED_BYTES.min(content.len())).unwrap_or_default();
        if head.contains(&0) || content.starts_with(LFS_POINTER) {
            return self.time();
        }
        self.found.files = self.found.files.saturating_add(1);
        if self.found.files.is_multiple_of(FILES_IN_A_STEP) {
            self.reader.step(&format!("searched {} files", self.found.files));
        }
        match self.first_match(content) {
            Ok(Some(first)) => self.lines(path, content, first),
            Ok(None) => self.time(),
            Err(OutOfTime) => Next::Enough,
        }
    }

    fn time(&mut self) -> Next {
        if self.reader.microseconds() < self.until {
            return Next::GoOn;
        }
        let most = self.bounds.seconds;
        self.stop(format!("the search took more than {most} s (SEARCH_MAX_SECONDS), so files are left"));
        Next::Enough
    }

    fn stop(&mut self, why: String) {
        self.found.incomplete.push(why);
    }
}

/// The search has used its time, and said so.
#[derive(Clone, Copy, Debug)]
struct OutOfTime;

/// What was taken out of a line: of a secret over several lines the mask alone is counted, where it stands.
fn removed(raw: &[u8], told: &str) -> Removed {
    let raw = String::from_utf8_lossy(raw);
    let masks = |text: &str| text.matches(MASK).count();
    let secrets = masks(told).saturating_sub(masks(&raw));
    let characters = Redactor::new(Mode::Off).clean(&raw).hostile;
    Removed { secrets: u32::try_from(secrets).unwrap_or(u32::MAX), characters }
}

/// A line, without its carriage return; of a long one the part around the match.
fn shown(line: &str, start: usize, end: usize) -> String {
    let line = line.trim_end_matches('\r');
    if aegis_redaction::bound(line, LINE_CHARACTERS).is_none() {
        return line.to_owned();
    }
    let from = line.floor_char_boundary(start.saturating_sub(BEFORE_BYTES));
    let to = end.max(from.saturating_add(LINE_CHARACTERS)).min(line.len());
    let part = line.get(from..line.floor_char_boundary(to)).unwrap_or_default();
    let part = aegis_redaction::bound(part, LINE_CHARACTERS).unwrap_or(part);
    let ends = from.saturating_add(part.len());
    let (head, tail) = (if from > 0 { "…" } else { "" }, if ends < line.len() { "…" } else { "" });
    format!("{head}{part}{tail}")
}
