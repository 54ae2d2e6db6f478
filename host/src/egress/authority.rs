//! On whose authority a request goes to Gitea. The guest does not choose: the caller and the mode do.
//!
//! With API keys every call is the service account's. Somebody who signed in acts with what they granted. Where a
//! service account is configured besides, it does the work on repositories, after Gitea has said that the person may
//! do the same; lists are always the person's own, since the account's would show what it can see.

use http::HeaderValue;

use super::permission::{Need, Permitted};
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
    /// The state of the user's own grant that it comes from; a refusal then asks for a newer one.
    pub(super) grant: Option<u64>,
}

impl Authority {
    fn bearing(header: HeaderValue) -> Self {
        Self { header, sudo: None, grant: None }
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
            return self.service().map(Authority::bearing).ok_or_else(no_account);
        }
        let Some(service) = self.service() else {
            return self.own(shared, principal, None).await;
        };
        let Some(repository) = record.repository_of(&wire.path) else {
            return match self.own(shared, principal, None).await {
                Err(Failure::SignedOut) if self.sudo => {
                    Ok(Authority { header: service, sudo: Some(sudo(principal)?), grant: None })
                }
                own => own,
            };
        };
        let need = if wire.is_write { Need::Write } else { Need::Read };
        match self.permitted(shared, record, principal, &repository, need).await? {
            Permitted::Itself => Ok(Authority::bearing(service)),
            Permitted::AsUser => Ok(Authority { header: service, sudo: Some(sudo(principal)?), grant: None }),
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
            Access::Presented(token) if refused.is_none() => bearer(token).map(Authority::bearing),
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
                Ok(Authority { header: bearer(&access.token)?, sudo: None, grant: Some(access.revision) })
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
