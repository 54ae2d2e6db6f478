//! Branches, tags and commits under argument names of their own, and names for new branches.
//!
//! Git and Gitea know ways to name a commit of another repository, or one relative to another. Neither is taken
//! here: what the policy judged must be what is read.

use serde_json::json;

use super::names::{REF_BYTES, Ref, reference};
use crate::audit;
use crate::ports::Recorded;
use crate::tools::kit::{Arg, ArgumentError, Arguments, Field, paragraph};

/// Longest name of a new branch in bytes: Gitea takes no longer one.
const BRANCH_BYTES: usize = 100;

/// A branch, tag or commit of the call's own repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Revision(pub(in crate::tools) Ref);

/// A name that Git would let a branch have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct NewBranch(pub(in crate::tools) String);

impl Revision {
    /// As it was given.
    pub(in crate::tools) fn name(&self) -> &str {
        &self.0.0
    }
}

impl Arg for Revision {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "string", "maxLength": REF_BYTES }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let given = arguments.string(name)?;
        if given.contains(':') {
            return Err(ArgumentError::new(
                name,
                "must be a branch, tag or commit id of this very repository: what has a `:` in it names another \
                 repository",
            ));
        }
        reference(name, given).map(|reference| Self(Ref(reference)))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(self.name())));
    }
}

impl Arg for NewBranch {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "string", "maxLength": BRANCH_BYTES }), paragraph(doc))]
    }

    /// The rules of `git check-ref-format`, and a few names that Git allows and everybody regrets.
    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let branch = reference(name, arguments.string(name)?)?;
        let refused = |message: &str| Err(ArgumentError::new(name, message));
        if branch.len() > BRANCH_BYTES {
            return refused("must be 1 to 100 bytes");
        }
        let bad_part = |part: &str| {
            let ending = part.len().checked_sub(5).and_then(|at| part.get(at..));
            part.starts_with('.') || ending.is_some_and(|ending| ending.eq_ignore_ascii_case(".lock"))
        };
        if branch.ends_with('.') || branch.split('/').any(bad_part) {
            return refused("must not end with `.`, and no part may start with `.` or end with `.lock`");
        }
        if matches!(branch.as_str(), "HEAD" | "@") || branch.starts_with("refs/") {
            return refused("must be the plain name of a branch, not `HEAD`, `@` or a full `refs/...` name");
        }
        if matches!(branch.len(), 40 | 64) && branch.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return refused("must not look like the id of a commit");
        }
        Ok(Self(branch))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Arg, Arguments, NewBranch, Revision};

    fn arguments(value: &str) -> Arguments {
        Arguments::new(json!({ "x": value }).as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn a_revision_is_of_this_repository_and_stands_for_itself() {
        for good in ["main", "feature/one", "v1.0", "a1b2c3d", "ä"] {
            assert_eq!(Revision::from_args("x", &mut arguments(good)).expect(good).name(), good);
        }
        for bad in
            ["", "a..b", "a...b", "HEAD~1", "HEAD^", "-x", "/x", "x/", "a b", "a@{1}", "a//b", "a\\b", "a\0"]
        {
            assert!(Revision::from_args("x", &mut arguments(bad)).is_err(), "{bad:?}");
        }
        for foreign in ["bob:main", "bob/secret:main", "main:"] {
            let error = Revision::from_args("x", &mut arguments(foreign)).expect_err(foreign);
            assert!(error.to_string().contains("another repository"), "{error}");
        }
    }

    #[test]
    fn a_new_branch_has_a_name_that_git_takes_and_nobody_mistakes() {
        let longest = "x".repeat(100);
        for good in ["main", "feature/one", "fix-1.2", "@x", "a.locked", &longest] {
            assert_eq!(NewBranch::from_args("x", &mut arguments(good)).expect(good).0, good);
        }
        let (long, id) = ("x".repeat(101), "A1".repeat(20));
        for bad in [
            "",
            "HEAD",
            "@",
            "refs/heads/x",
            ".x",
            "a/.x",
            "x.lock",
            "a.LOCK/b",
            "x.",
            "a:b",
            "a..b",
            &long,
            &id,
        ] {
            assert!(NewBranch::from_args("x", &mut arguments(bad)).is_err(), "{bad:?}");
        }
    }
}
