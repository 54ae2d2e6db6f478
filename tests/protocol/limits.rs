//! Counting: strangers by address, refused credentials by address, proved callers by themselves.
//! Windows are longer than any test, so that none opens again meanwhile.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::http::Answer;
use aegis_tests::server::{KEY, OTHER_KEY};
use serde_json::json;

use crate::ground::Ground;
use crate::raw;

const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

async fn with_key(ground: &Ground, key: &str, more: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![("content-type", "application/json"), ("authorization", bearer.as_str())];
    headers.extend_from_slice(more);
    ground.server.stranger("POST", "/mcp", &headers, PING).await
}

/// Seconds to wait, which must make sense for a window of so many.
fn assert_wait(answer: &Answer, window: u64) {
    let wait = answer.header("retry-after").and_then(|text| text.parse::<u64>().ok());
    assert!(wait.is_some_and(|seconds| (1..=window + 1).contains(&seconds)), "{wait:?}");
}

#[tokio::test]
async fn an_address_has_its_minute_and_a_good_key_does_not_draw_on_it() {
    let ground = Ground::with(|setup| setup.set("RATE_LIMIT_PER_MINUTE", "3")).await;
    for path in ["/", "/mcp/tools", "/nothing"] {
        assert_ne!(ground.server.stranger("GET", path, &[], b"").await.status, 429, "{path}");
    }
    for path in ["/", "/mcp/tools", "/nothing", "/mcp"] {
        let answer = ground.server.stranger("GET", path, &[], b"").await;
        ground.refused(&answer, 429, "access_denied", "rate_limited").await;
        assert_wait(&answer, 60);
    }
    assert_eq!(
        ground.server.stranger("GET", "/health", &[], b"").await.status,
        200,
        "probes are not counted"
    );
    for _ in 0..5 {
        assert_eq!(with_key(&ground, KEY, &[]).await.status, 200);
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_stranger_cannot_choose_its_address() {
    let ground = Ground::with(|setup| setup.set("RATE_LIMIT_PER_MINUTE", "3")).await;
    let mut refused = 0;
    for number in 0..20 {
        let spoofed = format!("198.51.100.{number}");
        let forwarded = format!("for={spoofed}");
        let headers =
            [("x-forwarded-for", spoofed.as_str()), ("x-real-ip", &spoofed), ("forwarded", &forwarded)];
        let answer = ground.server.stranger("GET", "/", &headers, b"").await;
        refused += usize::from(answer.status == 429);
    }
    assert_eq!(refused, 17);
    assert!(ground.server.audit().iter().all(|line| !line.to_string().contains("198.51.100")));
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_right_most_stranger_counts() {
    let change = |setup: aegis_tests::server::Setup| {
        setup.set("RATE_LIMIT_PER_MINUTE", "1").set("TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8")
    };
    let ground = Ground::with(change).await;
    let rows = [
        ("198.51.100.1", 200, "198.51.100.1"),
        ("198.51.100.1", 429, "198.51.100.1"),
        ("1.2.3.4, 198.51.100.1", 429, "198.51.100.1"),
        ("198.51.100.1, 10.1.1.1", 429, "198.51.100.1"),
        ("198.51.100.2", 200, "198.51.100.2"),
        ("198.51.100.1, 198.51.100.3", 200, "198.51.100.3"),
        // One subscriber of IPv6 holds a /64.
        ("2001:db8:1:2::1", 200, "2001:db8:1:2::1"),
        ("2001:db8:1:2:ffff::9", 429, "2001:db8:1:2:ffff::9"),
        ("2001:db8:1:3::1", 200, "2001:db8:1:3::1"),
        ("::ffff:198.51.100.2", 429, "198.51.100.2"),
    ];
    for (forwarded, status, address) in rows {
        let answer = ground.server.stranger("GET", "/", &[("x-forwarded-for", forwarded)], b"").await;
        assert_eq!(answer.status, status, "{forwarded}");
        if status == 429 {
            assert_eq!(ground.only_line(&answer).await["address"], address, "{forwarded}");
        }
    }
}

#[tokio::test]
async fn refused_credentials_are_counted_and_lock_out_nobody_else() {
    let ground =
        Ground::with(|setup| setup.set("MAX_AUTH_FAILURES", "3").set("AUTH_FAILURE_WINDOW", "3600")).await;
    for _ in 0..3 {
        // A request without a credential is no failure.
        assert_eq!(ground.server.stranger("POST", "/mcp", &[], PING).await.status, 401);
    }
    for wrong in ["wrong-1", "not one token", "wrong-3"] {
        assert_eq!(with_key(&ground, wrong, &[]).await.status, 401, "{wrong}");
    }
    for attempt in 0..10 {
        let answer =
            with_key(&ground, &format!("wrong-{attempt}"), &[("x-forwarded-for", "198.51.100.9")]).await;
        ground.refused(&answer, 429, "security_event", "too_many_auth_failures").await;
        assert_wait(&answer, 3600);
        // From the very address of the attacker.
        assert_eq!(with_key(&ground, KEY, &[]).await.status, 200);
        assert_eq!(with_key(&ground, OTHER_KEY, &[]).await.status, 200);
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_principal_has_its_minute_and_its_neighbour_another() {
    let ground = Ground::with(|setup| setup.set("TOKEN_RATE_LIMIT_PER_MINUTE", "2")).await;
    for status in [200, 200, 429, 429] {
        let answer = with_key(&ground, KEY, &[]).await;
        assert_eq!(answer.status, status);
        if status == 429 {
            ground.refused(&answer, 429, "access_denied", "rate_limited").await;
            assert_wait(&answer, 60);
            assert_eq!(ground.only_line(&answer).await["principal"], "laptop");
        }
    }
    let direct = ground.server.tool("get_repository_info", json!({"owner": "alice", "repo": "demo"})).await;
    assert_eq!(direct.status, 429, "every door counts");
    assert_eq!(with_key(&ground, OTHER_KEY, &[]).await.status, 200);
    ground.assert_nothing_upstream();
}

/// Start this many calls that Gitea never answers, and wait until it has them all.
async fn hanging(ground: &Ground, count: usize) -> Vec<raw::Connection> {
    let mut connections = Vec::new();
    for _ in 0..count {
        ground.forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Hang));
        let body = r#"{"tool":"get_repository_info","arguments":{"owner":"alice","repo":"demo"}}"#;
        let mut connection = raw::Connection::open(&ground.server).await;
        connection.send(&raw::post(&ground.server, "/mcp/tool/call", &[], body)).await;
        connections.push(connection);
    }
    raw::until(|| ground.forge.requests().len() == count).await;
    connections
}

#[tokio::test]
async fn a_principal_with_eight_requests_in_flight_waits_and_others_do_not() {
    let ground = Ground::new().await;
    let held = hanging(&ground, 8).await;
    let ninth = with_key(&ground, KEY, &[]).await;
    ground.refused(&ninth, 429, "access_denied", "too_many_concurrent").await;
    assert_eq!(ninth.header("retry-after"), Some("1"));
    assert_eq!(with_key(&ground, OTHER_KEY, &[]).await.status, 200);
    // When the clients go, the places are free again.
    drop(held);
    ground
        .server
        .audit_when(|lines| lines.iter().filter(|line| line["status"] == "aborted").count() == 8)
        .await;
    // The line is durable a moment before the place is free.
    let mut tries = 0;
    while with_key(&ground, KEY, &[]).await.status != 200 {
        tries += 1;
        assert!(tries < 100, "a place is free in the end");
    }
    assert_eq!(ground.forge.requests().len(), 8);
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn a_full_house_says_so_while_probes_still_answer() {
    let ground = Ground::with(|setup| setup.set("MAX_CONCURRENT_REQUESTS", "1")).await;
    let held = hanging(&ground, 1).await;
    let answer = with_key(&ground, OTHER_KEY, &[]).await;
    ground.refused_by_host(&answer, 503, "busy").await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(ground.server.stranger("GET", path, &[], b"").await.status, 200, "{path}");
    }
    assert!((ground.server.metric("aegis_instances").await - 1.0).abs() < f64::EPSILON);
    drop(held);
    ground.server.audit_when(|lines| lines.iter().any(|line| line["status"] == "aborted")).await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_counted() {
    let ground = Ground::with(|setup| setup.set("MAX_CONNECTIONS", "1")).await;
    let mut first = raw::Connection::open(&ground.server).await;
    let health = raw::get(&ground.server, "/health");
    first.send(&health).await;
    assert_eq!(first.answer().await.map(|answer| answer.status), Some(200));
    let mut second = raw::Connection::open(&ground.server).await;
    assert_eq!(second.rest().await, [] as [raw::Piece; 0], "closed without a word");
    first.send(&raw::get(&ground.server, "/metrics")).await;
    let metrics = first.answer().await.map(|answer| answer.body).unwrap_or_default();
    assert!(metrics.contains("aegis_host_refusals_total{reason=\"too_many_connections\"} 1\n"), "{metrics}");
}
