//! Gitea's own tokens as a client's credential (`ACCEPT_GITEA_TOKENS`).
//!
//! A Gitea token says neither for whom nor for which application it was made, and every application of the instance
//! gets tokens with good signatures. So a good signature opens nothing: introspection must say that the token is
//! active and was made for an accepted client id. What can be refused locally is, without any request.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use aegis_custody::Timestamp;
use lru::LruCache;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::error::UpstreamError;
use super::fault::Fault;
use super::jwt::{self, Parts};
use super::people::{Active, GiteaToken, Introspection, same_person};
use super::{Application, Upstream};
use crate::settings::Secret;

/// The longest token looked at. Gitea's have about 800 bytes with an RSA key of 4096 bits.
const MOST: usize = 8 * 1024;
/// The longest a good answer is kept, in milliseconds.
const KEPT: i64 = 60_000;
/// How many good answers are kept.
const CAPACITY: NonZeroUsize = match NonZeroUsize::new(4_096) {
    Some(capacity) => capacity,
    None => NonZeroUsize::MIN,
};

/// Why a Gitea token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenRefused {
    /// It is no token of Gitea's, by its own text or by its signature.
    #[error("the token is not one of Gitea's: {0}")]
    Invalid(Fault),
    /// Gitea says it is not good, or not any more.
    #[error("the token is not active at Gitea; sign in again")]
    Inactive,
    /// It was made for another application of the same Gitea.
    #[error(
        "the token was made for another application; use one of this server's, or add its client id to OAUTH_EXPECTED_AUDIENCE"
    )]
    OtherApplication,
    /// Gitea could not be asked, or answers strangely: no verdict, so no entry.
    #[error("the token could not be checked: {0}")]
    Unchecked(UpstreamError),
}

impl TokenRefused {
    /// The name under which logs and metrics know it. It does not change between versions.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Invalid(fault) => fault.access_token_name(),
            Self::Inactive => "gitea_token_inactive",
            Self::OtherApplication => "gitea_token_other_application",
            Self::Unchecked(error) => error.name(),
        }
    }

    fn of(error: UpstreamError) -> Self {
        if matches!(error, UpstreamError::TokenInactive | UpstreamError::UserBlocked) {
            Self::Inactive
        } else {
            Self::Unchecked(error)
        }
    }
}

/// Tokens found good, by the SHA-256 of their text.
pub(super) struct Good(Mutex<LruCache<[u8; 32], Entry>>);

struct Entry {
    token: GiteaToken,
    from: i64,
    until: i64,
}

impl Good {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }

    fn find(&self, digest: &[u8; 32], now: i64) -> Option<GiteaToken> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that stepped back ends an entry as one that went on does.
        kept.get(digest)
            .filter(|entry| (entry.from..entry.until).contains(&now))
            .map(|entry| entry.token.clone())
    }

    fn keep(&self, digest: [u8; 32], token: GiteaToken, now: i64) {
        let ends = token.expires.map_or(i64::MAX, Timestamp::unix_millis);
        let until = now.saturating_add(KEPT).min(ends);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(digest, Entry { token, from: now, until });
    }
}

impl Upstream {
    /// Whether a Gitea token that a client presented is good here: made for one of `apps` or for a client id of
    /// `accepted` (`OAUTH_EXPECTED_AUDIENCE`), active, an access token. Gitea 1.27 tells only an application itself
    /// about its tokens, so `accepted` helps with older versions alone. Whether its scopes are wide enough is the
    /// caller's question. A good answer is kept for 60 seconds at most, so a revoked token may work that long.
    ///
    /// # Errors
    /// See [`TokenRefused`]. Whatever its text alone gives away is refused without asking Gitea; a wrong key id or
    /// signature costs at most a look at the key set, which is bounded.
    pub(crate) async fn check_access_token(
        &self,
        apps: &[&Application],
        accepted: &[String],
        token: &Secret,
    ) -> Result<GiteaToken, TokenRefused> {
        let is_accepted =
            |id: &str| apps.iter().any(|app| app.client_id == id) || accepted.iter().any(|a| a == id);
        let digest: [u8; 32] = Sha256::digest(token.expose().as_bytes()).into();
        let now = self.clock.now();
        if let Some(good) = self.good.find(&digest, now.unix_millis())
            && is_accepted(&good.client_id)
        {
            return Ok(good);
        }
        let expires = self.locally(token.expose(), now, &is_accepted).await?;
        let (active, client_id) = self.active(apps, token, &is_accepted).await?;
        let login = match expires {
            Some(_) => active.username.clone(),
            None => {
                let info = self.userinfo(token).await.map_err(TokenRefused::of)?;
                same_person(&active, &info).map_err(TokenRefused::Unchecked)?;
                info.login
            }
        };
        let good = GiteaToken { subject: active.subject, login, words: active.words, client_id, expires };
        self.good.keep(digest, good.clone(), now.unix_millis());
        Ok(good)
    }

    /// What the text of the token and the key set say: when it ends, or nothing for an opaque one.
    async fn locally(
        &self,
        token: &str,
        now: Timestamp,
        is_accepted: &(impl Fn(&str) -> bool + Send + Sync),
    ) -> Result<Option<Timestamp>, TokenRefused> {
        if token.len() > MOST {
            return Err(TokenRefused::Invalid(Fault::TooLong));
        }
        if !token.contains('.') {
            // RFC 6750 section 2.1, without what never begins or fills a token of Gitea.
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~+/=".contains(&byte);
            let opaque = !token.is_empty() && token.bytes().all(plain);
            return if opaque { Ok(None) } else { Err(TokenRefused::Invalid(Fault::Malformed)) };
        }
        let parts = jwt::take_apart(token, MOST).map_err(TokenRefused::Invalid)?;
        let seconds = now.unix_millis().div_euclid(1_000);
        let expires = access_claims(&parts, seconds, is_accepted).map_err(TokenRefused::Invalid)?;
        if parts.algorithm.is_symmetric() {
            return Err(TokenRefused::Invalid(Fault::Algorithm));
        }
        let kid = parts.kid.as_deref().ok_or(TokenRefused::Invalid(Fault::KeyId))?;
        self.check_signature(&parts, kid)
            .await
            .map_err(TokenRefused::Unchecked)?
            .map_err(TokenRefused::Invalid)?;
        Ok(Some(Timestamp::from_unix_millis(expires.saturating_mul(1_000))))
    }

    /// Introspection by each application until one knows the token as its own.
    async fn active(
        &self,
        apps: &[&Application],
        token: &Secret,
        is_accepted: &(impl Fn(&str) -> bool + Send + Sync),
    ) -> Result<(Active, String), TokenRefused> {
        let mut refused = TokenRefused::Inactive;
        for app in apps {
            let found = self.introspect(app, token).await.map_err(TokenRefused::of)?;
            if let Introspection::Active(active) = found {
                match active.audience.iter().find(|id| is_accepted(id)).cloned() {
                    Some(id) => return Ok((active, id)),
                    None => refused = TokenRefused::OtherApplication,
                }
            }
        }
        Err(refused)
    }
}

/// The claims of an access token; when it ends, in seconds since 1970. Gitea writes no `iss` and no `aud`; where a
/// token has them, they must be right.
fn access_claims(
    parts: &Parts<'_>,
    now: i64,
    is_accepted: &(impl Fn(&str) -> bool + Send + Sync),
) -> Result<i64, Fault> {
    if !parts.is_access_token() {
        return Err(Fault::Kind);
    }
    let times = parts.times(now)?;
    if parts.claims.contains_key("iss") {
        // Who made it is told by the key; a token that has to say so is not Gitea's access token.
        return Err(Fault::Issuer);
    }
    let ours = match parts.claims.get("aud") {
        None => true,
        Some(Value::String(one)) => is_accepted(one),
        Some(Value::Array(list)) => {
            !list.is_empty() && list.iter().all(|id| id.as_str().is_some_and(is_accepted))
        }
        Some(_) => false,
    };
    if ours { Ok(times.expires) } else { Err(Fault::Audience) }
}
