//! `aegis-mcp serve`: settings in force, trail open, guest ready, then the socket. Whatever is wrong is said
//! before a port is open. A volume that cannot be written is said and keeps nobody from starting: it may be mended.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::in_force::{guest_values, policy};
use super::log::log_to_stderr;
use super::signing_key::KeyFile;
use super::trail::open_trail;
use super::{EXIT_LOCKED, EXIT_SETTINGS, complain};
use crate::anchor::Anchor;
use crate::audit::Trail;
use crate::automation::Automation;
use crate::budget::Budget;
use crate::counters::Counters;
use crate::egress::Gitea;
use crate::floods::Floods;
use crate::generation::{Generation, InForce};
use crate::guest::{Linked, default_path};
use crate::jobs::Jobs;
use crate::long_work::LongWork;
use crate::look::Look;
use crate::mailbox::{Mailbox, Recheck};
use crate::metrics::Metrics;
use crate::own::Own;
use crate::policy::{Policy, digest};
use crate::ports::cache::SharedCache;
use crate::ports::identity::Keys;
use crate::push::{Pushed, Receivers};
use crate::reload::Read;
use crate::seals::Seals;
use crate::serve::{Last, Server, Until, capacity, run, stop_signal};
use crate::settings::Settings;
use crate::shared::{Pending, Shared, SystemClock};
use crate::sign_in::SignIn;
use crate::standing::Standing;
use crate::swap::Trusted;
use crate::trace::{Exporter, Exporting, Tracing};
use crate::upstream::{Oldest, Upstream, UpstreamSettings};
use crate::watch::Watch;
use crate::way::Way;
use crate::writes::Writes;

/// Why the server did not start, and with which code it ends.
pub(super) struct NoStart(pub(super) u8, pub(super) Vec<String>);

impl NoStart {
    pub(super) fn settings(message: impl Into<String>) -> Self {
        Self(EXIT_SETTINGS, vec![message.into()])
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self(1, vec![message.into()])
    }
}

/// Serve until told to stop.
pub(crate) fn serve(settings: &Arc<Settings>) -> ExitCode {
    log_to_stderr(settings.log_level());
    match start(settings) {
        Ok(code) => code,
        Err(NoStart(code, messages)) => {
            messages.iter().for_each(|message| complain(message));
            ExitCode::from(code)
        }
    }
}

fn start(settings: &Arc<Settings>) -> Result<ExitCode, NoStart> {
    let mut bound = None;
    let origin = || {
        let listener = bind(settings)?;
        let origin = public_origin(settings, &listener);
        bound = Some(listener);
        Ok(origin)
    };
    let open = (!settings.auth_enabled() && !settings.oauth_mode()).then(|| "anonymous".to_owned());
    check_signers(settings)?;
    let anchor = Anchor::of(settings).map_err(NoStart::settings)?;
    let receivers = Receivers::of(settings).map_err(NoStart::settings)?;
    let exporter = Exporter::of(settings).map_err(NoStart::settings)?;
    let Ready { front, guests, shared, capacity, pending } = make_ready(settings, origin, &open_trail, open)?;
    let Some(listener) = bound else { return Err(NoStart::failed("there is no listening socket")) };
    let observers = bind_observers(settings)?;
    let code = front.block_on(async {
        let listener = TcpListener::from_std(listener)
            .map_err(|e| NoStart::failed(format!("cannot use the listening socket: {e}")))?;
        // Before anybody is told: a stop that comes right after the start must find a handler.
        let no_handler = |e| NoStart::failed(format!("no signal handlers: {e}"));
        let stop = stop_signal().map_err(no_handler)?;
        let hang_ups = crate::reload::hang_ups().map_err(no_handler)?;
        let server = Arc::new(Server::new(shared, settings, capacity));
        server
            .shared
            .runtime
            .spawn(crate::swap::begin(server.clone(), settings.clone()))
            .await
            .map_err(|e| NoStart::failed(e.to_string()))?;
        let admin = crate::admin::attend(settings.dcr_storage_path(), settings.audit_log_path(), &server);
        let observers = observers.map(TcpListener::from_std).transpose();
        let observers =
            observers.map_err(|e| NoStart::failed(format!("cannot use the socket of ADMIN_BIND: {e}")))?;
        announce(settings, &server.shared, (&listener, observers.as_ref()), capacity);
        let watched = settings.policy_file_path().filter(|_| settings.policy_watch());
        let key = KeyFile::of(settings);
        crate::reload::attend(
            hang_ups,
            &server,
            Read {
                policy: settings.policy_file_path().map(Path::to_owned),
                watched: watched.map(Watch::new),
                signing_key: Arc::new(move || key.again()),
            },
        );
        if let Some(path) = settings.guest_watch_path() {
            crate::swap::attend(&server, path);
        }
        crate::anchor::attend(&server.shared, anchor);
        let pushing = receivers.attend(&server.shared);
        let exporting = exporter.map_or_else(Exporting::default, |exporter| exporter.attend(&server.shared));
        let until = Until { pending, admin, last: Last { pushing, exporting } };
        Ok(run(server, (listener, observers), until, stop).await)
    });
    guests.shutdown_timeout(Duration::from_secs(1));
    // A look at a file on a volume that hangs ends nobody knows when.
    front.shutdown_timeout(Duration::from_secs(1));
    code
}

/// GUEST_TRUSTED_KEYS, before anything rests on it.
fn check_signers(settings: &Settings) -> Result<(), NoStart> {
    match settings.guest_trusted_keys() {
        Some(path) => Trusted::read(path).map(drop).map_err(NoStart::settings),
        None => Ok(()),
    }
}

/// Everything that answers requests, wherever they come from.
pub(super) struct Ready {
    pub(super) front: Runtime,
    pub(super) guests: Runtime,
    pub(super) shared: Arc<Shared>,
    pub(super) capacity: usize,
    pub(super) pending: Pending,
}

/// Opens the audit trail, given the digests of policy and component.
pub(super) type OpenTrail<'a> = &'a dyn Fn(&Settings, &str, &str) -> Result<Trail, NoStart>;

/// Load the guest, take the place where requests come from by asking for its `origin`, open the trail, and have the
/// guest check policy and settings. `open` is what everybody is called where nobody needs a key.
pub(super) fn make_ready(
    settings: &Settings,
    origin: impl FnOnce() -> Result<String, NoStart>,
    trail: OpenTrail<'_>,
    open: Option<String>,
) -> Result<Ready, NoStart> {
    let (front, guests) = runtimes().map_err(|e| NoStart::failed(format!("no threads: {e}")))?;
    let budget = match usize::try_from(settings.memory_budget_bytes()).unwrap_or(0) {
        0 => Budget::automatic(),
        bytes => bytes,
    };
    let capacity = capacity(settings, budget);
    // A few slots more than permits: an instance that is being torn down still holds its slot.
    let slots = u32::try_from(capacity).unwrap_or(u32::MAX).saturating_add(8);
    let linked = Linked::load(&default_path(settings.guest_path()), settings.guest_cache_dir(), slots)
        .map(Arc::new)
        .map_err(|e| NoStart::failed(e.to_string()))?;
    let policy = policy(settings).map_err(|error| NoStart::settings(error.to_string()))?;
    let pending = Pending::new();
    let origin = origin()?;
    let trail = trail(settings, &digest(&policy.1), &linked.guest.digest)?;
    let runtime = guests.handle().clone();
    let base = Base { origin, trail, open, budget, capacity, runtime, pending: pending.clone() };
    let shared = share(settings, &linked, &policy, base)?;
    guests.block_on(validate(&shared))?;
    let prepared = guests.block_on(prepare(&linked, &shared, &policy))?;
    guests.block_on(shared.in_force.change()).policy(prepared);
    Ok(Ready { front, guests, shared, capacity, pending })
}

/// The socket, before anything depends on which port it got. Nobody is accepted yet.
fn bind(settings: &Settings) -> Result<std::net::TcpListener, NoStart> {
    let address = SocketAddr::new(settings.mcp_host(), settings.mcp_port());
    listen(address).map_err(|e| {
        NoStart::failed(format!(
            "cannot listen on {address}: {e}; set MCP_HOST and MCP_PORT to a free address, or run \
             `aegis-mcp setup {} --port PORT` with a free one",
            if settings.oauth_mode() { "team" } else { "solo" }
        ))
    })
}

/// The socket of those who observe, where ADMIN_BIND names one.
fn bind_observers(settings: &Settings) -> Result<Option<std::net::TcpListener>, NoStart> {
    let Some(address) = settings.admin_bind() else { return Ok(None) };
    listen(address).map(Some).map_err(|e| {
        NoStart::failed(format!("cannot listen on ADMIN_BIND={address}: {e}; name a free address and port"))
    })
}

fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// What clients call this server: `PUBLIC_BASE_URL`, or on loopback the address itself.
fn public_origin(settings: &Settings, listener: &std::net::TcpListener) -> String {
    match (settings.public_base_url(), listener.local_addr()) {
        (Some(url), _) => url.to_owned(),
        (None, Ok(address)) => format!("http://{address}"),
        (None, Err(_)) => format!("http://{}", SocketAddr::new(settings.mcp_host(), settings.mcp_port())),
    }
}

/// Sign-in through Gitea, where it is on.
fn sign_in(
    settings: &Settings,
    origin: &str,
    trail: &Trail,
    (way, standing): (&Arc<Way>, &Arc<Standing>),
) -> Result<Option<Arc<SignIn>>, NoStart> {
    if !settings.oauth_mode() {
        return Ok(None);
    }
    if !settings.mcp_api_keys().is_empty() || !settings.auth_enabled() {
        tracing::warn!(
            event = "setting_ignored",
            settings = "MCP_API_KEYS, AUTH_ENABLED",
            text = "with OAUTH_MODE=true people sign in through Gitea; keys and AUTH_ENABLED do not count"
        );
    }
    let storage = settings.dcr_storage_path();
    let opened = crate::store::Store::open(storage, Arc::new(SystemClock));
    if opened.is_locked() {
        let text = format!(
            "the registry beside {} is in use by another process: two servers cannot share one; set DCR_STORAGE_PATH \
             to a directory of this server's own",
            storage.display()
        );
        return Err(NoStart(EXIT_LOCKED, vec![text]));
    }
    let original = crate::store::mentions_original(storage);
    for note in opened.notes.iter().chain(&original) {
        crate::sign_in::tell(trail, note);
    }
    let sign_in = SignIn::new(settings, origin, opened, way.clone(), standing.clone())
        .map_err(|unusable| NoStart::settings(unusable.to_string()))?;
    Ok(Some(Arc::new(sign_in)))
}

/// `STARTUP_VALIDATE_GITEA`: what is needed of Gitea is looked at before anybody is served.
async fn validate(shared: &Shared) -> Result<(), NoStart> {
    shared.look_at_the_start().await.map_err(|mut wrong| {
        wrong.push("Mend that, or set STARTUP_VALIDATE_GITEA=false to start all the same.".to_owned());
        NoStart(1, wrong)
    })
}

/// Who looks at Gitea where nobody signs in through it.
fn look(settings: &Settings, way: &Arc<Way>, standing: Arc<Standing>) -> Look {
    let upstream = || {
        let asked = UpstreamSettings {
            gitea_url: settings.gitea_url().to_owned(),
            internal_url: settings.gitea_internal_url().map(str::to_owned),
            timeout: Duration::from_secs(settings.request_timeout_seconds()),
            cache_ttl: Duration::ZERO,
            redirect_uri: String::new(),
            oldest: Oldest { number: settings.min_gitea_version(), refuse: false },
        };
        Upstream::new(asked, way.clone(), standing.clone(), Arc::new(SystemClock))
    };
    let keys = (!settings.oauth_mode()).then(upstream);
    Look { standing, keys }
}

/// One small runtime in front, one for guests with twice the cores: spinning guests then leave room for others.
fn runtimes() -> std::io::Result<(Runtime, Runtime)> {
    let front = Builder::new_multi_thread().worker_threads(1).thread_name("front").enable_all().build()?;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let guests = Builder::new_multi_thread()
        .worker_threads(cores.saturating_mul(2))
        .thread_name("guest")
        .enable_all()
        .build()?;
    Ok((front, guests))
}

/// What [`share`] puts together with the settings.
struct Base {
    origin: String,
    trail: Trail,
    open: Option<String>,
    budget: usize,
    capacity: usize,
    runtime: tokio::runtime::Handle,
    pending: Pending,
}

fn share(
    settings: &Settings,
    linked: &Arc<Linked>,
    policy: &(String, Vec<u8>),
    base: Base,
) -> Result<Arc<Shared>, NoStart> {
    let Base { origin, trail, open, budget, capacity, runtime, pending } = base;
    let of_key = |key: &str| Sha256::digest(key.as_bytes()).into();
    let keys = settings
        .mcp_api_keys()
        .iter()
        .map(|k| (k.principal().to_owned(), of_key(k.key().expose())))
        .collect();
    let url = settings.gitea_internal_url().unwrap_or(settings.gitea_url());
    let timeout = Duration::from_secs(settings.request_timeout_seconds());
    let way = Way::new(url, timeout, settings).map_err(|e| NoStart::settings(e.to_string()))?;
    let writes = Writes::new(settings.write_mode());
    let gitea = Gitea::new(url, way.clone(), settings, writes.clone())
        .map_err(|e| NoStart::settings(e.to_string()))?;
    let standing = Arc::new(Standing::new(settings.startup_validate_gitea(), settings.oauth_mode()));
    let sign_in = sign_in(settings, &origin, &trail, (&way, &standing))?;
    let recheck = sign_in.as_ref().map_or_else(Recheck::default, |sign_in| sign_in.recheck.clone());
    // What preflight has to say is said of this one.
    let unprepared = Policy::of(&policy.1, Vec::new());
    Ok(Arc::new(Shared {
        guest_values: guest_values(settings, &origin).into_iter().collect(),
        in_force: InForce::new(Generation::first(linked.clone()), unprepared),
        writes,
        trail,
        anchored: Arc::default(),
        pushed: Pushed::default(),
        own: Own::of(settings).map_err(|e| NoStart::settings(e.to_string()))?,
        keys: Keys::new(keys, open),
        sign_in,
        counters: Counters::default(),
        long_work: LongWork::of_seconds(settings.search_max_seconds()),
        floods: Floods::default(),
        mailbox: mailbox(settings, capacity, recheck),
        automation: automation(settings),
        seals: Seals::new().map_err(|e| NoStart::failed(e.to_string()))?,
        cache: SharedCache::new(),
        gitea,
        look: look(settings, &way, standing),
        metrics: Metrics::default(),
        tracing: Tracing::default(),
        memory: Budget::new(budget),
        pending,
        runtime,
    }))
}

/// What checks deliveries; none where there is no automation. The settings have seen to the secret.
fn automation(settings: &Settings) -> Option<Automation> {
    let secret = settings.webhook_secret().filter(|_| settings.automation_enabled())?;
    Some(Automation::new(secret, Jobs::of(settings)))
}

/// Room for the streams and questions of this server.
fn mailbox(settings: &Settings, capacity: usize, recheck: Recheck) -> Mailbox {
    let streams = usize::try_from(settings.max_streams()).unwrap_or(usize::MAX);
    let every = Duration::from_secs(settings.stream_keepalive_seconds());
    Mailbox::new(streams, capacity, every, recheck)
}

/// The guest checks policy and settings; every problem is told with its place.
async fn prepare(
    linked: &Linked,
    shared: &Arc<Shared>,
    policy: &(String, Vec<u8>),
) -> Result<Policy, NoStart> {
    let values: Vec<_> =
        shared.guest_values.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let answer =
        linked.preflight(shared, &policy.1, &values).await.map_err(|e| NoStart::failed(e.to_string()))?;
    match answer {
        Ok(entries) => Ok(Policy::of(&policy.1, entries)),
        Err(problems) => {
            Err(NoStart(EXIT_SETTINGS, problems.iter().map(|problem| problem.told(&policy.0)).collect()))
        }
    }
}

fn announce(
    settings: &Settings,
    shared: &Shared,
    (listener, observers): (&TcpListener, Option<&TcpListener>),
    capacity: usize,
) {
    let named = |listener: &TcpListener| {
        listener.local_addr().map_or_else(|_| "unknown".to_owned(), |address| address.to_string())
    };
    let address = named(listener);
    tracing::info!(
        event = "listening",
        address,
        observers = observers.map(named),
        version = env!("CARGO_PKG_VERSION"),
        component = %shared.in_force.guest().digest(),
        policy = %shared.in_force.policy().digest,
        writes = settings.write_mode(),
        keys = settings.mcp_api_keys().len(),
        sign_in = settings.oauth_mode(),
        capacity,
    );
}
