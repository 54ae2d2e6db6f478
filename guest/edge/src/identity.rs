//! `identity`: who is calling, by a key of `MCP_API_KEYS` or by an access token of ours (`OAUTH_MODE`). Here the gateway
//! holds the real `Authorization` value, since no runtime takes it out of the request; it still gets a caller only by
//! presenting it.

use std::cell::RefCell;

use aegis_custody::oauth::registry::{Application, UserId};

use crate::bindings::exports::aegis::gateway::identity::{Caller, Claims, Guest, GuestCaller, Refusal};
use crate::{Adapter, environment, keys, settings, sign_in};

/// A proved caller.
pub(crate) struct Proved {
    pub(crate) who: Who,
    pub(crate) login: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) access: Access,
}

/// What binds a value to a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) subject: String,
    /// The MCP client that the credential was issued to.
    pub(crate) client: Option<String>,
}

/// Whose access to Gitea the calls use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// `GITEA_TOKEN`.
    Service,
    /// What a person granted to one of our applications.
    User(UserId, Application),
}

/// `read:repository`.
pub(crate) const READ: &str = "read:repository";
/// `write:repository`.
pub(crate) const WRITE: &str = "write:repository";

thread_local! {
    /// The callers that are alive. An instance may serve several requests, and nothing tells which one asks.
    static ALIVE: RefCell<Vec<Who>> = const { RefCell::new(Vec::new()) };
}

/// The caller proved in the request at hand; none where there may be two.
pub(crate) fn current() -> Option<Who> {
    ALIVE.with_borrow(|alive| {
        let (first, rest) = alive.split_first()?;
        rest.iter().all(|other| other == first).then(|| first.clone())
    })
}

impl Proved {
    fn new(who: Who, login: Option<String>, scopes: Vec<String>, access: Access) -> Self {
        ALIVE.with_borrow_mut(|alive| alive.push(who.clone()));
        Self { who, login, scopes, access }
    }
}

impl GuestCaller for Proved {
    fn claims(&self) -> Claims {
        Claims {
            subject: self.who.subject.clone(),
            login: self.login.clone(),
            client: self.who.client.clone(),
            scopes: self.scopes.clone(),
        }
    }
}

impl Drop for Proved {
    fn drop(&mut self) {
        ALIVE.with_borrow_mut(|alive| {
            if let Some(at) = alive.iter().position(|other| *other == self.who) {
                alive.swap_remove(at);
            }
        });
    }
}

impl Guest for Adapter {
    type Caller = Proved;

    fn authenticate(presented: String) -> Result<Caller, Refusal> {
        let proved = if settings::sign_in() { by_token(&presented)? } else { by_key(&presented)? };
        Ok(Caller::new(proved))
    }
}

/// A key carries both scopes: what it may do is narrowed by the policy and by write mode.
fn by_key(presented: &str) -> Result<Proved, Refusal> {
    let keys = keys::read(&environment::variable("MCP_API_KEYS").unwrap_or_default());
    let key = keys::prove(presented, &keys).map_err(|refusal| refused(refusal, presented))?;
    let who = Who { subject: key.subject.clone(), client: None };
    Ok(Proved::new(who, None, vec![READ.to_owned(), WRITE.to_owned()], Access::Service))
}

fn by_token(presented: &str) -> Result<Proved, Refusal> {
    let token = keys::token(presented).ok_or_else(|| refused(keys::Refusal::Malformed, presented))?;
    let holder = sign_in::holder(token).map_err(|not| match not {
        sign_in::NotHeld::Unknown => Refusal::Unknown,
        sign_in::NotHeld::Expired => Refusal::Expired,
        sign_in::NotHeld::Unavailable => Refusal::Unavailable,
    })?;
    let family = holder.family;
    let who = Who { subject: format!("gitea-{}", family.user), client: Some(family.client) };
    let access = Access::User(family.user, family.application);
    Ok(Proved::new(who, Some(family.login), sign_in::words(holder.scopes), access))
}

fn refused(refusal: keys::Refusal, presented: &str) -> Refusal {
    match refusal {
        keys::Refusal::Malformed if presented.is_empty() => Refusal::Unknown,
        keys::Refusal::Malformed => Refusal::Malformed,
        keys::Refusal::Unknown => Refusal::Unknown,
    }
}
