//! The file operations that the registry needs, and no others, so that tests can fail each one of them.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use redb::StorageBackend;
use redb::backends::FileBackend;

/// The longest file that is read into memory, in bytes.
const READ_MAX: u64 = 512 << 20;

/// Why the lock was not taken.
#[derive(Debug)]
pub(super) enum NoLock {
    /// Another process holds it.
    Held,
    /// The lock file cannot be used.
    Unusable,
}

/// The directory of the registry, as the machine shows it.
pub(super) trait Volume: Send + Sync {
    /// Create a directory and those above it for the owner alone, unless it exists.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Take the lock; dropping what is returned releases it.
    fn lock(&self, path: &Path) -> Result<Box<dyn Send>, NoLock>;
    /// Open an existing file for reading and writing; none where there is no such file.
    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn StorageBackend>>>;
    /// Create a file, readable by the owner alone, that must not exist yet.
    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>>;
    /// All bytes of a file; none where there is no such file.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// How long a file is, in bytes; none where there is no such file.
    fn len(&self, path: &Path) -> io::Result<Option<u64>>;
    /// Give a file another name, over what may have it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Remove a file; done where there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Names of the files in a directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Make created, renamed and removed names durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// The file system of the machine.
pub(super) struct RealVolume;

impl Volume for RealVolume {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Send>, NoLock> {
        let writable = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
        // A lock file that cannot be written can still show that somebody holds it.
        let file = writable.or_else(|_| File::open(path)).map_err(|_| NoLock::Unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(NoLock::Held),
            Err(TryLockError::Error(_)) => Err(NoLock::Unusable),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn StorageBackend>>> {
        let Some(file) = present(OpenOptions::new().read(true).write(true).open(path))? else {
            return Ok(None);
        };
        // A file that an operator copied in may be readable by others; whoever owns it may say no.
        let _ = file.set_permissions(Permissions::from_mode(0o600));
        Ok(Some(Box::new(backend(file)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(backend(file)?))
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = present(File::open(path))? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(READ_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > READ_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is longer than 512 MiB"));
        }
        Ok(Some(bytes))
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        Ok(present(std::fs::metadata(path))?.map(|found| found.len()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        present(std::fs::remove_file(path)).map(|_| ())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        // A name that is not UTF-8 is none of ours.
        let names = std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

fn backend(file: File) -> io::Result<FileBackend> {
    FileBackend::new(file).map_err(io::Error::other)
}

fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
