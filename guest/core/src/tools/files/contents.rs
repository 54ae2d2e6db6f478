//! What one path of a repository holds at a commit.
//!
//! Text is returned by lines. What is not text, too large, or stands for something else (a symlink, a
//! submodule, an object kept by Git LFS) is described and never passed off as the file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::link;
use crate::access::Reader;
use crate::gitea::{self, Call};
use crate::reply::{Lines, Reply};
use crate::tools::args::{LineRange, Ref, Repo, RepoPath};
use crate::tools::kit::{Entry, Error, Key, Kind, ReadTool, Shape, read, tool};
use crate::tools::lookup;
use crate::tools::outsiders::{self, Cover};

pub(super) const GET_FILE_CONTENTS: &dyn Entry = read::<GetFileContents>();

/// A file or a directory, with what Git LFS knows of it; Gitea 1.25 and newer.
const EXTENDED: &str = "/repos/{owner}/{repo}/contents-ext/{path...}";
/// The same on every version.
const CONTENTS: &str = "/repos/{owner}/{repo}/contents/{path...}";

/// What an answer holds besides the content, at most, in bytes.
const ENVELOPE_BYTES: u64 = 64 * 1024;
/// How every pointer of Git LFS begins.
const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/v1\n";

tool! {
    /// Read a text file or some of its lines. Binary and large files, Git LFS objects, symlinks and submodules are
    /// described instead.
    "get_file_contents" ("Get file contents") => struct GetFileContents {
        repo: Repo,
        /// Its path, such as src/main.rs.
        filepath: RepoPath,
        reference: Option<Ref>,
        lines: LineRange,
    }
}

impl ReadTool for GetFileContents {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("path", Kind::Text, "The path."),
        Key::own("commit", Kind::Text, "The commit that was read, in full."),
        Key::own(
            "type",
            Kind::Text,
            "text, binary, too_large, lfs, symlink or submodule. Only text comes with content.",
        ),
        Key::pluck("size", "/size", Kind::Number, "Size in bytes of what Git keeps at this path."),
        Key::pluck("sha", "/sha", Kind::Text, "Git's object id."),
        Key::pluck(
            "last_commit_sha",
            "/last_commit_sha",
            Kind::Text,
            "The commit that changed it last, where Gitea (before 1.25) says so unasked.",
        ),
        Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
        Key::own("content", Kind::Text, "The lines, where it is text."),
        Key::own("start_line", Kind::Number, "First line in content."),
        Key::own("end_line", Kind::Number, "Last line in content."),
        Key::own("total_lines", Kind::Number, "Lines of the whole file, as shown here."),
        Key::own(
            "next_start_line",
            Kind::Number,
            "Where to go on, when lines were left out for their length.",
        ),
        Key::own("max_bytes", Kind::Number, "Files above this are not read (MAX_FILE_SIZE_BYTES)."),
        Key::pluck("lfs_oid", "/lfs_oid", Kind::Text, "SHA-256 of the object that Git LFS keeps."),
        Key::pluck("lfs_size", "/lfs_size", Kind::Number, "Its size in bytes."),
        Key::own("target", Kind::Text, "Where a symlink points. It is not followed."),
        Key::own("target_hidden", Kind::Flag, "The symlink points to what the policy hides."),
        Key::pluck("submodule_git_url", "/submodule_git_url", Kind::Text, "Where a submodule comes from."),
    ]);
    const READS: &'static [&'static str] = &[
        lookup::COMMITS,
        EXTENDED,
        CONTENTS,
        lookup::REPOSITORY,
        outsiders::WRITERS,
        outsiders::BRANCH,
        outsiders::BRANCHES,
        outsiders::TAG,
        outsiders::TAGS,
    ];
    const ONE_ITEM: bool = true;

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let lines = Lines { start: self.lines.start, end: self.lines.end };
        let commit = lookup::commit(gitea, &self.repo, self.reference.as_ref())?;
        let path = self.filepath.0.as_str();
        let found = Place { repo: &self.repo, path, commit: &commit }.look(gitea)?;
        let cover = Cover::of(gitea, &self.repo, self.reference.as_ref(), &commit);
        let reply = Reply::new().with("path", path).with("commit", commit);
        let limit = gitea.config().max_file_size_bytes;
        let reply = match found {
            Found::TooLarge(file) => too_large(reply, file.as_ref(), limit),
            Found::Object(file) => describe(reply, gitea, path, &file, lines, limit),
        };
        let reply = if cover.withholds() { reply.without(&["target", "submodule_git_url"]) } else { reply };
        Ok(cover.told(reply, true))
    }
}

/// One path at one commit.
struct Place<'a> {
    repo: &'a Repo,
    path: &'a str,
    commit: &'a str,
}

enum Found {
    /// Gitea's description, with the content where it is a file.
    Object(Value),
    /// The answer did not fit; its description without content, where that could be had.
    TooLarge(Option<Value>),
}

impl Place<'_> {
    /// `contents-ext` knows LFS but exists since Gitea 1.25; `contents` always did. A 404 of the former may
    /// mean either, so the latter has the last word. Neither reads `main/x` as `x` on `main`, as `raw` does.
    fn look(&self, gitea: &Reader<'_>) -> Result<Found, Error> {
        match gitea.get(self.extended("file_content,lfs_metadata", content_bytes(gitea))) {
            Ok(answer) => self.file(answer.body.get("file_contents").cloned().unwrap_or_default()),
            Err(gitea::Error::TooLarge) => self.look_without_content(gitea),
            Err(gitea::Error::NotFound { .. }) => self.look_the_old_way(gitea),
            Err(error) => Err(error.into()),
        }
    }

    fn look_without_content(&self, gitea: &Reader<'_>) -> Result<Found, Error> {
        match gitea.get(self.extended("lfs_metadata", content_bytes(gitea))) {
            Ok(answer) => {
                let file = answer.body.get("file_contents").cloned().unwrap_or_default();
                if file.is_object() { Ok(Found::TooLarge(Some(file))) } else { Err(self.is_a_directory()) }
            }
            // A directory of very many entries.
            Err(gitea::Error::TooLarge) => Err(self.is_a_directory()),
            Err(error) => Err(error.into()),
        }
    }

    fn look_the_old_way(&self, gitea: &Reader<'_>) -> Result<Found, Error> {
        let request = lookup::call(self.repo, CONTENTS)
            .segment(self.path)
            .query("ref", self.commit)
            .at_most(content_bytes(gitea));
        match gitea.get(request) {
            Ok(answer) => self.file(answer.body),
            Err(gitea::Error::TooLarge) => Ok(Found::TooLarge(None)),
            Err(error) => Err(Error::or_not_found(error, || {
                format!(
                    "{}/{} has no `{}` at commit {}. get_file_tree shows what there is.",
                    self.repo.owner, self.repo.repo, self.path, self.commit
                )
            })),
        }
    }

    fn extended(&self, includes: &str, most: u64) -> Call {
        lookup::call(self.repo, EXTENDED)
            .segment(self.path)
            .query("ref", self.commit)
            .query("includes", includes)
            .at_most(most)
    }

    fn file(&self, found: Value) -> Result<Found, Error> {
        let is_directory = found.get("type").and_then(Value::as_str) == Some("dir");
        if found.is_object() && !is_directory { Ok(Found::Object(found)) } else { Err(self.is_a_directory()) }
    }

    fn is_a_directory(&self) -> Error {
        Error::Unprocessable {
            reason: "is_a_directory",
            message: format!("`{}` is a directory. get_file_tree lists what is in it.", self.path),
        }
    }
}

/// Bytes of an answer with the largest allowed file in base64.
fn content_bytes(gitea: &Reader<'_>) -> u64 {
    gitea.config().max_file_size_bytes.div_ceil(3).saturating_mul(4).saturating_add(ENVELOPE_BYTES)
}

fn describe(reply: Reply, gitea: &Reader<'_>, path: &str, file: &Value, lines: Lines, limit: u64) -> Reply {
    let reply = reply.and(GetFileContents::ANSWER.of(file));
    match file.get("type").and_then(Value::as_str) {
        Some("symlink") => return symlink(reply, gitea, path, file),
        Some("submodule") => return reply.with("type", "submodule"),
        Some(_) | None => {}
    }
    if file.get("lfs_oid").is_some_and(Value::is_string) {
        return reply.with("type", "lfs");
    }
    // Gitea gives no content above a limit of its own.
    let Some(content) = file.get("content").and_then(Value::as_str) else {
        return too_large(reply, None, limit);
    };
    let compact: String = content.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    let Ok(bytes) = STANDARD.decode(compact) else {
        return reply.with("type", "binary");
    };
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return too_large(reply, None, limit);
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.starts_with(LFS_POINTER) && text.len() < 1024 => {
            let kept = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            let size = kept("size ").and_then(|size| size.parse::<u64>().ok());
            reply.with("type", "lfs").with_some("lfs_oid", kept("oid sha256:")).with_some("lfs_size", size)
        }
        Ok(text) if !text.contains('\0') => reply.with("type", "text").lines_of(text, lines),
        Ok(_) | Err(_) => reply.with("type", "binary"),
    }
}

fn too_large(reply: Reply, file: Option<&Value>, limit: u64) -> Reply {
    let reply = match file {
        Some(file) => reply.and(GetFileContents::ANSWER.of(file)),
        None => reply,
    };
    reply
        .with("type", "too_large")
        .with("max_bytes", limit)
        .with("truncated", true)
        .with("truncated_how", format!("files above {limit} bytes are not read (MAX_FILE_SIZE_BYTES)"))
}

/// A symlink is told, not followed: it may point to what the policy hides, and then not even that is told.
fn symlink(reply: Reply, gitea: &Reader<'_>, path: &str, file: &Value) -> Reply {
    let reply = reply.with("type", "symlink");
    let target = file.get("target").and_then(Value::as_str).unwrap_or_default();
    let hidden = link::inside(path, target)
        .is_some_and(|path| !gitea.path_visible(&path, false) || !gitea.path_visible(&path, true));
    if hidden { reply.with("target_hidden", true) } else { reply.with("target", target) }
}
