//! A log that is made line by line, by the words of `docs/audit-format.md` alone.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A log in the making.
pub struct Log {
    pub bytes: Vec<u8>,
    seq: u64,
    prev: String,
    minute: u64,
}

/// `"log_id"` and what else the first line of a log says.
const OPEN: &str = r#""log_id":"00112233445566778899aabbccddeeff","version":"0.1.0""#;

impl Log {
    pub fn new() -> Self {
        let mut log = Self { bytes: Vec::new(), seq: 0, prev: "0".repeat(64), minute: 0 };
        log.line("log_open", OPEN);
        log
    }

    /// The next line, a minute after the one before: its event, and its members as JSON without braces.
    pub fn line(&mut self, event: &str, members: &str) -> &mut Self {
        self.seq += 1;
        let (day, hour, minute) = (1 + self.minute / 1440, self.minute / 60 % 24, self.minute % 60);
        self.minute += 1;
        let mut payload = format!(
            r#"{{"v":1,"seq":{},"ts":"2026-05-{day:02}T{hour:02}:{minute:02}:00.000Z","event":"{event}""#,
            self.seq
        );
        if !members.is_empty() {
            payload += ",";
            payload += members;
        }
        let _ = write!(payload, r#","prev_hash":"{}""#, self.prev);
        let hash = Sha256::new().chain_update("aegis-audit/v1\n").chain_update(&payload).finalize();
        self.prev = hash.iter().fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        });
        self.bytes.extend_from_slice(format!("{payload},\"entry_hash\":\"{}\"}}\n", self.prev).as_bytes());
        self
    }

    /// A call with its intent and its outcome. `who` and `tool` are written as JSON strings.
    pub fn call(&mut self, ticket: &str, who: &str, tool: &str, class: &str, status: &str) -> &mut Self {
        let (who, tool) = (Value::from(who), Value::from(tool));
        let common =
            format!(r#""principal":{who},"request_id":"r-{ticket}","ticket":"{ticket}","tool":{tool}"#);
        self.line(
            "tool_invocation",
            &format!(
                r#""arguments":{{"issue_number":"7"}},"class":"{class}","client":"Claude","owner":"acme","paths":["src/a.rs"],"repo":"site",{common},"status":"pending""#
            ),
        );
        self.line("tool_invocation", &format!(r#""calls":[],{common},"status":"{status}""#))
    }

    pub fn write(&self, path: &Path) {
        std::fs::write(path, &self.bytes).expect("written");
    }
}
