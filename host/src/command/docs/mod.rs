//! `aegis-mcp docs`: the manual of this very version, in a terminal, without a browser or a network. Pages are printed as
//! they are written; it looks at no setting and asks no server.

mod pages;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use super::{EXIT_USAGE, complain};
use pages::{Manual, Page};

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The page, as the list names it: `getting-started`, `runbooks/leaked-token` or just `leaked-token`.
    page: Option<String>,
}

pub(super) fn run(options: &Options) -> ExitCode {
    let manual = match Manual::open() {
        Ok(manual) => manual,
        Err(error) => {
            complain(&format!("The manual in this program cannot be read: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let text = match &options.page {
        None => list(&manual),
        Some(wanted) => match manual.find(wanted) {
            Some(page) => shown(page),
            None => {
                complain(&unknown(&manual, wanted));
                return ExitCode::from(EXIT_USAGE);
            }
        },
    };
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever pages through it has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// A page without the marks that are there for machines.
fn shown(page: &Page) -> String {
    let mut text: String = page
        .text
        .lines()
        .filter(|line| !line.trim_start().starts_with("<!--"))
        .flat_map(|line| [line, "\n"])
        .collect();
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Every page with what the index says of it, by section.
fn list(manual: &Manual) -> String {
    let mut text = format!("The manual of aegis-mcp {}\n", env!("CARGO_PKG_VERSION"));
    let width = manual.listed().map(|row| row.name.chars().count()).max().unwrap_or_default();
    let mut section = "";
    for row in manual.listed() {
        if row.section != section {
            section = row.section;
            let _ = write!(text, "\n{section}\n");
        }
        let _ = writeln!(text, "  {:width$}  {}", row.name, row.says);
    }
    text.push_str("\n`aegis-mcp docs PAGE` prints one; `aegis-mcp docs PAGE | less` to page through it.\n");
    text
}

/// What to say of a name that no page has.
fn unknown(manual: &Manual, wanted: &str) -> String {
    let quoted =
        |names: Vec<&str>| names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let near = manual.near(wanted);
    if !near.is_empty() {
        return format!("There is no page of that name. Did you mean {}?", quoted(near));
    }
    let mention = manual.mention(wanted);
    if !mention.is_empty() {
        return format!("There is no page of that name. The word stands most often in {}.", quoted(mention));
    }
    "There is no page of that name. `aegis-mcp docs` lists all of them.".to_owned()
}
