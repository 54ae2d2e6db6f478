//! How many requests an address may make to each part of signing in.

use super::{FORM, JSON, METADATA, REFRESH, Server, body};
use crate::ports::{Bucket, Denied};

#[test]
fn each_part_has_its_own_minute_and_says_so_in_its_own_form() {
    for (setting, path, method, headers, bucket) in [
        ("REGISTER_RATE_LIMIT_PER_MINUTE", "/register", "POST", &[JSON][..], Bucket::Registration),
        ("TOKEN_ENDPOINT_RATE_LIMIT_PER_MINUTE", "/oauth/token", "POST", &[FORM], Bucket::Token),
        ("TOKEN_ENDPOINT_RATE_LIMIT_PER_MINUTE", "/oauth/revoke", "POST", &[FORM], Bucket::Token),
        ("LOGIN_RATE_LIMIT_PER_MINUTE", "/oauth/authorize", "GET", &[], Bucket::Authorization),
        ("LOGIN_RATE_LIMIT_PER_MINUTE", "/oauth/authorize", "POST", &[FORM], Bucket::Authorization),
        ("LOGIN_RATE_LIMIT_PER_MINUTE", "/oauth/callback", "GET", &[], Bucket::Authorization),
        ("LOGIN_RATE_LIMIT_PER_MINUTE", METADATA[0], "GET", &[], Bucket::Metadata),
        ("LOGIN_RATE_LIMIT_PER_MINUTE", METADATA[4], "GET", &[], Bucket::Metadata),
    ] {
        let server = Server::with(setting, "2");
        for _ in 0..2 {
            assert_ne!(server.send(method, path, headers, "").status(), 429, "{path}");
        }
        let response = server.send(method, path, headers, "");
        assert_eq!(response.status(), 429, "{path}");
        assert_eq!(response.headers()["retry-after"], "30");
        assert_eq!(server.world.reasons().last().unwrap(), "rate_limited");
        assert_eq!(server.world.counted(bucket), 3);
        assert_eq!(server.world.counted(Bucket::Address), 0, "and leaves the address's own minute alone");
        if method == "POST" && path != "/oauth/authorize" {
            assert_eq!(body(&response)["error"], "temporarily_unavailable");
        }
        if bucket == Bucket::Authorization {
            let page = String::from_utf8_lossy(response.body());
            assert!(page.starts_with("<!doctype html>") && page.contains("req-1"), "a person reads it");
            assert!(page.contains("Too many attempts") && page.contains("rate_limited"), "{page}");
            assert_eq!(response.headers()["x-frame-options"], "DENY");
        }
    }
}

#[test]
fn guesses_are_counted_after_they_were_refused_and_keep_nobody_else_out() {
    let server = Server::with("MAX_AUTH_FAILURES", "1");
    server.world.set("TOKEN_ENDPOINT_RATE_LIMIT_PER_MINUTE", "1000");
    server.world.set("AUTH_FAILURE_WINDOW", "600");
    server.host.denied.set(Some(Denied::InvalidGrant));
    for _ in 0..4 {
        assert_eq!(server.refused("/oauth/token", &[FORM], REFRESH).2, "invalid_grant");
    }
    let (status, code, line) = server.refused("/oauth/token", &[FORM], REFRESH);
    assert_eq!(
        (status, code.as_str(), line.as_str()),
        (429, "temporarily_unavailable", "too_many_auth_failures")
    );
    server.host.denied.set(None);
    assert_eq!(
        server.send("POST", "/oauth/token", &[FORM], REFRESH).status(),
        200,
        "a good one gets through"
    );
    assert_eq!(server.world.counted(Bucket::TokenFailures), 5);
    assert_eq!(server.refused("/oauth/token", &[FORM], "client_id=c").2, "missing_parameter");
    assert_eq!(server.world.counted(Bucket::TokenFailures), 5, "a mistake is no guess");
}
