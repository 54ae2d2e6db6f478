//! Reading a log while it is written, by looking at its active file again and again. When that becomes a closed segment,
//! the rest of it is read, then the segments that were closed since, then the new active file: lines are told by their
//! numbers, so that none is missed and none comes twice.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek as _};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use aegis_custody::audit::{Event, Line};

use super::files::{names, open};
use super::lines::{Whole, next_piece};
use crate::audit::names::Place;

/// What takes lines, and says whether it wants more.
type Observe<'a> = dyn FnMut(&Line<'_>) -> ControlFlow<()> + 'a;

/// A log that is followed.
pub(super) struct Follow {
    place: Place,
    active: Option<Active>,
    /// The number of the line that comes next.
    next: u64,
    log_id: Option<String>,
}

/// The active file, or what was it when it was opened.
struct Active {
    reader: BufReader<File>,
    id: (u64, u64),
    /// Up to where whole lines were read.
    at: u64,
}

impl Active {
    fn open(path: &Path) -> io::Result<Self> {
        let file = crate::regular::open(path)?;
        let id = identity(&file.metadata()?);
        Ok(Self { reader: BufReader::new(file), id, at: 0 })
    }
}

fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Follow {
    /// Follow the log with this active file from the line with that number on; its id, where it is known.
    pub(super) fn new(active: &Path, next: u64, log_id: Option<String>) -> io::Result<Self> {
        let place = Place::new(active).ok_or_else(|| io::Error::other("this is not the name of a log"))?;
        Ok(Self { place, active: None, next, log_id })
    }

    /// Show the lines that are new, for as long as `observe` wants more; what cannot be shown is told to `tell`.
    pub(super) fn look(
        &mut self,
        observe: &mut Observe<'_>,
        tell: &mut dyn FnMut(&str),
    ) -> io::Result<ControlFlow<()>> {
        loop {
            let now = found(std::fs::metadata(&self.place.active))?
                .map(|metadata| (identity(&metadata), metadata.len()));
            if let Some(mut active) = self.active.take() {
                // What was written before the file was closed is there once another has its name.
                let ended = self.rest(&mut active, observe, tell)?;
                match now {
                    Some((id, bytes)) if id == active.id => {
                        if bytes < active.at {
                            tell(
                                "audit tail: the active file has become shorter: `aegis-mcp audit verify` says what is wrong",
                            );
                            active.reader.rewind()?;
                            active.at = 0;
                        }
                        self.active = Some(active);
                        return Ok(ended);
                    }
                    _ if ended.is_break() => return Ok(ended),
                    Some(_) | None => {}
                }
            }
            if self.closed(observe, tell)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            match found(Active::open(&self.place.active))? {
                Some(active) => self.active = Some(active),
                // Between two segments there is no active file for a moment.
                None => return Ok(ControlFlow::Continue(())),
            }
        }
    }

    /// The segments that were closed since the last look.
    fn closed(
        &mut self,
        observe: &mut Observe<'_>,
        tell: &mut dyn FnMut(&str),
    ) -> io::Result<ControlFlow<()>> {
        for closed in self.place.closed_among(names(&self.place.dir)?) {
            if closed.last < self.next {
                continue;
            }
            let Some(mut reader) = found(open(&self.place.closed(&closed.name)))? else { continue };
            let mut read = 0;
            if self.lines(reader.as_mut(), &mut read, observe, tell)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What was added to the file since it was last read.
    fn rest(
        &mut self,
        active: &mut Active,
        observe: &mut Observe<'_>,
        tell: &mut dyn FnMut(&str),
    ) -> io::Result<ControlFlow<()>> {
        let ended = self.lines(&mut active.reader, &mut active.at, observe, tell)?;
        // Within a line, or before bytes that come now: read again from the end of the last whole line.
        active.reader.seek(io::SeekFrom::Start(active.at))?;
        Ok(ended)
    }

    /// Whether the line says that it belongs to another log than the lines before.
    fn another(&mut self, line: &Line<'_>) -> bool {
        let Some(id) = log_id(line) else { return false };
        let before = self.log_id.replace(id);
        before.is_some() && before != self.log_id
    }

    /// Show whole lines; `at` grows by what was read.
    fn lines(
        &mut self,
        reader: &mut dyn BufRead,
        at: &mut u64,
        observe: &mut Observe<'_>,
        tell: &mut dyn FnMut(&str),
    ) -> io::Result<ControlFlow<()>> {
        let mut piece = Vec::new();
        while let Some(whole) = next_piece(reader, &mut piece)? {
            match whole {
                Whole::Unfinished => break,
                Whole::TooLong(bytes) => {
                    *at = at.saturating_add(bytes);
                    tell("audit tail: a line is left out: it is longer than a line can be");
                    continue;
                }
                Whole::Line => *at = at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX)),
            }
            match Line::unproven(piece.strip_suffix(b"\n").unwrap_or(&piece)) {
                Ok(line) => {
                    if self.another(&line) {
                        tell("audit tail: another log begins under the same name");
                        self.next = line.seq();
                    }
                    if line.seq() < self.next {
                        continue;
                    }
                    if line.seq() > self.next {
                        tell(&format!("audit tail: lines {} to {} are not there", self.next, line.seq() - 1));
                    }
                    self.next = line.seq().saturating_add(1);
                    if observe(&line).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Err(fault) => tell(&format!("audit tail: a line is left out: {fault}")),
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The id of a log, where the line tells it.
pub(super) fn log_id(line: &Line<'_>) -> Option<String> {
    let tells = matches!(line.event(), Some(Event::LogOpen | Event::SegmentOpen));
    line.text("log_id").filter(|_| tells).map(std::borrow::Cow::into_owned)
}

/// None where there is no such file.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
