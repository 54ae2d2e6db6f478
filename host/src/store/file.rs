//! One registry file: a redb database with a table of rows for each [`Table`] and a format version. It decides
//! nothing about where the file is or what happens when it cannot be used.

use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::backends::InMemoryBackend;
use redb::{
    BackendError, Builder, Database, ReadableDatabase as _, ReadableTable as _, StorageBackend,
    TableDefinition, WriteTransaction,
};

use super::row::{Change, Row, Table};

/// The format that this program writes, and the newest that it reads.
pub(super) const FORMAT: u64 = 1;

/// Memory for pages, in bytes.
const CACHE: usize = 4 << 20;

const REGISTRY: TableDefinition<'static, &str, u64> = TableDefinition::new("registry");

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// Another process has it open.
    #[error("another process has the registry open")]
    Locked,
    /// The machine refused an operation.
    #[error("{0}")]
    Io(io::Error),
    /// The content is not a registry that this program reads.
    #[error("{0}")]
    Corrupt(String),
}

impl Broken {
    fn of(error: impl Into<redb::Error>) -> Self {
        use redb::Error;
        let error = error.into();
        if matches!(error, Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch) {
            return Self::Locked;
        }
        let is_corrupt = matches!(
            error,
            Error::Corrupted(_)
                | Error::UpgradeRequired(_)
                | Error::RepairAborted
                | Error::TableTypeMismatch { .. }
                | Error::TableIsMultimap(_)
                | Error::TypeDefinitionChanged { .. }
        );
        if is_corrupt || matches!(&error, Error::Io(error) if is_content(error.kind())) {
            return Self::Corrupt(error.to_string());
        }
        // What says nothing about the content never costs anybody the file.
        if let Error::Io(error) = error {
            Self::Io(error)
        } else {
            Self::Io(io::Error::other(error.to_string()))
        }
    }
}

/// Whether an error speaks of what stands in the file: no magic number, or an end where there should be more.
fn is_content(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}

/// An open registry.
pub(super) struct Registry {
    database: Database,
}

impl Registry {
    /// Make a registry in an empty file.
    ///
    /// # Errors
    /// See [`Broken`].
    pub(super) fn create(backend: Box<dyn StorageBackend>) -> Result<Self, Broken> {
        guarded(|| {
            let database = builder().create_with_backend(Boxed(backend)).map_err(Broken::of)?;
            let registry = Self { database };
            registry.write(|work| {
                work.open_table(REGISTRY)
                    .map_err(Broken::of)?
                    .insert("format", FORMAT)
                    .map_err(Broken::of)?;
                Table::ALL
                    .iter()
                    .try_for_each(|table| work.open_table(definition(*table)).map(|_| ()).map_err(Broken::of))
            })?;
            Ok(registry)
        })
    }

    /// Open a registry, check every page of it, repair what a kill left and read all rows.
    ///
    /// # Errors
    /// See [`Broken`]; an empty file is none.
    pub(super) fn open(backend: Box<dyn StorageBackend>) -> Result<(Self, Vec<Row>), Broken> {
        guarded(|| {
            if backend.len().map_err(Broken::Io)? == 0 {
                return Err(Broken::Corrupt("the file is empty".to_owned()));
            }
            let database = builder().create_with_backend(Boxed(backend)).map_err(Broken::of)?;
            let registry = Self { database };
            registry.check_format()?;
            let rows = registry.read()?;
            Ok((registry, rows))
        })
    }

    /// The rows in a copy of a file, repaired in memory where needed.
    ///
    /// # Errors
    /// See [`Broken`].
    pub(super) fn rows_in(bytes: &[u8]) -> Result<Vec<Row>, Broken> {
        let memory = InMemoryBackend::new();
        memory.set_len(bytes.len() as u64).and_then(|()| memory.write(0, bytes)).map_err(Broken::Io)?;
        Self::open(Box::new(memory)).map(|(_, rows)| rows)
    }

    /// All rows, table by table, in the order of their keys.
    ///
    /// # Errors
    /// See [`Broken`].
    pub(super) fn rows(&self) -> Result<Vec<Row>, Broken> {
        guarded(|| self.read())
    }

    /// Write one durable transaction: first, where given, the whole content anew, then the changes in order.
    ///
    /// # Errors
    /// See [`Broken`]. The file then holds all of it or nothing, and must be opened again before it is used.
    pub(super) fn apply<'a>(
        &self,
        whole: Option<&[Row]>,
        changes: impl Iterator<Item = &'a Change>,
    ) -> Result<(), Broken> {
        guarded(|| {
            self.write(|work| {
                if let Some(rows) = whole {
                    replace(work, rows)?;
                }
                changes.into_iter().try_for_each(|change| put(work, change))
            })
        })
    }

    /// Close the file in good order, so that the next start need not repair it.
    ///
    /// # Errors
    /// See [`Broken`]; nothing that was committed is lost.
    pub(super) fn close(self) -> Result<(), Broken> {
        guarded(|| self.database.close().map_err(Broken::of))
    }

    /// Let go of a file that failed, without letting a fault in the engine take the thread along.
    pub(super) fn abandon(self) {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self)));
    }

    fn write(&self, fill: impl FnOnce(&WriteTransaction) -> Result<(), Broken>) -> Result<(), Broken> {
        let mut work = self.database.begin_write().map_err(Broken::of)?;
        // Durability is immediate by default. Two phases, because rows hold what strangers sent, and the
        // checksum that one phase relies on is not made against those who choose their input.
        work.set_two_phase_commit(true);
        fill(&work)?;
        work.commit().map_err(Broken::of)
    }

    fn check_format(&self) -> Result<(), Broken> {
        let reading = self.database.begin_read().map_err(Broken::of)?;
        let table = match reading.open_table(REGISTRY) {
            Err(redb::TableError::TableDoesNotExist(_)) => {
                return Err(Broken::Corrupt("it is a database, but not a registry".to_owned()));
            }
            found => found.map_err(Broken::of)?,
        };
        match table.get("format").map_err(Broken::of)?.map(|found| found.value()) {
            Some(FORMAT) => Ok(()),
            Some(other) => Err(Broken::Corrupt(format!(
                "it has format {other}, and this version reads format {FORMAT}: a newer version wrote it"
            ))),
            None => Err(Broken::Corrupt("it names no format".to_owned())),
        }
    }

    fn read(&self) -> Result<Vec<Row>, Broken> {
        let reading = self.database.begin_read().map_err(Broken::of)?;
        let mut rows = Vec::new();
        for table in Table::ALL {
            let stored = match reading.open_table(definition(table)) {
                Err(redb::TableError::TableDoesNotExist(_)) => continue,
                found => found.map_err(Broken::of)?,
            };
            for entry in stored.iter().map_err(Broken::of)? {
                let (key, value) = entry.map_err(Broken::of)?;
                rows.push(Row { table, key: key.value().to_vec(), value: value.value().to_vec() });
            }
        }
        Ok(rows)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    // Without the check a damaged file could be trusted until a damaged page is met while serving.
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

fn replace(work: &WriteTransaction, rows: &[Row]) -> Result<(), Broken> {
    for table in Table::ALL {
        work.delete_table(definition(table)).map_err(Broken::of)?;
        let mut stored = work.open_table(definition(table)).map_err(Broken::of)?;
        for row in rows.iter().filter(|row| row.table == table) {
            stored.insert(row.key.as_slice(), row.value.as_slice()).map_err(Broken::of)?;
        }
    }
    Ok(())
}

fn put(work: &WriteTransaction, change: &Change) -> Result<(), Broken> {
    let mut stored = work.open_table(definition(change.table)).map_err(Broken::of)?;
    match &change.value {
        Some(value) => stored.insert(change.key.as_slice(), value.as_slice()).map(|_| ()),
        None => stored.remove(change.key.as_slice()).map(|_| ()),
    }
    .map_err(Broken::of)
}

/// Run work on a file. The engine may panic on bytes that it did not write: such a file is corrupt.
fn guarded<T>(work: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Broken::Corrupt("the storage engine gave up on the file".to_owned())))
}

/// A backend behind a pointer, as one backend.
#[derive(Debug)]
struct Boxed(Box<dyn StorageBackend>);

impl StorageBackend for Boxed {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }
    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}
