//! `policy replay`: the calls that an audit log recorded, judged by another policy. The log is verified while it is read:
//! one that was tampered with answers nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aegis_custody::audit::{Event, Line};
use serde_json::{Value, json};

use super::super::{EnvFile, audit};
use super::asked::{Guest, NoAnswer};
use super::show::{digest, plain, text};
use super::{NO, print, told};

/// Calls that the guest judges at once: what it is asked and answers stays far below what it may hold.
const BATCH: usize = 500;
/// A path that is recorded as long as this may have been cut, in characters; see `guest/core/src/audit.rs`.
const CUT_PATH: usize = 500;
/// As many paths as this may not be all.
const CUT_PATHS: usize = 50;
/// Stands in the log where something secret stood.
const MASKED: &str = "[redacted:";

/// A call as the log names it. Calls that are alike are judged once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Made {
    allowed: bool,
    tool: String,
    class: Option<String>,
    owner: Option<String>,
    repo: Option<String>,
    paths: Vec<String>,
}

/// How often, and where in the log first.
struct Times {
    count: u64,
    seq: u64,
    ts: String,
}

#[derive(Default)]
struct Recorded {
    made: BTreeMap<Made, Times>,
    /// Lines of any kind.
    lines: u64,
    /// Refusals by the policy that came in a flood and were counted instead of named.
    unnamed: u64,
}

impl Recorded {
    fn observe(&mut self, line: &Line<'_>) {
        self.lines = self.lines.saturating_add(1);
        let reason = line.text("reason");
        let allowed = match line.event() {
            Some(Event::ToolInvocation) if line.text("status").as_deref() == Some("pending") => true,
            Some(Event::AccessDenied) if reason.as_deref() == Some("policy_denied") => false,
            _ => return,
        };
        if !allowed && let Some(more) = line.number("suppressed") {
            self.unnamed = self.unnamed.saturating_add(more);
            return;
        }
        let Some(tool) = line.text("tool") else { return };
        let owned = |name: &str| line.text(name).map(std::borrow::Cow::into_owned);
        let paths = line.value("paths").and_then(|paths| serde_json::from_value(paths).ok());
        let made = Made {
            allowed,
            tool: tool.into_owned(),
            class: owned("class"),
            owner: owned("owner"),
            repo: owned("repo"),
            paths: paths.unwrap_or_default(),
        };
        let first = || Times { count: 0, seq: line.seq(), ts: line.ts().to_string() };
        let times = self.made.entry(made).or_insert_with(first);
        times.count = times.count.saturating_add(1);
    }
}

impl Made {
    fn question(&self) -> Value {
        let Self { allowed: _, tool, class, owner, repo, paths } = self;
        json!({"tool": tool, "class": class, "owner": owner, "repo": repo, "paths": paths})
    }

    /// Whether the log may not hold the whole of what was asked for.
    fn is_cut(&self) -> bool {
        self.paths.len() >= CUT_PATHS
            || self.paths.iter().any(|path| path.chars().count() >= CUT_PATH || path.contains(MASKED))
    }
}

pub(super) fn run(env: &EnvFile, log: &Path, policy: PathBuf, json: bool) -> Result<ExitCode, NoAnswer> {
    let guest = Guest::load(env)?;
    let document = guest.document(Some(policy))?;
    let text = guest.text(&document)?;
    let mut recorded = Recorded::default();
    audit::each_line(log, &mut |line| recorded.observe(line)).map_err(NoAnswer::of)?;
    if recorded.lines == 0 {
        // That no call would differ would be said of nothing.
        let what = "holds no line: an audit log begins with log_open";
        return Err(NoAnswer::of(format!("{}: {what}", log.display())));
    }
    let all: Vec<(&Made, &Times)> = recorded.made.iter().collect();
    let mut judged = Vec::with_capacity(all.len());
    for batch in all.chunks(BATCH) {
        let calls: Vec<Value> = batch.iter().map(|(made, _)| made.question()).collect();
        let answer = guest.ask(&json!({"command": "policy-replay", "policy": text, "calls": calls}))?;
        let answers = answer.get("calls").and_then(Value::as_array).cloned().unwrap_or_default();
        if answers.len() != batch.len() {
            return Err(NoAnswer::of("the component has not answered every question"));
        }
        judged.extend(answers);
    }
    let mut answer = compare(&all, &judged);
    if let Some(members) = answer.as_object_mut() {
        members.insert("log".to_owned(), log.display().to_string().into());
        members.insert("file".to_owned(), document.name.clone().into());
        members.insert("digest".to_owned(), crate::policy::digest(&document.bytes).into());
        members.insert("counted_only".to_owned(), recorded.unnamed.into());
    }
    let differs = answer.get("different").and_then(Value::as_u64) != Some(0);
    print(&told(&answer, json, shown), if differs { NO } else { 0 })
}

/// What would be decided differently, call by call, and how many there are of each kind.
fn compare(all: &[(&Made, &Times)], judged: &[Value]) -> Value {
    let (mut allowed, mut denied, mut different, mut not_judged, mut cut) =
        (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    let mut rows = Vec::new();
    for ((made, times), answer) in all.iter().zip(judged) {
        let then = if made.allowed { &mut allowed } else { &mut denied };
        *then = then.saturating_add(times.count);
        let Some(now) = answer.get("allowed").and_then(Value::as_bool) else {
            not_judged = not_judged.saturating_add(times.count);
            continue;
        };
        if made.is_cut() {
            cut = cut.saturating_add(times.count);
        }
        if now == made.allowed {
            continue;
        }
        different = different.saturating_add(times.count);
        let word = |allowed: bool| if allowed { "allow" } else { "deny" };
        let repository =
            made.owner.as_ref().zip(made.repo.as_ref()).map(|(owner, repo)| format!("{owner}/{repo}"));
        rows.push(json!({
            "times": times.count, "first_seq": times.seq, "first_ts": times.ts, "tool": made.tool,
            "repository": repository, "paths": made.paths, "then": word(made.allowed), "now": word(now),
            "rule": answer.get("rule"), "why": answer.get("why"), "exact": !made.is_cut(),
        }));
    }
    json!({
        "calls": allowed.saturating_add(denied), "allowed": allowed, "denied": denied, "different": different,
        "not_judged": not_judged, "not_exact": cut, "differences": rows,
    })
}

fn shown(answer: &Value) -> String {
    let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "log        {}", text(answer, "log"));
    let _ = writeln!(out, "policy     {} (sha256 {}...)", text(answer, "file"), digest(answer));
    let _ = writeln!(
        out,
        "calls      {}: {} that were allowed, {} that the policy denied",
        number("calls"),
        number("allowed"),
        number("denied")
    );
    let _ = writeln!(out, "different  {}", number("different"));
    for row in answer.get("differences").and_then(Value::as_array).into_iter().flatten() {
        let repository = row.get("repository").and_then(Value::as_str);
        let place = repository.map_or_else(String::new, |name| format!(" on {}", plain(name)));
        let paths =
            row.get("paths").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let paths: String = paths.map(|path| format!(" {}", plain(path))).collect();
        let times = row.get("times").and_then(Value::as_u64).unwrap_or_default();
        let seq = row.get("first_seq").and_then(Value::as_u64).unwrap_or_default();
        let (then, now) = (text(row, "then"), text(row, "now"));
        let _ = writeln!(out, "\n{}{place}{paths}", text(row, "tool"));
        let _ = writeln!(
            out,
            "    then {then}, now {now}, {times} times, first in line {seq} ({})",
            text(row, "first_ts")
        );
        let _ = writeln!(out, "    {}: {}", text(row, "rule"), text(row, "why"));
        if row.get("exact") == Some(&Value::Bool(false)) {
            out.push_str("    the log does not hold these paths whole: look at the call itself\n");
        }
    }
    for (count, says) in [
        (number("not_judged"), "of tools that there are no more could not be judged"),
        (number("not_exact"), "were judged by paths that the log does not hold whole"),
        (number("counted_only"), "refusals came in a flood, and the log counts them without naming them"),
    ] {
        if count > 0 {
            let _ = writeln!(out, "\nnote       {count} {says}");
        }
    }
    out
}
