//! A Gitea that is down, silent, broken or busy: what is told, what is on record, and that no write is sent twice.

use aegis_tests::forge::{Fault, FaultKind, Forge, Options};
use serde_json::json;

use crate::audit;
use crate::place::{Who, everything_writable, forge};
use crate::stand::Stand;
use crate::wire::{WIRES, Wire};

/// What may go wrong with a read, and how it is told: status on the direct wire, reason, a word of the message, and how
/// often the read is sent where it goes wrong each time.
const READS: [(FaultKind, u16, &str, &str, usize); 17] = [
    (FaultKind::Status(400), 422, "gitea_bad_request", "value", 1),
    (FaultKind::Status(401), 502, "gitea_unauthorized", "operator", 1),
    (FaultKind::Status(403), 403, "repository_permission_denied", "rejected the API call", 1),
    (FaultKind::Status(404), 404, "not_found", "alice/demo", 1),
    (FaultKind::Status(409), 409, "conflict", "conflicts", 1),
    (FaultKind::Status(429), 429, "gitea_busy", "later", 1),
    (FaultKind::RetryAfter(429, "60"), 429, "gitea_busy", "fewer requests", 1),
    (FaultKind::RetryAfter(429, "0"), 429, "gitea_busy", "fewer requests", 3),
    (FaultKind::Status(500), 502, "gitea_failed", "500", 1),
    (FaultKind::Status(502), 502, "gitea_failed", "502", 3),
    (FaultKind::Status(503), 429, "gitea_busy", "later", 3),
    (FaultKind::RetryAfter(503, "60"), 429, "gitea_busy", "fewer requests", 1),
    (FaultKind::Close, 502, "gitea_answer_broken", "broke off", 3),
    (FaultKind::CloseMidBody, 502, "gitea_answer_broken", "broke off", 1),
    (FaultKind::WrongLength, 502, "gitea_answer_broken", "broke off", 1),
    (FaultKind::Gigabyte, 502, "gitea_answer_too_large", "", 1),
    (FaultKind::BadJson, 502, "gitea_answer_not_json", "GITEA_URL", 1),
];

#[tokio::test]
async fn every_way_a_read_can_fail_has_a_name_on_both_wires_and_on_record() {
    let stand = forge(Options::default(), Who::Alice, |setup| setup).await;
    let at = stand.at("alice/demo", json!({ "issue_number": 5 }));
    for (kind, status, reason, word, times) in READS {
        for wire in WIRES {
            let asked = stand.count("GET");
            for _ in 0..times {
                fault(&stand, "/issues/5", kind.clone());
            }
            let said = stand.fails_on(wire, "get_issue", &at, status, reason).await;
            assert!(said.contains(word), "{kind:?}: {said}");
            assert_eq!(stand.count("GET") - asked, times, "{kind:?}");
        }
    }
    let found = stand.read("get_issue", at).await;
    assert_eq!(found["issue"]["number"], 5, "and afterwards all is well");
    stand.end().await;
}

#[tokio::test]
async fn a_read_that_fails_in_passing_succeeds_and_each_attempt_is_on_record() {
    let stand = forge(Options::default(), Who::Alice, |setup| setup).await;
    let at = stand.at("alice/demo", json!({ "issue_number": 5 }));
    let passing = [
        (FaultKind::Status(502), json!([502, 503, 200])),
        (FaultKind::Status(504), json!([504, 503, 200])),
        (FaultKind::Close, json!([null, 503, 200])),
        (FaultKind::RetryAfter(429, "0"), json!([429, 503, 200])),
    ];
    for (kind, wanted) in passing {
        fault(&stand, "/issues/5", kind.clone());
        fault(&stand, "/issues/5", FaultKind::Status(503));
        stand.once(Wire::Modern, "get_issue", &at).await;
        let lines = stand.server.audit();
        let outcome = lines.iter().rfind(|line| line["status"] == "success").expect("an outcome");
        let calls = audit::calls(outcome);
        let statuses: Vec<_> = calls.iter().map(|call| call["status"].clone()).collect();
        assert_eq!(json!(statuses), wanted, "{kind:?}");
    }
    assert!((stand.server.metric("aegis_gitea_repeated_total").await - 8.0).abs() < 0.5);
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
                let sent = stand.requests().into_iter().rfind(|seen| seen.method == "POST").expect("a write");
                let id = sent.x_request_id.expect("an id");
                assert!(said.contains(&format!("The request id is {id}")), "{kind:?}: {said}");
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
    for (kind, status, reason, _, times) in
        READS.into_iter().filter(|(kind, ..)| !matches!(kind, FaultKind::Status(400..=409)))
    {
        for _ in 0..times {
            fault(&stand, "/alice/demo", kind.clone());
        }
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
        for silent in [FaultKind::Hang, FaultKind::Stall] {
            let asked = stand.count("GET");
            fault(&stand, "/issues/5", silent);
            let said = stand.fails_on(wire, "get_issue", &at, 504, "gitea_timeout").await;
            assert!(said.contains("in time"), "{said}");
            assert_eq!(stand.count("GET") - asked, 1, "the time of a call is used up");
        }
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
    for outcome in &outcomes {
        assert!(
            audit::calls(outcome).iter().all(|call| call["status"].is_null()),
            "no answer came: {outcome}"
        );
        assert!(
            audit::calls(outcome).iter().all(|call| call["method"] == "GET"),
            "no write was tried: {outcome}"
        );
    }
    let tried: Vec<_> = outcomes.iter().map(|outcome| audit::calls(outcome).len()).collect();
    assert_eq!(tried.get(..2), Some([3, 2].as_slice()), "five failures to connect are enough");
    assert!(tried.iter().skip(2).all(|tried| *tried <= 1), "then Gitea is left alone: {tried:?}");
    assert!(stand.server.metric("aegis_gitea_kept_back_total").await >= 1.0);
    stand.end().await;
}

#[tokio::test]
async fn a_gitea_that_comes_back_is_found_again() {
    let mut stand = forge(Options::default(), Who::Alice, |setup| setup).await;
    let at = stand.at("alice/demo", json!({ "issue_number": 5 }));
    let before = stand.forge.take().expect("a forge");
    let port = before.url().rsplit(':').next().and_then(|port| port.parse().ok());
    drop(before);
    while stand.server.metric("aegis_gitea_left_alone").await < 0.5 {
        stand.fails_on(Wire::Direct, "get_issue", &at, 502, "gitea_unreachable").await;
    }
    let audit = Some(stand.server.audit_path().to_owned());
    stand.forge = Some(Forge::start(Options { port, audit, ..Options::default() }).await);
    // As often as it takes: the first one after the rest finds out for all.
    while stand.server.tool("get_issue", at.clone()).await.status != 200 {}
    assert!(stand.server.metric("aegis_gitea_left_alone").await < 0.5);
    stand.end().await;
}

#[tokio::test]
async fn what_is_no_tls_is_asked_once_and_never_trusted() {
    let mut stand = forge(Options::default(), Who::Alice, |setup| {
        let plain = setup.variable("GITEA_URL").expect("an address").replace("http:", "https:");
        setup.set("GITEA_URL", &plain)
    })
    .await;
    let at = stand.at("alice/demo", json!({ "issue_number": 5 }));
    stand.fails_on(Wire::Direct, "get_issue", &at, 502, "gitea_unreachable").await;
    let lines = stand.server.audit();
    let outcome = lines.iter().rfind(|line| line["reason"] == "gitea_unreachable").expect("an outcome");
    assert_eq!(audit::calls(outcome).len(), 1, "{outcome}");
    assert_eq!(stand.count("GET"), 0, "nothing was said in the clear");
    drop(stand.forge.take());
    stand.end().await;
}

fn fault(stand: &Stand, path: &str, kind: FaultKind) {
    stand.forge.as_ref().expect("a forge").next_fault(Fault::on(path, kind));
}
