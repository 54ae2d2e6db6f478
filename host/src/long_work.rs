//! Room for work that takes long. There is little of it, so that searches cannot take the processors from everybody
//! else, and a caller has one place at most, so that nobody takes it all.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Requests that may work long at the same time.
const ROOMS: usize = 2;
/// Seconds after which asking again makes sense: most searches are over by then.
const WAIT_SECONDS: u32 = 5;

/// Who works long now, by principal.
#[derive(Clone, Default)]
pub(crate) struct LongWork {
    working: Arc<Mutex<HashSet<String>>>,
}

/// A place; dropping it gives it back.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Slot {
    of: LongWork,
    subject: String,
}

impl LongWork {
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
    use super::LongWork;

    #[test]
    fn there_is_room_for_two_callers_and_once_for_each() {
        let rooms = LongWork::default();
        let first = rooms.enter("alice").map_err(drop);
        assert!(first.is_ok() && rooms.enter("alice").is_err());
        let second = rooms.enter("bob");
        assert!(second.is_ok() && rooms.enter("carol").is_err());
        drop(first);
        assert!(rooms.enter("carol").is_ok());
        assert!(rooms.enter("alice").is_ok(), "carol's place was given back");
    }
}
