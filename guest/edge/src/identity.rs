//! `identity`: API keys from `MCP_API_KEYS`. Here the gateway holds the real `Authorization` value, since no runtime
//! takes it out of the request; it still gets a caller only by presenting it.

use std::cell::RefCell;

use crate::bindings::exports::aegis::gateway::identity::{Caller, Claims, Guest, GuestCaller, Refusal};
use crate::{Adapter, environment, keys};

/// A proved caller.
pub(crate) struct Proved {
    pub(crate) subject: String,
}

/// Both scopes: what a key may do is narrowed by the policy and by write mode.
pub(crate) const SCOPES: [&str; 2] = ["read:repository", "write:repository"];

thread_local! {
    /// The caller that was proved last and is still alive: whom the principal counter counts.
    static CURRENT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The caller proved in the request at hand.
pub(crate) fn current() -> Option<String> {
    CURRENT.with_borrow(Clone::clone)
}

impl GuestCaller for Proved {
    fn claims(&self) -> Claims {
        Claims {
            subject: self.subject.clone(),
            login: None,
            client: None,
            scopes: SCOPES.map(str::to_owned).to_vec(),
        }
    }
}

impl Drop for Proved {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| {
            if current.as_deref() == Some(self.subject.as_str()) {
                *current = None;
            }
        });
    }
}

impl Guest for Adapter {
    type Caller = Proved;

    fn authenticate(presented: String) -> Result<Caller, Refusal> {
        let keys = keys::read(&environment::variable("MCP_API_KEYS").unwrap_or_default());
        let key = keys::prove(&presented, &keys).map_err(|refusal| match refusal {
            keys::Refusal::Malformed if presented.is_empty() => Refusal::Unknown,
            keys::Refusal::Malformed => Refusal::Malformed,
            keys::Refusal::Unknown => Refusal::Unknown,
        })?;
        CURRENT.set(Some(key.subject.clone()));
        Ok(Caller::new(Proved { subject: key.subject.clone() }))
    }
}
