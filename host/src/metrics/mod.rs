//! What `/metrics` tells, in the text form of Prometheus (exposition format 0.0.4): what was counted and timed since the
//! start ([`Metrics`]), and what is read at the moment of asking ([`Gauges`]).
//!
//! Labels are names from lists and templates, never what a client sent, and their number is bounded all the same.
//! docs/observability.md has every name; a test holds the two together.

mod counts;
mod gauges;
mod histogram;
mod page;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use counts::Counts;
pub(crate) use gauges::{Cached, Gauges, GiteaGauges, Kept, Registry, Used};
pub(crate) use histogram::{REQUESTS, SYNCS, Timed};
use page::Page;

/// What was counted and timed since the start of the process.
pub(crate) struct Metrics {
    counted: Mutex<Counted>,
    requests: Timed<1>,
    calls: Timed<1>,
}

#[derive(Default)]
struct Counted {
    requests: Counts<3>,
    calls: Counts<2>,
    refusals: Counts<1>,
    reloads: Counts<1>,
    jobs: Counts<2>,
    own_secrets: Counts<1>,
    swaps: Counts<1>,
}

/// A method as a label.
pub(crate) fn name_of(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "HEAD" => "HEAD",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        _ => "other",
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut counted = Counted::default();
        // What should never happen begins at zero: nobody sees a counter rise that was not there before.
        for outcome in ["masked", "refused"] {
            counted.own_secrets.add([outcome], 0);
        }
        for outcome in ["done", "failed"] {
            counted.reloads.add([outcome], 0);
        }
        for outcome in ["done", "refused", "failed"] {
            counted.swaps.add([outcome], 0);
        }
        for reason in ["busy", "no_memory", "too_many_connections"] {
            counted.refusals.add([reason], 0);
        }
        Self { counted: Mutex::new(counted), requests: Timed::new(REQUESTS), calls: Timed::new(REQUESTS) }
    }
}

impl Metrics {
    /// One answered HTTP request; `path` is the route's template, and `took` the time until its head was there.
    pub(crate) fn http_request(&self, method: &http::Method, path: &str, status: u16, took: Duration) {
        self.counted().requests.add([name_of(method), path, &status.to_string()], 1);
        self.requests.observe([path], took);
    }

    /// One tool call.
    pub(crate) fn tool_call(&self, tool: &str, status: &str, took: Duration) {
        self.counted().calls.add([tool, status], 1);
        self.calls.observe([tool], took);
    }

    /// One request refused before a guest existed, by reason.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.counted().refusals.add([reason], 1);
    }

    /// The policy was read again (`done`) or could not be (`failed`).
    pub(crate) fn policy_reload(&self, outcome: &'static str) {
        self.counted().reloads.add([outcome], 1);
    }

    /// Runs of a job that came to this end.
    pub(crate) fn job_run(&self, job: &str, outcome: &'static str, by: u64) {
        self.counted().jobs.add([job, outcome], by);
    }

    /// A guest was put in force (`done`), was not (`refused`), or was given up for failing (`failed`).
    pub(crate) fn guest_swap(&self, outcome: &'static str) {
        self.counted().swaps.add([outcome], 1);
    }

    /// Secrets of this server that were starred out (`masked`), or kept a request from Gitea (`refused`).
    pub(crate) fn own_secrets(&self, outcome: &'static str, by: u64) {
        self.counted().own_secrets.add([outcome], by);
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text that `/metrics` answers.
    pub(crate) fn render(&self, gauges: &Gauges<'_>) -> String {
        let mut page = Page::default();
        self.write(&mut page);
        gauges.write(&mut page);
        page.text()
    }

    fn write(&self, page: &mut Page) {
        let counted = self.counted();
        let help = "Answered HTTP requests by method, route and status.";
        page.counts("aegis_http_requests_total", help, ["method", "path", "status"], &counted.requests);
        let help = "Tool calls by tool and status.";
        page.counts("aegis_tool_calls_total", help, ["tool", "status"], &counted.calls);
        let help = "Requests refused before or instead of a guest, by reason.";
        page.counts("aegis_host_refusals_total", help, ["reason"], &counted.refusals);
        let help = "Times that the policy was read again, by outcome.";
        page.counts("aegis_policy_reloads_total", help, ["outcome"], &counted.reloads);
        let help = "Runs of automation's jobs, by job and outcome.";
        page.counts("aegis_job_runs_total", help, ["job", "outcome"], &counted.jobs);
        let help =
            "Secrets of this server found on their way out, masked in answers or refused toward Gitea.";
        page.counts("aegis_own_secrets_total", help, ["outcome"], &counted.own_secrets);
        let help =
            "Guests that were put in force while serving (done), refused, or given up for failing (failed).";
        page.counts("aegis_guest_swaps_total", help, ["outcome"], &counted.swaps);
        drop(counted);
        let help = "Time until the head of an answer was there, in seconds, by route.";
        page.timed("aegis_http_request_duration_seconds", help, ["path"], &self.requests);
        let help = "Time spent in tool calls, in seconds.";
        page.timed("aegis_tool_duration_seconds", help, ["tool"], &self.calls);
    }
}
