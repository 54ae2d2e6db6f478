//! Sealing: bytes that nobody else can read or change, good for one purpose, one binding and a time.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) under a key that exists for the purpose alone; purpose, key id
//! and the caller's binding are associated data as well. A sealed value is the key id (4 bytes), the nonce (24),
//! and the ciphertext of the expiry (8 bytes, Unix seconds) and the content. The nonce is random: at 192 bits it
//! need not be counted. What is sealed can be opened any number of times; single use is for the caller to hold.
//!
//! Access tokens are sealed too, but not by a [`Purpose`]: only [`super::access_token`] makes and opens them.

use std::fmt;

use chacha20poly1305::aead::{Aead as _, Payload};
use zeroize::Zeroizing;

use super::keys::{Key, Keyring, Kid, Label};
use super::text;
use super::wire::{Reader, Writer};
use crate::{Random, Timestamp};

/// Most bytes of content in a sealed value.
pub const MAX_CONTENT: usize = 64 * 1024;

/// Bytes that sealing adds to the content: key id, nonce, expiry and authentication tag.
pub const OVERHEAD: usize = 4 + NONCE + 8 + 16;

const NONCE: usize = 24;

/// What a sealed value is for. A value sealed for one purpose does not open for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The `state` of a login while the person is at Gitea.
    State,
    /// The request that a consent page asks about.
    Consent,
    /// That a person approved a client.
    Approval,
    /// The cookie that ties a login to one browser.
    Cookie,
    /// The token that a form of ours must carry back.
    Csrf,
    /// A user's Gitea tokens at rest.
    Grant,
    /// The position in a list.
    Cursor,
    /// That a person confirmed a change.
    Confirmation,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 8] = [
        Self::State,
        Self::Consent,
        Self::Approval,
        Self::Cookie,
        Self::Csrf,
        Self::Grant,
        Self::Cursor,
        Self::Confirmation,
    ];

    fn label(self) -> Label {
        match self {
            Self::State => Label::State,
            Self::Consent => Label::Consent,
            Self::Approval => Label::Approval,
            Self::Cookie => Label::Cookie,
            Self::Csrf => Label::Csrf,
            Self::Grant => Label::Grant,
            Self::Cursor => Label::Cursor,
            Self::Confirmation => Label::Confirmation,
        }
    }
}

/// The content is longer than [`MAX_CONTENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes cannot be sealed: at most {MAX_CONTENT}")]
pub struct TooLong {
    /// Bytes given.
    pub bytes: usize,
}

/// Why a sealed value is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a sealed value at all: the wrong alphabet, too short or too long.
    #[error("not a sealed value")]
    Malformed,
    /// Sealed under a root that is not in the keyring (any more).
    #[error("sealed under a key that is not held")]
    UnknownKey,
    /// Changed, or sealed for another purpose or binding.
    #[error("the seal is broken, or was made for something else")]
    Forged,
    /// Genuine, and its time is over.
    #[error("the sealed value has expired")]
    Expired,
}

/// What was in a sealed value.
pub struct Opened {
    /// The content, wiped from memory when dropped.
    pub content: Zeroizing<Vec<u8>>,
    /// From when on it is refused, in whole seconds.
    pub expires_at: Timestamp,
    /// The root it was sealed under; when this is not [`Keyring::newest_kid`], a value kept for long is due to be
    /// sealed again.
    pub kid: Kid,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("expires_at", &self.expires_at)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// One kind of sealed value: a purpose, and bytes that sealing and opening must agree on (a user id, a flow id; may
/// be empty). The binding is not part of the value; it must be at hand again.
#[derive(Clone, Copy)]
pub struct Seal<'a> {
    label: Label,
    binding: &'a [u8],
}

impl<'a> Seal<'a> {
    /// The kind for this purpose and binding.
    #[must_use]
    pub fn new(purpose: Purpose, binding: &'a [u8]) -> Self {
        Self { label: purpose.label(), binding }
    }

    pub(super) fn for_access_tokens() -> Self {
        Self { label: Label::AccessToken, binding: &[] }
    }

    /// Seal under the newest root. It opens while the time is before `expires_at`, whose part below a second is
    /// dropped.
    ///
    /// # Errors
    /// [`TooLong`] for more than [`MAX_CONTENT`] bytes.
    pub fn seal(
        self,
        keyring: &Keyring,
        random: &dyn Random,
        content: &[u8],
        expires_at: Timestamp,
    ) -> Result<Vec<u8>, TooLong> {
        if content.len() > MAX_CONTENT {
            return Err(TooLong { bytes: content.len() });
        }
        let keys = keyring.newest();
        let mut nonce = [0; NONCE];
        random.fill(&mut nonce);
        let plain =
            Writer::with_capacity(8 + content.len()).signed(seconds(expires_at)).bytes(content).finish();
        let plain = Zeroizing::new(plain);
        let data = self.associated_data(keys.kid());
        let cipher = encrypt(keys.key(self.label), &nonce, &data, &plain);
        let cipher = cipher.ok_or(TooLong { bytes: content.len() })?;
        let head = Writer::with_capacity(OVERHEAD + content.len()).bytes(&keys.kid().0).bytes(&nonce);
        Ok(head.bytes(&cipher).finish())
    }

    /// As [`Seal::seal`], written as unpadded base64url.
    ///
    /// # Errors
    /// As [`Seal::seal`].
    pub fn seal_text(
        self,
        keyring: &Keyring,
        random: &dyn Random,
        content: &[u8],
        expires_at: Timestamp,
    ) -> Result<String, TooLong> {
        Ok(text::encode(&self.seal(keyring, random, content, expires_at)?))
    }

    /// Open what [`Seal::seal`] made with the same purpose and binding, under any root of the keyring.
    ///
    /// # Errors
    /// [`OpenError`]; `Expired` is said only of a genuine value.
    pub fn open(self, keyring: &Keyring, sealed: &[u8], now: Timestamp) -> Result<Opened, OpenError> {
        if sealed.len() < OVERHEAD || sealed.len() > OVERHEAD + MAX_CONTENT {
            return Err(OpenError::Malformed);
        }
        let mut reader = Reader::new(sealed);
        let kid = Kid(reader.array().ok_or(OpenError::Malformed)?);
        let nonce = reader.array().ok_or(OpenError::Malformed)?;
        let keys = keyring.find(kid).ok_or(OpenError::UnknownKey)?;
        let data = self.associated_data(kid);
        let plain = decrypt(keys.key(self.label), &nonce, &data, reader.rest()).ok_or(OpenError::Forged)?;
        let mut reader = Reader::new(&plain);
        let expires_at = from_seconds(reader.signed().ok_or(OpenError::Malformed)?);
        if now >= expires_at {
            return Err(OpenError::Expired);
        }
        Ok(Opened { content: Zeroizing::new(reader.rest().to_vec()), expires_at, kid })
    }

    /// As [`Seal::open`] for the text of [`Seal::seal_text`].
    ///
    /// # Errors
    /// As [`Seal::open`].
    pub fn open_text(self, keyring: &Keyring, sealed: &str, now: Timestamp) -> Result<Opened, OpenError> {
        if sealed.len() > (OVERHEAD + MAX_CONTENT).div_ceil(3) * 4 {
            return Err(OpenError::Malformed);
        }
        self.open(keyring, &text::decode(sealed).ok_or(OpenError::Malformed)?, now)
    }

    /// The label ends with a zero byte and the key id has a fixed length, so the binding, of free length, comes last
    /// and two kinds never agree.
    fn associated_data(self, kid: Kid) -> Vec<u8> {
        let label =
            Writer::with_capacity(32 + self.binding.len()).bytes(self.label.text().as_bytes()).byte(0);
        label.bytes(&kid.0).bytes(self.binding).finish()
    }
}

impl fmt::Debug for Seal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("label", &self.label).finish_non_exhaustive()
    }
}

pub(super) fn encrypt(key: &Key, nonce: &[u8; NONCE], data: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    key.cipher().encrypt(nonce.into(), Payload { msg: plain, aad: data }).ok()
}

pub(super) fn decrypt(
    key: &Key,
    nonce: &[u8; NONCE],
    data: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let payload = Payload { msg: sealed, aad: data };
    key.cipher().decrypt(nonce.into(), payload).ok().map(Zeroizing::new)
}

/// Whole Unix seconds of a time.
pub(super) fn seconds(time: Timestamp) -> i64 {
    time.unix_millis() / 1000
}

/// The time of whole Unix seconds, moved into the range that can be written.
pub(super) fn from_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(seconds.saturating_mul(1000))
}
