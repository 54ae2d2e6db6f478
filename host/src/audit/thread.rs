//! The writer's thread: gathers what waits into one batch, has it written, tells those who wait; and opens the log later
//! where it could not be opened at the start. It decides nothing about files.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::failure::Failure;
use super::signer::Signer;
use super::start::{OpenError, World, start};
use super::writer::Writer;
use super::{Appended, Entry, Event, Opening, QUEUE, Shared, Unavailable};

/// Most entries in one batch.
const BATCH: usize = 1024;

/// How often a log that cannot be written is tried again while nothing arrives.
const RETRY: Duration = Duration::from_millis(500);

/// How often an idle log is looked at: a checkpoint may be due.
const IDLE: Duration = Duration::from_secs(15);

pub(super) type Ack = oneshot::Sender<Result<Appended, Unavailable>>;

/// What travels to the thread.
pub(super) enum Message {
    Append(Entry, Ack),
    Push(Entry),
    Order(Order, Ordered),
    Close,
}

/// Who waits for an order.
type Ordered = oneshot::Sender<Result<(), Unavailable>>;

/// What is asked of the writer itself.
pub(super) enum Order {
    /// Close the active segment.
    Rotate,
    /// Sign with another key.
    UseKey(Arc<Signer>),
}

/// An entry and who waits for it; nobody where it was pushed.
pub(super) struct Waiting {
    entry: Entry,
    ack: Option<Ack>,
}

/// The log, or all that it takes to open it.
pub(super) enum Log {
    Open(Box<Writer>),
    Shut(Box<(Opening, World)>),
}

pub(super) struct Worker {
    pub(super) log: Log,
    pub(super) queue: Receiver<Message>,
    pub(super) shared: Arc<Shared>,
    /// What is to be written, in the order in which it came. Pushed entries stay in their place when a batch
    /// fails.
    pub(super) waiting: VecDeque<Waiting>,
    /// What is to be done once they are written.
    pub(super) orders: Vec<(Order, Ordered)>,
}

impl Worker {
    /// Open the log and write the lines about that. Where its volume cannot be written this is put off, and the trail is
    /// not writable until then.
    pub(super) fn begin(&mut self) -> Result<(), OpenError> {
        if let Err(error) = self.open() {
            if !error.may_pass() {
                return Err(error);
            }
            self.publish(&Err(Failure::Shut(error)));
            return Ok(());
        }
        loop {
            self.commit();
            if self.waiting.is_empty() || !self.shared.writable.load(Ordering::Acquire) {
                return Ok(());
            }
        }
    }

    /// Have an open log, and the lines about its opening in front of all others.
    fn open(&mut self) -> Result<(), OpenError> {
        if let Log::Shut(needed) = &self.log {
            let (writer, entries) = start(&needed.0, needed.1.clone())?;
            self.log = Log::Open(Box::new(writer));
            for entry in entries.into_iter().rev() {
                self.waiting.push_front(Waiting { entry, ack: None });
            }
        }
        Ok(())
    }

    /// Work until told to close, or until nobody is left who could send.
    pub(super) fn run(mut self) {
        // However this thread ends, also by a panic, the log is not writable after it; the queue goes with
        // it, so that everybody who waits is told at once.
        let _gone = Gone(Arc::clone(&self.shared));
        loop {
            let mut closing = match self.wait() {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            // However much is kept from batches that failed, those who wait now are to be answered by this turn.
            for _ in 1..BATCH {
                if closing || self.waiting.len() >= QUEUE {
                    break;
                }
                match self.queue.try_recv() {
                    Ok(message) => closing = self.take(message),
                    Err(_) => break,
                }
            }
            if closing {
                return self.close();
            }
            self.commit();
            self.obey();
        }
    }

    /// Do what was asked of the writer, and tell who asked.
    fn obey(&mut self) {
        for (order, ack) in std::mem::take(&mut self.orders) {
            let done = match &mut self.log {
                Log::Open(writer) => match order {
                    Order::Rotate => writer.rotate(),
                    Order::UseKey(signer) => writer.use_key(signer),
                },
                Log::Shut(_) => Err(Failure::Foreign("the audit log is not open".to_owned())),
            };
            // Whoever gave up waiting finds out in the log.
            let _ = ack.send(done.map_err(|failure| Unavailable::new(failure.to_string())));
        }
    }

    fn wait(&self) -> Result<Message, RecvTimeoutError> {
        match (self.shared.writable.load(Ordering::Acquire), self.waiting.is_empty()) {
            (true, true) => self.queue.recv_timeout(IDLE),
            (true, false) => self.queue.recv_timeout(Duration::ZERO),
            (false, _) => self.queue.recv_timeout(RETRY),
        }
    }

    /// Put a message behind what is waiting; true where it asks to stop.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Close => return true,
            Message::Order(order, ack) => self.orders.push((order, ack)),
            Message::Append(entry, ack) => self.waiting.push_back(Waiting { entry, ack: Some(ack) }),
            Message::Push(entry) => {
                if self.waiting.len() < QUEUE {
                    self.waiting.push_back(Waiting { entry, ack: None });
                } else {
                    self.shared.lost.fetch_add(1, Ordering::AcqRel);
                }
            }
        }
        self.shared.depth.fetch_sub(1, Ordering::AcqRel);
        false
    }

    /// The first of what is waiting, without those whose callers have gone: they were told that their entry
    /// was not recorded, and act on that.
    fn batch(&mut self) -> (Vec<Entry>, Vec<Option<Ack>>) {
        let (mut entries, mut acks) = (Vec::new(), Vec::new());
        while entries.len() < BATCH {
            let Some(Waiting { entry, ack }) = self.waiting.pop_front() else { break };
            if !ack.as_ref().is_some_and(Ack::is_closed) {
                entries.push(entry);
                acks.push(ack);
            }
        }
        (entries, acks)
    }

    /// Write one batch, in the order in which its entries came.
    fn commit(&mut self) {
        let opened = self.open();
        let (entries, acks) = self.batch();
        let lost = self.shared.lost.load(Ordering::Acquire);
        let mut reported = self.shared.reported.load(Ordering::Acquire);
        let done = opened.map_err(Failure::Shut).and_then(|()| match &mut self.log {
            Log::Open(writer) => {
                let untold = if writer.begun() { lost.saturating_sub(reported) } else { 0 };
                reported = reported.saturating_add(untold);
                writer.commit(&entries, untold)
            }
            Log::Shut(_) => Err(Failure::Foreign("the audit log is not open".to_owned())),
        });
        self.publish(&done);
        match done {
            Ok(first) => {
                self.shared.reported.store(reported, Ordering::Release);
                for (seq, ack) in (first..).zip(acks) {
                    // Whoever gave up waiting has been answered by their deadline.
                    let _ = ack.map(|ack| ack.send(Ok(Appended { seq })));
                }
            }
            Err(failure) => self.refuse(entries, acks, &failure),
        }
    }

    /// Refuse everybody who waits, also those behind the batch that failed, and keep what was pushed, in its place.
    fn refuse(&mut self, entries: Vec<Entry>, acks: Vec<Option<Ack>>, failure: &Failure) {
        let unavailable = Unavailable::new(failure.to_string());
        let failed = entries.into_iter().zip(acks).map(|(entry, ack)| Waiting { entry, ack });
        let later = std::mem::take(&mut self.waiting);
        for Waiting { entry, ack } in failed.chain(later) {
            match ack {
                Some(ack) => drop(ack.send(Err(unavailable.clone()))),
                None => self.waiting.push_back(Waiting { entry, ack: None }),
            }
        }
    }

    fn publish(&self, done: &Result<u64, Failure>) {
        let shared = &self.shared;
        if let Log::Open(writer) = &self.log {
            shared.lines.store(writer.lines, Ordering::Release);
            shared.syncs.store(writer.syncs, Ordering::Release);
            shared.space_low.store(writer.room.low, Ordering::Release);
            shared.high_water_failed.store(writer.checkpoints.high_water.failed, Ordering::Release);
            *shared.free.lock().unwrap_or_else(PoisonError::into_inner) = writer.room.free;
        }
        shared.batches.fetch_add(1, Ordering::AcqRel);
        let was = shared.writable.swap(done.is_ok(), Ordering::AcqRel);
        match done {
            Ok(_) if !was => tracing::info!(event = "audit_available", "the audit log can be written again"),
            Ok(_) => {}
            Err(failure) => {
                if was {
                    let mend = failure.mend(self.place());
                    tracing::error!(event = "audit_unavailable", error = %failure, mend, "the audit log cannot be written: tool calls are refused");
                }
                let mut last = shared.last_error.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Some(failure.to_string());
            }
        }
    }

    /// The active file.
    fn place(&self) -> &Path {
        match &self.log {
            Log::Open(writer) => &writer.place.active,
            Log::Shut(needed) => &needed.0.path,
        }
    }

    /// Write what is still waiting and, after all of it, the line that says that this was a stop in good
    /// order. A batch that fails is tried once more: a file that could not be synced is replaced by then.
    fn close(mut self) {
        let entry = Entry { event: Event::LogClose, members: serde_json::Map::new() };
        let (mut last, mut failed) = (Some(Waiting { entry, ack: None }), 0);
        while failed < 2 {
            while last.is_some() && self.waiting.len() < BATCH {
                match self.queue.try_recv() {
                    Ok(message) => drop(self.take(message)),
                    Err(_) => break,
                }
            }
            if self.waiting.is_empty() {
                let Some(last) = last.take() else { return self.sign_off() };
                self.waiting.push_back(last);
            }
            self.commit();
            failed = if self.shared.writable.load(Ordering::Acquire) { 0 } else { failed + 1 };
        }
        let lost = self.waiting.len();
        tracing::error!(lost, "the audit log was closed with entries that could not be written");
    }
}

impl Worker {
    /// A stop in good order leaves nothing unsigned.
    fn sign_off(&mut self) {
        if let Log::Open(writer) = &mut self.log {
            // Told of there; the next start signs for these lines.
            let _ = writer.sign();
        }
    }
}

struct Gone(Arc<Shared>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.writable.store(false, Ordering::Release);
        self.0.gone.store(true, Ordering::Release);
    }
}
