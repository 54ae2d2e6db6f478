//! Reading one line strictly: its form and its own hash. How it fits to its neighbours is not judged here.

use std::borrow::Cow;

use serde_json::Value;

use super::chain::TAIL;
use super::{EntryHash, Event, FORMAT, MAX_LINE, scan};
use crate::Timestamp;

/// Why a line is not valid, as a sentence fragment for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No line feed within the bound of a line.
    #[error("the line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// The file ends within the line.
    #[error("the line has no line feed")]
    Unterminated,
    /// The bytes are not UTF-8.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// Not the strict JSON of the format.
    #[error("not a valid entry at byte {at}: {what}")]
    Json {
        /// Position in the line, from 1.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// The fixed members are not where they belong.
    #[error("the members are not in order: `{0}` is missing or misplaced")]
    Order(&'static str),
    /// A format that this program does not know.
    #[error("the format version is not {FORMAT}")]
    Version,
    /// A fixed member does not have the form of its kind.
    #[error("`{0}` does not have the form it must have")]
    Form(&'static str),
    /// The line's hash is not the hash of its bytes.
    #[error("entry_hash does not match the line: the line was changed")]
    EntryHash,
    /// The line does not carry on the line before it.
    #[error(
        "prev_hash is not the entry_hash of line seq {0}: a line before it was changed, dropped or inserted"
    )]
    PrevHash(u64),
    /// Lines are missing, repeated or out of order.
    #[error("seq is {found} where {expected} must stand: lines are missing, repeated or out of order")]
    Seq {
        /// One more than the line before.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// The beginning of a file is neither the beginning of a log nor of a segment.
    #[error("the file begins with neither log_open at seq 1 nor segment_open")]
    Beginning,
    /// A line stands where its event cannot.
    #[error("{0} cannot stand here")]
    Misplaced(&'static str),
    /// A line about the log contradicts the log.
    #[error("`{0}` contradicts the lines before: this is part of another log or another place of it")]
    Contradiction(&'static str),
}

/// A line whose form and hash are valid.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    source: &'a str,
    seq: u64,
    ts: Timestamp,
    event: Cow<'a, str>,
    known: Option<Event>,
    members: Vec<scan::Member<'a>>,
    prev: EntryHash,
    hash: EntryHash,
}

impl<'a> Line<'a> {
    /// Read a line given without its line feed, and check its hash.
    ///
    /// # Errors
    /// Every departure from the format.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        Self::parse_by(bytes, EntryHash::of)
    }

    /// [`Self::parse`] with another implementation of [`EntryHash::of`].
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_by(bytes: &'a [u8], hash: impl Fn(&[u8]) -> EntryHash) -> Result<Self, Fault> {
        let (line, payload) = Self::form(bytes)?;
        if hash(payload) == line.hash { Ok(line) } else { Err(Fault::EntryHash) }
    }

    /// Read the form of a line without hashing it: for whoever shows lines and proves nothing.
    ///
    /// # Errors
    /// As [`Self::parse`], but not that the hash is another.
    pub fn unproven(bytes: &'a [u8]) -> Result<Self, Fault> {
        Self::form(bytes).map(|(line, _)| line)
    }

    /// The line and the bytes that its hash covers.
    fn form(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Fault> {
        if bytes.len() >= MAX_LINE {
            return Err(Fault::TooLong);
        }
        let text = str::from_utf8(bytes).or(Err(Fault::NotUtf8))?;
        let mut members = scan::object(text)?;
        let [v, seq, ts, event] = first_four(&members)?;
        if v != "1" {
            return Err(Fault::Version);
        }
        let seq = seq.parse().or(Err(Fault::Form("seq")))?;
        let ts = scan::string(ts).and_then(|ts| ts.parse().ok()).ok_or(Fault::Form("ts"))?;
        let event = scan::string(event).filter(|name| event_name(name)).ok_or(Fault::Form("event"))?;
        let hash = last(&mut members, "entry_hash")?;
        let prev = last(&mut members, "prev_hash")?;

        let split = text.len().checked_sub(TAIL).ok_or(Fault::Order("entry_hash"))?;
        let payload = text.get(..split).ok_or(Fault::Form("entry_hash"))?;
        let tail = text.get(split..).and_then(|tail| tail.strip_prefix(",\"entry_hash\":\""));
        // The names were compared decoded; here the raw bytes must be those that the shell recipe looks for.
        if tail.is_none() || !payload.starts_with("{\"v\":") {
            return Err(Fault::Form("entry_hash"));
        }
        let known = Event::from_name(&event);
        Ok((Self { source: text, seq, ts, event, known, members, prev, hash }, payload.as_bytes()))
    }

    /// The line as it stands, without its line feed. No hidden character stands raw in it.
    #[must_use]
    pub fn source(&self) -> &'a str {
        self.source
    }

    /// Number of the line.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When it was written, by the wall clock.
    #[must_use]
    pub fn ts(&self) -> Timestamp {
        self.ts
    }

    /// The event; none where it is one of a later version.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        self.known
    }

    /// The name of the event, also where it is one of a later version.
    #[must_use]
    pub fn event_name(&self) -> &str {
        &self.event
    }

    /// The hash of the line before.
    #[must_use]
    pub fn prev(&self) -> EntryHash {
        self.prev
    }

    /// The line's own hash.
    #[must_use]
    pub fn hash(&self) -> EntryHash {
        self.hash
    }

    /// The content of a member that is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        scan::string(self.raw(name)?)
    }

    /// The content of a member that is a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.raw(name)?.parse().ok()
    }

    /// A member of any kind.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        self.members.iter().find(|(found, _)| found == name).map(|(_, raw)| *raw)
    }
}

fn first_four<'a>(members: &[scan::Member<'a>]) -> Result<[&'a str; 4], Fault> {
    let mut raw = [""; 4];
    for (index, (slot, name)) in raw.iter_mut().zip(["v", "seq", "ts", "event"]).enumerate() {
        match members.get(index) {
            Some((found, value)) if found == name => *slot = value,
            _ => return Err(Fault::Order(name)),
        }
    }
    Ok(raw)
}

fn last(members: &mut Vec<scan::Member<'_>>, name: &'static str) -> Result<EntryHash, Fault> {
    match members.pop() {
        Some((found, value)) if found == name => {
            let hex = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            hex.and_then(EntryHash::from_hex).ok_or(Fault::Form(name))
        }
        _ => Err(Fault::Order(name)),
    }
}

fn event_name(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}
