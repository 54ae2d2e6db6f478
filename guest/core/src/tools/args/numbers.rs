//! Whole numbers within bounds. A number with a fraction or in a string is refused, never rounded.

use serde_json::{Value, json};

use crate::audit;
use crate::ports::Recorded;
use crate::tools::kit::{Arg, ArgumentError, Arguments, Field, paragraph};

/// The largest integer that every JSON reader keeps exactly.
pub(super) const LARGEST: u64 = 9_007_199_254_740_991;
/// Lines and characters are counted this far.
const LAST_PLACE: u64 = 100_000_000;
/// Pages are counted this far.
const LAST_PAGE: u64 = 100_000;
/// No page is longer, whatever the settings say.
const LONGEST_PAGE: u64 = 10_000;

/// The number of an issue in its repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) struct IssueNumber(pub(in crate::tools) u64);

/// Some lines of a file, counted from 1, both ends included: `start_line` and `end_line` on the wire, either of
/// which may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) struct LineRange {
    pub(in crate::tools) start: Option<u64>,
    pub(in crate::tools) end: Option<u64>,
}

/// A character of a text, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Character(pub(in crate::tools) u64);

/// A page of a list: `page` and `limit` on the wire, both with defaults. `MAX_TOOL_RESPONSE_ITEMS` bounds the
/// limit when the page is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Paging<const DEFAULT: u32> {
    pub(in crate::tools) page: u32,
    pub(in crate::tools) limit: u32,
}

/// A page of a list.
pub(in crate::tools) type Page = Paging<30>;
/// A page of the entries of a file tree.
pub(in crate::tools) type EntryPage = Paging<200>;

impl Arg for IssueNumber {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, counted(), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        integer(name, &arguments.required(name)?, LARGEST).map(Self)
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0.to_string())));
    }
}

impl Arg for LineRange {
    fn fields(_name: &'static str, _doc: &[&str]) -> Vec<Field> {
        let field = |name, meaning: &str| Field::new(name, counted(), meaning).optional();
        vec![
            field("start_line", "First line wanted, counted from 1."),
            field("end_line", "Last line wanted."),
        ]
    }

    fn from_args(_name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let mut line =
            |name: &str| arguments.take(name).map(|value| integer(name, &value, LAST_PLACE)).transpose();
        let (start, end) = (line("start_line")?, line("end_line")?);
        if start.zip(end).is_some_and(|(start, end)| start > end) {
            return Err(ArgumentError::new("start_line", "must not be after `end_line`"));
        }
        Ok(Self { start, end })
    }

    fn recorded(&self, _name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        for (name, line) in [("start_line", self.start), ("end_line", self.end)] {
            recorded.extend(line.map(|line| (name.to_owned(), audit::scalar(&line.to_string()))));
        }
    }
}

impl Arg for Character {
    fn fields(name: &'static str, _doc: &[&str]) -> Vec<Field> {
        vec![Field::shared(name, counted())]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        integer(name, &arguments.required(name)?, LAST_PLACE).map(Self)
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0.to_string())));
    }
}

impl<const DEFAULT: u32> Arg for Paging<DEFAULT> {
    fn fields(_name: &'static str, _doc: &[&str]) -> Vec<Field> {
        vec![Field::shared("page", counted()).optional(), Field::shared("limit", counted()).optional()]
    }

    fn from_args(_name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let mut number = |name: &str, default: u32, most: u64| match arguments.take(name) {
            None => Ok(default),
            Some(value) => {
                integer(name, &value, most).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
            }
        };
        Ok(Self { page: number("page", 1, LAST_PAGE)?, limit: number("limit", DEFAULT, LONGEST_PAGE)? })
    }

    fn recorded(&self, _name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        for (name, value) in [("page", self.page), ("limit", self.limit)] {
            recorded.push((name.to_owned(), audit::scalar(&value.to_string())));
        }
    }
}

/// An integer from 1 to `most`.
pub(super) fn integer(name: &str, value: &Value, most: u64) -> Result<u64, ArgumentError> {
    value
        .as_u64()
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| ArgumentError::new(name, format!("must be an integer from 1 to {most}")))
}

/// The upper bounds are refused by name when somebody reaches them; a model has no use for them beforehand.
pub(super) fn counted() -> Value {
    json!({ "type": "integer", "minimum": 1 })
}
