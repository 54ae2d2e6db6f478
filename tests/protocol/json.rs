//! Bodies that are not one strict JSON-RPC message, and arguments that no tool takes: refused with nothing upstream.

use serde_json::{Value, json};

use crate::ground::{Ground, legacy};

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn what_is_not_strict_json_is_a_parse_error_everywhere() {
    let ground = Ground::new().await;
    let deep = |depth: usize| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":{}}}}}"#, nested(depth))
    };
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("invalid_json", b"".to_vec()),
        ("invalid_json", b"{".to_vec()),
        ("invalid_json", b"{} {}".to_vec()),
        ("invalid_json", b"{}\0".to_vec()),
        ("invalid_json", b"{'jsonrpc':'2.0'}".to_vec()),
        ("invalid_json", b"{\"jsonrpc\":\"2.0\",}".to_vec()),
        ("invalid_json", b"// no\n{}".to_vec()),
        ("invalid_json", b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}".to_vec()),
        ("invalid_json", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}".to_vec()),
        ("invalid_json", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xed\xa0\x80\"}".to_vec()),
        ("invalid_json", br#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#.to_vec()),
        ("invalid_json", br#"{"jsonrpc":"2.0","id":1,"method":"\udc00\ud800"}"#.to_vec()),
        ("invalid_json", br#"{"jsonrpc":"2.0","id":1e400,"method":"ping"}"#.to_vec()),
        ("invalid_json", br#"{"jsonrpc":"2.0","id":NaN,"method":"ping"}"#.to_vec()),
        ("invalid_json", br#"{"jsonrpc":"2.0","id":01,"method":"ping"}"#.to_vec()),
        ("invalid_json", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\nb\"}".to_vec()),
        ("invalid_json", "{\"jsonrpc\":\"2.0\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("duplicate_key", br#"{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}"#.to_vec()),
        ("duplicate_key", br#"{"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/list"}"#.to_vec()),
        (
            "duplicate_key",
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_repository_info",
                "arguments":{"owner":"alice","repo":"demo","owner":"mallory"}}}"#
                .to_vec(),
        ),
        ("too_many_values", format!("[{}0]", "0,".repeat(10_000)).into_bytes()),
        ("nested_too_deep", deep(31).into_bytes()),
        ("nested_too_deep", nested(33).into_bytes()),
        ("nested_too_deep", nested(100_000).into_bytes()),
        ("nested_too_deep", "{\"a\":".repeat(100_000).into_bytes()),
    ];
    for (reason, body) in rows {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = ground.post("/mcp", &[], &body).await;
        assert_eq!(answer.json()["error"]["code"], -32700, "{shown}: {}", answer.text());
        ground.fault(&answer, 400, -32700, reason).await;
        assert_eq!(answer.json()["id"], Value::Null, "{shown}");
        let direct = ground.post("/mcp/tool/call", &[], &body).await;
        ground.refused(&direct, 400, "access_denied", "malformed_body").await;
    }
    let fits = ground.post("/mcp", &[], deep(30).as_bytes()).await;
    assert_eq!(fits.status, 200, "32 levels are allowed: {}", fits.text());
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn what_is_not_one_message_is_an_invalid_request() {
    let ground = Ground::new().await;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let rows = [
        ("null", Value::Null),
        ("true", Value::Null),
        ("3", Value::Null),
        ("\"x\"", Value::Null),
        ("{}", Value::Null),
        ("[]", Value::Null),
        (&format!("[{ping}]"), Value::Null),
        (&format!("[{ping},{ping}]"), Value::Null),
        (r#"{"jsonrpc":"1.0","id":4,"method":"ping"}"#, json!(4)),
        (r#"{"jsonrpc":2.0,"id":4,"method":"ping"}"#, json!(4)),
        (r#"{"id":4,"method":"ping"}"#, json!(4)),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"ping"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":4,"method":7}"#, json!(4)),
        (r#"{"jsonrpc":"2.0","id":4,"method":""}"#, json!(4)),
        (r#"{"jsonrpc":"2.0","id":4}"#, json!(4)),
        (r#"{"jsonrpc":"2.0","id":4,"method":"ping","params":[]}"#, json!(4)),
        (r#"{"jsonrpc":"2.0","id":4,"method":"ping","params":"x"}"#, json!(4)),
        (r#"{"jsonrpc":"2.0","id":4,"method":"ping","result":{}}"#, json!(4)),
        (r#"{"jsonrpc":"2.0","result":{}}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"get_repository_info"}}"#, Value::Null),
    ];
    for (body, id) in rows {
        // A batch was allowed in one revision; it is refused in that one too.
        for version in ["2025-03-26", "2025-11-25", "2026-07-28"] {
            let answer = ground.post("/mcp", &[("mcp-protocol-version", version)], body.as_bytes()).await;
            assert_eq!(answer.json()["error"]["code"], -32600, "{version} {body}: {}", answer.text());
            ground.fault(&answer, 400, -32600, "invalid_request").await;
            assert_eq!(answer.json()["id"], id, "{body}");
        }
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn arguments_that_no_tool_takes_are_refused_with_nothing_upstream() {
    let ground = Ground::new().await;
    let demo = |more: &str| format!(r#"{{"owner":"alice","repo":"demo"{more}}}"#);
    let rows = [
        ("get_repository_info", demo(r#","extra":1"#)),
        ("get_repository_info", demo(r#","__proto__":{"admin":true}"#)),
        ("get_repository_info", demo(r#","Owner":"mallory""#)),
        ("get_repository_info", r#"{"owner":"alice"}"#.to_owned()),
        ("get_repository_info", r#"{"owner":7,"repo":"demo"}"#.to_owned()),
        ("get_repository_info", r#"{"owner":null,"repo":"demo"}"#.to_owned()),
        ("get_repository_info", r#"{"owner":["alice"],"repo":"demo"}"#.to_owned()),
        ("get_repository_info", "[]".to_owned()),
        ("get_repository_info", "\"alice/demo\"".to_owned()),
        ("get_repository_info", "null".to_owned()),
        ("get_issue", demo(r#","issue_number":"x""#)),
        ("get_issue", demo(r#","issue_number":0"#)),
        ("get_issue", demo(r#","issue_number":-1"#)),
        ("get_issue", demo(r#","issue_number":1.5"#)),
        ("get_issue", demo(r#","issue_number":1e300"#)),
        ("get_issue", demo(r#","issue_number":9007199254740993"#)),
        ("get_issue", demo(r#","issue_number":18446744073709551616"#)),
        ("get_issue", demo(r#","issue_number":true"#)),
        ("list_issues", demo(r#","page":0"#)),
        ("list_issues", demo(r#","page":-1"#)),
        ("list_issues", demo(r#","limit":0"#)),
        ("list_issues", demo(r#","state":"every""#)),
        ("list_issues", demo(r#","sudo":"root""#)),
    ];
    for (tool, arguments) in rows {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
        );
        let answer = ground.post("/mcp", &[], body.as_bytes()).await;
        let result = &answer.json()["result"];
        assert_eq!(
            (answer.status, &result["isError"]),
            (200, &json!(true)),
            "{arguments}: {}",
            answer.text()
        );
        assert_eq!(result["_meta"]["io.aegisgitea/reason"], "invalid_arguments", "{arguments}");
        let line = ground.only_line(&answer).await;
        assert_eq!((&line["event"], &line["reason"]), (&json!("access_denied"), &json!("invalid_arguments")));
        assert_eq!(line["tool"], tool);
        let body = format!(r#"{{"tool":"{tool}","arguments":{arguments}}}"#);
        let direct = ground.post("/mcp/tool/call", &[], body.as_bytes()).await;
        assert_eq!(direct.status, 400, "{arguments}: {}", direct.text());
        assert_eq!(direct.json()["error"]["code"], "invalid_arguments", "{arguments}");
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn control_characters_of_a_client_reach_neither_answers_nor_log_lines_raw() {
    let ground = Ground::new().await;
    let name = "x\r\nX-Evil: 1\u{0}\u{1b}[31m\u{202e}";
    let answer = ground.server.legacy(&legacy(json!(1), "tools/call", json!({"name": name}))).await;
    ground.fault(&answer, 200, -32602, "unknown_tool").await;
    assert_eq!(answer.header("x-evil"), None);
    let audit = std::fs::read_to_string(ground.server.audit_path()).expect("an audit log");
    for text in [answer.text(), audit, ground.server.log()] {
        for raw in ['\r', '\u{0}', '\u{1b}', '\u{202e}'] {
            assert!(!text.contains(raw), "{raw:?} in {text}");
        }
    }
}
