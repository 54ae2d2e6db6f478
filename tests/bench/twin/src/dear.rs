//! Calls that take much: a search through a repository of 50 MiB, a file of 1 MiB, a diff of 5 MiB, and what two
//! searches do to somebody who only reads an issue. Of the built server alone; the twin has no part in it.

mod stock;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

pub use stock::serve;

use crate::Result;
use crate::load::{Connection, Shot, load};
use crate::process::{Launch, Running};
use crate::report::Aim;

/// Most mebibytes by which the host may grow during a search, its guest among them.
const MOST_GROWTH: f64 = 32.0;
/// How often each call is measured.
const TIMES: usize = 5;
/// How long issues are read, alone and beside searches.
const SPAN: Duration = Duration::from_secs(3);
/// Between two looks at the memory of guests.
const LOOK: Duration = Duration::from_millis(20);
const MEBIBYTE: f64 = (1 << 20) as f64;

/// Everything dear.
pub struct Dear {
    calls: Vec<Call>,
    archive: usize,
    /// p50 and p99 of `get_issue` in microseconds, alone and beside two searches; how many searches ended.
    alone: (f64, f64),
    beside: (f64, f64),
    searches: usize,
}

/// One call, measured some times.
struct Call {
    name: &'static str,
    /// The middle one.
    seconds: f64,
    /// The most by which the process grew, in mebibytes.
    growth: f64,
    /// The most that guests drew at once, in mebibytes, beyond the two that each has in any case.
    guest: f64,
}

/// Measure with a server whose Gitea is at the address that `launch` is given; `scratch` is a folder that the caller
/// removes, `shot` makes a call of a tool by one of the callers.
///
/// # Errors
/// Something does not start or answers wrongly. A missed aim is no error.
pub async fn measure(
    scratch: &Path,
    role: impl Fn(&str) -> Launch,
    launch: impl Fn(&str) -> Launch,
    shot: impl Fn(usize, &str, Value) -> Shot,
) -> Result<Dear> {
    eprintln!("dear: a repository of {} MiB", stock::REPOSITORY >> 20);
    let folder = scratch.join("stock");
    let archive = stock::make(&folder).await?;
    let gitea = role(&folder.display().to_string()).start().await?;
    let server = launch(&gitea.address).start().await?;
    let of = |caller: usize, tool: &str, more: Value| {
        let mut arguments = json!({"owner": "alice", "repo": "demo"});
        for (name, value) in more.as_object().into_iter().flatten() {
            arguments[name] = value.clone();
        }
        shot(caller, tool, arguments)
    };
    let issue = of(0, "get_issue", json!({"issue_number": 5}));
    let (_, answer) = Connection::open(&server.address).await?.send(&issue).await?;
    let mut calls = Vec::new();
    for (name, tool, more, marker) in [
        ("get_issue", "get_issue", json!({"issue_number": 5}), "\"number\":5"),
        ("search_code, words", "search_code", json!({"query": stock::NEEDLE}), "\"total_matches\":103"),
        (
            "search_code, expression",
            "search_code",
            json!({"query": r"//\s\w+_bench$", "regex": true}),
            "\"total_matches\":103",
        ),
        ("get_file_contents, 1 MiB", "get_file_contents", json!({"filepath": "much.rs"}), "total_lines"),
        ("get_commit_diff, 5 MiB", "get_commit_diff", json!({"sha": "main"}), "src/f0.rs"),
    ] {
        eprintln!("dear: {name}");
        calls.push(call(&server, name, marker, |caller| of(caller, tool, more.clone())).await?);
    }
    eprintln!("dear: get_issue beside two searches");
    let alone = load(&server.address, std::slice::from_ref(&issue), SPAN, answer.len()).await?;
    let searching: Vec<JoinHandle<Result<usize>>> = [1, 2]
        .map(|caller| {
            let searches = (0..64)
                .map(|nth| of(caller, "search_code", json!({"query": format!("nowhere_{caller}_{nth}")})));
            tokio::spawn(search(server.address.clone(), searches.collect(), Instant::now() + SPAN))
        })
        .into();
    let beside = load(&server.address, &[issue], SPAN, answer.len()).await?;
    let mut searches = 0;
    for one in searching {
        searches += one.await??;
    }
    server.stop().await;
    gitea.stop().await;
    let quantiles = |met: &crate::load::Met| (met.quantile(0.5), met.quantile(0.99));
    Ok(Dear { calls, archive, alone: quantiles(&alone), beside: quantiles(&beside), searches })
}

/// Search again and again; how often.
async fn search(address: String, searches: Vec<Shot>, until: Instant) -> Result<usize> {
    let mut connection = Connection::open(&address).await?;
    let mut ended = 0;
    for shot in searches {
        if Instant::now() >= until {
            break;
        }
        let (status, body) = connection.send(&shot).await?;
        let said = String::from_utf8_lossy(&body);
        if !status.is_success() || !said.contains("\"total_matches\":0") {
            return Err(format!("a search beside others answered {status}: {said}").into());
        }
        ended += 1;
    }
    Ok(ended)
}

async fn call(
    server: &Running,
    name: &'static str,
    marker: &str,
    shot: impl Fn(usize) -> Shot,
) -> Result<Call> {
    let mut seconds = Vec::new();
    let (mut growth, mut guest) = (0.0_f64, 0.0_f64);
    for nth in 0..TIMES {
        // Each by another caller: what one was told is kept for it.
        let shot = shot(nth);
        let mut connection = Connection::open(&server.address).await?;
        let drawn = Arc::new(AtomicU64::new(0));
        let watching = tokio::spawn(watch(server.address.clone(), drawn.clone()));
        server.forget_high_water()?;
        let before = server.usage()?.resident;
        let started = Instant::now();
        let (status, body) = connection.send(&shot).await?;
        seconds.push(started.elapsed().as_secs_f64());
        let most = server.high_water().ok_or("the server is gone")?;
        watching.abort();
        guest = guest.max(drawn.load(Ordering::Relaxed) as f64 / MEBIBYTE);
        let said = String::from_utf8_lossy(&body);
        if !status.is_success() || !said.contains(marker) {
            let said: String = said.chars().take(2_000).collect();
            return Err(format!("{name} answered {status} without {marker}: {said}").into());
        }
        growth = growth.max(most.saturating_sub(before) as f64 / MEBIBYTE);
    }
    seconds.sort_by(f64::total_cmp);
    let seconds = seconds.get(TIMES / 2).copied().unwrap_or(f64::NAN);
    Ok(Call { name, seconds, growth, guest })
}

/// Look again and again at how much memory guests have drawn, and keep the most.
async fn watch(address: String, most: Arc<AtomicU64>) -> Result<()> {
    let metrics = Shot { method: "GET", target: "/metrics", headers: Vec::new(), body: String::new() };
    let mut connection = Connection::open(&address).await?;
    loop {
        let (_, body) = connection.send(&metrics).await?;
        let text = String::from_utf8_lossy(&body);
        let drawn = text.lines().find_map(|line| line.strip_prefix("aegis_instance_memory_bytes "));
        most.fetch_max(drawn.and_then(|bytes| bytes.parse().ok()).unwrap_or(0), Ordering::Relaxed);
        tokio::time::sleep(LOOK).await;
    }
}

impl Dear {
    /// What is promised of memory. Times are of one machine and have no aim.
    pub fn aims(&self) -> Vec<Aim> {
        let searches = self.calls.iter().filter(|call| call.name.starts_with("search_code"));
        let growth = searches.map(|call| call.growth).fold(f64::NAN, f64::max);
        vec![Aim::most("host and guest grow by, during a search of 50 MiB", "MiB", MOST_GROWTH, growth)]
    }

    fn ratio(&self) -> f64 {
        self.beside.0 / self.alone.0
    }

    /// For `bench.json`.
    pub fn json(&self) -> Value {
        let calls = self.calls.iter().map(|call| {
            let Call { name, seconds, growth, guest } = call;
            json!({"name": name, "seconds": seconds, "growth_mib": growth, "guest_mib": guest})
        });
        let issue = |(p50, p99): (f64, f64)| json!({"p50_us": p50, "p99_us": p99});
        json!({
            "aims": self.aims().iter().map(Aim::json).collect::<Vec<_>>(),
            "archive_bytes": self.archive,
            "calls": calls.collect::<Vec<_>>(),
            "get_issue_alone": issue(self.alone),
            "get_issue_beside_two_searches": issue(self.beside),
            "p50_ratio": self.ratio(),
            "searches_beside": self.searches,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "\n{:<28}{:>10}{:>16}{:>16}", "dear calls", "ms", "growth MiB", "guest MiB");
        for Call { name, seconds, growth, guest } in &self.calls {
            let _ = writeln!(out, "{name:<28}{:>10.1}{growth:>16.1}{guest:>16.1}", seconds * 1e3);
        }
        let _ = writeln!(
            out,
            "(an archive of {:.1} MiB that holds {} MiB; growth is of the whole process, guest is beyond its first 2 MiB)",
            self.archive as f64 / MEBIBYTE,
            stock::REPOSITORY >> 20
        );
        let ((alone, late), (beside, later)) = (self.alone, self.beside);
        let _ = write!(
            out,
            "get_issue p50 {alone:.0} us alone, {beside:.0} beside two searches ({} ended): x {:.2}; p99 {late:.0}, {later:.0}",
            self.searches,
            self.ratio()
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dear(growth: f64) -> Dear {
        let call = |name, growth| Call { name, seconds: 0.5, growth, guest: 3.0 };
        let calls = vec![call("get_issue", 99.0), call("search_code, words", growth)];
        Dear { calls, archive: 1 << 20, alone: (100.0, 200.0), beside: (150.0, 900.0), searches: 7 }
    }

    #[test]
    fn a_search_that_makes_the_host_grow_too_much_is_a_miss_and_other_calls_are_not_counted() {
        let met = |dear: Dear| dear.aims().iter().map(|aim| aim.met).collect::<Vec<_>>();
        assert_eq!(met(dear(32.0)), [true]);
        assert_eq!(met(dear(32.1)), [false]);
        assert_eq!(
            met(Dear { calls: Vec::new(), ..dear(1.0) }),
            [false],
            "what was not measured is no success"
        );
        assert!(dear(40.0).text().contains("x 1.50") && dear(40.0).json()["p50_ratio"] == 1.5);
    }
}
