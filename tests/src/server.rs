//! The built program as a child process: started with settings of a test's choosing in a folder of its own,
//! asked over HTTP, stopped by signal. It is found where `make build` leaves it.

mod setup;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::http::{Answer, send};
use crate::outputs::{Outputs, clean_answer};
pub use setup::Setup;

/// The key that [`Setup::new`] configures, under the name `laptop`.
pub const KEY: &str = "aegis_key_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
/// A second key, under the name `ci`.
pub const OTHER_KEY: &str = "aegis_key_Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA";

/// `OAUTH_STATE_SECRET` of [`Setup::sign_in`].
pub const STATE_SECRET: &str = "a-secret-of-the-tests-that-is-long-enough";

/// How long a test waits for something that must happen; it is never waited out when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Where `make build` puts what it built; `AEGIS_DIST` names another folder.
#[must_use]
pub fn dist() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/dist");
    std::env::var_os("AEGIS_DIST").map_or(built, PathBuf::from)
}

/// A folder for one test, removed with it.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// A new, empty folder.
    #[must_use]
    pub fn new() -> Self {
        let name = format!("aegis-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A port that was free a moment ago, for settings that must name it before the server starts.
///
/// It is below those that Linux gives to whoever asks for any: one of those may become a connection of a test
/// beside this one before the server has it. No port is given twice by one process.
///
/// # Panics
/// The machine has none.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u32 = 12_000;
    const PORTS: u32 = 20_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Processes that run side by side begin far from each other.
    let begun = std::process::id().wrapping_mul(977);
    let next = || begun.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % PORTS + FIRST;
    (0..PORTS)
        .filter_map(|_| u16::try_from(next()).ok())
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// A server that listens.
pub struct Server {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    // Before the folder that it looks into.
    outputs: Outputs,
    folder: Folder,
    child: Child,
}

/// What a stopped server left.
pub struct Stopped {
    /// Exit code; 128 + signal where a signal ended it.
    pub code: i32,
    /// The audit log, whole.
    pub audit: Vec<Value>,
    /// Standard error, whole.
    pub log: String,
    /// Where the audit log is, while this lives.
    pub audit_path: PathBuf,
    _folder: Folder,
}

impl Server {
    /// One request with the key `laptop`.
    pub async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[], b"").await
    }

    /// One request with the key `laptop` and these headers too.
    ///
    /// # Panics
    /// There is no answer.
    pub async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let bearer = format!("Bearer {KEY}");
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        let answer = send(&self.url, method, target, &all, body).await.expect("an answer");
        clean_answer(&answer.text());
        answer
    }

    /// One request without a credential.
    ///
    /// # Panics
    /// There is no answer.
    pub async fn stranger(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let answer = send(&self.url, method, target, headers, body).await.expect("an answer");
        clean_answer(&answer.text());
        answer
    }

    /// A tool call by `POST /mcp/tool/call`.
    pub async fn tool(&self, tool: &str, arguments: Value) -> Answer {
        let body = serde_json::json!({"tool": tool, "arguments": arguments}).to_string();
        self.ask("POST", "/mcp/tool/call", &[("content-type", "application/json")], body.as_bytes()).await
    }

    /// A JSON-RPC message of the legacy era (2025-11-25) to `POST /mcp`.
    pub async fn legacy(&self, message: &Value) -> Answer {
        let headers = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2025-11-25"),
        ];
        self.ask("POST", "/mcp", &headers, message.to_string().as_bytes()).await
    }

    /// A request of the modern era (2026-07-28) to `POST /mcp`, with the headers and `_meta` that it asks for.
    pub async fn modern(&self, method: &str, params: Value) -> Answer {
        self.modern_with(&[], method, params).await
    }

    /// The same with these headers too.
    pub async fn modern_with(&self, more: &[(&str, &str)], method: &str, params: Value) -> Answer {
        let mut params = params;
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = serde_json::json!({});
        let name = params["name"].as_str().or(params["uri"].as_str()).unwrap_or_default().to_owned();
        let message = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", method),
        ];
        if !name.is_empty() {
            headers.push(("mcp-name", &name));
        }
        headers.extend_from_slice(more);
        self.ask("POST", "/mcp", &headers, message.to_string().as_bytes()).await
    }

    /// The folder of this server.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Where its audit log is.
    #[must_use]
    pub fn audit_path(&self) -> &Path {
        &self.outputs.audit
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.outputs.log.lock().expect("not poisoned").join("\n")
    }

    /// The audit lines on disk now.
    #[must_use]
    pub fn audit(&self) -> Vec<Value> {
        read_lines(&self.outputs.audit)
    }

    /// Wait until the audit log on disk satisfies a condition, and return it.
    ///
    /// # Panics
    /// It never does.
    pub async fn audit_when(&self, condition: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        self.audit_within(PATIENCE, condition).await
    }

    /// The same for what the server itself lets wait for longer.
    ///
    /// # Panics
    /// It never does.
    pub async fn audit_within(&self, patience: Duration, condition: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let lines = self.audit();
            if condition(&lines) {
                return lines;
            }
            assert!(tokio::time::Instant::now() < deadline, "the audit log never came to it: {lines:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Wait until the server's log holds a line that satisfies a condition, and return the line.
    ///
    /// # Panics
    /// It never does.
    pub async fn log_when(&self, condition: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(line) = lines.find(&condition) {
                return line;
            }
            assert!(tokio::time::Instant::now() < deadline, "the log never came to it: {log}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The value of one metric line, by its name and labels as written; 0 where it is absent.
    pub async fn metric(&self, line: &str) -> f64 {
        let text = self.stranger("GET", "/metrics", &[], b"").await.text();
        let found = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        found.and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// Send a signal (`TERM`, `INT`, `KILL`, `STOP`) by name.
    ///
    /// # Panics
    /// `kill` cannot be run.
    pub async fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await.expect("kill runs");
        assert!(sent.success(), "kill -s {name} {pid}");
    }

    /// The same to a server that may be gone; whether it was there.
    ///
    /// # Panics
    /// `kill` cannot be run.
    pub async fn try_signal(&self, name: &str) -> bool {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-s", name, &pid]).output().await.expect("kill runs").status.success()
    }

    /// Wait for the end without asking for it.
    ///
    /// # Panics
    /// It does not end.
    pub async fn wait(mut self) -> Stopped {
        use std::os::unix::process::ExitStatusExt as _;
        let status =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("it ran");
        let code = status.code().or(status.signal().map(|signal| signal + 128)).unwrap_or(-1);
        let log = self.log();
        let (audit, audit_path) = (read_lines(&self.outputs.audit), self.outputs.audit.clone());
        Stopped { code, audit, log, audit_path, _folder: self.folder }
    }

    /// SIGTERM, and wait for the end: its exit code, and the folder, for a log that is too long to be read whole.
    ///
    /// # Panics
    /// It does not end.
    pub async fn end(mut self) -> (i32, Folder) {
        use std::os::unix::process::ExitStatusExt as _;
        self.signal("TERM").await;
        let status =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("it ran");
        (status.code().or(status.signal().map(|signal| signal + 128)).unwrap_or(-1), self.folder)
    }

    /// SIGTERM, and wait for the end.
    pub async fn stop(self) -> Stopped {
        self.signal("TERM").await;
        self.wait().await
    }
}

/// The lines of a log, those of its closed segments first. One that is closed in between is read again.
fn read_lines(path: &Path) -> Vec<Value> {
    loop {
        let before = segments(path);
        let lines = before.iter().map(PathBuf::as_path).chain([path]).flat_map(read_segment).collect();
        if segments(path) == before {
            return lines;
        }
    }
}

/// The closed segments beside the active file, in their order.
fn segments(path: &Path) -> Vec<PathBuf> {
    let files = path.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
    let closed = files.filter_map(|file| Some(file.ok()?.path()));
    let mut closed: Vec<_> =
        closed.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).collect();
    closed.sort();
    closed
}

fn read_segment(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // A line that is being written has no end yet.
    let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
    whole.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The lines of one event (`tool_invocation`, `access_denied`, `security_event`).
#[must_use]
pub fn of_event<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

/// Run the program with arguments and no settings: exit code, standard output, standard error.
///
/// # Panics
/// It cannot be run.
pub async fn program(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    program_of(&dist(), arguments, variables).await
}

/// The same with the build of another folder.
///
/// # Panics
/// There is none, or it cannot be run.
pub async fn program_of(
    dist: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> (i32, String, String) {
    let mut command = Command::new(dist.join("aegis-mcp"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    let output = command.output().await.expect("`make build` has built aegis-mcp");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
