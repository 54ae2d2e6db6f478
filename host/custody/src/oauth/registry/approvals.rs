//! Remembered consents: which client a user let in, where to, and to do what.
//!
//! Written only after a finished login. A consent that is forgotten is asked for again, never assumed.

use serde::Deserialize;
use serde_json::json;

use super::Registry;
use super::bounds::{elapsed, worth_a_note};
use super::rows::{Change, Record, Table, VERSION, time, user_bytes, user_of};
use super::terms::{Refused, Scopes, Text, UserId};
use crate::Timestamp;

/// One consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The client that was let in.
    pub client: String,
    /// The user who let it in.
    pub user: UserId,
    /// Where the consent page said that it redirects.
    pub redirect_uri: String,
    /// What it was allowed.
    pub scopes: Scopes,
    /// When the page was approved.
    pub approved_at: Timestamp,
    /// Last login that it was good for, to the hour.
    pub last_used: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    v: u32,
    redirect_uri: String,
    scopes: u8,
    approved_at: i64,
    last_used: i64,
}

impl Record for Approval {
    const TABLE: Table = Table::Approvals;
    type Key = (UserId, String);

    fn key(&self) -> Self::Key {
        (self.user, self.client.clone())
    }

    fn used(&self) -> Timestamp {
        self.last_used
    }

    fn key_bytes((user, client): &Self::Key) -> Vec<u8> {
        [user_bytes(*user).as_slice(), client.as_bytes()].concat()
    }

    fn value(&self) -> Vec<u8> {
        let value = json!({
            "v": VERSION, "redirect_uri": self.redirect_uri, "scopes": self.scopes.bits(),
            "approved_at": self.approved_at.unix_millis(), "last_used": self.last_used.unix_millis(),
        });
        value.to_string().into_bytes()
    }

    fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let (user, client) = key.split_at_checked(8)?;
        let client = str::from_utf8(client).ok()?;
        let value: Value = serde_json::from_slice(value).ok()?;
        let fits = value.v == VERSION
            && Text::Client.fits(client.len())
            && Text::Redirect.fits(value.redirect_uri.len());
        if !fits {
            return None;
        }
        Some(Self {
            client: client.to_owned(),
            user: user_of(user)?,
            redirect_uri: value.redirect_uri,
            scopes: Scopes::from_bits(value.scopes)?,
            approved_at: time(value.approved_at)?,
            last_used: time(value.last_used)?,
        })
    }
}

impl Registry {
    /// Remember a consent, in place of an earlier one of the same user to the same client.
    ///
    /// # Errors
    /// The client was revoked, or a text is out of bounds.
    pub fn approve(
        &mut self,
        client: &str,
        user: UserId,
        redirect_uri: &str,
        scopes: Scopes,
        now: Timestamp,
    ) -> Result<Vec<Change>, Refused> {
        Text::Client.check(client.len())?;
        Text::Redirect.check(redirect_uri.len())?;
        if self.client_refused(client) {
            return Err(Refused::ClientRevoked);
        }
        let approval = Approval {
            client: client.to_owned(),
            user,
            redirect_uri: redirect_uri.to_owned(),
            scopes,
            approved_at: now,
            last_used: now,
        };
        let mut changes = Vec::new();
        let room = usize::from(self.approvals.get(&approval.key()).is_none());
        self.make_room_for_approval(&approval.key(), &mut changes);
        while self.approvals.len().saturating_add(room) > self.bounds.approvals.max(1) {
            let Some(oldest) = self.approvals.oldest() else { break };
            self.approvals.remove(&oldest, &mut changes);
        }
        self.approvals.put(approval, &mut changes);
        Ok(changes)
    }

    /// One person who lets in client after client must not push out what others remember.
    fn make_room_for_approval(&mut self, (user, client): &(UserId, String), changes: &mut Vec<Change>) {
        let others = self.approvals_of_user(*user).filter(|approval| approval.client != *client);
        let mut others: Vec<_> = others.map(|approval| (approval.last_used, approval.key())).collect();
        let surplus = (others.len() + 1).saturating_sub(self.bounds.approvals_per_user.max(1));
        others.sort_unstable();
        for (_, key) in others.iter().take(surplus) {
            self.approvals.remove(key, changes);
        }
    }

    /// The consent of a user to a client, if there is one that was not left unused for too long. The caller
    /// compares redirect URI and scopes.
    #[must_use]
    pub fn approval(&self, client: &str, user: UserId, now: Timestamp) -> Option<&Approval> {
        let approval = self.approvals.get(&(user, client.to_owned()))?;
        let good = elapsed(approval.last_used, now) <= self.bounds.approval_idle;
        (good && !self.client_refused(client)).then_some(approval)
    }

    /// Note that a consent spared a user the page; at most one change an hour.
    pub fn touch_approval(&mut self, client: &str, user: UserId, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(approval) = self.approval(client, user, now)
            && worth_a_note(approval.last_used, self.bounds.approval_idle, now)
        {
            let used = Approval { last_used: now, ..approval.clone() };
            self.approvals.put(used, &mut changes);
        }
        changes
    }

    /// Forget a consent; false if there is none.
    pub fn revoke_approval(&mut self, client: &str, user: UserId) -> (bool, Vec<Change>) {
        let mut changes = Vec::new();
        let found = self.approvals.remove(&(user, client.to_owned()), &mut changes).is_some();
        (found, changes)
    }

    pub(super) fn approvals_of_user(&self, user: UserId) -> impl Iterator<Item = &Approval> {
        let first = (user, String::new());
        self.approvals.from(&first).take_while(move |approval| approval.user == user)
    }
}
