//! Signed checkpoints: when one is made, what survives, and what the log refuses to sign for.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aegis_custody::audit::Note;
use tokio::sync::watch;

use super::super::start::start;
use super::sim::{Fault, Sim};
use super::{
    Bounds, Hand, LogFs, OpenError, Writer, begin, clock, entry, events, evidence, open_writer, opening,
    path, signer, verified, world,
};

const BOUNDS: Bounds =
    Bounds { size: 1_000_000, age: i64::MAX, note_lines: 10, note_age: 60_000, min_free: 0 };

fn open(sim: &Sim, clock: &Arc<Hand>) -> Result<Writer, OpenError> {
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    open_writer(&fs, clock, BOUNDS)
}

fn notes(sim: &Sim) -> Vec<Note> {
    sim.notes(&path()).iter().flat_map(|bytes| Note::parse_all(bytes).unwrap().0).collect()
}

fn sizes(sim: &Sim) -> Vec<(u64, u64)> {
    notes(sim).iter().map(|note| (note.checkpoint.number, note.checkpoint.size)).collect()
}

fn write(writer: &mut Writer, count: usize) {
    for n in 0..count {
        writer.commit(&[entry(&n.to_string())], 0).unwrap();
    }
}

#[test]
fn one_is_signed_at_the_start_by_lines_and_by_time_also_when_nothing_happens() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    assert_eq!(sizes(&sim), [(1, 1)]);
    write(&mut writer, 25);
    assert_eq!(sizes(&sim), [(1, 1), (2, 11), (3, 21)]);
    for _ in 0..3 {
        clock.0.fetch_add(60_000, Ordering::AcqRel);
        writer.commit(&[], 0).unwrap();
        writer.commit(&[], 0).unwrap();
    }
    assert_eq!(sizes(&sim)[3..], [(4, 26), (5, 26), (6, 26)]);
    let found = evidence(&sim, &[]);
    assert_eq!((found.problems.len(), found.gaps.len(), found.covered), (0, 0, 26), "{found:?}");
}

#[test]
fn a_clock_that_was_set_back_does_not_put_the_next_one_off() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    clock.0.fetch_sub(3_600_000, Ordering::AcqRel);
    writer.commit(&[], 0).unwrap();
    assert_eq!(sizes(&sim).len(), 2);
}

#[test]
fn nobody_is_shown_one_that_is_not_on_disk() {
    let (sim, clock) = (Sim::default(), clock());
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    let (latest, shown) = watch::channel(None);
    let mut world = world(&fs, &clock, BOUNDS);
    world.latest = latest;
    let (mut writer, entries) = start(&opening(&path()), world).unwrap();
    writer.commit(&entries, 0).unwrap();
    for index in 0..6 {
        sim.plan(index, Fault::Power);
        let _ = writer.sign();
        let told: Option<Arc<str>> = shown.borrow().clone();
        sim.restart(0);
        let kept = notes(&sim);
        let told = Note::parse(&told.unwrap()).unwrap();
        assert!(kept.contains(&told), "power lost at {index}: {} was shown", told.checkpoint.number);
        writer = open(&sim, &clock).unwrap();
        sim.heal();
    }
}

#[test]
fn a_log_that_ends_before_its_last_checkpoint_is_not_continued() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    write(&mut writer, 10);
    drop(writer);
    let whole = sim.read(&path()).unwrap();
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for keep in [0, 1, 5, lines.len() - 1] {
        sim.write(&path(), &lines[..keep].concat());
        let Err(OpenError::Signed { what, .. }) = open(&sim, &clock) else {
            panic!("opened with {keep} lines")
        };
        assert!(what.contains(&format!("has {keep} lines, and 11 were signed")), "{what}");
    }
    sim.write(&path(), &whole);
    open(&sim, &clock).unwrap();
}

#[test]
fn another_log_of_the_same_length_is_not_continued() {
    let (sim, clock) = (Sim::default(), clock());
    write(&mut open(&sim, &clock).unwrap(), 10);
    let other = Sim::default();
    let mut writer = open(&other, &clock).unwrap();
    writer.commit(&[entry("another")], 0).unwrap();
    write(&mut writer, 12);
    // The same id, since the dice of both fell alike: only the lines differ.
    sim.write(&path(), &other.read(&path()).unwrap());
    assert!(matches!(open(&sim, &clock), Err(OpenError::Signed { .. })));
}

#[test]
fn checkpoints_that_a_line_tells_of_must_be_there_at_the_start() {
    let (sim, clock) = (Sim::default(), clock());
    write(&mut open(&sim, &clock).unwrap(), 10);
    drop(open(&sim, &clock).unwrap());
    let place = crate::audit::names::Place::new(&path()).unwrap();
    let kept = sim.read(&place.checkpoints()).unwrap();
    let first = notes(&sim)[0].to_string();
    for (left, said) in [
        (first.as_bytes(), "tells of checkpoint 2, and the last one kept is 1"),
        (b"".as_slice(), "tells of checkpoint 2, and there is none"),
    ] {
        sim.write(&place.checkpoints(), left);
        let Err(OpenError::Signed { what, .. }) = open(&sim, &clock) else { panic!("opened: {said}") };
        assert_eq!(what, said);
    }
    sim.write(&place.checkpoints(), b"something else\n\n\xe2\x80\x94 x y\nand more\n");
    assert!(matches!(open(&sim, &clock), Err(OpenError::Checkpoints(_))));
    sim.write(&place.checkpoints(), &[kept.as_slice(), b"aegis-audit/00"].concat());
    open(&sim, &clock).unwrap();
    assert!(evidence(&sim, &[]).problems.is_empty());
}

#[test]
fn a_checkpoint_that_cannot_be_written_stops_nothing_at_first_and_everything_in_the_end() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    let place = crate::audit::names::Place::new(&path()).unwrap();
    let mine = sim.read(&place.checkpoints()).unwrap();
    // Somebody else's hand on the file.
    sim.write(&place.checkpoints(), b"");
    let written = (0..100).take_while(|n| writer.commit(&[entry(&n.to_string())], 0).is_ok()).count();
    assert_eq!(written, 50);
    assert!(writer.commit(&[entry("later")], 0).unwrap_err().to_string().contains("moved or changed"));
    sim.write(&place.checkpoints(), &mine);
    // Put back is not the same file; a restart takes it up.
    assert!(writer.commit(&[entry("later")], 0).is_err());
    drop(writer);
    let mut writer = open(&sim, &clock).unwrap();
    writer.commit(&[entry("again")], 0).unwrap();
    assert!(evidence(&sim, &[]).problems.is_empty());
}

#[test]
fn a_file_of_checkpoints_whose_sync_failed_is_never_synced_again() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    let before = sim.operations();
    writer.sign().unwrap();
    let steps = sim.operations() - before;
    for index in 0..steps {
        sim.plan(index, Fault::Once(ErrorKind::Other));
        let _ = writer.sign();
        writer.sign().unwrap();
        write(&mut writer, 3);
    }
    assert_eq!(sim.second_syncs(), 0);
    assert!(sim.names().iter().filter(|name| name.ends_with(".checkpoints")).count() > 1);
    drop(writer);
    open(&sim, &clock).unwrap();
    assert!(evidence(&sim, &[]).problems.is_empty());
}

#[test]
fn a_new_key_is_handed_over_to_at_the_start_and_while_running() {
    let (sim, clock) = (Sim::default(), clock());
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    let pem = |n: u8| signer::fresh_pem(&super::Dice(n.into()));
    let both = [pem(2).as_bytes(), pem(1).as_bytes()].concat();
    write(&mut open(&sim, &clock).unwrap(), 3);

    let mut with_both = opening(&path());
    with_both.signer = Arc::new(signer::Signer::from_pem(&both).unwrap());
    let (mut writer, entries) = start(&with_both, world(&fs, &clock, BOUNDS)).unwrap();
    writer.commit(&entries, 0).unwrap();
    write(&mut writer, 3);
    assert_eq!(events(&verified(&sim.log(&path())))[4..6], ["key_handover", "log_open"]);

    let three = [pem(3).as_bytes(), pem(2).as_bytes()].concat();
    writer.use_key(Arc::new(signer::Signer::from_pem(&three).unwrap())).unwrap();
    write(&mut writer, 12);
    let found = evidence(&sim, &[]);
    assert_eq!((found.problems.as_slice(), found.gaps.as_slice()), (&[][..], &[][..]));
    assert!(found.covered > 12, "{found:?}");

    // Without the key before it nothing proves the change, and the log says that too.
    drop(writer);
    let _ = begin(&path(), world(&fs, &clock, BOUNDS)).unwrap();
    let found = evidence(&sim, &[]);
    assert_eq!((found.problems.len(), found.gaps.len()), (0, 1), "{found:?}");
}

#[test]
fn a_segment_that_is_closed_while_the_key_changes_is_signed_by_the_key_of_its_lines() {
    let pem = |n: u8| signer::fresh_pem(&super::Dice(n.into()));
    let signer = || {
        let both = [pem(2).as_bytes(), pem(1).as_bytes()].concat();
        Arc::new(signer::Signer::from_pem(&both).unwrap())
    };
    // While running, and by a restart: either way the segment is due when the line about the key arrives.
    for restart in [false, true] {
        let (sim, clock) = (Sim::default(), clock());
        let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
        let bounds = Bounds { age: 1_000, ..BOUNDS };
        let mut writer = open_writer(&fs, &clock, bounds).unwrap();
        write(&mut writer, 3);
        clock.0.fetch_add(1_000, Ordering::AcqRel);
        if restart {
            drop(writer);
            let opening = super::Opening { signer: signer(), ..opening(&path()) };
            let (again, entries) = start(&opening, world(&fs, &clock, bounds)).unwrap();
            writer = again;
            writer.commit(&entries, 0).unwrap();
        } else {
            writer.use_key(signer()).unwrap();
        }
        assert_eq!(sim.log(&path()).len(), 2, "{:?}", sim.names());
        let found = evidence(&sim, &[]);
        assert_eq!((found.problems.as_slice(), found.gaps.as_slice()), (&[][..], &[][..]));
    }
}

#[test]
fn a_checkpoint_that_nobody_synced_is_durable_before_a_line_tells_of_it() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    write(&mut writer, 3);
    // Operations of a checkpoint: look, append, sync.
    sim.plan(2, Fault::Power);
    let _ = writer.sign();
    // Killed: what was written is there, on the disk or not.
    sim.restart(4);
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    let (mut writer, entries) = start(&opening(&path()), world(&fs, &clock, BOUNDS)).unwrap();
    // Operations of the opening lines: look for the reserve and make it, look, append, sync of the file and of its
    // directory; then the power goes.
    sim.plan(6, Fault::Power);
    writer.commit(&entries, 0).unwrap();
    sim.restart(0);
    open(&sim, &clock).unwrap();
    assert_eq!(evidence(&sim, &[]).problems, [] as [&str; 0]);
}

#[test]
fn a_checkpoint_behind_those_that_a_closed_name_states_was_never_signed() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    writer.sign().unwrap();
    writer.sign().unwrap();
    drop(writer);
    // A file whose sync failed at the third, and which could not be cut before it was put aside.
    let place = crate::audit::names::Place::new(&path()).unwrap();
    let bytes = sim.read(&place.checkpoints()).unwrap();
    sim.remove(&place.checkpoints()).unwrap();
    sim.write(&place.closed_checkpoints(1, 2), &bytes);
    open(&sim, &clock).unwrap();
    let numbers: Vec<u64> = sizes(&sim).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 3]);
    assert_eq!(evidence(&sim, &[]).problems, [] as [&str; 0]);
}

#[test]
fn checkpoints_are_closed_with_a_segment_once_they_are_many() {
    let (sim, clock) = (Sim::default(), clock());
    let mut writer = open(&sim, &clock).unwrap();
    for _ in 0..1_100 {
        writer.sign().unwrap();
    }
    writer.rotate().unwrap();
    write(&mut writer, 1);
    writer.rotate().unwrap();
    write(&mut writer, 1);
    drop(writer);
    let closed: Vec<String> = sim.names().into_iter().filter(|name| name.ends_with(".checkpoints")).collect();
    assert_eq!(closed, ["audit-000000000001-000000001102.checkpoints", "audit.checkpoints"]);
    open(&sim, &clock).unwrap();
    let found = evidence(&sim, &[]);
    assert_eq!((found.problems.as_slice(), found.gaps.as_slice()), (&[][..], &[][..]));
}
