//! `aegis-mcp audit query`: the calls of a log, one row each, chosen by who, what, where, when and how it ended. It verifies
//! nothing, holds a bounded number of rows, and writes as it reads.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use aegis_custody::audit::json_text;
use serde_json::Value;

use super::filter::{Filter, Span, Within};
use super::lines::{Read, each, listed};
use super::rows::{Joined, Row, json};
use super::show::{self, Table};
use super::{Problem, UNREADABLE, VALID};
use crate::command::complain;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns for a person.
    #[default]
    Table,
    /// One JSON object a line.
    Json,
    /// Comma-separated values with a line of names, made harmless for spreadsheets.
    Csv,
}

/// What to look for.
#[derive(Debug, clap::Args)]
pub(crate) struct Query {
    /// The log: directories with all their segments, or files. Segments may be compressed (.gz, .zst).
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    span: Span,
    /// At most so many rows, the first that are found.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// How rows are written: a table for people, one JSON object a line, or CSV for spreadsheets.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Print the rows, and return the exit code: 0, also where there are none; 2 where not all of the log could be read.
pub(crate) fn query(asked: &Query) -> u8 {
    let mut out = BufWriter::new(io::stdout().lock());
    match written(asked, asked.span.at(super::now()), &mut out) {
        Ok(said) => {
            said.tell();
            if said.read.broken > 0 { UNREADABLE } else { VALID }
        }
        // Whoever read the output has seen enough.
        Err(Stopped::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => VALID,
        Err(Stopped::Output(error)) => {
            complain(&format!("The rows cannot be written: {error}"));
            UNREADABLE
        }
        Err(Stopped::Input(problem)) => {
            complain(&problem.told());
            UNREADABLE
        }
    }
}

/// Why no more rows were written.
enum Stopped {
    Input(Problem),
    Output(io::Error),
}

/// What is told besides the rows.
struct Said {
    read: Read,
    files: usize,
    rows: u64,
    found: u64,
    without_intent: u64,
    limited: bool,
}

impl Said {
    fn tell(&self) {
        let Self { read, files, rows, found, without_intent, limited } = self;
        complain(&format!(
            "{found} of {rows} rows, from {} lines in {files} files; not verified",
            read.lines
        ));
        if *limited {
            complain("note: there may be more rows: --limit was reached");
        }
        if *without_intent > 0 {
            complain(&format!(
                "note: {without_intent} calls began before the lines that were given: their class, repository and duration \
                 are not known"
            ));
        }
        tell(read);
    }
}

/// Say what could not be read.
pub(super) fn tell(read: &Read) {
    for note in &read.notes {
        complain(&format!("note: {}", show::clean(note)));
    }
    if read.more > 0 {
        complain(&format!("note: and {} more places like these", read.more));
    }
    if read.broken > 0 {
        complain("The log is not whole: `aegis-mcp audit verify` says what is wrong with it.");
    }
}

fn written(asked: &Query, within: Within, out: &mut dyn Write) -> Result<Said, Stopped> {
    let files = listed(&asked.paths).map_err(Stopped::Input)?;
    let sink = Sink::new(asked.format, out).map_err(Stopped::Output)?;
    let mut rows = Rows { asked, within, sink, seen: 0, found: 0, failed: None };
    let mut joined = Joined::default();
    let read = each(&files, &mut |line| joined.observe(line, &mut |row| rows.take(&row)));
    let read = read.map_err(Stopped::Input)?;
    if !rows.enough() {
        let _ = joined.finish(&mut |row| rows.take(&row));
    }
    let Rows { sink, seen, found, failed, .. } = rows;
    if let Some(error) = failed {
        return Err(Stopped::Output(error));
    }
    sink.end().map_err(Stopped::Output)?;
    let limited = asked.limit.is_some_and(|limit| found >= limit);
    Ok(Said { read, files: files.len(), rows: seen, found, without_intent: joined.without_intent, limited })
}

/// Where rows are chosen and counted.
struct Rows<'a> {
    asked: &'a Query,
    within: Within,
    sink: Sink<'a>,
    seen: u64,
    found: u64,
    failed: Option<io::Error>,
}

impl Rows<'_> {
    fn enough(&self) -> bool {
        self.failed.is_some() || self.asked.limit.is_some_and(|limit| self.found >= limit)
    }

    fn take(&mut self, row: &Row) -> ControlFlow<()> {
        if self.enough() {
            return ControlFlow::Break(());
        }
        self.seen = self.seen.saturating_add(1);
        if self.within.has(row) && self.asked.filter.has(row) {
            self.found = self.found.saturating_add(1);
            self.failed = self.sink.put(row).err();
        }
        if self.enough() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// One of the forms, on its way out.
enum Sink<'a> {
    Table(Table, &'a mut dyn Write),
    Json(&'a mut dyn Write),
    Csv(Box<csv::Writer<&'a mut dyn Write>>),
}

impl<'a> Sink<'a> {
    fn new(format: Format, out: &'a mut dyn Write) -> io::Result<Self> {
        Ok(match format {
            Format::Table => Self::Table(Table::new(false), out),
            Format::Json => Self::Json(out),
            Format::Csv => {
                let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
                csv.write_record(COLUMNS)?;
                Self::Csv(Box::new(csv))
            }
        })
    }

    fn put(&mut self, row: &Row) -> io::Result<()> {
        match self {
            Self::Table(table, out) => table.put(row, *out),
            Self::Json(out) => writeln!(out, "{}", json_text(&json(row))),
            Self::Csv(csv) => {
                let values = json(row);
                Ok(csv.write_record(COLUMNS.map(|name| cell(values.get(name))))?)
            }
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Table(table, out) => table.end(out).and_then(|()| out.flush()),
            Self::Json(out) => out.flush(),
            Self::Csv(mut csv) => csv.flush(),
        }
    }
}

/// The columns of CSV: the members of a row as JSON.
const COLUMNS: [&str; 20] = [
    "time",
    "seq",
    "kind",
    "event",
    "user",
    "client",
    "started_by",
    "tool",
    "class",
    "repository",
    "target",
    "outcome",
    "reason",
    "duration_ms",
    "request_id",
    "ticket",
    "address",
    "requests",
    "count",
    "note",
];

/// A cell that a spreadsheet takes for text. One that begins as a formula does gets an apostrophe, as OWASP advises.
fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return String::new(),
        Some(Value::String(text)) => show::clean(text),
        Some(other) => return other.to_string(),
    };
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text
    }
}
