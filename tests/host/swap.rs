//! Replacing the guest while the server serves: what is put in force, what is refused and leaves everything as it was, what
//! comes back by itself, and what a restart finds. The guests are variants of the product's own, which differ in their
//! digest alone, and the hostile one, to which a comment in the policy says how it behaves.

mod bad;
mod components;
mod kept;
mod load;
mod signed;
mod watched;

use aegis_tests::events::Events;
use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::{KEY, Server, of_event};
use serde_json::{Value, json};

use crate::scene::{READ, Scene, call, until};
use components::{Components, component, guest, in_force, told, variant_of};

/// The lines of this reason.
fn lines<'l>(audit: &'l [Value], reason: &str) -> Vec<&'l Value> {
    of_event(audit, "security_event").into_iter().filter(|line| line["reason"] == reason).collect()
}

async fn status(server: &Server) -> u16 {
    call(&server.url, KEY, READ).await.expect("no panic").expect("an answer").status
}

/// An answer to `guest swap --json` or `guest rollback --json` that says that it was done.
async fn done(server: &Server, arguments: &[&str]) -> Value {
    let (code, out, err) = guest(server, &[arguments, &["--json"]].concat()).await;
    assert_eq!(code, 0, "{arguments:?}: {out}{err}");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"))
}

#[tokio::test]
async fn a_swapped_guest_answers_and_what_had_begun_is_finished_by_the_one_before() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let own = in_force(&server).await;
    let components = Components::new();
    let (path, digest) = components.variant("a").await;
    scene.forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Hold));
    let running = call(&server.url, KEY, READ);
    scene.seen("GET", 1).await;
    let answer = done(&server, &["swap", &path]).await;
    assert_eq!((&answer["before"], &answer["after"]), (&json!(own), &json!(digest)));
    assert_eq!((&answer["generation"], &answer["volatile"]), (&json!(2), &Value::Null));
    assert_eq!(in_force(&server).await, digest);
    assert_eq!(status(&server).await, 200, "the new one answers while the old one is at work");
    scene.forge.release(1);
    let first = running.await.expect("no panic").expect("the running request is answered");
    assert_eq!(first.status, 200, "{}", first.text());
    assert!((server.metric(&format!("aegis_guest_info{{digest=\"{digest}\"}}")).await - 1.0).abs() < 0.5);
    assert!((server.metric("aegis_guest_generation").await - 2.0).abs() < 0.5);
    assert!((server.metric("aegis_guest_swaps_total{outcome=\"done\"}").await - 1.0).abs() < 0.5);
    // The same again is nothing new.
    assert_eq!(done(&server, &["swap", &path]).await["generation"], 2);
    let stopped = server.stop().await;
    let swapped = lines(&stopped.audit, "guest_swapped");
    assert_eq!(swapped.len(), 1, "{swapped:?}");
    assert_eq!(
        (&swapped[0]["detail"]["before"], &swapped[0]["detail"]["after"]),
        (&json!(own), &json!(digest))
    );
    assert_eq!(swapped[0]["detail"]["by"], "operator");
    assert!(swapped[0]["detail"]["peer_uid"].is_u64(), "{swapped:?}");
    // Intent and outcome of the first call are the old guest's, of the second the new one's, in this order around the swap.
    let of = |line: &Value| line["component"].as_str().expect("a digest").to_owned();
    let calls: Vec<String> = of_event(&stopped.audit, "tool_invocation").into_iter().map(of).collect();
    let (old, new) = (own[..16].to_owned(), digest[..16].to_owned());
    assert_eq!(calls, [old.clone(), new.clone(), new, old]);
    assert_eq!(scene.verify().await.0, 0);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_rollback_goes_back_one_by_one_and_the_history_says_who_and_when() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let own = in_force(&server).await;
    let components = Components::new();
    let ((a, first), (b, second)) = (components.variant("a").await, components.variant("b").await);
    let (code, _, err) = guest(&server, &["rollback"]).await;
    assert!(code == 1 && err.starts_with("nothing_before: "), "{code} {err}");
    done(&server, &["swap", &a]).await;
    done(&server, &["swap", &b]).await;
    assert_eq!(told(&server).await["rollback_to"], json!(first));
    assert_eq!(done(&server, &["rollback"]).await["after"], json!(first));
    assert_eq!((in_force(&server).await, status(&server).await), (first.clone(), 200));
    assert_eq!(done(&server, &["rollback"]).await["after"], json!(own));
    assert_eq!(in_force(&server).await, own);
    let history = told(&server).await;
    let past: Vec<_> = history["past"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|past| (&past["what"], &past["digest"]))
        .collect();
    let expected =
        [("swapped", &first), ("swapped", &second), ("rolled_back", &first), ("rolled_back", &own)];
    let expected = expected.map(|(what, digest)| (json!(what), json!(digest)));
    assert_eq!(past, expected.iter().map(|(what, digest)| (what, digest)).collect::<Vec<_>>());
    assert_eq!((&history["rollback_to"], &history["image"]), (&Value::Null, &json!(own)));
    let (code, out, _) = guest(&server, &["history"]).await;
    assert!(
        code == 0 && out.contains("which came with the program") && out.contains("rolled back to"),
        "{out}"
    );
    let stopped = server.stop().await;
    assert_eq!(lines(&stopped.audit, "guest_rolled_back").len(), 2);
    let refused = lines(&stopped.audit, "guest_swap_refused");
    assert_eq!(refused.iter().map(|line| &line["detail"]["cause"]).collect::<Vec<_>>(), ["nothing_before"]);
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_guest_that_fails_in_its_first_minute_is_taken_down_by_itself() {
    let scene = Scene::new().await;
    let server =
        scene.setup().policy("# candidate: polite\ndefaults: {read: allow, write: deny}\n").start().await;
    let own = in_force(&server).await;
    let hostile = component("hostile.wasm").display().to_string();
    let digest = done(&server, &["swap", &hostile]).await["after"].as_str().expect("a digest").to_owned();
    assert_eq!(in_force(&server).await, digest);
    for _ in 0..4 {
        assert_eq!(server.get("/trap").await.status, 500);
    }
    assert_eq!(in_force(&server).await, digest, "four may be the requests' own fault");
    assert_eq!(server.get("/trap").await.status, 500);
    until("the one before is back", async || in_force(&server).await == own).await;
    assert_eq!(status(&server).await, 200);
    assert!((server.metric("aegis_guest_swaps_total{outcome=\"failed\"}").await - 1.0).abs() < 0.5);
    let history = told(&server).await;
    let last = history["past"].as_array().and_then(|past| past.last()).expect("an event");
    assert_eq!(
        (&last["what"], &last["by"], &last["before"]),
        (&json!("gave_up"), &json!("failures"), &json!(digest))
    );
    let stopped = server.stop().await;
    let back = lines(&stopped.audit, "guest_rolled_back");
    assert_eq!(back.len(), 1, "{back:?}");
    let detail = &back[0]["detail"];
    assert_eq!(
        (&detail["by"], &detail["failed"], &detail["requests"]),
        (&json!("failures"), &json!(5), &json!(5))
    );
    assert_eq!((&detail["before"], &detail["after"]), (&json!(digest), &json!(own)));
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn the_policy_that_is_read_again_is_prepared_by_the_guest_in_force() {
    let scene = Scene::new().await;
    let server = scene.setup().policy("defaults: {read: allow, write: deny}\n").start().await;
    let components = Components::new();
    done(&server, &["swap", &components.variant("a").await.0]).await;
    assert_eq!(status(&server).await, 200);
    std::fs::write(server.folder().join("policy.yaml"), "defaults: {read: deny, write: deny}\n")
        .expect("written");
    server.signal("HUP").await;
    until("it holds", async || status(&server).await == 403).await;
    // What comes back decides by the policy of now, not by the one of its time.
    done(&server, &["rollback"]).await;
    assert_eq!(status(&server).await, 403);
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_request_that_waited_for_a_person_is_ended_where_guest_and_policy_were_both_replaced() {
    let scene = Scene::new().await;
    let policy = |text: &str| format!("# candidate: polite\n# {text}\n");
    let server = scene.setup().guest("hostile.wasm").policy(&policy("first")).start().await;
    let components = Components::new();
    let (path, digest) = components.file("other.wasm", &variant_of("hostile.wasm", "other"));
    let answer = async |id: &str| {
        let answered = server.get(&format!("/mailbox/answer?id={id}&text=yes")).await;
        assert_eq!(answered.text(), "true");
    };
    // The guest alone: its request goes on.
    let mut waiting = Events::ask(&server.url, "/mailbox/ask", KEY).await;
    let id = waiting.value("asked=").await;
    done(&server, &["swap", &path]).await;
    assert_eq!(in_force(&server).await, digest);
    answer(&id).await;
    waiting.until("reply=Some(\"yes\")").await;
    assert!(waiting.end().await);
    // Both: what the other guest has prepared says nothing to this one, and the old policy does not decide any more.
    let mut waiting = Events::ask(&server.url, "/mailbox/ask", KEY).await;
    let id = waiting.value("asked=").await;
    done(&server, &["rollback"]).await;
    std::fs::write(server.folder().join("policy.yaml"), policy("second")).expect("written");
    server.signal("HUP").await;
    server.audit_when(|audit| !lines(audit, "policy_reloaded").is_empty()).await;
    answer(&id).await;
    waiting.end().await;
    assert!(!waiting.text().contains("reply="), "it ends without one: {}", waiting.text());
    let stopped = server.stop().await;
    assert!(stopped.log.contains("were both replaced"), "{}", stopped.log);
    assert_eq!(scene.verify().await.0, 0);
}
