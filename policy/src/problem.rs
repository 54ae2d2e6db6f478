//! A mistake in a YAML file, with its place. It carries text for a person and nothing that programs branch on.

use std::fmt;

/// How many problems one parse reports at most.
const MOST: usize = 50;

/// How many characters of the operator's own text a message repeats.
const QUOTED: usize = 80;

/// One mistake in a policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// 1-based line.
    pub line: u32,
    /// 1-based column, in characters.
    pub column: u32,
    /// What is wrong and what is allowed instead.
    pub message: String,
}

impl fmt::Display for Problem {
    /// `policy:12:5: unknown key ...`, a form that editors can jump to.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy:{}:{}: {}", self.line, self.column, self.message)
    }
}

/// A place in the file. Lines and columns count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl At {
    /// The first character of the file.
    pub(crate) const START: At = At { line: 1, column: 1 };
}

/// Problems found so far, in the order they were found, at most [`MOST`].
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn add(&mut self, at: At, message: impl Into<String>) {
        if self.0.len() < MOST {
            self.0.push(Problem { line: at.line, column: at.column, message: message.into() });
        }
    }

    /// `value` if nothing was found, else everything found, in the order of the file.
    pub(crate) fn or<T>(mut self, value: T) -> Result<T, Vec<Problem>> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by_key(|problem| (problem.line, problem.column));
        Err(self.0)
    }
}

/// The operator's own text as a message shows it: quoted, escaped and cut.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}
