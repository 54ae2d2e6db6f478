//! What a release is named by and where its tag is put.

use serde_json::json;

use super::names::reference;
use super::numbers::{LARGEST, counted, integer};
use crate::access::Target;
use crate::audit;
use crate::ports::Recorded;
use crate::tools::kit::{Arg, ArgumentError, Arguments, Field, paragraph};

/// Longest tag in bytes: what Gitea's database column holds.
const BYTES: usize = 255;

/// Gitea's id of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tools) struct ReleaseId(pub(in crate::tools) u64);

/// The name of a tag that may not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct TagName(pub(in crate::tools) String);

/// A branch, tag or commit that a new tag is to be put on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct TagTarget(pub(in crate::tools) String);

impl Arg for ReleaseId {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, counted(), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        integer(name, &arguments.required(name)?, LARGEST).map(Self)
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0.to_string())));
    }
}

impl Arg for TagName {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "string", "maxLength": BYTES }), paragraph(doc))]
    }

    /// By git's rules for the name of a ref.
    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let tag = reference(name, arguments.string(name)?)?;
        let odd = |part: &str| part.starts_with('.') || part.ends_with(".lock");
        if tag == "@" || tag.ends_with('.') || tag.split('/').any(odd) {
            return Err(ArgumentError::new(
                name,
                "must be a name that git takes for a tag: no part starts with `.` or ends with `.lock`, and it \
                 does not end with `.`",
            ));
        }
        if matches!(tag.len(), 40 | 64) && tag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ArgumentError::new(name, "must not look like the id of a commit"));
        }
        Ok(Self(tag))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0)));
    }
}

impl Arg for TagTarget {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "string", "maxLength": BYTES }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        reference(name, arguments.string(name)?).map(Self)
    }

    fn target<'a>(&'a self, target: &mut Target<'a>) {
        target.reference = Some(&self.0);
    }
}
