//! What is due, and what was missed. It reads no clock and starts nothing: whoever asks says what time it is and which
//! jobs still run, and is told what to do.
//!
//! Each time of a schedule comes to one of three ends: it is started, it is skipped since the job still runs, or it is
//! missed. None of them twice: how far a job has come is kept before anything is started, so a crash loses a run and
//! never repeats one.

use std::time::Duration;

use aegis_custody::{Random, Timestamp};

use super::step::{Mark, Missed, Step};
use super::{Job, Schedule};

/// How late a run may begin and still count as in time, in milliseconds: a machine may be busy.
const LATE: i64 = 60_000;
/// How far a clock may go back, in milliseconds, without that being told: clocks are set right by little all the time.
const BACK: i64 = 60_000;
/// The most missed times of one job that are counted.
const MOST_COUNTED: u32 = 1_000;

/// The times of all jobs.
pub(super) struct Plan {
    jobs: Vec<Planned>,
    jitter: i64,
    run_missed: bool,
}

struct Planned {
    name: &'static str,
    schedule: Schedule,
    /// Every time up to here has come to its end.
    through: Timestamp,
    /// The next time, once it was drawn how much later it is.
    due: Option<Due>,
}

#[derive(Clone, Copy)]
struct Due {
    /// The time of the schedule.
    planned: Timestamp,
    /// When it is started.
    at: Timestamp,
    /// The latest that could have been drawn for it.
    latest: Timestamp,
}

impl Plan {
    /// From the jobs that have a schedule, and how far they had come when that was kept. A job that nothing is known of
    /// begins now.
    pub(super) fn new(
        jobs: &[Job],
        known: impl Fn(&str, &str) -> Option<Timestamp>,
        (jitter, run_missed): (Duration, bool),
        now: Timestamp,
    ) -> Self {
        let planned = |job: &Job| {
            let schedule = job.schedule.clone().filter(|_| job.enabled)?;
            let through = known(job.name, schedule.text()).unwrap_or(now);
            Some(Planned { name: job.name, schedule, through, due: None })
        };
        let jitter = i64::try_from(jitter.as_millis()).unwrap_or_default();
        Self { jobs: jobs.iter().filter_map(planned).collect(), jitter, run_missed }
    }

    /// What this time brings.
    pub(super) fn look(
        &mut self,
        now: Timestamp,
        is_running: &dyn Fn(&str) -> bool,
        random: &dyn Random,
    ) -> Vec<Step> {
        let (jitter, run_missed) = (self.jitter, self.run_missed);
        let mut steps = Vec::new();
        for job in &mut self.jobs {
            job.look(now, jitter, random, &mut |step| match step {
                Step::Start { job, planned, .. } if is_running(job) => {
                    steps.push(Step::Overlap { job, planned });
                }
                // Nobody waits for a late run of what runs already.
                Step::Start { late: true, .. } if !run_missed => {}
                step @ (Step::Start { .. }
                | Step::Overlap { .. }
                | Step::Missed(_)
                | Step::ClockWentBack { .. }) => steps.push(step),
            });
        }
        steps
    }

    /// When to look again at the latest; none where nothing is planned.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.jobs.iter().filter_map(|job| job.due.map(|due| due.at)).min()
    }

    /// How far each job has come.
    pub(super) fn marks(&self) -> Vec<Mark> {
        let mark = |job: &Planned| Mark {
            job: job.name,
            schedule: job.schedule.text().to_owned(),
            through: job.through,
        };
        self.jobs.iter().map(mark).collect()
    }
}

impl Planned {
    fn look(&mut self, now: Timestamp, jitter: i64, random: &dyn Random, say: &mut dyn FnMut(Step)) {
        let behind = |then: Timestamp| now.unix_millis().saturating_sub(then.unix_millis());
        if behind(self.through) < -BACK {
            say(Step::ClockWentBack { job: self.name, from: self.through });
            (self.through, self.due) = (now, None);
        }
        let mut missed: Option<Missed> = None;
        let mut start = None;
        while let Some(due) = self.due(jitter, random).filter(|due| due.at <= now) {
            (self.through, self.due) = (due.planned, None);
            if behind(due.latest) > LATE {
                self.miss(&mut missed, due.planned);
                if missed.as_ref().is_some_and(|missed| missed.more) {
                    // Years of minutes are not gone through one by one.
                    self.through = Timestamp::from_unix_millis(now.unix_millis().saturating_sub(LATE));
                }
            } else if let Some(earlier) = start.replace(due.planned) {
                self.miss(&mut missed, earlier);
            }
        }
        let last = missed.as_ref().map(|missed| missed.last);
        if let Some(missed) = missed {
            say(Step::Missed(missed));
        }
        match (start, last) {
            (Some(planned), _) => say(Step::Start { job: self.name, planned, late: false }),
            (None, Some(planned)) => say(Step::Start { job: self.name, planned, late: true }),
            (None, None) => {}
        }
    }

    fn miss(&self, missed: &mut Option<Missed>, planned: Timestamp) {
        let missed = missed.get_or_insert(Missed {
            job: self.name,
            count: 0,
            more: false,
            first: planned,
            last: planned,
        });
        if missed.count >= MOST_COUNTED {
            missed.more = true;
            return;
        }
        missed.count = missed.count.saturating_add(1);
        missed.last = planned;
    }

    /// The next time, with what is drawn for it: up to the jitter, and never as much as lies before the time after it.
    fn due(&mut self, jitter: i64, random: &dyn Random) -> Option<Due> {
        if self.due.is_none() {
            let planned = self.schedule.after(self.through)?;
            let gap = self.schedule.after(planned).map_or(jitter, |following| {
                following.unix_millis().saturating_sub(planned.unix_millis()).saturating_sub(1_000)
            });
            let most = jitter.min(gap);
            let after = |millis| Timestamp::from_unix_millis(planned.unix_millis().saturating_add(millis));
            self.due = Some(Due { planned, at: after(draw(most, random)), latest: after(most) });
        }
        self.due
    }
}

/// A number from 0 to `most`, by a random source of which a few bits more or less do not matter.
fn draw(most: i64, random: &dyn Random) -> i64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    let drawn = i64::from_le_bytes(bytes) & i64::MAX;
    drawn.checked_rem(most.saturating_add(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills with the same byte.
    struct Same(u8);

    impl Random for Same {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    const JOB: &str = "stale_issue_detection";

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}.000Z").parse().unwrap()
    }

    fn plan(expression: &str, known: Option<&str>, run_missed: bool, now: &str) -> Plan {
        let schedule = Some(Schedule::parse(expression).unwrap());
        let jobs = [
            Job { name: JOB, enabled: true, schedule: schedule.clone() },
            Job { name: "off", enabled: false, schedule },
            Job { name: "by_name_only", enabled: true, schedule: None },
        ];
        let known = known.map(at);
        Plan::new(&jobs, |_, _| known, (Duration::ZERO, run_missed), at(now))
    }

    fn idle(_: &str) -> bool {
        false
    }

    fn start(planned: &str) -> Step {
        Step::Start { job: JOB, planned: at(planned), late: false }
    }

    fn missed(count: u32, first: &str, last: &str) -> Step {
        Step::Missed(Missed { job: JOB, count, more: false, first: at(first), last: at(last) })
    }

    #[test]
    fn a_time_is_started_once_when_it_has_come() {
        let mut plan = plan("0 3 * * *", None, false, "22T01:00:00");
        let table = [
            ("22T01:00:00", vec![]),
            ("22T02:59:59", vec![]),
            ("22T03:00:00", vec![start("22T03:00:00")]),
            ("22T03:00:01", vec![]),
            ("22T23:00:00", vec![]),
            // A little late is in time.
            ("23T03:01:00", vec![start("23T03:00:00")]),
            ("23T03:02:00", vec![]),
        ];
        for (now, steps) in table {
            assert_eq!(plan.look(at(now), &idle, &Same(0)), steps, "{now}");
        }
        assert_eq!(plan.next(), Some(at("24T03:00:00")));
    }

    #[test]
    fn what_still_runs_is_not_started_again() {
        let mut plan = plan("*/10 * * * *", None, false, "22T01:00:00");
        plan.look(at("22T01:00:00"), &idle, &Same(0));
        assert_eq!(plan.look(at("22T01:10:00"), &idle, &Same(0)), [start("22T01:10:00")]);
        let overlap = Step::Overlap { job: JOB, planned: at("22T01:20:00") };
        assert_eq!(plan.look(at("22T01:20:00"), &|job| job == JOB, &Same(0)), [overlap]);
        assert_eq!(
            plan.look(at("22T01:21:00"), &idle, &Same(0)),
            [],
            "the time is over, and is not made up for"
        );
        assert_eq!(plan.look(at("22T01:30:00"), &idle, &Same(0)), [start("22T01:30:00")]);
    }

    #[test]
    fn what_was_missed_while_nobody_looked_is_told_once_and_not_run() {
        // (known, now, steps at once)
        let table = [
            (Some("20T12:00:00"), "22T01:00:00", vec![missed(1, "21T03:00:00", "21T03:00:00")]),
            (Some("21T12:00:00"), "22T01:00:00", vec![]),
            (None, "22T12:00:00", vec![]),
            (Some("21T12:00:00"), "22T03:00:30", vec![start("22T03:00:00")]),
            (
                Some("20T12:00:00"),
                "22T03:00:30",
                vec![missed(1, "21T03:00:00", "21T03:00:00"), start("22T03:00:00")],
            ),
        ];
        for (known, now, steps) in table {
            let mut plan = plan("0 3 * * *", known, false, now);
            assert_eq!(plan.look(at(now), &idle, &Same(0)), steps, "{known:?} {now}");
            assert_eq!(plan.look(at(now), &idle, &Same(0)), [], "told once: {known:?} {now}");
        }
    }

    #[test]
    fn a_clock_that_jumps_ahead_is_a_time_of_being_down() {
        let mut plan = plan("0 * * * *", None, false, "22T01:30:00");
        assert_eq!(plan.look(at("22T01:30:00"), &idle, &Same(0)), []);
        assert_eq!(plan.look(at("22T05:30:00"), &idle, &Same(0)), [missed(4, "22T02:00:00", "22T05:00:00")]);
        assert_eq!(plan.next(), Some(at("22T06:00:00")));
    }

    #[test]
    fn where_that_is_wanted_what_was_missed_runs_once() {
        let mut plan = plan("0 3 * * *", Some("18T12:00:00"), true, "22T01:00:00");
        let late = Step::Start { job: JOB, planned: at("21T03:00:00"), late: true };
        assert_eq!(
            plan.look(at("22T01:00:00"), &idle, &Same(0)),
            [missed(3, "19T03:00:00", "21T03:00:00"), late]
        );
        assert_eq!(plan.look(at("22T01:00:01"), &idle, &Same(0)), []);
    }

    #[test]
    fn a_clock_that_goes_back_repeats_nothing_and_blocks_nothing() {
        let mut plan = plan("0 3 * * *", None, false, "22T02:00:00");
        plan.look(at("22T02:00:00"), &idle, &Same(0));
        assert_eq!(plan.look(at("22T03:00:00"), &idle, &Same(0)), [start("22T03:00:00")]);
        assert_eq!(plan.look(at("22T02:59:30"), &idle, &Same(0)), [], "by little: it was started already");
        assert_eq!(plan.look(at("22T03:00:10"), &idle, &Same(0)), []);
        // By days: it would wait until then. The time comes again, and so does the run.
        let back = Step::ClockWentBack { job: JOB, from: at("22T03:00:00") };
        assert_eq!(plan.look(at("10T02:00:00"), &idle, &Same(0)), [back]);
        assert_eq!(plan.look(at("10T03:00:00"), &idle, &Same(0)), [start("10T03:00:00")]);
    }

    #[test]
    fn years_of_minutes_are_not_counted_to_the_end() {
        let mut plan = plan("* * * * *", Some("01T00:00:00"), false, "22T01:00:00");
        let now: Timestamp = "2036-01-01T00:00:30.000Z".parse().unwrap();
        let steps = plan.look(now, &idle, &Same(0));
        let Some(Step::Missed(missed)) = steps.first() else { panic!("{steps:?}") };
        assert_eq!((missed.count, missed.more, missed.first), (MOST_COUNTED, true, at("01T00:01:00")));
        assert!(plan.next().unwrap() > now, "it has caught up");
    }

    #[test]
    fn jitter_is_bounded_by_the_setting_and_by_the_time_after() {
        // Expression, jitter in seconds, what the random source says, the longest delay in milliseconds.
        let table = [
            ("0 3 * * *", 0, 0xff, 0..=0),
            ("0 3 * * *", 60, 0, 0..=0),
            ("0 3 * * *", 60, 0x5a, 1..=60_000),
            ("0 3 * * *", 60, 0xff, 1..=60_000),
            ("* * * * *", 3_600, 0x5a, 1..=59_000),
        ];
        for (expression, seconds, byte, range) in table {
            let schedule = Some(Schedule::parse(expression).unwrap());
            let jobs = [Job { name: JOB, enabled: true, schedule }];
            let jitter = Duration::from_secs(seconds);
            let mut plan = Plan::new(&jobs, |_, _| None, (jitter, false), at("22T02:59:30"));
            assert_eq!(plan.look(at("22T02:59:30"), &idle, &Same(byte)), []);
            let next = plan.next().unwrap();
            let later = next.unix_millis() - at("22T03:00:00").unix_millis();
            assert!(range.contains(&later), "{expression} {seconds} {byte}: {later}");
            // It was drawn once, and stays.
            plan.look(at("22T02:59:45"), &idle, &Same(byte ^ 0x33));
            assert_eq!(plan.next(), Some(next));
            let before = Timestamp::from_unix_millis(next.unix_millis() - 1);
            assert_eq!(plan.look(before, &idle, &Same(byte)), []);
            assert_eq!(plan.look(next, &idle, &Same(byte)), [start("22T03:00:00")]);
        }
    }

    #[test]
    fn every_draw_is_within_its_bound() {
        for byte in 0..=u8::MAX {
            for most in [0, 1, 59_000, 3_600_000] {
                assert!((0..=most).contains(&draw(most, &Same(byte))), "{byte} {most}");
            }
        }
    }
}
