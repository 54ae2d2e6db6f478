//! Requests put together by chance: whatever is in them, each refusal has one audit line, nobody signs in without
//! having signed in, and nothing secret comes back.

use std::collections::BTreeSet;

use super::{FORM, JSON, Server};
use crate::mcp::fake::dice::Dice;
use crate::ports::Denied;

const METHODS: &[&str] = &["GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "PUT"];
const TARGETS: &[&str] = &[
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/openid-configuration",
    "/register",
    "/oauth/register",
    "/oauth/authorize",
    "/oauth/authorize?client_id=c&client_id=c",
    "/oauth/authorize?client_id=c&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&response_type=code",
    "/oauth/callback?state=s&code=k",
    "/oauth/callback?error=%00",
    "/oauth/token",
    "/token",
    "/oauth/revoke",
    "/oauth/revoke?token=sesame",
    "/mcp",
];
const HEADERS: &[(&str, &str)] = &[
    ("content-type", "text/plain"),
    ("content-encoding", "gzip"),
    ("authorization", "Basic Yzpz"),
    ("authorization", "Bearer sesame"),
    ("authorization", "\u{fffd}"),
    ("origin", "https://mcp.example.com"),
    ("origin", "https://evil.example"),
    ("sec-fetch-site", "same-origin"),
    ("cookie", "__Host-aegis_flow=sesame; x"),
];
const BODIES: &[&str] = &[
    "",
    "grant_type=refresh_token&client_id=c&refresh_token=sesame",
    "grant_type=authorization_code&client_id=c&client_secret=sesame&code=sesame",
    "grant_type=authorization_code&client_id=c&code=k&resource=https%3A%2F%2Fevil.example",
    "client_id=c&token=sesame",
    "client_id=c&client_id=c",
    "client_id=%ff",
    "decision=approve&access=write&request=sesame",
    r#"{"redirect_uris":["http://127.0.0.1:1/cb"]}"#,
    r#"{"redirect_uris":["https://evil.example/sesame"]}"#,
    "{",
];

#[test]
fn every_refusal_leaves_one_line_and_repeats_no_secret() {
    let mut seen = BTreeSet::new();
    for seed in 0..6_000 {
        let mut dice = Dice::new(seed);
        let server = Server::new();
        server.host.denied.set(
            [None, Some(Denied::InvalidClient), Some(Denied::InvalidGrant), Some(Denied::Unavailable)]
                [dice.below(4)],
        );
        let mut headers = vec![[FORM, FORM, JSON][dice.below(3)]];
        headers.extend((0..dice.below(3)).map(|_| HEADERS[dice.below(HEADERS.len())]));
        let (method, target) = (METHODS[dice.below(METHODS.len())], TARGETS[dice.below(TARGETS.len())]);
        let text = BODIES[dice.below(BODIES.len())];
        let told = format!("seed {seed}: {method} {target} {headers:?} {text}");

        let response = server.send(method, target, &headers, text);
        let status = response.status().as_u16();
        seen.insert(status);
        assert_eq!(server.world.notes.borrow().len(), usize::from(status >= 400), "{status}, {told}");
        assert_eq!(server.world.routes.borrow().len(), 1, "{told}");
        assert!(status != 302 && status != 303, "nobody approved anything: {told}");
        assert!(!response.headers().contains_key("set-cookie"), "{told}");
        let (head, said) = (format!("{:?}", response.headers()), String::from_utf8_lossy(response.body()));
        let notes = format!("{:?} {:?}", server.world.notes.borrow(), server.world.logs.borrow());
        for place in [&*head, &*said, &*notes] {
            assert!(!place.contains("sesame"), "{told}: {place}");
        }
        let kept = response.headers()["cache-control"] != "no-store";
        assert_eq!(kept, status == 200 && target.starts_with("/.well-known/"), "{told}");
    }
    let all = [200, 201, 204, 400, 401, 403, 405, 415, 503];
    assert!(all.iter().all(|status| seen.contains(status)), "the dice met {seen:?}");
}
