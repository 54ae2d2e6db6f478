//! Names that the policy judges: repository, path, ref. Each is checked so that Gitea, the policy and the
//! audit trail see the same thing.

use serde_json::json;

use crate::access::Target;
use crate::tools::kit::{Arg, ArgumentError, Arguments, Field, paragraph};

const NAME_ALLOWED: &str = "must be 1 to 100 letters, digits, `.`, `_` or `-`, and not `.` or `..`";
/// Longest path in bytes.
const PATH_BYTES: usize = 4096;
/// Longest ref in bytes.
pub(super) const REF_BYTES: usize = 255;

/// A repository: `owner` and `repo` on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Repo {
    pub(in crate::tools) owner: String,
    pub(in crate::tools) repo: String,
}

/// A clean path of a file in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct RepoPath(pub(in crate::tools) String);

/// A branch, tag or commit: `ref` on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Ref(pub(in crate::tools) String);

impl Arg for Repo {
    fn fields(_name: &'static str, _doc: &[&str]) -> Vec<Field> {
        let schema = || json!({ "type": "string" });
        vec![Field::shared("owner", schema()), Field::shared("repo", schema())]
    }

    fn from_args(_name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let owner = name("owner", arguments.string("owner")?)?;
        let repo = name("repo", arguments.string("repo")?)?;
        if repo.len() >= 4 && repo.to_ascii_lowercase().ends_with(".git") {
            return Err(ArgumentError::new("repo", "must be the name without `.git`"));
        }
        Ok(Self { owner, repo })
    }

    fn target<'a>(&'a self, target: &mut Target<'a>) {
        target.repository = Some((&self.owner, &self.repo));
    }
}

impl Arg for RepoPath {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        let schema = json!({ "type": "string", "maxLength": PATH_BYTES });
        vec![Field::new(name, schema, paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let path = arguments.string(name)?;
        let refused = |message: &str| Err(ArgumentError::new(name, message));
        if path.is_empty() || path.len() > PATH_BYTES {
            return refused("must be 1 to 4096 bytes");
        }
        if path.starts_with('/') {
            return refused("must be relative to the root of the repository, without a leading `/`");
        }
        if path.contains('\\') || path.chars().any(char::is_control) {
            return refused("must not hold a backslash or control characters");
        }
        // Gitea cleans paths before it looks them up: what is not clean already would be judged by the policy
        // as another path than the one that is read.
        if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return refused("must not hold empty, `.` or `..` segments");
        }
        if path.split('/').any(|segment| segment.eq_ignore_ascii_case(".git")) {
            return refused("must not hold a `.git` segment");
        }
        Ok(Self(path))
    }

    fn target<'a>(&'a self, target: &mut Target<'a>) {
        target.paths.push(&self.0);
    }
}

impl Arg for Ref {
    fn fields(_name: &'static str, _doc: &[&str]) -> Vec<Field> {
        vec![Field::shared("ref", json!({ "type": "string" }))]
    }

    fn from_args(_name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        reference("ref", arguments.string("ref")?).map(Self)
    }

    fn target<'a>(&'a self, target: &mut Target<'a>) {
        target.reference = Some(&self.0);
    }
}

/// Check what names a branch, a tag or a commit.
pub(super) fn reference(field: &str, reference: String) -> Result<String, ArgumentError> {
    let refused = |message: &str| Err(ArgumentError::new(field, message));
    if reference.is_empty() || reference.len() > REF_BYTES {
        return refused("must be 1 to 255 bytes");
    }
    if reference.starts_with(['-', '/']) || reference.ends_with('/') {
        return refused("must not start with `-` or `/` or end with `/`");
    }
    let forbidden = |character: char| {
        character.is_control() || character.is_whitespace() || ":^~?*[\\".contains(character)
    };
    if reference.chars().any(forbidden) || ["..", "@{", "//"].iter().any(|part| reference.contains(part)) {
        return refused(
            "must be a branch, tag or commit id: no spaces, `..`, `//`, `@{` or any of : ^ ~ ? * [ \\",
        );
    }
    Ok(reference)
}

/// Check the name of a user, an organisation or a repository.
pub(super) fn name(field: &str, value: String) -> Result<String, ArgumentError> {
    let good = (1..=100).contains(&value.len())
        && !matches!(value.as_str(), "." | "..")
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if good { Ok(value) } else { Err(ArgumentError::new(field, NAME_ALLOWED)) }
}

/// The schema of such a name within a list.
pub(super) fn name_schema() -> serde_json::Value {
    json!({ "type": "string", "maxLength": 100 })
}
