//! What a start finds: every case that a volume can be in.

use std::os::unix::fs::PermissionsExt as _;

use redb::{Builder, TableDefinition};

use super::*;
use crate::store::mentions_original;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn makes_a_registry_that_only_its_owner_reads_and_finds_it_again() {
    let outer = tempfile::tempdir().unwrap();
    let storage = outer.path().join("a/b/dcr.json");
    let opened = Store::open(&storage, clock());
    assert_eq!(names(&opened), [Name::Created]);
    assert!(opened.rows.is_empty());
    let changes = Table::ALL.map(|table| put(table, table.name(), "x")).to_vec();
    assert_eq!(opened.store.commit(changes).await, Committed::Durable);
    let health = opened.store.health();
    assert!(health.durable && health.commits == 1 && health.bytes > 0, "{health:?}");
    opened.store.close().await;
    assert_eq!(mode(&outer.path().join("a/b")), 0o700);
    assert_eq!(mode(&outer.path().join("a/b/registry.redb")), 0o600);

    let opened = Store::open(&storage, clock());
    assert_eq!(names(&opened), []);
    assert_eq!(opened.rows, Table::ALL.map(|table| row(table, table.name(), "x")));
    let remove = Change { table: Table::Users, key: b"users".to_vec(), value: None };
    assert_eq!(opened.store.commit(vec![remove]).await, Committed::Durable);
    opened.store.close().await;
    assert_eq!(Store::open(&storage, clock()).rows.len(), Table::ALL.len() - 1);
}

#[tokio::test]
async fn refuses_a_registry_that_somebody_has_open_and_never_writes_it_later() {
    let (_directory, storage) = place();
    save(&storage, "mine").await;
    let first = Store::open(&storage, clock()).store;
    let hand = clock();
    let second = Store::open(&storage, hand.clone());
    assert!(second.is_locked());
    assert!(second.notes[0].text.contains("stop the other server"), "{:?}", second.notes);
    assert!(second.rows.is_empty() && !second.store.health().durable);
    second.store.tell_whole(Vec::new);
    first.close().await;
    hand.forward(3_600_000);
    let changes = vec![put(Table::Clients, "theirs", "x")];
    assert_eq!(second.store.commit(changes).await, Committed::Volatile);
    drop(second);
    assert_eq!(Store::open(&storage, clock()).rows, [row(Table::Clients, "mine", "saved")]);
}

#[tokio::test]
async fn sets_a_file_aside_that_is_no_registry_and_begins_a_new_one() {
    for garbage in [&b""[..], b"\0\0\0\0", b"{\"clients\":{}}", &[0xff; 100_000]] {
        let (directory, storage) = place();
        std::fs::write(directory.path().join("registry.redb"), garbage).unwrap();
        let opened = Store::open(&storage, clock());
        assert_eq!(names(&opened), [Name::Corrupt, Name::Created]);
        assert_eq!(opened.store.commit(vec![put(Table::Meta, "k", "v")]).await, Committed::Durable);
        let aside = directory.path().join("registry.redb.corrupt-1780000000");
        assert_eq!(std::fs::read(aside).unwrap(), garbage);
    }
}

#[tokio::test]
async fn sets_databases_aside_that_are_foreign_or_of_a_newer_format() {
    let other: TableDefinition<'_, &str, u64> = TableDefinition::new("something");
    let registry: TableDefinition<'_, &str, u64> = TableDefinition::new("registry");
    let wrong: TableDefinition<'_, u64, u64> = TableDefinition::new("registry");
    for (case, says) in [(0, "not a registry"), (1, "a newer version wrote it"), (2, "registry")] {
        let (directory, storage) = place();
        let database = Builder::new().create(directory.path().join("registry.redb")).unwrap();
        let work = database.begin_write().unwrap();
        match case {
            0 => drop(work.open_table(other).unwrap().insert("format", 1).unwrap()),
            1 => drop(work.open_table(registry).unwrap().insert("format", 2).unwrap()),
            _ => drop(work.open_table(wrong).unwrap().insert(1, 2).unwrap()),
        }
        work.commit().unwrap();
        drop(database);
        let opened = Store::open(&storage, clock());
        assert_eq!(names(&opened), [Name::Corrupt, Name::Created]);
        assert!(opened.notes[0].text.contains(says), "{:?}", opened.notes);
    }
}

#[tokio::test]
async fn a_file_cut_to_any_length_is_read_whole_or_set_aside() {
    let (directory, storage) = place();
    let store = Store::open(&storage, clock()).store;
    for n in 0..40 {
        let change = put(Table::Clients, &format!("{n:03}"), &"x".repeat(700));
        assert_eq!(store.commit(vec![change]).await, Committed::Durable);
    }
    store.close().await;
    let file = directory.path().join("registry.redb");
    let whole = std::fs::read(&file).unwrap();
    let (mut kept, mut lost) = (0, 0);
    for length in
        [1, 8, 9, 64, 100, 319, 320, 511, 512].into_iter().chain((4096..whole.len()).step_by(20_479))
    {
        let (directory, storage) = place();
        std::fs::write(directory.path().join("registry.redb"), &whole[..length]).unwrap();
        let opened = Store::open(&storage, clock());
        if opened.rows.is_empty() {
            assert_eq!(names(&opened), [Name::Corrupt, Name::Created], "cut to {length}");
            lost += 1;
        } else {
            assert_eq!(opened.rows.len(), 40, "cut to {length}");
            kept += 1;
        }
        assert_eq!(opened.store.commit(vec![put(Table::Meta, "k", "v")]).await, Committed::Durable);
    }
    assert!(lost >= 9, "{lost} lost, {kept} kept");
}

#[tokio::test]
async fn a_flipped_byte_never_changes_a_row_unseen() {
    let (directory, storage) = place();
    save(&storage, "one").await;
    let whole = std::fs::read(directory.path().join("registry.redb")).unwrap();
    let held: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    for at in held.iter().step_by(held.len() / 150 + 1) {
        let (directory, storage) = place();
        let mut bytes = whole.clone();
        bytes[*at] ^= 0x10;
        std::fs::write(directory.path().join("registry.redb"), bytes).unwrap();
        let opened = Store::open(&storage, clock());
        let expected = [row(Table::Clients, "one", "saved")];
        // An older state, from before the row was written, may be what the other commit slot holds.
        let is_seen = opened.rows.is_empty() || opened.rows == expected;
        assert!(is_seen, "byte {at}: {:?}", opened.rows);
    }
}

#[tokio::test]
async fn keeps_a_few_files_that_were_set_aside_and_overwrites_none() {
    let (directory, storage) = place();
    for n in 0..8 {
        std::fs::write(directory.path().join("registry.redb"), format!("garbage {n}")).unwrap();
        let opened = Store::open(&storage, clock());
        assert_eq!(names(&opened), [Name::Corrupt, Name::Created]);
        opened.store.close().await;
    }
    let aside: Vec<String> =
        files(directory.path()).into_iter().filter(|name| name.contains("corrupt")).collect();
    let expected: Vec<String> =
        (3..8).map(|n| format!("registry.redb.corrupt-{}", 1_780_000_000 + n)).collect();
    assert_eq!(aside, expected);
    let newest = std::fs::read_to_string(directory.path().join(&aside[4])).unwrap();
    assert_eq!(newest, "garbage 7");
}

#[tokio::test]
async fn lives_in_memory_where_the_directory_cannot_be_made() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "not a directory").unwrap();
    let opened = Store::open(&directory.path().join("file/dcr.json"), clock());
    assert_eq!(names(&opened), [Name::Volatile]);
    assert!(opened.notes[0].text.contains("is not a directory: name another place"), "{:?}", opened.notes);
    assert_eq!(opened.store.commit(vec![put(Table::Meta, "k", "v")]).await, Committed::Volatile);
    assert!(opened.store.health().reason.is_some());
}

#[tokio::test]
async fn reads_a_volume_that_cannot_be_written_also_after_a_kill() {
    let (directory, storage) = place();
    let store = Store::open(&storage, clock()).store;
    assert_eq!(store.commit(vec![put(Table::Clients, "one", "saved")]).await, Committed::Durable);
    // Copied while it is open: as a kill leaves it.
    let unclean = std::fs::read(directory.path().join("registry.redb")).unwrap();
    store.close().await;
    let clean = std::fs::read(directory.path().join("registry.redb")).unwrap();
    assert_ne!(unclean, clean);
    for bytes in [unclean, clean] {
        std::fs::write(directory.path().join("registry.redb"), &bytes).unwrap();
        let faults = Faults::none(true);
        faults.fail(EROFS, 0, i64::MAX);
        let opened = Store::open_on(Arc::new(Faulty(faults)), &storage, clock());
        assert_eq!(names(&opened), [Name::Volatile]);
        assert_eq!(opened.rows, [row(Table::Clients, "one", "saved")]);
        assert_eq!(opened.store.commit(vec![put(Table::Meta, "k", "v")]).await, Committed::Volatile);
        opened.store.close().await;
        assert_eq!(std::fs::read(directory.path().join("registry.redb")).unwrap(), bytes);
    }
}

#[tokio::test]
async fn leaves_a_broken_file_where_it_is_on_a_volume_that_cannot_be_written() {
    let (directory, storage) = place();
    std::fs::write(directory.path().join("registry.redb"), "garbage").unwrap();
    let faults = Faults::none(true);
    faults.fail(EROFS, 0, i64::MAX);
    let opened = Store::open_on(Arc::new(Faulty(faults)), &storage, clock());
    assert_eq!(names(&opened), [Name::Corrupt, Name::Volatile]);
    assert_eq!(files(directory.path()), ["registry.redb"]);
}

#[test]
fn mentions_a_file_of_the_original_product_and_leaves_it_alone() {
    let (directory, storage) = place();
    assert_eq!(mentions_original(&storage), None);
    assert_eq!(mentions_original(directory.path()), None);
    std::fs::write(&storage, "\n {\"clients\": []}").unwrap();
    let note = mentions_original(&storage).unwrap();
    assert_eq!((note.name, note.name.as_str()), (Name::Original, "registry_original"));
    assert_eq!(std::fs::read_to_string(&storage).unwrap(), "\n {\"clients\": []}");
    std::fs::write(&storage, "redb").unwrap();
    assert_eq!(mentions_original(&storage), None);
}
