//! The two doors of automation: what Gitea's webhook delivers, and jobs that somebody starts.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::http::Answer;
use aegis_tests::server::{OTHER_KEY, Setup};
use ring::hmac;
use serde_json::{Value, json};

use crate::ground::{Ground, request_id};

pub const SECRET: &str = "a-webhook-secret-of-more-than-32-characters";
const WEBHOOK: &str = "/automation/webhook";
pub const RUN: &str = "/automation/jobs/run";
const ISSUES: &str = "/repos/alice/demo/issues";
pub const DENIED: &str = "access_denied";
const NOTED: &str = "security_event";

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

fn payload(action: &str, title: &str) -> Vec<u8> {
    let repository = json!({"name": "demo", "full_name": "alice/demo", "owner": {"login": "alice"}});
    json!({"action": action, "issue": {"title": title}, "repository": repository}).to_string().into_bytes()
}

/// As Gitea delivers it.
async fn deliver(ground: &Ground, event: &str, delivery: &str, signature: &str, body: &[u8]) -> Answer {
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

fn stale(apply: bool) -> Vec<u8> {
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
async fn a_delivery_that_gitea_did_not_sign_is_refused_unread() {
    let ground = Ground::with(on).await;
    let body = payload("opened", "x");
    let good = signature(&body);
    for wrong in [
        good[..63].to_owned(),
        good.to_uppercase(),
        format!("sha256={good}"),
        format!("{good}00"),
        signature(b"{}"),
        "0".repeat(64),
    ] {
        let answer = deliver(&ground, "issues", "d-1", &wrong, &body).await;
        ground.refused(&answer, 401, NOTED, "webhook_forged").await;
        assert!(answer.header("www-authenticate").is_some_and(|text| text.contains("X-Gitea-Signature")));
    }
    // Whoever has not the secret learns nothing but that, whatever else is wrong.
    for headers in
        [&[("x-gitea-signature", "0")][..], &[("content-type", "text/plain"), ("x-gitea-signature", "0")]]
    {
        let answer = ground.server.stranger("POST", WEBHOOK, headers, &body).await;
        ground.refused(&answer, 401, NOTED, "webhook_forged").await;
    }
    // What is forged is not read, however broken it is.
    let answer = deliver(&ground, "issues", "d-1", &"0".repeat(64), b"\xff{").await;
    ground.refused(&answer, 401, NOTED, "webhook_forged").await;
    let answer = deliver(&ground, "issues", "d-1", "", &body).await;
    ground.refused(&answer, 401, NOTED, "webhook_unsigned").await;
    let headers = [("content-type", "application/json"), ("x-gitea-event", "issues")];
    let answer = ground.server.ask("POST", WEBHOOK, &headers, &body).await;
    // A key is no signature.
    ground.refused(&answer, 401, NOTED, "webhook_unsigned").await;
    assert_eq!(
        deliver(&ground, "push", "d-1", &good, &body).await.status,
        202,
        "nothing of it was remembered"
    );
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_delivery_is_taken_once_by_its_bytes_and_by_its_name() {
    let ground = Ground::with(on).await;
    let (first, second) = (payload("edited", "x"), payload("edited", "y"));
    assert_eq!(deliver_well(&ground, "issues", "d-1", &first).await.status, 202);
    for (delivery, body) in [("d-1", &first), ("d-2", &first), ("d-1", &second)] {
        let answer = deliver_well(&ground, "issues", delivery, body).await;
        ground.refused(&answer, 409, NOTED, "webhook_replayed").await;
    }
    assert_eq!(deliver_well(&ground, "issues", "d-2", &second).await.status, 202);
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_delivery_that_was_refused_may_come_again() {
    let ground = Ground::with(|setup| on(setup).set("TOKEN_RATE_LIMIT_PER_MINUTE", "1")).await;
    let body = payload("edited", "x");
    assert_eq!(deliver_well(&ground, "issues", "d-0", &payload("edited", "w")).await.status, 202);
    for _ in 0..2 {
        let answer = deliver_well(&ground, "issues", "d-1", &body).await;
        ground.refused(&answer, 429, DENIED, "rate_limited").await;
    }
    ground.assert_nothing_upstream();
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
async fn a_delivery_is_json_about_a_repository() {
    let ground = Ground::with(on).await;
    let body = payload("opened", "x");
    let signed = signature(&body);
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-gitea-event", "issues"),
        ("x-gitea-delivery", "d-1"),
        ("x-gitea-signature", signed.as_str()),
    ];
    let answer = ground.server.stranger("POST", WEBHOOK, &form, &body).await;
    ground.refused(&answer, 415, DENIED, "unsupported_media_type").await;
    for (event, delivery) in [("", "d-1"), ("issues", ""), ("is sues", "d-1"), ("issues", "d/1")] {
        let answer = deliver(&ground, event, delivery, &signed, &body).await;
        ground.refused(&answer, 400, DENIED, "webhook_malformed").await;
    }
    for (number, body) in ["{", "[]", "{}", r#"{"a":1,"a":2}"#].into_iter().enumerate() {
        let answer = deliver_well(&ground, "issues", &format!("d-{number}"), body.as_bytes()).await;
        ground.refused(&answer, 400, DENIED, "webhook_malformed").await;
    }
    let evil = json!({"repository": {"name": "demo", "owner": {"login": "../alice"}}}).to_string();
    let answer = deliver_well(&ground, "issues", "d-9", evil.as_bytes()).await;
    ground.refused(&answer, 400, DENIED, "invalid_arguments").await;
    let answer = ground.server.stranger("GET", WEBHOOK, &[], b"").await;
    ground.refused(&answer, 405, DENIED, "method_not_allowed").await;
    assert_eq!(answer.header("allow"), Some("POST"));
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_delivery_is_answered_before_it_is_worked_on_and_both_are_on_record() {
    let ground = Ground::with(on).await;
    ground.forge.next_fault(Fault::on(ISSUES, FaultKind::Hold));
    let answer = deliver_well(&ground, "issues", "d-1", &payload("opened", "x")).await;
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (202, b"".as_slice()),
        "Gitea still holds its answer"
    );
    ground.forge.release(1);
    let found = lines(&ground, &answer, 4).await;
    let told: Vec<(&Value, &Value)> = found.iter().map(|line| (&line["tool"], &line["status"])).collect();
    let (webhook, job) = (json!("automation_webhook"), json!("automation_stale_issue_detection"));
    let (pending, success) = (json!("pending"), json!("success"));
    assert_eq!(told, [(&webhook, &pending), (&webhook, &success), (&job, &pending), (&job, &success)]);
    assert!(found.iter().all(|line| line["principal"] == "automation" && line.get("started_by").is_none()));
    assert_eq!((&found[0]["arguments"]["event"], &found[0]["repo"]), (&json!("issues"), &json!("demo")));
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
    let asked = ground.forge.requests();
    assert!(
        asked.iter().all(|seen| seen.method == "GET" && seen.user.as_deref() == Some("svc")),
        "{asked:#?}"
    );
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
