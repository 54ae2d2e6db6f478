//! Files that hold secrets: written beside, for the owner alone, and put in place when they are whole and on the disk.
//! Whatever happens, the file is what it was or what it should be.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Room for a file that is about to be written, taken from the disk already. Dropped, it leaves nothing behind.
pub(super) struct Reserved {
    path: PathBuf,
    fresh: PathBuf,
    file: File,
}

/// The directory of a file.
pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Nobody else changes a file of this directory in this way until the lock is dropped. The directory itself is locked,
/// so that no file is left behind.
///
/// # Errors
/// It cannot be opened; `WouldBlock` where somebody else is at it.
pub(super) fn lock(directory: &Path) -> io::Result<File> {
    let held = File::open(directory)?;
    held.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => io::Error::new(
            io::ErrorKind::WouldBlock,
            "another command is changing files of this directory; run it again when that one is done",
        ),
        std::fs::TryLockError::Error(error) => error,
    })?;
    Ok(held)
}

/// Take room for so many bytes in place of `path`, under another name. Whoever calls this holds [`lock`].
///
/// # Errors
/// The directory cannot be written, or the disk is full.
pub(super) fn reserve(path: &Path, bytes: usize) -> io::Result<Reserved> {
    // Where the name is a link, what it points to is replaced, not the link.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    // What an interrupted run left.
    let _ = std::fs::remove_file(&fresh);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let mut reserved = Reserved { path, fresh, file };
    // Run as root it must stay readable for the server's user: as the file was, or as the directory is.
    let owner =
        std::fs::metadata(&reserved.path).or_else(|_| std::fs::metadata(directory(&reserved.path)))?;
    if owner.uid() != reserved.file.metadata()?.uid() {
        std::os::unix::fs::fchown(&reserved.file, Some(owner.uid()), Some(owner.gid()))?;
    }
    reserved.file.write_all(&vec![b'\n'; bytes])?;
    reserved.file.sync_all()?;
    Ok(reserved)
}

impl Reserved {
    /// Write the text and put the file in place.
    ///
    /// # Errors
    /// As the system says; the file is then what it was.
    pub(super) fn put(mut self, text: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(text)?;
        self.file.set_len(u64::try_from(text.len()).map_err(io::Error::other)?)?;
        self.file.sync_all()?;
        std::fs::rename(&self.fresh, &self.path)?;
        File::open(directory(&self.path))?.sync_all()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        // After `put` there is no file of this name any more.
        let _ = std::fs::remove_file(&self.fresh);
    }
}

/// [`reserve`] and [`Reserved::put`] in one.
///
/// # Errors
/// As they.
pub(super) fn put(path: &Path, text: &[u8]) -> io::Result<()> {
    reserve(path, text.len())?.put(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        put(&path, b"first, and longer").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::write(folder.path().join("secrets.new"), "what a kill left").unwrap();
        put(&path, b"second").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_left_behind_where_the_file_cannot_be_put_in_place_or_is_not_wanted_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        std::fs::create_dir(&path).unwrap();
        assert!(put(&path, b"text").is_err());
        drop(reserve(&folder.path().join("other"), 100).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_a_link_and_one_at_a_time_writes() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::write(&real, "before").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let held = lock(folder.path()).unwrap();
        assert_eq!(lock(folder.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        put(&link, b"after").unwrap();
        drop(held);
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "after");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(lock(folder.path()).is_ok());
    }
}
