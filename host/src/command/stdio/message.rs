//! A message between two transports: a line of JSON becomes the request that the same message is over HTTP, and an
//! answer becomes lines. What a message means, and whether it is one at all, is for the guest to say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

/// What an intermediary would read of a message; nothing here is checked.
pub(super) struct Message {
    /// The id of a request: a string or a number.
    pub(super) id: Option<Value>,
    /// The request that a notification takes back.
    pub(super) cancels: Option<Value>,
    headers: Vec<(&'static str, HeaderValue)>,
}

impl Message {
    /// Read what can be read of a line.
    pub(super) fn read(line: &[u8]) -> Self {
        let whole: Value = serde_json::from_slice(line).unwrap_or_default();
        let method = whole.get("method").and_then(Value::as_str);
        let params = whole.get("params");
        let id = whole.get("id").filter(|id| method.is_some() && (id.is_string() || id.is_number())).cloned();
        let cancels = params
            .filter(|_| method == Some("notifications/cancelled"))
            .and_then(|params| params.get("requestId"))
            .cloned();
        Self { id, cancels, headers: headers(method, params).unwrap_or_default() }
    }

    /// The request that posts the line.
    pub(super) fn request(&self, line: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(line));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/mcp");
        let all = request.headers_mut();
        all.insert(HOST, HeaderValue::from_static("127.0.0.1"));
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        all.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        for (name, value) in &self.headers {
            all.insert(*name, value.clone());
        }
        request
    }
}

/// What a message of 2026-07-28 repeats in headers over HTTP. Over pipes there are none, so they are made from the body.
/// A value that no header can hold is left out, and the guest says what is missing.
fn headers(method: Option<&str>, params: Option<&Value>) -> Option<Vec<(&'static str, HeaderValue)>> {
    let params = params?;
    let version = params.get("_meta")?.get("io.modelcontextprotocol/protocolVersion")?.as_str()?;
    let mut all = vec![("mcp-protocol-version", HeaderValue::from_str(version).ok()?)];
    all.extend(
        method.and_then(|method| HeaderValue::from_str(method).ok()).map(|value| ("mcp-method", value)),
    );
    let name = ["name", "uri"].iter().find_map(|field| params.get(field)?.as_str());
    all.extend(name.and_then(header_text).map(|value| ("mcp-name", value)));
    Some(all)
}

/// A text as `Mcp-Name` carries it: as it is, or in base64 where it is not plain.
fn header_text(text: &str) -> Option<HeaderValue> {
    let plain = !text.is_empty()
        && text.trim() == text
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !text.starts_with("=?base64?");
    let written = if plain { text.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(text)) };
    HeaderValue::from_str(&written).ok()
}

/// The JSON-RPC error for a request that was refused before the protocol was reached.
pub(super) fn refusal(id: &Value, code: i64, reason: &str, message: &str) -> Vec<u8> {
    let error = json!({ "code": code, "message": message, "data": { "reason": reason } });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string().into_bytes()
}

/// The line that a body is: one message of the protocol as it is, and a refusal for a request that got another answer.
/// None where nobody waits for one.
pub(super) fn line_of(body: &[u8], status: u16, id: Option<&Value>) -> Option<Vec<u8>> {
    let whole: Value = serde_json::from_slice(body).unwrap_or_default();
    if whole.get("jsonrpc").is_some() {
        // As it is; written anew only where that would be more than one line.
        let is_one_line = !body.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        return Some(if is_one_line { body.to_vec() } else { whole.to_string().into_bytes() });
    }
    let id = id?;
    let text = |name: &str| whole.get(name).and_then(Value::as_str).map(str::to_owned);
    let reason = text("error").unwrap_or_else(|| format!("status_{status}"));
    let message = text("message").unwrap_or_else(|| "The request got no answer.".to_owned());
    Some(refusal(id, -32603, &reason, &message))
}

/// Messages out of a stream of events, as their ends come in (the event stream format of HTML, section 9.2).
#[derive(Default)]
pub(super) struct Events(Vec<u8>);

impl Events {
    /// Take a piece in; give the messages that are whole now.
    pub(super) fn take(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        self.0.extend_from_slice(piece);
        let mut whole = Vec::new();
        while let Some(end) = self.0.windows(2).position(|pair| pair == b"\n\n") {
            let rest = self.0.split_off(end.saturating_add(2));
            let event = std::mem::replace(&mut self.0, rest);
            let data: Vec<&[u8]> = event
                .split(|byte| *byte == b'\n')
                .filter_map(|line| line.strip_prefix(b"data:"))
                .map(|data| data.strip_prefix(b" ").unwrap_or(data))
                .collect();
            if !data.is_empty() {
                whole.push(data.join(&b'\n'));
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modern_message_has_the_headers_that_it_would_have_over_http() {
        let modern = |name: &str| {
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name,
                "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}})
            .to_string()
        };
        for (name, header) in
            [("get_issue", "get_issue"), ("größe", "=?base64?Z3LDtsOfZQ==?="), (" x", "=?base64?IHg=?=")]
        {
            let line = modern(name);
            let message = Message::read(line.as_bytes());
            let request = message.request(Bytes::from(line.clone()));
            assert_eq!(request.headers()["mcp-protocol-version"], "2026-07-28");
            assert_eq!(request.headers()["mcp-method"], "tools/call");
            assert_eq!(request.headers()["mcp-name"], header);
            assert_eq!(message.id, Some(json!(1)));
        }
    }

    #[test]
    fn a_legacy_message_has_none_and_what_is_no_message_is_posted_all_the_same() {
        for line in [
            r#"{"jsonrpc":"2.0","id":"a","method":"initialize","params":{}}"#,
            "not json",
            "[]",
            "{}",
            "\u{0}",
        ] {
            let request = Message::read(line.as_bytes()).request(Bytes::from_static(b""));
            assert!(!request.headers().contains_key("mcp-protocol-version"), "{line}");
        }
        let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
        let message = Message::read(cancel.as_bytes());
        assert_eq!((message.id, message.cancels), (None, Some(json!(7))));
        assert_eq!(
            Message::read(br#"{"jsonrpc":"2.0","id":3,"result":{}}"#).id,
            None,
            "an answer asks for none"
        );
    }

    #[test]
    fn an_answer_is_one_line_and_a_refusal_becomes_an_error_of_the_request() {
        let answer = b"{\"jsonrpc\":\"2.0\",\n\"id\":1,\"result\":{}}";
        assert!(!line_of(answer, 200, Some(&json!(1))).unwrap().contains(&b'\n'));
        let refused = line_of(br#"{"error":"busy","message":"Try again."}"#, 503, Some(&json!("a"))).unwrap();
        let refused: Value = serde_json::from_slice(&refused).unwrap();
        assert_eq!(refused["id"], "a");
        assert_eq!(refused["error"]["data"]["reason"], "busy");
        assert_eq!(line_of(br#"{"error":"busy","message":"Try again."}"#, 503, None), None);
    }

    #[test]
    fn events_are_cut_where_they_end_however_the_pieces_come() {
        let stream =
            b": progress follows\n\nevent: message\ndata: {\"a\":1}\n\nevent: message\ndata: {\"b\":2}\n\n";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let found: Vec<Vec<u8>> = stream.chunks(size).flat_map(|piece| events.take(piece)).collect();
            assert_eq!(found, [b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec()], "pieces of {size}");
        }
    }
}
