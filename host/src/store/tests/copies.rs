//! Backups while running, and what a restore reads.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::store::{BackupError, RestoreError, read_backup};

#[tokio::test]
async fn a_backup_is_a_registry_of_its_own_and_can_be_restored() {
    let (directory, storage) = place();
    let store = Store::open(&storage, clock()).store;
    store.commit(vec![put(Table::Users, "anna", "1"), put(Table::Grants, "anna", "2")]).await;
    let to = directory.path().join("copy.redb");
    std::fs::write(&to, "an older copy").unwrap();
    assert_eq!(store.backup(to.clone()).await, Ok(()));
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    store.commit(vec![put(Table::Users, "bert", "3")]).await;

    let rows = read_backup(&to).unwrap();
    assert_eq!(rows, [row(Table::Grants, "anna", "2"), row(Table::Users, "anna", "1")]);
    store.close().await;
    let expected = ["copy.redb", "registry.lock", "registry.redb"];
    assert_eq!(files(directory.path()), expected);
}

#[tokio::test]
async fn a_backup_works_while_the_registry_cannot_be_written() {
    let (directory, storage) = place();
    let faults = Faults::none(true);
    faults.fail(EROFS, 0, i64::MAX);
    let store = Store::open_on(Arc::new(Faulty(faults)), &storage, clock()).store;
    let to = directory.path().join("copy.redb");
    assert!(matches!(store.backup(to.clone()).await, Err(BackupError::Source(_))));
    store.tell_whole(|| vec![row(Table::Users, "anna", "1")]);
    assert_eq!(store.backup(to.clone()).await, Ok(()));
    assert_eq!(read_backup(&to).unwrap(), [row(Table::Users, "anna", "1")]);
}

#[tokio::test]
async fn refuses_targets_that_would_do_harm_or_cannot_be_written() {
    let (directory, storage) = place();
    let store = Store::open(&storage, clock()).store;
    let registry = directory.path().join("registry.redb");
    assert!(matches!(store.backup(registry.clone()).await, Err(BackupError::Same(_))));
    let link = directory.path().join("link");
    std::fs::hard_link(&registry, &link).unwrap();
    assert!(matches!(store.backup(link).await, Err(BackupError::Same(_))));
    let nowhere = directory.path().join("missing/copy.redb");
    assert!(matches!(store.backup(nowhere).await, Err(BackupError::Target(..))));
    assert!(matches!(store.backup(PathBuf::from("/")).await, Err(BackupError::Target(..))));
    std::fs::create_dir(directory.path().join("folder")).unwrap();
    let folder = directory.path().join("folder");
    assert!(matches!(store.backup(folder).await, Err(BackupError::Target(..))));
    assert!(!files(directory.path()).iter().any(|name| name.contains(".part-")));
    store.close().await;
    let late = directory.path().join("late.redb");
    assert_eq!(store.backup(late).await, Err(BackupError::Closed));
}

#[test]
fn a_restore_says_why_a_file_is_no_backup() {
    let (directory, _) = place();
    let file = directory.path().join("copy.redb");
    assert!(matches!(read_backup(&file), Err(RestoreError::Missing(_))));
    assert!(matches!(read_backup(directory.path()), Err(RestoreError::Unreadable(..))));
    std::fs::write(&file, "garbage").unwrap();
    assert!(matches!(read_backup(&file), Err(RestoreError::Foreign(..))));
}
