//! What a run has reported: kept for the operator, and told in the log where nobody waits for it. Bounded in both; the record
//! has the requests, not what was found.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ports::telemetry::cut;

/// Most reports that are kept: for each job the newest in each repository.
pub(super) const MOST_REPORTS: usize = 128;
/// The longest text that is kept, in bytes.
const TEXT: usize = 8 << 10;
/// As many rows are kept and logged as fit into so many bytes of JSON.
const ROWS: usize = 4 << 10;
/// The longest headline, in bytes.
const HEADLINE: usize = 512;
/// Members of a report that hold what it found, in the order in which one is looked for.
const FOUND: [&str; 2] = ["findings", "stale"];

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// The job's name.
    pub(crate) job: String,
    /// Where, as owner/name.
    pub(crate) repository: String,
    /// When, as RFC 3339 in UTC.
    pub(crate) ended_at: String,
    /// `webhook`, `command` or `schedule`.
    pub(crate) started_by: String,
    /// Joins it with what is on record.
    pub(crate) correlation_id: String,
    /// For a person, from its beginning.
    pub(crate) text: String,
    /// What was found, as far as it fits.
    pub(crate) findings: Vec<Value>,
    /// How many more were found.
    pub(crate) more: usize,
}

impl Report {
    /// What the guest has said, bounded.
    pub(super) fn new(
        job: &str,
        repository: &str,
        started_by: &str,
        correlation_id: &str,
        said: &Value,
        ended_at: String,
    ) -> Self {
        let all = FOUND.iter().find_map(|name| said.get(*name).and_then(Value::as_array));
        let all = all.map(Vec::as_slice).unwrap_or_default();
        let mut room = ROWS;
        let mut findings = Vec::new();
        for row in all {
            let Some(left) = room.checked_sub(row.to_string().len()) else { break };
            room = left;
            findings.push(row.clone());
        }
        let text = said.get("text").and_then(Value::as_str).unwrap_or_default();
        Self {
            job: job.to_owned(),
            repository: cut(repository, super::LONGEST_NAME).to_owned(),
            ended_at,
            started_by: started_by.to_owned(),
            correlation_id: cut(correlation_id, 64).to_owned(),
            text: cut(text, TEXT).to_owned(),
            more: all.len().saturating_sub(findings.len()),
            findings,
        }
    }

    /// Whether it is what this job reported there.
    pub(super) fn is_of(&self, job: &str, repository: &str) -> bool {
        self.job == job && self.repository.eq_ignore_ascii_case(repository)
    }

    /// Tell it in the log.
    pub(super) fn log(&self) {
        let findings = serde_json::to_string(&self.findings).unwrap_or_default();
        tracing::info!(
            event = "job_report",
            job = self.job,
            repository = self.repository,
            started_by = self.started_by,
            correlation_id = self.correlation_id,
            headline = cut(self.text.lines().next().unwrap_or_default(), HEADLINE),
            findings,
            more = self.more
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_bounded_and_says_how_much_was_left_out() {
        let rows: Vec<Value> = (0..1_000).map(|number| json!({"rule": "x", "line": number})).collect();
        let said = json!({"text": "é".repeat(TEXT), "stale": rows});
        let report = Report::new("a", "acme/site", "webhook", "id", &said, String::new());
        assert!(report.text.len() <= TEXT && report.text.len() > TEXT - 4);
        assert!(
            !report.findings.is_empty() && serde_json::to_string(&report.findings).unwrap().len() < ROWS * 2
        );
        assert_eq!(report.findings.len() + report.more, 1_000);
        let nothing = Report::new("a", "acme/site", "webhook", "id", &json!({"text": 7}), String::new());
        assert_eq!((nothing.text.as_str(), nothing.findings.len(), nothing.more), ("", 0, 0));
    }
}
