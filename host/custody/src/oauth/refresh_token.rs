//! Refresh tokens: a family, a generation, and a MAC that only we can make.
//!
//! `aegis_rt_` + base64url of key id, family, generation and HMAC-SHA256 + `_` + checksum. There is no chance in
//! one: the token of a generation is the same text however often it is computed, so that two refreshes at once are
//! answered with one successor (RFC 6749 section 6, RFC 9700 section 4.14.2). Which generation is current, and
//! when a used one may come again, is for the caller to know.

use subtle::ConstantTimeEq as _;

use super::keys::{Keyring, Kid, Label, RootKeys};
use super::wire::{Reader, Writer};
use super::{SecretText, text};

/// How every refresh token begins.
pub const PREFIX: &str = "aegis_rt_";

/// Characters of a refresh token: prefix, 56 bytes as base64url, `_` and checksum.
pub const LENGTH: usize = 9 + 75 + 9;

/// Why a refresh token is not accepted. To the client each is `invalid_grant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// Not one of our refresh tokens: another kind of token, cut off, or mistyped.
    #[error("not a refresh token of this server")]
    Malformed,
    /// Made under a root that is not in the keyring (any more).
    #[error("the refresh token was issued under a key that is not held")]
    UnknownKey,
    /// Changed, or issued to another client.
    #[error("the refresh token is forged or was issued to another client")]
    Forged,
}

/// A genuine refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The family of tokens that came from one sign-in.
    pub family: [u8; 16],
    /// How often the family had been refreshed when this token was made.
    pub generation: u32,
    /// The root it was made under.
    pub kid: Kid,
}

/// The refresh token of a generation under the root `kid`: [`Keyring::newest_kid`] for a new generation, the one
/// noted then for a generation that is told again, so that a rotation of keys between the two changes nothing.
/// None when that root is not in the keyring.
#[must_use]
pub fn issue(
    keyring: &Keyring,
    kid: Kid,
    family: [u8; 16],
    generation: u32,
    client_id: &str,
) -> Option<SecretText> {
    let presented = Presented { family, generation, kid };
    let mac = mac(keyring.find(kid)?, presented, client_id);
    let bytes =
        Writer::with_capacity(56).bytes(&kid.0).bytes(&family).bytes(&generation.to_be_bytes()).bytes(&mac);
    Some(text::frame(PREFIX, &bytes.finish()))
}

/// What a presented token is, when it is genuine and was issued to `client_id`.
///
/// # Errors
/// [`RefreshError`]; a token of another client cannot be told from a forged one.
pub fn verify(token: &str, keyring: &Keyring, client_id: &str) -> Result<Presented, RefreshError> {
    let bytes = text::unframe(PREFIX, token, LENGTH).ok_or(RefreshError::Malformed)?;
    let (presented, tag) = read(&bytes).ok_or(RefreshError::Malformed)?;
    let keys = keyring.find(presented.kid).ok_or(RefreshError::UnknownKey)?;
    if bool::from(mac(keys, presented, client_id).ct_eq(&tag)) {
        Ok(presented)
    } else {
        Err(RefreshError::Forged)
    }
}

fn read(bytes: &[u8]) -> Option<(Presented, [u8; 32])> {
    let mut reader = Reader::new(bytes);
    let kid = Kid(reader.array()?);
    let family = reader.array()?;
    let generation = u32::from_be_bytes(reader.array()?);
    let tag = reader.array()?;
    reader.rest().is_empty().then_some((Presented { family, generation, kid }, tag))
}

/// All parts before the client id have a fixed length, so no two inputs agree.
fn mac(keys: &RootKeys, presented: Presented, client_id: &str) -> [u8; 32] {
    let Presented { family, generation, kid } = presented;
    keys.key(Label::RefreshToken).mac(&[&kid.0, &family, &generation.to_be_bytes(), client_id.as_bytes()])
}
