//! A delivery by Gitea's webhook, as what is decided on and recorded. It asks Gitea for nothing.

use serde_json::json;

use crate::access::Reader;
use crate::audit;
use crate::ports::Recorded;
use crate::reply::Reply;
use crate::tools::args::Repo;
use crate::tools::kit::{
    Arg, ArgumentError, Arguments, Entry, Error, Field, Key, Kind, ReadTool, Shape, paragraph, read, tool,
};

pub(super) const DELIVERY: &dyn Entry = read::<Delivery>();

/// Longest of Gitea's words, in bytes.
const WORD_BYTES: usize = 64;

/// A word of Gitea's: an event, an action, a delivery's id.
struct Word(String);

impl Arg for Word {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "string", "maxLength": WORD_BYTES }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let word = arguments.string(name)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if word.is_empty() || word.len() > WORD_BYTES || !word.bytes().all(fits) {
            return Err(ArgumentError::new(name, "must be 1 to 64 letters, digits, `_` or `-`"));
        }
        Ok(Self(word))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0)));
    }
}

tool! {
    /// Take a delivery.
    "automation_webhook" ("Webhook") => struct Delivery {
        repo: Repo,
        /// What happened, as `X-Gitea-Event` names it.
        event: Word,
        /// What was done, where the event says so.
        action: Option<Word>,
        /// `X-Gitea-Delivery`.
        delivery: Word,
    }
}

impl ReadTool for Delivery {
    const ANSWER: &'static Shape = &Shape(&[Key::own("event", Kind::Text, "What happened.")]);
    const READS: &'static [&'static str] = &[];

    fn call(self, _gitea: &Reader<'_>) -> Result<Reply, Error> {
        Ok(Reply::new().with("event", self.event.0))
    }
}
