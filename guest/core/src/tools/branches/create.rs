//! Making a branch: what is checked before, and what is compared after.
//!
//! Gitea answers 500 where the old ref is unknown, and 409 with one word for everything that is in the way. So
//! the commit to start from is resolved first, and what could be in the way is looked up by name.

use serde_json::{Value, json};

use super::{BRANCH, BRANCH_LINE, CreateBranch, TAG};
use crate::access::{Reader, Writer};
use crate::gitea::{self, CREATE_BRANCH, Started};
use crate::reply::Reply;
use crate::tools::applied::{missing, writable};
use crate::tools::kit::Error;
use crate::tools::lookup;

/// So many names above a new one are looked up. Gitea itself refuses what is deeper.
const ABOVE: usize = 8;

pub(super) fn create(wanted: &CreateBranch, gitea: &Writer<'_>) -> Result<Reply, Error> {
    let reader = gitea.reader();
    let name = wanted.new_branch_name.0.as_str();
    let repository = reader.start(lookup::call(&wanted.repo, lookup::REPOSITORY))?;
    let taken = Taken::start(reader, wanted)?;
    ready(&writable(repository, &wanted.repo)?, wanted)?;
    taken.finish(wanted)?;
    let old = wanted.old_branch_name.as_ref().map(|revision| &revision.0);
    let commit = lookup::commit(reader, &wanted.repo, old)?;

    let place = vec![wanted.repo.owner.clone(), wanted.repo.repo.clone()];
    let body = json!({ "new_branch_name": name, "old_ref_name": commit });
    let answer = gitea.send(CREATE_BRANCH, place, &body).map_err(|error| in_the_way(error, wanted))?.body;
    let mut not_applied = Vec::new();
    let found = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
    if found("/name") != Some(name) {
        not_applied.push(missing("new_branch_name", name, "Gitea made a branch of another name"));
    }
    if found("/commit/id") != Some(commit.as_str()) {
        not_applied.push(missing("old_branch_name", &commit, "the branch is at another commit"));
    }
    Ok(Reply::new().with("branch", BRANCH_LINE.of(&answer)).with("not_applied", not_applied))
}

/// Refuse what no branch can be made in.
fn ready(repository: &Value, wanted: &CreateBranch) -> Result<(), Error> {
    let is = |field: &str| repository.get(field).and_then(Value::as_bool) == Some(true);
    let (owner, repo) = (&wanted.repo.owner, &wanted.repo.repo);
    if is("empty") {
        return Err(Error::Conflict {
            reason: "repository_empty",
            message: format!(
                "{owner}/{repo} is empty: without a commit there is nothing to start a branch from."
            ),
        });
    }
    if is("mirror") {
        return Err(Error::Conflict {
            reason: "repository_is_a_mirror",
            message: format!(
                "{owner}/{repo} is a mirror: its branches come from the repository that it copies."
            ),
        });
    }
    Ok(())
}

/// Looking for what has the name already, or makes it impossible.
struct Taken {
    /// The branch itself, then those whose name is a directory of it: Git keeps `a` and `a/b` apart only by not
    /// having both.
    branches: Vec<(String, Started)>,
    tag: Started,
}

impl Taken {
    fn start(reader: &Reader<'_>, wanted: &CreateBranch) -> Result<Self, Error> {
        let name = wanted.new_branch_name.0.as_str();
        let above = name.match_indices('/').filter_map(|(at, _)| name.get(..at)).take(ABOVE);
        let branches = std::iter::once(name)
            .chain(above)
            .map(|name| {
                let started = reader.start(lookup::call(&wanted.repo, BRANCH).segment(name))?;
                Ok((name.to_owned(), started))
            })
            .collect::<Result<_, Error>>()?;
        let tag = reader.start(lookup::call(&wanted.repo, TAG).segment(name))?;
        Ok(Self { branches, tag })
    }

    fn finish(self, wanted: &CreateBranch) -> Result<(), Error> {
        let (owner, repo) = (&wanted.repo.owner, &wanted.repo.repo);
        let new = &wanted.new_branch_name.0;
        for (name, started) in self.branches {
            let Some(branch) = there(started)? else { continue };
            if branch.get("name").and_then(Value::as_str) != Some(name.as_str()) {
                continue;
            }
            if name == *new {
                let commit =
                    branch.pointer("/commit/id").and_then(Value::as_str).unwrap_or("an unknown commit");
                return Err(Error::Conflict {
                    reason: "branch_exists",
                    message: format!(
                        "{owner}/{repo} has a branch `{new}` already, at {commit}. Choose another name."
                    ),
                });
            }
            return Err(Error::Conflict {
                reason: "branch_name_clashes",
                message: format!(
                    "{owner}/{repo} has a branch `{name}`, so Git cannot have `{new}` beside it. Choose a name that \
                     does not begin with `{name}/`."
                ),
            });
        }
        if there(self.tag)?.is_some() {
            return Err(Error::Conflict {
                reason: "tag_exists",
                message: format!(
                    "{owner}/{repo} has a tag `{new}`; Gitea makes no branch of the same name. Choose another name."
                ),
            });
        }
        Ok(())
    }
}

/// What was asked for, unless it is not there.
fn there(started: Started) -> Result<Option<Value>, Error> {
    match started.finish() {
        Ok(answer) => Ok(Some(answer.body)),
        Err(gitea::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What Gitea's refusals mean here.
fn in_the_way(error: gitea::Error, wanted: &CreateBranch) -> Error {
    if !matches!(error, gitea::Error::Conflict { .. }) {
        return error.into();
    }
    let new = &wanted.new_branch_name.0;
    Error::Conflict {
        reason: "branch_name_clashes",
        message: format!(
            "Gitea refused `{new}`: a branch or tag of that name was made a moment ago, or there are branches below \
             `{new}/`. list_branches shows them; choose another name."
        ),
    }
}
