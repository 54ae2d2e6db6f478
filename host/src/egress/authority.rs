//! On whose authority a request goes to Gitea. The guest does not choose: the caller and the mode do.
//!
//! With API keys every call is the service account's. Somebody who signed in acts with what they granted. Where a
//! service account is configured besides, it does the work on repositories, after Gitea has said that the person may
//! do the same; lists over repositories are always the person's own, since the account's would show what it can see, and
//! so are releases that may be drafts.

use http::HeaderValue;

use super::permission::Permitted;
use super::{Gitea, Wire};
use crate::component::bindings::aegis::gateway::gitea::Failure;
use crate::ports::identity::{Access, Principal};
use crate::settings::Secret;
use crate::shared::Shared;
use crate::sign_in::NoAccess;
use crate::ticket::Record;

/// What a request goes out with.
pub(super) struct Authority {
    /// `Authorization`.
    pub(super) header: HeaderValue,
    /// `Sudo`: Gitea runs the call as this user.
    pub(super) sudo: Option<HeaderValue>,
    /// Whose it is.
    pub(super) whose: Whose,
}

/// Whose authority it is, and so what becomes of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The service account's.
    Account,
    /// The person's, by a token of Gitea that they presented: there is no other.
    Presented,
    /// The person's, by this state of what they granted: there may be a newer one.
    Grant(u64),
}

impl Whose {
    /// The state of the grant.
    pub(super) fn revision(self) -> Option<u64> {
        match self {
            Self::Grant(revision) => Some(revision),
            Self::Account | Self::Presented => None,
        }
    }
}

impl Authority {
    fn account(header: HeaderValue) -> Self {
        Self { header, sudo: None, whose: Whose::Account }
    }
}

/// `Authorization` for a user's token, which logs and debuggers do not show.
pub(super) fn bearer(token: &Secret) -> Result<HeaderValue, Failure> {
    let mut header =
        HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| Failure::SignedOut)?;
    header.set_sensitive(true);
    Ok(header)
}

impl Gitea {
    /// The authority for a request of this ticket.
    ///
    /// # Errors
    /// The person may not, has signed out of Gitea, or that cannot be found out now: nothing is sent.
    pub(super) async fn authority(
        &self,
        shared: &Shared,
        record: &Record,
        wire: &Wire,
    ) -> Result<Authority, Failure> {
        let principal = record.principal();
        if let Access::Service = principal.access {
            return self.service().map(Authority::account).ok_or_else(no_account);
        }
        let Some(service) = self.service() else {
            return self.own(shared, principal, None).await;
        };
        let Some(repository) = record.repository_of(&wire.path) else {
            return self.own(shared, principal, None).await;
        };
        // What touches no repository is the person's own, and so is what nothing would be asked about.
        if wire.questions.is_empty() {
            return self.own(shared, principal, None).await;
        }
        match self.permitted(shared, record, principal, &repository, &wire.questions).await? {
            Permitted::Itself => Ok(Authority::account(service)),
            Permitted::AsUser => {
                Ok(Authority { header: service, sudo: Some(sudo(principal)?), whose: Whose::Account })
            }
        }
    }

    /// The person's own access; after a refusal, a newer one.
    ///
    /// # Errors
    /// They have signed out of Gitea, or Gitea cannot be asked to renew it.
    pub(super) async fn own(
        &self,
        shared: &Shared,
        principal: &Principal,
        refused: Option<u64>,
    ) -> Result<Authority, Failure> {
        match &principal.access {
            Access::Service => Err(no_account()),
            Access::Presented(token) if refused.is_none() => {
                Ok(Authority { header: bearer(token)?, sudo: None, whose: Whose::Presented })
            }
            Access::Presented(_) => Err(Failure::SignedOut),
            Access::User { user, application } => {
                let sign_in = shared.sign_in.as_ref().ok_or(Failure::SignedOut)?;
                let access = match refused {
                    None => sign_in.access(*user, *application).await,
                    Some(revision) => sign_in.access_after(*user, *application, revision).await,
                };
                let access = access.map_err(|no| match no {
                    NoAccess::SignedOut => Failure::SignedOut,
                    NoAccess::Unavailable => {
                        Failure::Unreachable("the access to Gitea cannot be renewed".to_owned())
                    }
                })?;
                Ok(Authority {
                    header: bearer(&access.token)?,
                    sudo: None,
                    whose: Whose::Grant(access.revision),
                })
            }
        }
    }
}

/// The verified login, never something that a tool was told.
pub(super) fn sudo(principal: &Principal) -> Result<HeaderValue, Failure> {
    let login = principal.login.as_deref().unwrap_or_default();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if login.is_empty() || !login.bytes().all(fits) {
        return Err(Failure::NotPermitted("the user's login cannot be sent".to_owned()));
    }
    HeaderValue::from_str(login)
        .map_err(|_| Failure::NotPermitted("the user's login cannot be sent".to_owned()))
}

fn no_account() -> Failure {
    Failure::Refused("no service account is configured".to_owned())
}
