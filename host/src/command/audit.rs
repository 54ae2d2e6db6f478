//! `aegis-mcp audit verify`: checks a log, or one segment of it, against itself and its checkpoints, and says what it found.
//! It only reads, and streams, by several threads, so that a log of any size can be checked, also while a server writes it.
//! What only shows what a log says (`tail`, `query`, `report`) lies below.

mod anchors;
mod figures;
mod files;
mod filter;
mod follow;
mod lines;
mod measure;
mod page;
mod pieces;
mod progress;
mod proof;
mod query;
mod report;
mod rows;
mod running;
mod said;
mod show;
mod tail;
mod told;
mod when;

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use aegis_custody::audit::{Claims, End, Event, Evidence, Line, Mark, Seen, Segment, Tickets, Verifier};
use aegis_custody::{Clock as _, Timestamp};

use crate::shared::SystemClock;
use files::{Listed, files};
pub(super) use measure::{Measure, measure};
use progress::Progress;
use proof::Given;
pub(super) use query::{Query, query};
pub(super) use report::{Report as ReportArgs, report};
pub(super) use running::{key, rotate};
pub(super) use tail::{Tail, tail};

const VALID: u8 = 0;
const TAMPERED: u8 = 1;
const UNREADABLE: u8 = 2;
const TORN: u8 = 3;
const GAP: u8 = 4;

/// What to verify, and against what.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The log: a directory with all its segments, or one file. Segments may be compressed (.gz, .zst).
    path: PathBuf,
    /// A checkpoint that was kept elsewhere, or a file with lines of the server's log that hold some. May be repeated.
    #[arg(long, value_name = "FILE")]
    anchor: Vec<PathBuf>,
    /// The log's key as you know it from elsewhere: aegis-audit/...+...+..., or a file that holds it.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Earlier segments were removed on purpose, so that they are missing is no gap.
    #[arg(long)]
    expired: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// How many threads read. Without it as many as there are processors.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Tell on standard error how far it is, also where that is no terminal.
    #[arg(long)]
    progress: bool,
    /// Bytes of the pieces that threads read.
    #[arg(skip = pieces::PIECE)]
    piece: usize,
}

impl Verify {
    /// To verify this log by itself.
    fn plain(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            anchor: Vec::new(),
            key: None,
            expired: false,
            json: false,
            threads: None,
            progress: false,
            piece: pieces::PIECE,
        }
    }

    fn threads(&self) -> NonZeroUsize {
        let available = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(available)
    }
}

/// Verify, print what was found, and return the exit code: 0 valid, 1 damaged, 2 not readable, 3 valid with a torn tail that
/// was never acknowledged, 4 valid and the proof has a gap.
pub(crate) fn verify(asked: &Verify) -> u8 {
    let report = Report::of(asked);
    let json = asked.json;
    let text = if json { format!("{:#}\n", report.json()) } else { report.text() };
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    if written.is_err() { UNREADABLE } else { report.code() }
}

/// One file of the log and how it is.
struct Part {
    path: PathBuf,
    segment: Segment,
}

/// What stopped the verification.
#[derive(Debug)]
struct Problem {
    path: PathBuf,
    line: Option<u64>,
    what: String,
    code: u8,
}

/// What the lines say of calls, of keys and of checkpoints.
#[derive(Default)]
struct Heard {
    tickets: Tickets,
    claims: Claims,
}

impl Heard {
    fn whole(&mut self, line: &Line<'_>) {
        self.tickets.observe(line);
        self.claims.observe(line);
    }
}

#[derive(Default)]
struct Report {
    /// Checkpoints that were kept elsewhere were given.
    anchored: bool,
    /// Beginnings of such that could not be read.
    broken_anchors: usize,
    parts: Vec<Part>,
    log_id: Option<String>,
    problem: Option<Problem>,
    /// What the log leaves open at its end; none where the lines that tell were not given or not read.
    open: Option<Tickets>,
    /// What checkpoints prove.
    evidence: Evidence,
}

impl Report {
    fn of(asked: &Verify) -> Self {
        let mut report = Self { anchored: !asked.anchor.is_empty(), ..Self::default() };
        let listed = files(&asked.path).and_then(|files| Ok((files, Given::read(asked)?)));
        match listed {
            Ok((files, given)) => report.judge(asked, files, &given),
            Err(problem) => report.problem = Some(problem),
        }
        report
    }

    fn judge(&mut self, asked: &Verify, files: Vec<Listed>, given: &Given) {
        let path = &asked.path;
        self.broken_anchors = given.broken;
        // A closed segment by itself does not tell: outcomes may stand in the next one.
        let to_the_end = path.is_dir() || files.iter().any(|file| file.named.is_none());
        let mut verifier = Verifier::with_roots_at(given.sizes());
        let Heard { tickets, claims } = self.check(asked, &mut verifier, files);
        let told = self.problem.is_none() && (to_the_end || self.stopped());
        self.open = told.then_some(tickets);
        if self.problem.is_some() {
            return;
        }
        if self.lines() == 0 && self.torn().next().is_none() {
            // Nothing contradicts an empty file, and nothing speaks for it either.
            let what = "holds no line: an audit log begins with log_open".to_owned();
            self.problem = Some(Problem { path: path.to_owned(), line: None, what, code: UNREADABLE });
            return;
        }
        self.evidence = given.judge(&verifier, &claims, to_the_end);
        let first = self.first().map_or(1, |mark| mark.seq);
        if first > 1 && !asked.expired {
            self.evidence.gaps.push(format!(
                "the log begins at seq {first}: earlier segments are missing (--expired says that this is as it should be)"
            ));
        }
        if let Some(what) = self.evidence.problems.first() {
            let (path, what) = (path.to_owned(), what.clone());
            self.problem = Some(Problem { path, line: None, what, code: TAMPERED });
        }
    }

    /// Verify the files in order and return what they leave open, and what they say of keys and checkpoints.
    fn check(&mut self, asked: &Verify, verifier: &mut Verifier, files: Vec<Listed>) -> Heard {
        let mut heard = Heard::default();
        let progress = Progress::of(&files, asked.progress);
        for file in files {
            let last_seq = file.named.map(|(_, last)| last);
            let done = file.open_counted(progress.as_ref()).and_then(|mut reader| {
                pieces::with(reader.as_mut(), asked.threads(), asked.piece, |next| {
                    verifier.pieces(next, last_seq, &mut |seen| match seen {
                        Seen::Whole(line) => heard.whole(line),
                        Seen::Part(told) => heard.tickets.hear(told),
                    })
                })
            });
            let Listed { path, named, .. } = file;
            self.problem = match &done {
                Err(error) => Some(unreadable(&path, error)),
                Ok(segment) => fault(&path, segment, named),
            };
            self.parts.extend(done.ok().map(|segment| Part { path, segment }));
            if self.problem.is_some() {
                break;
            }
        }
        if let Some(progress) = progress {
            progress.end();
        }
        self.log_id = verifier.log_id().map(str::to_owned);
        heard
    }

    /// Whether the last line says that the server stopped in good order.
    fn stopped(&self) -> bool {
        self.last().and_then(|mark| mark.event) == Some(Event::LogClose)
    }

    fn code(&self) -> u8 {
        match &self.problem {
            Some(problem) => problem.code,
            None if self.torn().next().is_some() => TORN,
            None if !self.evidence.gaps.is_empty() => GAP,
            None => VALID,
        }
    }

    fn torn(&self) -> impl Iterator<Item = (&Path, u64, &str)> {
        self.parts.iter().filter_map(|part| match &part.segment.end {
            End::Torn { bytes, sha256 } => Some((part.path.as_path(), *bytes, sha256.as_str())),
            End::Whole | End::Bad { .. } => None,
        })
    }

    fn lines(&self) -> u64 {
        self.parts.iter().map(|part| part.segment.lines).sum()
    }

    fn steps_back(&self) -> u64 {
        self.parts.iter().map(|part| part.segment.steps_back).sum()
    }

    fn first(&self) -> Option<Mark> {
        self.parts.iter().find_map(|part| part.segment.first)
    }

    fn last(&self) -> Option<Mark> {
        self.parts.iter().rev().find_map(|part| part.segment.last)
    }
}

/// The time of the system's clock.
fn now() -> Timestamp {
    SystemClock.now()
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem {
        path: path.to_path_buf(),
        line: None,
        what: format!("cannot be read: {error}"),
        code: UNREADABLE,
    }
}

/// What is wrong with a segment, also against the line numbers in its name.
fn fault(path: &Path, segment: &Segment, named: Option<(u64, u64)>) -> Option<Problem> {
    let damaged = |line, what| Some(Problem { path: path.to_path_buf(), line, what, code: TAMPERED });
    if let End::Bad { line, fault } = &segment.end {
        return damaged(Some(*line), fault.to_string());
    }
    let (first, last) = named?;
    let held = segment.first.zip(segment.last).map(|(first, last)| (first.seq, last.seq));
    if held == Some((first, last)) {
        return None;
    }
    damaged(None, format!("the name states lines {first} to {last}, and the file does not hold just these"))
}

/// Show every line of a log to `observe`, in order. A tail that was never acknowledged is left out.
///
/// # Errors
/// For a person: the log cannot be read, or was tampered with.
pub(super) fn each_line(path: &Path, observe: &mut dyn FnMut(&Line<'_>)) -> Result<(), String> {
    let mut verifier = Verifier::default();
    for file in files(path).map_err(|problem| problem.told())? {
        let Listed { path, named, .. } = &file;
        let mut reader = file.open().map_err(|error| unreadable(path, &error).told())?;
        let last_seq = named.map(|(_, last)| last);
        let segment = verifier.segment(reader.as_mut(), last_seq, observe);
        let segment = segment.map_err(|error| unreadable(path, &error).told())?;
        if let Some(problem) = fault(path, &segment, *named) {
            return Err(format!("{}; `aegis-mcp audit verify` says more", problem.told()));
        }
    }
    Ok(())
}

impl Problem {
    fn told(&self) -> String {
        let line = self.line.map(|line| format!(" line {line}")).unwrap_or_default();
        format!("{}{line}: {}", self.path.display(), self.what)
    }
}

#[cfg(test)]
#[path = "audit/tests.rs"]
mod tests;
