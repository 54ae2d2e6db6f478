//! Why a tool came to no result.

use crate::access::Reader;
use crate::gitea;

/// Why a tool came to no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Gitea refused or failed.
    Gitea(gitea::Error),
    /// Something named in the arguments is not there.
    NotFound {
        /// What, and where to look.
        message: String,
    },
    /// The state of things forbids it.
    Conflict {
        /// One name for it.
        reason: &'static str,
        /// What stands in the way.
        message: String,
    },
    /// There is no room for it now.
    Busy {
        /// One name for it.
        reason: &'static str,
        /// What takes the room.
        message: String,
        /// Seconds to wait.
        seconds: u32,
    },
    /// Understood, but not possible with these values.
    Unprocessable {
        /// One name for it.
        reason: &'static str,
        /// Which value, and what would be possible.
        message: String,
    },
}

impl From<gitea::Error> for Error {
    fn from(error: gitea::Error) -> Self {
        Self::Gitea(error)
    }
}

impl Error {
    /// What happened and what to do. Not yet cleaned.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Gitea(error) => error.message(),
            Self::NotFound { message }
            | Self::Conflict { message, .. }
            | Self::Busy { message, .. }
            | Self::Unprocessable { message, .. } => message.clone(),
        }
    }

    /// This one in place of "not found": where a 404 is about one thing that the caller named.
    #[must_use]
    pub fn or_not_found(error: gitea::Error, message: impl FnOnce() -> String) -> Self {
        if matches!(error, gitea::Error::NotFound { .. }) {
            Self::NotFound { message: message() }
        } else {
            Self::Gitea(error)
        }
    }

    /// The same, telling the new name of a renamed repository only where the policy lists that one.
    pub(super) fn told_by(mut self, reader: &Reader<'_>) -> Self {
        if let Self::Gitea(gitea::Error::Renamed { owner, repo, told }) = &mut self {
            *told = reader.repository_listed(owner, repo);
        }
        self
    }
}
