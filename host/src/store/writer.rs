//! The one thread that writes the registry: it gathers what waits into one transaction, tells those who wait,
//! and after an error opens the file anew before it writes again. It knows nothing of what rows mean.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use aegis_custody::{Clock, Timestamp};
use tokio::sync::oneshot;

use super::copy::{self, BackupError};
use super::file::{Broken, Registry};
use super::open::{Footing, Place, find, set_aside, volatile};
use super::revocations::{self, Revocations};
use super::row::Change;
use super::volume::Volume;
use super::{Committed, Name, Note, Shared};

/// How often a registry that cannot be written is looked at while nothing arrives. Whether it is tried then is
/// decided by the clock.
const LOOK: Duration = Duration::from_secs(1);

/// The longest wait between two tries, in milliseconds.
const BACK_OFF_MAX: i64 = 60_000;

/// What travels to the thread.
pub(super) enum Message {
    Commit(Vec<Change>, oneshot::Sender<Committed>),
    Backup(PathBuf, oneshot::Sender<Result<(), BackupError>>),
    Close(oneshot::Sender<()>),
}

pub(super) struct Writer {
    pub(super) volume: Arc<dyn Volume>,
    pub(super) place: Place,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Receiver<Message>,
    /// The open file; none while it cannot be used.
    pub(super) registry: Option<Registry>,
    pub(super) lock: Option<Box<dyn Send>>,
    /// See [`super::open::Found::known`].
    pub(super) known: bool,
    /// Another server has the registry: this one never writes.
    pub(super) barred: bool,
    /// How often in a row opening failed, and when it did last.
    pub(super) failed: Option<(u32, Timestamp)>,
    /// What was revoked, a second time.
    pub(super) revocations: Revocations,
    /// How often in a row keeping them failed, and when it did last.
    pub(super) unkept: Option<(u32, Timestamp)>,
}

impl Writer {
    /// Work until told to close, or until nobody is left who could send.
    pub(super) fn run(mut self) {
        // However this thread ends, also by a panic, nothing is durable after it; the queue goes with it, so
        // that everybody who waits is told at once.
        let _gone = Gone(Arc::clone(&self.shared));
        loop {
            let is_whole = self.registry.is_some() && !self.revocations.is_behind();
            let message = if is_whole || self.barred {
                self.queue.recv().or(Err(RecvTimeoutError::Disconnected))
            } else {
                self.queue.recv_timeout(LOOK)
            };
            match message {
                Ok(message) => {
                    if let Some(done) = self.turn(message) {
                        self.close();
                        let _ = done.send(());
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return self.close(),
            }
        }
    }

    /// Take a message and all that wait behind it: commits go into one transaction, up to the first message
    /// that is something else. Whoever asks to close is returned, after all before them was written.
    fn turn(&mut self, first: Message) -> Option<oneshot::Sender<()>> {
        let (mut batch, mut acks) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(message) = next {
            if let Message::Commit(changes, ack) = message {
                acks.push((changes.iter().any(revocations::concerns), ack));
                batch.push(changes);
                next = self.queue.try_recv().ok();
                continue;
            }
            self.answer(&mut batch, &mut acks);
            match message {
                Message::Backup(to, ack) => drop(ack.send(self.backup(&to))),
                Message::Close(done) => return Some(done),
                Message::Commit(..) => {}
            }
            next = self.queue.try_recv().ok();
        }
        self.answer(&mut batch, &mut acks);
        None
    }

    /// Write a batch and tell those who wait; those who gave up waiting need no answer.
    fn answer(&mut self, batch: &mut Vec<Vec<Change>>, acks: &mut Vec<(bool, oneshot::Sender<Committed>)>) {
        if acks.is_empty() {
            return;
        }
        let committed = self.write(batch);
        batch.clear();
        let is_once = committed == Committed::Durable && self.revocations.is_behind();
        for (revokes, ack) in acks.drain(..) {
            let _ = ack.send(if revokes && is_once { Committed::Once } else { committed });
        }
    }

    /// Nothing arrived: try again what failed before, where it is time.
    fn look(&mut self) {
        if self.registry.is_none() {
            let _ = self.write(&[]);
        } else if is_due(self.unkept, self.clock.now()) {
            self.keep_revocations();
        }
    }

    /// Write changes: to the open file, or to one that can be opened again now, after the whole state.
    fn write(&mut self, batch: &[Vec<Change>]) -> Committed {
        self.revocations.note(batch.iter().flatten());
        self.keep_revocations();
        let Some(registry) = &self.registry else {
            let committed = self.recover(batch);
            // What could not be kept before may go with the volume that is back.
            self.keep_revocations();
            return committed;
        };
        let done = registry.apply(None, batch.iter().flatten());
        self.settle(done)
    }

    /// Tried before the registry is written, so that nothing that is revoked there is missing here. Where it fails the
    /// registry is written all the same: revoking waits for nothing. Only whoever holds the registry writes.
    fn keep_revocations(&mut self) {
        let is_ours = self.lock.is_some() || self.registry.is_some();
        if !is_ours || !self.revocations.is_behind() {
            return;
        }
        let done = self.revocations.keep(self.volume.as_ref());
        let why = done.as_ref().err().map(ToString::to_string);
        self.shared.health.lock().unwrap_or_else(PoisonError::into_inner).revocations.clone_from(&why);
        let Some(why) = why else {
            if self.unkept.take().is_some() {
                tracing::info!("what is revoked is kept beside the registry again");
                self.shared.remark(revocations::durable(&self.place.directory));
            }
            return;
        };
        let times = self.unkept.map_or(0, |(times, _)| times);
        if times == 0 {
            tracing::error!(error = why, "what is revoked cannot be kept beside the registry");
            self.shared.remark(revocations::volatile(&self.place.directory, &why));
        }
        self.unkept = Some((times.saturating_add(1), self.clock.now()));
    }

    /// Take note of what became of a transaction. A file that failed is let go of and opened again by the next
    /// batch: the engine refuses it from here on, and the kernel may have dropped pages it could not write.
    fn settle(&mut self, done: Result<(), Broken>) -> Committed {
        match done {
            Ok(()) => {
                self.durable();
                Committed::Durable
            }
            Err(error) => {
                if let Some(registry) = self.registry.take() {
                    registry.abandon();
                }
                self.failed = None;
                self.outage(&error.to_string());
                Committed::Volatile
            }
        }
    }

    /// Where it is time, open the file again and write the whole state and then the changes.
    fn recover(&mut self, batch: &[Vec<Change>]) -> Committed {
        let now = self.clock.now();
        if self.barred || !is_due(self.failed, now) {
            return Committed::Volatile;
        }
        match self.reopen(batch, now) {
            Ok(registry) => {
                self.registry = Some(registry);
                self.failed = None;
                self.durable();
                Committed::Durable
            }
            Err(why) => {
                let times = self.failed.map_or(0, |(times, _)| times).saturating_add(1);
                self.failed = Some((times, now));
                self.outage(&why);
                Committed::Volatile
            }
        }
    }

    fn reopen(&mut self, batch: &[Vec<Change>], now: Timestamp) -> Result<Registry, String> {
        if !self.shared.has_whole() {
            return Err("nobody can tell the whole state yet".to_owned());
        }
        // Given up and taken anew with the file: where another server came in between, it is seen.
        self.lock = None;
        if !self.known {
            self.keep_unread(now)?;
        }
        let found = find(self.volume.as_ref(), &self.place, now);
        self.lock = found.lock;
        let registry = match found.footing {
            Footing::Durable(registry) => registry,
            Footing::Volatile(why) => return Err(why),
            Footing::Locked => {
                self.known = false;
                return Err("another process has the registry open".to_owned());
            }
        };
        self.known = true;
        found.notes.into_iter().for_each(|note| self.shared.remark(note));
        // Taken after what waits was gathered, so that it holds all of it; applying that again changes nothing.
        let whole = self.shared.whole().unwrap_or_default();
        match registry.apply(Some(&whole), batch.iter().flatten()) {
            Ok(()) => Ok(registry),
            Err(error) => {
                registry.abandon();
                Err(error.to_string())
            }
        }
    }

    /// Keep a registry that appeared where none could be read before: it is not ours to write over.
    fn keep_unread(&self, now: Timestamp) -> Result<(), String> {
        let Some(_) = self.volume.len(&self.place.file).map_err(|error| error.to_string())? else {
            return Ok(());
        };
        // Only the lock shows that nobody works on it right now.
        let _lock = self
            .volume
            .lock(self.place.lock_file())
            .map_err(|_| "another process may have the registry open".to_owned())?;
        let to = set_aside(self.volume.as_ref(), &self.place, &self.place.file, "unread", now)
            .map_err(|e| e.to_string())?;
        self.shared.remark(Note::new(
            Name::Unread,
            format!(
                "a registry that could not be read at the start was found; it is kept as {}: stop the server and restore it where it holds what you need",
                to.display()
            ),
        ));
        Ok(())
    }

    fn backup(&self, to: &std::path::Path) -> Result<(), BackupError> {
        let rows = match &self.registry {
            Some(registry) => registry.rows().map_err(|error| BackupError::Source(error.to_string()))?,
            None => self
                .shared
                .whole()
                .ok_or_else(|| BackupError::Source("the registry cannot be read".to_owned()))?,
        };
        copy::write(&self.place.file, to, &rows)
    }

    fn durable(&self) {
        let bytes = self.volume.len(&self.place.file).ok().flatten();
        let mut health = self.shared.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.commits += 1;
        health.bytes = bytes.unwrap_or(health.bytes);
        health.reason = None;
        let was = std::mem::replace(&mut health.durable, true);
        drop(health);
        if !was {
            tracing::info!("the registry can be written again");
            let text = "the registry can be written again; all of it is on the volume".to_owned();
            self.shared.remark(Note::new(Name::Durable, text));
        }
    }

    fn outage(&self, why: &str) {
        let mut health = self.shared.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.reason = Some(why.to_owned());
        health.last_error = Some(why.to_owned());
        let was = std::mem::replace(&mut health.durable, false);
        drop(health);
        if was {
            tracing::error!(error = why, "the registry cannot be written: sign-ins live in memory");
            self.shared.remark(volatile(&self.place, why));
        }
    }

    fn close(&mut self) {
        self.keep_revocations();
        if let Some(Err(error)) = self.registry.take().map(Registry::close) {
            tracing::warn!(%error, "the registry was not closed in good order; the next start repairs it");
        }
        // Before anybody is told that it is closed: whoever opens it next must get the lock.
        self.lock = None;
    }
}

/// Whether it is time to try again: at once, then after 2, 4, 8 seconds and so on. A clock that was set back
/// makes it time.
fn is_due(failed: Option<(u32, Timestamp)>, now: Timestamp) -> bool {
    let Some((times, last)) = failed else { return true };
    let wait = 1_000_i64.checked_shl(times.min(16)).unwrap_or(BACK_OFF_MAX).min(BACK_OFF_MAX);
    let since = now.unix_millis() - last.unix_millis();
    since < 0 || since >= wait
}

struct Gone(Arc<Shared>);

impl Drop for Gone {
    fn drop(&mut self) {
        let mut health = self.0.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.durable = false;
        health.reason = Some("the registry is closed".to_owned());
    }
}
