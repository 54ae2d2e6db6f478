//! `limits`: fixed-window counters in the memory of the instance. They hold where a runtime keeps one instance for
//! many requests and are void where each request gets a fresh one; `docs/edge.md` says so. The source address is
//! unknown to a component, so the two address counters are each one counter for everybody.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use crate::bindings::exports::aegis::gateway::limits::{Admission, Bucket, Guest, GuestSlot, Slot};
use crate::{Adapter, environment, identity};

/// Windows kept at the same time; older ones are dropped first.
const MAX_WINDOWS: usize = 4096;

const NANOSECONDS: u64 = 1_000_000_000;

#[derive(Clone, Copy)]
struct Window {
    ends: u64,
    count: u32,
}

/// Counters by name.
#[derive(Default)]
struct Counters {
    windows: HashMap<String, Window>,
}

impl Counters {
    /// Count one event at `now` (seconds). The error is how many seconds to wait.
    fn admit(&mut self, name: String, limit: u32, seconds: u32, now: u64) -> Result<u32, u32> {
        self.windows.retain(|_, window| window.ends > now);
        if self.windows.len() >= MAX_WINDOWS && !self.windows.contains_key(&name) {
            return Err(seconds.max(1));
        }
        let ends = now.saturating_add(u64::from(seconds.max(1)));
        let window = self.windows.entry(name).or_insert(Window { ends, count: 0 });
        if window.count >= limit {
            return Err(left(window.ends, now));
        }
        window.count = window.count.saturating_add(1);
        Ok(limit.saturating_sub(window.count))
    }

    /// Seconds to wait where the counter is full.
    fn exhausted(&self, name: &str, limit: u32, now: u64) -> Option<u32> {
        let window = self.windows.get(name).filter(|window| window.ends > now)?;
        (window.count >= limit).then(|| left(window.ends, now))
    }
}

fn left(ends: u64, now: u64) -> u32 {
    u32::try_from(ends.saturating_sub(now)).unwrap_or(u32::MAX).max(1)
}

thread_local! {
    static COUNTERS: RefCell<Counters> = RefCell::default();
    static WORKING: Cell<bool> = const { Cell::new(false) };
}

/// The counter's name; none for a principal that was not proved.
fn name(bucket: Bucket) -> Option<String> {
    match bucket {
        Bucket::Address => Some("address".to_owned()),
        Bucket::AuthenticationFailures => Some("authentication-failures".to_owned()),
        Bucket::Registration => Some("registration".to_owned()),
        Bucket::Authorization => Some("authorization".to_owned()),
        Bucket::Token => Some("token".to_owned()),
        Bucket::TokenFailures => Some("token-failures".to_owned()),
        Bucket::Metadata => Some("metadata".to_owned()),
        Bucket::Principal => identity::current().map(|subject| format!("principal {subject}")),
    }
}

/// Room for long work: once in each instance. Runtimes bound computing time themselves, where they do.
pub(crate) struct Room;

impl GuestSlot for Room {}

impl Drop for Room {
    fn drop(&mut self) {
        WORKING.set(false);
    }
}

/// Seconds after which asking again makes sense.
const WAIT_SECONDS: u32 = 5;

impl Guest for Adapter {
    type Slot = Room;

    fn long_work() -> Result<Slot, u32> {
        if identity::current().is_none() || WORKING.replace(true) {
            return Err(WAIT_SECONDS);
        }
        Ok(Slot::new(Room))
    }

    fn admit(bucket: Bucket, limit: u32, window_seconds: u32) -> Admission {
        let Some(name) = name(bucket) else { return Admission::Refused(1) };
        let now = environment::ticks() / NANOSECONDS;
        match COUNTERS.with_borrow_mut(|counters| counters.admit(name, limit, window_seconds, now)) {
            Ok(left) => Admission::Admitted(left),
            Err(wait) => Admission::Refused(wait),
        }
    }

    fn exhausted(bucket: Bucket, limit: u32, _window_seconds: u32) -> Option<u32> {
        let Some(name) = name(bucket) else { return Some(1) };
        let now = environment::ticks() / NANOSECONDS;
        COUNTERS.with_borrow(|counters| counters.exhausted(&name, limit, now))
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, MAX_WINDOWS};

    #[test]
    fn admits_up_to_the_limit_and_again_in_the_next_window() {
        let mut counters = Counters::default();
        let mut admit = |now| counters.admit("a".to_owned(), 2, 60, now);
        assert_eq!([admit(10), admit(20), admit(30), admit(69)], [Ok(1), Ok(0), Err(40), Err(1)]);
        assert_eq!(admit(70), Ok(1));
    }

    #[test]
    fn looking_does_not_count() {
        let mut counters = Counters::default();
        assert_eq!(counters.exhausted("a", 1, 0), None);
        assert_eq!(counters.admit("a".to_owned(), 1, 60, 0), Ok(0));
        assert_eq!([counters.exhausted("a", 1, 1), counters.exhausted("a", 1, 2)], [Some(59), Some(58)]);
        assert_eq!(counters.exhausted("a", 1, 60), None);
        assert_eq!(counters.exhausted("b", 1, 1), None);
    }

    #[test]
    fn a_limit_of_zero_admits_nothing() {
        assert_eq!(Counters::default().admit("a".to_owned(), 0, 60, 0), Err(60));
    }

    #[test]
    fn a_full_table_refuses_new_names_and_keeps_the_old_ones() {
        let mut counters = Counters::default();
        for nth in 0..MAX_WINDOWS {
            assert_eq!(counters.admit(nth.to_string(), 2, 60, 0), Ok(1));
        }
        assert_eq!(counters.admit("new".to_owned(), 2, 60, 1), Err(60));
        assert_eq!(counters.admit("7".to_owned(), 2, 60, 1), Ok(0));
        assert_eq!(counters.admit("new".to_owned(), 2, 60, 60), Ok(1));
    }
}
