//! A whole run: the sample Gitea's answer is taken once and served by a fixed upstream, since a Gitea that
//! thinks would hide what is measured; then the subjects take turns, then cold starts, then the report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aegis_tests::forge::{Forge, Options, world::ALICE_TOKEN};
use serde_json::json;

use crate::Result;
use crate::dear::{self, Dear};
use crate::load::{Connection, Shot};
use crate::process::{Launch, Running};
use crate::report::{Aim, Report, Seen};
use crate::rounds::{MANY, Round, Subject, round};
use crate::start::{COLD_STARTS, Start, WARM_STARTS, start};
use crate::times::{self, Times};

/// How often the subjects take turns.
const ROUNDS: usize = 3;
/// Callers; each may have 8 requests in flight.
const CALLERS: usize = 8;
/// What a right answer holds.
const MARKER: &str = "alice/demo";

/// Measure what is in `dist`, write `output` and print the report.
///
/// # Errors
/// Something does not start or answers wrongly. A missed aim is no error.
pub fn run(dist: &Path, output: &Path) -> Result<()> {
    // One thread: the generator must leave the machine to what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (report, dear, times) = runtime.block_on(async {
        let report = measure(dist, output).await?;
        let dear = expensive(dist, output).await?;
        Ok::<_, crate::Error>((report, dear, timed(dist, output).await?))
    })?;
    let mut all = report.json();
    all["dear"] = dear.json();
    all["times"] = times.json();
    print!("{}", report.text());
    told(&dear.text(), &dear.aims());
    told(&times.text(), &times.aims());
    written(output, &all)
}

/// Measure the calls that take much alone.
///
/// # Errors
/// As [`run`].
pub fn dear_alone(dist: &Path, output: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let dear = runtime.block_on(expensive(dist, output))?;
    told(&dear.text(), &dear.aims());
    written(output, &json!({"dear": dear.json()}))
}

async fn expensive(dist: &Path, output: &Path) -> Result<Dear> {
    let disk = Scratch::new(output.parent().unwrap_or(Path::new(".")))?;
    let launch = |gitea: &str| host(dist, gitea, &disk, &disk)(0);
    dear::measure(
        &disk.0,
        |folder| role(&["stock", folder]),
        launch,
        |caller, tool, arguments| {
            message(caller, "tools/call", json!({"name": tool, "arguments": arguments}))
        },
    )
    .await
}

/// Measure the timed clauses of the attacks alone.
///
/// # Errors
/// As [`run`].
pub fn times_alone(dist: &Path, output: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let times = runtime.block_on(timed(dist, output))?;
    told(&times.text(), &times.aims());
    written(output, &json!({"times": times.json()}))
}

async fn timed(dist: &Path, output: &Path) -> Result<Times> {
    let scratch = Scratch::new(output.parent().unwrap_or(Path::new(".")))?;
    times::measure(dist, &scratch.0).await
}

/// Print figures with their bounds.
fn told(text: &str, aims: &[Aim]) {
    println!("{text}");
    aims.iter().for_each(|aim| println!("{}", aim.text()));
}

/// Write everything down.
fn written(output: &Path, all: &serde_json::Value) -> Result<()> {
    std::fs::write(output, format!("{all:#}\n"))?;
    println!("\nwritten to {}", output.display());
    Ok(())
}

async fn measure(dist: &Path, output: &Path) -> Result<Report> {
    let disk = Scratch::new(output.parent().unwrap_or(Path::new(".")))?;
    let memory = Scratch::new(Path::new("/dev/shm"))?;
    let upstream = upstream(&disk).await?;
    let host = |volume: &Scratch| host(dist, &upstream.address, volume, &disk);

    let shots: Vec<Shot> = (0..MANY).map(|place| call(place % CALLERS)).collect();
    let answer = first_answer(&host(&memory)(0), &shots).await?;
    let fixed = disk.0.join("answer.json");
    std::fs::write(&fixed, answer)?;

    let subjects = [
        Subject {
            name: "fixed",
            marker: MARKER,
            launch: Box::new(move |_| role(&["fixed", &text(&fixed), "2"])),
        },
        Subject { name: "twin, memory", marker: MARKER, launch: Box::new(twin(&upstream.address, &memory)) },
        Subject { name: "host, memory", marker: MARKER, launch: Box::new(host(&memory)) },
        Subject { name: "twin, disk", marker: MARKER, launch: Box::new(twin(&upstream.address, &disk)) },
        Subject { name: "host, disk", marker: MARKER, launch: Box::new(host(&disk)) },
    ];
    let load_before = load_average();
    let mut seen: Vec<Seen> = subjects.iter().map(|subject| Seen::new(subject.name)).collect();
    for number in 1..=ROUNDS {
        for (subject, seen) in subjects.iter().zip(&mut seen) {
            let found: Round = round(subject, number, &shots).await?;
            eprintln!("round {number} of {ROUNDS}: {}", subject.name);
            seen.rounds.push(found);
        }
    }
    let launch = host(&memory);
    let (warm, cold) = starts(&launch, &disk).await?;
    upstream.stop().await;
    Ok(Report { seen, warm, cold, load_before, load_after: load_average() })
}

/// Cold starts; the number that a launch is given keeps their audit logs apart.
async fn starts(launch: &impl Fn(usize) -> Launch, disk: &Scratch) -> Result<(Vec<Start>, Vec<Start>)> {
    let (mut warm, mut cold) = (Vec::new(), Vec::new());
    for number in 0..WARM_STARTS {
        warm.push(start(&launch(1_000 + number), &list(), None).await?);
    }
    let cache = disk.0.join("guests");
    for number in 0..COLD_STARTS {
        cold.push(start(&launch(2_000 + number), &list(), Some(&cache)).await?);
    }
    Ok((warm, cold))
}

/// A folder of this run alone, removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(within: &Path) -> Result<Self> {
        let path = within.join(format!("aegis-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(std::path::absolute(path)?))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A place for the audit log of one process.
fn log(volume: &Path, name: &str, number: usize) -> String {
    let folder = volume.join(format!("{name}-{number}"));
    // Where this fails, the server says why it cannot write.
    let _ = std::fs::create_dir_all(&folder);
    text(&folder.join("audit.log"))
}

/// What the sample Gitea answers about one repository, served by the `fixed` role.
async fn upstream(disk: &Scratch) -> Result<Running> {
    let forge = Forge::start(Options::default()).await;
    let token = format!("token {ALICE_TOKEN}");
    let headers = [("authorization", token.as_str())];
    let target = format!("/api/v1/repos/{MARKER}");
    let answer = aegis_tests::http::send(&forge.url(), "GET", &target, &headers, b"").await?;
    if answer.status != 200 {
        return Err(format!("the sample Gitea answered {} to {target}", answer.status).into());
    }
    let file = disk.0.join("upstream.json");
    std::fs::write(&file, answer.body)?;
    role(&["fixed", &text(&file), "1"]).start().await
}

/// This program in another role.
fn role(arguments: &[&str]) -> Launch {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("aegis-bench"));
    let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
    Launch { program, arguments, variables: BTreeMap::new() }
}

/// The settings of host and twin alike.
fn settings(upstream: &str, log: &str) -> BTreeMap<String, String> {
    let keys: Vec<String> = (0..CALLERS).map(|caller| format!("caller-{caller}={}", key(caller))).collect();
    let pairs = [
        ("GITEA_URL", format!("http://{upstream}")),
        ("GITEA_TOKEN", ALICE_TOKEN.to_owned()),
        ("MCP_API_KEYS", keys.join(",")),
        ("MCP_HOST", "127.0.0.1".to_owned()),
        ("MCP_PORT", "0".to_owned()),
        ("AUDIT_LOG_PATH", log.to_owned()),
        ("RATE_LIMIT_PER_MINUTE", "1000000".to_owned()),
        ("TOKEN_RATE_LIMIT_PER_MINUTE", "1000000".to_owned()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

fn twin(upstream: &str, volume: &Scratch) -> impl Fn(usize) -> Launch + use<> {
    let (upstream, volume) = (upstream.to_owned(), volume.0.clone());
    move |number| {
        let log = log(&volume, "twin", number);
        Launch { variables: settings(&upstream, &log), ..role(&["twin"]) }
    }
}

fn host(dist: &Path, upstream: &str, volume: &Scratch, disk: &Scratch) -> impl Fn(usize) -> Launch + use<> {
    let program = std::path::absolute(dist.join("aegis-mcp")).unwrap_or_else(|_| dist.join("aegis-mcp"));
    let (upstream, volume, cache) = (upstream.to_owned(), volume.0.clone(), text(&disk.0.join("guests")));
    move |number| {
        let log = log(&volume, "host", number);
        let mut variables = settings(&upstream, &log);
        variables.insert("GUEST_CACHE_DIR".to_owned(), cache.clone());
        Launch { program: program.clone(), arguments: vec!["serve".to_owned()], variables }
    }
}

/// The host's own answer, for the fixed server to repeat. It also fills the cache of compiled guests.
async fn first_answer(launch: &Launch, shots: &[Shot]) -> Result<bytes::Bytes> {
    let server = launch.start().await?;
    let shot = shots.first().ok_or("there is nothing to send")?;
    let (status, body) = Connection::open(&server.address).await?.send(shot).await?;
    server.stop().await;
    let said = String::from_utf8_lossy(&body);
    if !status.is_success() || !said.contains(MARKER) {
        return Err(format!("the host answered {status}: {said}").into());
    }
    Ok(body)
}

fn key(caller: usize) -> String {
    format!("aegis_key_benchmark_of_loopback_number_{caller:04}")
}

/// `tools/call` of `get_repository_info` by one of the callers, in the modern era.
fn call(caller: usize) -> Shot {
    message(
        caller,
        "tools/call",
        json!({"name": "get_repository_info", "arguments": {"owner": "alice", "repo": "demo"}}),
    )
}

/// `tools/list`.
fn list() -> Shot {
    message(0, "tools/list", json!({}))
}

fn message(caller: usize, method: &str, mut params: serde_json::Value) -> Shot {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    let name = params["name"].as_str().map(str::to_owned);
    let mut headers = vec![
        ("authorization", format!("Bearer {}", key(caller))),
        ("content-type", "application/json".to_owned()),
        ("accept", "application/json, text/event-stream".to_owned()),
        ("mcp-protocol-version", "2026-07-28".to_owned()),
        ("mcp-method", method.to_owned()),
    ];
    headers.extend(name.map(|name| ("mcp-name", name)));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    Shot { method: "POST", target: "/mcp", headers, body }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The three load averages: whether somebody else used the machine.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
