//! The door on real sockets, and commands without a server, on real files.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aegis_custody::oauth::registry::{Application, Bounds, ClientKind, NewFamily, NewGrant, Scopes};
use aegis_custody::{Clock as _, Timestamp};

use super::ask::ask_within;
use super::desk::Desk;
use super::door::{Clerk, Door, open};
use super::places::{Places, registry_beside, socket_beside};
use super::*;
use crate::shared::SystemClock;
use crate::sign_in::records::Records;
use crate::store::Store;

mod alone;
mod asked;
mod doors;
mod places;

/// On the volume, as often as it should be.
const KEPT: Kept = Kept { durable: true, kept_once: false };

const READ: Scopes = Scopes { read: true, write: false };

/// A registry of its own, and what a server would do with it.
struct Room {
    folder: tempfile::TempDir,
    records: Records,
    strangers: Arc<Mutex<Vec<u32>>>,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let records = records(&folder.path().join("clients.json"));
        Self { folder, records, strangers: Arc::default() }
    }

    /// With alice (7), who let `editor` in.
    fn with_alice() -> Self {
        let room = Self::new();
        sign_in(&room.records, 7, "Alice", "editor", 1);
        room
    }

    fn storage(&self) -> PathBuf {
        self.folder.path().join("clients.json")
    }

    fn socket(&self) -> PathBuf {
        socket_beside(&self.storage())
    }

    fn clerk(&self) -> Plain {
        Plain { records: self.records.clone(), strangers: self.strangers.clone() }
    }

    fn open(&self) -> Door {
        open(&self.socket(), self.clerk(), |_| true).unwrap()
    }

    async fn answer(&self, request: Request) -> Answer {
        Desk { records: &self.records, sign_in: None, file: registry_beside(&self.storage()) }
            .answer(request)
            .await
    }
}

fn records(storage: &Path) -> Records {
    let opened = Store::open(storage, Arc::new(SystemClock));
    assert!(!opened.is_locked());
    Records::new(opened.store, opened.rows, &opened.revoked, Bounds::default())
}

/// What a finished sign-in leaves.
fn sign_in(records: &Records, user: i64, login: &str, client: &str, family: u8) {
    records.change(|registry, now| {
        let mut changes = registry.saw_client(client, "An editor", ClientKind::Dynamic, now).unwrap();
        changes.extend(registry.approve(client, user, "http://127.0.0.1/cb", READ, now).unwrap());
        let grant = NewGrant {
            user,
            application: Application::Read,
            sealed: b"sealed-bytes",
            scopes: "read:repository",
            access_expires: Timestamp::from_unix_millis(now.unix_millis() + 3_600_000),
            refreshed_from: None,
        };
        changes.extend(registry.put_grant(&grant, now).unwrap().1);
        let opening = NewFamily {
            id: [family; 16],
            user,
            login,
            client,
            scopes: READ,
            application: Application::Read,
            max_age: std::time::Duration::from_secs(86_400),
            key_id: [0; 4],
        };
        changes.extend(registry.open_family(&opening, now).unwrap());
        ((), changes)
    });
}

fn is_alive(records: &Records, family: u8) -> bool {
    records.read(|registry, _| registry.view(&[family; 16], SystemClock.now()).is_ok())
}

/// A clerk without a server around.
#[derive(Clone)]
struct Plain {
    records: Records,
    strangers: Arc<Mutex<Vec<u32>>>,
}

impl Clerk for Plain {
    async fn answer(&self, request: Request, _: Vec<u8>, _: u32) -> Option<Answer> {
        let desk = Desk { records: &self.records, sign_in: None, file: PathBuf::from("/registry.redb") };
        Some(desk.answer(request).await)
    }

    fn too_large(&self, _: u32) -> Answer {
        Answer::refused("too_large", "it is larger than what is taken")
    }

    fn stranger(&self, uid: u32) {
        self.strangers.lock().unwrap().push(uid);
    }
}

/// Ask as a command does.
async fn asked(path: PathBuf, request: Request) -> Result<Answer, NotAsked> {
    let patience = std::time::Duration::from_secs(20);
    tokio::task::spawn_blocking(move || ask_within(&path, &request, &[], patience)).await.unwrap()
}

fn reason(answer: &Answer) -> &str {
    if let Answer::Refused { reason, .. } = answer { reason } else { "" }
}
