//! `aegis-mcp write`: changes are turned off in a running server and on again, at once, on record, and never beyond what
//! its settings allow.

use std::os::unix::fs::MetadataExt as _;

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::http::open;
use aegis_tests::server::{KEY, Server, of_event, program};
use hyper::Method;
use serde_json::{Value, json};

use crate::scene::{READ, Scene, WRITE, call, outcomes, until};

/// The command as the operator of this server runs it.
async fn write(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let audit = server.audit_path().display().to_string();
    program(&[&["write"], arguments].concat(), &[("AUDIT_LOG_PATH", &audit)]).await
}

async fn told(server: &Server, word: &str) -> Value {
    let (code, out, err) = write(server, &[word, "--json"]).await;
    assert_eq!(code, 0, "{word}: {err}");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"))
}

/// Status and reason of a call.
async fn called(server: &Server, what: (&str, &str)) -> (u16, Option<String>) {
    let answer = call(&server.url, KEY, what).await.expect("no panic").expect("an answer");
    (answer.status, answer.reason())
}

fn posts(scene: &Scene) -> usize {
    scene.forge.requests().iter().filter(|seen| seen.method == "POST").count()
}

/// What the log says of the operator's commands: reason, stage, whether it made a difference.
fn recorded(lines: &[Value]) -> Vec<(String, String, Value)> {
    let own = std::fs::metadata("/proc/self").expect("linux").uid();
    let ours = of_event(lines, "security_event").into_iter();
    let ours = ours.filter(|line| line["reason"].as_str().is_some_and(|why| why.starts_with("operator_")));
    ours.map(|line| {
        assert_eq!(line["detail"]["peer_uid"], own, "{line}");
        let word = |value: &Value| value.as_str().expect("a word").to_owned();
        (word(&line["reason"]), word(&line["detail"]["stage"]), line["detail"]["changed"].clone())
    })
    .collect()
}

#[tokio::test]
async fn writes_are_off_at_the_next_call_and_on_again_without_a_restart() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    assert_eq!(called(&server, WRITE).await.0, 200);
    let before = told(&server, "status").await;
    assert_eq!(
        (&before["on"], &before["configured"], &before["turned_at"]),
        (&json!(true), &json!(true), &Value::Null)
    );
    assert!((server.metric("aegis_writes_on").await - 1.0).abs() < 0.5);

    let off = told(&server, "off").await;
    assert_eq!((&off["on"], &off["changed"], &off["under_way"]), (&json!(false), &json!(true), &json!(0)));
    assert_eq!(called(&server, WRITE).await, (403, Some("write_mode_disabled".to_owned())));
    assert_eq!(called(&server, READ).await.0, 200, "reads go on");
    assert_eq!(posts(&scene), 1, "nothing was sent");
    assert!(server.metric("aegis_writes_on").await < 0.5);
    let (code, out, _) = write(&server, &["status"]).await;
    assert!(code == 0 && out.contains("Writes are off.") && out.contains("by user id"), "{out}");
    assert_eq!(told(&server, "off").await["changed"], false);

    let on = told(&server, "on").await;
    assert_eq!((&on["on"], &on["changed"]), (&json!(true), &json!(true)));
    assert_eq!(called(&server, WRITE).await.0, 200);
    let stopped = server.stop().await;
    let word = |reason: &str, stage: &str, changed: Value| (reason.to_owned(), stage.to_owned(), changed);
    assert_eq!(
        recorded(&stopped.audit),
        [
            word("operator_turned_writes_off", "done", json!(true)),
            word("operator_turned_writes_off", "done", json!(false)),
            word("operator_turned_writes_on", "asked", Value::Null),
            word("operator_turned_writes_on", "done", json!(true)),
        ]
    );
    let denied = of_event(&stopped.audit, "access_denied");
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert_eq!(scene.verify().await.0, 0);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_call_that_has_begun_sends_no_change_once_writes_are_off() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    let reading =
        Fault { method: Some(Method::GET), path: "/repos/alice/demo".to_owned(), kind: FaultKind::Hold };
    scene.forge.next_fault(reading);
    let labelled = ("create_issue", r#"{"owner":"alice","repo":"demo","title":"t","labels":["bug"]}"#);
    let running = call(&server.url, KEY, labelled);
    scene.seen("GET", 1).await;
    assert_eq!(told(&server, "off").await["changed"], true);
    scene.forge.release(1);
    let answer = running.await.expect("no panic").expect("an answer");
    assert_ne!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("writes off"), "{}", answer.text());
    assert_eq!(posts(&scene), 0);
    let lines = server.audit_when(|lines| outcomes(lines).len() == 2).await;
    let last = of_event(&lines, "tool_invocation").last().copied().cloned().expect("an outcome");
    let sent: Vec<_> =
        last["calls"].as_array().expect("calls").iter().map(|sent| sent["method"].clone()).collect();
    assert!(!sent.is_empty() && sent.iter().all(|method| method == "GET"), "{last}");
    assert_ne!(last["status"], "success");
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_change_that_gitea_has_already_is_counted_and_finished() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    let writing =
        Fault { method: Some(Method::POST), path: "/repos/alice/demo".to_owned(), kind: FaultKind::Hold };
    scene.forge.next_fault(writing);
    let running = call(&server.url, KEY, WRITE);
    scene.seen("POST", 1).await;
    assert_eq!(told(&server, "off").await["under_way"], 1);
    let (_, out, _) = write(&server, &["status"]).await;
    assert!(out.contains("One change is with Gitea"), "{out}");
    scene.forge.release(1);
    assert_eq!(running.await.expect("no panic").expect("an answer").status, 200);
    until("none is under way", async || told(&server, "status").await["under_way"] == 0).await;
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_command_never_gives_what_the_settings_do_not() {
    let scene = Scene::new().await;
    let server = scene.setup().policy("defaults: {read: allow, write: allow}\n").start().await;
    let (code, _, err) = write(&server, &["on"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("WRITE_MODE=true") && err.contains("WRITE_REPOSITORY_WHITELIST"), "{err}");
    assert_eq!(called(&server, WRITE).await, (403, Some("write_mode_disabled".to_owned())));
    assert_eq!(posts(&scene), 0);
    let (_, out, _) = write(&server, &["status"]).await;
    assert!(out.contains("no command turns them on"), "{out}");
    let stopped = server.stop().await;
    let failed = ("operator_turned_writes_on".to_owned(), "failed".to_owned(), Value::Null);
    assert_eq!(recorded(&stopped.audit), [failed]);
}

#[tokio::test]
async fn a_restart_goes_back_to_the_settings_and_without_a_server_nothing_is_done() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    assert_eq!(told(&server, "off").await["on"], false);
    let audit = server.audit_path().display().to_string();
    assert_eq!(server.stop().await.code, 0);
    let (code, _, err) = program(&["write", "off"], &[("AUDIT_LOG_PATH", &audit)]).await;
    assert!(code == 1 && err.contains("nothing was done") && err.contains("WRITE_MODE"), "{err}");
    let server = scene.setup().writes("alice/demo").start().await;
    assert_eq!(told(&server, "status").await["on"], true);
    assert_eq!(called(&server, WRITE).await.0, 200);
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn clients_that_listen_are_told_that_the_list_of_tools_has_changed() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    let bearer = format!("Bearer {KEY}");
    let headers = [("authorization", bearer.as_str()), ("accept", "text/event-stream")];
    let mut stream = open(&server.url, "GET", "/mcp", &headers, b"").await.expect("a stream");
    assert_eq!(stream.head.status, 200);
    let tools =
        async || server.legacy(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).await.text();
    assert!(tools().await.contains("create_issue"));
    assert_eq!(told(&server, "off").await["changed"], true);
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(stream.message().await["method"].as_str().unwrap_or_default().to_owned());
    }
    assert!(heard.contains(&"notifications/tools/list_changed".to_owned()), "{heard:?}");
    assert!(!tools().await.contains("create_issue"), "what cannot be called is not shown");
    assert_eq!(server.stop().await.code, 0);
}
