//! The text form: families with their samples, each family once.

use std::fmt::{Display, Write as _};

use super::counts::Counts;
use super::histogram::{Histogram, Timed};

/// What the text of `/metrics` is written into.
pub(super) struct Page(String);

impl Default for Page {
    fn default() -> Self {
        Self(String::with_capacity(32 << 10))
    }
}

impl Page {
    /// The whole text.
    pub(super) fn text(self) -> String {
        self.0
    }

    /// A value that may fall, without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.sample(name, [], value);
    }

    /// The same where it is known; the family alone where it is not.
    pub(super) fn known(&mut self, name: &str, help: &str, value: Option<impl Display>) {
        self.head(name, "gauge", help);
        if let Some(value) = value {
            self.sample(name, [], value);
        }
    }

    /// A value that only rises, without labels.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "counter", help);
        self.sample(name, [], value);
    }

    /// A counter by its labels.
    pub(super) fn counts<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        counts: &Counts<N>,
    ) {
        self.head(name, "counter", help);
        for (values, count) in counts.iter() {
            self.sample(name, pairs(labels, values), count);
        }
    }

    /// One of `gauge` and `counter`, by one label.
    pub(super) fn by<V: Display>(
        &mut self,
        (name, kind): (&str, &str),
        help: &str,
        label: &str,
        rows: impl IntoIterator<Item = (&'static str, V)>,
    ) {
        self.head(name, kind, help);
        for (value, number) in rows {
            self.sample(name, [(label, value)], number);
        }
    }

    /// A 1 labelled with what is in force.
    pub(super) fn info(&mut self, name: &str, help: &str, digest: &str) {
        self.head(name, "gauge", help);
        self.sample(name, [("digest", digest)], 1);
    }

    /// Histograms by their labels.
    pub(super) fn timed<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        timed: &Timed<N>,
    ) {
        self.head(name, "histogram", help);
        for (values, histogram) in &timed.all() {
            self.histogram(name, &pairs(labels, values).collect::<Vec<_>>(), histogram);
        }
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        let infinite = std::iter::once(("+Inf", histogram.count()));
        for (end, count) in histogram.cumulated().chain(infinite) {
            self.sample(&bucket, labels.iter().copied().chain([("le", end)]), count);
        }
        self.sample(&format!("{name}_sum"), labels.iter().copied(), histogram.seconds());
        self.sample(&format!("{name}_count"), labels.iter().copied(), histogram.count());
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample<'a>(
        &mut self,
        name: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: impl Display,
    ) {
        self.0.push_str(name);
        let mut before = '{';
        for (label, value) in labels {
            let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(value));
            before = ',';
        }
        if before == ',' {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

fn pairs<'a, const N: usize>(
    labels: [&'a str; N],
    values: &'a [String; N],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    labels.into_iter().zip(values.iter().map(String::as_str))
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
