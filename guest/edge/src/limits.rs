//! `limits`: one directory for each counter and window, in it one empty file for each event, numbered. A number can be
//! taken once, so no more events are counted than there are numbers, however many instances count. Nothing of it is made
//! durable: a machine that loses power begins its windows again.
//!
//! The source address is unknown to a component, so each counter by address is one counter for everybody.

use std::cell::Cell;

use aegis_custody::journal::Files as _;
use sha2::{Digest as _, Sha256};

use crate::bindings::exports::aegis::gateway::limits::{Admission, Bucket, Guest, GuestSlot, Slot};
use crate::directory::Directory;
use crate::{Adapter, environment, identity};

/// Name of the directory with all counters.
const PLACE: &str = "limits";

/// One counter in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Window {
    name: String,
    seconds: u64,
    /// How many windows passed since 1970.
    nth: u64,
    /// Seconds until it ends.
    left: u32,
}

impl Window {
    /// The window at `now`, in seconds since 1970.
    fn at(name: String, seconds: u32, now: u64) -> Self {
        let seconds = u64::from(seconds.max(1));
        let left = seconds.saturating_sub(now.checked_rem(seconds).unwrap_or_default());
        let nth = now.checked_div(seconds).unwrap_or_default();
        Self { name, seconds, nth, left: u32::try_from(left).unwrap_or(u32::MAX).max(1) }
    }

    fn directory(&self) -> String {
        format!("{}.{}.{}", self.name, self.seconds, self.nth)
    }

    /// Whether a directory is of a window that has ended at `now`; false where it is none of ours.
    fn is_over(directory: &str, now: u64) -> bool {
        let mut parts = directory.rsplitn(3, '.');
        let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok());
        let (nth, seconds) = (number(), number());
        let end = nth.zip(seconds).and_then(|(nth, seconds)| nth.checked_add(1)?.checked_mul(seconds));
        end.is_some_and(|end| end <= now)
    }
}

/// Count one event; how many are left, or none where the window is full.
fn count(window: &Window, limit: u32, now: u64) -> Result<Option<u32>, String> {
    let (all, _) = Directory::within(PLACE)?;
    let name = window.directory();
    let (directory, is_new) = Directory::within(&format!("{PLACE}/{name}"))?;
    if is_new {
        for old in all.list()?.iter().filter(|old| Window::is_over(old, now)) {
            // Another instance may be at it too.
            if let Err(why) = all.remove_within(old) {
                environment::warn("counters_not_cleared", &why);
            }
        }
    }
    let counted = u32::try_from(directory.list()?.len()).unwrap_or(u32::MAX);
    for nth in counted.saturating_add(1)..=limit {
        if directory.claim(&nth.to_string())? {
            return Ok(Some(limit.saturating_sub(nth)));
        }
    }
    Ok(None)
}

fn counted(window: &Window) -> Result<u32, String> {
    Directory::within(PLACE)?;
    let (directory, _) = Directory::within(&format!("{PLACE}/{}", window.directory()))?;
    Ok(u32::try_from(directory.list()?.len()).unwrap_or(u32::MAX))
}

/// The counter's name; none for a principal that was not proved.
fn name(bucket: Bucket) -> Option<String> {
    Some(match bucket {
        Bucket::Address => "address".to_owned(),
        Bucket::AuthenticationFailures => "authentication-failures".to_owned(),
        Bucket::Registration => "registration".to_owned(),
        Bucket::Authorization => "authorization".to_owned(),
        Bucket::Token => "token".to_owned(),
        Bucket::TokenFailures => "token-failures".to_owned(),
        Bucket::Metadata => "metadata".to_owned(),
        Bucket::Principal => {
            let digest = Sha256::digest(identity::current()?.subject);
            format!("principal-{}", environment::hex(digest.first_chunk::<16>()?))
        }
    })
}

/// What cannot be counted is over every limit.
fn uncounted(why: &str) -> u32 {
    environment::warn("limits_unavailable", why);
    1
}

fn seconds() -> u64 {
    u64::try_from(environment::now().unix_millis() / 1000).unwrap_or_default()
}

thread_local! {
    static WORKING: Cell<bool> = const { Cell::new(false) };
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
        let now = seconds();
        let window = Window::at(name, window_seconds, now);
        match count(&window, limit, now) {
            Ok(Some(left)) => Admission::Admitted(left),
            Ok(None) => Admission::Refused(window.left),
            Err(why) => Admission::Refused(uncounted(&why)),
        }
    }

    fn exhausted(bucket: Bucket, limit: u32, window_seconds: u32) -> Option<u32> {
        let Some(name) = name(bucket) else { return Some(1) };
        let window = Window::at(name, window_seconds, seconds());
        match counted(&window) {
            Ok(counted) => (counted >= limit).then_some(window.left),
            Err(why) => Some(uncounted(&why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn a_window_ends_when_the_next_begins() {
        let at = |now| Window::at("a".to_owned(), 60, now);
        assert_eq!((at(120).nth, at(179).nth, at(180).nth), (2, 2, 3));
        assert_eq!((at(120).left, at(179).left), (60, 1));
        assert_eq!(at(120).directory(), "a.60.2");
        assert!(!Window::is_over("a.60.2", 179) && Window::is_over("a.60.2", 180));
    }

    #[test]
    fn only_directories_of_windows_are_ever_over() {
        for name in
            ["", "a", "a.60", "a.x.2", "audit", "a.60.99999999999999999999", "a.60.18446744073709551615"]
        {
            assert!(!Window::is_over(name, u64::MAX), "{name}");
        }
    }
}
