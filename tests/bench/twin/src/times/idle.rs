//! What five hundred open streams cost that nobody says anything on: memory, and the time of those who call meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Ground;
use crate::Result;
use crate::load::{Connection, Shot, load};

/// Most mebibytes that all streams together cost: 40 million bytes.
pub const MOST_MEBIBYTES: f64 = 40_000_000.0 / 1_048_576.0;
/// The largest ratio of p50 beside streams to p50 without them.
pub const MOST_RATIO: f64 = 1.2;
/// Open streams; `MAX_STREAMS` is 512.
const STREAMS: usize = 500;
/// Whose they are: one caller may have 32.
const CALLERS: usize = 20;
/// How often both are measured in turn.
const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_secs(2);

/// One round.
struct Round {
    /// p50 in microseconds.
    alone: f64,
    beside: f64,
    /// What the server had more resident with all streams open than before.
    mebibytes: f64,
}

/// What was measured.
pub struct Idle {
    rounds: Vec<Round>,
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

impl Idle {
    /// So much of each bound, for tests of what is made of it.
    #[cfg(test)]
    pub fn of(share: f64) -> Self {
        let round = Round { alone: 1.0, beside: MOST_RATIO * share, mebibytes: MOST_MEBIBYTES * share };
        Self { rounds: vec![round] }
    }

    /// The middle ratio.
    pub fn ratio(&self) -> f64 {
        middle(self.rounds.iter().map(|round| round.beside / round.alone))
    }

    /// The most of all rounds.
    pub fn mebibytes(&self) -> f64 {
        self.rounds.iter().map(|round| round.mebibytes).fold(f64::NAN, f64::max)
    }

    /// For `bench.json`.
    pub fn json(&self) -> Value {
        let rounds: Vec<Value> = self
            .rounds
            .iter()
            .map(|Round { alone, beside, mebibytes }| {
                json!({"p50_alone_us": alone, "p50_beside_us": beside, "mebibytes": mebibytes})
            })
            .collect();
        json!({"streams": STREAMS, "ratio": self.ratio(), "mebibytes": self.mebibytes(), "rounds": rounds})
    }

    /// For people.
    pub fn text(&self) -> String {
        let each = self.rounds.iter().map(|Round { alone, beside, mebibytes }| {
            format!("{alone:.0} -> {beside:.0} us, {mebibytes:+.1} MiB")
        });
        format!(
            "p50 of a call alone -> beside {STREAMS} idle streams, and what these cost: {}",
            each.collect::<Vec<_>>().join("; ")
        )
    }
}

fn key(caller: usize) -> String {
    format!("aegis_key_benchmark_of_idle_streams_{caller:08}")
}

/// Measure it.
pub async fn idle(ground: &Ground<'_>) -> Result<Idle> {
    let keys: Vec<String> = (0..CALLERS).map(|caller| format!("c{caller}={}", key(caller))).collect();
    let keys = keys.join(",");
    let settings = [
        ("GITEA_URL", "http://127.0.0.1:9"),
        ("GITEA_TOKEN", "a-token-that-is-not-used"),
        ("MCP_API_KEYS", keys.as_str()),
        ("MCP_PORT", "0"),
        ("RATE_LIMIT_PER_MINUTE", "1000000"),
        ("TOKEN_RATE_LIMIT_PER_MINUTE", "1000000"),
    ];
    let server = ground.launch("idle", &settings)?.start().await?;
    let ping = Shot {
        method: "POST",
        target: "/mcp",
        headers: vec![
            ("authorization", format!("Bearer {}", key(0))),
            ("content-type", "application/json".to_owned()),
            ("accept", "application/json, text/event-stream".to_owned()),
            ("mcp-protocol-version", "2025-11-25".to_owned()),
        ],
        body: r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
    };
    let expected = Connection::open(&server.address).await?.send(&ping).await?.1.len();
    let shots = [ping];
    load(&server.address, &shots, SPAN, expected).await?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let alone = load(&server.address, &shots, SPAN, expected).await?.quantile(0.5);
        let before = server.usage()?.resident;
        let mut streams = Vec::new();
        for number in 0..STREAMS {
            streams.push(open(&server.address, &key(number % CALLERS)).await?);
        }
        let after = server.usage()?.resident;
        let beside = load(&server.address, &shots, SPAN, expected).await?.quantile(0.5);
        for stream in &mut streams {
            still_open(stream)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let mebibytes = (after as f64 - before as f64) / 1_048_576.0;
        rounds.push(Round { alone, beside, mebibytes });
    }
    server.stop().await;
    Ok(Idle { rounds })
}

/// A stream that has begun.
async fn open(address: &str, key: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut came = Vec::new();
    while !came.windows(8).any(|window| window == b": open\n\n") {
        let mut piece = [0; 4_096];
        let read = stream.read(&mut piece).await?;
        came.extend_from_slice(piece.get(..read).unwrap_or_default());
        if read == 0 {
            return Err(format!("no stream began: {}", String::from_utf8_lossy(&came)).into());
        }
    }
    Ok(stream)
}

/// Whether nobody has closed it.
fn still_open(stream: &mut TcpStream) -> Result<()> {
    let mut piece = [0; 4_096];
    loop {
        match stream.try_read(&mut piece) {
            Ok(0) => return Err("a stream has ended in the middle of a round".into()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_ratio_and_the_largest_growth_count() {
        let round = |beside, mebibytes| Round { alone: 1.0, beside, mebibytes };
        let idle = Idle { rounds: vec![round(3.0, 1.0), round(1.0, 9.0), round(1.1, 2.0)] };
        assert!((idle.ratio() - 1.1).abs() < 1e-9 && (idle.mebibytes() - 9.0).abs() < 1e-9);
        assert!(idle.text().contains("+9.0 MiB"), "{}", idle.text());
    }
}
