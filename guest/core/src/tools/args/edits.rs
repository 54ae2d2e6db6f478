//! What a change may be made to, where that is not what a search may be made for: no issue can become `all`, and a
//! milestone can be taken away.

use serde_json::{Value, json};

use super::MilestoneChoice;
use super::numbers::integer;
use crate::audit;
use crate::ports::Recorded;
use crate::tools::kit::{Arg, ArgumentError, Arguments, Field, paragraph};

/// The largest id that every JSON reader keeps exactly.
const LARGEST: u64 = 9_007_199_254_740_991;

/// The state that an issue shall have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) enum NewState {
    Open,
    Closed,
}

/// The milestone that an issue shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) enum NewMilestone {
    /// `0`: none.
    Cleared,
    /// This one.
    Chosen(MilestoneChoice),
}

/// How often a text had been edited when it was read, as Gitea counts: from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) struct ContentVersion(pub(in crate::tools) u64);

/// The id of a comment; Gitea counts them over all repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) struct CommentId(pub(in crate::tools) u64);

impl NewState {
    const WORDS: [(&'static str, Self); 2] = [("open", Self::Open), ("closed", Self::Closed)];

    /// The word on the wire and toward Gitea.
    pub(in crate::tools) fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

impl Arg for NewState {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        let words = Self::WORDS.map(|(word, _)| word);
        vec![Field::new(name, json!({ "type": "string", "enum": words }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let given = arguments.string(name)?;
        let found = Self::WORDS.iter().find(|(word, _)| *word == given);
        found
            .map(|(_, state)| *state)
            .ok_or_else(|| ArgumentError::new(name, "must be one of `open`, `closed`"))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(self.word())));
    }
}

impl Arg for NewMilestone {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        MilestoneChoice::fields(name, doc)
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let given = arguments.required(name)?;
        let zero = match &given {
            Value::Number(number) => number.as_u64() == Some(0),
            Value::String(text) => text.trim() == "0",
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        };
        if zero {
            return Ok(Self::Cleared);
        }
        let mut rest = Arguments::new([(name.to_owned(), given)].into_iter().collect());
        MilestoneChoice::from_args(name, &mut rest)
            .map(Self::Chosen)
            .map_err(|error| ArgumentError::new(name, format!("{}, or 0 for none", error.message)))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        match self {
            Self::Cleared => recorded.push((name.to_owned(), audit::scalar("0"))),
            Self::Chosen(choice) => choice.recorded(name, recorded),
        }
    }
}

impl Arg for ContentVersion {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "integer", "minimum": 0 }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let given = arguments.required(name)?.as_u64().filter(|version| *version <= LARGEST);
        given
            .map(Self)
            .ok_or_else(|| ArgumentError::new(name, format!("must be an integer from 0 to {LARGEST}")))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0.to_string())));
    }
}

impl Arg for CommentId {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "integer", "minimum": 1 }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        integer(name, &arguments.required(name)?, LARGEST).map(Self)
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0.to_string())));
    }
}
