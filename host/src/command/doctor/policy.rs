//! The guest and the policy as `serve` would take them: the component is compiled and linked, and its preflight run
//! on the document and the settings. Nobody is served.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::in_force;
use super::report::{Finding, fail, pass, warn};
use crate::audit::{Opening, Trail};
use crate::budget::Budget;
use crate::counters::Counters;
use crate::egress::Gitea;
use crate::floods::Floods;
use crate::guest::{Linked, default_path};
use crate::long_work::LongWork;
use crate::look::Look;
use crate::mailbox::{Mailbox, Recheck};
use crate::metrics::Metrics;
use crate::policy::InForce;
use crate::ports::cache::SharedCache;
use crate::ports::identity::Keys;
use crate::seals::Seals;
use crate::settings::Settings;
use crate::shared::{Pending, Shared, SystemClock, SystemRandom};
use crate::way::Way;

/// One instance runs, and slots are cheap.
const SLOTS: u32 = 8;
/// What one instance may use, in bytes.
const MEMORY: usize = 256 << 20;

/// A directory for a log that nobody will read, removed when this goes.
struct Scratch(PathBuf);

impl Scratch {
    /// In the first place that takes one: a container with a read-only root has only its volumes.
    fn new(audit: &Path) -> std::io::Result<Self> {
        let name = format!("aegis-mcp-doctor-{}", crate::shared::random_name());
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

/// What there is to say. `whole` says that the settings are in force, so that the guest's word on them counts.
pub(super) async fn look(settings: &Settings, whole: bool) -> Vec<Finding> {
    let path = default_path(settings.guest_path());
    let cache = settings.guest_cache_dir();
    let linked = match Linked::load(&path, cache, SLOTS) {
        Ok(linked) => linked,
        Err(error) => {
            let says = format!("{error}; GUEST_PATH names the component, which comes with the program");
            return vec![fail("guest", says)];
        }
    };
    let digest: String = linked.guest.digest.chars().take(12).collect();
    let mut findings = vec![pass("guest", format!("{} loads (sha256 {digest}...)", path.display()))];
    let (name, bytes) = match in_force::policy(settings) {
        Ok(found) => found,
        Err(error) => {
            findings.push(fail("policy", error.to_string()));
            return findings;
        }
    };
    findings.extend(preflight(settings, &linked, &name, &bytes, whole).await);
    findings
}

async fn preflight(
    settings: &Settings,
    linked: &Linked,
    name: &str,
    policy: &[u8],
    whole: bool,
) -> Vec<Finding> {
    const CHECK: &str = "policy";
    // With a stand-in for an origin that `serve` would take from its socket.
    let values = in_force::guest_values(settings, &super::origin(settings));
    let scratch = match Scratch::new(settings.audit_log_path()) {
        Ok(scratch) => scratch,
        Err(error) => {
            let says =
                format!("{name} was not checked: no directory can be made here ({error}); give it a /tmp");
            return vec![warn(CHECK, says)];
        }
    };
    let shared = match shared(settings, &scratch, &linked.guest.digest, &values) {
        Ok(shared) => shared,
        Err(why) => return vec![fail(CHECK, why)],
    };
    let answer = linked.preflight(&shared, policy, &values).await;
    shared.trail.close();
    let problems = match answer {
        Ok(Ok(_)) => return vec![pass(CHECK, format!("{name} is good"))],
        Ok(Err(problems)) => problems,
        Err(error) => {
            return vec![fail(CHECK, format!("{error}; use the component that came with this program"))];
        }
    };
    let said = problems.iter().filter_map(|problem| match problem.source.as_str() {
        "policy" => {
            Some(fail(CHECK, format!("{name}:{}:{}: {}", problem.line, problem.column, problem.message)))
        }
        setting => whole.then(|| fail("settings", format!("{setting} {}", problem.message))),
    });
    let said: Vec<_> = said.collect();
    if said.is_empty() { vec![pass(CHECK, format!("{name} is good"))] } else { said }
}

fn shared(
    settings: &Settings,
    scratch: &Scratch,
    component: &str,
    values: &[(String, String)],
) -> Result<Arc<Shared>, String> {
    let opening = Opening {
        path: scratch.0.join("audit.log"),
        version: env!("CARGO_PKG_VERSION"),
        policy_digest: String::new(),
        component_digest: component.to_owned(),
    };
    let trail = Trail::open(opening, Arc::new(SystemClock), Arc::new(SystemRandom));
    let url = settings.gitea_internal_url().unwrap_or(settings.gitea_url());
    let way = Way::new(url, super::LIMIT, settings).map_err(|error| error.to_string())?;
    Ok(Arc::new(Shared {
        guest_values: values.iter().cloned().collect(),
        policy: InForce::default(),
        component_digest: component.to_owned(),
        trail: trail.map_err(|error| error.to_string())?,
        keys: Keys::new(Vec::new(), None),
        sign_in: None,
        counters: Counters::default(),
        long_work: LongWork::of_seconds(settings.search_max_seconds()),
        floods: Floods::default(),
        mailbox: Mailbox::new(0, 1, Duration::MAX, Recheck::default()),
        seals: Seals::new().map_err(|error| error.to_string())?,
        cache: SharedCache::new(),
        gitea: Gitea::new(url, way, settings).map_err(|error| error.to_string())?,
        look: Look::never(),
        metrics: Metrics::default(),
        memory: Budget::new(MEMORY),
        pending: Pending::new(),
        runtime: tokio::runtime::Handle::current(),
    }))
}
