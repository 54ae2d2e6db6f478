//! Who signed a delivery, and which deliveries were taken.
//!
//! Gitea signs the body and nothing else: no time, no header. So the bytes themselves are remembered as well as the
//! delivery's name, and neither is taken twice within 24 hours. It is kept in memory alone: after a restart a delivery of
//! the last day could be sent again, and would start jobs that look at the repository as it is then.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac;
use sha2::{Digest as _, Sha256};

use crate::jobs::Jobs;
use crate::settings::Secret;

/// How long a delivery is remembered.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Most deliveries that are remembered, of which each takes two places. While they fill this, none is taken.
const MOST: usize = 2 * 65_536;
/// Bytes of a signature, and the hex digits that it is written in.
const SIGNATURE: usize = 32;

/// Automation, where the operator wants it.
pub(crate) struct Automation {
    key: hmac::Key,
    taken: Arc<Mutex<Taken>>,
    /// What is started here.
    pub(crate) jobs: Jobs,
}

/// What was taken: digests, in the order in which they are forgotten.
#[derive(Default)]
struct Taken {
    known: HashMap<[u8; 32], Instant>,
    by_age: VecDeque<[u8; 32]>,
}

/// A delivery that was taken. Unless it is settled it may come again once this is dropped.
pub(crate) struct Claim {
    taken: Arc<Mutex<Taken>>,
    marks: [[u8; 32]; 2],
    settled: bool,
}

impl Claim {
    /// It is on record: it does not come again.
    pub(crate) fn settle(&mut self) {
        self.settled = true;
    }

    /// Whether it is on record.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.settled {
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).give_back(self.marks);
        }
    }
}

/// Why a delivery is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The signature is not of this body and the secret.
    Forged,
    /// It was taken before.
    Replayed,
    /// No more can be remembered.
    Full,
}

impl Automation {
    /// With the secret of the webhook, which the settings have found to be long enough.
    pub(crate) fn new(secret: &Secret, jobs: Jobs) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        Self { key, taken: Arc::default(), jobs }
    }

    /// Take a delivery, once. The signature is compared in constant time, before anything else is looked at.
    ///
    /// # Errors
    /// See [`NotTaken`].
    pub(crate) fn take(
        &self,
        signature: &str,
        delivery: &str,
        body: &[u8],
        now: Instant,
    ) -> Result<Claim, NotTaken> {
        let signature = digits(signature).ok_or(NotTaken::Forged)?;
        hmac::verify(&self.key, body, &signature).map_err(|_| NotTaken::Forged)?;
        let of = |kind: &[u8], bytes: &[u8]| Sha256::new().chain_update(kind).chain_update(bytes).finalize();
        let marks = [of(b"body:", body).into(), of(b"delivery:", delivery.as_bytes()).into()];
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).claim(marks, now)?;
        Ok(Claim { taken: self.taken.clone(), marks, settled: false })
    }
}

impl Taken {
    /// All of them or none.
    fn claim(&mut self, marks: [[u8; 32]; 2], now: Instant) -> Result<(), NotTaken> {
        while let Some(oldest) = self.by_age.front().copied() {
            let age = self.known.get(&oldest).map(|at| now.saturating_duration_since(*at));
            if age.is_some_and(|age| age < LIFE) {
                break;
            }
            self.by_age.pop_front();
            self.known.remove(&oldest);
        }
        if marks.iter().any(|mark| self.known.contains_key(mark)) {
            return Err(NotTaken::Replayed);
        }
        if self.known.len().saturating_add(marks.len()) > MOST {
            return Err(NotTaken::Full);
        }
        for mark in marks {
            self.known.insert(mark, now);
            self.by_age.push_back(mark);
        }
        Ok(())
    }
}

impl Taken {
    /// As if they had not been claimed.
    fn give_back(&mut self, marks: [[u8; 32]; 2]) {
        for mark in marks {
            self.known.remove(&mark);
            // Among the newest, as a rule.
            if let Some(place) = self.by_age.iter().rposition(|known| *known == mark) {
                self.by_age.remove(place);
            }
        }
    }
}

/// The bytes behind 64 lower-case hex digits.
fn digits(text: &str) -> Option<[u8; SIGNATURE]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit.checked_sub(b'0'),
        b'a'..=b'f' => digit.checked_sub(b'a')?.checked_add(10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks_exact(2);
    if text.len() != 2 * SIGNATURE {
        return None;
    }
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| match pair {
            [high, low] => value(*high)?.checked_mul(16)?.checked_add(value(*low)?),
            _ => None,
        })
        .collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn automation() -> Automation {
        Automation::new(&Secret::new(SECRET.to_owned()), Jobs::default())
    }

    fn sign(body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        crate::component::hex(hmac::sign(&key, body).as_ref())
    }

    /// Take one that gets on record.
    fn take(
        automation: &Automation,
        signature: &str,
        name: &str,
        body: &[u8],
        now: Instant,
    ) -> Result<(), NotTaken> {
        automation.take(signature, name, body, now).map(|mut claim| claim.settle())
    }

    #[test]
    fn what_does_not_get_on_record_may_come_again() {
        let (automation, now) = (automation(), Instant::now());
        let good = sign(b"{}");
        let first = automation.take(&good, "one", b"{}", now);
        assert!(first.is_ok());
        assert_eq!(take(&automation, &good, "one", b"{}", now), Err(NotTaken::Replayed), "it is being taken");
        drop(first);
        assert!(automation.taken.lock().unwrap().by_age.is_empty());
        assert_eq!(take(&automation, &good, "one", b"{}", now), Ok(()));
        assert_eq!(take(&automation, &good, "one", b"{}", now), Err(NotTaken::Replayed));
    }

    #[test]
    fn the_signature_is_the_one_of_rfc_4231() {
        // Test case 2: the key `Jefe`.
        let automation = Automation::new(&Secret::new("Jefe".to_owned()), Jobs::default());
        let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let body = b"what do ya want for nothing?";
        assert_eq!(take(&automation, signature, "one", body, Instant::now()), Ok(()));
    }

    #[test]
    fn only_the_whole_signature_of_the_whole_body_is_one() {
        let (automation, now) = (automation(), Instant::now());
        let good = sign(b"{}");
        let wrong = [
            String::new(),
            good.chars().take(63).collect(),
            good.chars().take(62).collect(),
            format!("{good}0"),
            good.to_uppercase(),
            format!("sha256={good}"),
            format!(" {good}"),
            "0".repeat(64),
            "g".repeat(64),
            sign(b"{} "),
        ];
        for signature in wrong {
            assert_eq!(
                take(&automation, &signature, "one", b"{}", now),
                Err(NotTaken::Forged),
                "{signature}"
            );
        }
        assert_eq!(
            take(&automation, &good, "one", b"{}", now),
            Ok(()),
            "what was forged has claimed nothing"
        );
    }

    #[test]
    fn neither_the_bytes_nor_the_name_of_a_delivery_are_taken_twice_within_a_day() {
        let (automation, start) = (automation(), Instant::now());
        let take = |name: &str, body: &[u8], at: Instant| take(&automation, &sign(body), name, body, at);
        assert_eq!(take("one", b"{}", start), Ok(()));
        assert_eq!(take("one", b"{}", start), Err(NotTaken::Replayed));
        assert_eq!(take("two", b"{}", start), Err(NotTaken::Replayed), "headers are not signed");
        assert_eq!(take("one", b"[]", start), Err(NotTaken::Replayed));
        assert_eq!(take("two", b"[]", start), Ok(()), "a replay claims nothing");
        let almost = start + LIFE - Duration::from_secs(1);
        assert_eq!(take("one", b"{}", almost), Err(NotTaken::Replayed));
        assert_eq!(take("one", b"{}", start + LIFE), Ok(()));
    }

    #[test]
    fn where_no_more_can_be_remembered_nothing_is_taken_until_something_is_forgotten() {
        let (mut taken, start) = (Taken::default(), Instant::now());
        let mark = |number: usize, side: u8| {
            let mut mark = [side; 32];
            mark[..8].copy_from_slice(&number.to_be_bytes());
            mark
        };
        for number in 0..MOST / 2 {
            assert_eq!(taken.claim([mark(number, 0), mark(number, 1)], start), Ok(()));
        }
        assert_eq!(taken.claim([[2; 32], [3; 32]], start), Err(NotTaken::Full));
        assert_eq!(taken.claim([mark(7, 0), [3; 32]], start), Err(NotTaken::Replayed));
        assert_eq!(taken.claim([[2; 32], [3; 32]], start + LIFE), Ok(()));
        assert_eq!((taken.known.len(), taken.by_age.len()), (2, 2));
    }
}
