//! Jobs: tools that no client sees. Automation runs them, with the same checks as every call.
//!
//! What the policy calls them begins with `automation_`. A job that can also change something stands in both
//! catalogues under one name: [`REPORTS`] looks, [`CHANGES`] acts on what it sees. Who may start a job, and when, is
//! not known here.

mod hygiene;
mod issue;
#[cfg(test)]
mod packed;
mod report;
mod stale;
mod webhook;

use super::kit::Error;
use super::{Catalogue, Toolset};

/// What a delivery of a webhook is recorded as.
pub const WEBHOOK: &str = "automation_webhook";

/// A job.
#[derive(Debug)]
pub struct Job {
    /// Its name in settings, requests and on the command line.
    pub name: &'static str,
    /// Its name in policies and in the record.
    pub tool: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// Whether it can also act on what it finds.
    pub changes: bool,
    /// Which deliveries start it.
    pub starts_on: Starts,
    /// A delivery does not start it again for so many seconds: what it looks at changes slowly, and its own changes
    /// make Gitea deliver again.
    pub pause_seconds: u32,
}

/// Which deliveries start a job.
#[derive(Debug)]
pub enum Starts {
    /// This event, where it says that one of these was done.
    Event(&'static str, &'static [&'static str]),
    /// A push to the default branch.
    PushToDefaultBranch,
}

/// What a delivery says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Happened<'a> {
    /// What happened.
    pub event: &'a str,
    /// What was done, where the event says so.
    pub action: Option<&'a str>,
    /// Whether it is about the default branch.
    pub default_branch: bool,
}

/// All of them.
pub static JOBS: &[Job] = &[stale::JOB, hygiene::JOB, issue::JOB];

/// Jobs that only look, and the delivery itself.
pub static REPORTS: Catalogue =
    Catalogue { toolsets: &[Toolset { name: "automation", tools: REPORTING }], instructions: "" };
/// Jobs that act.
pub static CHANGES: Catalogue =
    Catalogue { toolsets: &[Toolset { name: "automation", tools: CHANGING }], instructions: "" };

const REPORTING: &[&dyn super::kit::Entry] =
    &[webhook::DELIVERY, stale::REPORT, hygiene::REPORT, issue::REPORT];
const CHANGING: &[&dyn super::kit::Entry] = &[stale::MARK, issue::KEEP];

/// Words of a policy that are no tool of the catalogue and mean a job.
pub const IN_POLICIES: &[&str] = &[
    WEBHOOK,
    "automation_stale_issue_detection",
    "automation_dependency_hygiene_scan",
    "automation_auto_issue_creation",
];

impl Job {
    /// The job of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        JOBS.iter().find(|job| job.name == name)
    }

    /// Whether a delivery starts it.
    #[must_use]
    pub fn starts(&self, what: Happened<'_>) -> bool {
        match self.starts_on {
            Starts::Event(on, actions) => {
                on == what.event && what.action.is_some_and(|action| actions.contains(&action))
            }
            Starts::PushToDefaultBranch => what.event == "push" && what.default_branch,
        }
    }
}

fn busy(seconds: u32) -> Error {
    Error::Busy {
        reason: "jobs_busy",
        message: "Another run is under way, or long work by others takes the room. Nothing was changed."
            .to_owned(),
        seconds,
    }
}
