//! One change of a log, as edits of its files, and what verification must say to it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::base::Base;

/// What verification must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Damage.
    Found,
    /// Damage, or a tail that was never acknowledged: in the last line nobody can tell.
    FoundOrTorn,
    /// Lines were cut off behind the last checkpoint that is known: no damage that anybody can see.
    Unsigned,
    /// Earlier segments or all checkpoints are missing, which may be on purpose.
    Gap,
    /// Valid by itself: only who knows the key or an anchor can tell.
    Believed,
}

impl Expect {
    pub fn allows(self, code: u8) -> bool {
        match self {
            Self::Found => code == 1,
            Self::FoundOrTorn => code == 1 || code == 3,
            Self::Unsigned => code == 0 || code == 3,
            Self::Gap => code == 4,
            Self::Believed => code == 0,
        }
    }
}

/// A change of one file.
#[derive(Clone, Debug)]
pub enum Edit {
    /// So many bytes at a place are replaced; a file that is not there is empty.
    Put { file: String, at: usize, cut: usize, put: Vec<u8> },
    /// The file is gone.
    Remove(String),
}

#[derive(Clone, Debug)]
pub struct Case {
    pub what: String,
    pub edits: Vec<Edit>,
    /// Whether the last checkpoint is known from elsewhere.
    pub anchored: bool,
    /// The key as it is known from elsewhere.
    pub key: Option<String>,
    pub expect: Expect,
}

impl Case {
    pub fn new(what: String, edits: Vec<Edit>, expect: Expect) -> Self {
        Self { what, edits, anchored: false, key: None, expect }
    }

    pub fn anchored(mut self) -> Self {
        self.anchored = true;
        self
    }

    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// The files after the change.
    pub fn files(&self, base: &Base) -> BTreeMap<String, Vec<u8>> {
        let mut files = base.files.clone();
        for edit in &self.edits {
            match edit {
                Edit::Remove(file) => drop(files.remove(file)),
                Edit::Put { file, at, cut, put } => {
                    let bytes = files.entry(file.clone()).or_default();
                    bytes.splice(*at..at + cut, put.iter().copied());
                }
            }
        }
        files
    }

    /// For the second verifier, which has the base already.
    pub fn json(&self, base: &Base) -> Value {
        let edits: Vec<Value> = self
            .edits
            .iter()
            .map(|edit| match edit {
                Edit::Remove(file) => json!([file]),
                Edit::Put { file, at, cut, put } => json!([file, at, cut, STANDARD.encode(put)]),
            })
            .collect();
        let anchors: Vec<String> = Some(&base.anchor)
            .filter(|_| self.anchored)
            .map(|note| STANDARD.encode(note))
            .into_iter()
            .collect();
        let mut case = json!({"edits": edits, "anchors": anchors});
        if let Some(key) = &self.key {
            case["key"] = key.as_str().into();
        }
        case
    }
}
