//! A guest made ready to serve: compiled, linked, and its `preflight` run on the policy and the settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::component::bindings::OperationsPre;
use crate::component::bindings::aegis::gateway::types::Problem;
use crate::component::{Guest, LoadError, engine, linker};
use crate::instance::{Bound, State, classify, metered, store};
use crate::own::outlet::Outlet;
use crate::shared::Shared;
use crate::trace::Trace;

/// A linked guest and its engine.
pub(crate) struct Linked {
    pub(crate) engine: Engine,
    pub(crate) guest: Guest,
    pub(crate) handler: ProxyPre<State>,
    operations: OperationsPre<State>,
}

/// The policy in prepared form, one entry for each key.
pub(crate) type Prepared = Vec<(String, Vec<u8>)>;

/// Why a guest is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    /// See [`LoadError`].
    #[error(transparent)]
    Load(#[from] LoadError),
    /// wasmtime cannot be set up on this machine.
    #[error("the sandbox cannot be set up: {0}")]
    Engine(String),
    /// `preflight` trapped or ran out of its bounds.
    #[error("the guest failed in preflight ({0})")]
    Preflight(String),
    /// `operator` trapped or ran out of its bounds.
    #[error("the guest failed to answer ({0})")]
    Operator(String),
}

impl Linked {
    /// Compile and link the component in a file.
    ///
    /// # Errors
    /// See [`NotReady`].
    pub(crate) fn load(path: &Path, cache: Option<&Path>, slots: u32) -> Result<Self, NotReady> {
        let engine = engine(slots).map_err(|e| NotReady::Engine(format!("{e:#}")))?;
        let guest = Guest::load(&engine, path, cache)?;
        Self::of(engine, guest, path)
    }

    /// Link a component that this engine has compiled; `path` names it in what is refused.
    ///
    /// # Errors
    /// See [`NotReady`].
    pub(crate) fn of(engine: Engine, guest: Guest, path: &Path) -> Result<Self, NotReady> {
        let trouble = |e: wasmtime::Error| NotReady::Engine(format!("{e:#}"));
        let pre = guest.link(path, &linker(&engine).map_err(trouble)?)?;
        let handler = ProxyPre::new(pre.clone()).map_err(trouble)?;
        let operations = OperationsPre::new(pre).map_err(trouble)?;
        Ok(Self { engine, guest, handler, operations })
    }

    /// Ask the guest to check policy and settings.
    ///
    /// # Errors
    /// The guest could not run. Problems in the documents are the inner error.
    pub(crate) async fn preflight(
        &self,
        shared: &Arc<Shared>,
        policy: &[u8],
        settings: &[(String, String)],
    ) -> Result<Result<Prepared, Vec<Problem>>, NotReady> {
        let mut store = store(&self.engine, shared, nobody(shared));
        let answer = metered(store.data().used.clone(), async {
            let operations = self.operations.instantiate_async(&mut store).await?;
            operations.call_preflight(&mut store, policy, settings).await
        });
        answer.await.map_err(|error| NotReady::Preflight(format!("{:?}: {error:#}", classify(&error))))
    }

    /// Ask the guest one question of the command line.
    ///
    /// # Errors
    /// The guest could not run. A question that it does not answer is an answer.
    pub(crate) async fn operator(&self, shared: &Arc<Shared>, command: &str) -> Result<String, NotReady> {
        let mut store = store(&self.engine, shared, nobody(shared));
        let answer = metered(store.data().used.clone(), async {
            let operations = self.operations.instantiate_async(&mut store).await?;
            operations.call_operator(&mut store, command).await
        });
        answer.await.map_err(|error| NotReady::Operator(format!("{:?}: {error:#}", classify(&error))))
    }
}

/// Bound to no request: what preflight and the command line run as. No credential, so no caller, so no ticket.
pub(crate) fn nobody(shared: &Shared) -> Bound {
    let force = shared.in_force.now();
    Bound {
        request_id: "preflight".to_owned(),
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        credentials: Vec::new(),
        principal: None,
        presented: None,
        remembered: None,
        answered: None,
        outlet: Outlet::new("preflight", std::net::Ipv4Addr::LOCALHOST.into(), force.guest.clone()),
        trace: Trace::default(),
        tickets: Arc::default(),
        remarks: 0,
        route: Arc::default(),
        policy: force.policy,
        guest: force.guest,
        writes: shared.writes.are_on(),
        keep: Arc::default(),
        delivers: Arc::default(),
        delivery: None,
        hang_up: Arc::default(),
    }
}

/// `GUEST_PATH`, or `gateway.wasm` beside the program.
pub(crate) fn default_path(configured: Option<&Path>) -> PathBuf {
    if let Some(path) = configured {
        return path.to_owned();
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("gateway.wasm")));
    beside.unwrap_or_else(|| PathBuf::from("gateway.wasm"))
}
