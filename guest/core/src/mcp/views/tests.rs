//! Resources, prompts and suggestions as clients ask for them; each read is a call like any other.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::mcp::call::Session;
use crate::mcp::fake::{Reader, body};
use crate::mcp::{Post, answer};
use crate::offer::PRODUCT;
use crate::selection::Selection;
use crate::tools::fake::{OPEN_POLICY, Route, World, claims};

const NOW: &str = "2026-07-28";

fn ask_as(world: &World, scopes: &[&str], headers: &[(&str, &str)], message: &Value) -> (u16, Value) {
    let (config, claims) = (world.config(), claims(scopes));
    let session = Session {
        ports: world.ports(),
        config: &config,
        offer: &PRODUCT,
        selection: Selection::default(),
        caller: world,
        claims: &claims,
        request_id: "request-1",
    };
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
    };
    let headers: HeaderMap = headers.iter().map(pair).collect();
    let text = message.to_string().into_bytes();
    let post = Post { headers: &headers, body: &text, streams: true, version: "1.2.3" };
    let response = answer(&session, &post, &mut Reader::default()).expect("an answer");
    (response.status().as_u16(), body(&response))
}

fn legacy(world: &World, method: &str, params: &Value) -> (u16, Value) {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    ask_as(world, &["read:repository"], &[], &message)
}

fn modern(world: &World, method: &str, params: &Value) -> (u16, Value) {
    let mut params = params.clone();
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(NOW);
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    let name = params.get("uri").or(params.get("name")).and_then(Value::as_str).unwrap_or("-").to_owned();
    let headers = [("mcp-protocol-version", NOW), ("mcp-method", method), ("mcp-name", name.as_str())];
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    ask_as(world, &["read:repository"], &headers, &message)
}

fn with_issue(world: World) -> World {
    let issue = json!({ "number": 2, "title": "It breaks", "state": "open", "body": "Help", "user": { "login": "ann" } });
    world.on("GET /repos/acme/site/issues/2", issue).on(
        "GET /repos/acme/site/issues/2/comments",
        json!([{ "id": 1, "body": "How?", "user": { "login": "bob" } }]),
    )
}

#[test]
fn lists_hold_everything_on_one_page_and_say_for_whom() {
    let world = World::open();
    for (method, name, count) in [
        ("resources/list", "resources", 0),
        ("resources/templates/list", "resourceTemplates", 5),
        ("prompts/list", "prompts", 5),
    ] {
        let (status, said) = legacy(&world, method, &json!({}));
        assert_eq!((status, said["result"][name].as_array().map(Vec::len)), (200, Some(count)), "{method}");
        assert!(said["result"].get("ttlMs").is_none(), "{method}: not on the legacy wire");
        let (_, said) = modern(&world, method, &json!({}));
        assert_eq!(said["result"]["cacheScope"], "private", "{method}");
        assert!(said["result"]["ttlMs"].is_u64(), "{method}");
        let (_, said) = legacy(&world, method, &json!({ "cursor": "x" }));
        assert_eq!(said["error"]["code"], -32602, "{method}: no cursor was handed out");
    }
}

#[test]
fn a_reading_is_two_calls_on_record_and_bears_the_notice() {
    let world = with_issue(World::open());
    let (status, said) = modern(&world, "resources/read", &json!({ "uri": "gitea://acme/site/issues/2" }));
    assert_eq!(status, 200, "{said}");
    let content = &said["result"]["contents"][0];
    assert_eq!(
        (&content["uri"], &content["mimeType"]),
        (&json!("gitea://acme/site/issues/2"), &json!("text/markdown"))
    );
    assert!(content["text"].as_str().is_some_and(|text| text.contains("# Issue 2: It breaks")), "{said}");
    assert_eq!(said["result"]["ttlMs"], 0);
    assert!(said["result"]["_meta"]["notice"].is_string());
    let state = world.state.borrow();
    let tools: Vec<&str> = state.events.iter().map(|event| event.tool.as_str()).collect();
    assert_eq!(tools, ["get_issue", "list_issue_comments"]);
    assert_eq!(state.outcomes.len(), 2);
}

#[test]
fn policy_decides_on_what_is_read_as_on_a_call() {
    let policy =
        format!("{OPEN_POLICY}repositories:\n  acme/site:\n    tools: {{deny: [list_issue_comments]}}\n");
    let world = with_issue(World::with(&policy, &[]));
    let (status, said) = modern(&world, "resources/read", &json!({ "uri": "gitea://acme/site/issues/2" }));
    assert_eq!((status, &said["error"]["code"]), (400, &json!(-32602)), "{said}");
    assert!(!said.to_string().contains("It breaks"), "nothing of it leaves");
    assert_eq!(world.asked(), ["GET /repos/acme/site/issues/2"]);
}

#[test]
fn what_is_not_there_and_what_may_not_be_seen_look_the_same() {
    let world =
        World::open().route(Route::new("GET /repos/acme/site/issues/2", 404, json!({ "message": "gone" })));
    for uri in [
        "gitea://acme/site/issues/2",
        "gitea://acme/site/nothing",
        "file:///etc/passwd",
        "gitea://acme/site/issues/x",
    ] {
        let (status, said) = legacy(&world, "resources/read", &json!({ "uri": uri }));
        assert_eq!(
            (status, &said["error"]["code"], &said["error"]["data"]["uri"]),
            (200, &json!(-32002), &json!(uri))
        );
        let (status, said) = modern(&world, "resources/read", &json!({ "uri": uri }));
        assert_eq!((status, &said["error"]["code"]), (400, &json!(-32602)), "{uri}");
    }
}

#[test]
fn a_scope_that_is_missing_is_challenged_as_for_a_tool() {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": { "uri": "gitea://acme/site/issues/2" } });
    let (status, _) = ask_as(&World::open(), &[], &[], &message);
    assert_eq!(status, 403);
}

#[test]
fn prompts_are_filled_in_or_refused() {
    let world = World::open();
    let good = json!({ "name": "explain_repository", "arguments": { "owner": "acme", "repo": "site" } });
    let (_, said) = modern(&world, "prompts/get", &good);
    let text = said["result"]["messages"][0]["content"]["text"].as_str().expect("a text");
    assert!(text.contains("acme/site"), "{text}");
    for bad in [
        json!({ "name": "explain_repository" }),
        json!({ "name": "explain_repository", "arguments": [] }),
        json!({ "name": "nonsense" }),
        json!({}),
    ] {
        let (status, said) = legacy(&world, "prompts/get", &bad);
        assert_eq!((status, &said["error"]["code"]), (200, &json!(-32602)), "{bad}");
    }
    assert!(world.asked().is_empty(), "a prompt asks nothing of Gitea");
}

#[test]
fn suggestions_come_from_calls_of_the_caller() {
    let world =
        World::open().on("GET /repos/acme/site/branches", json!([{ "name": "main" }, { "name": "next" }]));
    let asked = |reference: Value, name: &str| {
        json!({ "ref": reference, "argument": { "name": name, "value": "m" },
            "context": { "arguments": { "owner": "acme", "repo": "site" } } })
    };
    let file = json!({ "type": "ref/resource", "uri": "gitea://{owner}/{repo}/blob/{ref}/{+path}" });
    let (_, said) = legacy(&world, "completion/complete", &asked(file.clone(), "path"));
    assert_eq!(said["result"]["completion"]["values"], json!([]));
    let prompt = json!({ "type": "ref/prompt", "name": "write_release_notes" });
    for reference in [asked(file, "ref"), asked(prompt.clone(), "from")] {
        // Tags are refused by this Gitea, so nothing is suggested, and nothing is said of why.
        let (status, said) = modern(&world, "completion/complete", &reference);
        assert_eq!((status, &said["result"]["completion"]["values"]), (200, &json!([])), "{said}");
    }
    let world = world.on("GET /repos/acme/site/tags", json!([]));
    let (_, said) = modern(&world, "completion/complete", &asked(prompt.clone(), "from"));
    assert_eq!(said["result"]["completion"], json!({ "values": ["main"], "hasMore": false }));
    assert_eq!(legacy(&world, "completion/complete", &asked(prompt, "nonsense")).1["error"]["code"], -32602);
    let unknown = json!({ "type": "ref/resource", "uri": "gitea://nothing" });
    assert_eq!(legacy(&world, "completion/complete", &asked(unknown, "ref")).1["error"]["code"], -32002);
}
