//! Users who signed in: their newest login, and how an operator ends everything of theirs.
//!
//! A row here is a name for an id and gives no power; losing one costs a line in a list.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;

use super::Registry;
use super::bounds::worth_a_note;
use super::grants::GrantState;
use super::rows::{Change, Record, Row, Shelf, Table, VERSION, time, user_bytes, user_of};
use super::terms::{Application, End, FamilyId, Refused, Text, UserId};
use crate::Timestamp;

/// A user who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: UserId,
    pub(super) login: String,
    pub(super) first_seen: Timestamp,
    pub(super) last_seen: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    v: u32,
    login: String,
    first_seen: i64,
    last_seen: i64,
}

impl Record for User {
    const TABLE: Table = Table::Users;
    type Key = UserId;

    fn key(&self) -> UserId {
        self.id
    }

    fn used(&self) -> Timestamp {
        self.last_seen
    }

    fn key_bytes(key: &UserId) -> Vec<u8> {
        user_bytes(*key).to_vec()
    }

    fn value(&self) -> Vec<u8> {
        let value = json!({
            "v": VERSION, "login": self.login, "first_seen": self.first_seen.unix_millis(),
            "last_seen": self.last_seen.unix_millis(),
        });
        value.to_string().into_bytes()
    }

    fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(value).ok()?;
        if value.v != VERSION || !Text::Login.fits(value.login.len()) {
            return None;
        }
        let (first_seen, last_seen) = (time(value.first_seen)?, time(value.last_seen)?);
        Some(Self { id: user_of(key)?, login: value.login, first_seen, last_seen })
    }
}

/// All users, by id and by login. Gitea compares logins without regard to case.
#[derive(Default)]
pub(super) struct Users {
    shelf: Shelf<User>,
    by_login: BTreeSet<(String, UserId)>,
}

impl Users {
    pub(super) fn get(&self, id: UserId) -> Option<&User> {
        self.shelf.get(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.shelf.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &User> {
        self.shelf.iter()
    }

    pub(super) fn oldest(&self) -> Option<UserId> {
        self.shelf.oldest()
    }

    pub(super) fn put(&mut self, user: User, changes: &mut Vec<Change>) {
        self.unlist(user.id);
        self.by_login.insert((user.login.to_lowercase(), user.id));
        self.shelf.put(user, changes);
    }

    pub(super) fn remove(&mut self, id: UserId, changes: &mut Vec<Change>) {
        self.unlist(id);
        self.shelf.remove(&id, changes);
    }

    /// Take a row that the store holds already; false if it cannot be read.
    pub(super) fn load(&mut self, row: &Row) -> bool {
        let Some(user) = Shelf::<User>::read(row) else { return false };
        self.unlist(user.id);
        self.by_login.insert((user.login.to_lowercase(), user.id));
        self.shelf.insert(user);
        true
    }

    pub(super) fn export(&self) -> impl Iterator<Item = Row> {
        self.shelf.export()
    }

    fn unlist(&mut self, id: UserId) {
        if let Some(standing) = self.shelf.get(&id) {
            self.by_login.remove(&(standing.login.to_lowercase(), id));
        }
    }
}

/// How an operator names a user. A login may consist of digits, so the two are told apart by type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// By login, without regard to case.
    Login(&'a str),
    /// By id at Gitea.
    Id(UserId),
}

/// What ended when a user was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UserRevoked {
    /// The users that were meant: none if nobody is known by that name, several if a login changed hands.
    pub users: Vec<UserId>,
    /// Token families that had not ended before.
    pub families: usize,
    /// Remembered consents.
    pub approvals: usize,
    /// Grants at Gitea that were held here.
    pub grants: usize,
    /// Authorization codes that nobody had redeemed yet.
    pub codes: usize,
    /// Users of whom it could not be noted that they were revoked, since the list is full: tokens that Gitea issued
    /// to them and that are presented directly go on.
    pub unnoted: usize,
}

/// A user, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserView {
    /// Id at Gitea.
    pub user: UserId,
    /// Newest known login; empty if the user's row was lost and no family tells it.
    pub login: String,
    /// First login here, where known.
    pub first_seen: Option<Timestamp>,
    /// Last use that was noted, where known.
    pub last_seen: Option<Timestamp>,
    /// Families that live.
    pub families: usize,
    /// The clients of those families, sorted.
    pub clients: Vec<String>,
    /// Remembered consents.
    pub approvals: usize,
    /// The state of each grant.
    pub grants: Vec<(Application, GrantState)>,
    /// Since when tokens of Gitea that were issued up to then are refused.
    pub revoked_at: Option<Timestamp>,
}

impl Registry {
    /// Note who signed in, and a login that changed at Gitea. Without a new login at most one change an hour.
    ///
    /// # Errors
    /// The login is out of bounds.
    pub fn saw_user(&mut self, user: UserId, login: &str, now: Timestamp) -> Result<Vec<Change>, Refused> {
        Text::Login.check(login.len())?;
        let mut changes = Vec::new();
        match self.users.get(user).cloned() {
            Some(known) if known.login == login => self.touch_user(user, now, &mut changes),
            Some(known) => {
                let last_seen = known.last_seen.max(now);
                self.users.put(User { login: login.to_owned(), last_seen, ..known }, &mut changes);
            }
            None => {
                while self.users.len() >= self.bounds.users.max(1) {
                    let Some(oldest) = self.users.oldest() else { break };
                    self.users.remove(oldest, &mut changes);
                }
                let new = User { id: user, login: login.to_owned(), first_seen: now, last_seen: now };
                self.users.put(new, &mut changes);
            }
        }
        Ok(changes)
    }

    pub(super) fn touch_user(&mut self, user: UserId, now: Timestamp, changes: &mut Vec<Change>) {
        if let Some(known) = self.users.get(user)
            && worth_a_note(known.last_seen, self.bounds.session_idle, now)
        {
            let seen = User { last_seen: now, ..known.clone() };
            self.users.put(seen, changes);
        }
    }

    /// The newest known login of a user.
    #[must_use]
    pub fn login_of(&self, user: UserId) -> Option<&str> {
        self.users.get(user).map(|user| user.login.as_str())
    }

    /// End everything of a user: tokens are dead at the next call, codes are burnt, consents forgotten, grants
    /// dropped, and what Gitea issued up to now is refused. The user may sign in again.
    pub fn revoke_user(&mut self, who: Who<'_>, now: Timestamp) -> (UserRevoked, Vec<Change>) {
        let mut revoked = UserRevoked { users: self.known_as(who), ..UserRevoked::default() };
        let mut changes = Vec::new();
        for user in revoked.users.clone() {
            let families: Vec<FamilyId> = self.families.of_user(user).collect();
            revoked.families += self.end_all(&families, End::UserRevoked, now, &mut changes);
            let clients: Vec<String> = self.approvals_of_user(user).map(|a| a.client.clone()).collect();
            for client in clients {
                revoked.approvals +=
                    usize::from(self.approvals.remove(&(user, client), &mut changes).is_some());
            }
            for application in Application::ALL {
                let why = End::UserRevoked.name();
                revoked.grants += usize::from(self.bury_grant(user, application, why, now, &mut changes));
            }
            revoked.codes += self.burn_codes_of_user(user, now);
            revoked.unnoted += usize::from(!self.note_revoked(user, now, &mut changes));
        }
        (revoked, changes)
    }

    /// The ids behind a name. Where a login changed hands both are meant: revoking one user too many costs a
    /// login, one too few is a hole.
    pub(super) fn known_as(&self, who: Who<'_>) -> Vec<UserId> {
        let login = match who {
            Who::Id(user) => return vec![user],
            Who::Login(login) => login.to_lowercase(),
        };
        let first = (login.clone(), UserId::MIN);
        let named = self.users.by_login.range(first..).take_while(|(name, _)| *name == login);
        let mut ids: BTreeSet<UserId> = named.map(|(_, id)| *id).collect();
        // Families whose user's row was lost are found by the login they were opened with.
        let orphans = self.families.iter().filter(|family| self.users.get(family.user).is_none());
        ids.extend(orphans.filter(|f| f.login.to_lowercase() == login).map(|f| f.user));
        let noted = self.revoked_users.iter().filter(|revoked| self.users.get(revoked.user).is_none());
        ids.extend(noted.filter(|r| r.login.to_lowercase() == login).map(|r| r.user));
        ids.into_iter().collect()
    }

    /// Every user that anything is known of, by id.
    #[must_use]
    pub fn users(&self, now: Timestamp) -> Vec<UserView> {
        let mut views = BTreeMap::new();
        for user in self.users.iter() {
            let view = view(&mut views, user.id);
            view.login.clone_from(&user.login);
            (view.first_seen, view.last_seen) = (Some(user.first_seen), Some(user.last_seen));
        }
        for family in self.families.iter() {
            let living = family.standing(&self.bounds, now).is_ok();
            let view = view(&mut views, family.user);
            if view.login.is_empty() {
                view.login.clone_from(&family.login);
            }
            if living {
                view.families += 1;
                view.clients.push(family.client.clone());
            }
        }
        for approval in self.approvals.iter() {
            view(&mut views, approval.user).approvals += 1;
        }
        for grant in self.grants.iter() {
            view(&mut views, grant.user).grants.push((grant.application, grant.state.clone()));
        }
        for revoked in self.revoked_users.iter() {
            let view = view(&mut views, revoked.user);
            view.revoked_at = Some(revoked.at);
            if view.login.is_empty() {
                view.login.clone_from(&revoked.login);
            }
        }
        let mut views: Vec<UserView> = views.into_values().collect();
        for view in &mut views {
            view.clients.sort_unstable();
            view.clients.dedup();
        }
        views
    }
}

fn view(views: &mut BTreeMap<UserId, UserView>, user: UserId) -> &mut UserView {
    views.entry(user).or_insert_with(|| UserView {
        user,
        login: String::new(),
        first_seen: None,
        last_seen: None,
        families: 0,
        clients: Vec::new(),
        approvals: 0,
        grants: Vec::new(),
        revoked_at: None,
    })
}
