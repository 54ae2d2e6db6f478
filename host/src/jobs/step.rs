//! What a plan says: how far each job has come, and what is to be started or told. Nothing is decided here, and nothing done.

use aegis_custody::Timestamp;

/// How far a job has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Its name.
    pub(super) job: &'static str,
    /// The schedule that it is about: another one has missed nothing yet.
    pub(super) schedule: String,
    /// Every time up to here has come to its end.
    pub(super) through: Timestamp,
}

/// What to do, or to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Start it.
    Start {
        /// The job.
        job: &'static str,
        /// The time of the schedule that this is for.
        planned: Timestamp,
        /// Whether that is long past.
        late: bool,
    },
    /// It is time, and it still runs.
    Overlap {
        /// The job.
        job: &'static str,
        /// The time of the schedule.
        planned: Timestamp,
    },
    /// Times went by without anybody to start it.
    Missed(Missed),
    /// The clock went back so far that the job would not run for long.
    ClockWentBack {
        /// The job.
        job: &'static str,
        /// Up to where it had come.
        from: Timestamp,
    },
}

/// Times that went by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    /// The job.
    pub(super) job: &'static str,
    /// How many.
    pub(super) count: u32,
    /// Whether there were more than are counted.
    pub(super) more: bool,
    /// The first of them.
    pub(super) first: Timestamp,
    /// The last one that was counted.
    pub(super) last: Timestamp,
}
