//! A sign-in on its way to Gitea and back. Everything that has to come back is sealed into `state`, so that a stranger
//! who begins a million of them costs nothing; what keeps it to one browser is a cookie, and what keeps it to one use is
//! a claim among all instances, made only when it comes back right.

use std::time::Duration;

use aegis_custody::Random as _;
use aegis_custody::oauth::registry::{Application as Which, Claim, ClaimKind, UserId};
use aegis_custody::oauth::seal::{OpenError, Purpose, Seal};
use aegis_custody::oauth::{code, pkce};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::clients::{Known, is_refused};
use super::{Server, gitea, hex8, lost};
use crate::environment::{self, Chance, later, now};
use crate::records;

/// How long a person has at Gitea.
const LIFE: Duration = Duration::from_secs(600);
/// Longest `state` of a client, in bytes.
const MAX_STATE: usize = 2_048;

/// What a person approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Approved {
    pub(super) redirect_uri: String,
    pub(super) code_challenge: String,
    pub(super) write: bool,
    pub(super) state: Option<String>,
}

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asker {
    pub(super) id: String,
    pub(super) name: Option<String>,
}

/// What travels through Gitea and back inside `state`.
#[derive(Serialize, Deserialize)]
struct Sealed {
    flow: [u8; 16],
    cookie: [u8; 32],
    verifier: String,
    nonce: String,
    approved: Approved,
    asker: Asker,
    for_whom: Option<UserId>,
}

/// A flow in hand.
#[derive(Clone)]
pub(super) struct Inner {
    /// Its short name in the log.
    pub(super) name: String,
    pub(super) approved: Approved,
    pub(super) asker: Asker,
    /// The person whose remembered approval it stands on; none where somebody has just approved.
    pub(super) for_whom: Option<UserId>,
    /// The application at Gitea that it goes through.
    pub(super) which: Which,
    pub(super) nonce: String,
    pub(super) verifier: Zeroizing<String>,
    /// Where the browser goes, and the cookie that stays with it: of a flow that begins.
    pub(super) departure: Option<Departure>,
}

/// The beginning of a flow.
#[derive(Clone)]
pub(super) struct Departure {
    pub(super) url: String,
    pub(super) cookie: (String, String),
}

/// Why a flow does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotBegun {
    RedirectNotPermitted,
    Malformed,
    WritesOff,
}

/// Why there is no flow for this browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotOpened {
    Invalid,
    Expired,
    OtherBrowser,
    Used,
    ClientGone,
    TooMany,
}

impl Server {
    /// Begin a flow. Nothing is kept here.
    ///
    /// # Errors
    /// See [`NotBegun`].
    pub(super) fn begin(
        &self,
        client: &Known,
        approved: Approved,
        for_whom: Option<UserId>,
    ) -> Result<Inner, NotBegun> {
        if !client.registered.permits(&approved.redirect_uri) || is_refused(&client.id) {
            return Err(NotBegun::RedirectNotPermitted);
        }
        let fits = |state: &String| state.len() <= MAX_STATE && !state.chars().any(char::is_control);
        if !pkce::is_challenge(&approved.code_challenge) || !approved.state.as_ref().is_none_or(fits) {
            return Err(NotBegun::Malformed);
        }
        if approved.write && !self.writes {
            return Err(NotBegun::WritesOff);
        }
        let which = self.which(approved.write);
        let flow = code::new_id(&Chance);
        let name = hex8(&flow);
        let (secret, nonce) = (random_text(), random_text());
        let (verifier, challenge) = pkce::generate(&Chance);
        let sealed = Sealed {
            flow,
            cookie: Sha256::digest(secret.as_bytes()).into(),
            verifier: verifier.expose().to_owned(),
            nonce: nonce.to_string(),
            approved,
            asker: Asker { id: client.id.clone(), name: client.name.clone() },
            for_whom,
        };
        let content = Zeroizing::new(serde_json::to_vec(&sealed).map_err(|_| NotBegun::Malformed)?);
        let state = Seal::new(Purpose::State, self.origin.as_bytes())
            .seal_text(&self.keyring, &Chance, &content, later(now(), LIFE))
            .map_err(|_| NotBegun::Malformed)?;
        let writes = self.writes && (sealed.approved.write || self.write.is_none());
        let url = gitea::authorize_url(self, which, &state, &nonce, &challenge, writes).map_err(|what| {
            environment::warn("sign_in_unusable", what);
            NotBegun::Malformed
        })?;
        let cookie = (self.cookie_name("flow", &name), secret.to_string());
        Ok(sealed.inner(name, which, Some(Departure { url, cookie })))
    }

    /// The flow behind a `state` that came back, which is used up by it.
    ///
    /// # Errors
    /// See [`NotOpened`]. A wrong browser uses nothing up.
    pub(super) fn open(&self, state: &str, cookies: &[(String, String)]) -> Result<Inner, NotOpened> {
        let opened = Seal::new(Purpose::State, self.origin.as_bytes())
            .open_text(&self.keyring, state, now())
            .map_err(|error| match error {
                OpenError::Expired => NotOpened::Expired,
                OpenError::Malformed | OpenError::UnknownKey | OpenError::Forged => NotOpened::Invalid,
            })?;
        let sealed: Sealed = serde_json::from_slice(&opened.content).map_err(|_| NotOpened::Invalid)?;
        let name = hex8(&sealed.flow);
        let wanted = self.cookie_name("flow", &name);
        let bound = cookies.iter().filter(|(cookie, _)| *cookie == wanted).any(|(_, value)| {
            let digest: [u8; 32] = Sha256::digest(value.as_bytes()).into();
            digest.ct_eq(&sealed.cookie).into()
        });
        if !bound {
            return Err(NotOpened::OtherBrowser);
        }
        let id: [u8; 32] = Sha256::digest(sealed.flow).into();
        let claim = records::change(|registry, now| {
            (registry.claim(ClaimKind::State, id, later(now, LIFE), now), Vec::new())
        });
        match claim {
            Ok(Claim::Won) => {}
            Ok(Claim::Lost) => return Err(NotOpened::Used),
            Ok(Claim::Full) => return Err(NotOpened::TooMany),
            Err(why) => {
                lost(why);
                return Err(NotOpened::TooMany);
            }
        }
        if is_refused(&sealed.asker.id) {
            return Err(NotOpened::ClientGone);
        }
        let which = self.which(sealed.approved.write);
        Ok(sealed.inner(name, which, None))
    }
}

impl Sealed {
    fn inner(self, name: String, which: Which, departure: Option<Departure>) -> Inner {
        Inner {
            name,
            approved: self.approved,
            asker: self.asker,
            for_whom: self.for_whom,
            which,
            nonce: self.nonce,
            verifier: Zeroizing::new(self.verifier),
            departure,
        }
    }
}

/// 256 random bits as text.
fn random_text() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    Chance.fill(&mut *bytes);
    Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*bytes))
}
