//! A sign-in on its way to Gitea and back. Everything that has to come back is sealed into `state`, so that a stranger
//! who begins a million of them costs nothing; what keeps it to one browser is a cookie, and what keeps it to one use
//! is a claim, made only when it comes back right.
//!
//! A page whose button was pressed twice may have begun several flows (`presses`). One approval is one sign-in all the
//! same: the claim is the page's, so the first of them that comes back is the only one that goes on.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aegis_custody::oauth::registry::{Application as Which, Claim, ClaimKind, UserId};
use aegis_custody::oauth::seal::{OpenError, Purpose, Seal};
use aegis_custody::oauth::{code, pkce};
use aegis_custody::{Random as _, Timestamp};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::SignIn;
use super::clients::Known;
use super::presses::{Choice, Page};
use crate::shared::SystemRandom;

/// How long a person has at Gitea.
const LIFE: Duration = Duration::from_secs(600);
/// Longest `state` of a client, in bytes.
const MAX_STATE: usize = 2_048;

/// What a person approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Approved {
    /// Where the code goes.
    pub(crate) redirect_uri: String,
    /// S256.
    pub(crate) code_challenge: String,
    /// Whether writes were granted.
    pub(crate) write: bool,
    /// The client's own `state`.
    pub(crate) state: Option<String>,
}

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asker {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) kind: AskerKind,
}

/// Where the client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AskerKind {
    Document,
    Registered,
    Preregistered,
}

/// What travels through Gitea and back inside `state`.
#[derive(Serialize, Deserialize)]
struct Sealed {
    flow: [u8; 16],
    boot: [u8; 16],
    cookie: [u8; 32],
    verifier: Zeroizing<String>,
    nonce: String,
    approved: Approved,
    asker: Asker,
    for_whom: Option<UserId>,
    page: Option<Origin>,
}

/// The approval page that a flow comes from; none where a remembered approval stands for it.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Origin {
    id: [u8; 32],
    /// Until when the page may begin flows, in milliseconds since 1970.
    last: i64,
}

/// A flow in hand.
pub(crate) struct Flow {
    /// Its short name in the log.
    pub(crate) name: String,
    pub(crate) approved: Approved,
    pub(crate) asker: Asker,
    /// The person whose remembered approval it stands on; none where somebody has just approved.
    pub(crate) for_whom: Option<UserId>,
    /// The application at Gitea that it goes through.
    pub(crate) which: Which,
    pub(crate) nonce: String,
    pub(crate) verifier: Zeroizing<String>,
    /// Where the browser goes, and the cookie that stays with it: of a flow that begins.
    pub(crate) departure: Option<Departure>,
    used: Mutex<bool>,
}

/// The beginning of a flow.
pub(crate) struct Departure {
    pub(crate) url: String,
    pub(crate) cookie: (String, String),
}

/// Why a flow does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotBegun {
    RedirectNotPermitted,
    Malformed,
    WritesOff,
}

/// Why there is no flow for this browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotOpened {
    Invalid,
    Expired,
    OtherBrowser,
    Used,
    ClientGone,
    /// There is no room to remember that it was used.
    TooMany,
}

impl NotOpened {
    /// The name in the record.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Invalid => "state_invalid",
            Self::Expired => "state_expired",
            Self::OtherBrowser => "state_of_another_browser",
            Self::Used => "state_used",
            Self::ClientGone => "client_revoked",
            Self::TooMany => "state_too_many",
        }
    }
}

impl Flow {
    /// Whether this is the first use.
    pub(crate) fn use_up(&self) -> bool {
        !std::mem::replace(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner), true)
    }
}

impl SignIn {
    /// Begin a flow, of the approval page that was answered for it, if any. Nothing is kept here.
    ///
    /// # Errors
    /// See [`NotBegun`].
    pub(crate) fn begin(
        &self,
        client: &Known,
        approved: Approved,
        for_whom: Option<UserId>,
        page: Option<&Page>,
    ) -> Result<Flow, NotBegun> {
        if !client.permits(&approved.redirect_uri) || self.is_refused(&client.id) {
            return Err(NotBegun::RedirectNotPermitted);
        }
        let fits = |state: &String| state.len() <= MAX_STATE && !state.chars().any(char::is_control);
        if !pkce::is_challenge(&approved.code_challenge) || !approved.state.as_ref().is_none_or(fits) {
            return Err(NotBegun::Malformed);
        }
        let chosen = if approved.write { Choice::Write } else { Choice::Read };
        if page.is_some_and(|page| page.choice != chosen) {
            return Err(NotBegun::Malformed);
        }
        if approved.write && !self.writes {
            return Err(NotBegun::WritesOff);
        }
        let which = self.which(approved.write);
        let flow = code::new_id(&SystemRandom);
        let name = hex8(&flow);
        let secret = random_text();
        let nonce = random_text();
        let (verifier, challenge) = pkce::generate(&SystemRandom);
        let asker = Asker { id: client.id.clone(), name: client.name.clone(), kind: kind(client) };
        let sealed = Sealed {
            flow,
            boot: self.boot,
            cookie: Sha256::digest(secret.as_bytes()).into(),
            verifier: Zeroizing::new(verifier.expose().to_owned()),
            nonce: nonce.to_string(),
            approved: approved.clone(),
            asker: asker.clone(),
            for_whom,
            page: page.map(|page| Origin { id: page.id, last: page.last.unix_millis() }),
        };
        let content = Zeroizing::new(serde_json::to_vec(&sealed).map_err(|_| NotBegun::Malformed)?);
        let now = Self::now();
        // Never longer than the claim of its page.
        let ends = after(page.map_or(now, |page| page.last.min(now)), LIFE);
        let state = Seal::new(Purpose::State, self.origin.as_bytes())
            .seal_text(&self.keyring(), &SystemRandom, &content, ends)
            .map_err(|_| NotBegun::Malformed)?;
        let scopes = self.asked_of_gitea(approved.write);
        let url = self.upstream.authorize_url(self.application(which), &state, &nonce, &challenge, &scopes);
        self.timeline.begin(&name, client.name.as_deref().unwrap_or(&client.id), now);
        let cookie = (self.cookie_name("flow", &name), secret.to_string());
        Ok(Flow {
            name,
            approved,
            asker,
            for_whom,
            which,
            nonce: nonce.to_string(),
            verifier: sealed.verifier,
            departure: Some(Departure { url, cookie }),
            used: Mutex::new(false),
        })
    }

    /// The flow behind a `state` that came back, which is used up by it.
    ///
    /// # Errors
    /// See [`NotOpened`]. A wrong browser uses nothing up.
    pub(crate) fn open(&self, state: &str, cookies: &[(String, String)]) -> Result<Flow, NotOpened> {
        let now = Self::now();
        let opened = Seal::new(Purpose::State, self.origin.as_bytes())
            .open_text(&self.keyring(), state, now)
            .map_err(|error| match error {
                OpenError::Expired => NotOpened::Expired,
                OpenError::Malformed | OpenError::UnknownKey | OpenError::Forged => NotOpened::Invalid,
            })?;
        let sealed: Sealed = serde_json::from_slice(&opened.content).map_err(|_| NotOpened::Invalid)?;
        if sealed.boot != self.boot {
            return Err(NotOpened::Invalid);
        }
        let name = hex8(&sealed.flow);
        let wanted = self.cookie_name("flow", &name);
        let bound = cookies.iter().filter(|(cookie, _)| *cookie == wanted).any(|(_, value)| {
            let digest: [u8; 32] = Sha256::digest(value.as_bytes()).into();
            digest.ct_eq(&sealed.cookie).into()
        });
        if !bound {
            self.timeline.step(
                |l| l.flow == name,
                "refused",
                Some(NotOpened::OtherBrowser.reason()),
                now,
                |_| {},
            );
            return Err(NotOpened::OtherBrowser);
        }
        // Of all flows of one page the first one claims it, for as long as another may come back.
        let (id, last) = match sealed.page {
            Some(page) => (page.id, Timestamp::from_unix_millis(page.last)),
            None => (Sha256::digest(sealed.flow).into(), now),
        };
        let claim = self.records.change(|registry, now| {
            (registry.claim(ClaimKind::State, id, after(last, LIFE), now), Vec::new())
        });
        match claim {
            Claim::Won => {}
            Claim::Lost => return Err(NotOpened::Used),
            Claim::Full => return Err(NotOpened::TooMany),
        }
        if self.is_refused(&sealed.asker.id) {
            return Err(NotOpened::ClientGone);
        }
        self.timeline.step(|l| l.flow == name, "returned_from_gitea", None, now, |_| {});
        let which = self.which(sealed.approved.write);
        Ok(Flow {
            name,
            approved: sealed.approved,
            asker: sealed.asker,
            for_whom: sealed.for_whom,
            which,
            nonce: sealed.nonce,
            verifier: sealed.verifier,
            departure: None,
            used: Mutex::new(false),
        })
    }

    /// Which application a choice goes through.
    pub(super) fn which(&self, write: bool) -> Which {
        if write && self.write.is_some() { Which::Write } else { Which::Read }
    }

    /// The constant sets. With one application a grant must hold from the start what may be wanted later, since it
    /// never grows; with two, readers never hold more than they read with.
    fn asked_of_gitea(&self, write: bool) -> Vec<&'static str> {
        let mut scopes = crate::upstream::READ_SET.to_vec();
        if self.writes && (write || self.write.is_none()) {
            scopes.extend(crate::upstream::WRITE_SET);
        }
        scopes
    }

    /// `__Host-` pins a cookie to this very origin; it needs `Secure`, which plain http does not have everywhere.
    pub(crate) fn cookie_name(&self, what: &str, which: &str) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        format!("{prefix}aegis-{what}-{which}")
    }
}

fn kind(client: &Known) -> AskerKind {
    use super::clients::Origin as Source;
    match client.origin {
        Source::Document(_) => AskerKind::Document,
        Source::Registered(_) => AskerKind::Registered,
        Source::Preregistered(_) => AskerKind::Preregistered,
    }
}

/// So much later.
pub(crate) fn after(now: Timestamp, span: Duration) -> Timestamp {
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_unix_millis(now.unix_millis().saturating_add(millis))
}

/// The first eight hex digits.
pub(super) fn hex8(bytes: &[u8]) -> String {
    crate::component::hex(bytes).chars().take(8).collect()
}

/// 256 random bits as text.
fn random_text() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom.fill(&mut *bytes);
    Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(*bytes))
}
