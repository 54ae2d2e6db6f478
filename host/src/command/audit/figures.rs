//! What a report counts. However long the log and however many names are in it, what is held is bounded: beyond a bound
//! names are counted together, and of lists the newest entries are kept.

use std::collections::{BTreeMap, VecDeque};

use aegis_custody::Timestamp;

use super::rows::{Kind, Outcome, Row};

/// Most different names that are counted each.
const NAMES: usize = 10_000;
/// Most days that are counted each: more than ten years.
const DAYS: usize = 4_000;
/// Stands for a name where a refusal knows none.
pub(super) const NOBODY: &str = "(nobody signed in)";
/// Most writes that are listed.
pub(super) const WRITES: usize = 1_000;
/// Most entries of the timeline.
pub(super) const HAPPENED: usize = 400;

/// How many there were, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) succeeded: u64,
    /// Ended as `error`, `aborted`, `unknown` or not at all.
    pub(super) failed: u64,
    pub(super) refused: u64,
}

impl Count {
    pub(super) fn all(self) -> u64 {
        self.succeeded.saturating_add(self.failed).saturating_add(self.refused)
    }

    fn add(&mut self, row: &Row) {
        let place = match row.outcome {
            Some(Outcome::Success) => &mut self.succeeded,
            Some(Outcome::Denied) => &mut self.refused,
            Some(Outcome::Error | Outcome::Aborted | Outcome::Unknown | Outcome::Open) | None => {
                &mut self.failed
            }
        };
        *place = place.saturating_add(row.count());
    }

    pub(super) fn join(&mut self, other: Self) {
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        self.failed = self.failed.saturating_add(other.failed);
        self.refused = self.refused.saturating_add(other.refused);
    }
}

/// A name and its count.
type Named<'a> = (&'a str, Count);

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    by_name: BTreeMap<String, Count>,
    /// Of names beyond the bound.
    others: Count,
}

impl Tally {
    fn add(&mut self, name: &str, row: &Row) {
        let room = self.by_name.len() < NAMES;
        match self.by_name.get_mut(name) {
            Some(count) => count.add(row),
            None if room => self.by_name.entry(name.to_owned()).or_default().add(row),
            None => self.others.add(row),
        }
    }

    /// How many names there are besides this one; more where the bound was reached.
    pub(super) fn names_but(&self, name: &str) -> usize {
        self.by_name.len().saturating_sub(usize::from(self.by_name.contains_key(name)))
    }

    /// Those with the highest counts, and the rest together: how many names, and their count.
    pub(super) fn top(&self, most: usize) -> (Vec<Named<'_>>, Option<(usize, Count)>) {
        let mut all: Vec<Named<'_>> =
            self.by_name.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        all.sort_by(|(a, x), (b, y)| y.all().cmp(&x.all()).then(a.cmp(b)));
        let rest = all.split_off(all.len().min(most));
        let mut together = self.others;
        rest.iter().for_each(|(_, count)| together.join(*count));
        (all, (together.all() > 0).then_some((rest.len(), together)))
    }

    fn only(&self) -> impl Iterator<Item = Named<'_>> {
        self.by_name.iter().map(|(name, count)| (name.as_str(), *count))
    }
}

/// The last of many.
#[derive(Debug)]
pub(super) struct Last<T> {
    kept: VecDeque<T>,
    most: usize,
    /// How many there were before those that are kept.
    pub(super) before: u64,
}

impl<T> Last<T> {
    fn new(most: usize) -> Self {
        Self { kept: VecDeque::new(), most, before: 0 }
    }

    fn push(&mut self, one: T) {
        if self.kept.len() >= self.most {
            self.kept.pop_front();
            self.before = self.before.saturating_add(1);
        }
        self.kept.push_back(one);
    }

    /// How many there were in all.
    pub(super) fn all(&self) -> u64 {
        self.before.saturating_add(u64::try_from(self.kept.len()).unwrap_or(u64::MAX))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.kept.iter()
    }
}

/// Everything that a report counts and lists.
pub(super) struct Figures {
    pub(super) all: Count,
    pub(super) writes: Count,
    pub(super) users: Tally,
    pub(super) clients: Tally,
    pub(super) tools: Tally,
    pub(super) repositories: Tally,
    pub(super) outcomes: Tally,
    pub(super) reasons: Tally,
    days: BTreeMap<i64, Count>,
    /// Calls on days beyond the bound.
    pub(super) other_days: Count,
    pub(super) changes: Last<Row>,
    pub(super) happened: Last<Happened>,
    /// Whether the server runs, as far as the lines tell.
    running: Option<bool>,
}

/// An entry of the timeline.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) row: Row,
    /// The server started though it had not stopped in good order.
    pub(super) after_a_crash: bool,
}

/// Calls of one day, month or year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) name: String,
    pub(super) count: Count,
}

const DAY: i64 = 86_400_000;
/// Most bars of a chart.
const BARS: usize = 62;

impl Figures {
    pub(super) fn new() -> Self {
        Self {
            all: Count::default(),
            writes: Count::default(),
            users: Tally::default(),
            clients: Tally::default(),
            tools: Tally::default(),
            repositories: Tally::default(),
            outcomes: Tally::default(),
            reasons: Tally::default(),
            days: BTreeMap::new(),
            other_days: Count::default(),
            changes: Last::new(WRITES),
            happened: Last::new(HAPPENED),
            running: None,
        }
    }

    /// Count a row. Where it lies outside of the span it only tells whether the server runs.
    pub(super) fn take(&mut self, row: Row, within: bool) {
        if row.kind == Kind::Event {
            return self.event(row, within);
        }
        if !within {
            return;
        }
        self.all.add(&row);
        let none = "(not known)";
        self.users.add(row.user.as_deref().unwrap_or(NOBODY), &row);
        self.tools.add(row.tool.as_deref().unwrap_or("(no tool)"), &row);
        self.clients.add(row.client.as_deref().unwrap_or(none), &row);
        if let Some(repository) = &row.repository {
            self.repositories.add(repository, &row);
        }
        self.outcomes.add(row.outcome.map_or(none, Outcome::name), &row);
        if row.outcome == Some(Outcome::Denied) {
            self.reasons.add(row.reason.as_deref().unwrap_or(none), &row);
        }
        self.on_its_day(&row);
        if row.writes() {
            self.writes.add(&row);
            self.changes.push(row);
        }
    }

    fn on_its_day(&mut self, row: &Row) {
        let (day, room) = (row.time.unix_millis() / DAY, self.days.len() < DAYS);
        match self.days.get_mut(&day) {
            Some(count) => count.add(row),
            None if room => self.days.entry(day).or_default().add(row),
            None => self.other_days.add(row),
        }
    }

    fn event(&mut self, row: Row, within: bool) {
        let after_a_crash = row.event == "log_open" && self.running == Some(true);
        match row.event.as_str() {
            "log_open" => self.running = Some(true),
            "log_close" => self.running = Some(false),
            _ => {}
        }
        if within && tells(&row) {
            self.happened.push(Happened { row, after_a_crash });
        }
    }

    /// Calls by day; by month or year where there would be too many bars. What is older than the last of them is left out.
    pub(super) fn periods(&self) -> Vec<Period> {
        let (Some((first, _)), Some((last, _))) = (self.days.first_key_value(), self.days.last_key_value())
        else {
            return Vec::new();
        };
        let name = |day: i64| Timestamp::from_unix_millis(day.saturating_mul(DAY)).to_string();
        let cut = |day: i64, most: usize| name(day).get(..most).unwrap_or_default().to_owned();
        if usize::try_from(last.saturating_sub(*first)).is_ok_and(|days| days < BARS) {
            let all = (*first..=*last).map(|day| Period {
                name: cut(day, "2026-01-31".len()),
                count: self.days.get(&day).copied().unwrap_or_default(),
            });
            return all.collect();
        }
        let folded = |most: usize| {
            let mut periods: BTreeMap<String, Count> = BTreeMap::new();
            for (day, count) in &self.days {
                periods.entry(cut(*day, most)).or_default().join(*count);
            }
            periods
        };
        let months = folded("2026-01".len());
        let periods = if months.len() <= BARS { months } else { folded("2026".len()) };
        let skipped = periods.len().saturating_sub(BARS);
        periods.into_iter().skip(skipped).map(|(name, count)| Period { name, count }).collect()
    }

    /// Calls that ended so.
    pub(super) fn ended(&self, outcome: Outcome) -> u64 {
        self.outcomes.only().find(|(name, _)| *name == outcome.name()).map_or(0, |(_, count)| count.all())
    }
}

/// Whether an event belongs on the timeline: starts and stops, what went wrong with the log, and who changed what is allowed.
fn tells(row: &Row) -> bool {
    match row.event.as_str() {
        "log_open" | "log_close" | "recovery" | "audit_disk_full" | "lines_lost" | "clock_step"
        | "outcome_unknown" | "key_handover" => true,
        "security_event" => row.reason.as_deref().is_some_and(|reason| {
            ["policy_", "operator_", "admin_"].iter().any(|begin| reason.starts_with(begin))
        }),
        _ => false,
    }
}
