//! The public key that signs a log's checkpoints, and the name under which it does. It holds no private key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::hash::hex;

/// What the origin of every log begins with; the log's id follows.
pub(super) const ORIGIN: &str = "aegis-audit/";

/// The signature type of Ed25519 over the text of a note.
const ED25519: u8 = 1;

/// The public half of the key that signs a log's checkpoints, as a `vkey`: name, key id and key, joined by `+`.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    log_id: String,
    key: [u8; 32],
}

/// A text that is no public key of an audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key of the form aegis-audit/<log id>+<key id>+<base64>")]
pub struct InvalidKey;

impl PublicKey {
    /// The name under which an Ed25519 key signs for a log.
    #[must_use]
    pub fn new(log_id: &str, key: [u8; 32]) -> Self {
        Self { log_id: log_id.to_owned(), key }
    }

    /// The Ed25519 public key (RFC 8032).
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.key
    }

    /// The log that it signs for.
    #[must_use]
    pub fn log_id(&self) -> &str {
        &self.log_id
    }

    pub(super) fn name(&self) -> String {
        format!("{ORIGIN}{}", self.log_id)
    }

    /// The first four bytes of SHA-256 over name, line feed, type and key.
    pub(super) fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name())
            .chain_update([b'\n', ED25519])
            .chain_update(self.key)
            .finalize();
        let mut id = [0; 4];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        id
    }

    /// What an outgoing key signs to make this its successor.
    #[must_use]
    pub fn handover_text(&self) -> String {
        format!("aegis-audit handover v1\n{self}\n")
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+", self.name())?;
        hex(f, &self.id())?;
        let typed: Vec<u8> = std::iter::once(ED25519).chain(self.key).collect();
        write!(f, "+{}", STANDARD.encode(typed))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        // Base64 has a `+` of its own, so only the first two are looked for.
        let mut parts = text.splitn(3, '+');
        let (name, id, key) = (parts.next(), parts.next(), parts.next());
        let log_id = name.and_then(|name| name.strip_prefix(ORIGIN)).filter(|id| is_log_id(id));
        let typed = key.and_then(|key| STANDARD.decode(key).ok()).ok_or(InvalidKey)?;
        let key = typed.strip_prefix(&[ED25519]).and_then(|key| key.try_into().ok()).ok_or(InvalidKey)?;
        let read = Self::new(log_id.ok_or(InvalidKey)?, key);
        let mut stated = String::new();
        let _ = hex(&mut stated, &read.id());
        if id == Some(&stated) { Ok(read) } else { Err(InvalidKey) }
    }
}

/// Whether it is 32 hex digits in lower case.
pub(super) fn is_log_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
