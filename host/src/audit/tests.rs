//! The trail under faults, crashes, foreign hands and load. The verifier is the judge throughout.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use aegis_custody::audit::{Claims, Evidence, Lines, Note, Verifier};
use aegis_custody::{Clock, Random, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::fs::LogFs;
use super::live::Live;
use super::signer::{self, Signer};
use super::start::{World, start};
use super::writer::{Bounds, Writer, object};
use super::{Entry, Event, OpenError, Opening};

mod checkpoints;
mod faults;
mod foreign;
mod high_water;
mod open;
mod schedules;
mod sim;
mod space;
mod trail;

/// A clock that tests set.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.load(Ordering::Acquire))
    }
}

fn clock() -> Arc<Hand> {
    Arc::new(Hand(AtomicI64::new(1_780_000_000_000)))
}

/// Bytes that differ from call to call.
struct Dice(AtomicU8);

impl Random for Dice {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0.fetch_add(1, Ordering::AcqRel));
    }
}

fn dice() -> Arc<Dice> {
    Arc::new(Dice(AtomicU8::new(1)))
}

fn opening(path: &Path) -> Opening {
    Opening {
        path: path.to_path_buf(),
        version: "0.1.0",
        policy_digest: "p".repeat(64),
        component_digest: "c".repeat(64),
        signer: signer(1),
        high_water: None,
        min_free: 0,
    }
}

/// A key that is the same in every run.
fn signer(n: u8) -> Arc<Signer> {
    Arc::new(Signer::from_pem(signer::fresh_pem(&Dice(AtomicU8::new(n))).as_bytes()).unwrap())
}

fn entry(id: &str) -> Entry {
    Entry { event: Event::SecurityEvent, members: object(json!({"reason": id})) }
}

fn call(ticket: &str, status: &str) -> Entry {
    let members = json!({"ticket": ticket, "status": status, "tool": "get_issue"});
    Entry { event: Event::ToolInvocation, members: object(members) }
}

fn path() -> PathBuf {
    PathBuf::from("/log/audit.log")
}

/// Where the last checkpoint is kept once more: on another volume, as far as names tell.
fn high_water() -> PathBuf {
    PathBuf::from("/keys/audit-last.checkpoint")
}

fn open_writer(fs: &Arc<dyn LogFs>, clock: &Arc<Hand>, bounds: Bounds) -> Result<Writer, OpenError> {
    begin(&path(), world(fs, clock, bounds))
}

fn world(fs: &Arc<dyn LogFs>, clock: &Arc<Hand>, bounds: Bounds) -> World {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    World {
        fs: Arc::clone(fs),
        clock,
        random: dice(),
        bounds,
        latest: watch::channel(None).0,
        unsynced: Arc::default(),
        live: Live::new().0,
    }
}

/// Open a log and have the lines about that written.
fn begin(path: &Path, world: World) -> Result<Writer, OpenError> {
    let (mut writer, entries) = start(&opening(path), world)?;
    let unwritten =
        |error| OpenError::Unwritable { path: path.to_path_buf(), source: std::io::Error::other(error) };
    writer.commit(&entries, 0).map_err(unwritten)?;
    Ok(writer)
}

/// Every line of a log given as its files in order, after the whole of it was verified.
fn verified(files: &[(Option<u64>, Vec<u8>)]) -> Vec<Value> {
    let mut verifier = Verifier::default();
    let mut lines = Vec::new();
    for (last_seq, bytes) in files {
        let segment = verifier.segment(&mut &bytes[..], *last_seq, &mut |_| ()).unwrap();
        assert!(!matches!(segment.end, aegis_custody::audit::End::Bad { .. }), "{:?}", segment.end);
        let valid = &bytes[..usize::try_from(segment.bytes).unwrap()];
        lines.extend(
            valid
                .split(|b| *b == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_slice::<Value>(line).unwrap()),
        );
    }
    lines
}

fn events(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

/// What the checkpoints of a simulated log prove, after the whole of it was verified.
fn evidence(sim: &sim::Sim, anchors: &[Note]) -> Evidence {
    let notes: Vec<Note> =
        sim.notes(&path()).iter().flat_map(|bytes| Note::parse_all(bytes).unwrap().0).collect();
    let sizes = notes.iter().chain(anchors).map(|note| note.checkpoint.size);
    let (mut verifier, mut claims) = (Verifier::with_roots_at(sizes), Claims::default());
    for (last_seq, bytes) in sim.log(&path()) {
        verifier.segment(&mut &bytes[..], last_seq, &mut |line| claims.observe(line)).unwrap();
    }
    let log_id = verifier.log_id().unwrap_or_default();
    let lines = Lines { log_id, last: verifier.log().tree().size(), roots: verifier.roots() };
    Evidence::of(lines, &claims, &notes, anchors, None, &signer::checked)
}
