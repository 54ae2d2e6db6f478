//! Requests that come from this process itself, by the very intake that a socket leads to: a connection in memory, one
//! for each request. What is dropped here is what a client is that went away.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{DRAIN_ALL, Last, Server, intake, tell_floods_now_and_then};
use crate::ports::audit::tell_floods;
use crate::shared::Pending;

/// Bytes of an answer that wait to be read.
const BUFFER: usize = 64 << 10;

/// An answer and the connection that it comes over.
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    _connection: Connection,
}

/// Both ends of a connection; dropped, it is closed, and the instance behind it ends.
struct Connection([JoinHandle<()>; 2]);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Answer one request as if it had come to the port from this machine.
///
/// # Errors
/// The intake closed the connection without an answer.
pub(crate) async fn answer(server: &Arc<Server>, request: Request<Full<Bytes>>) -> hyper::Result<Answered> {
    let (near, far) = tokio::io::duplex(BUFFER);
    let serving = server.clone();
    let service = service_fn(move |request| {
        let server = serving.clone();
        // Whoever asks holds the connection and drops it; nobody else ends it.
        let from = intake::From { peer: IpAddr::V4(Ipv4Addr::LOCALHOST), hang_up: Arc::default() };
        async move { Ok::<_, Infallible>(intake::answer(&server, request, &from).await) }
    });
    let far = http1::Builder::new().serve_connection(TokioIo::new(far), service);
    let far = tokio::spawn(async move { drop(far.await) });
    let (mut sender, near) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await?;
    let near = tokio::spawn(async move { drop(near.await) });
    let connection = Connection([far, near]);
    let response = sender.send_request(request).await?;
    Ok(Answered { response, _connection: connection })
}

/// Serve whoever `talk` hears, until it ends; then wait for what is on its way to Gitea and to the audit log.
pub(crate) async fn run<T: Future<Output = ()>>(
    server: Server,
    (pending, last): (Pending, Last),
    talk: impl FnOnce(Arc<Server>) -> T,
) -> ExitCode {
    let server = Arc::new(server);
    tell_floods_now_and_then(&server.shared);
    talk(server.clone()).await;
    let since = Instant::now();
    tell_floods(&server.shared, None);
    let trail = server.shared.trail.clone();
    drop(server);
    let all = pending.drained(DRAIN_ALL.saturating_sub(since.elapsed())).await;
    tracing::info!(event = "stopped", drained = all);
    trail.close();
    last.words(since).await;
    ExitCode::SUCCESS
}
