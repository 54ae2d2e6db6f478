//! Counters and their text form (Prometheus exposition format 0.0.4). Labels are bounded: a new label set
//! beyond the cap is counted under `other`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use crate::push::Told;

/// Most label sets of one metric.
const MAX_SERIES: usize = 2_000;

/// All metrics of the process.
#[derive(Default)]
pub(crate) struct Metrics {
    series: Mutex<Series>,
}

#[derive(Default)]
struct Series {
    requests: BTreeMap<[String; 3], u64>,
    calls: BTreeMap<[String; 2], u64>,
    durations: BTreeMap<[String; 1], (u64, u64)>,
    refusals: BTreeMap<[String; 1], u64>,
    reloads: BTreeMap<[String; 1], u64>,
    jobs: BTreeMap<[String; 2], u64>,
    own_secrets: BTreeMap<[String; 1], u64>,
    swaps: BTreeMap<[String; 1], u64>,
}

/// What is read at the moment of asking.
pub(crate) struct Gauges {
    pub(crate) instances: usize,
    pub(crate) memory_bytes: usize,
    pub(crate) audit_writable: bool,
    pub(crate) audit_lines: u64,
    /// Bytes that are free on the volume of the log, where that is known.
    pub(crate) audit_free: Option<u64>,
    /// Lines of the log that the last checkpoint covers.
    pub(crate) audit_signed: Option<u64>,
    /// Lines that the last one covers that AUDIT_ANCHOR_URL has taken; none without one.
    pub(crate) audit_anchored: Option<u64>,
    /// Who else gets lines of the audit log.
    pub(crate) pushed: Vec<Told>,
    pub(crate) gitea: GiteaGauges,
    /// Streams kept open now.
    pub(crate) streams: usize,
    /// Streams that have ended, by reason.
    pub(crate) streams_ended: Vec<(&'static str, u64)>,
    /// Digest of the policy in force.
    pub(crate) policy: String,
    /// Digest of the guest in force, and the number of its generation.
    pub(crate) guest: (String, u64),
    /// Whether changes may be sent to Gitea.
    pub(crate) writes: bool,
}

/// The way to Gitea at the moment of asking.
#[derive(Clone, Copy, Default)]
pub(crate) struct GiteaGauges {
    /// Whether it is left alone.
    pub(crate) left_alone: bool,
    /// Requests that were not sent for that.
    pub(crate) kept_back: u64,
    /// Reads that were sent again.
    pub(crate) repeated: u64,
}

impl Metrics {
    /// One answered HTTP request; `path` is the route's template.
    pub(crate) fn http_request(&self, method: &http::Method, path: &str, status: u16) {
        let method = match method.as_str() {
            known @ ("GET" | "POST" | "DELETE" | "OPTIONS" | "HEAD" | "PUT" | "PATCH") => known,
            _ => "other",
        };
        let labels = [method.to_owned(), path.to_owned(), status.to_string()];
        count(&mut self.lock().requests, labels, 1);
    }

    /// One tool call.
    pub(crate) fn tool_call(&self, tool: &str, status: &str, microseconds: u64) {
        let mut series = self.lock();
        count(&mut series.calls, [tool.to_owned(), status.to_owned()], 1);
        let entry = match bounded(&series.durations, [tool.to_owned()]) {
            Some(key) => series.durations.entry(key).or_default(),
            None => return,
        };
        entry.0 = entry.0.saturating_add(microseconds);
        entry.1 = entry.1.saturating_add(1);
    }

    /// One request refused before a guest existed, by reason.
    pub(crate) fn refused(&self, reason: &'static str) {
        count(&mut self.lock().refusals, [reason.to_owned()], 1);
    }

    /// The policy was read again (`done`) or could not be (`failed`).
    pub(crate) fn policy_reload(&self, outcome: &'static str) {
        count(&mut self.lock().reloads, [outcome.to_owned()], 1);
    }

    /// Runs of a job that came to this end.
    pub(crate) fn job_run(&self, job: &str, outcome: &'static str, by: u64) {
        count(&mut self.lock().jobs, [job.to_owned(), outcome.to_owned()], by);
    }

    /// A guest was put in force (`done`), was not (`refused`), or was given up for failing (`failed`).
    pub(crate) fn guest_swap(&self, outcome: &'static str) {
        count(&mut self.lock().swaps, [outcome.to_owned()], 1);
    }

    /// Secrets of this server that were starred out (`masked`), or kept a request from Gitea (`refused`).
    pub(crate) fn own_secrets(&self, outcome: &'static str, by: u64) {
        count(&mut self.lock().own_secrets, [outcome.to_owned()], by);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Series> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text that `/metrics` answers.
    pub(crate) fn render(&self, gauges: &Gauges) -> String {
        let series = self.lock();
        let mut text = String::with_capacity(4096);
        let t = &mut text;
        head(
            t,
            "aegis_http_requests_total",
            "counter",
            "Answered HTTP requests by method, route and status.",
        );
        lines(
            t,
            "aegis_http_requests_total",
            ["method", "path", "status"],
            series.requests.iter().map(|(k, v)| (k, v.to_string())),
        );
        head(t, "aegis_tool_calls_total", "counter", "Tool calls by tool and status.");
        lines(
            t,
            "aegis_tool_calls_total",
            ["tool", "status"],
            series.calls.iter().map(|(k, v)| (k, v.to_string())),
        );
        head(t, "aegis_tool_duration_seconds_sum", "counter", "Time spent in tool calls, in seconds.");
        lines(
            t,
            "aegis_tool_duration_seconds_sum",
            ["tool"],
            series.durations.iter().map(|(k, (sum, _))| (k, seconds(*sum))),
        );
        head(t, "aegis_tool_duration_seconds_count", "counter", "Tool calls that were timed.");
        lines(
            t,
            "aegis_tool_duration_seconds_count",
            ["tool"],
            series.durations.iter().map(|(k, (_, n))| (k, n.to_string())),
        );
        head(
            t,
            "aegis_host_refusals_total",
            "counter",
            "Requests refused before or instead of a guest, by reason.",
        );
        lines(
            t,
            "aegis_host_refusals_total",
            ["reason"],
            series.refusals.iter().map(|(k, v)| (k, v.to_string())),
        );
        head(t, "aegis_instances", "gauge", "Guest instances running now.");
        let _ = writeln!(t, "aegis_instances {}", gauges.instances);
        head(t, "aegis_instance_memory_bytes", "gauge", "Memory drawn on the budget of all instances.");
        let _ = writeln!(t, "aegis_instance_memory_bytes {}", gauges.memory_bytes);
        head(t, "aegis_audit_writable", "gauge", "1 when the audit trail can be written.");
        let _ = writeln!(t, "aegis_audit_writable {}", u8::from(gauges.audit_writable));
        head(t, "aegis_audit_lines_total", "counter", "Audit lines written since the start.");
        let _ = writeln!(t, "aegis_audit_lines_total {}", gauges.audit_lines);
        if let Some(free) = gauges.audit_free {
            head(t, "aegis_audit_free_bytes", "gauge", "Bytes that are free on the volume of the audit log.");
            let _ = writeln!(t, "aegis_audit_free_bytes {free}");
        }
        if let Some(lines) = gauges.audit_signed {
            head(t, "aegis_audit_signed_lines", "gauge", "Lines of the log that its last checkpoint covers.");
            let _ = writeln!(t, "aegis_audit_signed_lines {lines}");
        }
        if let Some(lines) = gauges.audit_anchored {
            let help = "Lines that the last checkpoint covers which AUDIT_ANCHOR_URL has taken.";
            head(t, "aegis_audit_anchored_lines", "gauge", help);
            let _ = writeln!(t, "aegis_audit_anchored_lines {lines}");
        }
        if !gauges.pushed.is_empty() {
            let help = "Audit lines that a receiver has taken.";
            head(t, "aegis_audit_pushed_lines_total", "counter", help);
            for told in &gauges.pushed {
                let _ = writeln!(
                    t,
                    "aegis_audit_pushed_lines_total{{receiver=\"{}\"}} {}",
                    told.name, told.taken
                );
            }
            let help = "Audit lines that a receiver will not get; they are in the log.";
            head(t, "aegis_audit_push_lost_lines_total", "counter", help);
            for told in &gauges.pushed {
                let _ = writeln!(
                    t,
                    "aegis_audit_push_lost_lines_total{{receiver=\"{}\"}} {}",
                    told.name, told.lost
                );
            }
        }
        head(t, "aegis_writes_on", "gauge", "1 while changes may be sent to Gitea.");
        let _ = writeln!(t, "aegis_writes_on {}", u8::from(gauges.writes));
        head(t, "aegis_policy_reloads_total", "counter", "Times that the policy was read again, by outcome.");
        let reloads = series.reloads.iter().map(|(k, v)| (k, v.to_string()));
        lines(t, "aegis_policy_reloads_total", ["outcome"], reloads);
        head(t, "aegis_job_runs_total", "counter", "Runs of automation's jobs, by job and outcome.");
        let runs = series.jobs.iter().map(|(k, v)| (k, v.to_string()));
        lines(t, "aegis_job_runs_total", ["job", "outcome"], runs);
        own_secrets(t, &series);
        gitea(t, gauges.gitea);
        streams(t, gauges);
        guest(t, &series, gauges);
        text
    }
}

fn own_secrets(t: &mut String, series: &Series) {
    head(
        t,
        "aegis_own_secrets_total",
        "counter",
        "Secrets of this server found on their way out, masked in answers or refused toward Gitea.",
    );
    let found = series.own_secrets.iter().map(|(k, v)| (k, v.to_string()));
    lines(t, "aegis_own_secrets_total", ["outcome"], found);
}

fn gitea(t: &mut String, gauges: GiteaGauges) {
    head(
        t,
        "aegis_gitea_left_alone",
        "gauge",
        "1 while Gitea is left alone, since it could not be connected to.",
    );
    let _ = writeln!(t, "aegis_gitea_left_alone {}", u8::from(gauges.left_alone));
    head(t, "aegis_gitea_kept_back_total", "counter", "Requests not sent while Gitea was left alone.");
    let _ = writeln!(t, "aegis_gitea_kept_back_total {}", gauges.kept_back);
    head(t, "aegis_gitea_repeated_total", "counter", "Reads sent to Gitea again after a failure in passing.");
    let _ = writeln!(t, "aegis_gitea_repeated_total {}", gauges.repeated);
}

fn streams(t: &mut String, gauges: &Gauges) {
    head(t, "aegis_streams", "gauge", "Streams kept open now.");
    let _ = writeln!(t, "aegis_streams {}", gauges.streams);
    head(t, "aegis_streams_ended_total", "counter", "Streams that have ended, by reason.");
    for (reason, count) in &gauges.streams_ended {
        let _ = writeln!(t, "aegis_streams_ended_total{{reason=\"{reason}\"}} {count}");
    }
    head(t, "aegis_policy_info", "gauge", "1, labelled with the SHA-256 of the policy in force.");
    let _ = writeln!(t, "aegis_policy_info{{digest=\"{}\"}} 1", gauges.policy);
}

fn guest(t: &mut String, series: &Series, gauges: &Gauges) {
    let (digest, generation) = &gauges.guest;
    head(t, "aegis_guest_info", "gauge", "1, labelled with the SHA-256 of the guest in force.");
    let _ = writeln!(t, "aegis_guest_info{{digest=\"{digest}\"}} 1");
    head(
        t,
        "aegis_guest_generation",
        "gauge",
        "How often a guest was put in force since the start, the first included.",
    );
    let _ = writeln!(t, "aegis_guest_generation {generation}");
    let help =
        "Guests that were put in force while serving (done), refused, or given up for failing (failed).";
    head(t, "aegis_guest_swaps_total", "counter", help);
    let swaps = series.swaps.iter().map(|(k, v)| (k, v.to_string()));
    lines(t, "aegis_guest_swaps_total", ["outcome"], swaps);
}

fn bounded<const N: usize, V>(map: &BTreeMap<[String; N], V>, key: [String; N]) -> Option<[String; N]> {
    if map.len() < MAX_SERIES || map.contains_key(&key) {
        return Some(key);
    }
    Some([const { String::new() }; N].map(|_| "other".to_owned()))
}

fn count<const N: usize>(map: &mut BTreeMap<[String; N], u64>, key: [String; N], by: u64) {
    if let Some(key) = bounded(map, key) {
        let value = map.entry(key).or_default();
        *value = value.saturating_add(by);
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn lines<'a, const N: usize>(
    text: &mut String,
    name: &str,
    labels: [&str; N],
    rows: impl Iterator<Item = (&'a [String; N], String)>,
) {
    for (values, value) in rows {
        let pairs: Vec<String> = labels
            .iter()
            .zip(values)
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        let _ = writeln!(text, "{name}{{{}}} {value}", pairs.join(","));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(microseconds: u64) -> String {
    format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauges() -> Gauges {
        Gauges {
            instances: 0,
            memory_bytes: 0,
            audit_writable: true,
            audit_lines: 0,
            audit_free: Some(9),
            audit_signed: Some(7),
            audit_anchored: None,
            pushed: vec![Told { name: "syslog", taken: 5, lost: 1, warning: None }],
            gitea: GiteaGauges { left_alone: true, kept_back: 3, repeated: 2 },
            streams: 2,
            streams_ended: vec![("stopping", 4)],
            writes: true,
            policy: "0a1b".to_owned(),
            guest: ("2c3d".to_owned(), 4),
        }
    }

    #[test]
    fn the_names_are_those_of_the_manual() {
        let metrics = Metrics::default();
        metrics.http_request(&http::Method::POST, "/mcp", 200);
        metrics.tool_call("get_issue", "success", 1_500_000);
        metrics.policy_reload("done");
        metrics.job_run("stale_issue_detection", "missed", 3);
        metrics.own_secrets("masked", 2);
        metrics.guest_swap("done");
        let text = metrics.render(&gauges());
        for line in [
            "aegis_http_requests_total{method=\"POST\",path=\"/mcp\",status=\"200\"} 1",
            "aegis_tool_calls_total{tool=\"get_issue\",status=\"success\"} 1",
            "aegis_tool_duration_seconds_sum{tool=\"get_issue\"} 1.500000",
            "aegis_tool_duration_seconds_count{tool=\"get_issue\"} 1",
            "aegis_gitea_left_alone 1",
            "aegis_gitea_kept_back_total 3",
            "aegis_gitea_repeated_total 2",
            "aegis_streams 2",
            "aegis_streams_ended_total{reason=\"stopping\"} 4",
            "aegis_policy_reloads_total{outcome=\"done\"} 1",
            "aegis_job_runs_total{job=\"stale_issue_detection\",outcome=\"missed\"} 3",
            "aegis_own_secrets_total{outcome=\"masked\"} 2",
            "aegis_audit_free_bytes 9",
            "aegis_audit_signed_lines 7",
            "aegis_audit_pushed_lines_total{receiver=\"syslog\"} 5",
            "aegis_audit_push_lost_lines_total{receiver=\"syslog\"} 1",
            "aegis_writes_on 1",
            "aegis_policy_info{digest=\"0a1b\"} 1",
            "aegis_guest_info{digest=\"2c3d\"} 1",
            "aegis_guest_generation 4",
            "aegis_guest_swaps_total{outcome=\"done\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} not in\n{text}");
        }
    }

    #[test]
    fn a_flood_of_names_does_not_grow_the_table() {
        let metrics = Metrics::default();
        for i in 0..MAX_SERIES * 2 {
            metrics.tool_call(&format!("tool{i}"), "success", 1);
        }
        assert!(metrics.lock().calls.len() <= MAX_SERIES + 1);
        assert!(metrics.render(&gauges()).contains("tool=\"other\",status=\"other\""));
    }
}
