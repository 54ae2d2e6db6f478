//! Secrets of clients that the operator lists in `OAUTH_CLIENTS_FILE`: how one is made, written down hashed, and
//! checked.
//!
//! `sha256:<salt>:<digest>`, 16 and 32 bytes in lower-case hex, where digest = SHA-256(salt bytes, then the secret).
//! There is nothing slow about it, and nothing need be: a secret that was generated has 256 bits to guess. One too
//! short to be that is refused when it is to be hashed.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{SecretText, text};
use crate::Random;

/// How a secret made by [`generate`] begins.
pub const PREFIX: &str = "aegis_cs_";

/// Fewest bytes of a secret that may be hashed: 32 random bytes written as base64url.
pub const MIN_BYTES: usize = 43;

/// Most bytes of a secret.
pub const MAX_BYTES: usize = 512;

/// The secret is not one to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client secret is 32 random bytes or more, as {MIN_BYTES} to {MAX_BYTES} characters: generate one")]
pub struct UnfitSecret;

/// What is wrong with the text of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// It does not begin with `sha256:`.
    #[error("a hashed client secret begins with sha256:, this one may be the secret itself")]
    Scheme,
    /// There are not two parts after `sha256:`.
    #[error("a hashed client secret has the form sha256:<salt>:<digest>")]
    Parts,
    /// The salt is not 16 bytes of hex.
    #[error("the salt of a hashed client secret is 32 lower-case hex digits")]
    Salt,
    /// The digest is not 32 bytes of hex.
    #[error("the digest of a hashed client secret is 64 lower-case hex digits")]
    Digest,
}

/// A hashed secret. `Display` writes it, [`FromStr`] reads it; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SecretHash {
    salt: [u8; 16],
    digest: [u8; 32],
}

/// A new secret of 256 random bits.
#[must_use]
pub fn generate(random: &dyn Random) -> SecretText {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes);
    SecretText::new(format!("{PREFIX}{}", text::encode(&*bytes)))
}

impl SecretHash {
    /// Hash a secret under a new salt.
    ///
    /// # Errors
    /// [`UnfitSecret`] when it is shorter than [`MIN_BYTES`] or longer than [`MAX_BYTES`].
    pub fn of(secret: &str, random: &dyn Random) -> Result<Self, UnfitSecret> {
        if !(MIN_BYTES..=MAX_BYTES).contains(&secret.len()) {
            return Err(UnfitSecret);
        }
        let mut salt = [0; 16];
        random.fill(&mut salt);
        Ok(Self { salt, digest: digest(&salt, secret) })
    }

    /// Whether this is the hash of a presented secret, in constant time.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        presented.len() <= MAX_BYTES && digest(&self.salt, presented).ct_eq(&self.digest).into()
    }
}

fn digest(salt: &[u8; 16], secret: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(secret).finalize().into()
}

impl FromStr for SecretHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let parts = text.strip_prefix("sha256:").ok_or(HashError::Scheme)?;
        let (salt, digest) = parts.split_once(':').ok_or(HashError::Parts)?;
        if digest.contains(':') {
            return Err(HashError::Parts);
        }
        let salt = text::unhex(salt).ok_or(HashError::Salt)?;
        Ok(Self { salt, digest: text::unhex(digest).ok_or(HashError::Digest)? })
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}:{}", text::hex(&self.salt), text::hex(&self.digest))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}
