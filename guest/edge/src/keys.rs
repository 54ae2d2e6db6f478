//! API keys: reading the list, and comparing without telling by time how close a guess was. A key is never kept or
//! printed here, only its SHA-256.

use sha2::{Digest as _, Sha256};

/// One key of `MCP_API_KEYS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The name given to it, or `key-` and eight hex digits of its digest.
    pub(crate) subject: String,
    digest: [u8; 32],
}

/// Why a presented value proves nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not `Bearer` and one token.
    Malformed,
    /// Not among the keys.
    Unknown,
}

/// Read `name=key` and bare `key` entries, separated by commas. Empty entries are passed over.
///
/// What stands before the first `=` is a name only where it is one word of letters, digits, `.`, `_` and `-` and
/// something follows that is not just padding: a bare key may end in `=`.
pub(crate) fn read(list: &str) -> Vec<Key> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(key).collect()
}

fn key(entry: &str) -> Key {
    let word = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    let named = entry
        .split_once('=')
        .filter(|(name, key)| word(name) && !key.trim_start_matches('=').trim().is_empty());
    match named {
        Some((name, key)) => Key { subject: name.to_owned(), digest: digest(key.trim()) },
        None => {
            let digest = digest(entry);
            let short: String = crate::environment::hex(&digest).chars().take(8).collect();
            Key { subject: format!("key-{short}"), digest }
        }
    }
}

/// The key that an `Authorization` value presents.
///
/// Every key is compared in full, whatever the ones before it said.
pub(crate) fn prove<'a>(presented: &str, keys: &'a [Key]) -> Result<&'a Key, Refusal> {
    let token = token(presented).ok_or(Refusal::Malformed)?;
    let digest = digest(token);
    let mut found = None;
    for key in keys {
        if same(&key.digest, &digest) {
            found = Some(key);
        }
    }
    found.ok_or(Refusal::Unknown)
}

/// RFC 6750 section 2.1: the scheme in any case, one space or more, one token.
pub(crate) fn token(presented: &str) -> Option<&str> {
    let (scheme, rest) = presented.split_once(' ')?;
    let token = rest.trim_matches(' ');
    let graphic = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && graphic && token.len() <= 4096).then_some(token)
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Compare without stopping at the first difference.
fn same(left: &[u8; 32], right: &[u8; 32]) -> bool {
    let difference = left.iter().zip(right).fold(0, |sum, (left, right)| sum | (left ^ right));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::{Refusal, prove, read};

    #[test]
    fn a_named_key_proves_its_name_and_a_bare_one_its_digest() {
        let keys = read(" laptop = nope, laptop=s3cret-one , abc,,");
        assert_eq!(keys.len(), 3);
        assert_eq!(prove("Bearer s3cret-one", &keys).map(|key| key.subject.as_str()), Ok("laptop"));
        // SHA-256 of "abc" begins with ba7816bf (FIPS 180-2, appendix B.1).
        assert_eq!(prove("bearer  abc ", &keys).map(|key| key.subject.as_str()), Ok("key-ba7816bf"));
    }

    #[test]
    fn a_bare_key_may_end_in_padding() {
        let keys = read("c2VjcmV0LXNlY3JldA==");
        assert!(prove("Bearer c2VjcmV0LXNlY3JldA==", &keys).is_ok());
        assert_eq!(prove("Bearer =", &keys), Err(Refusal::Unknown));
    }

    #[test]
    fn refuses_what_is_not_a_bearer_credential() {
        let keys = read("abc");
        for presented in [
            "",
            "abc",
            "Bearer",
            "Bearer ",
            "Basic abc",
            "Bearerabc",
            "Bearer a b",
            "Bearer\tabc",
            "Bearer ä",
        ] {
            assert_eq!(prove(presented, &keys), Err(Refusal::Malformed), "{presented:?}");
        }
        let long = format!("Bearer {}", "a".repeat(4097));
        assert_eq!(prove(&long, &keys), Err(Refusal::Malformed));
    }

    #[test]
    fn refuses_unknown_keys_and_names_in_place_of_keys() {
        let keys = read("laptop=s3cret");
        for presented in
            ["Bearer laptop", "Bearer s3cre", "Bearer s3crett", "Bearer S3CRET", "Bearer laptop=s3cret"]
        {
            assert_eq!(prove(presented, &keys), Err(Refusal::Unknown), "{presented:?}");
        }
    }

    #[test]
    fn without_keys_nobody_is_known() {
        for list in ["", " , ,"] {
            assert_eq!(prove("Bearer abc", &read(list)), Err(Refusal::Unknown));
        }
    }
}
