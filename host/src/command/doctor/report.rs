//! What the doctor found, told to a person or, as JSON, to a program. Nothing in it is secret.

use std::io::{self, Write};

use serde_json::{Value, json};

pub(in crate::command) use crate::upstream::{Finding, Verdict};

/// Everything found, in the order in which it was looked at.
#[derive(Default)]
pub(in crate::command) struct Report(Vec<Finding>);

/// It is as it should be.
pub(super) fn pass(check: &'static str, says: impl Into<String>) -> Finding {
    Finding::new(check, Verdict::Pass, says)
}

/// It works, with a drawback, or it could not be looked at.
pub(super) fn warn(check: &'static str, says: impl Into<String>) -> Finding {
    Finding::new(check, Verdict::Warn, says)
}

/// It does not work until it is mended.
pub(super) fn fail(check: &'static str, says: impl Into<String>) -> Finding {
    Finding::new(check, Verdict::Fail, says)
}

impl Report {
    /// Take findings in.
    pub(in crate::command) fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.0.extend(findings);
    }

    /// Whether anything failed.
    pub(in crate::command) fn has_failed(&self) -> bool {
        self.count(Verdict::Fail) > 0
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.0.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// Write it all.
    ///
    /// # Errors
    /// The writer fails.
    pub(super) fn print(&self, as_json: bool, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
        if as_json {
            serde_json::to_writer_pretty(&mut *out, &self.json(exit_code))?;
            return writeln!(out);
        }
        self.print_lines(out)?;
        let [passed, warned, failed] = [Verdict::Pass, Verdict::Warn, Verdict::Fail].map(|v| self.count(v));
        writeln!(out, "{passed} passed, {warned} to look at, {failed} failed")
    }

    /// Write what was found for a person, a line each.
    ///
    /// # Errors
    /// The writer fails.
    pub(in crate::command) fn print_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = self.0.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
        for finding in &self.0 {
            let (verdict, says) = (word(finding.verdict), printable(&finding.says));
            writeln!(out, "{verdict}  {:width$}  {says}", finding.check)?;
        }
        Ok(())
    }

    fn json(&self, exit_code: u8) -> Value {
        let line = |finding: &Finding| json!({ "check": finding.check, "verdict": word(finding.verdict), "says": finding.says });
        json!({
            "exit_code": exit_code,
            "passed": self.count(Verdict::Pass),
            "warned": self.count(Verdict::Warn),
            "failed": self.count(Verdict::Fail),
            "findings": self.0.iter().map(line).collect::<Vec<_>>(),
        })
    }
}

/// Four letters each, so that the lines stand in columns.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        Verdict::Fail => "fail",
    }
}

/// What a server somewhere said must not steer the terminal.
pub(in crate::command) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        report.add([pass("a", "fine"), warn("longer", "hm; look"), fail("b", "broken\u{1b}[2J; mend it")]);
        report
    }

    #[test]
    fn lines_stand_in_columns_and_nothing_steers_the_terminal() {
        let mut out = Vec::new();
        report().print(false, 1, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let wanted = "pass  a       fine\nwarn  longer  hm; look\nfail  b       broken\u{fffd}[2J; mend it\n1 passed, 1 to look at, 1 failed\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn json_carries_the_same() {
        let mut out = Vec::new();
        report().print(true, 1, &mut out).unwrap();
        let read: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(read["exit_code"], 1);
        assert_eq!(read["failed"], 1);
        assert_eq!(read["findings"][2]["verdict"], "fail");
        assert_eq!(read["findings"][1]["says"], "hm; look");
    }

    #[test]
    fn only_a_failure_is_one() {
        let mut report = Report::default();
        report.add([pass("a", ""), warn("b", "")]);
        assert!(!report.has_failed());
        report.add([fail("c", "")]);
        assert!(report.has_failed());
    }
}
