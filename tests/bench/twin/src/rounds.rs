//! Rounds: each subject started anew, warmed, loaded from one connection and from many, and asked what it used.
//! Subjects take turns within a round, so that what else the machine does falls on all of them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Result;
use crate::load::{Connection, Met, Shot, load};
use crate::process::{Launch, Usage};

/// Connections of the second part of a round.
pub const MANY: usize = 32;

/// How long the parts of a round take.
const WARM: Duration = Duration::from_millis(400);
const ALONE: Duration = Duration::from_millis(1_500);
const TOGETHER: Duration = Duration::from_millis(2_500);
const REST: Duration = Duration::from_millis(700);

/// Something that is measured.
pub struct Subject {
    /// Its name in the report.
    pub name: &'static str,
    /// How it is started, with a number that is never used twice.
    pub launch: Box<dyn Fn(usize) -> Launch>,
    /// A piece of text that a right answer holds.
    pub marker: &'static str,
}

/// One part of a round in figures.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Median latency in microseconds.
    pub p50: f64,
    /// Latency of the 99th percentile in microseconds.
    pub p99: f64,
    /// Requests a second.
    pub rate: f64,
    /// CPU microseconds a request, in the server's own code.
    pub user: f64,
    /// CPU microseconds a request, in the kernel for the server.
    pub kernel: f64,
    /// Waits of the server's threads a request.
    pub waits: f64,
}

impl Part {
    fn of(met: &Met, before: &Usage, after: &Usage) -> Self {
        let requests = met.latencies.len() as f64;
        Self {
            p50: met.quantile(0.5),
            p99: met.quantile(0.99),
            rate: met.rate(),
            user: (after.user - before.user) * 1e6 / requests,
            kernel: (after.kernel - before.kernel) * 1e6 / requests,
            waits: after.waits.saturating_sub(before.waits) as f64 / requests,
        }
    }

    /// For `bench.json`.
    pub fn json(&self) -> Value {
        json!({
            "p50_us": self.p50, "p99_us": self.p99, "requests_per_second": self.rate,
            "user_us_per_request": self.user, "kernel_us_per_request": self.kernel, "waits_per_request": self.waits,
        })
    }
}

/// One subject in one round.
#[derive(Clone, Debug)]
pub struct Round {
    /// From one connection.
    pub one: Part,
    /// From [`MANY`].
    pub many: Part,
    /// After the first answer, before any load.
    pub idle: Usage,
    /// CPU share used while nothing was asked, 1.0 being one core.
    pub idle_cpu: f64,
    /// A moment after the load.
    pub after: Usage,
}

/// Run one subject once. `shots` has one request for each of the connections.
///
/// # Errors
/// It does not start, or answers something else than `marker`.
pub async fn round(subject: &Subject, number: usize, shots: &[Shot]) -> Result<Round> {
    let server = (subject.launch)(number).start().await?;
    let first = shots.first().ok_or("there is nothing to send")?;
    let (status, body) = Connection::open(&server.address).await?.send(first).await?;
    let text = String::from_utf8_lossy(&body);
    if !status.is_success() || !text.contains(subject.marker) {
        return Err(format!("{} answered {status} without {}: {text}", subject.name, subject.marker).into());
    }
    tokio::time::sleep(REST).await;
    let idle = server.usage()?;
    tokio::time::sleep(REST).await;
    let still = server.usage()?;
    let idle_cpu = (still.user + still.kernel - idle.user - idle.kernel) / REST.as_secs_f64();

    let few = shots.get(..8).unwrap_or(shots);
    load(&server.address, few, WARM, body.len()).await?;
    let before = server.usage()?;
    let one = load(&server.address, std::slice::from_ref(first), ALONE, body.len()).await?;
    let between = server.usage()?;
    let many = load(&server.address, shots, TOGETHER, body.len()).await?;
    let loaded = server.usage()?;
    tokio::time::sleep(REST).await;
    let after = server.usage()?;
    server.stop().await;
    Ok(Round {
        one: Part::of(&one, &before, &between),
        many: Part::of(&many, &between, &loaded),
        idle,
        idle_cpu,
        after,
    })
}
