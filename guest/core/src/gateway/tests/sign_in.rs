//! Signing in, seen from outside: paths, origins, and the errors of each endpoint.

mod challenges;
mod chance;
mod limits;

use serde_json::json;

use super::{Answer, FEW, Gateway, JSON, PING, Reader, World, body, handle, request};
use crate::oauth::redirect::BadRedirect;
use crate::oauth::refused::{BadClient, Refused};
use crate::oauth::scripted::Scripted;
use crate::offer::Offer;
use crate::ports::{Bucket, Denied};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const BAD: (&str, &str) = ("authorization", "Bearer bad");
const ORIGIN: &str = "https://mcp.example.com";
const REFRESH: &str = "grant_type=refresh_token&client_id=c&refresh_token=r";

/// A server on which people sign in.
struct Server {
    world: World,
    host: Scripted,
}

impl Server {
    fn new() -> Self {
        let world = World::new();
        world.set("OAUTH_MODE", "true");
        world.set("PUBLIC_BASE_URL", ORIGIN);
        Self { world, host: Scripted::default() }
    }

    fn with(name: &'static str, value: &str) -> Self {
        let server = Self::new();
        server.world.set(name, value);
        server
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        text: &str,
    ) -> http::Response<Vec<u8>> {
        self.send_to(&FEW, method, path, headers, text)
    }

    fn send_to(
        &self,
        offer: &Offer,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        text: &str,
    ) -> http::Response<Vec<u8>> {
        let gateway = Gateway { ports: self.host.ports(&self.world), offer, version: "1.2.3" };
        let request = request(method, &format!("{ORIGIN}{path}"), headers, text);
        match handle(&gateway, request, &mut Reader::default()) {
            Answer::Whole(response) => response,
            Answer::Streamed => panic!("streamed"),
        }
    }

    /// An OAuth error: its status, its code, and the name of its one audit line.
    fn refused(&self, path: &str, headers: &[(&str, &str)], text: &str) -> (u16, String, String) {
        let before = self.world.reasons().len();
        let response = self.send("POST", path, headers, text);
        let said = body(&response);
        assert_eq!(said.as_object().unwrap().len(), 2, "{said}");
        assert!(said["error_description"].as_str().unwrap().is_ascii());
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["pragma"], "no-cache");
        let lines = self.world.reasons()[before..].to_vec();
        assert_eq!(lines.len(), 1, "{lines:?}");
        (response.status().as_u16(), said["error"].as_str().unwrap().to_owned(), lines[0].clone())
    }
}

fn named(status: u16, code: &str, line: &str) -> (u16, String, String) {
    (status, code.to_owned(), line.to_owned())
}

const METADATA: [&str; 6] = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource/mcp/",
    "/.well-known/oauth-protected-resource/mcp/sse",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

const STEPS: [&str; 8] = [
    "/register",
    "/oauth/register",
    "/oauth/authorize",
    "/authorize",
    "/oauth/callback",
    "/oauth/token",
    "/token",
    "/oauth/revoke",
];

#[test]
fn where_people_have_keys_nothing_of_it_exists() {
    let server = Server::with("OAUTH_MODE", "false");
    server.world.set("RATE_LIMIT_PER_MINUTE", "1000");
    for path in METADATA.iter().chain(&STEPS) {
        for method in ["GET", "POST", "OPTIONS"] {
            let response = server.send(method, path, &[FORM], "");
            assert_eq!(
                (response.status().as_u16(), &body(&response)["error"]),
                (404, &json!("no_such_path"))
            );
        }
    }
    assert!(server.world.routes.borrow().iter().all(|route| route == "other"));
    assert_eq!(body(&server.send("GET", "/", &[], ""))["endpoints"].as_object().unwrap().len(), 4);
}

#[test]
fn public_documents_are_for_every_page_and_may_be_kept_for_a_while() {
    let server = Server::new();
    for path in METADATA {
        for headers in [&[][..], &[("origin", "https://inspector.example")], &[("origin", "null")], &[BAD]] {
            let response = server.send("GET", path, headers, "");
            assert_eq!(response.status(), 200, "{path}");
            let found = response.headers();
            assert_eq!(found["content-type"], "application/json");
            assert_eq!(found["cache-control"], "public, max-age=300");
            assert_eq!(found["access-control-allow-origin"], "*");
            assert!(!found.contains_key("access-control-allow-credentials"));
            assert_eq!(found["x-content-type-options"], "nosniff");
        }
        assert_eq!(server.send("HEAD", path, &[], "").status(), 200);
        let preflight = server.send("OPTIONS", path, &[("origin", "https://inspector.example")], "");
        assert_eq!(preflight.status(), 204);
        assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
        assert_eq!(preflight.headers()["access-control-allow-methods"], "GET, HEAD");
        let post = server.send("POST", path, &[JSON], "{}");
        assert_eq!((post.status().as_u16(), &post.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()));
    }
    assert!(server.world.counted(Bucket::Metadata) >= 30);
}

#[test]
fn documents_say_nothing_of_what_a_request_says() {
    let server = Server::with("ALLOWED_HOSTS", "inner.example.com");
    let forged = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example;proto=http"),
    ];
    for path in METADATA {
        let plain = server.send("GET", path, &[], "");
        let gateway = Gateway { ports: server.host.ports(&server.world), offer: &FEW, version: "1.2.3" };
        let elsewhere = request("GET", &format!("http://inner.example.com{path}"), &forged, "");
        let Answer::Whole(other) = handle(&gateway, elsewhere, &mut Reader::default()) else {
            panic!("streamed")
        };
        assert_eq!(plain.body(), other.body());
        assert!(!String::from_utf8_lossy(other.body()).contains("inner.example"));
    }
    assert_eq!(server.send("GET", "//.well-known/oauth-authorization-server", &[], "").status(), 404);
}

#[test]
fn each_endpoint_answers_under_each_of_its_names() {
    let server = Server::new();
    let registration = r#"{"redirect_uris":["http://localhost:1/cb"],"token_endpoint_auth_method":"none"}"#;
    for path in ["/register", "/oauth/register"] {
        let response = server.send("POST", path, &[JSON], registration);
        assert_eq!(response.status(), 201);
        assert_eq!(body(&response)["client_id"], "aegis_client_1");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
    for path in ["/oauth/token", "/token"] {
        let response = server.send("POST", path, &[FORM], REFRESH);
        assert_eq!(response.status(), 200);
        assert_eq!(body(&response)["token_type"], "Bearer");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
    assert_eq!(server.send("POST", "/oauth/revoke", &[FORM], "client_id=c&token=t").status(), 200);
    for path in ["/oauth/authorize", "/authorize", "/oauth/callback"] {
        let response = server.send("GET", path, &[], "");
        assert_eq!(response.status(), 400, "{path}");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("style-src 'sha256-"), "a page keeps its own policy: {policy}");
        assert!(String::from_utf8_lossy(response.body()).contains("req-1"), "a page names its request");
    }
    assert_eq!(server.send("HEAD", "/oauth/authorize", &[], "").status(), 400);
    let routes = server.world.routes.borrow();
    assert_eq!(routes[..5], ["/register", "/oauth/register", "/oauth/token", "/token", "/oauth/revoke"]);
}

#[test]
fn each_endpoint_takes_its_own_methods() {
    let server = Server::with("RATE_LIMIT_PER_MINUTE", "1000");
    for (path, allow, wrong) in [
        ("/register", "POST", &["GET", "HEAD", "PUT", "DELETE"][..]),
        ("/oauth/token", "POST", &["GET", "HEAD", "PUT"]),
        ("/oauth/revoke", "POST", &["GET", "DELETE"]),
        ("/oauth/authorize", "GET, HEAD, POST", &["OPTIONS", "PUT"]),
        // A look must not use a sign-in up.
        ("/oauth/callback", "GET", &["HEAD", "POST", "OPTIONS"]),
    ] {
        for method in wrong {
            let response = server.send(method, path, &[FORM], "");
            assert_eq!(response.status(), 405, "{method} {path}");
            assert_eq!(response.headers()["allow"], allow);
        }
    }
}

#[test]
fn the_token_endpoint_takes_forms_and_nothing_else() {
    let server = Server::new();
    let compressed = [FORM, ("content-encoding", "gzip")];
    for path in ["/oauth/token", "/oauth/revoke"] {
        for (headers, line) in [
            (&[JSON][..], "unsupported_media_type"),
            (&[][..], "unsupported_media_type"),
            (&[FORM, FORM], "unsupported_media_type"),
            (&compressed, "encoded_body"),
        ] {
            assert_eq!(server.refused(path, headers, REFRESH), named(415, "invalid_request", line));
        }
    }
    assert_eq!(
        server.refused("/register", &[FORM], "a=b"),
        named(415, "invalid_request", "unsupported_media_type")
    );
    assert_eq!(server.host.asked.borrow().len(), 0);
    let with_charset = [("content-type", "application/x-www-form-urlencoded; charset=UTF-8")];
    assert_eq!(server.send("POST", "/oauth/token", &with_charset, REFRESH).status(), 200);
}

#[test]
fn errors_have_the_codes_of_their_rfcs_and_one_line_each() {
    let server = Server::with("DCR_ENABLED", "false");
    assert_eq!(
        server.refused("/register", &[JSON], "{}"),
        named(403, "access_denied", "registration_closed")
    );
    server.world.set("DCR_ENABLED", "true");
    for (path, kind, text, expected) in [
        ("/register", JSON, "{}", named(400, "invalid_client_metadata", "invalid_client_metadata")),
        (
            "/register",
            JSON,
            r#"{"redirect_uris":["https://evil.example/"]}"#,
            named(400, "invalid_redirect_uri", "invalid_redirect_uri"),
        ),
        ("/oauth/token", FORM, "", named(401, "invalid_client", "client_not_named")),
        ("/oauth/token", FORM, "client_id=c", named(400, "invalid_request", "missing_parameter")),
        ("/oauth/token", FORM, "a=1&a=2", named(400, "invalid_request", "repeated_parameter")),
        ("/oauth/token", FORM, "a=%", named(400, "invalid_request", "malformed_form")),
        (
            "/oauth/token",
            FORM,
            "client_id=c&grant_type=password",
            named(400, "unsupported_grant_type", "unsupported_grant_type"),
        ),
        (
            "/oauth/token",
            FORM,
            &format!("{REFRESH}&resource=https%3A%2F%2Fevil.example"),
            named(400, "invalid_target", "invalid_target"),
        ),
        ("/oauth/token", FORM, &format!("{REFRESH}&scope=x"), named(400, "invalid_scope", "invalid_scope")),
        ("/oauth/revoke", FORM, "client_id=c", named(400, "invalid_request", "missing_parameter")),
    ] {
        assert_eq!(server.refused(path, &[kind], text), expected, "{path} {text}");
    }
    for (denied, expected) in [
        (Denied::InvalidClient, named(401, "invalid_client", "invalid_client")),
        (Denied::InvalidGrant, named(400, "invalid_grant", "invalid_grant")),
        (Denied::InvalidScope, named(400, "invalid_scope", "invalid_scope")),
        (Denied::Unavailable, named(503, "temporarily_unavailable", "tokens_unavailable")),
    ] {
        server.host.denied.set(Some(denied));
        assert_eq!(server.refused("/oauth/token", &[FORM], REFRESH), expected);
    }
    let waits = server.send("POST", "/oauth/token", &[FORM], REFRESH);
    assert_eq!(waits.headers()["retry-after"], "5");
}

#[test]
fn a_client_that_tried_basic_is_asked_for_basic() {
    let server = Server::new();
    server.host.denied.set(Some(Denied::InvalidClient));
    let basic = [FORM, ("authorization", "Basic Yzpz")];
    let text = "grant_type=refresh_token&refresh_token=r";
    let response = server.send("POST", "/oauth/token", &basic, text);
    assert_eq!(response.status(), 401);
    assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic realm="));
    let response = server.send("POST", "/oauth/token", &[FORM], REFRESH);
    assert_eq!(response.status(), 401);
    assert!(!response.headers().contains_key("www-authenticate"), "a browser would ask for a password");
}

#[test]
fn pages_of_other_origins_may_neither_ask_for_tokens_nor_approve() {
    let server = Server::with("ALLOWED_ORIGINS", "https://app.example.com");
    let evil = ("origin", "https://evil.example");
    for path in ["/register", "/oauth/token", "/oauth/revoke"] {
        let (status, code, line) = server.refused(path, &[FORM, evil], REFRESH);
        assert_eq!((status, code.as_str(), line.as_str()), (403, "invalid_request", "foreign_origin"));
        let friend = server.send("POST", path, &[FORM, ("origin", "https://app.example.com")], REFRESH);
        assert_eq!(friend.headers()["access-control-allow-origin"], "https://app.example.com");
    }
    for origin in ["https://evil.example", "null", "https://app.example.com", "https://mcp.example.com:444"] {
        let response =
            server.send("POST", "/oauth/authorize", &[FORM, ("origin", origin)], "decision=approve");
        assert_eq!(response.status(), 403, "{origin}");
        assert_eq!(server.world.reasons().last().unwrap(), "consent_foreign");
        assert!(!response.headers().contains_key("access-control-allow-origin"));
        assert!(!response.headers().contains_key("set-cookie"));
    }
    let own = server.send("POST", "/oauth/authorize", &[FORM, ("origin", ORIGIN)], "decision=approve");
    assert_ne!(server.world.reasons().last().unwrap(), "consent_foreign", "{}", own.status());
}

#[test]
fn a_token_in_the_url_is_refused_here_too_and_codes_are_not_tokens() {
    let server = Server::new();
    let (status, code, line) = server.refused("/oauth/revoke?token=t", &[FORM], "client_id=c&token=t");
    assert_eq!((status, code.as_str(), line.as_str()), (400, "invalid_request", "token_in_query"));
    assert_eq!(server.host.asked.borrow().len(), 0);
    server.send("GET", "/oauth/callback?code=k&state=s", &[], "");
    assert_eq!(server.world.reasons().last().unwrap(), "state_other_browser");
}

#[test]
fn the_root_names_where_signing_in_happens() {
    let server = Server::new();
    assert_eq!(
        body(&server.send("GET", "/", &[], ""))["endpoints"],
        json!({
            "mcp": "/mcp",
            "tools": "/mcp/tools",
            "tool_call": "/mcp/tool/call",
            "health": "/health",
            "protected_resource_metadata": "/.well-known/oauth-protected-resource/mcp",
            "authorization_server_metadata": "/.well-known/oauth-authorization-server",
            "authorize": "/oauth/authorize",
            "token": "/oauth/token",
            "revoke": "/oauth/revoke",
            "register": "/register",
        })
    );
    server.world.set("DCR_ENABLED", "false");
    assert!(body(&server.send("GET", "/", &[], ""))["endpoints"].get("register").is_none());
}

#[test]
fn every_refusal_of_a_client_has_a_name_and_a_description_of_its_own() {
    let client = |why| Refused::Client { why, header: false, client: None };
    let all = [
        Refused::TooLarge(1),
        Refused::MalformedForm,
        Refused::RepeatedParameter,
        Refused::MissingParameter("code"),
        Refused::MalformedParameter("code"),
        client(BadClient::Unnamed),
        client(BadClient::TwoWays),
        client(BadClient::Unreadable),
        client(BadClient::UnknownMethod),
        client(BadClient::Wrong),
        Refused::InvalidGrant { client: "x".to_owned(), guess: true },
        Refused::UnsupportedGrantType,
        Refused::InvalidScope,
        Refused::InvalidTarget,
        Refused::Unavailable,
        Refused::RegistrationClosed,
        Refused::MalformedRegistration("The body is a JSON object."),
        Refused::RedirectNotAllowed(BadRedirect::Scheme),
    ];
    let names: std::collections::BTreeSet<_> = all.iter().map(|refused| refused.line().reason).collect();
    assert_eq!(names.len(), all.len());
    let said: std::collections::BTreeSet<_> = all.iter().map(Refused::description).collect();
    assert_eq!(said.len(), all.len());
    for refused in &all {
        assert_eq!(refused.remark().reason, refused.line().reason);
        // RFC 6749 section 5.2: what `error_description` may hold.
        let text = refused.description();
        let fits = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
        assert!(text.len() > 20 && text.bytes().all(fits), "{text}");
    }
}
