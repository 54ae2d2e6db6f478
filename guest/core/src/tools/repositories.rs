//! Repositories: which there are, and what one of them is.

mod facts;

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::args::{Page, Repo};
use super::kit::{Entry, Error, Key, Kind, ReadTool, Shape, read, tool};
use super::lookup;
use super::paging::{self, HAS_NEXT, HIDDEN, PAGE, TOTAL};
use crate::access::Reader;
use crate::gitea::Call;
use crate::reply::Reply;

pub(super) const TOOLS: &[&dyn Entry] = &[
    read::<ListRepositories>(),
    read::<GetRepositoryInfo>(),
    facts::GET_REPO_LANGUAGES,
    facts::LIST_REPO_TOPICS,
];

/// What this user can work with. `/repos/search?uid=` would give the same with one scope less, but wants the id of
/// the user, and asking for that takes the very scope that it would spare.
const MINE: &str = "/user/repos";

tool! {
    /// List the repositories that the user can work with and the policy lists.
    "list_repositories" ("List repositories") => struct ListRepositories {
        page: Page,
    }
}

impl ReadTool for ListRepositories {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("repositories", Kind::Each(&REPOSITORY_LINE), "The repositories of this page, by name."),
        PAGE,
        HAS_NEXT,
        TOTAL,
        HIDDEN,
    ]);
    const READS: &'static [&'static str] = &[MINE, paging::SETTINGS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let mut found = paging::rows(gitea, self.page, || Call::to(MINE))?;
        found.keep(|row| listed(gitea, row));
        let reply = Reply::new().with("repositories", lines(gitea, &found.rows));
        Ok(found.told(reply))
    }
}

tool! {
    /// Describe a repository: default branch, visibility, what is enabled, and what this connection may do
    /// there.
    "get_repository_info" ("Get repository info") => struct GetRepositoryInfo {
        repo: Repo,
    }
}

impl ReadTool for GetRepositoryInfo {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("repository", Kind::Object(&REPOSITORY), "The repository."), UNCOUNTED]);
    const READS: &'static [&'static str] = &[lookup::REPOSITORY];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let answer = gitea
            .get(lookup::call(&self.repo, lookup::REPOSITORY))
            .map_err(|error| Error::or_not_found(error, || lookup::unseen(&self.repo)))?;
        let mut repository = REPOSITORY.of(&answer.body);
        let uncounted = uncounted(gitea);
        if uncounted.is_some() {
            OF_ALL_FILES.iter().for_each(|name| drop(repository.remove(*name)));
        }
        Ok(Reply::new().with("repository", repository).with_some("uncounted", uncounted))
    }
}

/// What Gitea finds out from all files of a repository: it would tell of those that the policy hides.
const OF_ALL_FILES: [&str; 3] = ["language", "size", "licenses"];

pub(super) const UNCOUNTED: Key = Key::own(
    "uncounted",
    Kind::Text,
    "What is left out because Gitea counts it over all files, those that the policy hides among them.",
);

/// The same, where the policy has path rules for the repository that the call is about.
fn uncounted(gitea: &Reader<'_>) -> Option<&'static str> {
    gitea.has_path_rules().then_some(
        "The policy has path rules here, and Gitea finds out languages, licences and the size from all files: they are \
         left out.",
    )
}

/// Repositories as lists show them. Nothing is counted over files that the policy hides.
pub(super) fn lines(gitea: &Reader<'_>, rows: &[Value]) -> Vec<Value> {
    let line = |row: &Value| {
        let mut line = REPOSITORY_LINE.of(row);
        if name_of(row).is_none_or(|(owner, name)| gitea.has_path_rules_for(owner, name)) {
            line.remove("language");
        }
        line.into()
    };
    rows.iter().map(line).collect()
}

fn name_of(row: &Value) -> Option<(&str, &str)> {
    row.pointer("/owner/login").and_then(Value::as_str).zip(row.get("name").and_then(Value::as_str))
}

/// A row without a readable name is not shown: nobody could say what the policy thinks of it.
pub(super) fn listed(gitea: &Reader<'_>, row: &Value) -> bool {
    name_of(row).is_some_and(|(owner, name)| gitea.repository_listed(owner, name))
}

/// A repository as lists show it.
pub(super) const REPOSITORY_LINE: Shape = Shape(&[
    Key::pluck("full_name", "/full_name", Kind::Text, "Owner and name."),
    Key::pluck("description", "/description", Kind::Text, "What it is for."),
    Key::pluck("private", "/private", Kind::Flag, "Visible to members only."),
    Key::pluck("archived", "/archived", Kind::Flag, "Read-only for good."),
    Key::pluck("fork", "/fork", Kind::Flag, "A fork of another repository."),
    Key::pluck("default_branch", "/default_branch", Kind::Text, "The branch that is read without a ref."),
    Key::pluck(
        "language",
        "/language",
        Kind::Text,
        "The main programming language; absent under path rules.",
    ),
    Key::pluck("open_issues_count", "/open_issues_count", Kind::Number, "Open issues."),
    Key::pluck("updated_at", "/updated_at", Kind::Time, "Last change."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);

/// The parent of a fork is left out: it can name a repository that the policy or Gitea hides.
const REPOSITORY: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("full_name", "/full_name", Kind::Text, "Owner and name."),
    Key::pluck("owner", "/owner/login", Kind::Text, "The owner."),
    Key::pluck("name", "/name", Kind::Text, "The name."),
    Key::pluck("description", "/description", Kind::Text, "What it is for."),
    Key::pluck("website", "/website", Kind::Text, "Its own website."),
    Key::pluck("private", "/private", Kind::Flag, "Visible to members only."),
    Key::pluck("internal", "/internal", Kind::Flag, "Visible to signed-in users only."),
    Key::pluck("fork", "/fork", Kind::Flag, "A fork of another repository."),
    Key::pluck("template", "/template", Kind::Flag, "A template for new repositories."),
    Key::pluck("mirror", "/mirror", Kind::Flag, "A copy of a repository elsewhere."),
    Key::pluck("archived", "/archived", Kind::Flag, "Read-only for good."),
    Key::pluck("empty", "/empty", Kind::Flag, "Without any commit."),
    Key::pluck("default_branch", "/default_branch", Kind::Text, "The branch that is read without a ref."),
    Key::pluck("size", "/size", Kind::Number, "Size on disk with history, in KiB; absent under path rules."),
    Key::pluck(
        "language",
        "/language",
        Kind::Text,
        "The main programming language; absent under path rules.",
    ),
    Key::pluck("topics", "/topics", Kind::Texts(""), "Topics."),
    Key::pluck("licenses", "/licenses", Kind::Texts(""), "Licences found in it; absent under path rules."),
    Key::pluck("stars_count", "/stars_count", Kind::Number, "Stars."),
    Key::pluck("forks_count", "/forks_count", Kind::Number, "Forks."),
    Key::pluck("open_issues_count", "/open_issues_count", Kind::Number, "Open issues."),
    Key::pluck("open_pr_counter", "/open_pr_counter", Kind::Number, "Open pull requests."),
    Key::pluck("release_counter", "/release_counter", Kind::Number, "Releases."),
    Key::pluck("branch_count", "/branch_count", Kind::Number, "Branches; Gitea 1.26 and newer."),
    Key::pluck("has_issues", "/has_issues", Kind::Flag, "Issues are enabled."),
    Key::pluck("has_pull_requests", "/has_pull_requests", Kind::Flag, "Pull requests are enabled."),
    Key::pluck("has_code", "/has_code", Kind::Flag, "The code is enabled."),
    Key::pluck("has_wiki", "/has_wiki", Kind::Flag, "The wiki is enabled."),
    Key::pluck("has_releases", "/has_releases", Kind::Flag, "Releases are enabled."),
    Key::pluck("has_actions", "/has_actions", Kind::Flag, "Actions are enabled."),
    Key::pluck(
        "permissions",
        "/permissions",
        Kind::Object(&PERMISSIONS),
        "What this connection's token may do.",
    ),
    Key::pluck("object_format_name", "/object_format_name", Kind::Text, "sha1 or sha256."),
    Key::pluck("created_at", "/created_at", Kind::Time, "Creation."),
    Key::pluck("updated_at", "/updated_at", Kind::Time, "Last change."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
    Key::pluck("clone_url", "/clone_url", Kind::Text, "For git clone."),
]);

const PERMISSIONS: Shape = Shape(&[
    Key::pluck("admin", "/admin", Kind::Flag, "Administer."),
    Key::pluck("push", "/push", Kind::Flag, "Write."),
    Key::pluck("pull", "/pull", Kind::Flag, "Read."),
]);
