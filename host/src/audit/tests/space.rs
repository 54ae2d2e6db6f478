//! A volume that fills up.

use std::io::ErrorKind;

use super::sim::{Fault, Sim};
use super::*;

const RESERVE: &str = "audit.reserve";

fn commit(writer: &mut Writer, id: &str) -> bool {
    writer.commit(&[entry(id)], 0).is_ok()
}

#[test]
fn a_full_volume_is_told_of_at_once_from_the_reserve_and_its_end_too() {
    let (sim, clock) = (Sim::default(), clock());
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    let mut writer = open_writer(&fs, &clock, Bounds::default()).unwrap();
    assert!(sim.names().contains(&RESERVE.to_owned()));

    // One look at the file, then the write.
    sim.plan(1, Fault::Once(ErrorKind::StorageFull));
    assert!(!commit(&mut writer, "refused"));
    assert!(!sim.names().contains(&RESERVE.to_owned()));
    assert_eq!(events(&verified(&sim.log(&path()))), ["log_open", "audit_disk_full"]);

    // Still no room: nothing is tried on the log itself.
    sim.plan(0, Fault::From(ErrorKind::StorageFull));
    let before = sim.read(&path());
    assert!(!commit(&mut writer, "refused"));
    assert_eq!(sim.read(&path()), before);

    sim.heal();
    assert!(commit(&mut writer, "written"));
    assert!(sim.names().contains(&RESERVE.to_owned()));
    let lines = verified(&sim.log(&path()));
    assert_eq!(events(&lines), ["log_open", "audit_disk_full", "recovery", "security_event"]);
    assert_eq!((&lines[2]["attempts"], &lines[3]["reason"]), (&json!(2), &json!("written")));
}

#[test]
fn without_room_for_the_reserve_nothing_is_written() {
    let (sim, clock) = (Sim::default(), clock());
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    let (mut writer, entries) = start(&opening(&path()), world(&fs, &clock, Bounds::default())).unwrap();
    sim.plan(0, Fault::Once(ErrorKind::StorageFull));
    assert!(writer.commit(&entries, 0).is_err());
    assert_eq!((sim.read(&path()), sim.names().contains(&RESERVE.to_owned())), (None, false));
    assert!(writer.commit(&entries, 0).is_ok());
}

#[test]
fn a_reserve_that_cannot_be_made_for_another_reason_keeps_nobody_from_writing() {
    let (sim, clock) = (Sim::default(), clock());
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    let (mut writer, entries) = start(&opening(&path()), world(&fs, &clock, Bounds::default())).unwrap();
    sim.plan(0, Fault::Once(ErrorKind::Unsupported));
    assert!(writer.commit(&entries, 0).is_ok());
}

#[test]
fn little_room_is_on_record_once_and_ends_only_with_more_than_was_too_little() {
    let (sim, clock) = (Sim::default(), clock());
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    sim.free(50_000_000);
    // The twentieth part of the volume is less than what is asked for.
    let bounds = Bounds { min_free: 64_000_000, ..Bounds::default() };
    let mut writer = open_writer(&fs, &clock, bounds).unwrap();
    let mut step = |free: u64, millis: i64| {
        sim.free(free);
        clock.0.fetch_add(millis, Ordering::AcqRel);
        assert!(commit(&mut writer, "x"));
        (writer.room.low, writer.room.free)
    };
    assert_eq!(step(4_999_999, 500), (false, Some(50_000_000)), "asked a moment ago");
    assert_eq!(step(5_000_000, 500), (false, Some(5_000_000)));
    assert_eq!(step(4_999_999, 1_000), (true, Some(4_999_999)));
    assert_eq!(step(5_624_999, 1_000), (true, Some(5_624_999)));
    assert_eq!(step(5_625_000, 1_000), (false, Some(5_625_000)));
    let lines = verified(&sim.log(&path()));
    let told: Vec<_> = lines.iter().filter(|line| line["event"] == "audit_space").collect();
    assert_eq!(told.len(), 2);
    assert_eq!((&told[0]["state"], &told[0]["free"]), (&json!("low"), &json!(4_999_999)));
    assert_eq!((&told[1]["state"], &told[1]["free"]), (&json!("enough"), &json!(5_625_000)));
}

#[test]
fn a_volume_that_does_not_say_how_much_is_free_counts_as_nearly_full() {
    let (sim, clock) = (Sim::default(), clock());
    let fs: Arc<dyn LogFs> = Arc::new(sim.clone());
    let mut writer = open_writer(&fs, &clock, Bounds { min_free: 1, ..Bounds::default() }).unwrap();
    assert_eq!((writer.room.low, writer.room.free), (true, None));
    assert!(commit(&mut writer, "x"));
    let lines = verified(&sim.log(&path()));
    assert_eq!(
        events(&lines),
        ["log_open", "audit_space", "security_event"],
        "nothing comes before the beginning"
    );
    assert_eq!((&lines[1]["state"], &lines[1]["free"]), (&json!("low"), &Value::Null));
    let writer = open_writer(&fs, &clock, Bounds::default()).unwrap();
    assert!(!writer.room.low, "nobody asks");
}
