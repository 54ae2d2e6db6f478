//! Whether a credential that opened a stream is good now. It is no call: nothing is counted, noted or kept alive by it.

use aegis_custody::oauth::access_token;
use aegis_custody::oauth::registry::UserId;

use super::caller::{effective, is_issued_after};
use super::{READ, SignIn};
use crate::mailbox::{Ended, Owner};
use crate::settings::Secret;
use crate::upstream::{Remedy, TokenRefused};

impl SignIn {
    /// Whether a token still is this owner's. A token of ours is looked up here; for one of Gitea's, Gitea is asked as for
    /// a call, whose answer counts for a minute, and for the person's groups unless `is_fresh` says that it just was.
    ///
    /// # Errors
    /// It is not, or it cannot be found out.
    pub(crate) async fn still_proves(
        &self,
        token: &Secret,
        owner: &Owner,
        is_fresh: bool,
    ) -> Result<(), Ended> {
        if access_token::looks_like(token.expose()) {
            let family = self.still_held(token.expose()).ok_or(Ended::NotGood)?;
            let same = format!("gitea-{}", family.user) == owner.subject
                && owner.client.as_deref() == Some(family.client.as_str());
            return if same { Ok(()) } else { Err(Ended::NotGood) };
        }
        let user = owner.subject.strip_prefix("gitea-").and_then(|user| user.parse::<UserId>().ok());
        let revoked = |user| self.records.read(|registry, _| registry.user_revoked_at(user));
        let stands =
            |user| revoked(user).is_none_or(|revoked_at| is_issued_after(token.expose(), revoked_at));
        if !self.accept_gitea_tokens || !user.is_some_and(stands) {
            return Err(Ended::NotGood);
        }
        self.still_good_at_gitea(token, owner, is_fresh).await
    }

    async fn still_good_at_gitea(&self, token: &Secret, owner: &Owner, is_fresh: bool) -> Result<(), Ended> {
        let applications: Vec<_> = std::iter::once(&self.read).chain(&self.write).collect();
        let checked = self.upstream.check_access_token(&applications, &self.expected_audience, token).await;
        let found = checked.map_err(|refused| match refused {
            TokenRefused::Unchecked(error) if error.remedy() != Remedy::SignIn => Ended::NotKnown,
            TokenRefused::Invalid(_)
            | TokenRefused::Inactive
            | TokenRefused::OtherApplication
            | TokenRefused::Unchecked(_) => Ended::NotGood,
        })?;
        // It errs only where Gitea cannot be asked for groups.
        let admitted =
            is_fresh || self.admits_token(token, &found.login).await.map_err(|_| Ended::NotKnown)?;
        let same = format!("gitea-{}", found.subject) == owner.subject
            && owner.client.as_deref() == Some(found.client_id.as_str());
        let reads = effective(&found.words, self.writes).iter().any(|scope| scope == READ);
        if same && admitted && reads { Ok(()) } else { Err(Ended::NotGood) }
    }
}
