//! Where the key comes from that signs the audit log's checkpoints: a file that the operator names, or one made once beside
//! the registry. Never from the volume of the log itself: whoever may write there could sign what they wrote.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::private_file::directory;
use crate::audit::signer::{Signer, fresh_pem};
use crate::settings::Settings;
use crate::shared::{SystemRandom, random_name};

/// Longest file of keys, in bytes: each has about 120.
const MOST: u64 = 64 * 1024;

/// Name of the file beside the registry.
const NAME: &str = "audit-signing.key";

/// Where the key lies.
#[derive(Clone)]
pub(super) struct KeyFile {
    path: PathBuf,
    /// The operator named it.
    named: bool,
    /// It lies in the directory of the log.
    beside: bool,
}

impl KeyFile {
    /// The file that the settings name, or the one beside the registry.
    pub(super) fn of(settings: &Settings) -> Self {
        let named = settings.audit_signing_key_file();
        let path = named.map_or_else(|| directory(settings.dcr_storage_path()).join(NAME), Path::to_owned);
        let beside = same(directory(&path), directory(settings.audit_log_path()));
        Self { named: named.is_some(), path, beside }
    }

    /// The path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The key of this server, made where there is none yet.
    ///
    /// # Errors
    /// For a person: the file that was named cannot be used, or the one beside the registry holds something else.
    pub(super) fn load(&self) -> Result<Arc<Signer>, String> {
        let Self { path, named, beside } = self;
        if *named && *beside {
            return Err(format!(
                "AUDIT_SIGNING_KEY_FILE={} lies in the directory of the audit log: whoever can change the log could sign it anew; keep the key elsewhere",
                path.display()
            ));
        }
        let text = match crate::regular::read(path, MOST) {
            Ok(text) => text,
            Err(error) if *named => {
                return Err(format!("AUDIT_SIGNING_KEY_FILE={} cannot be read: {error}", path.display()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match made(path) {
                Ok(text) => text,
                Err(error) => return Ok(volatile(path, &error)),
            },
            Err(error) => return Ok(volatile(path, &error)),
        };
        if *beside {
            tracing::warn!(event = "audit_key_beside_log", path = %path.display(), "the key that signs the audit log lies beside it: name another place by AUDIT_SIGNING_KEY_FILE");
        }
        self.parsed(text)
    }

    /// The key that the file holds now; none where there is no file.
    ///
    /// # Errors
    /// It cannot be read or holds something else.
    pub(super) fn again(&self) -> Result<Option<Arc<Signer>>, String> {
        match crate::regular::read(&self.path, MOST) {
            Ok(text) => self.parsed(text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{} cannot be read: {error}", self.path.display())),
        }
    }

    fn parsed(&self, text: Vec<u8>) -> Result<Arc<Signer>, String> {
        let text = zeroize::Zeroizing::new(text);
        Signer::from_pem(&text).map(Arc::new).map_err(|error| format!("{} {error}", self.path.display()))
    }
}

/// A key that ends with this process, for a registry that cannot be written.
fn volatile(path: &Path, error: &io::Error) -> Arc<Signer> {
    tracing::warn!(event = "audit_key_volatile", path = %path.display(), %error, "the key that signs the audit log cannot be kept: each start has another one, and nothing proves that it follows the one before; set AUDIT_SIGNING_KEY_FILE");
    Arc::new(Signer::fresh(&SystemRandom))
}

/// Whether two directories are one, also by another name.
fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

/// Make the key. Of two processes that do so at once, both get the one that came to be there.
fn made(path: &Path) -> io::Result<Vec<u8>> {
    let folder = directory(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let fresh = folder.join(format!("{NAME}.{}", random_name()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let done = file.write_all(fresh_pem(&SystemRandom).as_bytes()).and_then(|()| file.sync_all());
    let done = done.and_then(|()| match put(&fresh, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    });
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return done.and(Err(error)),
        Ok(()) | Err(_) => done?,
    }
    File::open(folder)?.sync_all()?;
    std::fs::read(path)
}

/// Give a file its name, where nothing has it yet: by renaming, which the container's filter of system calls lets pass, and
/// by a link where the file system cannot rename so.
fn put(fresh: &Path, path: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, fresh, CWD, path, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => std::fs::hard_link(fresh, path),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry").join(NAME);
        let first = made(&path).unwrap();
        assert_eq!(made(&path).unwrap(), first);
        assert!(Signer::from_pem(&first).is_ok());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
