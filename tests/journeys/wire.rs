//! One tool call on each wire, and what came back in one shape. It must not judge content.

use aegis_tests::http::Answer;
use aegis_tests::server::Server;
use serde_json::{Value, json};

/// A way to call a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// MCP 2026-07-28.
    Modern,
    /// MCP 2025-11-25.
    Legacy,
    /// MCP 2025-11-25 with progress, answered as server-sent events.
    Stream,
    /// `POST /mcp/tool/call`.
    Direct,
}

/// All of them.
pub const WIRES: [Wire; 4] = [Wire::Modern, Wire::Legacy, Wire::Stream, Wire::Direct];

/// What a call gave.
#[derive(Debug)]
pub struct Said {
    /// HTTP status.
    pub status: u16,
    /// The structured result, where there is one.
    pub result: Option<Value>,
    /// Name of the refusal, where there is one.
    pub reason: String,
    /// Its sentence.
    pub message: String,
    /// Joins the answer and the audit lines.
    pub correlation_id: String,
    /// Status line aside, everything that the client could see.
    pub seen: String,
}

/// Call a tool.
pub async fn call(server: &Server, wire: Wire, tool: &str, arguments: &Value) -> Said {
    let params = json!({ "name": tool, "arguments": arguments });
    let message =
        |params: &Value| json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let answer = match wire {
        Wire::Modern => server.modern("tools/call", params).await,
        Wire::Legacy => server.legacy(&message(&params)).await,
        Wire::Stream => {
            let mut params = params;
            params["_meta"] = json!({ "progressToken": "p" });
            server.legacy(&message(&params)).await
        }
        Wire::Direct => server.tool(tool, arguments.clone()).await,
    };
    assert!(answer.complete, "{wire:?} {tool}: the answer broke off: {}", answer.text());
    let headers: Vec<String> =
        answer.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let seen = format!("{}\n\n{}", headers.join("\n"), answer.text());
    let document = document(&answer);
    if wire == Wire::Direct { direct(answer, &document, seen) } else { mcp(answer, &document, seen) }
}

/// The JSON-RPC message of an answer: the whole body, or the last event of a stream.
pub fn document(answer: &Answer) -> Value {
    if !answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
        return answer.json();
    }
    let text = answer.text();
    let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let (last, before) = events.split_last().expect("an event");
    for event in before {
        let event: Value = serde_json::from_str(event).expect("an event is JSON");
        assert_eq!(
            event["method"], "notifications/progress",
            "only progress comes before the answer: {event}"
        );
        assert_eq!(event["params"]["progressToken"], "p");
    }
    serde_json::from_str(last).expect("an event is JSON")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn direct(answer: Answer, document: &Value, seen: String) -> Said {
    let success = document["success"] == true;
    assert_eq!(success, answer.status == 200, "success and status agree: {document}");
    Said {
        status: answer.status,
        result: success.then(|| document["result"].clone()),
        reason: text(&document["error"]["code"]),
        message: text(&document["error"]["message"]),
        correlation_id: text(&document["correlation_id"]),
        seen,
    }
}

fn mcp(answer: Answer, document: &Value, seen: String) -> Said {
    let result = &document["result"];
    let block = text(&result["content"][0]["text"]);
    let said = |result: Option<Value>, reason: &Value, message: String, id: &Value| Said {
        status: answer.status,
        result,
        reason: text(reason),
        message,
        correlation_id: text(id),
        seen: seen.clone(),
    };
    if let Some(error) = document.get("error") {
        let data = &error["data"];
        return said(None, &data["reason"], text(&error["message"]), &data["correlation_id"]);
    }
    assert_eq!(answer.status, 200, "{seen}");
    assert_eq!(result["content"].as_array().map(Vec::len), Some(1), "one text block: {document}");
    let (reason, id) = (&result["_meta"]["io.aegisgitea/reason"], &result["_meta"]["correlation_id"]);
    if result["isError"] == true {
        assert_eq!(result.get("structuredContent"), None, "a failed call has no result: {document}");
        let message = block.split_once(": ").map(|(_, message)| message.to_owned()).expect("reason: message");
        assert_eq!(block, format!("{}: {message}", text(reason)), "the text begins with the reason");
        return said(None, reason, message, id);
    }
    let structured = result["structuredContent"].clone();
    assert_eq!(block, structured.to_string(), "the text block is the structured result, compact");
    said(Some(structured), &Value::Null, String::new(), id)
}
