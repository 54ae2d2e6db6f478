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
/// Put labels on an issue, by name.
pub const ADD_LABELS: &Write =
    &Write { method: Method::Post, template: "/repos/{owner}/{repo}/issues/{index}/labels" };

/// All of them.
pub const WRITES: &[&Write] = &[CREATE_ISSUE, CREATE_COMMENT, ADD_LABELS];
