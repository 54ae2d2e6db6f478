//! What Gitea is asked about a person before a service account does something for them.
//!
//! A repository in Gitea is divided into units (code, issues, pull requests), and a team may give one without the
//! other. So the question follows from the row of the request: it is the read that the person would have to be
//! allowed, as small as it can be. These requests are the host's own; no guest can ask for one by way of this module.
//! It must not send anything and must not know a credential.

use serde_json::Value;

use super::rows::{Touches, row};
use super::{Method, Refused, build};

const REPOSITORY: &str = "/repos/{owner}/{repo}";
const ISSUES: &str = "/repos/{owner}/{repo}/issues";
const ISSUE: &str = "/repos/{owner}/{repo}/issues/{index}";
const COMMENT: &str = "/repos/{owner}/{repo}/issues/comments/{id}";
const RELEASES: &str = "/repos/{owner}/{repo}/releases";
/// The access mode of a collaborator, asked of a repository's administrator (here: of the service account's token).
pub const PROBE: &str = "/repos/{owner}/{repo}/collaborators/{login}/permission";

/// No issue was last changed before this, so the list that is asked for is empty. That Gitea gives one is the answer,
/// and nobody can make the answer long by writing a long issue.
const BEFORE_ANYTHING: &str = "1970-01-02T00:00:00Z";

/// One question: may this person do that there? Answered by the status and body of one GET in their name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Read the repository's code.
    Read,
    /// Write the repository's code, which every change asks for.
    Write,
    /// See issues.
    Issues,
    /// See pull requests.
    Pulls,
    /// See the issue or pull request of this number.
    Issue(String),
    /// See the comment of this id.
    Comment(String),
    /// See releases.
    Releases,
}

impl Question {
    /// What to ask before a listed request is sent for somebody; all have to be answered yes. None for what is sent
    /// on the person's own authority: what touches no repository, and releases that may be drafts. `changes` says that the tool call as a whole is to change something: who may not is told so
    /// before anything is looked up for them.
    ///
    /// # Errors
    /// [`Refused::NotListed`]: it would not be sent at all.
    pub fn of(
        method: Method,
        template: &str,
        segments: &[impl AsRef<str>],
        query: &[(impl AsRef<str>, impl AsRef<str>)],
        changes: bool,
    ) -> Result<Vec<Self>, Refused> {
        let touches = row(method, template)?;
        let of_unit = match touches {
            Touches::Person | Touches::Drafts => return Ok(Vec::new()),
            Touches::Code => Vec::new(),
            Touches::NewIssue | Touches::Writer => vec![Self::Issues],
            Touches::Issues => kinds(query),
            Touches::Issue | Touches::Pull => vec![Self::Issue(third(segments))],
            Touches::Comment => vec![Self::Comment(third(segments))],
            Touches::Pulls => vec![Self::Pulls],
            Touches::Releases => vec![Self::Releases],
        };
        let code = matches!(touches, Touches::Code | Touches::Pulls | Touches::Pull);
        // Who may write code may read it.
        let first = match (changes || method != Method::Get, code) {
            (true, _) => Some(Self::Write),
            (false, true) => Some(Self::Read),
            (false, false) => None,
        };
        Ok(first.into_iter().chain(of_unit).collect())
    }

    /// The template of the request that asks it, for the record.
    #[must_use]
    pub fn template(&self) -> &'static str {
        match self {
            Self::Read | Self::Write => REPOSITORY,
            Self::Issues | Self::Pulls => ISSUES,
            Self::Issue(_) => ISSUE,
            Self::Comment(_) => COMMENT,
            Self::Releases => RELEASES,
        }
    }

    /// The path and query below `/api/v1` of the request that asks it.
    ///
    /// # Errors
    /// A name or number is not one of Gitea's.
    pub fn target(&self, owner: &str, repo: &str) -> Result<String, Refused> {
        const NO_QUERY: [(&str, &str); 0] = [];
        let list = |kind| [("type", kind), ("state", "all"), ("limit", "1"), ("before", BEFORE_ANYTHING)];
        match self {
            Self::Read | Self::Write => build(REPOSITORY, &[owner, repo], &NO_QUERY),
            Self::Issues => build(ISSUES, &[owner, repo], &list("issues")),
            Self::Pulls => build(ISSUES, &[owner, repo], &list("pulls")),
            Self::Issue(number) => build(ISSUE, &[owner, repo, number], &NO_QUERY),
            Self::Comment(id) => build(COMMENT, &[owner, repo, id], &NO_QUERY),
            Self::Releases => build(RELEASES, &[owner, repo], &[("limit", "1")]),
        }
    }

    /// Most bytes of an answer that are looked at. An issue that is longer is not handed out through an account.
    #[must_use]
    pub fn most(&self) -> usize {
        match self {
            Self::Read | Self::Write => 256 << 10,
            Self::Issues | Self::Pulls | Self::Issue(_) | Self::Comment(_) | Self::Releases => 1 << 20,
        }
    }

    /// Whether the body of a 200 says yes. A page of a proxy, or an answer about something else, does not.
    #[must_use]
    pub fn is_yes(&self, body: &Value) -> bool {
        match self {
            Self::Read => body.pointer("/permissions/pull") == Some(&Value::Bool(true)),
            Self::Write => body.pointer("/permissions/push") == Some(&Value::Bool(true)),
            Self::Issues | Self::Pulls | Self::Releases => body.is_array(),
            Self::Issue(number) => {
                number.parse::<u64>().is_ok_and(|number| body.get("number") == Some(&Value::from(number)))
            }
            Self::Comment(id) => id.parse::<u64>().is_ok_and(|id| body.get("id") == Some(&Value::from(id))),
        }
    }

    /// In one word, for the record.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Issues => "issues",
            Self::Pulls => "pulls",
            Self::Issue(_) => "issue",
            Self::Comment(_) => "comment",
            Self::Releases => "releases",
        }
    }
}

/// The number or id in the path: what follows owner and repository.
fn third(segments: &[impl AsRef<str>]) -> String {
    segments.get(2).map(|value| value.as_ref().to_owned()).unwrap_or_default()
}

/// The path of [`PROBE`] below `/api/v1`.
///
/// # Errors
/// A name is not one of Gitea's.
pub fn probe(owner: &str, repo: &str, login: &str) -> Result<String, Refused> {
    const NO_QUERY: [(&str, &str); 0] = [];
    build(PROBE, &[owner, repo, login], &NO_QUERY)
}

/// The kinds that a list of issues holds. Gitea leaves out the kind that the one who asks may not see, so the account
/// would see more than the person: unless exactly one kind is named, both are asked about.
fn kinds(query: &[(impl AsRef<str>, impl AsRef<str>)]) -> Vec<Question> {
    let mut named = query.iter().filter(|(name, _)| name.as_ref() == "type").map(|(_, value)| value.as_ref());
    match (named.next(), named.next()) {
        (Some("issues"), None) => vec![Question::Issues],
        (Some("pulls"), None) => vec![Question::Pulls],
        _ => vec![Question::Issues, Question::Pulls],
    }
}

#[cfg(test)]
mod tests;
