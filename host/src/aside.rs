//! A guest that is asked something aside, where no server runs: by `doctor` and by `policy`. It is bound to no request,
//! so it has no caller, and nothing that it could ask for is there.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::sync::oneshot;

use crate::audit::signer::Signer;
use crate::audit::{Opening, Trail};
use crate::budget::Budget;
use crate::component::bindings::aegis::gateway::types::Problem;
use crate::counters::Counters;
use crate::egress::Gitea;
use crate::floods::Floods;
use crate::generation::{Generation, InForce};
use crate::guest::{Linked, NotReady, Prepared, default_path, nobody};
use crate::instance::{FromGuest, handle, store};
use crate::long_work::LongWork;
use crate::look::Look;
use crate::mailbox::{Mailbox, Recheck};
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::ports::cache::SharedCache;
use crate::ports::identity::Keys;
use crate::push::Pushed;
use crate::seals::Seals;
use crate::settings::Settings;
use crate::shared::{Pending, Shared, SystemClock, SystemRandom};
use crate::trace::Tracing;
use crate::way::Way;
use crate::writes::Writes;

/// One instance runs at a time, and slots are cheap.
const SLOTS: u32 = 8;
/// Longest answer to a request that is read, in bytes.
const MAX_ANSWER: usize = 4 << 20;
/// What one instance may use, in bytes.
const MEMORY: usize = 256 << 20;
/// For a Gitea that is never asked.
const LIMIT: Duration = Duration::from_secs(10);

/// A directory for a log that nobody will read, removed when this goes.
struct Scratch(PathBuf);

impl Scratch {
    /// In the first place that takes one: a container with a read-only root has only its volumes.
    fn new(audit: &Path) -> std::io::Result<Self> {
        let name = format!("aegis-mcp-aside-{}", crate::shared::random_name());
        let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
        let places =
            [Some(std::env::temp_dir()), Some("/dev/shm".into()), audit.parent().map(Path::to_owned)];
        for place in places.into_iter().flatten() {
            let path = place.join(&name);
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind it does no harm: it says that a log was opened and closed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Why nothing can be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAside {
    /// The guest needs a directory to stand in for a volume.
    #[error("no directory can be made here ({0}); give it a /tmp")]
    NoPlace(std::io::Error),
    /// Something else is missing.
    #[error("{0}")]
    Unfit(String),
}

/// A guest that can be asked.
pub(crate) struct Aside {
    linked: Arc<Linked>,
    shared: Arc<Shared>,
    _scratch: Scratch,
}

/// The guest that `serve` would run.
///
/// # Errors
/// See [`NotReady`].
pub(crate) fn load(settings: &Settings) -> Result<Linked, NotReady> {
    Linked::load(&default_path(settings.guest_path()), settings.guest_cache_dir(), SLOTS)
}

impl Aside {
    /// Within a runtime. `values` are the settings that the guest may read.
    ///
    /// # Errors
    /// See [`NotAside`].
    pub(crate) fn new(
        linked: Arc<Linked>,
        settings: &Settings,
        values: &[(String, String)],
    ) -> Result<Self, NotAside> {
        let scratch = Scratch::new(settings.audit_log_path()).map_err(NotAside::NoPlace)?;
        let shared = shared(settings, &scratch, &linked, values).map_err(NotAside::Unfit)?;
        Ok(Self { linked, shared, _scratch: scratch })
    }

    /// Have policy and settings checked, as before a start.
    ///
    /// # Errors
    /// The guest could not run. Problems in the documents are the inner error.
    pub(crate) async fn preflight(
        &self,
        policy: &[u8],
        settings: &[(String, String)],
    ) -> Result<Result<Prepared, Vec<Problem>>, NotReady> {
        self.linked.preflight(&self.shared, policy, settings).await
    }

    /// Use this policy from now on, as the guest has prepared it.
    pub(crate) async fn use_policy(&self, policy: Policy) {
        self.shared.in_force.change().await.policy(policy);
    }

    /// Have one request answered that nobody has presented anything with.
    ///
    /// # Errors
    /// There is no answer, for a person.
    pub(crate) async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, String> {
        let (sender, receiver) = oneshot::channel::<FromGuest>();
        let store = store(&self.linked.engine, &self.shared, nobody(&self.shared));
        let reading = async {
            let head = receiver.await.map_err(|_| "it gave no answer".to_owned())?;
            let (parts, body) = head.map_err(|error| format!("it answered {error:?}"))?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await;
            let body = body.map_err(|error| format!("its answer broke off: {error}"))?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        let (ended, read) = tokio::join!(handle(&self.linked.handler, store, request, sender), reading);
        ended.map_err(|failed| format!("it failed ({failed:?})"))?;
        read
    }

    /// Have one question answered; see `operator` in `wit/world.wit`.
    ///
    /// # Errors
    /// The guest could not run.
    pub(crate) async fn operator(&self, command: &str) -> Result<String, NotReady> {
        self.linked.operator(&self.shared, command).await
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.shared.trail.close();
    }
}

fn shared(
    settings: &Settings,
    scratch: &Scratch,
    linked: &Arc<Linked>,
    values: &[(String, String)],
) -> Result<Arc<Shared>, String> {
    let opening = Opening {
        path: scratch.0.join("audit.log"),
        version: env!("CARGO_PKG_VERSION"),
        policy_digest: String::new(),
        component_digest: linked.guest.digest.clone(),
        signer: Arc::new(Signer::fresh(&SystemRandom)),
        high_water: None,
        min_free: 0,
    };
    let trail = Trail::open(opening, Arc::new(SystemClock), Arc::new(SystemRandom));
    let url = settings.gitea_internal_url().unwrap_or(settings.gitea_url());
    let way = Way::new(url, LIMIT, settings).map_err(|error| error.to_string())?;
    let writes = Writes::new(false);
    Ok(Arc::new(Shared {
        guest_values: values.iter().cloned().collect(),
        in_force: InForce::new(Generation::first(linked.clone()), Policy::default()),
        trail: trail.map_err(|error| error.to_string())?,
        anchored: Arc::default(),
        pushed: Pushed::default(),
        own: crate::own::Own::of(settings).map_err(|error| error.to_string())?,
        keys: Keys::new(Vec::new(), None),
        sign_in: None,
        counters: Counters::default(),
        long_work: LongWork::of_seconds(settings.search_max_seconds()),
        floods: Floods::default(),
        mailbox: Mailbox::new(0, 1, Duration::MAX, Recheck::default()),
        automation: None,
        seals: Seals::new().map_err(|error| error.to_string())?,
        cache: SharedCache::new(),
        gitea: Gitea::new(url, way, settings, writes.clone()).map_err(|error| error.to_string())?,
        writes,
        look: Look::never(),
        metrics: Metrics::default(),
        tracing: Tracing::default(),
        memory: Budget::new(MEMORY),
        pending: Pending::new(),
        runtime: tokio::runtime::Handle::current(),
    }))
}
