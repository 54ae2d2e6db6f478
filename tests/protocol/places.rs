//! Where a request claims to go and to come from: Host, Origin, CORS, forwarded headers.

use aegis_tests::server::Setup;

use crate::ground::Ground;
use crate::raw::{Piece, authority, exchange};

const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

async fn with_hosts(ground: &Ground, lines: &str) -> Piece {
    let bytes = format!("GET / HTTP/1.1\r\n{lines}Connection: close\r\n\r\n").into_bytes();
    let mut pieces = exchange(&ground.server, &bytes).await;
    assert_eq!(pieces.len(), 1, "{lines}: {pieces:#?}");
    pieces.remove(0)
}

#[tokio::test]
async fn a_host_that_is_missing_double_or_unreadable_is_bad() {
    let ground = Ground::new().await;
    let host = authority(&ground.server).to_owned();
    for lines in [
        String::new(),
        "Host: \r\n".to_owned(),
        format!("Host: {host}\r\nHost: {host}\r\n"),
        format!("Host: {host}\r\nHost: evil.example\r\n"),
        format!("Host: a@{host}\r\n"),
        format!("Host: {host}, evil.example\r\n"),
        format!("Host: http://{host}\r\n"),
        format!("Host: {host}/mcp\r\n"),
        "Host: \u{e9}\r\n".to_owned(),
    ] {
        let piece = with_hosts(&ground, &lines).await;
        assert_eq!(piece.status, 400, "{lines}: {piece:?}");
        assert!(piece.body.contains(r#""error":"bad_host""#), "{lines}: {piece:?}");
        assert!(piece.head.contains("connection: close"), "{lines}: {piece:?}");
    }
    assert!(ground.server.metric("aegis_host_refusals_total{reason=\"bad_host\"}").await >= 9.0);
    assert!(
        ground.server.audit().iter().all(|line| line["event"] != "security_event"),
        "refused before a guest"
    );
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_host_that_is_not_ours_is_misdirected() {
    let change = |setup: Setup| {
        setup.set("PUBLIC_BASE_URL", "https://mcp.example.com").set("ALLOWED_HOSTS", "inside.example.net")
    };
    let ground = Ground::with(change).await;
    for ours in [
        "127.0.0.1",
        "127.0.0.1:9",
        "127.9.9.9",
        "localhost",
        "LOCALHOST:80",
        "[::1]",
        "[::1]:1",
        "mcp.example.com",
        "MCP.example.com:443",
        "inside.example.net",
    ] {
        assert_eq!(with_hosts(&ground, &format!("Host: {ours}\r\n")).await.status, 200, "{ours}");
    }
    for foreign in [
        "evil.example",
        "mcp.example.com.evil.example",
        "evil-mcp.example.com",
        "mcp.example.com.",
        "localhost.evil.example",
        "localhost.",
        "127.0.0.1.evil.example",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::]",
    ] {
        let forwarded = "X-Forwarded-Host: mcp.example.com\r\nForwarded: host=mcp.example.com\r\n";
        let piece = with_hosts(&ground, &format!("Host: {foreign}\r\n{forwarded}")).await;
        assert_eq!(piece.status, 421, "{foreign}: {piece:?}");
        assert!(piece.body.contains(r#""error":"unknown_host""#), "{foreign}: {piece:?}");
        assert!(!piece.body.contains(foreign), "{foreign} is not repeated");
    }
    let lines = ground
        .server
        .audit_when(|lines| lines.iter().filter(|l| l["reason"] == "unknown_host").count() == 14);
    assert!(
        lines.await.iter().filter(|l| l["reason"] == "unknown_host").all(|l| l["event"] == "security_event")
    );
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn forwarded_names_do_not_change_what_the_server_calls_itself() {
    let ground = Ground::new().await;
    let plain = ground.server.stranger("GET", "/", &[], b"").await;
    let headers = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "1"),
        ("x-original-url", "/metrics"),
        ("x-rewrite-url", "/metrics"),
        ("forwarded", "host=evil.example;proto=https"),
    ];
    assert_eq!(ground.server.stranger("GET", "/", &headers, b"").await.body, plain.body);
    let refused = ground.server.stranger("POST", "/mcp", &headers, PING).await;
    assert!(!refused.headers.iter().any(|(_, value)| value.contains("evil")), "{:?}", refused.headers);
}

#[tokio::test]
async fn a_page_of_another_origin_is_turned_away_even_with_a_good_key() {
    let change = |setup: Setup| {
        setup
            .set("PUBLIC_BASE_URL", "https://mcp.example.com")
            .set("ALLOWED_ORIGINS", "https://inspector.example.com")
    };
    let ground = Ground::with(change).await;
    let foreign: &[&[&str]] = &[
        &["https://evil.example"],
        &["null"],
        &[""],
        &["https://mcp.example.com.evil.example"],
        &["https://evil.example/https://mcp.example.com"],
        &["https://mcp.example.com@evil.example"],
        &["http://mcp.example.com"],
        &["https://mcp.example.com:8443"],
        &["https://mcp.example.com/"],
        &["https://xinspector.example.com"],
        &["http://localhost.evil.example"],
        &["http://127.0.0.1@evil.example"],
        &["http://127.0.0.1.evil.example"],
        &["http://2130706433"],
        &["file://"],
        &["chrome-extension://abc"],
        &["https://mcp.example.com", "https://mcp.example.com"],
        &["https://mcp.example.com", "https://evil.example"],
    ];
    for origins in foreign {
        let headers: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).collect();
        for (method, path) in
            [("POST", "/mcp"), ("POST", "/mcp/tool/call"), ("GET", "/mcp/tools"), ("OPTIONS", "/mcp")]
        {
            let mut all = vec![("content-type", "application/json")];
            all.extend(&headers);
            let answer = ground.server.ask(method, path, &all, PING).await;
            assert_eq!(answer.status, 403, "{origins:?} {method} {path}: {}", answer.text());
            ground.refused(&answer, 403, "security_event", "foreign_origin").await;
            assert!(
                answer.headers.iter().all(|(name, _)| !name.starts_with("access-control-")),
                "{origins:?}"
            );
        }
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_ask_without_stored_credentials() {
    let change = |setup: Setup| {
        setup
            .set("PUBLIC_BASE_URL", "https://mcp.example.com")
            .set("ALLOWED_ORIGINS", "https://inspector.example.com")
    };
    let ground = Ground::with(change).await;
    for origin in [
        "https://mcp.example.com",
        "https://inspector.example.com",
        "http://localhost:6274",
        "http://127.0.0.1:1",
        "http://[::1]:5173",
    ] {
        let answer = ground.post("/mcp", &[("origin", origin)], PING).await;
        assert_eq!(answer.status, 200, "{origin}: {}", answer.text());
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        assert!(exposed.contains("WWW-Authenticate") && exposed.contains("X-Request-ID"), "{exposed}");
        let asks = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type,mcp-protocol-version,x-evil"),
        ];
        for (path, methods) in [
            ("/mcp", "GET, POST"),
            ("/mcp/sse", "GET, POST"),
            ("/mcp/tool/call", "POST"),
            ("/mcp/tools", "GET, HEAD"),
        ] {
            // A browser sends no credential with its question.
            let preflight = ground.server.stranger("OPTIONS", path, &asks, b"").await;
            assert_eq!((preflight.status, preflight.body.len()), (204, 0), "{path}");
            assert_eq!(preflight.header("access-control-allow-origin"), Some(origin));
            assert_eq!(preflight.header("access-control-allow-methods"), Some(methods), "{path}");
            let allowed = preflight.header("access-control-allow-headers").unwrap_or_default().to_lowercase();
            for needed in [
                "authorization",
                "content-type",
                "mcp-protocol-version",
                "mcp-method",
                "mcp-name",
                "x-mcp-readonly",
                "x-mcp-toolsets",
                "x-mcp-tools",
            ] {
                assert!(allowed.contains(needed), "{needed} in {allowed}");
            }
            assert!(!allowed.contains("x-evil") && !allowed.contains('*'), "nothing is reflected: {allowed}");
        }
    }
    let refused =
        ground.server.stranger("POST", "/mcp", &[("origin", "https://mcp.example.com")], PING).await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("access-control-allow-origin"),
        Some("https://mcp.example.com"),
        "a page sees why"
    );
    ground.assert_nothing_upstream();
}
