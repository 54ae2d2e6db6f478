//! HTTP that two readers might frame differently. Refused, or read in the one way that the next request on the
//! same connection confirms: a connection never gets out of step.

use serde_json::json;

use crate::ground::Ground;
use crate::raw::{Piece, authority, exchange, last, post_head};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// What may come back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    /// 400, and the connection ends there.
    Refused,
    /// Answered, and the next request is in step.
    InStep,
    /// Answered, and the connection ends there: what follows is no request.
    Last,
}

fn statuses(pieces: &[Piece]) -> Vec<u16> {
    pieces.iter().map(|piece| piece.status).collect()
}

fn assert_outcome(what: &str, outcome: Outcome, pieces: &[Piece]) {
    match outcome {
        Outcome::Refused => assert_eq!(statuses(pieces), [400], "{what:?}: {pieces:#?}"),
        Outcome::Last => {
            assert_eq!(statuses(pieces), [200], "{what:?}: {pieces:#?}");
            assert!(pieces[0].body.contains(r#""result":{}"#), "{what:?}: {pieces:#?}");
            assert!(pieces[0].head.contains("connection: close"), "{what:?}: {pieces:#?}");
        }
        Outcome::InStep => {
            assert_eq!(statuses(pieces), [200, 200], "{what:?}: {pieces:#?}");
            assert!(pieces[0].body.contains(r#""result":{}"#), "{what:?}: {pieces:#?}");
            assert!(pieces[1].body.contains(r#""status":"healthy""#), "{what:?}: {pieces:#?}");
        }
    }
}

#[tokio::test]
async fn lengths_are_one_plain_number() {
    use Outcome::{InStep, Refused};
    let ground = Ground::new().await;
    let length = PING.len();
    let rows = [
        (format!("Content-Length: {length}\r\n"), InStep),
        // RFC 9112 section 6.3 leaves it to the server; another reader may take the second.
        (format!("Content-Length: {length}\r\nContent-Length: {length}\r\n"), Refused),
        (format!("Content-Length: {length}\r\nContent-Length: 5\r\n"), Refused),
        (format!("Content-Length: 5\r\nContent-Length: {length}\r\n"), Refused),
        (format!("Content-Length: {length}, {length}\r\n"), Refused),
        (format!("Content-Length: +{length}\r\n"), Refused),
        (format!("Content-Length: -{length}\r\n"), Refused),
        (format!("Content-Length: {length:#x}\r\n"), Refused),
        (format!("Content-Length: {length}.0\r\n"), Refused),
        ("Content-Length: \r\n".to_owned(), Refused),
        ("Content-Length: 99999999999999999999999\r\n".to_owned(), Refused),
        (format!("Content-Length : {length}\r\n"), Refused),
    ];
    for (lines, outcome) in rows {
        let mut bytes = format!("{}{lines}\r\n{PING}", post_head(&ground.server, "/mcp")).into_bytes();
        bytes.extend(last(&ground.server));
        assert_outcome(&lines, outcome, &exchange(&ground.server, &bytes).await);
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn chunks_are_read_to_their_end_or_refused() {
    use Outcome::{Last, Refused};
    let ground = Ground::new().await;
    let chunked = format!("{:x}\r\n{PING}\r\n0\r\n\r\n", PING.len());
    let long = format!("{:x};{}\r\n{PING}\r\n0\r\n\r\n", PING.len(), "a".repeat(20_000));
    let trailer =
        format!("{:x}\r\n{PING}\r\n0\r\nHost: evil.example\r\nContent-Length: 7\r\n\r\n", PING.len());
    let rows = [
        ("Transfer-Encoding: chunked", chunked.clone(), Last),
        ("Transfer-Encoding: Chunked", chunked.clone(), Last),
        ("Transfer-Encoding: chunked", trailer, Last),
        ("Transfer-Encoding: xchunked", chunked.clone(), Refused),
        ("Transfer-Encoding: identity", chunked.clone(), Refused),
        ("Transfer-Encoding: chunked, identity", chunked.clone(), Refused),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", chunked.clone(), Refused),
        ("Transfer-Encoding: \u{b}chunked", chunked.clone(), Refused),
        ("Transfer-Encoding : chunked", chunked.clone(), Refused),
        ("Transfer-Encoding:\r\n chunked", chunked.clone(), Refused),
        ("Transfer-Encoding: chunked", long, Refused),
        ("Transfer-Encoding: chunked", format!("fffffffffffffffff\r\n{PING}\r\n0\r\n\r\n"), Refused),
        ("Transfer-Encoding: chunked", format!("-1\r\n{PING}\r\n0\r\n\r\n"), Refused),
        ("Transfer-Encoding: chunked", format!("0x{:x}\r\n{PING}\r\n0\r\n\r\n", PING.len()), Refused),
        ("Transfer-Encoding: chunked", format!("{:x}\n{PING}\n0\n\n", PING.len()), Refused),
        ("Transfer-Encoding: chunked", format!("{:x}\r\n{PING}XX0\r\n\r\n", PING.len()), Refused),
    ];
    for (line, body, outcome) in rows {
        let mut bytes = format!("{}{line}\r\n\r\n{body}", post_head(&ground.server, "/mcp")).into_bytes();
        bytes.extend(last(&ground.server));
        assert_outcome(line, outcome, &exchange(&ground.server, &bytes).await);
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_length_beside_chunks_is_refused() {
    let ground = Ground::new().await;
    let chunked = format!("{:x}\r\n{PING}\r\n0\r\n\r\n", PING.len());
    for (first, second, body) in [
        ("Content-Length: 5", "Transfer-Encoding: chunked", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "Content-Length: 5", "0\r\n\r\n"),
        ("Content-Length: 5", "Transfer-Encoding: chunked", &chunked),
        ("Transfer-Encoding: chunked", "Content-Length: 5", &chunked),
    ] {
        let head = post_head(&ground.server, "/mcp");
        let mut bytes = format!("{head}{first}\r\n{second}\r\n\r\n{body}").into_bytes();
        bytes.extend(last(&ground.server));
        assert_outcome(first, Outcome::Refused, &exchange(&ground.server, &bytes).await);
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn codings_before_the_chunks_are_never_undone() {
    let ground = Ground::new().await;
    let gzip = "\u{1f}\u{8b}\u{8}";
    for coding in ["gzip, chunked", "identity, chunked", "chunked, chunked"] {
        for body in [PING, gzip] {
            let head = post_head(&ground.server, "/mcp");
            let mut bytes =
                format!("{head}Transfer-Encoding: {coding}\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
                    .into_bytes();
            bytes.extend(last(&ground.server));
            let pieces = exchange(&ground.server, &bytes).await;
            assert_eq!(statuses(&pieces), [400], "{coding}: {pieces:#?}");
            assert!(pieces[0].body.contains("bad_framing"), "{coding}: {pieces:#?}");
        }
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn lines_are_lines_and_nothing_hides_in_them() {
    let ground = Ground::new().await;
    let host = authority(&ground.server).to_owned();
    let next = last(&ground.server);
    for head in [
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-A: a\r\n b\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-A: a\r\n\tb\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n Host: {host}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-A: a\0b\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-A: a\rb\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nX A: b\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\n: b\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nnonsense\r\n\r\n"),
        format!("GET / HTTP/1.1\rHost: {host}\r\n\r\n"),
        format!("GET / HTTP/9.9\r\nHost: {host}\r\n\r\n"),
        format!("GET /a b HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("GET mcp HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("GET /\u{0} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("POST /mcp HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "hello\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n".to_owned(),
    ] {
        let mut bytes = head.clone().into_bytes();
        bytes.extend(&next);
        assert_outcome(&head, Outcome::Refused, &exchange(&ground.server, &bytes).await);
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn bare_line_feeds_end_no_line() {
    let ground = Ground::new().await;
    let head = format!("{}Content-Length: {}\r\n\r\n", post_head(&ground.server, "/mcp"), PING.len());
    for head in
        [head.replace("\r\n", "\n"), head.replacen("\r\n", "\n", 1), head.replace("\r\n\r\n", "\r\n\n")]
    {
        let mut bytes = format!("{head}{PING}").into_bytes();
        bytes.extend(last(&ground.server));
        assert_outcome(&head, Outcome::Refused, &exchange(&ground.server, &bytes).await);
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_request_that_is_refused_takes_none_before_it_along() {
    let ground = Ground::new().await;
    let good = format!("{}Content-Length: {}\r\n\r\n{PING}", post_head(&ground.server, "/mcp"), PING.len());
    let bytes = format!("{good}\r\n{good}GET /health HTTP/1.1\n\n{good}");
    let pieces = exchange(&ground.server, bytes.as_bytes()).await;
    assert_eq!(statuses(&pieces), [200, 200, 400], "{pieces:#?}");
}

#[tokio::test]
async fn an_offer_of_another_protocol_is_not_taken() {
    let ground = Ground::new().await;
    let host = authority(&ground.server);
    for (upgrade, status) in [
        // Some libraries offer it with every first request: passed over, and what follows it is never a request.
        ("h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", 200),
        ("websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", 400),
        ("h2c, websocket", 400),
    ] {
        let mut bytes = format!(
            "GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n"
        )
        .into_bytes();
        bytes.extend(last(&ground.server));
        assert_eq!(statuses(&exchange(&ground.server, &bytes).await), [status], "{upgrade}");
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(last(&ground.server));
    let pieces = exchange(&ground.server, &bytes).await;
    assert!(pieces.iter().all(|piece| piece.status == 400), "{pieces:#?}");
}

#[tokio::test]
async fn targets_of_other_forms_lead_nowhere_else() {
    let ground = Ground::new().await;
    let host = authority(&ground.server);
    let rows = [
        (format!("GET http://{host}/health"), 200, "healthy"),
        (format!("GET http://{host}/"), 200, "AegisGitea-MCP"),
        ("GET http://evil.example/".to_owned(), 400, "bad_host"),
        (format!("GET http://a@{host}/"), 400, "bad_host"),
        ("GET //evil.example/mcp".to_owned(), 404, "no_such_path"),
        ("GET /\\evil.example".to_owned(), 404, "no_such_path"),
        ("GET /mcp/../health".to_owned(), 404, "no_such_path"),
        ("OPTIONS *".to_owned(), 404, "no_such_path"),
        (format!("CONNECT {host}"), 405, "method_not_allowed"),
        ("TRACE /".to_owned(), 405, "method_not_allowed"),
    ];
    for (start, status, says) in rows {
        let bytes = format!("{start} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes();
        let pieces = exchange(&ground.server, &bytes).await;
        assert_eq!(statuses(&pieces), [status], "{start}: {pieces:#?}");
        assert!(pieces[0].body.contains(says), "{start}: {pieces:#?}");
        assert!(!pieces[0].head.to_lowercase().contains("evil"), "{start}: nothing is reflected");
        assert!(!pieces[0].head.contains("location"), "{start}: there are no redirects");
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn more_than_a_hundred_header_lines_or_a_giant_head_are_too_much() {
    let ground = Ground::new().await;
    let host = authority(&ground.server);
    let lines = |count: usize| (0..count).map(|number| format!("X-{number}: 1\r\n")).collect::<String>();
    let rows = [
        (format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{}\r\n", lines(98)), 200),
        (format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{}\r\n", lines(99)), 431),
        (format!("GET /health HTTP/1.1\r\nHost: {host}\r\n{}\r\n", lines(10_000)), 431),
        (format!("GET /health HTTP/1.1\r\nHost: {host}\r\nX-A: {}\r\n\r\n", "a".repeat(1 << 20)), 431),
        (format!("GET /{} HTTP/1.1\r\nHost: {host}\r\n\r\n", "a".repeat(70_000)), 431),
    ];
    for (bytes, status) in rows {
        let pieces = exchange(&ground.server, bytes.as_bytes()).await;
        assert_eq!(statuses(&pieces), [status], "{}", &bytes[..60]);
    }
    let after = ground.server.legacy(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).await;
    assert_eq!(after.status, 200);
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn heads_that_cannot_be_read_are_counted() {
    let ground = Ground::new().await;
    exchange(&ground.server, b"GET / HTTP/9.9\r\n\r\n").await;
    exchange(&ground.server, format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20)).as_bytes()).await;
    for reason in ["malformed_head", "head_too_large"] {
        let line = format!("aegis_host_refusals_total{{reason=\"{reason}\"}}");
        assert!(ground.server.metric(&line).await >= 1.0, "{reason}");
    }
}
