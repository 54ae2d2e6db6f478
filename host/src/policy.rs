//! A policy, and reading its document. What a document means is the guest's to say (`preflight`).

use std::collections::HashMap;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::component::hex;
use crate::guest::Prepared;

/// The policy in force where none is named. The same file is built into the guest.
const BUILT_IN: &[u8] = include_bytes!("../../policy/default.yaml");
/// Largest policy document that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A policy that was checked.
#[derive(Default)]
pub(crate) struct Policy {
    /// The prepared form, by key.
    pub(crate) prepared: HashMap<String, Vec<u8>>,
    /// SHA-256 of the document, in hex.
    pub(crate) digest: String,
    /// The document itself: another guest prepares it anew.
    pub(crate) document: Vec<u8>,
}

impl Policy {
    /// What a guest has made of a document.
    pub(crate) fn of(document: &[u8], prepared: Prepared) -> Self {
        Self {
            prepared: prepared.into_iter().collect(),
            digest: digest(document),
            document: document.to_vec(),
        }
    }
}

/// SHA-256 of a document, in hex.
pub(crate) fn digest(document: &[u8]) -> String {
    hex(&Sha256::digest(document))
}

/// The document at a path, or the built-in one.
///
/// # Errors
/// It cannot be read, is no regular file, or is larger than a policy may be (`FileTooLarge`).
pub(crate) fn read(path: Option<&Path>) -> io::Result<Vec<u8>> {
    let Some(path) = path else { return Ok(BUILT_IN.to_vec()) };
    crate::regular::read(path, MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use rustix::fs::Mode;

    use super::*;

    #[test]
    fn a_pipe_that_nobody_writes_to_and_a_directory_are_refused_at_once() {
        let folder = std::env::temp_dir().join(format!("aegis-policy-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let pipe = folder.join("policy.yaml");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        for path in [pipe.as_path(), &folder, Path::new("/dev/zero")] {
            let refused = read(Some(path)).unwrap_err();
            assert_eq!(refused.to_string(), "it is no regular file", "{}", path.display());
        }
        let long = folder.join("long.yaml");
        std::fs::write(&long, vec![b'#'; 1 + (1 << 20)]).unwrap();
        assert_eq!(read(Some(&long)).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        std::fs::write(&long, vec![b'#'; 1 << 20]).unwrap();
        assert_eq!(read(Some(&long)).unwrap().len(), 1 << 20);
        let _ = std::fs::remove_dir_all(&folder);
    }
}
