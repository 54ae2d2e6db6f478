//! Whether changes may be sent to Gitea at this moment. The settings say whether it can be at all; an operator can take
//! it away and give it back while the server runs (`aegis-mcp write off`), and can never give more than the settings do.
//!
//! Nothing is kept: a start begins with what the settings say.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aegis_custody::Timestamp;

/// The switch. It decides for the whole process at once, also for requests that have begun.
pub(crate) struct Writes {
    /// `WRITE_MODE`.
    configured: bool,
    on: AtomicBool,
    /// Changes that are with Gitea, or about to be.
    under_way: AtomicUsize,
    turned: Mutex<Option<Turned>>,
}

/// When it was turned last, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turned {
    pub(crate) at: Timestamp,
    /// The user id of the operator's command.
    pub(crate) uid: u32,
}

/// A change on its way.
pub(crate) struct OnItsWay(Arc<Writes>);

impl Writes {
    /// As the settings say.
    pub(crate) fn new(configured: bool) -> Arc<Self> {
        let on = AtomicBool::new(configured);
        Arc::new(Self { configured, on, under_way: AtomicUsize::new(0), turned: Mutex::default() })
    }

    /// Whether the settings allow changes at all.
    pub(crate) fn are_configured(&self) -> bool {
        self.configured
    }

    /// Whether changes may be sent now.
    pub(crate) fn are_on(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }

    /// Turn changes off, or on again as far as the settings allow them. Whether that made a difference.
    pub(crate) fn turn(&self, on: bool, by: Turned) -> bool {
        let on = on && self.configured;
        let differs = self.on.swap(on, Ordering::SeqCst) != on;
        if differs {
            *self.turned.lock().unwrap_or_else(PoisonError::into_inner) = Some(by);
        }
        differs
    }

    /// When it was turned last since the start.
    pub(crate) fn turned(&self) -> Option<Turned> {
        *self.turned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Send a change; none where that may not be. It is counted before it is asked whether it may be: whoever turns
    /// changes off and counts none under way afterwards knows that none will come.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<OnItsWay> {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let on_its_way = OnItsWay(self.clone());
        self.are_on().then_some(on_its_way)
    }

    /// How many changes are with Gitea, or about to be.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(uid: u32) -> Turned {
        Turned { at: Timestamp::from_unix_millis(0), uid }
    }

    #[test]
    fn an_operator_takes_away_and_gives_back_and_never_gives_more() {
        let writes = Writes::new(true);
        assert!(writes.turn(false, by(1)) && !writes.are_on());
        assert!(!writes.turn(false, by(2)), "it was off already");
        assert_eq!(writes.turned(), Some(by(1)));
        assert!(writes.turn(true, by(3)) && writes.are_on());
        let never = Writes::new(false);
        assert!(!never.turn(true, by(1)) && !never.are_on() && never.turned().is_none());
    }

    #[test]
    fn what_is_under_way_is_counted_and_nothing_begins_while_it_is_off() {
        let writes = Writes::new(true);
        let first = writes.begin();
        assert!(first.is_some());
        writes.turn(false, by(1));
        assert_eq!(writes.under_way(), 1);
        assert!(writes.begin().is_none());
        assert_eq!(writes.under_way(), 1, "what did not begin is not counted");
        drop(first);
        assert_eq!(writes.under_way(), 0);
    }
}
