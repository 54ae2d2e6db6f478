//! Accepting: connections, their cap and their end. One task a connection, HTTP/1.1.

use std::convert::Infallible;
use std::sync::{Arc, Weak};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::framing::{MAX_HEAD_BYTES, MAX_HEADERS};
use super::heads::Heads;
use super::intake::From;
use super::{DRAIN, Server};

/// Connections of those who observe, at most.
const OBSERVERS: usize = 64;

/// Take SIGTERM and SIGINT from now on; the future resolves at the first of them. With handlers of its own the
/// program hears them as PID 1 too. Call it before anybody is told that the server listens.
///
/// # Errors
/// The process cannot install a handler.
pub(crate) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

/// Accept until `stop`, then let running requests end, and cut off those that do not. Says when it was stopped.
pub(crate) async fn accept(
    server: Arc<Server>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Instant {
    let cut = watch::Sender::new(());
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => match server.connections.clone().try_acquire_owned() {
                    Ok(place) => connection(&server, &graceful, &cut, stream, place),
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
    let since = Instant::now();
    server.draining.send_replace(true);
    drop(listener);
    // Nobody's work is on them, and they would not end by themselves.
    server.shared.mailbox.streams.stop();
    tracing::info!(event = "draining");
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!(event = "drain_cut_off", seconds = DRAIN.as_secs());
        // Their instances end with them, and their tickets are closed as aborted.
        cut.send_replace(());
        cut.closed().await;
    }
    since
}

/// Answer those who observe the server at an address of their own, also while it drains.
pub(crate) async fn observe(server: Weak<Server>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(OBSERVERS));
    loop {
        let accepted = listener.accept().await;
        let (Some(server), Ok(place)) = (server.upgrade(), places.clone().try_acquire_owned()) else {
            continue;
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let builder = protocol(&server);
        let server = Arc::downgrade(&server);
        let service = service_fn(move |request| {
            let server = server.clone();
            async move { super::intake::observe(&server, &request).ok_or("the server has stopped") }
        });
        tokio::spawn(async move {
            // What is wrong with an observer's connection concerns nobody else.
            let _ = builder.serve_connection(TokioIo::new(Heads::new(stream)), service).await;
            drop(place);
        });
    }
}

/// How connections are read.
fn protocol(server: &Server) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(server.limits.header)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES);
    builder
}

fn connection(
    server: &Arc<Server>,
    graceful: &GracefulShutdown,
    cut: &watch::Sender<()>,
    stream: TcpStream,
    place: OwnedSemaphorePermit,
) {
    let Ok(peer) = stream.peer_addr() else { return };
    // An answer is one small write; waiting for more to fill a segment only adds latency.
    let _ = stream.set_nodelay(true);
    let builder = protocol(server);
    let shared = server.shared.clone();
    let server = server.clone();
    let from = Arc::new(From { peer: peer.ip(), hang_up: Arc::default() });
    let hang_up = from.hang_up.clone();
    let service = service_fn(move |request| {
        let (server, from) = (server.clone(), from.clone());
        async move { Ok::<_, Infallible>(super::intake::answer(&server, request, &from).await) }
    });
    let serving = graceful.watch(builder.serve_connection(TokioIo::new(Heads::new(stream)), service));
    let mut cut = cut.subscribe();
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = serving => ended,
            _ = cut.changed() => Ok(()),
            () = hang_up.notified() => Ok(()),
        };
        if let Err(error) = ended {
            if let Some(reason) = unreadable(&error) {
                shared.metrics.refused(reason);
            }
            tracing::debug!(event = "connection_ended", %error);
        }
        drop(place);
    });
}

/// Why a head could not be read, as the metric names it; hyper has answered 400, 414 or 431 by then, or has closed the
/// connection of a head that took too long.
fn unreadable(error: &hyper::Error) -> Option<&'static str> {
    if error.is_parse_too_large() {
        Some("head_too_large")
    } else if error.is_parse() {
        Some("malformed_head")
    } else if error.is_timeout() {
        Some("head_too_slow")
    } else {
        None
    }
}
