//! One JSON-RPC 2.0 message out of a request body.
//!
//! Stricter than JSON-RPC where MCP is: no batches, ids are strings or integers, parameters are objects. It
//! must not look at what a method means.

use serde_json::{Map, Value};

use super::error::Fault;
use super::json;

/// Longest id, as JSON: what is kept of one has to fit beside other things.
const LONGEST_ID: usize = 400;

/// What a client posted.
#[derive(Debug, PartialEq)]
pub enum Message {
    /// Wants an answer.
    Request(Request),
    /// Wants none.
    Notification(Notification),
    /// The reply to a question, by the id that it was asked with.
    Response(Value),
}

/// A request.
#[derive(Debug, PartialEq)]
pub struct Request {
    /// String or integer, sent back unchanged.
    pub id: Value,
    /// Method name.
    pub method: String,
    /// Parameters; empty where there were none.
    pub params: Map<String, Value>,
}

/// A notification.
#[derive(Debug, PartialEq)]
pub struct Notification {
    /// Method name.
    pub method: String,
    /// Parameters; empty where there were none.
    pub params: Map<String, Value>,
}

/// A message that was refused, with the id to answer to where one could be read.
#[derive(Debug, PartialEq)]
pub struct Unreadable {
    /// The id, or null.
    pub id: Value,
    /// What was wrong.
    pub fault: Fault,
}

/// Reads one message.
///
/// # Errors
/// Not JSON (-32700), or not one JSON-RPC 2.0 message as MCP allows it (-32600).
pub fn parse(body: &[u8]) -> Result<Message, Unreadable> {
    let whole = json::parse(body).map_err(|why| unreadable(Value::Null, Fault::Parse(why)))?;
    let Value::Object(mut members) = whole else {
        let why = if whole.is_array() {
            "Batches are not supported: send one message in a request."
        } else {
            "A message is a JSON object."
        };
        return Err(unreadable(Value::Null, Fault::InvalidRequest(why)));
    };
    let id = take_id(&mut members)?;
    let refuse = |why| Err(unreadable(id.clone().unwrap_or_default(), Fault::InvalidRequest(why)));
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return refuse("A message carries \"jsonrpc\":\"2.0\".");
    }
    let answers = members.contains_key("result") || members.contains_key("error");
    let method = match (members.remove("method"), answers) {
        (Some(Value::String(method)), false) if !method.is_empty() => method,
        (None, true) if members.contains_key("result") && members.contains_key("error") => {
            return refuse("A response has a result or an error, not both.");
        }
        (None, true) if id.is_some() => return Ok(Message::Response(id.unwrap_or_default())),
        (Some(_), true) => return refuse("A message is a request or a response, not both."),
        (None | Some(_), _) => return refuse("A request names its method as a string."),
    };
    let params = match members.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => {
            let fault = Fault::InvalidRequest("Parameters are a JSON object.");
            return Err(unreadable(id.unwrap_or_default(), fault));
        }
    };
    match id {
        Some(id) => Ok(Message::Request(Request { id, method, params })),
        None if method.starts_with("notifications/") => {
            Ok(Message::Notification(Notification { method, params }))
        }
        None => Err(unreadable(Value::Null, Fault::InvalidRequest("A request carries an id."))),
    }
}

/// JSON-RPC 2.0 section 4 allows null and fractions as ids; MCP does not.
fn take_id(members: &mut Map<String, Value>) -> Result<Option<Value>, Unreadable> {
    match members.remove("id") {
        None => Ok(None),
        Some(Value::String(id)) if Value::from(id.as_str()).to_string().len() > LONGEST_ID => {
            Err(unreadable(Value::Null, Fault::InvalidRequest("An id is at most 400 bytes long, as JSON.")))
        }
        Some(Value::String(id)) => Ok(Some(Value::String(id))),
        Some(Value::Number(id)) if id.is_i64() || id.is_u64() => Ok(Some(Value::Number(id))),
        Some(_) => Err(unreadable(
            Value::Null,
            Fault::InvalidRequest("An id is a string or an integer, never null."),
        )),
    }
}

fn unreadable(id: Value, fault: Fault) -> Unreadable {
    Unreadable { id, fault }
}

#[cfg(test)]
mod tests;
