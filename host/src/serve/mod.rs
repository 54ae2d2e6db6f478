//! Serving: sockets in front, guests behind.
//!
//! Two runtimes. The front one accepts, parses, reads bodies and answers `/health`, `/ready` and `/metrics`; it
//! never runs a guest, so it answers even when every permit is taken. The other runs guests. Nothing here
//! decides what a request may do.

mod answer;
mod framing;
mod front;
mod gauges;
mod heads;
mod intake;
mod linger;
pub(crate) mod local;
mod places;
mod probes;
mod refusal;
mod source;
mod stream;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::admin::Attending;
use crate::audit::Trail;
use crate::budget::Budget;
use crate::ports::audit::tell_floods;
use crate::push::Pushing;
use crate::settings::Settings;
use crate::shared::{Pending, Shared};
use crate::sign_in::SignIn;
use crate::swap::Swaps;
use crate::trace::Exporting;

pub(crate) use answer::from_guest;
pub(crate) use front::stop_signal;
pub(crate) use intake::own_request;

/// How long a drain waits for requests, after which they are cut off.
const DRAIN: Duration = Duration::from_secs(7);
/// How long a drain waits in all, writes on their way and audit lines included: less than the 10 seconds that
/// container runtimes give a process before they kill it.
const DRAIN_ALL: Duration = Duration::from_secs(9);

/// Everything that answering one request needs.
pub(crate) struct Server {
    pub(crate) shared: Arc<Shared>,
    /// What swaps rest on; empty where the guest is never replaced.
    pub(crate) swaps: OnceLock<Arc<Swaps>>,
    pub(crate) permits: Arc<Semaphore>,
    /// Places for requests of sign-in.
    places: places::Places,
    /// Room for the bodies of requests under way, in KiB.
    pub(crate) bodies: Arc<Semaphore>,
    /// Room for connections of clients.
    connections: Arc<Semaphore>,
    pub(crate) capacity: usize,
    pub(crate) limits: Limits,
    pub(crate) trusted: source::Trusted,
    pub(crate) metrics_enabled: bool,
    /// Whoever observes has an address of their own.
    observed_apart: bool,
    draining: watch::Sender<bool>,
}

/// Deadlines and caps of one request, each its own setting.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) header: Duration,
    pub(crate) body: Duration,
    pub(crate) head: Duration,
    pub(crate) total: Duration,
    pub(crate) stream: Duration,
    pub(crate) body_bytes: usize,
    /// Room for all bodies together, in KiB.
    pub(crate) body_room: usize,
    pub(crate) connections: usize,
}

impl Limits {
    fn of(settings: &Settings) -> Self {
        let seconds = Duration::from_secs;
        Self {
            header: seconds(settings.header_timeout_seconds()),
            body: seconds(settings.body_timeout_seconds()),
            head: seconds(settings.answer_timeout_seconds()),
            total: seconds(settings.total_timeout_seconds()),
            stream: seconds(settings.stream_timeout_seconds()),
            body_bytes: usize::try_from(settings.max_request_bytes()).unwrap_or(usize::MAX),
            body_room: room_for_bodies(settings),
            connections: usize::try_from(settings.max_connections()).unwrap_or(1_024),
        }
    }
}

impl Server {
    pub(crate) fn new(shared: Arc<Shared>, settings: &Settings, capacity: usize) -> Self {
        let limits = Limits::of(settings);
        tick(&shared.in_force.guest().linked.engine);
        Self {
            shared,
            swaps: OnceLock::new(),
            permits: Arc::new(Semaphore::new(capacity)),
            places: places::Places::new(capacity),
            bodies: Arc::new(Semaphore::new(limits.body_room)),
            connections: Arc::new(Semaphore::new(limits.connections)),
            capacity,
            limits,
            trusted: source::Trusted::new(settings.trusted_proxies()),
            metrics_enabled: settings.metrics_enabled(),
            observed_apart: settings.admin_bind().is_some(),
            draining: watch::Sender::new(false),
        }
    }

    /// Whether the server is about to end.
    pub(crate) fn draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Wait until the server is about to end.
    pub(crate) async fn until_draining(&self) {
        // The sender is this server's own, so there is no other end of it.
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }
}

/// Room for all bodies together, in KiB: 64 MiB, and never less than a few of the largest.
fn room_for_bodies(settings: &Settings) -> usize {
    let largest = usize::try_from(settings.max_request_bytes()).unwrap_or(usize::MAX).div_ceil(1 << 10);
    largest.saturating_mul(4).clamp(64 << 10, Semaphore::MAX_PERMITS)
}

/// How many instances may run at once.
pub(crate) fn capacity(settings: &Settings, budget: usize) -> usize {
    match usize::try_from(settings.max_concurrent_requests()).unwrap_or(0) {
        0 => Budget::permits(budget),
        asked => asked,
    }
}

/// What the end of a server waits for.
pub(crate) struct Until {
    /// Writes on their way and audit lines.
    pub(crate) pending: Pending,
    /// Commands of operators.
    pub(crate) admin: Option<Attending>,
    /// What is on its way to others.
    pub(crate) last: Last,
}

/// What goes to others after the end: audit lines and traces.
pub(crate) struct Last {
    pub(crate) pushing: Pushing,
    pub(crate) exporting: Exporting,
}

impl Last {
    /// Once nothing more is added to it, wait until it has arrived, though not for long: the lines first.
    async fn words(self, since: Instant) {
        self.pushing.end(last_words(since.elapsed())).await;
        self.exporting.end(last_words(since.elapsed())).await;
    }
}

/// Serve until `stop`, then drain. Nobody else holds `server` for long.
pub(crate) async fn run(
    server: Arc<Server>,
    (listener, observers): (TcpListener, Option<TcpListener>),
    Until { pending, admin, last }: Until,
    stop: impl Future<Output = ()>,
) -> ExitCode {
    tell_floods_now_and_then(&server.shared);
    keep_the_registry(&server.shared);
    crate::look::look_until_it_is_good(&server.shared);
    crate::jobs::attend(&server);
    if let Some(observers) = observers {
        tokio::spawn(front::observe(Arc::downgrade(&server), observers));
    }
    let since = front::accept(server.clone(), listener, stop).await;
    // Before the registry's file is closed: what an operator is told to be done must be on it.
    drop(admin);
    tell_floods(&server.shared, None);
    let trail = server.shared.trail.clone();
    let sign_in = server.shared.sign_in.clone();
    drop(server);
    let all = pending.drained(DRAIN_ALL.saturating_sub(since.elapsed())).await;
    if let Some(sign_in) = sign_in {
        // A file that was closed needs no repair at the next start.
        sign_in.records.store.close().await;
        // What happened to it since it was looked at last, closing included.
        tell_of_the_registry(&sign_in, &trail);
    }
    tracing::info!(event = "stopped", drained = all);
    trail.close();
    last.words(since).await;
    ExitCode::SUCCESS
}

/// How long the last audit lines may take to whoever else gets them.
fn last_words(elapsed: Duration) -> Duration {
    DRAIN_ALL.saturating_sub(elapsed).clamp(Duration::from_millis(250), Duration::from_secs(2))
}

/// Write down what floods of remarks kept back, for as long as the server lives.
fn tell_floods_now_and_then(shared: &Arc<Shared>) {
    let weak = Arc::downgrade(shared);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            match weak.upgrade() {
                Some(shared) => tell_floods(&shared, Some(std::time::Instant::now())),
                None => break,
            }
        }
    });
}

/// Put on record what happened to the registry since it was looked at last.
fn tell_of_the_registry(sign_in: &SignIn, trail: &Trail) {
    for note in sign_in.records.store.take_notes() {
        crate::sign_in::tell(trail, &note);
    }
}

/// Put on record what happens to the registry, and once an hour drop what is over.
fn keep_the_registry(shared: &Arc<Shared>) {
    const ROUNDS_OF_AN_HOUR: u32 = 360;
    let weak = Arc::downgrade(shared);
    tokio::spawn(async move {
        let mut round = 0_u32;
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let Some(shared) = weak.upgrade() else { break };
            let Some(sign_in) = &shared.sign_in else { break };
            tell_of_the_registry(sign_in, &shared.trail);
            round = round.wrapping_add(1);
            if round.is_multiple_of(ROUNDS_OF_AN_HOUR) {
                sign_in.collect();
            }
        }
    });
}

/// Advance the epoch once a millisecond, for as long as the engine lives. All guests of a process have one engine.
fn tick(engine: &wasmtime::Engine) {
    let weak = engine.weak();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(1));
            match weak.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => break,
            }
        }
    });
}
