//! The policy in force, and reading its document. What a document means is the guest's to say (`preflight`).

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};

use crate::component::hex;

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
}

/// The policy in force. A request takes it once, when it begins, and sees no other.
#[derive(Default)]
pub(crate) struct InForce(RwLock<Arc<Policy>>);

impl InForce {
    /// The policy of whatever begins now.
    pub(crate) fn now(&self) -> Arc<Policy> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This one from now on.
    pub(crate) fn set(&self, policy: Policy) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }
}

/// SHA-256 of a document, in hex.
pub(crate) fn digest(document: &[u8]) -> String {
    hex(&Sha256::digest(document))
}

/// The document at a path, or the built-in one.
///
/// # Errors
/// It cannot be read, or is larger than a policy may be.
pub(crate) fn read(path: Option<&Path>) -> io::Result<Vec<u8>> {
    let Some(path) = path else { return Ok(BUILT_IN.to_vec()) };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    io::Read::read_to_end(&mut io::Read::take(file, MAX_BYTES + 1), &mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
}
