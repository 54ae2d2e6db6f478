//! Copies of the registry: written while the server runs, read by a restore.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::file::{Broken, Registry};
use super::row::Row;
use super::volume::{RealVolume, Volume as _};

/// Why there is no backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BackupError {
    /// The target is the registry itself.
    #[error("{0} is the registry itself; name another file")]
    Same(PathBuf),
    /// The registry cannot be read.
    #[error("the registry cannot be copied: {0}")]
    Source(String),
    /// The target cannot be written.
    #[error("{0} cannot be written: {1}")]
    Target(PathBuf, String),
    /// The server is stopping.
    #[error("the registry is closed")]
    Closed,
}

/// Why a backup cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// There is no such file.
    #[error("{0} does not exist")]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
    /// It is no registry of this version.
    #[error("{0} is not a backup that this version reads: {1}")]
    Foreign(PathBuf, String),
}

/// Write rows as a new registry file, readable by the owner alone, in place of what has that name. It appears
/// whole or not at all.
///
/// # Errors
/// See [`BackupError`].
pub(super) fn write(registry: &Path, to: &Path, rows: &[Row]) -> Result<(), BackupError> {
    if is_same(registry, to) {
        return Err(BackupError::Same(to.to_path_buf()));
    }
    let target = |error: &dyn ToString| BackupError::Target(to.to_path_buf(), error.to_string());
    let name = to.file_name().ok_or_else(|| target(&"it names no file"))?;
    let mut part = name.to_os_string();
    part.push(format!(".part-{}", std::process::id()));
    let part = to.with_file_name(part);
    let done = copy(&part, to, rows);
    if done.is_err() {
        // The error that is told says more than what becomes of the part.
        let _ = RealVolume.remove(&part);
    }
    done.map_err(|error| target(&error))
}

fn copy(part: &Path, to: &Path, rows: &[Row]) -> Result<(), Broken> {
    RealVolume.remove(part).map_err(Broken::Io)?;
    let registry = Registry::create(RealVolume.create(part).map_err(Broken::Io)?)?;
    registry.apply(Some(rows), std::iter::empty())?;
    registry.close()?;
    RealVolume.rename(part, to).map_err(Broken::Io)?;
    let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    RealVolume.sync_dir(directory.unwrap_or(Path::new("."))).map_err(Broken::Io)
}

/// Whether two names name one file now.
fn is_same(one: &Path, other: &Path) -> bool {
    let id = |path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    one == other || id(one).is_some_and(|found| id(other) == Some(found))
}

/// The rows of a backup, or of a registry that no server has open. Nothing is written.
///
/// # Errors
/// See [`RestoreError`].
pub(crate) fn read_backup(path: &Path) -> Result<Vec<Row>, RestoreError> {
    let named = || path.to_path_buf();
    let bytes = RealVolume.read(path).map_err(|error| RestoreError::Unreadable(named(), error))?;
    let bytes = bytes.ok_or_else(|| RestoreError::Missing(named()))?;
    Registry::rows_in(&bytes).map_err(|error| RestoreError::Foreign(named(), error.to_string()))
}
