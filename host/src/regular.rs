//! Opening files that somebody else may have put there: only regular ones. A pipe or a device may have no end, or none that
//! comes, and opening a pipe waits for somebody who writes to it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// A regular file to read.
///
/// # Errors
/// It cannot be opened, or is no regular file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    checked(File::from(opened))
}

/// The content of a regular file of at most so many bytes.
///
/// # Errors
/// As [`open`], or it is larger (`FileTooLarge`).
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {most} bytes")));
    }
    Ok(bytes)
}

/// A regular file to write, made where there is none, for the owner alone. A link is not followed: it may lead to a file
/// that is somebody else's to change.
///
/// # Errors
/// It cannot be opened, is a link, or is no regular file.
pub(crate) fn own(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    checked(File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?))
}

/// A regular file that is there, to read and to append to. A link is not followed.
///
/// # Errors
/// It cannot be opened, is a link, or is no regular file.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::LOOP) => Err(unusable("it is a link: name the file itself")),
        opened => checked(File::from(opened?)),
    }
}

fn checked(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(unusable("it is no regular file")) }
}

fn unusable(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn pipes_devices_directories_and_links_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        std::fs::write(at("file"), b"12345").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        for path in [at("pipe"), folder.path().to_owned(), "/dev/zero".into()] {
            assert_eq!(open(&path).unwrap_err().to_string(), "it is no regular file", "{}", path.display());
        }
        assert!(own(&at("pipe")).is_err() && own(&at("link")).is_err() && own(folder.path()).is_err());
        assert!(append(&at("pipe")).is_err() && append(folder.path()).is_err());
        assert!(append(&at("link")).unwrap_err().to_string().contains("a link"));
        assert!(append(&at("file")).is_ok());
        assert!(own(&at("file")).is_ok() && own(&at("fresh")).is_ok());
        assert_eq!(read(&at("link"), 5).unwrap(), b"12345");
        assert_eq!(read(&at("file"), 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
