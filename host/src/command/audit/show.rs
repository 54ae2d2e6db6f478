//! Rows as columns on a terminal. Whatever came from outside is made harmless before it is shown.

use std::io::{self, Write};

use aegis_custody::Timestamp;

pub(super) use crate::admin::show::clean;

use super::rows::{Kind, Row};

/// So many rows are held to learn how wide columns must be; the rows after them keep to that.
const HELD: usize = 200;
/// No column is wider, so that one long name does not move all others off the screen; the last is as wide as it is.
const WIDEST: usize = 40;

const HEADS: [&str; 9] =
    ["TIME", "USER", "CLIENT", "TOOL", "REPOSITORY", "OUTCOME", "DURATION", "REASON", "TARGET"];

type Cells = [String; HEADS.len()];

/// A table that is written while its rows come.
pub(super) struct Table {
    held: Vec<Cells>,
    widths: Option<[usize; HEADS.len()]>,
    /// Each row is written at once, in widths that are known before.
    live: bool,
    headed: bool,
}

impl Table {
    /// `live` for rows that come now and then.
    pub(super) fn new(live: bool) -> Self {
        Self {
            held: Vec::new(),
            widths: live.then_some([20, 12, 14, 22, 20, 8, 9, 18, 0]),
            live,
            headed: false,
        }
    }

    /// Write a row, now or with the next ones.
    pub(super) fn put(&mut self, row: &Row, out: &mut dyn Write) -> io::Result<()> {
        match self.widths {
            Some(widths) => {
                if !std::mem::replace(&mut self.headed, true) {
                    line(&HEADS.map(str::to_owned), widths, out)?;
                }
                line(&cells(row), widths, out)?;
                if self.live { out.flush() } else { Ok(()) }
            }
            None => {
                self.held.push(cells(row));
                if self.held.len() >= HELD { self.release(out) } else { Ok(()) }
            }
        }
    }

    /// Write what is still held.
    pub(super) fn end(mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.held.is_empty() { Ok(()) } else { self.release(out) }
    }

    fn release(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let heads = HEADS.map(str::to_owned);
        let mut widths = [0; HEADS.len()];
        for row in self.held.iter().chain([&heads]) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count()).min(WIDEST);
            }
        }
        line(&heads, widths, out)?;
        for row in self.held.drain(..) {
            line(&row, widths, out)?;
        }
        (self.widths, self.headed) = (Some(widths), true);
        Ok(())
    }
}

fn line(cells: &Cells, widths: [usize; HEADS.len()], out: &mut dyn Write) -> io::Result<()> {
    let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())
}

fn cells(row: &Row) -> Cells {
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), clean);
    let last = match (&row.target, &row.note) {
        (Some(target), Some(note)) => format!("{}; {}", clean(target), clean(note)),
        (Some(one), None) | (None, Some(one)) => clean(one),
        (None, None) => "-".to_owned(),
    };
    // What is no call has no outcome; the event's name stands where a reader looks for what happened.
    let tool =
        if row.kind == Kind::Event && row.tool.is_none() { clean(&row.event) } else { text(&row.tool) };
    let user = match &row.started_by {
        Some(by) => format!("{} (by {})", text(&row.user), clean(by)),
        None => text(&row.user),
    };
    let outcome = row.outcome.map_or("-", super::rows::Outcome::name);
    [
        seconds(row.time),
        user,
        text(&row.client),
        tool,
        text(&row.repository),
        if row.suppressed > 0 { format!("{outcome} x{}", row.suppressed) } else { outcome.to_owned() },
        row.millis().map_or_else(|| "-".to_owned(), duration),
        text(&row.reason),
        last,
    ]
}

/// A time to the second, as people read it.
pub(super) fn seconds(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('.')
        .map_or_else(|| text.clone(), |(seconds, _)| format!("{}Z", seconds.replace('T', " ")))
}

/// How long something took.
pub(super) fn duration(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis / 1_000 % 60),
    }
}
