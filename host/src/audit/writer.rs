//! Writing lines so that they are there: one write and one sync for a batch, and what to do when either
//! fails. It runs on one thread, knows no queue and no waiter, and never changes a byte it acknowledged.

use std::sync::Arc;

use aegis_custody::audit::{Event, LogState, PublicKey, Tickets};
use aegis_custody::{Clock, Timestamp};
use serde_json::{Map, Value};

use super::Entry;
use super::checkpoints::Checkpoints;
use super::failure::{Failure, doing};
use super::fs::{LogFile, LogFs};
use super::live::Live;
use super::names::Place;
use super::own::{Outage, Previous};
use super::signer::Signer;
use super::space::Room;
use super::start::handover;

/// When a segment is closed, and when a checkpoint is signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of a segment.
    pub(super) size: u64,
    /// Milliseconds since its first line.
    pub(super) age: i64,
    /// Lines since the last checkpoint.
    pub(super) note_lines: u64,
    /// Milliseconds since the last checkpoint.
    pub(super) note_age: u64,
    /// Bytes that are to be free on the volume before changes are made; 0 where that does not matter.
    pub(super) min_free: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            size: 64 * 1024 * 1024,
            age: 24 * 60 * 60 * 1000,
            note_lines: 4096,
            note_age: 60_000,
            min_free: 0,
        }
    }
}

/// What must happen to the active file before anything is written to it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    /// A write failed: cut off what is not acknowledged.
    Cut,
    /// A sync failed: this file is never synced again; put it aside.
    Retire,
    /// `segment_close` is durable: put it aside.
    Close,
}

/// The active file.
pub(super) struct Active {
    pub(super) file: Box<dyn LogFile>,
    pub(super) id: (u64, u64),
    /// Length of the acknowledged lines.
    pub(super) len: u64,
    pub(super) first_seq: u64,
    pub(super) first_ts: Timestamp,
    pub(super) need: Need,
}

/// The log's single writer.
pub(super) struct Writer {
    pub(super) fs: Arc<dyn LogFs>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) place: Place,
    pub(super) bounds: Bounds,
    pub(super) log_id: String,
    /// Number of the active segment.
    pub(super) number: u64,
    /// Chain and tree up to the last acknowledged line.
    pub(super) log: LogState,
    /// The signing key that the lines name last.
    pub(super) key: Option<PublicKey>,
    pub(super) checkpoints: Checkpoints,
    pub(super) last_ts: Timestamp,
    pub(super) active: Option<Active>,
    /// Set while the next line begins a segment after another.
    pub(super) previous: Option<Previous>,
    /// Names in the directory changed since it was last synced.
    pub(super) dir_dirty: bool,
    pub(super) outage: Option<Outage>,
    pub(super) room: Room,
    live: Live,
    /// What the acknowledged lines leave open.
    pub(super) tickets: Tickets,
    pub(super) syncs: u64,
    pub(super) lines: u64,
    /// Held for as long as the log is open.
    pub(super) _lock: Box<dyn Send>,
}

/// What [`super::start`] found out.
pub(super) struct Found {
    pub(super) log_id: String,
    pub(super) number: u64,
    pub(super) log: LogState,
    pub(super) key: Option<PublicKey>,
    pub(super) checkpoints: Checkpoints,
    pub(super) last_ts: Timestamp,
    pub(super) active: Option<Active>,
    pub(super) previous: Option<Previous>,
    pub(super) tickets: Tickets,
}

impl Writer {
    pub(super) fn new(
        fs: Arc<dyn LogFs>,
        clock: Arc<dyn Clock>,
        place: Place,
        (bounds, live): (Bounds, Live),
        found: Found,
        lock: Box<dyn Send>,
    ) -> Self {
        let Found { log_id, number, log, key, checkpoints, last_ts, active, previous, tickets } = found;
        Self {
            fs,
            clock,
            place,
            room: Room::new(bounds.min_free),
            bounds,
            log_id,
            number,
            log,
            key,
            checkpoints,
            last_ts,
            active,
            previous,
            dir_dirty: true,
            outage: None,
            live,
            tickets,
            syncs: 0,
            lines: 0,
            _lock: lock,
        }
    }

    /// Make entries durable as the next lines and return the number of the first of them. On an error none
    /// of them is acknowledged; a later call repairs what it can and goes on.
    pub(super) fn commit(&mut self, entries: &[Entry], lost: u64) -> Result<u64, Failure> {
        let done = self.make_room().and_then(|()| self.ready(!entries.is_empty()));
        let done = done.and_then(|()| self.write(entries, lost));
        match &done {
            Ok(_) => {
                self.outage = None;
                let (size, now) = (self.log.tree().size(), self.clock.now());
                if self.checkpoints.due(size, now, &self.bounds) {
                    // Told of and counted there; what must not go on without it, asks in `ready`.
                    let _ = self.sign();
                }
            }
            Err(failure) => {
                self.note_outage(failure);
                if failure.disk_full() {
                    self.tell_of_the_end();
                }
            }
        }
        done
    }

    /// Sign a checkpoint for the lines that are durable, with the key that they name last: where another is to follow it,
    /// the line about that may not be there yet.
    pub(super) fn sign(&mut self) -> Result<(), Failure> {
        let now = self.clock.now();
        self.checkpoints.sign(self.fs.as_ref(), &self.place, self.log.tree(), self.key.as_ref(), now)
    }

    /// Have another key sign from here on, and say so in the log.
    pub(super) fn use_key(&mut self, signer: Arc<Signer>) -> Result<(), Failure> {
        let Some(before) = self.key.clone().filter(|before| *before != signer.public(before.log_id())) else {
            self.checkpoints.signer = signer;
            return Ok(());
        };
        // So that none is due before the line about the new key is there: each key signs for its own lines.
        self.sign()?;
        let old = std::mem::replace(&mut self.checkpoints.signer, Arc::clone(&signer));
        if let Err(failure) = self.commit(&[handover(&signer, &before)], 0) {
            self.checkpoints.signer = old;
            return Err(failure);
        }
        self.sign()
    }

    /// Whether the log has a line. The first one says what log it is, so nothing about an outage or a loss may come
    /// before it.
    pub(super) fn begun(&self) -> bool {
        self.log.chain().last_seq() > 0
    }

    fn note_outage(&mut self, failure: &Failure) {
        if !self.begun() {
            return;
        }
        let since = self.clock.now();
        let outage = self.outage.get_or_insert_with(|| Outage {
            since,
            error: failure.to_string(),
            full: false,
            told: false,
            attempts: 0,
        });
        outage.full |= failure.disk_full();
        outage.attempts = outage.attempts.saturating_add(1);
    }

    /// Bring the active file into a state in which it can be written.
    pub(super) fn ready(&mut self, busy: bool) -> Result<(), Failure> {
        self.repair()?;
        if self.checkpoints.overdue(self.log.tree().size(), self.clock.now(), &self.bounds) {
            self.sign()?;
        }
        // A server that nobody uses would close a segment without a call each day.
        if busy && self.must_rotate() {
            self.rotate()?;
        }
        if self.active.is_none() {
            self.create()?;
        }
        Ok(())
    }

    pub(super) fn repair(&mut self) -> Result<(), Failure> {
        let need = match &self.active {
            Some(active) => {
                self.check(active)?;
                active.need
            }
            None => return Ok(()),
        };
        match need {
            Need::Nothing => Ok(()),
            Need::Cut => self.cut(),
            Need::Retire => self.put_aside("sync_failed"),
            Need::Close => {
                if self.checkpoints.last().is_none_or(|last| last.size < self.log.tree().size()) {
                    // Where it fails, a later one covers this segment too.
                    let _ = self.sign();
                }
                self.put_aside("rotation")?;
                self.checkpoints.segment_closed(self.fs.as_ref(), &self.place)
            }
        }
    }

    /// The path must still name our file, and the file must hold what we put there and no more.
    fn check(&self, active: &Active) -> Result<(), Failure> {
        let path = self.place.active.display();
        let found = self.fs.stat(&self.place.active).map_err(doing("look at the audit log"))?;
        let Some(found) = found else {
            return Err(Failure::Foreign(format!(
                "{path} was moved or removed by somebody else: put it back"
            )));
        };
        if found.id != active.id {
            return Err(Failure::Foreign(format!("{path} was replaced by somebody else: put the log back")));
        }
        // An unfinished write of our own may stand behind the acknowledged lines.
        let own = matches!(active.need, Need::Cut | Need::Retire) && found.len > active.len;
        if found.len != active.len && !own {
            return Err(Failure::Foreign(format!(
                "{path} was changed by somebody else: it holds {} bytes in place of {}; keep a copy as evidence, and see docs/runbooks/audit-tampering.md for what to do",
                found.len, active.len
            )));
        }
        Ok(())
    }

    /// Cut off what is not acknowledged, and make that durable: of two writes to one place a disk may keep a part of each,
    /// and nobody could tell that from a change.
    fn cut(&mut self) -> Result<(), Failure> {
        if let Some(active) = &mut self.active {
            active.file.cut(active.len).map_err(doing("cut off an unfinished write"))?;
            self.syncs += 1;
            if let Err(source) = active.file.sync() {
                active.need = Need::Retire;
                return Err(Failure::Io { doing: "sync the audit log after a cut", source });
            }
            active.need = Need::Nothing;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, entries: &[Entry], lost: u64) -> Result<u64, Failure> {
        let now = self.clock.now();
        let (mut log, mut bytes, mut lines) = (self.log.clone(), Vec::new(), 0_u64);
        let fresh = self.active.as_ref().is_some_and(|active| active.len == 0);
        for (event, members) in self.own_lines(now, fresh, lost) {
            log.seal(&mut bytes, now, event, &members);
            lines += 1;
        }
        let first = log.chain().last_seq().saturating_add(1);
        for entry in entries {
            log.seal(&mut bytes, now, entry.event, &entry.members);
            lines += 1;
        }
        if !bytes.is_empty() {
            let begun = self.begun();
            self.append(&bytes, log, lines, now)?;
            self.room.told = begun && self.room.low;
        }
        for (seq, entry) in (first..).zip(entries) {
            self.tickets.record(seq, entry.event, &entry.members);
            if matches!(entry.event, Event::LogOpen | Event::KeyHandover) {
                self.key = Some(self.checkpoints.signer.public(&self.log_id));
            }
        }
        Ok(first)
    }

    /// Append lines and make them durable; only then do they count.
    pub(super) fn append(
        &mut self,
        bytes: &[u8],
        log: LogState,
        lines: u64,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let Some(active) = &mut self.active else {
            return Err(Failure::Foreign("the audit log is not open".to_owned()));
        };
        if let Err(source) = active.file.append(bytes) {
            active.need = Need::Cut;
            let _ = self.cut();
            return Err(Failure::Io { doing: "write to the audit log", source });
        }
        self.syncs += 1;
        if let Err(source) = active.file.sync() {
            active.need = Need::Retire;
            return Err(Failure::Io { doing: "sync the audit log", source });
        }
        if let Err(failure) = self.sync_dir() {
            if let Some(active) = &mut self.active {
                active.need = Need::Cut;
            }
            return Err(failure);
        }
        if let Some(active) = &mut self.active {
            active.len = active.len.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        self.live.tell(bytes);
        self.log = log;
        self.last_ts = now;
        self.lines = self.lines.saturating_add(lines);
        self.previous = None;
        Ok(())
    }

    pub(super) fn sync_dir(&mut self) -> Result<(), Failure> {
        if self.dir_dirty {
            self.fs.sync_dir(&self.place.dir).map_err(doing("sync the directory of the audit log"))?;
            self.syncs += 1;
            self.dir_dirty = false;
        }
        Ok(())
    }
}

/// The members of a line, written as a JSON object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
