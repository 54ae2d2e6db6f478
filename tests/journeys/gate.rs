//! The write gate from outside: write mode, the list of repositories, the policy, and that all three must agree
//! before Gitea hears of anything.

use aegis_tests::forge::Options;
use aegis_tests::server::Setup;
use serde_json::{Value, json};

use crate::place::{Who, forge};
use crate::wire::Wire;

const ALLOW: &str = "defaults: {read: allow, write: allow}\n";
const DENY: &str = "defaults: {read: allow, write: deny}\n";

fn writes() -> [(&'static str, Value); 2] {
    [
        ("create_issue", json!({ "title": "Gate" })),
        ("create_issue_comment", json!({ "issue_number": 5, "body": "Gate" })),
    ]
}

/// Mode, list, policy; whether a write to `alice/demo` may happen, else the reason, the setting or rule on record,
/// and what the message names.
type Row = (bool, Option<&'static str>, &'static str, Option<[&'static str; 3]>);

const OFF: Option<[&str; 3]> = Some(["write_mode_disabled", "WRITE_MODE", "WRITE_MODE=true"]);
const UNLISTED: Option<[&str; 3]> = Some([
    "repository_not_writable",
    "WRITE_REPOSITORY_WHITELIST",
    "add alice/demo to WRITE_REPOSITORY_WHITELIST",
]);
const DENIED: Option<[&str; 3]> = Some(["policy_denied", "defaults.write", "policy"]);

const GATES: [Row; 15] = [
    (false, None, DENY, OFF),
    (false, None, ALLOW, OFF),
    (false, Some("alice/demo"), DENY, OFF),
    (false, Some("alice/demo"), ALLOW, OFF),
    (true, Some("alice/private"), DENY, UNLISTED),
    (true, Some("alice/private"), ALLOW, UNLISTED),
    (true, Some("acme/*,alice/demo2"), ALLOW, UNLISTED),
    (true, Some("alice/demo"), DENY, DENIED),
    (true, Some("alice/*"), DENY, DENIED),
    (true, Some("alice/demo"), ALLOW, None),
    (true, Some("Alice/DEMO"), ALLOW, None),
    (true, Some("alice/*"), ALLOW, None),
    // An empty list with allow-all (`*` stands for it here).
    (false, Some("*"), ALLOW, OFF),
    (true, Some("*"), DENY, DENIED),
    (true, Some("*"), ALLOW, None),
];

fn dressed(setup: Setup, (mode, list, policy, _): Row) -> Setup {
    let setup = setup.policy(policy).set("WRITE_MODE", if mode { "true" } else { "false" });
    match list {
        Some("*") => setup.set("WRITE_ALLOW_ALL_TOKEN_REPOS", "true"),
        Some(list) => setup.set("WRITE_REPOSITORY_WHITELIST", list),
        None => setup,
    }
}

#[tokio::test]
async fn a_write_needs_write_mode_and_a_listed_repository_and_the_policy() {
    for row in GATES {
        let stand = forge(Options::default(), Who::Alice, |setup| dressed(setup, row)).await;
        for (tool, more) in writes() {
            let at = stand.at("alice/demo", more);
            let Some([reason, on_record, told]) = row.3 else {
                stand.once(Wire::Modern, tool, &at).await;
                continue;
            };
            let (message, detail) = stand.refused(tool, at, 403, reason).await;
            assert!(message.contains(told), "{row:?}: {message}");
            let values: Vec<&Value> = detail.as_object().expect("a detail").values().collect();
            assert_eq!(values, [&json!(on_record)], "{row:?}");
        }
        let found = stand.read("get_issue", stand.at("alice/demo", json!({ "issue_number": 5 }))).await;
        assert_eq!(found["issue"]["number"], 5, "reads are not gated by it");
        assert_eq!(stand.count("POST"), if row.3.is_some() { 0 } else { 2 });
        stand.end().await;
    }
}

#[tokio::test]
async fn gitea_has_the_last_word_where_every_gate_here_is_open() {
    let everywhere = |setup: Setup| {
        setup.policy(ALLOW).set("WRITE_MODE", "true").set("WRITE_ALLOW_ALL_TOKEN_REPOS", "true")
    };
    let comment = json!({ "issue_number": 5, "body": "Gate" });
    // Whoever may write; whoever has no scope for it at Gitea; whoever may only read there, and closes what is not theirs.
    let closing = json!({ "issue_number": 5, "state": "closed" });
    for (who, tool, arguments, may) in [
        (Who::Alice, "create_issue_comment", &comment, true),
        (Who::Bob, "update_issue", &closing, true),
        (Who::Reading, "create_issue_comment", &comment, false),
        (Who::Carol, "update_issue", &closing, false),
    ] {
        let stand = forge(Options::default(), who, everywhere).await;
        let at = stand.at("alice/demo", arguments.clone());
        if may {
            stand.once(Wire::Modern, tool, &at).await;
        } else {
            let said = stand.say(Wire::Direct, tool, &at).await;
            assert_eq!((said.status, said.result), (403, None), "{who:?}: {} {}", said.reason, said.message);
            assert_ne!(said.reason, "policy_denied");
        }
        stand.end().await;
    }
}

#[tokio::test]
async fn the_policy_without_a_file_denies_every_write() {
    let dress = |setup: Setup| setup.set("WRITE_MODE", "true").set("WRITE_ALLOW_ALL_TOKEN_REPOS", "true");
    let stand = forge(Options::default(), Who::Alice, dress).await;
    for (tool, more) in writes() {
        let (message, _) = stand.refused(tool, stand.at("alice/demo", more), 403, "policy_denied").await;
        assert!(message.contains("defaults") || message.contains("policy"), "{message}");
    }
    stand.end().await;
}

#[tokio::test]
async fn a_listed_name_does_not_open_what_it_was_renamed_to() {
    let dress = |setup: Setup| setup.writes("alice/old-name");
    let stand = forge(Options::default(), Who::Alice, dress).await;
    let old = stand.at("alice/old-name", json!({ "title": "Moved" }));
    stand.fails("create_issue", old, 404, "repository_renamed").await;
    let new = stand.at("alice/new-name", json!({ "title": "Moved" }));
    stand.refused("create_issue", new, 403, "repository_not_writable").await;
    assert_eq!(stand.count("POST"), 0);
    stand.end().await;
}

#[tokio::test]
async fn write_mode_without_any_repository_does_not_start() {
    let setup = Setup::new("http://127.0.0.1:9", "0").set("WRITE_MODE", "true");
    let (code, said) = setup.refused().await;
    assert_ne!(code, 0);
    assert!(said.contains("WRITE_REPOSITORY_WHITELIST"), "it names the setting: {said}");
}
