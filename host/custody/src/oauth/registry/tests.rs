//! Tests of the registry, with a file beside it that follows by its changes alone.

mod codes;
mod families;
mod model;
mod others;
mod passing;
mod revocations;
mod rows;
mod sequences;
mod upkeep;

use std::collections::BTreeMap;
use std::time::Duration;

use super::bounds::after;
use super::*;
use crate::Timestamp;

/// 2026-01-01T00:00:00Z.
pub(super) const START: i64 = 1_767_225_600_000;

pub(super) const READ: Scopes = Scopes { read: true, write: false };
pub(super) const REDIRECT: &str = "https://claude.ai/api/mcp/auth_callback";

/// Registry and file, checked to be the same after each operation.
pub(super) struct Desk {
    pub(super) registry: Registry,
    pub(super) file: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    pub(super) now: Timestamp,
}

impl Desk {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            registry: Registry::new(bounds),
            file: BTreeMap::new(),
            now: Timestamp::from_unix_millis(START),
        }
    }

    pub(super) fn later(&mut self, span: Duration) -> Timestamp {
        self.now = after(self.now, span);
        self.now
    }

    /// Let the file follow; it must then hold what the registry holds.
    pub(super) fn commit(&mut self, changes: Vec<Change>) {
        for Change { table, key, value } in changes {
            match value {
                Some(value) => self.file.insert((table, key), value),
                None => self.file.remove(&(table, key)),
            };
        }
        assert_eq!(self.file, as_file(&self.registry), "file and memory are the same");
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |((table, key), value): (&(Table, Vec<u8>), &Vec<u8>)| Row {
            table: *table,
            key: key.clone(),
            value: value.clone(),
        };
        self.file.iter().map(row).collect()
    }

    /// Forget what is in memory, as a crash does.
    pub(super) fn restart(&mut self) {
        let (registry, unreadable) = Registry::load(self.rows(), self.registry.bounds.clone());
        assert_eq!(unreadable, []);
        self.registry = registry;
    }

    pub(super) fn open(&mut self, id: u8, user: UserId, client: &str) {
        let changes = self.registry.open_family(&family(id, user, client), self.now).unwrap();
        self.commit(changes);
    }

    pub(super) fn rotate(&mut self, id: u8, generation: u32) -> Rotation {
        self.rotate_by(id, generation, "client", [7; 4])
    }

    pub(super) fn rotate_by(&mut self, id: u8, generation: u32, client: &str, key_id: KeyId) -> Rotation {
        let presented = PresentedRefresh { family: [id; 16], generation, client, key_id };
        let (answer, changes) = self.registry.rotate(&presented, self.now);
        self.commit(changes);
        answer
    }

    pub(super) fn alive(&self, id: u8, user: UserId) -> Result<FamilyView, Dead> {
        self.registry.alive(&[id; 16], user, self.now)
    }

    pub(super) fn put_code(&mut self, id: u8, user: UserId) -> Result<(), Refused> {
        self.registry.put_code([id; 32], code(user, self.now), self.now)
    }

    pub(super) fn take(&mut self, id: u8, presented: &PresentedCode<'_>) -> Result<Code, BadCode> {
        let (answer, changes) = self.registry.take_code(&[id; 32], presented, self.now);
        self.commit(changes);
        answer
    }
}

pub(super) fn as_file(registry: &Registry) -> BTreeMap<(Table, Vec<u8>), Vec<u8>> {
    registry.export().into_iter().map(|row| ((row.table, row.key), row.value)).collect()
}

pub(super) fn family(id: u8, user: UserId, client: &str) -> NewFamily<'_> {
    NewFamily {
        id: [id; 16],
        user,
        login: "alice",
        client,
        scopes: READ,
        application: Application::Read,
        max_age: days(60),
        key_id: [7; 4],
    }
}

pub(super) fn code(user: UserId, now: Timestamp) -> Code {
    Code {
        client: "client".to_owned(),
        redirect_uri: REDIRECT.to_owned(),
        challenge: "challenge".to_owned(),
        user,
        login: "alice".to_owned(),
        scopes: READ,
        application: Application::Read,
        expires_at: after(now, CODE_LIFE),
    }
}

pub(super) const RIGHT: PresentedCode<'static> =
    PresentedCode { client: "client", redirect_uri: REDIRECT, challenge: "challenge" };

pub(super) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) fn days(n: u64) -> Duration {
    Duration::from_secs(n * 86_400)
}
