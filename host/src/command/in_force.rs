//! What a guest is given at a start: the policy in force, and the settings that it may read. `serve` starts with it, and
//! `doctor` looks at the very same.

use std::io;
use std::path::{Path, PathBuf};

use crate::settings::Settings;

/// The policy in force where none is named. The same file is built into the guest.
const DEFAULT_POLICY: &[u8] = include_bytes!("../../../policy/default.yaml");
/// Largest policy document that is read, in bytes.
const MAX_POLICY: u64 = 1 << 20;

/// The document that `POLICY_FILE_PATH` names cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "POLICY_FILE_PATH={path:?} cannot be read: {error}; name a readable file, or leave it empty for the built-in policy"
)]
pub(super) struct NoPolicy {
    path: PathBuf,
    error: io::Error,
}

/// The policy document's name for messages, and its bytes.
///
/// # Errors
/// See [`NoPolicy`].
pub(super) fn policy(settings: &Settings) -> Result<(String, Vec<u8>), NoPolicy> {
    match settings.policy_file_path() {
        None => Ok(("the built-in policy".to_owned(), DEFAULT_POLICY.to_vec())),
        Some(path) => match read(path) {
            Ok(bytes) => Ok((path.display().to_string(), bytes)),
            Err(error) => Err(NoPolicy { path: path.to_owned(), error }),
        },
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    io::Read::read_to_end(&mut io::Read::take(file, MAX_POLICY + 1), &mut bytes)?;
    if bytes.len() as u64 > MAX_POLICY {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
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
