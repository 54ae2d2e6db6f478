//! F3: killed at any moment with 64 callers, and started again: nothing that was answered is missing, no number comes twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aegis_custody::Timestamp;
use aegis_custody::audit::{Event, LogState};
use serde_json::{Map, Value, json};

use crate::campaign::{Luck, size};
use crate::stand::{Stand, read_as, result_of, until};

/// How many kills.
const CRASHES: &str = "AEGIS_TEST_CRASHES";
const CALLERS: usize = 64;
/// Kills of one log; then a new one begins, so that the judgement of each stays small.
const OF_ONE_LOG: usize = 25;

/// Kill a server that serves 64 callers, after some of their calls; what was answered.
async fn killed(stand: &Stand, calls: usize) -> BTreeSet<String> {
    let server = stand.setup().start().await;
    let answered = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (url, answered) = (server.url.clone(), answered.clone());
            tokio::spawn(async move {
                let mut ids = Vec::new();
                while let Some(answer) = read_as(&url, caller).await {
                    ids.extend(result_of(&answer));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                ids
            })
        })
        .collect();
    until("there is load", async || answered.load(Ordering::Relaxed) >= calls).await;
    server.signal("KILL").await;
    assert_eq!(server.wait().await.code, 137);
    let mut ids = BTreeSet::new();
    for caller in callers {
        ids.extend(caller.await.expect("no panic"));
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_at_any_moment_loses_an_answered_call() {
    let (count, mut luck) = (size(CRASHES, 10), Luck::new());
    let (mut stand, mut answered, mut all) = (Stand::new().await, BTreeSet::new(), 0);
    for kill in 1..=count {
        let ids = killed(&stand, luck.below(400)).await;
        all += ids.len();
        answered.extend(ids);
        let case = format!("kill {kill}");
        stand.judge(&answered, &case).await;
        if kill % OF_ONE_LOG == 0 || kill == count {
            let stopped = stand.setup().start().await.stop().await;
            assert_eq!(stopped.code, 0, "{case}");
            stand.judge(&answered, &case).await;
            assert_eq!(stand.verify().await.0, 0, "{case}: whole after a stop in good order");
            assert_eq!(stand.forge.violations(), Vec::<String>::new(), "{case}");
            (stand, answered) = (Stand::new().await, BTreeSet::new());
            if kill % (8 * OF_ONE_LOG) == 0 {
                println!("F3: {kill} of {count} kills");
            }
        }
    }
    println!("F3: {count} kills with {CALLERS} callers, {all} answered calls, 0 lost, 0 numbers twice");
}

/// MiB of the segment that is there at the start: 63 are just below what closes it.
const SEGMENT: &str = "AEGIS_TEST_SEGMENT_MIB";

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).expect("an object")
}

/// A log of one segment by a server that had no key and was killed.
fn segment(size: usize) -> Vec<u8> {
    let (mut log, mut bytes) = (LogState::EMPTY, Vec::with_capacity(size));
    let now = Timestamp::from_unix_millis(
        i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_millis())
            .expect("milliseconds"),
    );
    let opening = object(json!({"log_id": "00112233445566778899aabbccddeeff", "version": "0.1.0"}));
    log.seal(&mut bytes, now, Event::LogOpen, &opening);
    let mut count = 0_u64;
    while bytes.len() < size {
        let call = object(json!({
            "ticket": format!("{count:032x}"), "tool": "get_repository_info", "status": "pending", "owner": "alice",
            "repo": "demo", "arguments": {"owner": "alice", "repo": "demo"}, "class": "read", "principal": "laptop",
        }));
        log.seal(&mut bytes, now, Event::ToolInvocation, &call);
        let end = object(
            json!({"ticket": format!("{count:032x}"), "tool": "get_repository_info", "status": "success"}),
        );
        log.seal(&mut bytes, now, Event::ToolInvocation, &end);
        count += 1;
    }
    bytes
}

#[tokio::test]
async fn a_server_that_was_killed_is_ready_again_with_a_whole_segment() {
    let stand = Stand::new().await;
    std::fs::create_dir_all(stand.trail()).expect("a folder");
    let mebibytes = size(SEGMENT, 4);
    std::fs::write(&stand.audit, segment(mebibytes << 20)).expect("written");
    // A figure; only the long form, on a machine of its own, holds it to a bound.
    let begun = std::time::Instant::now();
    let server = stand.setup().start().await;
    let ready = server.stranger("GET", "/ready", &[], b"").await;
    let elapsed = begun.elapsed();
    assert_eq!(ready.status, 200, "{}", ready.text());
    println!("F3: ready {} ms after the start with a segment of {mebibytes} MiB", elapsed.as_millis());
    let bound = size("AEGIS_TEST_READY_MS", usize::MAX);
    assert!(elapsed.as_millis() < bound as u128, "{} ms", elapsed.as_millis());
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(stand.verify().await.0, 0);
}
