//! `jobs list|run|report`: what the server's jobs do, running one now, and what one reported.
//!
//! A run may change things in Gitea, so that it was asked for is on record before it begins. What it may do is decided
//! where it is decided for everybody ([`crate::jobs::run`]).

use std::io::{self, Write};

use aegis_custody::Clock as _;
use serde_json::Value;

use super::record::{self, Stage};
use super::show::{clean, table};
use super::{Answer, Request};
use crate::jobs::{Apply, By, Order, Report, Row, run};
use crate::serve::Server;
use crate::shared::SystemClock;

/// Do what is asked about jobs; none where something else is asked.
pub(super) async fn answer(server: &std::sync::Arc<Server>, request: &Request, uid: u32) -> Option<Answer> {
    if *request == Request::JobsList {
        return Some(list(server));
    }
    if let Request::JobsReport { job, owner, repo } = request {
        return Some(report(server, job, &format!("{owner}/{repo}")));
    }
    let Request::JobsRun { job, owner, repo, apply } = request else { return None };
    let trail = &server.shared.trail;
    if let Some(entry) = record::entry(request, uid, Stage::Asked)
        && let Err(unavailable) = trail.append(entry).await
    {
        return Some(Answer::refused("audit_unavailable", format!("nothing was done: {unavailable}")));
    }
    tracing::info!(event = "operator", what = request.reason(), uid);
    let apply = if *apply { Apply::Yes } else { Apply::No };
    let order = Order { job: job.clone(), owner: owner.clone(), repo: repo.clone(), apply, request_id: None };
    let answer = match run(server, By::Command, order).await {
        Ok(ran) => Answer::JobRan { report: ran.report, correlation_id: ran.correlation_id },
        Err(not) => Answer::Refused { reason: not.reason, text: not.text },
    };
    if let Some(entry) = record::entry(request, uid, Stage::Answered(&answer)) {
        trail.push(entry);
    }
    Some(answer)
}

fn list(server: &Server) -> Answer {
    match &server.shared.automation {
        Some(automation) => Answer::Jobs {
            scheduler: automation.jobs.scheduler.is_some(),
            jobs: automation.jobs.rows(SystemClock.now()),
        },
        None => off(),
    }
}

fn off() -> Answer {
    let text =
        "automation is off on this server: set AUTOMATION_ENABLED=true and restart it (docs/automation.md)";
    Answer::refused("automation_disabled", text)
}

fn report(server: &Server, job: &str, repository: &str) -> Answer {
    let Some(automation) = &server.shared.automation else { return off() };
    match automation.jobs.board.report(job, repository) {
        Some(report) => Answer::JobReport { report },
        None => Answer::refused(
            "no_report",
            "no report of this job in this repository is kept: no delivery, schedule or command has run it to its end",
        ),
    }
}

/// For a person: what was reported, and when.
pub(super) fn show_report(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for line in report.text.lines() {
        writeln!(out, "{}", clean(line))?;
    }
    let Report { ended_at, started_by, correlation_id, .. } = report;
    writeln!(out, "Reported {}, by {}.", clean(ended_at), clean(started_by))?;
    writeln!(out, "On record as {}.", clean(correlation_id))
}

/// For a person.
pub(super) fn show_all(scheduler: bool, jobs: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let rows = jobs.iter().map(|job| {
        let last = job.last_run.as_ref();
        let ended = last.map_or_else(
            || "-".to_owned(),
            |last| {
                let why = last.reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                format!(
                    "{} {}{why} in {}, by {}",
                    last.ended_at, last.outcome, last.repository, last.started_by
                )
            },
        );
        let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let state = match (job.enabled, job.running.is_empty()) {
            (_, false) => "running",
            (true, true) => "on",
            (false, true) => "off",
        };
        [job.name.clone(), state.to_owned(), dash(&job.schedule), dash(&job.next_run), ended]
            .map(|text| clean(&text))
    });
    table(["JOB", "STATE", "SCHEDULE (UTC)", "NEXT RUN", "LAST RUN"], rows, out)?;
    if !scheduler && jobs.iter().any(|job| job.schedule.is_some()) {
        writeln!(out, "The scheduler is off (AUTOMATION_SCHEDULER_ENABLED): no job runs by itself.")?;
    }
    Ok(())
}

/// For a person: the report as the job tells it.
pub(super) fn show_run(report: &Value, correlation_id: &str, out: &mut dyn Write) -> io::Result<()> {
    let text = report.get("text").and_then(Value::as_str).unwrap_or_default();
    for line in text.lines() {
        writeln!(out, "{}", clean(line))?;
    }
    writeln!(out, "On record as {}.", clean(correlation_id))
}
