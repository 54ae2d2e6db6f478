//! Rows as the store keeps them, and shelves: tables in memory that say every change they make.
//!
//! A shelf changes only together with the [`Change`] that makes the file follow, so memory and file cannot
//! part. Nothing here knows what a row means.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::Timestamp;

/// Longest value that is read back, in bytes. What is written stays far below.
const LONGEST_VALUE: usize = 64 * 1024;

/// Version of every value, as member `v`.
pub(super) const VERSION: u32 = 1;

/// One table of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Table {
    /// Token families: one for each finished login.
    Families,
    /// Grants of users at Gitea, sealed by the host.
    Grants,
    /// Remembered consents.
    Approvals,
    /// Index of the clients that somebody finished a login with.
    Clients,
    /// Users who signed in.
    Users,
    /// Everything else; the registry keeps what was revoked here.
    Meta,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 6] =
        [Self::Families, Self::Grants, Self::Approvals, Self::Clients, Self::Users, Self::Meta];

    /// The table's stable name in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Families => "families",
            Self::Grants => "grants",
            Self::Approvals => "approvals",
            Self::Clients => "clients",
            Self::Users => "users",
            Self::Meta => "meta",
        }
    }
}

/// One change that the store has to make. Changes of one operation belong into one transaction, in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// Table of the row.
    pub table: Table,
    /// Key of the row.
    pub key: Vec<u8>,
    /// The row's new value; none deletes the row.
    pub value: Option<Vec<u8>>,
}

/// One row of the store.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// Table of the row.
    pub table: Table,
    /// Key of the row.
    pub key: Vec<u8>,
    /// Value of the row.
    pub value: Vec<u8>,
}

/// A row that could not be read and was left out.
///
/// What it stood for is over (people sign in or consent again); the row itself stays in the store until
/// [`Unreadable::deletion`] is committed, since a newer program may have written it.
#[derive(Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Table of the row.
    pub table: Table,
    /// Key of the row.
    pub key: Vec<u8>,
}

// Keys name people and clients, values hold sealed grants: what is printed in passing says how much there is.

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_ref().map(Vec::len);
        let mut shown = f.debug_struct("Change");
        shown
            .field("table", &self.table)
            .field("key_bytes", &self.key.len())
            .field("value_bytes", &value)
            .finish()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Row");
        shown.field("table", &self.table).field("key_bytes", &self.key.len());
        shown.field("value_bytes", &self.value.len()).finish()
    }
}

impl fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Unreadable");
        shown.field("table", &self.table).field("key_bytes", &self.key.len()).finish()
    }
}

impl Unreadable {
    /// The change that takes the row out of the store.
    #[must_use]
    pub fn deletion(&self) -> Change {
        Change { table: self.table, key: self.key.clone(), value: None }
    }
}

/// What can stand on a [`Shelf`].
pub(super) trait Record: Clone {
    const TABLE: Table;
    type Key: Ord + Clone;

    fn key(&self) -> Self::Key;
    /// When it was last used: the order in which rows make room.
    fn used(&self) -> Timestamp;
    fn key_bytes(key: &Self::Key) -> Vec<u8>;
    fn value(&self) -> Vec<u8>;
    /// None if the bytes are not what `key_bytes` and `value` write.
    fn read(key: &[u8], value: &[u8]) -> Option<Self>;
}

/// One table in memory, ordered by key and by last use.
pub(super) struct Shelf<R: Record> {
    rows: BTreeMap<R::Key, R>,
    by_use: BTreeSet<(Timestamp, R::Key)>,
}

impl<R: Record> Default for Shelf<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), by_use: BTreeSet::new() }
    }
}

impl<R: Record> Shelf<R> {
    pub(super) fn get(&self, key: &R::Key) -> Option<&R> {
        self.rows.get(key)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &R> {
        self.rows.values()
    }

    /// Rows with keys from `first` on.
    pub(super) fn from<'a>(&'a self, first: &R::Key) -> impl Iterator<Item = &'a R> + use<'a, R> {
        self.rows.range(first.clone()..).map(|(_, record)| record)
    }

    /// Key of the row that was not used for the longest time.
    pub(super) fn oldest(&self) -> Option<R::Key> {
        self.by_use.first().map(|(_, key)| key.clone())
    }

    /// Put a row in its place. A row that stands there already, word for word, is no change.
    pub(super) fn put(&mut self, record: R, changes: &mut Vec<Change>) {
        let key = record.key();
        let (key_bytes, value) = (R::key_bytes(&key), record.value());
        if self.rows.get(&key).is_some_and(|standing| standing.value() == value) {
            return;
        }
        self.insert(record);
        changes.push(Change { table: R::TABLE, key: key_bytes, value: Some(value) });
    }

    /// Take a row away.
    pub(super) fn remove(&mut self, key: &R::Key, changes: &mut Vec<Change>) -> Option<R> {
        let record = self.rows.remove(key)?;
        self.by_use.remove(&(record.used(), key.clone()));
        changes.push(Change { table: R::TABLE, key: R::key_bytes(key), value: None });
        Some(record)
    }

    /// A row as the store gave it.
    pub(super) fn read(row: &Row) -> Option<R> {
        if row.value.len() > LONGEST_VALUE {
            return None;
        }
        R::read(&row.key, &row.value)
    }

    /// Take a row that the store holds already; false if it cannot be read.
    pub(super) fn load(&mut self, row: &Row) -> bool {
        Self::read(row).map(|record| self.insert(record)).is_some()
    }

    /// Take a record that the store holds already.
    pub(super) fn insert(&mut self, record: R) {
        let key = record.key();
        let used = record.used();
        if let Some(before) = self.rows.insert(key.clone(), record) {
            self.by_use.remove(&(before.used(), key.clone()));
        }
        self.by_use.insert((used, key));
    }

    pub(super) fn export(&self) -> impl Iterator<Item = Row> {
        self.rows.iter().map(|(key, record)| Row {
            table: R::TABLE,
            key: R::key_bytes(key),
            value: record.value(),
        })
    }
}

/// A user id as eight bytes that sort like the number.
pub(super) fn user_bytes(user: i64) -> [u8; 8] {
    (user.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The inverse of [`user_bytes`].
pub(super) fn user_of(bytes: &[u8]) -> Option<i64> {
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

/// A time as it was written: only one that reads back as the same number.
pub(super) fn time(millis: i64) -> Option<Timestamp> {
    let time = Timestamp::from_unix_millis(millis);
    (time.unix_millis() == millis).then_some(time)
}
