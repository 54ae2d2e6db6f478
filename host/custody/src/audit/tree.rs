//! The Merkle tree over the lines of a log (RFC 6962 section 2.1), as the peaks of its complete subtrees. It holds no
//! line, and never shrinks.
//!
//! The leaf of a line is its `entry_hash`, so that a line is hashed once for the chain and the tree together.

use std::fmt;

use sha2::{Digest, Sha256};

use super::EntryHash;
use super::hash::{from_hex, hex};

/// Domain separation of RFC 6962: no leaf is ever taken for an inner node.
const LEAF: [u8; 1] = [0];
const NODE: [u8; 1] = [1];

/// Hash of a subtree, or the root of a whole tree. Written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TreeHash([u8; 32]);

impl TreeHash {
    /// The leaf of a line.
    #[must_use]
    pub fn leaf(line: EntryHash) -> Self {
        Self(Sha256::new().chain_update(LEAF).chain_update(line.as_bytes()).finalize().into())
    }

    fn node(left: Self, right: Self) -> Self {
        Self(Sha256::new().chain_update(NODE).chain_update(left.0).chain_update(right.0).finalize().into())
    }

    /// A root read from a checkpoint.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Read 64 lower-case hex digits; nothing else is accepted.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        from_hex(text).map(Self)
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.0)
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.0)
    }
}

/// A tree that grows by one line at a time.
///
/// Its state is one hash for each bit that is set in its size: the roots of the complete subtrees, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    peaks: Vec<TreeHash>,
}

impl Tree {
    /// A tree without a line.
    pub const EMPTY: Self = Self { size: 0, peaks: Vec::new() };

    /// The tree of that many lines with these peaks; none where their number cannot be right.
    #[must_use]
    pub fn of_peaks(size: u64, peaks: Vec<TreeHash>) -> Option<Self> {
        let right = usize::try_from(size.count_ones()) == Ok(peaks.len());
        right.then_some(Self { size, peaks })
    }

    /// Lines in the tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its complete subtrees, the largest first.
    #[must_use]
    pub fn peaks(&self) -> &[TreeHash] {
        &self.peaks
    }

    /// Add the next line.
    pub fn push(&mut self, line: EntryHash) {
        self.push_leaf(TreeHash::leaf(line));
    }

    /// Add the next line, given its leaf.
    pub fn push_leaf(&mut self, leaf: TreeHash) {
        let mut hash = leaf;
        // Each trailing one of the size is a complete subtree as large as what has grown so far.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = TreeHash::node(left, hash);
            }
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The root, that of RFC 6962 section 2.1.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        let mut from_the_smallest = self.peaks.iter().rev().copied();
        match from_the_smallest.next() {
            Some(smallest) => from_the_smallest.fold(smallest, |right, left| TreeHash::node(left, right)),
            None => TreeHash(Sha256::digest(b"").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: u64) -> EntryHash {
        EntryHash::of(&n.to_be_bytes())
    }

    /// The definition of RFC 6962 section 2.1, word for word.
    fn root_by_definition(lines: &[EntryHash]) -> TreeHash {
        match lines {
            [] => TreeHash(Sha256::digest(b"").into()),
            [one] => TreeHash::leaf(*one),
            many => {
                let split = many.len().next_power_of_two() / 2;
                TreeHash::node(root_by_definition(&many[..split]), root_by_definition(&many[split..]))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_definition_at_every_size() {
        let lines: Vec<EntryHash> = (0..300).map(line).collect();
        let mut tree = Tree::EMPTY;
        for size in 0..=lines.len() {
            assert_eq!(tree.root(), root_by_definition(&lines[..size]), "{size}");
            assert_eq!(tree.size(), u64::try_from(size).unwrap());
            if let Some(next) = lines.get(size) {
                tree.push(*next);
            }
        }
    }

    #[test]
    fn a_tree_goes_on_from_its_peaks() {
        let mut whole = Tree::EMPTY;
        (0..200).for_each(|n| whole.push(line(n)));
        for cut in 0..200 {
            let mut first = Tree::EMPTY;
            (0..cut).for_each(|n| first.push(line(n)));
            let written: Vec<String> = first.peaks().iter().map(ToString::to_string).collect();
            let read = written.iter().map(|peak| TreeHash::from_hex(peak).unwrap()).collect();
            let mut resumed = Tree::of_peaks(cut, read).unwrap();
            (cut..200).for_each(|n| resumed.push(line(n)));
            assert_eq!(resumed, whole);
        }
    }

    #[test]
    fn peaks_that_do_not_fit_the_size_are_no_tree() {
        assert_eq!(Tree::of_peaks(3, vec![TreeHash::leaf(line(1))]), None);
        assert_eq!(Tree::of_peaks(0, Vec::new()), Some(Tree::EMPTY));
        assert!(Tree::of_peaks(u64::MAX, Vec::new()).is_none());
    }
}
