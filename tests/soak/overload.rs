//! Ten times as many clients as there are places, none of which pauses: who is refused hears it at once, who is let in is
//! answered, and everything is as before when they are gone. And SIGTERM while clients call.

use std::time::{Duration, Instant};

use aegis_tests::server::{Folder, Server};
use serde_json::json;

use super::Report;
use super::client::{Client, Stand};
use super::times::Times;

/// `MAX_CONCURRENT_REQUESTS` of the server.
pub const PLACES: &str = "32";
/// Ten times that.
const CLIENTS: usize = 320;
/// What somebody who is refused waits at most, in the middle of them.
const REFUSED_MS: f64 = 50.0;

#[derive(Default)]
struct Seen {
    done: Times,
    refused: Times,
    other: Vec<String>,
}

async fn ask_until(mut client: Client, end: Instant) -> Seen {
    let mut seen = Seen::default();
    while Instant::now() < end {
        let called = client.call().await;
        match called.status {
            Some(200) => seen.done.push(called.took),
            Some(429 | 503) => {
                seen.refused.push(called.took);
                // What `Retry-After` asks for would be a second; this is somebody who does not read it.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            status => seen.other.push(format!("{status:?} {}", called.said)),
        }
    }
    seen
}

async fn all(stand: &Stand<'_>, end: Instant) -> Seen {
    let tasks: Vec<_> =
        (0..CLIENTS).map(|number| tokio::spawn(ask_until(stand.client(number), end))).collect();
    let mut all = Seen::default();
    for task in tasks {
        let seen = task.await.expect("no panic");
        all.done.extend(seen.done);
        all.refused.extend(seen.refused);
        all.other.extend(seen.other);
    }
    all
}

/// Too many for so long, then one that finds everything as it was.
pub async fn run(stand: &Stand<'_>, length: Duration, report: &mut Report) {
    let seen = all(stand, Instant::now() + length).await;
    stand.forge.forget();
    let (over, mut client) = (Instant::now(), stand.client(0));
    let mut in_a_row = 0;
    while in_a_row < 10 && over.elapsed() < Duration::from_secs(30) {
        in_a_row = if client.call().await.status == Some(200) { in_a_row + 1 } else { 0 };
    }
    let recovered = over.elapsed().as_secs_f64();
    report.figures(
        "overload",
        json!({
            "clients": CLIENTS, "done": seen.done.count(), "done_p99_ms": seen.done.percentile(99),
            "refused": seen.refused.count(), "refused_p50_ms": seen.refused.percentile(50),
            "refused_p99_ms": seen.refused.percentile(99), "other": seen.other.len(), "recovered_s": recovered,
        }),
    );
    report.holds(seen.refused.count() > 0, "there was too much".to_owned());
    report.holds(
        seen.other.is_empty(),
        format!("all are answered or refused by name: {:?}", seen.other.first()),
    );
    let refused = seen.refused.percentile(50);
    report
        .holds(refused < REFUSED_MS, format!("who is refused hears it within {REFUSED_MS} ms: {refused:.1}"));
    report.holds(recovered < 5.0, format!("it has recovered within 5 s: {recovered:.1}"));
}

/// End a server while clients call. What was answered by then was answered whole.
pub async fn stopped_under_load(stand: &Stand<'_>, server: Server, report: &mut Report) {
    let end = Instant::now() + Duration::from_secs(4);
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let mut client = stand.client(number);
            tokio::spawn(async move {
                let (mut answered, mut other) = (0_u32, Vec::new());
                while Instant::now() < end {
                    let called = client.call().await;
                    match called.status {
                        Some(200) => answered += 1,
                        // Nobody listens any more, or the connection ended between two requests.
                        None | Some(503) => break,
                        status => other.push(format!("{status:?} {}", called.said)),
                    }
                }
                (answered, other)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let began = Instant::now();
    let (code, _folder): (i32, Folder) = server.end().await;
    let took = began.elapsed().as_secs_f64();
    let (mut answered, mut other) = (0, Vec::new());
    for task in tasks {
        let (more, strange) = task.await.expect("no panic");
        answered += more;
        other.extend(strange);
    }
    report.figures("sigterm", json!({"seconds": took, "exit": code, "answered_before": answered}));
    report.holds(code == 0, format!("SIGTERM under load ends it with 0: {code}"));
    report.holds(took <= 10.0, format!("it drains within 10 s: {took:.1}"));
    report.holds(other.is_empty(), format!("nobody is answered strangely: {:?}", other.first()));
}
