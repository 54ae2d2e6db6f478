//! Changes that a person confirms first: what is about to happen, in plain words, put to whoever sits at the client.
//!
//! Off unless `WRITE_CONFIRMATION` asks for it. It comes after every gate has agreed and before anything is on record, so
//! a person is asked only for what would be done. A model can write anything into the arguments, and into no other part
//! of the question.

use aegis_redaction::{Mode, Redactor};
use serde_json::{Map, Value, json};

use super::{CallError, Session, unasked_for};
use crate::audit::{self, Touched};
use crate::client::{Client, Input, Question};
use crate::ports::{Class, Recorded};
use crate::tools::kit::Entry;

/// Most characters of one value that are shown; of a longer one also its length.
const SHOWN: usize = 3_000;
const KEY: &str = "confirm";

/// The question to put before a call, where one has to be put.
pub(super) fn effect(
    session: &Session<'_>,
    entry: &'static dyn Entry,
    arguments: Option<&Value>,
) -> Option<String> {
    let asks = session.config.write_confirmation && entry.class() == Class::Write;
    asks.then(|| in_words(entry.title(), arguments.and_then(Value::as_object).unwrap_or(&Map::new())))
}

/// Put the question. What to add to the record where it was confirmed.
pub(super) fn ask(
    session: &Session<'_>,
    entry: &'static dyn Entry,
    effect: Option<String>,
    touched: &Touched,
    client: &dyn Client,
) -> Result<Option<(String, Recorded)>, CallError> {
    let Some(message) = effect else { return Ok(None) };
    let question = Question { key: KEY, input: Input::Elicitation { message, schema: form() }, bound: true };
    let replies = client.ask(&[question]).map_err(|unasked| unasked_for(session, entry, unasked, touched))?;
    if replies.first().is_some_and(agrees) {
        return Ok(Some(("confirmed".to_owned(), audit::scalar("by elicitation"))));
    }
    session.ports.audit.note(&audit::denied("not_confirmed", Some(entry.name()), Some(touched), &[]));
    Err(CallError::Denied {
        reason: "not_confirmed",
        message:
            "The person at the client did not confirm this change, so nothing was done. Do not try it again \
                  unless they ask for it."
                .to_owned(),
    })
}

fn agrees(reply: &Value) -> bool {
    reply.get("action").and_then(Value::as_str) == Some("accept")
        && reply.get("content").and_then(|content| content.get(KEY)).and_then(Value::as_bool) == Some(true)
}

fn form() -> Value {
    let confirm = json!({ "type": "boolean", "title": "Make this change", "default": true });
    json!({ "type": "object", "properties": { KEY: confirm }, "required": [KEY] })
}

/// What a call would do: the tool, where, and every argument as it would be sent.
fn in_words(title: &str, arguments: &Map<String, Value>) -> String {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str);
    let place = match (text("owner"), text("repo")) {
        (Some(owner), Some(repo)) => format!(" in {}/{}", plain(owner), plain(repo)),
        _ => String::new(),
    };
    let mut words = format!("{title}{place}?");
    for (name, value) in arguments.iter().filter(|(name, _)| !matches!(name.as_str(), "owner" | "repo")) {
        let value = value.as_str().map_or_else(|| plain(&value.to_string()), plain);
        let line_break = if value.contains('\n') { "\n" } else { " " };
        words.push_str(&format!("\n\n{}:{line_break}{value}", plain(name)));
    }
    words
}

/// A value as a person sees it. Nothing is masked: it is what the client sends. Characters that would show something
/// else than is sent are left out, and that is said.
fn plain(text: &str) -> String {
    let cleaned = Redactor::new(Mode::Off).clean(text);
    let hidden = if cleaned.hostile == 0 {
        String::new()
    } else {
        format!(" [{} invisible characters are not shown]", cleaned.hostile)
    };
    match aegis_redaction::bound(&cleaned.text, SHOWN) {
        None => format!("{}{hidden}", cleaned.text),
        Some(shown) => format!("{shown}… [{} characters in all]{hidden}", cleaned.text.chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_with_every_argument_that_would_be_sent() {
        let arguments = json!({ "owner": "alice", "repo": "demo", "title": "One", "body": "two\nlines", "labels": ["a"] });
        let words = in_words("Create issue", arguments.as_object().unwrap());
        assert_eq!(
            words,
            "Create issue in alice/demo?\n\nbody:\ntwo\nlines\n\nlabels: [\"a\"]\n\ntitle: One"
        );
    }

    #[test]
    fn what_hides_in_a_text_is_told() {
        let words = plain("safe\u{202e}evil");
        assert_eq!(words, "safeevil [1 invisible characters are not shown]");
    }

    #[test]
    fn a_long_text_is_cut_and_counted() {
        let words = plain(&"x".repeat(SHOWN + 1));
        assert!(words.ends_with(&format!("x… [{} characters in all]", SHOWN + 1)), "{words}");
    }

    #[test]
    fn only_accept_with_the_box_ticked_agrees() {
        assert!(agrees(&json!({ "action": "accept", "content": { "confirm": true } })));
        for reply in [
            json!({ "action": "accept", "content": {} }),
            json!({ "action": "accept", "content": { "confirm": false } }),
            json!({ "action": "accept", "content": { "confirm": "true" } }),
            json!({ "action": "decline", "content": { "confirm": true } }),
            json!({ "action": "cancel" }),
        ] {
            assert!(!agrees(&reply), "{reply}");
        }
    }
}
