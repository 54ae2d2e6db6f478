//! Clients that go away: what they asked to read is given up, what they asked to write is finished, and the
//! record tells both.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::Server;
use hyper::Method;
use serde_json::json;

use crate::scene::{READ, Scene, WRITE, begun, outcomes, statuses, until};

fn on(method: Method, kind: FaultKind) -> Fault {
    Fault { method: Some(method), path: "/repos/alice/demo".to_owned(), kind }
}

async fn no_instance_left(server: &Server) {
    until("the instance ends", async || server.metric("aegis_instances").await < 0.5).await;
}

#[tokio::test]
async fn a_read_whose_client_leaves_is_cancelled_upstream_and_closed_as_aborted() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    scene.forge.next_fault(on(Method::GET, FaultKind::Hang));
    let client = begun(&server, READ).await;
    scene.seen("GET", 1).await;
    drop(client);
    let lines = server.audit_when(|lines| outcomes(lines).len() == 2).await;
    let last = lines.last().expect("a line");
    assert_eq!(last["status"], "aborted");
    let calls = json!([{"method": "GET", "template": "/repos/{owner}/{repo}", "status": null}]);
    assert_eq!(last["calls"], calls);
    until("Gitea's side is let go", async || scene.forge.requests()[0].left).await;
    no_instance_left(&server).await;
    assert_eq!(
        server.tool("get_repository_info", json!({"owner": "alice", "repo": "demo"})).await.status,
        200
    );
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(scene.verify().await.0, 0);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_write_whose_client_leaves_is_finished_and_recorded_with_its_status() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    scene.forge.next_fault(on(Method::POST, FaultKind::Hold));
    let client = begun(&server, WRITE).await;
    scene.seen("POST", 1).await;
    drop(client);
    no_instance_left(&server).await;
    assert_eq!(outcomes(&server.audit()), ["pending"], "the outcome waits for the write");
    scene.forge.release(1);
    let lines = server.audit_when(|lines| outcomes(lines).len() == 2).await;
    let last = lines.last().expect("a line");
    assert_eq!(last["status"], "aborted");
    let calls = last["calls"].as_array().cloned().unwrap_or_default();
    let issue = json!({"method": "POST", "template": "/repos/{owner}/{repo}/issues", "status": 201});
    assert_eq!(calls.last(), Some(&issue), "{calls:?}");
    let posts: Vec<_> = scene.forge.requests().into_iter().filter(|seen| seen.method == "POST").collect();
    assert_eq!(posts.len(), 1, "sent once, never repeated");
    assert!(!posts[0].left, "the host did not hang up on the write");
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_write_whose_instance_traps_is_finished_and_recorded_with_its_status() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").guest("hostile.wasm").start().await;
    scene.forge.next_fault(on(Method::POST, FaultKind::Hold));
    let answer = server.get("/write-then-trap").await;
    assert_eq!((answer.status, answer.reason().as_deref()), (504, Some("write_outcome_unknown")));
    scene.seen("POST", 1).await;
    assert_eq!(outcomes(&server.audit()), ["pending"]);
    scene.forge.release(1);
    let lines = server.audit_when(|lines| outcomes(lines).len() == 2).await;
    let last = lines.last().expect("a line");
    assert_eq!(statuses(&lines, last["ticket"].as_str().unwrap_or_default()), ["pending", "aborted"]);
    let issue = json!([{"method": "POST", "template": "/repos/{owner}/{repo}/issues", "status": 201}]);
    assert_eq!(last["calls"], issue);
    assert!(!scene.forge.requests()[0].left);
}

#[tokio::test]
async fn a_stop_waits_for_a_write_that_nobody_else_waits_for() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    scene.forge.next_fault(on(Method::POST, FaultKind::Hold));
    let client = begun(&server, WRITE).await;
    scene.seen("POST", 1).await;
    drop(client);
    no_instance_left(&server).await;
    server.signal("TERM").await;
    until("it drains", async || server.log().contains("draining")).await;
    scene.forge.release(1);
    let stopped = server.wait().await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
    assert_eq!(outcomes(&stopped.audit), ["pending", "aborted"]);
    assert_eq!(stopped.audit.last().expect("a line")["event"], "log_close");
    assert_eq!(scene.verify().await.0, 0);
}
