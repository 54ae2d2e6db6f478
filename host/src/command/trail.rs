//! The audit trail of a server, opened at the path that the settings name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::EXIT_LOCKED;
use super::private_file::directory;
use super::serve::NoStart;
use super::signing_key::KeyFile;
use crate::audit::signer::Signer;
use crate::audit::{OpenError, Opening, Trail};
use crate::settings::Settings;
use crate::shared::{SystemClock, SystemRandom};

/// The trail of a server.
pub(super) fn open_trail(settings: &Settings, policy: &str, component: &str) -> Result<Trail, NoStart> {
    let path = settings.audit_log_path();
    let signer = KeyFile::of(settings).load().map_err(NoStart::settings)?;
    trail_at(settings, path, (policy, component), signer).map_err(|error| {
        let code = if matches!(error, OpenError::Locked { .. }) { EXIT_LOCKED } else { 1 };
        let message =
            format!("the audit log cannot be used: {error}; AUDIT_LOG_PATH={} names it", path.display());
        NoStart(code, vec![message])
    })
}

/// The trail at a path, begun or continued.
///
/// # Errors
/// See [`OpenError`].
pub(super) fn trail_at(
    settings: &Settings,
    path: &Path,
    (policy, component): (&str, &str),
    signer: Arc<Signer>,
) -> Result<Trail, OpenError> {
    let opening = Opening {
        path: path.to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        policy_digest: policy.to_owned(),
        component_digest: component.to_owned(),
        signer,
        high_water: Some(last_checkpoint(settings, path)),
        min_free: settings.audit_min_free_bytes(),
    };
    Trail::open(opening, Arc::new(SystemClock), Arc::new(SystemRandom))
}

/// Where the last checkpoint of a log is kept once more: beside the registry, under a name that follows from the log's path,
/// since several servers may have one directory for their registries.
fn last_checkpoint(settings: &Settings, log: &Path) -> PathBuf {
    let log = std::path::absolute(log).unwrap_or_else(|_| log.to_owned());
    let digest = Sha256::digest(log.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    directory(settings.dcr_storage_path()).join(format!("audit-last-{name}.checkpoint"))
}
