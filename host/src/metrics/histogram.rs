//! Durations in fixed buckets. Buckets never change with what is measured, so two servers and two years can be added up.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::counts::bounded;

/// The upper end of a bucket: microseconds, and the same in seconds as the label `le` has it.
pub(crate) type Bound = (u64, &'static str);

/// For requests and calls: from an answer out of memory to the longest that one may take.
pub(crate) const REQUESTS: &[Bound] = &[
    (1_000, "0.001"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
    (30_000_000, "30"),
    (120_000_000, "120"),
];

/// For syncs of the audit log: from a disk with a battery to the longest that a caller waits for one.
pub(crate) const SYNCS: &[Bound] = &[
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_000_000, "2"),
];

/// Most label sets of one histogram: each is some fifteen lines. There are a fifth as many tools.
const MOST: usize = 250;

/// Durations with the same labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Histogram {
    bounds: &'static [Bound],
    /// How many fell into each bucket; those beyond the last are in `count` alone.
    buckets: Vec<u64>,
    count: u64,
    microseconds: u64,
}

impl Histogram {
    /// Nothing was measured yet.
    pub(super) fn new(bounds: &'static [Bound]) -> Self {
        Self { bounds, buckets: vec![0; bounds.len()], count: 0, microseconds: 0 }
    }

    /// One that took so long.
    pub(super) fn observe(&mut self, took: Duration) {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = self.bounds.partition_point(|(end, _)| *end < microseconds);
        if let Some(bucket) = self.buckets.get_mut(place) {
            *bucket = bucket.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        self.microseconds = self.microseconds.saturating_add(microseconds);
    }

    /// For each bound, how many took no longer.
    pub(super) fn cumulated(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.bounds.iter().zip(&self.buckets).scan(0_u64, |sum, ((_, label), count)| {
            *sum = sum.saturating_add(*count);
            Some((*label, *sum))
        })
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The sum, in seconds.
    pub(super) fn seconds(&self) -> String {
        format!("{}.{:06}", self.microseconds / 1_000_000, self.microseconds % 1_000_000)
    }
}

/// A histogram for each set of labels.
pub(crate) struct Timed<const N: usize> {
    bounds: &'static [Bound],
    sets: Mutex<BTreeMap<[String; N], Histogram>>,
}

impl<const N: usize> Timed<N> {
    /// Nothing was measured yet.
    pub(crate) fn new(bounds: &'static [Bound]) -> Self {
        Self { bounds, sets: Mutex::default() }
    }

    /// One with these labels that took so long.
    pub(crate) fn observe(&self, labels: [&str; N], took: Duration) {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = bounded(&sets, labels, MOST);
        sets.entry(labels).or_insert_with(|| Histogram::new(self.bounds)).observe(took);
    }

    /// The sets that there are.
    #[cfg(test)]
    pub(crate) fn labels(&self) -> Vec<[String; N]> {
        self.all().into_keys().collect()
    }

    /// All of them as they are now.
    pub(super) fn all(&self) -> BTreeMap<[String; N], Histogram> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_its_bucket_and_in_all_above_it() {
        let mut histogram = Histogram::new(SYNCS);
        for micros in [250, 251, 2_000_000, 2_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let cumulated: BTreeMap<_, _> = histogram.cumulated().collect();
        assert_eq!((cumulated["0.00025"], cumulated["0.0005"], cumulated["1"], cumulated["2"]), (1, 2, 2, 3));
        assert_eq!((histogram.count(), histogram.seconds().as_str()), (4, "4.000502"));
    }

    #[test]
    fn the_bounds_rise_and_their_labels_say_what_they_are() {
        for bounds in [REQUESTS, SYNCS] {
            assert!(bounds.is_sorted_by(|(one, _), (other, _)| one < other));
            for (micros, label) in bounds {
                let seconds: f64 = label.parse().unwrap();
                assert_eq!(Duration::from_secs_f64(seconds), Duration::from_micros(*micros), "{label}");
            }
        }
    }

    #[test]
    fn a_flood_of_names_does_not_grow_the_histograms() {
        let timed = Timed::new(REQUESTS);
        for i in 0..MOST * 3 {
            timed.observe([&format!("tool{i}")], Duration::from_millis(1));
        }
        let all = timed.all();
        assert_eq!(all.len(), MOST + 1);
        assert_eq!(all[&["other".to_owned()]].count(), u64::try_from(MOST * 2).unwrap());
    }
}
