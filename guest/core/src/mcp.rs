//! The Model Context Protocol over HTTP, in both eras: one posted message in, one answer out.
//!
//! Who calls was proved before; what a tool may do is decided in [`call`]. This module must not trust a header
//! over the body, keep anything between requests, or say anything about who the client claims to be.

pub mod base64;
pub mod call;
pub mod era;
pub mod error;
pub mod json;
pub mod message;
pub mod methods;
pub mod stream;
mod views;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::ports::Class;
use call::Session;
use era::Era;
use error::{Fault, Wire};
use message::{Message, Request, Unreadable};
use stream::{Outgoing, Stream};

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
            let era = Era::of_request(post.headers, &request);
            match era.check(post.headers, &request) {
                Ok(()) => dispatch(session, post, era, request, out),
                Err(fault) => Some(refuse(session, era, &request.id, &fault)),
            }
        }
        Ok(Message::Notification(_)) => Some(accepted()),
        Ok(Message::Response) => Some(response_to_nothing(session, post)),
        Err(Unreadable { id, fault }) => Some(refuse(session, Era::of_headers(post.headers), &id, &fault)),
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
    if method == "tools/call" {
        return tools_call(session, post, era, &id, params, out);
    }
    Some(match result(session, post.version, era, method, &params) {
        Ok(result) => plain(StatusCode::OK, &success(era, post.version, &id, result)),
        Err(views::Failed::Fault(fault)) => refuse(session, era, &id, &fault),
        Err(views::Failed::Call { error, correlation_id }) => {
            let wire = error::on_read(&error, era, &correlation_id);
            let message = said(wire.said, era, post.version, &id);
            dressed(wire.status, wire.retry_after, wire.challenge, &message)
        }
    })
}

/// The result of every method but `tools/call`.
fn result(
    session: &Session<'_>,
    version: &'static str,
    era: Era,
    method: String,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, views::Failed> {
    Ok(match (era, method.as_str()) {
        (_, "tools/list") => methods::tools_list(session, era, params)?,
        (_, "resources/list") => views::resources_list(session, era, params)?,
        (_, "resources/templates/list") => views::templates_list(session, era, params)?,
        (_, "resources/read") => views::resources_read(session, era, params)?,
        (_, "prompts/list") => views::prompts_list(session, era, params)?,
        (_, "prompts/get") => views::prompts_get(session, params)?,
        (_, "completion/complete") => views::complete(session, params)?,
        (Era::Legacy, "initialize") => methods::initialize(session, version, params)?,
        (Era::Legacy, "ping") => Map::new(),
        (Era::Modern, "server/discover") => methods::discover(session),
        (Era::Legacy | Era::Modern, _) => return Err(Fault::UnknownMethod(method).into()),
    })
}

/// `tools/call`: the one method that acts.
fn tools_call(
    session: &Session<'_>,
    post: &Post<'_>,
    era: Era,
    id: &Value,
    mut params: Map<String, Value>,
    out: &mut dyn Outgoing,
) -> Option<Response<Vec<u8>>> {
    let (name, token) = match (methods::tool_name(&params), methods::progress_token(&params)) {
        (Ok(name), Ok(token)) => (name, token),
        (Err(fault), _) | (_, Err(fault)) => return Some(refuse(session, era, id, &fault)),
    };
    let arguments = params.remove("arguments");
    // The answer to a write stays one document, which the host can hold back and replace until it is known
    // what became of the write. Progress is optional.
    let reads = session.offer.tools.find(&name).is_some_and(|tool| tool.class() == Class::Read);
    let mut stream = Stream::new(out, token.filter(|_| post.streams && reads));
    let called = call::call(session, &name, arguments, &mut stream);
    let wire = match called.result {
        Ok(finished) => Wire::result(methods::tool_result(finished, &called.correlation_id)),
        Err(error) => error::on_mcp(&error, era, &called.correlation_id),
    };
    let message = said(wire.said, era, post.version, id);
    // Once events flow the status is sent; the last event says the same as the body would have.
    let message = stream.finish(message)?;
    Some(dressed(wire.status, wire.retry_after, wire.challenge, &message))
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
        result.insert("resultType".to_owned(), "complete".into());
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
    plain(fault.status(era), &failure(id, &fault.error(era)))
}

/// Legacy clients may answer requests; this server never asks, so there is nothing to do. Modern ones may not.
fn response_to_nothing(session: &Session<'_>, post: &Post<'_>) -> Response<Vec<u8>> {
    match Era::of_headers(post.headers) {
        Era::Legacy => accepted(),
        Era::Modern => {
            let fault = Fault::InvalidRequest("This server sends no requests, so it takes no responses.");
            refuse(session, Era::Modern, &Value::Null, &fault)
        }
    }
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
