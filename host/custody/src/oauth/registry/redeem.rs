//! From a code to a token family in one step, so that nothing can come between: a replay, or an operator who
//! revokes the user or the client.

use std::time::Duration;

use super::Registry;
use super::codes::{BadCode, Code, CodeHash, PresentedCode};
use super::rows::Change;
use super::sessions::NewFamily;
use super::terms::{FamilyId, KeyId, Refused};
use crate::Timestamp;

/// The family to open for a code that proves good.
#[derive(Clone, Copy, Debug)]
pub struct ForCode {
    /// Its id, drawn at random.
    pub id: FamilyId,
    /// Its greatest age.
    pub max_age: Duration,
    /// The root key that makes its first refresh token.
    pub key_id: KeyId,
}

/// Why no family was opened for a code; the client hears `invalid_grant` of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRedeemed {
    /// The code or its presentation is bad.
    Code(BadCode),
    /// The code was good and is spent, but no family may be opened for it.
    Refused(Refused),
}

impl Registry {
    /// Redeem a code and open its family: [`Registry::take_code`], [`Registry::open_family`] and
    /// [`Registry::code_used_for`] as one operation.
    pub fn redeem(
        &mut self,
        hash: &CodeHash,
        presented: &PresentedCode<'_>,
        family: &ForCode,
        now: Timestamp,
    ) -> (Result<Code, NotRedeemed>, Vec<Change>) {
        let (taken, mut changes) = self.take_code(hash, presented, now);
        let code = match taken {
            Ok(code) => code,
            Err(bad) => return (Err(NotRedeemed::Code(bad)), changes),
        };
        let new = NewFamily {
            id: family.id,
            user: code.user,
            login: &code.login,
            client: &code.client,
            scopes: code.scopes,
            application: code.application,
            max_age: family.max_age,
            key_id: family.key_id,
        };
        match self.open_family(&new, now) {
            Ok(opened) => changes.extend(opened),
            Err(refused) => return (Err(NotRedeemed::Refused(refused)), changes),
        }
        changes.extend(self.code_used_for(hash, family.id, now));
        (Ok(code), changes)
    }
}
