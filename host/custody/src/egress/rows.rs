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
    /// The repository itself and its code. Labels and milestones count here: Gitea shows them to whoever may see
    /// any unit, so asking for the code is never too little.
    Code,
    /// The list of issues: pull requests too, unless the query's `type` names one kind.
    Issues,
    /// A new issue.
    NewIssue,
    /// The issue or pull request whose number is the third value.
    Issue,
}

/// Every read: the templates of the tools and of what they look up first.
pub const READ_ROWS: &[(&str, Touches)] = &[
    ("/user/repos", Touches::Person),
    ("/orgs/{org}/labels", Touches::Person),
    ("/repos/{owner}/{repo}", Touches::Code),
    ("/repos/{owner}/{repo}/commits", Touches::Code),
    ("/repos/{owner}/{repo}/contents/{path...}", Touches::Code),
    ("/repos/{owner}/{repo}/contents-ext/{path...}", Touches::Code),
    ("/repos/{owner}/{repo}/git/trees/{sha}", Touches::Code),
    ("/repos/{owner}/{repo}/labels", Touches::Code),
    ("/repos/{owner}/{repo}/milestones", Touches::Code),
    ("/repos/{owner}/{repo}/milestones/{id}", Touches::Code),
    ("/repos/{owner}/{repo}/issues", Touches::Issues),
    ("/repos/{owner}/{repo}/issues/{index}", Touches::Issue),
];

/// Every change. Merging, deleting, changing contents and administration are not here and never will be.
pub const WRITE_ROWS: &[(Method, &str, Touches)] = &[
    (Method::Post, "/repos/{owner}/{repo}/issues", Touches::NewIssue),
    (Method::Post, "/repos/{owner}/{repo}/issues/{index}/comments", Touches::Issue),
    (Method::Post, "/repos/{owner}/{repo}/issues/{index}/labels", Touches::Issue),
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
