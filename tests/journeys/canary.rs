//! Two secrets and a hostile character stand in every free text that the sample Gitea returns. No output of the
//! product may hold them, nor any key: not an answer, not an event, not a metric, not a line of a log.

use aegis_tests::forge::world::ALICE_TOKEN;
use aegis_tests::forge::{BIDI, CANARY, CANARY_TOKEN, Fault, FaultKind, Options, Version};
use aegis_tests::server::{KEY, OTHER_KEY};
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

async fn nothing_leaks(version: Version, mode: &str, secrets: &[&str]) {
    let options = Options { canary: true, version, ..Options::default() };
    let dress =
        |setup| everything_writable(setup).set("SECRET_DETECTION_MODE", mode).set("LOG_LEVEL", "DEBUG");
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
    let mut outputs = vec![("answers", stand.heard()), ("a refusal", refused.text())];
    for target in ["/metrics", "/mcp/tools", "/ready", "/health", "/"] {
        outputs.push((target, stand.server.get(target).await.text()));
    }
    let sent = stand.requests();
    assert!(sent.iter().any(|seen| seen.method == "POST"), "writes took part");
    let audit = stand.server.audit_path().to_owned();
    let on_disk = std::fs::read_to_string(&audit).expect("an audit log");
    let stopped = stand.end().await;
    assert!(on_disk.lines().count() > 200, "the audit log took part");
    outputs.extend([("the audit log", on_disk), ("the server's log", stopped.log)]);
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
