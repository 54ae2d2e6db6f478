//! Stopping in good order: what runs is answered, what comes later is not taken, the log is closed.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::{KEY, Server};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::scene::{READ, Scene, call, events, outcomes, until};

async fn drained(signal: &str) {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    scene.forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Hold));
    let running = call(&server.url, KEY, READ);
    scene.seen("GET", 1).await;
    server.signal(signal).await;
    until("it drains", async || server.log().contains("\"draining\"")).await;
    let authority = server.url.strip_prefix("http://").expect("http");
    assert!(TcpStream::connect(authority).await.is_err(), "nobody new is let in");
    scene.forge.release(1);
    let answer = running.await.expect("no panic").expect("the running request is answered");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stopped = server.wait().await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
    assert_eq!(outcomes(&stopped.audit), ["pending", "success"]);
    assert_eq!(events(&stopped.audit).last(), Some(&"log_close"));
    let (code, said) = scene.verify().await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn sigterm_lets_the_running_request_end_and_closes_the_log() {
    drained("TERM").await;
}

#[tokio::test]
async fn sigint_lets_the_running_request_end_and_closes_the_log() {
    drained("INT").await;
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off_and_on_record_as_aborted() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    scene.forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Hang));
    let running = call(&server.url, KEY, READ);
    scene.seen("GET", 1).await;
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
    assert!(running.await.expect("no panic").is_none(), "there is no answer to give");
    assert!(stopped.log.contains("drain_cut_off"), "{}", stopped.log);
    assert!(stopped.log.contains("\"drained\":true"), "{}", stopped.log);
    assert_eq!(events(&stopped.audit), ["log_open", "tool_invocation", "tool_invocation", "log_close"]);
    assert_eq!(outcomes(&stopped.audit), ["pending", "aborted"]);
    until("Gitea's side is let go", async || scene.forge.requests()[0].left).await;
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn an_idle_server_stops_at_once_and_in_good_order() {
    let scene = Scene::new().await;
    let stopped = scene.setup().start().await.stop().await;
    assert_eq!(stopped.code, 0);
    assert_eq!(events(&stopped.audit), ["log_open", "log_close"]);
    assert_eq!(scene.verify().await.0, 0);
}

/// The mask of signals that a process handles, as the kernel tells it.
fn handled(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask");
    u64::from_str_radix(mask.trim(), 16).expect("hexadecimal")
}

/// The kernel gives process 1 of a container only signals that it handles.
#[tokio::test]
async fn sigterm_and_sigint_have_handlers_so_that_they_reach_process_1() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    for (name, number) in [("SIGINT", 2), ("SIGTERM", 15)] {
        assert!(handled(server.pid()) & (1 << (number - 1)) != 0, "{name} has no handler");
    }
}

/// The only child of a process.
async fn child_of(server: &Server) -> u32 {
    let pid = server.pid();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it runs");
    children.trim().parse().expect("one child")
}

#[tokio::test]
async fn as_process_1_of_a_container_it_stops_in_good_order_too() {
    // Where new process namespaces are not to be had, the test above shows the same by what the kernel asks for.
    let namespace: &[&[&str]] = &[
        &["unshare", "--pid", "--fork", "--kill-child"],
        &["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"],
    ];
    for wrapper in namespace {
        let allowed = Command::new(wrapper[0]).args(&wrapper[1..]).arg("true").output().await;
        if !allowed.is_ok_and(|output| output.status.success()) {
            continue;
        }
        let scene = Scene::new().await;
        let server = scene.setup().wrapped_in(wrapper).start().await;
        let inside = child_of(&server).await;
        let status = std::fs::read_to_string(format!("/proc/{inside}/status")).expect("it runs");
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        assert_eq!(numbers.split_whitespace().last(), Some("1"), "it is process 1 of its namespace");
        let sent = Command::new("kill").args(["-s", "TERM", &inside.to_string()]).status().await;
        assert!(sent.expect("kill runs").success());
        let stopped = server.wait().await;
        assert_eq!(stopped.code, 0, "{}", stopped.log);
        assert_eq!(events(&stopped.audit), ["log_open", "log_close"]);
        assert_eq!(scene.verify().await.0, 0);
    }
}
