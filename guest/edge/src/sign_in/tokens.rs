//! Tokens: out of a code, out of a refresh token, back to nothing, and back to who holds them.

use aegis_custody::oauth::access_token::{self, Claims, OpenError};
use aegis_custody::oauth::keys::Kid;
use aegis_custody::oauth::registry::{
    Dead, End, FamilyId, FamilyView, ForCode, NotRedeemed, PresentedCode, PresentedRefresh, Rotation, Scopes,
};
use aegis_custody::oauth::{code, pkce, refresh_token};
use aegis_custody::provider::error::Remedy;

use super::access::{NoAccess, access, end_grant};
use super::clients::Proof;
use super::{Server, gitea, lost};
use crate::environment::{self, Chance, later, now};
use crate::records::{self, Lost};
use crate::settings;

/// What a client gets.
pub(super) struct Issued {
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) expires_in: u32,
    pub(super) scopes: Scopes,
    /// Whose they are, for the record.
    pub(super) login: String,
    pub(super) family: FamilyId,
}

/// Why there are no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    InvalidClient,
    /// With the finer name for the record.
    InvalidGrant(&'static str),
    /// The same for a genuine refresh token of this client: it was good once, so nobody has guessed.
    EndedGrant(&'static str),
    InvalidScope,
    Unavailable,
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
    /// That cannot be known now.
    Unavailable,
}

/// Who tokens are for, and what they may do.
struct Wanted<'a> {
    family: FamilyId,
    user: i64,
    login: &'a str,
    client: &'a str,
    scopes: Scopes,
    generation: u32,
    kid: Kid,
}

impl From<Lost> for Denied {
    fn from(not: Lost) -> Self {
        lost(not);
        Self::Unavailable
    }
}

impl Server {
    /// Trade a code for tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
    ///
    /// # Errors
    /// See [`Denied`].
    pub(super) fn redeem(
        &self,
        proof: &Proof,
        presented: &str,
        verifier: Option<&str>,
        redirect_uri: Option<&str>,
    ) -> Result<Issued, Denied> {
        self.prove(proof)?;
        let hash = code::hash(presented).map_err(|_| Denied::InvalidGrant("code_unknown"))?;
        // A verifier that cannot be one matches no challenge, and burns the code like a wrong one.
        let challenge = verifier.and_then(|verifier| pkce::challenge(verifier).ok()).unwrap_or_default();
        let presented = PresentedCode {
            client: &proof.client,
            redirect_uri: redirect_uri.unwrap_or_default(),
            challenge: &challenge,
        };
        let family = code::new_id(&Chance);
        let kid = self.keyring.newest_kid();
        let days = settings::number("SESSION_MAX_AGE_DAYS", 1..=3650).unwrap_or(180);
        let max_age = std::time::Duration::from_secs(days.saturating_mul(86_400));
        let opening = ForCode { id: family, max_age, key_id: kid.0 };
        let redeemed = records::change(|registry, now| registry.redeem(&hash, &presented, &opening, now))?;
        let code = redeemed.map_err(|not| match not {
            NotRedeemed::Code(bad) => Denied::InvalidGrant(bad.name()),
            NotRedeemed::Refused(_) => Denied::InvalidGrant("client_revoked"),
        })?;
        self.issue(&Wanted {
            family,
            user: code.user,
            login: &code.login,
            client: &proof.client,
            scopes: code.scopes,
            generation: 1,
            kid,
        })
    }

    /// Trade a refresh token for its successor and a new access token (RFC 6749 section 6). Who may sign in is asked
    /// again, and whether Gitea's grant still lives, before anything is rotated.
    ///
    /// # Errors
    /// See [`Denied`].
    pub(super) fn refresh(
        &self,
        proof: &Proof,
        token: &str,
        narrowed: Option<Scopes>,
    ) -> Result<Issued, Denied> {
        self.prove(proof)?;
        let presented = refresh_token::verify(token, &self.keyring, &proof.client)
            .map_err(|_| Denied::InvalidGrant("refresh_token_unknown"))?;
        self.rotated(proof, presented, narrowed).map_err(|denied| match denied {
            Denied::InvalidGrant(why) => Denied::EndedGrant(why),
            Denied::EndedGrant(_) | Denied::InvalidClient | Denied::InvalidScope | Denied::Unavailable => {
                denied
            }
        })
    }

    /// The same for a token that was found to be genuine and of this client.
    fn rotated(
        &self,
        proof: &Proof,
        presented: refresh_token::Presented,
        narrowed: Option<Scopes>,
    ) -> Result<Issued, Denied> {
        let newest = self.keyring.newest_kid();
        let rotating = PresentedRefresh {
            family: presented.family,
            generation: presented.generation,
            client: &proof.client,
            key_id: newest.0,
        };
        // A theft is dealt with also while Gitea is away, and asks nothing of it.
        match records::change(|registry, now| registry.refuse_reuse(&rotating, now))? {
            None => {}
            Some(Rotation::Dead(dead)) => return Err(Denied::InvalidGrant(dead.name())),
            Some(_) => return Err(Denied::InvalidGrant("refresh_token_reused")),
        }
        let view = records::read(|registry, now| registry.view(&presented.family, now))?;
        let view = view.map_err(|dead| Denied::InvalidGrant(dead.name()))?;
        let wanted = narrowed.unwrap_or(view.scopes);
        if !view.scopes.covers(wanted) || !(wanted.read || wanted.write) {
            return Err(Denied::InvalidScope);
        }
        self.still_admitted(&view)?;
        let rotation = records::change(|registry, now| registry.rotate(&rotating, now))?;
        let (generation, kid) = match rotation {
            Rotation::Rotated { generation } => (generation, newest),
            Rotation::SameAgain { generation, key_id } => (generation, Kid(key_id)),
            Rotation::Reuse => return Err(Denied::InvalidGrant("refresh_token_reused")),
            Rotation::Dead(dead) => return Err(Denied::InvalidGrant(dead.name())),
        };
        self.issue(&Wanted {
            family: presented.family,
            user: view.user,
            login: &view.login,
            client: &proof.client,
            scopes: wanted,
            generation,
            kid,
        })
    }

    /// Asked where the list names groups, and where Gitea's grant has to be proved alive anyway.
    fn still_admitted(&self, view: &FamilyView) -> Result<(), Denied> {
        let access = access(view.user, view.application, None).map_err(|no| match no {
            NoAccess::SignedOut => Denied::InvalidGrant("grant_revoked"),
            NoAccess::Unavailable => Denied::Unavailable,
        })?;
        let person = match gitea::userinfo(&access.token) {
            Ok(person) => person,
            Err(error) if error.remedy() == Remedy::SignIn => {
                end_grant(view.user, view.application, access.revision, "refused_by_gitea");
                return Err(Denied::InvalidGrant("grant_revoked"));
            }
            Err(_) => return Err(Denied::Unavailable),
        };
        if !self.allowed.admits(&person.login, &person.groups) {
            return Err(Denied::InvalidGrant("not_allowed"));
        }
        if person.login != view.login {
            records::change(|registry, now| {
                ((), registry.saw_user(view.user, &person.login, now).unwrap_or_default())
            })?;
        }
        Ok(())
    }

    fn issue(&self, wanted: &Wanted<'_>) -> Result<Issued, Denied> {
        let (now, life) = (now(), Self::token_life());
        let claims = Claims {
            audience: self.origin.clone(),
            user_id: wanted.user,
            login: wanted.login.to_owned(),
            client_id: wanted.client.to_owned(),
            scopes: access_token::Scopes { read: wanted.scopes.read, write: wanted.scopes.write },
            family: wanted.family,
            jti: code::new_id(&Chance),
            issued_at: now,
            expires_at: later(now, life),
        };
        let access = access_token::issue(&claims, &self.keyring, &Chance).map_err(|error| {
            environment::warn("token_not_issued", &error.to_string());
            Denied::Unavailable
        })?;
        // None where a root went from the keyring within the grace: its tokens are gone with it.
        let Wanted { family, generation, kid, client, .. } = *wanted;
        let refresh = refresh_token::issue(&self.keyring, kid, family, generation, client)
            .ok_or(Denied::InvalidGrant("key_gone"))?;
        Ok(Issued {
            access: access.expose().to_owned(),
            refresh: refresh.expose().to_owned(),
            expires_in: u32::try_from(life.as_secs()).unwrap_or(u32::MAX),
            scopes: wanted.scopes,
            login: wanted.login.to_owned(),
            family,
        })
    }

    /// End what a token belongs to (RFC 7009); what ended, if anything did.
    ///
    /// # Errors
    /// See [`Denied`].
    pub(super) fn revoke(&self, proof: &Proof, token: &str) -> Result<Option<FamilyView>, Denied> {
        self.prove(proof)?;
        let family = if access_token::looks_like(token) {
            let opened = access_token::open(token, &self.keyring, &self.origin, now());
            opened.ok().filter(|claims| claims.client_id == proof.client).map(|claims| claims.family)
        } else {
            refresh_token::verify(token, &self.keyring, &proof.client).ok().map(|presented| presented.family)
        };
        let Some(family) = family else { return Ok(None) };
        Ok(records::change(|registry, now| {
            let view = registry.view(&family, now).ok();
            (view, registry.end_family(&family, End::ClientAsked, now))
        })?)
    }
}

/// Who holds an access token of ours, as of now.
///
/// # Errors
/// See [`NotHeld`].
pub(crate) fn holder(token: &str) -> Result<Holder, NotHeld> {
    let server = Server::of_settings().ok_or(NotHeld::Unavailable)?;
    let claims =
        access_token::open(token, &server.keyring, &server.origin, now()).map_err(|error| match error {
            OpenError::Expired => NotHeld::Expired,
            OpenError::Malformed
            | OpenError::UnknownKey
            | OpenError::Forged
            | OpenError::WrongAudience
            | OpenError::NotYetValid => NotHeld::Unknown,
        })?;
    let family = records::change(|registry, now| {
        let view = registry.alive(&claims.family, claims.user_id, now);
        let changes = if view.is_ok() { registry.touch(&claims.family, now) } else { Vec::new() };
        (view, changes)
    });
    let family = family.map_err(|not| {
        lost(not);
        NotHeld::Unavailable
    })?;
    // Revoked, ended or too old: it was good once.
    let family =
        family.map_err(|dead| if dead == Dead::Unknown { NotHeld::Unknown } else { NotHeld::Expired })?;
    // Write mode may have been turned off since the token was made.
    let scopes = Scopes {
        read: claims.scopes.read && family.scopes.read,
        write: claims.scopes.write && family.scopes.write && server.writes,
    };
    Ok(Holder { family, scopes })
}
