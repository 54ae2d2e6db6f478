//! Text that people wrote. It is recorded as length and digest only.

use serde_json::json;

use crate::audit;
use crate::ports::Recorded;
use crate::tools::kit::{Arg, ArgumentError, Arguments, Field, paragraph};

/// Longest title in characters: Gitea cuts longer ones without a word.
const TITLE_CHARACTERS: usize = 255;
/// Longest query in characters.
const QUERY_CHARACTERS: usize = 256;
/// Longest text in characters.
const TEXT_CHARACTERS: usize = 65_536;

/// One line of text that is not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Title(pub(in crate::tools) String);

/// What to look for: one line of 2 to 256 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Query(pub(in crate::tools) String);

/// Text of any number of lines; may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct FreeText(pub(in crate::tools) String);

/// Text of any number of lines that is not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Comment(pub(in crate::tools) String);

impl Arg for Title {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        let schema = json!({ "type": "string", "maxLength": TITLE_CHARACTERS });
        vec![Field::new(name, schema, paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let title = arguments.string(name)?;
        if title.chars().any(char::is_control) {
            return Err(ArgumentError::new(name, "must be one line without control characters"));
        }
        not_blank(name, &title)?;
        within(name, &title, TITLE_CHARACTERS)?;
        Ok(Self(title))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::text(&self.0)));
    }
}

impl Arg for Query {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        let schema = json!({ "type": "string", "minLength": 2, "maxLength": QUERY_CHARACTERS });
        vec![Field::new(name, schema, paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let query = arguments.string(name)?;
        if query.chars().any(|character| character.is_control() && character != '\t') {
            return Err(ArgumentError::new(name, "must be one line without control characters"));
        }
        not_blank(name, &query)?;
        if query.chars().nth(1).is_none() {
            return Err(ArgumentError::new(name, "must be at least 2 characters"));
        }
        within(name, &query, QUERY_CHARACTERS)?;
        Ok(Self(query))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::text(&self.0)));
    }
}

impl Arg for FreeText {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        let schema = json!({ "type": "string", "maxLength": TEXT_CHARACTERS });
        vec![Field::new(name, schema, paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        text(name, arguments).map(Self)
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::text(&self.0)));
    }
}

impl Arg for Comment {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        let schema = json!({ "type": "string", "maxLength": TEXT_CHARACTERS });
        vec![Field::new(name, schema, paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let text = text(name, arguments)?;
        not_blank(name, &text)?;
        Ok(Self(text))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::text(&self.0)));
    }
}

fn text(name: &str, arguments: &mut Arguments) -> Result<String, ArgumentError> {
    let text = arguments.string(name)?;
    let odd = |character: char| character.is_control() && !matches!(character, '\n' | '\r' | '\t');
    if text.chars().any(odd) {
        return Err(ArgumentError::new(name, "must not hold control characters besides line ends and tabs"));
    }
    within(name, &text, TEXT_CHARACTERS)?;
    Ok(text)
}

fn not_blank(name: &str, text: &str) -> Result<(), ArgumentError> {
    if text.trim().is_empty() { Err(ArgumentError::new(name, "must not be blank")) } else { Ok(()) }
}

fn within(name: &str, text: &str, most: usize) -> Result<(), ArgumentError> {
    if aegis_redaction::bound(text, most).is_some() {
        return Err(ArgumentError::new(name, format!("must be at most {most} characters")));
    }
    Ok(())
}
