//! The index of clients that somebody finished a login with, and the clients an operator refused.
//!
//! A client id proves itself, so the index is a list for people: what leaves it stays valid. Refusals are the
//! reverse: they are kept apart, make room for nothing, and are forgotten only when an operator says so.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::Registry;
use super::bounds::worth_a_note;
use super::rows::{Change, Record, Row, Table, VERSION, time};
use super::terms::{End, FamilyId, Refused, Text, UserId};
use crate::Timestamp;

/// How a client came to its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// Dynamic registration (RFC 7591).
    Dynamic,
    /// A client id metadata document: the id is its URL.
    Document,
    /// The operator's file.
    Registered,
}

impl ClientKind {
    /// The kind's stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::Document => "document",
            Self::Registered => "registered",
        }
    }
}

/// A client in the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client {
    id: String,
    name: String,
    kind: ClientKind,
    first_seen: Timestamp,
    pub(super) last_used: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    v: u32,
    name: String,
    kind: ClientKind,
    first_seen: i64,
    last_used: i64,
}

impl Record for Client {
    const TABLE: Table = Table::Clients;
    type Key = String;

    fn key(&self) -> String {
        self.id.clone()
    }

    fn used(&self) -> Timestamp {
        self.last_used
    }

    fn key_bytes(key: &String) -> Vec<u8> {
        key.as_bytes().to_vec()
    }

    fn value(&self) -> Vec<u8> {
        let value = json!({
            "v": VERSION, "name": self.name, "kind": self.kind.name(),
            "first_seen": self.first_seen.unix_millis(), "last_used": self.last_used.unix_millis(),
        });
        value.to_string().into_bytes()
    }

    fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let id = str::from_utf8(key).ok()?;
        let value: Value = serde_json::from_slice(value).ok()?;
        let fits = value.v == VERSION && Text::Client.fits(id.len()) && Text::Name.fits(value.name.len());
        if !fits {
            return None;
        }
        let (first_seen, last_used) = (time(value.first_seen)?, time(value.last_used)?);
        Some(Self { id: id.to_owned(), name: value.name, kind: value.kind, first_seen, last_used })
    }
}

/// What a refusal's key begins with.
pub(super) const REFUSED: &[u8] = b"refused/";

/// A client that an operator refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RefusedClient {
    pub(super) id: String,
    at: Timestamp,
}

impl RefusedClient {
    /// None for a row that is not a refusal at all.
    pub(super) fn from_row(row: &Row) -> Option<Option<Self>> {
        row.key.starts_with(REFUSED).then(|| Self::read(&row.key, &row.value))
    }
}

impl Record for RefusedClient {
    const TABLE: Table = Table::Meta;
    type Key = String;

    fn key(&self) -> String {
        self.id.clone()
    }

    fn used(&self) -> Timestamp {
        self.at
    }

    fn key_bytes(key: &String) -> Vec<u8> {
        [REFUSED, key.as_bytes()].concat()
    }

    fn value(&self) -> Vec<u8> {
        json!({"v": VERSION, "at": self.at.unix_millis()}).to_string().into_bytes()
    }

    /// The key says it all: a refusal counts whatever became of its value.
    fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let id = str::from_utf8(key.strip_prefix(REFUSED)?).ok()?;
        let value: Option<serde_json::Value> = serde_json::from_slice(value).ok();
        let at = value.and_then(|value| value.get("at")?.as_i64()).unwrap_or(0);
        Text::Client.fits(id.len()).then(|| Self { id: id.to_owned(), at: Timestamp::from_unix_millis(at) })
    }
}

/// What ended when a client was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClientRevoked {
    /// Token families that had not ended before.
    pub families: usize,
    /// Remembered consents.
    pub approvals: usize,
    /// Authorization codes that nobody had redeemed yet.
    pub codes: usize,
}

/// Why a client is not refused from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRefused {
    /// The list is full. What the client had here has ended all the same.
    #[error(
        "the client's sessions and consents have ended, but the list of refused clients is full ({limit}), \
         so people can let this client in again; allow clients that are gone for good, then revoke again"
    )]
    Full {
        /// Most refused clients.
        limit: usize,
        /// What ended.
        ended: ClientRevoked,
    },
    /// No client has such an id.
    #[error("a client id is 1 to 512 bytes long")]
    BadId,
}

/// A client, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientView {
    /// Its id.
    pub id: String,
    /// The name it gave itself; empty if it is not in the index.
    pub name: String,
    /// How it came to its id, where known.
    pub kind: Option<ClientKind>,
    /// First finished login, where known.
    pub first_seen: Option<Timestamp>,
    /// Last use that was noted, where known.
    pub last_used: Option<Timestamp>,
    /// Families that live.
    pub families: usize,
    /// Since when it is refused.
    pub refused_at: Option<Timestamp>,
}

impl Registry {
    /// Note a client that somebody finished a login with.
    ///
    /// # Errors
    /// The client was revoked, or a text is out of bounds.
    pub fn saw_client(
        &mut self,
        id: &str,
        name: &str,
        kind: ClientKind,
        now: Timestamp,
    ) -> Result<Vec<Change>, Refused> {
        Text::Client.check(id.len())?;
        Text::Name.check(name.len())?;
        if self.client_refused(id) {
            return Err(Refused::ClientRevoked);
        }
        let mut changes = Vec::new();
        let known = self.clients.get(&id.to_owned());
        let first_seen = known.map_or(now, |known| known.first_seen);
        let last_used = known.map_or(now, |known| known.last_used.max(now));
        let room = usize::from(known.is_none());
        while self.clients.len().saturating_add(room) > self.bounds.clients.max(1) {
            let Some(oldest) = self.clients.oldest() else { break };
            self.clients.remove(&oldest, &mut changes);
        }
        let client = Client { id: id.to_owned(), name: name.to_owned(), kind, first_seen, last_used };
        self.clients.put(client, &mut changes);
        Ok(changes)
    }

    pub(super) fn touch_client(&mut self, id: &str, now: Timestamp, changes: &mut Vec<Change>) {
        if let Some(known) = self.clients.get(&id.to_owned())
            && worth_a_note(known.last_used, self.bounds.client_idle, now)
        {
            let used = Client { last_used: now, ..known.clone() };
            self.clients.put(used, changes);
        }
    }

    /// Whether an operator refused this client.
    #[must_use]
    pub fn client_refused(&self, id: &str) -> bool {
        self.refused.get(&id.to_owned()).is_some()
    }

    /// End everything of a client and refuse its id from now on, whether or not it is in the index.
    ///
    /// # Errors
    /// The list of refused clients is full: what the client had has ended, but it may come again.
    pub fn revoke_client(
        &mut self,
        id: &str,
        now: Timestamp,
    ) -> (Result<ClientRevoked, NotRefused>, Vec<Change>) {
        if Text::Client.check(id.len()).is_err() {
            return (Err(NotRefused::BadId), Vec::new());
        }
        let mut changes = Vec::new();
        let families: Vec<FamilyId> = self.families.of_client(id).collect();
        let users: Vec<UserId> = self.approvals.iter().filter(|a| a.client == id).map(|a| a.user).collect();
        for user in &users {
            self.approvals.remove(&(*user, id.to_owned()), &mut changes);
        }
        let ended = ClientRevoked {
            families: self.end_all(&families, End::ClientRevoked, now, &mut changes),
            approvals: users.len(),
            codes: self.burn_codes_of_client(id, now),
        };
        let limit = self.bounds.refused_clients;
        if !self.client_refused(id) {
            if self.refused.len() >= limit {
                return (Err(NotRefused::Full { limit, ended }), changes);
            }
            self.refused.put(RefusedClient { id: id.to_owned(), at: now }, &mut changes);
        }
        (Ok(ended), changes)
    }

    /// Refuse a client no longer; false if it was not refused. What it had stays ended.
    pub fn allow_client(&mut self, id: &str) -> (bool, Vec<Change>) {
        let mut changes = Vec::new();
        let found = self.refused.remove(&id.to_owned(), &mut changes).is_some();
        (found, changes)
    }

    /// Every client that is in the index or refused, by id.
    #[must_use]
    pub fn clients(&self, now: Timestamp) -> Vec<ClientView> {
        let mut views = BTreeMap::new();
        for client in self.clients.iter() {
            let view = view(&mut views, &client.id);
            view.name.clone_from(&client.name);
            view.kind = Some(client.kind);
            (view.first_seen, view.last_used) = (Some(client.first_seen), Some(client.last_used));
        }
        for refused in self.refused.iter() {
            view(&mut views, &refused.id).refused_at = Some(refused.at);
        }
        for family in self.families.iter().filter(|f| f.standing(&self.bounds, now).is_ok()) {
            view(&mut views, &family.client).families += 1;
        }
        views.into_values().collect()
    }
}

fn view<'a>(views: &'a mut BTreeMap<String, ClientView>, id: &str) -> &'a mut ClientView {
    views.entry(id.to_owned()).or_insert_with(|| ClientView {
        id: id.to_owned(),
        name: String::new(),
        kind: None,
        first_seen: None,
        last_used: None,
        families: 0,
        refused_at: None,
    })
}
