//! The policy language as tables (`policy/cases`), the shipped documents, and properties over small spaces.

mod bounds;
mod monotone;
mod prepared;
mod tables;

use crate::{Class, Decision, Document, Request, Rules};

/// Parse a document that is expected to be right.
fn document(yaml: &str) -> Document {
    Document::parse(yaml.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}\n{yaml}"))
}

/// Load the rules of a document for a target.
fn rules(document: &Document, target: Option<(&str, &str)>) -> Rules {
    let prepared = document.prepare();
    let get = |key: &str| prepared.iter().find(|(name, _)| name == key).map(|(_, bytes)| bytes.clone());
    Rules::from_prepared(get, target).expect("what prepare wrote reads back")
}

/// Decide one call.
fn decide(
    document: &Document,
    tool: &str,
    class: Class,
    repository: (&str, &str),
    paths: &[&str],
) -> Decision {
    let request = Request { tool, class, repository: Some(repository), paths };
    rules(document, Some(repository)).decide(&request)
}
