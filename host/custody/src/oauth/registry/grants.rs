//! What users granted at Gitea: one grant for each user and application, sealed by the host.
//!
//! The registry neither opens a sealed grant nor shows it in `Debug`. A grant that died takes all families
//! that live on it along, and its sealed bytes are dropped.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;
use serde_json::json;

use super::Registry;
use super::rows::{Change, Record, Table, VERSION, time, user_bytes, user_of};
use super::terms::{Application, End, FamilyId, Refused, Text, UserId};
use crate::Timestamp;

/// Whether a grant is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantState {
    /// As far as known.
    Live,
    /// Gitea refused it, or an operator revoked its user.
    Dead {
        /// Why, as a stable name.
        why: String,
        /// Since when.
        at: Timestamp,
    },
}

/// One grant.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user who granted.
    pub user: UserId,
    /// The application that was granted to.
    pub application: Application,
    /// Gitea's tokens, sealed by the host; empty when dead.
    pub sealed: Vec<u8>,
    /// The scope words that Gitea named, separated by spaces.
    pub scopes: String,
    /// When Gitea's access token expires.
    pub access_expires: Timestamp,
    /// Grows with every change of the sealed bytes, so that a late answer cannot overwrite a newer one.
    pub revision: u64,
    /// When the sealed bytes changed last.
    pub updated: Timestamp,
    /// Whether it is good.
    pub state: GrantState,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("user", &self.user)
            .field("application", &self.application)
            .field("sealed_bytes", &self.sealed.len())
            .field("scopes", &self.scopes)
            .field("access_expires", &self.access_expires)
            .field("revision", &self.revision)
            .field("updated", &self.updated)
            .field("state", &self.state)
            .finish()
    }
}

/// A grant to keep.
#[derive(Clone, Copy)]
pub struct NewGrant<'a> {
    /// The user who granted.
    pub user: UserId,
    /// The application that was granted to.
    pub application: Application,
    /// Gitea's tokens, sealed, at most 16 KiB.
    pub sealed: &'a [u8],
    /// The scope words that Gitea named.
    pub scopes: &'a str,
    /// When Gitea's access token expires.
    pub access_expires: Timestamp,
    /// The revision of the live grant that this one was refreshed from; none for a new login, which replaces
    /// whatever is there.
    pub refreshed_from: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    v: u32,
    sealed: String,
    scopes: String,
    access_expires: i64,
    revision: u64,
    updated: i64,
    dead: Option<Death>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Death {
    why: String,
    at: i64,
}

impl Record for Grant {
    const TABLE: Table = Table::Grants;
    type Key = (UserId, Application);

    fn key(&self) -> Self::Key {
        (self.user, self.application)
    }

    fn used(&self) -> Timestamp {
        self.updated
    }

    fn key_bytes((user, application): &Self::Key) -> Vec<u8> {
        [user_bytes(*user).as_slice(), application.name().as_bytes()].concat()
    }

    fn value(&self) -> Vec<u8> {
        let dead = match &self.state {
            GrantState::Live => None,
            GrantState::Dead { why, at } => Some(json!({"why": why, "at": at.unix_millis()})),
        };
        let value = json!({
            "v": VERSION, "sealed": STANDARD_NO_PAD.encode(&self.sealed), "scopes": self.scopes,
            "access_expires": self.access_expires.unix_millis(), "revision": self.revision,
            "updated": self.updated.unix_millis(), "dead": dead,
        });
        value.to_string().into_bytes()
    }

    fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let (user, application) = key.split_at_checked(8)?;
        let application = Application::ALL.into_iter().find(|a| a.name().as_bytes() == application)?;
        let value: Value = serde_json::from_slice(value).ok()?;
        let sealed = STANDARD_NO_PAD.decode(value.sealed).ok()?;
        let state = match value.dead {
            Some(death) if sealed.is_empty() && Text::Reason.fits(death.why.len()) => {
                GrantState::Dead { why: death.why, at: time(death.at)? }
            }
            None if Text::Sealed.fits(sealed.len()) => GrantState::Live,
            Some(_) | None => return None,
        };
        (value.v == VERSION && Text::ScopeWords.fits(value.scopes.len())).then_some(Self {
            user: user_of(user)?,
            application,
            sealed,
            scopes: value.scopes,
            access_expires: time(value.access_expires)?,
            revision: value.revision,
            updated: time(value.updated)?,
            state,
        })
    }
}

impl Registry {
    /// Keep a grant; its revision. Families that ended with the grant before it stay ended.
    ///
    /// # Errors
    /// A text is out of bounds, or the grant it was refreshed from is not the live one any more.
    pub fn put_grant(&mut self, new: &NewGrant<'_>, now: Timestamp) -> Result<(u64, Vec<Change>), Refused> {
        Text::Sealed.check(new.sealed.len())?;
        Text::ScopeWords.check(new.scopes.len())?;
        let standing = self.grants.get(&(new.user, new.application));
        let live = standing.filter(|grant| grant.state == GrantState::Live).map(|grant| grant.revision);
        if new.refreshed_from.is_some() && new.refreshed_from != live {
            return Err(Refused::Stale);
        }
        let grant = Grant {
            user: new.user,
            application: new.application,
            sealed: new.sealed.to_vec(),
            scopes: new.scopes.to_owned(),
            access_expires: new.access_expires,
            revision: next_revision(standing, now),
            updated: now,
            state: GrantState::Live,
        };
        let revision = grant.revision;
        let mut changes = Vec::new();
        self.grants.put(grant, &mut changes);
        Ok((revision, changes))
    }

    /// The user's grant to one application, live or dead.
    #[must_use]
    pub fn grant(&self, user: UserId, application: Application) -> Option<&Grant> {
        self.grants.get(&(user, application))
    }

    /// A grant died: drop its sealed bytes and end the families that live on it; their number.
    ///
    /// With a revision, only if the live grant is of that revision: a refusal that comes in after a new login
    /// must not end what the new login opened.
    pub fn kill_grant(
        &mut self,
        user: UserId,
        application: Application,
        revision: Option<u64>,
        why: &str,
        now: Timestamp,
    ) -> (usize, Vec<Change>) {
        let mut changes = Vec::new();
        let live = self.live_revision(user, application);
        if revision.is_some() && revision != live {
            return (0, changes);
        }
        self.bury_grant(user, application, why, now, &mut changes);
        let on_it =
            |id: &FamilyId| self.families.get(id).is_some_and(|family| family.application == application);
        let families: Vec<FamilyId> = self.families.of_user(user).filter(on_it).collect();
        let ended = self.end_all(&families, End::GrantDead, now, &mut changes);
        (ended, changes)
    }

    fn live_revision(&self, user: UserId, application: Application) -> Option<u64> {
        let grant = self.grants.get(&(user, application))?;
        (grant.state == GrantState::Live).then_some(grant.revision)
    }

    /// Mark a live grant as dead; false if there is none.
    pub(super) fn bury_grant(
        &mut self,
        user: UserId,
        application: Application,
        why: &str,
        now: Timestamp,
        changes: &mut Vec<Change>,
    ) -> bool {
        let standing = self.grants.get(&(user, application));
        let Some(live) = standing.filter(|grant| grant.state == GrantState::Live) else { return false };
        let why = if Text::Reason.fits(why.len()) { why } else { "unknown" };
        let mut dead = live.clone();
        dead.sealed.clear();
        dead.revision = next_revision(Some(live), now);
        dead.updated = now;
        dead.state = GrantState::Dead { why: why.to_owned(), at: now };
        self.grants.put(dead, changes);
        true
    }
}

/// Greater than every revision before, also that of a grant which was forgotten in between.
fn next_revision(standing: Option<&Grant>, now: Timestamp) -> u64 {
    let before = standing.map_or(0, |grant| grant.revision);
    now.unix_millis().cast_unsigned().max(before.saturating_add(1))
}
