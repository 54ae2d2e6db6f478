//! `aegis-mcp audit measure`: how many lines this volume takes, measured with the writer of the log itself, beside what
//! the volume does alone. It writes into a directory of its own, which it removes unless told to keep it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::audit::signer::Signer;
use crate::audit::{Entry, Event, Opening, Trail};
use crate::command::complain;
use crate::shared::{SystemClock, SystemRandom, random_name};

/// How many calls at once are measured: one after the other, and a busy server.
const CALLERS: [usize; 2] = [1, 64];

/// Bytes of one write of the volume alone: those of an ordinary line.
const BLOCK: usize = 512;

/// Where to measure, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Measure {
    /// A directory on the volume in question, such as that of the audit log.
    directory: PathBuf,
    /// Seconds of each of the three measurements.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Leave what was written, for `audit verify`.
    #[arg(long)]
    keep: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// What one measurement found.
struct Rate {
    callers: usize,
    /// Lines, or writes, that are durable after one second.
    per_second: f64,
    /// Milliseconds that half of them, and 99 of 100, took at most.
    p50: f64,
    p99: f64,
}

impl Rate {
    fn of(callers: usize, mut taken: Vec<Duration>, seconds: Duration) -> Self {
        taken.sort_unstable();
        let at = |part: usize| {
            let index = taken.len().saturating_mul(part) / 100;
            taken.get(index).or(taken.last()).map_or(0.0, |taken| taken.as_secs_f64() * 1_000.0)
        };
        let count = u32::try_from(taken.len()).unwrap_or(u32::MAX);
        Self { callers, per_second: f64::from(count) / seconds.as_secs_f64(), p50: at(50), p99: at(99) }
    }

    fn json(&self) -> Value {
        json!({"callers": self.callers, "per_second": self.per_second, "p50_ms": self.p50, "p99_ms": self.p99})
    }
}

/// Measure and print.
pub(crate) fn measure(asked: &Measure) -> ExitCode {
    let folder = asked.directory.join(format!("aegis-measure-{}", random_name()));
    let found = std::fs::create_dir(&folder).map_err(|error| error.to_string()).and_then(|()| {
        let found = all(&folder, Duration::from_secs(asked.seconds));
        let removed = if asked.keep { Ok(()) } else { std::fs::remove_dir_all(&folder) };
        found.and_then(|found| removed.map(|()| found).map_err(|error| error.to_string()))
    });
    match found {
        Ok(found) => {
            let kept = asked.keep.then_some(folder.as_path());
            let text = if asked.json { json_of(&found, kept) } else { text_of(&found, kept) };
            match io::stdout().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::from(super::UNREADABLE),
            }
        }
        Err(error) => {
            complain(&format!("{} cannot be measured: {error}", asked.directory.display()));
            ExitCode::from(super::UNREADABLE)
        }
    }
}

/// The volume alone, and the log with so many callers.
struct Found {
    alone: Rate,
    log: Vec<Rate>,
}

fn all(folder: &Path, seconds: Duration) -> Result<Found, String> {
    let alone = alone(&folder.join("alone"), seconds).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut log = Vec::new();
    for callers in CALLERS {
        let trail = open(&folder.join(format!("log-{callers}"))).map_err(|error| error.to_string())?;
        let measured = runtime.block_on(appended(&trail, callers, seconds));
        trail.close();
        log.push(measured?);
    }
    Ok(Found { alone, log })
}

/// Write and sync, one after the other.
fn alone(path: &Path, seconds: Duration) -> io::Result<Rate> {
    let mut file = File::create_new(path)?;
    let (start, mut taken) = (Instant::now(), Vec::new());
    while start.elapsed() < seconds {
        let begun = Instant::now();
        file.write_all(&[b'x'; BLOCK])?;
        file.sync_data()?;
        taken.push(begun.elapsed());
    }
    Ok(Rate::of(1, taken, start.elapsed()))
}

fn open(folder: &Path) -> Result<Trail, crate::audit::OpenError> {
    let opening = Opening {
        path: folder.join("audit.log"),
        version: env!("CARGO_PKG_VERSION"),
        policy_digest: String::new(),
        component_digest: String::new(),
        signer: Arc::new(Signer::fresh(&SystemRandom)),
        high_water: None,
        min_free: 0,
    };
    Trail::open(opening, Arc::new(SystemClock), Arc::new(SystemRandom))
}

async fn appended(trail: &Trail, callers: usize, seconds: Duration) -> Result<Rate, String> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let trail = trail.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                while start.elapsed() < seconds {
                    let begun = Instant::now();
                    trail.append(line()).await.map_err(|error| error.to_string())?;
                    taken.push(begun.elapsed());
                }
                Ok::<_, String>(taken)
            })
        })
        .collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.map_err(|error| error.to_string())??);
    }
    Ok(Rate::of(callers, taken, start.elapsed()))
}

/// As long as the intent of an ordinary call.
fn line() -> Entry {
    let members = json!({
        "request_id": "00000000000000000000000000000000", "ticket": random_name(), "address": "127.0.0.1",
        "principal": "measure", "scopes": ["read:repository"], "component": "0000000000000000",
        "policy": "0000000000000000", "tool": "get_file_contents", "status": "pending", "class": "read",
        "owner": "owner", "repo": "repository", "paths": ["README.md"],
    });
    let members = members.as_object().cloned().unwrap_or_default();
    Entry { event: Event::ToolInvocation, members }
}

fn json_of(found: &Found, kept: Option<&Path>) -> String {
    let log: Vec<_> = found.log.iter().map(Rate::json).collect();
    let kept = kept.map(|folder| folder.display().to_string());
    format!("{:#}\n", json!({"alone": found.alone.json(), "log": log, "kept": kept}))
}

fn text_of(found: &Found, kept: Option<&Path>) -> String {
    let mut text = String::from("                     durable a second    p50 ms    p99 ms\n");
    let mut row = |name: String, rate: &Rate| {
        text.push_str(&format!("{name:<20} {:>16.0} {:>9.2} {:>9.2}\n", rate.per_second, rate.p50, rate.p99));
    };
    row("the volume alone".to_owned(), &found.alone);
    for rate in &found.log {
        let callers = if rate.callers == 1 { "caller" } else { "callers" };
        row(format!("log, {} {callers}", rate.callers), rate);
    }
    text.push_str("A call writes two lines. The volume alone: 512 bytes and a sync, one after the other.\n");
    if let Some(folder) = kept {
        text.push_str(&format!("Kept: {}\n", folder.display()));
    }
    text
}
