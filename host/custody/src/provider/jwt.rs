//! A JWT taken apart without believing it, and its times.
//!
//! RFC 7519 and the advice of RFC 8725, narrowed to what Gitea writes: three parts, a header of `alg`, `typ` and
//! `kid`, whole seconds. Nothing here asks the network, so whatever is refused here costs no request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::fault::Fault;
use super::signature::{Algorithm, Material, Verify};
use super::strict;

/// How far the clocks of two machines may differ, in seconds.
pub const LEEWAY: i64 = 60;
/// The last second of the year 9999: a later time is a mistake or a trick.
const LATEST: u64 = 253_402_300_799;

/// The parts of a JWT; its claims are not to be believed before [`Parts::is_signed_by`] said so.
pub struct Parts<'t> {
    /// As the header says.
    pub algorithm: Algorithm,
    /// The key's name, as the header says.
    pub kid: Option<String>,
    /// What it says.
    pub claims: Map<String, Value>,
    signed: &'t str,
    signature: &'t str,
}

/// Times of a JWT, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// `iat`.
    pub issued: i64,
    /// `exp`.
    pub expires: i64,
}

/// Takes a token of at most `most` bytes apart.
pub fn take_apart(token: &str, most: usize) -> Result<Parts<'_>, Fault> {
    if token.len() > most {
        return Err(Fault::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Fault::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Fault::Malformed)?;
    // Five parts would be an encrypted token; none of the three may hold another point or be empty.
    if claims.contains('.') || signature.is_empty() || URL_SAFE_NO_PAD.decode(signature).is_err() {
        return Err(Fault::Malformed);
    }
    let header = object(header)?;
    // `jwk`, `jku`, `x5u`, `x5c` would let the token name its own key, `crit` and `b64` change what is signed,
    // `cty` nests another token, `zip` hides one.
    if header.keys().any(|name| !["alg", "typ", "kid"].contains(&name.as_str())) {
        return Err(Fault::Header);
    }
    if header.get("typ").is_some_and(|typ| !typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("jwt"))) {
        return Err(Fault::Header);
    }
    let algorithm = strict::text(&header, "alg").and_then(algorithm).ok_or(Fault::Algorithm)?;
    let kid = match header.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str().filter(|kid| is_key_id(kid)).ok_or(Fault::KeyId)?.to_owned()),
    };
    Ok(Parts { algorithm, kid, claims: object(claims)?, signed, signature })
}

fn object(part: &str) -> Result<Map<String, Value>, Fault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::Malformed)?;
    strict::object(&bytes).ok_or(Fault::Malformed)
}

/// The algorithms that can be checked, by their names in RFC 7518 section 3.1 and RFC 8037, letter by letter.
pub fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        "HS256" => Algorithm::HS256,
        "HS384" => Algorithm::HS384,
        "HS512" => Algorithm::HS512,
        _ => return None,
    })
}

/// Gitea's key ids are the SHA-256 of the key in base64url: no path, no URL, no query fits in here.
pub fn is_key_id(kid: &str) -> bool {
    (1..=128).contains(&kid.len()) && kid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl Parts<'_> {
    /// Whether the signature is this key's with the algorithm of the header.
    pub fn is_signed_by(&self, key: &Material, verify: Verify) -> bool {
        verify(self.algorithm, key, self.signed.as_bytes(), self.signature)
    }

    /// Checks `exp`, `iat` and `nbf` (RFC 7519 section 4.1) against `now`, in seconds since 1970, with [`LEEWAY`].
    /// `exp` and `iat` must be there, as whole numbers; `nbf` need not, and Gitea does not write it.
    pub fn times(&self, now: i64) -> Result<Times, Fault> {
        let issued = self.second("iat")?.ok_or(Fault::Times)?;
        let expires = self.second("exp")?.ok_or(Fault::Times)?;
        let begins = self.second("nbf")?.unwrap_or(issued);
        if expires < issued || expires < begins {
            return Err(Fault::Times);
        }
        let latest = now.saturating_add(LEEWAY);
        if issued > latest || begins > latest {
            return Err(Fault::NotYet);
        }
        if expires <= now.saturating_sub(LEEWAY) {
            return Err(Fault::Expired);
        }
        Ok(Times { issued, expires })
    }

    fn second(&self, name: &str) -> Result<Option<i64>, Fault> {
        let Some(value) = self.claims.get(name) else { return Ok(None) };
        let second = value.as_u64().filter(|second| *second <= LATEST).ok_or(Fault::Times)?;
        i64::try_from(second).map(Some).map_err(|_| Fault::Times)
    }

    /// Gitea's claim `tt` is 0 on access tokens and 1 on refresh tokens; ID tokens have none.
    pub fn is_access_token(&self) -> bool {
        self.claims.get("tt").and_then(Value::as_u64) == Some(0)
    }
}
