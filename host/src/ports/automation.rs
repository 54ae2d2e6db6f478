//! `aegis:gateway/automation`: who may be `automation`, the principal of work that nobody waits for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use wasmtime::component::Resource;

use super::identity::{Access, Caller, Found, Principal};
use crate::automation::NotTaken;
use crate::component::bindings::aegis::gateway::automation::{Host, NotStarted, NotVerified};
use crate::instance::State;
use crate::settings::AUTOMATION;
use crate::sign_in::{READ, WRITE};

impl State {
    /// The principal, for the rest of this request; none where it has no place left.
    fn automation(&mut self, started_by: Option<String>, access: Access, login: Option<String>) -> Option<Caller> {
        let scopes = vec![READ.to_owned(), WRITE.to_owned()];
        let found = Found { subject: AUTOMATION.to_owned(), login, client: None, scopes, access };
        let slot = self.shared.keys.enter(&found.subject)?;
        let principal = Arc::new(Principal::new(found, started_by, slot));
        self.bound.principal = Some(principal.clone());
        Some(Caller { principal })
    }
}

impl Host for State {
    fn verify(
        &mut self,
        signature: String,
        delivery: String,
        body: Vec<u8>,
    ) -> wasmtime::Result<Result<Resource<Caller>, NotVerified>> {
        let Some(automation) = &self.shared.automation else { return Ok(Err(NotVerified::Disabled)) };
        match automation.take(&signature, &delivery, &body, Instant::now()) {
            Ok(()) => {}
            Err(NotTaken::Forged) => return Ok(Err(NotVerified::Forged)),
            Err(NotTaken::Replayed) => return Ok(Err(NotVerified::Replayed)),
            Err(NotTaken::Full) => return Ok(Err(NotVerified::Full)),
        }
        let Some(caller) = self.automation(None, Access::Service, None) else {
            return Ok(Err(NotVerified::TooManyConcurrent));
        };
        self.bound.goes_on.store(true, Ordering::Release);
        Ok(Ok(self.table.push(caller)?))
    }

    /// The access is the caller's, as for any call of theirs: with a key the service account's, and for people the
    /// service account's after Gitea has said that they may do the same.
    fn start(&mut self, caller: Resource<Caller>) -> wasmtime::Result<Result<Resource<Caller>, NotStarted>> {
        let principal = self.table.get(&caller)?.principal.clone();
        let may = principal.scopes.iter().any(|scope| scope == WRITE);
        if self.shared.automation.is_none() || !may || principal.subject == AUTOMATION {
            return Ok(Err(NotStarted::NotPermitted));
        }
        let (access, login) = (principal.access.again(), principal.login.clone());
        match self.automation(Some(principal.subject.clone()), access, login) {
            Some(caller) => Ok(Ok(self.table.push(caller)?)),
            None => Ok(Err(NotStarted::TooManyConcurrent)),
        }
    }
}
