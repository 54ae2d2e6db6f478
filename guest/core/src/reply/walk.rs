//! Cleaning and bounding of a whole JSON value.

use aegis_redaction::Redactor;
use serde_json::{Map, Value};

use super::window::Window;
use super::{Part, Preview, Removed};

/// Most characters of an object key.
const KEY_CHARACTERS: usize = 200;
/// What a number, a flag or a key costs of the whole, in characters.
const SMALL: usize = 8;
/// Most cuts that are told one by one.
const CUTS_TOLD: usize = 5;

pub(super) struct Walk<'a> {
    redactor: &'a Redactor,
    items: usize,
    characters: usize,
    left: usize,
    removed: Removed,
    path: Vec<String>,
    cuts: Vec<String>,
    preview: Option<Preview>,
    previews: usize,
    part: Option<Part>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(redactor: &'a Redactor, items: usize, characters: usize, in_all: usize) -> Self {
        Self {
            redactor,
            items,
            characters,
            left: in_all,
            removed: Removed::default(),
            path: Vec::new(),
            cuts: Vec::new(),
            preview: None,
            previews: 0,
            part: None,
        }
    }

    pub(super) fn show_previews(&mut self, preview: Option<Preview>) {
        self.preview = preview;
    }

    pub(super) fn show_part(&mut self, part: Option<Part>) {
        self.part = part;
    }

    pub(super) fn removed(&self) -> Removed {
        self.removed
    }

    pub(super) fn window(&mut self, window: &Window) -> Map<String, Value> {
        let text = self.cleaned(window.whole());
        let (fields, cut) = window.cut(&text, self.characters);
        self.left = self.left.saturating_sub(text.chars().count().min(self.characters));
        self.cuts.extend(cut);
        fields
    }

    pub(super) fn object(&mut self, object: Map<String, Value>) -> Map<String, Value> {
        let mut out = Map::new();
        for (key, value) in object {
            let key = self.cleaned(&key);
            let key = aegis_redaction::bound(&key, KEY_CHARACTERS).unwrap_or(&key).to_owned();
            self.left = self.left.saturating_sub(SMALL.max(key.len()));
            let value = match self.beginning(&key, &value) {
                Some(beginning) => {
                    self.previews = self.previews.saturating_add(1);
                    out.insert(format!("{key}_truncated"), true.into());
                    beginning.into()
                }
                None => value,
            };
            self.path.push(key.clone());
            let value = self.value(value);
            self.path.pop();
            out.insert(key, value);
        }
        out
    }

    /// The beginning of a text that is shown as a preview, if it is longer. It is clean, so that the secrets in
    /// it are counted when it is, and not again on its way out.
    fn beginning(&mut self, key: &str, value: &Value) -> Option<String> {
        let preview = self.preview.filter(|preview| preview.field == key)?;
        let text = value.as_str()?;
        let cleaned = self.redactor.clean(text);
        let shorter = aegis_redaction::bound(&cleaned.text, preview.characters)?;
        self.removed = self.removed.and(Removed::of(&cleaned));
        Some(shorter.to_owned())
    }

    fn value(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => Value::Array(self.array(items)),
            Value::Object(object) => Value::Object(self.object(object)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                self.left = self.left.saturating_sub(SMALL);
                value
            }
        }
    }

    fn text(&mut self, text: &str) -> String {
        let cleaned = self.cleaned(text);
        let most = self.characters.min(self.left);
        if let Some(part) = self.part.filter(|part| self.path.last().is_some_and(|key| key == part.field)) {
            return self.part_of(&cleaned, part, most);
        }
        let Some(shorter) = aegis_redaction::bound(&cleaned, most) else {
            self.left = self.left.saturating_sub(cleaned.chars().count());
            return cleaned;
        };
        let all = cleaned.chars().count();
        self.left = self.left.saturating_sub(most);
        self.cuts.push(format!(
            "{} holds {most} of {all} characters (MAX_TOOL_RESPONSE_CHARS); the rest is in Gitea",
            self.path.join("/")
        ));
        shorter.to_owned()
    }

    /// A text from a character on, at most so many; the cut is told with the characters that are shown.
    fn part_of(&mut self, cleaned: &str, part: Part, most: usize) -> String {
        let all = cleaned.chars().count();
        let before = part.first.saturating_sub(1);
        let shown: String = cleaned.chars().skip(before).take(most).collect();
        let count = shown.chars().count();
        self.left = self.left.saturating_sub(count);
        let end = before.saturating_add(count);
        if count == all {
            return shown;
        }
        let at = self.path.join("/");
        let mut told = if count == 0 {
            format!("{at} has {all} characters, none at start_character={}", part.first)
        } else {
            format!("{at} holds characters {} to {end} of {all}", part.first)
        };
        if count > 0 && end < all {
            told.push_str(&format!(
                " (MAX_TOOL_RESPONSE_CHARS); ask for start_character={} to go on",
                end.saturating_add(1)
            ));
        }
        if !part.warning.is_empty() {
            told.push_str("; ");
            told.push_str(part.warning);
        }
        self.cuts.push(told);
        shown
    }

    /// Entries that do not fit are left out whole: half an entry would look like all of it.
    fn array(&mut self, items: Vec<Value>) -> Vec<Value> {
        let all = items.len();
        let mut out: Vec<Value> = Vec::new();
        for (at, item) in items.into_iter().take(self.items).enumerate() {
            let (cuts, removed) = (self.cuts.len(), self.removed);
            let previews = self.previews;
            self.path.push(at.to_string());
            let value = self.value(item);
            self.path.pop();
            if self.left == 0 && !out.is_empty() {
                self.cuts.truncate(cuts);
                (self.removed, self.previews) = (removed, previews);
                break;
            }
            out.push(value);
        }
        if out.len() < all {
            let kept = out.len();
            self.cuts.push(format!(
                "{} holds {kept} of {all} entries of this page; ask again with limit={kept} or less and go on \
                 page by page",
                self.path.join("/")
            ));
        }
        out
    }

    fn cleaned(&mut self, text: &str) -> String {
        let cleaned = self.redactor.clean(text);
        self.removed = self.removed.and(Removed::of(&cleaned));
        cleaned.text.into_owned()
    }

    /// Say what was cut, beside what the tool itself said.
    pub(super) fn tell_cuts(mut self, body: &mut Map<String, Value>) {
        if let Some(Preview { field, characters, how }) = self.preview.filter(|_| self.previews > 0) {
            let told =
                format!("{} {field} texts hold their first {characters} characters; {how}", self.previews);
            self.cuts.insert(0, told);
        }
        if self.cuts.is_empty() {
            return;
        }
        let more = self.cuts.len().saturating_sub(CUTS_TOLD);
        let mut told: Vec<String> = Vec::new();
        told.extend(body.get("truncated_how").and_then(Value::as_str).map(str::to_owned));
        told.extend(self.cuts.into_iter().take(CUTS_TOLD));
        if more > 0 {
            told.push(format!("{more} more cuts"));
        }
        body.insert("truncated".to_owned(), true.into());
        body.insert("truncated_how".to_owned(), told.join("; ").into());
    }
}
