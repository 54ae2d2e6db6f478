//! Streams that stay open: what waits to be sent on each, and why each ended. No socket and no clock is here; a
//! connection takes what waits ([`Kept`]), and [`super::attend`] says what time it is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Owner, Topic};

/// Most streams of one caller, whatever the number of their clients.
const MOST_OF_ONE: usize = 32;
/// Most events that wait on one stream.
const MAX_EVENTS: usize = 64;
/// Most bytes that wait on one stream: the largest event fits.
const MAX_BYTES: usize = 8 << 20;
/// Most bytes that wait on all streams of one caller.
const MAX_BYTES_OF_ONE: usize = 16 << 20;
/// Most bytes that wait on all streams together.
const MAX_BYTES_OF_ALL: usize = 64 << 20;

/// What is sent into silence: a comment, which every reader of event streams skips.
pub(crate) const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its client closed the connection.
    ClientLeft,
    /// Its client does not read.
    NotRead,
    /// The credential that opened it is not good any more.
    NotGood,
    /// It cannot be found out whether that credential is good.
    NotKnown,
    /// The server stops.
    Stopping,
    /// The request that was to open it failed, or did not answer with a stream.
    NeverBegun,
}

impl Ended {
    /// Every reason, in the order in which they are counted.
    pub(crate) const ALL: [Self; 6] =
        [Self::ClientLeft, Self::NotRead, Self::NotGood, Self::NotKnown, Self::Stopping, Self::NeverBegun];

    /// The label in `/metrics` and in the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClientLeft => "client_left",
            Self::NotRead => "not_read",
            Self::NotGood => "credential_ended",
            Self::NotKnown => "credential_unchecked",
            Self::Stopping => "stopping",
            Self::NeverBegun => "never_begun",
        }
    }
}

/// Why an event was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotDelivered {
    /// There is no such stream of this owner, or it has ended.
    Gone,
    /// There is no room for it, and the stream has ended.
    Full,
}

/// Where a request leaves the name of the stream that it delivers to.
pub(crate) type Delivers = Arc<Mutex<Option<String>>>;

/// All streams.
pub(crate) struct Streams {
    state: Mutex<State>,
    most: usize,
}

#[derive(Default)]
struct State {
    open: HashMap<String, Stream>,
    /// Bytes that wait on all of them.
    bytes: usize,
    /// The server stops: none is kept any more.
    over: bool,
    ended: [u64; Ended::ALL.len()],
}

struct Stream {
    owner: Owner,
    request_id: String,
    announcements: Vec<(Topic, Bytes)>,
    /// What is said last where the server stops.
    farewell: Option<Bytes>,
    /// What waits, and since when.
    events: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    since: Instant,
    /// When something was last said on it.
    said: Instant,
    begun: bool,
    ended: Option<Ended>,
    reader: Option<Waker>,
    /// Told when it ends.
    attendant: Arc<Notify>,
    turn: Turn,
    /// Requests that were answered and go on for this stream.
    works: Vec<AbortHandle>,
}

/// When Gitea was last asked for the groups of an owner, and by which credential (its hash); held while it is asked, so that one
/// question answers for all streams of an owner.
pub(super) type Turn = Arc<tokio::sync::Mutex<Option<([u8; 32], Instant)>>>;

impl Streams {
    /// Room for so many.
    pub(crate) fn new(most: usize) -> Self {
        Self { state: Mutex::default(), most }
    }

    /// How many there may be; none where lists are not announced.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        self.lock().open.len()
    }

    /// How many have ended, by reason.
    pub(crate) fn ended(&self) -> [(&'static str, u64); Ended::ALL.len()] {
        let counts = self.lock().ended;
        let mut counts = counts.into_iter();
        Ended::ALL.map(|why| (why.name(), counts.next().unwrap_or_default()))
    }

    /// A new stream of this owner, or none where there is no room.
    pub(crate) fn keep(
        self: &Arc<Self>,
        owner: Owner,
        request_id: &str,
        announcements: Vec<(Topic, Bytes)>,
        farewell: Option<Bytes>,
        now: Instant,
    ) -> Option<Kept> {
        let mut state = self.lock();
        let own = state.open.values().filter(|stream| stream.owner.subject == owner.subject).count();
        if state.over || state.open.len() >= self.most || own >= MOST_OF_ONE {
            return None;
        }
        let turn = state.open.values().find(|stream| stream.owner == owner).map(|stream| stream.turn.clone());
        let name = crate::shared::random_name();
        let stream = Stream {
            owner,
            request_id: request_id.to_owned(),
            announcements,
            farewell,
            events: VecDeque::new(),
            bytes: 0,
            since: now,
            said: now,
            begun: false,
            ended: None,
            reader: None,
            attendant: Arc::default(),
            turn: turn.unwrap_or_default(),
            works: Vec::new(),
        };
        state.open.insert(name.clone(), stream);
        drop(state);
        Some(Kept { streams: self.clone(), name })
    }

    /// Send one whole event on a stream of this owner.
    ///
    /// # Errors
    /// See [`NotDelivered`].
    pub(crate) fn deliver(
        &self,
        owner: &Owner,
        name: &str,
        event: Bytes,
        now: Instant,
    ) -> Result<(), NotDelivered> {
        let mut state = self.lock();
        let known =
            state.open.get(name).is_some_and(|stream| stream.owner == *owner && stream.ended.is_none());
        if !known {
            return Err(NotDelivered::Gone);
        }
        if state.push(name, event, now) { Ok(()) } else { Err(NotDelivered::Full) }
    }

    /// A request goes on for nobody but a stream that it has delivered to: it stops when the stream ends.
    pub(crate) fn carry(&self, name: &str, work: AbortHandle) {
        let mut state = self.lock();
        match state.open.get_mut(name).filter(|stream| stream.ended.is_none()) {
            Some(stream) => {
                stream.works.retain(|work| !work.is_finished());
                stream.works.push(work);
            }
            None => work.abort(),
        }
    }

    /// A list has changed: say so on every stream that asked for it.
    pub(crate) fn announce(&self, topic: Topic, now: Instant) {
        let mut state = self.lock();
        let told: Vec<(String, Bytes)> = state
            .open
            .iter()
            .filter(|(_, stream)| stream.ended.is_none())
            .flat_map(|(name, stream)| {
                let of_it = stream.announcements.iter().filter(move |(about, _)| *about == topic);
                of_it.map(move |(_, event)| (name.clone(), event.clone()))
            })
            .collect();
        for (name, event) in told {
            state.push(&name, event, now);
        }
    }

    /// The server stops: every stream ends, and none is kept from now on.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.over = true;
        let State { open, bytes, .. } = &mut *state;
        for stream in open.values_mut() {
            stream.end(Ended::Stopping, bytes);
        }
    }

    /// End one stream; nothing where it has ended.
    pub(super) fn end(&self, name: &str, why: Ended) {
        let mut state = self.lock();
        let State { open, bytes, .. } = &mut *state;
        if let Some(stream) = open.get_mut(name) {
            stream.end(why, bytes);
        }
    }

    /// Break the silence of a stream where it has lasted `every`, and end one whose client does not take what waits.
    /// When to look again; none where it has ended.
    pub(super) fn keep_alive(&self, name: &str, every: Duration, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        let State { open, bytes, .. } = &mut *state;
        let stream = open.get_mut(name).filter(|stream| stream.ended.is_none())?;
        match stream.events.front() {
            Some((since, _)) if now >= *since + every => {
                stream.end(Ended::NotRead, bytes);
                return None;
            }
            Some((since, _)) => return Some(*since + every),
            None if now < stream.said + every => return Some(stream.said + every),
            None => {}
        }
        state.push(name, KEEP_ALIVE, now).then(|| now + every)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Let an event wait on a living stream; `false` where there is no room and the stream ended for it.
    fn push(&mut self, name: &str, event: Bytes, now: Instant) -> bool {
        let Some(subject) = self.open.get(name).map(|stream| stream.owner.subject.clone()) else {
            return false;
        };
        let own: usize = self
            .open
            .values()
            .filter(|stream| stream.owner.subject == subject)
            .map(|stream| stream.bytes)
            .sum();
        let length = event.len();
        let full = self.bytes.saturating_add(length) > MAX_BYTES_OF_ALL
            || own.saturating_add(length) > MAX_BYTES_OF_ONE;
        let Self { open, bytes, .. } = self;
        let Some(stream) = open.get_mut(name) else { return false };
        if full || stream.events.len() >= MAX_EVENTS || stream.bytes.saturating_add(length) > MAX_BYTES {
            stream.end(Ended::NotRead, bytes);
            return false;
        }
        *bytes = bytes.saturating_add(length);
        stream.bytes = stream.bytes.saturating_add(length);
        stream.events.push_back((now, event));
        stream.said = now;
        stream.wake();
        true
    }
}

impl Stream {
    /// Nothing more is said on it, and what waits is not said either.
    fn end(&mut self, why: Ended, bytes_of_all: &mut usize) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(why);
        self.stop_works();
        self.forget(bytes_of_all);
        self.wake();
        self.attendant.notify_one();
    }

    fn stop_works(&mut self) {
        self.works.drain(..).for_each(|work| work.abort());
    }

    fn forget(&mut self, bytes_of_all: &mut usize) {
        *bytes_of_all = bytes_of_all.saturating_sub(self.bytes);
        self.bytes = 0;
        self.events = VecDeque::new();
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// A stream's place among all of them; dropped, the stream is over.
pub(crate) struct Kept {
    streams: Arc<Streams>,
    name: String,
}

/// What a stream is attended with.
pub(super) struct Attended {
    pub(super) owner: Owner,
    pub(super) ended: Arc<Notify>,
    pub(super) turn: Turn,
}

impl Kept {
    /// The name under which events are delivered: random, and worth nothing to anybody but its owner.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// From now on a connection takes what waits.
    pub(super) fn begin(&self, now: Instant) -> Option<Attended> {
        let mut state = self.streams.lock();
        let stream = state.open.get_mut(&self.name)?;
        stream.begun = true;
        stream.said = now;
        // Until now nobody could have read them.
        stream.events.iter_mut().for_each(|(since, _)| *since = now);
        let Stream { owner, attendant, turn, .. } = stream;
        Some(Attended { owner: owner.clone(), ended: attendant.clone(), turn: turn.clone() })
    }

    /// The next event, or none at the end.
    pub(super) fn poll_next(&self, context: &Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.streams.lock();
        let State { open, bytes, .. } = &mut *state;
        let Some(stream) = open.get_mut(&self.name) else { return Poll::Ready(None) };
        if let Some(why) = stream.ended {
            return Poll::Ready(stream.farewell.take().filter(|_| why == Ended::Stopping));
        }
        match stream.events.pop_front() {
            Some((_, event)) => {
                stream.bytes = stream.bytes.saturating_sub(event.len());
                *bytes = bytes.saturating_sub(event.len());
                Poll::Ready(Some(event))
            }
            None => {
                stream.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut state = self.streams.lock();
        let State { open, bytes, ended, .. } = &mut *state;
        let Some(mut stream) = open.remove(&self.name) else { return };
        stream.forget(bytes);
        stream.stop_works();
        let left = if stream.begun { Ended::ClientLeft } else { Ended::NeverBegun };
        let why = stream.ended.unwrap_or(left);
        for (count, _) in ended.iter_mut().zip(Ended::ALL).filter(|(_, reason)| *reason == why) {
            *count = count.saturating_add(1);
        }
        drop(state);
        tracing::info!(
            event = "stream_ended",
            reason = why.name(),
            principal = %stream.owner.subject,
            client = stream.owner.client.as_deref().unwrap_or_default(),
            request_id = %stream.request_id,
            seconds = stream.since.elapsed().as_secs(),
        );
    }
}

#[cfg(test)]
mod tests;
