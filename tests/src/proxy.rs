//! A reverse proxy as operators put one in front: it reads HTTP by itself, adds the peer to `X-Forwarded-For`, and sends
//! everything over one kept-alive connection, so that a request which two readers frame differently shows in the next.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// Headers that are for one connection alone (RFC 9110 section 7.6.1), and those of framing.
const HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "content-length",
    "upgrade",
    "proxy-connection",
];
/// Largest body that is passed on.
const MOST: usize = 8 << 20;

/// A proxy that listens; it ends when dropped.
pub struct Proxy {
    /// `127.0.0.1:PORT`
    pub authority: String,
    server: Arc<Behind>,
    listener: JoinHandle<()>,
}

/// The server behind it.
struct Behind {
    authority: String,
    connection: Mutex<Option<SendRequest<Full<Bytes>>>>,
    passed_on: AtomicUsize,
}

impl Proxy {
    /// In front of the server at `base` (`http://host:port`), to which it connects from 127.0.0.1.
    ///
    /// # Panics
    /// There is no port.
    pub async fn before(base: &str) -> Self {
        let authority = base.strip_prefix("http://").unwrap_or(base).to_owned();
        let server =
            Arc::new(Behind { authority, connection: Mutex::default(), passed_on: AtomicUsize::new(0) });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let authority = listener.local_addr().expect("its address").to_string();
        let behind = server.clone();
        let listener = tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let behind = behind.clone();
                let service = service_fn(move |request| answer(behind.clone(), request, peer.ip()));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { authority, server, listener }
    }

    /// How many requests it has passed on.
    #[must_use]
    pub fn passed_on(&self) -> usize {
        self.server.passed_on.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn answer(
    behind: Arc<Behind>,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let refused = |status: StatusCode| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        response
    };
    let (mut head, body) = request.into_parts();
    // A body that cannot be read whole is no request that goes on.
    let Ok(body) = Limited::new(body, MOST).collect().await else {
        return Ok(refused(StatusCode::BAD_REQUEST));
    };
    HOP.iter().for_each(|name| drop(head.headers.remove(*name)));
    let mut named: Vec<String> = head
        .headers
        .get_all("x-forwarded-for")
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    named.push(peer.to_string());
    match HeaderValue::from_str(&named.join(", ")) {
        Ok(value) => head.headers.insert("x-forwarded-for", value),
        Err(_) => return Ok(refused(StatusCode::BAD_REQUEST)),
    };
    let sent = behind.send(Request::from_parts(head, Full::new(body.to_bytes()))).await;
    Ok(sent.unwrap_or_else(|| refused(StatusCode::BAD_GATEWAY)))
}

impl Behind {
    /// Send a request over the one connection, made anew where the last was closed; the whole answer.
    async fn send(&self, request: Request<Full<Bytes>>) -> Option<Response<Full<Bytes>>> {
        let mut held = self.connection.lock().await;
        let ready = match held.as_mut() {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !ready {
            let stream = TcpStream::connect(&self.authority).await.ok()?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
            tokio::spawn(connection);
            *held = Some(sender);
        }
        self.passed_on.fetch_add(1, Ordering::SeqCst);
        let answer = held.as_mut()?.send_request(request).await.ok()?;
        let (mut head, body) = answer.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        HOP.iter().for_each(|name| drop(head.headers.remove(*name)));
        Some(Response::from_parts(head, Full::new(body)))
    }
}
