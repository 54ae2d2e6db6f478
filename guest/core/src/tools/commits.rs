//! Commits: the log, what one of them changed, what lies between two, and how checks went.

mod compare;
mod names;
mod patches;
mod split;
mod status;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::args::{Page, Ref, Repo, Revision};
use super::diagnosis::Diagnosis;
use super::kit::{Entry, Error, Key, Kind, ReadTool, Shape, Tool as _, read, tool};
use super::lookup;
use super::outsiders::{self, Cover};
use super::paging::{self, HAS_NEXT, PAGE, TOTAL};
use crate::access::Reader;
use crate::gitea::Call;
use crate::reply::Reply;
use patches::{FILES, HIDDEN, Patches};

pub(super) const TOOLS: &[&dyn Entry] =
    &[read::<ListCommits>(), read::<GetCommitDiff>(), compare::COMPARE_REFS, status::GET_COMMIT_STATUS];

/// One commit.
const COMMIT: &str = "/repos/{owner}/{repo}/git/commits/{sha}";
/// What it changed, as text.
const COMMIT_DIFF: &str = "/repos/{owner}/{repo}/git/commits/{sha}.diff";
/// Most characters of a commit message in a list.
const PREVIEW: usize = 500;

tool! {
    /// List commits, newest first, up to a branch, tag or commit. Long messages are previews; get_commit_diff
    /// shows more of one.
    "list_commits" ("List commits") => struct ListCommits {
        repo: Repo,
        reference: Option<Ref>,
        page: Page,
    }
}

impl ReadTool for ListCommits {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own(
            "commit",
            Kind::Text,
            "The newest commit of the list, in full: use it as ref for the next page.",
        ),
        Key::own("commits", Kind::Each(&LINE), "The commits of this page."),
        PAGE,
        HAS_NEXT,
        TOTAL,
    ]);
    const READS: &'static [&'static str] = &[
        lookup::COMMITS,
        paging::SETTINGS,
        lookup::REPOSITORY,
        outsiders::WRITERS,
        outsiders::BRANCH,
        outsiders::BRANCHES,
        outsiders::TAG,
        outsiders::TAGS,
    ];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let commit = lookup::commit(gitea, &self.repo, self.reference.as_ref())?;
        let found = paging::rows(gitea, self.page, || log(&self.repo, &commit))?;
        let cover = Cover::of(gitea, &self.repo, self.reference.as_ref(), &commit);
        let mut lines = lines(&found.rows);
        cover.strip(&mut lines, "message");
        let reply = Reply::new().with("commit", commit).with("commits", lines);
        Ok(found.told(previewed(cover.told(reply, false))))
    }
}

tool! {
    /// Read one commit and what it changed, file by file. A merge is compared with its first parent.
    "get_commit_diff" ("Get commit diff") => struct GetCommitDiff {
        repo: Repo,
        /// Commit id, branch or tag.
        sha: Revision,
        page: Page,
    }
}

impl ReadTool for GetCommitDiff {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("commit", Kind::Object(&ONE), "The commit."),
        FILES,
        PAGE,
        HAS_NEXT,
        TOTAL,
        HIDDEN,
    ]);
    const READS: &'static [&'static str] = &[
        lookup::COMMITS,
        COMMIT,
        COMMIT_DIFF,
        lookup::REPOSITORY,
        outsiders::WRITERS,
        outsiders::BRANCH,
        outsiders::BRANCHES,
        outsiders::TAG,
        outsiders::TAGS,
    ];
    const ONE_ITEM: bool = true;

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let diagnosis = Diagnosis::start(gitea, Self::NAME);
        let sha = lookup::commit(gitea, &self.repo, Some(&self.sha.0))?;
        // Gitea's numbers and names of files are not asked for: they would count what the policy hides.
        let commit =
            lookup::call(&self.repo, COMMIT).segment(&sha).query("stat", false).query("files", false);
        let commit = gitea.start(commit)?;
        let diff = gitea.start(diff(&self.repo, &sha))?;
        let commit = commit.finish()?.body;
        diagnosis.of(&commit, &["commit", "author", "committer", "parents"]);
        let mut patches = Patches::new(gitea, self.page);
        patches.read(diff.body()?, None)?;
        let cover = Cover::of(gitea, &self.repo, Some(&self.sha.0), &sha);
        let mut commit = ONE.of(&commit);
        if cover.withholds() {
            commit.remove("message");
            patches.withhold();
        }
        let reply = Reply::new().with("commit", commit);
        Ok(patches.told(cover.told(reply, true), None))
    }
}

/// The log up to a commit. Numbers, names of files and signatures cost Gitea much for each row.
fn log(repo: &Repo, commit: &str) -> Call {
    lookup::call(repo, lookup::COMMITS)
        .query("sha", commit)
        .query("stat", false)
        .query("verification", false)
        .query("files", false)
}

fn diff(repo: &Repo, sha: &str) -> Call {
    patches::asked(lookup::call(repo, COMMIT_DIFF).segment(sha))
}

/// Rows of a log. Who committed is told where it is not the author.
fn lines(rows: &[Value]) -> Vec<Value> {
    let line = |row: &Value| {
        let mut line = LINE.of(row);
        trim(&mut line);
        if line.get("committer") == line.get("author") {
            line.remove("committer");
        }
        Value::Object(line)
    };
    rows.iter().map(line).collect()
}

/// Git ends every message with a line end, which says nothing.
pub(super) fn trim(line: &mut Map<String, Value>) {
    if let Some(Value::String(message)) = line.get_mut("message") {
        message.truncate(message.trim_end().len());
    }
}

/// Show messages as previews. It is the screen that cuts them, after it has cleaned them: half a secret is not
/// recognised.
pub(super) fn previewed(reply: Reply) -> Reply {
    reply.preview("message", PREVIEW, "get_commit_diff shows more of one")
}

const LINE: Shape = Shape(&[
    Key::pluck("sha", "/sha", Kind::Text, "Its id, in full."),
    Key::pluck("message", "/commit/message", Kind::Text, "Message, or its first 500 characters."),
    Key::own("message_truncated", Kind::Flag, "Present and true where the message is a preview."),
    AUTHOR,
    AUTHOR_LOGIN,
    Key::pluck(
        "committer",
        "/commit/committer",
        Kind::Object(&PERSON),
        "Who committed it, where not the author.",
    ),
    PARENTS,
    HTML_URL,
]);

const ONE: Shape = Shape(&[
    Key::pluck("sha", "/sha", Kind::Text, "Its id, in full."),
    Key::pluck("message", "/commit/message", Kind::Text, "The whole message."),
    AUTHOR,
    AUTHOR_LOGIN,
    Key::pluck("committer", "/commit/committer", Kind::Object(&PERSON), "Who committed it."),
    PARENTS,
    Key::pluck("verified", "/commit/verification/verified", Kind::Flag, "Gitea trusts its signature."),
    Key::pluck("verification_reason", "/commit/verification/reason", Kind::Text, "Why, or why not."),
    HTML_URL,
]);

const AUTHOR: Key =
    Key::pluck("author", "/commit/author", Kind::Object(&PERSON), "Who wrote it, as the commit says.");
const AUTHOR_LOGIN: Key = Key::pluck(
    "author_login",
    "/author/login",
    Kind::Text,
    "The user of Gitea with the author's address, if any.",
);
const PARENTS: Key =
    Key::pluck("parents", "/parents", Kind::Texts("/sha"), "Ids of its parents; two or more of a merge.");
const HTML_URL: Key = Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea.");

const PERSON: Shape = Shape(&[
    Key::pluck("name", "/name", Kind::Text, "Name."),
    Key::pluck("email", "/email", Kind::Text, "Address."),
    Key::pluck("date", "/date", Kind::Time, "When."),
]);
