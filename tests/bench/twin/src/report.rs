//! What was measured, against what is aimed at. A missed aim is marked and kept; nothing here measures.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::rounds::{MANY, Part, Round};
use crate::start::Start;

/// Most microseconds that the host's median may lie above the twin's.
const AIM_LATENCY: f64 = 220.0;
/// Least share of the twin's throughput.
const AIM_SHARE: f64 = 0.45;
/// Most milliseconds from exec to the first `tools/list`, from the cache.
const AIM_START: f64 = 50.0;
/// Most resident mebibytes before any load.
const AIM_IDLE: f64 = 30.0;

/// One subject over all rounds.
pub struct Seen {
    /// Its name.
    pub name: &'static str,
    /// Its rounds, in order.
    pub rounds: Vec<Round>,
}

impl Seen {
    /// Before the first round.
    pub fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new() }
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }

    fn part(&self, part: impl Fn(&Round) -> Part) -> Part {
        Part {
            p50: self.median(|round| part(round).p50),
            p99: self.median(|round| part(round).p99),
            rate: self.median(|round| part(round).rate),
            user: self.median(|round| part(round).user),
            kernel: self.median(|round| part(round).kernel),
            waits: self.median(|round| part(round).waits),
        }
    }
}

/// A whole run.
pub struct Report {
    /// The subjects: fixed, and twin and host on each volume.
    pub seen: Vec<Seen>,
    /// Starts with the compiled guest in its cache.
    pub warm: Vec<Start>,
    /// Starts without.
    pub cold: Vec<Start>,
    /// Load averages before and after.
    pub load_before: String,
    /// See `load_before`.
    pub load_after: String,
}

/// A figure and its bound.
pub struct Aim {
    name: &'static str,
    unit: &'static str,
    aim: f64,
    found: f64,
    /// Whether it is within its bound; what was not measured is not.
    pub met: bool,
}

impl Aim {
    /// For `bench.json`.
    pub fn json(&self) -> Value {
        json!({"name": self.name, "unit": self.unit, "aim": self.aim, "found": self.found, "met": self.met})
    }

    /// A line for people.
    pub fn text(&self) -> String {
        let Self { name, unit, aim, found, met } = self;
        let word = if *met { "met " } else { "MISS" };
        format!("  {word} {name}: {found:.2} {unit} (aim {aim} {unit})")
    }

    /// Met up to the bound.
    pub fn most(name: &'static str, unit: &'static str, aim: f64, found: f64) -> Self {
        Self { name, unit, aim, found, met: found <= aim }
    }

    fn least(name: &'static str, unit: &'static str, aim: f64, found: f64) -> Self {
        Self { name, unit, aim, found, met: found >= aim }
    }
}

impl Report {
    fn of(&self, name: &str) -> &[Round] {
        self.seen.iter().find(|seen| seen.name == name).map_or(&[], |seen| &seen.rounds)
    }

    /// The host beside the twin, round by round, so that what the machine did meanwhile falls on both.
    fn compare(&self, volume: &str, by: impl Fn(&Round, &Round) -> f64) -> f64 {
        let (hosts, twins) = (self.of(&format!("host, {volume}")), self.of(&format!("twin, {volume}")));
        median(hosts.iter().zip(twins).map(|(host, twin)| by(host, twin)))
    }

    fn more_latency(&self, volume: &str) -> f64 {
        self.compare(volume, |host, twin| host.one.p50 - twin.one.p50)
    }

    fn share(&self, volume: &str) -> f64 {
        self.compare(volume, |host, twin| host.many.rate / twin.many.rate)
    }

    fn more_cpu(&self, volume: &str) -> f64 {
        let cpu = |part: Part| part.user + part.kernel;
        self.compare(volume, |host, twin| cpu(host.many) - cpu(twin.many))
    }

    fn aims(&self) -> Vec<Aim> {
        let warm = median(self.warm.iter().map(|start| start.tools));
        let idle = median(self.of("host, memory").iter().map(|round| mebibytes(round.idle.resident)));
        vec![
            Aim::most(
                "p50 at 1 connection above the twin's, memory",
                "us",
                AIM_LATENCY,
                self.more_latency("memory"),
            ),
            Aim::least(
                "requests/s at 32 as a share of the twin's, memory",
                "",
                AIM_SHARE,
                self.share("memory"),
            ),
            Aim::most("exec to first tools/list, compiled guest cached", "ms", AIM_START, warm),
            Aim::most("resident when idle", "MiB", AIM_IDLE, idle),
        ]
    }

    /// The content of `bench.json`.
    pub fn json(&self) -> Value {
        let usage = |round: &Round| {
            json!({
                "one": round.one.json(), "many": round.many.json(), "idle_cpu": round.idle_cpu,
                "idle_resident_bytes": round.idle.resident, "idle_anonymous_bytes": round.idle.anonymous,
                "loaded_resident_bytes": round.after.resident, "loaded_anonymous_bytes": round.after.anonymous,
            })
        };
        let subjects = self.seen.iter().map(|seen| {
            let rounds: Vec<Value> = seen.rounds.iter().map(usage).collect();
            (seen.name.to_owned(), Value::from(rounds))
        });
        let aims = self.aims();
        let ratios = ["memory", "disk"].map(|volume| {
            json!({
                "volume": volume,
                "p50_above_twin_us": self.more_latency(volume),
                "share_of_twin_throughput": self.share(volume),
                "cpu_above_twin_us_per_request": self.more_cpu(volume),
            })
        });
        json!({
            "connections": {"one": 1, "many": MANY},
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "load_average": {"before": self.load_before, "after": self.load_after},
            "aims": aims.iter().map(Aim::json).collect::<Vec<_>>(),
            "ratios": ratios.to_vec(),
            "rounds": Value::Object(subjects.collect()),
            "start_cached": self.warm.iter().map(Start::json).collect::<Vec<_>>(),
            "start_compiling": self.cold.iter().map(Start::json).collect::<Vec<_>>(),
        })
    }

    /// The report for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.table(&mut out, "1 connection", |round| round.one);
        self.table(&mut out, &format!("{MANY} connections"), |round| round.many);
        self.memory(&mut out);
        self.starts(&mut out);
        let _ = writeln!(out, "\nhost beside twin, median of the rounds");
        for volume in ["memory", "disk"] {
            let _ = writeln!(
                out,
                "  {volume:<8} p50 {:+.0} us, throughput x {:.2}, CPU per request {:+.0} us",
                self.more_latency(volume),
                self.share(volume),
                self.more_cpu(volume)
            );
        }
        let _ = writeln!(out, "\naims");
        for aim in self.aims() {
            let _ = writeln!(out, "{}", aim.text());
        }
        let _ = writeln!(out, "\nload average {} before, {} after", self.load_before, self.load_after);
        out
    }

    fn table(&self, out: &mut String, title: &str, part: impl Fn(&Round) -> Part) {
        let _ = writeln!(
            out,
            "\n{title:<15}{:>10}{:>10}{:>12}{:>12}{:>12}{:>9}{:>19}",
            "p50 us", "p99 us", "requests/s", "user us", "kernel us", "waits", "p50 of each round"
        );
        for seen in &self.seen {
            let Part { p50, p99, rate, user, kernel, waits } = seen.part(&part);
            let each: Vec<String> =
                seen.rounds.iter().map(|round| format!("{:.0}", part(round).p50)).collect();
            let _ = writeln!(
                out,
                "{:<15}{p50:>10.0}{p99:>10.0}{rate:>12.0}{user:>12.1}{kernel:>12.1}{waits:>9.1}{:>19}",
                seen.name,
                each.join(" ")
            );
        }
        let _ = writeln!(out, "(user, kernel and waits are per request, of the server alone)");
    }

    fn memory(&self, out: &mut String) {
        let _ = writeln!(
            out,
            "\n{:<15}{:>10}{:>12}{:>12}{:>12}{:>12}",
            "resident MiB", "idle", "of it anon", "after load", "of it anon", "idle CPU %"
        );
        for seen in &self.seen {
            let _ = writeln!(
                out,
                "{:<15}{:>10.1}{:>12.1}{:>12.1}{:>12.1}{:>12.1}",
                seen.name,
                seen.median(|round| mebibytes(round.idle.resident)),
                seen.median(|round| mebibytes(round.idle.anonymous)),
                seen.median(|round| mebibytes(round.after.resident)),
                seen.median(|round| mebibytes(round.after.anonymous)),
                seen.median(|round| round.idle_cpu * 100.0),
            );
        }
    }

    fn starts(&self, out: &mut String) {
        let _ =
            writeln!(out, "\n{:<15}{:>12}{:>12}{:>12}", "start, ms", "listening", "/health", "tools/list");
        for (name, starts) in [("guest cached", &self.warm), ("compiling", &self.cold)] {
            let part = |of: fn(&Start) -> f64| median(starts.iter().map(of));
            let (listening, health, tools) = (part(|s| s.listening), part(|s| s.health), part(|s| s.tools));
            let _ = writeln!(out, "{name:<15}{listening:>12.1}{health:>12.1}{tools:>12.1}");
        }
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The middle one; of an even number the lower of the two.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Usage;

    fn seen(name: &'static str, p50: f64, rate: f64, mebibytes: u64) -> Seen {
        let part = Part { p50, p99: p50, rate, user: 1.0, kernel: 1.0, waits: 0.0 };
        let usage = Usage { resident: mebibytes << 20, ..Usage::default() };
        Seen { name, rounds: vec![Round { one: part, many: part, idle: usage, idle_cpu: 0.0, after: usage }] }
    }

    fn report(p50: f64, rate: f64, resident: u64, start: f64) -> Report {
        Report {
            seen: vec![seen("twin, memory", 100.0, 1_000.0, 5), seen("host, memory", p50, rate, resident)],
            warm: vec![Start { listening: start, health: start, tools: start }],
            cold: Vec::new(),
            load_before: String::new(),
            load_after: String::new(),
        }
    }

    #[test]
    fn an_aim_is_met_at_its_bound_and_missed_beyond_it() {
        let met = |report: Report| report.aims().iter().map(|aim| aim.met).collect::<Vec<_>>();
        assert_eq!(met(report(320.0, 450.0, 30, 50.0)), [true; 4]);
        assert_eq!(met(report(321.0, 449.0, 31, 51.0)), [false; 4]);
        assert_eq!(
            met(report(f64::NAN, f64::NAN, 31, f64::NAN)),
            [false; 4],
            "what was not measured is no success"
        );
    }

    #[test]
    fn a_miss_is_printed_and_written() {
        let missed = report(900.0, 450.0, 30, 50.0);
        assert!(missed.text().contains("MISS p50"), "{}", missed.text());
        assert_eq!(missed.json()["aims"][0]["met"], false);
        assert_eq!(missed.json()["aims"][1]["met"], true);
    }

    #[test]
    fn one_disturbed_round_does_not_move_the_median() {
        assert_eq!(median([3.0, 900.0, 2.0].into_iter()), 3.0);
        assert!(median(std::iter::empty()).is_nan());
    }
}
