//! The prepared form: a parsed document cut into one small entry per repository key, and back.
//!
//! Entries are compact JSON and versioned. They are written and read by this crate alone, by the same build
//! of it; whatever does not read back exactly is corrupt, never empty.

use crate::corrupt::Corrupt;
use crate::decision::{Class, Effect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Key of the entry that every request loads: the defaults and the rules for tools in general.
pub const GLOBALS_KEY: &str = "globals";

/// Version of the form of the entries.
const VERSION: u32 = 2;

/// The keys under which rules for a repository may be prepared, the wider one first: `owner/*` and
/// `owner/repo`, both in lower case, since Gitea compares these names without case.
pub fn entry_keys(owner: &str, repo: &str) -> [String; 2] {
    let owner = owner.to_ascii_lowercase();
    let repo = repo.to_ascii_lowercase();
    [format!("{owner}/*"), format!("{owner}/{repo}")]
}

/// A name or pattern, and the line of the document on which it stands; the column is for telling mistakes alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line(pub(crate) String, pub(crate) u32, #[serde(skip)] pub(crate) u32);

/// An allow list and a deny list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lists {
    pub(crate) allow: Vec<Line>,
    pub(crate) deny: Vec<Line>,
}

/// What holds where no rule names a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fallback {
    pub(crate) allow: bool,
    /// Line of the document; 0 where it is the built-in default.
    pub(crate) line: u32,
}

impl Fallback {
    pub(crate) fn effect(self) -> Effect {
        if self.allow { Effect::Allow } else { Effect::Deny }
    }
}

/// What applies whatever the repository is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Globals {
    pub(crate) read: Fallback,
    pub(crate) write: Fallback,
    pub(crate) tools: Lists,
    /// Tools that the allow list of some repository names, sorted: what [`crate::Rules::possible`] has to know of entries
    /// that are not loaded.
    pub(crate) opened: Vec<String>,
}

impl Globals {
    pub(crate) fn default_for(&self, class: Class) -> Fallback {
        match class {
            Class::Read => self.read,
            Class::Write => self.write,
        }
    }
}

/// What applies to one repository, or to all repositories of one owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repository {
    pub(crate) tools: Lists,
    pub(crate) paths: Lists,
}

/// What an entry is made of. It names its key, so that one entry cannot pass for another.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<T> {
    version: u32,
    key: String,
    rules: T,
}

pub(crate) fn write<T: Serialize>(key: &str, rules: &T) -> Vec<u8> {
    // These types hold nothing that JSON cannot say. An empty entry, should it ever come to that, is corrupt
    // when read, and so denies.
    serde_json::to_vec(&Envelope { version: VERSION, key: key.to_owned(), rules }).unwrap_or_default()
}

pub(crate) fn read<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, Corrupt> {
    let entry: Envelope<T> =
        serde_json::from_slice(bytes).map_err(|error| Corrupt::new(key, error.to_string()))?;
    if entry.version != VERSION {
        return Err(Corrupt::new(key, format!("version {} instead of {VERSION}", entry.version)));
    }
    if entry.key != key {
        return Err(Corrupt::new(key, format!("it is the entry of {:?}", entry.key)));
    }
    Ok(entry.rules)
}
