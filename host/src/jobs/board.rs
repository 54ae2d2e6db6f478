//! What is remembered of jobs: where they run now, how the last run ended, what it reported in each repository, and how far
//! the scheduler has come. All but the first are kept in a small file, replaced whole; where it cannot be written they count until the server stops, and the log
//! says so.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_custody::Timestamp;
use serde::{Deserialize, Serialize};

use super::report::{MOST_REPORTS, Report};
use super::step::Mark;

/// Version of the file.
const VERSION: u32 = 1;
/// The longest file that is read, in bytes: more than all jobs and reports fill.
const LONGEST: u64 = 16 << 20;

/// See the module.
#[derive(Default)]
pub(crate) struct Board {
    file: Option<PathBuf>,
    state: Mutex<State>,
    /// Held while the file is written, so that the newest state is written last.
    writing: Mutex<Told>,
}

#[derive(Default)]
struct State {
    kept: BTreeMap<String, Kept>,
    /// The oldest first.
    reports: Vec<Report>,
    running: Vec<(&'static str, String)>,
}

/// Whether it was said that the file cannot be written.
#[derive(Default)]
struct Told(bool);

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scheduled: Option<Scheduled>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<LastRun>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scheduled {
    schedule: String,
    through: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    jobs: BTreeMap<String, Kept>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reports: Vec<Report>,
}

/// A run that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LastRun {
    /// When, as RFC 3339 in UTC.
    pub(crate) ended_at: String,
    /// Where, as owner/name.
    pub(crate) repository: String,
    /// `webhook`, `command`, `schedule`, or the subject of the caller who asked for it.
    pub(crate) started_by: String,
    /// `success`, `error`, `denied`, `aborted` or `refused`.
    pub(crate) outcome: String,
    /// Why, where it is no success.
    pub(crate) reason: Option<String>,
}

/// A run that is under way here; over when this is dropped.
pub(crate) struct Running {
    board: Arc<Board>,
    place: (&'static str, String),
}

impl Drop for Running {
    fn drop(&mut self) {
        self.board.state().running.retain(|place| *place != self.place);
    }
}

impl Board {
    /// What the file says. One that cannot be read is put aside, told, and nothing is known.
    pub(crate) fn open(file: &Path) -> Self {
        let Document { jobs: kept, reports, .. } = read(file).unwrap_or_else(|error| {
            let mut aside = file.as_os_str().to_owned();
            aside.push(".unreadable");
            let moved = std::fs::rename(file, &aside).is_ok();
            tracing::warn!(
                event = "jobs_file_unreadable",
                path = %file.display(),
                %error,
                put_aside = moved,
                "how jobs ended is forgotten, and nobody can say what was missed"
            );
            Document::default()
        });
        let state = State { kept, reports, running: Vec::new() };
        Self { file: Some(file.to_owned()), state: Mutex::new(state), writing: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begin a run of this job in this repository; none while one is under way there.
    pub(crate) fn begin(self: &Arc<Self>, job: &'static str, repository: &str) -> Option<Running> {
        let place = (job, repository.to_ascii_lowercase());
        let mut state = self.state();
        if state.running.contains(&place) {
            return None;
        }
        state.running.push(place.clone());
        Some(Running { board: self.clone(), place })
    }

    /// Where it runs now.
    pub(crate) fn running(&self, job: &str) -> Vec<String> {
        let state = self.state();
        state.running.iter().filter(|(name, _)| *name == job).map(|(_, place)| place.clone()).collect()
    }

    /// How its newest run ended.
    pub(crate) fn last(&self, job: &str) -> Option<LastRun> {
        self.state().kept.get(job)?.last.clone()
    }

    /// Note how a run ended. [`Board::keep`] writes it.
    pub(crate) fn ended(&self, job: &str, last: LastRun) {
        self.state().kept.entry(job.to_owned()).or_default().last = Some(last);
    }

    /// Keep what a run has reported, in place of what the same job reported there before. [`Board::keep`] writes it.
    pub(crate) fn reported(&self, report: Report) {
        let mut state = self.state();
        state.reports.retain(|kept| !kept.is_of(&report.job, &report.repository));
        let over = state.reports.len().saturating_add(1).saturating_sub(MOST_REPORTS);
        state.reports.drain(..over);
        state.reports.push(report);
    }

    /// What this job has reported last in this repository.
    pub(crate) fn report(&self, job: &str, repository: &str) -> Option<Report> {
        self.state().reports.iter().find(|kept| kept.is_of(job, repository)).cloned()
    }

    /// How far the scheduler has come with this schedule of this job.
    pub(super) fn through(&self, job: &str, schedule: &str) -> Option<Timestamp> {
        let state = self.state();
        let scheduled = state.kept.get(job)?.scheduled.as_ref()?;
        scheduled.through.parse().ok().filter(|_| scheduled.schedule == schedule)
    }

    /// Note that. Whether it is news, which [`Board::keep`] writes.
    pub(super) fn mark(&self, marks: Vec<Mark>) -> bool {
        let mut state = self.state();
        let mut news = false;
        for Mark { job, schedule, through } in marks {
            let through = through.to_string();
            let place = &mut state.kept.entry(job.to_owned()).or_default().scheduled;
            let same = |kept: &Scheduled| kept.schedule == schedule && kept.through == through;
            if !place.as_ref().is_some_and(same) {
                *place = Some(Scheduled { schedule, through });
                news = true;
            }
        }
        news
    }

    /// Write what is noted, durably. It waits for the disk.
    pub(crate) fn keep(&self) {
        let Some(file) = &self.file else { return };
        let mut told = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state();
        let (jobs, reports) = (state.kept.clone(), state.reports.clone());
        drop(state);
        let document = Document { version: VERSION, jobs, reports };
        match write(file, &document) {
            Ok(()) => told.0 = false,
            Err(error) if !told.0 => {
                told.0 = true;
                tracing::warn!(
                    event = "jobs_file_unwritable",
                    path = %file.display(),
                    %error,
                    "how jobs ended is known until the server stops, and so is what was missed"
                );
            }
            Err(_) => {}
        }
    }
}

fn read(file: &Path) -> io::Result<Document> {
    let length = match std::fs::metadata(file) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Document::default()),
        Err(error) => return Err(error),
    };
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is far too long"));
    }
    let document: Document = serde_json::from_slice(&std::fs::read(file)?)?;
    if document.version != VERSION {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "another version of this program wrote it"));
    }
    Ok(document)
}

/// A whole new file takes the name of the old one: a crash leaves one or the other.
fn write(file: &Path, document: &Document) -> io::Result<()> {
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let _ = std::fs::remove_file(&fresh);
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    let mut opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    opened.write_all(&text)?;
    opened.sync_all()?;
    std::fs::rename(&fresh, file)?;
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(outcome: &str) -> LastRun {
        LastRun {
            ended_at: "2026-11-22T03:00:00.000Z".to_owned(),
            repository: "acme/site".to_owned(),
            started_by: "schedule".to_owned(),
            outcome: outcome.to_owned(),
            reason: None,
        }
    }

    fn mark(schedule: &str) -> Mark {
        let through = "2026-11-22T03:00:00.000Z".parse().unwrap();
        Mark { job: "a", schedule: schedule.to_owned(), through }
    }

    #[test]
    fn what_is_kept_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.log.jobs.json");
        let board = Board::open(&file);
        assert_eq!((board.last("a"), board.through("a", "0 3 * * *")), (None, None));
        board.ended("a", run("error"));
        board.ended("a", run("success"));
        assert!(board.mark(vec![mark("0 3 * * *")]));
        assert!(!board.mark(vec![mark("0 3 * * *")]), "that is no news");
        board.keep();
        let again = Board::open(&file);
        assert_eq!(again.last("a"), Some(run("success")));
        assert_eq!(again.through("a", "0 3 * * *"), "2026-11-22T03:00:00.000Z".parse().ok());
        assert_eq!(again.through("a", "0 4 * * *"), None, "another schedule has missed nothing");
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_newest_report_of_a_job_in_a_repository_is_kept_and_so_many_in_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jobs.json");
        let board = Board::open(&file);
        let report = |repository: &str, text: &str| {
            let said = serde_json::json!({"text": text, "findings": [{"rule": "x"}]});
            Report::new("a", repository, "schedule", "id", &said, "2026-11-22T03:00:00.000Z".to_owned())
        };
        board.reported(report("acme/site", "old"));
        board.reported(report("ACME/Site", "new"));
        board.keep();
        let again = Board::open(&file);
        assert_eq!(again.report("a", "acme/site").unwrap().text, "new");
        assert!(again.report("b", "acme/site").is_none() && again.report("a", "acme/other").is_none());
        for number in 0..MOST_REPORTS {
            again.reported(report(&format!("acme/{number}"), "x"));
        }
        assert!(again.report("a", "acme/site").is_none(), "the oldest goes");
        assert_eq!(again.state().reports.len(), MOST_REPORTS);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_put_aside_and_nothing_is_known() {
        for text in ["", "{", "[]", r#"{"version":2,"jobs":{}}"#, r#"{"version":1,"jobs":{"a":{"x":1}}}"#] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("jobs.json");
            std::fs::write(&file, text).unwrap();
            let board = Board::open(&file);
            assert_eq!(board.last("a"), None, "{text}");
            assert!(folder.path().join("jobs.json.unreadable").exists(), "{text}");
            board.ended("a", run("success"));
            board.keep();
            assert_eq!(Board::open(&file).last("a"), Some(run("success")), "{text}");
        }
    }

    #[test]
    fn where_nothing_can_be_written_it_counts_until_the_end() {
        let board = Board::open(Path::new("/proc/none/jobs.json"));
        board.ended("a", run("success"));
        board.keep();
        assert_eq!(board.last("a"), Some(run("success")));
    }

    #[test]
    fn one_run_of_a_job_in_one_repository_at_a_time() {
        let board = Arc::new(Board::default());
        let first = board.begin("a", "acme/Site").unwrap();
        assert!(board.begin("a", "ACME/site").is_none());
        let other = board.begin("a", "acme/other").unwrap();
        assert!(board.begin("b", "acme/site").is_some());
        assert_eq!(board.running("a"), ["acme/site", "acme/other"]);
        drop(first);
        assert_eq!(board.running("a"), ["acme/other"]);
        assert!(board.begin("a", "acme/site").is_some());
        drop(other);
    }
}
