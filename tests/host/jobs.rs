//! `aegis-mcp jobs`, and the scheduler: runs that no request starts take the same path as those that one does, are on
//! record with who started them, and reach nothing that the policy or the repository does not give.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::{Server, Setup, of_event, program};
use serde_json::{Value, json};

use crate::scene::{Scene, until};

pub const SECRET: &str = "a-webhook-secret-of-more-than-32-characters";
const JOB: &str = "stale_issue_detection";
const TOOL: &str = "automation_stale_issue_detection";
const ISSUES: &str = "/repos/alice/demo/issues";

pub fn on(setup: Setup) -> Setup {
    setup.set("AUTOMATION_ENABLED", "true").set("WEBHOOK_SECRET", SECRET)
}

/// With the scheduler, for these repositories, at a time that does not come while a test runs.
fn scheduled(setup: Setup, repositories: &str) -> Setup {
    on(setup)
        .set("AUTOMATION_SCHEDULER_ENABLED", "true")
        .set("AUTOMATION_REPOSITORIES", repositories)
        .set("AUTOMATION_SCHEDULE_STALE_ISSUE_DETECTION", "0 0 29 2 *")
        .set("AUTOMATION_SCHEDULER_JITTER_SECONDS", "0")
}

/// As a server that ran before 29 February of the year 2024 has left it.
fn ran_long_ago(scene: &Scene) {
    let kept = json!({"version": 1, "jobs": {JOB: {
        "scheduled": {"schedule": "0 0 29 2 *", "through": "2024-01-01T00:00:00.000Z"},
    }}});
    std::fs::create_dir_all(scene.audit.parent().expect("a folder")).expect("made");
    std::fs::write(format!("{}.jobs.json", scene.audit.display()), kept.to_string()).expect("written");
}

/// The command as the operator of this server runs it.
pub async fn jobs(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let audit = server.audit_path().display().to_string();
    program(&[&["jobs"], arguments].concat(), &[("AUDIT_LOG_PATH", &audit)]).await
}

async fn run(server: &Server, more: &[&str]) -> (i32, String, String) {
    jobs(server, &[&["run", JOB, "--repo", "alice/demo"], more].concat()).await
}

/// The job's row of `jobs list`.
async fn row(server: &Server) -> Value {
    let (code, out, err) = jobs(server, &["list", "--json"]).await;
    assert_eq!(code, 0, "{err}");
    let said: Value = serde_json::from_str(&out).expect("JSON");
    let rows = said["jobs"].as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|row| row["name"] == JOB).unwrap_or_else(|| panic!("{said}"))
}

async fn counted(server: &Server, outcome: &str) -> f64 {
    server.metric(&format!("aegis_job_runs_total{{job=\"{JOB}\",outcome=\"{outcome}\"}}")).await
}

/// All issues of a repository were last touched long ago.
fn aged(scene: &Scene, name: &str) {
    scene.forge.change(|world| {
        let repo = world.repos.iter_mut().find(|repo| repo.name == name).expect("the sample has it");
        repo.issues.iter_mut().for_each(|issue| issue.updated = 1_577_836_800);
    });
}

/// Lines of the job's calls: status, repository, who started it.
fn story(lines: &[Value]) -> Vec<(String, String, String)> {
    let ours = of_event(lines, "tool_invocation").into_iter().filter(|line| line["tool"] == TOOL);
    // The repository stands in the line of the intent; the ticket joins it with the outcome.
    let intents: Vec<&Value> = ours.clone().filter(|line| line["status"] == "pending").collect();
    ours.map(|line| {
        assert_eq!(line["principal"], "automation", "{line}");
        let intent = intents.iter().find(|intent| intent["ticket"] == line["ticket"]).expect("an intent");
        let word = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
        (word(line, "status"), word(intent, "repo"), word(line, "started_by"))
    })
    .collect()
}

fn line(status: &str, repo: &str, by: &str) -> (String, String, String) {
    (status.to_owned(), repo.to_owned(), by.to_owned())
}

/// Reasons of the security events, with their detail.
fn told(lines: &[Value], reason: &str) -> Vec<Value> {
    let found = of_event(lines, "security_event").into_iter().filter(|line| line["reason"] == reason);
    found.map(|line| line["detail"].clone()).collect()
}

#[tokio::test]
async fn an_operator_runs_a_job_and_sees_how_it_ended() {
    let scene = Scene::new().await;
    aged(&scene, "demo");
    let server = on(scene.setup()).start().await;
    let before = row(&server).await;
    assert_eq!(
        (&before["enabled"], &before["schedule"], &before["next_run"], &before["last_run"]),
        (&json!(true), &Value::Null, &Value::Null, &Value::Null)
    );
    let (code, out, err) = run(&server, &[]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("alice/demo: ") && out.contains("untouched for 30 days"), "{out}");
    assert!(err.contains("Running stale_issue_detection in alice/demo"), "{err}");
    let (code, out, _) = run(&server, &["--json"]).await;
    let said: Value = serde_json::from_str(&out).expect("JSON");
    assert!(code == 0 && said["report"]["stale"].as_array().is_some_and(|stale| !stale.is_empty()), "{said}");
    let after = row(&server).await;
    let last = &after["last_run"];
    assert_eq!(
        (&last["outcome"], &last["repository"], &last["started_by"]),
        (&json!("success"), &json!("alice/demo"), &json!("command"))
    );
    let (code, out, _) = jobs(&server, &["report", JOB, "--repo", "alice/demo", "--json"]).await;
    let kept: Value = serde_json::from_str(&out).expect("JSON");
    let kept = &kept["report"];
    assert_eq!((code, &kept["correlation_id"]), (0, &said["correlation_id"]), "{kept}");
    assert_eq!((&kept["started_by"], &kept["findings"][0]), (&json!("command"), &said["report"]["stale"][0]));
    let (code, _, err) = jobs(&server, &["report", JOB, "--repo", "alice/other"]).await;
    assert!(code == 1 && err.contains("no_report: "), "{code} {err}");
    let (_, table, _) = jobs(&server, &["list"]).await;
    assert!(table.contains("success in alice/demo, by command"), "{table}");
    assert!((counted(&server, "success").await - 2.0).abs() < 0.1);
    let seen = scene.forge.requests();
    assert!(!seen.is_empty() && seen.iter().all(|seen| seen.method == "GET"), "{seen:#?}");
    assert!(seen.iter().all(|seen| seen.user.as_deref() == Some("svc")));

    let stopped = server.stop().await;
    let [pending, success] = [line("pending", "demo", "command"), line("success", "demo", "command")];
    assert_eq!(story(&stopped.audit), [pending.clone(), success.clone(), pending, success]);
    let operator = told(&stopped.audit, "operator_ran_job");
    let stages: Vec<&str> = operator.iter().filter_map(|detail| detail["stage"].as_str()).collect();
    assert_eq!(stages, ["asked", "done", "asked", "done"], "{operator:#?}");
    assert!(
        operator.iter().all(|detail| detail["peer_uid"].is_u64() && detail["repository"] == "alice/demo")
    );
    assert_eq!(operator[3]["correlation_id"], said["correlation_id"]);
    assert_eq!(scene.verify().await.0, 0);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());

    assert!(stopped.log.contains("\"event\":\"job_report\""), "{}", stopped.log);
    let again = on(scene.setup()).start().await;
    let (code, out, _) = jobs(&again, &["report", JOB, "--repo", "alice/demo"]).await;
    assert!(code == 0 && out.contains("untouched for 30 days") && out.contains("by command."), "{out}");
    assert_eq!(row(&again).await["last_run"], *last, "it is known after a restart");
}

#[tokio::test]
async fn a_command_acts_only_where_it_is_told_to_and_may() {
    let scene = Scene::new().await;
    aged(&scene, "demo");
    let posts = || scene.forge.requests().iter().filter(|seen| seen.method == "POST").count();
    let reading = on(scene.setup()).start().await;
    let (code, _, err) = run(&reading, &["--apply"]).await;
    assert!(code == 1 && err.contains("write_mode_disabled: "), "{code} {err}");
    assert_eq!(posts(), 0);
    reading.stop().await;

    let server = on(scene.setup()).writes("alice/demo").start().await;
    let label = json!({"owner": "alice", "repo": "demo", "name": "stale", "color": "#cccccc"});
    assert_eq!(server.tool("create_label", label).await.status, 200);
    let made = posts();
    let (code, out, err) = run(&server, &[]).await;
    assert!(code == 0 && posts() == made, "without --apply it reports: {out}{err}");
    let (code, out, err) = run(&server, &["--apply"]).await;
    assert!(code == 0 && out.contains("8 marked in this run"), "{out}{err}");
    assert_eq!(posts(), made + 16, "a label and a comment for each");
    let audit = server.audit_path().display().to_string();
    assert_eq!(program(&["write", "off"], &[("AUDIT_LOG_PATH", &audit)]).await.0, 0);
    let (code, _, err) = run(&server, &["--apply"]).await;
    assert!(code == 1 && err.contains("write_mode_disabled"), "{err}");
    assert_eq!(posts(), made + 16);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_may_not_run_is_refused_to_the_operator_too() {
    let scene = Scene::new().await;
    let policy = format!("defaults: {{read: allow}}\ntools: {{deny: [{TOOL}]}}\n");
    let denied = on(scene.setup()).policy(&policy).start().await;
    let (code, out, err) = run(&denied, &[]).await;
    assert!(code == 1 && out.is_empty() && err.contains("policy_denied: "), "{code} {out} {err}");
    let last = row(&denied).await["last_run"].clone();
    assert_eq!((&last["outcome"], &last["reason"]), (&json!("refused"), &json!("policy_denied")));
    assert!((counted(&denied, "refused").await - 1.0).abs() < 0.1);
    let (code, _, err) = jobs(&denied, &["run", "make_coffee", "--repo", "alice/demo"]).await;
    assert!(code == 1 && err.contains("unknown_job: "), "{err}");
    let (code, _, err) = jobs(&denied, &["run", JOB, "--repo", "alice/*"]).await;
    assert!(code == 2 && err.contains("one repository"), "{err}");
    let (code, _, err) = jobs(&denied, &["run", JOB, "--repo", "a"]).await;
    assert!(code == 2 && err.contains("must be one repository, as owner/repo"), "{err}");
    let stopped = denied.stop().await;
    let refused = of_event(&stopped.audit, "access_denied");
    let reasons: Vec<(&Value, &Value)> =
        refused.iter().map(|line| (&line["reason"], &line["principal"])).collect();
    let (policy, unknown) = (json!("policy_denied"), json!("unknown_job"));
    assert_eq!(reasons, [(&policy, &json!("automation")), (&unknown, &json!("command"))], "{refused:#?}");
    assert_eq!(refused[0]["started_by"], "command");
    let causes: Vec<Value> =
        told(&stopped.audit, "operator_ran_job").iter().map(|of| of["cause"].clone()).collect();
    assert_eq!(causes, [Value::Null, policy, Value::Null, unknown]);

    let off = on(scene.setup()).set("AUTOMATION_JOBS", "none").start().await;
    let (code, _, err) = run(&off, &[]).await;
    assert!(code == 1 && err.contains("job_not_enabled: "), "{err}");
    assert_eq!(row(&off).await["enabled"], false);
    off.stop().await;
    let none = scene.setup().start().await;
    for arguments in [&["list"][..], &["run", JOB, "--repo", "alice/demo"]] {
        let (code, _, err) = jobs(&none, arguments).await;
        assert!(code == 1 && err.contains("automation_disabled: "), "{err}");
    }
    assert!(scene.forge.requests().is_empty(), "{:?}", scene.forge.requests());
}

#[tokio::test]
async fn where_no_server_runs_the_command_says_so() {
    let scene = Scene::new().await;
    let audit = scene.audit.display().to_string();
    for arguments in [&["jobs", "list"][..], &["jobs", "run", JOB, "--repo", "alice/demo"]] {
        let (code, out, err) = program(arguments, &[("AUDIT_LOG_PATH", &audit)]).await;
        assert!(code == 69 && out.is_empty(), "{code} {out}");
        assert!(err.contains("No server answers") && err.contains("aegis-mcp serve"), "{err}");
    }
}

#[tokio::test]
async fn a_run_that_is_cut_off_is_counted_once() {
    let scene = Scene::new().await;
    scene.forge.next_fault(Fault::on(ISSUES, FaultKind::Hold));
    let setup = on(scene.setup()).set("ANSWER_TIMEOUT_SECONDS", "1").set("TOTAL_TIMEOUT_SECONDS", "1");
    let server = setup.start().await;
    let (code, _, err) = run(&server, &[]).await;
    assert_eq!(code, 1, "{err}");
    until("it is counted", async || counted(&server, "aborted").await > 0.5).await;
    assert!(counted(&server, "refused").await < 0.5);
    assert_eq!(row(&server).await["last_run"]["outcome"], "aborted");
    scene.forge.release(1);
}

#[tokio::test]
async fn a_job_runs_once_at_a_time_in_one_repository() {
    let scene = Scene::new().await;
    ran_long_ago(&scene);
    scene.forge.next_fault(Fault::on(ISSUES, FaultKind::Hold));
    let setup = scheduled(scene.setup(), "alice/demo").set("AUTOMATION_SCHEDULER_RUN_MISSED", "true");
    let server = setup.start().await;
    scene.seen("GET", 1).await;
    assert_eq!(row(&server).await["running"], json!(["alice/demo"]));
    let (code, _, err) = run(&server, &[]).await;
    assert!(code == 1 && err.contains("job_running: "), "{err}");
    assert_eq!(scene.forge.requests().len(), 1, "nothing was asked for it");
    scene.forge.release(1);
    until("the run is over", async || row(&server).await["running"] == json!([])).await;
    let (code, _, err) = run(&server, &[]).await;
    assert_eq!(code, 0, "{err}");
}

#[tokio::test]
async fn what_was_missed_while_the_server_was_down_is_reported_once_and_not_run() {
    let scene = Scene::new().await;
    ran_long_ago(&scene);
    let server = scheduled(scene.setup(), "alice/demo").start().await;
    let lines = server.audit_when(|lines| !told(lines, "job_runs_missed").is_empty()).await;
    let missed = told(&lines, "job_runs_missed");
    assert_eq!(missed.len(), 1);
    assert_eq!((&missed[0]["job"], &missed[0]["first"]), (&json!(JOB), &json!("2024-02-29T00:00:00.000Z")));
    let count = missed[0]["count"].as_u64().expect("a number");
    assert!(count >= 1 && missed[0]["more"] == false, "{missed:?}");
    until("it is counted", async || counted(&server, "missed").await > 0.5).await;
    let listed = row(&server).await;
    assert!(listed["next_run"].as_str().is_some_and(|next| next.contains("-02-29T00:00:00")), "{listed}");
    assert_eq!(listed["last_run"], Value::Null);
    let stopped = server.stop().await;
    assert_eq!(story(&stopped.audit), []);
    assert!(stopped.log.contains("job_runs_missed"), "{}", stopped.log);
    assert!(scene.forge.requests().is_empty());
    let server = scheduled(scene.setup(), "alice/demo").start().await;
    let (code, _, err) = run(&server, &[]).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(told(&server.stop().await.audit, "job_runs_missed").len(), 1, "not again");
}

#[tokio::test]
async fn the_scheduler_acts_where_it_may_reports_elsewhere_and_stops_at_no_refusal() {
    let scene = Scene::new().await;
    ran_long_ago(&scene);
    ["demo", "site"].iter().for_each(|name| aged(&scene, name));
    scene.forge.change(|world| {
        let labels =
            |name: &str| world.repos.iter().find(|repo| repo.name == name).map(|repo| repo.labels.clone());
        let mut label =
            labels("demo").and_then(|labels| labels.first().cloned()).expect("the sample has one");
        (label.id, label.name) = (90_001, "stale".to_owned());
        let demo = world.repos.iter_mut().find(|repo| repo.name == "demo").expect("the sample has it");
        demo.labels.push(label);
    });
    let policy = format!(
        "defaults: {{read: allow, write: allow}}\nrepositories:\n  acme/vault:\n    tools: {{deny: [{TOOL}]}}\n"
    );
    let setup =
        scheduled(scene.setup(), "acme/vault,alice/demo,acme/site").writes("alice/demo").policy(&policy);
    let server = setup.set("AUTOMATION_SCHEDULER_RUN_MISSED", "true").start().await;
    let is_over =
        |lines: &[Value]| story(lines).iter().any(|(status, repo, _)| status == "success" && repo == "site");
    let lines = server.audit_when(is_over).await;
    let by = "schedule";
    assert_eq!(
        story(&lines),
        [
            line("pending", "demo", by),
            line("success", "demo", by),
            line("pending", "site", by),
            line("success", "site", by)
        ]
    );
    let classes: Vec<&str> =
        of_event(&lines, "tool_invocation").iter().filter_map(|of| of["class"].as_str()).collect();
    assert_eq!(classes, ["write", "read"], "it acts in the one, and reports in the other");
    let refused = of_event(&lines, "access_denied");
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!((&refused[0]["reason"], &refused[0]["started_by"]), (&json!("policy_denied"), &json!(by)));
    let sent = scene.forge.requests();
    let posts: Vec<_> = sent.iter().filter(|seen| seen.method == "POST").collect();
    assert_eq!(posts.len(), 16, "a label and a comment for each of eight");
    assert!(posts.iter().all(|seen| seen.path.starts_with("/api/v1/repos/alice/demo/")));
    assert!(sent.iter().all(|seen| !seen.path.contains("vault")), "{sent:#?}");
    until("both are counted", async || {
        counted(&server, "success").await > 1.5 && counted(&server, "refused").await > 0.5
    })
    .await;
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_scheduled_run_that_has_not_begun_when_the_server_ends_is_told_of() {
    let scene = Scene::new().await;
    ran_long_ago(&scene);
    scene.forge.next_fault(Fault::on(ISSUES, FaultKind::Hold));
    let setup = scheduled(scene.setup(), "alice/demo,acme/site");
    let server = setup.set("AUTOMATION_SCHEDULER_RUN_MISSED", "true").start().await;
    scene.seen("GET", 1).await;
    server.signal("TERM").await;
    server.log_when(|line| line["event"] == "draining").await;
    scene.forge.release(1);
    let stopped = server.wait().await;
    assert_eq!(stopped.code, 0);
    let log: Vec<Value> = stopped.log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let ends = log.iter().filter(|line| line["event"] == "job_run");
    let ends: Vec<_> = ends.map(|line| (&line["repository"], &line["outcome"])).collect();
    assert_eq!(
        ends,
        [(&json!("alice/demo"), &json!("done")), (&json!("acme/site"), &json!("shutting_down"))]
    );
    assert!(log.iter().any(|line| line["event"] == "stopped" && line["drained"] == true));
    assert!(scene.forge.requests().iter().all(|seen| !seen.path.contains("/site")));
}

#[tokio::test]
async fn a_scheduler_that_could_not_do_what_is_meant_does_not_start() {
    let scene = Scene::new().await;
    let whole = || scheduled(scene.setup(), "alice/demo");
    let schedule = "AUTOMATION_SCHEDULE_STALE_ISSUE_DETECTION";
    let many: Vec<String> = (0..101).map(|number| format!("alice/repo{number}")).collect();
    let table: [(Setup, &[&str]); 11] = [
        (whole().set(schedule, "61 3 * * 1"), &[schedule, "at character 1,", "field 1 (minute, `61`)"]),
        (whole().set(schedule, "0 3 * *"), &[schedule, "five fields", "it has 4"]),
        (whole().set(schedule, "0 3 * * 1 UTC"), &[schedule, "five fields"]),
        (whole().set(schedule, "0 3 30 2 *"), &[schedule, "never comes"]),
        (whole().unset(schedule), &["AUTOMATION_SCHEDULER_ENABLED", "no job has a schedule", schedule]),
        (whole().unset("AUTOMATION_REPOSITORIES"), &["AUTOMATION_REPOSITORIES", "is required"]),
        (whole().set("AUTOMATION_REPOSITORIES", "alice/*"), &["AUTOMATION_REPOSITORIES", "one by one"]),
        (
            whole().set("AUTOMATION_REPOSITORIES", &many.join(",")),
            &["AUTOMATION_REPOSITORIES", "at most 100"],
        ),
        (whole().set("AUTOMATION_JOBS", "none"), &[schedule, "a job that is off"]),
        (
            whole().set("AUTOMATION_ENABLED", "false"),
            &["AUTOMATION_SCHEDULER_ENABLED", "AUTOMATION_ENABLED=true"],
        ),
        (
            whole().set("MCP_API_KEYS", "schedule=aegis_key_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk"),
            &["`schedule`"],
        ),
    ];
    for (setup, says) in table {
        let (code, said) = setup.refused().await;
        assert_eq!(code, 64, "{said}");
        for text in says {
            assert!(said.contains(text), "{text:?} is not in: {said}");
        }
    }
    assert!(scene.forge.requests().is_empty() && !scene.audit.exists());
}
