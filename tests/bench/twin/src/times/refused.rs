//! J1 and Y1: hostile JSON is refused within 50 ms, and a hostile policy stops the start within a second and 64 MiB.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::Ground;
use crate::Result;
use crate::process::high_water;

/// Most milliseconds until hostile JSON is refused.
pub const MOST_JSON: f64 = 50.0;
/// Most seconds until a start with a hostile policy has ended.
pub const MOST_SECONDS: f64 = 1.0;
/// Most mebibytes that such a start may have resident.
pub const MOST_MEBIBYTES: f64 = 64.0;
/// How often each document is sent.
const TIMES: usize = 40;
/// Longest that a start may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Exit code of a start that was refused for its settings.
const REFUSED: i32 = 64;

const KEY: &str = "aegis_key_benchmark_of_hostile_documents_0001";

/// How a JSON document was refused.
pub struct Document {
    /// What is in it.
    pub name: &'static str,
    /// Median in milliseconds.
    pub median: f64,
    /// 95th percentile in milliseconds.
    pub slow: f64,
    /// The answer.
    pub status: u16,
}

impl Document {
    /// For `bench.json`.
    pub fn json(&self) -> Value {
        json!({"name": self.name, "median_ms": self.median, "p95_ms": self.slow, "status": self.status})
    }
}

/// How a start with a policy was refused.
pub struct Policy {
    /// What is in it.
    pub name: &'static str,
    /// From exec to the end.
    pub seconds: f64,
    /// The most that was resident.
    pub mebibytes: f64,
}

impl Policy {
    /// For `bench.json`.
    pub fn json(&self) -> Value {
        json!({"name": self.name, "seconds": self.seconds, "mebibytes": self.mebibytes})
    }
}

/// The documents of row J1. The largest body that is read by default has 1 MiB.
fn hostile_json() -> Vec<(&'static str, Vec<u8>)> {
    let within =
        |inner: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{inner}}}"#);
    let long = |bytes: usize| within(&format!(r#"{{"name":"{}"}}"#, "x".repeat(bytes))).into_bytes();
    let mut invalid = within(r#"{"name":"?"}"#).into_bytes();
    invalid.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xff);
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    vec![
        ("arrays, 100,000 deep", within(&"[".repeat(100_000)).into_bytes()),
        ("objects, 100,000 deep", within(&r#"{"a":"#.repeat(100_000)).into_bytes()),
        ("closed arrays, 100,000 deep", within(&("[".repeat(100_000) + &"]".repeat(100_000))).into_bytes()),
        ("a string of 10 MB", long(10 << 20)),
        ("a string of 1 MB that does not end", long((1 << 20) - 100)[..(1 << 20) - 101].to_vec()),
        ("60,000 members, the last one twice", many_members().into_bytes()),
        ("a number of 1e400", within(r#"{"name":1e400}"#).into_bytes()),
        (
            "a number of 900,000 digits",
            within(&format!(r#"{{"name":{}}}"#, "9".repeat(900_000))).into_bytes(),
        ),
        ("one member twice", br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#.to_vec()),
        ("a lone surrogate", within(r#"{"name":"\ud800"}"#).into_bytes()),
        ("a byte order mark", [&[0xef, 0xbb, 0xbf], call.as_bytes()].concat()),
        ("bytes that are no UTF-8", invalid),
        ("10,000 messages at once", format!("[{}]", vec![call; 10_000].join(",")).into_bytes()),
        ("an object for an id", br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.to_vec()),
    ]
}

fn many_members() -> String {
    let members: Vec<String> = (0..60_000).map(|n| format!(r#""m{n}":0"#)).collect();
    format!(r#"{{{},"m59999":1}}"#, members.join(","))
}

/// Measure the refusals of row J1.
pub async fn documents(ground: &Ground<'_>) -> Result<Vec<Document>> {
    let keys = format!("bench={KEY}");
    let settings = [
        ("GITEA_URL", "http://127.0.0.1:9"),
        ("GITEA_TOKEN", "a-token-that-is-not-used"),
        ("MCP_API_KEYS", keys.as_str()),
        ("MCP_PORT", "0"),
        ("RATE_LIMIT_PER_MINUTE", "1000000"),
        ("TOKEN_RATE_LIMIT_PER_MINUTE", "1000000"),
    ];
    let server = ground.launch("json", &settings)?.start().await?;
    let mut all = Vec::new();
    for (name, document) in hostile_json() {
        let mut times = Vec::new();
        let mut status = 0;
        for _ in 0..TIMES {
            let (answered, took) = refusal(&server.address, &document).await?;
            if !matches!(answered, 400 | 413) {
                return Err(format!("{name}: {answered}, not 400 or 413").into());
            }
            status = answered;
            times.push(took);
        }
        times.sort_by(f64::total_cmp);
        all.push(Document { name, median: times[TIMES / 2], slow: times[TIMES * 95 / 100], status });
    }
    server.stop().await;
    Ok(all)
}

/// The status of the answer, and the milliseconds from the first byte sent to the first byte of it.
async fn refusal(authority: &str, document: &[u8]) -> Result<(u16, f64)> {
    let mut stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\nContent-Length: {}\r\n\r\n",
        document.len()
    );
    let sent = Instant::now();
    let (mut reader, mut writer) = stream.split();
    let mut first = [0_u8; 12];
    let write = async {
        // The server may answer before it has read everything; then there is nobody to write to.
        let _ = writer.write_all(head.as_bytes()).await;
        let _ = writer.write_all(document).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        read = reader.read_exact(&mut first) => read.map(drop)?,
        () = write => {}
    }
    let took = sent.elapsed().as_secs_f64() * 1e3;
    let line = String::from_utf8_lossy(&first).into_owned();
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| format!("no status line: {line:?}"))?, took))
}

/// The documents of row Y1.
fn hostile_policies() -> Vec<(&'static str, String)> {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (this, last) in ('b'..='z').zip('a'..='y') {
        bomb.push_str(&format!("{this}: &{this} [{}]\n", vec![format!("*{last}"); 9].join(",")));
    }
    let remark =
        "# a line of remarks that says nothing at all, and then it goes on and on and says no more\n";
    vec![
        ("aliases of aliases, 25 deep", bomb),
        ("merge keys", "x: &x {read: allow}\ndefaults:\n  <<: *x\n  write: deny\n".to_owned()),
        ("lists, 20,000 deep", "[".repeat(20_000)),
        ("maps, 20,000 deep", "{a: ".repeat(20_000)),
        ("one key twice", "defaults: {read: deny, read: allow}\n".to_owned()),
        ("a tag", "defaults: !!python/object/apply:os.system [id]\n".to_owned()),
        ("a scalar of 1 MB", format!("defaults: {}\n", "x".repeat(1_000_000))),
        ("100,000 repositories that mean nothing", "repositories:\n".to_owned() + &repositories(100_000)),
        ("100 MB of remarks", remark.repeat(100_000_000 / remark.len())),
    ]
}

fn repositories(count: usize) -> String {
    (0..count).map(|n| format!("  a/{n}: {{reed: deny}}\n")).collect()
}

/// Measure the refusals of row Y1.
pub async fn policies(ground: &Ground<'_>) -> Result<Vec<Policy>> {
    let path = ground.scratch.join("policy.yaml");
    let place = path.display().to_string();
    let keys = format!("bench={KEY}");
    let settings = [
        ("GITEA_URL", "http://127.0.0.1:9"),
        ("GITEA_TOKEN", "a-token-that-is-not-used"),
        ("MCP_API_KEYS", keys.as_str()),
        ("MCP_PORT", "0"),
    ];
    // A start that is good fills the cache of compiled guests.
    ground.launch("policy", &settings)?.start().await?.stop().await;
    let mut all = Vec::new();
    for (name, document) in hostile_policies() {
        std::fs::write(&path, document)?;
        let with = [&settings[..], &[("POLICY_FILE_PATH", place.as_str())]].concat();
        let launch = ground.launch("policy", &with)?;
        let mut command = Command::new(&launch.program);
        command.args(&launch.arguments).env_clear().envs(&launch.variables).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        let mut child = command.spawn()?;
        let process = Path::new("/proc").join(child.id().ok_or("it ended at once")?.to_string());
        let mut most = 0;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            most = most.max(high_water(&process).unwrap_or(0));
            if started.elapsed() > PATIENCE {
                return Err(format!("{name}: the start went on for {PATIENCE:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let seconds = started.elapsed().as_secs_f64();
        if status.code() != Some(REFUSED) {
            return Err(format!("{name}: the start ended with {status}, not {REFUSED}").into());
        }
        all.push(Policy { name, seconds, mebibytes: most as f64 / f64::from(1 << 20) });
    }
    std::fs::remove_file(&path)?;
    Ok(all)
}
