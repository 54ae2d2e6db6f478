//! An approval page is claimed by the request that is sealed in it: it is answered once, for good.
//!
//! A person may press its button twice, and the browser then gives the first answer up, perhaps with its cookie. That
//! answer cannot be told again: nothing binds a browser to a page before it has approved, and the answer holds a secret.
//! So a press of the same choice, within seconds and from the same network, counts as the same one and begins a flow of
//! its own: whichever answer the browser follows works, and nobody learns what somebody else was given. Of these flows
//! one ends in a code (`flow`). Another choice never counts: who has denied has denied, and reading stays reading.
//!
//! Whoever loads the page again, or comes back to it from Gitea, gets a fresh one, for pages are not stored; whoever
//! finds an old one is told so and starts again. All this is one wall behind others, so strangers who fill the room for
//! claims must not keep people out: then none is made.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aegis_custody::Timestamp;
use aegis_custody::oauth::registry::{Claim, ClaimKind};
use sha2::{Digest as _, Sha256};

use super::SignIn;
use super::flow::after;

/// How long a second press of a page's button may be the first one again.
const SAME_PRESS: Duration = Duration::from_secs(10);
/// How often the button may be pressed in that time.
const PRESSES: u8 = 3;
/// Most pages of which that is known; a second press on others is none.
const MAX_PRESSED: usize = 4_096;

/// What a person chose on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Deny,
    Read,
    Write,
}

/// A page that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The hash of what is sealed in it.
    pub(super) id: [u8; 32],
    /// The answer.
    pub(super) choice: Choice,
    /// Until when it may begin flows.
    pub(super) last: Timestamp,
}

/// Pages whose button was pressed in the last seconds, by the hash of what is sealed in them.
#[derive(Default)]
pub(super) struct Presses(Mutex<HashMap<[u8; 32], Press>>);

struct Press {
    network: IpAddr,
    choice: Choice,
    first: Timestamp,
    left: u8,
}

impl Press {
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.first <= now && now < after(self.first, SAME_PRESS)
    }
}

impl Presses {
    fn first(&self, page: &Page, network: IpAddr, now: Timestamp) {
        let mut presses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if presses.len() >= MAX_PRESSED {
            presses.retain(|_, press| press.is_fresh(now));
        }
        if presses.len() < MAX_PRESSED {
            let left = PRESSES.saturating_sub(1);
            presses.insert(page.id, Press { network, choice: page.choice, first: now, left });
        }
    }

    /// When the button was pressed first, where this is that press once more.
    fn again(&self, id: [u8; 32], choice: Choice, network: IpAddr, now: Timestamp) -> Option<Timestamp> {
        let mut presses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let press = presses.get_mut(&id).filter(|press| {
            press.network == network && press.choice == choice && press.is_fresh(now) && press.left > 0
        })?;
        press.left = press.left.saturating_sub(1);
        Some(press.first)
    }
}

impl SignIn {
    /// The approval page with this sealed request, good until then, answered in this way; none where it was answered
    /// before.
    pub(crate) fn press(
        &self,
        sealed: &str,
        choice: Choice,
        until: Timestamp,
        network: IpAddr,
    ) -> Option<Page> {
        let id: [u8; 32] = Sha256::digest(sealed.as_bytes()).into();
        // Under one lock, so that a press that has lost finds the one that has won.
        let (claim, now) = self.records.change(|registry, now| {
            let claim = registry.claim(ClaimKind::Consent, id, until, now);
            if claim == Claim::Won {
                self.presses.first(&Page { id, choice, last: after(now, SAME_PRESS) }, network, now);
            }
            ((claim, now), Vec::new())
        });
        match claim {
            Claim::Won => Some(Page { id, choice, last: after(now, SAME_PRESS) }),
            Claim::Lost => {
                let first = self.presses.again(id, choice, network, now)?;
                Some(Page { id, choice, last: after(first, SAME_PRESS) })
            }
            Claim::Full => {
                tracing::warn!(event = "consent_claims_full");
                Some(Page { id, choice, last: until })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_780_000_000_000 + millis)
    }

    fn page(id: [u8; 32], choice: Choice) -> Page {
        Page { id, choice, last: at(0) }
    }

    #[test]
    fn a_second_press_is_the_first_one_for_seconds_from_the_same_network_and_three_times_at_most() {
        let presses = Presses::default();
        let again = |id, network, now| presses.again(id, Choice::Read, network, now);
        assert_eq!(again([1; 32], HERE, at(0)), None, "nobody has pressed");
        presses.first(&page([1; 32], Choice::Read), HERE, at(0));
        assert_eq!(again([1; 32], THERE, at(1)), None, "somebody else");
        assert_eq!(again([2; 32], HERE, at(1)), None, "another page");
        assert_eq!(again([1; 32], HERE, at(-1)), None, "the clock was set back");
        assert_eq!(again([1; 32], HERE, at(10_000)), None, "later");
        let told: Vec<_> = (0..10).filter_map(|_| again([1; 32], HERE, at(9_999))).collect();
        assert_eq!(told, [at(0); 2]);
    }

    #[test]
    fn another_choice_is_never_the_first_press_again() {
        let all = [Choice::Deny, Choice::Read, Choice::Write];
        for first in all {
            for second in all {
                let presses = Presses::default();
                presses.first(&page([1; 32], first), HERE, at(0));
                let again = presses.again([1; 32], second, HERE, at(1));
                assert_eq!(again.is_some(), first == second, "{first:?}, then {second:?}");
            }
        }
    }

    #[test]
    fn presses_are_bounded_and_old_ones_make_room() {
        let presses = Presses::default();
        let id = |number: usize| -> [u8; 32] { Sha256::digest(number.to_be_bytes()).into() };
        let press = |number: usize, now: Timestamp| presses.first(&page(id(number), Choice::Read), HERE, now);
        (0..MAX_PRESSED + 10).for_each(|number| press(number, at(0)));
        assert_eq!(presses.0.lock().unwrap().len(), MAX_PRESSED);
        assert_eq!(presses.again(id(MAX_PRESSED + 1), Choice::Read, HERE, at(1)), None);
        press(MAX_PRESSED + 1, at(10_000));
        assert!(presses.again(id(MAX_PRESSED + 1), Choice::Read, HERE, at(10_001)).is_some());
        assert_eq!(presses.0.lock().unwrap().len(), 1);
    }
}
