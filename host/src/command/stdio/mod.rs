//! `aegis-mcp stdio`: one client on this machine, over standard input and output. The same guest, policy, audit log and
//! limits as over HTTP, by the same intake; what differs is only how a message comes in. No port is opened.
//!
//! Nothing but the protocol is ever written to standard output.

mod alone;
mod message;
mod pipes;
mod talk;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use super::log::log_to_stderr;
use super::serve::{NoStart, Ready, make_ready};
use super::signing_key::KeyFile;
use super::trail::trail_at;
use super::{EXIT_LOCKED, EXIT_SETTINGS, complain};
use crate::anchor::Anchor;
use crate::audit::{OpenError, Trail};
use crate::push::Receivers;
use crate::serve::{Last, Server, local, stop_signal};
use crate::settings::{Process, Settings};
use crate::trace::{Exporter, Exporting};

/// How many of these may run with one AUDIT_LOG_PATH at once: each client starts its own, and each has a log of its own.
const MOST: u32 = 64;

/// Serve one client until it closes standard input, SIGTERM or Ctrl-C.
pub(super) fn run(env_file: Option<&PathBuf>) -> ExitCode {
    let settings = match Settings::load(&alone::Alone(&Process), env_file.map(PathBuf::as_path)) {
        Ok(settings) => settings,
        Err(problems) => {
            problems.iter().for_each(|problem| complain(&problem.to_string()));
            complain(
                "Nothing was started. A personal token of Gitea is all that this needs: `aegis-mcp setup solo` writes the \
                 settings; name their file by --env-file.",
            );
            return ExitCode::from(EXIT_SETTINGS);
        }
    };
    log_to_stderr(settings.log_level());
    match serve(&settings) {
        Ok(code) => code,
        Err(NoStart(code, messages)) => {
            messages.iter().for_each(|message| complain(message));
            ExitCode::from(code)
        }
    }
}

fn serve(settings: &Settings) -> Result<ExitCode, NoStart> {
    let user = format!("stdio-uid-{}", rustix::process::geteuid().as_raw());
    let origin = || Ok("http://127.0.0.1".to_owned());
    let Ready { front, guests, shared, capacity, pending } =
        make_ready(settings, origin, &open_trail, Some(user.clone()))?;
    let anchor = Anchor::of(settings).map_err(NoStart::settings)?;
    let receivers = Receivers::of(settings).map_err(NoStart::settings)?;
    let exporter = Exporter::of(settings).map_err(NoStart::settings)?;
    let code = front.block_on(async {
        let stop = stop_signal().map_err(|e| NoStart::failed(format!("no signal handlers: {e}")))?;
        tracing::info!(
            event = "stdio",
            version = env!("CARGO_PKG_VERSION"),
            caller = user,
            component = %shared.in_force.guest().digest(),
            policy = %shared.in_force.policy().digest,
            writes = settings.write_mode(),
        );
        crate::anchor::attend(&shared, anchor);
        let pushing = receivers.attend(&shared);
        let exporting = exporter.map_or_else(Exporting::default, |exporter| exporter.attend(&shared));
        let server = Server::new(shared, settings, capacity);
        Ok(local::run(server, (pending, Last { pushing, exporting }), |server| talk::talk(server, stop))
            .await)
    });
    guests.shutdown_timeout(std::time::Duration::from_secs(1));
    code
}

/// The first log that no other client writes: `stdio-1/audit.log` and so on, beside the server's.
fn open_trail(settings: &Settings, policy: &str, component: &str) -> Result<Trail, NoStart> {
    let signer = KeyFile::of(settings).load().map_err(|text| NoStart(EXIT_SETTINGS, vec![text]))?;
    let path = settings.audit_log_path();
    let directory = path.parent().unwrap_or(std::path::Path::new("."));
    let name = path.file_name().unwrap_or_default();
    // As the server makes it for its own log. Where it cannot be made, what follows says why.
    let _ = std::fs::DirBuilder::new().mode(0o700).create(directory);
    for number in 1..=MOST {
        let own = directory.join(format!("stdio-{number}")).join(name);
        match trail_at(settings, &own, (policy, component), signer.clone()) {
            Ok(trail) => {
                tracing::info!(event = "audit_log", path = %own.display());
                return Ok(trail);
            }
            Err(OpenError::Locked(_)) => {}
            Err(error) => {
                let text = format!(
                    "the audit log cannot be used: {error}; AUDIT_LOG_PATH={} says where it is: name a file in a directory \
                     of yours, as `aegis-mcp setup solo` does",
                    path.display()
                );
                return Err(NoStart(1, vec![text]));
            }
        }
    }
    let text = format!(
        "{MOST} clients run with AUDIT_LOG_PATH={} already; end some, or name another file",
        path.display()
    );
    Err(NoStart(EXIT_LOCKED, vec![text]))
}
