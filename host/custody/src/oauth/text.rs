//! Bytes as text: unpadded base64url, lower-case hex, and the frame of our tokens. Each byte string has exactly one
//! accepted text, so that a token cannot be respelled.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::SecretText;

/// Characters of `_` and the checksum that end a token.
const TAIL: usize = 9;

/// Bytes as unpadded base64url (RFC 4648 section 5).
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Read unpadded base64url. Padding, other alphabets, white space and stray bits at the end are refused.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Bytes as lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// Read exactly `N` bytes of lower-case hex.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Eight hex digits over what stands before them: the first four bytes of its SHA-256.
///
/// It lets secret scanners tell a token from a look-alike and people see a slip of copying at once. Anybody can
/// compute it; it protects nothing.
pub(super) fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text);
    hex(digest.first_chunk::<4>().map_or(&[], |head| head.as_slice()))
}

/// A token: `prefix`, the bytes as base64url, `_` and the [`checksum`] of all before that `_`.
pub(super) fn frame(prefix: &str, bytes: &[u8]) -> SecretText {
    let mut text = prefix.to_owned();
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    let sum = checksum(&text);
    text.push('_');
    text.push_str(&sum);
    SecretText::new(text)
}

/// The bytes of a token made by [`frame`] that is at most `longest` characters.
pub(super) fn unframe(prefix: &str, text: &str, longest: usize) -> Option<Zeroizing<Vec<u8>>> {
    if text.len() > longest || !text.is_ascii() {
        return None;
    }
    let (head, tail) = text.split_at_checked(text.len().checked_sub(TAIL)?)?;
    if tail.strip_prefix('_')? != checksum(head) {
        return None;
    }
    decode(head.strip_prefix(prefix)?).map(Zeroizing::new)
}
