//! One request, one instance: the state of a sandbox, its bounds, and running it to its end.
//!
//! A store is made for one request and dropped with it. What the host knows about the request (id, source
//! address, credential) is bound here, where the guest cannot state it.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use tokio::sync::{Notify, oneshot};
use wasmtime::{Engine, Store, Trap, UpdateDeadline};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::budget::{BudgetExhausted, Limiter, OverLimit};
use crate::generation::Generation;
use crate::mailbox::{Delivers, KeepSlot};
use crate::own::outlet::Outlet;
use crate::policy::Policy;
use crate::ports::identity::{Credential, Principal};
use crate::ports::telemetry::Lines;
use crate::settings::Secret;
use crate::shared::Shared;
use crate::ticket::Tickets;
use crate::trace::Trace;

/// Computing time of one instance.
const CPU_BUDGET: Duration = Duration::from_millis(250);
/// Longest that one slice counts: the epoch clock ends a slice after 1 ms, and what goes beyond it is the kernel
/// giving the thread to somebody else.
const SLICE: Duration = Duration::from_millis(1);
/// Bytes a guest may hand to the host in one call: the largest event and what goes with it.
const HOSTCALL_BYTES: usize = (8 << 20) + (64 << 10);
/// Live component handles of one instance.
const MAX_HANDLES: usize = 1_000;
/// Bytes of one set of header fields as wasmtime counts them.
const MAX_FIELD_BYTES: usize = 64 << 10;

/// What the host binds to a request before a guest sees it.
pub(crate) struct Bound {
    /// The request id, the client's or ours.
    pub(crate) request_id: String,
    /// Where the request came from, after trusted proxies.
    pub(crate) address: IpAddr,
    /// The credentials that arrived, under the handles that took their place.
    pub(crate) credentials: Vec<Credential>,
    /// The caller, once one was proved.
    pub(crate) principal: Option<Arc<Principal>>,
    /// What that caller presented; nothing where nobody has to prove anything.
    pub(crate) presented: Option<Arc<Secret>>,
    /// The client and the person whose approval this request has found remembered.
    pub(crate) remembered: Option<(String, i64)>,
    /// The approval page that this request has answered.
    pub(crate) answered: Option<crate::sign_in::presses::Page>,
    /// What its answer, its log lines and its requests to Gitea go through.
    pub(crate) outlet: Arc<Outlet>,
    /// What is told of it to a collector.
    pub(crate) trace: Trace,
    /// Tickets of this request.
    pub(crate) tickets: Arc<Tickets>,
    /// How many remarks the guest has made.
    pub(crate) remarks: u32,
    /// The route as the guest names it, for metrics.
    pub(crate) route: Arc<std::sync::OnceLock<String>>,
    /// The policy in force when the request began.
    pub(crate) policy: Arc<Policy>,
    /// The guest that answers it, which was in force when it began.
    pub(crate) guest: Arc<Generation>,
    /// Whether writes were on when the request began. Where they are turned off meanwhile nothing is sent all the same.
    pub(crate) writes: bool,
    /// The stream that this request keeps, for its answer to go on with.
    pub(crate) keep: KeepSlot,
    /// The stream that this request delivers to.
    pub(crate) delivers: Delivers,
    /// The delivery that this request has proved. It may come again unless a ticket was given for it.
    pub(crate) delivery: Option<crate::automation::Claim>,
    /// Ends the connection that the request came over.
    pub(crate) hang_up: Arc<Notify>,
}

/// The state of one store.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) shared: Arc<Shared>,
    pub(crate) bound: Bound,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoOutgoing,
    limiter: Limiter,
    /// The log lines that this request has written.
    pub(crate) lines: Lines,
    /// Nanoseconds in which the instance computed; [`metered`] adds to them.
    pub(crate) used: Arc<AtomicU64>,
    /// How long it may compute in all.
    may_use: Duration,
}

impl State {
    /// There is room for long work.
    pub(crate) fn compute_longer(&mut self) {
        self.may_use = self.used_so_far().saturating_add(self.shared.long_work.computing());
    }

    /// The long work is done; what follows has the time of any request.
    pub(crate) fn compute_as_usual(&mut self) {
        self.may_use = self.used_so_far().saturating_add(CPU_BUDGET);
    }

    fn used_so_far(&self) -> Duration {
        Duration::from_nanos(self.used.load(Ordering::Relaxed))
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// `wasi:http/outgoing-handler` is not linked; should that ever change, this still sends nothing.
struct NoOutgoing;

type Sent =
    Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>), HttpError>;

impl WasiHttpHooks for NoOutgoing {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(async { Err(HttpError::HttpRequestDenied) })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        16
    }
}

/// Why an instance gave no answer. One status each (`serve::refusal`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It used its CPU time.
    CpuLimit,
    /// It wanted more memory than one instance may have.
    MemoryLimit,
    /// The process-wide memory budget is used up.
    NoMemory,
    /// It recursed too deep.
    StackOverflow,
    /// It trapped or ended without an answer.
    Trapped,
}

/// The head and body that a guest sends, or what wasi-http says instead.
pub(crate) type FromGuest = Result<http::Response<HyperOutgoingBody>, ErrorCode>;

/// A store with every bound set.
pub(crate) fn store(engine: &Engine, shared: &Arc<Shared>, bound: Bound) -> Store<State> {
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(MAX_FIELD_BYTES);
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_HANDLES);
    let wasi = WasiCtx::builder().allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false).build();
    let limiter = Limiter::new(&shared.memory);
    let state = State {
        table,
        shared: shared.clone(),
        lines: Lines::new(&bound.request_id),
        bound,
        wasi,
        http,
        hooks: NoOutgoing,
        limiter,
        used: Arc::default(),
        may_use: CPU_BUDGET,
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    store.set_max_component_handles(MAX_HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        let state = context.data_mut();
        if state.used_so_far() > state.may_use {
            return Ok(UpdateDeadline::Interrupt);
        }
        // tokio's yield lets the worker poll its sockets between slices; plain Yield starves everybody else.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    store
}

/// Run an instance and count the time in which it computes.
///
/// Ticks cannot be counted instead: after each wait for Gitea, for the disk or for a client the epoch has passed,
/// so an answer that comes in many small pieces would use up the budget without computing.
pub(crate) async fn metered<T>(used: Arc<AtomicU64>, run: impl Future<Output = T>) -> T {
    let mut running = pin!(run);
    poll_fn(|context| {
        let started = Instant::now();
        let polled = running.as_mut().poll(context);
        let nanos = u64::try_from(started.elapsed().min(SLICE).as_nanos()).unwrap_or(u64::MAX);
        used.fetch_add(nanos, Ordering::Relaxed);
        polled
    })
    .await
}

/// Run the HTTP handler to its end. The answer's head leaves through `answer` as soon as the guest sets it.
///
/// # Errors
/// The instance was stopped or trapped.
pub(crate) async fn handle(
    handler: &ProxyPre<State>,
    mut store: Store<State>,
    request: http::Request<Full<Bytes>>,
    answer: oneshot::Sender<FromGuest>,
) -> Result<(), Failed> {
    let outcome = metered(store.data().used.clone(), async {
        let proxy = handler.instantiate_async(&mut store).await?;
        let request = request.map(NeverFails);
        let incoming = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
        let outparam = store.data_mut().http().new_response_outparam(answer)?;
        proxy.wasi_http_incoming_handler().call_handle(&mut store, incoming, outparam).await
    });
    let outcome: wasmtime::Result<()> = outcome.await;
    outcome.map_err(|error| {
        let failed = classify(&error);
        tracing::warn!(event = "guest_failed", reason = ?failed, request_id = %store.data().bound.request_id, error = %format!("{error:#}"));
        failed
    })
}

/// The one reason behind a wasmtime error.
pub(crate) fn classify(error: &wasmtime::Error) -> Failed {
    if error.is::<OverLimit>() {
        return Failed::MemoryLimit;
    }
    if error.is::<BudgetExhausted>() {
        return Failed::NoMemory;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Failed::CpuLimit,
        Some(Trap::StackOverflow) => Failed::StackOverflow,
        _ => Failed::Trapped,
    }
}

/// A body whose error type is what wasi-http wants; it never fails, being already in memory.
struct NeverFails(Full<Bytes>);

impl http_body::Body for NeverFails {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, HttpError>>> {
        std::pin::Pin::new(&mut self.0).poll_frame(context).map_err(|never| match never {})
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}
