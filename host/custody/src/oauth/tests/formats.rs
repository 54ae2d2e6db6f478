//! Proof keys, hashed client secrets, and the text forms beneath.

use proptest::prelude::any;

use super::super::client_secret::{self, HashError, SecretHash, UnfitSecret};
use super::super::pkce::{self, InvalidVerifier};
use super::super::text::{decode, encode, frame, hex, unframe, unhex};
use super::super::wire::{Reader, Writer};
use super::{Counting, cut, past, runner};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[test]
fn the_challenge_is_the_known_answer_of_rfc_7636() {
    // Appendix B.
    assert_eq!(pkce::challenge(VERIFIER).as_deref(), Ok(CHALLENGE));
    assert!(pkce::matches(VERIFIER, CHALLENGE));
    assert!(pkce::is_challenge(CHALLENGE));
}

#[test]
fn a_verifier_is_43_to_128_unreserved_characters() {
    for good in ["a".repeat(43), "Z".repeat(128), format!("{}-._~0", "b".repeat(40))] {
        assert!(pkce::challenge(&good).is_ok(), "{good}");
    }
    let long = "a".repeat(42);
    for bad in [
        String::new(),
        long.clone(),
        "a".repeat(129),
        format!("{long} "),
        format!("{long}+"),
        format!("{long}/"),
        format!("{long}="),
        format!("{long}%"),
        format!("{long}\0"),
        format!("{long}\n"),
        format!("{long}é"),
        format!("{}é", "a".repeat(41)),
    ] {
        assert_eq!(pkce::challenge(&bad), Err(InvalidVerifier), "{bad:?}");
        assert!(!pkce::matches(&bad, CHALLENGE), "{bad:?}");
    }
}

#[test]
fn a_challenge_is_32_bytes_of_base64url() {
    for bad in [
        "",
        cut(CHALLENGE, 42),
        &format!("{CHALLENGE}A"),
        &format!("{CHALLENGE}="),
        &CHALLENGE.replace('-', "+"),
        &CHALLENGE.replace('-', "."),
        &CHALLENGE.replace("cM", "cN"),
        &format!("{}é", cut(CHALLENGE, 41)),
        &format!(" {}", cut(CHALLENGE, 42)),
    ] {
        assert!(!pkce::is_challenge(bad), "{bad:?}");
        assert!(!pkce::matches(VERIFIER, bad), "{bad:?}");
    }
}

#[test]
fn the_verifier_itself_is_not_taken_for_its_challenge() {
    // Method plain.
    assert!(!pkce::matches(VERIFIER, VERIFIER));
}

#[test]
fn a_generated_pair_belongs_together_and_to_no_other() {
    let random = Counting::default();
    let (one, two) = (pkce::generate(&random), pkce::generate(&random));
    for (verifier, challenge) in [&one, &two] {
        assert_eq!(verifier.expose().len(), 43);
        assert!(pkce::matches(verifier.expose(), challenge) && pkce::is_challenge(challenge));
    }
    assert!(!pkce::matches(one.0.expose(), &two.1));
    assert_eq!(format!("{:?}", one.0), "SecretText(..)");
}

/// `aegis_cs_` and 43 times `A` under the salt 00..0f, computed apart from this code.
const HASH: &str = "sha256:000102030405060708090a0b0c0d0e0f:ee684339581f87655a7bb7ea0b363519b9b98aaf0219a724aaea585345db71bf";

#[test]
fn a_hashed_secret_has_the_same_form_in_every_version() {
    let secret = format!("aegis_cs_{}", "A".repeat(43));
    let hash = SecretHash::of(&secret, &Counting::default()).unwrap();
    assert_eq!(hash.to_string(), HASH);
    assert!(hash.matches(&secret));
    assert_eq!(format!("{hash:?}"), "SecretHash(..)");
}

#[test]
fn a_generated_secret_matches_its_hash_and_no_other() {
    let random = Counting::default();
    let (one, two) = (client_secret::generate(&random), client_secret::generate(&random));
    let hash: SecretHash = SecretHash::of(one.expose(), &random).unwrap().to_string().parse().unwrap();
    assert!(hash.matches(one.expose()));
    let cut = cut(one.expose(), one.expose().len() - 1);
    for wrong in
        [two.expose(), "", cut, &format!("{} ", one.expose()), &hash.to_string(), &"A".repeat(1_000_000)]
    {
        assert!(!hash.matches(wrong));
    }
}

#[test]
fn a_secret_that_cannot_hold_256_bits_is_not_hashed() {
    let hash = |secret: &str| SecretHash::of(secret, &Counting::default()).map(|_| ());
    assert_eq!(hash(""), Err(UnfitSecret));
    assert_eq!(hash("correct horse battery staple"), Err(UnfitSecret));
    assert_eq!(hash(&"x".repeat(42)), Err(UnfitSecret));
    assert_eq!(hash(&"x".repeat(43)), Ok(()));
    assert_eq!(hash(&"x".repeat(512)), Ok(()));
    assert_eq!(hash(&"x".repeat(513)), Err(UnfitSecret));
}

#[test]
fn each_fault_of_a_hashed_secret_is_named() {
    assert!(HASH.parse::<SecretHash>().is_ok());
    let (salt, digest) = ("0".repeat(32), "0".repeat(64));
    for (text, expected) in [
        (String::new(), HashError::Scheme),
        ("the secret itself".into(), HashError::Scheme),
        (format!("sha512:{salt}:{digest}"), HashError::Scheme),
        (format!("SHA256:{salt}:{digest}"), HashError::Scheme),
        (format!(" sha256:{salt}:{digest}"), HashError::Scheme),
        ("sha256:".into(), HashError::Parts),
        (format!("sha256:{digest}"), HashError::Parts),
        (format!("sha256:{salt}:{digest}:"), HashError::Parts),
        (format!("sha256::{digest}"), HashError::Salt),
        (format!("sha256:{}:{digest}", past(&salt, 1)), HashError::Salt),
        (format!("sha256:{}g:{digest}", past(&salt, 1)), HashError::Salt),
        (format!("sha256:{salt}00:{digest}"), HashError::Salt),
        (format!("sha256:{salt}:"), HashError::Digest),
        (format!("sha256:{salt}:{}", past(&digest, 2)), HashError::Digest),
        (format!("sha256:{salt}:{}A", past(&digest, 1)), HashError::Digest),
        (format!("sha256:{salt}:{digest}\n"), HashError::Digest),
    ] {
        assert_eq!(text.parse::<SecretHash>().map(|_| ()), Err(expected), "{text:?}");
    }
}

#[test]
fn bytes_have_one_text_and_a_text_one_reading() {
    runner()
        .run(&(any::<Vec<u8>>(), any::<[u8; 7]>(), any::<String>()), |(bytes, seven, text)| {
            assert_eq!(decode(&encode(&bytes)), Some(bytes.clone()));
            assert_eq!(unhex(&hex(&seven)), Some(seven));
            if let Some(read) = decode(&text) {
                assert_eq!(encode(&read), text);
            }
            let framed = frame("x_", &bytes);
            assert_eq!(*unframe("x_", framed.expose(), 1000).unwrap(), bytes);
            assert!(unframe("y_", framed.expose(), 1000).is_none());
            assert!(unframe("x_", framed.expose(), framed.expose().len() - 1).is_none());
            let _ = unframe("x_", &text, 1000);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_reader_takes_what_is_there_and_never_more() {
    let bytes = Writer::with_capacity(0).byte(1).signed(-2).text("ab", 2).unwrap().bytes(&[9]).finish();
    let mut reader = Reader::new(&bytes);
    assert_eq!((reader.byte(), reader.signed(), reader.text(2)), (Some(1), Some(-2), Some("ab")));
    assert_eq!(reader.array::<2>(), None);
    assert_eq!(reader.rest(), [9]);
    assert!(Writer::with_capacity(0).text("abc", 2).is_none());
    for bad in [&[][..], &[0], &[0, 3, b'a', b'b'], &[0, 4, b'a', b'b', b'c', b'd'], &[0, 1, 0xff]] {
        assert_eq!(Reader::new(bad).text(3), None, "{bad:?}");
    }
}
