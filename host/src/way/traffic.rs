//! How much is on the way to Gitea, and how long its answers take. It holds nothing up, and knows neither who asks nor what.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use http::{Method, StatusCode};

use crate::metrics::{REQUESTS, Timed, name_of};

/// What is on the way, and what was.
pub(crate) struct Traffic {
    in_flight: AtomicUsize,
    /// By method and class of status.
    took: Timed<2>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self { in_flight: AtomicUsize::new(0), took: Timed::new(REQUESTS) }
    }
}

impl Traffic {
    /// One more is on the way.
    pub(super) fn enter(&self, method: &Method) -> Passing<'_> {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Passing { of: self, method: name_of(method), class: "none", began: Instant::now() }
    }

    /// How many are on the way now.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// How long they took until the head of the answer was there.
    pub(crate) fn took(&self) -> &Timed<2> {
        &self.took
    }
}

/// One request on the way. One that is given up has no answer, and is counted as that.
pub(super) struct Passing<'a> {
    of: &'a Traffic,
    method: &'static str,
    class: &'static str,
    began: Instant,
}

impl Passing<'_> {
    /// The head of its answer is there, or there will be none.
    pub(super) fn answered(&mut self, status: Option<StatusCode>) {
        self.class = class(status);
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.of.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.of.took.observe([self.method, self.class], self.began.elapsed());
    }
}

fn class(status: Option<StatusCode>) -> &'static str {
    match status.map(|status| status.as_u16() / 100) {
        None => "none",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(5) => "5xx",
        Some(_) => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_is_counted_as_unanswered_and_is_on_the_way_no_more() {
        let traffic = Traffic::default();
        let given_up = traffic.enter(&Method::GET);
        let mut answered = traffic.enter(&Method::POST);
        assert_eq!(traffic.in_flight(), 2);
        answered.answered(Some(StatusCode::CREATED));
        drop((given_up, answered));
        assert_eq!(traffic.in_flight(), 0);
        let labels: Vec<_> = traffic.took.labels();
        assert_eq!(labels, [["GET", "none"], ["POST", "2xx"]]);
    }
}
