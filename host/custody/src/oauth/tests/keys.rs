//! Derivation: known answers, separation of labels, and what makes no keyring.

use std::collections::BTreeSet;

use hkdf::Hkdf;
use sha2::Sha256;

use super::super::keys::{Key, Keyring, KeyringError, Label, MAX_ROOTS, Root};
use super::super::text::unhex;
use super::{known, other, ring, root};

#[test]
fn the_derivation_gives_the_known_answers_of_rfc_5869() {
    // Appendix A.1 and A.3.
    let info = unhex::<10>("f0f1f2f3f4f5f6f7f8f9").unwrap();
    let salt = unhex::<13>("000102030405060708090a0b0c").unwrap();
    let long = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
    let bare = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8";
    for (salt, info, okm) in [(Some(&salt[..]), &info[..], long), (None, &[], bare)] {
        let mut out = [0; 42];
        Hkdf::<Sha256>::new(salt, &[0x0b; 22]).expand(info, &mut out).unwrap();
        assert_eq!(out, unhex::<42>(okm).unwrap());
    }
}

#[test]
fn the_mac_gives_the_known_answers_of_rfc_4231() {
    // Test cases 1 and 2, whose keys are shorter than ours and filled up with zeros alike.
    let key = |bytes: &[u8]| {
        let mut filled = [0; 32];
        filled[..bytes.len()].copy_from_slice(bytes);
        Key::from_bytes(filled)
    };
    let first = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
    assert_eq!(key(&[0x0b; 20]).mac(&[b"Hi There"]), unhex::<32>(first).unwrap());
    let second = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
    assert_eq!(key(b"Jefe").mac(&parts), unhex::<32>(second).unwrap());
}

#[test]
fn a_root_derives_the_same_key_id_in_every_version() {
    // Computed apart from this code, by RFC 5869.
    assert_eq!(ring(&[known()]).newest_kid().to_string(), "b8845e19");
}

#[test]
fn every_label_of_every_root_has_a_key_of_its_own() {
    let mut seen = BTreeSet::new();
    let mut texts = BTreeSet::new();
    for root in [known(), other()] {
        let ring = ring(&[root]);
        for label in Label::ALL {
            assert!(seen.insert(*ring.newest().key(*label).bytes()), "{label:?}");
        }
    }
    for label in Label::ALL {
        assert!(
            texts.insert(label.text()) && !label.text().contains('\0') && label.text() != "kid",
            "{label:?}"
        );
    }
    assert_eq!(seen.len(), Label::ALL.len() * 2);
}

#[test]
fn a_root_that_differs_in_one_bit_shares_nothing() {
    let near = root("0123456789abcdef0123456789abcdeg");
    let ring = ring(&[known(), near]);
    let kids: BTreeSet<_> = ring.kids().collect();
    assert_eq!(kids.len(), 2);
}

#[test]
fn roots_stay_in_order_and_the_first_is_the_newest() {
    let alone = |root: Root| ring(&[root]).newest_kid();
    let both = ring(&[other(), known()]);
    assert_eq!(both.newest_kid(), alone(other()));
    assert_eq!(both.kids().collect::<Vec<_>>(), [alone(other()), alone(known())]);
}

#[test]
fn roots_that_make_no_keyring_are_named() {
    let many = |count: usize| (0..count).map(|n| root(&format!("{n:032}"))).collect::<Vec<_>>();
    let error = |roots: &[Root]| Keyring::new(roots).err();
    assert_eq!(error(&[]), Some(KeyringError::Empty));
    assert_eq!(error(&many(MAX_ROOTS)), None);
    assert_eq!(error(&many(MAX_ROOTS + 1)), Some(KeyringError::TooMany { given: 9 }));
    let short = root("one byte short of thirty-two by1");
    assert_eq!(error(&[known(), short]), None);
    let short = root("one byte short of thirty-two by");
    assert_eq!(error(&[known(), short]), Some(KeyringError::TooShort { position: 2 }));
    assert_eq!(error(&[known(), other(), known()]), Some(KeyringError::Same { first: 1, second: 3 }));
}

#[test]
fn debug_shows_key_ids_and_no_secret() {
    let shown = format!("{:?} {:?}", ring(&[known(), other()]), known());
    assert!(shown.starts_with("Keyring[b8845e19, ") && shown.ends_with("] Root(..)"), "{shown}");
    assert!(!shown.contains("0123456789abcdef"), "{shown}");
}
