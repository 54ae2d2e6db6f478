//! Verifying a log, one segment after the other, as a stream. It holds one line at a time and never writes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};

use super::piece::{Link, Piece};
use super::rest::{Rest, next_piece};
use super::tickets::Told;
use super::{Chain, EntryHash, Event, Fault, Line, LogState, MAX_LINE, Tree, TreeHash};
use crate::Timestamp;

/// One line as a landmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub ts: Timestamp,
    /// Its hash.
    pub hash: EntryHash,
    /// Its event; none where that is of a later version.
    pub event: Option<Event>,
}

/// How the bytes of a segment end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With the last valid line.
    Whole,
    /// Valid lines, and then bytes that were never acknowledged: the rest of a write that did not finish.
    Torn {
        /// How many bytes.
        bytes: u64,
        /// Their SHA-256 as hex digits.
        sha256: String,
    },
    /// A line that is not valid, which no unfinished write explains.
    Bad {
        /// Number of the line in the file, from 1.
        line: u64,
        /// What is wrong.
        fault: Fault,
    },
}

/// What a segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Valid lines.
    pub lines: u64,
    /// Bytes of the valid lines.
    pub bytes: u64,
    /// The first of them.
    pub first: Option<Mark>,
    /// The last of them.
    pub last: Option<Mark>,
    /// How often a line is older than the line before it.
    pub steps_back: u64,
    /// What comes after them.
    pub end: End,
}

impl Segment {
    const EMPTY: Self = Self { lines: 0, bytes: 0, first: None, last: None, steps_back: 0, end: End::Whole };

    /// Whether whatever follows was never acknowledged: the line that the file's name states for its last was read.
    fn is_surplus(&self, last_seq: Option<u64>) -> bool {
        let closed = self.last.is_some_and(|mark| mark.event == Some(Event::SegmentClose));
        !closed && self.last.is_some_and(|mark| Some(mark.seq) == last_seq)
    }
}

/// A valid line as [`Verifier::pieces`] shows it.
#[derive(Debug)]
pub enum Seen<'a> {
    /// One that tells of the log itself.
    Whole(&'a Line<'a>),
    /// Any other: what it says of tickets.
    Part(Told),
}

/// The state of a verification that goes on from segment to segment.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    log: Option<LogState>,
    log_id: Option<String>,
    number: u64,
    latest: Option<Timestamp>,
    wanted: BTreeSet<u64>,
    roots: BTreeMap<u64, TreeHash>,
}

impl Verifier {
    /// A verification that keeps the roots of the tree at these sizes, see [`Self::roots`].
    #[must_use]
    pub fn with_roots_at(sizes: impl IntoIterator<Item = u64>) -> Self {
        Self { wanted: sizes.into_iter().collect(), ..Self::default() }
    }

    /// The roots of the tree at the sizes that were asked for, as far as the lines tell them.
    #[must_use]
    pub fn roots(&self) -> &BTreeMap<u64, TreeHash> {
        &self.roots
    }

    /// The `log_id` of the log, once a line has named it.
    #[must_use]
    pub fn log_id(&self) -> Option<&str> {
        self.log_id.as_deref()
    }

    /// Number of the current segment, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where the log stands after the lines verified so far.
    #[must_use]
    pub fn log(&self) -> LogState {
        self.log.clone().unwrap_or(LogState::EMPTY)
    }

    /// Verify the next segment and show every valid line to `observe`.
    ///
    /// `last_seq` is the number of the segment's last line where its file name states it: bytes after that
    /// line were never acknowledged, whatever they are, for a file whose sync failed is put aside without
    /// being written again. A segment closed in good order ends with `segment_close` and has nothing after it.
    ///
    /// # Errors
    /// Only of the reader. What is wrong with the content is in the answer.
    pub fn segment(
        &mut self,
        reader: &mut dyn BufRead,
        last_seq: Option<u64>,
        observe: &mut dyn FnMut(&Line<'_>),
    ) -> io::Result<Segment> {
        let mut seen = Segment::EMPTY;
        let mut piece = Vec::with_capacity(MAX_LINE);
        loop {
            next_piece(reader, &mut piece)?;
            if piece.is_empty() {
                return Ok(seen);
            }
            if seen.is_surplus(last_seq) {
                seen.end = Rest::read(seen.bytes, &piece, reader)?.torn();
                return Ok(seen);
            }
            let checked = match piece.strip_suffix(b"\n") {
                Some(bytes) => Line::parse(bytes).and_then(|line| {
                    let link = Link::of(&line, piece.len(), Told::NOTHING);
                    self.accept(&link, Some(&line), seen.last).map(|()| (link, line))
                }),
                None if piece.len() < MAX_LINE => Err(Fault::Unterminated),
                None => Err(Fault::TooLong),
            };
            match checked {
                Ok((link, line)) => {
                    observe(&line);
                    self.take(&mut seen, &link, Some(&line), piece.len());
                }
                Err(fault) => {
                    seen.end = Rest::read(seen.bytes, &piece, reader)?.end(seen.lines, fault);
                    return Ok(seen);
                }
            }
        }
    }

    /// [`Self::segment`] of lines that were read apart, in pieces: `next` gives them in their order, all bytes of the file.
    ///
    /// # Errors
    /// Only of `next`.
    pub fn pieces(
        &mut self,
        next: &mut dyn FnMut() -> io::Result<Option<Piece>>,
        last_seq: Option<u64>,
        observe: &mut dyn FnMut(Seen<'_>),
    ) -> io::Result<Segment> {
        let mut seen = Segment::EMPTY;
        while let Some(Piece { bytes, lines, fault }) = next()? {
            let mut begin = 0;
            for link in lines {
                if seen.is_surplus(last_seq) {
                    seen.end = Rest::of(seen.bytes, bytes, begin, next)?.torn();
                    return Ok(seen);
                }
                let raw = bytes.get(begin..link.end.saturating_sub(1)).filter(|_| link.to_be_read());
                // It was read before, whole and with its hash.
                let line = raw.map(Line::unproven).transpose();
                let accepted =
                    line.and_then(|line| self.accept(&link, line.as_ref(), seen.last).map(|()| line));
                match accepted {
                    Ok(line) => {
                        self.take(&mut seen, &link, line.as_ref(), link.end.saturating_sub(begin));
                        begin = link.end;
                        observe(line.as_ref().map_or(Seen::Part(link.told), Seen::Whole));
                    }
                    Err(fault) => {
                        seen.end = Rest::of(seen.bytes, bytes, begin, next)?.end(seen.lines, fault);
                        return Ok(seen);
                    }
                }
            }
            if let Some(fault) = fault {
                let surplus = seen.is_surplus(last_seq);
                let rest = Rest::of(seen.bytes, bytes, begin, next)?;
                seen.end = if surplus { rest.torn() } else { rest.end(seen.lines, fault) };
                return Ok(seen);
            }
        }
        Ok(seen)
    }

    /// Whether the line fits behind the lines before it; `last` is the one before it in the same file, and `whole` is there
    /// where the line tells of the log.
    fn accept(&self, link: &Link, whole: Option<&Line<'_>>, last: Option<Mark>) -> Result<(), Fault> {
        let Mark { seq, event, .. } = link.mark;
        if last.is_some_and(|mark| mark.event == Some(Event::SegmentClose)) {
            return Err(Fault::Misplaced("a line after segment_close"));
        }
        let genesis = event == Some(Event::LogOpen) && seq == 1;
        let opens = event == Some(Event::SegmentOpen);
        if last.is_none() && !genesis && !opens {
            return Err(Fault::Beginning);
        }
        if last.is_some() && opens {
            return Err(Fault::Misplaced("segment_open within a segment"));
        }
        let expected = match (&self.log, opens) {
            (Some(log), _) => log.chain(),
            (None, false) => Chain::EMPTY,
            // Earlier segments were not given: the first line seen is taken for what it says.
            (None, true) => Chain::after(seq.saturating_sub(1), link.prev),
        };
        if seq != expected.last_seq().saturating_add(1) {
            return Err(Fault::Seq { expected: expected.last_seq().saturating_add(1), found: seq });
        }
        if link.prev != expected.head() {
            return Err(Fault::PrevHash(expected.last_seq()));
        }
        whole.map_or(Ok(()), |line| self.accept_claims(line))
    }

    /// Whether what a line says about the log agrees with the log.
    fn accept_claims(&self, line: &Line<'_>) -> Result<(), Fault> {
        let event = line.event();
        if !matches!(event, Some(Event::LogOpen | Event::SegmentOpen)) {
            return Ok(());
        }
        let log_id = line.text("log_id").filter(|id| id.len() == 32 && id.bytes().all(lower_hex));
        let log_id = log_id.ok_or(Fault::Form("log_id"))?;
        if self.log_id.as_ref().is_some_and(|known| *known != log_id) {
            return Err(Fault::Contradiction("log_id"));
        }
        if event == Some(Event::SegmentOpen) {
            if line.number("last_seq") != line.seq().checked_sub(1) {
                return Err(Fault::Contradiction("last_seq"));
            }
            let number = line.number("number").filter(|number| *number > 1).ok_or(Fault::Form("number"))?;
            if self.number > 0 && number != self.number.saturating_add(1) {
                return Err(Fault::Contradiction("number"));
            }
            let tree = tree_before(line).ok_or(Fault::Form("tree"))?;
            if self.log.as_ref().is_some_and(|log| *log.tree() != tree) {
                return Err(Fault::Contradiction("tree"));
            }
        }
        Ok(())
    }

    fn take(&mut self, seen: &mut Segment, link: &Link, whole: Option<&Line<'_>>, bytes: usize) {
        let mark = link.mark;
        seen.steps_back += u64::from(self.latest.is_some_and(|latest| mark.ts < latest));
        self.latest = Some(mark.ts);
        seen.lines += 1;
        seen.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        seen.first.get_or_insert(mark);
        seen.last = Some(mark);
        let before = || {
            let opens = whole.filter(|_| mark.event == Some(Event::SegmentOpen));
            LogState::after(link.prev, opens.and_then(tree_before).unwrap_or_default())
        };
        let log = match &mut self.log {
            Some(log) => log,
            none => {
                let log = none.insert(before());
                keep_root(&self.wanted, &mut self.roots, log);
                log
            }
        };
        log.push_leaf(mark.hash, link.leaf);
        keep_root(&self.wanted, &mut self.roots, log);
        let Some(line) = whole else { return };
        match mark.event {
            Some(Event::LogOpen) => self.number = self.number.max(1),
            Some(Event::SegmentOpen) => self.number = line.number("number").unwrap_or(self.number),
            _ => return,
        }
        self.log_id = line.text("log_id").map(String::from);
    }
}

fn keep_root(wanted: &BTreeSet<u64>, roots: &mut BTreeMap<u64, TreeHash>, log: &LogState) {
    let size = log.tree().size();
    if wanted.contains(&size) {
        roots.insert(size, log.tree().root());
    }
}

/// The tree before a `segment_open`, by its own words.
fn tree_before(line: &Line<'_>) -> Option<Tree> {
    let peaks = line.value("tree")?;
    let peaks = peaks.as_array()?.iter().map(|peak| TreeHash::from_hex(peak.as_str()?));
    Tree::of_peaks(line.seq().checked_sub(1)?, peaks.collect::<Option<_>>()?)
}

fn lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
