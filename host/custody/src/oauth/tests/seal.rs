//! Sealing: known answers, and everything that must not open.

use proptest::collection::vec;
use proptest::prelude::any;

use super::super::keys::Key;
use super::super::seal::{MAX_CONTENT, OVERHEAD, OpenError, Purpose, Seal, TooLong, decrypt, encrypt};
use super::super::text::{self, unhex};
use super::{
    Counting, NOW, at, cut, known, other, ring, ring_of_known, runner, single_bit_flips,
    single_bit_flips_of_text,
};

/// `page 2` sealed as a cursor for `user 42` until a minute after now, computed apart from this code.
const CURSOR: &str = "uIReGQABAgMEBQYHCAkKCwwNDg8QERITFBUWF__lCNFBF4qQ7c24xDps8JeJNQ6M9jXJxGfeaZwj3w";

#[test]
fn the_cipher_gives_the_known_answer_of_the_xchacha_draft() {
    // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    let plain =
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
        sunscreen would be it.";
    let sealed = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39\
        ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c\
        97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";
    let key = Key::from_bytes(std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap()));
    let nonce = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
    let data = unhex::<12>("50515253c0c1c2c3c4c5c6c7").unwrap();
    let computed = encrypt(&key, &nonce, &data, plain).unwrap();
    assert_eq!(computed, unhex::<130>(sealed).unwrap());
    assert_eq!(*decrypt(&key, &nonce, &data, &computed).unwrap(), plain);
}

#[test]
fn a_sealed_value_has_the_same_form_in_every_version() {
    let ring = ring_of_known();
    let seal = Seal::new(Purpose::Cursor, b"user 42");
    let made = seal.seal_text(&ring, &Counting::default(), b"page 2", at(NOW + 60)).unwrap();
    assert_eq!(made, CURSOR);
    let opened = seal.open_text(&ring, CURSOR, at(NOW)).unwrap();
    assert_eq!(opened.content.as_slice(), b"page 2");
    assert_eq!(opened.expires_at, at(NOW + 60));
    assert_eq!(opened.kid, ring.newest_kid());
}

#[test]
fn whatever_is_sealed_opens_again_with_the_same_purpose_and_binding() {
    let ring = ring_of_known();
    let random = Counting::default();
    let cases = (vec(any::<u8>(), 0..300), vec(any::<u8>(), 0..40), 0..Purpose::ALL.len());
    runner()
        .run(&cases, |(content, binding, purpose)| {
            let seal = Seal::new(Purpose::ALL[purpose], &binding);
            let sealed = seal.seal(&ring, &random, &content, at(NOW + 1)).unwrap();
            assert_eq!(sealed.len(), content.len() + OVERHEAD);
            assert_eq!(*seal.open(&ring, &sealed, at(NOW)).unwrap().content, content);
            Ok(())
        })
        .unwrap();
}

#[test]
fn nothing_sealed_for_one_purpose_opens_for_another() {
    let ring = ring_of_known();
    for made in Purpose::ALL {
        let sealed = Seal::new(made, b"").seal(&ring, &Counting::default(), b"x", at(NOW + 1)).unwrap();
        for asked in Purpose::ALL {
            let opened = Seal::new(asked, b"").open(&ring, &sealed, at(NOW)).map(|_| ());
            assert_eq!(
                opened,
                if made == asked { Ok(()) } else { Err(OpenError::Forged) },
                "{made:?} {asked:?}"
            );
        }
        let as_token = Seal::for_access_tokens().open(&ring, &sealed, at(NOW)).map(|_| ());
        assert_eq!(as_token, Err(OpenError::Forged), "{made:?}");
    }
}

#[test]
fn a_value_bound_to_one_thing_does_not_open_for_another() {
    let ring = ring_of_known();
    let seal = |binding| Seal::new(Purpose::Csrf, binding);
    let sealed = seal(b"flow 1").seal(&ring, &Counting::default(), b"x", at(NOW + 1)).unwrap();
    for binding in [&b""[..], b"flow", b"flow 2", b"flow 1 ", b"flow 1\0", b"\0flow 1"] {
        let opened = seal(binding).open(&ring, &sealed, at(NOW)).map(|_| ());
        assert_eq!(opened, Err(OpenError::Forged), "{binding:?}");
    }
}

#[test]
fn it_opens_until_its_second_and_not_from_then_on() {
    let ring = ring_of_known();
    let seal = Seal::new(Purpose::State, b"");
    let expires = crate::Timestamp::from_unix_millis((NOW + 10) * 1000 + 999);
    let sealed = seal.seal(&ring, &Counting::default(), b"x", expires).unwrap();
    let open = |millis| {
        let now = crate::Timestamp::from_unix_millis(millis);
        seal.open(&ring, &sealed, now).map(|opened| opened.expires_at)
    };
    assert_eq!(open(0), Ok(at(NOW + 10)));
    assert_eq!(open((NOW + 10) * 1000 - 1), Ok(at(NOW + 10)));
    assert_eq!(open((NOW + 10) * 1000), Err(OpenError::Expired));
    assert_eq!(open(i64::MAX), Err(OpenError::Expired));
}

#[test]
fn every_single_bit_flip_is_refused() {
    let ring = ring(&[known(), other()]);
    let seal = Seal::new(Purpose::Grant, b"user 42");
    let sealed = seal.seal(&ring, &Counting::default(), b"a secret", at(NOW + 1)).unwrap();
    for (bit, flipped) in single_bit_flips(&sealed).enumerate() {
        let refused = seal.open(&ring, &flipped, at(NOW)).map(|_| ()).unwrap_err();
        let expected = if bit < 32 { OpenError::UnknownKey } else { OpenError::Forged };
        assert_eq!(refused, expected, "bit {bit}");
    }
    let text = seal.seal_text(&ring, &Counting::default(), b"a secret", at(NOW + 1)).unwrap();
    for flipped in single_bit_flips_of_text(&text) {
        assert!(seal.open_text(&ring, &flipped, at(NOW)).is_err(), "{flipped}");
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let ring = ring_of_known();
    let seal = Seal::new(Purpose::Cursor, b"user 42");
    for end in 0..CURSOR.len() {
        assert!(seal.open_text(&ring, cut(CURSOR, end), at(NOW)).is_err(), "{end}");
    }
    let sealed = text::decode(CURSOR).unwrap();
    for end in 0..sealed.len() {
        let refused = seal.open(&ring, &sealed[..end], at(NOW)).map(|_| ()).unwrap_err();
        let expected = if end < OVERHEAD { OpenError::Malformed } else { OpenError::Forged };
        assert_eq!(refused, expected, "{end}");
    }
    for tail in ["A", "=", "==", "\n", " ", "%3D", "AAAA"] {
        assert!(seal.open_text(&ring, &format!("{CURSOR}{tail}"), at(NOW)).is_err(), "{tail:?}");
    }
}

#[test]
fn an_old_root_still_opens_the_new_one_seals_and_a_removed_one_is_unknown() {
    let (old, both, new) = (ring(&[known()]), ring(&[other(), known()]), ring(&[other()]));
    let seal = Seal::new(Purpose::Grant, b"");
    let sealed = seal.seal(&old, &Counting::default(), b"x", at(NOW + 1)).unwrap();
    let opened = seal.open(&both, &sealed, at(NOW)).unwrap();
    assert_eq!((opened.kid == old.newest_kid(), opened.kid == both.newest_kid()), (true, false));
    assert_eq!(seal.open(&new, &sealed, at(NOW)).map(|_| ()), Err(OpenError::UnknownKey));
    let again = seal.seal(&both, &Counting::default(), b"x", at(NOW + 1)).unwrap();
    assert!(seal.open(&new, &again, at(NOW)).is_ok());
    assert_eq!(seal.open(&old, &again, at(NOW)).map(|_| ()), Err(OpenError::UnknownKey));
}

#[test]
fn one_content_sealed_twice_gives_two_values() {
    let (ring, random) = (ring_of_known(), Counting::default());
    let seal = Seal::new(Purpose::State, b"");
    let made = || seal.seal_text(&ring, &random, b"x", at(NOW + 1)).unwrap();
    assert_ne!(made(), made());
}

#[test]
fn content_is_bounded_when_sealed_and_when_opened() {
    let (ring, random) = (ring_of_known(), Counting::default());
    let seal = Seal::new(Purpose::Consent, b"");
    let most = vec![0; MAX_CONTENT];
    let text = seal.seal_text(&ring, &random, &most, at(NOW + 1)).unwrap();
    assert!(seal.open_text(&ring, &text, at(NOW)).is_ok());
    let more = vec![0; MAX_CONTENT + 1];
    assert_eq!(seal.seal(&ring, &random, &more, at(NOW + 1)), Err(TooLong { bytes: MAX_CONTENT + 1 }));
    let huge = "A".repeat(200_000);
    assert_eq!(seal.open_text(&ring, &huge, at(NOW)).map(|_| ()), Err(OpenError::Malformed));
    assert_eq!(seal.open(&ring, huge.as_bytes(), at(NOW)).map(|_| ()), Err(OpenError::Malformed));
}

#[test]
fn arbitrary_bytes_and_texts_are_refused_without_a_panic() {
    let ring = ring_of_known();
    let seal = Seal::new(Purpose::Cursor, b"user 42");
    let cases = (vec(any::<u8>(), 0..200), any::<String>(), any::<i64>());
    runner()
        .run(&cases, |(mut bytes, text, millis)| {
            let now = crate::Timestamp::from_unix_millis(millis);
            assert!(seal.open(&ring, &bytes, now).is_err());
            assert!(seal.open_text(&ring, &text, now).is_err());
            // Past the key id, too.
            bytes.splice(..bytes.len().min(4), ring.newest_kid().0);
            assert!(seal.open(&ring, &bytes, now).is_err());
            Ok(())
        })
        .unwrap();
}

#[test]
fn debug_shows_no_content_and_no_binding() {
    let (ring, random) = (ring_of_known(), Counting::default());
    let seal = Seal::new(Purpose::Grant, b"binding");
    let sealed = seal.seal(&ring, &random, b"content", at(NOW + 1)).unwrap();
    let shown = format!("{seal:?} {:?}", seal.open(&ring, &sealed, at(NOW)).unwrap());
    assert!(
        shown.contains("b8845e19") && !shown.contains("content") && !shown.contains("binding"),
        "{shown}"
    );
    let [content, binding] = [format!("{:?}", b"content"), format!("{:?}", b"binding")];
    assert!(!shown.contains(&content) && !shown.contains(&binding), "{shown}");
}
