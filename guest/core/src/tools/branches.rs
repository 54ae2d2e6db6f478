//! Branches and tags.

mod create;

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::applied::NOT_APPLIED;
use super::args::{NewBranch, Page, Repo, Revision};
use super::commits;
use super::kit::{Entry, Error, Hints, Key, Kind, ReadTool, Shape, WriteTool, read, tool, write};
use super::lookup;
use super::paging::{self, HAS_NEXT, PAGE, TOTAL};
use crate::access::{Reader, Writer};
use crate::gitea::{self, Write};
use crate::reply::Reply;

pub(super) const TOOLS: &[&dyn Entry] =
    &[read::<ListTags>(), read::<ListBranches>(), read::<GetBranch>(), write::<CreateBranch>()];

const TAGS: &str = "/repos/{owner}/{repo}/tags";
const TAG: &str = "/repos/{owner}/{repo}/tags/{tag...}";
const BRANCHES: &str = "/repos/{owner}/{repo}/branches";
/// One branch; a slash in its name is a slash in the path.
const BRANCH: &str = "/repos/{owner}/{repo}/branches/{branch...}";

tool! {
    /// List tags with the commits they name.
    "list_tags" ("List tags") => struct ListTags {
        repo: Repo,
        page: Page,
    }
}

impl ReadTool for ListTags {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("tags", Kind::Each(&TAG_LINE), "The tags of this page."), PAGE, HAS_NEXT, TOTAL]);
    const READS: &'static [&'static str] = &[TAGS, paging::SETTINGS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let found = paging::rows(gitea, self.page, || lookup::call(&self.repo, TAGS))
            .map_err(|error| Error::or_not_found(error, || lookup::unseen(&self.repo)))?;
        Ok(found.told(commits::previewed(Reply::new().with("tags", tags(&found.rows)))))
    }
}

tool! {
    /// List branches with their newest commits.
    "list_branches" ("List branches") => struct ListBranches {
        repo: Repo,
        page: Page,
    }
}

impl ReadTool for ListBranches {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("branches", Kind::Each(&BRANCH_LINE), "The branches of this page."),
        PAGE,
        HAS_NEXT,
        TOTAL,
    ]);
    const READS: &'static [&'static str] = &[BRANCHES, paging::SETTINGS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let found = paging::rows(gitea, self.page, || lookup::call(&self.repo, BRANCHES))
            .map_err(|error| Error::or_not_found(error, || lookup::unseen(&self.repo)))?;
        Ok(found.told(Reply::new().with("branches", BRANCH_LINE.each(&found.rows))))
    }
}

tool! {
    /// Read one branch: newest commit, protection, and whether this connection may push to it.
    "get_branch" ("Get branch") => struct GetBranch {
        repo: Repo,
        /// Name of the branch.
        branch: Revision,
    }
}

impl ReadTool for GetBranch {
    const ANSWER: &'static Shape = &Shape(&[Key::own("branch", Kind::Object(&BRANCH_WHOLE), "The branch.")]);
    const READS: &'static [&'static str] = &[BRANCH];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let request = lookup::call(&self.repo, BRANCH).segment(self.branch.name());
        let answer = gitea.get(request).map_err(|error| Error::or_not_found(error, || self.missing()))?;
        Ok(Reply::new().with("branch", BRANCH_WHOLE.of(&answer.body)))
    }
}

impl GetBranch {
    fn missing(&self) -> String {
        format!(
            "{}/{} has no branch `{}` (it may have been renamed), or Gitea does not show the repository to this \
             user. list_branches shows which there are; a tag or a commit is not a branch.",
            self.repo.owner,
            self.repo.repo,
            self.branch.name()
        )
    }
}

tool! {
    /// Create a branch. Nothing is moved or overwritten: a name that is taken is refused.
    "create_branch" ("Create branch") => struct CreateBranch {
        repo: Repo,
        /// Name of the new branch.
        new_branch_name: NewBranch,
        /// Branch, tag or commit id to start from. Without it, the default branch.
        old_branch_name: Option<Revision>,
    }
}

impl WriteTool for CreateBranch {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("branch", Kind::Object(&BRANCH_LINE), "The new branch."), NOT_APPLIED]);
    const READS: &'static [&'static str] = &[lookup::REPOSITORY, lookup::COMMITS, BRANCH, TAG];
    const WRITES: &'static [&'static Write] = &[gitea::CREATE_BRANCH];
    const HINTS: Hints = Hints::ADDS_ONCE;

    fn call(self, gitea: &Writer<'_>) -> Result<Reply, Error> {
        create::create(&self, gitea)
    }
}

fn tags(rows: &[Value]) -> Vec<Value> {
    let tag = |row: &Value| {
        let mut tag = TAG_LINE.of(row);
        commits::trim(&mut tag);
        Value::Object(tag)
    };
    rows.iter().map(tag).collect()
}

const TAG_LINE: Shape = Shape(&[
    Key::pluck("name", "/name", Kind::Text, "Name."),
    Key::pluck("commit", "/commit/sha", Kind::Text, "The commit that it names."),
    Key::pluck("id", "/id", Kind::Text, "Its object in Git: the commit itself unless the tag is annotated."),
    Key::pluck("message", "/message", Kind::Text, "Its message, or the commit's; at most 500 characters."),
    Key::own("message_truncated", Kind::Flag, "Present and true where the message is a preview."),
    Key::pluck("created_at", "/commit/created", Kind::Time, "When the commit was made."),
]);

const BRANCH_LINE: Shape = Shape(&[
    Key::pluck("name", "/name", Kind::Text, "Name."),
    Key::pluck("commit", "/commit/id", Kind::Text, "Its newest commit."),
    Key::pluck("committed_at", "/commit/timestamp", Kind::Time, "When that was committed."),
    Key::pluck("protected", "/protected", Kind::Flag, "Rules restrict who may change it."),
]);

const BRANCH_WHOLE: Shape = Shape(&[
    Key::pluck("name", "/name", Kind::Text, "Name."),
    Key::pluck("commit", "/commit/id", Kind::Text, "Its newest commit."),
    Key::pluck("message", "/commit/message", Kind::Text, "The commit's message."),
    Key::pluck("author", "/commit/author/name", Kind::Text, "Who wrote it."),
    Key::pluck("committed_at", "/commit/timestamp", Kind::Time, "When it was committed."),
    Key::pluck("protected", "/protected", Kind::Flag, "Rules restrict who may change it."),
    Key::pluck("required_approvals", "/required_approvals", Kind::Number, "Approvals that a merge needs."),
    Key::pluck("enable_status_check", "/enable_status_check", Kind::Flag, "A merge needs checks to succeed."),
    Key::pluck("status_check_contexts", "/status_check_contexts", Kind::Texts(""), "Which checks."),
    Key::pluck("user_can_push", "/user_can_push", Kind::Flag, "This connection may push to it."),
    Key::pluck("user_can_merge", "/user_can_merge", Kind::Flag, "This connection may merge into it."),
]);
