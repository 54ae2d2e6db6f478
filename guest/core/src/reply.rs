//! The one place that what leaves must pass: bounded, cleaned, masked.
//!
//! A tool makes a [`Reply`]; only [`Screen::finish`] makes a [`Finished`] of it, and only that may leave.
//! Texts are cleaned whole and cut afterwards, so that a secret across a cut is still recognised. Nothing
//! here knows which tool speaks, and nothing here adds data of its own.

mod block;
mod removed;
mod walk;
mod window;

#[cfg(test)]
mod tests;

use aegis_redaction::Redactor;
use serde_json::{Map, Value};

use crate::settings::Config;
pub use block::Block;
pub use removed::Removed;
use walk::Walk;
pub use window::Lines;
use window::Window;

/// Most characters of a message to the model.
const MESSAGE_CHARACTERS: usize = 1200;
/// A whole answer holds at most so many longest texts ...
const TEXTS_IN_ALL: usize = 5;
/// ... and never needs to be smaller than this, in characters.
const LEAST_IN_ALL: usize = 20_000;

/// What a tool found, before anything was bounded or masked.
#[derive(Debug, Default)]
pub struct Reply {
    body: Map<String, Value>,
    blocks: Vec<Block>,
    window: Option<Window>,
    preview: Option<Preview>,
    part: Option<Part>,
    removed: Removed,
}

/// A field whose texts are only shown as far as their beginning.
#[derive(Clone, Copy, Debug)]
struct Preview {
    field: &'static str,
    characters: usize,
    /// How to read one whole.
    how: &'static str,
}

/// A field whose text is shown from one of its characters on.
#[derive(Clone, Copy, Debug)]
struct Part {
    field: &'static str,
    /// Counted from 1.
    first: usize,
    /// What to say where it is not all of it.
    warning: &'static str,
}

impl Reply {
    /// An empty reply.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A field of the answer.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body.insert(name.to_owned(), value.into());
        self
    }

    /// A field of the answer, where there is one.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same without these fields, and without the lines of any text.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.window = None;
        names.iter().for_each(|name| drop(self.body.remove(*name)));
        self
    }

    /// Say that something was left out, and how to get it.
    #[must_use]
    pub fn cut(self, how: &str) -> Self {
        let before = self.body.get("truncated_how").and_then(Value::as_str);
        let all = before.map_or_else(|| how.to_owned(), |before| format!("{before}; {how}"));
        self.with("truncated", true).with("truncated_how", all)
    }

    /// A content block. A result that has any is shown by them alone, without its fields.
    #[must_use]
    pub fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// All fields of an object.
    #[must_use]
    pub fn and(mut self, fields: Map<String, Value>) -> Self {
        self.body.extend(fields);
        self
    }

    /// Show only the beginning of every text that is called `field`, with a flag `<field>_truncated` beside it. Cut
    /// here and not by a tool, since a secret that was cut is not recognised. `how` says how to read one whole.
    #[must_use]
    pub fn preview(mut self, field: &'static str, characters: usize, how: &'static str) -> Self {
        self.preview = Some(Preview { field, characters, how });
        self
    }

    /// Show every text that is called `field` from the character `first` on, counted from 1 in the cleaned text, as far
    /// as the bounds allow, and say where to go on with `start_character`. `warning` is said with what is not all of
    /// the text, where there is one.
    #[must_use]
    pub fn part(mut self, field: &'static str, first: u64, warning: &'static str) -> Self {
        self.part = Some(Part { field, first: usize::try_from(first).unwrap_or(usize::MAX), warning });
        self
    }

    /// Count what a tool took out itself, of texts that it shows only parts of.
    #[must_use]
    pub fn removing(mut self, removed: Removed) -> Self {
        self.removed = self.removed.and(removed);
        self
    }

    /// The lines of a text as `content`, with `start_line`, `end_line`, `total_lines` and, where lines follow,
    /// `next_start_line`. Lines are counted in the cleaned text, so that a call for the next ones agrees.
    #[must_use]
    pub fn lines_of(mut self, whole: String, lines: Lines) -> Self {
        self.window = Some(Window::new(whole, lines));
        self
    }
}

/// An answer that may leave. Only [`Screen::finish`] makes one:
///
/// ```compile_fail,E0451
/// let structured = serde_json::json!({});
/// aegis_core::reply::Finished { text: String::new(), structured, blocks: Vec::new(), removed: Default::default(), _screened: loop {} };
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The structured result, a JSON object.
    pub structured: Value,
    /// The same JSON, compact.
    pub text: String,
    /// What is shown in place of both, where there is anything.
    pub blocks: Vec<Value>,
    /// What was taken out of all of it.
    pub removed: Removed,
    // INVARIANT: made only by `Screen::finish`; this field keeps others from writing the struct down.
    _screened: Screened,
}

#[derive(Clone, Debug, PartialEq)]
struct Screened;

/// The bounds and the redactor in force.
#[derive(Clone, Debug)]
pub struct Screen {
    redactor: Redactor,
    items: usize,
    characters: usize,
}

impl Screen {
    /// The screen that the settings ask for.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            redactor: Redactor::new(config.secret_detection_mode),
            items: usize::try_from(config.max_tool_response_items).unwrap_or(usize::MAX),
            characters: usize::try_from(config.max_tool_response_chars).unwrap_or(usize::MAX),
        }
    }

    /// Make an answer that may leave.
    #[must_use]
    pub fn finish(&self, reply: Reply) -> Finished {
        let in_all = self.characters.saturating_mul(TEXTS_IN_ALL).max(LEAST_IN_ALL);
        let mut walk = Walk::new(&self.redactor, self.items, self.characters, in_all);
        walk.show_previews(reply.preview);
        walk.show_part(reply.part);
        let window = reply.window.as_ref().map(|window| walk.window(window)).unwrap_or_default();
        let mut body = walk.object(reply.body);
        body.extend(window);
        let mut removed = walk.removed().and(reply.removed);
        walk.tell_cuts(&mut body);
        let mut cleaned = |text: &str| {
            let (text, more) = self.cleaned(text, self.characters);
            removed = removed.and(more);
            text
        };
        let blocks = reply.blocks.iter().map(|block| block.told(&mut cleaned)).collect();
        body.insert("notice".to_owned(), removed.notice().into());
        let structured = Value::Object(body);
        Finished { text: structured.to_string(), structured, blocks, removed, _screened: Screened }
    }

    /// A sentence for the model, such as an error: one text, cleaned, masked and bounded.
    #[must_use]
    pub fn message(&self, text: &str) -> String {
        self.cleaned(text, MESSAGE_CHARACTERS).0
    }

    fn cleaned(&self, text: &str, most: usize) -> (String, Removed) {
        let cleaned = self.redactor.clean(text);
        let removed = Removed::of(&cleaned);
        let text = match aegis_redaction::bound(&cleaned.text, most) {
            Some(shorter) => format!("{shorter}…"),
            None => cleaned.text.into_owned(),
        };
        (text, removed)
    }
}

/// What [`Screen::finish`] may add to any answer, by name and meaning; part of every output schema.
pub const ADDED: &[(&str, &str, &str)] = &[
    ("notice", "string", "What kind of text this result holds, and what was taken out of it."),
    ("truncated", "boolean", "Present and true when something was cut."),
    ("truncated_how", "string", "What was cut, and how to get the rest."),
];
