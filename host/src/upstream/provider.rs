//! ring as the cryptography behind `jsonwebtoken`, for checking alone: nothing here can sign.
//!
//! ES512 and RSA-PSS are not taken: ring has no P-521, and Gitea never signs with PSS.

use aegis_custody::provider::signature::{Algorithm as Taken, Material};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, new_error};
use jsonwebtoken::signature::{Error as BadSignature, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

/// Whether a signature is this key's of this message, by this algorithm.
pub(super) fn verify(algorithm: Taken, key: &Material, message: &[u8], signature: &str) -> bool {
    // Setting it again changes nothing; without it jsonwebtoken would have no cryptography to ask.
    PROVIDER.install_default().ok();
    let algorithm = named(algorithm);
    let key = match key {
        Material::Rsa { modulus, exponent } => DecodingKey::from_rsa_raw_components(modulus, exponent),
        Material::Elliptic(point) => DecodingKey::from_ec_der(point),
        Material::Edwards(key) => DecodingKey::from_ed_der(key),
        Material::Secret(secret) => DecodingKey::from_secret(secret.expose().as_bytes()),
    };
    key.family() == algorithm.family()
        && jsonwebtoken::crypto::verify(signature, message, &key, algorithm).unwrap_or(false)
}

fn named(algorithm: Taken) -> Algorithm {
    match algorithm {
        Taken::RS256 => Algorithm::RS256,
        Taken::RS384 => Algorithm::RS384,
        Taken::RS512 => Algorithm::RS512,
        Taken::ES256 => Algorithm::ES256,
        Taken::ES384 => Algorithm::ES384,
        Taken::EdDSA => Algorithm::EdDSA,
        Taken::HS256 => Algorithm::HS256,
        Taken::HS384 => Algorithm::HS384,
        Taken::HS512 => Algorithm::HS512,
    }
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

fn unsupported() -> Error {
    new_error(ErrorKind::UnsupportedAlgorithm)
}

fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(unsupported())
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    if key.family() != algorithm.family() {
        return Err(new_error(ErrorKind::InvalidKeyFormat));
    }
    let check = match algorithm {
        Algorithm::HS256 => mac(hmac::HMAC_SHA256, key)?,
        Algorithm::HS384 => mac(hmac::HMAC_SHA384, key)?,
        Algorithm::HS512 => mac(hmac::HMAC_SHA512, key)?,
        Algorithm::RS256 => rsa(&RSA_PKCS1_2048_8192_SHA256, key)?,
        Algorithm::RS384 => rsa(&RSA_PKCS1_2048_8192_SHA384, key)?,
        Algorithm::RS512 => rsa(&RSA_PKCS1_2048_8192_SHA512, key)?,
        Algorithm::ES256 => public(&ECDSA_P256_SHA256_FIXED, key)?,
        Algorithm::ES384 => public(&ECDSA_P384_SHA384_FIXED, key)?,
        Algorithm::EdDSA => public(&ED25519, key)?,
        Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512 | _ => return Err(unsupported()),
    };
    Ok(Box::new(Checker { algorithm: *algorithm, check }))
}

fn mac(algorithm: hmac::Algorithm, key: &DecodingKey) -> Result<Check, Error> {
    let secret = key.try_get_as_bytes()?;
    // An empty secret is no secret: everybody knows it.
    if secret.is_empty() {
        return Err(new_error(ErrorKind::InvalidKeyFormat));
    }
    Ok(Check::Mac(hmac::Key::new(algorithm, secret)))
}

fn rsa(parameters: &'static RsaParameters, key: &DecodingKey) -> Result<Check, Error> {
    match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            Ok(Check::Rsa(parameters, RsaPublicKeyComponents { n: n.clone(), e: e.clone() }))
        }
        DecodingKeyKind::SecretOrDer(_) => Err(new_error(ErrorKind::InvalidKeyFormat)),
    }
}

fn public(algorithm: &'static dyn VerificationAlgorithm, key: &DecodingKey) -> Result<Check, Error> {
    Ok(Check::Public(UnparsedPublicKey::new(algorithm, key.try_get_as_bytes()?.to_vec())))
}

/// A key with its algorithm, ready to check.
struct Checker {
    algorithm: Algorithm,
    check: Check,
}

enum Check {
    Mac(hmac::Key),
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
    Public(UnparsedPublicKey<Vec<u8>>),
}

impl Verifier<Vec<u8>> for Checker {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), BadSignature> {
        let checked = match &self.check {
            Check::Mac(key) => hmac::verify(key, message, signature),
            Check::Rsa(parameters, key) => key.verify(parameters, message, signature),
            Check::Public(key) => key.verify(message, signature),
        };
        checked.map_err(|_| BadSignature::new())
    }
}

impl JwtVerifier for Checker {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use aegis_custody::oauth::SecretText;
    use aegis_custody::provider::signature::{Algorithm, Material};

    use super::verify;

    fn secret(text: &str) -> Material {
        Material::Secret(SecretText::new(text.to_owned()))
    }

    #[test]
    fn a_key_serves_its_own_kind_alone_and_no_secret_is_no_key() {
        // HMAC-SHA-256 of RFC 4231 section 4.3, and of nothing under nothing.
        let (key, text) = (secret("Jefe"), b"what do ya want for nothing?");
        let mac = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM";
        assert!(verify(Algorithm::HS256, &key, text, mac));
        assert!(!verify(Algorithm::HS256, &key, b"what do ya want", mac));
        assert!(!verify(Algorithm::HS384, &key, text, mac));
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert!(!verify(algorithm, &key, text, mac), "{algorithm:?}");
        }
        let empty = "thNnmggU2ex3L5XXeMNfxf8Wl8STcVZTxscSFEKSxa0";
        assert!(!verify(Algorithm::HS256, &secret(""), b"", empty));
        for other in [Material::Elliptic(b"Jefe".to_vec()), Material::Edwards(b"Jefe".to_vec())] {
            assert!(
                !verify(Algorithm::RS256, &other, text, mac) && !verify(Algorithm::HS256, &other, text, mac)
            );
        }
    }
}
