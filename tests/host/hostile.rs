//! A guest that tries to take the host down with it: each attempt ends alone, with the status that it earned,
//! and the request after it is served.

use aegis_tests::http::Answer;
use aegis_tests::server::Server;

use crate::scene::{Scene, events, outcomes, until};

async fn attacked(server: &Server, attempt: &str, status: u16, reason: &str) -> Answer {
    let refusals = format!("aegis_host_refusals_total{{reason=\"{reason}\"}}");
    let before = server.metric(&refusals).await;
    let answer = server.get(attempt).await;
    assert_eq!((answer.status, answer.reason().as_deref()), (status, Some(reason)), "{attempt}");
    assert!(answer.complete, "{attempt}");
    assert!(answer.json()["request_id"].is_string(), "{attempt}: the log is found by this id");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{attempt}");
    let counted = server.metric(&refusals).await;
    assert!((counted - before - 1.0).abs() < 0.5, "{attempt}: {reason} was counted {before} -> {counted}");
    let next = server.get("/fine").await;
    assert_eq!((next.status, next.text().as_str()), (200, "fine"), "the request after {attempt}");
    answer
}

/// Runs one attempt against a server of its own and looks at what it left.
async fn attack(settings: &[(&str, &str)], attempt: &str, status: u16, reason: &str) {
    let scene = Scene::new().await;
    let setup = settings.iter().fold(scene.setup(), |setup, (name, value)| setup.set(name, value));
    let server = setup.guest("hostile.wasm").start().await;
    attacked(&server, attempt, status, reason).await;
    until("the instance's place and memory are given back", async || {
        server.metric("aegis_instances").await < 0.5
            && server.metric("aegis_instance_memory_bytes").await < 0.5
    })
    .await;
    assert!(scene.forge.requests().is_empty(), "{:?}", scene.forge.requests());
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    assert_eq!(
        events(&stopped.audit),
        ["log_open", "log_close"],
        "nothing was done, so nothing is on record"
    );
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn an_endless_loop_ends_at_its_share_of_computing_time() {
    attack(&[], "/loop", 504, "cpu_limit").await;
}

#[tokio::test]
async fn pauses_do_not_hide_an_endless_loop() {
    attack(&[], "/loop-with-pauses", 504, "cpu_limit").await;
}

#[tokio::test]
async fn waiting_is_not_computing() {
    let scene = Scene::new().await;
    let server = scene.setup().guest("hostile.wasm").start().await;
    let answer = server.get("/patient").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "patient"));
}

#[tokio::test]
async fn a_memory_bomb_ends_at_the_bound_of_one_instance() {
    attack(&[("MEMORY_BUDGET_BYTES", "268435456")], "/bomb", 500, "memory_limit").await;
}

#[tokio::test]
async fn recursion_without_end_ends_at_the_end_of_the_stack() {
    attack(&[], "/recurse", 500, "internal_error").await;
}

#[tokio::test]
async fn a_trap_is_an_answer_without_details() {
    attack(&[], "/trap", 500, "internal_error").await;
}

#[tokio::test]
async fn a_guest_that_says_nothing_is_answered_for() {
    attack(&[], "/silent", 500, "internal_error").await;
}

#[tokio::test]
async fn ten_thousand_header_fields_do_not_leave() {
    attack(&[], "/headers", 500, "internal_error").await;
}

#[tokio::test]
async fn an_answer_of_sixty_four_mebibytes_is_not_held() {
    attack(&[], "/giant", 500, "answer_too_large").await;
}

#[tokio::test]
async fn an_answer_that_never_ends_is_cut_off_at_the_total_deadline() {
    let short = [("ANSWER_TIMEOUT_SECONDS", "1"), ("TOTAL_TIMEOUT_SECONDS", "1")];
    attack(&short, "/endless", 504, "timed_out").await;
}

#[tokio::test]
async fn many_bombs_at_once_find_the_budget_used_up_and_leave_no_trace_in_it() {
    let scene = Scene::new().await;
    // Less than one bomb wants: each of them meets the end of the budget before its own bound.
    let setup = scene.setup().set("MEMORY_BUDGET_BYTES", "8388608").set("MAX_CONCURRENT_REQUESTS", "12");
    let server = std::sync::Arc::new(setup.guest("hostile.wasm").start().await);
    let bombs: Vec<_> = (0..12)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { server.get("/bomb").await })
        })
        .collect();
    for bomb in bombs {
        let answer = bomb.await.expect("answered");
        assert_eq!((answer.status, answer.reason().as_deref()), (503, Some("no_memory")));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    until("the budget is whole again", async || server.metric("aegis_instance_memory_bytes").await < 0.5)
        .await;
    // It needs some of the budget itself, so it shows that the budget came back.
    let next = server.get("/recall").await;
    assert_eq!(next.status, 200, "{}", next.text());
    assert!(scene.forge.requests().is_empty());
}

#[tokio::test]
async fn spinning_guests_do_not_keep_others_from_being_served() {
    let scene = Scene::new().await;
    let server = std::sync::Arc::new(scene.setup().guest("hostile.wasm").start().await);
    let spinners: Vec<_> = (0..6)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { server.get("/loop").await.status })
        })
        .collect();
    // Served while they spin or after they were stopped; never refused, never lost.
    for _ in 0..20 {
        assert_eq!(server.get("/fine").await.status, 200);
    }
    for spinner in spinners {
        assert_eq!(spinner.await.expect("answered"), 504);
    }
}

#[tokio::test]
async fn a_guest_finds_no_environment_no_secret_and_no_credential() {
    let scene = Scene::new().await;
    let server = scene.setup().guest("hostile.wasm").start().await;
    assert_eq!(server.get("/environment").await.text(), "[]");
    assert_eq!(server.get("/secrets").await.text(), "[None, None, None, None]");
    let seen = server.get("/credential").await.text();
    assert!(seen.starts_with("handle-") && seen.len() == "handle-".len() + 32, "{seen}");
    assert_ne!(seen, server.get("/credential").await.text(), "each request has a handle of its own");
    assert!(scene.forge.requests().is_empty());
    let stopped = server.stop().await;
    assert!(outcomes(&stopped.audit).is_empty());
    for secret in [aegis_tests::server::KEY, aegis_tests::forge::world::SVC_TOKEN] {
        assert!(!stopped.log.contains(secret) && !format!("{:?}", stopped.audit).contains(secret));
    }
}
