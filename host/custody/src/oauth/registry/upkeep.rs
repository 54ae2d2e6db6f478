//! What concerns the whole registry: collecting what is over, counting, backup and restore.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Registry;
use super::bounds::{Bounds, elapsed};
use super::families::Family;
use super::grants::{Grant, GrantState};
use super::rows::{Change, Record, Row, Shelf, Table, Unreadable};
use super::terms::{Application, FamilyId, UserId};
use crate::Timestamp;

/// How long a live grant is kept that no family lives on. A login puts the grant first and opens its family
/// when the client redeems the code; a grant that nobody uses is a secret kept for nothing.
const UNUSED_GRANT: Duration = Duration::from_secs(60 * 60);

/// How long lists tell of a dead grant.
const DEAD_GRANT: Duration = Duration::from_secs(24 * 60 * 60);

/// How much the registry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stats {
    /// Token families, ended ones included.
    pub families: usize,
    /// Grants, dead ones included.
    pub grants: usize,
    /// Remembered consents.
    pub approvals: usize,
    /// Clients in the index.
    pub clients: usize,
    /// Clients that are refused.
    pub refused_clients: usize,
    /// Users known by login.
    pub users: usize,
    /// Authorization codes, used ones that are watched included.
    pub codes: usize,
    /// Single use claims.
    pub claims: usize,
}

/// How much of it is good for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Live {
    /// Token families whose tokens are good.
    pub families: usize,
    /// Grants that were not given up.
    pub grants: usize,
}

impl Registry {
    /// What is good for something now. It looks at every family.
    #[must_use]
    pub fn live(&self, now: Timestamp) -> Live {
        let families = self.families.iter().filter(|family| family.standing(&self.bounds, now).is_ok());
        let grants = self.grants.iter().filter(|grant| grant.state == GrantState::Live);
        Live { families: families.count(), grants: grants.count() }
    }

    /// How much it may hold, and for how long.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// How much the registry holds now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            families: self.families.len(),
            grants: self.grants.len(),
            approvals: self.approvals.len(),
            clients: self.clients.len(),
            refused_clients: self.refused.len(),
            users: self.users.len(),
            codes: self.codes.len(),
            claims: self.claims.len(),
        }
    }

    /// Every row that lasts, table by table, each in the order of its keys.
    #[must_use]
    pub fn export(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.families.export().collect();
        rows.extend(self.grants.export());
        rows.extend(self.approvals.export());
        rows.extend(self.clients.export());
        rows.extend(self.users.export());
        rows.extend(self.revocations());
        rows
    }

    /// Forget what is over, and what is more than the bounds allow. Meant to run every hour; nothing that is
    /// over is good for anything before it runs.
    pub fn collect(&mut self, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        self.codes.expire(now);
        self.claims.expire(now);
        self.collect_families(now, &mut changes);
        self.collect_grants(now, &mut changes);
        let idle = self.bounds.approval_idle;
        shrink(
            &mut self.approvals,
            self.bounds.approvals,
            |a| elapsed(a.last_used, now) > idle,
            &mut changes,
        );
        let idle = self.bounds.client_idle;
        shrink(&mut self.clients, self.bounds.clients, |c| elapsed(c.last_used, now) > idle, &mut changes);
        self.collect_users(now, &mut changes);
        changes
    }

    fn collect_families(&mut self, now: Timestamp, changes: &mut Vec<Change>) {
        // An ended family stays until its greatest age: a backup that is restored must not bring it back.
        let over = |family: &&Family| {
            family.outlived(&self.bounds, now)
                || (family.ended.is_none() && family.standing(&self.bounds, now).is_err())
        };
        let over: Vec<FamilyId> = self.families.iter().filter(over).map(|family| family.id).collect();
        for id in &over {
            self.families.remove(id, changes);
        }
        while self.families.len() > self.bounds.families {
            let Some(oldest) = self.families.oldest() else { break };
            self.families.remove(&oldest, changes);
        }
    }

    fn collect_grants(&mut self, now: Timestamp, changes: &mut Vec<Change>) {
        let living = self.families.iter().filter(|family| family.standing(&self.bounds, now).is_ok());
        let used: BTreeSet<(UserId, Application)> = living.map(|f| (f.user, f.application)).collect();
        let over = |grant: &&Grant| match &grant.state {
            GrantState::Live => !used.contains(&grant.key()) && elapsed(grant.updated, now) > UNUSED_GRANT,
            GrantState::Dead { at, .. } => elapsed(*at, now) > DEAD_GRANT,
        };
        let over: Vec<_> = self.grants.iter().filter(over).map(Grant::key).collect();
        for key in &over {
            self.grants.remove(key, changes);
        }
    }

    fn collect_users(&mut self, now: Timestamp, changes: &mut Vec<Change>) {
        let mut needed: BTreeSet<UserId> = self.families.iter().map(|family| family.user).collect();
        needed.extend(self.grants.iter().map(|grant| grant.user));
        needed.extend(self.approvals.iter().map(|approval| approval.user));
        let idle = self.bounds.approval_idle;
        let over = self.users.iter().filter(|user| elapsed(user.last_seen, now) > idle);
        let over: Vec<UserId> = over.map(|user| user.id).filter(|id| !needed.contains(id)).collect();
        for id in over {
            self.users.remove(id, changes);
        }
        while self.users.len() > self.bounds.users {
            let Some(oldest) = self.users.oldest() else { break };
            self.users.remove(oldest, changes);
        }
    }

    /// Put the rows of a backup in place of what is here; what could not be read, and the changes that make
    /// the store follow.
    ///
    /// A backup is older than what is here, and being older must not make anything good again that ended
    /// since: refused clients and revoked users stay so and ended families stay ended, a family that was rotated since
    /// keeps its newer generation, a grant that changed since its newer state, and what was claimed or
    /// redeemed stays so. Codes that are not redeemed yet are forgotten. Of the backup's consents those stay that
    /// are here too, since one that is missing here may have been revoked; into a registry that knows nobody all come.
    pub fn replace(&mut self, rows: impl IntoIterator<Item = Row>) -> (Vec<Unreadable>, Vec<Change>) {
        let before = self.export();
        let (mut next, unreadable) = Self::load(rows, self.bounds.clone());
        let mut unused = Vec::new();
        for refused in self.refused.iter() {
            next.refused.put(refused.clone(), &mut unused);
        }
        for revoked in self.revoked_users.iter() {
            if next.user_revoked_at(revoked.user).is_none_or(|then| then < revoked.at) {
                next.revoked_users.put(revoked.clone(), &mut unused);
            }
        }
        for family in self.families.iter() {
            let older =
                next.families.get(&family.id).is_some_and(|then| then.generation <= family.generation);
            let ended_only_there = family.ended.is_none()
                && next.families.get(&family.id).is_some_and(|then| then.ended.is_some());
            if (older && !ended_only_there) || family.ended.is_some() {
                next.families.put(family.clone(), &mut unused);
            }
        }
        for grant in self.grants.iter() {
            if next.grants.get(&grant.key()).is_some_and(|then| then.revision < grant.revision) {
                next.grants.put(grant.clone(), &mut unused);
            }
        }
        if self.stats().users > 0 {
            let gone: Vec<_> = next
                .approvals
                .iter()
                .map(Record::key)
                .filter(|key| self.approvals.get(key).is_none())
                .collect();
            for key in &gone {
                next.approvals.remove(key, &mut unused);
            }
        }
        next.claims = std::mem::take(&mut self.claims);
        next.codes = std::mem::take(&mut self.codes);
        next.codes.forget_unused();
        *self = next;
        (unreadable, difference(before, self.export()))
    }
}

/// Remove from a shelf what is over and what is too much.
fn shrink<R: Record>(
    shelf: &mut Shelf<R>,
    most: usize,
    over: impl Fn(&R) -> bool,
    changes: &mut Vec<Change>,
) {
    // The row that was not used for the longest time is the first to be over.
    while let Some(oldest) = shelf.oldest() {
        let gone = shelf.len() > most || shelf.get(&oldest).is_none_or(&over);
        if !gone || shelf.remove(&oldest, changes).is_none() {
            break;
        }
    }
}

/// The changes that lead from one set of rows to another.
fn difference(before: Vec<Row>, after: Vec<Row>) -> Vec<Change> {
    let mut gone: BTreeMap<(Table, Vec<u8>), Vec<u8>> =
        before.into_iter().map(|row| ((row.table, row.key), row.value)).collect();
    let mut changes = Vec::new();
    for Row { table, key, value } in after {
        let place = (table, key);
        if gone.remove(&place).as_ref() != Some(&value) {
            changes.push(Change { table, key: place.1, value: Some(value) });
        }
    }
    changes.extend(gone.into_keys().map(|(table, key)| Change { table, key, value: None }));
    changes
}
