//! What a guest is given at a start: the policy in force, and the settings that it may read. `serve` starts with it, and
//! `doctor` looks at the very same.

use std::io;
use std::path::{Path, PathBuf};

use crate::policy;
use crate::settings::Settings;

/// The document that `POLICY_FILE_PATH` names cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "POLICY_FILE_PATH={path:?} cannot be read: {error}; name a readable file, or leave it empty for the built-in policy"
)]
pub(super) struct NoPolicy {
    path: PathBuf,
    error: io::Error,
}

impl NoPolicy {
    /// The file's name, where it is longer than a policy may be.
    pub(super) fn too_long(&self) -> Option<String> {
        (self.error.kind() == io::ErrorKind::FileTooLarge).then(|| self.path.display().to_string())
    }
}

/// The policy document's name for messages, and its bytes.
///
/// # Errors
/// See [`NoPolicy`].
pub(super) fn policy(settings: &Settings) -> Result<(String, Vec<u8>), NoPolicy> {
    let path = settings.policy_file_path();
    let name = path.map_or_else(|| "the built-in policy".to_owned(), |path| path.display().to_string());
    match policy::read(path) {
        Ok(bytes) => Ok((name, bytes)),
        Err(error) => Err(NoPolicy { path: path.map(Path::to_owned).unwrap_or_default(), error }),
    }
}

/// What guests may read, with the origin that sign-in needs even where nobody set it.
pub(super) fn guest_values(settings: &Settings, origin: &str) -> Vec<(String, String)> {
    let mut values: Vec<_> =
        settings.guest_values().into_iter().filter(|(_, value)| !value.is_empty()).collect();
    if settings.oauth_mode() && settings.public_base_url().is_none() {
        values.push(("PUBLIC_BASE_URL".to_owned(), origin.to_owned()));
    }
    values
}
