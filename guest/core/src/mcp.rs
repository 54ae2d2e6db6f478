//! The Model Context Protocol over HTTP, in both eras: one posted message in, one answer out.
//!
//! Who calls was proved before; what a tool may do is decided in [`call`]. This module must not trust a header
//! over the body, keep anything between requests, or say anything about who the client claims to be.

mod asking;
pub mod base64;
pub mod call;
mod conversation;
pub mod era;
pub mod error;
pub mod json;
mod levels;
pub mod listen;
pub mod message;
pub mod methods;
mod shown;
pub mod stream;
mod views;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::audit;
use crate::client::Unasked;
use crate::ports::Class;
use asking::Asking;
use call::{CallError, Session};
use conversation::Conversation;
use era::Era;
use error::{Fault, Wire};
use message::{Message, Request, Unreadable};
use stream::Outgoing;
use views::Failed;

/// One posted message and what its sender can read.
pub struct Post<'a> {
    /// Headers of the request.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
    /// Whether the client accepts `text/event-stream`.
    pub streams: bool,
    /// The product's version, for `serverInfo`.
    pub version: &'static str,
}

/// Answers one message. None means that `out` has already carried the answer.
pub fn answer(session: &Session<'_>, post: &Post<'_>, out: &mut dyn Outgoing) -> Option<Response<Vec<u8>>> {
    match message::parse(post.body) {
        Ok(Message::Request(request)) => {
            tell_trace(session, &request.params);
            let era = Era::of_request(post.headers, &request);
            match era.check(post.headers, &request) {
                Ok(()) => dispatch(session, post, era, request, out),
                Err(fault) => Some(refuse(session, era, &request.id, &fault)),
            }
        }
        Ok(Message::Notification(told)) => Some(match era::check_notification(post.headers, &told.method) {
            Ok(()) => accepted(),
            Err(fault) => refuse(session, Era::of_headers(post.headers), &Value::Null, &fault),
        }),
        Ok(Message::Response(id)) => Some(reply(session, post, &id)),
        Err(Unreadable { id, fault }) => Some(refuse(session, Era::of_headers(post.headers), &id, &fault)),
    }
}

/// `traceparent` and `tracestate` in `params._meta` (2026-07-28, from W3C Trace Context). Whoever watches may use them;
/// nothing here depends on them.
fn tell_trace(session: &Session<'_>, params: &Map<String, Value>) {
    let said = |name| era::meta(params)?.get(name)?.as_str();
    if let Some(parent) = said("traceparent") {
        session.ports.telemetry.trace_context(parent, said("tracestate").unwrap_or_default());
    }
}

fn dispatch(
    session: &Session<'_>,
    post: &Post<'_>,
    era: Era,
    request: Request,
    out: &mut dyn Outgoing,
) -> Option<Response<Vec<u8>>> {
    let Request { id, method, params } = request;
    if era == Era::Modern && method == "subscriptions/listen" {
        return match listen::subscribe(session, post, &id, &params, out) {
            Ok(()) => None,
            Err(fault) => Some(refuse(session, era, &id, &fault)),
        };
    }
    let client = match client(session, post, era, &method, &params, out) {
        Ok(client) => client,
        Err(fault) => return Some(refuse(session, era, &id, &fault)),
    };
    let wire = if method == "tools/call" {
        tools_call(session, era, params, &client)
    } else {
        result(session, post.version, era, method, &params, &client).map(Wire::result)
    };
    let wire = wire.unwrap_or_else(|failed| failed_wire(session, era, failed, &client));
    let message = said(wire.said, era, post.version, &id);
    // Once events flow the status is sent; the last event says the same as the body would have.
    let message = client.finish(message)?;
    Some(dressed(wire.status, wire.retry_after, wire.challenge, &message))
}

/// Whoever waits for the answer to a request.
fn client<'a>(
    session: &Session<'a>,
    post: &Post<'_>,
    era: Era,
    method: &str,
    params: &Map<String, Value>,
    out: &'a mut dyn Outgoing,
) -> Result<Conversation<'a>, Fault> {
    let asking = match era {
        Era::Modern => Asking::again(session.ports.seal, session.claims.client.as_deref(), method, params)?,
        Era::Legacy => Asking::Meanwhile(session.caller),
    };
    let least = levels::heard(session.ports.cache, era, params)?;
    let client = Conversation::new(asking, least, params, post.streams, out)?;
    let named = params.get("name").and_then(Value::as_str).filter(|_| method == "tools/call");
    let Some(tool) = named.and_then(|name| session.offer.tools.find(name)) else { return Ok(client) };
    if era == Era::Modern {
        era::check_mirrored(post.headers, tool.mirrored(), params.get("arguments"))?;
    }
    // The answer to a write stays one document where it can, which the host holds back and replaces until it is known
    // what became of the write. Progress is optional; what has to be asked is not.
    Ok(if tool.class() == Class::Write { client.only_questions() } else { client })
}

/// The result of every method but `tools/call`.
fn result(
    session: &Session<'_>,
    version: &'static str,
    era: Era,
    method: String,
    params: &Map<String, Value>,
    client: &Conversation<'_>,
) -> Result<Map<String, Value>, Failed> {
    Ok(match (era, method.as_str()) {
        (_, "tools/list") => shown::tools_list(session, era, params)?,
        (_, "resources/list") => shown::resources_list(session, era, params)?,
        (_, "resources/templates/list") => shown::templates_list(session, era, params)?,
        (_, "resources/read") => views::resources_read(session, era, params)?,
        (_, "prompts/list") => shown::prompts_list(session, era, params)?,
        (_, "prompts/get") => views::prompts_get(session, params, client)?,
        (_, "completion/complete") => views::complete(session, params)?,
        (Era::Legacy, "initialize") => methods::initialize(session, version, params)?,
        (Era::Legacy, "ping") => Map::new(),
        (Era::Legacy, "logging/setLevel") => levels::set(session.ports.cache, params)?,
        (Era::Legacy, "resources/subscribe" | "resources/unsubscribe") => {
            views::subscription(session, params)?
        }
        (Era::Modern, "server/discover") => methods::discover(session),
        (Era::Legacy | Era::Modern, _) => return Err(Fault::UnknownMethod(method).into()),
    })
}

/// `tools/call`: the one method that acts.
fn tools_call(
    session: &Session<'_>,
    era: Era,
    mut params: Map<String, Value>,
    client: &Conversation<'_>,
) -> Result<Wire, Failed> {
    let name = methods::tool_name(&params)?;
    let called = call::call(session, &name, params.remove("arguments"), client);
    Ok(match called.result {
        Ok(finished) => Wire::result(methods::tool_result(finished, &called.correlation_id)),
        Err(CallError::Deferred) => return Err(Failed::Unasked(Unasked::Deferred)),
        Err(error) => error::on_mcp(&error, era, &called.correlation_id),
    })
}

/// What is said where there is no result; where the client comes again, the questions.
fn failed_wire(session: &Session<'_>, era: Era, failed: Failed, client: &Conversation<'_>) -> Wire {
    match failed {
        Failed::Fault(fault) => {
            session.ports.audit.note(&fault.remark());
            Wire::fault(&fault, era)
        }
        Failed::Call { error, correlation_id } => error::on_read(&error, era, &correlation_id),
        Failed::Unasked(unasked) => match client.deferred() {
            Some(questions) => Wire::result(questions),
            None => {
                let error = CallError::unasked(unasked);
                session.ports.audit.note(&audit::denied(error.reason(), None, None, &[]));
                error::on_read(&error, era, session.request_id)
            }
        },
    }
}

fn said(said: error::Said, era: Era, version: &str, id: &Value) -> Value {
    match said {
        error::Said::Result(result) => success(era, version, id, result),
        error::Said::Error(error) => failure(id, &error),
    }
}

/// An answer with what tells a client when, or with what, to come again.
fn dressed(
    status: StatusCode,
    retry_after: Option<u32>,
    challenge: Option<String>,
    message: &Value,
) -> Response<Vec<u8>> {
    let mut response = plain(status, message);
    let headers = response.headers_mut();
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(challenge) = challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Modern results name their kind and their server; legacy ones carry what the method put there.
fn success(era: Era, version: &str, id: &Value, mut result: Map<String, Value>) -> Value {
    if era == Era::Modern {
        let kind = if result.contains_key("inputRequests") { "input_required" } else { "complete" };
        result.insert("resultType".to_owned(), kind.into());
        let meta = result.entry("_meta").or_insert_with(|| json!({}));
        if let Some(meta) = meta.as_object_mut() {
            meta.insert("io.modelcontextprotocol/serverInfo".to_owned(), methods::server_info(version));
        }
    }
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

fn failure(id: &Value, error: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

/// Records a protocol error under its name and says it on the wire.
fn refuse(session: &Session<'_>, era: Era, id: &Value, fault: &Fault) -> Response<Vec<u8>> {
    session.ports.audit.note(&fault.remark());
    dressed(fault.status(era), fault.retry_after(), None, &failure(id, &fault.error(era)))
}

/// An answer to something that is no message, where it is refused.
pub fn refused(session: &Session<'_>, fault: &Fault) -> Response<Vec<u8>> {
    refuse(session, Era::Legacy, &Value::Null, fault)
}

/// A reply to a question that another request has asked. Modern clients reply by asking again.
fn reply(session: &Session<'_>, post: &Post<'_>, id: &Value) -> Response<Vec<u8>> {
    let era = Era::of_headers(post.headers);
    let fault = match era {
        Era::Legacy => match id.as_str() {
            Some(id) if session.caller.answer(id, post.body) => return accepted(),
            Some(_) | None => Fault::NoSuchQuestion,
        },
        Era::Modern => Fault::InvalidRequest("This server sends no requests, so it takes no responses."),
    };
    refuse(session, era, &Value::Null, &fault)
}

fn accepted() -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn plain(status: StatusCode, message: &Value) -> Response<Vec<u8>> {
    let mut response = Response::new(message.to_string().into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
