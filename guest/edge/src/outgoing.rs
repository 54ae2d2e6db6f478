//! Requests to Gitea's origin by `wasi:http/outgoing-handler`. No redirect is followed: a 3xx is an answer like any other.
//! What is asked, and as whom, is decided by the callers; nobody else sends anything.

use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, StreamError};

use crate::bindings::exports::aegis::gateway::gitea::Failure;
use crate::origin::Origin;
use crate::{environment, settings};

/// One request.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) origin: Origin,
    pub(crate) method: Method,
    /// The whole path, with its query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Option<Vec<u8>>,
}

/// A request that was sent.
pub(crate) struct Sending {
    future: FutureIncomingResponse,
    pub(crate) deadline: u64,
}

/// An answer whose head has come. WASI wants a stream dropped before its body, and that before its response; fields
/// are dropped in the order they stand.
pub(crate) struct Incoming {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
    pub(crate) status: u16,
    /// Names in lower case. Values that are no text are left out.
    pub(crate) headers: Vec<(String, String)>,
    ended: bool,
}

fn broken(what: &str) -> Failure {
    Failure::Broken(what.to_owned())
}

impl Outgoing {
    /// Send it.
    ///
    /// # Errors
    /// The runtime does not take it, or cannot send it.
    pub(crate) fn send(self) -> Result<Sending, Failure> {
        let refused = |what: &str| Failure::Refused(what.to_owned());
        let headers = Fields::from_list(&self.headers).map_err(|_| {
            refused("the runtime does not take the headers; a credential may hold a character that it cannot")
        })?;
        let request = OutgoingRequest::new(headers);
        let scheme = if self.origin.tls { Scheme::Https } else { Scheme::Http };
        request
            .set_method(&self.method)
            .and_then(|()| request.set_scheme(Some(&scheme)))
            .and_then(|()| request.set_authority(Some(&self.origin.authority)))
            .and_then(|()| request.set_path_with_query(Some(&self.path)))
            .map_err(|()| refused("the runtime does not take the address of Gitea"))?;
        let timeout = settings::timeout().saturating_mul(1_000_000_000);
        let options = RequestOptions::new();
        // A runtime may not know these timeouts; the deadline holds either way.
        let _ = options.set_connect_timeout(Some(timeout));
        let _ = options.set_first_byte_timeout(Some(timeout));
        let _ = options.set_between_bytes_timeout(Some(timeout));
        let deadline = environment::ticks().saturating_add(timeout);

        let out = request.body().map_err(|()| broken("the runtime gives no request body"))?;
        let future = outgoing_handler::handle(request, Some(options)).map_err(|code| failure(&code))?;
        if let Some(body) = self.body {
            let stream = out.write().map_err(|()| broken("the runtime gives no request stream"))?;
            // WASI takes at most 4096 bytes in one blocking write. Where it fails, the answer tells why.
            if body.chunks(4096).any(|piece| stream.blocking_write_and_flush(piece).is_err()) {
                return Ok(Sending { future, deadline });
            }
        }
        // A failure here shows in the answer as well.
        let _ = OutgoingBody::finish(out, None);
        Ok(Sending { future, deadline })
    }
}

impl Sending {
    /// Wait for the head.
    ///
    /// # Errors
    /// None came in time, or it cannot be read.
    pub(crate) fn wait(&self) -> Result<Incoming, Failure> {
        let came = wait(&self.future.subscribe(), self.deadline);
        match if came { self.future.get() } else { None } {
            Some(Ok(Ok(response))) => Incoming::open(response),
            Some(Ok(Err(code))) => Err(failure(&code)),
            Some(Err(())) => Err(broken("the answer was taken already")),
            None => Err(Failure::TimedOut),
        }
    }
}

impl Incoming {
    fn open(response: IncomingResponse) -> Result<Self, Failure> {
        let status = response.status();
        let mut headers = Vec::new();
        for (name, value) in response.headers().entries() {
            let name = name.to_ascii_lowercase();
            let Ok(value) = String::from_utf8(value) else { continue };
            if name == "content-encoding" && !value.eq_ignore_ascii_case("identity") {
                return Err(broken("the answer is compressed although that was not asked for"));
            }
            headers.push((name, value));
        }
        let body = response.consume().map_err(|()| broken("the runtime gives no body"))?;
        let stream = body.stream().map_err(|()| broken("the runtime gives no body stream"))?;
        Ok(Self { stream, _body: body, _response: response, status, headers, ended: false })
    }

    /// The next piece, at most `max` bytes; empty at the end.
    ///
    /// # Errors
    /// It did not come in time, or the answer broke off.
    pub(crate) fn read(&mut self, max: u64, deadline: u64) -> Result<Vec<u8>, Failure> {
        while !self.ended {
            if !wait(&self.stream.subscribe(), deadline) {
                return Err(Failure::TimedOut);
            }
            match self.stream.read(max) {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => return Ok(piece),
                Err(StreamError::Closed) => self.ended = true,
                Err(StreamError::LastOperationFailed(_)) => return Err(broken("the answer broke off")),
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
