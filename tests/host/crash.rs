//! Killed under load and started again: nothing that was answered is missing from the log, and what was under
//! way is said to be of unknown outcome.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::{KEY, OTHER_KEY, of_event};
use serde_json::Value;

use crate::scene::{READ, Scene, begun, call, events, statuses, until};

fn tickets(lines: &[Value], status: &str) -> BTreeSet<String> {
    let of_status =
        lines.iter().filter(|line| line["event"] == "tool_invocation" && line["status"] == status);
    of_status.map(|line| line["ticket"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn no_answered_call_is_lost_when_the_server_is_killed_under_load() {
    let scene = Scene::new().await;
    let mut acknowledged = BTreeSet::new();
    for round in 0..4 {
        let server = scene.setup().start().await;
        let answered = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = [KEY, OTHER_KEY, KEY, OTHER_KEY]
            .into_iter()
            .map(|key| {
                let (url, answered) = (server.url.clone(), answered.clone());
                tokio::spawn(async move {
                    let mut ids = Vec::new();
                    // Ends when the server is gone.
                    while let Some(answer) = call(&url, key, READ).await.expect("no panic") {
                        if !answer.complete {
                            break;
                        }
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        ids.push(answer.json()["correlation_id"].as_str().expect("an id").to_owned());
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    ids
                })
            })
            .collect();
        until("there is load", async || answered.load(Ordering::Relaxed) >= 20 + 7 * round).await;
        server.signal("KILL").await;
        let stopped = server.wait().await;
        assert_eq!(stopped.code, 137);
        for client in clients {
            acknowledged.extend(client.await.expect("no panic"));
        }
        let (code, said) = scene.verify().await;
        assert!(code == 0 || code == 3, "round {round}, exit {code}: {said}");
        let lines = stopped.audit;
        for id in &acknowledged {
            assert_eq!(
                statuses(&lines, id),
                ["pending", "success"],
                "{id} was answered in round {round} or before"
            );
        }
    }
    let server = scene.setup().start().await;
    let lines = server.stop().await.audit;
    let finished = tickets(&lines, "success").union(&tickets(&lines, "aborted")).cloned().collect();
    let begun = tickets(&lines, "pending");
    let told = of_event(&lines, "outcome_unknown")
        .iter()
        .map(|line| line["ticket"].as_str().unwrap_or_default().to_owned())
        .collect();
    let open: BTreeSet<String> = begun.difference(&finished).cloned().collect();
    assert_eq!(open, told, "each intent without an outcome is told of, and no other");
    assert_eq!(scene.verify().await.0, 0);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_call_that_the_kill_interrupted_is_told_of_once_at_the_next_start() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    scene.forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Hang));
    let _client = begun(&server, READ).await;
    scene.seen("GET", 1).await;
    let ticket = scene.forge.requests()[0].x_request_id.clone().expect("the ticket's id");
    server.signal("KILL").await;
    let stopped = server.wait().await;
    assert_eq!(events(&stopped.audit), ["log_open", "tool_invocation"]);

    let lines = scene.setup().start().await.stop().await.audit;
    assert_eq!(events(&lines), ["log_open", "tool_invocation", "log_open", "outcome_unknown", "log_close"]);
    assert_eq!(lines[3]["ticket"], ticket.as_str());
    assert_eq!(lines[3]["tool"], "get_repository_info");
    assert_eq!(lines[3]["intent_seq"], lines[1]["seq"]);
    let lines = scene.setup().start().await.stop().await.audit;
    assert_eq!(of_event(&lines, "outcome_unknown").len(), 1, "told once");
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_line_that_was_torn_is_cut_off_kept_beside_the_log_and_told_of() {
    use std::io::Write as _;
    let scene = Scene::new().await;
    scene.setup().start().await.stop().await;
    let torn = b"{\"seq\":3,\"ts\":\"2026-";
    let mut file = std::fs::OpenOptions::new().append(true).open(&scene.audit).expect("the log");
    file.write_all(torn).expect("appended");
    drop(file);
    assert_eq!(scene.verify().await.0, 3, "valid but for its torn tail");

    let lines = scene.setup().start().await.stop().await.audit;
    assert_eq!(events(&lines), ["log_open", "log_close", "log_open", "recovery", "log_close"]);
    assert_eq!(lines[3]["cause"], "torn_tail");
    assert_eq!(lines[3]["bytes"], torn.len());
    let copy = scene.audit.with_file_name(lines[3]["copy"].as_str().expect("a file name"));
    assert_eq!(std::fs::read(copy).expect("kept"), torn);
    assert_eq!(scene.verify().await.0, 0);
}
