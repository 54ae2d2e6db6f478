//! When a read is sent again, and after which pause. A write never is: nobody can tell whether Gitea did it.
//!
//! Sent again is what failed before any of its answer came, and what Gitea or a proxy in front of it says is busy for
//! the moment. The pause is drawn by chance, so that calls which failed together do not come back together; where
//! Gitea names one, it is that long, or there is none to be had in the time of a call.

use std::time::Duration;

use aegis_custody::Random;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

/// How often one read is sent again.
const MOST: u32 = 2;
/// The longest that Gitea may name for its pause to be kept here; a longer one is the caller's to keep.
const LONGEST_NAMED: Duration = Duration::from_secs(1);
/// The first pause is up to so long, the second up to three times that, each at least half of it.
const FIRST: Duration = Duration::from_millis(200);

/// How an attempt ended that might be made again.
pub(super) enum Ended<'a> {
    /// With a status.
    Answered(StatusCode, &'a HeaderMap),
    /// Before any of its answer came.
    Unanswered,
    /// In a way that the next one would end too.
    ForGood,
}

/// How often this was tried, and how long that may go on.
pub(super) struct Tries<'a> {
    random: &'a dyn Random,
    is_write: bool,
    repeated: u32,
    /// A pause that ends later than this after the beginning is not made: the rest of the time is for the answer.
    until: Duration,
}

impl<'a> Tries<'a> {
    /// For a request that may take so long in all.
    pub(super) fn new(is_write: bool, timeout: Duration, random: &'a dyn Random) -> Self {
        Self { random, is_write, repeated: 0, until: timeout / 2 }
    }

    /// The pause before the next attempt, where there is to be one. `spent` is the time since the first.
    pub(super) fn pause(&mut self, ended: &Ended<'_>, spent: Duration) -> Option<Duration> {
        if self.is_write || self.repeated >= MOST {
            return None;
        }
        let pause = match ended {
            Ended::ForGood => return None,
            Ended::Unanswered => self.drawn(),
            Ended::Answered(status, headers) => match (status.as_u16(), named(headers)) {
                (429 | 502 | 503 | 504, Named::Pause(pause)) => pause.saturating_add(self.drawn() / 4),
                (502..=504, Named::Nothing) => self.drawn(),
                _ => return None,
            },
        };
        if spent.saturating_add(pause) > self.until {
            return None;
        }
        self.repeated = self.repeated.saturating_add(1);
        Some(pause)
    }

    /// Between a half and the whole of this pause.
    fn drawn(&self) -> Duration {
        crate::way::drawn(FIRST.saturating_mul(3_u32.saturating_pow(self.repeated)), self.random)
    }
}

enum Named {
    Nothing,
    Pause(Duration),
    /// Longer than a call can keep, or a date: whoever names one does not mean a second.
    TooLong,
}

fn named(headers: &HeaderMap) -> Named {
    let Some(value) = headers.get(RETRY_AFTER) else { return Named::Nothing };
    let seconds = value.to_str().ok().and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    match seconds {
        Some(pause) if pause <= LONGEST_NAMED => Named::Pause(pause),
        Some(_) | None => Named::TooLong,
    }
}

/// How a request ended that got no answer. A certificate that is not good does not become so.
pub(super) fn unanswered(error: &hyper_util::client::legacy::Error) -> Ended<'static> {
    let mut gone = error.is_connect();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            // How the TLS connector wraps what rustls refuses.
            if io.kind() == std::io::ErrorKind::InvalidData {
                return Ended::ForGood;
            }
            gone = true;
        }
        if error.is::<rustls::Error>() {
            return Ended::ForGood;
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            gone |= error.is_incomplete_message() || error.is_canceled() || error.is_closed();
        }
        // An error of I/O passes over the one that it wraps when it is asked for its source.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    if gone { Ended::Unanswered } else { Ended::ForGood }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Always the same chance.
    struct Always(u8);

    impl Random for Always {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    const LONG: Duration = Duration::from_secs(30);

    fn headers(retry_after: Option<&'static str>) -> HeaderMap {
        retry_after.map(|value| (RETRY_AFTER, http::HeaderValue::from_static(value))).into_iter().collect()
    }

    fn first(status: u16, retry_after: Option<&'static str>) -> Option<u128> {
        let headers = headers(retry_after);
        let ended = Ended::Answered(StatusCode::from_u16(status).unwrap(), &headers);
        Tries::new(false, LONG, &Always(255)).pause(&ended, Duration::ZERO).map(|pause| pause.as_millis())
    }

    #[test]
    fn only_what_passes_is_sent_again() {
        for status in [502, 503, 504] {
            assert_eq!(first(status, None), Some(200), "{status}");
        }
        for status in [200, 301, 400, 401, 403, 404, 409, 422, 423, 429, 500, 501] {
            assert_eq!(first(status, None), None, "{status}");
        }
        assert!(Tries::new(false, LONG, &Always(0)).pause(&Ended::ForGood, Duration::ZERO).is_none());
    }

    #[test]
    fn a_pause_that_gitea_names_is_kept_or_nothing_is_sent() {
        assert_eq!(first(429, Some("0")), Some(50));
        assert_eq!(first(429, Some("1")), Some(1_050));
        assert_eq!(first(503, Some("1")), Some(1_050));
        for long in ["2", "3600", "Wed, 21 Oct 2026 07:28:00 GMT", "-1", "soon"] {
            assert_eq!(first(429, Some(long)), None, "{long}");
            assert_eq!(first(503, Some(long)), None, "{long}");
        }
    }

    #[test]
    fn twice_at_most_with_growing_pauses_drawn_by_chance() {
        for (chance, pauses) in [(0, [100, 300]), (255, [200, 600])] {
            let random = Always(chance);
            let mut tries = Tries::new(false, LONG, &random);
            for pause in pauses {
                let found = tries.pause(&Ended::Unanswered, Duration::ZERO);
                assert_eq!(found, Some(Duration::from_millis(pause)));
            }
            assert_eq!(tries.pause(&Ended::Unanswered, Duration::ZERO), None);
        }
    }

    #[test]
    fn a_write_is_sent_once() {
        assert_eq!(Tries::new(true, LONG, &Always(0)).pause(&Ended::Unanswered, Duration::ZERO), None);
    }

    #[test]
    fn half_the_time_is_left_for_the_last_answer() {
        let random = Always(255);
        let mut tries = Tries::new(false, LONG, &random);
        assert_eq!(tries.pause(&Ended::Unanswered, Duration::from_millis(14_801)), None);
        assert!(tries.pause(&Ended::Unanswered, Duration::from_millis(14_800)).is_some());
    }
}
