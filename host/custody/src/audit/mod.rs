//! The audit log as a format: how one line looks, how lines are chained, how a log is verified.
//!
//! A line is one JSON object on one line. Its hash covers its own raw bytes, which hold the hash of the line
//! before it, so a line can be checked with a shell and `sha256sum` and has exactly one valid byte form.
//! `docs/audit-format.md` is the specification; this module must not accept what that document refuses.
//! No file, clock or thread here: the host owns those.

mod bounds;
mod chain;
mod checkpoint;
mod event;
mod evidence;
mod hash;
mod hole;
mod key;
mod line;
mod piece;
mod rest;
mod scan;
mod text;
mod tickets;
mod tree;
mod verify;

#[cfg(test)]
mod tests;

pub use chain::{Chain, LogState, Sealed};
pub use checkpoint::{Checked, Checkpoint, MAX_NOTE, Note, NoteError, SignedBy};
pub use event::Event;
pub use evidence::{Claims, Evidence, Lines};
pub use hash::EntryHash;
pub use key::{InvalidKey, PublicKey};
pub use line::{Fault, Line};
pub use piece::Piece;
pub use text::{HIDDEN, json_text};
pub use tickets::{CARRIED, OpenTicket, Tickets, Told};
pub use tree::{Tree, TreeHash};
pub use verify::{End, Mark, Seen, Segment, Verifier};

/// The format version that every line states in `v`.
pub const FORMAT: u64 = 1;

/// What is hashed before the bytes of a line, so that a line's hash is never the hash of anything else.
pub const HASH_PREFIX: &[u8] = b"aegis-audit/v1\n";

/// Longest line in bytes, its line feed included.
pub const MAX_LINE: usize = 8 * 1024;

/// Longest string value in bytes of UTF-8 before escaping.
pub const MAX_STRING: usize = 512;

/// Longest member name in bytes.
pub const MAX_NAME: usize = 128;

/// How deep values nest; the line itself is level 0.
pub const MAX_DEPTH: usize = 8;
