//! The audit trail of this process: entries go in, and come back as durable lines of a verifiable log.
//!
//! One thread writes; everybody who waits shares one write and one sync. What cannot be made durable is
//! refused, never delayed or dropped in silence. The format is `aegis_custody::audit`; nothing here decides
//! what is worth recording.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use aegis_custody::{Clock, Random};
use serde_json::{Map, Value};
use tokio::sync::{oneshot, watch};

mod checkpoints;
mod failure;
mod fs;
mod high_water;
mod live;
pub(crate) mod names;
mod own;
mod recover;
mod segments;
pub(crate) mod signer;
mod space;
mod start;
mod thread;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use aegis_custody::audit::Event;
pub(crate) use checkpoints::Latest;
pub(crate) use live::{LiveLine, LiveLines};
pub(crate) use start::OpenError;

use signer::Signer;
use thread::{Log, Message, Order, Worker};

use crate::metrics::{SYNCS, Timed};

/// Entries that may wait for the thread, and pushed entries that are kept while the log cannot be written.
pub(crate) const QUEUE: usize = 4096;

/// Longest that anybody waits for a durable line.
const DEADLINE: Duration = Duration::from_secs(2);

/// Where the log is, and what its opening line says about this process.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// The active file, such as `/var/log/aegis-mcp/audit.log`.
    pub(crate) path: PathBuf,
    /// Version of the product.
    pub(crate) version: &'static str,
    /// SHA-256 of the policy document in force, as hex digits.
    pub(crate) policy_digest: String,
    /// SHA-256 of the component, as hex digits.
    pub(crate) component_digest: String,
    /// The key that signs its checkpoints.
    pub(crate) signer: Arc<Signer>,
    /// Where the last checkpoint is kept once more, on another volume than the log; none where there is no such place.
    pub(crate) high_water: Option<PathBuf>,
    /// Bytes that are to be free on its volume before changes are made; 0 where that does not matter.
    pub(crate) min_free: u64,
}

/// What is to be recorded. Sequence, time and hashes are added by the writer; a member too long for a line is
/// cut and marked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// What it is about.
    pub(crate) event: Event,
    /// The members after `event`.
    pub(crate) members: Map<String, Value>,
}

/// A line that is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    /// Its number in the log.
    pub(crate) seq: u64,
}

/// The entry is not on disk, and what depends on it must not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log is unavailable: {message}")]
pub(crate) struct Unavailable {
    message: String,
}

impl Unavailable {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// How the trail is doing, for readiness and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// Whether the last attempt to write succeeded and the writer lives.
    pub(crate) writable: bool,
    /// The last error, also after it was overcome.
    pub(crate) last_error: Option<String>,
    /// Lines made durable by this process.
    pub(crate) lines: u64,
    /// Entries waiting now.
    pub(crate) queue_depth: usize,
    /// Batches tried.
    pub(crate) batches: u64,
    /// Syncs of files and directories tried.
    pub(crate) syncs: u64,
    /// Entries that nobody waited for and that could not be kept.
    pub(crate) lost: u64,
    /// Too little is free on its volume for changes.
    pub(crate) space_low: bool,
    /// Bytes that were free on its volume a moment ago; none where that is not known.
    pub(crate) free: Option<u64>,
    /// The last checkpoint could not be kept once more.
    pub(crate) high_water_failed: bool,
}

/// What the thread and the handles share.
struct Shared {
    writable: AtomicBool,
    gone: AtomicBool,
    last_error: Mutex<Option<String>>,
    lines: AtomicU64,
    depth: AtomicUsize,
    batches: AtomicU64,
    syncs: AtomicU64,
    lost: AtomicU64,
    /// How many of the lost a line has told of.
    reported: AtomicU64,
    space_low: AtomicBool,
    high_water_failed: AtomicBool,
    free: Mutex<Option<u64>>,
}

/// A handle on the audit log of this process. Clones share the one writer.
#[derive(Clone)]
pub(crate) struct Trail {
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    latest: Latest,
    /// Until somebody asks for them.
    live: Arc<Mutex<Vec<LiveLines>>>,
    /// How long the disk took.
    syncs: fs::SyncTimes,
}

impl Trail {
    /// Take the lock, verify the log, recover from an interrupted write and write the opening lines, all of it
    /// durable when this returns. Where the volume cannot be written, the trail is there and refuses every entry that
    /// somebody waits for; [`Self::health`] says why, and the log is opened as soon as it can be.
    ///
    /// # Errors
    /// Where the log is in use, its path names no file, or it was changed by somebody else.
    pub(crate) fn open(
        opening: Opening,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, OpenError> {
        let bounds = writer::Bounds { min_free: opening.min_free, ..writer::Bounds::default() };
        let (latest, _) = watch::channel(None);
        let (live, listeners) = live::Live::new();
        let syncs = Arc::new(Timed::new(SYNCS));
        let (fs, unsynced) = (Arc::new(fs::RealFs::new(syncs.clone())), Arc::default());
        let world = start::World { fs, clock, random, bounds, latest, unsynced, live };
        Ok(Self { syncs, ..Self::open_in(opening, world, listeners)? })
    }

    fn open_in(opening: Opening, world: start::World, listeners: Vec<LiveLines>) -> Result<Self, OpenError> {
        let path = opening.path.clone();
        let latest = world.latest.subscribe();
        let shared = Arc::new(Shared {
            writable: AtomicBool::new(true),
            gone: AtomicBool::new(false),
            last_error: Mutex::new(None),
            lines: AtomicU64::new(0),
            depth: AtomicUsize::new(0),
            batches: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            reported: AtomicU64::new(0),
            space_low: AtomicBool::new(false),
            high_water_failed: AtomicBool::new(false),
            free: Mutex::new(None),
        });
        let (queue, receiver) = sync_channel(QUEUE);
        let mut worker = Worker {
            log: Log::Shut(Box::new((opening, world))),
            queue: receiver,
            shared: Arc::clone(&shared),
            waiting: VecDeque::new(),
            orders: Vec::new(),
        };
        worker.begin()?;
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || worker.run());
        let thread = thread.map_err(|source| OpenError::Unwritable { path, source })?;
        let thread = Arc::new(Mutex::new(Some(thread)));
        let live = Arc::new(Mutex::new(listeners));
        Ok(Self { queue, shared, thread, latest, live, syncs: Arc::new(Timed::new(SYNCS)) })
    }

    /// Make an entry durable. It is on disk when this returns its number; that takes at most 2 seconds.
    ///
    /// Entries are written in the order in which they came, those of [`Self::push`] among them. An entry whose
    /// caller no longer waits is left out, so that what was refused is not done late; only one that is on its
    /// way to the disk at that moment may still come there.
    ///
    /// # Errors
    /// Whenever it is not known to be on disk.
    pub(crate) async fn append(&self, entry: Entry) -> Result<Appended, Unavailable> {
        let (ack, answer) = oneshot::channel();
        self.send(Message::Append(entry, ack)).map_err(|refused| match refused {
            TrySendError::Full(_) => Unavailable::new("too many entries are waiting"),
            TrySendError::Disconnected(_) => Unavailable::new("it is closed"),
        })?;
        match tokio::time::timeout(DEADLINE, answer).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(Unavailable::new("its writer ended")),
            Err(_) => Err(Unavailable::new("the disk did not answer within 2 seconds")),
        }
    }

    /// Have an entry written with the next batch, after everything that came before it. Where it cannot be kept, that is counted and logged, and a
    /// later line says how many were lost.
    pub(crate) fn push(&self, entry: Entry) {
        if self.send(Message::Push(entry)).is_err() {
            let lost = self.shared.lost.fetch_add(1, Ordering::AcqRel) + 1;
            tracing::error!(lost, "an audit entry was lost: the queue of the audit log is full or closed");
        }
    }

    /// The last signed checkpoint, and each one that follows it, for whoever keeps it elsewhere.
    pub(crate) fn checkpoints(&self) -> Latest {
        self.latest.clone()
    }

    /// Every line from the opening on, as it comes to the disk, for so many listeners and no more. Asked for once; the lines
    /// end when the log is closed.
    pub(crate) fn live(&self, listeners: usize) -> Vec<LiveLines> {
        let mut all = std::mem::take(&mut *self.live.lock().unwrap_or_else(PoisonError::into_inner));
        all.truncate(listeners);
        all
    }

    /// Close the active segment, whatever its size and age.
    ///
    /// # Errors
    /// It could not be closed now.
    pub(crate) async fn rotate(&self) -> Result<(), Unavailable> {
        self.order(Order::Rotate).await
    }

    /// Sign with another key from now on; the log says so.
    ///
    /// # Errors
    /// The line about it is not on disk, and the key before it goes on signing.
    pub(crate) async fn use_key(&self, signer: Arc<Signer>) -> Result<(), Unavailable> {
        self.order(Order::UseKey(signer)).await
    }

    async fn order(&self, order: Order) -> Result<(), Unavailable> {
        let (ack, answer) = oneshot::channel();
        self.send(Message::Order(order, ack))
            .map_err(|_| Unavailable::new("too many entries are waiting"))?;
        match tokio::time::timeout(DEADLINE, answer).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(Unavailable::new("its writer ended")),
            Err(_) => Err(Unavailable::new("the disk did not answer within 2 seconds")),
        }
    }

    fn send(&self, message: Message) -> Result<(), TrySendError<Message>> {
        self.shared.depth.fetch_add(1, Ordering::AcqRel);
        self.queue.try_send(message).inspect_err(|_| {
            self.shared.depth.fetch_sub(1, Ordering::AcqRel);
        })
    }

    /// How the trail is doing.
    pub(crate) fn health(&self) -> Health {
        let shared = &self.shared;
        Health {
            writable: shared.writable.load(Ordering::Acquire) && !shared.gone.load(Ordering::Acquire),
            last_error: shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            lines: shared.lines.load(Ordering::Acquire),
            queue_depth: shared.depth.load(Ordering::Acquire),
            batches: shared.batches.load(Ordering::Acquire),
            syncs: shared.syncs.load(Ordering::Acquire),
            lost: shared.lost.load(Ordering::Acquire),
            space_low: self.space_is_low(),
            high_water_failed: shared.high_water_failed.load(Ordering::Acquire),
            free: *shared.free.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// How long syncs of its files took.
    pub(crate) fn sync_times(&self) -> Arc<Timed<0>> {
        self.syncs.clone()
    }

    /// Whether too little is free on its volume for changes.
    pub(crate) fn space_is_low(&self) -> bool {
        self.shared.space_low.load(Ordering::Acquire)
    }

    /// Write what is waiting and the closing line, and stop. Blocks until that is done; entries that come
    /// later are refused. Calling it again does nothing.
    pub(crate) fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Where the thread is gone already there is nothing to ask of it.
            let _ = self.queue.send(Message::Close);
            if thread.join().is_err() {
                tracing::error!("the writer of the audit log ended by a panic");
            }
        }
    }
}
