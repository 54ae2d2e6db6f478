//! The load generator: connections that send the same request again and again, one at a time each, for a
//! bounded time, and check every answer.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Result;

/// Most requests of one connection, whatever the time.
const MAX_REQUESTS: usize = 1_000_000;

/// A request that can be sent many times.
#[derive(Clone)]
pub struct Shot {
    /// GET or POST.
    pub method: &'static str,
    /// Path.
    pub target: &'static str,
    /// Headers besides Host.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: String,
}

impl Shot {
    fn request(&self, authority: &str) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(self.method).uri(self.target).header("host", authority);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        Ok(request.body(Full::from(self.body.clone()))?)
    }
}

/// A connection to a server.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Connection {
    /// Connect.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn open(authority: &str) -> Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, authority: authority.to_owned() })
    }

    /// Send one request and read its whole answer.
    ///
    /// # Errors
    /// The connection breaks.
    pub async fn send(&mut self, shot: &Shot) -> Result<(StatusCode, Bytes)> {
        let request = shot.request(&self.authority)?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        Ok((answer.status(), answer.into_body().collect().await?.to_bytes()))
    }
}

/// What a load met.
#[derive(Clone, Debug, Default)]
pub struct Met {
    /// Seconds it took.
    pub seconds: f64,
    /// Microseconds of each request, in ascending order.
    pub latencies: Vec<f64>,
}

impl Met {
    /// The latency that this share of requests did not exceed, in microseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        self.latencies.get(place.min(last)).copied().unwrap_or(f64::NAN)
    }

    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }
}

/// Load `authority` from one connection per place in `shots` (each its own request) for `span`.
///
/// # Errors
/// An answer is not a 200 with `expected` bytes, or a connection breaks: then there is nothing to compare.
pub async fn load(authority: &str, shots: &[Shot], span: Duration, expected: usize) -> Result<Met> {
    let mut connections = Vec::new();
    for shot in shots {
        connections.push((Connection::open(authority).await?, shot.clone()));
    }
    let started = Instant::now();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|(connection, shot)| tokio::spawn(repeat(connection, shot, started + span, expected)))
        .collect();
    let mut met = Met::default();
    for task in tasks {
        met.latencies.extend(task.await??);
    }
    met.seconds = started.elapsed().as_secs_f64();
    met.latencies.sort_by(f64::total_cmp);
    Ok(met)
}

async fn repeat(mut connection: Connection, shot: Shot, until: Instant, expected: usize) -> Result<Vec<f64>> {
    let mut latencies = Vec::with_capacity(4096);
    while latencies.len() < MAX_REQUESTS {
        let sent = Instant::now();
        if sent >= until {
            break;
        }
        let (status, body) = connection.send(&shot).await?;
        latencies.push(sent.elapsed().as_secs_f64() * 1e6);
        if status != StatusCode::OK || body.len() != expected {
            let body = String::from_utf8_lossy(&body);
            return Err(format!("{status} and {} bytes, not 200 and {expected}: {body}", body.len()).into());
        }
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_taken_from_what_was_met() {
        let met = Met { seconds: 2.0, latencies: (0..=100).map(f64::from).collect() };
        assert_eq!((met.quantile(0.0), met.quantile(0.5), met.quantile(0.99)), (0.0, 50.0, 99.0));
        assert!((met.rate() - 50.5).abs() < 1e-9);
        assert!(Met::default().quantile(0.5).is_nan(), "nothing was met");
    }
}
