//! Search in the files of a commit. Gitea has no endpoint for it, so its archive is streamed through and forgotten:
//! nothing of it is kept but the lines that match.

mod archive;
mod batches;
mod entries;
mod folder;
#[cfg(test)]
mod fuzz;
mod hunt;
mod look;
mod pattern;
mod shelf;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::args::{Flag, Page, Query, Ref, Repo};
use super::kit::{Entry, Error, Key, Kind, ReadTool, Shape, read, tool};
use super::lookup;
use super::outsiders::{self, Cover};
use super::paging::{self, HAS_NEXT, PAGE, TOTAL};
use crate::access::Reader;
use crate::reply::{Removed, Reply};
use hunt::Hunt;
pub(super) use look::{Look, Next};
use pattern::Pattern;

pub(super) const TOOLS: &[&dyn Entry] = &[read::<SearchCode>()];

/// The archive of a commit.
pub(super) const ARCHIVE: &str = "/repos/{owner}/{repo}/archive/{archive}.tar.gz";
/// The entries of a commit.
pub(super) const TREE: &str = "/repos/{owner}/{repo}/git/trees/{sha}";
/// The contents of several files at once; Gitea 1.24 and newer.
pub(super) const BATCH: &str = "/repos/{owner}/{repo}/file-contents";

tool! {
    /// Find lines in files, in any case. It reads the whole commit: ask for what is distinctive. Binary,
    /// large and Git LFS files are skipped.
    "search_code" ("Search code") => struct SearchCode {
        repo: Repo,
        /// Text to find, or with regex an expression.
        query: Query,
        /// query is a regular expression for one line; case counts.
        regex: Option<Flag>,
        reference: Option<Ref>,
        page: Page,
    }
}

impl ReadTool for SearchCode {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("commit", Kind::Text, "The commit that was searched, in full."),
        Key::own("matches", Kind::Each(&MATCH), "The matching lines of this page, by path and line."),
        PAGE,
        HAS_NEXT,
        TOTAL,
        Key::own("total_matches", Kind::Number, "Matching lines that were seen, also those not kept."),
        Key::own("files_searched", Kind::Number, "Files that were read."),
        Key::own(
            "hidden_by_policy",
            Kind::Number,
            "Files that were not searched since the policy does not show them, or their names cannot be read for sure.",
        ),
        Key::own(
            "incomplete",
            Kind::Text,
            "Present when not everything was searched or kept: why, and what to do.",
        ),
    ]);
    const READS: &'static [&'static str] = &[
        lookup::COMMITS,
        TREE,
        ARCHIVE,
        BATCH,
        lookup::REPOSITORY,
        outsiders::WRITERS,
        outsiders::BRANCH,
        outsiders::BRANCHES,
        outsiders::TAG,
        outsiders::TAGS,
    ];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let pattern = Pattern::new(&self.query.0, self.regex == Some(Flag(true)))?;
        let repository = gitea.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        // Not from memory: what was found a moment ago is shown to whoever may still read the code.
        let commit = lookup::commit_now(gitea, &self.repo, self.reference.as_ref())?;
        let repository =
            repository.finish().map_err(|error| Error::or_not_found(error, || lookup::unseen(&self.repo)))?;
        small_enough(gitea, &repository.body)?;
        let shelf = shelf::Shelf::of(gitea, &self.repo, &repository.body, &commit, &pattern);
        let found = match shelf.recalled() {
            Some(found) => found,
            None => {
                let found = search(gitea, &self.repo, &commit, &pattern)?;
                shelf.keep(&found);
                found
            }
        };
        let cover = Cover::of(gitea, &self.repo, self.reference.as_ref(), &commit);
        Ok(answer(gitea, self.page, commit, found, cover))
    }
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Found {
    matches: Vec<Match>,
    /// Matching lines that were seen.
    seen: u64,
    files: u64,
    /// Files that the policy does not show.
    hidden: u64,
    incomplete: Vec<String>,
}

/// One matching line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Match {
    path: String,
    line: u64,
    text: String,
    /// What was taken out of the line.
    removed: Removed,
}

fn search(gitea: &Reader<'_>, repo: &Repo, commit: &str, pattern: &Pattern) -> Result<Found, Error> {
    let _slot = gitea.long_work().map_err(|seconds| Error::Busy {
        reason: "searches_busy",
        message: format!("Other searches are under way. Try again in {seconds} seconds."),
        seconds,
    })?;
    let mut hunt = Hunt::start(gitea, pattern);
    through(gitea, repo, commit, &mut hunt)?;
    Ok(hunt.finish())
}

/// Look through the files of a commit. Whoever calls has room for long work.
pub(super) fn through(
    gitea: &Reader<'_>,
    repo: &Repo,
    commit: &str,
    look: &mut dyn Look,
) -> Result<(), Error> {
    match archive::stream(gitea, repo, commit, look)? {
        archive::Streamed::Read => Ok(()),
        // The archive cannot be had, or it cannot be told which paths it names: the files are asked for instead.
        archive::Streamed::Unusable(why) => {
            look.again();
            batches::read(gitea, repo, commit, look, &why)
        }
    }
}

/// The size that Gitea names includes the history, so this is only a guard.
pub(super) fn small_enough(gitea: &Reader<'_>, repository: &Value) -> Result<(), Error> {
    let most = gitea.config().search.repository_kib;
    let size = repository.get("size").and_then(Value::as_u64).unwrap_or_default();
    if size <= most {
        return Ok(());
    }
    Err(Error::Unprocessable {
        reason: "repository_too_large",
        message: format!(
            "The repository has {size} KiB; files are looked through where there are at most {most} \
             (SEARCH_MAX_REPOSITORY_KIB). Use get_file_tree and get_file_contents."
        ),
    })
}

fn answer(gitea: &Reader<'_>, page: Page, commit: String, found: Found, cover: Cover) -> Reply {
    let counts: Vec<Removed> = found.matches.iter().map(|hit| hit.removed).collect();
    let mut rows: Vec<Value> = found
        .matches
        .into_iter()
        .map(|hit| json!({ "path": hit.path, "line": hit.line, "text": hit.text }))
        .collect();
    cover.strip(&mut rows, "text");
    let before = paging::before(gitea, page);
    let page = paging::rows_of_all(gitea, page, rows);
    let shown = counts.into_iter().skip(before).take(page.rows.len());
    let removed = shown.fold(Removed::default(), Removed::and);
    let incomplete = if found.incomplete.is_empty() { None } else { Some(found.incomplete.join("; ")) };
    let reply = Reply::new()
        .removing(removed)
        .with("commit", commit)
        .with("matches", page.rows.clone())
        .with("total_matches", found.seen)
        .with("files_searched", found.files)
        .with_some("hidden_by_policy", if found.hidden > 0 { Some(found.hidden) } else { None })
        .with_some("incomplete", incomplete);
    page.told(cover.told(reply, false))
}

const MATCH: Shape = Shape(&[
    Key::own("path", Kind::Text, "Path from the root of the repository."),
    Key::own("line", Kind::Number, "Number of the line, counted from 1."),
    Key::own("text", Kind::Text, "The line, or the part of it around the match."),
]);
