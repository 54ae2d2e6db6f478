//! The second verifier (`tests/verifier`), asked about one case after the other.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

pub struct Second {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Second {
    /// # Panics
    /// There is no Python.
    pub fn new() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier/verify.py");
        let mut command = Command::new("python3");
        command.arg(script).arg("--cases").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 is installed: the second verifier needs it");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, answers }
    }

    /// The verdict on a case, see `verify.py`.
    ///
    /// # Panics
    /// It gives none.
    pub fn judge(&mut self, case: &Value) -> Value {
        writeln!(self.child.stdin.as_mut().expect("piped"), "{case}").expect("it reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        serde_json::from_str(&answer).expect("a verdict")
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
