//! Streams of people who signed in: each is its person's and its client's alone, and ends with what let it be opened.
//! No keep-alive comes in these tests, so that whatever ends a stream does so at once.

use aegis_tests::events::Events;
use aegis_tests::http::send;
use aegis_tests::sign_in::{REDIRECT, VERIFIER};

use super::{Stage, asked};
use crate::admin::aegis;

async fn said(stage: &Stage, token: &str, target: &str) -> (u16, String) {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let answer = send(&stage.server.url, "GET", target, &headers, b"").await.expect("an answer");
    (answer.status, answer.text())
}

async fn kept(stage: &Stage, token: &str) -> (Events, String) {
    let mut stream = Events::ask(&stage.server.url, "/mailbox/keep", token).await;
    let name = stream.value("kept=").await;
    (stream, name)
}

/// The stream has a living end: what is delivered arrives.
async fn lives(stage: &Stage, token: &str, stream: &mut Events, name: &str, text: &str) {
    let told = said(stage, token, &format!("/mailbox/deliver?name={name}&text={text}")).await;
    assert_eq!(told, (200, "delivered".to_owned()));
    stream.until(text).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_persons_access_and_the_others_stay() {
    let stage = Stage::new().await;
    let (alice, bob) = (stage.token("alice").await, stage.token("bob").await);
    let (mut hers, _) = kept(&stage, &alice).await;
    let (mut his, name) = kept(&stage, &bob).await;
    let (code, out, err) = aegis(&stage.scene, &["users", "revoke", "alice"]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(hers.end().await, "{}", hers.text());
    lives(&stage, &bob, &mut his, &name, "still").await;
    // The client gives its token back.
    let with = [("client", stage.client.as_str()), ("token", &bob)];
    assert_eq!(stage.asked("revoke", &with).await, "Ok(())");
    assert!(his.end().await, "{}", his.text());
    let counted = stage.server.metric("aegis_streams_ended_total{reason=\"credential_ended\"}").await;
    assert!((counted - 2.0).abs() < 0.5, "{counted}");
    let stopped = stage.server.stop().await;
    assert!(!stopped.log.contains(&alice) && !stopped.log.contains(&bob));
}

#[tokio::test]
async fn a_stream_ends_with_its_client_and_is_unknown_to_other_clients_of_its_person() {
    let stage = Stage::new().await;
    let first = stage.token("alice").await;
    let other = asked(&stage.server, "register", &[("redirect", REDIRECT)]).await;
    assert_ne!(other, stage.client);
    let second = stage.token_for(&other, "alice").await;
    let (mut stream, name) = kept(&stage, &first).await;
    let (mut others, others_name) = kept(&stage, &second).await;
    for (token, name) in [(&second, &name), (&first, &others_name)] {
        let told = said(&stage, token, &format!("/mailbox/deliver?name={name}&text=intruder")).await;
        assert_eq!(told, (200, "gone".to_owned()));
    }
    let mut waiting = Events::ask(&stage.server.url, "/mailbox/ask", &first).await;
    let id = waiting.value("asked=").await;
    let answer = format!("/mailbox/answer?id={id}&text=yes");
    assert_eq!(said(&stage, &second, &answer).await, (200, "false".to_owned()));
    assert_eq!(said(&stage, &first, &answer).await, (200, "true".to_owned()));
    let (_, sealed) = said(&stage, &first, "/mailbox/confirmation").await;
    let confirm = format!("/mailbox/confirm?value={sealed}");
    assert_eq!(said(&stage, &second, &confirm).await.1, "Err(\"forged\")");
    assert_eq!(said(&stage, &first, &confirm).await.1, format!("Ok({:?})", b"delete it"));
    let (code, out, err) = aegis(&stage.scene, &["clients", "revoke", &stage.client]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(stream.end().await && !stream.text().contains("intruder"), "{}", stream.text());
    lives(&stage, &second, &mut others, &others_name, "still").await;
    assert!(!others.text().contains("intruder"), "{}", others.text());
    assert_eq!(stage.server.stop().await.code, 0);
}

#[tokio::test]
async fn a_code_that_comes_again_ends_the_streams_of_what_it_opened() {
    let stage = Stage::new().await;
    let code = stage.code("alice").await;
    let told = stage.redeemed(&stage.client, &code, VERIFIER).await;
    let access = told.split('"').find(|text| text.starts_with("aegis_at_")).expect("a token").to_owned();
    let (mut stream, _) = kept(&stage, &access).await;
    // RFC 6749 section 4.1.2.
    let again = stage.redeemed(&stage.client, &code, VERIFIER).await;
    assert!(again.starts_with("Err"), "{again}");
    assert!(stream.end().await, "{}", stream.text());
    assert_eq!(stage.server.stop().await.code, 0);
}
