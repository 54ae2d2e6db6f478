//! The state behind the authorization server: what is unique, what lasts, and what is over.
//!
//! One [`Registry`] holds all of it in memory. Every operation is atomic under its `&mut self` and answers
//! with the [`Change`]s that make the store follow; memory changes only together with a change, so whatever
//! prefix of the changes reaches the disk is a state that the registry was in. Codes and claims are in no change;
//! a holder without a process to keep them in asks for them ([`Registry::passing`]).
//!
//! Nothing here knows a secret: tokens, codes and keys are made and proved elsewhere, and come in as ids,
//! hashes, generations and sealed bytes. Nothing here reads a clock, waits, or fails because a disk did.
//!
//! Everything fails closed: what cannot be found, read or remembered is refused.

mod approvals;
mod bounds;
mod claims;
mod clients;
mod codes;
mod families;
mod grants;
mod passing;
mod redeem;
mod revocations;
mod rows;
mod sessions;
mod terms;
#[cfg(test)]
mod tests;
mod upkeep;
mod users;

pub use approvals::Approval;
pub use bounds::Bounds;
pub use claims::{CLAIM_LIFE, Claim, ClaimKind};
pub use clients::{ClientKind, ClientRevoked, ClientView, NotRefused};
pub use codes::{BadCode, CODE_LIFE, Code, CodeHash, PresentedCode, REPLAY_WATCH};
pub use families::Dead;
pub use grants::{Grant, GrantState, NewGrant};
pub use passing::{NotPassing, Passing};
pub use redeem::{ForCode, NotRedeemed};
pub use revocations::is_revocation;
pub use rows::{Change, Row, Table, Unreadable};
pub use sessions::{FamilyView, GRACE, NewFamily, PresentedRefresh, Rotation};
pub use terms::{Application, End, FamilyId, KeyId, Refused, Scopes, UserId};
pub use upkeep::{Live, Stats};
pub use users::{UserRevoked, UserView, Who};

use claims::Claims;
use clients::{Client, RefusedClient};
use codes::Codes;
use families::Families;
use revocations::RevokedUser;
use rows::Shelf;
use users::Users;

/// The state behind the authorization server. The holder guards it by a mutex and commits the changes of each
/// operation before it answers whoever asked.
pub struct Registry {
    bounds: Bounds,
    families: Families,
    grants: Shelf<Grant>,
    approvals: Shelf<Approval>,
    clients: Shelf<Client>,
    refused: Shelf<RefusedClient>,
    revoked_users: Shelf<RevokedUser>,
    users: Users,
    codes: Codes,
    claims: Claims,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            families: Families::default(),
            grants: Shelf::default(),
            approvals: Shelf::default(),
            clients: Shelf::default(),
            refused: Shelf::default(),
            revoked_users: Shelf::default(),
            users: Users::default(),
            codes: Codes::default(),
            claims: Claims::default(),
        }
    }

    /// The registry that a store holds. Rows that cannot be read are left out and named; rows of
    /// [`Table::Meta`] that are not the registry's are passed over.
    ///
    /// It takes no time: a clock that is wrong at the start must not cost anybody a login. What is over is not
    /// good for anything, and leaves with the next [`Registry::collect`].
    pub fn load(rows: impl IntoIterator<Item = Row>, bounds: Bounds) -> (Self, Vec<Unreadable>) {
        let mut registry = Self::new(bounds);
        let mut unreadable = Vec::new();
        for row in rows {
            if !registry.take(&row) {
                unreadable.push(Unreadable { table: row.table, key: row.key });
            }
        }
        (registry, unreadable)
    }

    fn take(&mut self, row: &Row) -> bool {
        match row.table {
            Table::Families => self.families.load(row),
            Table::Grants => self.grants.load(row),
            Table::Approvals => self.approvals.load(row),
            Table::Clients => self.clients.load(row),
            Table::Users => self.users.load(row),
            Table::Meta => match (RefusedClient::from_row(row), RevokedUser::from_row(row)) {
                (Some(Some(refused)), _) => {
                    self.refused.insert(refused);
                    true
                }
                (_, Some(Some(revoked))) => {
                    self.revoked_users.insert(revoked);
                    true
                }
                (None, None) => true,
                _ => false,
            },
        }
    }
}
