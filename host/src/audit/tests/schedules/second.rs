//! The logs that these lives leave, before and after recovery, as two verifiers see them: this program's, and the one in
//! `tests/verifier`, which was written from docs/audit-format.md alone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use aegis_custody::audit::{End, Verifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{asked, lived};
use crate::audit::tests::sim::Sim;
use crate::audit::tests::{evidence, path};

/// How many logs, for the long form.
const HONEST: &str = "AEGIS_TEST_HONEST";

/// The second verifier, asked about one log after the other.
struct Second {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Second {
    fn new() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/verifier/verify.py");
        let mut command = Command::new("python3");
        command.arg(script).arg("--cases").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 is installed: the second verifier needs it");
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    fn judge(&mut self, sim: &Sim) -> Value {
        let read = |name: String| {
            let bytes = sim.read(&path().with_file_name(&name)).unwrap();
            (name, Value::from(STANDARD.encode(bytes)))
        };
        let files: serde_json::Map<String, Value> = sim.names().into_iter().map(read).collect();
        writeln!(self.child.stdin.as_mut().unwrap(), "{}", json!({"files": files})).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).expect("a verdict")
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Exit code and lines, by this program's rules.
fn first(sim: &Sim) -> (u64, u64) {
    let (mut verifier, mut lines, mut torn) = (Verifier::default(), 0, false);
    for (named, bytes) in sim.log(&path()) {
        let segment = verifier.segment(&mut &bytes[..], named, &mut |_| ()).unwrap();
        assert!(!matches!(segment.end, End::Bad { .. }), "an honest log: {:?}", segment.end);
        torn |= segment.end != End::Whole;
        lines += segment.lines;
    }
    let found = evidence(sim, &[]);
    let code = match (lines, found.problems.len(), torn, found.gaps.len()) {
        (0, 0, false, _) => 2,
        (_, 0, false, 0) => 0,
        (_, 0, false, _) => 4,
        (_, 0, true, _) => 3,
        (..) => 1,
    };
    (code, lines)
}

#[test]
#[ignore = "needs python3: `make faults-short`"]
fn honest_logs_alarm_neither_of_two_verifiers_and_both_say_the_same() {
    let count = asked(HONEST, 300);
    let (mut second, mut seen, mut torn) = (Second::new(), 0, 0);
    for seed in 1..=count {
        lived(seed, &mut |sim| {
            let (code, lines) = first(sim);
            assert_ne!(code, 1, "seed {seed}: an honest log");
            let other = second.judge(sim);
            assert_eq!(other["exit_code"], code, "seed {seed}: {other}");
            // Where it holds no line there is no number of them to speak of.
            assert!(code == 2 || other["lines"] == lines, "seed {seed}: {lines} lines, {other}");
            seen += 1;
            torn += u64::from(code == 3);
        });
    }
    println!(
        "F6: {seen} states of {count} honest logs, {torn} with a torn tail, 0 false alarms; two verifiers agree"
    );
}
