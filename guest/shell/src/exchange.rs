//! One wasi-http exchange: the request read whole, the answer written whole or as a stream.

use aegis_core::gateway::{Answer, Gateway, Gone, Outgoing, handle as answer_request};
use aegis_core::offer::Offer;
use http::{HeaderName, HeaderValue, Method, Uri};
use wasip2::http::types::Method as WasiMethod;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::{OutputStream, StreamError};

use crate::ports;

/// Most bytes of a body; the host has its own bound and reads the body first.
const MAX_BODY: usize = 8 << 20;
/// What one write may hold (wasi:io `blocking-write-and-flush`).
const PIECE: usize = 4096;

/// Answer one request.
pub(crate) fn handle(offer: &'static Offer, request: &IncomingRequest, out: ResponseOutparam) {
    let Some(plain) = read(request) else {
        return respond(out, &failure(http::StatusCode::BAD_REQUEST));
    };
    let ports = ports::Imported;
    let gateway = Gateway { ports: ports.ports(), offer, version: env!("CARGO_PKG_VERSION") };
    let mut stream = Streaming { out: Some(out), body: None };
    if let Answer::Whole(response) = answer_request(&gateway, plain, &mut stream)
        && let Some(out) = stream.out.take()
    {
        respond(out, &response);
    }
}

fn read(request: &IncomingRequest) -> Option<http::Request<Vec<u8>>> {
    let path = request.path_with_query().unwrap_or_else(|| "/".to_owned());
    let uri =
        Uri::builder().scheme("http").authority(request.authority()?).path_and_query(path).build().ok()?;
    let mut plain = http::Request::builder().method(method(&request.method())?).uri(uri);
    for (name, value) in request.headers().entries() {
        plain = plain
            .header(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(&value).ok()?);
    }
    plain.body(body(request)?).ok()
}

fn body(request: &IncomingRequest) -> Option<Vec<u8>> {
    let incoming = request.consume().ok()?;
    let stream = incoming.stream().ok()?;
    let mut whole = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(piece) => whole.extend_from_slice(&piece),
            Err(StreamError::Closed) => return Some(whole),
            Err(StreamError::LastOperationFailed(_)) => return None,
        }
        if whole.len() > MAX_BODY {
            return None;
        }
    }
}

fn method(method: &WasiMethod) -> Option<Method> {
    match method {
        WasiMethod::Get => Some(Method::GET),
        WasiMethod::Head => Some(Method::HEAD),
        WasiMethod::Post => Some(Method::POST),
        WasiMethod::Put => Some(Method::PUT),
        WasiMethod::Delete => Some(Method::DELETE),
        WasiMethod::Connect => Some(Method::CONNECT),
        WasiMethod::Options => Some(Method::OPTIONS),
        WasiMethod::Trace => Some(Method::TRACE),
        WasiMethod::Patch => Some(Method::PATCH),
        WasiMethod::Other(name) => Method::from_bytes(name.as_bytes()).ok(),
    }
}

fn failure(status: http::StatusCode) -> http::Response<Vec<u8>> {
    let mut response = http::Response::new(Vec::new());
    *response.status_mut() = status;
    response
}

/// Status and headers as wasi-http wants them. A header it refuses is left out: the host forbids only
/// connection headers, which core does not set.
fn head<T>(response: &http::Response<T>) -> OutgoingResponse {
    let fields = Fields::new();
    for (name, value) in response.headers() {
        let _ = fields.append(name.as_str(), value.as_bytes());
    }
    let outgoing = OutgoingResponse::new(fields);
    let _ = outgoing.set_status_code(response.status().as_u16());
    outgoing
}

fn respond(out: ResponseOutparam, response: &http::Response<Vec<u8>>) {
    let outgoing = head(response);
    let Ok(body) = outgoing.body() else { return };
    ResponseOutparam::set(out, Ok(outgoing));
    let complete = body.write().is_ok_and(|stream| write(&stream, response.body()).is_ok());
    if complete {
        let _ = OutgoingBody::finish(body, None);
    }
}

fn write(stream: &OutputStream, bytes: &[u8]) -> Result<(), Gone> {
    for piece in bytes.chunks(PIECE) {
        stream.blocking_write_and_flush(piece).map_err(|_| Gone)?;
    }
    Ok(())
}

/// A stream that begins when core says so.
struct Streaming {
    out: Option<ResponseOutparam>,
    body: Option<(OutputStream, OutgoingBody)>,
}

impl Outgoing for Streaming {
    fn begin(&mut self, response: http::Response<()>) -> Result<(), Gone> {
        let out = self.out.take().ok_or(Gone)?;
        let outgoing = head(&response);
        let body = outgoing.body().map_err(|()| Gone)?;
        ResponseOutparam::set(out, Ok(outgoing));
        if response.status() == http::StatusCode::ACCEPTED {
            // That is all there is to say here.
            return OutgoingBody::finish(body, None).map_err(|_| Gone);
        }
        let stream = body.write().map_err(|()| Gone)?;
        self.body = Some((stream, body));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let (stream, _) = self.body.as_ref().ok_or(Gone)?;
        write(stream, bytes)
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        if let Some((stream, body)) = self.body.take() {
            drop(stream);
            let _ = OutgoingBody::finish(body, None);
        }
    }
}
