//! The dependency scan and the issue about it, by delivery and by name: what is found, what is written and how often, what
//! is not read, and what hostile files come to.

use std::collections::BTreeMap;

use aegis_tests::forge::{Blob, Fault, FaultKind, Node};
use aegis_tests::http::Answer;
use aegis_tests::server::Setup;
use serde_json::{Value, json};

use crate::automation::{DENIED, RUN, deliver_well, lines, on};
use crate::ground::Ground;

const SCAN: &str = "dependency_hygiene_scan";
const ISSUE: &str = "auto_issue_creation";
const SCAN_TOOL: &str = "automation_dependency_hygiene_scan";
const ISSUE_TOOL: &str = "automation_auto_issue_creation";
const BAD: &[(&str, &str)] = &[
    ("Cargo.toml", "[dependencies]\nany = \"*\"\n"),
    ("Dockerfile", "FROM node\n"),
    (".gitea/workflows/ci.yml", "jobs: {a: {steps: [{uses: actions/checkout@main}]}}\n"),
];

fn reporting(setup: Setup) -> Setup {
    on(setup).set("AUTOMATION_JOBS", "dependency_hygiene_scan,auto_issue_creation")
}

fn writing(setup: Setup) -> Setup {
    reporting(setup).writes("alice/new-name")
}

/// The newest commit of `alice/new-name` holds these files and no other.
fn commit(ground: &Ground, files: &[(&str, &str)]) {
    let nodes =
        |(path, text): &(&str, &str)| ((*path).to_owned(), Node::File(Blob::new(text.as_bytes().to_vec())));
    let files: BTreeMap<String, Node> = files.iter().map(nodes).collect();
    ground.forge.change(|world| {
        world.clock += 60;
        let time = world.clock;
        let repo = world.repos.iter_mut().find(|repo| repo.name == "new-name").expect("the sample has it");
        repo.git.commit("main", &files, ("Alice", "alice@example.test"), "Change", time);
    });
}

async fn run(ground: &Ground, job: &str, apply: bool) -> Answer {
    let asked = json!({"job": job, "owner": "alice", "repo": "new-name", "apply": apply});
    ground.post(RUN, &[], asked.to_string().as_bytes()).await
}

async fn ran(ground: &Ground, job: &str, apply: bool) -> Value {
    let answer = run(ground, job, apply).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["result"].clone()
}

fn push(branch: &str, mark: &str) -> Vec<u8> {
    let repository = json!({"name": "new-name", "default_branch": "main", "owner": {"login": "alice"}});
    json!({"ref": format!("refs/heads/{branch}"), "after": mark, "repository": repository})
        .to_string()
        .into_bytes()
}

/// Requests that change something, as `METHOD path`.
fn written(ground: &Ground) -> Vec<String> {
    let all = ground.forge.requests().into_iter().filter(|seen| seen.method != "GET");
    all.map(|seen| format!("{} {}", seen.method, seen.path)).collect()
}

/// Rules and places of the findings.
fn told(report: &Value) -> Vec<String> {
    let rows = report["findings"].as_array().expect("a list").iter();
    rows.map(|row| format!("{} {}", row["rule"].as_str().unwrap_or("?"), row["path"].as_str().unwrap_or("?")))
        .collect()
}

const FOUND: [&str; 4] = [
    "action_by_branch .gitea/workflows/ci.yml",
    "floating_image_tag Dockerfile",
    "wildcard_version Cargo.toml",
    "missing_lock_file Cargo.toml",
];

#[tokio::test]
async fn a_scan_by_name_reports_reads_alone_and_is_on_record() {
    let ground = Ground::with(reporting).await;
    commit(&ground, BAD);
    let answer = run(&ground, SCAN, false).await;
    let report = answer.json()["result"].clone();
    assert_eq!(
        (told(&report), &report["complete"]),
        (FOUND.map(str::to_owned).to_vec(), &json!(true)),
        "{report}"
    );
    let text = report["text"].as_str().unwrap_or_default();
    assert!(
        text.starts_with("alice/new-name: 4 findings (1 high) in 3 files.\n[high] action_by_branch"),
        "{text}"
    );
    assert!(report["findings"][0]["line"] == 1 && report["findings"][0]["advice"].is_string(), "{report}");
    let found = lines(&ground, &answer, 2).await;
    assert!(
        found.len() == 2
            && found.iter().all(|line| line["tool"] == SCAN_TOOL && line["principal"] == "automation")
    );
    let sent: Vec<&Value> = found[1]["calls"].as_array().expect("calls").iter().collect();
    assert!(sent.iter().any(|call| call.to_string().contains("archive")), "{sent:?}");
    assert_eq!((written(&ground), ground.forge.violations()), (Vec::new(), Vec::new()));
    let acting = run(&ground, SCAN, true).await;
    ground.refused(&acting, 400, DENIED, "job_changes_nothing").await;
}

#[tokio::test]
async fn one_issue_is_opened_brought_up_to_date_and_left_closed() {
    let ground = Ground::with(writing).await;
    commit(&ground, BAD);
    let plan = ran(&ground, ISSUE, false).await;
    assert_eq!((&plan["action"], plan.get("issue")), (&json!("open"), None), "{plan}");
    assert_eq!(written(&ground), [] as [&str; 0], "a report changes nothing");
    let opened = run(&ground, ISSUE, true).await;
    let result = opened.json()["result"].clone();
    assert_eq!((&result["action"], &result["not_applied"]), (&json!("open"), &json!([])), "{result}");
    let number = result["issue"]["number"].as_u64().expect("a number");
    let found = lines(&ground, &opened, 2).await;
    assert!(
        found.iter().all(|line| line["tool"] == ISSUE_TOOL && line["principal"] == "automation"),
        "{found:#?}"
    );
    let at = "/api/v1/repos/alice/new-name/issues".to_owned();
    let (post, patch) = (format!("POST {at}"), format!("PATCH {at}/{number}"));
    assert_eq!(written(&ground), [post.as_str()]);
    assert_eq!(ran(&ground, ISSUE, true).await["action"], "unchanged");
    // Less is found: the same issue says so.
    commit(&ground, &BAD[..2]);
    let updated = ran(&ground, ISSUE, true).await;
    assert_eq!((&updated["action"], &updated["issue"]["number"]), (&json!("update"), &json!(number)));
    assert_eq!(written(&ground), [post.as_str(), patch.as_str()]);
    let close = json!({"owner": "alice", "repo": "new-name", "issue_number": number, "state": "closed"});
    assert_eq!(ground.server.tool("update_issue", close).await.status, 200);
    assert_eq!(ran(&ground, ISSUE, true).await["action"], "left_closed");
    commit(&ground, BAD);
    let again = ran(&ground, ISSUE, true).await;
    assert_eq!((&again["action"], &again["issue"]["state"]), (&json!("reopen"), &json!("open")), "{again}");
    commit(&ground, &[("README.md", "x")]);
    assert_eq!(ran(&ground, ISSUE, true).await["title"], "Dependency hygiene: nothing left");
    assert_eq!(written(&ground).len(), 5, "{:?}", written(&ground));
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn the_mark_counts_in_issues_of_the_account_alone() {
    let ground = Ground::with(writing).await;
    commit(&ground, BAD);
    let first = ran(&ground, ISSUE, true).await["issue"]["number"].as_u64().expect("a number");
    ground.forge.change(|world| {
        let alice = world.account("alice").expect("the sample has her").id;
        let repo = world.repos.iter_mut().find(|repo| repo.name == "new-name").expect("the sample has it");
        let issue = repo.issues.iter_mut().find(|issue| issue.number == first).expect("it was opened");
        issue.poster = alice;
    });
    let second = ran(&ground, ISSUE, true).await;
    assert_eq!(second["action"], "open");
    assert_ne!(second["issue"]["number"], first);
}

#[tokio::test]
async fn a_push_to_the_default_branch_starts_both_jobs_and_no_other_delivery_does() {
    let ground = Ground::with(writing).await;
    commit(&ground, BAD);
    for (event, body) in [("push", push("feature", "1")), ("create", push("main", "2"))] {
        let answer = deliver_well(&ground, event, &format!("d-{event}"), &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(lines(&ground, &answer, 2).await.len(), 2, "the delivery is on record");
    }
    let answer = deliver_well(&ground, "push", "d-9", &push("main", "3")).await;
    assert_eq!(answer.status, 202);
    let found = lines(&ground, &answer, 6).await;
    let tools: Vec<&str> = found.iter().filter_map(|line| line["tool"].as_str()).collect();
    assert_eq!(
        tools,
        ["automation_webhook", "automation_webhook", SCAN_TOOL, SCAN_TOOL, ISSUE_TOOL, ISSUE_TOOL]
    );
    assert_eq!(written(&ground), ["POST /api/v1/repos/alice/new-name/issues"]);
    let soon = deliver_well(&ground, "push", "d-10", &push("main", "4")).await;
    assert_eq!(lines(&ground, &soon, 2).await.len(), 2, "not again at once");
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
    let told = ground.server.stop().await.log;
    assert_eq!(told.matches("4 findings (1 high) in 3 files").count(), 2, "{told}");
}

#[tokio::test]
async fn where_writes_are_off_a_push_reports_and_a_run_that_acts_is_refused() {
    let ground = Ground::with(reporting).await;
    commit(&ground, BAD);
    let answer = deliver_well(&ground, "push", "d-1", &push("main", "1")).await;
    let found = lines(&ground, &answer, 6).await;
    assert!(
        found.iter().all(|line| line["status"] == "pending" || line["status"] == "success"),
        "{found:#?}"
    );
    let refused = run(&ground, ISSUE, true).await;
    ground.refused(&refused, 403, DENIED, "write_mode_disabled").await;
    let elsewhere = Ground::with(|setup| reporting(setup).writes("alice/demo")).await;
    let answer = run(&elsewhere, ISSUE, true).await;
    elsewhere.refused(&answer, 403, DENIED, "repository_not_writable").await;
    elsewhere.assert_nothing_upstream();
    assert_eq!(written(&ground), [] as [&str; 0]);
}

#[tokio::test]
async fn each_job_is_the_policys_and_the_settings_to_allow() {
    let policy = "defaults: {read: allow, write: allow}\nrepositories:\n  alice/new-name:\n    tools: {deny: [automation_auto_issue_creation]}\n";
    let ground = Ground::with(|setup| writing(setup).policy(policy)).await;
    for apply in [false, true] {
        let answer = run(&ground, ISSUE, apply).await;
        ground.refused(&answer, 403, DENIED, "policy_denied").await;
    }
    ground.assert_nothing_upstream();
    assert_eq!(run(&ground, SCAN, false).await.status, 200);
    let off = Ground::with(|setup| on(setup).set("AUTOMATION_JOBS", "auto_issue_creation")).await;
    let answer = run(&off, SCAN, false).await;
    off.refused(&answer, 403, DENIED, "job_not_enabled").await;
    let by_default = Ground::with(on).await;
    let answer = run(&by_default, ISSUE, false).await;
    by_default.refused(&answer, 403, DENIED, "job_not_enabled").await;
    assert_eq!(run(&by_default, SCAN, false).await.status, 200);
}

#[tokio::test]
async fn what_the_policy_hides_is_in_no_report_no_issue_and_no_request() {
    let policy = "defaults: {read: allow, write: allow}\nrepositories:\n  alice/new-name:\n    paths: {deny: [\"Dockerfile\", \".gitea/**\"]}\n";
    let ground = Ground::with(|setup| writing(setup).policy(policy)).await;
    commit(&ground, BAD);
    ground.forge.every_fault(Fault::on("/archive/", FaultKind::Status(404)));
    let report = ran(&ground, ISSUE, true).await;
    assert_eq!(told(&report), ["wildcard_version Cargo.toml", "missing_lock_file Cargo.toml"]);
    assert_eq!(report["hidden_by_policy"], 2);
    let number = report["issue"]["number"].clone();
    let at = json!({"owner": "alice", "repo": "new-name", "issue_number": number});
    let issue = ground.server.tool("get_issue", at).await.text();
    for text in [report.to_string(), issue] {
        assert!(!text.contains("Dockerfile") && !text.contains(".gitea"), "{text}");
    }
    let asked = ground.forge.requests();
    let by_name: Vec<String> = asked
        .iter()
        .filter(|seen| seen.path.ends_with("/file-contents"))
        .map(|seen| seen.query.clone())
        .collect();
    assert!(!by_name.is_empty() && by_name.iter().all(|query| !query.contains("Dockerfile")), "{by_name:?}");
}

#[tokio::test]
async fn hostile_manifests_are_skipped_by_name_in_the_sandbox() {
    let ground = Ground::with(reporting).await;
    let tower = format!("{{\"dependencies\": {}", "{\"a\":".repeat(20_000));
    let toml = format!("a = {}", "[".repeat(39_000));
    let lock = format!("[[package]]\nname = \"{}\"\n", "x".repeat(900_000));
    let names: String = (0..70_000).map(|nth| format!("\"n{nth}\":0,")).collect();
    let npm = format!("{{\"lockfileVersion\":1,\"dependencies\":{{{names}\"z\":0}}}}");
    let bomb: String =
        (1..90).map(|nth| format!("a{nth}: &a{nth} [*a{0}, *a{0}, *a{0}]\n", nth - 1)).collect();
    let bomb = format!("a0: &a0 x\n{bomb}services: {{x: {{image: node}}}}\n");
    let flow = "[".repeat(900_000);
    let line = "x".repeat(10_000_000);
    let pom = format!("<project>{}", "<a>".repeat(100_000));
    commit(
        &ground,
        &[
            ("a/package.json", &tower),
            ("b/Cargo.toml", &toml),
            ("c/Cargo.lock", &lock),
            ("d/package-lock.json", &npm),
            ("d/package.json", "{\"dependencies\": {\"q\": \"1.0.0\"}}"),
            ("e/compose.yml", &bomb),
            ("f/pnpm-lock.yaml", &flow),
            ("g/requirements.txt", &line),
            ("h/pom.xml", &pom),
            ("i/Dockerfile", "FROM node\n"),
        ],
    );
    let report = ran(&ground, SCAN, false).await;
    assert_eq!(
        told(&report),
        ["floating_image_tag e/compose.yml", "floating_image_tag i/Dockerfile"],
        "{report}"
    );
    let rows = report["skipped"].as_array().expect("a list").iter();
    let skipped: Vec<&str> = rows.filter_map(|row| row["path"].as_str()?.split('/').next()).collect();
    assert_eq!(skipped, ["a", "b", "c", "f", "g", "h"], "{report}");
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn a_write_that_gitea_refuses_is_told_and_never_repeated() {
    let ground = Ground::with(writing).await;
    commit(&ground, BAD);
    ground.forge.every_fault(Fault::on("/user", FaultKind::Status(403)));
    let answer = run(&ground, ISSUE, true).await;
    assert!(answer.status >= 400, "who writes is not known: {}", answer.text());
    assert_eq!(written(&ground), [] as [&str; 0]);
    ground.forge.mend();
    ground.forge.change(|world| {
        let repo = world.repos.iter_mut().find(|repo| repo.name == "new-name").expect("the sample has it");
        repo.archived = true;
    });
    let answer = run(&ground, ISSUE, true).await;
    assert_eq!(answer.reason().as_deref(), Some("repository_archived"), "{}", answer.text());
    let found = lines(&ground, &answer, 2).await;
    assert_eq!(found[1]["reason"], "repository_archived", "{found:#?}");
    assert_eq!(written(&ground), [] as [&str; 0]);
}

#[tokio::test]
async fn pushes_to_several_repositories_at_once_all_end_with_their_issue() {
    let places = [("alice", "new-name"), ("alice", "demo"), ("acme", "site")];
    let listed = "alice/new-name,alice/demo,acme/site";
    let ground = Ground::with(|setup| reporting(setup).writes(listed)).await;
    let pushes = places.map(|(owner, name)| {
        let repository = json!({"name": name, "default_branch": "main", "owner": {"login": owner}});
        json!({"ref": "refs/heads/main", "after": name, "repository": repository}).to_string().into_bytes()
    });
    let [first, second, third] = &pushes;
    let answers = tokio::join!(
        deliver_well(&ground, "push", "d-1", first),
        deliver_well(&ground, "push", "d-2", second),
        deliver_well(&ground, "push", "d-3", third),
    );
    for answer in [answers.0, answers.1, answers.2] {
        assert_eq!(answer.status, 202);
        let found = lines(&ground, &answer, 6).await;
        let ended: Vec<&Value> = found.iter().filter(|line| line["status"] != "pending").collect();
        assert!(ended.iter().all(|line| line["status"] == "success"), "{found:#?}");
        assert!(ended.iter().any(|line| line["tool"] == ISSUE_TOOL), "{found:#?}");
    }
    assert_eq!(ground.forge.violations(), Vec::<String>::new());
}
