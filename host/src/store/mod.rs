//! The registry: rows that outlive the process, in one file on the registry volume, written by one thread.
//!
//! It knows nothing of what the rows mean. It never fails the start: where the volume cannot be used, what is
//! committed is [`Committed::Volatile`], the caller goes on in memory, and the whole state is written as soon
//! as the volume can be written again.

mod copy;
mod file;
mod open;
mod revocations;
mod row;
#[cfg(test)]
mod tests;
mod volume;
mod writer;

use std::collections::VecDeque;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aegis_custody::Clock;
use tokio::sync::oneshot;

#[cfg(test)]
pub(crate) use copy::RestoreError;
pub(crate) use copy::{BackupError, read_backup};
#[cfg(test)]
use row::Table;
pub(crate) use row::{Change, Row};

use open::{Footing, Found, Place, find};
use revocations::Revocations;
use volume::{RealVolume, Volume};
use writer::{Message, Writer};

/// The most remarks that wait to be taken; older ones go first.
const REMARKS: usize = 16;

/// What a remark is about. The names are those of security events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// There was no registry, and a new one was made.
    Created,
    /// The registry cannot be written.
    Volatile,
    /// The registry can be written again.
    Durable,
    /// What stood in the file cannot be used.
    Corrupt,
    /// Another process has the registry: a server must not start, a command talks to the server that runs.
    Locked,
    /// A registry that could not be read before was set aside.
    Unread,
    /// What was revoked is kept a second time, and part of that cannot be read.
    RevocationsUnreadable,
    /// What is revoked cannot be kept a second time.
    RevocationsVolatile,
    /// What is revoked is kept a second time again.
    RevocationsDurable,
    /// A file of the original product is there and is left alone.
    Original,
}

impl Name {
    /// The name in events and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "registry_created",
            Self::Volatile => "registry_volatile",
            Self::Durable => "registry_durable",
            Self::Corrupt => "registry_corrupt",
            Self::Locked => "registry_locked",
            Self::Unread => "registry_unread",
            Self::RevocationsUnreadable => "revocations_unreadable",
            Self::RevocationsVolatile => "revocations_volatile",
            Self::RevocationsDurable => "revocations_durable",
            Self::Original => "registry_original",
        }
    }
}

/// Something a person should know about the registry, with what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) name: Name,
    pub(crate) text: String,
}

impl Note {
    fn new(name: Name, text: String) -> Self {
        Self { name, text }
    }
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// It is on the volume and outlives a power failure.
    Durable,
    /// It is in the registry, and what it revokes or allows could not be written beside it.
    Once,
    /// It is not, or nobody can say: it holds as long as this process remembers it.
    Volatile,
}

/// How the registry is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// Whether the newest commit was durable.
    pub(crate) durable: bool,
    /// Why it is not.
    pub(crate) reason: Option<String>,
    /// The newest error, also where it is over.
    pub(crate) last_error: Option<String>,
    /// Why what was revoked is not kept a second time; none while it is.
    pub(crate) revocations: Option<String>,
    /// Transactions written since the start.
    pub(crate) commits: u64,
    /// Length of the file.
    pub(crate) bytes: u64,
}

/// Tells the whole state as rows. It must hold every change for which [`Store::commit`] was called before.
type Whole = Box<dyn Fn() -> Vec<Row> + Send + Sync>;

/// What the handles and the thread share.
struct Shared {
    health: Mutex<Health>,
    remarks: Mutex<VecDeque<Note>>,
    whole: OnceLock<Whole>,
}

impl Shared {
    fn has_whole(&self) -> bool {
        self.whole.get().is_some()
    }

    fn whole(&self) -> Option<Vec<Row>> {
        self.whole.get().map(|tell| tell())
    }

    fn remark(&self, note: Note) {
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        if remarks.len() == REMARKS {
            remarks.pop_front();
        }
        remarks.push_back(note);
    }
}

/// A handle on the registry. When the last one goes, the file is closed.
#[derive(Clone)]
pub(crate) struct Store {
    queue: Sender<Message>,
    shared: Arc<Shared>,
}

/// A registry and what was in it.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) rows: Vec<Row>,
    /// What was revoked, as kept beside the registry: where the two part, both count.
    pub(crate) revoked: Vec<Row>,
    pub(crate) notes: Vec<Note>,
}

impl Opened {
    /// Another process has the registry. A server must not start then: its store stays volatile for ever.
    pub(crate) fn is_locked(&self) -> bool {
        self.notes.iter().any(|note| note.name == Name::Locked)
    }
}

impl Store {
    /// Open the registry `registry.redb` beside `storage` (the value of `DCR_STORAGE_PATH`), or make it. The
    /// clock decides when a volume that failed is tried again.
    pub(crate) fn open(storage: &Path, clock: Arc<dyn Clock>) -> Opened {
        Self::open_on(Arc::new(RealVolume), storage, clock)
    }

    fn open_on(volume: Arc<dyn Volume>, storage: &Path, clock: Arc<dyn Clock>) -> Opened {
        let place = Place::beside(storage);
        let Found { footing, lock, rows, mut notes, known } = find(volume.as_ref(), &place, clock.now());
        let bytes = volume.len(&place.file).ok().flatten().unwrap_or(0);
        let (registry, reason) = match footing {
            Footing::Durable(registry) => (Some(registry), None),
            Footing::Volatile(why) => (None, Some(why)),
            Footing::Locked => (None, Some("another process has the registry open".to_owned())),
        };
        let barred = notes.iter().any(|note| note.name == Name::Locked);
        let (revocations, revoked) = if barred {
            (Revocations::none(&place), Vec::new())
        } else {
            Revocations::find(volume.as_ref(), &place, clock.now(), known, &mut notes)
        };
        let health = Health {
            durable: registry.is_some(),
            last_error: reason.clone(),
            reason,
            bytes,
            ..Health::default()
        };
        let shared = Arc::new(Shared {
            health: Mutex::new(health),
            remarks: Mutex::default(),
            whole: OnceLock::new(),
        });
        // A volume that failed at the start is not tried again by the very first commit.
        let failed = registry.is_none().then(|| (1, clock.now()));
        let (queue, receiver) = channel();
        let store = Self { queue, shared: Arc::clone(&shared) };
        let writer = Writer {
            volume,
            place,
            clock,
            shared,
            queue: receiver,
            registry,
            lock,
            known,
            barred,
            failed,
            revocations,
            unkept: None,
        };
        if let Err(error) = std::thread::Builder::new().name("registry".to_owned()).spawn(|| writer.run()) {
            let text = format!("the registry cannot be written, there is no thread for it: {error}");
            notes.push(Note::new(Name::Volatile, text));
        }
        Opened { store, rows, revoked, notes }
    }

    /// Say how the whole state is told when the file has to be written anew; the first call counts. It is
    /// called on the writer's thread and may wait for the state's lock, so nobody may wait for a commit while
    /// holding that lock. Without it a volume that failed is not written again.
    pub(crate) fn tell_whole(&self, whole: impl Fn() -> Vec<Row> + Send + Sync + 'static) {
        let _ = self.shared.whole.set(Box::new(whole));
    }

    /// Write changes, all or none of them. They take their place in the order of calls when this returns;
    /// waiting only tells what became of them, and not waiting changes nothing.
    pub(crate) fn commit(&self, changes: Vec<Change>) -> impl Future<Output = Committed> + Send + use<> {
        let (ack, done) = oneshot::channel();
        self.send(Message::Commit(changes, ack), done, Committed::Volatile)
    }

    /// Write a copy of what is committed so far to another file, in place of what has that name.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub(crate) fn backup(&self, to: PathBuf) -> impl Future<Output = Result<(), BackupError>> + Send + use<> {
        let (ack, done) = oneshot::channel();
        self.send(Message::Backup(to, ack), done, Err(BackupError::Closed))
    }

    /// Write what waits and close the file; what is committed after that is volatile. Before a process ends it
    /// waits for this: otherwise the next start has a file to repair.
    pub(crate) fn close(&self) -> impl Future<Output = ()> + Send + use<> {
        let (ack, done) = oneshot::channel();
        self.send(Message::Close(ack), done, ())
    }

    /// How the registry is now.
    pub(crate) fn health(&self) -> Health {
        self.shared.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What happened since the last call, oldest first: to be told as security events.
    pub(crate) fn take_notes(&self) -> Vec<Note> {
        self.shared.remarks.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    /// Send now, answer later; `gone` where the thread has ended.
    fn send<T: Send + 'static>(
        &self,
        message: Message,
        done: oneshot::Receiver<T>,
        gone: T,
    ) -> impl Future<Output = T> + Send + use<T> {
        // A message that cannot be sent is dropped, and with it the other end of `done`.
        let _ = self.queue.send(message);
        async move { done.await.unwrap_or(gone) }
    }
}

/// A remark where the file at `DCR_STORAGE_PATH` is one of the original product. It is not read or changed:
/// its clients register again by themselves.
pub(crate) fn mentions_original(storage: &Path) -> Option<Note> {
    let mut first = [0; 64];
    let count = std::fs::File::open(storage).and_then(|mut file| std::io::Read::read(&mut file, &mut first));
    let start = first.get(..count.ok()?)?.trim_ascii_start().first()?;
    matches!(start, b'{' | b'[').then(|| {
        let file = storage.display();
        Note::new(
            Name::Original,
            format!(
                "{file} is left alone: it belongs to the original product, whose clients register here again by themselves; remove it when you no longer need it"
            ),
        )
    })
}
