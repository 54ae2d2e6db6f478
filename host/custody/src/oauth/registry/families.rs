//! Token families as rows, with the ways to find them. What may happen to one is in `sessions`.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;

use super::bounds::{Bounds, elapsed};
use super::rows::{Change, Record, Row, Shelf, Table, VERSION, time};
use super::terms::{Application, End, FamilyId, KeyId, Scopes, Text, UserId};
use crate::Timestamp;

/// One login of one client: all tokens that come from it live and die together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) id: FamilyId,
    pub(super) user: UserId,
    /// The login at the time; the user's row knows the newest.
    pub(super) login: String,
    pub(super) client: String,
    pub(super) scopes: Scopes,
    pub(super) application: Application,
    pub(super) created: Timestamp,
    pub(super) used: Timestamp,
    pub(super) max_age: Duration,
    /// Generation of the refresh token that is good now, from 1 on.
    pub(super) generation: u32,
    pub(super) rotated: Timestamp,
    /// The root key that made this generation's refresh token.
    pub(super) key_id: KeyId,
    pub(super) ended: Option<(End, Timestamp)>,
}

/// Why a family is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dead {
    /// No such family, or not one of this user.
    Unknown,
    /// It was issued to another client.
    OtherClient,
    /// It was ended.
    Ended(End),
    /// It reached its greatest age; the person signs in again.
    TooOld,
    /// It was not used for too long; the person signs in again.
    Idle,
}

impl Dead {
    /// The reason's stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "family_unknown",
            Self::OtherClient => "other_client",
            Self::Ended(end) => end.name(),
            Self::TooOld => "session_too_old",
            Self::Idle => "session_idle",
        }
    }
}

impl Family {
    /// Whether the family lives.
    pub(super) fn standing(&self, bounds: &Bounds, now: Timestamp) -> Result<(), Dead> {
        if let Some((end, _)) = self.ended {
            return Err(Dead::Ended(end));
        }
        if self.outlived(bounds, now) {
            return Err(Dead::TooOld);
        }
        if elapsed(self.used, now) > bounds.session_idle {
            return Err(Dead::Idle);
        }
        Ok(())
    }

    /// Past its greatest age, ended or not.
    pub(super) fn outlived(&self, bounds: &Bounds, now: Timestamp) -> bool {
        elapsed(self.created, now) > self.max_age.min(bounds.session_age)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    v: u32,
    user: UserId,
    login: String,
    client: String,
    scopes: u8,
    application: Application,
    created: i64,
    used: i64,
    max_age_s: u32,
    generation: u32,
    rotated: i64,
    kid: String,
    ended: Option<Ended>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ended {
    why: End,
    at: i64,
}

impl Record for Family {
    const TABLE: Table = Table::Families;
    type Key = FamilyId;

    fn key(&self) -> FamilyId {
        self.id
    }

    fn used(&self) -> Timestamp {
        self.used
    }

    fn key_bytes(key: &FamilyId) -> Vec<u8> {
        key.to_vec()
    }

    fn value(&self) -> Vec<u8> {
        let ended = self.ended.map(|(why, at)| json!({"why": why.name(), "at": at.unix_millis()}));
        let value = json!({
            "v": VERSION, "user": self.user, "login": self.login, "client": self.client,
            "scopes": self.scopes.bits(), "application": self.application.name(),
            "created": self.created.unix_millis(), "used": self.used.unix_millis(),
            "max_age_s": self.max_age.as_secs(), "generation": self.generation,
            "rotated": self.rotated.unix_millis(), "kid": URL_SAFE_NO_PAD.encode(self.key_id), "ended": ended,
        });
        value.to_string().into_bytes()
    }

    fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let id = key.try_into().ok()?;
        let value: Value = serde_json::from_slice(value).ok()?;
        let fits = value.v == VERSION
            && value.generation > 0
            && Text::Login.fits(value.login.len())
            && Text::Client.fits(value.client.len());
        if !fits {
            return None;
        }
        let ended = match value.ended {
            Some(ended) => Some((ended.why, time(ended.at)?)),
            None => None,
        };
        Some(Self {
            id,
            user: value.user,
            login: value.login,
            client: value.client,
            scopes: Scopes::from_bits(value.scopes)?,
            application: value.application,
            created: time(value.created)?,
            used: time(value.used)?,
            max_age: Duration::from_secs(value.max_age_s.into()),
            generation: value.generation,
            rotated: time(value.rotated)?,
            key_id: URL_SAFE_NO_PAD.decode(value.kid).ok()?.try_into().ok()?,
            ended,
        })
    }
}

/// All families. User, client and whether it has ended decide where a family is found, so they change only by
/// [`Families::put`].
#[derive(Default)]
pub(super) struct Families {
    shelf: Shelf<Family>,
    by_client: BTreeSet<(String, FamilyId)>,
    /// In the order in which a user's families make room: ended ones first, then by last use.
    by_user: BTreeSet<(UserId, bool, Timestamp, FamilyId)>,
}

/// Place of a family among those of its user.
fn place(family: &Family) -> (UserId, bool, Timestamp, FamilyId) {
    (family.user, family.ended.is_none(), family.used, family.id)
}

impl Families {
    pub(super) fn get(&self, id: &FamilyId) -> Option<&Family> {
        self.shelf.get(id)
    }

    pub(super) fn len(&self) -> usize {
        self.shelf.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Family> {
        self.shelf.iter()
    }

    pub(super) fn put(&mut self, family: Family, changes: &mut Vec<Change>) {
        self.unlist(&family.id);
        self.list(&family);
        self.shelf.put(family, changes);
    }

    pub(super) fn remove(&mut self, id: &FamilyId, changes: &mut Vec<Change>) {
        self.unlist(id);
        self.shelf.remove(id, changes);
    }

    /// Take a row that the store holds already; false if it cannot be read.
    pub(super) fn load(&mut self, row: &Row) -> bool {
        let Some(family) = Shelf::<Family>::read(row) else { return false };
        self.unlist(&family.id);
        self.list(&family);
        self.shelf.insert(family);
        true
    }

    pub(super) fn export(&self) -> impl Iterator<Item = Row> {
        self.shelf.export()
    }

    /// The user's families, the one that makes room first at the front.
    pub(super) fn of_user(&self, user: UserId) -> impl Iterator<Item = FamilyId> {
        let first = (user, false, Timestamp::from_unix_millis(0), FamilyId::default());
        self.by_user.range(first..).take_while(move |(owner, ..)| *owner == user).map(|(.., id)| *id)
    }

    pub(super) fn of_client(&self, client: &str) -> impl Iterator<Item = FamilyId> {
        let first = (client.to_owned(), FamilyId::default());
        self.by_client.range(first..).take_while(move |(owner, _)| owner == client).map(|(_, id)| *id)
    }

    pub(super) fn oldest(&self) -> Option<FamilyId> {
        self.shelf.oldest()
    }

    fn list(&mut self, family: &Family) {
        self.by_client.insert((family.client.clone(), family.id));
        self.by_user.insert(place(family));
    }

    fn unlist(&mut self, id: &FamilyId) {
        if let Some(standing) = self.shelf.get(id) {
            self.by_client.remove(&(standing.client.clone(), *id));
            self.by_user.remove(&place(standing));
        }
    }
}
