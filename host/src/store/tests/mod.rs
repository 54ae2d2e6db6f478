//! The registry on real files, under injected faults and under kills.

use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aegis_custody::{Clock, Timestamp};
use redb::{BackendError, StorageBackend};

use super::volume::{NoLock, RealVolume, Volume};
use super::{Change, Committed, Name, Opened, Row, Store, Table};

mod copies;
mod faults;
mod kill;
mod open;
mod outage;
mod revocations;

/// A clock that tests set, in milliseconds.
struct Hand(AtomicI64);

impl Hand {
    fn forward(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::AcqRel);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.load(Ordering::Acquire))
    }
}

fn clock() -> Arc<Hand> {
    Arc::new(Hand(AtomicI64::new(1_780_000_000_000)))
}

/// A directory and the value of `DCR_STORAGE_PATH` in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let storage = directory.path().join("dcr.json");
    (directory, storage)
}

fn put(table: Table, key: &str, value: &str) -> Change {
    Change { table, key: key.into(), value: Some(value.into()) }
}

fn row(table: Table, key: &str, value: &str) -> Row {
    Row { table, key: key.into(), value: value.into() }
}

fn names(opened: &Opened) -> Vec<Name> {
    opened.notes.iter().map(|note| note.name).collect()
}

/// Save one row so that a later start finds it.
async fn save(storage: &Path, key: &str) {
    let store = Store::open(storage, clock()).store;
    assert_eq!(store.commit(vec![put(Table::Clients, key, "saved")]).await, Committed::Durable);
    store.close().await;
}

fn files(directory: &Path) -> Vec<String> {
    let mut names = RealVolume.list(directory).unwrap();
    names.sort();
    names
}

/// The machine's volume, whose operations fail from one of them on, or exactly one of them.
#[derive(Debug)]
struct Faults {
    /// Operations left before the first that fails.
    left: AtomicI64,
    /// How many fail from there on.
    lasting: AtomicI64,
    /// Errno of the failure; 0 for none.
    errno: AtomicI32,
    /// Operations seen.
    seen: AtomicU64,
    /// Whether reading works all the same, as on a full or read-only volume.
    reads_work: bool,
    log: Mutex<Vec<&'static str>>,
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

impl Faults {
    fn none(reads_work: bool) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicI64::new(i64::MAX),
            lasting: AtomicI64::new(0),
            errno: AtomicI32::new(0),
            seen: AtomicU64::new(0),
            reads_work,
            log: Mutex::default(),
        })
    }

    /// Fail with `errno` after `left` more operations, `lasting` times.
    fn fail(&self, errno: i32, left: i64, lasting: i64) {
        self.errno.store(errno, Ordering::Release);
        self.lasting.store(lasting, Ordering::Release);
        self.left.store(left, Ordering::Release);
    }

    fn heal(&self) {
        self.fail(0, i64::MAX, 0);
    }

    fn did_fail(&self) -> bool {
        !self.log.lock().unwrap().is_empty()
    }

    fn pass(&self, what: &'static str, is_read: bool) -> io::Result<()> {
        if is_read && self.reads_work {
            return Ok(());
        }
        self.seen.fetch_add(1, Ordering::AcqRel);
        if self.left.fetch_sub(1, Ordering::AcqRel) > 0 {
            return Ok(());
        }
        self.left.store(0, Ordering::Release);
        if self.lasting.fetch_sub(1, Ordering::AcqRel) <= 0 {
            self.heal();
            return Ok(());
        }
        self.log.lock().unwrap().push(what);
        Err(io::Error::from_raw_os_error(self.errno.load(Ordering::Acquire)))
    }
}

struct Faulty(Arc<Faults>);

impl Faulty {
    fn wrap(&self, inner: Box<dyn StorageBackend>) -> Box<dyn StorageBackend> {
        Box::new(FaultyFile { faults: Arc::clone(&self.0), inner })
    }
}

impl Volume for Faulty {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.pass("create_dir", false)?;
        RealVolume.create_dir(dir)
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn Send>, NoLock> {
        self.0.pass("lock", false).map_err(|_| NoLock::Unusable)?;
        RealVolume.lock(path)
    }
    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn StorageBackend>>> {
        self.0.pass("open", false)?;
        Ok(RealVolume.open(path)?.map(|file| self.wrap(file)))
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>> {
        self.0.pass("create", false)?;
        RealVolume.create(path).map(|file| self.wrap(file))
    }
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.0.pass("read", true)?;
        RealVolume.read(path)
    }
    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        self.0.pass("len", true)?;
        RealVolume.len(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.pass("rename", false)?;
        RealVolume.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.pass("remove", false)?;
        RealVolume.remove(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.pass("list", true)?;
        RealVolume.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.pass("sync_dir", false)?;
        RealVolume.sync_dir(dir)
    }
}

#[derive(Debug)]
struct FaultyFile {
    faults: Arc<Faults>,
    inner: Box<dyn StorageBackend>,
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.faults.pass("file.len", true)?;
        self.inner.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.faults.pass("file.read", true)?;
        self.inner.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.faults.pass("file.set_len", false)?;
        self.inner.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.faults.pass("file.sync_data", false)?;
        self.inner.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.faults.pass("file.write", false)?;
        self.inner.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }
}
