//! What passes between requests of one caller: streams that stay open when their instance is gone, and replies that one
//! request waits for and another brings.
//!
//! Everything here belongs to an [`Owner`]: what is somebody else's is as unknown as what never was. Everything is
//! bounded, and nothing is on a volume: it ends with the process. What is said on a stream is the guest's; what may be
//! said while a ticket is open is [`crate::early`]'s to judge.

mod attend;
pub(crate) mod questions;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub(crate) use attend::{Keep, KeepSlot, Open};
use questions::Questions;
pub(crate) use streams::{Delivers, Ended, KEEP_ALIVE, NotDelivered, Streams};

use crate::ports::identity::Principal;

/// Whose something is: the caller's name and, of people, the client that their credential was issued to. Two clients of
/// one person do not see each other's streams and questions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) subject: String,
    pub(crate) client: Option<String>,
}

impl Owner {
    /// The owner of what this caller begins.
    pub(crate) fn of(principal: &Principal) -> Self {
        Self { subject: principal.subject.clone(), client: principal.client.clone() }
    }
}

/// A list that may change while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// What can be called.
    Tools,
    /// What can be asked to be written.
    Prompts,
    /// What can be read.
    Resources,
}

impl Topic {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];
}

/// The streams and questions of this process.
pub(crate) struct Mailbox {
    pub(crate) streams: Arc<Streams>,
    pub(crate) questions: Questions,
    /// Asks every stream to prove its credential again, now.
    pub(crate) recheck: Recheck,
    /// How long a stream is silent at most (`STREAM_KEEPALIVE_SECONDS`), and how often its credential is proved again.
    pub(crate) every: Duration,
}

impl Mailbox {
    /// Room for so many streams (`MAX_STREAMS`) of all callers, and for questions beside `capacity` instances.
    pub(crate) fn new(streams: usize, capacity: usize, every: Duration, recheck: Recheck) -> Self {
        Self {
            streams: Arc::new(Streams::new(streams)),
            questions: Questions::beside(capacity),
            recheck,
            every,
        }
    }

    /// A list has changed: whoever asked to be told is told.
    pub(crate) fn announce(&self, topic: Topic) {
        self.streams.announce(topic, tokio::time::Instant::now());
    }
}

/// Told whenever a credential may have become worthless: then streams are looked at now and not at the next keep-alive.
#[derive(Clone)]
pub(crate) struct Recheck(Arc<watch::Sender<()>>);

impl Default for Recheck {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl Recheck {
    /// Something was revoked, or may have been.
    pub(crate) fn now(&self) {
        self.0.send_replace(());
    }

    fn watched(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}
