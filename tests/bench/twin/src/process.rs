//! Servers as child processes, and what the kernel says they used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::Result;

/// How long a server may take to say where it listens; compiling the guest is the longest of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How to start a server.
#[derive(Clone)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub variables: BTreeMap<String, String>,
}

/// A server that listens; killed when dropped.
pub struct Running {
    /// `127.0.0.1:PORT`
    pub address: String,
    /// When it was started.
    pub started: Instant,
    child: Child,
}

impl Launch {
    /// Start it and wait until it says where it listens: `aegis-mcp` by a JSON line on standard error, the
    /// roles of this program by their first line on standard output.
    ///
    /// # Errors
    /// It ends instead, or says nothing; what it said is in the message.
    pub async fn start(&self) -> Result<Running> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(&self.variables);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let started = Instant::now();
        let mut child = command.spawn().map_err(|e| format!("cannot run {}: {e}", self.program.display()))?;
        let (told, mut heard) = mpsc::unbounded_channel();
        if let Some(pipe) = child.stdout.take() {
            listen(pipe, told.clone());
        }
        if let Some(pipe) = child.stderr.take() {
            listen(pipe, told);
        }
        let mut said = Vec::new();
        let address = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = heard.recv().await {
                match address_in(&line) {
                    Some(address) => return Some(address),
                    None => said.push(line),
                }
            }
            None
        });
        match address.await {
            Ok(Some(address)) => Ok(Running { address, started, child }),
            Ok(None) | Err(_) => {
                Err(format!("{} did not start; it said:\n{}", self.program.display(), said.join("\n")).into())
            }
        }
    }
}

/// Pass on the lines of a pipe. It is read to its end in any case: a full pipe would stop the server.
fn listen(pipe: impl AsyncRead + Unpin + Send + 'static, told: mpsc::UnboundedSender<String>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = told.send(line);
        }
    });
}

fn address_in(line: &str) -> Option<String> {
    if line.starts_with("127.0.0.1:") {
        return Some(line.to_owned());
    }
    let event: Value = serde_json::from_str(line).ok()?;
    if event["event"] != "listening" {
        return None;
    }
    event["address"].as_str().map(str::to_owned)
}

impl Running {
    /// What it used so far.
    ///
    /// # Errors
    /// It is gone.
    pub fn usage(&self) -> Result<Usage> {
        let pid = self.child.id().ok_or("the server is gone")?;
        Usage::read(&Path::new("/proc").join(pid.to_string()))
    }

    /// Begin to measure the most resident bytes anew.
    ///
    /// # Errors
    /// It is gone, or the kernel does not let us.
    pub fn forget_high_water(&self) -> Result<()> {
        let pid = self.child.id().ok_or("the server is gone")?;
        Ok(std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
    }

    /// The most bytes that it had resident since then; none once it is gone.
    pub fn high_water(&self) -> Option<u64> {
        high_water(&Path::new("/proc").join(self.child.id()?.to_string()))
    }

    /// End it and wait until it is gone.
    pub async fn stop(mut self) {
        let _ = self.child.kill().await;
    }
}

/// Use of the machine by one process since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU seconds in its own code.
    pub user: f64,
    /// CPU seconds in the kernel.
    pub kernel: f64,
    /// Times that its threads gave up the CPU to wait for something.
    pub waits: u64,
    /// Resident bytes.
    pub resident: u64,
    /// Resident bytes that belong to no file.
    pub anonymous: u64,
}

/// Ticks a second in `/proc/PID/stat` (`USER_HZ`, 100 on every Linux we build for).
const TICKS: f64 = 100.0;

impl Usage {
    fn read(process: &Path) -> Result<Self> {
        let stat = std::fs::read_to_string(process.join("stat"))?;
        let (user, kernel) = cpu(&stat).ok_or("/proc/PID/stat has another form here")?;
        let status = std::fs::read_to_string(process.join("status"))?;
        let mut waits = 0;
        for task in std::fs::read_dir(process.join("task"))? {
            // A thread may end meanwhile.
            let status = std::fs::read_to_string(task?.path().join("status")).unwrap_or_default();
            waits += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        }
        let bytes = |name| field(&status, name).map(|kilobytes| kilobytes << 10);
        let resident = bytes("VmRSS:").ok_or("/proc/PID/status has no VmRSS")?;
        Ok(Self { user, kernel, waits, resident, anonymous: bytes("RssAnon:").unwrap_or(0) })
    }
}

/// User and kernel CPU seconds. The name in parentheses may hold spaces, so fields count from its end.
fn cpu(stat: &str) -> Option<(f64, f64)> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let ticks = |nth: usize| fields.get(nth)?.parse::<f64>().ok();
    Some((ticks(11)? / TICKS, ticks(12)? / TICKS))
}

/// The most bytes that a process has had resident so far; none once it is gone.
pub fn high_water(process: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    field(&status, "VmHWM:").map(|kilobytes| kilobytes << 10)
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 30 0 0 20 0 5 0";
        assert_eq!(cpu(stat), Some((2.5, 0.3)));
        assert_eq!(cpu("nonsense"), None);
    }

    #[test]
    fn a_field_of_status_is_found_by_its_whole_name() {
        let status = "nonvoluntary_ctxt_switches:\t9\nvoluntary_ctxt_switches:\t42\nVmRSS:\t  12 kB\n";
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(42));
        assert_eq!(field(status, "VmRSS:"), Some(12));
        assert_eq!(field(status, "RssAnon:"), None);
    }

    #[test]
    fn an_address_is_taken_from_a_plain_line_or_from_the_log() {
        assert_eq!(address_in("127.0.0.1:80").as_deref(), Some("127.0.0.1:80"));
        let line = r#"{"event":"listening","address":"127.0.0.1:81"}"#;
        assert_eq!(address_in(line).as_deref(), Some("127.0.0.1:81"));
        assert_eq!(address_in(r#"{"event":"stopped","address":"127.0.0.1:81"}"#), None);
    }
}
