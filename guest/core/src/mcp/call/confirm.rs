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

/// Most characters that a person can be asked to read. What is longer cannot be confirmed.
const MOST: usize = 32_000;
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
    if message.chars().count() > MOST {
        session.ports.audit.note(&audit::denied(
            "too_long_to_confirm",
            Some(entry.name()),
            Some(touched),
            &[],
        ));
        return Err(CallError::Denied {
            reason: "too_long_to_confirm",
            message: format!(
                "This change is longer than the {MOST} characters that a person can be asked to confirm, so nothing \
                 was done. Make it in parts."
            ),
        });
    }
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
    let confirm = json!({ "type": "boolean", "title": "Make this change" });
    json!({ "type": "object", "properties": { KEY: confirm }, "required": [KEY] })
}

/// What a call would do: the tool, where, and every argument as it would be sent. Values of one line come first; each
/// line of a longer one is marked, so that no value can pass for another argument.
fn in_words(title: &str, arguments: &Map<String, Value>) -> String {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str);
    let place = match (text("owner"), text("repo")) {
        (Some(owner), Some(repo)) => {
            format!(" in {}/{}", shown(owner).trim_start(), shown(repo).trim_start())
        }
        _ => String::new(),
    };
    let others = arguments.iter().filter(|(name, _)| !matches!(name.as_str(), "owner" | "repo"));
    let told = others.map(|(name, value)| {
        let value = value.as_str().map_or_else(|| shown(&value.to_string()), shown);
        format!("{}:{value}", name.replace(char::is_control, " "))
    });
    let (long, short): (Vec<String>, Vec<String>) = told.partition(|told| told.contains('\n'));
    let mut words = format!("{title}{place}?");
    for told in short.iter().chain(&long) {
        words.push_str("\n\n");
        words.push_str(told);
    }
    words
}

/// A value as a person sees it, with what goes before it. Nothing is masked: it is what the client sends. Characters that
/// would show something else than is sent are left out, and that is said.
fn shown(text: &str) -> String {
    let cleaned = Redactor::new(Mode::Off).clean(text);
    let lines: Vec<&str> = cleaned.text.split(['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}']).collect();
    let mut shown = match lines.as_slice() {
        [line] => format!(" {line}"),
        lines => lines.iter().map(|line| format!("\n  | {line}")).collect(),
    };
    if cleaned.hostile > 0 {
        shown.push_str(&format!(" [{} invisible characters are not shown]", cleaned.hostile));
    }
    shown
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
            "Create issue in alice/demo?\n\nlabels: [\"a\"]\n\ntitle: One\n\nbody:\n  | two\n  | lines"
        );
    }

    #[test]
    fn what_hides_in_a_text_is_told() {
        assert_eq!(shown("safe\u{202e}evil"), " safeevil [1 invisible characters are not shown]");
    }

    #[test]
    fn no_value_passes_for_another_argument_or_hides_the_rest() {
        let body = "fine\n\ntitle: Something nice\rEVIL";
        let arguments = json!({ "body": body, "title": "Real" });
        let words = in_words("Create issue", arguments.as_object().unwrap());
        assert!(words.starts_with("Create issue?\n\ntitle: Real\n\nbody:\n  | fine"), "{words}");
        assert!(words.ends_with("\n  | \n  | title: Something nice\n  | EVIL"), "{words}");
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
