//! Streams that are kept and replies that are waited for, under a guest that would use what is another's, use more than
//! its share, or say something before it is on record.

use aegis_tests::events::Events;
use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::http::{Answer, send};
use aegis_tests::server::{KEY, OTHER_KEY, Server, Setup, program};

use crate::scene::{Scene, outcomes, until};

/// A server with the hostile guest, whose keep-alives no test waits for.
async fn hostile(scene: &Scene, change: impl FnOnce(Setup) -> Setup) -> Server {
    let setup = scene.setup().set("STREAM_KEEPALIVE_SECONDS", "300");
    change(setup).guest("hostile.wasm").start().await
}

async fn asked(server: &Server, key: &str, attempt: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    send(&server.url, "GET", attempt, &[("authorization", &bearer)], b"").await.expect("an answer")
}

async fn said(server: &Server, key: &str, attempt: &str) -> String {
    let answer = asked(server, key, attempt).await;
    assert_eq!(answer.status, 200, "{attempt}: {}", answer.text());
    answer.text()
}

/// A kept stream, and its name.
async fn kept(server: &Server, key: &str) -> (Events, String) {
    let mut stream = Events::ask(&server.url, "/mailbox/keep-told", key).await;
    let name = stream.value("kept=").await;
    assert_eq!(name.len(), 32, "{name}");
    (stream, name)
}

async fn ended(server: &Server, reason: &str, count: f64) {
    let line = format!("aegis_streams_ended_total{{reason=\"{reason}\"}}");
    until(reason, async || (server.metric(&line).await - count).abs() < 0.5).await;
}

async fn revoke(server: &Server, key: &str) {
    let audit = server.audit_path().display().to_string();
    let keys = format!("laptop={KEY},ci={OTHER_KEY}");
    let variables = [
        ("GITEA_URL", "http://127.0.0.1:1"),
        ("GITEA_TOKEN", SVC_TOKEN),
        ("MCP_API_KEYS", keys.as_str()),
        ("AUDIT_LOG_PATH", audit.as_str()),
    ];
    let (_, out, err) = program(&["users", "revoke", &format!("key:{key}")], &variables).await;
    assert!(out.contains("no more"), "{out}{err}");
}

#[tokio::test]
async fn a_kept_stream_says_what_others_deliver_and_holds_nothing() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup.set("MAX_CONCURRENT_REQUESTS", "4")).await;
    // More than a caller may have in flight, and more than there are places.
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(kept(&server, KEY).await);
    }
    until("no instance is left", async || server.metric("aegis_instances").await < 0.5).await;
    assert!((server.metric("aegis_streams").await - 10.0).abs() < 0.5);
    for (number, (stream, name)) in streams.iter_mut().enumerate() {
        let deliver = format!("/mailbox/deliver?name={name}&text=number-{number}");
        assert_eq!(said(&server, KEY, &deliver).await, "delivered");
        let text = stream.until(&format!("number-{number}")).await;
        assert_eq!(text.matches("number-").count(), 1, "{text}");
    }
    let (_, name) = streams.pop().expect("ten of them");
    ended(&server, "client_left", 1.0).await;
    assert_eq!(said(&server, KEY, &format!("/mailbox/deliver?name={name}&text=late")).await, "gone");
    assert!(scene.forge.requests().is_empty());
}

#[tokio::test]
async fn nobody_delivers_to_another_caller() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup).await;
    let (mut stream, name) = kept(&server, KEY).await;
    for (key, name) in [(OTHER_KEY, name.as_str()), (KEY, "00000000000000000000000000000000")] {
        let attempt = format!("/mailbox/deliver?name={name}&text=intruder");
        assert_eq!(said(&server, key, &attempt).await, "gone");
    }
    let half = asked(&server, KEY, &format!("/mailbox/deliver-half?name={name}")).await;
    assert_eq!((half.status, half.reason().as_deref()), (500, Some("internal_error")));
    assert_eq!(said(&server, KEY, &format!("/mailbox/deliver?name={name}&text=mine")).await, "delivered");
    let text = stream.until("mine").await;
    assert!(!text.contains("intruder") && !text.contains("half"), "{text}");
}

#[tokio::test]
async fn a_result_is_not_delivered_while_its_ticket_is_open() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup).await;
    let (mut stream, name) = kept(&server, KEY).await;
    let told = said(&server, KEY, &format!("/mailbox/deliver-early?name={name}")).await;
    assert_eq!(told, "withheld delivered delivered");
    let text = stream.until("SECRET").await;
    assert_eq!(text.matches("SECRET").count(), 1, "{text}");
    assert!(text.find("progressToken") < text.find("SECRET"), "{text}");
    let stopped = server.stop().await;
    assert_eq!(outcomes(&stopped.audit), ["pending", "success"]);
    assert!(scene.forge.requests().is_empty());
}

#[tokio::test]
async fn one_request_keeps_one_stream_and_only_where_it_answers_with_one() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup).await;
    assert_eq!(said(&server, KEY, "/mailbox/keep-twice").await, "false");
    assert!(said(&server, KEY, "/mailbox/keep-without-a-stream").await.starts_with("Ok"));
    ended(&server, "never_begun", 2.0).await;
    for odd in ["two-events-as-one", "nine-announcements", "with-half-a-farewell"] {
        assert_eq!(asked(&server, KEY, &format!("/mailbox/keep-{odd}")).await.status, 500, "{odd}");
    }
    let mut broken = Events::ask(&server.url, "/mailbox/keep-and-trap", KEY).await;
    assert!(!broken.end().await, "cut off: {}", broken.text());
    let mut open = Events::ask(&server.url, "/mailbox/keep-with-an-open-ticket", KEY).await;
    assert!(!open.end().await && !open.text().contains("kept="), "cut off: {}", open.text());
    ended(&server, "never_begun", 4.0).await;
    assert!(server.metric("aegis_streams").await < 0.5);
    assert_eq!(outcomes(&server.stop().await.audit), ["pending", "aborted"]);
}

#[tokio::test]
async fn a_caller_has_thirty_two_streams_and_all_have_as_many_as_is_set() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup.set("MAX_STREAMS", "33")).await;
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(kept(&server, KEY).await);
    }
    let refused = "data: refused=30";
    assert!(said(&server, KEY, "/mailbox/keep").await.contains(refused));
    streams.push(kept(&server, OTHER_KEY).await);
    assert!(said(&server, OTHER_KEY, "/mailbox/keep").await.contains(refused), "MAX_STREAMS");
    streams.truncate(31);
    ended(&server, "client_left", 2.0).await;
    kept(&server, KEY).await;
}

#[tokio::test]
async fn without_streams_nothing_is_announced_and_nothing_kept() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup.set("MAX_STREAMS", "0")).await;
    assert_eq!(said(&server, KEY, "/mailbox/topics").await, "[]");
    assert!(said(&server, KEY, "/mailbox/keep").await.contains("refused="));
}

#[tokio::test]
async fn a_revoked_key_ends_its_streams_at_once_and_no_others() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup).await;
    let (mut first, _) = kept(&server, OTHER_KEY).await;
    let (mut second, name) = kept(&server, OTHER_KEY).await;
    let (mut other, others) = kept(&server, KEY).await;
    revoke(&server, "ci").await;
    assert!(first.end().await && second.end().await, "they end as they should");
    assert!(!first.text().contains("bye") && !second.text().contains("bye"), "nothing more is said");
    ended(&server, "credential_ended", 2.0).await;
    assert_eq!(asked(&server, OTHER_KEY, &format!("/mailbox/deliver?name={name}&text=x")).await.status, 500);
    assert_eq!(said(&server, KEY, &format!("/mailbox/deliver?name={others}&text=still")).await, "delivered");
    other.until("still").await;
    assert!(server.log().contains("\"stream_ended\""), "{}", server.log());
}

#[tokio::test]
async fn a_stop_ends_streams_at_once() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup).await;
    let (mut stream, _) = kept(&server, KEY).await;
    let stopped = server.stop().await;
    assert!(stream.end().await && stream.text().contains("data: bye\n\n"), "{}", stream.text());
    assert_eq!(stopped.code, 0);
    assert!(!stopped.log.contains("drain_cut_off"), "{}", stopped.log);
    assert!(stopped.log.contains("\"reason\":\"stopping\""), "{}", stopped.log);
    assert!(!stopped.log.contains(KEY));
}

#[tokio::test]
async fn silence_is_broken_while_a_stream_is_kept_and_while_an_instance_works() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup.set("STREAM_KEEPALIVE_SECONDS", "1")).await;
    let (mut stream, _) = kept(&server, KEY).await;
    let mut waiting = Events::ask(&server.url, "/mailbox/ask", KEY).await;
    let id = waiting.value("asked=").await;
    assert!(stream.until(": keep-alive\n\n").await.contains("kept="));
    waiting.until(": keep-alive\n\n").await;
    assert_eq!(said(&server, KEY, &format!("/mailbox/answer?id={id}&text=yes")).await, "true");
    waiting.until("reply=Some(\"yes\")").await;
    assert!(waiting.end().await);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_left() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup).await;
    let (stream, name) = kept(&server, KEY).await;
    let told = said(&server, KEY, &format!("/mailbox/flood?name={name}")).await;
    assert_eq!(told, "true gone");
    ended(&server, "not_read", 1.0).await;
    assert!(server.metric("aegis_streams").await < 0.5);
    drop(stream);
}

#[tokio::test]
async fn lists_that_change_are_announced_to_those_who_asked() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup.policy("version: 1\n")).await;
    let (mut stream, _) = kept(&server, KEY).await;
    let mut silent = Events::ask(&server.url, "/mailbox/keep", KEY).await;
    let name = silent.value("kept=").await;
    // The hostile guest finds every policy good.
    std::fs::write(server.folder().join("policy.yaml"), "version: 1\n# changed\n").expect("written");
    server.signal("HUP").await;
    for topic in ["Tools", "Prompts", "Resources"] {
        stream.until(&format!("changed Topic::{topic}")).await;
    }
    assert_eq!(said(&server, KEY, &format!("/mailbox/deliver?name={name}&text=last")).await, "delivered");
    assert!(!silent.until("last").await.contains("changed"));
}

#[tokio::test]
async fn a_question_is_answered_once_and_by_whoever_it_was_for() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup).await;
    let mut waiting = Events::ask(&server.url, "/mailbox/ask", KEY).await;
    let id = waiting.value("asked=").await;
    let answer = |text: &str| format!("/mailbox/answer?id={id}&text={text}");
    assert_eq!(said(&server, OTHER_KEY, &answer("theirs")).await, "false");
    assert_eq!(said(&server, KEY, "/mailbox/answer?id=1&text=guessed").await, "false");
    assert_eq!(said(&server, KEY, &answer("mine")).await, "true");
    assert_eq!(said(&server, KEY, &answer("again")).await, "false");
    waiting.until("reply=Some(\"mine\")").await;
    // Whoever leaves is not waited for.
    let mut left = Events::ask(&server.url, "/mailbox/ask", KEY).await;
    let id = left.value("asked=").await;
    drop(left);
    until("the question is forgotten", async || server.metric("aegis_instances").await < 0.5).await;
    assert_eq!(said(&server, KEY, &format!("/mailbox/answer?id={id}&text=late")).await, "false");
    assert_eq!(said(&server, KEY, "/mailbox/ask-in-vain").await, "None None");
}

#[tokio::test]
async fn a_hundred_questions_find_room_for_four() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup).await;
    assert_eq!(said(&server, KEY, "/mailbox/ask-many").await, "4");
    assert_eq!(said(&server, KEY, "/mailbox/ask-many").await, "4", "dropped, they are forgotten");
}

#[tokio::test]
async fn a_confirmation_opens_once_and_for_whoever_it_was_sealed_for() {
    let scene = Scene::new().await;
    let server = hostile(&scene, |setup| setup).await;
    assert_eq!(said(&server, KEY, "/mailbox/confirmation-of-nobody").await, "None");
    let sealed = said(&server, KEY, "/mailbox/confirmation").await;
    let confirm = |sealed: &str| format!("/mailbox/confirm?value={sealed}");
    assert_eq!(said(&server, OTHER_KEY, &confirm(&sealed)).await, "Err(\"forged\")");
    let opened = said(&server, KEY, &confirm(&sealed)).await;
    assert_eq!(opened, format!("Ok({:?})", b"delete it"));
    assert_eq!(said(&server, KEY, &confirm(&sealed)).await, "Err(\"expired\")");
    // Nor does it open after a restart, when nobody knows any more which were opened.
    let sealed = said(&server, KEY, "/mailbox/confirmation").await;
    assert_eq!(server.stop().await.code, 0);
    let server = hostile(&scene, |setup| setup).await;
    assert_eq!(said(&server, KEY, &confirm(&sealed)).await, "Err(\"expired\")");
}
