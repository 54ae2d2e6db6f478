//! `aegis-mcp generate-key`: a new API key. It is written once, to standard output, and kept nowhere.

use crate::settings::principal_name;
use std::io::{self, Write};
use zeroize::Zeroizing;

/// What our keys begin with, so that people and secret scanners know one when they see it.
const PREFIX: &str = "aegis_key_";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Fills a slice with random bytes that nobody can guess; `getrandom::fill` in the program.
pub(crate) type Random = fn(&mut [u8]) -> Result<(), getrandom::Error>;

/// Writes `aegis_key_` and 32 random bytes in base64url to `out`, with `name=` in front when a name is given,
/// and a line that says where to put it to `notes`.
///
/// # Errors
/// The name cannot stand in `MCP_API_KEYS`, there is no randomness, or a writer fails.
pub(crate) fn print(
    name: Option<&str>,
    random: Random,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> io::Result<()> {
    if let Some(name) = name
        && principal_name(name).is_err()
    {
        let message = "--name takes 1 to 64 letters, digits, dots, underscores and hyphens";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let key = fresh(random)?;
    match name {
        Some(name) => writeln!(out, "{name}={}", key.as_str())?,
        None => writeln!(out, "{}", key.as_str())?,
    }
    writeln!(
        notes,
        "# Add it to MCP_API_KEYS in .env (several are separated by commas), restart, and give the client the key \
         as its bearer token. It is not shown again."
    )
}

/// `aegis_key_` and 32 random bytes in base64url.
///
/// # Errors
/// There is no randomness.
pub(super) fn fresh(random: Random) -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    random(bytes.as_mut_slice()).map_err(io::Error::other)?;
    let encoded = base64url(bytes.as_slice());
    let mut key = Zeroizing::new(String::with_capacity(PREFIX.len().saturating_add(encoded.len())));
    key.push_str(PREFIX);
    key.push_str(&encoded);
    Ok(key)
}

/// Base64 with the URL alphabet and without padding (RFC 4648 section 5).
fn base64url(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().saturating_mul(2)));
    for chunk in bytes.chunks(3) {
        let mut group = chunk.iter().copied().chain([0, 0]).take(3);
        let bits =
            group.try_fold(0_usize, |bits, byte| Some((bits << 8) | usize::from(byte))).unwrap_or_default();
        for shift in [18, 12, 6, 0].into_iter().take(chunk.len().saturating_add(1)) {
            text.extend(ALPHABET.get((bits >> shift) & 63).map(|byte| char::from(*byte)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generate(name: Option<&str>, random: Random) -> io::Result<(String, String)> {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        print(name, random, &mut out, &mut notes)?;
        Ok((String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap()))
    }

    fn counting(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        bytes.iter_mut().zip(0..).for_each(|(byte, value)| *byte = value);
        Ok(())
    }

    #[test]
    fn base64url_follows_the_test_vectors_of_rfc_4648() {
        for (bytes, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64url(bytes.as_bytes()).as_str(), text);
        }
        assert_eq!(base64url(&[0xfb, 0xff, 0xbf]).as_str(), "-_-_");
    }

    #[test]
    fn a_key_is_the_prefix_and_32_bytes_and_the_note_goes_elsewhere() {
        let (out, notes) = generate(None, counting).unwrap();
        assert_eq!(out, "aegis_key_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n");
        assert!(notes.starts_with("# ") && notes.contains("MCP_API_KEYS") && notes.lines().count() == 1);
    }

    #[test]
    fn a_name_stands_in_front_and_must_fit_the_setting() {
        assert!(generate(Some("laptop"), counting).unwrap().0.starts_with("laptop=aegis_key_AAEC"));
        for name in ["", "two words", "a,b", "a=b"] {
            assert_eq!(generate(Some(name), counting).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn nothing_is_printed_without_randomness() {
        let mut out = Vec::new();
        let broken: Random = |_| Err(getrandom::Error::UNSUPPORTED);
        assert!(print(None, broken, &mut out, &mut Vec::new()).is_err());
        assert!(out.is_empty());
    }

    #[test]
    fn the_real_source_gives_another_key_each_time() {
        assert_ne!(generate(None, getrandom::fill).unwrap(), generate(None, getrandom::fill).unwrap());
    }
}
