//! Beginnings of conversations: what people ask for daily, put so that an assistant knows which tools to use.
//!
//! A prompt is words. It reads nothing from Gitea and does nothing; what the person filled in stands in it as they wrote
//! it.

mod daily;
#[cfg(test)]
mod tests;

use aegis_redaction::{Mode, Redactor};
use serde_json::{Map, Value, json};

use crate::client::{Client, Unasked};
use crate::completion::Completes;

/// Most characters of one value that a person fills in.
const MOST: usize = 4_000;

/// A prompt.
pub trait Prompt: Sync {
    /// The name on the wire.
    fn name(&self) -> &'static str;
    /// A short name for people.
    fn title(&self) -> &'static str;
    /// What it is for, in a sentence.
    fn description(&self) -> &'static str;
    /// What a person fills in.
    fn blanks(&self) -> &'static [Blank];
    /// The tools without which it leads nowhere. Where one of them is not offered, neither is the prompt; what it names
    /// besides is left to the person to allow.
    fn tools(&self) -> &'static [&'static str];
    /// The messages, with what was filled in.
    fn messages(&self, filled: &Filled) -> Vec<Value>;
    /// The same, after asking the client for what only its person knows.
    ///
    /// # Errors
    /// There are no replies, or not yet.
    fn fill(&self, filled: &Filled, _client: &dyn Client) -> Result<Vec<Value>, Unasked> {
        Ok(self.messages(filled))
    }

    /// As `prompts/list` shows it.
    fn definition(&self) -> Value {
        let arguments = self.blanks().iter().map(|blank| {
            json!({ "name": blank.name, "title": blank.title, "description": blank.description,
                "required": blank.required })
        });
        let arguments: Vec<Value> = arguments.collect();
        json!({ "name": self.name(), "title": self.title(), "description": self.description(),
            "arguments": arguments })
    }
}

/// Something that a person fills in.
#[derive(Clone, Copy, Debug)]
pub struct Blank {
    /// The name on the wire.
    pub name: &'static str,
    /// A short name for people.
    pub title: &'static str,
    /// What belongs there.
    pub description: &'static str,
    /// Nothing can be asked without it.
    pub required: bool,
    /// What is suggested while it is typed.
    pub completes: Completes,
}

/// What a person filled in, checked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filled(Vec<(&'static str, String)>);

impl Filled {
    /// Check what was filled in against the blanks. What is said with it is cleaned in `mode`: it comes back to the
    /// client, and a secret that was pasted into it goes on from there.
    ///
    /// # Errors
    /// Says which value is missing, unknown, no string or too long.
    pub fn of(prompt: &dyn Prompt, arguments: &Map<String, Value>, mode: Mode) -> Result<Self, String> {
        let blanks = prompt.blanks();
        if let Some(name) = arguments.keys().find(|name| blanks.iter().all(|blank| blank.name != **name)) {
            let known: Vec<&str> = blanks.iter().map(|blank| blank.name).collect();
            let name: String = name.chars().take(64).filter(|c| c.is_ascii_graphic()).collect();
            return Err(format!("This prompt has no argument {name}; it has: {}.", known.join(", ")));
        }
        let mut filled = Vec::new();
        for blank in blanks {
            match arguments.get(blank.name) {
                Some(Value::String(text)) if text.chars().count() > MOST => {
                    return Err(format!("{} is longer than {MOST} characters.", blank.name));
                }
                Some(Value::String(text)) if !text.trim().is_empty() => {
                    if !blank.completes.takes(text) {
                        return Err(format!("This text cannot be the value of {}.", blank.name));
                    }
                    let cleaned = Redactor::new(mode).clean(text);
                    if cleaned.hostile > 0 {
                        return Err(format!("{} holds characters that nobody can see.", blank.name));
                    }
                    filled.push((blank.name, cleaned.text.into_owned()));
                }
                Some(Value::String(_)) | None if blank.required => {
                    return Err(format!("{} is required.", blank.name));
                }
                Some(Value::String(_)) | None => {}
                Some(_) => return Err(format!("{} is a string.", blank.name)),
            }
        }
        Ok(Self(filled))
    }

    /// A value; empty where nothing was filled in.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
    }
}

/// What the person says, as one message.
#[must_use]
pub fn said(text: &str) -> Value {
    json!({ "role": "user", "content": { "type": "text", "text": text } })
}

/// The product's prompts.
pub static PROMPTS: &[&dyn Prompt] = daily::PROMPTS;
