//! Bodies: their type, coding, size and pace.

use serde_json::json;

use crate::ground::Ground;
use crate::raw::{Connection, post_head};

const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[tokio::test]
async fn a_body_is_declared_as_json_once() {
    let ground = Ground::new().await;
    for kinds in [
        &["application/json"][..],
        &["Application/JSON"],
        &["application/json; charset=utf-8"],
        &["application/json;charset=\"UTF-8\""],
    ] {
        let headers: Vec<_> = kinds.iter().map(|kind| ("content-type", *kind)).collect();
        assert_eq!(ground.server.ask("POST", "/mcp", &headers, PING).await.status, 200, "{kinds:?}");
    }
    for kinds in [
        &[][..],
        &[""],
        &["text/plain"],
        &["text/json"],
        &["application/jsonx"],
        &["application/json-patch+json"],
        &["application/x-www-form-urlencoded"],
        &["multipart/form-data; boundary=x"],
        &["application/json, text/plain"],
        &["application/json", "application/json"],
        &["application/json", "text/plain"],
        &["\u{e9}"],
    ] {
        let headers: Vec<_> = kinds.iter().map(|kind| ("content-type", *kind)).collect();
        for path in ["/mcp", "/mcp/tool/call"] {
            let answer = ground.server.ask("POST", path, &headers, PING).await;
            ground.refused(&answer, 415, "access_denied", "unsupported_media_type").await;
        }
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_coded_body_is_never_inflated() {
    let ground = Ground::new().await;
    // 1 kB of zeros, compressed; the name alone is enough to refuse it.
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03c`\x18\x05\xa3`\x14\x0cw\x00\x00\x06\x9a\x4e\xe2\x00\x04\x00\x00";
    for (coding, body) in [
        ("gzip", &gzip[..]),
        ("gzip", PING),
        ("br", PING),
        ("deflate", PING),
        ("identity, gzip", PING),
        ("\u{e9}", PING),
    ] {
        for path in ["/mcp", "/mcp/tool/call"] {
            let answer = ground.post(path, &[("content-encoding", coding)], body).await;
            ground.refused(&answer, 415, "security_event", "encoded_body").await;
        }
    }
    for coding in ["identity", "Identity", ""] {
        let answer = ground.post("/mcp", &[("content-encoding", coding)], PING).await;
        assert_eq!(answer.status, 200, "{coding:?}");
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_client_that_takes_no_json_gets_none() {
    let ground = Ground::new().await;
    for accept in [
        "text/html",
        "text/event-stream",
        "application/json;q=0",
        "application/json;q=0.0, */*",
        "image/*",
        "\u{e9}",
    ] {
        let answer = ground.post("/mcp", &[("accept", accept)], PING).await;
        assert_eq!(answer.status, 406, "{accept}: {}", answer.text());
        ground.refused(&answer, 406, "access_denied", "not_acceptable").await;
    }
    for accept in ["", "*/*", "application/*", "application/json", "text/html, */*;q=0.1"] {
        assert_eq!(ground.post("/mcp", &[("accept", accept)], PING).await.status, 200, "{accept}");
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_its_length_or_by_its_bytes() {
    let ground = Ground::with(|setup| setup.set("MAX_REQUEST_BYTES", "2000")).await;
    let padded = |length: usize| {
        let mut body = PING.to_vec();
        body.resize(length, b' ');
        body
    };
    assert_eq!(ground.post("/mcp", &[], &padded(2_000)).await.status, 200, "the limit itself is allowed");
    // Also a client that is still writing when it is refused reads the answer.
    for (path, body) in
        [("/mcp", padded(2_001)), ("/mcp/tool/call", padded(2 << 20)), ("/nothing", padded(8 << 20))]
    {
        let answer = ground.post(path, &[], &body).await;
        ground.refused_by_host(&answer, 413, "body_too_large").await;
        assert_eq!(answer.header("connection"), Some("close"));
    }
    // Announced only, and never announced.
    let head = post_head(&ground.server, "/mcp");
    let announced = format!("{head}Content-Length: 10000000\r\n\r\n").into_bytes();
    let mut chunks = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..3 {
        chunks.extend(format!("3e8\r\n{}\r\n", " ".repeat(1_000)).into_bytes());
    }
    for bytes in [announced, chunks] {
        let pieces = crate::raw::exchange(&ground.server, &bytes).await;
        assert_eq!(pieces.iter().map(|piece| piece.status).collect::<Vec<_>>(), [413], "{pieces:#?}");
        assert!(pieces[0].body.contains("body_too_large"));
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn ten_megabytes_are_too_large_by_default() {
    let ground = Ground::new().await;
    let body = json!({"jsonrpc": "2.0", "id": "x".repeat(10 << 20), "method": "ping"}).to_string();
    let pieces = {
        let head = format!("{}Content-Length: {}\r\n\r\n", post_head(&ground.server, "/mcp"), body.len());
        crate::raw::exchange(&ground.server, head.as_bytes()).await
    };
    assert_eq!(pieces.iter().map(|piece| piece.status).collect::<Vec<_>>(), [413]);
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_body_that_never_comes_is_given_up() {
    let ground = Ground::with(|setup| setup.set("BODY_TIMEOUT_SECONDS", "1")).await;
    for sent in ["", "{", r#"{"jsonrpc":"2.0","#] {
        let head = format!("{}Content-Length: 400\r\n\r\n{sent}", post_head(&ground.server, "/mcp"));
        let mut connection = Connection::open(&ground.server).await;
        connection.send(head.as_bytes()).await;
        let pieces = connection.rest().await;
        assert_eq!(pieces.iter().map(|piece| piece.status).collect::<Vec<_>>(), [408], "{pieces:#?}");
        assert!(pieces[0].body.contains(r#""error":"body_too_slow""#), "{pieces:#?}");
        assert!(pieces[0].head.contains("connection: close"), "{pieces:#?}");
    }
    let counted = ground.server.metric("aegis_host_refusals_total{reason=\"body_too_slow\"}").await;
    assert!((counted - 3.0).abs() < f64::EPSILON, "{counted}");
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let ground = Ground::with(|setup| setup.set("HEADER_TIMEOUT_SECONDS", "1")).await;
    for sent in ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: "] {
        let mut connection = Connection::open(&ground.server).await;
        connection.send(sent.as_bytes()).await;
        let pieces = connection.rest().await;
        assert!(pieces.iter().all(|piece| piece.status == 408), "{sent:?}: {pieces:#?}");
    }
    let counted = ground.server.metric("aegis_host_refusals_total{reason=\"head_too_slow\"}").await;
    assert!(counted >= 1.0, "a head that is given up is counted");
    assert_eq!(ground.server.stranger("GET", "/health", &[], b"").await.status, 200);
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_body_that_breaks_its_framing_is_broken() {
    let ground = Ground::new().await;
    let bytes = format!("{}Transfer-Encoding: chunked\r\n\r\nzz\r\n", post_head(&ground.server, "/mcp"));
    let pieces = crate::raw::exchange(&ground.server, bytes.as_bytes()).await;
    assert_eq!(pieces.iter().map(|piece| piece.status).collect::<Vec<_>>(), [400], "{pieces:#?}");
    assert!(pieces[0].body.contains(r#""error":"body_broken""#), "{pieces:#?}");
    assert!(ground.server.metric("aegis_host_refusals_total{reason=\"body_broken\"}").await >= 1.0);
    ground.assert_nothing_upstream();
}
