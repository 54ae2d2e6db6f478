//! The lines of a log one after the other, as they stand: nothing is verified here but the form of each line, so that what
//! is shown of it is what it says.

use std::io::{self, BufRead, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use aegis_custody::audit::{Fault, Line, MAX_LINE};

use super::Problem;
use super::files::{Listed, files};

/// How many notes about lines that are missing or cannot be read are kept.
const NOTES: usize = 5;

/// What was read, besides the lines themselves.
#[derive(Default)]
pub(super) struct Read {
    /// Lines of any kind that have the form of one.
    pub(super) lines: u64,
    /// Lines that do not, save for one that is not finished at the end of a file.
    pub(super) broken: u64,
    /// For a person: the first places where lines are broken or missing.
    pub(super) notes: Vec<String>,
    /// Places that are not among the notes.
    pub(super) more: u64,
}

impl Read {
    pub(super) fn note(&mut self, text: String) {
        if self.notes.len() < NOTES {
            self.notes.push(text);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

/// The files of several paths, each a directory or a file: closed segments in the order of their lines and the active one
/// last, directory by directory. A segment that is there twice, compressed and not, counts once.
pub(super) fn listed(paths: &[PathBuf]) -> Result<Vec<Listed>, Problem> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(files(path)?);
    }
    let place = |path: &Path| path.parent().map(Path::to_path_buf);
    all.sort_by_cached_key(|file| (place(&file.path), file.named.is_none(), file.named, file.path.clone()));
    all.dedup_by(|later, earlier| {
        let one_segment = later.named.is_some() && later.named == earlier.named;
        (one_segment && place(&later.path) == place(&earlier.path)) || later.path == earlier.path
    });
    Ok(all)
}

/// Show every line of these files to `observe` for as long as it wants more, and say what could not be shown.
///
/// # Errors
/// A file cannot be read.
pub(super) fn each(
    files: &[Listed],
    observe: &mut dyn FnMut(&Line<'_>) -> ControlFlow<()>,
) -> Result<Read, Problem> {
    let mut read = Read::default();
    let mut before: Option<(PathBuf, u64)> = None;
    for file in files {
        let path = &file.path;
        let place = path.parent().unwrap_or(path).to_path_buf();
        let mut next = before.take().filter(|(dir, _)| *dir == place).map(|(_, next)| next);
        let mut reader = file.open().map_err(|error| super::unreadable(path, &error))?;
        let done = each_of(path, reader.as_mut(), &mut next, &mut read, observe);
        if done.map_err(|error| super::unreadable(path, &error))?.is_break() {
            break;
        }
        before = next.map(|next| (place, next));
    }
    Ok(read)
}

/// Show the lines of one file; `next` is the number that the next line should have.
fn each_of(
    path: &Path,
    reader: &mut dyn BufRead,
    next: &mut Option<u64>,
    read: &mut Read,
    observe: &mut dyn FnMut(&Line<'_>) -> ControlFlow<()>,
) -> io::Result<ControlFlow<()>> {
    let mut piece = Vec::with_capacity(MAX_LINE);
    let mut number: u64 = 0;
    while let Some(whole) = next_piece(reader, &mut piece)? {
        number = number.saturating_add(1);
        let line = match whole {
            // A server may be writing it right now.
            Whole::Unfinished => break,
            Whole::TooLong(_) => Err(Fault::TooLong),
            Whole::Line => Line::unproven(piece.strip_suffix(b"\n").unwrap_or(&piece)),
        };
        match line {
            Ok(line) => {
                if let Some(expected) = next.filter(|expected| *expected < line.seq()) {
                    let last = line.seq().saturating_sub(1);
                    read.note(format!(
                        "{}: lines {expected} to {last} are not among what was given",
                        path.display()
                    ));
                }
                *next = line.seq().checked_add(1);
                read.lines = read.lines.saturating_add(1);
                if observe(&line).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Err(fault) => {
                read.broken = read.broken.saturating_add(1);
                *next = next.and_then(|next| next.checked_add(1));
                read.note(format!("{} line {number} is left out: {fault}", path.display()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// What stands in the buffer.
pub(super) enum Whole {
    /// A line with its line feed.
    Line,
    /// More than a line may have, so many bytes; they were read over.
    TooLong(u64),
    /// The end of the file within a line.
    Unfinished,
}

/// Read the next line, with its line feed, at most as many bytes as a line may have. None at the end.
pub(super) fn next_piece(reader: &mut dyn BufRead, piece: &mut Vec<u8>) -> io::Result<Option<Whole>> {
    piece.clear();
    let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    (&mut *reader).take(most).read_until(b'\n', piece)?;
    if piece.is_empty() {
        return Ok(None);
    }
    if piece.ends_with(b"\n") {
        return Ok(Some(Whole::Line));
    }
    if piece.len() < MAX_LINE {
        return Ok(Some(Whole::Unfinished));
    }
    let more = reader.skip_until(b'\n')?;
    Ok(Some(Whole::TooLong(u64::try_from(piece.len().saturating_add(more)).unwrap_or(u64::MAX))))
}
