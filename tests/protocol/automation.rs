//! The two doors of automation: when they are open, and jobs that somebody starts by name. What is delivered is in
//! `automation_webhook`, runs that find no room in `automation_runs`.

use aegis_tests::http::Answer;
use aegis_tests::server::{OTHER_KEY, Setup};
use ring::hmac;
use serde_json::{Value, json};

use crate::ground::{Ground, request_id};

pub const SECRET: &str = "a-webhook-secret-of-more-than-32-characters";
pub const WEBHOOK: &str = "/automation/webhook";
pub const RUN: &str = "/automation/jobs/run";
pub const ISSUES: &str = "/repos/alice/demo/issues";
pub const DENIED: &str = "access_denied";
pub const NOTED: &str = "security_event";

pub fn on(setup: Setup) -> Setup {
    setup.set("AUTOMATION_ENABLED", "true").set("WEBHOOK_SECRET", SECRET)
}

/// Writes too, in one repository.
fn writing(setup: Setup) -> Setup {
    on(setup).writes("alice/demo")
}

pub fn signature(body: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn payload(action: &str, title: &str) -> Vec<u8> {
    let repository = json!({"name": "demo", "full_name": "alice/demo", "owner": {"login": "alice"}});
    json!({"action": action, "issue": {"title": title}, "repository": repository}).to_string().into_bytes()
}

/// As Gitea delivers it.
pub async fn deliver(ground: &Ground, event: &str, delivery: &str, signature: &str, body: &[u8]) -> Answer {
    let headers = [
        ("content-type", "application/json"),
        ("x-gitea-event", event),
        ("x-gitea-delivery", delivery),
        ("x-gitea-signature", signature),
    ];
    ground.server.stranger("POST", WEBHOOK, &headers, body).await
}

pub async fn deliver_well(ground: &Ground, event: &str, delivery: &str, body: &[u8]) -> Answer {
    deliver(ground, event, delivery, &signature(body), body).await
}

pub fn stale(apply: bool) -> Vec<u8> {
    let asked = json!({"job": "stale_issue_detection", "owner": "alice", "repo": "demo", "apply": apply});
    asked.to_string().into_bytes()
}

/// All issues of the repository were last touched long ago, but for those that are named.
fn aged(ground: &Ground, fresh: &[u64]) {
    ground.forge.change(|world| {
        let demo = world.repos.iter_mut().find(|repo| repo.name == "demo").expect("the sample has it");
        for issue in demo.issues.iter_mut().filter(|issue| !fresh.contains(&issue.number)) {
            issue.updated = 1_600_000_000;
        }
    });
}

/// Event, tool, status and reason of the lines of one request, once there are so many.
pub async fn lines(ground: &Ground, answer: &Answer, count: usize) -> Vec<Value> {
    let id = request_id(answer);
    let of_request = |line: &&Value| line["request_id"] == id;
    let all = ground.server.audit_when(|lines| lines.iter().filter(of_request).count() >= count).await;
    all.into_iter().filter(|line| line["request_id"] == id).collect()
}

#[tokio::test]
async fn automation_that_is_off_says_so_at_both_doors() {
    let ground = Ground::new().await;
    for path in [WEBHOOK, RUN] {
        for method in ["POST", "GET", "DELETE"] {
            let known = ground.server.ask(method, path, &[], b"{}").await;
            ground.refused(&known, 403, DENIED, "automation_disabled").await;
        }
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn automation_without_a_secret_does_not_start() {
    let setup = || Setup::new("http://127.0.0.1:1", "token").set("AUTOMATION_ENABLED", "true");
    let named = format!("automation={OTHER_KEY}");
    for (setup, name) in [
        (setup(), "WEBHOOK_SECRET"),
        (setup().set("WEBHOOK_SECRET", ""), "WEBHOOK_SECRET"),
        (setup().set("WEBHOOK_SECRET", "short-secret-short-secret-shor"), "at least 32"),
        (setup().set("WEBHOOK_SECRET", SECRET).unset("GITEA_TOKEN"), "GITEA_TOKEN"),
        (setup().set("WEBHOOK_SECRET", SECRET).set("MCP_API_KEYS", &named), "MCP_API_KEYS"),
        (on(setup()).set("MCP_API_KEYS", &named.replace("automation", "WebHook")), "`webhook`"),
        (on(setup()).set("MCP_API_KEYS", &named.replace("automation", "AUTOMATION")), "`automation`"),
        (on(setup()).set("GITEA_TOKEN", SECRET), "is GITEA_TOKEN or a key"),
        (
            on(setup()).set("WEBHOOK_SECRET", OTHER_KEY).set("MCP_API_KEYS", OTHER_KEY),
            "is GITEA_TOKEN or a key",
        ),
        (on(setup()).set("AUTOMATION_JOBS", "none,stale_issue_detection"), "write none alone"),
        (on(setup()).set("AUTOMATION_JOBS", "stale_isue_detection"), "AUTOMATION_JOBS"),
        (on(setup()).set("AUTOMATION_STALE_DAYS", "0"), "AUTOMATION_STALE_DAYS"),
    ] {
        let (code, text) = setup.refused().await;
        assert_eq!(code, 64, "{text}");
        assert!(text.contains(name) && !text.contains("short-secret"), "{name}: {text}");
    }
}

#[tokio::test]
async fn a_job_that_only_reports_cannot_be_told_to_act() {
    let ground = Ground::with(writing).await;
    let scan = json!({"job": "dependency_hygiene_scan", "owner": "alice", "repo": "demo", "apply": true});
    let answer = ground.post(RUN, &[], scan.to_string().as_bytes()).await;
    ground.refused(&answer, 400, DENIED, "job_changes_nothing").await;
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn nobody_in_particular_starts_no_job() {
    let ground = Ground::with(|setup| on(setup).set("AUTH_ENABLED", "false").unset("MCP_API_KEYS")).await;
    let headers = [("content-type", "application/json")];
    let answer = ground.server.stranger("POST", RUN, &headers, &stale(false)).await;
    ground.refused(&answer, 403, DENIED, "automation_not_permitted").await;
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn the_policy_decides_on_deliveries_and_jobs_of_a_repository() {
    let policy =
        "defaults: {read: allow}\ntools: {deny: [automation_webhook, automation_stale_issue_detection]}\n";
    let ground = Ground::with(|setup| on(setup).policy(policy)).await;
    let answer = deliver_well(&ground, "issues", "d-1", &payload("opened", "x")).await;
    ground.refused(&answer, 403, DENIED, "policy_denied").await;
    let answer = ground.post(RUN, &[], &stale(false)).await;
    ground.refused(&answer, 403, DENIED, "policy_denied").await;
    let line = ground.only_line(&answer).await;
    assert_eq!((&line["principal"], &line["started_by"]), (&json!("automation"), &json!("laptop")));
    ground.assert_nothing_upstream();
    let unknown = on(Setup::new("http://127.0.0.1:1", "token")).policy("tools: {deny: [automation_stale]}\n");
    let (code, text) = unknown.refused().await;
    assert!(code == 64 && text.contains("automation_stale"), "a rule about no job protects nothing: {text}");
}

#[tokio::test]
async fn a_job_that_a_caller_starts_runs_as_automation_and_reports() {
    let ground = Ground::with(|setup| on(setup).set("AUTOMATION_STALE_DAYS", "1000")).await;
    aged(&ground, &[2, 3]);
    let answer = ground.post(RUN, &[], &stale(false)).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["success"]), (200, &json!(true)), "{said}");
    let rows = said["result"]["stale"].as_array().expect("a list");
    let stale = rows.len();
    assert!(stale > 20 && rows.iter().all(|row| row["number"] != 2 && row["number"] != 3), "{said}");
    let text = said["result"]["text"].as_str().unwrap_or_default();
    assert!(
        text.starts_with(&format!("alice/demo: {stale} open issues untouched for 1000 days.\n#")),
        "{text}"
    );
    let found = lines(&ground, &answer, 2).await;
    assert_eq!(found.len(), 2, "{found:#?}");
    for line in &found {
        assert_eq!(
            (&line["principal"], &line["started_by"]),
            (&json!("automation"), &json!("laptop")),
            "{line}"
        );
        assert_eq!(line["ticket"], said["correlation_id"]);
    }
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn who_starts_what_is_not_to_be_started_is_told_why() {
    let ground = Ground::with(on).await;
    let answer =
        ground.server.stranger("POST", RUN, &[("content-type", "application/json")], &stale(false)).await;
    ground.refused(&answer, 401, DENIED, "missing_credential").await;
    let answer = ground.server.ask("GET", RUN, &[], b"").await;
    ground.refused(&answer, 405, DENIED, "method_not_allowed").await;
    for body in ["[]", "{}", r#"{"job":"stale_issue_detection","owner":"alice"}"#] {
        let answer = ground.post(RUN, &[], body.as_bytes()).await;
        ground.refused(&answer, 400, DENIED, "malformed_body").await;
    }
    let unknown = br#"{"job":"automation_webhook","owner":"alice","repo":"demo"}"#;
    let answer = ground.post(RUN, &[], unknown).await;
    ground.refused(&answer, 404, DENIED, "unknown_job").await;
    let answer = ground.post(RUN, &[], &stale(true)).await;
    ground.refused(&answer, 403, DENIED, "write_mode_disabled").await;
    let answer = ground
        .server
        .tool("automation_stale_issue_detection", json!({"owner": "alice", "repo": "demo"}))
        .await;
    ground.refused(&answer, 404, DENIED, "unknown_tool").await;
    let off = Ground::with(|setup| on(setup).set("AUTOMATION_JOBS", "none")).await;
    let answer = off.post(RUN, &[], &stale(false)).await;
    off.refused(&answer, 403, DENIED, "job_not_enabled").await;
    ground.assert_nothing_upstream();
    off.assert_nothing_upstream();
}

#[tokio::test]
async fn with_writes_a_job_marks_what_it_finds_once() {
    let ground = Ground::with(writing).await;
    aged(&ground, &[]);
    let label = json!({"owner": "alice", "repo": "demo", "name": "stale", "color": "#cccccc"});
    assert_eq!(ground.server.tool("create_label", label).await.status, 200);
    let mut marked = Vec::new();
    for _ in 0..2 {
        let answer = ground.post(RUN, &[], &stale(true)).await;
        let said = answer.json();
        assert_eq!(answer.status, 200, "{said}");
        let numbers = said["result"]["marked"].as_array().expect("a list").iter();
        marked.extend(numbers.filter_map(|issue| issue["number"].as_u64()));
    }
    let mut once = marked.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!((marked.len(), once.len()), (16, 16), "eight in each run, none twice: {marked:?}");
    let at = json!({"owner": "alice", "repo": "demo", "issue_number": marked[0]});
    let comments = ground.server.tool("list_issue_comments", at).await.json();
    let last =
        comments["result"]["comments"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
    assert!(last["body"].as_str().is_some_and(|body| body.contains("30 days")), "{last}");
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}
