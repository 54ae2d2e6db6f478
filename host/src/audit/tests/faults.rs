//! A failure at every operation: what was acknowledged is there afterwards, and the log verifies.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::sim::{Fault, Sim};
use super::{
    Bounds, Entry, Hand, LogFs, OpenError, Writer, clock, entry, events, open_writer, path, verified,
};

/// Small enough that the run rotates several times.
const SMALL: Bounds = Bounds { size: 2_000, age: 1_000_000, note_lines: 5, note_age: 60_000, min_free: 0 };

fn open(sim: &Sim, clock: &Arc<Hand>) -> Result<Writer, OpenError> {
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    open_writer(&fs, clock, SMALL)
}

/// Open the log, write batches of two, close it. Returns what was acknowledged.
fn run(sim: &Sim, clock: &Arc<Hand>, name: &str) -> Vec<(u64, String)> {
    let mut acked = Vec::new();
    let Ok(mut writer) = open(sim, clock) else { return acked };
    for batch in 0..12 {
        let ids = [format!("{name}-{batch}-a"), format!("{name}-{batch}-b")];
        let entries: Vec<Entry> = ids.iter().map(|id| entry(id)).collect();
        clock.0.fetch_add(1, Ordering::AcqRel);
        if let Ok(first) = writer.commit(&entries, 0) {
            acked.extend((first..).zip(ids));
        }
    }
    acked
}

fn holds(sim: &Sim, acked: &[(u64, String)], case: &str) {
    let lines = verified(&sim.log(&path()));
    for (seq, id) in acked {
        let line = usize::try_from(*seq - 1).unwrap();
        assert_eq!(lines[line]["reason"], *id, "{case}: line {seq}");
        assert_eq!(lines[line]["seq"], *seq, "{case}");
    }
    let evidence = super::evidence(sim, &[]);
    assert_eq!(evidence.problems, [] as [&str; 0], "{case}");
}

fn operations() -> u64 {
    let sim = Sim::default();
    assert_eq!(run(&sim, &clock(), "x").len(), 24);
    sim.operations()
}

#[test]
fn one_error_at_any_operation_loses_nothing_that_was_acknowledged() {
    let count = operations();
    assert!(count > 60, "{count}");
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for index in 0..count {
            let (sim, clock) = (Sim::default(), clock());
            sim.plan(index, Fault::Once(kind));
            let mut acked = run(&sim, &clock, "first");
            holds(&sim, &acked, &format!("{kind} at {index}"));
            assert_eq!(sim.second_syncs(), 0, "{kind} at {index}");
            if !acked.is_empty() {
                assert!(acked.len() >= 22, "{kind} at {index}: only one batch may fail, {}", acked.len());
            }
            sim.heal();
            let more = run(&sim, &clock, "second");
            assert_eq!(more.len(), 24, "{kind} at {index}");
            acked.extend(more);
            holds(&sim, &acked, &format!("{kind} at {index}, reopened"));
        }
    }
}

#[test]
fn power_lost_at_any_operation_loses_nothing_that_was_acknowledged() {
    let count = operations();
    for kept in 0..=4 {
        for index in 0..count {
            let (sim, clock) = (Sim::default(), clock());
            sim.plan(index, Fault::Power);
            let mut acked = run(&sim, &clock, "first");
            sim.restart(kept);
            let more = run(&sim, &clock, "second");
            assert_eq!(more.len(), 24, "power lost at {index}, {kept}/4 kept");
            acked.extend(more);
            holds(&sim, &acked, &format!("power lost at {index}, {kept}/4 kept"));
        }
    }
}

#[test]
fn an_error_while_the_log_is_reopened_loses_nothing() {
    let sim = Sim::default();
    let now = clock();
    let acked = run(&sim, &now, "first");
    let mut torn = sim.read(&path()).unwrap();
    torn.extend(b"{\"v\":1,\"seq\":");
    sim.write(&path(), &torn);
    let before = sim.operations();
    drop(open(&sim, &now).unwrap());
    for index in 0..sim.operations() - before {
        // The same log again, from the same time on.
        let (again, clock) = (Sim::default(), clock());
        let mut acked = run(&again, &clock, "first");
        again.write(&path(), &torn);
        again.plan(index, Fault::Power);
        let _ = open(&again, &clock);
        again.restart(2);
        acked.extend(run(&again, &clock, "second"));
        assert_eq!(acked.len(), 48, "power lost at {index}");
        holds(&again, &acked, &format!("power lost at {index} of reopening"));
    }
    holds(&sim, &acked, "undisturbed");
}

#[test]
fn a_full_disk_refuses_every_batch_until_space_returns_and_then_says_so() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    writer.commit(&[entry("before")], 0).unwrap();
    sim.plan(0, Fault::From(ErrorKind::StorageFull));
    for _ in 0..5 {
        writer.commit(&[entry("refused")], 0).unwrap_err();
    }
    sim.heal();
    writer.commit(&[entry("after")], 0).unwrap();
    let lines = verified(&sim.log(&path()));
    assert_eq!(events(&lines), ["log_open", "security_event", "audit_disk_full", "security_event"]);
    assert_eq!((&lines[2]["attempts"], &lines[3]["reason"]), (&5.into(), &"after".into()));
}

#[test]
fn a_file_whose_sync_failed_is_put_aside_and_the_chain_goes_on() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    writer.commit(&[entry("kept")], 0).unwrap();
    // Operations of a batch: look, append, sync.
    sim.plan(2, Fault::Once(ErrorKind::Other));
    writer.commit(&[entry("refused")], 0).unwrap_err();
    writer.commit(&[entry("next")], 0).unwrap();
    assert!(sim.names().contains(&"audit-000000000001-000000000002.jsonl".to_owned()), "{:?}", sim.names());
    let lines = verified(&sim.log(&path()));
    assert_eq!(events(&lines), ["log_open", "security_event", "segment_open", "recovery", "security_event"]);
    assert_eq!(lines[2]["previous"], "audit-000000000001-000000000002.jsonl");
    assert_eq!((&lines[2]["number"], &lines[2]["reason"]), (&2.into(), &"sync_failed".into()));
    assert_eq!(sim.second_syncs(), 0);
}

#[test]
fn lines_that_nobody_synced_are_durable_before_the_log_goes_on_from_them() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    writer.commit(&[entry("kept")], 0).unwrap();
    // Operations of closing a segment: look, append, sync.
    sim.plan(2, Fault::Power);
    writer.rotate().unwrap_err();
    sim.restart(4);
    drop(open(&sim, &clock).unwrap());
    sim.restart(0);
    drop(open(&sim, &clock).unwrap());
    assert_eq!(events(&verified(&sim.log(&path())))[..3], ["log_open", "security_event", "segment_close"]);
}

#[test]
fn what_cannot_be_made_durable_at_the_start_is_not_tried_again() {
    let (sim, clock) = (Sim::default(), clock());
    drop(open(&sim, &clock).unwrap());
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    let world = super::world(&fs, &clock, SMALL);
    let before = sim.operations();
    drop(super::start(&super::opening(&path()), world.clone()).unwrap());
    // The last operations are the syncs of lines, checkpoints and names, and a look at the file.
    let syncs = sim.operations() - before - 4;
    sim.plan(syncs, Fault::Once(ErrorKind::Other));
    for _ in 0..3 {
        let refused = super::start(&super::opening(&path()), world.clone());
        assert!(matches!(refused, Err(OpenError::Unsynced { .. })));
    }
    assert_eq!(sim.second_syncs(), 0);
    // Another process has nothing to go by but the disk.
    drop(open(&sim, &clock).unwrap());
}

#[test]
fn a_disk_that_never_syncs_again_is_never_synced_twice_on_one_file() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    for _ in 0..20 {
        sim.plan(2, Fault::From(ErrorKind::Other));
        writer.commit(&[entry("refused")], 0).unwrap_err();
        sim.heal();
        // Let the repair go as far as the next sync.
        sim.plan(8, Fault::From(ErrorKind::Other));
        let _ = writer.commit(&[entry("perhaps")], 0);
        sim.heal();
    }
    assert_eq!(sim.second_syncs(), 0);
    writer.commit(&[entry("last")], 0).unwrap();
    assert_eq!(verified(&sim.log(&path())).last().unwrap()["reason"], "last");
}

#[test]
fn a_torn_tail_of_any_length_is_kept_beside_the_log_and_cut() {
    let (whole, clock) = (Sim::default(), clock());
    let mut writer = open(&whole, &clock).unwrap();
    writer.commit(&[entry("acknowledged")], 0).unwrap();
    let kept = whole.read(&path()).unwrap();
    writer.commit(&[entry("torn")], 0).unwrap();
    let bytes = whole.read(&path()).unwrap();
    for end in kept.len() + 1..bytes.len() {
        let sim = Sim::default();
        sim.write(&path(), &bytes[..end]);
        drop(open(&sim, &clock).unwrap());
        let lines = verified(&sim.log(&path()));
        assert_eq!(events(&lines), ["log_open", "security_event", "log_open", "recovery"], "{end}");
        assert_eq!(lines[3]["bytes"], end - kept.len());
        assert_eq!(lines[3]["copy"], "audit.torn.3");
        assert_eq!(sim.read(&path().with_file_name("audit.torn.3")).unwrap(), &bytes[kept.len()..end]);
        assert_eq!(lines[0]["log_id"], lines[2]["log_id"]);
    }
}

#[test]
fn a_log_that_was_changed_is_not_continued() {
    let (whole, clock) = (Sim::default(), clock());
    let acked = run(&whole, &clock, "x");
    assert_eq!(acked.len(), 24);
    let bytes = whole.read(&path()).unwrap();
    for index in 0..bytes.iter().position(|b| *b == b'\n').unwrap() {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        whole.write(&path(), &changed);
        assert!(matches!(open(&whole, &clock), Err(OpenError::Damaged { line: 1, .. })), "byte {index}");
        assert_eq!(whole.read(&path()).unwrap(), changed);
    }
}

#[test]
fn a_segment_is_closed_by_size_and_by_age_and_the_next_one_carries_on() {
    let (sim, clock) = (Sim::default(), clock());
    run(&sim, &clock, "x");
    assert!(sim.log(&path()).len() > 2);
    let lines = verified(&sim.log(&path()));
    let closes = events(&lines).iter().filter(|event| **event == "segment_close").count();
    let opens = events(&lines).iter().filter(|event| **event == "segment_open").count();
    assert_eq!((closes, opens), (sim.log(&path()).len() - 1, closes));

    let (sim, mut writer) = (Sim::default(), None);
    for step in 0..3 {
        writer = writer.or_else(|| open(&sim, &clock).ok());
        clock.0.fetch_add(SMALL.age, Ordering::AcqRel);
        writer.as_mut().unwrap().commit(&[entry(&step.to_string())], 0).unwrap();
    }
    assert_eq!(sim.log(&path()).len(), 4);
}

#[test]
fn a_clock_that_steps_back_is_told_of() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    clock.0.fetch_sub(5_000, Ordering::AcqRel);
    writer.commit(&[entry("x")], 0).unwrap();
    let lines = verified(&sim.log(&path()));
    assert_eq!(events(&lines), ["log_open", "clock_step", "security_event"]);
    assert_eq!(lines[1]["before"], lines[0]["ts"]);
    assert_eq!(lines[1]["after"], lines[1]["ts"]);
}

#[test]
fn lost_entries_are_told_of_in_the_next_batch() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    assert_eq!(writer.commit(&[entry("x")], 7).unwrap(), 3);
    let lines = verified(&sim.log(&path()));
    assert_eq!((&lines[1]["event"], &lines[1]["count"]), (&"lines_lost".into(), &7.into()));
}

#[test]
fn a_log_whose_active_file_was_never_made_goes_on_from_its_last_segment() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    writer.commit(&[entry("x")], 0).unwrap();
    writer.rotate().unwrap();
    drop(writer);
    assert!(sim.read(&path()).is_none());
    drop(open(&sim, &clock).unwrap());
    let files = sim.log(&path());
    let lines = verified(&files);
    assert_eq!(lines[lines.len() - 2]["reason"], "recovery");
    assert_eq!(lines[lines.len() - 1]["log_id"], lines[0]["log_id"]);
}

#[test]
fn a_log_whose_active_file_was_removed_does_not_go_on_as_if_its_lines_had_never_been() {
    let (sim, clock) = (Sim::default(), clock());
    run(&sim, &clock, "x");
    sim.remove(&path()).unwrap();
    assert!(matches!(open(&sim, &clock), Err(OpenError::Signed { .. })));
}
