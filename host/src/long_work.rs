//! Room for work that takes long. There is little of it, so that searches cannot take the processors from everybody
//! else, and a caller has one place at most, so that nobody takes it all.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::metrics::Used;

/// Requests that may work long at the same time.
const ROOMS: usize = 2;
/// Seconds after which asking again makes sense: most searches are over by then.
const WAIT_SECONDS: u32 = 5;
/// Computing time beyond that of the work itself: a guest looks at the clock between pieces of it, and has to put
/// together what it found.
const TO_END: Duration = Duration::from_secs(5);

/// Who works long now, by principal.
#[derive(Clone)]
pub(crate) struct LongWork {
    working: Arc<Mutex<HashSet<String>>>,
    computing: Duration,
}

/// A place; dropping it gives it back.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Slot {
    of: LongWork,
    subject: String,
}

impl LongWork {
    /// Rooms for work that ends by itself after so many seconds (`SEARCH_MAX_SECONDS`).
    pub(crate) fn of_seconds(seconds: u32) -> Self {
        let computing = Duration::from_secs(seconds.into()).saturating_add(TO_END);
        Self { working: Arc::default(), computing }
    }

    /// The computing time that a place brings.
    pub(crate) fn computing(&self) -> Duration {
        self.computing
    }

    /// For `/metrics`.
    pub(crate) fn used(&self) -> Used {
        Used { now: self.working.lock().unwrap_or_else(PoisonError::into_inner).len(), limit: ROOMS }
    }

    /// A place for this principal.
    ///
    /// # Errors
    /// All are taken, or this principal has one; seconds to wait.
    pub(crate) fn enter(&self, subject: &str) -> Result<Slot, u32> {
        let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        if working.len() >= ROOMS || !working.insert(subject.to_owned()) {
            return Err(WAIT_SECONDS);
        }
        Ok(Slot { of: self.clone(), subject: subject.to_owned() })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.of.working.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.subject);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::LongWork;

    #[test]
    fn there_is_room_for_two_callers_and_once_for_each() {
        let rooms = LongWork::of_seconds(20);
        let first = rooms.enter("alice").map_err(drop);
        assert!(first.is_ok() && rooms.enter("alice").is_err());
        let second = rooms.enter("bob");
        assert!(second.is_ok() && rooms.enter("carol").is_err());
        assert_eq!((rooms.used().now, rooms.used().limit), (2, 2));
        drop(first);
        assert!(rooms.enter("carol").is_ok());
        assert!(rooms.enter("alice").is_ok(), "carol's place was given back");
    }

    #[test]
    fn work_that_ends_in_its_time_does_not_run_out_of_computing_time() {
        for seconds in [1, 20, 110] {
            assert!(LongWork::of_seconds(seconds).computing() > Duration::from_secs(seconds.into()));
        }
    }
}
