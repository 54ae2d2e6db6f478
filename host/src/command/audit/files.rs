//! The files of a log as they lie in a directory or are named one by one, compressed or not. It reads nothing of what they
//! mean.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::progress::{Counted, Progress};
use super::{Problem, UNREADABLE, unreadable};
use crate::audit::names::Place;

/// Name of the active file where a directory is given.
pub(super) const ACTIVE: &str = "audit.log";

/// How much is read at once.
const BUFFER: usize = 1 << 20;

/// A file to verify, with the first and last line that its name states.
pub(super) type Listed = (PathBuf, Option<(u64, u64)>);

/// A file of the log, decompressed where its name says that it is compressed.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    open_counted(path, None)
}

/// [`open`], with what is read of the file told to `progress`.
pub(super) fn open_counted<'a>(
    path: &Path,
    progress: Option<&'a Progress>,
) -> io::Result<Box<dyn BufRead + 'a>> {
    let file = Counted::new(crate::regular::open(path)?, progress);
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

/// The files to verify, in order, with the first and last line that the names of closed segments state.
pub(super) fn files(path: &Path) -> Result<Vec<Listed>, Problem> {
    let cannot = |error: &io::Error| unreadable(path, error);
    let is_dir = std::fs::metadata(path).map_err(|error| cannot(&error))?.is_dir();
    let active = if is_dir { path.join(ACTIVE) } else { path.to_path_buf() };
    if !is_dir {
        let closed = Place::of_segment(path);
        return Ok(vec![(active, closed.map(|closed| (closed.first, closed.last)))]);
    }
    let mut files = Vec::new();
    for name in names(path).map_err(|error| cannot(&error))? {
        let path = path.join(name);
        let closed = Place::of_segment(&path).filter(|closed| closed.stem == "audit");
        files.extend(closed.map(|closed| (path, Some((closed.first, closed.last)))));
    }
    // While a segment is being compressed it is there twice; the name without an ending sorts first.
    files.sort_by(|(one, a), (other, b)| (a, one).cmp(&(b, other)));
    files.dedup_by(|(_, later), (_, earlier)| later == earlier);
    if active.exists() {
        files.push((active, None));
    }
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
