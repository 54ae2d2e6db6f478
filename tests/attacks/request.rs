//! Requests as data: tool calls on their wires, and requests that differ from one repetition to the next.

use serde_json::{Value, json};

use crate::data::{Call, Request};

/// A tool call as a request.
pub fn tool_call(wire: &str, call: &Call) -> Request {
    let mut params = json!({"name": call.tool, "arguments": call.arguments});
    let mut headers = vec![("Accept", "application/json, text/event-stream")];
    match wire {
        "modern" => {
            params["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {}});
            headers.extend([("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/call")]);
            headers.push(("Mcp-Name", &call.tool));
        }
        "stream" => {
            params["_meta"] = json!({"progressToken": "p"});
            headers.push(("MCP-Protocol-Version", "2025-11-25"));
        }
        _ => headers.push(("MCP-Protocol-Version", "2025-11-25")),
    }
    let (target, json) = if wire == "direct" {
        ("/mcp/tool/call", json!({"tool": call.tool, "arguments": call.arguments}))
    } else {
        ("/mcp", json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}))
    };
    Request {
        method: None,
        target: target.to_owned(),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: None,
        kind: None,
        json: Some(json),
        form: None,
        bearer: Some(call.bearer.clone().unwrap_or_else(|| "laptop".to_owned())),
        browser: None,
        host: None,
    }
}

/// A request as data again, for names that differ from one repetition to the next.
pub fn request_text(request: &Request) -> Value {
    let mut value = json!({"target": request.target, "headers": request.headers});
    let more = [
        ("method", json!(request.method)),
        ("body", json!(request.body)),
        ("kind", json!(request.kind)),
        ("json", json!(request.json)),
        ("form", json!(request.form)),
        ("as", json!(request.bearer)),
        ("host", json!(request.host)),
    ];
    for (name, member) in more {
        value[name] = member;
    }
    value
}

/// `[[i]]` is the number of the repetition: it has no meaning when the step is filled.
pub fn unmarked(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("[[", "{{").replace("]]", "}}")),
        Value::Array(items) => Value::Array(items.into_iter().map(unmarked).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, unmarked(value))).collect())
        }
        other => other,
    }
}
