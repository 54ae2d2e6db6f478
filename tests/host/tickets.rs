//! A guest that tries to act without permission: without a caller, without a ticket, beyond its ticket, or with
//! requests that are never sent to Gitea. What it may do is on record; what it may not leaves nothing upstream.

use aegis_tests::http::send;
use aegis_tests::server::{KEY, Server};
use serde_json::json;

use crate::scene::{Scene, events, outcomes, statuses};

async fn hostile(scene: &Scene, writes: bool) -> Server {
    let setup = if writes { scene.setup().writes("alice/demo") } else { scene.setup() };
    setup.guest("hostile.wasm").start().await
}

#[tokio::test]
async fn nobody_is_proved_by_a_handle_that_was_made_up_or_a_key_that_is_none() {
    let scene = Scene::new().await;
    let server = hostile(&scene, false).await;
    let told = server.get("/made-up-handle").await.text();
    assert!(told.contains("\"unknown\""), "{told}");
    // A count by caller without a caller is no way around it.
    let limit = server.get("/limit-without-caller").await.text();
    assert!(limit.contains("Refused"), "{limit}");
    assert!(scene.forge.requests().is_empty());
    assert_eq!(events(&server.stop().await.audit), ["log_open", "log_close"]);
}

#[tokio::test]
async fn a_forged_caller_or_ticket_ends_the_instance() {
    let scene = Scene::new().await;
    let server = hostile(&scene, false).await;
    for attempt in ["/forged-caller", "/forged-ticket"] {
        let answer = server.get(attempt).await;
        assert_eq!((answer.status, answer.reason().as_deref()), (500, Some("internal_error")), "{attempt}");
        assert_eq!(server.get("/fine").await.text(), "fine");
    }
    assert!(scene.forge.requests().is_empty());
    assert_eq!(events(&server.stop().await.audit), ["log_open", "log_close"]);
}

#[tokio::test]
async fn a_closed_ticket_is_good_for_nothing_more() {
    let scene = Scene::new().await;
    let server = hostile(&scene, false).await;
    let told = server.get("/closed-ticket").await.text();
    assert!(told.contains("TicketClosed"), "{told}");
    assert_eq!(server.get("/close-twice").await.text(), "true", "the second close is refused");
    assert!(scene.forge.requests().is_empty());
    let stopped = server.stop().await;
    assert_eq!(outcomes(&stopped.audit), ["pending", "success", "pending", "success"], "one outcome each");
}

#[tokio::test]
async fn an_answer_with_a_ticket_left_open_is_withheld_and_the_ticket_closed_as_aborted() {
    let scene = Scene::new().await;
    let server = hostile(&scene, false).await;
    for round in 1..=10 {
        let answer = server.get("/left-open").await;
        assert_eq!((answer.status, answer.reason().as_deref()), (500, Some("outcome_not_recorded")));
        assert!(!answer.text().contains("ANSWERED"), "{}", answer.text());
        let lines = server.audit_when(|lines| outcomes(lines).len() == 2 * round).await;
        let last = lines.last().expect("a line");
        assert_eq!(last["status"], "aborted");
        assert_eq!(last["calls"], json!([]));
        assert_eq!(statuses(&lines, last["ticket"].as_str().unwrap_or_default()), ["pending", "aborted"]);
        assert_eq!(server.get("/fine").await.text(), "fine");
    }
    assert!(scene.forge.requests().is_empty());
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_read_with_a_ticket_is_sent_under_its_id_as_the_servers_account() {
    let scene = Scene::new().await;
    let server = hostile(&scene, false).await;
    assert_eq!(server.get("/read").await.text(), "status 200");
    let requests = scene.forge.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("GET", "/api/v1/repos/alice/demo"));
    let lines = server.audit_when(|lines| outcomes(lines).len() == 2).await;
    let ticket = requests[0].x_request_id.clone().expect("the ticket's id");
    assert_eq!(statuses(&lines, &ticket), ["pending", "success"]);
    let outcome = lines.last().expect("a line");
    assert_eq!(
        outcome["calls"],
        json!([{"method": "GET", "template": "/repos/{owner}/{repo}", "status": 200}])
    );
    assert_eq!(outcome["principal"], "laptop");
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

/// Attempts that are never sent, in whatever mode, with a part of the reason.
const NEVER_SENT: [(&str, &str); 9] = [
    ("/delete", "DELETE /repos/{owner}/{repo} is not in the list"),
    ("/unlisted-write", "POST /repos/{owner}/{repo}/forks is not in the list"),
    ("/admin", "POST /admin/users is not in the list"),
    ("/unlisted-read", "GET /repos/{owner}/{repo}/hooks is not in the list"),
    ("/unlisted-person", "GET /user/emails is not in the list"),
    ("/absolute", "GET http://127.0.0.1:1/steal is not in the list"),
    ("/double-slash", "GET //127.0.0.1:1/steal is not in the list"),
    ("/dots", "'.' and '..' are not allowed"),
    ("/sudo", "sudo, token and access_token are never sent"),
];

async fn never_sent(writes: bool) {
    let scene = Scene::new().await;
    let server = hostile(&scene, writes).await;
    for (attempt, reason) in NEVER_SENT {
        let told = server.get(attempt).await.text();
        assert!(told.starts_with("Failure::Refused") && told.contains(reason), "{attempt}: {told}");
    }
    assert!(scene.forge.requests().is_empty(), "{:?}", scene.forge.requests());
    let stopped = server.stop().await;
    for line in stopped.audit.iter().filter(|line| line["status"] == "success") {
        assert_eq!(line["calls"], json!([]), "the record holds what was sent, whatever the guest says");
    }
    assert_eq!(outcomes(&stopped.audit).len(), 2 * NEVER_SENT.len());
    assert_eq!(stopped.log.matches("gitea_call_refused").count(), NEVER_SENT.len());
}

#[tokio::test]
async fn what_is_not_in_the_list_is_never_sent_while_writes_are_off() {
    never_sent(false).await;
}

#[tokio::test]
async fn what_is_not_in_the_list_is_never_sent_while_writes_are_on() {
    never_sent(true).await;
}

#[tokio::test]
async fn a_listed_write_is_sent_only_in_write_mode() {
    let scene = Scene::new().await;
    let server = hostile(&scene, false).await;
    let told = server.get("/write").await.text();
    assert!(told.contains("WRITE_MODE"), "{told}");
    assert!(scene.forge.requests().is_empty());
    server.stop().await;
    let server = hostile(&scene, true).await;
    assert_eq!(server.get("/write").await.text(), "status 201");
    assert_eq!(scene.forge.requests().len(), 1);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_ticket_is_good_only_for_what_its_intent_says() {
    let scene = Scene::new().await;
    let server = hostile(&scene, true).await;
    for (attempt, why) in [
        ("/write-on-a-read-ticket", "the ticket is for a read"),
        ("/write-elsewhere", "another repository than the intent names"),
        ("/read-elsewhere", "another repository than the intent names"),
    ] {
        let told = server.get(attempt).await.text();
        assert!(told.contains("Refused") && told.contains(why), "{attempt}: {told}");
    }
    assert!(scene.forge.requests().is_empty());
    assert_eq!(outcomes(&server.stop().await.audit).len(), 6, "an intent and an outcome each");
}

#[tokio::test]
async fn a_ticket_sends_no_more_requests_than_its_outcome_line_can_tell() {
    let scene = Scene::new().await;
    let server = hostile(&scene, false).await;
    let told = server.get("/many-calls").await.text();
    assert!(told.starts_with("33: ") && told.contains("at most 32 requests"), "{told}");
    let stopped = server.stop().await;
    let outcome = stopped.audit.iter().rev().find(|line| line["status"] == "success").expect("an outcome");
    assert_eq!(outcome["calls"].as_array().map(Vec::len), Some(32), "{outcome}");
    assert_eq!(outcome["cut"], json!(null), "nothing of it was cut");
}

#[tokio::test]
async fn nothing_is_read_on_a_ticket_whose_outcome_is_told() {
    let scene = Scene::new().await;
    let server = hostile(&scene, false).await;
    let told = server.get("/read-after-close").await.text();
    assert!(told.contains("TicketClosed"), "{told}");
}

#[tokio::test]
async fn a_stream_lets_out_progress_alone_while_a_ticket_is_open() {
    let scene = Scene::new().await;
    let server = hostile(&scene, false).await;
    let streamed =
        send(&server.url, "GET", "/stream-early", &[("authorization", &format!("Bearer {KEY}"))], b"").await;
    // The connection is cut; what came before it is the comment that any stream may begin with.
    let text = streamed.map(|answer| answer.text()).unwrap_or_default();
    assert!(!text.contains("SECRET"), "{text}");
    assert_eq!(server.get("/fine").await.text(), "fine");
}
