//! A Gitea that cannot be connected to is left alone for a while: calls fail at once instead of each waiting its turn.
//!
//! After [`ENOUGH`] failures to connect in a row nothing is sent for [`REST`]; then one request goes through, and its
//! end says for all of them whether the way is open again. Only connecting counts: a Gitea that answers anything at
//! all, an error too, is there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_custody::Clock;

/// Failures to connect in a row.
const ENOUGH: u32 = 5;
/// How long nothing is sent, in milliseconds.
const REST: i64 = 3_000;

/// Whether Gitea is left alone.
pub(crate) struct Breaker {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    kept_back: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Requests go through; so many in a row could not connect.
    Closed(u32),
    /// None do, since this moment (milliseconds of the wall clock).
    Open(i64),
    /// One is on its way to find out, since this moment.
    Probing(i64),
}

/// Leave to try one connection. Dropped without a word it says nothing about Gitea.
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    probe: bool,
    settled: bool,
}

impl Breaker {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::new(State::Closed(0)), kept_back: AtomicU64::new(0) }
    }

    /// Leave to send something; none while Gitea is left alone.
    pub(crate) fn pass(&self) -> Option<Pass<'_>> {
        let now = self.now();
        let mut state = self.state();
        let probe = match *state {
            State::Closed(_) => false,
            State::Open(since) if is_over(since, now) => {
                *state = State::Probing(now);
                true
            }
            State::Open(_) | State::Probing(_) => {
                self.kept_back.fetch_add(1, Ordering::Relaxed);
                return None;
            }
        };
        Some(Pass { breaker: self, probe, settled: false })
    }

    /// Whether a request would be kept back now. Only [`Breaker::pass`] decides.
    pub(crate) fn holds(&self) -> bool {
        match *self.state() {
            State::Closed(_) => false,
            State::Open(since) => !is_over(since, self.now()),
            State::Probing(_) => true,
        }
    }

    /// Count a call that was not even begun.
    pub(crate) fn kept_one_back(&self) {
        self.kept_back.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether Gitea is thought to be away.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(*self.state(), State::Closed(_))
    }

    /// Requests that were not sent.
    pub(crate) fn kept_back(&self) -> u64 {
        self.kept_back.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        self.clock.now().unix_millis()
    }
}

/// Whether the rest is over. A clock that stepped back ends it too: nobody knows how long it has been.
fn is_over(since: i64, now: i64) -> bool {
    !(0..REST).contains(&now.saturating_sub(since))
}

impl Pass<'_> {
    /// There was a connection.
    pub(crate) fn reached(mut self) {
        self.settled = true;
        let mut state = self.breaker.state();
        // What was sent before the failures says nothing about the time after them.
        if self.probe || matches!(*state, State::Closed(_)) {
            *state = State::Closed(0);
        }
    }

    /// There was none.
    pub(crate) fn failed(mut self) {
        self.settled = true;
        let now = self.breaker.now();
        let mut state = self.breaker.state();
        *state = match *state {
            State::Closed(failures) if failures.saturating_add(1) < ENOUGH => {
                State::Closed(failures.saturating_add(1))
            }
            State::Closed(_) => {
                tracing::warn!(event = "gitea_left_alone", failures = ENOUGH, milliseconds = REST);
                State::Open(now)
            }
            State::Probing(_) if self.probe => State::Open(now),
            other @ (State::Open(_) | State::Probing(_)) => other,
        };
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        // A probe that was given up leaves the next request to find out, at once.
        if self.probe && !self.settled {
            let mut state = self.breaker.state();
            if let State::Probing(since) = *state {
                *state = State::Open(since.saturating_sub(REST));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aegis_custody::Timestamp;
    use std::sync::atomic::AtomicI64;

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_millis(self.0.load(Ordering::Relaxed))
        }
    }

    fn breaker() -> (Breaker, Arc<Hand>) {
        let hand = Arc::new(Hand(AtomicI64::new(1_000_000)));
        (Breaker::new(hand.clone()), hand)
    }

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.pass().expect("it goes through").failed();
        }
    }

    fn wait(hand: &Hand, milliseconds: i64) {
        hand.0.fetch_add(milliseconds, Ordering::Relaxed);
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_connection_ends_the_row() {
        let (breaker, _) = breaker();
        fail(&breaker, ENOUGH - 1);
        breaker.pass().unwrap().reached();
        fail(&breaker, ENOUGH - 1);
        assert!(!breaker.is_open() && !breaker.holds());
        fail(&breaker, 1);
        assert!(breaker.is_open() && breaker.holds() && breaker.pass().is_none());
        assert_eq!(breaker.kept_back(), 1);
    }

    #[test]
    fn after_the_rest_one_goes_through_and_decides() {
        let (breaker, hand) = breaker();
        fail(&breaker, ENOUGH);
        wait(&hand, REST - 1);
        assert!(breaker.pass().is_none());
        wait(&hand, 1);
        let probe = breaker.pass().expect("the one");
        assert!(breaker.pass().is_none() && breaker.is_open(), "only one");
        probe.failed();
        assert!(breaker.pass().is_none(), "another rest");
        wait(&hand, REST);
        breaker.pass().unwrap().reached();
        assert!(!breaker.is_open() && breaker.pass().is_some() && breaker.pass().is_some());
    }

    #[test]
    fn a_probe_that_is_given_up_leaves_it_to_the_next() {
        let (breaker, hand) = breaker();
        fail(&breaker, ENOUGH);
        wait(&hand, REST);
        drop(breaker.pass().expect("the one"));
        breaker.pass().expect("the next one, at once").reached();
        assert!(!breaker.is_open());
    }

    #[test]
    fn what_was_sent_before_does_not_close_it() {
        let (breaker, _) = breaker();
        let early = breaker.pass().unwrap();
        let late = breaker.pass().unwrap();
        fail(&breaker, ENOUGH);
        early.reached();
        late.failed();
        assert!(breaker.is_open() && breaker.pass().is_none());
    }

    #[test]
    fn a_clock_that_steps_back_does_not_shut_gitea_out_for_long() {
        let (breaker, hand) = breaker();
        fail(&breaker, ENOUGH);
        wait(&hand, -3_600_000);
        assert!(breaker.pass().is_some());
    }
}
