//! Tokens: out of a code, out of a refresh token, back to nothing, and back to who holds them.

use std::sync::Arc;

use aegis_custody::Timestamp;
use aegis_custody::oauth::access_token::{self, Claims, OpenError};
use aegis_custody::oauth::keys::Kid;
use aegis_custody::oauth::registry::{
    Dead, End, FamilyId, FamilyView, ForCode, NotRedeemed, PresentedCode, PresentedRefresh, Rotation, Scopes,
};
use aegis_custody::oauth::{code, pkce, refresh_token};
use zeroize::Zeroizing;

use super::clients::Shown;
use super::flow::after;
use super::{NoAccess, SignIn};
use crate::shared::SystemRandom;

/// What a client says of itself at the token endpoint.
pub(crate) struct Proof {
    pub(crate) client: String,
    pub(crate) secret: Option<Zeroizing<String>>,
    pub(crate) shown: Shown,
}

/// What a client gets.
pub(crate) struct Tokens {
    pub(crate) access: Zeroizing<String>,
    pub(crate) refresh: Zeroizing<String>,
    pub(crate) expires_in: u32,
    pub(crate) scopes: Scopes,
    /// Whose they are, for the record.
    pub(crate) login: String,
    pub(crate) family: FamilyId,
}

/// Why there are no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    InvalidClient,
    /// With the finer name for the record.
    InvalidGrant(&'static str),
    /// The same for a genuine refresh token of this client: it was good once, so nobody has guessed.
    EndedGrant(&'static str),
    InvalidScope,
    Unavailable,
}

impl Denied {
    /// The name in the record.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant(why) | Self::EndedGrant(why) => why,
            Self::InvalidScope => "invalid_scope",
            Self::Unavailable => "gitea_unavailable",
        }
    }
}

/// Somebody whose access token is good.
pub(crate) struct Holder {
    pub(crate) family: FamilyView,
    pub(crate) scopes: Scopes,
}

/// Why an access token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotHeld {
    /// Not one of ours.
    Unknown,
    /// It was good once.
    Expired,
}

impl SignIn {
    /// Trade a code for tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
    ///
    /// # Errors
    /// See [`Denied`].
    pub(crate) async fn redeem(
        &self,
        proof: &Proof,
        presented: &str,
        verifier: Option<&str>,
        redirect_uri: Option<&str>,
    ) -> Result<Tokens, Denied> {
        if !self.proves(&proof.client, proof.secret.as_deref().map(String::as_str), proof.shown) {
            return Err(Denied::InvalidClient);
        }
        let hash = code::hash(presented).map_err(|_| Denied::InvalidGrant("code_unknown"))?;
        // A verifier that cannot be one matches no challenge, and burns the code like a wrong one.
        let challenge = verifier.and_then(|verifier| pkce::challenge(verifier).ok()).unwrap_or_default();
        let presented = PresentedCode {
            client: &proof.client,
            redirect_uri: redirect_uri.unwrap_or_default(),
            challenge: &challenge,
        };
        let family = code::new_id(&SystemRandom);
        let kid = self.keyring().newest_kid();
        let opening = ForCode { id: family, max_age: self.session_age, key_id: kid.0 };
        let (redeemed, _) =
            self.records.keep(|registry, now| registry.redeem(&hash, &presented, &opening, now)).await;
        if redeemed.is_err() {
            // A code that comes a second time ends what the first one opened.
            self.recheck.now();
        }
        let code = redeemed.map_err(|not| match not {
            NotRedeemed::Code(bad) => Denied::InvalidGrant(bad.name()),
            NotRedeemed::Refused(_) => Denied::InvalidGrant("client_revoked"),
        })?;
        let note = |login: &mut super::timeline::Login| {
            login.family = Some(crate::component::hex(&family));
        };
        let newest =
            |l: &super::timeline::Login| l.login.as_deref() == Some(&code.login) && l.family.is_none();
        self.timeline.step(newest, "token_issued", None, Self::now(), note);
        self.issue(family, code.user, &code.login, &proof.client, code.scopes, code.scopes, 1, kid)
    }

    /// Trade a refresh token for its successor and a new access token (RFC 6749 section 6).
    ///
    /// Who may sign in is asked again, and whether Gitea's grant still lives, before anything is rotated: a client
    /// that is told to come again later must be able to do so with the token it has.
    ///
    /// # Errors
    /// See [`Denied`].
    pub(crate) async fn refresh(
        self: &Arc<Self>,
        proof: &Proof,
        token: &str,
        narrowed: Option<Scopes>,
    ) -> Result<Tokens, Denied> {
        if !self.proves(&proof.client, proof.secret.as_deref().map(String::as_str), proof.shown) {
            return Err(Denied::InvalidClient);
        }
        let presented = refresh_token::verify(token, &self.keyring(), &proof.client)
            .map_err(|_| Denied::InvalidGrant("refresh_token_unknown"))?;
        self.rotated(proof, presented, narrowed).await.map_err(|denied| match denied {
            Denied::InvalidGrant(why) => Denied::EndedGrant(why),
            Denied::EndedGrant(_) | Denied::InvalidClient | Denied::InvalidScope | Denied::Unavailable => {
                denied
            }
        })
    }

    /// The same for a token that was found to be genuine and of this client.
    async fn rotated(
        self: &Arc<Self>,
        proof: &Proof,
        presented: refresh_token::Presented,
        narrowed: Option<Scopes>,
    ) -> Result<Tokens, Denied> {
        let newest = self.keyring().newest_kid();
        let rotating = PresentedRefresh {
            family: presented.family,
            generation: presented.generation,
            client: &proof.client,
            key_id: newest.0,
        };
        // A theft is dealt with also while Gitea is away, and asks nothing of it.
        let (refused, _) = self.records.keep(|registry, now| registry.refuse_reuse(&rotating, now)).await;
        if refused.is_some() {
            self.recheck.now();
        }
        match refused {
            None => {}
            Some(Rotation::Dead(dead)) => return Err(Denied::InvalidGrant(dead.name())),
            Some(_) => return Err(Denied::InvalidGrant("refresh_token_reused")),
        }
        let view = self.standing(&presented.family)?;
        let wanted = narrowed.unwrap_or(view.scopes);
        if !view.scopes.covers(wanted) || !(wanted.read || wanted.write) {
            return Err(Denied::InvalidScope);
        }
        self.still_admitted(&view).await?;
        let (rotation, _) = self.records.keep(|registry, now| registry.rotate(&rotating, now)).await;
        if matches!(rotation, Rotation::Reuse | Rotation::Dead(_)) {
            self.recheck.now();
        }
        let (generation, kid) = match rotation {
            Rotation::Rotated { generation } => (generation, newest),
            Rotation::SameAgain { generation, key_id } => (generation, Kid(key_id)),
            Rotation::Reuse => return Err(Denied::InvalidGrant("refresh_token_reused")),
            Rotation::Dead(dead) => return Err(Denied::InvalidGrant(dead.name())),
        };
        self.issue(
            presented.family,
            view.user,
            &view.login,
            &proof.client,
            view.scopes,
            wanted,
            generation,
            kid,
        )
    }

    /// The family that a genuine refresh token names, whoever its user is.
    fn standing(&self, family: &FamilyId) -> Result<FamilyView, Denied> {
        let view = self.records.read(|registry, now| registry.view(family, now));
        view.map_err(|dead| Denied::InvalidGrant(dead.name()))
    }

    /// Asked where the list names groups, and where Gitea's grant has to be proved alive anyway.
    async fn still_admitted(self: &Arc<Self>, view: &FamilyView) -> Result<(), Denied> {
        let access = self.access(view.user, view.application).await.map_err(|no| match no {
            NoAccess::SignedOut => Denied::InvalidGrant("grant_revoked"),
            NoAccess::Unavailable => Denied::Unavailable,
        })?;
        let person = match self.upstream.userinfo(&access.token).await {
            Ok(person) => person,
            Err(error) if error.remedy() == crate::upstream::Remedy::SignIn => {
                self.end_grant(view.user, view.application, Some(access.revision), "refused_by_gitea").await;
                return Err(Denied::InvalidGrant("grant_revoked"));
            }
            Err(_) => return Err(Denied::Unavailable),
        };
        if !self.allowed.admits(&person.login, &person.groups) {
            return Err(Denied::InvalidGrant("not_allowed"));
        }
        if person.login != view.login {
            self.records.change(|registry, now| {
                ((), registry.saw_user(view.user, &person.login, now).unwrap_or_default())
            });
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "everything that a token says")]
    fn issue(
        &self,
        family: FamilyId,
        user: i64,
        login: &str,
        client: &str,
        held: Scopes,
        wanted: Scopes,
        generation: u32,
        kid: Kid,
    ) -> Result<Tokens, Denied> {
        let keyring = self.keyring();
        let now = Self::now();
        let scopes = Scopes { read: wanted.read && held.read, write: wanted.write && held.write };
        let claims = Claims {
            audience: self.origin.clone(),
            user_id: user,
            login: login.to_owned(),
            client_id: client.to_owned(),
            scopes: access_token::Scopes { read: scopes.read, write: scopes.write },
            family,
            jti: code::new_id(&SystemRandom),
            issued_at: now,
            expires_at: after(now, self.token_life),
        };
        let access = access_token::issue(&claims, &keyring, &SystemRandom).map_err(|error| {
            tracing::error!(event = "token_not_issued", %error);
            Denied::Unavailable
        })?;
        // None where a root went from the keyring within the grace: its tokens are gone with it.
        let refresh = refresh_token::issue(&keyring, kid, family, generation, client)
            .ok_or(Denied::InvalidGrant("key_gone"))?;
        Ok(Tokens {
            access: Zeroizing::new(access.expose().to_owned()),
            refresh: Zeroizing::new(refresh.expose().to_owned()),
            expires_in: u32::try_from(self.token_life.as_secs()).unwrap_or(u32::MAX),
            scopes,
            login: login.to_owned(),
            family,
        })
    }

    /// End what a token belongs to (RFC 7009). The name of what ended, if anything did.
    ///
    /// # Errors
    /// See [`Denied`].
    pub(crate) async fn revoke(&self, proof: &Proof, token: &str) -> Result<Option<FamilyView>, Denied> {
        if !self.proves(&proof.client, proof.secret.as_deref().map(String::as_str), proof.shown) {
            return Err(Denied::InvalidClient);
        }
        let keyring = self.keyring();
        let family = if access_token::looks_like(token) {
            let opened = access_token::open(token, &keyring, &self.origin, Self::now());
            opened.ok().filter(|claims| claims.client_id == proof.client).map(|claims| claims.family)
        } else {
            refresh_token::verify(token, &keyring, &proof.client).ok().map(|presented| presented.family)
        };
        let Some(family) = family else { return Ok(None) };
        let (view, _) = self
            .records
            .keep(|registry, now| {
                let view = registry.view(&family, now).ok();
                (view, registry.end_family(&family, End::ClientAsked, now))
            })
            .await;
        self.recheck.now();
        Ok(view)
    }

    /// Who holds an access token of ours, as of now.
    ///
    /// # Errors
    /// See [`NotHeld`].
    pub(crate) fn holder(&self, token: &str) -> Result<Holder, NotHeld> {
        let now: Timestamp = Self::now();
        let claims = self.opened(token, now)?;
        let family = self.records.change(|registry, now| {
            let view = registry.alive(&claims.family, claims.user_id, now);
            let changes = if view.is_ok() { registry.touch(&claims.family, now) } else { Vec::new() };
            (view, changes)
        });
        // Revoked, ended or too old: it was good once.
        let family =
            family.map_err(|dead| if dead == Dead::Unknown { NotHeld::Unknown } else { NotHeld::Expired })?;
        let scopes = Scopes {
            read: claims.scopes.read && family.scopes.read,
            write: claims.scopes.write && family.scopes.write,
        };
        let id = crate::component::hex(&claims.family);
        self.timeline.once(|l| l.family.as_deref() == Some(&id), "first_call", now);
        Ok(Holder { family, scopes })
    }

    /// The family that an access token of ours stands behind, as of now. It does not count as a use of it.
    pub(super) fn still_held(&self, token: &str) -> Option<FamilyView> {
        let claims = self.opened(token, Self::now()).ok()?;
        self.records.read(|registry, now| registry.alive(&claims.family, claims.user_id, now)).ok()
    }

    fn opened(&self, token: &str, now: Timestamp) -> Result<Claims, NotHeld> {
        access_token::open(token, &self.keyring(), &self.origin, now).map_err(|error| match error {
            OpenError::Expired => NotHeld::Expired,
            OpenError::Malformed
            | OpenError::UnknownKey
            | OpenError::Forged
            | OpenError::WrongAudience
            | OpenError::NotYetValid => NotHeld::Unknown,
        })
    }
}
