//! The writer's thread: gathers what waits into one batch, has it written, tells those who wait. It decides
//! nothing about files.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::writer::{Failure, Writer};
use super::{Appended, Entry, Event, QUEUE, Shared, Unavailable};

/// Most entries in one batch.
const BATCH: usize = 1024;

/// How often a log that cannot be written is tried again while nothing arrives.
const RETRY: Duration = Duration::from_millis(500);

pub(super) type Ack = oneshot::Sender<Result<Appended, Unavailable>>;

/// What travels to the thread.
pub(super) enum Message {
    Append(Entry, Ack),
    Push(Entry),
    Close,
}

pub(super) struct Worker {
    pub(super) writer: Writer,
    pub(super) queue: Receiver<Message>,
    pub(super) shared: Arc<Shared>,
    /// Pushed entries of batches that failed, kept for the next.
    pub(super) held: VecDeque<Entry>,
}

impl Worker {
    /// Work until told to close, or until nobody is left who could send.
    pub(super) fn run(mut self) {
        // However this thread ends, also by a panic, the log is not writable after it; the queue goes with
        // it, so that everybody who waits is told at once.
        let _gone = Gone(Arc::clone(&self.shared));
        loop {
            let (mut entries, mut acks, mut closing) = (Vec::new(), Vec::new(), false);
            match self.wait() {
                Ok(message) => closing |= self.take(message, &mut entries, &mut acks),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => closing = true,
            }
            while !closing && entries.len() + self.held.len() < BATCH {
                match self.queue.try_recv() {
                    Ok(message) => closing |= self.take(message, &mut entries, &mut acks),
                    Err(_) => break,
                }
            }
            self.commit(entries, acks);
            if closing {
                return self.close();
            }
        }
    }

    fn wait(&self) -> Result<Message, RecvTimeoutError> {
        match (self.shared.writable.load(Ordering::Acquire), self.held.is_empty()) {
            (true, true) => self.queue.recv().or(Err(RecvTimeoutError::Disconnected)),
            (true, false) => self.queue.recv_timeout(Duration::ZERO),
            (false, _) => self.queue.recv_timeout(RETRY),
        }
    }

    /// Add a message to the batch; true where it asks to stop.
    fn take(&mut self, message: Message, entries: &mut Vec<Entry>, acks: &mut Vec<(usize, Ack)>) -> bool {
        match message {
            Message::Close => return true,
            Message::Append(entry, ack) => {
                acks.push((entries.len(), ack));
                entries.push(entry);
            }
            Message::Push(entry) => {
                if self.held.len() < QUEUE {
                    self.held.push_back(entry);
                } else {
                    self.shared.lost.fetch_add(1, Ordering::AcqRel);
                }
            }
        }
        self.shared.depth.fetch_sub(1, Ordering::AcqRel);
        false
    }

    /// Write one batch: what was held and pushed first, then what is waited for.
    fn commit(&mut self, mut entries: Vec<Entry>, acks: Vec<(usize, Ack)>) {
        let pushed = self.held.len().min(BATCH);
        let mut batch: Vec<Entry> = self.held.drain(..pushed).collect();
        batch.append(&mut entries);
        let lost = self.shared.lost.load(Ordering::Acquire);
        let reported = self.shared.reported.load(Ordering::Acquire);
        let done = self.writer.commit(&batch, lost.saturating_sub(reported));
        self.publish(&done);
        match done {
            Ok(first) => {
                self.shared.reported.store(lost, Ordering::Release);
                for (index, ack) in acks {
                    let place = u64::try_from(pushed + index).unwrap_or(u64::MAX);
                    // Whoever gave up waiting has been answered by their deadline.
                    let _ = ack.send(Ok(Appended { seq: first.saturating_add(place) }));
                }
            }
            Err(failure) => {
                for entry in batch.into_iter().take(pushed).rev() {
                    self.held.push_front(entry);
                }
                let unavailable = Unavailable::new(failure.to_string());
                for (_, ack) in acks {
                    let _ = ack.send(Err(unavailable.clone()));
                }
            }
        }
    }

    fn publish(&self, done: &Result<u64, Failure>) {
        let shared = &self.shared;
        shared.lines.store(self.writer.lines, Ordering::Release);
        shared.syncs.store(self.writer.syncs, Ordering::Release);
        shared.batches.fetch_add(1, Ordering::AcqRel);
        let was = shared.writable.swap(done.is_ok(), Ordering::AcqRel);
        match done {
            Ok(_) if !was => tracing::info!("the audit log can be written again"),
            Ok(_) => {}
            Err(failure) => {
                if was {
                    tracing::error!(error = %failure, "the audit log cannot be written: tool calls are refused");
                }
                let mut last = shared.last_error.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Some(failure.to_string());
            }
        }
    }

    /// Write what is still waiting and the line that says that this was a stop in good order.
    fn close(mut self) {
        let mut rest: Vec<Message> = self.queue.try_iter().collect();
        while !rest.is_empty() || !self.held.is_empty() {
            let (mut entries, mut acks) = (Vec::new(), Vec::new());
            let more = rest.split_off(rest.len().min(BATCH));
            for message in std::mem::replace(&mut rest, more) {
                self.take(message, &mut entries, &mut acks);
            }
            self.commit(entries, acks);
            if !self.shared.writable.load(Ordering::Acquire) && rest.is_empty() {
                break;
            }
        }
        let last = Entry { event: Event::LogClose, members: serde_json::Map::new() };
        let lost = self.held.len();
        self.commit(vec![last], Vec::new());
        if !self.held.is_empty() {
            tracing::error!(lost, "the audit log was closed with entries that could not be written");
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
