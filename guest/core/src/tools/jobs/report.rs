//! What the reports of all jobs have in common: the same as JSON and as a text that a person reads, and whether it is all.

use crate::tools::args::Repo;
use crate::tools::kit::{Key, Kind};

/// Lines of a text; the list beside it has the rest.
const LINES: usize = 60;

pub(super) const COMPLETE: Key = Key::own("complete", Kind::Flag, "Whether everything was looked at.");
pub(super) const TEXT: Key = Key::own("text", Kind::Text, "The same for a person to read.");

/// A report for a person: a headline, and a line for each thing.
pub(super) struct Told(Vec<String>);

impl Told {
    /// What was found where, in one sentence. It also stands in the log where nobody waits for the report.
    pub(super) fn headline(repo: &Repo, what: &str) -> Self {
        Self(vec![format!("{}/{}: {what}", repo.owner, repo.repo)])
    }

    /// A sentence about the whole.
    pub(super) fn and(mut self, sentence: impl Into<String>) -> Self {
        self.0.push(sentence.into());
        self
    }

    /// A line for each of what was found, as far as a person reads.
    pub(super) fn each(mut self, lines: impl ExactSizeIterator<Item = String>) -> Self {
        let more = lines.len().saturating_sub(LINES);
        self.0.extend(lines.take(LINES));
        if more > 0 {
            self.0.push(format!("... and {more} more."));
        }
        self
    }

    pub(super) fn text(&self) -> String {
        self.0.join("\n")
    }
}
