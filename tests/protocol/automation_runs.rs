//! Runs that find no room or the same job under way: who is told so, what is tried again, and what becomes of a run that
//! waits when the server ends.

use std::time::Duration;

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::http::{Answer, send};
use aegis_tests::server::{KEY, OTHER_KEY};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::automation::{DENIED, ISSUES, RUN, deliver_well, lines, on, payload, stale};
use crate::ground::Ground;

const TOOL: &str = "automation_stale_issue_detection";
/// More than the server waits before it tries again.
const A_WHILE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_job_runs_once_at_a_time_in_a_repository_whoever_starts_it() {
    let ground = Ground::with(on).await;
    ground.forge.next_fault(Fault::on(ISSUES, FaultKind::Hold));
    let first = deliver_well(&ground, "issues", "d-1", &payload("opened", "x")).await;
    assert_eq!(first.status, 202);
    lines(&ground, &first, 3).await;
    let answer = ground.post(RUN, &[], &stale(false)).await;
    ground.refused(&answer, 409, DENIED, "job_running").await;
    ground.forge.release(1);
    lines(&ground, &first, 4).await;
    assert_eq!(ground.post(RUN, &[], &stale(false)).await.status, 200);
}

#[tokio::test]
async fn as_many_jobs_as_may_be_are_under_way_and_no_more() {
    let ground = Ground::with(on).await;
    ground.forge.every_fault(Fault::on("/issues", FaultKind::Hold));
    // As many repositories, since a job runs once at a time in each; that they are not there is seen when Gitea answers.
    let in_repo = |number: usize| {
        let asked =
            json!({"job": "stale_issue_detection", "owner": "alice", "repo": format!("demo{number}")});
        asked.to_string().into_bytes()
    };
    assert_eq!(deliver_well(&ground, "issues", "d-0", &payload("opened", "x")).await.status, 202);
    let key = format!("Bearer {OTHER_KEY}");
    let run = |number: usize, headers: Vec<(&'static str, String)>| {
        let (url, body) = (ground.server.url.clone(), in_repo(number));
        async move {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            aegis_tests::http::send(&url, "POST", RUN, &headers, &body).await
        }
    };
    let headers = vec![("content-type", "application/json".to_owned()), ("authorization", key)];
    let waiting: Vec<_> = (1..=7).map(|number| tokio::spawn(run(number, headers.clone()))).collect();
    ground
        .server
        .audit_when(|lines| lines.iter().filter(|line| line["status"] == "pending").count() >= 9)
        .await;
    let answer = ground.post(RUN, &[], &in_repo(8)).await;
    ground.refused(&answer, 503, DENIED, "automation_busy").await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    let late = payload("edited", "late");
    let answer = deliver_well(&ground, "issues", "d-9", &late).await;
    ground.refused(&answer, 503, DENIED, "automation_busy").await;
    ground.forge.mend();
    ground.forge.release(8);
    for one in waiting {
        assert_eq!(one.await.expect("it ran").expect("an answer").status, 404);
    }
    assert_eq!(deliver_well(&ground, "issues", "d-9", &late).await.status, 202, "it was not burnt");
}

/// A run by name that Gitea does not answer until it is released.
async fn begun(ground: &Ground) -> JoinHandle<Answer> {
    ground.forge.next_fault(Fault::on(ISSUES, FaultKind::Hold));
    let (url, body) = (ground.server.url.clone(), stale(false));
    let running = tokio::spawn(async move {
        let key = format!("Bearer {KEY}");
        let headers = [("content-type", "application/json"), ("authorization", key.as_str())];
        send(&url, "POST", RUN, &headers, &body).await.expect("an answer")
    });
    ground.server.audit_when(|lines| lines.iter().any(|line| line["tool"] == TOOL)).await;
    running
}

/// Tool, status and reason.
fn told(lines: &[Value]) -> Vec<String> {
    let word = |line: &Value, name: &str| line[name].as_str().unwrap_or("-").to_owned();
    lines.iter().map(|line| ["tool", "status", "reason"].map(|name| word(line, name)).join(" ")).collect()
}

/// What the log says of the ends of runs: repository and outcome.
fn ends(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ends = lines.filter(|line| line["event"] == "job_run");
    ends.map(|line| format!("{} {}", line["repository"], line["outcome"]).replace('"', "")).collect()
}

/// Whether the server ended with nothing left to wait for.
fn drained(log: &str) -> bool {
    log.lines().any(|line| line.contains("\"event\":\"stopped\"") && line.contains("\"drained\":true"))
}

#[tokio::test]
async fn a_delivered_run_that_finds_the_job_under_way_is_tried_again() {
    let ground = Ground::with(on).await;
    let running = begun(&ground).await;
    let answer = deliver_well(&ground, "issues", "d-1", &payload("opened", "x")).await;
    assert_eq!(answer.status, 202);
    let found = lines(&ground, &answer, 3).await;
    assert_eq!(
        told(&found),
        [
            "automation_webhook pending -".to_owned(),
            "automation_webhook success -".to_owned(),
            "- - job_running".to_owned()
        ],
        "{found:#?}"
    );
    ground.forge.release(1);
    assert_eq!(running.await.expect("it ran").status, 200);
    let ours = |line: &&Value| line["request_id"] == found[0]["request_id"] && line["tool"] == TOOL;
    let lines = ground.server.audit_within(A_WHILE, |lines| lines.iter().filter(ours).count() >= 2).await;
    let ran: Vec<Value> = lines.iter().filter(ours).cloned().collect();
    assert_eq!(told(&ran), [format!("{TOOL} pending -"), format!("{TOOL} success -")], "{ran:#?}");
    let counted = |outcome: &str| {
        format!("aegis_job_runs_total{{job=\"stale_issue_detection\",outcome=\"{outcome}\"}}")
    };
    let done = ground.server.metric(&counted("success")).await;
    let refused = ground.server.metric(&counted("refused")).await;
    assert!(done > 1.5 && refused < 0.5, "both came to their end, and none to nothing: {done} {refused}");
    ground.server.log_when(|line| line["event"] == "job_run" && line["outcome"] == "done").await;
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn a_delivered_run_that_waits_for_its_turn_when_the_server_ends_is_told_of() {
    let ground = Ground::with(on).await;
    ground.forge.next_fault(Fault::on(ISSUES, FaultKind::Hold));
    let first = deliver_well(&ground, "issues", "d-1", &payload("opened", "x")).await;
    lines(&ground, &first, 3).await;
    let elsewhere = json!({"name": "site", "full_name": "acme/site", "owner": {"login": "acme"}});
    let elsewhere = json!({"action": "opened", "repository": elsewhere}).to_string();
    let second = deliver_well(&ground, "issues", "d-2", elsewhere.as_bytes()).await;
    assert_eq!((first.status, second.status), (202, 202));
    let Ground { forge, server } = ground;
    server.signal("TERM").await;
    server.log_when(|line| line["event"] == "draining").await;
    forge.release(1);
    let stopped = server.wait().await;
    assert_eq!(stopped.code, 0);
    assert_eq!(ends(&stopped.log), ["alice/demo done", "acme/site shutting_down"], "{}", stopped.log);
    assert!(drained(&stopped.log), "{}", stopped.log);
    let begun: Vec<&Value> = stopped.audit.iter().filter(|line| line["tool"] == TOOL).collect();
    assert_eq!(begun.len(), 2, "the first alone is on record: {begun:#?}");
    assert!(forge.requests().iter().all(|seen| !seen.path.contains("/site")), "nothing was asked for it");
}

#[tokio::test]
async fn a_delivered_run_that_waits_to_be_tried_again_does_not_hold_up_the_end() {
    let ground = Ground::with(on).await;
    let running = begun(&ground).await;
    let answer = deliver_well(&ground, "issues", "d-1", &payload("opened", "x")).await;
    let found = lines(&ground, &answer, 3).await;
    assert_eq!(found[2]["reason"], "job_running", "{found:#?}");
    let Ground { forge, server } = ground;
    server.signal("TERM").await;
    server.log_when(|line| line["event"] == "draining").await;
    forge.release(1);
    assert_eq!(running.await.expect("it ran").status, 200);
    let stopped = server.wait().await;
    assert_eq!((stopped.code, ends(&stopped.log)), (0, vec!["alice/demo shutting_down".to_owned()]));
    assert!(drained(&stopped.log), "{}", stopped.log);
    assert_eq!(forge.violations(), [] as [String; 0]);
}
