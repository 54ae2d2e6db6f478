//! The file operations that the audit log needs, and no others, so that tests can fail each one of them.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::metrics::Timed;

/// Which file it is (device and inode) and how long it is in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) id: (u64, u64),
    pub(super) len: u64,
}

/// Room on a volume, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// What this process may still write.
    pub(super) free: u64,
    /// The whole volume.
    pub(super) total: u64,
}

/// Why the lock was not taken.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process holds it.
    Held,
    /// The lock file cannot be used.
    Io(io::Error),
}

/// One directory of log files. Paths are absolute or relative to the working directory.
pub(super) trait LogFs: Send + Sync {
    /// Create a directory for the owner alone, unless it exists.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Take the lock; dropping what is returned releases it.
    fn lock(&self, path: &Path) -> Result<Box<dyn Send>, LockError>;
    /// Open an existing regular file for reading and appending; none where there is no such file. No link is followed.
    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn LogFile>>>;
    /// The content of a regular file of at most so many bytes; none where there is no such file.
    fn content(&self, path: &Path, most: u64) -> io::Result<Option<Vec<u8>>>;
    /// Create a file, readable by the owner alone, that must not exist yet.
    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>>;
    /// What the path names now, without following a link.
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>>;
    /// Give a file another name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Remove a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Names of the files in a directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Have a file of at least that length, with room on the volume for all of it.
    fn reserve(&self, path: &Path, len: u64) -> io::Result<()>;
    /// What is left on the volume of a directory.
    fn space(&self, dir: &Path) -> io::Result<Space>;
    /// Make created, renamed and removed names durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open log file.
pub(super) trait LogFile: Send {
    /// Which file this is and how long it is.
    fn stat(&self) -> io::Result<Stat>;
    /// Append all bytes. After an error any part of them may have been appended.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Make the content durable. After an error it must not be called on this file again: the kernel may have
    /// dropped the unwritten pages and would report success.
    fn sync(&mut self) -> io::Result<()>;
    /// Cut the file to a length.
    fn cut(&mut self, len: u64) -> io::Result<()>;
    /// Read at an offset; 0 at the end.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize>;
}

/// How long syncs took.
pub(super) type SyncTimes = Arc<Timed<0>>;

/// The file system of the machine.
pub(super) struct RealFs {
    syncs: SyncTimes,
}

impl RealFs {
    /// One that notes here how long the syncs of its files take.
    pub(super) fn new(syncs: SyncTimes) -> Self {
        Self { syncs }
    }

    fn file(&self, file: File) -> Box<dyn LogFile> {
        Box::new(RealFile { file, syncs: self.syncs.clone() })
    }
}

impl LogFs for RealFs {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        }
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Send>, LockError> {
        let file = crate::regular::own(path).map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(LockError::Held),
            Err(TryLockError::Error(error)) => Err(LockError::Io(error)),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn LogFile>>> {
        match crate::regular::append(path) {
            Ok(file) => Ok(Some(self.file(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn content(&self, path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        match crate::regular::read(path, most) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            done => done.map(Some),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        let file = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(path)?;
        Ok(self.file(file))
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        match std::fs::symlink_metadata(path) {
            Ok(found) => Ok(Some(Stat { id: (found.dev(), found.ino()), len: found.len() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        // A name that is not UTF-8 is none of ours.
        let names = std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn reserve(&self, path: &Path, len: u64) -> io::Result<()> {
        let file = crate::regular::own(path)?;
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len) {
            // Not every file system can: bytes that were written have their room too.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                let zeros = vec![0; usize::try_from(len).map_err(io::Error::other)?];
                file.write_all_at(&zeros, 0)?;
            }
            done => done?,
        }
        file.sync_all()
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(dir)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Space { free: bytes(found.f_bavail), total: bytes(found.f_blocks) })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

struct RealFile {
    file: File,
    syncs: SyncTimes,
}

impl LogFile for RealFile {
    fn stat(&self) -> io::Result<Stat> {
        let found = self.file.metadata()?;
        Ok(Stat { id: (found.dev(), found.ino()), len: found.len() })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let began = Instant::now();
        let done = self.file.sync_data();
        self.syncs.observe([], began.elapsed());
        done
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(out, offset)
    }
}

/// Reads a log file from an offset to its end.
pub(super) struct Tail<'a> {
    pub(super) file: &'a dyn LogFile,
    pub(super) offset: u64,
}

impl io::Read for Tail<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(self.offset, out)?;
        self.offset = self.offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}
