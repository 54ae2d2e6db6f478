//! What a pull request is made of: its files and its commits.

use serde_json::{Map, Value};

use super::no_pull;
use crate::access::Reader;
use crate::gitea::{self, Started};
use crate::reply::Reply;
use crate::settings::OutsideText;
use crate::tools::args::{IssueNumber, Page, Ref, Repo};
use crate::tools::kit::{Entry, Error, Key, Kind, ReadTool, Shape, read, tool};
use crate::tools::outsiders::{self, Cover};
use crate::tools::paging::{self, HAS_NEXT, HIDDEN, PAGE, TOTAL};
use crate::tools::{commits, lookup};

pub(super) const LIST_PULL_REQUEST_FILES: &dyn Entry = read::<ListPullRequestFiles>();
pub(super) const LIST_PULL_REQUEST_COMMITS: &dyn Entry = read::<ListPullRequestCommits>();

pub(super) const FILES: &str = "/repos/{owner}/{repo}/pulls/{index}/files";
const COMMITS: &str = "/repos/{owner}/{repo}/pulls/{index}/commits";

tool! {
    /// List the files that a pull request changes, without diffs; compare_refs gives those.
    "list_pull_request_files" ("List pull request files") => struct ListPullRequestFiles {
        repo: Repo,
        pull_number: IssueNumber,
        page: Page,
    }
}

impl ReadTool for ListPullRequestFiles {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("files", Kind::Each(&FILE), "The files of this page."),
        PAGE,
        HAS_NEXT,
        TOTAL,
        HIDDEN,
    ]);
    const READS: &'static [&'static str] = &[FILES, paging::SETTINGS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let mut found =
            paging::rows(gitea, self.page, || lookup::call(&self.repo, FILES).segment(self.pull_number.0))
                .map_err(|error| Error::or_not_found(error, || no_pull(&self.repo, self.pull_number)))?;
        found.keep(|row| is_visible(gitea, row));
        Ok(found.told(Reply::new().with("files", FILE.each(&found.rows))))
    }
}

/// Files that are looked at to count those that the policy shows.
const COUNTED: u32 = paging::GITEA_PAGE;
/// What Gitea counts over all files, hidden ones among them.
const TOTALS: [&str; 2] = ["additions", "deletions"];

pub(super) const UNCOUNTED: Key = Key::own("hidden_by_policy", Kind::Number, "Hidden files, not counted.");

/// Ask for the files of a pull request, where the policy may hide some of them: what Gitea counts would tell of those.
pub(super) fn counted(
    gitea: &Reader<'_>,
    repo: &Repo,
    number: IssueNumber,
) -> Option<Result<Started, gitea::Error>> {
    let call = lookup::call(repo, FILES).segment(number.0).query("page", 1).query("limit", COUNTED);
    gitea.has_path_rules().then(|| gitea.start(call))
}

/// Count the files that the policy shows in place of all of them; where not all files are known, leave the counts
/// out. How many files are hidden.
pub(super) fn count_shown(
    gitea: &Reader<'_>,
    files: Result<Started, gitea::Error>,
    pull: &mut Map<String, Value>,
) -> usize {
    let all = files.and_then(Started::finish).ok().filter(|answer| !answer.has_next(1, COUNTED));
    let Some(rows) = all.as_ref().and_then(|answer| answer.body.as_array()) else {
        for name in TOTALS.into_iter().chain(["changed_files"]) {
            pull.remove(name);
        }
        return 0;
    };
    let shown: Vec<&Value> = rows.iter().filter(|row| is_visible(gitea, row)).collect();
    for name in TOTALS {
        let lines = shown.iter().filter_map(|row| row.get(name).and_then(Value::as_u64));
        pull.insert(name.to_owned(), lines.fold(0, u64::saturating_add).into());
    }
    pull.insert("changed_files".to_owned(), shown.len().into());
    rows.len().saturating_sub(shown.len())
}

/// Both names of a file that was renamed count: either would tell what the policy hides.
fn is_visible(gitea: &Reader<'_>, row: &Value) -> bool {
    let path = |name: &str| row.get(name).and_then(Value::as_str);
    // Gitea writes U+FFFD for what is not UTF-8: nobody can tell such a name, nor the policy judge it.
    let shown = |path: &str| !path.contains(char::REPLACEMENT_CHARACTER) && gitea.path_visible(path, false);
    path("filename").is_some_and(shown) && path("previous_filename").is_none_or(shown)
}

tool! {
    /// List the commits of a pull request, without files.
    "list_pull_request_commits" ("List pull request commits") => struct ListPullRequestCommits {
        repo: Repo,
        pull_number: IssueNumber,
        page: Page,
    }
}

impl ReadTool for ListPullRequestCommits {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("commits", Kind::Each(&COMMIT), "The commits of this page, newest first."),
        PAGE,
        HAS_NEXT,
        TOTAL,
    ]);
    const READS: &'static [&'static str] = &[
        COMMITS,
        paging::SETTINGS,
        super::ONE_PULL,
        lookup::REPOSITORY,
        lookup::COMMITS,
        outsiders::WRITERS,
        outsiders::BRANCH,
        outsiders::BRANCHES,
        outsiders::TAG,
        outsiders::TAGS,
    ];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let missing = || {
            format!(
                "{} Gitea gives no commits either where the base branch is gone.",
                no_pull(&self.repo, self.pull_number)
            )
        };
        let found = paging::rows(gitea, self.page, || {
            lookup::call(&self.repo, COMMITS)
                .segment(self.pull_number.0)
                .query("verification", false)
                .query("files", false)
        })
        .map_err(|error| Error::or_not_found(error, missing))?;
        let mut rows: Vec<Value> = found.rows.iter().map(|row| commit(gitea, row).into()).collect();
        let cover = self.cover(gitea);
        cover.strip(&mut rows, "message");
        Ok(found.told(cover.told(commits::previewed(Reply::new().with("commits", rows)), false)))
    }
}

impl ListPullRequestCommits {
    /// What becomes of the messages: the newest commit tells, on whatever page.
    fn cover(&self, gitea: &Reader<'_>) -> Cover {
        if gitea.config().outside_text == OutsideText::Shown {
            return Cover::None;
        }
        let pull = gitea.get(lookup::call(&self.repo, super::ONE_PULL).segment(self.pull_number.0));
        let head = pull.ok().and_then(|pull| Some(pull.body.pointer("/head/sha")?.as_str()?.to_owned()));
        let head = head.unwrap_or_default();
        Cover::of(gitea, &self.repo, Some(&Ref(head.clone())), &head)
    }
}

fn commit(gitea: &Reader<'_>, row: &Value) -> Map<String, Value> {
    let mut out = COMMIT.of(row);
    if gitea.has_path_rules() {
        TOTALS.iter().for_each(|name| drop(out.remove(*name)));
    }
    let message = row.pointer("/commit/message").and_then(Value::as_str).unwrap_or_default().trim_end();
    out.insert("message".to_owned(), message.into());
    out
}

const FILE: Shape = Shape(&[
    Key::pluck("path", "/filename", Kind::Text, "Path from the root of the repository."),
    Key::pluck("previous_path", "/previous_filename", Kind::Text, "Where a renamed or copied file was."),
    Key::pluck("status", "/status", Kind::Text, "added, deleted, renamed, copied, changed or unchanged."),
    Key::pluck("additions", "/additions", Kind::Number, "Lines added."),
    Key::pluck("deletions", "/deletions", Kind::Number, "Lines removed."),
]);

const COMMIT: Shape = Shape(&[
    Key::pluck("sha", "/sha", Kind::Text, "Its id, in full."),
    Key::own("message", Kind::Text, "Its message, at most 500 characters of it."),
    Key::own("message_truncated", Kind::Flag, "The message is longer; get_commit_diff has it."),
    Key::pluck("author", "/commit/author/name", Kind::Text, "Who wrote it, as the commit says."),
    Key::pluck("login", "/author/login", Kind::Text, "Their login, where Gitea knows the mail address."),
    Key::pluck("date", "/commit/author/date", Kind::Time, "When it was written."),
    Key::pluck("additions", "/stats/additions", Kind::Number, "Lines added."),
    Key::pluck("deletions", "/stats/deletions", Kind::Number, "Lines removed."),
]);
