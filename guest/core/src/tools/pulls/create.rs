//! Opening a pull request between two branches of one repository.
//!
//! Gitea would take a head of another repository and read that with whatever rights the credential has; the policy
//! was asked about one repository only, so both ends are branches of it. Both are looked up first, to say which one
//! is missing and not just that something is.

use serde_json::{Value, json};

use super::{PULLS, no_pulls};
use crate::access::{Reader, Writer};
use crate::gitea::{self, CREATE_PULL, Started, Write};
use crate::reply::Reply;
use crate::tools::applied::{NOT_APPLIED, missing, same_text, writable};
use crate::tools::args::{Branch, FreeText, Repo, Title};
use crate::tools::kit::{Entry, Error, Hints, Key, Kind, Shape, WriteTool, tool, write};
use crate::tools::lookup;

pub(super) const CREATE_PULL_REQUEST: &dyn Entry = write::<CreatePullRequest>();

const BRANCH: &str = "/repos/{owner}/{repo}/branches/{branch...}";

/// Open pull requests that are looked at, at once and in pages, to find the one that is in the way.
const AT_ONCE: u32 = 50;
const PAGES: u32 = 10;

tool! {
    /// Open a pull request between two branches of one repository.
    "create_pull_request" ("Create pull request") => struct CreatePullRequest {
        repo: Repo,
        /// Title; begin it with `WIP:` for a draft.
        title: Title,
        /// Branch to merge.
        head: Branch,
        /// Branch to merge into.
        base: Branch,
        /// Text, in Markdown.
        body: Option<FreeText>,
    }
}

impl WriteTool for CreatePullRequest {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("pull_request", Kind::Object(&OPENED), "The new pull request."), NOT_APPLIED]);
    const READS: &'static [&'static str] = &[lookup::REPOSITORY, BRANCH, PULLS];
    const WRITES: &'static [&'static Write] = &[CREATE_PULL];
    const HINTS: Hints = Hints::ADDS;

    fn call(self, gitea: &Writer<'_>) -> Result<Reply, Error> {
        if self.head == self.base {
            return Err(Error::Unprocessable {
                reason: "same_branch",
                message: format!(
                    "`head` and `base` are both `{}`: a pull request goes from one branch to another.",
                    self.head.0
                ),
            });
        }
        self.check(gitea.reader())?;
        let mut request = json!({ "title": self.title.0, "head": self.head.0, "base": self.base.0 });
        if let (Some(request), Some(body)) = (request.as_object_mut(), &self.body) {
            request.insert("body".to_owned(), body.0.clone().into());
        }
        let place = vec![self.repo.owner.clone(), self.repo.repo.clone()];
        let answer =
            gitea.send(CREATE_PULL, place, &request).map_err(|error| self.refused(gitea.reader(), error))?;
        let not_applied = self.compare(&answer.body);
        Ok(Reply::new().with("pull_request", OPENED.of(&answer.body)).with("not_applied", not_applied))
    }
}

impl CreatePullRequest {
    fn check(&self, reader: &Reader<'_>) -> Result<(), Error> {
        let branch = |name: &Branch| reader.start(lookup::call(&self.repo, BRANCH).segment(&name.0));
        let repository = reader.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        let (head, base) = (branch(&self.head)?, branch(&self.base)?);
        let repository = writable(repository, &self.repo)?;
        let flag = |name: &str| repository.get(name).and_then(Value::as_bool);
        if flag("has_pull_requests") == Some(false) {
            return Err(Error::Conflict {
                reason: "pull_requests_disabled",
                message: format!("Pull requests are turned off in {}/{}.", self.repo.owner, self.repo.repo),
            });
        }
        if flag("empty") == Some(true) {
            return Err(Error::Conflict {
                reason: "repository_empty",
                message: format!("{}/{} is empty: it has no branches yet.", self.repo.owner, self.repo.repo),
            });
        }
        self.there("head", &self.head, head)?;
        self.there("base", &self.base, base)
    }

    fn there(&self, field: &str, branch: &Branch, found: Started) -> Result<(), Error> {
        let missing = || {
            format!(
                "{}/{} has no branch `{}` (`{field}`). A tag or a commit id will not do. list_branches shows \
                 which there are.",
                self.repo.owner, self.repo.repo, branch.0
            )
        };
        found.finish().map(drop).map_err(|error| Error::or_not_found(error, missing))
    }

    /// What a refusal of Gitea means. A 409 says that there is one already: it changed nothing, so it can be
    /// looked up which.
    fn refused(&self, reader: &Reader<'_>, error: gitea::Error) -> Error {
        if !matches!(error, gitea::Error::Conflict { .. }) {
            return Error::or_not_found(error, || no_pulls(&self.repo));
        }
        let which = self.in_the_way(reader).map_or_else(
            || "list_pull_requests shows which".to_owned(),
            |number| format!("number {number}, which get_pull_request reads"),
        );
        Error::Conflict {
            reason: "pull_request_exists",
            message: format!(
                "{}/{} already has an open pull request from `{}` into `{}`: {which}. New commits on `{}` become \
                 part of it; nothing was opened.",
                self.repo.owner, self.repo.repo, self.head.0, self.base.0, self.head.0
            ),
        }
    }

    /// The number of the open pull request between these branches.
    fn in_the_way(&self, reader: &Reader<'_>) -> Option<u64> {
        for page in 1..=PAGES {
            // Versions before 1.24 do not know `base_branch` and list all.
            let request = lookup::call(&self.repo, PULLS)
                .query("state", "open")
                .query("base_branch", &self.base.0)
                .query("page", page)
                .query("limit", AT_ONCE);
            let answer = reader.get(request).ok()?;
            let rows = answer.body.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(found) = rows.iter().find(|row| self.is_between(row)) {
                return found.get("number").and_then(Value::as_u64);
            }
            if !answer.has_next(page, AT_ONCE) {
                return None;
            }
        }
        None
    }

    fn is_between(&self, pull: &Value) -> bool {
        let branch = |end: &str| pull.pointer(end).and_then(Value::as_str);
        branch("/head/ref") == Some(self.head.0.as_str())
            && branch("/base/ref") == Some(self.base.0.as_str())
            && !super::is_from_elsewhere(pull)
    }

    fn compare(&self, opened: &Value) -> Vec<Value> {
        let mut not_applied = Vec::new();
        same_text(opened, "title", &self.title.0, &mut not_applied);
        if let Some(body) = &self.body {
            same_text(opened, "body", &body.0, &mut not_applied);
        }
        for (field, wanted, at) in [("head", &self.head, "/head/ref"), ("base", &self.base, "/base/ref")] {
            if opened.pointer(at).and_then(Value::as_str) != Some(wanted.0.as_str()) {
                not_applied.push(missing(field, &wanted.0, "Gitea answered with another branch"));
            }
        }
        not_applied
    }
}

const OPENED: Shape = Shape(&[
    Key::pluck("number", "/number", Kind::Number, "Number in its repository."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
    Key::pluck("state", "/state", Kind::Text, "open or closed."),
    Key::pluck("draft", "/draft", Kind::Flag, "It is a draft."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);
