//! A thousand clients that send their headers a byte at a time, five hundred that hold streams open, and some that speak
//! no HTTP at all, from another address. The good ones do not feel them, and the bad ones are gone in a minute.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::Report;
use super::client::Stand;
use super::times::Times;

const SLOW: usize = 1000;
const STREAMS: usize = 500;
const GARBAGE: usize = 100;
/// The first bytes of a client that expects TLS (RFC 8446 section 5.1: a handshake record).
const TLS: &[u8] = &[0x16, 0x03, 0x01, 0x00, 0xa5, 0x01, 0x00, 0x00, 0xa1, 0x03, 0x03];

/// A connection from an address that is not the good ones'.
async fn connect(authority: &str) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.9:0".parse().map_err(std::io::Error::other)?)?;
    socket.connect(authority.parse().map_err(std::io::Error::other)?).await
}

/// They come one after the other, within ten seconds.
async fn in_turn(number: usize) {
    tokio::time::sleep(Duration::from_secs(10) * u32::try_from(number).unwrap_or_default() / 1000).await;
}

/// Send one byte a second until the server has closed; how long it took to.
async fn slow(authority: String) -> Option<Duration> {
    let mut stream = connect(&authority).await.ok()?;
    let began = Instant::now();
    let (mut read, mut write) = stream.split();
    let head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'a'));
    let sending = async {
        for byte in head {
            if write.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let closing = async {
        let mut all = Vec::new();
        let _ = read.read_to_end(&mut all).await;
    };
    tokio::select! { () = sending => {}, () = closing => {} }
    Some(began.elapsed())
}

/// Say something that is no HTTP and wait for the end.
async fn garbage(authority: String) -> Option<Duration> {
    let mut stream = connect(&authority).await.ok()?;
    let began = Instant::now();
    stream.write_all(TLS).await.ok()?;
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    Some(began.elapsed())
}

/// Hold a stream open: whether it was opened.
async fn stream(authority: String, key: String, is_over: Arc<AtomicBool>, open: Arc<AtomicUsize>) {
    let Ok(mut stream) = connect(&authority).await else { return };
    let request = format!(
        "GET /mcp/sse HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n\r\n"
    );
    if stream.write_all(request.as_bytes()).await.is_err() {
        return;
    }
    let mut piece = [0; 4096];
    let Ok(read @ 1..) = stream.read(&mut piece).await else { return };
    if piece[..read].starts_with(b"HTTP/1.1 200") {
        open.fetch_add(1, Ordering::Relaxed);
    }
    while !is_over.load(Ordering::Relaxed) {
        let _ = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut piece)).await;
    }
}

/// What good clients see for so long.
async fn good(stand: &Stand<'_>, length: Duration) -> (Times, Vec<String>) {
    let end = Instant::now() + length;
    let tasks: Vec<_> = (0..32)
        .map(|number| {
            let mut client = stand.client(number);
            tokio::spawn(async move {
                let (mut times, mut failed) = (Times::default(), Vec::new());
                while Instant::now() < end {
                    let called = client.call().await;
                    times.push(called.took);
                    if called.status != Some(200) {
                        failed.push(format!("{:?} {}", called.status, called.said));
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                (times, failed)
            })
        })
        .collect();
    let (mut times, mut failed) = (Times::default(), Vec::new());
    for task in tasks {
        let (more, strange) = task.await.expect("no panic");
        times.extend(more);
        failed.extend(strange);
    }
    (times, failed)
}

/// Good clients alone, then among the others.
pub async fn run(stand: &Stand<'_>, length: Duration, report: &mut Report) {
    let (alone, _) = good(stand, length / 2).await;
    let authority = stand.url.strip_prefix("http://").unwrap_or(&stand.url).to_owned();
    let (is_over, open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let bad: Vec<_> = (0..SLOW)
        .map(|number| {
            let authority = authority.clone();
            tokio::spawn(async move {
                in_turn(number).await;
                slow(authority).await
            })
        })
        .chain((0..GARBAGE).map(|_| tokio::spawn(garbage(authority.clone()))))
        .collect();
    let streams: Vec<_> = (0..STREAMS)
        .map(|number| {
            let key = stand.keys[number % stand.keys.len()].clone();
            let (authority, is_over, open) = (authority.clone(), is_over.clone(), open.clone());
            tokio::spawn(async move {
                in_turn(2 * number).await;
                stream(authority, key, is_over, open).await;
            })
        })
        .collect();
    let (among, failed) = good(stand, length).await;
    is_over.store(true, Ordering::Relaxed);
    let (mut longest, mut closed) = (Duration::ZERO, 0);
    for task in bad {
        let gone = tokio::time::timeout(Duration::from_secs(120), task).await;
        if let Ok(Ok(Some(took))) = gone {
            closed += 1;
            longest = longest.max(took);
        }
    }
    for task in streams {
        task.await.expect("no panic");
    }
    stand.forge.forget();
    report.figures(
        "rude",
        json!({
            "p99_alone_ms": alone.percentile(99), "p99_among_them_ms": among.percentile(99), "failed": failed.len(),
            "bad": SLOW + GARBAGE, "closed": closed, "longest_s": longest.as_secs_f64(),
            "streams_open": open.load(Ordering::Relaxed),
        }),
    );
    report.holds(failed.is_empty(), format!("no good call fails: {:?}", failed.first()));
    report.holds(
        among.percentile(99) < 2.0 * alone.percentile(99),
        format!(
            "p99 {:.1} ms is less than twice the {:.1} of before",
            among.percentile(99),
            alone.percentile(99)
        ),
    );
    report.holds(closed == SLOW + GARBAGE, format!("all the bad ones are gone: {closed}"));
    report.holds(longest < Duration::from_secs(60), format!("within a minute: {longest:?}"));
}
