//! Which era a request is in, and headers that lie.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{CLIENT_CAPABILITIES, Era, PROTOCOL_VERSION};
use crate::mcp::error::Fault;
use crate::mcp::message::Request;

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    let mut map = HeaderMap::new();
    list.iter().map(pair).for_each(|(name, value)| {
        map.append(name, value);
    });
    map
}

fn request(method: &str, params: &Value) -> Request {
    Request { id: json!(1), method: method.to_owned(), params: params.as_object().cloned().unwrap() }
}

fn meta(version: &str) -> Value {
    json!({ PROTOCOL_VERSION: version, CLIENT_CAPABILITIES: {} })
}

const NOW: (&str, &str) = ("mcp-protocol-version", "2026-07-28");

#[test]
fn chooses_the_era_by_meta_then_initialize_then_the_version_header() {
    let modern = json!({ "_meta": meta("2026-07-28") });
    let bare = json!({});
    for (why, method, params, sent, era) in [
        ("meta alone", "ping", &modern, &[][..], Era::Modern),
        (
            "meta over a legacy header",
            "ping",
            &modern,
            &[("mcp-protocol-version", "2025-06-18")],
            Era::Modern,
        ),
        ("a removed method with meta", "initialize", &modern, &[NOW], Era::Modern),
        ("initialize", "initialize", &bare, &[], Era::Legacy),
        ("initialize behind an eager header", "initialize", &bare, &[NOW], Era::Legacy),
        ("no header", "tools/list", &bare, &[], Era::Legacy),
        ("each legacy revision", "tools/list", &bare, &[("mcp-protocol-version", "2024-11-05")], Era::Legacy),
        ("modern header alone", "server/discover", &bare, &[NOW], Era::Modern),
        ("unknown version", "tools/list", &bare, &[("mcp-protocol-version", "1999-01-01")], Era::Modern),
        ("two version headers", "tools/list", &bare, &[NOW, NOW], Era::Modern),
        ("Mcp-Method plays no part", "tools/list", &bare, &[("mcp-method", "tools/list")], Era::Legacy),
    ] {
        assert_eq!(Era::of_request(&headers(sent), &request(method, params)), era, "{why}");
    }
}

/// (why, method, params, headers, JSON-RPC code; 0 where it is accepted). MCP 2026-07-28, basic/transports.
type Case = (&'static str, &'static str, Value, Vec<(&'static str, &'static str)>, i64);

fn modern_cases() -> Vec<Case> {
    let list = ("mcp-method", "tools/list");
    let call = ("mcp-method", "tools/call");
    let named = json!({ "_meta": meta("2026-07-28"), "name": "grüße" });
    let plain = json!({ "_meta": meta("2026-07-28"), "name": "get_issue" });
    let good = json!({ "_meta": meta("2026-07-28") });
    vec![
        ("complete", "tools/list", good.clone(), vec![NOW, list], 0),
        ("no meta", "tools/list", json!({}), vec![NOW, list], -32602),
        ("meta is text", "tools/list", json!({ "_meta": "x" }), vec![NOW, list], -32602),
        (
            "no version in meta",
            "tools/list",
            json!({ "_meta": { CLIENT_CAPABILITIES: {} } }),
            vec![NOW, list],
            -32602,
        ),
        (
            "version is a number",
            "tools/list",
            json!({ "_meta": { PROTOCOL_VERSION: 1, CLIENT_CAPABILITIES: {} } }),
            vec![NOW, list],
            -32602,
        ),
        (
            "no capabilities",
            "tools/list",
            json!({ "_meta": { PROTOCOL_VERSION: "2026-07-28" } }),
            vec![NOW, list],
            -32602,
        ),
        (
            "capabilities as list",
            "tools/list",
            json!({ "_meta": { PROTOCOL_VERSION: "2026-07-28", CLIENT_CAPABILITIES: [] } }),
            vec![NOW, list],
            -32602,
        ),
        ("no version header", "tools/list", good.clone(), vec![list], -32020),
        ("two version headers", "tools/list", good.clone(), vec![NOW, NOW, list], -32020),
        (
            "version header differs",
            "tools/list",
            good.clone(),
            vec![("mcp-protocol-version", "2025-11-25"), list],
            -32020,
        ),
        ("no method header", "tools/list", good.clone(), vec![NOW], -32020),
        ("method header differs", "tools/list", good.clone(), vec![NOW, call], -32020),
        (
            "method header differs by case",
            "tools/list",
            good.clone(),
            vec![NOW, ("mcp-method", "Tools/List")],
            -32020,
        ),
        ("white space around", "tools/list", good.clone(), vec![NOW, ("mcp-method", " tools/list\t")], 0),
        ("no name header", "tools/call", plain.clone(), vec![NOW, call], -32020),
        (
            "name header differs",
            "tools/call",
            plain.clone(),
            vec![NOW, call, ("mcp-name", "create_issue")],
            -32020,
        ),
        (
            "two name headers",
            "tools/call",
            plain.clone(),
            vec![NOW, call, ("mcp-name", "get_issue"), ("mcp-name", "get_issue")],
            -32020,
        ),
        ("plain name", "tools/call", plain.clone(), vec![NOW, call, ("mcp-name", "get_issue")], 0),
        (
            "plain name in base64",
            "tools/call",
            plain.clone(),
            vec![NOW, call, ("mcp-name", "=?base64?Z2V0X2lzc3Vl?=")],
            0,
        ),
        (
            "base64 of another name",
            "tools/call",
            plain.clone(),
            vec![NOW, call, ("mcp-name", "=?base64?Y3JlYXRl?=")],
            -32020,
        ),
        (
            "broken base64",
            "tools/call",
            plain.clone(),
            vec![NOW, call, ("mcp-name", "=?base64?Z2V0X2lzc3V?=")],
            -32020,
        ),
        (
            "name beyond ASCII in base64",
            "tools/call",
            named.clone(),
            vec![NOW, call, ("mcp-name", "=?base64?Z3LDvMOfZQ==?=")],
            0,
        ),
        ("name beyond ASCII as it is", "tools/call", named, vec![NOW, call, ("mcp-name", "grüße")], -32020),
        (
            "base64 not UTF-8",
            "tools/call",
            plain,
            vec![NOW, call, ("mcp-name", "=?base64?/////w==?=")],
            -32020,
        ),
        ("no name", "tools/call", good, vec![NOW, call, ("mcp-name", "x")], -32602),
        (
            "version not served",
            "tools/list",
            json!({ "_meta": meta("v999") }),
            vec![("mcp-protocol-version", "v999"), list],
            -32022,
        ),
        (
            "legacy version in meta",
            "tools/list",
            json!({ "_meta": meta("2025-11-25") }),
            vec![("mcp-protocol-version", "2025-11-25"), list],
            -32022,
        ),
        ("headers before version", "tools/list", json!({ "_meta": meta("v999") }), vec![NOW, list], -32020),
    ]
}

#[test]
fn holds_modern_requests_to_meta_headers_and_version_in_this_order() {
    for (why, method, params, sent, code) in modern_cases() {
        let outcome = Era::Modern.check(&headers(&sent), &request(method, &params));
        let found = outcome.err().map_or(0, |fault| fault.error(Era::Modern)["code"].as_i64().unwrap());
        assert_eq!(found, code, "{why}");
    }
}

#[test]
fn lets_legacy_requests_go_without_headers_but_not_with_lies() {
    let call = request("tools/call", &json!({ "name": "get_issue" }));
    let check = |sent: &[(&str, &str)]| Era::Legacy.check(&headers(sent), &call);
    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&[("mcp-method", "tools/call"), ("mcp-name", "get_issue")]), Ok(()));
    assert_eq!(
        check(&[("mcp-method", "tools/list")]),
        Err(Fault::HeaderMismatch("mcp-method", "differs from the body"))
    );
    assert_eq!(
        check(&[("mcp-name", "create_issue")]),
        Err(Fault::HeaderMismatch("mcp-name", "differs from the body"))
    );
}

#[test]
fn names_every_served_revision_when_one_is_not() {
    let error = Fault::UnsupportedVersion("v9\u{202e}\n".to_owned()).error(Era::Modern);
    assert_eq!(
        error["data"]["supported"],
        json!(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
    );
    assert_eq!(error["data"]["requested"], "v9??", "nothing invisible is sent back");
}
