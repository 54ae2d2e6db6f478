//! What is no credential, and where one must not stand. Nothing that was presented is ever repeated or logged.

use aegis_tests::forge::world::ALICE_TOKEN;
use aegis_tests::server::{KEY, OTHER_KEY};
use serde_json::json;

use crate::ground::Ground;

const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
/// Settings under which no limit is met.
const MANY: (&str, &str) = ("MAX_AUTH_FAILURES", "100000");

#[tokio::test]
async fn everything_but_one_known_key_as_bearer_is_refused() {
    let ground = Ground::with(|setup| setup.set(MANY.0, MANY.1)).await;
    let (upper, cut, longer) = (KEY.to_uppercase(), &KEY[..KEY.len() - 1], format!("{KEY}A"));
    let rows = [
        ("malformed_credential", String::new()),
        ("malformed_credential", "Bearer".to_owned()),
        ("malformed_credential", "Bearer ".to_owned()),
        ("malformed_credential", KEY.to_owned()),
        ("malformed_credential", format!("Bearer {KEY} {KEY}")),
        ("malformed_credential", format!("Bearer {KEY},{OTHER_KEY}")),
        ("malformed_credential", format!("Bearer{KEY}")),
        ("malformed_credential", format!("Bearer\t{KEY}")),
        ("malformed_credential", format!("Bearer \"{KEY}\"")),
        ("malformed_credential", format!("Token {KEY}")),
        ("malformed_credential", format!("token {ALICE_TOKEN}")),
        ("malformed_credential", "Basic bGFwdG9wOnNlY3JldA==".to_owned()),
        ("malformed_credential", "Bearer k\u{e9}y".to_owned()),
        ("malformed_credential", format!("Bearer {}", "a".repeat(4_097))),
        ("invalid_credential", "Bearer wrong".to_owned()),
        ("invalid_credential", format!("Bearer {upper}")),
        ("invalid_credential", format!("Bearer {cut}")),
        ("invalid_credential", format!("Bearer {longer}")),
        ("invalid_credential", "Bearer laptop".to_owned()),
        // A token of Gitea is no credential here, however good it is there.
        ("invalid_credential", format!("Bearer {ALICE_TOKEN}")),
        // A guess at what the guest is given in a credential's place.
        ("invalid_credential", "Bearer handle-00000000000000000000000000000000".to_owned()),
    ];
    for (reason, presented) in &rows {
        for target in ["/mcp", "/mcp/sse", "/mcp/tool/call"] {
            let headers = [("content-type", "application/json"), ("authorization", presented.as_str())];
            let answer = ground.server.stranger("POST", target, &headers, PING).await;
            assert_eq!(answer.reason().as_deref(), Some(*reason), "{presented}: {}", answer.text());
            ground.refused(&answer, 401, "security_event", reason).await;
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer error=\"invalid_token\""),
                "{presented}"
            );
        }
    }
    let audit = std::fs::read_to_string(ground.server.audit_path()).expect("an audit log");
    for secret in [KEY, OTHER_KEY, ALICE_TOKEN, &upper, cut, "bGFwdG9wOnNlY3JldA"] {
        assert!(!audit.contains(secret) && !ground.server.log().contains(secret), "{secret} was written");
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case() {
    let ground = Ground::new().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let presented = format!("{scheme} {KEY}");
        let headers = [("content-type", "application/json"), ("authorization", presented.as_str())];
        assert_eq!(ground.server.stranger("POST", "/mcp", &headers, PING).await.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn a_credential_anywhere_but_in_the_header_does_not_count() {
    let ground = Ground::new().await;
    let cookie = format!("token={KEY}; Authorization=Bearer {KEY}");
    let form = format!("access_token={KEY}");
    let key_header: [(&str, &str); 2] = [("content-type", "application/json"), ("x-api-key", KEY)];
    for (headers, body) in [
        (&[("content-type", "application/json")][..], PING),
        (&[("content-type", "application/json"), ("cookie", &cookie)], PING),
        (&[("content-type", "application/x-www-form-urlencoded")], form.as_bytes()),
        (&key_header, PING),
        (&[("content-type", "application/json"), ("proxy-authorization", KEY)], PING),
    ] {
        let answer = ground.server.stranger("POST", "/mcp", headers, body).await;
        ground.refused(&answer, 401, "access_denied", "missing_credential").await;
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer"),
            "no error code where nothing was presented"
        );
    }
    assert!(!ground.server.log().contains(KEY));
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_credential_in_the_url_is_refused_even_beside_a_good_header() {
    let ground = Ground::new().await;
    for query in [
        format!("token={KEY}"),
        format!("access_token={KEY}"),
        format!("x=1&access_token={KEY}"),
        format!("x=1;token={KEY}"),
        format!("%74oken={KEY}"),
        format!("ACCESS_TOKEN={KEY}"),
        "token".to_owned(),
    ] {
        for (method, path) in
            [("POST", "/mcp"), ("POST", "/mcp/tool/call"), ("GET", "/"), ("GET", "/nothing")]
        {
            let target = format!("{path}?{query}");
            let answer =
                ground.server.ask(method, &target, &[("content-type", "application/json")], PING).await;
            ground.refused(&answer, 400, "security_event", "token_in_query").await;
            assert!(!answer.text().contains(KEY));
        }
    }
    let audit = std::fs::read_to_string(ground.server.audit_path()).expect("an audit log");
    assert!(!audit.contains(KEY) && !ground.server.log().contains(KEY), "the key was written");
    let harmless =
        ground.server.ask("POST", "/mcp?tokens=1", &[("content-type", "application/json")], PING).await;
    assert_eq!(harmless.status, 200);
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn two_credentials_are_none() {
    let ground = Ground::new().await;
    let (same, other) = (format!("Bearer {KEY}"), format!("Bearer {OTHER_KEY}"));
    for second in [same.as_str(), &other, "Bearer wrong", "Basic YTpi", ""] {
        for target in ["/mcp", "/mcp/tool/call"] {
            let answer = ground.post(target, &[("authorization", second)], PING).await;
            ground.refused(&answer, 400, "security_event", "two_credentials").await;
        }
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn the_credential_is_looked_at_before_the_message() {
    let ground = Ground::with(|setup| setup.set(MANY.0, MANY.1)).await;
    for (kind, body) in [("text/plain", b"x".to_vec()), ("application/json", b"{".to_vec())] {
        let headers = [("content-type", kind), ("authorization", "Bearer wrong")];
        let answer = ground.server.stranger("POST", "/mcp", &headers, &body).await;
        ground.refused(&answer, 401, "security_event", "invalid_credential").await;
    }
    for method in ["initialize", "server/discover", "tools/list", "ping"] {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method}).to_string();
        let headers = [("content-type", "application/json")];
        let answer = ground.server.stranger("POST", "/mcp", &headers, message.as_bytes()).await;
        ground.refused(&answer, 401, "access_denied", "missing_credential").await;
    }
    ground.assert_nothing_upstream();
}
