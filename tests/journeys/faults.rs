//! A Gitea that is down, silent, broken or busy: what is told, what is on record, and that no write is sent twice.

use aegis_tests::forge::{Fault, FaultKind, Options};
use serde_json::json;

use crate::audit;
use crate::place::{Who, everything_writable, forge};
use crate::stand::Stand;
use crate::wire::{WIRES, Wire};

/// What may go wrong with a read, and how it is told: status on the direct wire, reason, a word of the message.
const READS: [(FaultKind, u16, &str, &str); 11] = [
    (FaultKind::Status(400), 422, "gitea_bad_request", "value"),
    (FaultKind::Status(401), 502, "gitea_unauthorized", "operator"),
    (FaultKind::Status(403), 403, "repository_permission_denied", "rejected the API call"),
    (FaultKind::Status(404), 404, "not_found", "alice/demo"),
    (FaultKind::Status(409), 409, "conflict", "conflicts"),
    (FaultKind::Status(429), 429, "gitea_busy", "later"),
    (FaultKind::Status(500), 502, "gitea_failed", "500"),
    (FaultKind::Status(503), 429, "gitea_busy", "later"),
    (FaultKind::Close, 502, "gitea_answer_broken", "broke off"),
    (FaultKind::CloseMidBody, 502, "gitea_answer_broken", "broke off"),
    (FaultKind::BadJson, 502, "gitea_answer_not_json", "GITEA_URL"),
];

#[tokio::test]
async fn every_way_a_read_can_fail_has_a_name_on_both_wires_and_on_record() {
    let stand = forge(Options::default(), Who::Alice, |setup| setup).await;
    let at = stand.at("alice/demo", json!({ "issue_number": 5 }));
    for (kind, status, reason, word) in READS {
        for wire in WIRES {
            let asked = stand.count("GET");
            fault(&stand, "/issues/5", kind.clone());
            let said = stand.fails_on(wire, "get_issue", &at, status, reason).await;
            assert!(said.contains(word), "{kind:?}: {said}");
            assert_eq!(stand.count("GET") - asked, 1, "{kind:?}: a failed read is not repeated");
        }
    }
    let found = stand.read("get_issue", at).await;
    assert_eq!(found["issue"]["number"], 5, "and afterwards all is well");
    stand.end().await;
}

/// What may go wrong with a write once it is sent. None of it tells whether the write happened.
const WRITES: [(FaultKind, &str); 6] = [
    (FaultKind::Status(500), "gitea_failed"),
    (FaultKind::Status(502), "gitea_failed"),
    (FaultKind::Status(503), "gitea_busy"),
    (FaultKind::Close, "gitea_answer_broken"),
    (FaultKind::CloseMidBody, "gitea_answer_broken"),
    (FaultKind::BadJson, "gitea_answer_not_json"),
];

#[tokio::test]
async fn a_write_whose_outcome_is_unknown_says_so_and_is_never_sent_again() {
    let stand = forge(Options::default(), Who::Alice, everything_writable).await;
    let writes = [
        ("create_issue", "/issues", json!({ "title": "Once" })),
        ("create_issue_comment", "/comments", json!({ "issue_number": 5, "body": "Once" })),
    ];
    for (kind, because) in WRITES {
        for (tool, path, more) in &writes {
            for wire in [Wire::Modern, Wire::Direct] {
                let posts = stand.count("POST");
                let fault = Fault {
                    method: Some("POST".parse().expect("a method")),
                    ..Fault::on(path, kind.clone())
                };
                stand.forge.as_ref().expect("a forge").next_fault(fault);
                let at = stand.at("alice/demo", more.clone());
                let said = stand.fails_on(wire, tool, &at, 504, "write_outcome_unknown").await;
                assert!(said.contains(because) && said.contains("Look"), "{kind:?}: {said}");
                assert_eq!(stand.count("POST") - posts, 1, "{kind:?}: sent once and never again");
            }
        }
    }
    stand.end().await;
}

#[tokio::test]
async fn a_write_that_gitea_refuses_is_told_as_refused() {
    let stand = forge(Options::default(), Who::Alice, everything_writable).await;
    let refusals = [
        (403, 403, "repository_permission_denied"),
        (404, 404, "not_found"),
        (409, 409, "conflict"),
        (413, 422, "gitea_request_too_large"),
        (422, 422, "unprocessable"),
        (423, 409, "repository_locked"),
        (429, 429, "gitea_busy"),
    ];
    for (from, status, reason) in refusals {
        for wire in WIRES {
            let posts = stand.count("POST");
            let fault = Fault::on("/issues", FaultKind::Status(from));
            let fault = Fault { method: Some("POST".parse().expect("a method")), ..fault };
            stand.forge.as_ref().expect("a forge").next_fault(fault);
            let at = stand.at("alice/demo", json!({ "title": "Refused" }));
            stand.fails_on(wire, "create_issue", &at, status, reason).await;
            assert_eq!(stand.count("POST") - posts, 1, "{from}");
        }
    }
    let list = stand.read("list_issues", stand.at("alice/demo", json!({}))).await;
    assert_eq!(list["total"], 40, "nothing was made");
    stand.end().await;
}

#[tokio::test]
async fn a_failed_check_before_a_write_means_that_nothing_was_written() {
    let stand = forge(Options::default(), Who::Alice, everything_writable).await;
    for (kind, status, reason, _) in
        READS.into_iter().filter(|(kind, ..)| !matches!(kind, FaultKind::Status(400..=409)))
    {
        fault(&stand, "/alice/demo", kind);
        let at = stand.at("alice/demo", json!({ "title": "Unchecked" }));
        stand.fails_on(Wire::Direct, "create_issue", &at, status, reason).await;
    }
    assert_eq!(stand.count("POST"), 0);
    stand.end().await;
}

#[tokio::test]
async fn a_silent_gitea_is_a_timeout_for_a_read_and_unknown_for_a_write() {
    let dress = |setup| everything_writable(setup).set("REQUEST_TIMEOUT_SECONDS", "1");
    let stand = forge(Options::default(), Who::Alice, dress).await;
    let at = stand.at("alice/demo", json!({ "issue_number": 5 }));
    for wire in [Wire::Legacy, Wire::Direct] {
        fault(&stand, "/issues/5", FaultKind::Hang);
        let said = stand.fails_on(wire, "get_issue", &at, 504, "gitea_timeout").await;
        assert!(said.contains("in time"), "{said}");
    }
    let silent =
        Fault { method: Some("POST".parse().expect("a method")), ..Fault::on("/issues", FaultKind::Hang) };
    stand.forge.as_ref().expect("a forge").next_fault(silent);
    let write = stand.at("alice/demo", json!({ "title": "Into silence" }));
    let said = stand.fails_on(Wire::Direct, "create_issue", &write, 504, "write_outcome_unknown").await;
    assert!(said.contains("gitea_timeout"), "{said}");
    assert_eq!(stand.count("POST"), 1);
    stand.end().await;
}

#[tokio::test]
async fn a_gitea_that_is_down_is_unreachable_for_reads_and_writes_alike() {
    let mut stand = forge(Options::default(), Who::Alice, everything_writable).await;
    let at = |more| {
        json!({ "owner": "alice", "repo": "demo", "issue_number": 5 }).as_object().map(|base| {
            let mut all = base.clone();
            all.extend(serde_json::Map::from_iter(more));
            serde_json::Value::Object(all)
        })
    };
    // Gone, with every connection that was open.
    drop(stand.forge.take());
    let read = at(vec![]).expect("an object");
    let said = stand.fails("get_issue", read, 502, "gitea_unreachable").await;
    assert!(said.contains("cannot be reached"), "{said}");
    let write = at(vec![("body".to_owned(), json!("Anybody?"))]).expect("an object");
    stand.fails("create_issue_comment", write, 502, "gitea_unreachable").await;
    let lines = stand.server.audit();
    let outcomes: Vec<_> = lines.iter().filter(|line| line["reason"] == "gitea_unreachable").collect();
    assert_eq!(outcomes.len(), 2 * WIRES.len());
    for outcome in outcomes {
        assert!(
            audit::calls(outcome).iter().all(|call| call["status"].is_null()),
            "no answer came: {outcome}"
        );
        assert!(
            audit::calls(outcome).iter().all(|call| call["method"] == "GET"),
            "no write was tried: {outcome}"
        );
    }
    stand.end().await;
}

fn fault(stand: &Stand, path: &str, kind: FaultKind) {
    stand.forge.as_ref().expect("a forge").next_fault(Fault::on(path, kind));
}
