//! The signing key of the sample Gitea: its JWKS entry, signing and checking of tokens. One key at a time, as in
//! Gitea: after a rotation every token signed before is dead.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use ring::{digest, hmac};
use serde_json::{Value, json};

/// Fixed test keys, so that nobody waits for RSA: 4096 bits as Gitea makes them, 2048 after a rotation, and one
/// that is never published.
const RSA: [&str; 3] =
    [include_str!("test-key-1.pem"), include_str!("test-key-2.pem"), include_str!("test-key-3.pem")];

/// What tokens are signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signing {
    /// Gitea's default.
    #[default]
    Rs256,
    /// NIST P-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// Nothing is published: ID tokens are signed with the client secret, other tokens cannot be checked.
    Hs256,
}

impl Signing {
    /// As in the `alg` of a token.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }
}

#[derive(Debug)]
enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Hmac(hmac::Key),
}

/// A key and what is published of it.
#[derive(Debug)]
pub(super) struct SigningKey {
    pair: Pair,
    signing: Signing,
    kid: Option<String>,
    jwk: Value,
}

/// Base64url without padding.
pub(super) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Random bytes.
pub(super) fn chance<const N: usize>() -> [u8; N] {
    let random = ring::rand::generate::<[u8; N]>(&SystemRandom::new());
    random.unwrap_or_else(|_| panic!("the machine gives no random bytes")).expose()
}

impl SigningKey {
    /// A key; RSA keys come from a fixed list of two, in turn, the others are new each time.
    pub(super) fn new(signing: Signing, turn: usize) -> Self {
        match signing {
            Signing::Rs256 => Self::rsa(turn % 2),
            Signing::Es256 => {
                let random = SystemRandom::new();
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
                let pkcs8 = pkcs8.unwrap_or_else(|_| panic!("no P-256 key could be made"));
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random);
                let pair = pair.unwrap_or_else(|error| panic!("the new P-256 key is refused: {error}"));
                let point = pair.public_key().as_ref().to_vec();
                let jwk =
                    json!({ "kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..65]) });
                Self::published(Pair::Ec(pair), signing, &point, jwk)
            }
            Signing::EdDsa => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
                let pkcs8 = pkcs8.unwrap_or_else(|_| panic!("no Ed25519 key could be made"));
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref());
                let pair = pair.unwrap_or_else(|error| panic!("the new Ed25519 key is refused: {error}"));
                let public = pair.public_key().as_ref().to_vec();
                let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(&public) });
                Self::published(Pair::Ed(pair), signing, &public, jwk)
            }
            Signing::Hs256 => Self::secret(&chance::<32>()),
        }
    }

    /// The key that no JWKS ever holds.
    pub(super) fn stranger() -> Self {
        Self::rsa(2)
    }

    /// An HMAC key. It has no id and its JWKS entry no key.
    pub(super) fn secret(secret: &[u8]) -> Self {
        let pair = Pair::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret));
        let jwk = json!({ "kty": "oct", "alg": "HS256", "use": "sig" });
        Self { pair, signing: Signing::Hs256, kid: None, jwk }
    }

    fn rsa(number: usize) -> Self {
        let body: String = RSA[number].lines().filter(|line| !line.contains(['-', ' '])).collect();
        let der =
            STANDARD.decode(body).unwrap_or_else(|error| panic!("test key {number} is damaged: {error}"));
        let pair = RsaKeyPair::from_pkcs8(&der);
        let pair = pair.unwrap_or_else(|error| panic!("test key {number} is refused: {error}"));
        let public = pair.public_key();
        let parts = PublicKeyComponents::<Vec<u8>>::from(public);
        let jwk = json!({ "kty": "RSA", "n": b64(&parts.n), "e": b64(&parts.e) });
        let public = public.as_ref().to_vec();
        Self::published(Pair::Rsa(pair), Signing::Rs256, &public, jwk)
    }

    fn published(pair: Pair, signing: Signing, public: &[u8], mut jwk: Value) -> Self {
        let kid = b64(digest::digest(&digest::SHA256, public).as_ref());
        jwk["alg"] = json!(signing.name());
        jwk["use"] = json!("sig");
        jwk["kid"] = json!(kid);
        Self { pair, signing, kid: Some(kid), jwk }
    }

    pub(super) fn signing(&self) -> Signing {
        self.signing
    }

    /// The body of the JWKS.
    pub(super) fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk] })
    }

    /// The header of tokens.
    pub(super) fn header(&self) -> Value {
        match &self.kid {
            Some(kid) => json!({ "alg": self.signing.name(), "kid": kid, "typ": "JWT" }),
            None => json!({ "alg": self.signing.name(), "typ": "JWT" }),
        }
    }

    /// The published half, as an attacker would take it for an HMAC key.
    pub(super) fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Hmac(_) => Vec::new(),
        }
    }

    /// A signed token.
    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_under(&self.header(), claims)
    }

    /// A token signed under a header that may say something else.
    pub(super) fn sign_under(&self, header: &Value, claims: &Value) -> String {
        let input = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()));
        let signature = self.signature(input.as_bytes());
        format!("{input}.{}", b64(&signature))
    }

    fn signature(&self, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut out = vec![0; pair.public_key().modulus_len()];
                let signed = pair.sign(&RSA_PKCS1_SHA256, &random, input, &mut out);
                signed.unwrap_or_else(|_| panic!("the RSA test key cannot sign"));
                out
            }
            Pair::Ec(pair) => {
                let signed = pair.sign(&random, input);
                signed.unwrap_or_else(|_| panic!("the P-256 key cannot sign")).as_ref().to_vec()
            }
            Pair::Ed(pair) => pair.sign(input).as_ref().to_vec(),
            Pair::Hmac(key) => hmac::sign(key, input).as_ref().to_vec(),
        }
    }

    /// The claims of a token that this key signed and that has not expired.
    pub(super) fn open(&self, token: &str, now: i64) -> Option<Value> {
        let (input, signature) = token.rsplit_once('.')?;
        let (header, claims) = input.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let part = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let public = self.public();
        let good = part(header)?["alg"] == self.signing.name()
            && match &self.pair {
                Pair::Rsa(_) => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public)
                    .verify(input.as_bytes(), &signature)
                    .is_ok(),
                Pair::Ec(_) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public)
                    .verify(input.as_bytes(), &signature)
                    .is_ok(),
                Pair::Ed(_) => {
                    UnparsedPublicKey::new(&ED25519, &public).verify(input.as_bytes(), &signature).is_ok()
                }
                Pair::Hmac(key) => hmac::verify(key, input.as_bytes(), &signature).is_ok(),
            };
        let claims = part(claims)?;
        (good && claims["exp"].as_i64().is_none_or(|end| end > now)).then_some(claims)
    }
}
