//! Replies that one request waits for and another brings. A question is asked by the guest on a stream of its own; here
//! is only the room for its reply.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Owner;
use crate::metrics::Used;

/// Most questions of one caller at a time, whatever the number of their clients.
const MOST_OF_ONE: usize = 4;
/// Most questions of all callers at a time.
const MOST: usize = 64;
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(120);
/// Largest reply, in bytes.
const MAX_REPLY: usize = 64 << 10;

/// All questions that wait.
pub(crate) struct Questions {
    waiting: Arc<Mutex<HashMap<String, Waiting>>>,
    most: usize,
}

struct Waiting {
    owner: Owner,
    until: Instant,
    reply: oneshot::Sender<Vec<u8>>,
}

/// A question on its way; dropped, it is forgotten.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Question {
    id: String,
    until: Instant,
    reply: Option<oneshot::Receiver<Vec<u8>>>,
    waiting: Arc<Mutex<HashMap<String, Waiting>>>,
}

impl Questions {
    /// Who waits holds an instance, so that of `capacity` instances at most half may wait: the others bring the replies.
    pub(crate) fn beside(capacity: usize) -> Self {
        Self { waiting: Arc::default(), most: (capacity / 2).clamp(1, MOST) }
    }

    /// For `/metrics`.
    pub(crate) fn used(&self) -> Used {
        Used { now: lock(&self.waiting).len(), limit: self.most }
    }

    /// Make room for one reply.
    ///
    /// # Errors
    /// There is none; seconds to wait.
    pub(crate) fn ask(&self, owner: Owner, seconds: u32, now: Instant) -> Result<Question, u32> {
        let mut waiting = lock(&self.waiting);
        let own = || waiting.values().filter(|other| other.owner.subject == owner.subject);
        let first = if own().count() >= MOST_OF_ONE {
            own().map(|other| other.until).min()
        } else if waiting.len() >= self.most {
            waiting.values().map(|other| other.until).min()
        } else {
            None
        };
        if let Some(first) = first {
            let left = first.saturating_duration_since(now).as_secs();
            return Err(u32::try_from(left).unwrap_or(u32::MAX).saturating_add(1));
        }
        let until = now + Duration::from_secs(seconds.into()).min(LONGEST);
        let (sender, receiver) = oneshot::channel();
        let id = crate::shared::random_name();
        waiting.insert(id.clone(), Waiting { owner, until, reply: sender });
        drop(waiting);
        Ok(Question { id, until, reply: Some(receiver), waiting: self.waiting.clone() })
    }

    /// Hand over a reply; whether a question of this owner waited for it. The first one counts.
    pub(crate) fn answer(&self, owner: &Owner, id: &str, reply: Vec<u8>, now: Instant) -> bool {
        let mut waiting = lock(&self.waiting);
        let waits = waiting.get(id).is_some_and(|question| question.owner == *owner && now < question.until);
        if !waits || reply.len() > MAX_REPLY {
            return false;
        }
        waiting.remove(id).is_some_and(|question| question.reply.send(reply).is_ok())
    }
}

impl Question {
    /// The JSON-RPC id to ask with.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The reply, once; none where it did not come in time.
    pub(crate) async fn reply(&mut self) -> Option<Vec<u8>> {
        let reply = self.reply.take()?;
        // What has come is found also after the time, which `answer` has judged.
        let reply = tokio::time::timeout_at(self.until, reply).await.ok().and_then(Result::ok);
        lock(&self.waiting).remove(&self.id);
        reply
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.id);
    }
}

fn lock(waiting: &Mutex<HashMap<String, Waiting>>) -> MutexGuard<'_, HashMap<String, Waiting>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(subject: &str, client: &str) -> Owner {
        Owner { subject: subject.to_owned(), client: Some(client.to_owned()) }
    }

    fn alice() -> Owner {
        owner("gitea-2", "editor")
    }

    fn asked(questions: &Questions, owner: Owner, now: Instant) -> Result<Question, u32> {
        questions.ask(owner, 30, now)
    }

    #[tokio::test]
    async fn the_first_reply_of_the_same_caller_arrives_and_no_other() {
        let (questions, now) = (Questions::beside(64), Instant::now());
        let mut question = asked(&questions, alice(), now).map_err(drop).unwrap();
        let id = question.id().to_owned();
        let answer = |owner: &Owner, id: &str, reply: &[u8]| questions.answer(owner, id, reply.to_vec(), now);
        for stranger in [owner("gitea-3", "editor"), owner("gitea-2", "other")] {
            assert!(!answer(&stranger, &id, b"theirs"));
        }
        assert!(!answer(&alice(), "made-up", b"nothing"));
        assert!(!answer(&alice(), &id, &vec![b'x'; MAX_REPLY + 1]));
        assert!(answer(&alice(), &id, b"first"));
        assert!(!answer(&alice(), &id, b"second"));
        assert_eq!(question.reply().await, Some(b"first".to_vec()));
        assert_eq!(question.reply().await, None, "a question is good for one reply");
    }

    #[tokio::test]
    async fn a_late_reply_is_none_and_a_question_that_is_dropped_is_forgotten() {
        let (questions, now) = (Questions::beside(64), Instant::now());
        let question = questions.ask(alice(), u32::MAX, now).map_err(drop).unwrap();
        assert_eq!(question.until, now + LONGEST);
        assert!(!questions.answer(&alice(), question.id(), b"late".to_vec(), now + LONGEST));
        let mut at_once = questions.ask(alice(), 0, now).map_err(drop).unwrap();
        assert_eq!(at_once.reply().await, None);
        assert!(!questions.answer(&alice(), at_once.id(), b"late".to_vec(), now));
        let id = question.id().to_owned();
        drop((question, at_once));
        assert!(!questions.answer(&alice(), &id, b"to nobody".to_vec(), now));
        assert!(lock(&questions.waiting).is_empty());
    }

    #[test]
    fn there_is_room_for_four_of_one_caller_and_never_for_all_instances() {
        let (questions, now) = (Questions::beside(12), Instant::now());
        let mut held: Vec<Question> =
            (0..4).filter_map(|n| asked(&questions, owner("gitea-2", &n.to_string()), now).ok()).collect();
        assert_eq!(held.len(), 4);
        assert_eq!(asked(&questions, alice(), now).err(), Some(31));
        held.extend((0..2).filter_map(|_| asked(&questions, owner("gitea-3", "editor"), now).ok()));
        assert_eq!(asked(&questions, owner("gitea-4", "editor"), now).err(), Some(31), "six of twelve");
        held.remove(0);
        assert!(asked(&questions, alice(), now).is_ok());
        assert_eq!((Questions::beside(1).most, Questions::beside(1_000).most), (1, MOST));
    }
}
