//! Unified diffs as Git writes them, taken apart file by file while they arrive.
//!
//! Pure: bytes in, files out. It keeps one file at a time and of that no more than it was told to, so a diff of
//! any length passes through little memory. What it does not understand becomes a file without a name.

#[cfg(test)]
mod fuzz;

use super::names;

/// Longest line that is kept. A header line with two quoted names of the longest kind fits.
const LINE_BYTES: usize = 64 * 1024;

/// Git's mode of a symlink.
const LINK_MODE: &[u8] = b"120000";

/// What happened to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    Added,
    Deleted,
    Renamed,
    Copied,
    #[default]
    Changed,
}

impl Status {
    /// Gitea's own word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Deleted => "deleted",
            Self::Renamed => "renamed",
            Self::Copied => "copied",
            Self::Changed => "changed",
        }
    }
}

/// One file of a diff.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileDiff {
    /// Its name before and after. Empty where a header was not understood.
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
    pub(super) status: Status,
    /// Lines, counted over all of it even where the patch is cut.
    pub(super) additions: u64,
    pub(super) deletions: u64,
    /// Git's modes before and after, where they differ.
    pub(super) modes: Option<(String, String)>,
    /// It is or was a symlink: its only line is where it points.
    pub(super) link: bool,
    /// Git shows no lines of it.
    pub(super) binary: bool,
    /// Hunks, each with its `@@` line. What is not UTF-8 in it is replaced.
    pub(super) patch: String,
    /// Lines are missing in the patch, or the rest of it never came.
    pub(super) cut: bool,
}

impl FileDiff {
    /// Every name that the file has or had; none where one could not be read.
    pub(super) fn names(&self) -> Option<(&str, Option<&str>)> {
        let old = self.old.as_deref();
        match self.new.as_deref() {
            Some(new) => Some((new, old.filter(|old| *old != new))),
            None => old.map(|old| (old, None)),
        }
    }
}

/// Takes a diff apart.
#[derive(Debug)]
pub(super) struct Splitter {
    line: Vec<u8>,
    line_cut: bool,
    current: Option<Building>,
    characters: usize,
}

impl Splitter {
    /// Keep so many characters of each patch.
    pub(super) fn new(characters: usize) -> Self {
        Self { line: Vec::new(), line_cut: false, current: None, characters }
    }

    /// The next bytes. Files that are complete by them are handed over.
    pub(super) fn push(&mut self, bytes: &[u8], mut done: impl FnMut(FileDiff)) {
        let mut parts = bytes.split(|byte| *byte == b'\n');
        if let Some(first) = parts.next() {
            self.keep(first);
        }
        for part in parts {
            self.end_line(&mut done);
            self.keep(part);
        }
    }

    /// The end. Where it is not the diff's own, the last line may be half of one and is left out.
    pub(super) fn finish(mut self, whole: bool, mut done: impl FnMut(FileDiff)) {
        if whole && !self.line.is_empty() {
            self.end_line(&mut done);
        }
        if let Some(file) = self.current.and_then(|building| building.finish(whole)) {
            done(file);
        }
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LINE_BYTES.saturating_sub(self.line.len());
        self.line_cut |= part.len() > room;
        self.line.extend(part.iter().take(room));
    }

    fn end_line(&mut self, done: &mut impl FnMut(FileDiff)) {
        let (line, cut) = (core::mem::take(&mut self.line), core::mem::take(&mut self.line_cut));
        // INVARIANT: every line within a hunk begins with a blank, a sign or a backslash, so that no content of a
        // file can pass for the header of another one.
        let inside = self.current.as_mut().is_some_and(|building| building.hunk(&line, cut));
        if !inside && line.starts_with(b"diff ") {
            let next = Building::new(&line, cut, self.characters);
            if let Some(file) = self.current.replace(next).and_then(|building| building.finish(true)) {
                done(file);
            }
        } else if !inside && let Some(building) = &mut self.current {
            building.between(&line, cut);
        }
        self.line = line;
        self.line.clear();
    }
}

/// Where in a file's part of the diff the next line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    /// So many lines of the old and of the new file are to come.
    Hunk(u64, u64),
    Between,
}

#[derive(Debug)]
struct Building {
    file: FileDiff,
    stage: Stage,
    /// The name on the `diff --git` line, where it is one.
    twice: Option<String>,
    /// Both names of a rename or copy, as far as they came.
    moved: (Option<String>, Option<String>),
    sides: (Option<Option<String>>, Option<Option<String>>),
    /// A header line could not be read.
    unreadable: bool,
    modes: (Option<String>, Option<String>),
    left: usize,
}

impl Building {
    fn new(line: &[u8], cut: bool, characters: usize) -> Self {
        let twice = line.strip_prefix(b"diff --git ");
        Self {
            file: FileDiff::default(),
            stage: Stage::Header,
            twice: twice.and_then(names::same_twice),
            moved: (None, None),
            sides: (None, None),
            // A combined diff (`diff --cc`) has several old sides; Gitea sends none.
            unreadable: twice.is_none() || cut,
            modes: (None, None),
            left: characters,
        }
    }

    /// Take a line of a hunk; false where none is due.
    fn hunk(&mut self, line: &[u8], cut: bool) -> bool {
        let Stage::Hunk(old, new) = self.stage else { return false };
        let (old, new) = match line.first() {
            // Git can be told to write empty lines without the blank before them.
            None | Some(b' ') => (old.saturating_sub(1), new.saturating_sub(1)),
            Some(b'-') => {
                self.file.deletions = self.file.deletions.saturating_add(1);
                (old.saturating_sub(1), new)
            }
            Some(b'+') => {
                self.file.additions = self.file.additions.saturating_add(1);
                (old, new.saturating_sub(1))
            }
            Some(b'\\') => (old, new),
            Some(_) => {
                // Fewer lines came than were announced.
                self.file.cut = true;
                self.stage = Stage::Between;
                return false;
            }
        };
        self.stage = if old == 0 && new == 0 { Stage::Between } else { Stage::Hunk(old, new) };
        self.show(line, cut);
        true
    }

    /// Take a line that is outside of hunks.
    fn between(&mut self, line: &[u8], cut: bool) {
        if let Some(lines) = hunk_lines(line) {
            self.stage = if lines == (0, 0) { Stage::Between } else { Stage::Hunk(lines.0, lines.1) };
            self.show(line, cut);
        } else if self.stage == Stage::Header {
            self.header(line, cut);
        } else if line.starts_with(b"\\") {
            self.show(line, cut);
        }
    }

    fn header(&mut self, line: &[u8], cut: bool) {
        let after = |prefix: &str| line.strip_prefix(prefix.as_bytes());
        let mode = |text: &[u8]| Some(String::from_utf8_lossy(text).into_owned());
        let mut named = true;
        if let Some(rest) = after("--- ") {
            self.sides.0 = names::on_side(rest, b"a/");
            named = self.sides.0.is_some();
        } else if let Some(rest) = after("+++ ") {
            self.sides.1 = names::on_side(rest, b"b/");
            named = self.sides.1.is_some();
        } else if let Some((rest, status)) = after("rename from ")
            .map(|rest| (rest, Status::Renamed))
            .or_else(|| after("copy from ").map(|rest| (rest, Status::Copied)))
        {
            self.file.status = status;
            self.moved.0 = names::bare(rest);
            named = self.moved.0.is_some();
        } else if let Some(rest) = after("rename to ").or_else(|| after("copy to ")) {
            self.moved.1 = names::bare(rest);
            named = self.moved.1.is_some();
        } else if after("new file mode ").is_some() {
            self.file.status = Status::Added;
        } else if after("deleted file mode ").is_some() {
            self.file.status = Status::Deleted;
        } else if let Some(rest) = after("old mode ") {
            self.modes.0 = mode(rest);
        } else if let Some(rest) = after("new mode ") {
            self.modes.1 = mode(rest);
        } else if after("Binary files ").is_some() || after("GIT binary patch").is_some() {
            self.file.binary = true;
            self.stage = Stage::Between;
        }
        // In an `index` line a blank sets the mode apart from ids, which may end with the same digits.
        let mode = ["new file mode ", "deleted file mode ", "old mode ", "new mode "].iter();
        let alone = mode.filter_map(|prefix| after(prefix)).any(|rest| rest == LINK_MODE);
        self.file.link |= alone || after("index ").is_some_and(|rest| rest.ends_with(b" 120000"));
        self.unreadable |= !named || cut;
    }

    /// Keep a line of the patch whole or not at all: half a line may be half a secret, which nothing recognises.
    fn show(&mut self, line: &[u8], cut: bool) {
        let text = String::from_utf8_lossy(line);
        let length = text.chars().count().saturating_add(1);
        if self.file.cut || cut || length > self.left {
            self.file.cut = true;
            return;
        }
        self.left = self.left.saturating_sub(length);
        self.file.patch.push_str(&text);
        self.file.patch.push('\n');
    }

    /// The file. Where its header never came to an end nobody knows what it is called, and it is nothing yet.
    fn finish(mut self, whole: bool) -> Option<FileDiff> {
        if !whole && self.stage == Stage::Header {
            return None;
        }
        self.file.cut |= !whole || matches!(self.stage, Stage::Hunk(..));
        self.file.modes = self.modes.0.zip(self.modes.1);
        let moved = matches!(self.file.status, Status::Renamed | Status::Copied);
        let (old, new) = match (self.moved, self.sides) {
            ((Some(old), Some(new)), _) if moved => (Some(old), Some(new)),
            _ if moved => (None, None),
            (_, (Some(old), Some(new))) => (old, new),
            _ if self.file.status == Status::Added => (None, self.twice),
            _ if self.file.status == Status::Deleted => (self.twice, None),
            _ => (self.twice.clone(), self.twice),
        };
        if !self.unreadable {
            (self.file.old, self.file.new) = (old, new);
        }
        Some(self.file)
    }
}

/// How many lines of the old and of the new file a hunk holds, from `@@ -1,3 +1 @@`.
fn hunk_lines(line: &[u8]) -> Option<(u64, u64)> {
    let rest = line.strip_prefix(b"@@ -")?;
    let end = rest.windows(3).position(|part| part == b" @@")?;
    let (old, new) = std::str::from_utf8(rest.get(..end)?).ok()?.split_once(" +")?;
    let count = |range: &str| match range.split_once(',') {
        Some((_, count)) => count.parse().ok(),
        None => range.parse::<u64>().ok().map(|_| 1),
    };
    Some((count(old)?, count(new)?))
}

#[cfg(test)]
mod tests;
