//! What checkpoints prove about a log: whether the lines that were given are those that were signed, and which keys may
//! sign. It reads what lines say of keys and checkpoints; whether the lines themselves are whole is the verifier's matter.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Checked, Event, Line, Note, PublicKey, TreeHash};

/// Why a key is taken for the log's.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Proof {
    /// It is the first that the lines name.
    First,
    /// The key before it signed for it.
    Signed(Vec<u8>),
    /// Nothing says so but the line.
    None,
}

/// A key that signs from a line on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    /// The line that names it, from 1.
    seq: u64,
    key: PublicKey,
    proof: Proof,
}

/// What the lines of a log say of its keys and checkpoints.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    keys: Vec<Named>,
    /// The first line that was seen.
    first: Option<u64>,
    /// The last checkpoint that a line tells of: the line, number and size.
    signed: Option<(u64, u64, u64)>,
}

impl Claims {
    /// Take notice of the next line of a log.
    pub fn observe(&mut self, line: &Line<'_>) {
        self.first.get_or_insert(line.seq());
        match line.event() {
            Some(Event::LogOpen | Event::SegmentOpen) => {
                let proof = if self.keys.is_empty() { Proof::First } else { Proof::None };
                self.name(line, proof);
                if let Some(signed) = line.value("signed") {
                    let number = |name| signed.get(name).and_then(Value::as_u64);
                    self.signed = number("number").zip(number("size")).map(|(n, size)| (line.seq(), n, size));
                }
            }
            Some(Event::KeyHandover) => {
                // Text that is no signature is a wrong one, not a missing one.
                let signature =
                    line.text("signature").map(|text| STANDARD.decode(&*text).unwrap_or_default());
                let proof = match signature {
                    Some(signature) if !self.keys.is_empty() => Proof::Signed(signature),
                    Some(_) | None => Proof::None,
                };
                self.name(line, proof);
            }
            _ => {}
        }
    }

    fn name(&mut self, line: &Line<'_>, proof: Proof) {
        let key = line.text("key").and_then(|key| key.parse::<PublicKey>().ok());
        if let Some(key) = key
            && self.keys.last().is_none_or(|last| last.key != key)
        {
            self.keys.push(Named { seq: line.seq(), key, proof });
        }
    }

    /// Whether so many lines end before the first that was given, where a key may have signed that no line here names.
    fn ends_before(&self, size: u64) -> bool {
        self.first.is_some_and(|first| size.saturating_add(1) < first)
    }

    /// Number and size of the last checkpoint that the lines tell of.
    #[must_use]
    pub fn signed(&self) -> Option<(u64, u64)> {
        self.signed.map(|(_, number, size)| (number, size))
    }

    /// The key in force after the last line.
    #[must_use]
    pub fn key(&self) -> Option<&PublicKey> {
        self.keys.last().map(|named| &named.key)
    }

    /// The key that signs for so many lines: the last one that these lines name. The first of all also signs for what
    /// came before the lines that were given.
    fn key_at(&self, size: u64) -> Option<&PublicKey> {
        let before = self.keys.iter().rev().find(|named| named.seq <= size);
        before.or(self.keys.first()).map(|named| &named.key)
    }
}

/// The lines that were verified, as far as checkpoints are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'a> {
    /// The log's id.
    pub log_id: &'a str,
    /// Number of the last line.
    pub last: u64,
    /// The roots at the sizes of all checkpoints, as far as the lines tell them.
    pub roots: &'a BTreeMap<u64, TreeHash>,
}

/// What the checkpoints say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// What shows that the log or its checkpoints were changed, for a person.
    pub problems: Vec<String>,
    /// What is missing for a full proof, for a person.
    pub gaps: Vec<String>,
    /// Checkpoints that hold, anchors among them.
    pub held: u64,
    /// Lines that the last of them covers.
    pub covered: u64,
}

impl Evidence {
    /// Judge the log's own checkpoints, in the order of their files, and the anchors that somebody else kept, against the
    /// lines. `pinned` is the key that the reader knows to be the log's; without it the log is believed in this.
    #[must_use]
    pub fn of(
        lines: Lines<'_>,
        claims: &Claims,
        own: &[Note],
        anchors: &[Note],
        pinned: Option<&PublicKey>,
        checked: Checked<'_>,
    ) -> Self {
        let mut evidence = Self::default();
        evidence.keys(claims, pinned, checked);
        if claims.keys.is_empty() {
            evidence.gaps.push("the log names no signing key: only its chain was checked".to_owned());
        } else if own.is_empty() && anchors.is_empty() {
            evidence.gaps.push("no checkpoint was given: only the chain was checked".to_owned());
        }
        for note in own {
            evidence.note(lines, claims, note, checked, "checkpoint");
        }
        for note in anchors {
            evidence.note(lines, claims, note, checked, "anchor");
        }
        evidence.sequence(own, claims.first == Some(1));
        let kept = own.last().map(|note| note.checkpoint.number);
        if let (Some(kept), Some(anchor)) = (kept, anchors.iter().map(|note| note.checkpoint.number).max())
            && anchor > kept
        {
            evidence.problems.push(format!(
                "anchor {anchor} was signed after checkpoint {kept}, the last one kept: checkpoints were removed"
            ));
        }
        if let (Some((seq, number, _)), Some(last)) = (claims.signed, own.last())
            && last.checkpoint.number < number
        {
            evidence.problems.push(format!(
                "line seq {seq} tells of checkpoint {number}, and the last one kept is {}: checkpoints were removed",
                last.checkpoint.number
            ));
        }
        evidence
    }

    /// Whether each key was named by the one before it, and the one that the reader knows is among them.
    fn keys(&mut self, claims: &Claims, pinned: Option<&PublicKey>, checked: Checked<'_>) {
        let mut before: Option<&PublicKey> = None;
        for named in &claims.keys {
            match (&named.proof, before) {
                (Proof::Signed(signature), Some(before)) => {
                    let text = named.key.handover_text();
                    if !checked(before.as_bytes(), text.as_bytes(), signature) {
                        self.problems.push(format!(
                            "line seq {} names a new key, and its signature is not that of the key before it",
                            named.seq
                        ));
                    }
                }
                (Proof::None | Proof::Signed(_), _) => self.gaps.push(format!(
                    "line seq {} names a new key without a signature of the key before it: compare {} with the one you know",
                    named.seq, named.key
                )),
                (Proof::First, _) => {}
            }
            before = Some(&named.key);
        }
        if let Some(pinned) = pinned
            && !claims.keys.iter().any(|named| named.key == *pinned)
        {
            self.problems.push("the log was not signed by the key that was given".to_owned());
        }
    }

    fn note(&mut self, lines: Lines<'_>, claims: &Claims, note: &Note, checked: Checked<'_>, what: &str) {
        let checkpoint = &note.checkpoint;
        let (size, number) = (checkpoint.size, checkpoint.number);
        let problem = if checkpoint.log_id != lines.log_id {
            format!("is one of another log, {}", checkpoint.log_id)
        } else if claims.ends_before(size) {
            return;
        } else if !claims.key_at(size).is_some_and(|key| note.is_signed_by(key, checked)) {
            "is not signed by the key of the log".to_owned()
        } else if size > lines.last {
            format!("was signed for {size} lines, and the log ends at {}: lines were cut off", lines.last)
        } else {
            match lines.roots.get(&size) {
                Some(root) if *root == checkpoint.root => {
                    self.held += 1;
                    self.covered = self.covered.max(size);
                    return;
                }
                Some(_) => format!("does not fit the lines up to {size}: the log was written anew"),
                // Lines before the first that was given.
                None => return,
            }
        };
        self.problems.push(format!("{what} {number} {problem}"));
    }

    /// Numbers go up by one; the same number twice is an attempt whose end nobody knew.
    /// Where the lines are given from the first on, so are the checkpoints.
    fn sequence(&mut self, own: &[Note], from_the_first: bool) {
        if let Some(first) = own.first().map(|note| note.checkpoint.number).filter(|number| *number > 1)
            && from_the_first
        {
            self.problems.push(format!("the first checkpoint is number {first}: checkpoints were removed"));
        }
        for (before, after) in own.iter().zip(own.iter().skip(1)) {
            let (before, after) = (&before.checkpoint, &after.checkpoint);
            let next = after.number == before.number || Some(after.number) == before.number.checked_add(1);
            if !next || after.size < before.size {
                self.problems.push(format!(
                    "checkpoint {} for {} lines follows checkpoint {} for {}: checkpoints were removed or reordered",
                    after.number, after.size, before.number, before.size
                ));
            }
        }
    }
}
