//! What a verification found, in words and as JSON. It judges nothing.

use std::fmt::Write as _;

use aegis_custody::audit::{EntryHash, Evidence, Mark, OpenTicket, Tickets};
use serde_json::{Value, json};

use super::{GAP, Report, TAMPERED, TORN, VALID};

/// How many of the calls without an outcome are named.
const NAMED: usize = 5;

impl Report {
    fn verdict(&self) -> &'static str {
        match self.code() {
            VALID => "valid",
            TORN => "valid, with a torn tail that was never acknowledged",
            GAP => "valid, and the proof has a gap",
            TAMPERED => "DAMAGED",
            _ => "not verified",
        }
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "verdict    {}", self.verdict());
        if let Some(problem) = &self.problem {
            let line = problem.line.map(|line| format!(" line {line}")).unwrap_or_default();
            let _ = writeln!(out, "where      {}{line}", problem.path.display());
            let _ = writeln!(out, "what       {}", problem.what);
        }
        for more in self.evidence.problems.iter().skip(1) {
            let _ = writeln!(out, "           {more}");
        }
        for gap in &self.evidence.gaps {
            let _ = writeln!(out, "gap        {gap}");
        }
        for (path, bytes, sha256) in self.torn() {
            let _ = writeln!(out, "torn tail  {}: {bytes} bytes, sha256 {sha256}", path.display());
        }
        let _ = writeln!(out, "log        {}", self.log_id.as_deref().unwrap_or("unknown"));
        let _ = writeln!(out, "files      {}", self.parts.len());
        let _ = writeln!(out, "lines      {}", self.lines());
        for (name, mark) in [("first", self.first()), ("last", self.last())] {
            if let Some(mark) = mark {
                let _ = writeln!(out, "{name:<10} seq {} at {}", mark.seq, mark.ts);
            }
        }
        if let Some(last) = self.last() {
            let _ = writeln!(out, "last hash  {}", last.hash);
        }
        if self.steps_back() > 0 {
            let _ = writeln!(out, "note       the clock went backwards {} times", self.steps_back());
        }
        if self.evidence.held > 0 {
            let Evidence { held, covered, .. } = &self.evidence;
            let _ = writeln!(out, "signed     {covered} lines, by {held} checkpoints");
        }
        if let Some(first) = self.first().filter(|mark| mark.seq > 1) {
            let _ = writeln!(out, "note       begins at seq {}: earlier segments were not given", first.seq);
        }
        if let Some(open) = self.open.as_ref().filter(|open| open.count() > 0) {
            let _ = writeln!(out, "note       {}", self.left_open(open));
        }
        if self.problem.as_ref().is_some_and(|problem| problem.line.is_some()) {
            let _ = writeln!(
                out,
                "note       only the lines before it were looked at; checkpoints and anchors were not compared"
            );
            return out;
        }
        if let Some(last) = self.last().filter(|last| last.seq > self.evidence.covered) {
            let unsigned = last.seq.saturating_sub(self.evidence.covered);
            let _ = writeln!(out, "note       {unsigned} lines at the end are not signed yet");
        }
        if self.broken_anchors > 0 {
            let _ = writeln!(
                out,
                "note       {} checkpoints in the anchors are not whole and were not compared: look whether newer ones are among them",
                self.broken_anchors
            );
        }
        if !self.anchored {
            let _ = writeln!(
                out,
                "note       whether lines were cut off at the end is told by a checkpoint that somebody else keeps: --anchor FILE"
            );
        }
        out
    }

    fn left_open(&self, open: &Tickets) -> String {
        let named = open.named();
        let mut ids: Vec<&str> = named.iter().take(NAMED).map(|open| open.ticket.as_str()).collect();
        if open.count() > u64::try_from(ids.len()).unwrap_or(u64::MAX) {
            ids.push("...");
        }
        let why = if self.stopped() {
            "though the server stopped in good order"
        } else {
            "while the server runs, calls under way are among them"
        };
        // The ids come from a file that anybody may have written: nothing in them reaches the terminal raw.
        let ids = ids.join(", ").escape_debug().to_string();
        format!("tool calls without an outcome: {}, {why}; tickets {ids}", open.count())
    }

    pub(super) fn json(&self) -> Value {
        let mark = |mark: Option<Mark>| {
            mark.map(
                |mark| json!({"seq": mark.seq, "ts": mark.ts.to_string(), "entry_hash": hash(mark.hash)}),
            )
        };
        let torn: Vec<Value> = self
            .torn()
            .map(|(path, bytes, sha256)| json!({"file": path.display().to_string(), "bytes": bytes, "sha256": sha256}))
            .collect();
        json!({
            "verdict": match self.code() { VALID => "valid", TORN => "torn", GAP => "gap", TAMPERED => "damaged", _ => "unreadable" },
            "exit_code": self.code(),
            "problem": self.problem.as_ref().map(|problem| json!({
                "file": problem.path.display().to_string(), "line": problem.line, "what": problem.what,
            })),
            "torn": torn,
            "log_id": self.log_id,
            "files": self.parts.iter().map(|part| part.path.display().to_string()).collect::<Vec<_>>(),
            "lines": self.lines(),
            "first": mark(self.first()),
            "last": mark(self.last()),
            "signed": {"checkpoints": self.evidence.held, "lines": self.evidence.covered},
            "problems": self.evidence.problems,
            "gaps": self.evidence.gaps,
            "broken_anchors": self.broken_anchors,
            "clock_steps_back": self.steps_back(),
            "without_outcome": self.open.as_ref().map(|open| json!({
                "count": open.count(),
                "first": open.named().into_iter().take(NAMED).map(OpenTicket::json).collect::<Vec<_>>(),
            })),
        })
    }
}

fn hash(hash: EntryHash) -> String {
    hash.to_string()
}
