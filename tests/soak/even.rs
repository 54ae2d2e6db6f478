//! Even load: four reads to a write, from clients that pause between calls. No call fails, the last minutes are as quick as
//! the first, and memory, files and threads stay as they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Mutex;

use super::client::Stand;
use super::process::Process;
use super::times::{Times, slope};
use super::{Report, number};

/// A measurement is taken so often.
const WINDOW: Duration = Duration::from_secs(30);
/// Memory may grow by so much in ten minutes, in MiB.
const GROWTH: f64 = 1.0;

#[derive(Default)]
struct Seen {
    times: Times,
    failed: Vec<String>,
}

/// Have clients call for so long.
pub async fn run(stand: &Stand<'_>, length: Duration, report: &mut Report) {
    let clients = number("AEGIS_SOAK_CLIENTS", 64);
    let pause = Duration::from_millis(number("AEGIS_SOAK_PAUSE_MS", 100));
    let (seen, is_over) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
    let tasks: Vec<_> = (0..usize::try_from(clients).expect("a number"))
        .map(|number| {
            let (mut client, seen, is_over) = (stand.client(number), seen.clone(), is_over.clone());
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let called = client.call().await;
                    let mut seen = seen.lock().await;
                    seen.times.push(called.took);
                    if called.status != Some(200) {
                        seen.failed.push(format!("{:?} {}", called.status, called.said));
                    }
                    drop(seen);
                    tokio::time::sleep(pause).await;
                }
            })
        })
        .collect();

    let (began, mut series, mut windows, mut failed) = (Instant::now(), Vec::new(), Vec::new(), Vec::new());
    let window = WINDOW.min(length / 4);
    while began.elapsed() < length {
        tokio::time::sleep(window).await;
        let now = std::mem::take(&mut *seen.lock().await);
        let process = Process::of(stand.pid);
        let at = began.elapsed().as_secs_f64();
        println!(
            "{at:6.0} s  {:6} calls  p50 {:5.1} ms  p99 {:6.1} ms  {} failed  {:6} KiB  {} files  {} threads",
            now.times.count(),
            now.times.percentile(50),
            now.times.percentile(99),
            now.failed.len(),
            process.rss_kib,
            process.files,
            process.threads,
        );
        series.push((at, process));
        windows.push(now.times);
        failed.extend(now.failed);
        // The sample Gitea remembers every request.
        stand.forge.forget();
    }
    is_over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("no panic");
    }
    judge(&series, &windows, &failed, report);
}

fn judge(series: &[(f64, Process)], windows: &[Times], failed: &[String], report: &mut Report) {
    let together = |windows: &[Times]| {
        windows.iter().cloned().fold(Times::default(), |mut all, next| {
            all.extend(next);
            all
        })
    };
    // The first minute, and everything.
    let first = together(&windows[..windows.len().min(2)]);
    let all = together(windows);
    // Caches fill at the start.
    let warm = &series[series.len() / 5..];
    let growth = slope(
        &warm.iter().map(|(at, process)| (*at, f64::from(process.rss_kib) / 1024.0)).collect::<Vec<_>>(),
    ) * 600.0;
    let ((_, early), (_, late)) = (warm[0], warm[warm.len() - 1]);
    report.figures(
        "even",
        json!({
            "calls": all.count(), "failed": failed.len(), "p50_ms": all.percentile(50), "p99_ms": all.percentile(99),
            "p99_first_minute_ms": first.percentile(99), "rss_mib": late.rss_kib / 1024, "rss_mib_per_10_min": growth,
            "files": [early.files, late.files], "threads": [early.threads, late.threads],
        }),
    );
    report.holds(failed.is_empty(), format!("no call fails: {:?}", failed.first()));
    report.holds(
        all.percentile(99) <= 2.0 * first.percentile(99),
        format!(
            "p99 {:.1} ms is at most twice the first minute's {:.1}",
            all.percentile(99),
            first.percentile(99)
        ),
    );
    report.holds(
        growth < GROWTH,
        format!("memory grows by less than {GROWTH} MiB in ten minutes: {growth:.2}"),
    );
    report.holds(
        late.files <= early.files + 8,
        format!("files stay as they are: {} {}", early.files, late.files),
    );
    report.holds(
        late.threads <= early.threads + 2,
        format!("threads stay: {} {}", early.threads, late.threads),
    );
}
