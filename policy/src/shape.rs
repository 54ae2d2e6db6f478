//! Taking a YAML tree apart with a message for every way in which it is not what was expected. Each function
//! answers nothing where it has reported a problem, so that the caller goes on and reports the next.

use crate::grammar::Mapping;
use crate::near::hint;
use crate::problem::{Problems, quoted};
use crate::yaml::{Entry, Node, Value};

/// Words that other YAML readers take for booleans. As text they must be quoted, or nobody knows what is meant.
const BOOLEANS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "y", "n"];

/// The entries of a mapping. `what` names it in messages, such as `repositories."acme/site"`.
pub(crate) fn map<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n [Entry]> {
    match &node.value {
        Value::Map(entries) => Some(entries),
        Value::Text { .. } | Value::List(_) => {
            problems
                .add(node.at, format!("{what} is {}; a mapping (`key: value`) belongs here", found(node)));
            None
        }
    }
}

/// The items of a list.
pub(crate) fn list<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n [Node]> {
    match &node.value {
        Value::List(items) => Some(items),
        Value::Text { .. } | Value::Map(_) => {
            problems.add(node.at, format!("{what} is {}; a list (`[a, b]`) belongs here", found(node)));
            None
        }
    }
}

/// A text.
pub(crate) fn text<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n str> {
    match &node.value {
        Value::Text { text, plain } if !(*plain && (is_null(text) || is_boolean(text))) => Some(text),
        Value::Text { text, .. } if is_boolean(text) => {
            problems.add(node.at, format!("{what} is {}; quote it if this text is meant", found(node)));
            None
        }
        Value::Text { .. } | Value::List(_) | Value::Map(_) => {
            problems.add(node.at, format!("{what} is {}; a text belongs here", found(node)));
            None
        }
    }
}

/// Report a key that has no meaning here.
pub(crate) fn unknown_key(entry: &Entry, whereabouts: &str, keys: &Mapping, problems: &mut Problems) {
    let (key, allowed, meant) = (quoted(&entry.key), keys.allowed(), keys.meant(entry));
    problems.add(entry.at, format!("unknown key {key} {whereabouts}; allowed: {allowed}{meant}"));
}

/// What a word was probably meant to be; nothing where that is not clear.
pub(crate) fn meant(node: &Node, words: &[&'static str]) -> String {
    match &node.value {
        Value::Text { text, .. } => hint(text, words.iter().copied()),
        Value::List(_) | Value::Map(_) => String::new(),
    }
}

/// What a node is, for a message.
pub(crate) fn found(node: &Node) -> String {
    match &node.value {
        Value::Text { text, plain: true } if is_null(text) => "empty".to_owned(),
        Value::Text { text, plain: true } if is_boolean(text) => {
            format!("{}, which YAML may take for a boolean", quoted(text))
        }
        Value::Text { text, .. } => quoted(text),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn is_boolean(text: &str) -> bool {
    BOOLEANS.iter().any(|word| word.eq_ignore_ascii_case(text))
}
