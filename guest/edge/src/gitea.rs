//! `gitea`: requests to Gitea by `wasi:http/outgoing-handler`. The rules of what may be sent are those of the native
//! host (`aegis_custody::egress`); origin, credential and headers are chosen here. No redirect is followed: a 3xx is
//! an answer like any other.

use std::cell::RefCell;

use aegis_custody::egress;
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method as HttpMethod,
    OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, StreamError};

use crate::audit::{Call, Calls, Issued};
use crate::bindings::exports::aegis::gateway::gitea::{
    Exchange, Failure, Guest, GuestExchange, Head, Media, Method, Request, TicketBorrow,
};
use crate::origin::Origin;
use crate::{Adapter, environment, settings};

/// Largest answer that may be asked for.
const MAX_ANSWER: u64 = 128 << 20;

/// Largest piece that one `read` returns.
const MAX_PIECE: u32 = 64 << 10;

/// Headers that the gateway may see.
const HEADERS: [&str; 7] =
    ["content-type", "content-length", "link", "location", "retry-after", "x-hasmore", "x-total-count"];

/// A request under way.
pub(crate) struct Sent {
    progress: RefCell<Progress>,
    calls: Calls,
    /// Which of the ticket's calls this is.
    nth: usize,
    write: bool,
    deadline: u64,
    max_bytes: u64,
}

enum Progress {
    Waiting(FutureIncomingResponse),
    Answered(Answer),
    Failed(Failure),
}

/// An answer whose head has come. WASI wants a stream dropped before its body, and that before its response; fields
/// are dropped in the order they stand.
struct Answer {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
    head: Head,
    taken: u64,
    ended: bool,
}

impl Guest for Adapter {
    type Exchange = Sent;

    fn start(ticket: TicketBorrow<'_>, request: Request) -> Result<Exchange, Failure> {
        let (id, calls) = ticket.get::<Issued>().usable().ok_or(Failure::TicketClosed)?;
        let method = match request.method {
            Method::Get => egress::Method::Get,
            Method::Post => egress::Method::Post,
            Method::Patch => egress::Method::Patch,
            Method::Delete => egress::Method::Delete,
        };
        let write = method != egress::Method::Get;
        if !write && request.body.is_some() {
            return Err(Failure::Refused("a GET carries no body".to_owned()));
        }
        if request.max_bytes > MAX_ANSWER {
            return Err(Failure::Refused(format!("max-bytes is at most {MAX_ANSWER}")));
        }
        let target = egress::target(
            method,
            &request.template,
            &request.segments,
            &request.query,
            settings::writes_enabled(),
        )
        .map_err(|refused| Failure::Refused(refused.to_string()))?;

        let (outgoing, options, deadline) = prepare(method, &target, &request, id)?;
        let nth = calls.borrow().len();
        calls.borrow_mut().push(Call { method: method.as_str(), template: request.template, status: None });
        let future = send(outgoing, options, request.body)?;
        Ok(Exchange::new(Sent {
            progress: RefCell::new(Progress::Waiting(future)),
            calls: calls.clone(),
            nth,
            write,
            deadline,
            max_bytes: request.max_bytes,
        }))
    }
}

/// The request with everything that the host decides: origin, credential, headers, deadlines.
fn prepare(
    method: egress::Method,
    target: &str,
    request: &Request,
    ticket: &str,
) -> Result<(OutgoingRequest, RequestOptions, u64), Failure> {
    let refused = |what: &str| Failure::Refused(what.to_owned());
    let address = environment::variable("GITEA_INTERNAL_URL")
        .or_else(|| environment::variable("GITEA_URL"))
        .ok_or_else(|| refused("GITEA_URL is not set"))?;
    let origin = Origin::read(&address).map_err(refused)?;
    let token = environment::variable("GITEA_TOKEN").ok_or_else(|| refused("GITEA_TOKEN is not set"))?;

    let mut headers = vec![
        ("authorization".to_owned(), format!("token {}", token.trim()).into_bytes()),
        ("accept".to_owned(), accept(request.accept).into()),
        ("accept-encoding".to_owned(), b"identity".to_vec()),
        ("user-agent".to_owned(), concat!("aegis-mcp-edge/", env!("CARGO_PKG_VERSION")).into()),
        ("x-request-id".to_owned(), ticket.as_bytes().to_vec()),
    ];
    if method != egress::Method::Get {
        let length = request.body.as_ref().map_or(0, Vec::len);
        headers.push(("content-length".to_owned(), length.to_string().into_bytes()));
        headers.push(("content-type".to_owned(), b"application/json".to_vec()));
    }
    let headers = Fields::from_list(&headers).map_err(|_| {
        refused("the runtime does not take the headers; GITEA_TOKEN may hold a character that it cannot")
    })?;

    let outgoing = OutgoingRequest::new(headers);
    let verb = match method {
        egress::Method::Get => HttpMethod::Get,
        egress::Method::Post => HttpMethod::Post,
        egress::Method::Patch => HttpMethod::Patch,
        egress::Method::Delete => HttpMethod::Delete,
    };
    let scheme = if origin.tls { Scheme::Https } else { Scheme::Http };
    let path = format!("{}{target}", origin.prefix);
    outgoing
        .set_method(&verb)
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(Some(&origin.authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(&path)))
        .map_err(|()| refused("the runtime does not take the address of Gitea"))?;

    let timeout = timeout(environment::variable("REQUEST_TIMEOUT_SECONDS").as_deref());
    let options = RequestOptions::new();
    // A runtime may not know these timeouts; the deadline below holds either way.
    let _ = options.set_connect_timeout(Some(timeout));
    let _ = options.set_first_byte_timeout(Some(timeout));
    let _ = options.set_between_bytes_timeout(Some(timeout));
    Ok((outgoing, options, environment::ticks().saturating_add(timeout)))
}

fn accept(media: Media) -> &'static str {
    match media {
        Media::Json => "application/json",
        Media::Text => "text/plain",
        Media::Archive => "application/octet-stream, application/gzip, application/zip",
    }
}

/// Nanoseconds that one request may take; 30 seconds unless a number from 1 to 600 is set.
fn timeout(setting: Option<&str>) -> u64 {
    let seconds =
        setting.and_then(|text| text.trim().parse().ok()).filter(|seconds| (1..=600).contains(seconds));
    seconds.unwrap_or(30) * 1_000_000_000
}

fn send(
    outgoing: OutgoingRequest,
    options: RequestOptions,
    body: Option<Vec<u8>>,
) -> Result<FutureIncomingResponse, Failure> {
    let broken = |what: &str| Failure::Broken(what.to_owned());
    let out = outgoing.body().map_err(|()| broken("the runtime gives no request body"))?;
    let future = outgoing_handler::handle(outgoing, Some(options)).map_err(|code| failure(&code))?;
    if let Some(body) = body {
        let stream = out.write().map_err(|()| broken("the runtime gives no request stream"))?;
        // WASI takes at most 4096 bytes in one blocking write. Where it fails, the answer tells why.
        if body.chunks(4096).any(|piece| stream.blocking_write_and_flush(piece).is_err()) {
            return Ok(future);
        }
    }
    // A failure here shows in the answer as well.
    let _ = OutgoingBody::finish(out, None);
    Ok(future)
}

impl GuestExchange for Sent {
    fn head(&self) -> Result<Head, Failure> {
        self.settle();
        match &*self.progress.borrow() {
            Progress::Answered(answer) => Ok(answer.head.clone()),
            Progress::Failed(failure) => Err(failure.clone()),
            Progress::Waiting(_) => Err(Failure::TimedOut),
        }
    }

    fn read(&self, max: u32) -> Result<Vec<u8>, Failure> {
        self.settle();
        let mut progress = self.progress.borrow_mut();
        let read = match &mut *progress {
            Progress::Answered(answer) => answer.read(max, self.max_bytes, self.deadline),
            Progress::Failed(failure) => Err(failure.clone()),
            Progress::Waiting(_) => Err(Failure::TimedOut),
        };
        if let Err(failure) = &read {
            *progress = Progress::Failed(failure.clone());
        }
        read
    }
}

impl Sent {
    /// Wait for the head, once, and record its status on the ticket.
    fn settle(&self) {
        let mut progress = self.progress.borrow_mut();
        let Progress::Waiting(future) = &*progress else { return };
        let came = wait(&future.subscribe(), self.deadline);
        let response = if came { future.get() } else { None };
        let next = match response {
            Some(Ok(Ok(response))) => {
                if let Some(call) = self.calls.borrow_mut().get_mut(self.nth) {
                    call.status = Some(response.status());
                }
                Answer::open(response).map_or_else(Progress::Failed, Progress::Answered)
            }
            Some(Ok(Err(code))) => Progress::Failed(failure(&code)),
            Some(Err(())) => Progress::Failed(Failure::Broken("the answer was taken already".to_owned())),
            None => Progress::Failed(Failure::TimedOut),
        };
        *progress = next;
    }
}

impl Drop for Sent {
    /// A read that nobody waits for is cancelled; a write is followed to its answer, so that the ticket knows it.
    fn drop(&mut self) {
        if self.write {
            self.settle();
        }
    }
}

impl Answer {
    fn open(response: IncomingResponse) -> Result<Self, Failure> {
        let broken = |what: &str| Failure::Broken(what.to_owned());
        let status = response.status();
        let mut headers = Vec::new();
        for (name, value) in response.headers().entries() {
            let name = name.to_ascii_lowercase();
            let Ok(value) = String::from_utf8(value) else { continue };
            if name == "content-encoding" && !value.eq_ignore_ascii_case("identity") {
                return Err(broken("the answer is compressed although that was not asked for"));
            }
            if HEADERS.contains(&name.as_str()) {
                headers.push((name, value));
            }
        }
        let body = response.consume().map_err(|()| broken("the runtime gives no body"))?;
        let stream = body.stream().map_err(|()| broken("the runtime gives no body stream"))?;
        let head = Head { status, headers };
        Ok(Self { stream, _body: body, _response: response, head, taken: 0, ended: false })
    }

    fn read(&mut self, max: u32, max_bytes: u64, deadline: u64) -> Result<Vec<u8>, Failure> {
        let max = u64::from(max.clamp(1, MAX_PIECE));
        while !self.ended {
            if !wait(&self.stream.subscribe(), deadline) {
                return Err(Failure::TimedOut);
            }
            match self.stream.read(max) {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => {
                    self.taken = self.taken.saturating_add(piece.len() as u64);
                    return if self.taken > max_bytes { Err(Failure::TooLarge) } else { Ok(piece) };
                }
                Err(StreamError::Closed) => self.ended = true,
                Err(StreamError::LastOperationFailed(_)) => {
                    return Err(Failure::Broken("the answer broke off".to_owned()));
                }
            }
        }
        Ok(Vec::new())
    }
}

/// Wait until something is ready; false when the deadline came first.
fn wait(ready: &Pollable, deadline: u64) -> bool {
    if ready.ready() {
        return true;
    }
    let timer = monotonic_clock::subscribe_instant(deadline);
    poll(&[ready, &timer]);
    ready.ready()
}

/// What a transport error means for the gateway. Its details stay out: they may hold addresses inside the network.
fn failure(code: &ErrorCode) -> Failure {
    let timed_out = matches!(
        code,
        ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::HttpResponseTimeout
            | ErrorCode::DnsTimeout
    );
    let unreachable = matches!(
        code,
        ErrorCode::DnsError(_)
            | ErrorCode::DestinationNotFound
            | ErrorCode::DestinationUnavailable
            | ErrorCode::DestinationIpProhibited
            | ErrorCode::DestinationIpUnroutable
            | ErrorCode::ConnectionRefused
            | ErrorCode::ConnectionLimitReached
            | ErrorCode::TlsProtocolError
            | ErrorCode::TlsCertificateError
            | ErrorCode::TlsAlertReceived(_)
    );
    let name = format!("{code:?}");
    let name = name.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
    match (timed_out, unreachable) {
        (true, _) => Failure::TimedOut,
        (_, true) => Failure::Unreachable(name),
        _ => Failure::Broken(name),
    }
}

#[cfg(test)]
mod tests {
    use super::timeout;

    #[test]
    fn the_timeout_is_the_setting_within_its_range() {
        for (setting, seconds) in [
            (None, 30),
            (Some("5"), 5),
            (Some("600"), 600),
            (Some("0"), 30),
            (Some("601"), 30),
            (Some("x"), 30),
        ] {
            assert_eq!(timeout(setting), seconds * 1_000_000_000, "{setting:?}");
        }
    }
}
