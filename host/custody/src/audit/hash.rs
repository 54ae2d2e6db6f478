//! The hash of a line and its written form.

use std::fmt;

use sha2::{Digest, Sha256};

use super::HASH_PREFIX;

/// SHA-256 over [`HASH_PREFIX`] and the bytes of a line up to `,"entry_hash"`. Written as 64 lower-case hex
/// digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EntryHash([u8; 32]);

impl EntryHash {
    /// What the first line of a log has for a predecessor.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of a line, given its bytes from `{` up to but not including `,"entry_hash"`.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        Self(Sha256::new().chain_update(HASH_PREFIX).chain_update(payload).finalize().into())
    }

    /// What another implementation of [`Self::of`] came to.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Read 64 lower-case hex digits; nothing else is accepted.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        from_hex(text).map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Read 64 lower-case hex digits; nothing else is accepted.
pub(super) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let (mut bytes, mut wrong) = ([0_u8; 32], 0);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (digit(*high), digit(*low));
        wrong |= high | low;
        *byte = high << 4 | low & 0x0f;
    }
    (wrong < NO_DIGIT).then_some(bytes)
}

/// More than any digit.
const NO_DIGIT: u8 = 0x10;

fn digit(byte: u8) -> u8 {
    // Without a branch that depends on the digit: nothing can be foretold of a hash.
    let (decimal, letter) = (byte.wrapping_sub(b'0'), byte.wrapping_sub(b'a'));
    let letter = if letter < 6 { letter + 10 } else { NO_DIGIT };
    if decimal < 10 { decimal } else { letter }
}

impl fmt::Display for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.0)
    }
}

impl fmt::Debug for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.0)
    }
}

/// Write bytes as lower-case hex digits.
pub(super) fn hex(out: &mut impl fmt::Write, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}
