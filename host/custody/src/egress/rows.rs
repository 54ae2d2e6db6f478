//! Every request that a guest may have sent to Gitea, in whatever mode. What is not written here is refused.
//!
//! A template must match to the letter. Each row also says what it touches, because a service account sends it for a
//! person only after Gitea was asked about exactly that: a row cannot be added without an answer to that question.

use super::{Method, Refused};

/// What a request reads or changes, as Gitea divides a repository into units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touches {
    /// No repository. Always sent on the caller's own authority.
    Person,
    /// Who writes what a job of this call would write: told through a service account to whoever may see issues, since
    /// what that account wrote before is looked for.
    Writer,
    /// The repository itself and its code. Labels and milestones count here: Gitea shows them to whoever may see
    /// any unit, so asking for the code is never too little.
    Code,
    /// The list of issues: pull requests too, unless the query's `type` names one kind.
    Issues,
    /// A new issue.
    NewIssue,
    /// The issue or pull request whose number is the third value.
    Issue,
    /// The comment whose id is the third value.
    Comment,
    /// Pull requests, and the code that they are about.
    Pulls,
    /// The pull request whose number is the third value, and the code that it is about.
    Pull,
    /// Releases, without drafts.
    Releases,
    /// Releases, with the drafts of whoever may write them. No question would tell that of a unit, so like [`Person`]
    /// it is always sent on the caller's own authority: a service account would show its own drafts to readers.
    ///
    /// [`Person`]: Touches::Person
    Drafts,
}

/// Every read: the templates of the tools and of what they look up first.
pub const READ_ROWS: &[(&str, Touches)] = &[
    ("/orgs/{org}/labels", Touches::Person),
    ("/orgs/{org}/repos", Touches::Person),
    ("/settings/api", Touches::Person),
    ("/user", Touches::Writer),
    ("/user/orgs", Touches::Person),
    ("/user/repos", Touches::Person),
    ("/repos/{owner}/{repo}", Touches::Code),
    ("/repos/{owner}/{repo}/archive/{archive}.tar.gz", Touches::Code),
    ("/repos/{owner}/{repo}/assignees", Touches::Code),
    ("/repos/{owner}/{repo}/branches", Touches::Code),
    ("/repos/{owner}/{repo}/branches/{branch...}", Touches::Code),
    ("/repos/{owner}/{repo}/commits", Touches::Code),
    ("/repos/{owner}/{repo}/commits/{sha}/status", Touches::Code),
    ("/repos/{owner}/{repo}/compare/{range}", Touches::Code),
    ("/repos/{owner}/{repo}/contents-ext/{path...}", Touches::Code),
    ("/repos/{owner}/{repo}/contents/{path...}", Touches::Code),
    ("/repos/{owner}/{repo}/file-contents", Touches::Code),
    ("/repos/{owner}/{repo}/git/commits/{sha}", Touches::Code),
    ("/repos/{owner}/{repo}/git/commits/{sha}.diff", Touches::Code),
    ("/repos/{owner}/{repo}/git/trees/{sha}", Touches::Code),
    ("/repos/{owner}/{repo}/issues", Touches::Issues),
    ("/repos/{owner}/{repo}/issues/comments/{id}", Touches::Comment),
    ("/repos/{owner}/{repo}/issues/{index}", Touches::Issue),
    ("/repos/{owner}/{repo}/issues/{index}/comments", Touches::Issue),
    ("/repos/{owner}/{repo}/issues/{index}/labels", Touches::Issue),
    ("/repos/{owner}/{repo}/labels", Touches::Code),
    ("/repos/{owner}/{repo}/languages", Touches::Code),
    ("/repos/{owner}/{repo}/milestones", Touches::Code),
    ("/repos/{owner}/{repo}/milestones/{id}", Touches::Code),
    ("/repos/{owner}/{repo}/pulls", Touches::Pulls),
    ("/repos/{owner}/{repo}/pulls/{index}", Touches::Pull),
    ("/repos/{owner}/{repo}/pulls/{index}/commits", Touches::Pull),
    ("/repos/{owner}/{repo}/pulls/{index}/files", Touches::Pull),
    ("/repos/{owner}/{repo}/releases", Touches::Drafts),
    ("/repos/{owner}/{repo}/releases/latest", Touches::Releases),
    ("/repos/{owner}/{repo}/releases/tags/{tag}", Touches::Drafts),
    ("/repos/{owner}/{repo}/releases/{id}", Touches::Drafts),
    ("/repos/{owner}/{repo}/tags", Touches::Code),
    ("/repos/{owner}/{repo}/tags/{tag...}", Touches::Code),
    ("/repos/{owner}/{repo}/topics", Touches::Code),
];

/// Every change. Merging, changing contents and administration are not here and never will be; the only deletion
/// takes a label off an issue.
pub const WRITE_ROWS: &[(Method, &str, Touches)] = &[
    (Method::Post, "/repos/{owner}/{repo}/issues", Touches::NewIssue),
    (Method::Patch, "/repos/{owner}/{repo}/issues/{index}", Touches::Issue),
    (Method::Post, "/repos/{owner}/{repo}/issues/{index}/comments", Touches::Issue),
    (Method::Patch, "/repos/{owner}/{repo}/issues/comments/{id}", Touches::Comment),
    (Method::Post, "/repos/{owner}/{repo}/issues/{index}/labels", Touches::Issue),
    (Method::Delete, "/repos/{owner}/{repo}/issues/{index}/labels/{id}", Touches::Issue),
    (Method::Post, "/repos/{owner}/{repo}/issues/{index}/assignees", Touches::Issue),
    (Method::Post, "/repos/{owner}/{repo}/labels", Touches::Code),
    (Method::Patch, "/repos/{owner}/{repo}/labels/{id}", Touches::Code),
    (Method::Post, "/repos/{owner}/{repo}/milestones", Touches::Code),
    (Method::Post, "/repos/{owner}/{repo}/pulls", Touches::Pulls),
    (Method::Post, "/repos/{owner}/{repo}/releases", Touches::Releases),
    (Method::Patch, "/repos/{owner}/{repo}/releases/{id}", Touches::Releases),
    (Method::Post, "/repos/{owner}/{repo}/branches", Touches::Code),
];

/// What a listed request touches.
///
/// # Errors
/// [`Refused::NotListed`].
pub(super) fn row(method: Method, template: &str) -> Result<Touches, Refused> {
    let found = if method == Method::Get {
        READ_ROWS.iter().find(|(listed, _)| *listed == template).map(|(_, touches)| *touches)
    } else {
        WRITE_ROWS
            .iter()
            .find(|(known, listed, _)| (*known, *listed) == (method, template))
            .map(|(_, _, touches)| *touches)
    };
    found.ok_or_else(|| Refused::NotListed {
        method: method.as_str(),
        template: template.chars().take(200).collect(),
    })
}
