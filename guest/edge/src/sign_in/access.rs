//! A person's access to Gitea: the grant, opened when it is needed and renewed when it is due.
//!
//! There is one grant for a person and an application, whatever the number of clients, and one renewal at a time among
//! all instances: with `INVALIDATE_REFRESH_TOKENS` two that cross each other would end it. Whoever claims the renewal of
//! a state of the grant is the one; the others wait for the next state.

use std::time::Duration;

use aegis_custody::Timestamp;
use aegis_custody::oauth::registry::{Application as Which, ClaimKind, GrantState, NewGrant, UserId};
use aegis_custody::oauth::seal::{Purpose, Seal};
use aegis_custody::provider::error::Remedy;
use aegis_custody::provider::tokens::Tokens;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Server, gitea, lost};
use crate::environment::{self, Chance, later, now};
use crate::{records, settings};

/// A token that ends so soon is renewed first.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a sealed grant opens: longer than Gitea keeps its refresh tokens by default (730 hours).
const SEALED: Duration = Duration::from_secs(400 * 86_400);
/// How long an instance that waits for another's renewal pauses between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// What a call to Gitea goes out with.
pub(crate) struct UserAccess {
    /// Gitea's access token.
    pub(crate) token: Zeroizing<String>,
    /// Which state of the grant it is of.
    pub(crate) revision: u64,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAccess {
    /// The grant is gone: the person has to sign in again.
    SignedOut,
    /// It cannot be renewed now.
    Unavailable,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    access: String,
    refresh: Option<String>,
}

/// A grant as it is in the registry.
struct Standing {
    access: Zeroizing<String>,
    refresh: Option<Zeroizing<String>>,
    expires: Timestamp,
    revision: u64,
    scopes: String,
}

/// A token that is good for some time yet, and not of the state that Gitea has just refused.
///
/// # Errors
/// See [`NoAccess`].
pub(crate) fn access(user: UserId, which: Which, refused: Option<u64>) -> Result<UserAccess, NoAccess> {
    let server = Server::of_settings().ok_or(NoAccess::Unavailable)?;
    // A renewal asks Gitea twice at most.
    let most = Duration::from_secs(settings::timeout().saturating_mul(2).saturating_add(5));
    let patience = later(now(), most);
    loop {
        let standing = server.standing_grant(user, which)?.ok_or(NoAccess::SignedOut)?;
        if standing.is_good(refused) {
            return Ok(UserAccess { token: standing.access, revision: standing.revision });
        }
        let id = renewal(user, which, standing.revision);
        let claimed = records::change(|registry, now| {
            (registry.claim(ClaimKind::Renewal, id, later(now, most), now), Vec::new())
        });
        if claimed.map_err(unavailable)?.won() {
            return server.renew(user, which, &standing).inspect_err(|_| given_back(id));
        }
        if now() >= patience {
            return Err(NoAccess::Unavailable);
        }
        environment::pause(PAUSE);
    }
}

/// The grant is dead at Gitea: its sealed bytes go, and the tokens that live on it are dead at the next call.
pub(crate) fn end_grant(user: UserId, which: Which, revision: u64, why: &str) {
    let ended = records::change(|registry, now| registry.kill_grant(user, which, Some(revision), why, now));
    if let Err(not) = ended {
        lost(not);
    }
}

fn unavailable(not: records::Lost) -> NoAccess {
    lost(not);
    NoAccess::Unavailable
}

/// Let the next one try at once what has failed here.
fn given_back(id: [u8; 32]) {
    let given = records::change(|registry, _| {
        registry.renewal_failed(&id);
        ((), Vec::new())
    });
    if let Err(not) = given {
        lost(not);
    }
}

/// What is claimed for the renewal of one state of a grant.
fn renewal(user: UserId, which: Which, revision: u64) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(binding(user, which));
    hash.update([0]);
    hash.update(revision.to_be_bytes());
    hash.finalize().into()
}

fn binding(user: UserId, which: Which) -> Vec<u8> {
    [user.to_be_bytes().as_slice(), which.name().as_bytes()].concat()
}

impl Server {
    fn renew(&self, user: UserId, which: Which, standing: &Standing) -> Result<UserAccess, NoAccess> {
        let Some(refresh) = &standing.refresh else {
            end_grant(user, which, standing.revision, "no_refresh_token");
            return Err(NoAccess::SignedOut);
        };
        match gitea::refresh(self.application(which), refresh) {
            Ok(tokens) => {
                let kept = self.keep_grant(user, which, &tokens, &standing.scopes, Some(standing.revision));
                match kept {
                    Ok(revision) => {
                        Ok(UserAccess { token: Zeroizing::new(tokens.access.expose().to_owned()), revision })
                    }
                    // A new sign-in came in between, and its grant counts; or nothing can be kept.
                    Err(why) => {
                        environment::warn("grant_not_kept", &why);
                        self.newer(user, which, standing.revision).ok_or(NoAccess::Unavailable)
                    }
                }
            }
            Err(error) if error.remedy() == Remedy::SignIn => {
                // A sign-in that was finished meanwhile may be what replaced the refresh token.
                if let Some(newer) = self.newer(user, which, standing.revision) {
                    return Ok(newer);
                }
                end_grant(user, which, standing.revision, error.name());
                Err(NoAccess::SignedOut)
            }
            Err(error) => {
                environment::warn("grant_not_renewed", &error.to_string());
                Err(NoAccess::Unavailable)
            }
        }
    }

    /// The access of a later state of the grant, where there is one.
    fn newer(&self, user: UserId, which: Which, than: u64) -> Option<UserAccess> {
        let standing = self.standing_grant(user, which).ok()??;
        (standing.revision != than)
            .then_some(UserAccess { token: standing.access, revision: standing.revision })
    }

    /// Keep what Gitea granted, sealed; durable before this returns.
    ///
    /// # Errors
    /// It cannot be kept, or (for a renewal) a newer grant has come in between.
    pub(super) fn keep_grant(
        &self,
        user: UserId,
        which: Which,
        tokens: &Tokens,
        scopes: &str,
        refreshed_from: Option<u64>,
    ) -> Result<u64, String> {
        let kept = Kept {
            access: tokens.access.expose().to_owned(),
            refresh: tokens.refresh.as_ref().map(|refresh| refresh.expose().to_owned()),
        };
        let content = Zeroizing::new(serde_json::to_vec(&kept).map_err(|error| error.to_string())?);
        let sealed = Seal::new(Purpose::Grant, &binding(user, which))
            .seal(&self.keyring, &Chance, &content, later(now(), SEALED))
            .map_err(|error| error.to_string())?;
        let new = NewGrant {
            user,
            application: which,
            sealed: &sealed,
            scopes,
            access_expires: tokens.expires,
            refreshed_from,
        };
        let put = records::change(|registry, now| match registry.put_grant(&new, now) {
            Ok((revision, changes)) => (Ok(revision), changes),
            Err(refused) => (Err(refused.to_string()), Vec::new()),
        });
        put.map_err(|records::Lost(why)| why)?
    }

    fn standing_grant(&self, user: UserId, which: Which) -> Result<Option<Standing>, NoAccess> {
        let grant = records::read(|registry, _| registry.grant(user, which).cloned()).map_err(unavailable)?;
        let Some(grant) = grant.filter(|grant| grant.state == GrantState::Live) else { return Ok(None) };
        let opened =
            Seal::new(Purpose::Grant, &binding(user, which)).open(&self.keyring, &grant.sealed, now());
        let Ok(opened) = opened.map_err(|error| environment::warn("grant_unreadable", &error.to_string()))
        else {
            return Ok(None);
        };
        let Ok(kept) = serde_json::from_slice::<Kept>(&opened.content) else { return Ok(None) };
        Ok(Some(Standing {
            access: Zeroizing::new(kept.access),
            refresh: kept.refresh.map(Zeroizing::new),
            expires: grant.access_expires,
            revision: grant.revision,
            scopes: grant.scopes,
        }))
    }
}

impl Standing {
    /// Not the one that was refused, and good for some time yet.
    fn is_good(&self, refused: Option<u64>) -> bool {
        refused != Some(self.revision) && later(now(), MARGIN) < self.expires
    }
}
