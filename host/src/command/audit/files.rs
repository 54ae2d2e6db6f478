//! The files of a log as they lie in a directory or are named one by one, compressed or not. It reads nothing of what they
//! mean.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::progress::{Counted, Progress};
use super::{Problem, UNREADABLE, unreadable};
use crate::audit::names::Place;

/// Name of the active file where a directory is given.
pub(super) const ACTIVE: &str = "audit.log";

/// How much is read at once.
const BUFFER: usize = 1 << 20;

/// A file of a log.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) path: PathBuf,
    /// The first and last line that its name states.
    pub(super) named: Option<(u64, u64)>,
    /// The active file, opened when the others were listed: a server may close it, and begin another one of that name, before
    /// the others are read.
    held: Option<Arc<File>>,
}

impl Listed {
    /// The file, decompressed where its name says that it is compressed.
    pub(super) fn open(&self) -> io::Result<Box<dyn BufRead>> {
        self.open_counted(None)
    }

    /// [`Self::open`], with what is read of the file told to `progress`.
    pub(super) fn open_counted<'a>(
        &self,
        progress: Option<&'a Progress>,
    ) -> io::Result<Box<dyn BufRead + 'a>> {
        let file: Box<dyn Read> = match &self.held {
            Some(file) => Box::new(Held { file: Arc::clone(file), at: 0 }),
            None => Box::new(crate::regular::open(&self.path)?),
        };
        decompressed(&self.path, Counted::new(file, progress))
    }
}

/// An open file, read from its beginning however often it was read before.
struct Held {
    file: Arc<File>,
    at: u64,
}

impl Read for Held {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(out, self.at)?;
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

/// A file of the log, decompressed where its name says that it is compressed.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    decompressed(path, Counted::new(Box::new(crate::regular::open(path)?), None))
}

fn decompressed<'a>(path: &Path, file: Counted<'a>) -> io::Result<Box<dyn BufRead + 'a>> {
    let plain = BufReader::with_capacity(BUFFER, file);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => {
            let decoder = flate2::bufread::MultiGzDecoder::new(plain);
            Ok(Box::new(BufReader::with_capacity(BUFFER, decoder)))
        }
        Some("zst") => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(plain).map_err(io::Error::other)?;
            Ok(Box::new(BufReader::with_capacity(BUFFER, decoder)))
        }
        _ => Ok(Box::new(plain)),
    }
}

/// The file itself, opened if it is there.
fn held(path: &Path) -> io::Result<Option<File>> {
    match crate::regular::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a path names this very file.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    let found = std::fs::metadata(path).map(id).ok();
    found.is_some() && file.metadata().map(id).ok() == found
}

/// The files to verify, in order, with the first and last line that the names of closed segments state.
pub(super) fn files(path: &Path) -> Result<Vec<Listed>, Problem> {
    let cannot = |error: &io::Error| unreadable(path, error);
    let is_dir = std::fs::metadata(path).map_err(|error| cannot(&error))?.is_dir();
    let active = if is_dir { path.join(ACTIVE) } else { path.to_path_buf() };
    if !is_dir {
        let named = Place::of_segment(path).map(|closed| (closed.first, closed.last));
        return Ok(vec![Listed { path: active, named, held: None }]);
    }
    // Before the others are listed: should it be closed meanwhile, it is among them, and nothing is missed.
    let held = held(&active).map_err(|error| unreadable(&active, &error))?;
    let mut closed = Vec::new();
    for name in names(path).map_err(|error| cannot(&error))? {
        let path = path.join(name);
        let segment = Place::of_segment(&path).filter(|segment| segment.stem == "audit");
        closed.extend(segment.map(|segment| (path, (segment.first, segment.last))));
    }
    // While a segment is being compressed it is there twice; the name without an ending sorts first.
    closed.sort_by(|(one, a), (other, b)| (a, one).cmp(&(b, other)));
    closed.dedup_by(|(_, later), (_, earlier)| later == earlier);
    let held = held.filter(|file| !closed.last().is_some_and(|(path, _)| is_at(file, path)));
    let mut files: Vec<Listed> =
        closed.into_iter().map(|(path, named)| Listed { path, named: Some(named), held: None }).collect();
    files.extend(held.map(|file| Listed { path: active, named: None, held: Some(Arc::new(file)) }));
    if files.is_empty() {
        let what = format!("holds neither {ACTIVE} nor audit-<first>-<last>.jsonl");
        return Err(Problem { path: path.to_path_buf(), line: None, what, code: UNREADABLE });
    }
    Ok(files)
}

/// The names in a directory. One that is not UTF-8 is none of ours.
pub(super) fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(listed: &[Listed]) -> Vec<String> {
        let text = |listed: &Listed| {
            let mut text = String::new();
            listed.open().unwrap().read_to_string(&mut text).unwrap();
            text
        };
        listed.iter().map(text).collect()
    }

    #[test]
    fn what_was_active_when_the_files_were_listed_is_read_whatever_becomes_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("audit-000000000001-000000000002.jsonl"), "one").unwrap();
        std::fs::write(at(ACTIVE), "two").unwrap();
        let listed = files(folder.path()).unwrap();
        std::fs::rename(at(ACTIVE), at("audit-000000000003-000000000004.jsonl")).unwrap();
        assert_eq!(texts(&listed), ["one", "two"]);
        std::fs::write(at(ACTIVE), "three").unwrap();
        assert_eq!(texts(&listed), ["one", "two"], "and again from its beginning");
        assert_eq!(texts(&files(folder.path()).unwrap()), ["one", "two", "three"]);
    }

    #[test]
    fn between_two_segments_the_closed_ones_are_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("audit-000000000001-000000000002.jsonl");
        std::fs::write(&closed, "one").unwrap();
        assert_eq!(texts(&files(folder.path()).unwrap()), ["one"]);
        // As it looks to somebody who opened it a moment before it was closed.
        std::fs::hard_link(&closed, folder.path().join(ACTIVE)).unwrap();
        assert_eq!(texts(&files(folder.path()).unwrap()), ["one"]);
    }
}
