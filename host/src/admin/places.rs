//! Where the operator's socket and the registry are. The socket stands beside the registry; where nothing can be made
//! there it stands beside the audit log, which must be writable for any tool to run, under a name of that log: only one
//! server has a log, so the name is nobody else's.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::settings::Settings;

/// The two places of the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// `admin.sock` beside the registry.
    pub(super) home: PathBuf,
    /// The audit log's name followed by `.admin.sock`, beside it.
    pub(super) stand_in: PathBuf,
}

impl Places {
    /// By `DCR_STORAGE_PATH` and `AUDIT_LOG_PATH`.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self::beside(settings.dcr_storage_path(), settings.audit_log_path())
    }

    /// Where a server without sign-in has it: beside its audit log.
    pub(crate) fn beside_audit(audit: &Path) -> Self {
        let Self { stand_in, .. } = Self::beside(Path::new(""), audit);
        Self { home: stand_in.clone(), stand_in }
    }

    pub(super) fn beside(storage: &Path, audit: &Path) -> Self {
        let mut name = audit.file_name().unwrap_or_default().to_owned();
        name.push(".admin.sock");
        Self { home: socket_beside(storage), stand_in: directory(audit).join(name) }
    }
}

/// Where a socket was looked for, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tried(pub(super) Vec<PathBuf>);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.0.iter().map(|path| path.display().to_string()).collect();
        f.write_str(&shown.join(" or "))
    }
}

/// The directory of a file.
fn directory(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        Some(_) | None => PathBuf::from("."),
    }
}

/// Where the socket is, by the value of `DCR_STORAGE_PATH`.
pub(super) fn socket_beside(storage: &Path) -> PathBuf {
    directory(storage).join("admin.sock")
}

/// Where the registry's file is, by the value of `DCR_STORAGE_PATH`.
pub(super) fn registry_beside(storage: &Path) -> PathBuf {
    directory(storage).join("registry.redb")
}
