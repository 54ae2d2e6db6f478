//! Pull requests: list, read, open, comment. Merging does not exist.
//!
//! A pull request may come from a fork, which is another repository than the one that the call is about: see
//! `hide_fork`.

mod comment;
mod create;
mod parts;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::args::{Character, IssueNumber, IssueState, Page, Repo};
use super::diagnosis::Diagnosis;
use super::kit::{Entry, Error, Key, Kind, ReadTool, Shape, Tool as _, read, tool};
use super::lookup;
use super::outsiders::{self, Outsiders};
use super::paging::{self, HAS_NEXT, PAGE, TOTAL};
use crate::access::Reader;
use crate::gitea;
use crate::reply::Reply;

pub(super) const TOOLS: &[&dyn Entry] = &[
    read::<ListPullRequests>(),
    read::<GetPullRequest>(),
    parts::LIST_PULL_REQUEST_FILES,
    parts::LIST_PULL_REQUEST_COMMITS,
    create::CREATE_PULL_REQUEST,
    comment::CREATE_PR_COMMENT,
];

/// How to see what LOCKDOWN withholds.
const SHOW_PULL: &str = "get_pull_request with show_withheld=true.";

const PULLS: &str = "/repos/{owner}/{repo}/pulls";
/// One pull request; an issue is not found here.
const ONE_PULL: &str = "/repos/{owner}/{repo}/pulls/{index}";

tool! {
    /// List pull requests, newest first, without their texts.
    "list_pull_requests" ("List pull requests") => struct ListPullRequests {
        repo: Repo,
        /// Only those in this state; merged ones are closed. Open by default.
        state: Option<IssueState>,
        page: Page,
    }
}

impl ReadTool for ListPullRequests {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("pull_requests", Kind::Each(&PULL_LINE), "The pull requests of this page."),
        PAGE,
        HAS_NEXT,
        TOTAL,
    ]);
    const READS: &'static [&'static str] = &[PULLS, lookup::REPOSITORY, paging::SETTINGS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        // Without a state Gitea lists all of them, whatever its documentation says.
        let state = self.state.unwrap_or(IssueState::Open).word();
        let list = || lookup::call(&self.repo, PULLS).query("state", state);
        let found = match paging::rows(gitea, self.page, list) {
            Err(gitea::Error::NotFound { .. }) if is_empty(gitea, &self.repo) => {
                paging::rows_of_all(gitea, self.page, Vec::new())
            }
            found => found.map_err(|error| Error::or_not_found(error, || no_pulls(&self.repo)))?,
        };
        let lines: Vec<Value> = found.rows.iter().map(|row| line(gitea, row).into()).collect();
        Ok(found.told(Reply::new().with("pull_requests", lines)))
    }
}

/// Whether the repository has no commit yet. Gitea then says of its pull requests what it says where they are turned
/// off: that there is no such thing.
fn is_empty(gitea: &Reader<'_>, repo: &Repo) -> bool {
    let found = gitea.get(lookup::call(repo, lookup::REPOSITORY));
    let flag = |name: &str| found.as_ref().ok()?.body.get(name)?.as_bool();
    flag("empty") == Some(true) && flag("has_pull_requests") != Some(false)
}

tool! {
    /// Read one pull request: text, branches, state, reviewers and size.
    "get_pull_request" ("Get pull request") => struct GetPullRequest {
        repo: Repo,
        pull_number: IssueNumber,
        start_character: Option<Character>,
    }
}

impl ReadTool for GetPullRequest {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("pull_request", Kind::Object(&PULL), "The pull request."), parts::UNCOUNTED]);
    const READS: &'static [&'static str] =
        &[ONE_PULL, parts::FILES, lookup::REPOSITORY, outsiders::WRITERS, outsiders::ONE_ISSUE];
    const ONE_ITEM: bool = true;

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let diagnosis = Diagnosis::start(gitea, Self::NAME);
        let files = parts::counted(gitea, &self.repo, self.pull_number);
        let answer = gitea
            .get(lookup::call(&self.repo, ONE_PULL).segment(self.pull_number.0))
            .map_err(|error| Error::or_not_found(error, || no_pull(&self.repo, self.pull_number)))?;
        diagnosis.of(&answer.body, &["user", "body", "head", "base", "milestone", "merged_by"]);
        let mut pull = PULL.of(&answer.body);
        if let Some(head) = pull.get_mut("head").and_then(Value::as_object_mut) {
            hide_fork(gitea, &answer.body, head, &["repository", "label"]);
        }
        let hidden = files.map_or(0, |files| parts::count_shown(gitea, files, &mut pull));
        let outsiders = Outsiders::of(gitea, &self.repo);
        let withheld = outsiders.cover_pull(self.pull_number, &answer.body, &mut pull, SHOW_PULL);
        let first = if withheld { 1 } else { self.start_character.map_or(1, |first| first.0) };
        let reply = outsiders.told(Reply::new().with("pull_request", pull)).part("body", first, "");
        Ok(reply.with_some("hidden_by_policy", if hidden > 0 { Some(hidden) } else { None }))
    }
}

/// One row of a list: branches by name alone, and the fork where there is one.
fn line(gitea: &Reader<'_>, row: &Value) -> Map<String, Value> {
    let mut line = PULL_LINE.of(row);
    if !is_from_elsewhere(row) {
        line.remove("head_repository");
    }
    hide_fork(gitea, row, &mut line, &["head_repository"]);
    line
}

/// Whether the head is a branch of another repository than the base. A fork that is gone is one.
fn is_from_elsewhere(pull: &Value) -> bool {
    let id = |end: &str| pull.pointer(end).and_then(Value::as_i64);
    id("/head/repo_id").is_none() || id("/head/repo_id") != id("/base/repo_id")
}

/// A fork is a repository like any other, and nobody asked whether this user may know of it: what it is called is
/// told only where the policy lists it and everybody may see it.
fn hide_fork(gitea: &Reader<'_>, pull: &Value, shown: &mut Map<String, Value>, fields: &[&str]) {
    let name = |end: &str| pull.pointer(end).and_then(Value::as_str);
    let listed = name("/head/repo/owner/login")
        .zip(name("/head/repo/name"))
        .is_some_and(|(owner, repo)| gitea.repository_listed(owner, repo));
    let public = pull.pointer("/head/repo/private").and_then(Value::as_bool) == Some(false);
    if is_from_elsewhere(pull) && !(listed && public) {
        for field in fields {
            shown.remove(*field);
        }
    }
}

fn no_pulls(repo: &Repo) -> String {
    format!(
        "There is no repository {}/{}, its pull requests are turned off, or Gitea does not show them to this \
         user.",
        repo.owner, repo.repo
    )
}

fn no_pull(repo: &Repo, number: IssueNumber) -> String {
    format!(
        "{}/{} has no pull request {}, or Gitea does not show it to this user. list_pull_requests shows which \
         there are; the number may be that of an issue, which get_issue reads.",
        repo.owner, repo.repo, number.0
    )
}

const PULL_LINE: Shape = Shape(&[
    Key::pluck("number", "/number", Kind::Number, "Number in its repository."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
    Key::pluck("state", "/state", Kind::Text, "open or closed."),
    Key::pluck("draft", "/draft", Kind::Flag, "It is a draft."),
    Key::pluck("merged", "/merged", Kind::Flag, "It is merged."),
    Key::pluck("author", "/user/login", Kind::Text, "Who opened it."),
    Key::pluck("base", "/base/ref", Kind::Text, "Branch to merge into."),
    Key::pluck("head", "/head/ref", Kind::Text, "Branch to merge; refs/pull/N/head once it is deleted."),
    Key::pluck(
        "head_repository",
        "/head/repo/full_name",
        Kind::Text,
        "Where the head is, if in a public fork that the policy lists.",
    ),
    Key::pluck("labels", "/labels", Kind::Texts("/name"), "Names of its labels."),
    Key::pluck("assignees", "/assignees", Kind::Texts("/login"), "Who is assigned."),
    Key::pluck("comments", "/comments", Kind::Number, "How many comments it has."),
    Key::pluck("created_at", "/created_at", Kind::Time, "When it was opened."),
    Key::pluck("updated_at", "/updated_at", Kind::Time, "Last change."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);

const PULL: Shape = Shape(&[
    Key::pluck("number", "/number", Kind::Number, "Number in its repository."),
    Key::pluck("title", "/title", Kind::Text, "Title; `WIP:` in front makes it a draft."),
    Key::pluck("state", "/state", Kind::Text, "open or closed."),
    Key::pluck("draft", "/draft", Kind::Flag, "It is a draft."),
    Key::pluck("body", "/body", Kind::Text, "Text, in Markdown."),
    Key::pluck("author", "/user/login", Kind::Text, "Who opened it."),
    Key::pluck("base", "/base", Kind::Object(&BASE), "Where it is to be merged."),
    Key::pluck("head", "/head", Kind::Object(&HEAD), "What is to be merged."),
    Key::pluck("merge_base", "/merge_base", Kind::Text, "The commit from which both sides come."),
    Key::pluck(
        "mergeable",
        "/mergeable",
        Kind::Flag,
        "No conflict was found; Gitea checks in the background, so ask again after a push.",
    ),
    Key::pluck("merged", "/merged", Kind::Flag, "It is merged."),
    Key::pluck("merged_at", "/merged_at", Kind::Time, "When it was merged."),
    Key::pluck("merged_by", "/merged_by/login", Kind::Text, "Who merged it."),
    Key::pluck("merge_commit_sha", "/merge_commit_sha", Kind::Text, "The commit that merged it."),
    Key::pluck("labels", "/labels", Kind::Texts("/name"), "Names of its labels."),
    Key::pluck("assignees", "/assignees", Kind::Texts("/login"), "Who is assigned."),
    Key::pluck(
        "requested_reviewers",
        "/requested_reviewers",
        Kind::Texts("/login"),
        "Who was asked for a review.",
    ),
    Key::pluck("milestone", "/milestone", Kind::Object(&MILESTONE), "Its milestone."),
    Key::pluck("comments", "/comments", Kind::Number, "How many comments it has."),
    Key::pluck("review_comments", "/review_comments", Kind::Number, "How many comments on its code."),
    Key::pluck("additions", "/additions", Kind::Number, "Lines added."),
    Key::pluck("deletions", "/deletions", Kind::Number, "Lines removed."),
    Key::pluck("changed_files", "/changed_files", Kind::Number, "Files that differ."),
    Key::pluck("is_locked", "/is_locked", Kind::Flag, "Only members can comment."),
    Key::pluck("due_date", "/due_date", Kind::Time, "When it is due."),
    Key::pluck("created_at", "/created_at", Kind::Time, "When it was opened."),
    Key::pluck("updated_at", "/updated_at", Kind::Time, "Last change."),
    Key::pluck("closed_at", "/closed_at", Kind::Time, "When it was closed."),
    Key::pluck("content_version", "/content_version", Kind::Number, "How often its text was edited."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);

const BASE: Shape = Shape(&[
    Key::pluck("ref", "/ref", Kind::Text, "The branch."),
    Key::pluck("sha", "/sha", Kind::Text, "Its newest commit."),
    Key::pluck("repository", "/repo/full_name", Kind::Text, "The repository."),
]);

const HEAD: Shape = Shape(&[
    Key::pluck("ref", "/ref", Kind::Text, "The branch; refs/pull/N/head once it is deleted."),
    Key::pluck("label", "/label", Kind::Text, "The branch as Gitea shows it."),
    Key::pluck("sha", "/sha", Kind::Text, "Its newest commit."),
    Key::pluck(
        "repository",
        "/repo/full_name",
        Kind::Text,
        "The repository. Absent where it is a fork that is gone, private or not listed by the policy.",
    ),
]);

const MILESTONE: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
]);
