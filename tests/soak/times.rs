//! How long answers took, and what a series of measurements tends to.

use std::time::Duration;

/// How long some answers took.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<u32>);

impl Times {
    /// One more.
    pub fn push(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// Those of another one too.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// In milliseconds, what so many of a hundred do not exceed; 0 of none.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }
}

/// By how much something grows in a second, by least squares; 0 of fewer than two measurements.
pub fn slope(of: &[(f64, f64)]) -> f64 {
    let count = of.len() as f64;
    let mean = |value: fn(&(f64, f64)) -> f64| of.iter().map(value).sum::<f64>() / count;
    let (at, value) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = of.iter().map(|point| (point.0 - at).powi(2)).sum();
    let together: f64 = of.iter().map(|point| (point.0 - at) * (point.1 - value)).sum();
    if spread > 0.0 { together / spread } else { 0.0 }
}

#[test]
fn percentiles_and_slopes_are_what_they_are_called() {
    let mut times = Times::default();
    assert!(times.percentile(99).abs() < f64::EPSILON);
    (1..=100).for_each(|millis| times.push(Duration::from_millis(millis)));
    assert!((times.percentile(50) - 51.0).abs() < 0.1, "{}", times.percentile(50));
    assert!((times.percentile(99) - 100.0).abs() < 0.1);
    assert!((slope(&[(0.0, 1.0), (10.0, 21.0), (20.0, 41.0)]) - 2.0).abs() < 1e-9);
    assert!(slope(&[(5.0, 1.0)]).abs() < f64::EPSILON);
}
