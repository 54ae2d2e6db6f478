//! The text of the optional keyring file, in which root secrets are rotated.
//!
//! One root a line, 32 bytes as unpadded base64url, the newest first; empty lines and lines that begin with `#` do
//! not count. The root of the setting `OAUTH_STATE_SECRET` comes after all of them as the oldest, so the file holds
//! one root fewer than a keyring. This module sees text only; reading and replacing the file is the caller's work.

use zeroize::Zeroizing;

use super::keys::{MAX_ROOTS, Root};
use super::{SecretText, text};
use crate::Random;

/// Most roots in the file.
pub const MAX_LINES: usize = MAX_ROOTS - 1;

/// Longest accepted file in bytes.
pub const MAX_BYTES: usize = 16 * 1024;

/// Bytes of each root in the file.
const ROOT_BYTES: usize = 32;

/// Begins a file that did not exist before.
const HEADING: &str = "\
# Root secrets of AegisGitea-MCP, newest first, one a line. Keep this file as secret as a private key.
# Removing a line makes everything issued under it worthless.
";

/// What is wrong with a keyring file. Nothing of its content is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// A line is no root.
    #[error("line {line} of the keyring file is not 32 bytes as unpadded base64url (43 characters)")]
    NotARoot {
        /// Which line, from 1.
        line: usize,
    },
    /// A root stands in the file twice.
    #[error("line {line} of the keyring file repeats line {first}: remove one of them")]
    Repeated {
        /// The later line, from 1.
        line: usize,
        /// The earlier line, from 1.
        first: usize,
    },
    /// There are more than [`MAX_LINES`] roots.
    #[error("line {line} of the keyring file is one root too many: at most {MAX_LINES}, remove the oldest")]
    TooMany {
        /// The first line too many, from 1.
        line: usize,
    },
    /// There are [`MAX_LINES`] roots, so none can be added.
    #[error(
        "the keyring file is full with {MAX_LINES} roots: remove the last one first; what it protects ends"
    )]
    Full,
    /// The file is longer than [`MAX_BYTES`].
    #[error("the keyring file is longer than {MAX_BYTES} bytes")]
    TooLong,
}

/// The roots of a keyring file, newest first; none for an empty file.
///
/// # Errors
/// [`FileError`] names the first line that is wrong.
pub fn parse(file: &str) -> Result<Vec<Root>, FileError> {
    Ok(lines(file)?.into_iter().map(|(_, root)| root).collect())
}

/// The file with a new random root as the newest; comments and the other roots stay as they are.
///
/// # Errors
/// [`FileError`] as [`parse`], and `Full` when there is no room.
pub fn with_new_root(file: &str, random: &dyn Random) -> Result<SecretText, FileError> {
    let known = lines(file)?;
    if known.len() >= MAX_LINES {
        return Err(FileError::Full);
    }
    let mut root = Zeroizing::new([0; ROOT_BYTES]);
    random.fill(&mut *root);
    let new = Zeroizing::new(text::encode(&*root));
    let first = known.first().map_or(usize::MAX, |(line, _)| *line);
    let mut out = String::from(if file.is_empty() { HEADING } else { "" });
    out.reserve(file.len() + new.len() + 2);
    let mut put = |line: &str| {
        out.push_str(line);
        out.push('\n');
    };
    for (number, line) in numbered(file) {
        if number == first {
            put(&new);
        }
        put(line);
    }
    if known.is_empty() {
        put(&new);
    }
    Ok(SecretText::new(out))
}

fn numbered(file: &str) -> impl Iterator<Item = (usize, &str)> {
    file.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// The roots with the number of their lines.
fn lines(file: &str) -> Result<Vec<(usize, Root)>, FileError> {
    if file.len() > MAX_BYTES {
        return Err(FileError::TooLong);
    }
    let mut roots: Vec<(usize, Root)> = Vec::new();
    for (line, content) in numbered(file) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let bytes = text::decode(content).filter(|bytes| bytes.len() == ROOT_BYTES);
        let root = Root::new(bytes.ok_or(FileError::NotARoot { line })?);
        if let Some((first, _)) = roots.iter().find(|(_, other)| other.bytes() == root.bytes()) {
            return Err(FileError::Repeated { line, first: *first });
        }
        if roots.len() == MAX_LINES {
            return Err(FileError::TooMany { line });
        }
        roots.push((line, root));
    }
    Ok(roots)
}
