//! Ids of dynamic registration and their secrets.

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::select;

use super::super::client_id::{
    AuthMethod, ClientIdError, MAX_LENGTH, MAX_REDIRECTS, Registration, RegistrationError, clean_name, issue,
    looks_like, secret_matches, verify,
};
use super::super::{redirect, text};
use super::{
    Counting, NOW, at, cut, known, other, past, ring, ring_of_known, runner, single_bit_flips,
    single_bit_flips_of_text,
};

/// [`registration`] with counted chance, and its secret, computed apart from this code.
const ID: &str = "d1.uIReGVFhAgABAgMEBQYHAAtDbGF1ZGUgQ29kZfMjuUC7xUnEg5NQLaWKymu_vJoBHMb4uVn12Y6WQG_qd0jHxD8j2\
    iVOwNRRUokCIQ";
const SECRET: &str = "aegis_cs_tcg1XxdMWgNYUbNTyo1WVneb9hEc0Mm0_MkrI-swm1Y";

const METHODS: [AuthMethod; 3] = [AuthMethod::None, AuthMethod::Basic, AuthMethod::Post];

fn registration() -> Registration {
    Registration {
        auth_method: AuthMethod::Post,
        name: "Claude Code".into(),
        redirect_uris: vec![
            "http://localhost:54212/callback".into(),
            "https://claude.ai/api/mcp/auth_callback".into(),
        ],
    }
}

#[test]
fn an_id_and_its_secret_have_the_same_form_in_every_version() {
    let issued = issue(&registration(), &ring_of_known(), &Counting::default(), at(NOW)).unwrap();
    assert_eq!(issued.client_id, ID);
    assert_eq!(issued.client_secret.unwrap().expose(), SECRET);
    let registered = verify(ID, &ring_of_known()).unwrap();
    assert_eq!(registered.auth_method, AuthMethod::Post);
    assert_eq!(registered.name, "Claude Code");
    assert_eq!(registered.issued_on.to_string(), "2027-01-15T00:00:00.000Z");
    assert!(looks_like(ID) && !looks_like("https://claude.ai/oauth/mcp-oauth-client-metadata"));
}

#[test]
fn an_id_permits_what_was_registered_and_nothing_else() {
    let registered = verify(ID, &ring_of_known()).unwrap();
    for uri in [
        "http://localhost:54212/callback",
        "http://localhost/callback",
        "http://localhost:1/callback",
        "https://claude.ai/api/mcp/auth_callback",
    ] {
        assert!(registered.permits(uri), "{uri}");
    }
    for uri in [
        "",
        "http://127.0.0.1:54212/callback",
        "http://localhost:54212/callback/",
        "http://localhost:54212/callback?x",
        "http://localhost:0/callback",
        "http://localhost:1@evil/callback",
        "https://localhost/callback",
        "https://claude.ai:443/api/mcp/auth_callback",
        "https://claude.ai/api/mcp/auth_callback/",
    ] {
        assert!(!registered.permits(uri), "{uri}");
    }
}

#[test]
fn whatever_is_registered_comes_back_and_permits_by_the_redirect_rule() {
    let ring = ring_of_known();
    let random = Counting::default();
    let uri = || "(https://a\\.b|http://localhost|http://127\\.0\\.0\\.1)(:[1-9][0-9]{0,3})?/[a-c]{0,2}";
    let cases = (select(&METHODS[..]), any::<String>(), vec(uri(), 1..=MAX_REDIRECTS), uri());
    runner()
        .run(&cases, |(auth_method, name, redirect_uris, presented)| {
            let asked = Registration { auth_method, name, redirect_uris };
            let issued = issue(&asked, &ring, &random, at(NOW)).unwrap();
            assert!(issued.client_id.len() <= MAX_LENGTH);
            let registered = verify(&issued.client_id, &ring).unwrap();
            assert_eq!(registered.auth_method, auth_method);
            assert_eq!(registered.name, clean_name(&asked.name));
            assert_eq!(registered.redirects.len(), asked.redirect_uris.len());
            let expected = asked.redirect_uris.iter().any(|uri| redirect::matches(uri, &presented));
            assert_eq!(registered.permits(&presented), expected);
            assert_eq!(issued.client_secret.is_some(), auth_method != AuthMethod::None);
            if let Some(secret) = issued.client_secret {
                assert!(secret_matches(&issued.client_id, secret.expose(), &ring));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_largest_registration_is_within_the_length() {
    let asked = Registration {
        name: "\u{1F980}".repeat(1000),
        redirect_uris: (0..5).map(|n| format!("https://a.example/{n}{}", "x".repeat(490))).collect(),
        ..registration()
    };
    let issued = issue(&asked, &ring_of_known(), &Counting::default(), at(NOW)).unwrap();
    assert!(issued.client_id.len() <= MAX_LENGTH, "{}", issued.client_id.len());
    let registered = verify(&issued.client_id, &ring_of_known()).unwrap();
    assert_eq!(registered.name, "\u{1F980}".repeat(64));
    assert!(asked.redirect_uris.iter().all(|uri| registered.permits(uri)));
}

#[test]
fn one_registration_made_twice_gives_two_ids_and_two_secrets() {
    let (ring, random) = (ring_of_known(), Counting::default());
    let made = || issue(&registration(), &ring, &random, at(NOW)).unwrap();
    let (one, two) = (made(), made());
    assert_ne!(one.client_id, two.client_id);
    let secret = one.client_secret.unwrap();
    assert!(secret_matches(&one.client_id, secret.expose(), &ring));
    assert!(!secret_matches(&two.client_id, secret.expose(), &ring));
}

#[test]
fn one_redirect_uri_has_another_hash_in_every_id() {
    let (ring, random) = (ring_of_known(), Counting::default());
    let hashes = || {
        let issued = issue(&registration(), &ring, &random, at(NOW)).unwrap();
        verify(&issued.client_id, &ring).unwrap().redirects
    };
    let (one, two) = (hashes(), hashes());
    assert!(one.iter().all(|hash| !two.contains(hash)));
}

#[test]
fn registrations_outside_their_limits_are_refused() {
    let refused = |redirect_uris: Vec<String>| {
        let asked = Registration { redirect_uris, ..registration() };
        issue(&asked, &ring_of_known(), &Counting::default(), at(NOW)).err()
    };
    let uri = || "https://a.example/cb".to_owned();
    assert_eq!(refused(vec![]), Some(RegistrationError::NoRedirect));
    assert_eq!(refused(vec![uri(); 5]), None);
    assert_eq!(refused(vec![uri(); 6]), Some(RegistrationError::TooManyRedirects));
    assert_eq!(refused(vec!["x".repeat(512)]), None);
    assert_eq!(refused(vec![uri(), "x".repeat(513)]), Some(RegistrationError::RedirectTooLong));
}

#[test]
fn every_single_bit_flip_of_an_id_is_refused() {
    for flipped in single_bit_flips_of_text(ID) {
        assert!(verify(&flipped, &ring_of_known()).is_err(), "{flipped}");
        assert!(!secret_matches(&flipped, SECRET, &ring_of_known()), "{flipped}");
    }
    let bytes = text::decode(past(ID, 3)).unwrap();
    for (bit, flipped) in single_bit_flips(&bytes).enumerate() {
        let expected = if bit < 32 { ClientIdError::UnknownKey } else { ClientIdError::Forged };
        let id = format!("d1.{}", text::encode(&flipped));
        assert_eq!(verify(&id, &ring_of_known()), Err(expected), "bit {bit}");
    }
}

#[test]
fn every_other_text_is_no_id() {
    for end in 0..ID.len() {
        assert!(verify(cut(ID, end), &ring_of_known()).is_err(), "{end}");
    }
    for (id, expected) in [
        ("", ClientIdError::Malformed),
        ("d1.", ClientIdError::Malformed),
        ("d1.AAAA", ClientIdError::Malformed),
        ("client-1", ClientIdError::Malformed),
        ("https://claude.ai/oauth/mcp-oauth-client-metadata", ClientIdError::Malformed),
        (&format!("{ID}="), ClientIdError::Malformed),
        (&format!("{ID}\n"), ClientIdError::Malformed),
        (&ID.replace("d1.", "d2."), ClientIdError::Malformed),
        (&ID.replace("d1.", "D1."), ClientIdError::Malformed),
        (&format!("d1.{}", "A".repeat(508)), ClientIdError::UnknownKey),
        (&format!("d1.{}", "A".repeat(510)), ClientIdError::Malformed),
    ] {
        assert_eq!(verify(id, &ring_of_known()), Err(expected), "{id}");
        assert!(!secret_matches(id, SECRET, &ring_of_known()), "{id}");
    }
}

#[test]
fn an_id_and_its_secret_stay_valid_while_their_root_is_held() {
    let (both, new) = (ring(&[other(), known()]), ring(&[other()]));
    assert!(verify(ID, &both).is_ok() && secret_matches(ID, SECRET, &both));
    assert_eq!(verify(ID, &new), Err(ClientIdError::UnknownKey));
    assert!(!secret_matches(ID, SECRET, &new));
}

#[test]
fn only_the_secret_of_a_confidential_client_matches() {
    let (ring, random) = (ring_of_known(), Counting::default());
    assert!(secret_matches(ID, SECRET, &ring));
    for wrong in ["", "aegis_cs_", cut(SECRET, SECRET.len() - 1), &format!("{SECRET}A"), ID] {
        assert!(!secret_matches(ID, wrong, &ring), "{wrong}");
    }
    for flipped in single_bit_flips_of_text(SECRET) {
        assert!(!secret_matches(ID, &flipped, &ring), "{flipped}");
    }
    // The secret that a public client's id would have had does not make it confidential.
    let asked = Registration { auth_method: AuthMethod::None, ..registration() };
    let public = issue(&asked, &ring, &random, at(NOW)).unwrap();
    assert!(public.client_secret.is_none());
    let mac = ring.newest().key(super::super::keys::Label::ClientSecret).mac(&[public.client_id.as_bytes()]);
    let would_be = format!("aegis_cs_{}", text::encode(&mac));
    assert!(!secret_matches(&public.client_id, &would_be, &ring));
}

#[test]
fn names_are_cleaned_before_anybody_sees_them() {
    for (sent, clean) in [
        ("Claude Code", "Claude Code"),
        ("  Claude\t\r\n Code  ", "Claude Code"),
        ("a\u{202e}b\u{2066}c\u{200b}d\u{feff}e", "abcde"),
        ("a\u{1b}[31mb\0", "a[31mb"),
        ("a \u{200b} b", "a b"),
        ("\u{e0041}\u{fe0f}", ""),
        ("a\u{a0}\u{3000}\u{2028}b", "a b"),
        ("<b>&\"", "<b>&\""),
        ("Ünïcode 名前", "Ünïcode 名前"),
        ("", ""),
        ("   ", ""),
    ] {
        assert_eq!(clean_name(sent), clean, "{sent:?}");
    }
    assert_eq!(clean_name(&format!("{} x", "a".repeat(63))), "a".repeat(63));
    assert_eq!(clean_name(&"ä".repeat(65)).chars().count(), 64);
}

#[test]
fn cleaning_a_clean_name_changes_nothing() {
    runner()
        .run(&any::<String>(), |name| {
            let clean = clean_name(&name);
            assert_eq!(clean_name(&clean), clean);
            assert!(clean.chars().count() <= 64 && !clean.chars().any(char::is_control));
            Ok(())
        })
        .unwrap();
}

#[test]
fn arbitrary_text_is_no_id_and_never_panics() {
    let ring = ring_of_known();
    runner()
        .run(&(any::<String>(), any::<Vec<u8>>()), |(text_, mut bytes)| {
            bytes.splice(..bytes.len().min(4), ring.newest_kid().0);
            for id in [text_.clone(), format!("d1.{text_}"), format!("d1.{}", text::encode(&bytes))] {
                assert!(verify(&id, &ring).is_err());
                assert!(!secret_matches(&id, &text_, &ring));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn debug_of_an_issued_registration_shows_no_secret() {
    let issued = issue(&registration(), &ring_of_known(), &Counting::default(), at(NOW)).unwrap();
    let shown = format!("{issued:?}");
    assert!(shown.contains(ID) && !shown.contains("tcg1XxdM"), "{shown}");
}

#[test]
fn auth_methods_have_their_names_of_rfc_7591() {
    assert_eq!(METHODS.map(AuthMethod::as_str), ["none", "client_secret_basic", "client_secret_post"]);
}

/// Issue and verify so many clients; all that there is for it is the keyring, which cannot change meanwhile.
#[expect(clippy::disallowed_macros, reason = "the long form tells how far it is")]
fn issue_and_verify(count: usize) {
    let (ring, random) = (ring(&[known(), other()]), Counting::default());
    let (mut last, mut longest) = (String::new(), 0);
    for number in 0..count {
        let name = format!("Client {number}");
        let registration = Registration { name: name.clone(), ..registration() };
        let issued = issue(&registration, &ring, &random, at(NOW)).unwrap();
        let secret = issued.client_secret.unwrap();
        assert_eq!(verify(&issued.client_id, &ring).unwrap().name, name);
        assert!(secret_matches(&issued.client_id, secret.expose(), &ring));
        assert!(!secret_matches(&last, secret.expose(), &ring));
        longest = longest.max(issued.client_id.len());
        last = issued.client_id;
        if (number + 1) % 100_000 == 0 {
            println!("{} of {count} clients issued and verified", number + 1);
        }
    }
    assert!(longest <= MAX_LENGTH);
}

#[test]
fn each_of_many_clients_is_proved_by_its_own_id_and_secret() {
    issue_and_verify(1_000);
}

#[test]
#[ignore = "the long form: make long-tests"]
fn a_million_clients_are_issued_and_verified_without_anything_being_kept_for_them() {
    issue_and_verify(1_000_000);
}
