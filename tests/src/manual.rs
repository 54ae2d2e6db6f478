//! The project's documents, read as Markdown: their links, anchors and blocks of commands; and the wiki that is made of them.

pub mod markdown;
pub mod marked;
pub mod wiki;

use std::path::{Path, PathBuf};

/// A document of the tree.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its path from the root of the tree, with slashes.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// The root of the tree.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The Markdown below a folder of the tree, in order, or the one file of that name.
///
/// # Errors
/// It cannot be read.
pub fn documents(root: &Path, at: &str) -> std::io::Result<Vec<Document>> {
    let place = root.join(at);
    if place.is_file() {
        return Ok(vec![Document { path: at.to_owned(), text: std::fs::read_to_string(place)? }]);
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&place)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() || name.ends_with(".md") {
            names.push(name);
        }
    }
    names.sort();
    let mut found = Vec::new();
    for name in names {
        found.extend(documents(root, &format!("{at}/{name}"))?);
    }
    Ok(found)
}

/// Where a relative link of a document leads, from the root of the tree; none where it leads out of it.
#[must_use]
pub fn resolve(document: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
