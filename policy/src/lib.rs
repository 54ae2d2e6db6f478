//! The YAML policy of AegisGitea-MCP: a document and a request in, a decision with reasons out.
//!
//! Pure: no clock, no file, no network, no randomness. Two moments, kept apart because they cost differently:
//!
//! 1. *Before anything is served*, [`Document::parse`] checks a whole document and lists every problem in it,
//!    and [`Document::prepare`] cuts it into one small entry per repository key.
//! 2. *In each request*, [`Rules::from_prepared`] loads the global entry and at most two repository entries,
//!    and [`Rules::decide`] answers. Nothing of the YAML reader runs here.
//!
//! What must not happen: an answer other than deny when something could not be understood. The language is
//! described in `docs/policy.md`; `policy/cases` holds it as a table that a test runs.

mod corrupt;
mod decision;
mod document;
mod grammar;
mod hidden;
mod names;
mod near;
mod path;
mod pattern;
mod prepared;
mod problem;
mod rules;
mod schema;
mod shape;
mod yaml;

pub mod cases;

#[cfg(test)]
mod tests;

pub use corrupt::Corrupt;
pub use decision::{Class, Decision, Effect, Reason, Request};
pub use document::Document;
pub use near::nearest;
pub use prepared::{GLOBALS_KEY, entry_keys};
pub use problem::Problem;
pub use rules::{Rules, Step, Verdict};
pub use schema::{KnownTool, schema};

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// The policy in force where an operator wrote none: reads allowed, writes denied.
pub const DEFAULT_DOCUMENT: &str = include_str!("../default.yaml");

/// The tool whose permission decides whether a repository appears in a listing of repositories.
pub const LISTING_TOOL: &str = "get_repository_info";

/// Tools that name a path in their arguments: a request for one of them without a path is denied.
pub const PATH_TOOLS: &[&str] = &["get_file_contents"];

/// SHA-256 of a policy document's bytes as 64 lower-case hex digits. It names the document in audit entries.
pub fn digest(yaml: &[u8]) -> String {
    Sha256::digest(yaml).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
