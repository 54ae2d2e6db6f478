//! The types that arguments are made of. Each states its wire fields, schema, parse, bounds, policy target and
//! record in one place; see `kit::Arg`.

mod choices;
mod names;
mod numbers;
mod texts;

#[cfg(test)]
mod tests;

pub(super) use choices::{Flag, IssueState, Labels, Logins, MilestoneChoice};
pub(super) use names::{Ref, Repo, RepoPath};
pub(super) use numbers::{EntryPage, IssueNumber, Line, Page};
pub(super) use texts::{Comment, FreeText, Title};
