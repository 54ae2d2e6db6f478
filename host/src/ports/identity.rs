//! `aegis:gateway/identity`: whose credential arrived. The guest holds a handle; the value stays here.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aegis_custody::oauth::registry::Application;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use wasmtime::component::Resource;
use zeroize::Zeroizing;

use crate::component::bindings::aegis::gateway::identity::{Claims, Host, HostCaller, Refusal};
use crate::instance::State;
use crate::settings::Secret;
use crate::sign_in::{READ, WRITE};

/// Requests that one principal may have in flight.
const MAX_IN_FLIGHT: u32 = 8;

/// One `Authorization` value that arrived, and the handle that took its place.
pub(crate) struct Credential {
    handle: String,
    value: Zeroizing<Vec<u8>>,
}

impl Credential {
    /// Take the value out of a request and leave a handle for this request alone.
    pub(crate) fn exchange(value: &HeaderValue) -> (Self, HeaderValue) {
        let handle = format!("handle-{}", crate::shared::random_name());
        let header = HeaderValue::from_str(&handle).unwrap_or(HeaderValue::from_static("handle"));
        (Self { handle, value: Zeroizing::new(value.as_bytes().to_vec()) }, header)
    }
}

/// The keys that callers may present: digests and names, never values.
pub(crate) struct Keys {
    entries: Vec<(String, [u8; 32])>,
    /// Nobody has to prove anything, and everybody is called this. Only on a loopback bind (checked by the settings),
    /// and where there is no socket at all.
    open: Option<String>,
    in_flight: Arc<Mutex<HashMap<String, u32>>>,
    /// Names of keys that an operator revoked since the start.
    revoked: RwLock<BTreeSet<String>>,
}

impl Keys {
    /// From (name, digest of the key), and what everybody is called where nobody needs one.
    pub(crate) fn new(entries: Vec<(String, [u8; 32])>, open: Option<String>) -> Self {
        Self { entries, open, in_flight: Arc::default(), revoked: RwLock::default() }
    }

    /// What everybody is called where nobody has to prove anything.
    pub(crate) fn everybody(&self) -> Option<&str> {
        self.open.as_deref()
    }

    /// The name of a key. All entries are compared, in constant time, whether one fits or not.
    fn find(&self, presented: &[u8]) -> Option<&str> {
        let digest: [u8; 32] = Sha256::digest(presented).into();
        let mut found = u64::MAX;
        for (index, (_, known)) in (0_u64..).zip(&self.entries) {
            found.conditional_assign(&index, digest.ct_eq(known));
        }
        let name = self.entries.get(usize::try_from(found).ok()?).map(|(name, _)| name.as_str())?;
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        (!revoked.contains(name)).then_some(name)
    }

    /// Take the key of this name no more; whether there is one.
    pub(crate) fn revoke(&self, name: &str) -> bool {
        let known = self.entries.iter().any(|(entry, _)| entry == name);
        if known {
            self.revoked.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        }
        known
    }

    /// Whether a key that was presented still has this name. It takes no place: nothing is asked for.
    pub(crate) fn still_proves(&self, presented: Option<&Secret>, subject: &str) -> bool {
        match &self.open {
            Some(everybody) => everybody == subject,
            None => presented.is_some_and(|key| self.find(key.expose().as_bytes()) == Some(subject)),
        }
    }

    /// Take a place for a request of this principal; none where it has as many as one may have.
    pub(crate) fn enter(&self, subject: &str) -> Option<Slot> {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let count = in_flight.entry(subject.to_owned()).or_default();
        if *count >= MAX_IN_FLIGHT {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Slot { subject: subject.to_owned(), in_flight: self.in_flight.clone() })
    }
}

/// One of the places that a principal has; given back when the request ends.
pub(crate) struct Slot {
    subject: String,
    in_flight: Arc<Mutex<HashMap<String, u32>>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = in_flight.get_mut(&self.subject) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                in_flight.remove(&self.subject);
            }
        }
    }
}

/// A proved caller.
pub(crate) struct Principal {
    /// Stable name.
    pub(crate) subject: String,
    /// The Gitea login, of people who signed in.
    pub(crate) login: Option<String>,
    /// The MCP client that the credential was issued to.
    pub(crate) client: Option<String>,
    /// What the credential carries.
    pub(crate) scopes: Vec<String>,
    /// Whose access to Gitea the calls use.
    pub(crate) access: Access,
    /// Who started the job that this is the principal of, where somebody did.
    pub(crate) started_by: Option<String>,
    /// The one repository that this principal may be anything in, where a signed delivery named it.
    pub(crate) only_in: Option<(String, String)>,
    /// The run of a job that this is the principal of: nobody else runs it there meanwhile.
    pub(crate) run: Option<crate::jobs::Running>,
    _slot: Slot,
}

impl Principal {
    /// Somebody who was found, and their place.
    pub(crate) fn new(found: Found, slot: Slot) -> Self {
        let Found { subject, login, client, scopes, access } = found;
        Self {
            subject,
            login,
            client,
            scopes,
            access,
            started_by: None,
            only_in: None,
            run: None,
            _slot: slot,
        }
    }

    /// Whether this principal may do anything there: in a repository, or in none where that is nothing.
    pub(crate) fn may_be_in(&self, repository: Option<(&str, &str)>) -> bool {
        let Some((owner, repo)) = &self.only_in else { return true };
        repository
            .is_some_and(|(told, named)| told.eq_ignore_ascii_case(owner) && named.eq_ignore_ascii_case(repo))
    }

    /// What a cache is kept under: the subject and, of a job, who started it.
    pub(crate) fn kept_under(&self) -> String {
        self.started_by
            .as_ref()
            .map_or_else(|| self.subject.clone(), |who| format!("{}\n{who}", self.subject))
    }
}

/// Whose access to Gitea a caller's requests use.
pub(crate) enum Access {
    /// The service account's: callers with a key.
    Service,
    /// The person's own, by what they granted to one of our applications.
    User {
        /// Id in Gitea.
        user: i64,
        /// The application.
        application: Application,
    },
    /// The person's own, by a token of Gitea that they presented (`ACCEPT_GITEA_TOKENS`).
    Presented(Secret),
}

impl Access {
    /// The same once more.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Service => Self::Service,
            Self::User { user, application } => Self::User { user: *user, application: *application },
            Self::Presented(token) => Self::Presented(Secret::new(token.expose().to_owned())),
        }
    }
}

/// Who presented something, before a place was found for the request.
pub(crate) struct Found {
    pub(crate) subject: String,
    pub(crate) login: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) access: Access,
}

/// What a guest holds.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Caller {
    pub(crate) principal: Arc<Principal>,
}

impl State {
    async fn prove(&mut self, presented: &str) -> Result<Arc<Principal>, Refusal> {
        if let Some(principal) = &self.bound.principal {
            return Ok(principal.clone());
        }
        let (found, token) = match self.shared.sign_in.clone() {
            Some(sign_in) => {
                let token = self.presented_token(presented)?;
                (sign_in.somebody(&token, &self.bound.request_id).await?, Some(token))
            }
            None => self.by_key(presented)?,
        };
        let slot = self.shared.keys.enter(&found.subject).ok_or(Refusal::TooManyConcurrent)?;
        let principal = Arc::new(Principal::new(found, slot));
        self.bound.presented = token.map(Arc::new);
        self.bound.outlet.called_by(&principal.subject);
        self.bound.principal = Some(principal.clone());
        Ok(principal)
    }

    /// Who has this key, and the key; nothing where nobody needs one.
    fn by_key(&self, presented: &str) -> Result<(Found, Option<Secret>), Refusal> {
        let (subject, key) = match &self.shared.keys.open {
            Some(everybody) => (everybody.clone(), None),
            None => {
                let key = self.presented_token(presented)?;
                let name = self.shared.keys.find(key.expose().as_bytes()).ok_or(Refusal::Unknown)?.to_owned();
                (name, Some(key))
            }
        };
        // A key carries both scopes; the write gate decides what it may do.
        let scopes = vec![READ.to_owned(), WRITE.to_owned()];
        Ok((Found { subject, login: None, client: None, scopes, access: Access::Service }, key))
    }

    /// The token behind a handle of this request.
    fn presented_token(&self, presented: &str) -> Result<Secret, Refusal> {
        let credential =
            self.bound.credentials.iter().find(|c| c.handle == presented).ok_or(Refusal::Unknown)?;
        let token = bearer(&credential.value).ok_or(Refusal::Malformed)?;
        Ok(Secret::new(String::from_utf8_lossy(token).into_owned()))
    }
}

/// The token of `Bearer <token68>` (RFC 9110 section 11.4, RFC 6750 section 2.1); the scheme in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return None;
    }
    let token = rest.trim_ascii();
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    (!token.is_empty() && token.len() <= 4_096 && token.iter().all(fits)).then_some(token)
}

impl Host for State {
    async fn authenticate(
        &mut self,
        presented: String,
    ) -> wasmtime::Result<Result<Resource<Caller>, Refusal>> {
        match self.prove(&presented).await {
            Ok(principal) => Ok(Ok(self.table.push(Caller { principal })?)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }
}

impl HostCaller for State {
    fn claims(&mut self, caller: Resource<Caller>) -> wasmtime::Result<Claims> {
        let principal = &self.table.get(&caller)?.principal;
        Ok(Claims {
            subject: principal.subject.clone(),
            login: principal.login.clone(),
            client: principal.client.clone(),
            scopes: principal.scopes.clone(),
        })
    }

    fn drop(&mut self, caller: Resource<Caller>) -> wasmtime::Result<()> {
        self.table.delete(caller)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        let digest = |key: &str| Sha256::digest(key.as_bytes()).into();
        Keys::new(vec![("laptop".into(), digest("first-key")), ("ci".into(), digest("second-key"))], None)
    }

    #[test]
    fn a_key_is_found_by_its_whole_value_only() {
        let keys = keys();
        assert_eq!(keys.find(b"first-key"), Some("laptop"));
        assert_eq!(keys.find(b"second-key"), Some("ci"));
        for wrong in ["first-ke", "first-key ", "FIRST-KEY", ""] {
            assert_eq!(keys.find(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_revoked_key_is_nobody_and_the_others_stay() {
        let keys = keys();
        let key = Secret::new("first-key".to_owned());
        assert!(keys.still_proves(Some(&key), "laptop") && !keys.still_proves(Some(&key), "ci"));
        assert!(keys.revoke("laptop") && !keys.revoke("phone"));
        assert!(!keys.still_proves(Some(&key), "laptop") && !keys.still_proves(None, "laptop"));
        assert_eq!(keys.find(b"first-key"), None);
        assert_eq!(keys.find(b"second-key"), Some("ci"));
    }

    #[test]
    fn only_bearer_and_one_token_is_a_credential() {
        assert_eq!(bearer(b"Bearer abc"), Some(b"abc".as_slice()));
        assert_eq!(bearer(b"bearer abc="), Some(b"abc=".as_slice()));
        for wrong in ["Bearer ", "Bearer a b", "Basic YTpi", "abc", "", "Bearer a,b", "Bearer\tabc"] {
            assert_eq!(bearer(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_ninth_request_in_flight_finds_no_place_until_one_ends() {
        let keys = keys();
        let mut slots: Vec<_> = (0..MAX_IN_FLIGHT).map(|_| keys.enter("laptop").unwrap()).collect();
        assert!(keys.enter("laptop").is_none());
        assert!(keys.enter("ci").is_some(), "somebody else is not affected");
        slots.pop();
        assert!(keys.enter("laptop").is_some());
    }
}
