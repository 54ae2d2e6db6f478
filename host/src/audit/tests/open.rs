//! Calls without an outcome: whatever happens to segments and processes, each is told of, once.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aegis_custody::audit::CARRIED;
use serde_json::Value;

use super::sim::{Fault, Sim};
use super::{
    Bounds, Entry, Hand, LogFs, OpenError, Writer, call, clock, entry, events, open_writer, path, verified,
};

/// Neither by size nor by age.
const WIDE: Bounds =
    Bounds { size: u64::MAX, age: i64::MAX, note_lines: 4096, note_age: 60_000, min_free: 0 };

/// A new segment with nearly every batch.
const NARROW: Bounds = Bounds { size: 1_000, age: i64::MAX, note_lines: 4096, note_age: 60_000, min_free: 0 };

fn open(sim: &Sim, clock: &Arc<Hand>, bounds: Bounds) -> Result<Writer, OpenError> {
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    open_writer(&fs, clock, bounds)
}

fn lines(sim: &Sim) -> Vec<Value> {
    verified(&sim.log(&path()))
}

/// Every line that tells of a call without an outcome: ticket and line of the intent.
fn unknown(sim: &Sim) -> Vec<(String, u64)> {
    let told = lines(sim).into_iter().filter(|line| line["event"] == "outcome_unknown");
    told.map(|line| (line["ticket"].as_str().unwrap().to_owned(), line["intent_seq"].as_u64().unwrap()))
        .collect()
}

/// One sync fails, so that the active segment is put aside with the next batch.
fn retire(sim: &Sim, writer: &mut Writer) {
    // Operations of a batch: look, append, sync.
    sim.plan(2, Fault::Once(ErrorKind::Other));
    writer.commit(&[entry("refused")], 0).unwrap_err();
    writer.commit(&[entry("next segment")], 0).unwrap();
}

#[test]
fn calls_without_an_outcome_are_told_of_once() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock, WIDE).unwrap();
    let calls = [call("a", "pending"), call("b", "pending"), call("a", "success")];
    writer.commit(&calls, 0).unwrap();
    drop(writer);
    drop(open(&sim, &clock, WIDE).unwrap());
    drop(open(&sim, &clock, WIDE).unwrap());
    assert_eq!(unknown(&sim), [("b".to_owned(), 3)]);
}

#[test]
fn a_call_left_open_in_a_segment_whose_sync_failed_is_told_of_after_a_restart() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock, WIDE).unwrap();
    writer.commit(&[call("a", "pending"), call("b", "pending")], 0).unwrap();
    retire(&sim, &mut writer);
    writer.commit(&[call("a", "success")], 0).unwrap();
    let begin = lines(&sim).into_iter().find(|line| line["event"] == "segment_open").unwrap();
    assert_eq!((&begin["reason"], &begin["open_count"]), (&"sync_failed".into(), &2.into()));
    assert_eq!(begin["open"][1]["ticket"], "b");
    drop(writer);
    drop(open(&sim, &clock, WIDE).unwrap());
    drop(open(&sim, &clock, WIDE).unwrap());
    assert_eq!(unknown(&sim), [("b".to_owned(), 3)]);
}

#[test]
fn an_intent_whose_batch_failed_is_not_carried_into_the_next_segment() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock, WIDE).unwrap();
    sim.plan(2, Fault::Once(ErrorKind::Other));
    writer.commit(&[call("refused", "pending")], 0).unwrap_err();
    writer.commit(&[entry("next segment")], 0).unwrap();
    assert_eq!(lines(&sim)[1]["open_count"], 0);
    drop(writer);
    drop(open(&sim, &clock, WIDE).unwrap());
    assert_eq!(unknown(&sim), []);
}

#[test]
fn calls_stay_known_over_any_number_of_rotations_by_size_and_by_age() {
    let aged = Bounds { size: u64::MAX, age: 1_000, note_lines: 4096, note_age: 60_000, min_free: 0 };
    for bounds in [NARROW, aged] {
        let (sim, clock) = (Sim::default(), clock());
        let mut writer = open(&sim, &clock, bounds).unwrap();
        writer.commit(&[call("a", "pending"), call("b", "pending")], 0).unwrap();
        for n in 0..20 {
            clock.0.fetch_add(500, Ordering::AcqRel);
            writer.commit(&[entry(&"x".repeat(100 + n))], 0).unwrap();
        }
        writer.commit(&[call("a", "error")], 0).unwrap();
        assert!(sim.log(&path()).len() > 5, "{:?}", sim.names());
        drop(writer);
        // Only the active segment is left: the others were moved away.
        for name in sim.names().into_iter().filter(|name| name.starts_with("audit-")) {
            sim.remove(&path().with_file_name(name)).unwrap();
        }
        drop(open(&sim, &clock, WIDE).unwrap());
        assert_eq!(unknown(&sim), [("b".to_owned(), 3)]);
    }
}

#[test]
fn more_open_calls_than_a_segment_names_are_counted() {
    for left in [0, 7] {
        let (sim, clock) = (Sim::default(), clock());
        let mut writer = open(&sim, &clock, WIDE).unwrap();
        let id = |n: usize| format!("{n:032x}");
        let count = CARRIED + 20;
        let intents: Vec<Entry> = (0..count).map(|n| call(&id(n), "pending")).collect();
        writer.commit(&intents, 0).unwrap();
        retire(&sim, &mut writer);
        let begin = lines(&sim).into_iter().skip(count + 1).collect::<Vec<_>>();
        assert_eq!(begin[0]["open_count"], count);
        let lists = begin.iter().filter_map(|line| line["open"].as_array());
        assert_eq!(lists.map(Vec::len).sum::<usize>(), CARRIED);
        assert_eq!(events(&begin)[..3], ["segment_open", "open_tickets", "open_tickets"]);
        assert!(begin.iter().all(|line| line.get("cut").is_none()));
        // All but the last come to an outcome, also those that the new segment does not name.
        let outcomes: Vec<Entry> = (0..count - left).map(|n| call(&id(n), "success")).collect();
        writer.commit(&outcomes, 0).unwrap();
        drop(writer);
        drop(open(&sim, &clock, WIDE).unwrap());
        drop(open(&sim, &clock, WIDE).unwrap());
        let told: Vec<_> =
            lines(&sim).into_iter().filter(|line| line["event"] == "outcome_unknown").collect();
        assert_eq!(told.len(), usize::from(left > 0));
        assert!(told.iter().all(|line| line["count"] == left && line.get("ticket").is_none()), "{told:?}");
    }
}

/// Calls that begin, of which every other one ends two batches later. What was acknowledged: intents, outcomes.
fn run(sim: &Sim, clock: &Arc<Hand>) -> [BTreeSet<String>; 2] {
    let mut acked = [BTreeSet::new(), BTreeSet::new()];
    let Ok(mut writer) = open(sim, clock, NARROW) else { return acked };
    for n in 0..10_usize {
        if writer.commit(&[call(&format!("t{n}"), "pending")], 0).is_ok() {
            acked[0].insert(format!("t{n}"));
        }
        let ends = n.checked_sub(2).map(|n| format!("t{n}"));
        if let Some(ends) = ends.filter(|ends| n % 2 == 0 && acked[0].contains(ends))
            && writer.commit(&[call(&ends, "success")], 0).is_ok()
        {
            acked[1].insert(ends);
        }
    }
    acked
}

#[test]
fn every_call_has_an_outcome_or_is_told_of_whatever_operation_fails() {
    let whole = Sim::default();
    assert_eq!(run(&whole, &clock())[0].len(), 10);
    assert!(whole.log(&path()).len() > 3, "{:?}", whole.names());
    let faults = [(Fault::Once(ErrorKind::Other), 4), (Fault::Once(ErrorKind::StorageFull), 4)];
    for (fault, kept) in faults.into_iter().chain((0..=4).map(|kept| (Fault::Power, kept))) {
        for index in 0..whole.operations() {
            let case = format!("{fault:?} at {index}, {kept}/4 kept");
            let (sim, clock) = (Sim::default(), clock());
            sim.plan(index, fault);
            let [begun, ended] = run(&sim, &clock);
            sim.restart(kept);
            drop(open(&sim, &clock, NARROW).unwrap());
            drop(open(&sim, &clock, NARROW).unwrap());
            let lines = lines(&sim);
            for ticket in &begun {
                let about = lines.iter().filter(|line| line["ticket"] == **ticket).collect::<Vec<_>>();
                let states: Vec<_> =
                    about.iter().map(|line| line["status"].as_str().unwrap_or("unknown")).collect();
                // An outcome that was not acknowledged may have come to the disk all the same.
                let expected = if ended.contains(ticket) || states.contains(&"success") {
                    ["pending", "success"]
                } else {
                    ["pending", "unknown"]
                };
                assert_eq!(states, expected, "{case}: {ticket}");
            }
        }
    }
}
