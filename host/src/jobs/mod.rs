//! Jobs that are started here and not by a request: by an operator's command, by the scheduler, and by what Gitea has
//! delivered.
//!
//! The guest alone knows what a job does and whether it may: each run is the request that a caller would send, to the same
//! component, with a caller that only this program can be. Here is who started it, when the next one is due, and what
//! became of the last.

mod attend;
mod board;
mod deliver;
mod plan;
mod report;
mod run;
mod schedule;
mod step;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aegis_custody::{Clock as _, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use attend::attend;
pub(crate) use board::{Board, LastRun, Running};
pub(crate) use report::Report;
pub(crate) use run::{Apply, By, Order, run};
pub(crate) use schedule::Schedule;

use crate::ports::identity::Principal;
use crate::ports::telemetry::cut;
use crate::settings::{AUTOMATION, Settings};
use crate::shared::{Shared, SystemClock};

/// What the name of a job's tool begins with, in policies and in the record.
const TOOL: &str = "automation_";
/// What a delivery of the webhook is recorded as: no job.
const WEBHOOK: &str = "automation_webhook";
/// The longest name of a repository that is kept, in bytes.
const LONGEST_NAME: usize = 256;
/// The longest reason that is kept, in bytes.
const LONGEST_REASON: usize = 128;

/// The jobs of this server.
#[derive(Default)]
pub(crate) struct Jobs {
    /// All of them, in the order of the settings.
    pub(crate) all: Vec<Job>,
    /// What became of them.
    pub(crate) board: Arc<Board>,
    /// What the scheduler goes by; none where there is no scheduler.
    pub(crate) scheduler: Option<Scheduler>,
    /// What deliveries have started.
    deliveries: deliver::Deliveries,
    /// Held by what runs while nobody waits: one after the other, so that they do not take each other's room.
    line: Arc<tokio::sync::Mutex<()>>,
}

/// A job as the settings have it.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether `AUTOMATION_JOBS` lists it.
    pub(crate) enabled: bool,
    /// When it runs by itself.
    pub(crate) schedule: Option<Schedule>,
}

/// The settings of the scheduler.
#[derive(Clone, Debug)]
pub(crate) struct Scheduler {
    /// The repositories that it covers, as owner and name.
    pub(crate) repositories: Vec<(String, String)>,
    /// The longest that a run begins after its time.
    pub(crate) jitter: Duration,
    /// Whether what was missed is run once, late.
    pub(crate) run_missed: bool,
}

/// A job for operators. Times are RFC 3339, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) name: String,
    /// Whether it may run.
    pub(crate) enabled: bool,
    /// Its cron expression.
    pub(crate) schedule: Option<String>,
    /// When the scheduler starts it next, jitter apart; none where it does not.
    pub(crate) next_run: Option<String>,
    /// Where it runs now, as owner/name, whoever started it.
    pub(crate) running: Vec<String>,
    /// Its newest run that has ended, whoever started it.
    pub(crate) last_run: Option<LastRun>,
}

impl Jobs {
    /// By the settings of a server, with what is remembered beside its audit log.
    pub(crate) fn of(settings: &Settings) -> Self {
        let board = Board::open(&file_beside(settings.audit_log_path()));
        let scheduler = settings.automation_scheduler_enabled().then(|| Scheduler {
            repositories: settings.automation_repositories().to_vec(),
            jitter: Duration::from_secs(settings.automation_scheduler_jitter_seconds().into()),
            run_missed: settings.automation_scheduler_run_missed(),
        });
        Self { all: all(settings), board: Arc::new(board), scheduler, ..Self::default() }
    }

    /// All jobs for operators, at this time.
    pub(crate) fn rows(&self, now: Timestamp) -> Vec<Row> {
        self.all.iter().map(|job| self.row(job, now)).collect()
    }

    fn row(&self, job: &Job, now: Timestamp) -> Row {
        let schedule = job.schedule.as_ref();
        let next = schedule.filter(|_| self.scheduler.is_some() && job.enabled);
        Row {
            name: job.name.to_owned(),
            enabled: job.enabled,
            schedule: schedule.map(|schedule| schedule.text().to_owned()),
            next_run: next.and_then(|schedule| schedule.after(now)).map(|at| at.to_string()),
            running: self.board.running(job.name),
            last_run: self.board.last(job.name),
        }
    }
}

fn all(settings: &Settings) -> Vec<Job> {
    let listed = settings.automation_jobs();
    let job = |(name, schedule): (&'static str, Option<&Schedule>)| Job {
        name,
        enabled: listed.iter().any(|listed| listed.eq_ignore_ascii_case(name)),
        schedule: schedule.cloned(),
    };
    settings.schedules().into_iter().map(job).collect()
}

/// Where is remembered what became of jobs: beside the audit log, which one server alone has, under its name.
fn file_beside(audit: &Path) -> PathBuf {
    let mut name = audit.as_os_str().to_owned();
    name.push(".jobs.json");
    PathBuf::from(name)
}

/// The job whose tool this is.
fn of_tool(tool: &str) -> Option<&str> {
    tool.strip_prefix(TOOL).filter(|_| tool != WEBHOOK)
}

/// Whether this is the call of a job that this principal runs.
pub(crate) fn is_run(principal: &Principal, tool: &str) -> bool {
    principal.run.is_some() && of_tool(tool).is_some()
}

/// Note that a run has come to its end, or to none. `tool` is what is on record. Whether it was a job's.
pub(crate) fn ended(
    shared: &Shared,
    principal: &Principal,
    tool: &str,
    repository: Option<(&str, &str)>,
    outcome: &'static str,
    reason: Option<&str>,
) -> bool {
    let Some(job) = of_tool(tool) else { return false };
    if principal.subject != AUTOMATION {
        return false;
    }
    let (owner, repo) = repository.unwrap_or_default();
    let started_by = principal.started_by.as_deref().unwrap_or("webhook");
    counted(shared, job, started_by, &format!("{owner}/{repo}"), outcome, reason)
}

/// The same of a job by its name. Whether there is one.
fn counted(
    shared: &Shared,
    job: &str,
    started_by: &str,
    repository: &str,
    outcome: &'static str,
    reason: Option<&str>,
) -> bool {
    let Some(automation) = &shared.automation else { return false };
    // A guest may say any name, and so may a command; only those of the settings are counted and kept.
    let Some(job) = automation.jobs.all.iter().find(|known| known.name == job) else { return false };
    shared.metrics.job_run(job.name, outcome, 1);
    let last = LastRun {
        ended_at: SystemClock.now().to_string(),
        repository: cut(repository, LONGEST_NAME).to_owned(),
        started_by: started_by.to_owned(),
        outcome: outcome.to_owned(),
        reason: reason.map(|reason| cut(reason, LONGEST_REASON).to_owned()),
    };
    automation.jobs.board.ended(job.name, last);
    keep(shared, &automation.jobs.board);
    true
}

/// Write what is noted, soon.
fn keep(shared: &Shared, board: &Arc<Board>) {
    let (board, guard) = (board.clone(), shared.pending.guard());
    shared.runtime.spawn_blocking(move || {
        board.keep();
        drop(guard);
    });
}
