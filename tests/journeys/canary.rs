//! Two secrets and a hostile character stand in every free text that the sample Gitea returns. No output of the
//! product may hold them, nor any key: not an answer, not an event, not a metric, not a line of a log.

use aegis_tests::forge::world::{ALICE_TOKEN, World};
use aegis_tests::forge::{BIDI, CANARY, CANARY_TOKEN, Fault, FaultKind, Options, Version};
use aegis_tests::server::{KEY, OTHER_KEY, program};
use serde_json::{Value, json};

use crate::place::{Who, everything_writable, forge};
use crate::stand::Stand;
use crate::wire::WIRES;

/// Everything that the journeys call, good and bad.
fn calls(stand: &Stand) -> Vec<(&'static str, Value)> {
    let demo = |more| stand.at("alice/demo", more);
    let mut calls = vec![
        ("list_repositories", json!({})),
        ("get_repository_info", demo(json!({}))),
        ("get_repository_info", stand.at("alice/old-name", json!({}))),
        ("get_repository_info", stand.at("mallory/secret", json!({}))),
        ("get_file_tree", demo(json!({ "recursive": true }))),
        ("get_file_tree", demo(json!({ "ref": "no-such" }))),
        ("get_file_tree", stand.at("alice/empty", json!({}))),
        ("list_issues", demo(json!({ "state": "all", "limit": 50 }))),
        ("list_issues", demo(json!({ "labels": ["bgu"] }))),
        ("list_issues", stand.at("acme/site", json!({ "labels": ["org-wide"] }))),
        ("get_issue", demo(json!({ "issue_number": 5 }))),
        ("get_issue", demo(json!({ "issue_number": 36 }))),
        ("get_issue", demo(json!({ "issue_number": 500 }))),
        ("create_issue", demo(json!({ "title": "t", "milestone": "no such" }))),
        ("create_issue", demo(json!({ "title": "t", "assignees": ["nobody-here"] }))),
        (
            "create_issue",
            demo(json!({ "title": format!("t {CANARY}"), "body": format!("{CANARY_TOKEN} {BIDI}") })),
        ),
        ("create_issue", stand.at("alice/archived", json!({ "title": "t" }))),
        ("create_issue_comment", demo(json!({ "issue_number": 5, "body": format!("c {CANARY} {KEY}") }))),
        ("create_issue_comment", demo(json!({ "issue_number": 36, "body": "c" }))),
        // What a client itself sends must not come back either, whatever is wrong with it.
        ("get_issue", demo(json!({ "issue_number": CANARY }))),
        ("get_issue", demo(json!({ CANARY_TOKEN: 1, "issue_number": 1 }))),
        ("search_code", demo(json!({ "query": CANARY }))),
        ("list_issues", demo(json!({ "labels": [format!("{CANARY}{BIDI}")] }))),
        ("get_file_contents", demo(json!({ "filepath": "README.md", "ref": CANARY }))),
        ("get_file_contents", stand.at("alice/demo", json!({ "filepath": format!("docs/{CANARY_TOKEN}") }))),
        ("get_repository_info", json!({ "owner": "alice", "repo": CANARY })),
    ];
    let paths = [
        "README.md",
        "src/main.rs",
        "src/secrets/key.pem",
        "docs/übersicht.md",
        "bin/logo.png",
        "empty.txt",
        "config.env",
        "link-to-secret",
        "model.lfs",
        "vendored",
        "assets/large.txt",
        "assets/huge.bin",
        ".gitmodules",
        "src",
        "none",
    ];
    calls.extend(paths.map(|path| ("get_file_contents", demo(json!({ "filepath": path })))));
    calls
}

/// Files whose every piece that a report repeats holds a seed. The sample puts one in front of their names too, so only
/// what is known by its ending is known for a manifest.
fn manifests() -> [(&'static str, String); 2] {
    let image = format!("FROM {CANARY}/{CANARY_TOKEN}{BIDI}:latest\nFROM node\n");
    let step = format!("{{uses: \"{CANARY}{BIDI}/{CANARY_TOKEN}@main\"}}");
    let flow = format!("on: push\njobs: {{a: {{runs-on: none, steps: [{step}, {{uses: a/b@main}}]}}}}\n");
    [("web.Dockerfile", image), (".gitea/workflows/ci.yml", flow)]
}

/// Search through the archive and, where there is none, through files by name; both really look.
async fn searches(stand: &Stand, blocked: bool) {
    let forge = stand.forge.as_ref().expect("a forge");
    for query in ["seeded", "SEEDED"] {
        for wire in WIRES {
            let asked = stand.at("alice/demo", json!({ "query": query }));
            let said = stand.say(wire, "search_code", &asked).await;
            let found = said.result.unwrap_or_else(|| panic!("{query}: {}", said.message));
            assert!(found["files_searched"].as_u64().is_some_and(|files| files >= 10), "{found}");
            // Where texts are blocked, no line of a file with a secret in it is told.
            let told = found["matches"].as_array().map_or(0, Vec::len);
            assert!(if blocked { told == 0 } else { told >= 8 }, "{found}");
        }
        forge.every_fault(Fault::on("/archive/", FaultKind::Status(404)));
    }
    forge.mend();
}

/// Every job by name and by command, reporting and acting. What was answered and printed, and what is kept of it.
async fn jobs(stand: &Stand, blocked: bool) -> Vec<(&'static str, String)> {
    let forge = stand.forge.as_ref().expect("a forge");
    let files = manifests();
    forge.push("alice/private", &files.each_ref().map(|(path, text)| (*path, text.as_str())));
    let old = |world: &mut World| {
        let at = world.repos.iter().position(|repo| world.full_name(repo) == "alice/private");
        world.repos[at.expect("the sample has it")].issues.iter_mut().for_each(|issue| issue.updated = 1);
    };
    let label = stand.at("alice/private", json!({ "name": "stale", "color": "#cccccc" }));
    assert!(stand.say(WIRES[0], "create_label", &label).await.result.is_some());
    let audit = stand.server.audit_path().display().to_string();
    let mut told = Vec::new();
    for (job, found) in [
        ("stale_issue_detection", "Private plan"),
        ("dependency_hygiene_scan", ""),
        ("auto_issue_creation", ""),
    ] {
        for apply in [json!(false), json!("where_allowed")] {
            forge.change(old);
            let asked = stand.at("alice/private", json!({ "job": job, "apply": apply })).to_string();
            let kind = [("content-type", "application/json")];
            let answer = stand.server.ask("POST", "/automation/jobs/run", &kind, asked.as_bytes()).await;
            let result = answer.json()["result"].clone();
            let rows = result["findings"].as_array().or(result["stale"].as_array()).map_or(0, Vec::len);
            assert!(answer.status == 200 && rows >= if found.is_empty() { 4 } else { 1 }, "{job}: {result}");
            let told_of = |text: &str| text.contains(if blocked { "[blocked: " } else { found });
            assert!(result["text"].as_str().is_some_and(told_of), "{job}: {result}");
            told.push(("a job's answer", answer.text()));
        }
        forge.change(old);
        let arguments = ["jobs", "run", job, "--repo", "alice/private"];
        let (code, out, err) = program(&arguments, &[("AUDIT_LOG_PATH", &audit)]).await;
        assert_eq!(code, 0, "{err}");
        told.extend([("a printed report", out), ("what is printed beside it", err)]);
        let arguments = ["jobs", "report", job, "--repo", "alice/private"];
        let (code, out, err) = program(&arguments, &[("AUDIT_LOG_PATH", &audit)]).await;
        assert_eq!(code, 0, "{err}");
        told.push(("a kept report", out));
    }
    let mut written = String::new();
    forge.change(|world| {
        let at = world.repos.iter().position(|repo| world.full_name(repo) == "alice/private");
        let issues = &world.repos[at.expect("the sample has it")].issues;
        let ours = issues.iter().find(|issue| issue.body.contains("<!-- aegis: auto_issue_creation"));
        written.clone_from(&ours.expect("an issue about the findings").body);
    });
    assert!(!written.contains(CANARY), "masked in every mode: {written}");
    told.push(("the issue about findings", written));
    told
}

async fn nothing_leaks(version: Version, mode: &str, secrets: &[&str]) {
    let options = Options { canary: true, version, ..Options::default() };
    let dress = |setup| {
        everything_writable(setup)
            .set("SECRET_DETECTION_MODE", mode)
            .set("LOG_LEVEL", "DEBUG")
            .set("AUTOMATION_ENABLED", "true")
            .set("WEBHOOK_SECRET", "a-webhook-secret-of-more-than-32-characters")
            .set("AUTOMATION_JOBS", "stale_issue_detection,dependency_hygiene_scan,auto_issue_creation")
    };
    let stand = forge(options, Who::Alice, dress).await;
    let (mut good, mut bad) = (0, 0);
    for (tool, arguments) in calls(&stand) {
        for wire in WIRES {
            let said = stand.say(wire, tool, &arguments).await;
            if said.result.is_some() { good += 1 } else { bad += 1 }
        }
    }
    assert!(good >= 80 && bad >= 40, "the calls went as meant: {good} good, {bad} bad");
    for kind in [
        FaultKind::Status(403),
        FaultKind::Status(422),
        FaultKind::Status(500),
        FaultKind::CloseMidBody,
        FaultKind::BadJson,
    ] {
        stand.forge.as_ref().expect("a forge").next_fault(Fault::on("/issues/5", kind));
        stand.say(WIRES[0], "get_issue", &stand.at("alice/demo", json!({ "issue_number": 5 }))).await;
    }
    let wrong = format!("Bearer {CANARY_TOKEN}");
    let refused = stand.server.stranger("POST", "/mcp", &[("authorization", &wrong)], b"{}").await;
    assert_eq!(refused.status, 401);
    let blocked = mode == "block";
    searches(&stand, blocked).await;
    let mut outputs = jobs(&stand, blocked).await;
    outputs.extend([("answers", stand.heard()), ("a refusal", refused.text())]);
    for target in ["/metrics", "/mcp/tools", "/ready", "/health", "/"] {
        outputs.push((target, stand.server.get(target).await.text()));
    }
    let sent = stand.requests();
    assert!(sent.iter().any(|seen| seen.method == "POST"), "writes took part");
    let audit = stand.server.audit_path().to_owned();
    let on_disk = std::fs::read_to_string(&audit).expect("an audit log");
    let kept = std::fs::read_to_string(format!("{}.jobs.json", audit.display())).expect("kept reports");
    let stopped = stand.end().await;
    assert!(kept.contains("stale_issue_detection") && stopped.log.contains("job_report"), "jobs took part");
    assert!(on_disk.lines().count() > 200, "the audit log took part");
    outputs.extend([("the audit log", on_disk), ("the server's log", stopped.log), ("kept reports", kept)]);
    let hostile = BIDI.to_string();
    for (place, output) in &outputs {
        for secret in
            secrets.iter().copied().chain([CANARY_TOKEN, KEY, OTHER_KEY, ALICE_TOKEN, hostile.as_str()])
        {
            let at = output.find(secret).map(|at| output[..at].chars().rev().take(300).collect::<Vec<_>>());
            let before: Option<String> = at.map(|before| before.into_iter().rev().collect());
            assert_eq!(before, None, "{mode}: {place} holds {secret:?} after this");
        }
    }
}

#[tokio::test]
async fn no_output_holds_what_gitea_seeded_when_secrets_are_masked() {
    nothing_leaks(Version::V1_27, "mask", &[CANARY]).await;
}

#[tokio::test]
async fn no_output_holds_what_an_older_gitea_seeded() {
    nothing_leaks(Version::V1_26, "mask", &[CANARY]).await;
}

#[tokio::test]
async fn no_output_holds_what_gitea_seeded_when_texts_are_blocked() {
    nothing_leaks(Version::V1_27, "block", &[CANARY]).await;
}

#[tokio::test]
async fn our_own_tokens_and_hostile_characters_never_leave_even_when_detection_is_off() {
    nothing_leaks(Version::V1_27, "off", &[]).await;
}
