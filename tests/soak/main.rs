//! A server under load for a long time, under more than it can bear, and among clients that are not well-behaved. Everything here is
//! timed, so none of it runs in `make test`: `make soak` does, prints a line each half minute and writes
//! target/soak.json. It uses the machine's loopback alone, and its load ends with it.
//!
//! `AEGIS_SOAK_SECONDS` is the length of the even load (1800), `AEGIS_SOAK_CLIENTS` its clients (64),
//! `AEGIS_SOAK_PAUSE_MS` what each of them lets pass after an answer (100).

mod client;
mod even;
mod overload;
mod process;
mod rude;
mod times;

use std::path::Path;
use std::time::Duration;

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::forge::{Forge, Options};
use aegis_tests::server::{Folder, Server, Setup, program};
use client::Stand;
use serde_json::{Value, json};

/// A number from the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// What is measured, and what of it is not as it should be.
#[derive(Default)]
struct Report {
    figures: serde_json::Map<String, Value>,
    missed: Vec<String>,
}

impl Report {
    /// Note the figures of one part.
    fn figures(&mut self, part: &str, figures: Value) {
        println!("{part}: {figures}");
        self.figures.insert(part.to_owned(), figures);
    }

    /// Note what has to hold.
    fn holds(&mut self, is: bool, what: String) {
        if !is {
            println!("MISSED: {what}");
            self.missed.push(what);
        }
    }
}

/// A server with places for many principals, whose limits are elsewhere.
fn setup(forge: &Forge, keys: &[String], audit: &Path) -> Setup {
    let named: Vec<String> = keys.iter().enumerate().map(|(at, key)| format!("key{at}={key}")).collect();
    Setup::new(&forge.url(), SVC_TOKEN)
        .set("AUDIT_LOG_PATH", &audit.display().to_string())
        .set("MCP_API_KEYS", &named.join(","))
        .set("RATE_LIMIT_PER_MINUTE", "1000000")
        .set("TOKEN_RATE_LIMIT_PER_MINUTE", "1000000")
        .set("MAX_CONNECTIONS", "4096")
        .writes("alice/demo")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes half an hour and is timed: make soak"]
async fn it_serves_evenly_bears_too_much_and_is_not_held_up_by_the_rude() {
    let folder = Folder::new();
    let trail = |name: &str| folder.0.join(name).join("audit.log");
    let forge = Forge::start(Options::default()).await;
    let keys = client::keys(64);
    let stand = |server: &Server| Stand {
        forge: &forge,
        url: server.url.clone(),
        pid: server.pid(),
        keys: keys.clone(),
    };
    let mut report = Report::default();
    let length = Duration::from_secs(number("AEGIS_SOAK_SECONDS", 1800));

    let few =
        setup(&forge, &keys, &trail("few")).set("MAX_CONCURRENT_REQUESTS", overload::PLACES).start().await;
    overload::run(&stand(&few), length.min(Duration::from_secs(60)), &mut report).await;
    let (code, _few) = few.end().await;
    report.holds(code == 0, format!("it ends with 0: {code}"));

    let server = setup(&forge, &keys, &trail("many")).start().await;
    even::run(&stand(&server), length, &mut report).await;
    // Why a call has failed stands in the server's log.
    let errors: Vec<String> =
        server.log().lines().filter(|line| line.contains("\"ERROR\"")).map(str::to_owned).collect();
    errors.iter().take(10).for_each(|line| println!("{line}"));
    rude::run(&stand(&server), length.min(Duration::from_secs(60)), &mut report).await;
    overload::stopped_under_load(&stand(&server), server, &mut report).await;

    for name in ["few", "many"] {
        let place = folder.0.join(name).display().to_string();
        let (code, out, err) = program(&["audit", "verify", &place, "--json"], &[]).await;
        let verified: Value = serde_json::from_str(&out).unwrap_or_default();
        report.figures(&format!("log_{name}"), json!({"lines": verified["lines"], "exit": code}));
        report.holds(code == 0, format!("the log verifies: {code} {out}{err}"));
    }
    report.figures.insert("missed".to_owned(), json!(report.missed));
    let whole = format!("{:#}\n", Value::Object(report.figures));
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/soak.json"), whole).expect("written");
    assert_eq!(report.missed, Vec::<String>::new());
}
