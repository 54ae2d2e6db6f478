//! Room on the volume of the log: a reserve, so that the log itself can still tell that its volume is full, and how much
//! is left, below which changes are refused. It refuses no call itself.

use std::io;

use aegis_custody::Timestamp;
use rustix::io::Errno;

use super::failure::{Failure, doing, is_full};
use super::fs::{LogFs, Space};
use super::names::Place;
use super::writer::Writer;

/// Length of the file that is given up when the volume is full, in bytes.
const RESERVE: u64 = 1024 * 1024;

/// What must be free besides, once the reserve was given up: room for the lines that wait, in bytes. Without it the volume
/// would count as full again at once.
const BESIDES: u64 = 256 * 1024;

/// How often the volume is asked, in milliseconds.
const LOOK: u64 = 1_000;

/// Of a small volume, one part in so many is enough, whatever the setting asks for.
const PART: u64 = 20;

/// How much more than what is too little must be free again, as one part in so many: the state does not flap.
const MORE: u64 = 8;

/// What is known of the volume.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// AUDIT_MIN_FREE_BYTES; 0 where nobody asks.
    needed: u64,
    /// There is a reserve, or there can be none for another reason than a full volume.
    reserved: bool,
    looked: Option<Timestamp>,
    /// Bytes that were free when it was asked last; none where it did not say.
    pub(super) free: Option<u64>,
    /// Too little is left for changes.
    pub(super) low: bool,
    /// What the log has said of that last.
    pub(super) told: bool,
}

impl Room {
    pub(super) fn new(needed: u64) -> Self {
        Self { needed, ..Self::default() }
    }

    /// Bytes that must be free on a volume of that size.
    fn least(&self, total: u64) -> u64 {
        self.needed.min(total / PART)
    }

    /// Ask the volume, unless that was done a moment ago.
    fn look(&mut self, fs: &dyn LogFs, place: &Place, now: Timestamp) {
        let soon = |looked: Timestamp| now.unix_millis().abs_diff(looked.unix_millis()) < LOOK;
        if self.needed == 0 || self.looked.is_some_and(soon) {
            return;
        }
        self.looked = Some(now);
        let (was, found) = (self.low, fs.space(&place.dir));
        self.free = found.as_ref().ok().map(|space| space.free);
        self.low = match &found {
            Ok(Space { free, total }) => {
                let least = self.least(*total);
                *free < if was { least.saturating_add(least / MORE) } else { least }
            }
            // Unknown counts as too little.
            Err(_) => true,
        };
        match (was, self.low) {
            (false, true) => {
                let error = found.err().map(|error| error.to_string());
                tracing::warn!(event = "audit_space_low", dir = %place.dir.display(), free = self.free, error, "the volume of the audit log is nearly full: changes are refused, reads go on");
            }
            (true, false) => {
                tracing::info!(event = "audit_space_enough", dir = %place.dir.display(), free = self.free, "the volume of the audit log has room again");
            }
            (true, true) | (false, false) => {}
        }
    }
}

impl Writer {
    /// Look at the volume, and have the reserve: nothing is written without it, so that the end can always be told.
    pub(super) fn make_room(&mut self) -> Result<(), Failure> {
        self.room.look(self.fs.as_ref(), &self.place, self.clock.now());
        if self.room.reserved {
            return Ok(());
        }
        match self.reserve() {
            Err(error) if is_full(&error) => {
                // What was half made takes room from the log.
                let _ = self.fs.remove(&self.place.reserve());
                return Err(doing("reserve space for the audit log")(error));
            }
            Err(error) => {
                tracing::warn!(event = "audit_without_reserve", %error, "no space could be reserved for the audit log: should its volume fill up, the log says so only when there is room again");
            }
            Ok(()) => {}
        }
        self.room.reserved = true;
        Ok(())
    }

    fn reserve(&self) -> io::Result<()> {
        let path = self.place.reserve();
        if self.fs.stat(&path)?.is_some_and(|found| found.len >= RESERVE) {
            return Ok(());
        }
        match self.fs.space(&self.place.dir) {
            Ok(space) if space.free < RESERVE.saturating_add(BESIDES) => Err(Errno::NOSPC.into()),
            // Whoever does not know may try.
            Ok(_) | Err(_) => self.fs.reserve(&path, RESERVE),
        }
    }

    /// The volume is full: give up the reserve, and say so in the log while there is room for that.
    pub(super) fn tell_of_the_end(&mut self) {
        if !self.begun() || !std::mem::take(&mut self.room.reserved) {
            return;
        }
        match self.fs.remove(&self.place.reserve()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return,
            Ok(()) | Err(_) => {}
        }
        // Where even this has no room, the log says it once it has.
        if self.ready(false).and_then(|()| self.write(&[], 0)).is_ok()
            && let Some(outage) = &mut self.outage
        {
            outage.told = true;
        }
    }
}
