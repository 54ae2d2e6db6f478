//! A user's access to Gitea: the grant, opened when it is needed and renewed when it is due.
//!
//! There is one grant for a user and an application, whatever the number of clients, and one renewal at a time: with
//! `INVALIDATE_REFRESH_TOKENS` two that cross each other would end it. Nothing of a grant leaves the host but in the
//! `Authorization` header of a request to Gitea.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use aegis_custody::Timestamp;
use aegis_custody::oauth::registry::{Application as Which, GrantState, NewGrant, UserId};
use aegis_custody::oauth::seal::{Purpose, Seal};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SignIn;
use super::flow::after;
use crate::settings::Secret;
use crate::shared::SystemRandom;
use crate::upstream::{Remedy, Tokens};

/// A token that ends so soon is renewed first.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a sealed grant opens: longer than Gitea keeps its refresh tokens by default (730 hours). Each renewal
/// seals it again.
const SEALED: Duration = Duration::from_secs(400 * 86_400);

/// What a call to Gitea goes out with.
pub(crate) struct UserAccess {
    /// Gitea's access token.
    pub(crate) token: Secret,
    /// Which state of the grant it is of.
    pub(crate) revision: u64,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAccess {
    /// The grant is gone: the person has to sign in again.
    SignedOut,
    /// Gitea cannot be asked now.
    Unavailable,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    access: Zeroizing<String>,
    refresh: Option<Zeroizing<String>>,
}

/// A grant as it is in the registry.
struct Standing {
    kept: Kept,
    expires: Timestamp,
    revision: u64,
    scopes: String,
}

impl SignIn {
    /// A token that is good for some time yet.
    ///
    /// # Errors
    /// See [`NoAccess`].
    pub(crate) async fn access(self: &Arc<Self>, user: UserId, which: Which) -> Result<UserAccess, NoAccess> {
        self.good_or_renewed(user, which, None).await
    }

    /// A token other than one that Gitea has just refused.
    ///
    /// # Errors
    /// See [`NoAccess`].
    pub(crate) async fn access_after(
        self: &Arc<Self>,
        user: UserId,
        which: Which,
        refused: u64,
    ) -> Result<UserAccess, NoAccess> {
        self.good_or_renewed(user, which, Some(refused)).await
    }

    async fn good_or_renewed(
        self: &Arc<Self>,
        user: UserId,
        which: Which,
        refused: Option<u64>,
    ) -> Result<UserAccess, NoAccess> {
        let standing = self.standing_grant(user, which).ok_or(NoAccess::SignedOut)?;
        if standing.is_good(refused) {
            return Ok(standing.into_access());
        }
        // A task of its own: a client that leaves now must not lose the tokens that Gitea has just made.
        let this = Arc::clone(self);
        let renewing = tokio::spawn(async move { this.renewed(user, which, refused).await });
        renewing.await.unwrap_or(Err(NoAccess::Unavailable))
    }

    async fn renewed(
        &self,
        user: UserId,
        which: Which,
        refused: Option<u64>,
    ) -> Result<UserAccess, NoAccess> {
        let lock = self.renewal_lock(user, which);
        let _alone = lock.lock().await;
        // Somebody else may have renewed it while this one waited.
        let standing = self.standing_grant(user, which).ok_or(NoAccess::SignedOut)?;
        if standing.is_good(refused) {
            return Ok(standing.into_access());
        }
        self.renew(user, which, standing).await
    }

    async fn renew(&self, user: UserId, which: Which, standing: Standing) -> Result<UserAccess, NoAccess> {
        let Some(refresh) = &standing.kept.refresh else {
            self.end_grant(user, which, Some(standing.revision), "no_refresh_token").await;
            return Err(NoAccess::SignedOut);
        };
        let refresh = Secret::new(refresh.as_str().to_owned());
        match self.upstream.refresh(self.application(which), &refresh).await {
            Ok(tokens) => {
                let kept =
                    self.keep_grant(user, which, &tokens, &standing.scopes, Some(standing.revision)).await;
                let revision = match kept {
                    Ok(revision) => revision,
                    // A new sign-in came in between, and its grant counts.
                    Err(_) => {
                        let newer = self.standing_grant(user, which).ok_or(NoAccess::SignedOut)?;
                        return Ok(newer.into_access());
                    }
                };
                Ok(UserAccess { token: tokens.access, revision })
            }
            Err(error) if error.remedy() == Remedy::SignIn => {
                // A sign-in that is just being finished may be what replaced the refresh token.
                drop(self.upstream.exchanging.write().await);
                tracing::info!(
                    event = "grant_ended",
                    user,
                    application = which.name(),
                    reason = error.name()
                );
                self.end_grant(user, which, Some(standing.revision), error.name()).await;
                match self.standing_grant(user, which) {
                    Some(newer) if newer.revision != standing.revision => Ok(newer.into_access()),
                    Some(_) | None => Err(NoAccess::SignedOut),
                }
            }
            Err(error) => {
                tracing::warn!(event = "grant_not_renewed", user, application = which.name(), reason = error.name(), %error);
                Err(NoAccess::Unavailable)
            }
        }
    }

    /// Keep what Gitea granted, sealed; on the volume before this returns, where there is one.
    ///
    /// # Errors
    /// It cannot be kept, or (for a renewal) a newer grant has come in between.
    pub(super) async fn keep_grant(
        &self,
        user: UserId,
        which: Which,
        tokens: &Tokens,
        scopes: &str,
        refreshed_from: Option<u64>,
    ) -> Result<u64, String> {
        let kept = Kept {
            access: Zeroizing::new(tokens.access.expose().to_owned()),
            refresh: tokens.refresh.as_ref().map(|refresh| Zeroizing::new(refresh.expose().to_owned())),
        };
        let content = Zeroizing::new(serde_json::to_vec(&kept).map_err(|error| error.to_string())?);
        let sealed = Seal::new(Purpose::Grant, &binding(user, which))
            .seal(&self.keyring(), &SystemRandom, &content, after(Self::now(), SEALED))
            .map_err(|error| error.to_string())?;
        let new = NewGrant {
            user,
            application: which,
            sealed: &sealed,
            scopes,
            access_expires: tokens.expires,
            refreshed_from,
        };
        let put = |registry: &mut aegis_custody::oauth::registry::Registry, now| match registry
            .put_grant(&new, now)
        {
            Ok((revision, changes)) => (Ok(revision), changes),
            Err(refused) => (Err(refused.to_string()), Vec::new()),
        };
        self.records.keep(put).await.0
    }

    /// The grant is dead at Gitea: its sealed bytes go, and the tokens that live on it are dead at the next call.
    pub(crate) async fn end_grant(&self, user: UserId, which: Which, revision: Option<u64>, why: &str) {
        self.records.keep(|registry, now| registry.kill_grant(user, which, revision, why, now)).await;
        self.recheck.now();
    }

    fn standing_grant(&self, user: UserId, which: Which) -> Option<Standing> {
        let grant = self.records.read(|registry, _| registry.grant(user, which).cloned())?;
        if grant.state != GrantState::Live {
            return None;
        }
        let opened = Seal::new(Purpose::Grant, &binding(user, which)).open(
            &self.keyring(),
            &grant.sealed,
            Self::now(),
        );
        let opened = opened.map_err(|error| {
            tracing::warn!(event = "grant_unreadable", user, application = which.name(), %error);
        });
        let kept: Kept = serde_json::from_slice(&opened.ok()?.content).ok()?;
        Some(Standing { kept, expires: grant.access_expires, revision: grant.revision, scopes: grant.scopes })
    }

    fn renewal_lock(&self, user: UserId, which: Which) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        locks.entry((user, which)).or_default().clone()
    }
}

impl Standing {
    /// Not the one that was refused, and good for some time yet.
    fn is_good(&self, refused: Option<u64>) -> bool {
        refused != Some(self.revision) && after(SignIn::now(), MARGIN) < self.expires
    }

    fn into_access(self) -> UserAccess {
        UserAccess { token: Secret::new(self.kept.access.as_str().to_owned()), revision: self.revision }
    }
}

fn binding(user: UserId, which: Which) -> Vec<u8> {
    [user.to_be_bytes().as_slice(), which.name().as_bytes()].concat()
}
