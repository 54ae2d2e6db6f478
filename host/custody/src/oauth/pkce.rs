//! Proof key for code exchange (RFC 7636), method S256 only.
//!
//! Checks what clients send to us, and makes the pair that we use toward Gitea. `plain` does not exist here.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{SecretText, text};
use crate::Random;

/// A verifier is not of the form that RFC 7636 section 4.1 asks for. To the client: `invalid_grant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code_verifier is 43 to 128 letters, digits, '-', '.', '_' or '~'")]
pub struct InvalidVerifier;

/// Whether a text can be a challenge of method S256: 43 characters of unpadded base64url that stand for 32 bytes
/// (RFC 7636 section 4.2).
#[must_use]
pub fn is_challenge(challenge: &str) -> bool {
    challenge.len() == 43 && text::decode(challenge).is_some_and(|bytes| bytes.len() == 32)
}

/// The S256 challenge of a verifier.
///
/// # Errors
/// [`InvalidVerifier`] unless it is 43 to 128 unreserved characters (RFC 7636 section 4.1).
pub fn challenge(verifier: &str) -> Result<String, InvalidVerifier> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved) {
        Ok(text::encode(&Sha256::digest(verifier)))
    } else {
        Err(InvalidVerifier)
    }
}

/// Whether a verifier belongs to a challenge (RFC 7636 section 4.6), compared in constant time. An invalid one
/// belongs to none.
#[must_use]
pub fn matches(verifier: &str, expected: &str) -> bool {
    challenge(verifier).is_ok_and(|computed| computed.as_bytes().ct_eq(expected.as_bytes()).into())
}

/// A new verifier of 256 random bits and its challenge.
#[must_use]
pub fn generate(random: &dyn Random) -> (SecretText, String) {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes);
    let verifier = text::encode(&*bytes);
    let challenge = text::encode(&Sha256::digest(&verifier));
    (SecretText::new(verifier), challenge)
}
