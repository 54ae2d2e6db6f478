//! JSON-RPC messages of clients.

use aegis_core::mcp::message::{Message, parse};
use aegis_fuzz::campaign;
use serde_json::Value;

const WORDS: &[&str] = &[
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{}}",
    "\"jsonrpc\":\"2.0\"",
    "\"id\":",
    "\"id\":null",
    "\"method\":\"ping\"",
    "\"params\":[]",
    "\"result\":{}",
    "\"error\":{\"code\":1,\"message\":\"\"}",
    "\"a\":1,\"a\":2",
    "\"\\u0061\":1",
    "[[[[[[[[",
    "1e400",
    "-0",
    "\u{feff}",
    "\\ud800",
];

/// What is accepted is one JSON document for others too, and says to them what it says here.
#[test]
fn messages() {
    campaign("messages", WORDS, |input| {
        let message = match parse(input) {
            Ok(message) => message,
            Err(refused) => {
                assert!(
                    refused.id.is_null() || refused.id.is_string() || refused.id.is_number(),
                    "{}",
                    refused.id
                );
                return format!("{:?}", refused.fault);
            }
        };
        let whole: Value = serde_json::from_slice(input).expect("one document");
        assert_eq!(whole["jsonrpc"], "2.0");
        match message {
            Message::Request(request) => {
                assert!(
                    request.id.is_string() || request.id.is_i64() || request.id.is_u64(),
                    "{}",
                    request.id
                );
                assert_eq!(
                    (&request.id, request.method.as_str()),
                    (&whole["id"], whole["method"].as_str().expect("text"))
                );
                assert_eq!(
                    request.params.is_empty(),
                    whole["params"].as_object().is_none_or(serde_json::Map::is_empty)
                );
                format!("request {}", request.params.len().min(4))
            }
            Message::Notification(notification) => {
                assert!(whole.get("id").is_none());
                assert_eq!(Some(notification.method.as_str()), whole["method"].as_str());
                format!("notification {}", notification.params.len().min(4))
            }
            Message::Response(id) => {
                assert_eq!(id, whole["id"]);
                "response".to_owned()
            }
        }
    });
}
