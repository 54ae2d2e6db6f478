//! `aegis-mcp audit tail`: the last lines of a log in a form for people, and those that come, across the change of segments.
//! It verifies nothing, changes nothing, and writes nothing of a line raw that a terminal would act on.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aegis_custody::audit::Line;

use super::files::{ACTIVE, Listed};
use super::filter::Filter;
use super::follow::{Follow, log_id};
use super::lines::{each, listed};
use super::rows::{Begun, Row};
use super::show::Table;
use super::{Problem, UNREADABLE, VALID, query};
use crate::command::registry::chosen;
use crate::command::{EXIT_SETTINGS, EnvFile, complain};

/// How often the log is looked at for more.
const LOOK: Duration = Duration::from_millis(250);

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Tail {
    /// The log: its active file, or the directory of its segments. Without it, the log of the settings.
    path: Option<PathBuf>,
    /// Go on with the lines that come, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// How many lines.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    lines: usize,
    /// The lines as they stand in the log. One that has not the form of a line is told on standard error instead.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    env: EnvFile,
}

/// Print the lines, and return the exit code: 0, also when it was ended by Ctrl-C; 2 where the log cannot be read; 64 where
/// the settings are wrong.
pub(crate) fn tail(asked: &Tail) -> u8 {
    let path = match &asked.path {
        Some(path) => path.clone(),
        None => match chosen(&asked.env) {
            Ok(settings) => settings.audit_log_path().to_path_buf(),
            Err(_) => return EXIT_SETTINGS,
        },
    };
    let mut shown = Shown::new(asked);
    let done = last(asked, &path, &mut shown);
    let done = done.and_then(|place| if asked.follow { go_on(&path, place, &mut shown) } else { Ok(()) });
    match (done, shown.failed) {
        (_, Some(error)) if error.kind() == io::ErrorKind::BrokenPipe => VALID,
        (_, Some(error)) => {
            complain(&format!("The lines cannot be written: {error}"));
            UNREADABLE
        }
        (Err(problem), None) => {
            complain(&problem.told());
            UNREADABLE
        }
        (Ok(()), None) => VALID,
    }
}

/// Where the log goes on.
#[derive(Default)]
struct Place {
    next: u64,
    log_id: Option<String>,
}

/// The lines that are there: show the last of them, and say where the log goes on.
fn last(asked: &Tail, path: &Path, shown: &mut Shown<'_>) -> Result<Place, Problem> {
    // The active file by its name stands for the log: the lines before it lie in the segments beside it.
    let beside = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let whole = if path.file_name().is_some_and(|name| name == ACTIVE) { beside } else { path };
    let files = listed(&[whole.to_path_buf()])?;
    let files = enough(asked, &files)?;
    let mut ring = VecDeque::new();
    let mut begun = Begun::default();
    let mut place = Place::default();
    let read = each(files, &mut |line| {
        place.next = line.seq().saturating_add(1);
        place.log_id = log_id(line).or(place.log_id.take());
        if let Some(text) = shown.chosen(line, &mut begun) {
            if ring.len() >= asked.lines {
                ring.pop_front();
            }
            ring.push_back(text);
        }
        ControlFlow::Continue(())
    })?;
    ring.truncate(asked.lines);
    shown.begun = begun;
    for text in ring {
        if shown.put(&text).is_break() {
            break;
        }
    }
    query::tell(&read);
    Ok(place)
}

/// The fewest files from the end that hold as many lines as were asked for.
fn enough<'a>(asked: &Tail, files: &'a [Listed]) -> Result<&'a [Listed], Problem> {
    let mut found: usize = 0;
    for from in (0..files.len()).rev() {
        let (some, mut begun) = (files.get(from..).unwrap_or_default(), Begun::default());
        each(some.get(..1).unwrap_or_default(), &mut |line| {
            found = found.saturating_add(usize::from(asked.filter.has(&begun.row(line))));
            ControlFlow::Continue(())
        })?;
        if found >= asked.lines {
            return Ok(some);
        }
    }
    Ok(files)
}

/// Show the lines that come, until somebody ends it.
fn go_on(path: &Path, place: Place, shown: &mut Shown<'_>) -> Result<(), Problem> {
    let active = if path.is_dir() { path.join(ACTIVE) } else { path.to_path_buf() };
    let cannot = |error: io::Error| super::unreadable(&active, &error);
    let mut follow = Follow::new(&active, place.next.max(1), place.log_id).map_err(cannot)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    runtime.block_on(async {
        let mut ended = std::pin::pin!(ended());
        loop {
            let more =
                follow.look(&mut |line| shown.take(line), &mut |text| complain(text)).map_err(cannot)?;
            if more.is_break() {
                return Ok(());
            }
            tokio::select! {
                done = &mut ended => return done.map_err(cannot),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    })
}

/// Wait for Ctrl-C, or for what stops a service.
async fn ended() -> io::Result<()> {
    let mut stop = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _ = stop.recv() => Ok(()),
    }
}

/// What to print of a line.
enum Text {
    Raw(String),
    Row(Box<Row>),
}

/// Where lines are chosen and written.
struct Shown<'a> {
    asked: &'a Tail,
    table: Table,
    out: io::Stdout,
    begun: Begun,
    failed: Option<io::Error>,
}

impl<'a> Shown<'a> {
    fn new(asked: &'a Tail) -> Self {
        Self { asked, table: Table::new(true), out: io::stdout(), begun: Begun::default(), failed: None }
    }

    /// What to print of a line, where it is asked for.
    fn chosen(&self, line: &Line<'_>, begun: &mut Begun) -> Option<Text> {
        let row = begun.row(line);
        self.asked.filter.has(&row).then(|| {
            if self.asked.json { Text::Raw(line.source().to_owned()) } else { Text::Row(Box::new(row)) }
        })
    }

    fn take(&mut self, line: &Line<'_>) -> ControlFlow<()> {
        let mut begun = std::mem::take(&mut self.begun);
        let text = self.chosen(line, &mut begun);
        self.begun = begun;
        text.map_or(ControlFlow::Continue(()), |text| self.put(&text))
    }

    fn put(&mut self, text: &Text) -> ControlFlow<()> {
        let done = match text {
            // A valid line holds no raw character that a terminal acts on: the form of the log sees to that.
            Text::Raw(line) => writeln!(self.out, "{line}").and_then(|()| self.out.flush()),
            Text::Row(row) => self.table.put(row, &mut self.out),
        };
        self.failed = done.err();
        if self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
