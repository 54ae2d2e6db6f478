//! Space that a file got and that was never filled: what a crash leaves where a disk wrote later sectors of a write before
//! earlier ones. It knows neither lines nor checkpoints.

/// What a disk writes as one.
const SECTOR: u64 = 512;

/// Looks for a hole in the bytes behind the last whole entry of a file, piece by piece.
///
/// A hole is a run of zero bytes that begins where the look began or at a sector, and ends at a sector or with the file.
/// Nothing that is written to a log holds a zero byte, so no change of single bytes makes one by chance.
pub(super) struct Hole {
    begin: u64,
    at: u64,
    /// Within a run of zero bytes: whether it began where a hole may begin.
    run: Option<bool>,
    found: bool,
}

impl Hole {
    /// A look that begins at this offset in the file, in bytes.
    pub(super) fn from(begin: u64) -> Self {
        Self { begin, at: begin, run: None, found: false }
    }

    /// Take the next bytes of the file.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let edge = self.at.is_multiple_of(SECTOR);
            if *byte == 0 {
                self.run.get_or_insert(edge || self.at == self.begin);
            } else if let Some(begun) = self.run.take() {
                self.found |= begun && edge;
            }
            self.at = self.at.saturating_add(1);
        }
    }

    /// Whether there was one. The bytes that were read must be all to the end of the file.
    pub(super) fn found(&self) -> bool {
        self.found || self.run == Some(true)
    }
}

/// Whether there is a hole behind `begin`.
pub(super) fn behind(bytes: &[u8], begin: usize) -> bool {
    let mut hole = Hole::from(u64::try_from(begin).unwrap_or(u64::MAX));
    hole.read(bytes.get(begin..).unwrap_or_default());
    hole.found()
}

#[cfg(test)]
mod tests {
    use super::behind;

    /// 2,000 bytes with zeros in these places.
    fn zeros(from: usize, to: usize) -> Vec<u8> {
        let mut bytes = vec![b'x'; 2_000];
        bytes[from..to].fill(0);
        bytes
    }

    #[test]
    fn a_hole_is_made_of_whole_sectors_or_of_what_is_left_of_one() {
        for (from, to) in [(512, 1_024), (512, 1_536), (700, 1_024), (1_536, 2_000), (700, 2_000)] {
            assert!(behind(&zeros(from, to), 700.min(from)), "{from} to {to}");
        }
    }

    #[test]
    fn zeros_elsewhere_are_no_hole() {
        for (from, to) in [(800, 801), (512, 1_023), (513, 1_024), (900, 2_000), (600, 600)] {
            assert!(!behind(&zeros(from, to), 500), "{from} to {to}");
        }
    }
}
