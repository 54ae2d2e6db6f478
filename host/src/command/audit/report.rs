//! `aegis-mcp audit report`: one page about a log that can be sent to somebody: whether it verifies, and who did what. The
//! page needs no network and no script; what it counts and lists is bounded.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aegis_custody::Timestamp;

use super::figures::Figures;
use super::filter::{Span, Within};
use super::lines::{Read, each, listed};
use super::page::{self, Page};
use super::rows::Joined;
use super::{GAP, Problem, Report as Verified, TAMPERED, TORN, UNREADABLE, VALID, Verify, query};
use crate::command::complain;

/// What to report.
#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// The log: a directory with all its segments, or files, each of which is verified by itself.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    span: Span,
    /// A checkpoint that was kept elsewhere, as for `audit verify`. May be repeated.
    #[arg(long, value_name = "FILE")]
    anchor: Vec<PathBuf>,
    /// The log's key as you know it from elsewhere, as for `audit verify`.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Earlier segments were removed on purpose, so that they are missing is no gap.
    #[arg(long)]
    expired: bool,
    /// Where to write the page, for its owner alone; `-` for standard output. What was there is replaced.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Verify, write the page, and return the exit code of `audit verify`; 2 also where the page cannot be written.
pub(crate) fn report(asked: &Report) -> u8 {
    if let Some(path) = asked.paths.iter().find(|path| is_part_of(&asked.output, path)) {
        complain(&format!(
            "{} is {} or lies in it: name another place for the page",
            asked.output.display(),
            path.display()
        ));
        return UNREADABLE;
    }
    let verified: Vec<Verified> = asked.paths.iter().map(|path| Verified::of(&verify(asked, path))).collect();
    let now = super::now();
    let within = asked.span.at(now);
    let (figures, read) = match counted(asked, within, upto(&verified)) {
        Ok(counted) => counted,
        Err(problem) => {
            complain(&problem.told());
            return UNREADABLE;
        }
    };
    let code = worst(&verified);
    let page =
        Page { paths: &asked.paths, verified: &verified, code, figures: &figures, read: &read, within, now };
    if let Err(error) = write(&asked.output, &page::html(&page)) {
        complain(&format!("{} cannot be written: {error}", asked.output.display()));
        return UNREADABLE;
    }
    query::tell(&read);
    complain(&format!("The log is {}; the page is {}", page::verdict(code), asked.output.display()));
    code
}

fn verify(asked: &Report, path: &Path) -> Verify {
    let (anchor, key) = (asked.anchor.clone(), asked.key.clone());
    Verify { anchor, key, expired: asked.expired, ..Verify::plain(path) }
}

/// The exit code for all paths together: damage outweighs all, and no proof at all a proof with a flaw.
fn worst(verified: &[Verified]) -> u8 {
    let has = |code: &u8| verified.iter().any(|verified| verified.code() == *code);
    [TAMPERED, UNREADABLE, TORN, GAP].into_iter().find(has).unwrap_or(VALID)
}

/// The last line that is counted: what a server wrote while the log was verified is left for the next report. Where the log
/// does not verify, all that can be read is counted, and the page says so.
fn upto(verified: &[Verified]) -> u64 {
    match verified {
        [one] if ![TAMPERED, UNREADABLE].contains(&one.code()) => {
            one.last().map_or(u64::MAX, |mark| mark.seq)
        }
        _ => u64::MAX,
    }
}

/// Everything that the page counts and lists.
fn counted(asked: &Report, within: Within, upto: u64) -> Result<(Figures, Read), Problem> {
    let (mut figures, mut joined) = (Figures::new(), Joined::default());
    let files = listed(&asked.paths)?;
    let read = each(&files, &mut |line| {
        if line.seq() > upto {
            return ControlFlow::Continue(());
        }
        joined.observe(line, &mut |row| {
            let inside = within.has(&row);
            figures.take(row, inside);
            ControlFlow::Continue(())
        })
    })?;
    let _ = joined.finish(&mut |row| {
        let inside = within.has(&row);
        figures.take(row, inside);
        ControlFlow::Continue(())
    });
    Ok((figures, read))
}

/// Whether a file is an input, or lies in the directory of one: a page must never take the place of the log.
fn is_part_of(output: &Path, input: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let folder = |path: &Path| match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => real(Path::new(".")),
        Some(folder) => real(folder),
        None => None,
    };
    let input = if input.is_dir() { real(input) } else { folder(input) };
    output != Path::new("-") && input.is_some() && folder(output) == input
}

/// Write the page beside its place and put it there when it is whole.
fn write(path: &Path, html: &str) -> io::Result<()> {
    if path == Path::new("-") {
        return io::stdout().lock().write_all(html.as_bytes());
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let _ = std::fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let done = file.write_all(html.as_bytes()).and_then(|()| std::fs::rename(&fresh, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    done
}

/// A span in words.
pub(super) fn span(within: Within) -> String {
    let minute = |at: Timestamp| super::show::seconds(at);
    match (within.from, within.to) {
        (None, None) => "the whole log".to_owned(),
        (Some(from), None) => format!("from {}", minute(from)),
        (None, Some(to)) => format!("up to {}", minute(to)),
        (Some(from), Some(to)) => format!("from {} up to {}", minute(from), minute(to)),
    }
}
