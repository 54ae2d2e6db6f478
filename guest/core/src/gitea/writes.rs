//! Every request to Gitea that is not a GET.
//!
//! The list is fixed here and once more in the host, which sends nothing else. Merging, deleting, changing
//! contents and administration are not on it and never will be.

use crate::ports::Method;

/// One row of the list. Made only here.
#[derive(Debug, PartialEq, Eq)]
pub struct Write {
    method: Method,
    template: &'static str,
}

impl Write {
    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The path template below `/api/v1`.
    #[must_use]
    pub const fn template(&self) -> &'static str {
        self.template
    }
}

/// Open an issue.
pub const CREATE_ISSUE: &Write = &Write { method: Method::Post, template: "/repos/{owner}/{repo}/issues" };
/// Comment on an issue or pull request.
pub const CREATE_COMMENT: &Write =
    &Write { method: Method::Post, template: "/repos/{owner}/{repo}/issues/{index}/comments" };
/// Change title, text, state, milestone or assignees of an issue.
pub const EDIT_ISSUE: &Write =
    &Write { method: Method::Patch, template: "/repos/{owner}/{repo}/issues/{index}" };
/// Change the text of a comment.
pub const EDIT_COMMENT: &Write =
    &Write { method: Method::Patch, template: "/repos/{owner}/{repo}/issues/comments/{id}" };
/// Assign people to an issue; Gitea 1.27 and newer.
pub const ADD_ASSIGNEES: &Write =
    &Write { method: Method::Post, template: "/repos/{owner}/{repo}/issues/{index}/assignees" };
/// Take one label off an issue: the only deletion there is.
pub const REMOVE_LABEL: &Write =
    &Write { method: Method::Delete, template: "/repos/{owner}/{repo}/issues/{index}/labels/{id}" };
/// Make a label.
pub const CREATE_LABEL: &Write = &Write { method: Method::Post, template: "/repos/{owner}/{repo}/labels" };
/// Change a label.
pub const EDIT_LABEL: &Write =
    &Write { method: Method::Patch, template: "/repos/{owner}/{repo}/labels/{id}" };
/// Make a milestone.
pub const CREATE_MILESTONE: &Write =
    &Write { method: Method::Post, template: "/repos/{owner}/{repo}/milestones" };
/// Open a pull request.
pub const CREATE_PULL: &Write = &Write { method: Method::Post, template: "/repos/{owner}/{repo}/pulls" };
/// Make a release.
pub const CREATE_RELEASE: &Write =
    &Write { method: Method::Post, template: "/repos/{owner}/{repo}/releases" };
/// Change a release.
pub const EDIT_RELEASE: &Write =
    &Write { method: Method::Patch, template: "/repos/{owner}/{repo}/releases/{id}" };
/// Make a branch.
pub const CREATE_BRANCH: &Write = &Write { method: Method::Post, template: "/repos/{owner}/{repo}/branches" };
/// Put labels on an issue, by name.
pub const ADD_LABELS: &Write =
    &Write { method: Method::Post, template: "/repos/{owner}/{repo}/issues/{index}/labels" };

/// All of them.
pub const WRITES: &[&Write] = &[
    CREATE_ISSUE,
    EDIT_ISSUE,
    CREATE_COMMENT,
    EDIT_COMMENT,
    ADD_LABELS,
    REMOVE_LABEL,
    ADD_ASSIGNEES,
    CREATE_LABEL,
    EDIT_LABEL,
    CREATE_MILESTONE,
    CREATE_PULL,
    CREATE_RELEASE,
    EDIT_RELEASE,
    CREATE_BRANCH,
];
