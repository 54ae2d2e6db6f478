//! Things that callers name and Gitea wants otherwise: refs as commits, labels and milestones by name.

mod known;
mod labels;
mod milestones;
mod near;

#[cfg(test)]
mod tests;

pub(super) use known::{Known, no_labels};
pub(super) use labels::{Label, LabelSearch, ORGANISATION_LABELS, REPOSITORY_LABELS, Resolved};
pub(super) use milestones::{MILESTONE, MILESTONES, milestone, same_title};
pub(super) use near::hint;

use super::args::{Ref, Repo};
use super::kit::Error;
use crate::access::Reader;
use crate::gitea::{self, Call};

/// Refs move: a commit is remembered for so many seconds, for calls that come in one breath.
const REF_SECONDS: u32 = 5;
/// That a full id is the id of a commit never changes.
const ID_SECONDS: u32 = 3600;
const REF_SPACE: &str = "ref";

/// A repository itself.
pub(super) const REPOSITORY: &str = "/repos/{owner}/{repo}";
/// Its commits, newest first; also the one rule by which refs are resolved.
pub(super) const COMMITS: &str = "/repos/{owner}/{repo}/commits";

/// A call below a repository: owner and name fill the first two placeholders.
pub(super) fn call(repo: &Repo, template: &'static str) -> Call {
    Call::to(template).segment(&repo.owner).segment(&repo.repo)
}

/// The full id of the commit that a ref names, or of the newest on the default branch. Gitea's endpoints
/// resolve refs by different rules, so it is done once and the id is used from there on.
///
/// A full id is no exception: it may be the id of a directory, which the trees endpoint would list with paths
/// that start there, and the policy would judge other names than the ones that are read. `commits` takes
/// nothing but commits, and tags of them.
pub(super) fn commit(reader: &Reader<'_>, repo: &Repo, reference: Option<&Ref>) -> Result<String, Error> {
    match reader.recalled(REF_SPACE, &place(repo, reference)).filter(|id| is_full_id(id)) {
        Some(id) => Ok(id),
        None => commit_now(reader, repo, reference),
    }
}

/// The same, asked of Gitea in any case: for answers that are put together from what was remembered. Gitea tells it
/// to those alone who may read the code, so whoever lost that right is not told what they saw before.
pub(super) fn commit_now(reader: &Reader<'_>, repo: &Repo, reference: Option<&Ref>) -> Result<String, Error> {
    let mut newest = newest(repo);
    if let Some(reference) = reference {
        newest = newest.query("sha", &reference.0);
    }
    let answer = reader.get(newest).map_err(|error| no_commit(error, repo, reference))?;
    let id = answer.body.pointer("/0/sha").and_then(serde_json::Value::as_str).filter(|id| is_full_id(id));
    let id = id.ok_or(gitea::Error::NotJson)?.to_owned();
    let is_id = reference.is_some_and(|reference| reference.0 == id);
    reader.remember(REF_SPACE, &place(repo, reference), &id, if is_id { ID_SECONDS } else { REF_SECONDS });
    Ok(id)
}

/// Where a resolved ref is remembered: for this caller alone, who learns nothing from it but what they named.
fn place(repo: &Repo, reference: Option<&Ref>) -> String {
    let name = reference.map_or("", |reference| reference.0.as_str());
    format!("{}/{}\n{name}", repo.owner.to_ascii_lowercase(), repo.repo.to_ascii_lowercase())
}

/// The newest commit of a repository; with `sha`, the one that this names.
pub(super) fn newest(repo: &Repo) -> Call {
    call(repo, COMMITS)
        .query("limit", 1)
        .query("stat", false)
        .query("verification", false)
        .query("files", false)
}

fn no_commit(error: gitea::Error, repo: &Repo, reference: Option<&Ref>) -> Error {
    let (owner, name) = (&repo.owner, &repo.repo);
    if matches!(error, gitea::Error::Conflict { .. }) {
        return Error::Conflict {
            reason: "repository_empty",
            message: format!("{owner}/{name} is empty: it has no commits and no files."),
        };
    }
    Error::or_not_found(error, || match reference {
        Some(reference) => format!(
            "{owner}/{name} has no branch, tag or commit `{}`{}, or Gitea does not show the repository to this \
             user.",
            reference.0,
            if is_full_id(&reference.0) { " (the id of a directory or a file is not one)" } else { "" },
        ),
        None => unseen(repo),
    })
}

/// What a 404 on a repository itself means.
pub(super) fn unseen(repo: &Repo) -> String {
    format!("There is no repository {}/{}, or Gitea does not show it to this user.", repo.owner, repo.repo)
}

/// A full object id: 40 hex digits (SHA-1) or 64 (SHA-256), in lower case.
pub(super) fn is_full_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
