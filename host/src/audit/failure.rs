//! Why a batch could not be made durable, and what to do about it. It mends nothing.

use std::io;
use std::path::Path;

use super::OpenError;

/// Why a batch could not be made durable.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{doing}: {source}")]
    Io { doing: &'static str, source: io::Error },
    #[error("{0}")]
    Foreign(String),
    #[error("{0}")]
    Shut(OpenError),
}

impl Failure {
    /// What a person has to do, where that is not part of the message: somebody else's hand on the log says so itself.
    pub(super) fn mend(&self, log: &Path) -> String {
        match self {
            Self::Foreign(_) => String::new(),
            Self::Shut(OpenError::Unwritable { path, .. }) => crate::mend::writable(path),
            Self::Io { .. } | Self::Shut(_) => crate::mend::writable(log),
        }
    }

    pub(super) fn disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_full(source),
            Self::Foreign(_) | Self::Shut(_) => false,
        }
    }
}

/// Whether there was no room, or none that this process may use.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

pub(super) fn doing(doing: &'static str) -> impl Fn(io::Error) -> Failure {
    move |source| Failure::Io { doing, source }
}
