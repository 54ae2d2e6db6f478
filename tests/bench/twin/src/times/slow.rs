//! H7: what clients who do as they should feel of a thousand that send a byte now and then, or nothing.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::Ground;
use crate::Result;
use crate::load::{Shot, load};

/// The largest ratio of p99 beside slow clients to p99 without them.
pub const MOST: f64 = 2.0;
/// Slow clients; the default of `MAX_CONNECTIONS` leaves a few places beside them.
const SLOW: usize = 1_000;
/// Good clients.
const GOOD: usize = 8;
/// How often both are measured in turn.
const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_secs(2);
/// Between two bytes of a slow client.
const PAUSE: Duration = Duration::from_millis(500);

const KEY: &str = "aegis_key_benchmark_of_good_clients_here_0001";

/// p99 of good clients in microseconds, alone and beside slow ones, round by round.
pub struct Beside {
    /// Alone, and beside them.
    pub rounds: Vec<(f64, f64)>,
}

impl Beside {
    /// The middle ratio.
    pub fn ratio(&self) -> f64 {
        let mut ratios: Vec<f64> = self.rounds.iter().map(|(alone, beside)| beside / alone).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
    }

    /// For `bench.json`.
    pub fn json(&self) -> Value {
        let rounds: Vec<Value> = self
            .rounds
            .iter()
            .map(|(alone, beside)| json!({"p99_alone_us": alone, "p99_beside_us": beside}))
            .collect();
        json!({"slow": SLOW, "good": GOOD, "ratio": self.ratio(), "rounds": rounds})
    }

    /// For people.
    pub fn text(&self) -> String {
        let each: Vec<String> =
            self.rounds.iter().map(|(alone, beside)| format!("{alone:.0} -> {beside:.0}")).collect();
        format!("H7 p99 of {GOOD} clients alone -> beside {SLOW} slow ones, us: {}", each.join(", "))
    }
}

/// Measure it.
pub async fn beside(ground: &Ground<'_>) -> Result<Beside> {
    let keys = format!("bench={KEY}");
    let settings = [
        ("GITEA_URL", "http://127.0.0.1:9"),
        ("GITEA_TOKEN", "a-token-that-is-not-used"),
        ("MCP_API_KEYS", keys.as_str()),
        ("MCP_PORT", "0"),
        ("RATE_LIMIT_PER_MINUTE", "1000000"),
        ("TOKEN_RATE_LIMIT_PER_MINUTE", "1000000"),
    ];
    let server = ground.launch("slow", &settings)?.start().await?;
    let ping = Shot {
        method: "POST",
        target: "/mcp",
        headers: vec![
            ("authorization", format!("Bearer {KEY}")),
            ("content-type", "application/json".to_owned()),
            ("accept", "application/json, text/event-stream".to_owned()),
            ("mcp-protocol-version", "2025-11-25".to_owned()),
        ],
        body: r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
    };
    let shots = vec![ping; GOOD];
    // {"jsonrpc":"2.0","id":1,"result":{}}
    let expected = crate::load::Connection::open(&server.address).await?.send(&shots[0]).await?.1.len();
    load(&server.address, &shots, SPAN / 4, expected).await?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let alone = load(&server.address, &shots, SPAN, expected).await?;
        let mut slow = Vec::new();
        for number in 0..SLOW {
            let stream = TcpStream::connect(&server.address).await?;
            slow.push(tokio::spawn(dribble(stream, number)));
        }
        tokio::time::sleep(PAUSE).await;
        let beside = load(&server.address, &shots, SPAN, expected).await?;
        let held = slow.iter().filter(|one| !one.is_finished()).count();
        slow.iter().for_each(JoinHandle::abort);
        for one in slow {
            let _ = one.await;
        }
        if held * 10 < SLOW * 9 {
            return Err(format!("only {held} of {SLOW} slow clients were there to the end").into());
        }
        rounds.push((alone.quantile(0.99), beside.quantile(0.99)));
    }
    server.stop().await;
    Ok(Beside { rounds })
}

/// One slow client: of every four, one sends nothing, one a head that never ends, two a body that never does.
async fn dribble(mut stream: TcpStream, number: usize) {
    let begun = match number % 4 {
        0 => "",
        1 => "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        _ => {
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        }
    };
    let byte: &[u8] = if begun.is_empty() { b"" } else { b" " };
    let mut next = begun.as_bytes();
    while stream.write_all(next).await.is_ok() {
        tokio::time::sleep(PAUSE).await;
        next = byte;
    }
}
