//! Malformed messages as data, and messages made by chance.

use serde_json::{Value, json};

use super::{Message, Notification, Request, parse};
use crate::mcp::error::Fault;
use crate::mcp::fake::dice::Dice;

/// (why, body, JSON-RPC code, id to answer to). JSON-RPC 2.0 unless another source is named.
const REFUSED: &[(&str, &str, i64, &str)] = &[
    ("not JSON, section 5.1", "{", -32700, "null"),
    ("empty, section 5.1", "", -32700, "null"),
    ("batch, MCP 2025-06-18 transports", r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600, "null"),
    ("empty batch, section 6", "[]", -32600, "null"),
    ("string, section 4", r#""ping""#, -32600, "null"),
    ("number, section 4", "1", -32600, "null"),
    ("no version, section 4", r#"{"id":1,"method":"ping"}"#, -32600, "1"),
    ("version 1.0, section 4", r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600, "1"),
    ("version as number, section 4", r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, -32600, "1"),
    ("id null, MCP base protocol", r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, "null"),
    ("id object, section 4", r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600, "null"),
    ("id array, section 4", r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, -32600, "null"),
    ("id boolean, section 4", r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, -32600, "null"),
    ("id fraction, section 4", r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600, "null"),
    (
        "id beyond 64 bits, section 4",
        r#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"ping"}"#,
        -32600,
        "null",
    ),
    ("id twice, RFC 8259 section 4", r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32700, "null"),
    (
        "method twice, RFC 8259 section 4",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
        -32700,
        "null",
    ),
    ("no method, section 4", r#"{"jsonrpc":"2.0","id":1}"#, -32600, "1"),
    ("method number, section 4", r#"{"jsonrpc":"2.0","id":"a","method":5}"#, -32600, "\"a\""),
    ("method empty, section 4", r#"{"jsonrpc":"2.0","id":1,"method":""}"#, -32600, "1"),
    (
        "request and response, section 4",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        -32600,
        "1",
    ),
    ("response without id, section 5", r#"{"jsonrpc":"2.0","result":{}}"#, -32600, "null"),
    (
        "params array, MCP base protocol",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
        -32600,
        "1",
    ),
    ("params null, section 4.2", r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#, -32600, "1"),
    ("params text, section 4.2", r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#, -32600, "1"),
    (
        "call without id, section 4.1",
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{}}"#,
        -32600,
        "null",
    ),
];

#[test]
fn refuses_what_is_not_one_message() {
    for (why, body, code, id) in REFUSED {
        let refused = parse(body.as_bytes()).expect_err(why);
        assert_eq!(refused.fault.error(crate::mcp::era::Era::Legacy)["code"], *code, "{why}");
        assert_eq!(refused.id, serde_json::from_str::<Value>(id).unwrap(), "{why}");
    }
}

#[test]
fn reads_requests_notifications_and_responses() {
    let request = parse(br#"{"jsonrpc":"2.0","id":"7","method":"tools/list","params":{"a":1}}"#).unwrap();
    let params = json!({"a":1}).as_object().cloned().unwrap();
    assert_eq!(
        request,
        Message::Request(Request { id: json!("7"), method: "tools/list".to_owned(), params })
    );

    let notification = parse(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).unwrap();
    let method = "notifications/initialized".to_owned();
    assert_eq!(notification, Message::Notification(Notification { method, params: serde_json::Map::new() }));

    for response in
        [r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, r#"{"jsonrpc":"2.0","id":"a","error":{"code":1}}"#]
    {
        assert!(matches!(parse(response.as_bytes()).unwrap(), Message::Response(_)));
    }
}

#[test]
fn sends_ids_back_as_they_came() {
    for id in ["0", "-1", "18446744073709551615", "-9223372036854775808", "\"\"", "\"1\"", "\"\\u0000é\""] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let Message::Request(request) = parse(body.as_bytes()).unwrap() else { panic!("{id}") };
        assert_eq!(request.id, serde_json::from_str::<Value>(id).unwrap());
    }
}

#[test]
fn never_reads_a_request_without_version_method_and_usable_id() {
    let members = [
        r#""jsonrpc":"2.0""#,
        r#""jsonrpc":"1""#,
        r#""id":1"#,
        r#""id":null"#,
        r#""id":{}"#,
        r#""method":"tools/call""#,
        r#""method":"notifications/x""#,
        r#""method":1"#,
        r#""params":{}"#,
        r#""params":[]"#,
        r#""result":{}"#,
        r#""error":1"#,
        r#""x":[{}]"#,
    ];
    let mut read = 0;
    for seed in 0..40_000 {
        let mut dice = Dice::new(seed);
        let chosen: Vec<_> = (0..dice.below(6)).map(|_| members[dice.below(members.len())]).collect();
        let body = format!("{{{}}}", chosen.join(","));
        match parse(body.as_bytes()) {
            Ok(Message::Request(request)) => {
                read += 1;
                assert!(chosen.contains(&members[0]) && chosen.contains(&members[2]), "{body}");
                assert!(["tools/call", "notifications/x"].contains(&request.method.as_str()), "{body}");
                assert!(!chosen.contains(&members[10]) && !chosen.contains(&members[11]), "{body}");
            }
            Ok(Message::Notification(note)) => assert_eq!(note.method, "notifications/x", "{body}"),
            Ok(Message::Response(_)) => assert!(!body.contains("method"), "{body}"),
            Err(refused) => {
                assert!(matches!(refused.fault, Fault::Parse(_) | Fault::InvalidRequest(_)), "{body}")
            }
        }
    }
    assert!(read > 10, "the dice made requests: {read}");
}
