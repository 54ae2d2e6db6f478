//! What a run leaves: two lines on record that name who started it and what was asked of Gitea, and a report that is kept.

use aegis_tests::forge::Forge;
use aegis_tests::server::{Server, of_event, program};
use serde_json::{Value, json};

use super::{Place, SCAN};
use crate::audit;

/// How a run is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Schedule,
    Command,
    Webhook,
}

impl Way {
    /// What a line on record says of it. A delivery is the principal's own.
    fn on_record(self) -> Option<&'static str> {
        match self {
            Self::Schedule => Some("schedule"),
            Self::Command => Some("command"),
            Self::Webhook => None,
        }
    }

    /// What a report says of it.
    fn in_report(self) -> &'static str {
        self.on_record().unwrap_or("webhook")
    }
}

async fn jobs(server: &Server, arguments: &[&str]) -> Value {
    let audit = server.audit_path().display().to_string();
    let arguments = [&["jobs"], arguments, &["--json"]].concat();
    let (code, out, err) = program(&arguments, &[("AUDIT_LOG_PATH", &audit)]).await;
    assert_eq!(code, 0, "{arguments:?}: {err}");
    serde_json::from_str(&out).expect("JSON")
}

/// Run a job as the operator does: what the command prints.
pub async fn command(server: &Server, place: &Place, job: &str, apply: bool) -> Value {
    let repository = place.repository();
    let mut arguments = vec!["run", job, "--repo", &repository];
    arguments.extend(apply.then_some("--apply"));
    jobs(server, &arguments).await
}

/// The newest run of a job that was started in this way, once it has ended well: the report that is kept of it. `acts` is
/// whether the job may change something there.
pub async fn proved(server: &Server, place: &Place, job: &str, way: Way, acts: bool) -> Value {
    let how = format!("{} {job} by {way:?}, writes {acts}", place.version);
    let tool = format!("automation_{job}");
    let ours = |line: &Value| line["tool"] == tool && line["started_by"].as_str() == way.on_record();
    let is_over = |line: &Value| ours(line) && line["status"] != "pending";
    let lines = server.audit_when(|lines| lines.iter().any(is_over)).await;
    let told: Vec<&Value> =
        of_event(&lines, "tool_invocation").into_iter().filter(|line| ours(line)).collect();
    let [.., intent, outcome] = told.as_slice() else { panic!("{how}: {told:#?}") };
    let ticket = intent["ticket"].as_str().expect("a ticket");
    assert_eq!((&intent["status"], &outcome["status"]), (&json!("pending"), &json!("success")), "{how}");
    assert_eq!(outcome["ticket"], ticket, "{how}");
    assert!(told.iter().all(|line| line["principal"] == "automation"), "{how}: {told:#?}");
    let named = format!("{}/{}", intent["owner"], intent["repo"]).replace('"', "");
    assert_eq!(named, place.repository(), "{how}");
    let is_write = acts && job != SCAN;
    assert_eq!(intent["class"], if is_write { "write" } else { "read" }, "{how}");
    asked(place.forge.as_ref(), outcome, ticket, is_write, &how);
    if way != Way::Command {
        let ended = |line: &Value| line["event"] == "job_run" && line["correlation_id"] == ticket;
        assert_eq!(server.log_when(ended).await["outcome"], "done", "{how}");
    }
    let report = jobs(server, &["report", job, "--repo", &place.repository()]).await["report"].clone();
    assert_eq!((&report["correlation_id"], &report["job"]), (&json!(ticket), &json!(job)), "{how}: {report}");
    assert_eq!(
        (&report["started_by"], &report["repository"]),
        (&json!(way.in_report()), &json!(place.repository())),
        "{how}"
    );
    report
}

/// A run that may not write has only read; the sample has seen what is on record and no more.
fn asked(forge: Option<&Forge>, outcome: &Value, ticket: &str, is_write: bool, how: &str) {
    let calls = audit::calls(outcome);
    assert!(!calls.is_empty(), "{how}: {outcome}");
    assert!(is_write || calls.iter().all(|call| call["method"] == "GET"), "{how}: {calls:#?}");
    if let Some(forge) = forge {
        let seen = forge.requests().into_iter().filter(|seen| seen.x_request_id.as_deref() == Some(ticket));
        audit::agree(&calls, &seen.collect::<Vec<_>>());
    }
}
