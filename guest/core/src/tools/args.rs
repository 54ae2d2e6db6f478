//! The types that arguments are made of. Each states its wire fields, schema, parse, bounds, policy target and
//! record in one place; see `kit::Arg`.

mod choices;
mod dates;
mod edits;
mod labels;
mod names;
mod numbers;
mod places;
mod releases;
mod revisions;
mod texts;

#[cfg(test)]
mod tests;

/// Arguments that mean the same in every tool that has them, and what that is. Their schemas are bare: what is
/// true of all tools is told once.
pub const SHARED: &[(&str, &str)] = &[
    ("owner", "User or organisation that owns the repository."),
    ("repo", "Name of the repository, without `.git`."),
    ("issue_number", "Number of the issue or pull request in its repository."),
    ("pull_number", "Number of the pull request in its repository."),
    ("ref", "Branch, tag or commit id. Without it, the default branch."),
    ("start_character", "Where in a long body to begin, counted from 1."),
    ("page", "Which page, counted from 1. Without it, the first."),
    ("limit", "Entries per page, at most `MAX_TOOL_RESPONSE_ITEMS`. Without it, 30 (files of a tree: 200)."),
];

pub(super) use choices::{Flag, IssueState, Labels, Logins, MilestoneChoice};
pub(super) use dates::{DueDate, day, instant};
pub(super) use edits::{CommentId, ContentVersion, NewMilestone, NewState};
pub(super) use labels::{Color, LabelName, ShortText};
pub(super) use names::{Ref, Repo, RepoPath};
pub(super) use numbers::{Character, EntryPage, IssueNumber, LineRange, Page, Paging};
pub(super) use places::{Branch, Organisation};
pub(super) use releases::{ReleaseId, TagName, TagTarget};
pub(super) use revisions::{NewBranch, Revision};
pub(super) use texts::{Comment, FreeText, Query, Title};
