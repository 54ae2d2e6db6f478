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
    fn automation(
        &mut self,
        access: Access,
        login: Option<String>,
        narrow: impl FnOnce(&mut Principal),
    ) -> Option<Caller> {
        let scopes = vec![READ.to_owned(), WRITE.to_owned()];
        let found = Found { subject: AUTOMATION.to_owned(), login, client: None, scopes, access };
        let slot = self.shared.keys.enter(&found.subject)?;
        let mut principal = Principal::new(found, slot);
        narrow(&mut principal);
        let principal = Arc::new(principal);
        self.bound.outlet.called_by(&principal.subject);
        self.bound.principal = Some(principal.clone());
        Some(Caller { principal })
    }
}

/// The repository that a signed body is about. One without is about none: empty names are no repository's.
fn repository(body: &[u8]) -> (String, String) {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |at: &str| body.pointer(at).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    (text("/repository/owner/login"), text("/repository/name"))
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
        // Whoever brings about a delivery about one repository must not reach another one by it.
        let only_in = Some(repository(&body));
        let narrow = |principal: &mut Principal| principal.only_in = only_in;
        let Some(caller) = self.automation(Access::Service, None, narrow) else {
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
        let (started_by, only_in) = (Some(principal.subject.clone()), principal.only_in.clone());
        let narrow = |job: &mut Principal| (job.started_by, job.only_in) = (started_by, only_in);
        match self.automation(access, login, narrow) {
            Some(caller) => Ok(Ok(self.table.push(caller)?)),
            None => Ok(Err(NotStarted::TooManyConcurrent)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::identity::Keys;

    fn tied_to(body: &[u8]) -> Principal {
        let slot = Keys::new(Vec::new(), None).enter(AUTOMATION).unwrap();
        let (subject, access) = (AUTOMATION.to_owned(), Access::Service);
        let found = Found { subject, login: None, client: None, scopes: Vec::new(), access };
        let mut principal = Principal::new(found, slot);
        principal.only_in = Some(repository(body));
        principal
    }

    #[test]
    fn a_delivery_is_good_in_its_own_repository_alone() {
        let body = br#"{"repository":{"name":"site","owner":{"login":"Acme"},"full_name":"acme/other"}}"#;
        let principal = tied_to(body);
        assert!(principal.may_be_in(Some(("acme", "SITE"))));
        for elsewhere in [Some(("acme", "other")), Some(("alice", "site")), Some(("", "")), None] {
            assert!(!principal.may_be_in(elsewhere), "{elsewhere:?}");
        }
    }

    #[test]
    fn a_delivery_about_no_repository_is_good_nowhere() {
        for body in ["", "{", "[]", "{}", r#"{"repository":{"name":7}}"#] {
            let principal = tied_to(body.as_bytes());
            for place in [Some(("acme", "site")), None] {
                assert!(!principal.may_be_in(place), "{body}: {place:?}");
            }
        }
    }
}
