//! The bytes from the first line that is not valid to the end of a segment, and what explains them. It holds one line at a
//! time.

use std::io::{self, BufRead, Read};

use sha2::{Digest, Sha256};

use super::hash::hex;
use super::hole::Hole;
use super::{End, Fault, Line, MAX_LINE, Piece};

/// Read up to and including the next line feed, at most as many bytes as a line may have.
pub(super) fn next_piece(reader: &mut dyn BufRead, piece: &mut Vec<u8>) -> io::Result<()> {
    piece.clear();
    let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    reader.take(most).read_until(b'\n', piece).map(drop)
}

/// The bytes from the first line that is not valid to the end of the file.
pub(super) struct Rest {
    bytes: u64,
    digest: Sha256,
    line_feed: bool,
    /// A zero byte, which no line holds.
    zero: bool,
    hole: Hole,
    /// A line with a valid form and hash of its own.
    valid_line: bool,
}

impl Rest {
    /// What there is from `begin` on in these bytes and in all pieces that come; `offset` is where that is in the file.
    pub(super) fn of(
        offset: u64,
        bytes: Vec<u8>,
        begin: usize,
        next: &mut dyn FnMut() -> io::Result<Option<Piece>>,
    ) -> io::Result<Self> {
        let mut raw = Raw { bytes, at: begin, next };
        let mut first = Vec::new();
        next_piece(&mut raw, &mut first)?;
        Self::read(offset, &first, &mut raw)
    }

    /// From this line on, which begins at `offset` in the file and of which at most as many bytes as a line may have were
    /// read.
    pub(super) fn read(offset: u64, first: &[u8], reader: &mut dyn BufRead) -> io::Result<Self> {
        let mut rest = Self {
            bytes: 0,
            digest: Sha256::new(),
            line_feed: false,
            zero: false,
            hole: Hole::from(offset),
            valid_line: false,
        };
        let mut piece = first.to_vec();
        while !piece.is_empty() {
            rest.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
            rest.digest.update(&piece);
            rest.zero |= piece.contains(&0);
            rest.hole.read(&piece);
            if let Some(line) = piece.strip_suffix(b"\n") {
                rest.line_feed = true;
                rest.valid_line |= Line::parse(line).is_ok();
            }
            next_piece(reader, &mut piece)?;
        }
        Ok(rest)
    }

    /// Whether an interrupted write explains these bytes: the beginning of a line, zero bytes with no valid line
    /// anywhere, or sectors that a disk did not write before later ones. Otherwise a changed line followed by others, or
    /// one that ends as a line does, is not explained. Who makes a hole on purpose has cut the log, and no more.
    fn unfinished(&self) -> bool {
        self.hole.found() || (!self.valid_line && (!self.line_feed || self.zero))
    }

    /// How the bytes of a segment end where these begin, behind so many lines, with one that is not valid.
    pub(super) fn end(self, lines: u64, fault: Fault) -> End {
        if self.unfinished() { self.torn() } else { End::Bad { line: lines.saturating_add(1), fault } }
    }

    /// As bytes that were never acknowledged.
    pub(super) fn torn(self) -> End {
        let mut sha256 = String::with_capacity(64);
        let _ = hex(&mut sha256, &self.digest.finalize());
        End::Torn { bytes: self.bytes, sha256 }
    }
}

/// The bytes of pieces as they stood in the file.
struct Raw<'a> {
    bytes: Vec<u8>,
    at: usize,
    next: &'a mut dyn FnMut() -> io::Result<Option<Piece>>,
}

impl Read for Raw<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Raw<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at >= self.bytes.len() {
            match (self.next)()? {
                Some(piece) => (self.bytes, self.at) = (piece.bytes, 0),
                None => break,
            }
        }
        Ok(self.bytes.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.at = self.at.saturating_add(amount);
    }
}
