//! Making lines: the state of a chain and how an entry becomes the next line of it.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::bounds::{self, Cuts};
use super::text::{put_member, put_value};
use super::{EntryHash, Event, FORMAT, MAX_LINE, Tree, TreeHash};
use crate::Timestamp;

/// Where a chain stands: what the next line is numbered and which hash it carries on.
///
/// It is a small value: a writer seals on a copy and keeps the copy once the lines are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    last_seq: u64,
    head: EntryHash,
}

/// The place that a line got in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Number of the line, from 1.
    pub seq: u64,
    /// The hash that the next line carries as `prev_hash`.
    pub hash: EntryHash,
}

impl Chain {
    /// A chain without a line.
    pub const EMPTY: Self = Self { last_seq: 0, head: EntryHash::ZERO };

    /// The chain after the line of that number and hash.
    #[must_use]
    pub fn after(last_seq: u64, head: EntryHash) -> Self {
        Self { last_seq, head }
    }

    /// Number of the last line, 0 where there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Hash of the last line.
    #[must_use]
    pub fn head(&self) -> EntryHash {
        self.head
    }

    /// Append the next line, with its line feed, to `out` and move on.
    ///
    /// Any members are accepted: strings, names, nesting and the whole line are cut to their bounds, and the
    /// line's `cut` member then says what was cut. Members that bear a name of the format itself are left out
    /// and count as cut.
    pub fn seal(
        &mut self,
        out: &mut Vec<u8>,
        ts: Timestamp,
        event: Event,
        members: &Map<String, Value>,
    ) -> Sealed {
        let seq = self.last_seq.saturating_add(1);
        let mut payload = String::with_capacity(512);
        if bounds::within(members) {
            self.put_payload(&mut payload, seq, ts, event, members, &Cuts::new());
        }
        if payload.is_empty() || payload.len() > MAX_PAYLOAD {
            let (mut kept, mut cuts) = bounds::cap(members);
            self.put_payload(&mut payload, seq, ts, event, &kept, &cuts);
            while payload.len() > MAX_PAYLOAD && !kept.is_empty() {
                // The mark of a new cut needs room as well.
                let excess = payload.len() - MAX_PAYLOAD + CUT_MARK;
                bounds::shrink(&mut kept, excess, &mut cuts);
                self.put_payload(&mut payload, seq, ts, event, &kept, &cuts);
            }
        }
        let hash = EntryHash::of(payload.as_bytes());
        let _ = writeln!(payload, ",\"entry_hash\":\"{hash}\"}}");
        out.extend_from_slice(payload.as_bytes());
        *self = Self { last_seq: seq, head: hash };
        Sealed { seq, hash }
    }

    fn put_payload(
        &self,
        out: &mut String,
        seq: u64,
        ts: Timestamp,
        event: Event,
        members: &Map<String, Value>,
        cuts: &Cuts,
    ) {
        out.clear();
        let _ = write!(out, "{{\"v\":{FORMAT},\"seq\":{seq},\"ts\":\"{ts}\",\"event\":\"{}\"", event.name());
        for (name, value) in members {
            out.push(',');
            put_member(out, name, value);
        }
        if !cuts.is_empty() {
            let cut = cuts.iter().map(|(pointer, count)| (pointer.clone(), Value::from(*count))).collect();
            out.push_str(",\"cut\":");
            put_value(out, &Value::Object(cut));
        }
        let _ = write!(out, ",\"prev_hash\":\"{}\"", self.head);
    }
}

/// A chain and the tree over all of its lines, which grow together.
///
/// It is a small value: a writer seals on a copy and keeps the copy once the lines are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    chain: Chain,
    tree: Tree,
}

impl LogState {
    /// A log without a line.
    pub const EMPTY: Self = Self { chain: Chain::EMPTY, tree: Tree::EMPTY };

    /// The log after the last line of the tree, which has that hash.
    #[must_use]
    pub fn after(head: EntryHash, tree: Tree) -> Self {
        Self { chain: Chain::after(tree.size(), head), tree }
    }

    /// Where the chain stands.
    #[must_use]
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// The tree over all lines.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Move on over a line that is there already.
    pub fn push(&mut self, line: EntryHash) {
        self.push_leaf(line, TreeHash::leaf(line));
    }

    /// [`Self::push`] where the line's leaf is known.
    pub(super) fn push_leaf(&mut self, line: EntryHash, leaf: TreeHash) {
        self.tree.push_leaf(leaf);
        self.chain = Chain::after(self.tree.size(), line);
    }

    /// [`Chain::seal`] the next line, and add it to the tree.
    pub fn seal(
        &mut self,
        out: &mut Vec<u8>,
        ts: Timestamp,
        event: Event,
        members: &Map<String, Value>,
    ) -> Sealed {
        let sealed = self.chain.seal(out, ts, event, members);
        self.tree.push(sealed.hash);
        sealed
    }
}

/// Bytes of `,"entry_hash":"…"}` at the end of a line, without its line feed.
pub(super) const TAIL: usize = 15 + 64 + 2;

/// Longest part of a line before its [`TAIL`].
const MAX_PAYLOAD: usize = MAX_LINE - TAIL - 1;

/// Room that the mark of one more cut takes at most, with the longest top-level name.
const CUT_MARK: usize = 64;
