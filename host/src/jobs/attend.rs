//! The scheduler: starts what is due for as long as the server runs, and tells what was skipped or missed. When that is,
//! [`super::plan`] says.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use aegis_custody::{Clock, Timestamp};
use serde_json::{Map, Value, json};
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

use super::plan::Plan;
use super::run::{Apply, By, Order, RUNNING, run};
use super::step::{Missed, Step};
use super::{Job, Scheduler, counted};
use crate::audit::{Entry, Event};
use crate::ports::telemetry::cut;
use crate::serve::Server;
use crate::shared::{SystemClock, SystemRandom};

/// The longest between two looks: a clock that was set, or a machine that slept, is noticed within it.
const LOOK: Duration = Duration::from_secs(30);
/// The shortest: a plan that is late does not spin.
const SHORTEST: Duration = Duration::from_millis(100);
/// How long a run waits that was refused since there was no room, and how often.
const AGAIN: Duration = Duration::from_secs(15);
const ATTEMPTS: usize = 5;
/// What the log says of a run that did not begin since the server ends.
pub(super) const SHUTTING_DOWN: &str = "shutting_down";

/// Start what is due from now on, where there is a scheduler.
pub(crate) fn attend(server: &Arc<Server>) {
    let Some(automation) = &server.shared.automation else { return };
    let jobs = &automation.jobs;
    for job in jobs.all.iter().filter(|job| job.enabled) {
        // What should never happen begins at zero: nobody sees a counter rise that was not there before.
        for outcome in ["error", "missed", "aborted"] {
            server.shared.metrics.job_run(job.name, outcome, 0);
        }
    }
    jobs.deliveries.attend(server, &jobs.line);
    let Some(scheduler) = jobs.scheduler.clone() else { return };
    let now = SystemClock.now();
    let known = |job: &str, schedule: &str| jobs.board.through(job, schedule);
    let plan = Plan::new(&jobs.all, known, (scheduler.jitter, scheduler.run_missed), now);
    announce(&jobs.all, &scheduler, now);
    tokio::spawn(keep(Arc::downgrade(server), plan, Arc::new(scheduler)));
}

fn announce(all: &[Job], scheduler: &Scheduler, now: Timestamp) {
    for job in all.iter().filter(|job| job.enabled) {
        let Some(schedule) = &job.schedule else { continue };
        let next = schedule.after(now).map(|at| at.to_string()).unwrap_or_default();
        tracing::info!(
            event = "job_scheduled",
            job = job.name,
            schedule = schedule.text(),
            next,
            repositories = scheduler.repositories.len()
        );
    }
}

async fn keep(server: Weak<Server>, mut plan: Plan, scheduler: Arc<Scheduler>) {
    let mut started: HashMap<&'static str, JoinHandle<()>> = HashMap::new();
    loop {
        let Some(server) = server.upgrade().filter(|server| !server.draining()) else { return };
        let now = SystemClock.now();
        let is_running = |job: &str| started.get(job).is_some_and(|run| !run.is_finished());
        let steps = plan.look(now, &is_running, &SystemRandom);
        // Before anything starts: a crash must not start it again.
        if let Some(automation) = &server.shared.automation
            && automation.jobs.board.mark(plan.marks())
        {
            let board = automation.jobs.board.clone();
            let _ = tokio::task::spawn_blocking(move || board.keep()).await;
        }
        for step in steps {
            if let Some(job) = told(&server, &step) {
                started.insert(job, tokio::spawn(everywhere(server.clone(), job, scheduler.clone())));
            }
        }
        let next = plan.next().map_or(LOOK, |next| {
            let millis = next.unix_millis().saturating_sub(now.unix_millis());
            Duration::from_millis(u64::try_from(millis).unwrap_or_default())
        });
        // Whoever sleeps must not keep the server from ending.
        drop(server);
        tokio::time::sleep(next.clamp(SHORTEST, LOOK)).await;
    }
}

/// Tell what there is to tell; the job that is to be started.
fn told(server: &Server, step: &Step) -> Option<&'static str> {
    match step {
        Step::Start { job, planned, late } => {
            tracing::info!(event = "job_started", job, planned = %planned, late);
            Some(job)
        }
        Step::Overlap { job, planned } => {
            tracing::warn!(event = "job_skipped", job, planned = %planned, "its run from before is still under way");
            server.shared.metrics.job_run(job, "skipped", 1);
            tell(server, "job_run_skipped", json!({"job": job, "planned": planned.to_string()}));
            None
        }
        Step::Missed(missed) => {
            let Missed { job, count, more, first, last } = missed;
            tracing::warn!(
                event = "job_runs_missed",
                job,
                count,
                more,
                first = %first,
                last = %last,
                "the server was down, or its clock jumped; AUTOMATION_SCHEDULER_RUN_MISSED says whether one is made up for"
            );
            server.shared.metrics.job_run(job, "missed", (*count).into());
            let detail = json!({
                "job": job, "count": count, "more": more, "first": first.to_string(), "last": last.to_string(),
            });
            tell(server, "job_runs_missed", detail);
            None
        }
        Step::ClockWentBack { job, from } => {
            tracing::warn!(event = "job_clock_went_back", job, from = %from, "its times from now on count again");
            tell(server, "job_clock_went_back", json!({"job": job, "from": from.to_string()}));
            None
        }
    }
}

/// Run a job in every repository of the scheduler, one after the other.
async fn everywhere(server: Arc<Server>, job: &'static str, scheduler: Arc<Scheduler>) {
    // The server does not end before it has said what became of this.
    let _pending = server.shared.pending.guard();
    for (owner, repo) in &scheduler.repositories {
        let order = Order {
            job: job.to_owned(),
            owner: owner.clone(),
            repo: repo.clone(),
            apply: Apply::WhereAllowed,
            request_id: None,
        };
        let outcome = patient(&server, By::Schedule, &order, None).await;
        let repository = format!("{owner}/{repo}");
        match outcome {
            Ended::NotBegun => {
                tracing::warn!(event = "job_run", job, repository, outcome = SHUTTING_DOWN);
                return;
            }
            Ended::Well(correlation_id) => {
                tracing::info!(event = "job_run", job, repository, correlation_id, outcome = "done");
            }
            Ended::Badly(reason) if reason == RUNNING => {
                tracing::warn!(event = "job_skipped", job, repository, "it is under way there");
                server.shared.metrics.job_run(job, "skipped", 1);
                let detail = json!({"job": job, "repository": cut(&repository, 256)});
                tell(&server, "job_run_skipped", detail);
            }
            Ended::Badly(reason) => {
                tracing::warn!(event = "job_run", job, repository, outcome = reason);
            }
        }
    }
}

/// What became of a run that nobody waits for.
pub(super) enum Ended {
    /// There is a report, on record under this id.
    Well(String),
    /// It was refused or failed, with this reason.
    Badly(String),
    /// The server ends.
    NotBegun,
}

/// One run, tried again while there is no room, or for a delivery while the job is under way there: what is run now has
/// not seen what was delivered. `turn` is the first one, where whoever calls has waited for it. What was refused for want of room is counted when it was tried for the last time.
pub(super) async fn patient(
    server: &Arc<Server>,
    by: By,
    order: &Order,
    mut turn: Option<OwnedMutexGuard<()>>,
) -> Ended {
    let Some(automation) = &server.shared.automation else { return Ended::NotBegun };
    let mut tried = 0_usize;
    loop {
        let held = match turn.take() {
            Some(turn) => turn,
            None => automation.jobs.line.clone().lock_owned().await,
        };
        if server.draining() {
            return Ended::NotBegun;
        }
        tried = tried.saturating_add(1);
        let not = match run(server, by, order.clone()).await {
            Ok(ran) => return Ended::Well(ran.correlation_id),
            Err(not) => not,
        };
        drop(held);
        let waits = not.is_passing() || (by == By::Webhook && not.reason == RUNNING);
        if waits && tried < ATTEMPTS {
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => continue,
                // It would hold up the end for nothing.
                () = server.until_draining() => return Ended::NotBegun,
            }
        }
        if waits && !not.counted {
            let place = format!("{}/{}", order.owner, order.repo);
            counted(&server.shared, &order.job, by.subject(), &place, "refused", Some(&not.reason));
        }
        return Ended::Badly(not.reason);
    }
}

fn tell(server: &Server, reason: &str, detail: Value) {
    let mut members = Map::new();
    members.insert("reason".into(), reason.into());
    members.insert("component".into(), cut(server.shared.in_force.guest().digest(), 16).into());
    members.insert("detail".into(), detail);
    server.shared.trail.push(Entry { event: Event::SecurityEvent, members });
}
