//! Places for requests of people and clients who have not shown a token: those of sign-in. They may wait for somebody
//! else's server (a client's document, Gitea's token endpoint), so strangers could hold every instance with them. Half
//! of the instances is never theirs, and one network has a few.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::counters::network_of;
use crate::metrics::Used;

/// Requests of sign-in that one network may always have in flight, where there are so many places: an office at nine
/// in the morning, or all users of a hosted client.
const EACH: usize = 64;

/// Paths of sign-in. Public metadata waits for nobody and is not among them.
const PATHS: [&str; 8] = [
    "/authorize",
    "/oauth/authorize",
    "/oauth/callback",
    "/oauth/register",
    "/oauth/revoke",
    "/oauth/token",
    "/register",
    "/token",
];

/// The places, and who has how many.
pub(super) struct Places {
    all: usize,
    each: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One place; given back when the request ends.
pub(super) struct Place {
    network: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Places {
    /// For so many instances in all.
    pub(super) fn new(capacity: usize) -> Self {
        let all = (capacity / 2).max(1);
        Self { all, each: EACH.max(capacity / 4).min(all), taken: Arc::default() }
    }

    /// For `/metrics`.
    pub(super) fn used(&self) -> Used {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        Used { now: taken.values().sum(), limit: self.all }
    }

    /// A place for a request; none where it needs none.
    ///
    /// # Errors
    /// Its network has as many as one may have, or all are taken.
    pub(super) fn enter(&self, path: &str, address: IpAddr) -> Result<Option<Place>, Full> {
        if !PATHS.contains(&path) {
            return Ok(None);
        }
        let network = network_of(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = taken.get(&network).copied().unwrap_or(0);
        if theirs >= self.each || taken.values().sum::<usize>() >= self.all {
            return Err(Full);
        }
        taken.insert(network, theirs.saturating_add(1));
        Ok(Some(Place { network, taken: self.taken.clone() }))
    }
}

/// There is no place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(theirs) = taken.get_mut(&self.network) {
            *theirs = theirs.saturating_sub(1);
            if *theirs == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn one_network_has_a_few_places_and_gives_them_back() {
        let places = Places::new(4 * EACH);
        let mut held: Vec<_> =
            (0..EACH).map(|_| places.enter("/oauth/authorize", address(1)).unwrap()).collect();
        assert!(places.enter("/oauth/token", address(1)).is_err());
        assert!(places.enter("/oauth/token", address(2)).is_ok(), "somebody else is not affected");
        held.pop();
        assert!(places.enter("/oauth/callback", address(1)).is_ok());
    }

    #[test]
    fn sign_in_never_takes_more_than_half_of_all_and_calls_need_no_place() {
        let places = Places::new(20);
        let held: Vec<_> = (0..10).map(|last| places.enter("/token", address(last)).unwrap()).collect();
        assert!(places.enter("/token", address(99)).is_err());
        assert!(matches!(places.enter("/mcp", address(99)), Ok(None)));
        drop(held);
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
