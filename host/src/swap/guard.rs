//! The first minute of a guest: where its requests fail more than they did before, the guest before it comes back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{By, replace, tell_refused};
use crate::generation::{Generation, Share};
use crate::serve::Server;

/// How long a guest is watched after it was put in force.
const WATCHED: Duration = Duration::from_secs(60);
/// The fewest failures that count: one request may be at fault itself.
const LEAST: u64 = 5;
/// More than one request in so many has failed.
const ONE_IN: u64 = 20;

/// A request that began at this age of the guest has failed for the guest's own fault: see whether it has to go.
pub(crate) fn look(server: &Arc<Server>, guest: &Arc<Generation>, age: Duration) {
    // Nobody has put the first one in place of another. When the request began counts: one that hangs fails long after.
    if guest.number == 1 || age > WATCHED {
        return;
    }
    let share = guest.tally.share();
    if !has_risen(share, guest.before) || guest.is_given_up.swap(true, Ordering::AcqRel) {
        return;
    }
    let (server, guest) = (server.clone(), guest.clone());
    server.shared.runtime.clone().spawn(async move { give_up(&server, &guest, share).await });
}

/// At least [`LEAST`], more than one in [`ONE_IN`], and a larger part than before.
fn has_risen(now: Share, before: Share) -> bool {
    let more_than_before = u128::from(now.failed) * u128::from(before.begun.max(1))
        > u128::from(before.failed) * u128::from(now.begun);
    now.failed >= LEAST && now.failed.saturating_mul(ONE_IN) > now.begun && more_than_before
}

async fn give_up(server: &Arc<Server>, guest: &Arc<Generation>, share: Share) {
    let by = By::Failures(share);
    if let Err(refused) = replace(server, guest, by).await {
        // Somebody has replaced it already: then nothing is left to be done.
        if server.shared.in_force.guest().number == guest.number {
            tell_refused(server, &refused, guest.digest(), by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_failures_of_many_and_what_was_so_before_are_borne() {
        let share = |begun, failed| Share { begun, failed };
        let never = share(1_000, 0);
        assert!(has_risen(share(5, 5), never));
        assert!(has_risen(share(99, 5), never), "more than one in twenty");
        assert!(!has_risen(share(100, 5), never), "one in twenty");
        assert!(!has_risen(share(4, 4), never), "too few to tell");
        assert!(!has_risen(share(10, 5), share(100, 50)), "as before");
        assert!(has_risen(share(10, 6), share(100, 50)), "worse than before");
        assert!(has_risen(share(10, 6), share(0, 0)), "nothing is known of before");
        assert!(!has_risen(share(u64::MAX, 5), share(u64::MAX, 0)));
    }
}
