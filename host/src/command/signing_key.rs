//! Where the key comes from that signs the audit log's checkpoints: a file that the operator names, or one made once beside
//! the registry. Never from the volume of the log itself: whoever may write there could sign what they wrote.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
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
    /// It lies in the directory of the log, or below it.
    beside: bool,
}

impl KeyFile {
    /// The file that the settings name, or the one beside the registry.
    pub(super) fn of(settings: &Settings) -> Self {
        let named = settings.audit_signing_key_file();
        let path = named.map_or_else(|| directory(settings.dcr_storage_path()).join(NAME), Path::to_owned);
        let beside = within(&path, directory(settings.audit_log_path()));
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
                "AUDIT_SIGNING_KEY_FILE={} lies in the directory of the audit log or below it: whoever can change the log could sign it anew; keep the key elsewhere",
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
        if std::fs::metadata(path).is_ok_and(|found| found.mode() & 0o022 != 0) {
            tracing::warn!(event = "audit_key_open", path = %path.display(), "others than its owner may change the file of the key that signs the audit log: chmod go-w");
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

/// Most links on the way to a key.
const LINKS: usize = 40;

/// Whether the way to a file leads through a directory or anything below it, by its name or by a link: whoever may write there
/// can put another file in its place.
fn within(file: &Path, other: &Path) -> bool {
    let (other, mut here, mut links) =
        (std::fs::canonicalize(other).unwrap_or_else(|_| other.to_owned()), PathBuf::new(), 0);
    let parts =
        |path: &Path| path.components().rev().map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>();
    let mut left = parts(&std::path::absolute(file).unwrap_or_else(|_| file.to_owned()));
    while let Some(part) = left.pop() {
        if part == ".." {
            here.pop();
            continue;
        }
        let next = here.join(part);
        if next.starts_with(&other) {
            return true;
        }
        match std::fs::read_link(&next) {
            Ok(target) if links < LINKS => {
                links += 1;
                left.extend(parts(&target));
            }
            // It cannot be followed to its end.
            Ok(_) => return true,
            Err(_) => here = next,
        }
    }
    false
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
    fn a_key_below_the_log_or_behind_a_link_into_it_lies_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["log/keys", "elsewhere"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        std::fs::write(at("log/keys/key.pem"), "").unwrap();
        std::os::unix::fs::symlink(at("log/keys/key.pem"), at("elsewhere/link.pem")).unwrap();
        std::os::unix::fs::symlink(at("log/keys"), at("keys")).unwrap();
        std::os::unix::fs::symlink(at("elsewhere/key.pem"), at("log/link.pem")).unwrap();
        std::os::unix::fs::symlink(at("elsewhere"), at("log/there")).unwrap();
        std::os::unix::fs::symlink("log/there", at("hop")).unwrap();
        for name in ["log/key.pem", "log/keys/key.pem", "elsewhere/link.pem", "keys/key.pem", "log/link.pem"]
        {
            assert!(within(&at(name), &at("log")), "{name}");
        }
        assert!(!within(&at("elsewhere/key.pem"), &at("log")) && !within(&at("logs/key.pem"), &at("log")));
    }

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
