//! Accepting: connections, their cap and their end. One task a connection, HTTP/1.1.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{DRAIN, Server};

/// Header lines of one request; more is 431.
const MAX_HEADERS: usize = 100;
/// Bytes of one request head.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Resolves on SIGTERM or SIGINT. Handlers are installed, so it works as PID 1 too.
///
/// # Errors
/// The process cannot install a handler.
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

/// Accept until `stop`, then let running requests end.
pub(crate) async fn accept(
    server: Arc<Server>,
    listener: TcpListener,
    stop: impl Future<Output = std::io::Result<()>>,
) -> std::io::Result<()> {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(server.limits.connections));
    tokio::pin!(stop);
    loop {
        tokio::select! {
            stopped = &mut stop => {
                stopped?;
                break;
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => match places.clone().try_acquire_owned() {
                    Ok(place) => connection(&server, &graceful, stream, place),
                    Err(_) => server.shared.metrics.refused("too_many_connections"),
                },
                Err(error) => {
                    // Out of descriptors, most likely: the loop must not spin while it lasts.
                    tracing::warn!(event = "accept_failed", %error);
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
        }
    }
    server.draining.store(true, Ordering::Relaxed);
    drop(listener);
    tracing::info!(event = "draining");
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!(event = "drain_cut_off", seconds = DRAIN.as_secs());
    }
    Ok(())
}

fn connection(
    server: &Arc<Server>,
    graceful: &GracefulShutdown,
    stream: TcpStream,
    place: OwnedSemaphorePermit,
) {
    let Ok(peer) = stream.peer_addr() else { return };
    // An answer is one small write; waiting for more to fill a segment only adds latency.
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(server.limits.header)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES);
    let server = server.clone();
    let service = service_fn(move |request| {
        let server = server.clone();
        async move { Ok::<_, Infallible>(super::intake::answer(&server, request, peer.ip()).await) }
    });
    let serving = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::debug!(event = "connection_ended", %error);
        }
        drop(place);
    });
}
