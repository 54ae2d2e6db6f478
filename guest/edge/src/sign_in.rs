//! Signing in through Gitea: who may, what becomes of it, and what is remembered.
//!
//! The formats, the keys, the rules of the registry and what Gitea's answers mean are those of the native host
//! (`aegis_custody`); this joins them with Gitea, the clock and the state directory. The order of steps is the native
//! host's too. Nothing here is kept in the instance: a flow lies in its `state`, and single use, codes, families and
//! grants in the journal that all instances share.

mod access;
mod clients;
mod flow;
mod gitea;
mod ports;
mod session;
mod signature;
mod tokens;

use std::time::Duration;

use aegis_custody::oauth::SecretText;
use aegis_custody::oauth::allow::Allowed;
use aegis_custody::oauth::keys::Keyring;
use aegis_custody::oauth::registry::{Application as Which, Scopes};

pub(crate) use access::{NoAccess, access, end_grant};
pub(crate) use tokens::{NotHeld, holder};

use crate::identity::{READ, WRITE};
use crate::{environment, root, settings};

/// An application registered in Gitea.
struct Application {
    /// `read` or `write`.
    name: &'static str,
    id: String,
    secret: SecretText,
}

/// The authorization server by its settings, made anew for each question.
struct Server {
    keyring: Keyring,
    read: Application,
    write: Option<Application>,
    allowed: Allowed,
    /// `PUBLIC_BASE_URL`: the audience of every token.
    origin: String,
    writes: bool,
}

impl Server {
    /// None where people do not sign in, or cannot: why is told to the operator.
    fn of_settings() -> Option<Self> {
        if !settings::sign_in() {
            return None;
        }
        Self::read_settings().map_err(|why| environment::warn("sign_in_unusable", &why)).ok()
    }

    fn read_settings() -> Result<Self, String> {
        let needed =
            |name: &str| environment::variable(name).ok_or_else(|| format!("OAUTH_MODE needs {name}"));
        let origin = needed("PUBLIC_BASE_URL")?.trim().trim_end_matches('/').to_owned();
        let read = Application {
            name: "read",
            id: needed("GITEA_OAUTH_CLIENT_ID")?,
            secret: SecretText::new(needed("GITEA_OAUTH_CLIENT_SECRET")?),
        };
        let write = match environment::variable("GITEA_OAUTH_WRITE_CLIENT_ID") {
            None => None,
            Some(id) => {
                let secret = SecretText::new(needed("GITEA_OAUTH_WRITE_CLIENT_SECRET")?);
                Some(Application { name: "write", id, secret })
            }
        };
        let listed = environment::variable("SIGNIN_ALLOW").unwrap_or_else(|| "all".to_owned());
        let words: Vec<String> =
            listed.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let allowed = Allowed::parse(&words).map_err(|why| format!("SIGNIN_ALLOW {why}"))?;
        let keyring = root::keyring()?;
        Ok(Self { keyring, read, write, allowed, origin, writes: settings::writes_enabled() })
    }

    /// Whether writes have an application of their own at Gitea.
    fn application(&self, which: Which) -> &Application {
        match (which, &self.write) {
            (Which::Write, Some(write)) => write,
            (Which::Write, None) | (Which::Read, _) => &self.read,
        }
    }

    /// Which application a choice goes through.
    fn which(&self, write: bool) -> Which {
        if write && self.write.is_some() { Which::Write } else { Which::Read }
    }

    /// `__Host-` pins a cookie to this very origin; it needs `Secure`, which plain http does not have everywhere.
    fn cookie_name(&self, what: &str, which: &str) -> String {
        let prefix = if self.origin.starts_with("https:") { "__Host-" } else { "" };
        format!("{prefix}aegis-{what}-{which}")
    }

    /// How long an access token lives.
    fn token_life() -> Duration {
        Duration::from_secs(settings::number("ACCESS_TOKEN_TTL_SECONDS", 60..=3600).unwrap_or(3600))
    }

    fn fingerprint(&self, secret: &[u8]) -> String {
        aegis_custody::oauth::code::fingerprint(&self.keyring, secret)
    }
}

/// What a scope set is called in tokens.
pub(crate) fn words(scopes: Scopes) -> Vec<String> {
    let mut words = Vec::new();
    if scopes.read {
        words.push(READ.to_owned());
    }
    if scopes.write {
        words.push(WRITE.to_owned());
    }
    words
}

/// The state could not be read or written: told to the operator, refused to the caller.
fn lost(lost: crate::records::Lost) {
    let crate::records::Lost(why) = lost;
    environment::warn("registry_unavailable", &why);
}

/// The first eight hex digits.
fn hex8(bytes: &[u8]) -> String {
    environment::hex(bytes).chars().take(8).collect()
}
