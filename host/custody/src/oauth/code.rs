//! Authorization codes, ids, and the fingerprints by which audit lines name secrets.
//!
//! A code is 32 random bytes behind a prefix; whoever keeps one keeps its SHA-256 alone. What a code stands for, and
//! that it is used once, is for the caller to hold.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::keys::{Keyring, Label};
use super::{SecretText, text};
use crate::Random;

/// How every authorization code begins.
pub const PREFIX: &str = "aegis_code_";

/// Characters of a code: the prefix and 32 bytes as base64url.
pub const LENGTH: usize = 11 + 43;

/// A presented text is no authorization code of ours. To the client: `invalid_grant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an authorization code of this server")]
pub struct NotACode;

/// A new code, and the hash to keep in its place.
#[must_use]
pub fn generate(random: &dyn Random) -> (SecretText, [u8; 32]) {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes);
    let code = format!("{PREFIX}{}", text::encode(&*bytes));
    let hash = Sha256::digest(&code).into();
    (SecretText::new(code), hash)
}

/// The hash under which a presented code was kept.
///
/// # Errors
/// [`NotACode`] for anything that [`generate`] cannot have made, such as a code of Gitea's.
pub fn hash(presented: &str) -> Result<[u8; 32], NotACode> {
    let body = presented.strip_prefix(PREFIX).filter(|_| presented.len() == LENGTH).ok_or(NotACode)?;
    let bytes = text::decode(body).map(Zeroizing::new).ok_or(NotACode)?;
    if bytes.len() == 32 { Ok(Sha256::digest(presented).into()) } else { Err(NotACode) }
}

/// Sixteen random bytes, as the name of a family or a token.
#[must_use]
pub fn new_id(random: &dyn Random) -> [u8; 16] {
    let mut id = [0; 16];
    random.fill(&mut id);
    id
}

/// Twelve hex digits that name a secret in an audit line: the same for the same secret under one root, and nothing
/// to guess the secret by. They change when the newest root does.
#[must_use]
pub fn fingerprint(keyring: &Keyring, secret: &[u8]) -> String {
    let mac = keyring.newest().key(Label::Fingerprint).mac(&[secret]);
    text::hex(mac.first_chunk::<6>().map_or(&[], |head| head.as_slice()))
}
