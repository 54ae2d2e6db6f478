//! What a signature is made with: the algorithms that are taken, and the keys. Checking one is the work of the caller's
//! cryptography, which is handed in as [`Verify`].

use crate::oauth::SecretText;

/// An algorithm of RFC 7518 section 3.1 or RFC 8037. `none`, RSA-PSS and P-521 do not exist here.
#[expect(missing_docs, reason = "they are called what the registry calls them")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    ES256,
    ES384,
    EdDSA,
    HS256,
    HS384,
    HS512,
}

impl Algorithm {
    /// Whether it is checked with a secret that both sides know.
    #[must_use]
    pub fn is_symmetric(self) -> bool {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => true,
            Self::RS256 | Self::RS384 | Self::RS512 | Self::ES256 | Self::ES384 | Self::EdDSA => false,
        }
    }

    /// Whether it is checked with an RSA key.
    #[must_use]
    pub fn is_rsa(self) -> bool {
        match self {
            Self::RS256 | Self::RS384 | Self::RS512 => true,
            Self::ES256 | Self::ES384 | Self::EdDSA | Self::HS256 | Self::HS384 | Self::HS512 => false,
        }
    }
}

/// A key to check with.
#[derive(Clone, Debug)]
pub enum Material {
    /// Both numbers big-endian, without leading zeros.
    Rsa {
        /// Public.
        modulus: Vec<u8>,
        /// Public.
        exponent: Vec<u8>,
    },
    /// An uncompressed point of the algorithm's curve.
    Elliptic(Vec<u8>),
    /// An Ed25519 key.
    Edwards(Vec<u8>),
    /// A secret that both sides know.
    Secret(SecretText),
}

/// How a signature is checked: algorithm, key, what was signed, and the signature as base64url. False for everything that
/// is not a good signature of that very algorithm by a key of its kind.
pub type Verify = fn(Algorithm, &Material, &[u8], &str) -> bool;
