//! The spellings in which a secret is looked for: as it is, as JSON, URLs and Base64 write it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// The shortest text that is looked for; less would be found in ordinary words.
pub(crate) const SHORTEST: usize = 16;
/// How often one text of JSON may stand in another: a file in an answer in a protocol's message.
const NESTED: usize = 3;

/// All of them, some perhaps twice; none of a secret that is too short.
pub(super) fn of(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let mut forms: Vec<Zeroizing<Vec<u8>>> = vec![secret.to_vec().into()];
    forms.extend(in_json(secret));
    for letters in [b"0123456789ABCDEF", b"0123456789abcdef"] {
        forms.push(by_byte(secret, unreserved, b"%", letters));
        forms.push(by_byte(secret, |_| false, b"\\u00", letters));
    }
    for place in 0..3 {
        forms.extend([in_base64(secret, place, false), in_base64(secret, place, true)]);
    }
    forms
}

/// In a string of JSON, and with that string in another.
fn in_json(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(String::from_utf8_lossy(secret).into_owned());
    let mut forms = Vec::new();
    for _ in 0..NESTED {
        let quoted = Zeroizing::new(serde_json::Value::String(text.to_string()).to_string());
        let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        text = Zeroizing::new(inner.to_owned());
        forms.push(Zeroizing::new(text.as_bytes().to_vec()));
    }
    forms
}

/// With `before` and two hexadecimal digits for each byte that may not stay.
fn by_byte(secret: &[u8], stays: fn(u8) -> bool, before: &[u8], digits: &[u8; 16]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(secret.len().saturating_mul(6)));
    for byte in secret {
        if stays(*byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(before);
            let digit = |nibble: u8| digits.get(usize::from(nibble)).copied();
            out.extend([byte >> 4, byte & 15].into_iter().filter_map(digit));
        }
    }
    out
}

/// RFC 3986 section 2.3.
fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// What Base64 makes of it behind `place` (0 to 2) other bytes, without the characters in which its neighbours have
/// their share.
fn in_base64(secret: &[u8], place: usize, for_urls: bool) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; place]);
    bytes.extend_from_slice(secret);
    let text = if for_urls { URL_SAFE_NO_PAD.encode(&*bytes) } else { STANDARD_NO_PAD.encode(&*bytes) };
    let text = Zeroizing::new(text.into_bytes());
    // A character is six bits: those that begin within the bytes before, and one that ends behind the last, are shared.
    let (first, whole) = (place.saturating_mul(8).div_ceil(6), bytes.len().saturating_mul(8) / 6);
    text.get(first..whole).unwrap_or_default().to_vec().into()
}
