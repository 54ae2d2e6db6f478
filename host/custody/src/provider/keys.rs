//! The keys that Gitea publishes (RFC 7517), as far as they can be used.
//!
//! Which key checks a token is decided by the key: its own `alg` must be the token's, so that no header can turn an
//! RSA key into an HMAC secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::error::UpstreamError;
use super::signature::{Algorithm, Material};
use super::{jwt, strict};

/// The most keys read: Gitea publishes one.
const MOST: usize = 16;
/// What errors call it.
const WHAT: &str = "its key set";

/// A published key.
pub struct Key {
    kid: String,
    /// Its own, which must be the token's.
    pub algorithm: Algorithm,
    /// The public key.
    pub key: Material,
}

/// The published keys that can check a signature.
pub struct Keys {
    keys: Vec<Key>,
    /// How many were left out: of another use or algorithm, too small, or secret (`oct`).
    pub left_out: usize,
}

impl Keys {
    /// Reads a key set.
    pub fn read(body: &[u8]) -> Result<Self, UpstreamError> {
        let wrong = |why| UpstreamError::Unreadable(WHAT, why);
        let set = strict::object(body).ok_or(wrong("is not one JSON object with each member once"))?;
        let listed = set.get("keys").and_then(Value::as_array).ok_or(wrong("has no list of keys"))?;
        if listed.len() > MOST {
            return Err(wrong("has too many keys"));
        }
        let keys: Vec<Key> = listed.iter().filter_map(Value::as_object).filter_map(key).collect();
        let repeated = |(at, key): (usize, &Key)| keys.iter().skip(at + 1).any(|other| other.kid == key.kid);
        if keys.iter().enumerate().any(repeated) {
            return Err(wrong("has two keys of one name"));
        }
        let left_out = listed.len() - keys.len();
        Ok(Self { keys, left_out })
    }

    /// The key of that name.
    pub fn find(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// The algorithms of the keys.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> + '_ {
        self.keys.iter().map(|key| key.algorithm)
    }
}

fn key(members: &Map<String, Value>) -> Option<Key> {
    if members.get("use").is_some_and(|usage| usage.as_str() != Some("sig")) {
        return None;
    }
    let kid = strict::text(members, "kid").filter(|kid| jwt::is_key_id(kid))?;
    let algorithm = strict::text(members, "alg").and_then(jwt::algorithm)?;
    if algorithm.is_symmetric() {
        return None;
    }
    let kind = (strict::text(members, "kty")?, strict::text(members, "crv"));
    let key = match (algorithm, kind) {
        (_, ("RSA", None)) if algorithm.is_rsa() => rsa(members)?,
        (Algorithm::ES256, ("EC", Some("P-256"))) => elliptic(members, 32)?,
        (Algorithm::ES384, ("EC", Some("P-384"))) => elliptic(members, 48)?,
        (Algorithm::EdDSA, ("OKP", Some("Ed25519"))) => {
            Material::Edwards(number(members, "x").filter(|x| x.len() == 32)?)
        }
        _ => return None,
    };
    Some(Key { kid: kid.to_owned(), algorithm, key })
}

/// RFC 7518 section 6.3.1; the modulus from 2048 to 8192 bits.
fn rsa(members: &Map<String, Value>) -> Option<Material> {
    let without_zeros = |bytes: Vec<u8>| -> Vec<u8> { bytes.into_iter().skip_while(|b| *b == 0).collect() };
    let modulus = without_zeros(number(members, "n")?);
    let exponent = without_zeros(number(members, "e")?);
    let usable = (256..=1024).contains(&modulus.len()) && (1..=8).contains(&exponent.len());
    usable.then_some(Material::Rsa { modulus, exponent })
}

/// RFC 7518 section 6.2.1 wants coordinates of full size; Gitea writes them without their leading zeros, which one
/// key in 128 has.
fn elliptic(members: &Map<String, Value>, size: usize) -> Option<Material> {
    let mut point = vec![4];
    for name in ["x", "y"] {
        let coordinate = number(members, name)?;
        point.resize(point.len() + size.checked_sub(coordinate.len())?, 0);
        point.extend(coordinate);
    }
    Some(Material::Elliptic(point))
}

fn number(members: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(strict::text(members, name)?).ok()
}
