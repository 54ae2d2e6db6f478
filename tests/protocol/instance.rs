//! Guests that fail: the host answers in their place, with a name and without a reason from inside.

use aegis_tests::server::Setup;

use crate::ground::Ground;

async fn hostile(change: impl FnOnce(Setup) -> Setup) -> Ground {
    Ground::with(|setup| change(setup.guest("hostile.wasm"))).await
}

async fn fails(ground: &Ground, path: &str, status: u16, reason: &str) {
    let answer = ground.server.get(path).await;
    ground.refused_by_host(&answer, status, reason).await;
    for inside in ["wasm", "backtrace", "panicked", "on purpose", ".rs"] {
        assert!(!answer.text().contains(inside), "{path}: {}", answer.text());
    }
    assert_eq!(ground.server.get("/fine").await.text(), "fine", "the next request is not affected by {path}");
}

#[tokio::test]
async fn a_guest_that_ends_without_an_answer_is_an_internal_error() {
    let ground = hostile(|setup| setup).await;
    for path in ["/trap", "/silent", "/recurse", "/headers"] {
        fails(&ground, path, 500, "internal_error").await;
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_guest_that_takes_too_much_is_stopped() {
    let ground = hostile(|setup| setup).await;
    fails(&ground, "/loop", 504, "cpu_limit").await;
    fails(&ground, "/bomb", 500, "memory_limit").await;
    fails(&ground, "/giant", 500, "answer_too_large").await;
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_guest_that_finds_the_memory_of_all_used_up_is_told_to_come_again() {
    let ground = hostile(|setup| setup.set("MEMORY_BUDGET_BYTES", "16777216")).await;
    let answer = ground.server.get("/bomb").await;
    ground.refused_by_host(&answer, 503, "no_memory").await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(ground.server.get("/fine").await.text(), "fine");
}

#[tokio::test]
async fn a_guest_that_never_ends_its_answer_runs_out_of_time() {
    let ground =
        hostile(|setup| setup.set("ANSWER_TIMEOUT_SECONDS", "1").set("TOTAL_TIMEOUT_SECONDS", "1")).await;
    let answer = ground.server.get("/endless").await;
    ground.refused_by_host(&answer, 504, "timed_out").await;
}

#[tokio::test]
async fn an_answer_whose_outcome_is_not_recorded_is_withheld() {
    let ground = hostile(|setup| setup).await;
    fails(&ground, "/left-open", 500, "outcome_not_recorded").await;
    let lines = ground.server.audit_when(|lines| lines.iter().any(|line| line["status"] == "aborted")).await;
    assert_eq!(lines.iter().filter(|line| line["status"] == "pending").count(), 1);
}

#[tokio::test]
async fn a_change_that_was_sent_is_told_even_when_there_is_no_answer() {
    let ground = hostile(|setup| setup.writes("alice/demo")).await;
    let answer = ground.server.get("/write-then-trap").await;
    ground.refused_by_host(&answer, 504, "write_outcome_unknown").await;
    assert_eq!(answer.header("retry-after"), None);
    assert!(answer.text().contains("look before trying again"), "{}", answer.text());
}
