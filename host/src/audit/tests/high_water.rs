//! The last checkpoint kept once more: what a log is refused for that was put back, cut or replaced as a whole, and that an
//! honest one never is, wherever the power goes.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aegis_custody::audit::Note;

use super::super::start::start;
use super::sim::{Fault, Sim};
use super::{
    Bounds, Entry, Hand, LogFs, OpenError, Opening, Writer, clock, entry, evidence, high_water, opening,
    path, verified, world,
};

const BOUNDS: Bounds =
    Bounds { size: 1_000_000, age: i64::MAX, note_lines: 10, note_age: 60_000, min_free: 0 };

fn open(sim: &Sim, clock: &Arc<Hand>) -> Result<Writer, OpenError> {
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    let opening = Opening { high_water: Some(high_water()), ..opening(&path()) };
    let (mut writer, entries) = start(&opening, world(&fs, clock, BOUNDS))?;
    writer.commit(&entries, 0).expect("the disk works");
    Ok(writer)
}

fn refusal(sim: &Sim, clock: &Arc<Hand>) -> String {
    match open(sim, clock) {
        Err(OpenError::Signed { what, .. }) => what,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was continued: {:?}", sim.names()),
    }
}

/// The last note that was kept.
fn kept(sim: &Sim) -> Note {
    Note::parse_all(&sim.read(&high_water()).expect("kept")).unwrap().0.pop().unwrap()
}

/// The files of the log, to be put back later.
fn backup(sim: &Sim) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| (name.clone(), sim.read(&path().with_file_name(name)).unwrap());
    sim.names().into_iter().map(read).collect()
}

fn put(sim: &Sim, files: &[(String, Vec<u8>)]) {
    for name in sim.names() {
        sim.remove(&path().with_file_name(name)).unwrap();
    }
    for (name, bytes) in files {
        sim.write(&path().with_file_name(name), bytes);
    }
}

#[test]
fn every_older_state_of_the_directory_is_refused_once_a_later_checkpoint_was_kept() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    let mut states = Vec::new();
    for n in 0..40_u64 {
        states.push((kept(&sim).checkpoint.number, backup(&sim)));
        if n % 13 == 12 {
            writer.rotate().unwrap();
        }
        writer.commit(&[entry(&n.to_string())], 0).unwrap();
    }
    drop(writer);
    let (now, last) = (backup(&sim), kept(&sim).checkpoint.number);
    let mut refused = 0;
    for (number, state) in states {
        put(&sim, &state);
        if number < last {
            let what = refusal(&sim, &clock);
            assert!(what.contains("is older than checkpoint") && what.contains("/keys/"), "{what}");
            refused += 1;
        }
    }
    assert!(refused > 30 && kept(&sim).checkpoint.number == last);
    put(&sim, &now);
    open(&sim, &clock).unwrap();
}

#[test]
fn a_log_whose_checkpoints_were_removed_is_refused_also_before_any_line_tells_of_one() {
    let (sim, clock) = (Sim::default(), clock());
    drop(open(&sim, &clock).unwrap());
    sim.remove(&path().with_file_name("audit.checkpoints")).unwrap();
    assert!(refusal(&sim, &clock).contains("is older than checkpoint 1 for 1 lines"));
}

#[test]
fn a_foreign_log_in_its_place_is_refused() {
    let (sim, other, clock) = (Sim::default(), Sim::default(), clock());
    drop(open(&sim, &clock).unwrap());
    let fs: Arc<dyn LogFs> = Arc::new(other.clone());
    let mut world = world(&fs, &clock, BOUNDS);
    world.random = Arc::new(super::Dice(77.into()));
    let (mut writer, entries) = start(&opening(&path()), world).unwrap();
    writer.commit(&entries, 0).unwrap();
    drop(writer);
    for with_checkpoints in [true, false] {
        let mut files = backup(&other);
        files.retain(|(name, _)| with_checkpoints || !name.ends_with(".checkpoints"));
        put(&sim, &files);
        assert!(refusal(&sim, &clock).contains("was kept for the log"));
    }
}

#[test]
fn lines_that_were_written_anew_under_the_same_name_are_refused() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    let beginning = backup(&sim);
    writer.commit(&[entry("as it was")], 0).unwrap();
    writer.sign().unwrap();
    drop(writer);
    let mark = sim.read(&high_water()).unwrap();
    // Somebody who has the key, and not the other volume.
    put(&sim, &beginning);
    sim.remove(&high_water()).unwrap();
    let mut writer = open(&sim, &clock).unwrap();
    writer.commit(&[entry("as it should have been")], 0).unwrap();
    writer.sign().unwrap();
    drop(writer);
    sim.write(&high_water(), &mark);
    let what = refusal(&sim, &clock);
    assert!(what.contains("is not the log that checkpoint 2"), "{what}");
}

/// Open with another number for the id of a new log.
fn begun(sim: &Sim, clock: &Arc<Hand>, dice: u8) -> Result<(Writer, Vec<Entry>), OpenError> {
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    let opening = Opening { high_water: Some(high_water()), ..opening(&path()) };
    let mut world = world(&fs, clock, BOUNDS);
    world.random = Arc::new(super::Dice(dice.into()));
    start(&opening, world)
}

#[test]
fn an_empty_directory_begins_a_new_log_that_names_the_one_before_and_is_bound_at_once() {
    let (sim, clock) = (Sim::default(), clock());
    drop(open(&sim, &clock).unwrap());
    let (before, old) = (kept(&sim).checkpoint, backup(&sim));
    put(&sim, &[]);
    // Starts that end before their first line.
    for dice in [50, 60] {
        drop(begun(&sim, &clock, dice).unwrap());
        let bound = kept(&sim).checkpoint;
        assert!(bound.number == 0 && bound.size == 0 && bound.log_id != before.log_id, "{bound:?}");
        put(&sim, &old);
        assert!(refusal(&sim, &clock).contains("was kept for the log"));
        put(&sim, &[]);
    }
    let (mut writer, entries) = begun(&sim, &clock, 70).unwrap();
    writer.commit(&entries, 0).unwrap();
    drop(writer);
    let line = &verified(&sim.log(&path()))[0];
    assert_eq!(line["follows"]["log_id"], before.log_id.as_str());
    assert_eq!(line["follows"]["size"], before.size);
    assert_eq!(
        (&line["log_id"], kept(&sim).checkpoint.number),
        (&kept(&sim).checkpoint.log_id.as_str().into(), 1)
    );
    drop(open(&sim, &clock).unwrap());
    assert_eq!(evidence(&sim, &[]).problems, [] as [&str; 0]);
}

#[test]
fn no_log_is_begun_twice_under_one_name_whatever_could_not_be_kept_of_the_first() {
    let (sim, clock) = (Sim::default(), clock());
    drop(open(&sim, &clock).unwrap());
    let mut names = vec![kept(&sim).checkpoint.log_id];
    for dice in [50, 60, 70] {
        put(&sim, &[]);
        let (mut writer, entries) = begun(&sim, &clock, dice).unwrap();
        let bound = sim.read(&high_water()).unwrap();
        writer.commit(&entries, 0).unwrap();
        names.push(verified(&sim.log(&path()))[0]["log_id"].as_str().unwrap().to_owned());
        // The volume took nothing more.
        sim.write(&high_water(), &bound);
    }
    let first = names.clone();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), first.len(), "{first:?}");
}

#[test]
fn what_is_behind_and_cannot_be_compared_any_more_stops_no_log_that_this_server_signed_later() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    let behind = sim.read(&high_water()).unwrap();
    for n in 0..3 {
        writer.commit(&[entry(&n.to_string())], 0).unwrap();
        writer.rotate().unwrap();
        writer.commit(&[entry("next")], 0).unwrap();
    }
    writer.sign().unwrap();
    drop(writer);
    // Older segments were compressed or moved, and the other volume was full or restored.
    let closed: Vec<String> = sim.names().into_iter().filter(|name| name.ends_with(".jsonl")).collect();
    for name in &closed[..closed.len() - 1] {
        sim.remove(&path().with_file_name(name)).unwrap();
    }
    sim.write(&high_water(), &behind);
    drop(open(&sim, &clock).unwrap());

    // A last checkpoint that somebody else made says nothing.
    sim.write(&high_water(), &behind);
    let notes = sim.read(&path().with_file_name("audit.checkpoints")).unwrap();
    let forged = String::from_utf8(notes).unwrap();
    let (rest, signature) = forged.trim_end().rsplit_once(' ').unwrap();
    let other: String = signature.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_ne!(signature, other);
    sim.write(&path().with_file_name("audit.checkpoints"), format!("{rest} {other}\n").as_bytes());
    assert!(refusal(&sim, &clock).contains("is not the log that checkpoint 1"));
}

#[test]
fn a_crash_at_any_operation_leaves_a_log_that_goes_on() {
    for quarters in [0, 2, 4] {
        for index in 0..60 {
            let (sim, clock) = (Sim::default(), clock());
            let mut writer = open(&sim, &clock).unwrap();
            sim.plan(index, Fault::Power);
            for n in 0..6 {
                let _ = writer.commit(&[entry(&n.to_string())], 0);
                let _ = writer.sign();
            }
            drop(writer);
            sim.restart(quarters);
            let case = format!("power lost at {index}, {quarters} quarters kept");
            let mut writer = open(&sim, &clock).unwrap_or_else(|error| panic!("{case}: {error}"));
            writer.sign().unwrap();
            assert!(!writer.checkpoints.high_water.failed, "{case}");
            assert_eq!(Some(&kept(&sim).checkpoint), writer.checkpoints.last(), "{case}");
        }
    }
}

#[test]
fn a_volume_that_cannot_be_written_is_told_of_and_holds_up_nothing() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    let before = kept(&sim).checkpoint.number;
    // Operations of a checkpoint: look, append, sync; of keeping it: look, make, append, sync, rename, sync of the directory.
    for at in 3..9 {
        sim.plan(at, Fault::Once(ErrorKind::StorageFull));
        writer.sign().unwrap();
        assert!(writer.checkpoints.high_water.failed, "operation {at}");
        clock.0.fetch_add(60_000, Ordering::AcqRel);
        writer.commit(&[], 0).unwrap();
        assert!(!writer.checkpoints.high_water.failed, "operation {at}");
    }
    assert_eq!(kept(&sim).checkpoint.number, before + 12);
}

#[test]
fn something_else_in_its_file_is_evidence_and_stops_the_start() {
    let (sim, clock) = (Sim::default(), clock());
    drop(open(&sim, &clock).unwrap());
    for bytes in [&b""[..], b"something else\n", &[0xff; 9_000]] {
        sim.write(&high_water(), bytes);
        assert!(open(&sim, &clock).is_err());
    }
}
