//! More requests than there are places: the rest is refused at once, by name, and everything else goes on.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::{KEY, OTHER_KEY, of_event};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::scene::{READ, Scene, call, outcomes, until};

#[tokio::test]
async fn a_full_house_refuses_at_once_and_still_tells_how_it_is() {
    let scene = Scene::new().await;
    let server = scene.setup().set("MAX_CONCURRENT_REQUESTS", "1").start().await;
    scene.forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Hold));
    let first = call(&server.url, KEY, READ);
    scene.seen("GET", 1).await;

    let second = call(&server.url, OTHER_KEY, READ).await.expect("no panic").expect("an answer");
    assert_eq!((second.status, second.reason().as_deref()), (503, Some("busy")));
    assert_eq!(second.header("retry-after"), Some("1"));
    assert_eq!(scene.forge.requests().len(), 1, "the refused call asked Gitea for nothing");
    for probe in ["/health", "/ready", "/metrics"] {
        assert_eq!(server.stranger("GET", probe, &[], b"").await.status, 200, "{probe}");
    }
    assert!((server.metric("aegis_host_refusals_total{reason=\"busy\"}").await - 1.0).abs() < 0.1);
    assert!((server.metric("aegis_instances").await - 1.0).abs() < 0.1);

    scene.forge.release(1);
    assert_eq!(first.await.expect("no panic").expect("an answer").status, 200);
    until("the place is free", async || server.metric("aegis_instances").await < 0.5).await;
    assert_eq!(call(&server.url, OTHER_KEY, READ).await.expect("no panic").expect("an answer").status, 200);
    assert_eq!(outcomes(&server.stop().await.audit), ["pending", "success", "pending", "success"]);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_ninth_request_of_one_key_is_refused_while_another_key_is_served() {
    let scene = Scene::new().await;
    let server = scene.setup().set("MAX_CONCURRENT_REQUESTS", "32").start().await;
    for _ in 0..8 {
        scene.forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Hold));
    }
    let eight: Vec<_> = (0..8).map(|_| call(&server.url, KEY, READ)).collect();
    scene.seen("GET", 8).await;

    let ninth = call(&server.url, KEY, READ).await.expect("no panic").expect("an answer");
    assert_eq!((ninth.status, ninth.reason().as_deref()), (429, Some("too_many_concurrent")));
    assert_eq!(ninth.header("retry-after"), Some("1"));
    assert_eq!(scene.forge.requests().len(), 8);
    let lines = server.audit_when(|lines| !of_event(lines, "access_denied").is_empty()).await;
    assert_eq!(of_event(&lines, "access_denied")[0]["reason"], "too_many_concurrent");
    assert_eq!(call(&server.url, OTHER_KEY, READ).await.expect("no panic").expect("an answer").status, 200);

    scene.forge.release(8);
    for held in eight {
        assert_eq!(held.await.expect("no panic").expect("an answer").status, 200);
    }
    until("the places are given back", async || server.metric("aegis_instances").await < 0.5).await;
    assert_eq!(call(&server.url, KEY, READ).await.expect("no panic").expect("an answer").status, 200);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn connections_beyond_the_cap_are_closed_unread_and_a_place_that_is_left_is_used_again() {
    let scene = Scene::new().await;
    let server = scene.setup().set("MAX_CONNECTIONS", "2").start().await;
    let authority = server.url.strip_prefix("http://").expect("http").to_owned();
    let one = TcpStream::connect(&authority).await.expect("it listens");
    let two = TcpStream::connect(&authority).await.expect("it listens");
    // Connections are taken in the order in which they came, so this one finds both places gone.
    let mut three = TcpStream::connect(&authority).await.expect("it listens");
    let asked =
        three.write_all(format!("GET /health HTTP/1.1\r\nHost: {authority}\r\n\r\n").as_bytes()).await;
    let mut answer = Vec::new();
    let read = three.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{asked:?} {read:?} {}", String::from_utf8_lossy(&answer));
    drop((one, two));
    until("a place is free", async || {
        aegis_tests::http::send(&server.url, "GET", "/health", &[], b"").await.is_ok()
    })
    .await;
    until("it can be asked", async || {
        server.metric("aegis_host_refusals_total{reason=\"too_many_connections\"}").await >= 1.0
    })
    .await;
    assert!(scene.forge.requests().is_empty());
}

#[tokio::test]
async fn bodies_that_are_announced_and_do_not_come_leave_no_room_for_more_than_there_is() {
    let scene = Scene::new().await;
    let server = scene.setup().set("MAX_REQUEST_BYTES", "16777216").start().await;
    let authority = server.url.strip_prefix("http://").expect("an address").to_owned();
    let head = format!("POST /mcp HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 16777216\r\n\r\n");
    let mut senders = Vec::new();
    for _ in 0..4 {
        let mut sender = TcpStream::connect(&authority).await.expect("connected");
        sender.write_all(head.as_bytes()).await.expect("sent");
        senders.push(sender);
    }
    // Each takes its room when its head is read; then a request with a body finds none, and one without is served.
    until("no room is left", async || {
        let answer = call(&server.url, KEY, READ).await.expect("no panic").expect("an answer");
        (answer.status, answer.reason().as_deref()) == (503, Some("busy"))
    })
    .await;
    assert_eq!(server.get("/").await.status, 200);
    drop(senders);
    until("their room is free again", async || {
        call(&server.url, KEY, READ).await.expect("no panic").expect("an answer").status == 200
    })
    .await;
}
