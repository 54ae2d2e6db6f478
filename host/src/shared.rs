//! What all requests share: settings, the policy in force, the trail, keys, counters, caches and the way to
//! Gitea. Made once by `serve`; only guest, policy and the switch of writes change while serving, and a request sees one
//! guest and one policy.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aegis_custody::{Clock, Random, Timestamp};

use crate::anchor::Anchored;
use crate::audit::Trail;
use crate::automation::Automation;
use crate::budget::Budget;
use crate::counters::Counters;
use crate::egress::Gitea;
use crate::floods::Floods;
use crate::generation::InForce;
use crate::long_work::LongWork;
use crate::look::Look;
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;
use crate::own::Own;
use crate::ports::cache::SharedCache;
use crate::ports::identity::{Access, Keys, Principal};
use crate::push::Pushed;
use crate::seals::Seals;
use crate::sign_in::SignIn;
use crate::trace::Tracing;
use crate::writes::Writes;

/// The process-wide state behind the ports.
pub(crate) struct Shared {
    /// Settings that guests may read, by name.
    pub(crate) guest_values: HashMap<String, String>,
    /// The guest and the policy in force: what a swap and a reload change.
    pub(crate) in_force: InForce,
    /// Whether changes may be sent.
    pub(crate) writes: Arc<Writes>,
    /// The audit trail.
    pub(crate) trail: Trail,
    /// Who else keeps its checkpoints.
    pub(crate) anchored: Arc<Anchored>,
    /// Who else gets its lines.
    pub(crate) pushed: Pushed,
    /// The secrets of this server, which must not leave it.
    pub(crate) own: Own,
    /// Who may call with a key.
    pub(crate) keys: Keys,
    /// Who may sign in; none without `OAUTH_MODE`, and then keys count.
    pub(crate) sign_in: Option<Arc<SignIn>>,
    /// Rate counters.
    pub(crate) counters: Counters,
    /// Room for work that takes long.
    pub(crate) long_work: LongWork,
    /// Remarks that come in floods.
    pub(crate) floods: Floods,
    /// What passes between requests of one caller.
    pub(crate) mailbox: Mailbox,
    /// Deliveries and jobs; none unless the operator wants them.
    pub(crate) automation: Option<Automation>,
    /// The key of this process.
    pub(crate) seals: Seals,
    /// The cache across requests.
    pub(crate) cache: SharedCache,
    /// The only way out.
    pub(crate) gitea: Gitea,
    /// What is known of Gitea since the start.
    pub(crate) look: Look,
    /// Counters for `/metrics`.
    pub(crate) metrics: Metrics,
    /// Traces of requests.
    pub(crate) tracing: Tracing,
    /// Memory of all instances.
    pub(crate) memory: Arc<Budget>,
    /// Work that must end before the process does.
    pub(crate) pending: Pending,
    /// The runtime that guests run on.
    pub(crate) runtime: tokio::runtime::Handle,
}

impl Shared {
    /// Gitea does not know the person behind a call any more: what they granted ends here too, unless a newer grant
    /// has come in meanwhile.
    pub(crate) async fn sign_out(&self, principal: &Principal, revision: Option<u64>) {
        if let (Access::User { user, application }, Some(sign_in)) = (&principal.access, &self.sign_in) {
            sign_in.end_grant(*user, *application, revision, "refused_by_gitea").await;
        }
    }
}

/// Work that outlives the request that began it: a write on its way, a line not yet durable.
///
/// A drain waits until every [`Pending::guard`] is gone.
#[derive(Clone)]
pub(crate) struct Pending {
    guards: tokio::sync::mpsc::Sender<()>,
    gone: Arc<tokio::sync::Mutex<tokio::sync::mpsc::Receiver<()>>>,
}

impl Pending {
    /// Nothing is pending.
    pub(crate) fn new() -> Self {
        let (guards, gone) = tokio::sync::mpsc::channel(1);
        Self { guards, gone: Arc::new(tokio::sync::Mutex::new(gone)) }
    }

    /// Hold this while the work goes on.
    pub(crate) fn guard(&self) -> impl Send + use<> {
        self.guards.clone()
    }

    /// Wait for all guards, at most so long; whether all are gone.
    pub(crate) async fn drained(self, most: Duration) -> bool {
        let Self { guards, gone } = self;
        drop(guards);
        let mut gone = gone.lock().await;
        tokio::time::timeout(most, gone.recv()).await.is_ok()
    }
}

/// The system's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The system's random source.
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) {
        // There is no weaker source to fall back to: without randomness nothing may be issued.
        if getrandom::fill(out).is_err() {
            std::process::abort();
        }
    }
}

/// A random name of 128 bits, in hex.
pub(crate) fn random_name() -> String {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    crate::component::hex(&bytes)
}
