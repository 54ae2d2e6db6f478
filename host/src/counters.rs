//! Counters that outlive a request: fixed windows by bucket and subject, exact under concurrency, bounded in
//! number. When the table is full the oldest windows go first, so a flood of addresses costs memory no more.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::Used;

/// Most windows kept.
const MAX_WINDOWS: usize = 65_536;

/// Whose events are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// Requests without a good credential.
    Address(IpAddr),
    /// Refused credentials.
    Failures(IpAddr),
    /// Client registrations.
    Registration(IpAddr),
    /// Sign-in pages.
    Authorization(IpAddr),
    /// The token endpoint.
    Token(IpAddr),
    /// What the token endpoint refused.
    TokenFailures(IpAddr),
    /// Public metadata.
    Metadata(IpAddr),
    /// Flows that came back from Gitea.
    Flows(IpAddr),
    /// A proved caller.
    Principal(String),
}

/// The table.
#[derive(Default)]
pub(crate) struct Counters {
    windows: Mutex<HashMap<Subject, Window>>,
}

struct Window {
    start: Instant,
    length: Duration,
    count: u32,
}

impl Window {
    fn over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.start) >= self.length
    }

    fn seconds_left(&self, now: Instant) -> u32 {
        let left = self.length.saturating_sub(now.saturating_duration_since(self.start));
        u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

impl Counters {
    /// Count one event: how many are left, or how many seconds to wait.
    pub(crate) fn admit(
        &self,
        subject: Subject,
        limit: u32,
        length: Duration,
        now: Instant,
    ) -> Result<u32, u32> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MAX_WINDOWS && !windows.contains_key(&subject) {
            make_room(&mut windows, now);
        }
        let window = windows.entry(subject).or_insert(Window { start: now, length, count: 0 });
        if window.over(now) {
            *window = Window { start: now, length, count: 0 };
        }
        if window.count >= limit {
            return Err(window.seconds_left(now));
        }
        window.count = window.count.saturating_add(1);
        Ok(limit.saturating_sub(window.count))
    }

    /// For `/metrics`: windows that are kept.
    pub(crate) fn used(&self) -> Used {
        let now = self.windows.lock().unwrap_or_else(PoisonError::into_inner).len();
        Used { now, limit: MAX_WINDOWS }
    }

    /// Seconds to wait if the window is full; counts nothing.
    pub(crate) fn exhausted(&self, subject: &Subject, limit: u32, now: Instant) -> Option<u32> {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(subject).filter(|window| !window.over(now))?;
        (window.count >= limit).then(|| window.seconds_left(now))
    }
}

/// Drop what is over; if that is not enough, the older half.
fn make_room(windows: &mut HashMap<Subject, Window>, now: Instant) {
    windows.retain(|_, window| !window.over(now));
    if windows.len() >= MAX_WINDOWS {
        let mut starts: Vec<Instant> = windows.values().map(|window| window.start).collect();
        starts.sort_unstable();
        if let Some(middle) = starts.get(starts.len() / 2).copied() {
            windows.retain(|_, window| window.start > middle);
        }
    }
}

/// One subscriber of IPv6 holds a /64, so that is what counts.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn laptop() -> Subject {
        Subject::Principal("laptop".to_owned())
    }

    #[test]
    fn a_window_admits_its_limit_and_opens_again() {
        let counters = Counters::default();
        let start = Instant::now();
        assert_eq!(counters.admit(laptop(), 2, MINUTE, start), Ok(1));
        assert_eq!(counters.admit(laptop(), 2, MINUTE, start), Ok(0));
        assert_eq!(counters.admit(laptop(), 2, MINUTE, start), Err(61));
        assert_eq!(counters.exhausted(&laptop(), 2, start), Some(61));
        assert_eq!(counters.admit(laptop(), 2, MINUTE, start + MINUTE), Ok(1));
    }

    #[test]
    fn sixty_four_threads_share_one_limit_exactly() {
        let counters = Counters::default();
        let now = Instant::now();
        let admitted = std::thread::scope(|scope| {
            let tasks: Vec<_> = (0..64)
                .map(|_| {
                    scope.spawn(|| {
                        (0..10).filter(|_| counters.admit(laptop(), 100, MINUTE, now).is_ok()).count()
                    })
                })
                .collect();
            tasks.into_iter().map(|task| task.join().unwrap()).sum::<usize>()
        });
        assert_eq!(admitted, 100);
    }

    #[test]
    fn neighbours_in_one_ipv6_network_count_as_one() {
        let one = network_of("2001:db8:1:2::1".parse().unwrap());
        assert_eq!(one, network_of("2001:db8:1:2:ffff::9".parse().unwrap()));
        assert_ne!(one, network_of("2001:db8:1:3::1".parse().unwrap()));
        assert_eq!(network_of("::ffff:10.0.0.1".parse().unwrap()), "10.0.0.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn a_flood_of_addresses_is_bounded() {
        let counters = Counters::default();
        let now = Instant::now();
        for i in 0..(MAX_WINDOWS as u32 + 10) {
            let _ = counters.admit(Subject::Address(IpAddr::V4(i.into())), 1, MINUTE, now);
        }
        assert!(counters.windows.lock().unwrap().len() <= MAX_WINDOWS);
    }
}
