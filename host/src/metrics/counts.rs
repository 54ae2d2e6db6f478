//! Counters by their labels. Beyond a cap a new set of labels is counted as `other`, so that no flood of names takes memory.

use std::collections::BTreeMap;

/// Most label sets of one counter.
pub(super) const MOST: usize = 2_000;

/// One counter.
pub(super) struct Counts<const N: usize>(BTreeMap<[String; N], u64>);

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<const N: usize> Counts<N> {
    /// So many more with these labels.
    pub(super) fn add(&mut self, labels: [&str; N], by: u64) {
        let value = self.0.entry(bounded(&self.0, labels, MOST)).or_default();
        *value = value.saturating_add(by);
    }

    /// All of them, in the order of their labels.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[String; N], u64)> {
        self.0.iter().map(|(labels, value)| (labels, *value))
    }
}

/// These labels, or those of all that there is no room for.
pub(super) fn bounded<const N: usize, V>(
    known: &BTreeMap<[String; N], V>,
    labels: [&str; N],
    most: usize,
) -> [String; N] {
    let labels = labels.map(str::to_owned);
    if known.len() < most || known.contains_key(&labels) {
        return labels;
    }
    labels.map(|_| "other".to_owned())
}
