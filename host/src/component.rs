//! The guest as a file: which imports it may have, how it is compiled, cached and linked.
//!
//! A component that imports anything outside [`ALLOWED`] is refused before it is compiled. Nothing here runs a
//! guest, except `preflight` in [`crate::guest`].

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::p2::bindings::{cli, clocks, random};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{ResourceTable, WasiView};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};
use wasmtime_wasi_io::bindings::wasi::io;

use crate::instance::State;

/// Most linear memory of one instance, in bytes.
pub(crate) const MAX_INSTANCE_MEMORY: usize = 32 << 20;

/// Everything a component may import, without patch versions. `wasi:cli` is linked empty: std asks for it.
pub(crate) const ALLOWED: &[&str] = &[
    "aegis:gateway/audit@1.0",
    "aegis:gateway/automation@1.0",
    "aegis:gateway/cache@1.0",
    "aegis:gateway/clients@1.0",
    "aegis:gateway/gitea@1.0",
    "aegis:gateway/identity@1.0",
    "aegis:gateway/limits@1.0",
    "aegis:gateway/login@1.0",
    "aegis:gateway/mailbox@1.0",
    "aegis:gateway/seal@1.0",
    "aegis:gateway/settings@1.0",
    "aegis:gateway/telemetry@1.0",
    "aegis:gateway/types@1.0",
    "wasi:cli/environment@0.2",
    "wasi:cli/exit@0.2",
    "wasi:cli/stderr@0.2",
    "wasi:cli/stdin@0.2",
    "wasi:cli/stdout@0.2",
    "wasi:cli/terminal-input@0.2",
    "wasi:cli/terminal-output@0.2",
    "wasi:cli/terminal-stderr@0.2",
    "wasi:cli/terminal-stdin@0.2",
    "wasi:cli/terminal-stdout@0.2",
    "wasi:clocks/monotonic-clock@0.2",
    "wasi:clocks/wall-clock@0.2",
    "wasi:http/types@0.2",
    "wasi:io/error@0.2",
    "wasi:io/poll@0.2",
    "wasi:io/streams@0.2",
    "wasi:random/insecure-seed@0.2",
    "wasi:random/random@0.2",
];

/// What a component must export, besides being allowed to import.
const HANDLER: &str = "wasi:http/incoming-handler@0.2";

/// Bindings for the interfaces of `wit/`.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "aegis:gateway/operations",
        imports: {
            "aegis:gateway/audit.intent": async | trappable,
            "aegis:gateway/audit.[method]ticket.close": async | trappable,
            "aegis:gateway/gitea.[method]exchange.head": async | trappable,
            "aegis:gateway/gitea.[method]exchange.read": async | trappable,
            "aegis:gateway/identity.authenticate": async | trappable,
            "aegis:gateway/clients.lookup": async | trappable,
            "aegis:gateway/login.[method]flow.exchange": async | trappable,
            "aegis:gateway/login.[method]session.issue-code": async | trappable,
            "aegis:gateway/login.redeem": async | trappable,
            "aegis:gateway/login.refresh": async | trappable,
            "aegis:gateway/login.revoke": async | trappable,
            "aegis:gateway/mailbox.[method]question.reply": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: {
            "aegis:gateway/limits.slot": crate::long_work::Slot,
            "aegis:gateway/identity.caller": crate::ports::identity::Caller,
            "aegis:gateway/audit.ticket": crate::ticket::Ticket,
            "aegis:gateway/gitea.exchange": crate::egress::Exchange,
            "aegis:gateway/clients.client": crate::ports::clients::Client,
            "aegis:gateway/login.flow": crate::ports::login::Flow,
            "aegis:gateway/login.session": crate::ports::login::Session,
            "aegis:gateway/mailbox.question": crate::mailbox::questions::Question,
        },
    });
}

/// Why a guest cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the guest {path}: {source}; set GUEST_PATH to a gateway component", path = .path.display())]
    Read {
        /// Where it was looked for.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// It is not a component, or not for this host.
    #[error("{path} is not a component that this host runs: {message}", path = .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What wasmtime says.
        message: String,
    },
    /// It asks for more than guests may have.
    #[error("{path} is refused: it imports {}, which guests may not have", .imports.join(", "), path = .path.display())]
    Forbidden {
        /// The file.
        path: PathBuf,
        /// The imports outside the list.
        imports: Vec<String>,
    },
    /// It does not answer HTTP requests.
    #[error("{path} is refused: it does not export {HANDLER}, so it cannot answer a request", path = .path.display())]
    NoHandler {
        /// The file.
        path: PathBuf,
    },
}

/// A compiled guest and what is known about its file.
pub(crate) struct Guest {
    /// SHA-256 of the component file, in hex.
    pub(crate) digest: String,
    /// Size of the component file in bytes.
    pub(crate) size: u64,
    /// Names it imports.
    pub(crate) imports: Vec<String>,
    /// Names it exports.
    pub(crate) exports: Vec<String>,
    component: Component,
}

/// The engine, with every bound that holds for all instances (wasmtime 48, WASI 0.2 only).
///
/// # Errors
/// wasmtime refuses the configuration on this machine.
pub(crate) fn engine(slots: u32) -> wasmtime::Result<Engine> {
    Engine::new(&config(slots))
}

/// An engine whose code runs on every processor of this architecture, and in [`engine`]: it uses nothing that the
/// processor at hand has beyond the others.
///
/// # Errors
/// wasmtime refuses the configuration on this machine.
pub(crate) fn portable_engine() -> wasmtime::Result<Engine> {
    let mut config = config(1);
    config.target(&format!("{}-unknown-linux-musl", std::env::consts::ARCH))?;
    Engine::new(&config)
}

fn config(slots: u32) -> Config {
    let pagemap = pagemap_scan_works();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(6))
        .total_memories(slots.saturating_mul(2))
        .total_tables(slots.saturating_mul(4))
        .total_stacks(slots)
        .max_core_instances_per_component(16)
        .max_memories_per_component(2)
        .max_tables_per_component(8)
        .max_memory_size(MAX_INSTANCE_MEMORY)
        .table_elements(10_000)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20);
    // Keeping pages without the pagemap scan would clear a mebibyte a request: slower than not keeping them.
    if pagemap {
        pool.linear_memory_keep_resident(1 << 20).table_keep_resident(64 << 10).pagemap_scan(Enabled::Auto);
    }
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_reservation(128 << 20)
        .memory_guard_size(32 << 20)
        .epoch_interruption(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20)
        .concurrency_support(false);
    config
}

/// Whether the kernel offers PAGEMAP_SCAN (Linux 6.7): asked by version, since the ioctl has no probe.
fn pagemap_scan_works() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    matches!((parts.next(), parts.next()), (Some(major), Some(minor)) if (major, minor) >= (6, 7))
}

/// The linker with exactly the allowed imports.
///
/// # Errors
/// A name is linked twice: a mistake in this function.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::<State>::new(engine);
    let l = &mut linker;
    io::error::add_to_linker::<State, HasTable>(l, |state| WasiView::ctx(state).table)?;
    io::poll::add_to_linker::<State, HasTable>(l, |state| WasiView::ctx(state).table)?;
    io::streams::add_to_linker::<State, HasTable>(l, |state| WasiView::ctx(state).table)?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    random::random::add_to_linker::<State, WasiRandom>(l, |state| WasiView::ctx(state).ctx.random())?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(l, |state| WasiView::ctx(state).ctx.random())?;
    cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    let http = wasmtime_wasi_http::p2::bindings::http::types::LinkOptions::default();
    wasmtime_wasi_http::p2::bindings::http::types::add_to_linker::<State, WasiHttp>(l, &http, State::http)?;
    bindings::Operations::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    Ok(linker)
}

struct HasTable;

impl wasmtime::component::HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

impl Guest {
    /// Read, check and compile a component; `cache` keeps the compiled form between starts.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub(crate) fn load(engine: &Engine, path: &Path, cache: Option<&Path>) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|source| LoadError::Read { path: path.into(), source })?;
        let digest = digest(&bytes);
        let invalid =
            |e: wasmtime::Error| LoadError::Invalid { path: path.into(), message: format!("{e:#}") };
        let component = match cache {
            Some(folder) => crate::compiled::load(engine, &bytes, &digest, folder).map_err(invalid)?,
            None => crate::compiled::compile(engine, &bytes).map_err(invalid)?.0,
        };
        Ok(Self::of(engine, component, digest, bytes.len() as u64))
    }

    /// What is known of a component that was compiled by this engine.
    pub(crate) fn of(engine: &Engine, component: Component, digest: String, size: u64) -> Self {
        let kind = component.component_type();
        let imports: Vec<String> = kind.imports(engine).map(|(name, _)| name.to_owned()).collect();
        let exports: Vec<String> = kind.exports(engine).map(|(name, _)| name.to_owned()).collect();
        Self { digest, size, imports, exports, component }
    }

    /// Imports outside the list, in the order of the component.
    pub(crate) fn forbidden(&self) -> Vec<String> {
        self.imports
            .iter()
            .filter(|name| !ALLOWED.iter().any(|allowed| same(name, allowed)))
            .cloned()
            .collect()
    }

    /// The first import of a port that this host has in another version.
    pub(crate) fn of_another_version(&self) -> Option<&str> {
        let port = |name: &str| name.split_once('@').map(|(port, _)| port.to_owned());
        let is_ours = |name: &&String| {
            let asked = port(name);
            asked.is_some() && ALLOWED.iter().any(|allowed| port(allowed) == asked && !same(name, allowed))
        };
        self.imports.iter().find(is_ours).map(String::as_str)
    }

    /// Whether it answers HTTP requests.
    pub(crate) fn answers(&self) -> bool {
        self.exports.iter().any(|name| same(name, HANDLER))
    }

    /// Link it, or refuse it.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub(crate) fn link(&self, path: &Path, linker: &Linker<State>) -> Result<InstancePre<State>, LoadError> {
        let imports = self.forbidden();
        if !imports.is_empty() {
            return Err(LoadError::Forbidden { path: path.into(), imports });
        }
        if !self.answers() {
            return Err(LoadError::NoHandler { path: path.into() });
        }
        linker
            .instantiate_pre(&self.component)
            .map_err(|e| LoadError::Invalid { path: path.into(), message: format!("{e:#}") })
    }
}

/// Whether `name` is `allowed` up to the patch version.
fn same(name: &str, allowed: &str) -> bool {
    name.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// SHA-256 of a component file, in hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn a_patch_version_does_not_matter_and_a_longer_name_does() {
        assert!(same("wasi:io/poll@0.2.12", "wasi:io/poll@0.2"));
        assert!(!same("wasi:io/poll@0.20.1", "wasi:io/poll@0.2"));
        assert!(!same("wasi:io/pollute@0.2.0", "wasi:io/poll@0.2"));
        assert!(!same("wasi:sockets/tcp@0.2.0", "wasi:io/poll@0.2"));
    }
}
