//! What can be read by address: the product's resources, each a view of what its tools answer.
//!
//! A resource has no way to Gitea of its own. It asks for tool calls by name, and every one of them takes the way of any
//! call: permit, intent on record, policy, bounds, masking. Nothing here may show more than those answers hold.

mod address;
mod repository;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

pub use address::{Address, Variables};

use crate::completion::Completes;
use crate::tools::{Run, Stopped};

/// Something that can be read by address.
pub trait Resource: Sync {
    /// Its address, or the pattern of its addresses.
    fn address(&self) -> Address;
    /// A short name for programs.
    fn name(&self) -> &'static str;
    /// A short name for people.
    fn title(&self) -> &'static str;
    /// When one wants it, in a sentence.
    fn description(&self) -> &'static str;
    /// The media type of what is read first.
    fn mime_type(&self) -> &'static str;
    /// What the variables of its address are, for suggestions.
    fn completes(&self) -> &'static [(&'static str, Completes)];
    /// Whether a client may subscribe to changes of one.
    fn watched(&self) -> bool {
        false
    }
    /// The tools that reading it takes. Where one of them is not offered, neither is the resource.
    fn tools(&self) -> &'static [&'static str];
    /// Read one.
    ///
    /// # Errors
    /// Nothing is there, or a call that it needs was refused or failed.
    fn read(&self, at: &Variables, tools: &mut dyn Run) -> Result<Vec<Content>, Unread>;

    /// As a client is shown it, in `resources/list` or `resources/templates/list`.
    fn definition(&self) -> Value {
        let (key, text) = match self.address() {
            Address::One(uri) => ("uri", uri),
            Address::Many(template) => ("uriTemplate", template),
        };
        json!({ key: text, "name": self.name(), "title": self.title(), "description": self.description(),
            "mimeType": self.mime_type() })
    }
}

/// Why nothing was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// There is nothing at this address.
    Missing,
    /// A call did not succeed.
    Stopped,
}

impl From<Stopped> for Unread {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// A part of what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What stands after the address that was asked for; nothing for the first part.
    pub suffix: &'static str,
    /// Media type.
    pub mime_type: &'static str,
    /// What it holds.
    pub body: Body,
}

/// What a part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Text.
    Text(String),
    /// Bytes, in base64.
    Blob(String),
}

impl Content {
    /// A text.
    #[must_use]
    pub fn text(mime_type: &'static str, text: String) -> Self {
        Self { suffix: "", mime_type, body: Body::Text(text) }
    }

    /// The same part under another address.
    #[must_use]
    pub fn at(self, suffix: &'static str) -> Self {
        Self { suffix, ..self }
    }

    /// As `contents` of `resources/read` holds it.
    #[must_use]
    pub fn told(&self, uri: &str) -> Value {
        let (key, text) = match &self.body {
            Body::Text(text) => ("text", text),
            Body::Blob(base64) => ("blob", base64),
        };
        json!({ "uri": format!("{uri}{}", self.suffix), "mimeType": self.mime_type, key: text })
    }
}

/// The product's resources.
pub static RESOURCES: &[&dyn Resource] = repository::RESOURCES;
