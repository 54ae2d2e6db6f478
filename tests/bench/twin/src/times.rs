//! The timed clauses of the attacks (`tests/attacks/attacks.yaml`): what the time of an answer tells about a secret (C2),
//! what good clients feel of slow ones (H7) and of idle streams, and how fast and small hostile JSON (J1) and hostile policies (Y1) are
//! refused. Of the built server alone; the twin has no part in it.

mod idle;
mod refused;
mod secrets;
mod slow;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Result;
use crate::process::Launch;
use crate::report::Aim;

use idle::Idle;
use refused::{Document, Policy};
use secrets::Pair;
use slow::Beside;

/// Everything timed.
pub struct Times {
    secrets: Vec<Pair>,
    slow: Beside,
    idle: Idle,
    documents: Vec<Document>,
    policies: Vec<Policy>,
}

/// What these measurements start the server with.
struct Ground<'a> {
    program: PathBuf,
    /// A folder of this run alone.
    scratch: &'a Path,
}

impl Ground<'_> {
    /// A server with these settings and everything of its own in a folder of this name.
    fn launch(&self, name: &str, settings: &[(&str, &str)]) -> Result<Launch> {
        let folder = self.scratch.join(name);
        std::fs::create_dir_all(&folder)?;
        let own = [
            ("AUDIT_LOG_PATH", folder.join("audit.log")),
            ("DCR_STORAGE_PATH", folder.join("dcr.json")),
            ("GUEST_CACHE_DIR", self.scratch.join("guests")),
        ];
        let mut variables: BTreeMap<String, String> =
            own.iter().map(|(name, path)| ((*name).to_owned(), path.display().to_string())).collect();
        variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Ok(Launch { program: self.program.clone(), arguments: vec!["serve".to_owned()], variables })
    }
}

/// Measure all of it with the server in `dist`; `scratch` is a folder that the caller removes.
///
/// # Errors
/// Something does not start, or answers otherwise than its row says. A missed bound is no error.
pub async fn measure(dist: &Path, scratch: &Path) -> Result<Times> {
    let ground = Ground { program: std::path::absolute(dist.join("aegis-mcp"))?, scratch };
    eprintln!("times: refusals of hostile policies");
    let policies = refused::policies(&ground).await?;
    eprintln!("times: refusals of hostile JSON");
    let documents = refused::documents(&ground).await?;
    eprintln!("times: good clients beside slow ones");
    let slow = slow::beside(&ground).await?;
    eprintln!("times: idle streams");
    let idle = idle::idle(&ground).await?;
    let secrets = secrets::pairs(&ground).await?;
    Ok(Times { secrets, slow, idle, documents, policies })
}

impl Times {
    /// What the rows of the attacks promise.
    pub fn aims(&self) -> Vec<Aim> {
        let worst = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NAN, f64::max);
        let t = worst(&mut self.secrets.iter().map(|pair| pair.t.abs()));
        let json = worst(&mut self.documents.iter().map(|document| document.slow));
        let seconds = worst(&mut self.policies.iter().map(|policy| policy.seconds));
        let mebibytes = worst(&mut self.policies.iter().map(|policy| policy.mebibytes));
        vec![
            Aim::most("C2: largest |t| between answers to wrong secrets", "", secrets::MOST, t),
            Aim::most(
                "H7: p99 of good clients beside slow ones, as a ratio",
                "",
                slow::MOST,
                self.slow.ratio(),
            ),
            Aim::most(
                "p50 of calls beside idle streams, as a ratio",
                "",
                idle::MOST_RATIO,
                self.idle.ratio(),
            ),
            Aim::most("memory of idle streams", "MiB", idle::MOST_MEBIBYTES, self.idle.mebibytes()),
            Aim::most("J1: slowest refusal of hostile JSON, p95", "ms", refused::MOST_JSON, json),
            Aim::most("Y1: slowest refusal of a hostile policy", "s", refused::MOST_SECONDS, seconds),
            Aim::most("Y1: most memory for a hostile policy", "MiB", refused::MOST_MEBIBYTES, mebibytes),
        ]
    }

    /// For `bench.json`.
    pub fn json(&self) -> Value {
        json!({
            "aims": self.aims().iter().map(Aim::json).collect::<Vec<_>>(),
            "secrets": self.secrets.iter().map(Pair::json).collect::<Vec<_>>(),
            "slow_clients": self.slow.json(),
            "idle_streams": self.idle.json(),
            "json": self.documents.iter().map(Document::json).collect::<Vec<_>>(),
            "policies": self.policies.iter().map(Policy::json).collect::<Vec<_>>(),
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let head = ("timed clauses of the attacks", "samples", "median us", "apart ns", "t");
        let _ = writeln!(out, "\n{:<58}{:>9}{:>11}{:>10}{:>8}", head.0, head.1, head.2, head.3, head.4);
        for pair in &self.secrets {
            let Pair { name, samples, median, apart, t } = pair;
            let _ = writeln!(out, "C2 {name:<55}{samples:>9}{median:>11.1}{apart:>10.0}{t:>8.2}");
        }
        let _ = writeln!(out, "{}", self.slow.text());
        let _ = writeln!(out, "{}", self.idle.text());
        for Document { name, median, slow, status } in &self.documents {
            let _ = writeln!(out, "J1 {name:<40} {status}  median {median:>7.2} ms  p95 {slow:>7.2} ms");
        }
        for Policy { name, seconds, mebibytes } in &self.policies {
            let _ = writeln!(out, "Y1 {name:<40} refused in {seconds:>6.3} s, {mebibytes:>5.1} MiB at most");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_each_kind_is_what_counts() {
        let pair = |t| Pair { name: "a", samples: 2, median: 1.0, apart: 0.0, t };
        let document = |slow| Document { name: "b", median: 1.0, slow, status: 400 };
        let policy = |seconds, mebibytes| Policy { name: "c", seconds, mebibytes };
        let times = |t, json, seconds, mebibytes, slow| Times {
            secrets: vec![pair(0.1), pair(t)],
            slow: Beside { rounds: vec![(1.0, slow)] },
            idle: Idle::of(slow / 2.0),
            documents: vec![document(json), document(1.0)],
            policies: vec![policy(seconds, 1.0), policy(0.1, mebibytes)],
        };
        let met = |times: Times| times.aims().iter().map(|aim| aim.met).collect::<Vec<_>>();
        assert_eq!(met(times(-4.5, 50.0, 1.0, 64.0, 2.0)), [true; 7]);
        assert_eq!(met(times(-4.6, 50.1, 1.1, 64.1, 2.1)), [false; 7]);
        assert!(times(-4.6, 1.0, 0.1, 1.0, 1.0).text().contains("-4.60"));
    }
}
