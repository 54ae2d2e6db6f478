//! Remarks that come in floods: the first of a kind in a minute are written each, the rest are counted and told in
//! one line. Tool calls never come through here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of one reason from one network in one window.
const EACH: u32 = 100;
/// How long a window is.
const WINDOW: Duration = Duration::from_secs(60);
/// Most windows kept; beyond it strangers share one for each reason.
const MAX_WINDOWS: usize = 10_000;

/// Most reasons beyond that; then they share one too.
const MAX_REASONS: usize = 1_000;

/// What one line of a flood tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    /// `access_denied` rather than `security_event`.
    pub(crate) denial: bool,
    /// The named reason.
    pub(crate) reason: String,
    /// Where it came from (IPv6 by /64); none where too many networks are at it.
    pub(crate) network: Option<IpAddr>,
}

struct Window {
    start: Instant,
    written: u32,
    suppressed: u64,
}

/// The windows that are open.
#[derive(Default)]
pub(crate) struct Floods {
    windows: Mutex<HashMap<Kind, Window>>,
}

impl Floods {
    /// Whether this remark is written; if not, it is counted.
    pub(crate) fn admit(&self, mut kind: Kind, now: Instant) -> bool {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MAX_WINDOWS && !windows.contains_key(&kind) {
            kind.network = None;
        }
        // Reasons are the guest's words: were each a window of its own, making them up would lift the bound.
        if windows.len() >= MAX_WINDOWS.saturating_add(MAX_REASONS) && !windows.contains_key(&kind) {
            "other".clone_into(&mut kind.reason);
        }
        let window = windows.entry(kind).or_insert(Window { start: now, written: 0, suppressed: 0 });
        if window.written < EACH {
            window.written = window.written.saturating_add(1);
            return true;
        }
        window.suppressed = window.suppressed.saturating_add(1);
        false
    }

    /// Close the windows that are over (`now`), or all of them (no time), and say how much each kept back.
    pub(crate) fn over(&self, now: Option<Instant>) -> Vec<(Kind, u64)> {
        let ended =
            |window: &Window| now.is_none_or(|now| now.saturating_duration_since(window.start) >= WINDOW);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let told = windows.iter().filter(|(_, window)| ended(window) && window.suppressed > 0);
        let told = told.map(|(kind, window)| (kind.clone(), window.suppressed)).collect();
        windows.retain(|_, window| !ended(window));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(address: u32) -> Kind {
        Kind { denial: true, reason: "rate_limited".to_owned(), network: Some(IpAddr::V4(address.into())) }
    }

    #[test]
    fn the_first_of_a_minute_are_written_and_the_rest_is_counted() {
        let floods = Floods::default();
        let start = Instant::now();
        assert_eq!((0..140).filter(|_| floods.admit(kind(1), start)).count(), EACH as usize);
        assert!(floods.admit(kind(2), start), "somebody else is not affected");
        assert_eq!(floods.over(Some(start)), [], "the minute is not over");
        assert_eq!(floods.over(Some(start + WINDOW)), [(kind(1), 40)]);
        assert!(floods.admit(kind(1), start + WINDOW), "a new minute");
        assert_eq!(floods.over(None), [], "nothing was kept back in it");
    }

    #[test]
    fn reasons_that_are_made_up_share_one_window_in_the_end() {
        let floods = Floods::default();
        let now = Instant::now();
        let made_up = |number: u32| Kind { reason: format!("reason-{number}"), ..kind(number) };
        let written = (0..50_000).filter(|number| floods.admit(made_up(*number), now)).count();
        assert_eq!(written, MAX_WINDOWS + MAX_REASONS + EACH as usize);
        assert_eq!(floods.over(None).len(), 1);
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_too() {
        let floods = Floods::default();
        let now = Instant::now();
        let written = (0..50_000).filter(|address| floods.admit(kind(*address), now)).count();
        assert_eq!(written, MAX_WINDOWS + EACH as usize);
        let told = floods.over(None);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0.network, None);
        assert_eq!(told[0].1, 50_000 - written as u64);
    }
}
