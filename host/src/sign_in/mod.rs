//! Signing in through Gitea: who may, what becomes of it, and what is remembered.
//!
//! Everything that a guest must not be able to state happens here: binding to the browser, single use, the exchange
//! with Gitea, who somebody is, codes and tokens. The pure parts (formats, keys, the state and its rules) are
//! `aegis_custody::oauth`; this joins them with Gitea, the clock and the volume. It decides nothing about pages,
//! protocol errors or what a tool may do.

mod access;
mod caller;
pub(crate) mod clients;
pub(crate) mod flow;
pub(crate) mod preregistered;
pub(crate) mod presses;
pub(crate) mod records;
pub(crate) mod session;
mod still;
pub(crate) mod timeline;
pub(crate) mod tokens;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aegis_custody::Clock as _;
use aegis_custody::oauth::allow::Allowed;
use aegis_custody::oauth::keyring_file;
use aegis_custody::oauth::keys::{Keyring, Root};
use aegis_custody::oauth::registry::{Application as Which, Bounds, UserId};

pub(crate) use access::NoAccess;

use preregistered::Preregistered;
use records::Records;
use timeline::Timeline;

use crate::documents::{Documents, Rules};
use crate::mailbox::Recheck;
use crate::settings::{Secret, Settings};
use crate::shared::{SystemClock, SystemRandom};
use crate::standing::Standing;
use crate::upstream::{Application, Oldest, Upstream, UpstreamSettings};
use crate::way::Way;

/// `read:repository`.
pub(crate) const READ: &str = "read:repository";
/// `write:repository`.
pub(crate) const WRITE: &str = "write:repository";

/// The authorization server of this process.
pub(crate) struct SignIn {
    keyring: RwLock<Arc<Keyring>>,
    keyring_source: KeyringSource,
    pub(crate) records: Records,
    pub(crate) upstream: Upstream,
    read: Application,
    write: Option<Application>,
    documents: Documents,
    preregistered: HashMap<String, Preregistered>,
    allowed: Allowed,
    /// `PUBLIC_BASE_URL`, or what stands in for it on loopback: the audience of every token.
    pub(crate) origin: String,
    /// Whether cookies can be `Secure`: not on plain http, which is for loopback alone.
    secure: bool,
    writes: bool,
    dcr: bool,
    accept_gitea_tokens: bool,
    /// A service account does the work on repositories.
    service: bool,
    expected_audience: Vec<String>,
    token_life: Duration,
    session_age: Duration,
    /// Of this process: a flow from before a restart is not taken up, since its single use is not known any more.
    boot: [u8; 16],
    refreshing: Mutex<HashMap<(UserId, Which), Turn>>,
    pub(crate) timeline: Timeline,
    presses: presses::Presses,
    /// Told whenever tokens may have become worthless.
    pub(crate) recheck: Recheck,
}

/// Where root keys come from, so that they can be read again.
struct KeyringSource {
    state_secret: Secret,
    file: Option<std::path::PathBuf>,
}

/// Why sign-in cannot be offered with these settings: a setting and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{setting} {problem}")]
pub(crate) struct Unusable {
    setting: &'static str,
    problem: String,
}

/// One renewal of a grant at a time.
type Turn = Arc<tokio::sync::Mutex<()>>;

fn unusable(setting: &'static str, problem: impl std::fmt::Display) -> Unusable {
    Unusable { setting, problem: format!("{problem}") }
}

impl SignIn {
    /// From settings that were checked together, over an open registry.
    ///
    /// # Errors
    /// See [`Unusable`].
    pub(crate) fn new(
        settings: &Settings,
        origin: &str,
        opened: crate::store::Opened,
        way: Arc<Way>,
        standing: Arc<Standing>,
    ) -> Result<Self, Unusable> {
        let (Some(id), Some(secret), Some(state_secret)) = (
            settings.gitea_oauth_client_id(),
            settings.gitea_oauth_client_secret(),
            settings.oauth_state_secret(),
        ) else {
            return Err(unusable(
                "OAUTH_MODE",
                "needs GITEA_OAUTH_CLIENT_ID, GITEA_OAUTH_CLIENT_SECRET and OAUTH_STATE_SECRET",
            ));
        };
        let keyring_source = KeyringSource {
            state_secret: Secret::new(state_secret.expose().to_owned()),
            file: settings.oauth_keyring_file().map(Path::to_owned),
        };
        let keyring = keyring_source.read()?;
        let allowed = Allowed::parse(settings.signin_allow()).map_err(|e| unusable("SIGNIN_ALLOW", e))?;
        let preregistered = match settings.oauth_clients_file() {
            None => HashMap::new(),
            Some(path) => preregistered::read(path).map_err(|e| unusable("OAUTH_CLIENTS_FILE", e))?,
        };
        let application = |name, id: &str, secret: &Secret| Application {
            name,
            client_id: id.to_owned(),
            client_secret: Secret::new(secret.expose().to_owned()),
        };
        let second = settings.gitea_oauth_write_client_id().zip(settings.gitea_oauth_write_client_secret());
        let asked = UpstreamSettings {
            gitea_url: settings.gitea_url().to_owned(),
            internal_url: settings.gitea_internal_url().map(str::to_owned),
            timeout: Duration::from_secs(settings.request_timeout_seconds()),
            cache_ttl: Duration::from_secs(settings.oauth_cache_ttl_seconds()),
            redirect_uri: format!("{origin}/oauth/callback"),
            oldest: Oldest { number: settings.min_gitea_version(), refuse: true },
        };
        let upstream = Upstream::new(asked, way, standing, Arc::new(SystemClock));
        let documents = documents(settings)?;
        redirects(&settings.guest_values())?;
        let bounds = bounds(settings);
        let mut boot = [0; 16];
        aegis_custody::Random::fill(&SystemRandom, &mut boot);
        Ok(Self {
            keyring: RwLock::new(Arc::new(keyring)),
            keyring_source,
            records: Records::new(opened.store, opened.rows, &opened.revoked, bounds.clone()),
            upstream,
            read: application("read", id, secret),
            write: second.map(|(id, secret)| application("write", id, secret)),
            documents,
            preregistered,
            allowed,
            origin: origin.to_owned(),
            secure: origin.starts_with("https:"),
            writes: settings.write_mode(),
            dcr: settings.dcr_enabled(),
            accept_gitea_tokens: settings.accept_gitea_tokens(),
            service: settings.gitea_token().is_some(),
            expected_audience: settings.oauth_expected_audience().to_vec(),
            token_life: Duration::from_secs(settings.access_token_ttl_seconds().into()),
            session_age: bounds.session_age,
            boot,
            refreshing: Mutex::default(),
            timeline: Timeline::default(),
            presses: presses::Presses::default(),
            recheck: Recheck::default(),
        })
    }

    /// The root keys in force.
    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        self.keyring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Read the root keys again, as after `aegis-mcp keys rotate`. A file that cannot be used changes nothing.
    ///
    /// # Errors
    /// See [`Unusable`].
    pub(crate) fn reload_keys(&self) -> Result<Vec<String>, Unusable> {
        let fresh = Arc::new(self.keyring_source.read()?);
        let kids = fresh.kids().map(|kid| kid.to_string()).collect();
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(kids)
    }

    /// Whether writes have an application of their own at Gitea.
    fn application(&self, which: Which) -> &Application {
        match (which, &self.write) {
            (Which::Write, Some(write)) => write,
            (Which::Write, None) | (Which::Read, _) => &self.read,
        }
    }

    /// Drop what is over, as is due once an hour.
    pub(crate) fn collect(&self) {
        self.records.change(|registry, now| ((), registry.collect(now)));
        let mut refreshing = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        refreshing.retain(|_, lock| Arc::strong_count(lock) > 1);
    }

    /// Look at everything in Gitea that a login will need.
    pub(crate) async fn look_at_gitea(&self) -> Vec<crate::upstream::Finding> {
        let applications: Vec<_> = std::iter::once(&self.read).chain(&self.write).collect();
        self.upstream.probe(&applications).await
    }

    /// A short name for something secret, for the record.
    pub(crate) fn fingerprint(&self, secret: &[u8]) -> String {
        aegis_custody::oauth::code::fingerprint(&self.keyring(), secret)
    }

    /// Whether clients may register themselves.
    pub(crate) fn registers(&self) -> bool {
        self.dcr
    }

    fn now() -> aegis_custody::Timestamp {
        now()
    }
}

/// How much is remembered, and for how long.
pub(crate) fn bounds(settings: &Settings) -> Bounds {
    let days = |days: u32| Duration::from_secs(u64::from(days).saturating_mul(86_400));
    let idle = Duration::from_secs(settings.dcr_idle_ttl());
    Bounds {
        session_age: days(settings.session_max_age_days()),
        session_idle: days(settings.session_idle_days()),
        clients: usize::try_from(settings.dcr_max_clients()).unwrap_or(usize::MAX),
        client_idle: idle,
        approval_idle: idle,
        ..Bounds::default()
    }
}

/// The time by the system's clock.
pub(crate) fn now() -> aegis_custody::Timestamp {
    SystemClock.now()
}

pub(crate) use flow::after as later;

/// Whether this machine has what fetching client documents takes, asked before a server does.
///
/// # Errors
/// What [`SignIn`] would be refused for.
pub(crate) fn can_fetch_documents(settings: &Settings) -> Result<(), Unusable> {
    documents(settings).map(drop)
}

/// Documents from the hosts that the operator allows; the one word `none` allows no host.
fn documents(settings: &Settings) -> Result<Documents, Unusable> {
    let hosts = match settings.cimd_allowed_hosts() {
        [only] if only == "none" => Vec::new(),
        hosts => hosts.to_vec(),
    };
    let rules = Rules {
        hosts,
        allow_private: settings.cimd_allow_private_addresses(),
        limit: Duration::from_secs(5),
    };
    Documents::new(rules, Arc::new(SystemClock)).map_err(|error| match error {
        crate::documents::Unusable::Host(host) => unusable(
            "CIMD_ALLOWED_HOSTS",
            format!("holds {host:?}, which is not a host name with an optional port"),
        ),
        crate::documents::Unusable::Certificates(why) => unusable(
            "CIMD_ALLOWED_HOSTS",
            format!(
                "needs the system's certificates, which cannot be read: {why}; install ca-certificates, set \
                 SSL_CERT_FILE, or set CIMD_ALLOWED_HOSTS=none"
            ),
        ),
    })
}

/// No redirect URI is listed that would be refused all the same: plain http to another computer carries a code for
/// everybody on the way to read.
fn redirects(guest: &[(String, String)]) -> Result<(), Unusable> {
    const NAME: &str = "OAUTH_REDIRECT_ALLOWLIST";
    let listed = guest.iter().find(|(name, _)| name == NAME).map_or("", |(_, text)| text.as_str());
    for uri in listed.split(',').map(str::trim) {
        let rest = uri.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("http://"));
        let Some((_, rest)) = rest.filter(|_| !aegis_custody::oauth::redirect::is_loopback(uri)) else {
            continue;
        };
        return Err(unusable(
            NAME,
            format!(
                "lists {uri}, which no client may use: plain http is accepted only for 127.0.0.1, [::1] and localhost; \
                 write https://{rest}, or take it out"
            ),
        ));
    }
    Ok(())
}

impl KeyringSource {
    fn read(&self) -> Result<Keyring, Unusable> {
        const FILE: &str = "OAUTH_KEYRING_FILE";
        let mut roots = match &self.file {
            None => Vec::new(),
            Some(path) => match std::fs::read_to_string(path) {
                Ok(text) => keyring_file::parse(&text).map_err(|e| unusable(FILE, e))?,
                // Not there yet: `keys rotate` makes it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(unusable(FILE, format!("cannot be read: {error}"))),
            },
        };
        roots.push(Root::new(self.state_secret.expose().as_bytes().to_vec()));
        Keyring::new(&roots).map_err(|e| unusable("OAUTH_STATE_SECRET", e))
    }
}

/// Put a note of the registry's on record: a security event, and a line of the log.
pub(crate) fn tell(trail: &crate::audit::Trail, note: &crate::store::Note) {
    tracing::warn!(event = note.name.as_str(), text = %note.text);
    let mut members = serde_json::Map::new();
    members.insert("reason".into(), note.name.as_str().into());
    members.insert("detail".into(), serde_json::json!({ "text": note.text }));
    trail.push(crate::audit::Entry { event: crate::audit::Event::SecurityEvent, members });
}

/// What a scope set is called in tokens.
pub(crate) fn words(scopes: aegis_custody::oauth::registry::Scopes) -> Vec<String> {
    let mut words = Vec::new();
    if scopes.read {
        words.push(READ.to_owned());
    }
    if scopes.write {
        words.push(WRITE.to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::redirects;

    fn told(listed: &str) -> Option<String> {
        let guest = [("OAUTH_REDIRECT_ALLOWLIST".to_owned(), listed.to_owned())];
        redirects(&guest).err().map(|unusable| unusable.to_string())
    }

    #[test]
    fn a_listed_redirect_of_plain_http_to_another_computer_is_told_with_what_to_write() {
        for (listed, instead) in [
            ("http://intranet/cb", "https://intranet/cb"),
            ("https://a.example/cb, HTTP://192.168.1.5:8080/cb", "https://192.168.1.5:8080/cb"),
            ("http://localhost.example/cb", "https://localhost.example/cb"),
            ("http://127.0.0.1@evil.example/cb", "https://127.0.0.1@evil.example/cb"),
            ("http://0.0.0.0/cb", "https://0.0.0.0/cb"),
        ] {
            let told = told(listed).expect(listed);
            assert!(told.starts_with("OAUTH_REDIRECT_ALLOWLIST lists ") && told.contains(instead), "{told}");
        }
        for good in [
            "",
            "https://a.example/cb",
            "http://localhost/cb,http://127.0.0.1:33418/cb?x=1,http://[::1]:1/",
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "httpx://app/cb",
        ] {
            assert_eq!(told(good), None, "{good}");
        }
    }
}
