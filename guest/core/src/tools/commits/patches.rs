//! A page of the files of a diff, as a model is shown them.
//!
//! A diff tells of every file that changed, whatever the policy says of it. So a file is shown only where each
//! name that it has or had may be seen; others are counted. The commit itself (message, author, date) is shown
//! in any case: Gitea's log cannot be asked by path rules, a log with holes would lie about parents and counts,
//! and whoever wants a log hidden denies the tools that read it.

use serde_json::{Map, Value};

use super::split::{FileDiff, Splitter};
use crate::access::Reader;
use crate::gitea::{Body, Call, Error};
use crate::ports::Media;
use crate::reply::Reply;
use crate::tools::args::Page;
use crate::tools::files::link;
use crate::tools::kit::{Key, Kind, Shape};
use crate::tools::paging;

/// Most bytes of a diff that are read, over all requests of a call.
const DIFF_BYTES: usize = 8 * 1024 * 1024;
/// Reading more is a failure, so this is above what is read.
const CALL_BYTES: u64 = 64 * 1024 * 1024;

pub(super) const FILES: Key = Key::own(
    "files",
    Kind::Each(&FILE),
    "The changed files of this page, in Git's order. Files that the policy hides are not among them.",
);

pub(super) const HIDDEN: Key = Key::own(
    "hidden_by_policy",
    Kind::Number,
    "Changed files, on all pages, that the policy does not show, or whose names cannot be read for sure.",
);

pub(super) const FILE: Shape = Shape(&[
    Key::own("path", Kind::Text, "Its path; of a deleted file, the one it had."),
    Key::own("previous_path", Kind::Text, "The path before, of a renamed or copied file."),
    Key::own("status", Kind::Text, "added, deleted, renamed, copied or changed."),
    Key::own("additions", Kind::Number, "Lines added, also where the patch is cut."),
    Key::own("deletions", Kind::Number, "Lines removed, also where the patch is cut."),
    Key::own("mode", Kind::Text, "Git's modes before and after, where they differ: `100644 100755`."),
    Key::own("binary", Kind::Flag, "Present and true where Git shows no lines."),
    Key::own("patch", Kind::Text, "Hunks of a unified diff, without the lines that name the file."),
    Key::own(
        "truncated",
        Kind::Flag,
        "Present and true where the patch is not all of it, or would name what the policy hides.",
    ),
    Key::own("commit", Kind::Text, "The commit that made this change, where commits are shown one by one."),
]);

/// How a diff is asked for.
pub(super) fn asked(call: Call) -> Call {
    call.accept(Media::Text).at_most(CALL_BYTES)
}

/// Where a reading came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Whole,
    Limit,
    Broken,
}

/// The page while it is collected.
pub(super) struct Patches<'a> {
    reader: &'a Reader<'a>,
    page: u32,
    over: Option<u32>,
    skip: usize,
    take: usize,
    seen: usize,
    hidden: usize,
    files: Vec<Value>,
    bytes: usize,
    ended: Ended,
    characters: usize,
}

impl<'a> Patches<'a> {
    /// An empty page.
    pub(super) fn new(reader: &'a Reader<'a>, page: Page) -> Self {
        let (over, limit) = (paging::over(reader, page), paging::limit(reader, page));
        let page = page.page;
        let take = usize::try_from(limit).unwrap_or(usize::MAX);
        let before = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX);
        Self {
            reader,
            page,
            over,
            skip: before.saturating_mul(take),
            take,
            seen: 0,
            hidden: 0,
            files: Vec::new(),
            bytes: 0,
            ended: Ended::Whole,
            characters: usize::try_from(reader.config().max_tool_response_chars).unwrap_or(usize::MAX),
        }
    }

    /// Whether more can be read: nothing broke off so far, and the limit is not reached.
    pub(super) fn goes_on(&self) -> bool {
        self.ended == Ended::Whole
    }

    /// Read a diff. `commit` is told with each file, where the diffs of several are read one after the other.
    ///
    /// # Errors
    /// Nothing of it came.
    pub(super) fn read(&mut self, mut body: Body, commit: Option<&str>) -> Result<(), Error> {
        // Gitea names no type of its own for a diff: its server guesses from the first bytes, and for an empty one
        // says nothing. But a web page or JSON in place of a diff would read as one without files.
        if matches!(body.content_type(), "text/html" | "application/json") {
            return Err(Error::NotJson);
        }
        let mut splitter = Splitter::new(self.characters);
        let mut begun = false;
        loop {
            match body.next_piece() {
                Ok(None) => break,
                Ok(Some(piece)) => {
                    begun = true;
                    let room = DIFF_BYTES.saturating_sub(self.bytes);
                    let part = piece.get(..room.min(piece.len())).unwrap_or_default();
                    self.bytes = self.bytes.saturating_add(part.len());
                    splitter.push(part, |file| self.file(&file, commit));
                    if piece.len() > room {
                        self.ended = Ended::Limit;
                        break;
                    }
                }
                Err(error) if !begun => return Err(error),
                Err(_) => {
                    self.ended = Ended::Broken;
                    break;
                }
            }
        }
        let whole = self.ended == Ended::Whole;
        splitter.finish(whole, |file| self.file(&file, commit));
        Ok(())
    }

    fn file(&mut self, file: &FileDiff, commit: Option<&str>) {
        let shown = |name: &str| self.reader.path_visible(name, false);
        let Some((path, previous)) =
            file.names().filter(|(path, previous)| shown(path) && previous.is_none_or(shown))
        else {
            self.hidden = self.hidden.saturating_add(1);
            return;
        };
        self.seen = self.seen.saturating_add(1);
        if self.seen > self.skip && self.files.len() < self.take {
            let mut entry = entry(file, path, previous, commit);
            if file.link && self.points_to_hidden(path, previous, &file.patch) {
                entry.insert("patch".to_owned(), "".into());
                entry.insert("truncated".to_owned(), true.into());
            }
            self.files.push(entry.into());
        }
    }

    /// Where a link points is a name too, and may be one that the policy hides.
    fn points_to_hidden(&self, path: &str, previous: Option<&str>, patch: &str) -> bool {
        let hidden =
            |path: &str| !self.reader.path_visible(path, false) || !self.reader.path_visible(path, true);
        let mut targets = patch.lines().filter_map(|line| line.strip_prefix(['+', '-', ' ']));
        targets.any(|target| {
            let mut places = [Some(path), previous].into_iter().flatten();
            places.any(|place| link::inside(place, target).is_some_and(|path| hidden(&path)))
        })
    }

    /// Leave out what the files hold: their names and how much changed stay.
    pub(super) fn withhold(&mut self) {
        self.files.iter_mut().filter_map(Value::as_object_mut).for_each(|file| drop(file.remove("patch")));
    }

    /// What the page says: its files, what is hidden, and what is missing and why.
    pub(super) fn told(self, reply: Reply, more: Option<String>) -> Reply {
        let has_next = self.seen > self.skip.saturating_add(self.files.len());
        let complete = self.ended == Ended::Whole && more.is_none();
        let total = if complete { u64::try_from(self.seen).ok() } else { None };
        let mut missing: Vec<String> = Vec::new();
        match self.ended {
            Ended::Whole => {}
            Ended::Limit => missing.push(format!(
                "only the first {} MiB of the diff were read; what comes after is missing",
                DIFF_BYTES >> 20
            )),
            Ended::Broken => {
                missing.push("Gitea's answer broke off: what comes after is missing; ask again".to_owned());
            }
        }
        missing.extend(more);
        if self.files.iter().any(|file| file.get("truncated").is_some()) {
            missing.push(
                "patches marked truncated lack lines; get_file_contents reads the file at either commit"
                    .to_owned(),
            );
        }
        let reply = reply
            .with("files", self.files)
            .with_some("hidden_by_policy", if self.hidden > 0 { Some(self.hidden) } else { None });
        let reply = paging::told(reply, self.page, self.over, has_next, total);
        if missing.is_empty() {
            return reply;
        }
        reply.cut(&missing.join("; "))
    }
}

fn entry(file: &FileDiff, path: &str, previous: Option<&str>, commit: Option<&str>) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    if let Some(commit) = commit {
        put("commit", commit.into());
    }
    put("path", path.into());
    if let Some(previous) = previous {
        put("previous_path", previous.into());
    }
    put("status", file.status.word().into());
    if let Some((before, after)) = &file.modes {
        put("mode", format!("{before} {after}").into());
    }
    if file.binary {
        put("binary", true.into());
    } else {
        put("additions", file.additions.into());
        put("deletions", file.deletions.into());
        put("patch", file.patch.as_str().into());
    }
    if file.cut {
        put("truncated", true.into());
    }
    out
}
