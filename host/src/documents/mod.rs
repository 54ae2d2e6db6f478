//! Client metadata documents: a client's id is an https URL, and what stands there says where it may be
//! answered. They come only from hosts that the operator named, never through a redirect and never from an
//! address inside. What they say is not trusted any further here than its form.
//!
//! A host that is down for an hour must not keep its client's people out: what was fetched before goes on for at
//! most a day, and well-known clients have a copy in the program. Only the host's own word ends that: another
//! document, also one that is not acceptable, or an answer that it is gone (404, 410).

mod address;
mod builtin;
mod fetch;
mod network;
mod parse;
#[cfg(test)]
mod tests;
mod url;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aegis_custody::{Clock, Timestamp};
use hyper_rustls::ConfigBuilderExt as _;
use lru::LruCache;
use tokio::sync::Semaphore;

use network::{Network, System};
pub(crate) use parse::Document;

use fetch::{Way, fetch};
use url::{Allowed, Location};

/// The shortest and the longest time for which a document is kept.
const MIN_AGE: Duration = Duration::from_secs(60);
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a failure is kept.
const FAILURE_AGE: Duration = Duration::from_secs(30);

/// How many documents, and how many failures, are kept.
const KEPT: NonZeroUsize = NonZeroUsize::new(100).unwrap();

/// How many fetches run at a time; more would make this program a tool against the host.
const FETCHES: usize = 8;

/// Why there is no document. The texts go to logs and to the person who signs in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The URL may not name a document.
    #[error("the client's URL cannot be used: {0}")]
    Url(&'static str),
    /// The host is not in `CIMD_ALLOWED_HOSTS`.
    #[error(
        "{0} is not a host that client documents may come from; the operator can add it to CIMD_ALLOWED_HOSTS"
    )]
    Host(String),
    /// The name cannot be resolved.
    #[error("the client's host cannot be resolved: {0}")]
    Unresolved(String),
    /// The name leads to an address that is not on the open internet.
    #[error("the client's host has an address that may not be connected to")]
    ForbiddenAddress,
    /// No connection, or it broke.
    #[error("the client's host cannot be reached: {0}")]
    Unreachable(String),
    /// The host cannot show that it is who it says.
    #[error("the client's host has no valid certificate: {0}")]
    Tls(String),
    /// It took too long.
    #[error("the client's document did not arrive in time")]
    TimedOut,
    /// Too many fetches are under way. Not kept.
    #[error("too many client documents are being fetched; try again")]
    Busy,
    /// The document is elsewhere.
    #[error("the client's URL redirects (status {0}), which is not followed")]
    Redirect(u16),
    /// Any other status than 200.
    #[error("the client's host answered with status {0}")]
    Status(u16),
    /// It is not JSON.
    #[error("the client's host did not answer with JSON")]
    ContentType,
    /// It is compressed.
    #[error("the client's document is compressed, which was not asked for")]
    Encoded,
    /// It is too long.
    #[error("the client's document is longer than 5 KiB")]
    TooLarge,
    /// It is no client document at all.
    #[error("the client's document is not valid: {0}")]
    Invalid(String),
    /// It is this client's document and says what it may not.
    #[error("the client's document is not acceptable: {0}")]
    Unfit(String),
    /// Its `client_id` is another URL.
    #[error("the client's document is that of another client")]
    OtherClient,
    /// It asks for client authentication.
    #[error("the client's document asks for another token_endpoint_auth_method than none")]
    AuthMethod,
}

impl Failure {
    /// Whether the host itself said of the document that it is gone or another now, which ends what was fetched before.
    /// Anything else, such as a challenge for browsers in front of the host, says nothing about the document.
    fn ends_fetched(&self) -> bool {
        match self {
            Self::Unfit(_) | Self::OtherClient | Self::AuthMethod => true,
            Self::Status(status) => matches!(status, 404 | 410),
            Self::Url(_)
            | Self::Host(_)
            | Self::Unresolved(_)
            | Self::ForbiddenAddress
            | Self::Unreachable(_)
            | Self::Tls(_)
            | Self::TimedOut
            | Self::Busy
            | Self::Redirect(_)
            | Self::ContentType
            | Self::Encoded
            | Self::TooLarge
            | Self::Invalid(_) => false,
        }
    }

    /// Whether the built-in copy of a well-known client stands in: its host cannot be had, or answers with something
    /// for browsers. Not where it says that the document is gone, nor where the answer itself is wrong.
    fn leaves_built_in(&self) -> bool {
        match self {
            Self::Unresolved(_)
            | Self::Unreachable(_)
            | Self::Tls(_)
            | Self::TimedOut
            | Self::Busy
            | Self::Redirect(_)
            | Self::ContentType => true,
            Self::Status(status) => !matches!(status, 404 | 410),
            Self::Url(_)
            | Self::Host(_)
            | Self::ForbiddenAddress
            | Self::Encoded
            | Self::TooLarge
            | Self::Invalid(_)
            | Self::Unfit(_)
            | Self::OtherClient
            | Self::AuthMethod => false,
        }
    }
}

/// What the operator says about documents.
pub(crate) struct Rules {
    /// `CIMD_ALLOWED_HOSTS`: `name` or `name:port`.
    pub(crate) hosts: Vec<String>,
    /// Whether hosts may have private addresses and loopback ones.
    pub(crate) allow_private: bool,
    /// For everything from name to last byte; 5 seconds.
    pub(crate) limit: Duration,
}

/// Why documents cannot be fetched at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// An entry of the list of hosts is no host.
    #[error("CIMD_ALLOWED_HOSTS holds {0:?}, which is not a host name with an optional port")]
    Host(String),
    /// The trust store cannot be read.
    #[error("the system's certificates cannot be read: {0}; install ca-certificates or set SSL_CERT_FILE")]
    Certificates(String),
}

type Answer = Result<Arc<Document>, Failure>;

struct Kept {
    answer: Answer,
    /// When the host gave it.
    fetched: Timestamp,
    from: Timestamp,
    until: Timestamp,
}

/// Fetches documents and keeps them for a while.
pub(crate) struct Documents {
    hosts: Vec<Allowed>,
    limit: Duration,
    way: Way,
    clock: Arc<dyn Clock>,
    permits: Semaphore,
    /// Apart, so that strangers' failures push no document out.
    good: Mutex<LruCache<String, Kept>>,
    bad: Mutex<LruCache<String, Kept>>,
    flights: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Documents {
    /// Over the machine's network, trusting its certificates (`SSL_CERT_FILE` is honoured) where a host is allowed.
    ///
    /// # Errors
    /// See [`Unusable`].
    pub(crate) fn new(rules: Rules, clock: Arc<dyn Clock>) -> Result<Self, Unusable> {
        let hosts = allowed(rules.hosts)?;
        let tls = match hosts.as_slice() {
            // Nothing is ever fetched, so nobody has to be trusted.
            [] => tls()?.with_root_certificates(rustls::RootCertStore::empty()),
            _ => tls()?.with_native_roots().map_err(|error| Unusable::Certificates(error.to_string()))?,
        };
        let tls = tls.with_no_client_auth();
        Ok(Self::over(hosts, rules.allow_private, rules.limit, clock, Arc::new(System), tls))
    }

    /// Over a given network, trusting given roots.
    ///
    /// # Errors
    /// See [`Unusable`].
    #[cfg(test)]
    fn with(
        rules: Rules,
        clock: Arc<dyn Clock>,
        network: Arc<dyn Network>,
        roots: rustls::RootCertStore,
    ) -> Result<Self, Unusable> {
        let tls = tls()?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self::over(allowed(rules.hosts)?, rules.allow_private, rules.limit, clock, network, tls))
    }

    fn over(
        hosts: Vec<Allowed>,
        allow_private: bool,
        limit: Duration,
        clock: Arc<dyn Clock>,
        network: Arc<dyn Network>,
        mut tls: rustls::ClientConfig,
    ) -> Self {
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            hosts,
            limit,
            way: Way { network, tls: Arc::new(tls), allow_private },
            clock,
            permits: Semaphore::new(FETCHES),
            good: Mutex::new(LruCache::new(KEPT)),
            bad: Mutex::new(LruCache::new(KEPT)),
            flights: Mutex::default(),
        }
    }

    /// Whether a document of this URL would be fetched: its form and its host are right.
    pub(crate) fn allows(&self, url: &str) -> bool {
        Location::parse(url).is_ok_and(|location| self.hosts.iter().any(|allowed| allowed.covers(&location)))
    }

    /// The document of the client whose id is this URL: kept, fetched, or, where its host has none to give just now,
    /// the one fetched before, at most a day ago, or the copy that the program carries.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) async fn fetch(&self, url: &str) -> Answer {
        let location = Location::parse(url).map_err(Failure::Url)?;
        if !self.hosts.iter().any(|allowed| allowed.covers(&location)) {
            return Err(Failure::Host(location.host_header()));
        }
        if let Some(answer) = self.kept(url) {
            return answer;
        }
        let flight = Flight::join(&self.flights, url);
        let _turn = flight.turn.lock().await;
        // Whoever flew before has left the answer.
        if let Some(answer) = self.kept(url) {
            return answer;
        }
        let Ok(_permit) = self.permits.try_acquire() else {
            // Not kept: there may be room in a moment.
            return self.instead(url, &Failure::Busy).ok_or(Failure::Busy);
        };
        let fetched = tokio::time::timeout(self.limit, fetch(&self.way, url, &location)).await;
        match fetched.unwrap_or(Err(Failure::TimedOut)) {
            Ok((document, age)) => Ok(self.keep_good(url, document, age)),
            Err(failure) => self.instead(url, &failure).ok_or_else(|| {
                let kept = self.lasting(Err(failure.clone()), FAILURE_AGE);
                self.bad.lock().unwrap_or_else(PoisonError::into_inner).put(url.to_owned(), kept);
                failure
            }),
        }
    }

    /// What stands in for a document that was not had: the one fetched before, or the built-in copy.
    fn instead(&self, url: &str, failure: &Failure) -> Option<Arc<Document>> {
        if failure.ends_fetched() {
            self.good.lock().unwrap_or_else(PoisonError::into_inner).pop(url);
        } else if let Some(document) = self.fetched_before(url) {
            tracing::warn!(event = "client_document_stale", url, reason = %failure);
            return Some(document);
        }
        if !failure.leaves_built_in() {
            return None;
        }
        let copy = Arc::new(builtin::copy_of(url)?);
        tracing::warn!(event = "client_document_built_in", url, reason = %failure);
        if *failure != Failure::Busy {
            // Among the failures, since no host gave it: what is fetched later goes before it.
            let kept = self.lasting(Ok(Arc::clone(&copy)), MIN_AGE);
            self.bad.lock().unwrap_or_else(PoisonError::into_inner).put(url.to_owned(), kept);
        }
        Some(copy)
    }

    /// The document that its host gave within the last day. It is asked again as soon as after a failure.
    fn fetched_before(&self, url: &str) -> Option<Arc<Document>> {
        let now = self.clock.now();
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = good.get_mut(url)?;
        let oldest = later(kept.fetched, MAX_AGE);
        if kept.fetched > now || now >= oldest {
            good.pop(url);
            return None;
        }
        (kept.from, kept.until) = (now, later(now, FAILURE_AGE).min(oldest));
        kept.answer.as_ref().ok().cloned()
    }

    fn keep_good(&self, url: &str, document: Document, age: Duration) -> Arc<Document> {
        let document = Arc::new(document);
        let kept = self.lasting(Ok(Arc::clone(&document)), age);
        self.good.lock().unwrap_or_else(PoisonError::into_inner).put(url.to_owned(), kept);
        document
    }

    fn lasting(&self, answer: Answer, age: Duration) -> Kept {
        let from = self.clock.now();
        Kept { answer, fetched: from, from, until: later(from, age) }
    }

    /// What is kept and not too old; an answer from the future, after the clock was set back, is too old.
    fn kept(&self, url: &str) -> Option<Answer> {
        let now = self.clock.now();
        [&self.good, &self.bad].into_iter().find_map(|cache| {
            let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = cache.get(url)?;
            (kept.from <= now && now < kept.until).then(|| kept.answer.clone())
        })
    }
}

fn later(from: Timestamp, age: Duration) -> Timestamp {
    let millis = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_unix_millis(from.unix_millis().saturating_add(millis))
}

fn allowed(hosts: Vec<String>) -> Result<Vec<Allowed>, Unusable> {
    hosts.into_iter().map(|entry| Allowed::parse(&entry).ok_or(Unusable::Host(entry))).collect()
}

fn tls() -> Result<rustls::ConfigBuilder<rustls::ClientConfig, rustls::WantsVerifier>, Unusable> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Unusable::Certificates(error.to_string()))
}

/// Those who want one URL at a time: one fetches, the others wait for its answer. The last one to go takes the
/// entry along.
struct Flight<'a> {
    flights: &'a Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    url: &'a str,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<'a> Flight<'a> {
    fn join(flights: &'a Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>, url: &'a str) -> Self {
        let mut known = flights.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = Arc::clone(known.entry(url.to_owned()).or_default());
        Self { flights, url, turn }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut known = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // This one and the one in the map.
        if Arc::strong_count(&self.turn) <= 2 {
            known.remove(self.url);
        }
    }
}
