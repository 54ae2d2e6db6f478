//! What was revoked, kept a second time.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn revoke(id: &str) -> Change {
    put(Table::Meta, &format!("refused/{id}"), "{\"at\":1,\"v\":1}")
}

fn allow(id: &str) -> Change {
    Change { table: Table::Meta, key: format!("refused/{id}").into(), value: None }
}

fn file(storage: &Path) -> PathBuf {
    storage.with_file_name("registry.revoked")
}

fn lines(storage: &Path) -> usize {
    std::fs::read_to_string(file(storage)).unwrap().lines().count()
}

fn kept(opened: &Opened) -> Vec<String> {
    opened.revoked.iter().map(|row| String::from_utf8(row.key.clone()).unwrap()).collect()
}

async fn commit(storage: &Path, changes: Vec<Change>) {
    let store = Store::open(storage, clock()).store;
    assert_eq!(store.commit(changes).await, Committed::Durable);
    store.close().await;
}

#[tokio::test]
async fn what_is_revoked_outlives_the_registry_and_nothing_else_is_kept_beside_it() {
    let (_directory, storage) = place();
    commit(&storage, vec![put(Table::Clients, "a", "x"), put(Table::Meta, "other", "x")]).await;
    assert!(!file(&storage).exists());
    commit(&storage, vec![revoke("a"), put(Table::Meta, "revoked-user/5", "{}"), revoke("b"), allow("b")])
        .await;
    assert_eq!(std::fs::metadata(file(&storage)).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(storage.with_file_name("registry.redb"), "not a registry").unwrap();
    let opened = Store::open(&storage, clock());
    assert!(opened.rows.is_empty() && names(&opened).contains(&Name::Corrupt));
    assert_eq!(kept(&opened), ["refused/a", "revoked-user/5"]);
    assert_eq!(opened.revoked[0], row(Table::Meta, "refused/a", "{\"at\":1,\"v\":1}"));
}

#[tokio::test]
async fn a_start_writes_the_file_anew_without_what_is_over() {
    let (_directory, storage) = place();
    for id in ["a", "b", "c"] {
        commit(&storage, vec![revoke(id)]).await;
    }
    commit(&storage, vec![allow("a"), allow("b")]).await;
    assert_eq!(lines(&storage), 5);
    let opened = Store::open(&storage, clock());
    assert_eq!((kept(&opened), lines(&storage)), (vec!["refused/c".to_owned()], 1));
    assert_eq!(opened.notes, []);
}

#[tokio::test]
async fn lines_that_cannot_be_read_are_told_and_kept_and_the_others_count() {
    for (damage, count) in [
        (&b"{\"v\":1,\"key\":\"refused/torn"[..], 1),
        (b"nonsense\n\n{\"v\":2,\"key\":\"refused/x\",\"value\":{}}\n", 2),
        (b"{\"v\":1,\"key\":\"another\",\"value\":{}}\n\0\0\0\n", 2),
    ] {
        let (directory, storage) = place();
        commit(&storage, vec![revoke("a")]).await;
        let before = [std::fs::read(file(&storage)).unwrap(), damage.to_vec()].concat();
        std::fs::write(file(&storage), &before).unwrap();
        let opened = Store::open(&storage, clock());
        assert_eq!(
            (names(&opened), kept(&opened)),
            (vec![Name::RevocationsUnreadable], vec!["refused/a".to_owned()])
        );
        assert!(opened.notes[0].text.starts_with(&format!("{count} lines of")), "{}", opened.notes[0].text);
        let aside = files(directory.path()).into_iter().find(|name| name.contains("unreadable-")).unwrap();
        assert_eq!(std::fs::read(directory.path().join(aside)).unwrap(), before);
        assert_eq!(opened.store.commit(vec![revoke("b")]).await, Committed::Durable);
        opened.store.close().await;
        let again = Store::open(&storage, clock());
        assert_eq!((again.notes.as_slice(), kept(&again).len()), (&[][..], 2), "told once");
    }
}

#[tokio::test]
async fn a_revocation_that_a_fault_kept_out_of_the_file_is_in_it_as_soon_as_it_can_be() {
    for errno in [EIO, ENOSPC, EROFS] {
        for left in 0..8 {
            let (_directory, storage) = place();
            let (faults, hand) = (Faults::none(true), clock());
            let store = Store::open_on(Arc::new(Faulty(Arc::clone(&faults))), &storage, hand.clone()).store;
            store.tell_whole(Vec::new);
            assert_eq!(store.commit(vec![revoke("a")]).await, Committed::Durable);
            faults.fail(errno, left, 2);
            let _ = store.commit(vec![revoke("b")]).await;
            faults.heal();
            hand.forward(120_000);
            let _ = store.commit(vec![revoke("c"), allow("a")]).await;
            store.close().await;
            let opened = Store::open(&storage, clock());
            assert_eq!(kept(&opened), ["refused/b", "refused/c"], "errno {errno} after {left}");
            assert!(names(&opened).iter().all(|name| *name != Name::RevocationsUnreadable));
        }
    }
}

#[tokio::test]
async fn who_has_no_right_to_the_registry_leaves_the_file_alone() {
    let (_directory, storage) = place();
    let first = Store::open(&storage, clock());
    assert_eq!(first.store.commit(vec![revoke("a")]).await, Committed::Durable);
    let before = std::fs::read(file(&storage)).unwrap();
    let second = Store::open(&storage, clock());
    assert!(second.is_locked() && second.revoked.is_empty());
    assert_eq!(second.store.commit(vec![revoke("b")]).await, Committed::Volatile);
    second.store.close().await;
    assert_eq!(std::fs::read(file(&storage)).unwrap(), before);
    drop(first);
}

#[tokio::test]
async fn a_revocation_that_is_kept_once_is_told_and_kept_again_without_another_write() {
    let (_directory, storage) = place();
    let hand = clock();
    let store = Store::open(&storage, hand.clone()).store;
    // What stands in the way of the file stands in the way of nothing else.
    let fresh = storage.with_file_name("registry.revoked.new");
    std::fs::create_dir(&fresh).unwrap();
    assert_eq!(store.commit(vec![revoke("a")]).await, Committed::Once);
    assert_eq!(store.commit(vec![put(Table::Clients, "b", "x")]).await, Committed::Durable);
    assert_eq!(store.commit(vec![revoke("c"), put(Table::Clients, "c", "x")]).await, Committed::Once);
    let health = store.health();
    assert!(health.durable && health.revocations.is_some(), "{health:?}");
    std::fs::remove_dir(&fresh).unwrap();
    hand.forward(120_000);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while store.health().revocations.is_some() {
        assert!(std::time::Instant::now() < deadline, "it is never tried again");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(store.commit(vec![revoke("d")]).await, Committed::Durable);
    let told: Vec<Name> = store.take_notes().into_iter().map(|note| note.name).collect();
    assert_eq!(told, [Name::RevocationsVolatile, Name::RevocationsDurable]);
    store.close().await;
    assert_eq!(kept(&Store::open(&storage, clock())), ["refused/a", "refused/c", "refused/d"]);
}
