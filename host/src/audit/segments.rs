//! Beginning and ending segments: the active file is closed under a name that says which lines it holds, and a new one is
//! made. It writes no entry.

use std::io;

use aegis_custody::audit::Event;
use serde_json::json;

use super::failure::{Failure, doing};
use super::fs::LogFile;
use super::own::Previous;
use super::writer::{Active, Need, Writer, object};

impl Writer {
    /// Close the active segment now.
    pub(super) fn rotate(&mut self) -> Result<(), Failure> {
        self.repair()?;
        if self.active.as_ref().is_some_and(|active| active.len > 0) {
            self.close_segment()?;
            self.repair()?;
        }
        Ok(())
    }

    /// Give the active file its closed name, or remove it where it holds no acknowledged line.
    pub(super) fn put_aside(&mut self, reason: &'static str) -> Result<(), Failure> {
        let Some(active) = &mut self.active else { return Ok(()) };
        if active.len == 0 {
            self.fs.remove(&self.place.active).map_err(doing("remove a file that could not be synced"))?;
        } else {
            // Where even this fails, the closed name says which line is the last.
            let _ = active.file.cut(active.len);
            let name = self.place.closed_name(active.first_seq, self.log.chain().last_seq());
            let closed = self.place.closed(&name);
            if self.fs.stat(&closed).map_err(doing("look at the closed segment"))?.is_some() {
                return Err(Failure::Foreign(format!("{} exists already: move it away", closed.display())));
            }
            self.fs.rename(&self.place.active, &closed).map_err(doing("rename a closed segment"))?;
            self.previous = Some(Previous { name, reason });
            self.number = self.number.saturating_add(1);
        }
        self.active = None;
        self.dir_dirty = true;
        Ok(())
    }

    pub(super) fn must_rotate(&self) -> bool {
        self.active.as_ref().is_some_and(|active| {
            let age = self.clock.now().unix_millis().saturating_sub(active.first_ts.unix_millis());
            active.len > 0 && (active.len >= self.bounds.size || age >= self.bounds.age)
        })
    }

    fn close_segment(&mut self) -> Result<(), Failure> {
        let now = self.clock.now().max(self.last_ts);
        let (mut log, mut bytes) = (self.log.clone(), Vec::new());
        log.seal(&mut bytes, now, Event::SegmentClose, &object(json!({"number": self.number})));
        self.append(&bytes, log, 1, now)?;
        if let Some(active) = &mut self.active {
            active.need = Need::Close;
        }
        Ok(())
    }

    pub(super) fn create(&mut self) -> Result<(), Failure> {
        // The old name must be durable before the name it had is used again.
        self.sync_dir()?;
        let file = self.create_file().map_err(doing("create the audit log"))?;
        self.dir_dirty = true;
        let stat = file.stat().map_err(doing("look at the new audit log"));
        let id = match stat {
            Ok(stat) => stat.id,
            Err(failure) => {
                // Without its identity the file cannot be guarded; it is made anew next time.
                let _ = self.fs.remove(&self.place.active);
                return Err(failure);
            }
        };
        let first_seq = self.log.chain().last_seq().saturating_add(1);
        let first_ts = self.clock.now();
        self.active = Some(Active { file, id, len: 0, first_seq, first_ts, need: Need::Nothing });
        Ok(())
    }

    /// A new active file. An empty one of that name was left by an attempt that failed half way and could not clean up
    /// after itself: it holds no line, and nobody else may write here while we hold the lock.
    fn create_file(&self) -> io::Result<Box<dyn LogFile>> {
        match self.fs.create(&self.place.active) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if self.fs.stat(&self.place.active)?.is_none_or(|found| found.len > 0) {
                    return Err(error);
                }
                self.fs.remove(&self.place.active)?;
                self.fs.create(&self.place.active)
            }
            done => done,
        }
    }
}
