//! Lines of a log read apart from those before them, so that several processors can read one log: their form, their own
//! hashes and their leaves of the tree are settled here. How lines fit behind one another is judged where the pieces come
//! together again, in their order; see [`super::Verifier::pieces`].

use std::io::BufRead as _;

use super::tickets::Told;
use super::{EntryHash, Event, Fault, Line, MAX_LINE, Mark, TreeHash};

/// Bytes of a log, from the beginning of a line on, and what they hold. The bytes end with a line feed, or at the end of the
/// file, or within a line that is too long.
#[derive(Debug)]
pub struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: Vec<Link>,
    /// What is wrong with the line behind the last one; nothing behind it was read.
    pub(super) fault: Option<Fault>,
}

/// A line by itself: what those before and behind it must agree with.
#[derive(Debug)]
pub(super) struct Link {
    /// Where it ends in its piece, behind its line feed.
    pub(super) end: usize,
    pub(super) mark: Mark,
    pub(super) prev: EntryHash,
    pub(super) leaf: TreeHash,
    pub(super) told: Told,
}

impl Link {
    /// What is needed of a line; `end` is behind its line feed.
    pub(super) fn of(line: &Line<'_>, end: usize, told: Told) -> Self {
        let mark = Mark { seq: line.seq(), ts: line.ts(), hash: line.hash(), event: line.event() };
        Self { end, mark, prev: line.prev(), leaf: TreeHash::leaf(mark.hash), told }
    }

    /// Whether more of the line is looked at than is kept here.
    pub(super) fn to_be_read(&self) -> bool {
        use Event::{KeyHandover, LogOpen, OpenTickets, SegmentOpen};
        matches!(self.mark.event, Some(LogOpen | SegmentOpen | KeyHandover | OpenTickets))
    }
}

/// Where the first line feed is; many bytes at a time, which `position` does not look at.
fn line_feed(bytes: &[u8]) -> Option<usize> {
    let passed = (&mut &*bytes).skip_until(b'\n').ok()?;
    let at = passed.checked_sub(1)?;
    (bytes.get(at) == Some(&b'\n')).then_some(at)
}

impl Piece {
    /// Read lines up to the first that is not valid by itself. `hash` is an implementation of [`EntryHash::of`].
    #[must_use]
    pub fn read(bytes: Vec<u8>, hash: impl Fn(&[u8]) -> EntryHash) -> Self {
        let (mut lines, mut fault, mut end) = (Vec::new(), None, 0_usize);
        while let Some(rest) = bytes.get(end..).filter(|rest| !rest.is_empty()) {
            let most = rest.get(..MAX_LINE.min(rest.len())).unwrap_or_default();
            let read = match line_feed(most) {
                Some(length) => {
                    let line = most.get(..length).unwrap_or_default();
                    Line::parse_by(line, &hash).map(|line| {
                        Link::of(&line, end.saturating_add(length).saturating_add(1), Told::of(&line))
                    })
                }
                None if most.len() < MAX_LINE => Err(Fault::Unterminated),
                None => Err(Fault::TooLong),
            };
            match read {
                Ok(link) => {
                    end = link.end;
                    lines.push(link);
                }
                Err(found) => {
                    fault = Some(found);
                    break;
                }
            }
        }
        Self { bytes, lines, fault }
    }
}
