//! Secrets as a type: they are not printed, and their memory is cleared when they go.
//!
//! No error in here repeats any part of a secret.

use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, fmt};
use zeroize::Zeroize as _;

/// What stands for a secret wherever one would be shown.
pub(super) const MASK: &str = "***";
/// The fewest characters of an API key. A key of `generate-key` has 53.
const KEY_MIN: usize = 32;
/// The most characters of an API key; beyond it the `Authorization` header becomes unwieldy.
const KEY_MAX: usize = 512;

/// A secret text. `Debug` and `Display` show `***`; the memory is overwritten on drop.
pub(crate) struct Secret(String);

impl Secret {
    /// Takes the text over.
    #[must_use]
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// One entry of `MCP_API_KEYS`.
#[derive(Debug)]
pub(crate) struct ApiKey {
    principal: String,
    key: Secret,
}

impl ApiKey {
    /// The name that the audit log shows: as configured, or `key-` and 8 hex digits of the key's SHA-256.
    #[must_use]
    pub(crate) fn principal(&self) -> &str {
        &self.principal
    }

    /// The first 8 hex digits of the key's SHA-256: enough to tell keys apart, and nothing to call with.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> String {
        fingerprint(self.key.expose())
    }

    /// The key as clients present it.
    #[must_use]
    pub(crate) fn key(&self) -> &Secret {
        &self.key
    }
}

/// A token: visible ASCII, so that it can stand in a header.
pub(super) fn token(text: &str) -> Result<Secret, String> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Secret::new(text.to_owned()));
    }
    Err("must be one word of visible ASCII characters".to_owned())
}

/// Keys separated by commas or line ends, each bare or as `name=key`.
pub(super) fn api_keys(text: &str) -> Result<Vec<ApiKey>, String> {
    let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    let (mut names, mut seen, mut keys) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (index, entry) in entries.enumerate() {
        let at = |error: &str| format!("has an entry {} that {error}", index.saturating_add(1));
        let key = api_key(entry).map_err(|error| at(&error))?;
        if !names.insert(key.principal.clone()) {
            return Err(at("repeats the name of an earlier one; each name stands for one client"));
        }
        if !seen.insert(digest(key.key.expose())) {
            return Err(at("repeats the key of an earlier one; make one key for each client"));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn api_key(entry: &str) -> Result<ApiKey, String> {
    let (name, key) = match entry.split_once('=') {
        // Nothing but `=` after the first one is the padding of a bare base64 key.
        Some((name, key)) if !key.trim_matches('=').is_empty() => (Some(name.trim()), key.trim()),
        _ => (None, entry),
    };
    if let Some(name) = name {
        principal_name(name)?;
    }
    // RFC 6750 section 2.1: what a bearer token is made of.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !key.bytes().all(allowed) {
        return Err("must have a key of letters, digits and -._~+/= only".to_owned());
    }
    if !(KEY_MIN..=KEY_MAX).contains(&key.len()) {
        return Err(format!(
            "must have a key of {KEY_MIN} to {KEY_MAX} characters; `aegis-mcp generate-key` makes a good one"
        ));
    }
    let principal = name.map_or_else(|| bare_key_name(key), str::to_owned);
    Ok(ApiKey { principal, key: Secret::new(key.to_owned()) })
}

/// The name that a key without one goes by.
pub(crate) fn bare_key_name(key: &str) -> String {
    format!("key-{}", fingerprint(key))
}

/// Whether a name can stand for a client in the audit log.
pub(crate) fn principal_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err("must have a name of 1 to 64 letters, digits and ._- before the `=`".to_owned())
}

fn fingerprint(key: &str) -> String {
    digest(key).chars().take(8).collect()
}

fn digest(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
