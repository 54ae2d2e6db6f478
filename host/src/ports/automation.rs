//! `aegis:gateway/automation`: who may be `automation`, the principal of work that nobody waits for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Resource;

use super::identity::{Access, Caller, Found, Principal};
use crate::automation::NotTaken;
use crate::component::bindings::aegis::gateway::automation::{Host, NotStarted, NotVerified};
use crate::instance::State;
use crate::settings::{AUTOMATION, WEBHOOK};
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
        let claim = match automation.take(&signature, &delivery, &body, Instant::now()) {
            Ok(claim) => claim,
            Err(NotTaken::Forged) => return Ok(Err(NotVerified::Forged)),
            Err(NotTaken::Replayed) => return Ok(Err(NotVerified::Replayed)),
            Err(NotTaken::Full) => return Ok(Err(NotVerified::Full)),
        };
        // Whoever brings about a delivery about one repository must not reach another one by it.
        let only_in = Some(repository(&body));
        let narrow = |principal: &mut Principal| principal.only_in = only_in;
        let Some(caller) = self.automation(Access::Service, None, narrow) else {
            return Ok(Err(NotVerified::TooManyConcurrent));
        };
        self.bound.delivery = Some(claim);
        Ok(Ok(self.table.push(caller)?))
    }

    /// The access is the caller's, as for any call of theirs: with a key the service account's, and for people the
    /// service account's after Gitea has said that they may do the same.
    fn start(
        &mut self,
        caller: Resource<Caller>,
        job: String,
        owner: String,
        repo: String,
    ) -> wasmtime::Result<Result<Resource<Caller>, NotStarted>> {
        let principal = self.table.get(&caller)?.principal.clone();
        let may = principal.scopes.iter().any(|scope| scope == WRITE);
        // Where nobody has to prove anything, everybody is nobody in particular.
        let proved = self.shared.keys.everybody() != Some(principal.subject.as_str());
        let within = principal.may_be_in(Some((&owner, &repo)));
        let known = self.shared.automation.as_ref().and_then(|automation| {
            let job = automation.jobs.all.iter().find(|known| known.name == job)?;
            Some((automation.jobs.board.clone(), job.name))
        });
        let Some((board, job)) = known.filter(|_| may && proved && within && principal.subject != AUTOMATION)
        else {
            return Ok(Err(NotStarted::NotPermitted));
        };
        let Some(run) = board.begin(job, &format!("{owner}/{repo}")) else {
            return Ok(Err(NotStarted::Running));
        };
        let (access, login) = (principal.access.again(), principal.login.clone());
        // What a delivery starts was started by nobody.
        let started_by = Some(principal.subject.clone()).filter(|subject| subject != WEBHOOK);
        let narrow = |job: &mut Principal| {
            (job.started_by, job.only_in, job.run) = (started_by, Some((owner, repo)), Some(run));
        };
        match self.automation(access, login, narrow) {
            Some(caller) => Ok(Ok(self.table.push(caller)?)),
            None => Ok(Err(NotStarted::TooManyConcurrent)),
        }
    }

    fn hand_over(
        &mut self,
        caller: Resource<Caller>,
        job: String,
        pause_seconds: u32,
    ) -> wasmtime::Result<bool> {
        let principal = self.table.get(&caller)?.principal.clone();
        // The one of a delivery, and of no run: what a job does starts no job.
        let of_delivery = principal.subject == AUTOMATION && principal.run.is_none();
        let on_record = self.bound.delivery.as_ref().is_some_and(crate::automation::Claim::is_settled);
        let (Some(automation), Some((owner, repo)), true, true) =
            (&self.shared.automation, principal.only_in.clone(), of_delivery, on_record)
        else {
            return Ok(false);
        };
        let pause = Duration::from_secs(pause_seconds.into());
        let pending = self.shared.pending.guard();
        Ok(automation.jobs.deliver(&self.bound.request_id, &job, (owner, repo), pause, pending))
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
