//! Jobs: tools that no client sees. Automation runs them, with the same checks as every call.
//!
//! What the policy calls them begins with `automation_`. A job that can also change something stands in both
//! catalogues under one name: [`REPORTS`] looks, [`CHANGES`] acts on what it sees. Who may start a job, and when, is
//! not known here.

mod stale;
mod webhook;

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
    /// Event and actions of deliveries that start it.
    pub starts_on: (&'static str, &'static [&'static str]),
}

/// All of them.
pub static JOBS: &[Job] = &[stale::JOB];

/// Jobs that only look, and the delivery itself.
pub static REPORTS: Catalogue =
    Catalogue { toolsets: &[Toolset { name: "automation", tools: REPORTING }], instructions: "" };
/// Jobs that act.
pub static CHANGES: Catalogue =
    Catalogue { toolsets: &[Toolset { name: "automation", tools: &[stale::MARK] }], instructions: "" };

const REPORTING: &[&dyn super::kit::Entry] = &[webhook::DELIVERY, stale::REPORT];

/// Words of a policy that are no tool of the catalogue and mean a job. Some are of jobs to come: a rule about them is
/// kept, and nothing runs.
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
    pub fn starts(&self, event: &str, action: Option<&str>) -> bool {
        let (on, actions) = self.starts_on;
        on == event && action.is_some_and(|action| actions.contains(&action))
    }
}
