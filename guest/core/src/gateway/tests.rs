//! Requests as the host hands them over, and the one answer to each.

mod chance;
mod direct;
mod origins;
mod sign_in;
mod streams;

use http::Response;
use serde_json::{Value, json};

use super::{Answer, Gateway, Refusal, handle};
use crate::admission::Refused;
use crate::mcp::fake::tools::FEW;
use crate::mcp::fake::{GOOD, Reader, World, body, request};
use crate::ports::Bucket;
use crate::settings::Invalid;

const JSON: (&str, &str) = ("content-type", "application/json");
const KEY: (&str, &str) = ("authorization", GOOD);
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

fn send(
    world: &World,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response<Vec<u8>> {
    let gateway = Gateway { ports: world.ports(), offer: &FEW, version: "1.2.3" };
    match handle(&gateway, request(method, target, headers, body), &mut Reader::default()) {
        Answer::Whole(response) => response,
        Answer::Streamed => panic!("streamed"),
    }
}

fn status(world: &World, method: &str, target: &str, headers: &[(&str, &str)]) -> u16 {
    send(world, method, target, headers, PING).status().as_u16()
}

/// A refusal: its status, its name on the wire, and exactly one audit line of that name.
fn refused(
    world: &World,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body_text: &str,
) -> (u16, String) {
    let before = world.reasons().len();
    let response = send(world, method, target, headers, body_text);
    let said = body(&response);
    let name = said["error"].as_str().or(said["error"]["code"].as_str()).unwrap().to_owned();
    assert_eq!(world.reasons()[before..], *std::slice::from_ref(&name), "one line for {method} {target}");
    (response.status().as_u16(), name)
}

#[test]
fn serves_the_public_documents_without_a_key() {
    let world = World::new();
    let response = send(&world, "GET", "/", &[], "");
    assert_eq!(response.status(), 200);
    assert_eq!(body(&response)["name"], "AegisGitea-MCP");
    assert_eq!(body(&response)["version"], "1.2.3");
    let tools = body(&send(&world, "GET", "/mcp/tools", &[], ""));
    assert_eq!(tools["tools"].as_array().unwrap().len(), 3);
    assert_eq!(world.counted(Bucket::Address), 2, "they count against the address");
    assert_eq!(*world.routes.borrow(), ["/", "/mcp/tools"]);
}

#[test]
fn answers_mcp_under_each_of_its_names() {
    let world = World::new();
    for path in ["/mcp", "/mcp/", "/mcp/sse"] {
        let response = send(&world, "POST", path, &[JSON, KEY], PING);
        assert_eq!(response.status(), 200);
        assert_eq!(body(&response), json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
        assert_eq!(response.headers()["content-type"], "application/json");
    }
    assert_eq!(*world.routes.borrow(), ["/mcp", "/mcp", "/mcp/sse"]);
    assert_eq!(world.counted(Bucket::Address), 0);
}

#[test]
fn asks_for_a_key_before_it_says_that_a_method_is_wrong() {
    let world = World::new();
    for path in ["/mcp", "/mcp/", "/mcp/sse", "/mcp/tool/call"] {
        for method in ["DELETE", "PUT", "HEAD"] {
            assert_eq!(refused(&world, method, path, &[], ""), (401, "missing_credential".to_owned()));
            let response = send(&world, method, path, &[KEY], "");
            assert_eq!(response.status(), 405, "{method} {path}");
            let allowed = if path == "/mcp/tool/call" { "POST" } else { "GET, POST" };
            assert_eq!(response.headers()["allow"], allowed);
        }
    }
    let response = send(&world, "POST", "/", &[], "");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &"GET, HEAD".parse().unwrap())
    );
}

#[test]
fn knows_no_other_paths_and_names_none_of_them() {
    let world = World::new();
    world.set("RATE_LIMIT_PER_MINUTE", "1000");
    for path in [
        "//",
        "//mcp",
        "/mcp//",
        "/MCP",
        "/mcp/..",
        "/mcp/tools/",
        "/mcp%2Ftools",
        "/%6dcp",
        "/oauth/token",
        "/register",
        "/authorize",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/automation",
        "/automation/webhook/",
        "/automation/jobs",
        "/mcp;x",
        "/health/x",
    ] {
        assert_eq!(refused(&world, "GET", path, &[KEY], ""), (404, "no_such_path".to_owned()), "{path}");
    }
    assert!(world.routes.borrow().iter().all(|route| route == "other"));
}

#[test]
fn challenges_as_rfc_6750_section_3_asks() {
    let world = World::new();
    let missing = send(&world, "POST", "/mcp", &[JSON], PING);
    assert_eq!(
        (missing.status().as_u16(), &missing.headers()["www-authenticate"]),
        (401, &"Bearer".parse().unwrap())
    );
    let wrong = send(&world, "POST", "/mcp", &[JSON, ("authorization", "Bearer wrong")], PING);
    assert_eq!(wrong.status(), 401);
    assert_eq!(wrong.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
    assert_eq!(world.reasons(), ["missing_credential", "invalid_credential"]);
    assert!(!format!("{wrong:?}").contains("wrong"), "what was sent is not repeated");
}

#[test]
fn asks_for_the_key_before_it_looks_at_the_body() {
    let world = World::new();
    let odd = [("content-type", "text/plain"), ("content-encoding", "gzip"), ("accept", "image/png")];
    assert_eq!(refused(&world, "POST", "/mcp", &odd, "not json"), (401, "missing_credential".to_owned()));
}

#[test]
fn takes_json_as_it_is_and_nothing_else() {
    let world = World::new();
    for kind in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
    ] {
        assert_eq!(status(&world, "POST", "/mcp", &[KEY, ("content-type", kind)]), 200, "{kind}");
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonp",
        "",
        "application/json, text/plain",
    ] {
        let headers = [KEY, ("content-type", kind)];
        assert_eq!(
            refused(&world, "POST", "/mcp", &headers, PING),
            (415, "unsupported_media_type".to_owned()),
            "{kind}"
        );
    }
    assert_eq!(status(&world, "POST", "/mcp", &[KEY]), 415, "no type");
    assert_eq!(status(&world, "POST", "/mcp", &[KEY, JSON, JSON]), 415, "two types");
    assert_eq!(status(&world, "POST", "/mcp", &[KEY, JSON, ("content-encoding", "identity")]), 200);
    for coding in ["gzip", "identity, gzip", "br", "deflate", "x-gzip"] {
        let headers = [KEY, JSON, ("content-encoding", coding)];
        assert_eq!(
            refused(&world, "POST", "/mcp", &headers, PING),
            (415, "encoded_body".to_owned()),
            "{coding}"
        );
    }
}

#[test]
fn refuses_clients_that_cannot_read_json() {
    let world = World::new();
    for accept in [
        "application/json, text/event-stream",
        "application/json",
        "*/*",
        "application/*;q=0.5",
        "text/html, */*;q=0.1",
        "text/event-stream, application/json;q=0.001",
        "",
        "APPLICATION/JSON",
    ] {
        assert_eq!(status(&world, "POST", "/mcp", &[KEY, JSON, ("accept", accept)]), 200, "{accept}");
    }
    for accept in [
        "text/event-stream",
        "text/html",
        "application/json;q=0",
        "*/*;q=0.0",
        "*/*, application/json;q=0",
        "x",
    ] {
        let headers = [KEY, JSON, ("accept", accept)];
        assert_eq!(
            refused(&world, "POST", "/mcp", &headers, PING),
            (406, "not_acceptable".to_owned()),
            "{accept}"
        );
    }
}

#[test]
fn streams_only_to_clients_that_name_event_streams() {
    let world = World::new();
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","_meta":{"progressToken":1}}}"#;
    for (accept, streams) in [
        ("application/json, text/event-stream", true),
        ("application/json", false),
        ("*/*", false),
        ("application/json, text/event-stream;q=0", false),
    ] {
        let gateway = Gateway { ports: world.ports(), offer: &FEW, version: "1.2.3" };
        let mut reader = Reader::default();
        let answer = handle(
            &gateway,
            request("POST", "/mcp", &[KEY, JSON, ("accept", accept), ("origin", "http://localhost")], call),
            &mut reader,
        );
        assert_eq!(matches!(answer, Answer::Streamed), streams, "{accept}");
        if let Some(head) = reader.head {
            assert_eq!(head["x-content-type-options"], "nosniff");
            assert_eq!(head["cache-control"], "no-store");
            assert_eq!(head["access-control-allow-origin"], "http://localhost");
        }
    }
}

#[test]
fn puts_security_headers_on_every_answer() {
    let world = World::new();
    for (method, target, headers) in [
        ("GET", "/", &[][..]),
        ("POST", "/mcp", &[KEY, JSON]),
        ("POST", "/mcp", &[]),
        ("GET", "/nowhere", &[]),
        ("OPTIONS", "/mcp", &[]),
        ("GET", "http://evil.example/", &[]),
        ("POST", "/mcp/tool/call", &[KEY, JSON]),
    ] {
        let response = send(&world, method, target, headers, PING);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(response.headers()[name], value, "{method} {target}");
        }
    }
}

#[test]
fn answers_unreadable_messages_in_json_rpc() {
    let world = World::new();
    for (text, code) in [
        ("", -32700),
        ("{", -32700),
        ("\u{feff}{}", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}"#, -32700),
        ("[]", -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
    ] {
        let response = send(&world, "POST", "/mcp", &[KEY, JSON], text);
        assert_eq!(response.status(), 400, "{text}");
        assert_eq!(body(&response)["error"]["code"], code, "{text}");
        assert_eq!(body(&response)["id"], Value::Null);
    }
    assert_eq!(world.notes.borrow().len(), 7, "one line each");
}

#[test]
fn makes_refusals_cost_something_until_the_address_is_used_up() {
    for (method, target, headers) in [
        ("GET", "/", &[][..]),
        ("GET", "/mcp/tools", &[]),
        ("GET", "/nowhere", &[]),
        ("POST", "/mcp", &[JSON]),
        ("OPTIONS", "/mcp", &[]),
        ("GET", "http://evil.example/", &[]),
        ("POST", "/mcp", &[("origin", "null")]),
        ("GET", "/?token=x", &[]),
        ("PUT", "/", &[]),
        ("POST", "/mcp", &[KEY, KEY]),
    ] {
        let world = World::new();
        world.set("RATE_LIMIT_PER_MINUTE", "2");
        for _ in 0..2 {
            assert_ne!(status(&world, method, target, headers), 429, "{method} {target}");
        }
        let response = send(&world, method, target, headers, "");
        assert_eq!(response.status(), 429, "{method} {target}");
        assert_eq!(response.headers()["retry-after"], "30");
        assert_eq!(body(&response)["error"], "rate_limited");
        assert_eq!(status(&world, "POST", "/mcp", &[KEY, JSON]), 200, "a good key still gets in");
    }
}

#[test]
fn serves_nothing_with_settings_that_cannot_be_read() {
    let world = World::new();
    world.set("RATE_LIMIT_PER_MINUTE", "many");
    assert_eq!(refused(&world, "POST", "/mcp", &[KEY, JSON], PING), (500, "settings_invalid".to_owned()));
    assert!(world.logs.borrow()[0].contains("RATE_LIMIT_PER_MINUTE"), "the operator learns which");
    assert!(
        !format!("{:?}", send(&world, "GET", "/", &[], "")).contains("RATE_LIMIT"),
        "a stranger does not"
    );
}

#[test]
fn gives_every_refusal_a_name_of_its_own() {
    let all = [
        Refusal::Misconfigured(Invalid { name: "X", message: "y".to_owned() }),
        Refusal::UnknownHost,
        Refusal::ForeignOrigin,
        Refusal::TokenInQuery,
        Refusal::TwoCredentials,
        Refusal::NoSuchPath,
        Refusal::MethodNotAllowed("POST"),
        Refusal::UnsupportedMediaType("why"),
        Refusal::EncodedBody,
        Refusal::NotAcceptable,
        Refusal::EventsNotAccepted,
        Refusal::UnreadableSelection(crate::selection::Unreadable {
            header: "X-MCP-Tools",
            why: "is sent twice",
        }),
        Refusal::NoSuchStream,
        Refusal::MalformedBody("why"),
        Refusal::Admission(Refused::MissingCredential),
        Refusal::Admission(Refused::MalformedCredential),
        Refusal::Admission(Refused::UnknownCredential),
        Refusal::Admission(Refused::ExpiredCredential),
        Refusal::Admission(Refused::RateLimited(0)),
        Refusal::Admission(Refused::TooManyFailures(9)),
        Refusal::Admission(Refused::TooManyConcurrent),
        Refusal::Admission(Refused::IdentityUnavailable),
    ];
    let names: std::collections::BTreeSet<_> = all.iter().map(Refusal::reason).collect();
    assert_eq!(names.len(), all.len());
    for refusal in &all {
        let response = refusal.response(&super::Envelope::Plain, None);
        let (said, remark) = (body(&response), refusal.remark());
        assert_eq!(said["error"], refusal.reason());
        assert_eq!(remark.reason, refusal.reason());
        assert!(said["message"].as_str().unwrap().len() > 2);
        let waits = matches!(response.status().as_u16(), 429 | 503);
        let wait = response
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap().parse::<u32>().unwrap());
        assert_eq!(wait.is_some_and(|seconds| seconds > 0), waits, "{refusal:?}");
        assert_eq!(response.headers().contains_key("www-authenticate"), response.status() == 401);
    }
}
