//! States, flags, and lists of short names.

use serde_json::{Value, json};

use super::names;
use super::numbers::integer;
use crate::audit;
use crate::ports::Recorded;
use crate::tools::kit::{Arg, ArgumentError, Arguments, Field, paragraph};

/// Most entries of a list argument.
const ENTRIES: usize = 50;
/// Longest label or milestone title in characters.
const TITLE_CHARACTERS: usize = 255;

/// Which issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) enum IssueState {
    Open,
    Closed,
    All,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Flag(pub(in crate::tools) bool);

/// Names of labels, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Labels(pub(in crate::tools) Vec<String>);

/// Logins of users, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Logins(pub(in crate::tools) Vec<String>);

/// A milestone by id or title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct MilestoneChoice(pub(in crate::tools) String);

impl IssueState {
    const WORDS: [(&'static str, Self); 3] =
        [("open", Self::Open), ("closed", Self::Closed), ("all", Self::All)];

    /// The word on the wire and toward Gitea.
    pub(in crate::tools) fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::All => "all",
        }
    }
}

impl Arg for IssueState {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        let words = Self::WORDS.map(|(word, _)| word);
        vec![Field::new(name, json!({ "type": "string", "enum": words }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let given = arguments.string(name)?;
        let found = Self::WORDS.iter().find(|(word, _)| *word == given);
        found
            .map(|(_, state)| *state)
            .ok_or_else(|| ArgumentError::new(name, "must be one of `open`, `closed`, `all`"))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(self.word())));
    }
}

impl Arg for Flag {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "boolean" }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let flag = arguments.required(name)?.as_bool();
        flag.map(Self).ok_or_else(|| ArgumentError::new(name, "must be true or false"))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(if self.0 { "true" } else { "false" })));
    }
}

impl Arg for Labels {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        let item = json!({ "type": "string", "maxLength": TITLE_CHARACTERS });
        vec![Field::new(name, list_of(&item), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        list(name, arguments, |entry| short_text(name, entry)).map(Self)
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0.join(","))));
    }
}

impl Arg for Logins {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, list_of(&names::name_schema()), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        list(name, arguments, |entry| names::name(name, entry)).map(Self)
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0.join(","))));
    }
}

impl Arg for MilestoneChoice {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        let schema = json!({ "type": "string", "maxLength": TITLE_CHARACTERS });
        vec![Field::new(name, schema, paragraph(doc))]
    }

    /// Many clients send an id as the number it is, so that is taken too, though the schema keeps to one type.
    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        match arguments.required(name)? {
            Value::String(text) => short_text(name, text).map(Self),
            value @ Value::Number(_) => {
                let id = integer(name, &value, u64::from(u32::MAX)).map_err(|_| no_milestone(name))?;
                Ok(Self(id.to_string()))
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(no_milestone(name)),
        }
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0)));
    }
}

fn no_milestone(name: &str) -> ArgumentError {
    ArgumentError::new(
        name,
        format!("must be the title of a milestone, or its id, an integer from 1 to {}", u32::MAX),
    )
}

fn list_of(item: &Value) -> Value {
    json!({ "type": "array", "items": item, "maxItems": ENTRIES })
}

/// A list of texts, each once, in the order given.
fn list(
    name: &str,
    arguments: &mut Arguments,
    check: impl Fn(String) -> Result<String, ArgumentError>,
) -> Result<Vec<String>, ArgumentError> {
    let refused = || ArgumentError::new(name, format!("must be a list of at most {ENTRIES} strings"));
    let Value::Array(entries) = arguments.required(name)? else {
        return Err(refused());
    };
    if entries.len() > ENTRIES {
        return Err(refused());
    }
    let mut out: Vec<String> = Vec::new();
    for entry in entries {
        let Value::String(text) = entry else {
            return Err(refused());
        };
        let text = check(text)?;
        if !out.contains(&text) {
            out.push(text);
        }
    }
    Ok(out)
}

/// One line of at most 255 characters that is not blank.
pub(super) fn short_text(name: &str, text: String) -> Result<String, ArgumentError> {
    let good = !text.trim().is_empty()
        && aegis_redaction::bound(&text, TITLE_CHARACTERS).is_none()
        && !text.chars().any(char::is_control);
    let message = format!("must be 1 to {TITLE_CHARACTERS} characters on one line");
    if good { Ok(text) } else { Err(ArgumentError::new(name, message)) }
}
