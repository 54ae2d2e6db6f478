//! Work that nobody waits for: whether there is any, and which.

use super::{Reading, automation_enabled, automation_jobs, automation_stale_days};

/// The settings of automation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Automation {
    /// `AUTOMATION_ENABLED`.
    pub enabled: bool,
    /// `AUTOMATION_JOBS` as written; whether there are such jobs is not known here.
    pub jobs: Vec<String>,
    /// `AUTOMATION_STALE_DAYS`.
    pub stale_days: u32,
}

impl Automation {
    pub(super) fn read(from: &mut Reading<'_>) -> Option<Self> {
        let (enabled, jobs) = (automation_enabled(from), automation_jobs(from));
        let stale_days = automation_stale_days(from);
        Some(Self { enabled: enabled?, jobs: jobs?, stale_days: stale_days? })
    }

    /// The settings among `values`. What cannot be read is empty here: [`super::Config::check`] tells of it.
    #[must_use]
    pub fn of(values: &[(String, String)]) -> Self {
        let get = |name: &str| values.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Self::read(&mut Reading { get: &get, problems: Vec::new() }).unwrap_or_default()
    }

    /// Whether the operator lets the job of this name run.
    #[must_use]
    pub fn lists(&self, job: &str) -> bool {
        self.jobs.iter().any(|listed| listed.eq_ignore_ascii_case(job))
    }
}
