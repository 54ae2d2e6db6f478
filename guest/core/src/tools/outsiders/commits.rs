//! Commits that may be by somebody without write access: those of pull requests from forks.
//!
//! Gitea keeps them in the base repository, where any id and `refs/pull/N/head` reads them. Only who may write can move
//! a branch or a tag, so a commit is inside if it is in the history of the default branch, or the tip of a branch or tag
//! that was named or is among the first fifty. Anything else counts as outside, also an older commit of another branch:
//! Gitea cannot be asked which branches hold a commit.

use serde_json::Value;

use super::{Authors, Outsiders};
use crate::access::Reader;
use crate::reply::Reply;
use crate::settings::OutsideText;
use crate::tools::args::{Ref, Repo};
use crate::tools::lookup;

pub(in crate::tools) const BRANCHES: &str = "/repos/{owner}/{repo}/branches";
/// One branch.
pub(in crate::tools) const BRANCH: &str = "/repos/{owner}/{repo}/branches/{branch...}";
pub(in crate::tools) const TAGS: &str = "/repos/{owner}/{repo}/tags";
/// One tag.
pub(in crate::tools) const TAG: &str = "/repos/{owner}/{repo}/tags/{tag...}";

pub(super) const OUTSIDE: &str = "commit_is_outside";
pub(super) const WITHHELD: &str = "withheld";
const WHY: &str = "The commit is neither in the default branch nor the tip of a branch or tag, so it may be by \
                   somebody without write access, and its text is left out (LOCKDOWN=hide).";
const HOW: &str = " To see it as untrusted text: call again with show_withheld=true.";

/// Branches and tags that are looked through for a tip.
const TIPS: u32 = 50;
const SPACE: &str = "inside";

/// What becomes of the text of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) enum Cover {
    /// It is shown like any other.
    None,
    /// It is shown with a mark.
    Marked,
    /// It is left out.
    Withheld,
}

impl Cover {
    /// Whether text has to be left out.
    pub(in crate::tools) fn withholds(self) -> bool {
        self == Self::Withheld
    }

    /// Say what became of it, and how to see it where there is a way.
    pub(in crate::tools) fn told(self, reply: Reply, one_item: bool) -> Reply {
        match self {
            Self::None => reply,
            Self::Marked => reply.with(OUTSIDE, true),
            Self::Withheld => {
                let how = if one_item { HOW } else { "" };
                reply.with(OUTSIDE, true).with(WITHHELD, format!("{WHY}{how}"))
            }
        }
    }

    /// Leave a field out of every row, where text has to be.
    pub(in crate::tools) fn strip(self, rows: &mut [Value], field: &str) {
        if self.withholds() {
            rows.iter_mut().filter_map(Value::as_object_mut).for_each(|row| drop(row.remove(field)));
        }
    }
}

impl Cover {
    /// What becomes of the text of `commit`, which `reference` named; without one, the default branch did.
    pub(in crate::tools) fn of(
        reader: &Reader<'_>,
        repo: &Repo,
        reference: Option<&Ref>,
        commit: &str,
    ) -> Self {
        let Some(reference) = reference.filter(|_| reader.config().outside_text != OutsideText::Shown) else {
            return Self::None;
        };
        let outsiders = Outsiders::of(reader, repo);
        if outsiders.authors == Authors::All || is_inside(reader, repo, &reference.0, commit) {
            Self::None
        } else if outsiders.withholds() {
            Self::Withheld
        } else {
            Self::Marked
        }
    }
}

fn is_inside(reader: &Reader<'_>, repo: &Repo, name: &str, commit: &str) -> bool {
    let key = format!("{}/{}\n{commit}", repo.owner, repo.repo).to_ascii_lowercase();
    if reader.recalled(SPACE, &key).is_some() {
        return true;
    }
    let inside = in_default_branch(reader, repo, commit)
        || is_named_tip(reader, repo, name, commit)
        || is_among(reader, repo, BRANCHES, "/commit/id", commit)
        || is_among(reader, repo, TAGS, "/commit/sha", commit);
    let seconds = reader.config().repo_authz_seconds;
    if inside && seconds > 0 {
        reader.remember(SPACE, &key, "", seconds);
    }
    inside
}

/// Whether the commit has nothing that the default branch lacks.
fn in_default_branch(reader: &Reader<'_>, repo: &Repo, commit: &str) -> bool {
    let Ok(newest) = lookup::commit(reader, repo, None) else { return false };
    let more = || lookup::newest(repo).query("sha", commit).query("not", &newest);
    let none = |more: &Value| more.as_array().is_some_and(Vec::is_empty);
    newest == commit || reader.get(more()).is_ok_and(|more| none(&more.body))
}

/// Whether the name is that of a branch or a tag, and this is its commit. Git takes `pull/1/head` for
/// `refs/pull/1/head`, and pieces of an id for the id; Gitea's branches and tags are what they say.
fn is_named_tip(reader: &Reader<'_>, repo: &Repo, name: &str, commit: &str) -> bool {
    if lookup::is_full_id(name) {
        return false;
    }
    let is = |template: &'static str, name: &str, at: &str| {
        let found = reader.get(lookup::call(repo, template).segment(name));
        found.is_ok_and(|found| found.body.pointer(at).and_then(Value::as_str) == Some(commit))
    };
    let short = |kind: &str| {
        let name = name.strip_prefix("refs/").unwrap_or(name);
        name.strip_prefix(kind).unwrap_or(name).to_owned()
    };
    is(BRANCH, &short("heads/"), "/commit/id") || is(TAG, &short("tags/"), "/commit/sha")
}

/// Whether the commit is the tip of one of the first branches or tags.
fn is_among(reader: &Reader<'_>, repo: &Repo, template: &'static str, at: &str, commit: &str) -> bool {
    let list = reader.get(lookup::call(repo, template).query("page", 1).query("limit", TIPS));
    let is_tip = |row: &Value| row.pointer(at).and_then(Value::as_str) == Some(commit);
    list.is_ok_and(|list| list.body.as_array().is_some_and(|rows| rows.iter().any(is_tip)))
}
