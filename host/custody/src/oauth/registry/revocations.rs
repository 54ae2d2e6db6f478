//! What an operator revoked, and remembering it when the rest is lost.
//!
//! Ending somebody's families ends our tokens. Tokens that Gitea issued and that are presented directly stand behind
//! no family, and a client's id proves itself: only a note that outlives the registry's file stands against those. So
//! the notes are rows of their own, never forgotten to make room, that a store may keep a second time.

use serde_json::json;

use super::Registry;
use super::clients::RefusedClient;
use super::rows::{Change, Record, Row, Table, Unreadable, VERSION};
use super::terms::{End, FamilyId, Text, UserId};
use super::users::Who;
use crate::Timestamp;

/// What the key of a revoked user's row begins with; the id follows, in decimal.
const USER: &[u8] = b"revoked-user/";

/// A user whose tokens from before a point in time are worth nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RevokedUser {
    pub(super) user: UserId,
    /// The login at the time; empty where it was not known.
    pub(super) login: String,
    pub(super) at: Timestamp,
}

impl RevokedUser {
    /// None for a row that is not of a revoked user at all.
    pub(super) fn from_row(row: &Row) -> Option<Option<Self>> {
        row.key.starts_with(USER).then(|| Self::read(&row.key, &row.value))
    }
}

impl Record for RevokedUser {
    const TABLE: Table = Table::Meta;
    type Key = UserId;

    fn key(&self) -> UserId {
        self.user
    }

    fn used(&self) -> Timestamp {
        self.at
    }

    fn key_bytes(key: &UserId) -> Vec<u8> {
        [USER, key.to_string().as_bytes()].concat()
    }

    fn value(&self) -> Vec<u8> {
        json!({"v": VERSION, "login": self.login, "at": self.at.unix_millis()}).to_string().into_bytes()
    }

    /// The key says whom; where the value cannot be read everything of theirs is refused until they are allowed.
    fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let user: UserId = str::from_utf8(key.strip_prefix(USER)?).ok()?.parse().ok()?;
        if Self::key_bytes(&user) != key {
            return None;
        }
        let value: Option<serde_json::Value> = serde_json::from_slice(value).ok();
        let of = |name: &str| value.as_ref().and_then(|value| value.get(name));
        let at = of("at").and_then(serde_json::Value::as_i64).unwrap_or(i64::MAX);
        let login = of("login").and_then(serde_json::Value::as_str).unwrap_or_default();
        let login = if Text::Login.fits(login.len()) { login.to_owned() } else { String::new() };
        Some(Self { user, login, at: Timestamp::from_unix_millis(at) })
    }
}

/// Whether the row of this key in [`Table::Meta`] notes that a client or a user was revoked.
#[must_use]
pub fn is_revocation(key: &[u8]) -> bool {
    key.starts_with(USER) || key.starts_with(super::clients::REFUSED)
}

impl Registry {
    /// Since when the tokens of a user are worth nothing that were issued up to then; none for a user who was never
    /// revoked, or was allowed since. Families are ended apart from this: it is for tokens that stand behind none.
    #[must_use]
    pub fn user_revoked_at(&self, user: UserId) -> Option<Timestamp> {
        self.revoked_users.get(&user).map(|revoked| revoked.at)
    }

    /// Note that a user was revoked now; false where the list is full.
    pub(super) fn note_revoked(&mut self, user: UserId, now: Timestamp, changes: &mut Vec<Change>) -> bool {
        let known = self.revoked_users.get(&user);
        if known.is_none() && self.revoked_users.len() >= self.bounds.revoked_users {
            return false;
        }
        // A clock that was set back makes nothing good again.
        let at = known.map_or(now, |known| known.at.max(now));
        let login =
            self.login_of(user).or(known.map(|known| known.login.as_str())).unwrap_or_default().to_owned();
        self.revoked_users.put(RevokedUser { user, login, at }, changes);
        true
    }

    /// Refuse the tokens of a user no longer for when they were issued: those who were noted under that name, and the
    /// changes. What ended stays ended.
    pub fn allow_user(&mut self, who: Who<'_>) -> (Vec<UserId>, Vec<Change>) {
        let mut meant = self.known_as(who);
        if let Who::Login(login) = who {
            let login = login.to_lowercase();
            let noted = self.revoked_users.iter().filter(|revoked| revoked.login.to_lowercase() == login);
            meant.extend(noted.map(|revoked| revoked.user));
        }
        meant.sort_unstable();
        meant.dedup();
        let mut changes = Vec::new();
        meant.retain(|user| self.revoked_users.remove(user, &mut changes).is_some());
        (meant, changes)
    }

    /// Every row that notes who was revoked, as [`is_revocation`] knows them.
    pub fn revocations(&self) -> impl Iterator<Item = Row> {
        self.refused.export().chain(self.revoked_users.export())
    }

    /// Take over revocations that were kept apart, such as beside a registry that was lost, and end what they ended:
    /// rows that cannot be read, and the changes. What was revoked here stays so; nothing is allowed by this.
    pub fn remember(
        &mut self,
        rows: impl IntoIterator<Item = Row>,
        now: Timestamp,
    ) -> (Vec<Unreadable>, Vec<Change>) {
        let (mut unreadable, mut changes) = (Vec::new(), Vec::new());
        for row in rows {
            match (RefusedClient::from_row(&row), RevokedUser::from_row(&row)) {
                (Some(Some(client)), _) => self.refuse_again(client, now, &mut changes),
                (_, Some(Some(revoked))) => self.revoke_again(revoked, now, &mut changes),
                (None, None) => {}
                _ => unreadable.push(Unreadable { table: row.table, key: row.key }),
            }
        }
        (unreadable, changes)
    }

    fn refuse_again(&mut self, client: RefusedClient, now: Timestamp, changes: &mut Vec<Change>) {
        if self.client_refused(&client.id) {
            return;
        }
        let families: Vec<FamilyId> = self.families.of_client(&client.id).collect();
        self.end_all(&families, End::ClientRevoked, now, changes);
        let users: Vec<UserId> =
            self.approvals.iter().filter(|a| a.client == client.id).map(|a| a.user).collect();
        for user in users {
            self.approvals.remove(&(user, client.id.clone()), changes);
        }
        self.refused.put(client, changes);
    }

    fn revoke_again(&mut self, revoked: RevokedUser, now: Timestamp, changes: &mut Vec<Change>) {
        let RevokedUser { user, at, .. } = revoked;
        if self.user_revoked_at(user).is_some_and(|known| known >= at) {
            return;
        }
        let older = |id: &FamilyId| self.families.get(id).is_some_and(|family| family.created <= at);
        let families: Vec<FamilyId> = self.families.of_user(user).filter(older).collect();
        self.end_all(&families, End::UserRevoked, now, changes);
        let older = self.approvals_of_user(user).filter(|approval| approval.approved_at <= at);
        let clients: Vec<String> = older.map(|approval| approval.client.clone()).collect();
        for client in clients {
            self.approvals.remove(&(user, client), changes);
        }
        self.revoked_users.put(revoked, changes);
    }
}
