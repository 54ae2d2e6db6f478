//! What sign-in remembers: the state in memory, and each change on its way to the volume.
//!
//! Memory is what counts; the volume is where it comes from after a restart. Changes take their place in the order of
//! the file while the state is locked, and whoever needs to know waits for them after that. Without a volume that can
//! be written nothing waits and nothing fails.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use aegis_custody::oauth::registry::{Bounds, Change, Registry, Row, Unreadable};
use aegis_custody::{Clock as _, Timestamp};

use crate::shared::SystemClock;
use crate::store::{Committed, Store};

/// A change on its way to the volume.
type Waiting = Pin<Box<dyn Future<Output = Committed> + Send>>;

/// The state and its file.
#[derive(Clone)]
pub(crate) struct Records {
    state: Arc<Mutex<Registry>>,
    pub(crate) store: Store,
}

impl Records {
    /// From what was on the volume, and what was revoked as kept beside it. Rows that cannot be read are told, and are
    /// gone.
    pub(crate) fn new(store: Store, rows: Vec<Row>, revoked: &[Row], bounds: Bounds) -> Self {
        let (mut registry, mut unreadable) = Registry::load(rows, bounds);
        let mut changes: Vec<Change> = unreadable.iter().map(Unreadable::deletion).collect();
        let (unknown, more) = registry.remember(revoked.iter().cloned(), SystemClock.now());
        unreadable.extend(unknown);
        changes.extend(more);
        // Both must say the same from now on, whichever of the two knew less.
        let kept: BTreeMap<&[u8], &[u8]> =
            revoked.iter().map(|row| (row.key.as_slice(), row.value.as_slice())).collect();
        let is_kept = |row: &Row| kept.get(row.key.as_slice()) == Some(&row.value.as_slice());
        let lacking = registry.revocations().filter(|row| !is_kept(row));
        changes.extend(lacking.map(|Row { table, key, value }| Change { table, key, value: Some(value) }));
        for row in &unreadable {
            tracing::warn!(event = "registry_row_unreadable", table = row.table.name());
        }
        let state = Arc::new(Mutex::new(registry));
        let whole = state.clone();
        store.tell_whole(move || whole.lock().unwrap_or_else(PoisonError::into_inner).export());
        let records = Self { state, store };
        drop(records.store.commit(changes));
        records
    }

    /// Look at the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Registry, Timestamp) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner), SystemClock.now())
    }

    /// Change the state, and go on before the change is on the volume.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut Registry, Timestamp) -> (T, Vec<Change>)) -> T {
        self.begin(act).0
    }

    /// Change the state, and wait until the change is on the volume, where there is one.
    pub(crate) async fn keep<T>(
        &self,
        act: impl FnOnce(&mut Registry, Timestamp) -> (T, Vec<Change>),
    ) -> (T, Committed) {
        let (answer, committed) = self.begin(act);
        match committed {
            Some(commit) => (answer, commit.await),
            None => (answer, Committed::Durable),
        }
    }

    fn begin<T>(
        &self,
        act: impl FnOnce(&mut Registry, Timestamp) -> (T, Vec<Change>),
    ) -> (T, Option<Waiting>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, changes) = act(&mut state, SystemClock.now());
        // Before the lock goes: the file must not see two changes in another order than memory did.
        let waits = (!changes.is_empty()).then(|| Box::pin(self.store.commit(changes)) as Waiting);
        (answer, waits)
    }
}
