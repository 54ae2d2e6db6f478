//! How the checks of a commit went.
//!
//! Gitea's own summary covers only the page that it comes with, and says "pending" where no check ever reported.
//! So all pages are read and summed up here.

use serde_json::Value;

use crate::access::Reader;
use crate::reply::Reply;
use crate::tools::args::{Page, Repo, Revision};
use crate::tools::kit::{Entry, Error, Key, Kind, ReadTool, Shape, read, tool};
use crate::tools::lookup;
use crate::tools::paging;

pub(super) const GET_COMMIT_STATUS: &dyn Entry = read::<GetCommitStatus>();

const STATUS: &str = "/repos/{owner}/{repo}/commits/{sha}/status";
/// Checks asked for at once, and so often at most: nobody has more, but nothing here is endless.
const AT_ONCE: u32 = 200;
const TIMES: u32 = 5;

tool! {
    /// Read how the checks of a commit went, the latest report of each, failures first. State none: nothing
    /// ever reported.
    "get_commit_status" ("Get commit status") => struct GetCommitStatus {
        repo: Repo,
        /// Commit id, branch or tag.
        sha: Revision,
    }
}

impl ReadTool for GetCommitStatus {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("commit", Kind::Text, "The commit, in full."),
        Key::own(
            "state",
            Kind::Text,
            "failure if a check failed, erred or warned; success if all succeeded or were skipped; none without \
             any report; unknown where not all could be read; else pending.",
        ),
        Key::own("statuses", Kind::Each(&REPORT), "The latest report of each check, failures first."),
        Key::own("total", Kind::Number, "How many checks reported."),
    ]);
    const READS: &'static [&'static str] = &[lookup::COMMITS, STATUS, paging::SETTINGS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let commit = lookup::commit(gitea, &self.repo, Some(&self.sha.0))?;
        let (mut reports, complete) = self.reports(gitea, &commit)?;
        let state = summary(&reports, complete);
        reports.sort_by_key(|report| rank(word(report)));
        let most = usize::try_from(gitea.config().max_tool_response_items).unwrap_or(usize::MAX);
        let total = reports.len();
        reports.truncate(most);
        let shown = reports.len();
        let reply = Reply::new()
            .with("commit", commit)
            .with("state", state)
            .with("statuses", REPORT.each(&reports))
            .with_some("total", if complete { Some(total) } else { None });
        if complete && shown == total {
            return Ok(reply);
        }
        let how = if complete {
            format!("{shown} of {total} reports are shown, failures first (MAX_TOOL_RESPONSE_ITEMS)")
        } else {
            format!("only the first {total} reports were read; the commit's page in Gitea shows all")
        };
        Ok(reply.with("truncated", true).with("truncated_how", how))
    }
}

impl GetCommitStatus {
    /// All reports, and whether these are all.
    fn reports(&self, gitea: &Reader<'_>, commit: &str) -> Result<(Vec<Value>, bool), Error> {
        let mut reports = Vec::new();
        for page in 1..=TIMES {
            let page = Page { page, limit: AT_ONCE };
            let call = || lookup::call(&self.repo, STATUS).segment(commit);
            let found = paging::rows_at(gitea, page, "/statuses", call)?;
            let more = found.has_next();
            reports.extend(found.rows);
            if !more {
                return Ok((reports, true));
            }
        }
        Ok((reports, false))
    }
}

fn word(report: &Value) -> &str {
    report.get("status").and_then(Value::as_str).unwrap_or_default()
}

/// Failures first, then what is open, then what is good.
fn rank(word: &str) -> u8 {
    match word {
        "failure" | "error" => 0,
        "warning" => 1,
        "success" => 3,
        "skipped" => 4,
        _ => 2,
    }
}

fn summary(reports: &[Value], complete: bool) -> &'static str {
    let ranks = || reports.iter().map(|report| rank(word(report)));
    if ranks().any(|rank| rank < 2) {
        "failure"
    } else if !complete {
        "unknown"
    } else if reports.is_empty() {
        "none"
    } else if ranks().all(|rank| rank > 2) {
        "success"
    } else {
        "pending"
    }
}

const REPORT: Shape = Shape(&[
    Key::pluck("context", "/context", Kind::Text, "Which check."),
    Key::pluck("status", "/status", Kind::Text, "success, failure, error, warning, pending or skipped."),
    Key::pluck("description", "/description", Kind::Text, "What it says."),
    Key::pluck("target_url", "/target_url", Kind::Text, "Its own page, as it says."),
    Key::pluck("creator", "/creator/login", Kind::Text, "Who reported."),
    Key::pluck("updated_at", "/updated_at", Kind::Time, "When it reported last."),
]);
