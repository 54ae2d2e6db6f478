//! Access tokens, refresh tokens, codes and fingerprints.

use proptest::prelude::any;
use proptest::strategy::Strategy as _;

use super::super::access_token::{self, Claims, IssueError, OpenError, Scopes};
use super::super::refresh_token::{self, Presented, RefreshError};
use super::super::seal::Seal;
use super::super::{code, text};
use super::{
    Counting, FAMILY, JTI, NOW, at, cut, known, other, ring, ring_of_known, runner, single_bit_flips,
    single_bit_flips_of_text,
};

const ORIGIN: &str = "https://mcp.example.org";

/// The token of [`claims`] with counted chance, computed apart from this code.
const ACCESS: &str = "aegis_at_uIReGQABAgMEBQYHCAkKCwwNDg8QERITFBUWF9r34QLBlZ_DXkmLrKHw2Z3ZfbZSRviwmHEfqY7NKkGxO3\
    rjLV15oc3yyMHGikwqthCBbx-uoGInA2BIMXzTMscgMz75YU_e8uje0LJDGXAhli535XKOuvjiUC4d18NPqmUsWeHSNOkTQmTYB3lrDeTTPvSM\
    _dde00aad";

/// Generation 3 of [`FAMILY`] for `client-1`, computed apart from this code.
const REFRESH: &str =
    "aegis_rt_uIReGQcHBwcHBwcHBwcHBwcHBwcAAAAD3LE5Z-USpncydqHDnB8ZvcqN3W6lJMlq8SZ3EXdjOzw_5ca3792d";

fn claims() -> Claims {
    Claims {
        audience: ORIGIN.into(),
        user_id: 42,
        login: "alice".into(),
        client_id: "client-1".into(),
        scopes: Scopes { read: true, write: true },
        family: FAMILY,
        jti: JTI,
        issued_at: at(NOW),
        expires_at: at(NOW + 3600),
    }
}

fn issued(claims: &Claims) -> String {
    access_token::issue(claims, &ring_of_known(), &Counting::default()).unwrap().expose().to_owned()
}

fn open(token: &str) -> Result<Claims, OpenError> {
    access_token::open(token, &ring_of_known(), ORIGIN, at(NOW))
}

#[test]
fn an_access_token_has_the_same_form_in_every_version() {
    assert_eq!(issued(&claims()), ACCESS);
    assert_eq!(open(ACCESS), Ok(claims()));
    assert!(access_token::looks_like(ACCESS) && !access_token::looks_like(REFRESH));
}

#[test]
fn the_claims_of_an_access_token_come_back_as_issued() {
    let ring = ring_of_known();
    let random = Counting::default();
    let scopes = (any::<bool>(), any::<bool>()).prop_filter("a scope", |(read, write)| *read || *write);
    let texts = ("[a-z:/.]{1,60}", "\\PC{1,60}", "\\PC{1,120}");
    let numbers = (1..=i64::MAX, 1..=3600_i64, any::<[u8; 16]>(), any::<[u8; 16]>());
    runner()
        .run(&(scopes, texts, numbers), |((read, write), (audience, login, client_id), numbers)| {
            let (user_id, lifetime, family, jti) = numbers;
            let (issued_at, expires_at) = (at(NOW), at(NOW + lifetime));
            let scopes = Scopes { read, write };
            let claims =
                Claims { audience, user_id, login, client_id, scopes, family, jti, issued_at, expires_at };
            let token = access_token::issue(&claims, &ring, &random).unwrap();
            assert_eq!(access_token::open(token.expose(), &ring, &claims.audience, at(NOW)), Ok(claims));
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_largest_access_token_is_within_its_length() {
    let claims = Claims {
        audience: "a".repeat(300),
        login: "l".repeat(255),
        client_id: "c".repeat(512),
        user_id: i64::MAX,
        ..claims()
    };
    let token = issued(&claims);
    assert!(token.len() <= access_token::MAX_LENGTH, "{}", token.len());
    assert_eq!(access_token::open(&token, &ring_of_known(), &claims.audience, at(NOW)), Ok(claims));
}

#[test]
fn an_access_token_dies_on_the_second_and_without_leeway() {
    let open = |millis| {
        access_token::open(ACCESS, &ring_of_known(), ORIGIN, crate::Timestamp::from_unix_millis(millis))
    };
    let end = (NOW + 3600) * 1000;
    assert!(open(end - 1).is_ok());
    assert_eq!(open(end), Err(OpenError::Expired));
    assert_eq!(open(end + 1), Err(OpenError::Expired));
}

#[test]
fn an_access_token_from_the_future_is_accepted_within_a_minute() {
    let open = |seconds| access_token::open(ACCESS, &ring_of_known(), ORIGIN, at(seconds));
    assert!(open(NOW - 60).is_ok());
    assert_eq!(open(NOW - 61), Err(OpenError::NotYetValid));
}

#[test]
fn an_access_token_is_for_one_audience() {
    for audience in
        ["", "https://mcp.example.org/", "https://MCP.example.org", "http://mcp.example.org", "https://mcp"]
    {
        let opened = access_token::open(ACCESS, &ring_of_known(), audience, at(NOW));
        assert_eq!(opened, Err(OpenError::WrongAudience), "{audience}");
    }
}

#[test]
fn claims_outside_their_limits_are_not_issued() {
    let refused = |claims: Claims| access_token::issue(&claims, &ring_of_known(), &Counting::default()).err();
    for lifetime in [-1, 0, 3601, 1_000_000] {
        let claims = Claims { expires_at: at(NOW + lifetime), ..claims() };
        assert_eq!(refused(claims), Some(IssueError::Lifetime), "{lifetime}");
    }
    let scopes = Scopes { read: false, write: false };
    assert_eq!(refused(Claims { scopes, ..claims() }), Some(IssueError::NoScope));
    for user_id in [0, -1, i64::MIN] {
        assert_eq!(refused(Claims { user_id, ..claims() }), Some(IssueError::UserId));
    }
    for (longest, name) in [(300, "the audience"), (255, "the login"), (512, "the client id")] {
        for length in [0, longest + 1, 70_000] {
            let text = "x".repeat(length);
            let claims = match name {
                "the audience" => Claims { audience: text, ..claims() },
                "the login" => Claims { login: text, ..claims() },
                _ => Claims { client_id: text, ..claims() },
            };
            assert_eq!(refused(claims), Some(IssueError::Field(name)), "{length}");
        }
    }
}

/// Sealed as an access token by whoever holds the key, but with other content.
fn sealed(content: &[u8], lifetime: i64) -> String {
    let seal = Seal::for_access_tokens();
    let bytes = seal.seal(&ring_of_known(), &Counting::default(), content, at(NOW + lifetime)).unwrap();
    text::frame(access_token::PREFIX, &bytes).expose().to_owned()
}

#[test]
fn well_sealed_content_that_we_would_not_issue_is_refused() {
    let bytes = text::unframe(access_token::PREFIX, ACCESS, 1000).unwrap();
    let content = Seal::for_access_tokens().open(&ring_of_known(), &bytes, at(NOW)).unwrap().content.to_vec();
    assert_eq!(open(&sealed(&content, 3600)), Ok(claims()));
    assert_eq!(open(&sealed(&content, 3601)), Err(OpenError::Forged), "too long a life");
    let with = |at: usize, byte: u8| {
        let mut content = content.clone();
        content[at] = byte;
        open(&sealed(&content, 3600))
    };
    for (at, byte) in [(0, 0), (0, 2), (1, 0), (1, 4), (1, 7), (2, 0x80)] {
        assert_eq!(with(at, byte), Err(OpenError::Forged), "byte {at} as {byte}");
    }
    for end in 0..content.len() {
        assert_eq!(open(&sealed(&content[..end], 3600)), Err(OpenError::Forged), "cut at {end}");
    }
    assert_eq!(open(&sealed(&[content, vec![0]].concat(), 3600)), Err(OpenError::Forged), "left over");
}

#[test]
fn every_single_bit_flip_of_an_access_token_is_refused() {
    for flipped in single_bit_flips_of_text(ACCESS) {
        assert_eq!(open(&flipped), Err(OpenError::Malformed), "{flipped}");
    }
    // With the checksum made right again, the seal still tells.
    let bytes = text::unframe(access_token::PREFIX, ACCESS, 1000).unwrap();
    for (bit, flipped) in single_bit_flips(&bytes).enumerate() {
        let expected = if bit < 32 { OpenError::UnknownKey } else { OpenError::Forged };
        assert_eq!(open(text::frame(access_token::PREFIX, &flipped).expose()), Err(expected), "bit {bit}");
    }
}

#[test]
fn every_other_text_is_no_access_token() {
    for end in 0..ACCESS.len() {
        assert_eq!(open(cut(ACCESS, end)), Err(OpenError::Malformed), "{end}");
    }
    let upper = ACCESS.replace("dde00aad", "DDE00AAD");
    let padded = ACCESS.replace("_dde00aad", "=_dde00aad");
    let renamed = text::frame("aegis_rt_", &text::unframe("aegis_at_", ACCESS, 1000).unwrap());
    for token in [
        REFRESH,
        "gta_abcdefghijklmnopqrstuvwxyz",
        "eyJhbGciOiJSUzI1NiJ9.eyJnbnQiOjF9.c2ln",
        "eyJhbGciOiJub25lIn0.e30.",
        "0123456789abcdef0123456789abcdef01234567",
        "aegis_at_",
        "aegis_at__00000000",
        "Bearer",
        upper.as_str(),
        padded.as_str(),
        renamed.expose(),
        &format!(" {ACCESS}"),
        &format!("{ACCESS}\n"),
        &"A".repeat(1_000_000),
        "аegis_at_ⅠⅠⅠ_００００００００",
    ] {
        assert_eq!(open(token), Err(OpenError::Malformed), "{token:.80}");
    }
}

#[test]
fn access_tokens_outlive_a_rotation_but_not_the_removal_of_their_root() {
    let (both, new) = (ring(&[other(), known()]), ring(&[other()]));
    assert_eq!(access_token::open(ACCESS, &both, ORIGIN, at(NOW)), Ok(claims()));
    assert_eq!(access_token::open(ACCESS, &new, ORIGIN, at(NOW)), Err(OpenError::UnknownKey));
    let token = access_token::issue(&claims(), &both, &Counting::default()).unwrap();
    assert_eq!(access_token::open(token.expose(), &new, ORIGIN, at(NOW)), Ok(claims()));
    assert_eq!(open(token.expose()), Err(OpenError::UnknownKey));
}

#[test]
fn a_refresh_token_has_the_same_form_in_every_version() {
    let ring = ring_of_known();
    let token = refresh_token::issue(&ring, ring.newest_kid(), FAMILY, 3, "client-1").unwrap();
    assert_eq!(token.expose(), REFRESH);
    assert_eq!(REFRESH.len(), refresh_token::LENGTH);
    let presented = Presented { family: FAMILY, generation: 3, kid: ring.newest_kid() };
    assert_eq!(refresh_token::verify(REFRESH, &ring, "client-1"), Ok(presented));
}

#[test]
fn a_generation_has_one_token_and_every_generation_another() {
    let ring = ring_of_known();
    let cases = (any::<[u8; 16]>(), any::<u32>(), any::<String>());
    let token = |family, generation, client: &str| {
        refresh_token::issue(&ring, ring.newest_kid(), family, generation, client)
            .unwrap()
            .expose()
            .to_owned()
    };
    runner()
        .run(&cases, |(family, generation, client)| {
            let made = token(family, generation, &client);
            assert_eq!(made, token(family, generation, &client));
            assert_ne!(made, token(family, generation.wrapping_add(1), &client));
            assert_ne!(made, token(family, generation, &format!("{client}x")));
            let presented = refresh_token::verify(&made, &ring, &client).unwrap();
            assert_eq!((presented.family, presented.generation), (family, generation));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_generation_told_again_after_a_rotation_of_keys_is_the_same_token() {
    let (old, both, new) = (ring(&[known()]), ring(&[other(), known()]), ring(&[other()]));
    let again = refresh_token::issue(&both, old.newest_kid(), FAMILY, 3, "client-1").unwrap();
    assert_eq!(again.expose(), REFRESH);
    assert!(refresh_token::verify(REFRESH, &both, "client-1").is_ok());
    let next = refresh_token::issue(&both, both.newest_kid(), FAMILY, 3, "client-1").unwrap();
    assert_ne!(next.expose(), REFRESH);
    assert_eq!(refresh_token::verify(REFRESH, &new, "client-1"), Err(RefreshError::UnknownKey));
    assert!(refresh_token::issue(&new, old.newest_kid(), FAMILY, 3, "client-1").is_none());
}

#[test]
fn a_refresh_token_of_another_client_is_forged() {
    for client in ["", "client-2", "client-", "client-11", "Client-1"] {
        let verified = refresh_token::verify(REFRESH, &ring_of_known(), client);
        assert_eq!(verified, Err(RefreshError::Forged), "{client}");
    }
}

#[test]
fn every_single_bit_flip_of_a_refresh_token_is_refused() {
    let verify = |token: &str| refresh_token::verify(token, &ring_of_known(), "client-1");
    for flipped in single_bit_flips_of_text(REFRESH) {
        assert_eq!(verify(&flipped), Err(RefreshError::Malformed), "{flipped}");
    }
    let bytes = text::unframe(refresh_token::PREFIX, REFRESH, 1000).unwrap();
    for (bit, flipped) in single_bit_flips(&bytes).enumerate() {
        let expected = if bit < 32 { RefreshError::UnknownKey } else { RefreshError::Forged };
        let token = text::frame(refresh_token::PREFIX, &flipped);
        assert_eq!(verify(token.expose()), Err(expected), "bit {bit}");
    }
    for bytes in [&bytes[..55], &[&bytes[..], &[0]].concat(), &[]] {
        let token = text::frame(refresh_token::PREFIX, bytes);
        assert_eq!(verify(token.expose()), Err(RefreshError::Malformed));
    }
}

#[test]
fn every_other_text_is_no_refresh_token() {
    for end in 0..REFRESH.len() {
        let verified = refresh_token::verify(cut(REFRESH, end), &ring_of_known(), "client-1");
        assert_eq!(verified, Err(RefreshError::Malformed), "{end}");
    }
    let verified = refresh_token::verify(ACCESS, &ring_of_known(), "client-1");
    assert_eq!(verified, Err(RefreshError::Malformed));
}

#[test]
fn a_code_is_found_by_its_hash_and_nothing_else_is_a_code() {
    let random = Counting::default();
    let (code, hash) = code::generate(&random);
    let (second, second_hash) = code::generate(&random);
    let code = code.expose();
    assert_eq!(code, "aegis_code_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    assert_eq!(code.len(), code::LENGTH);
    assert_eq!(code::hash(code), Ok(hash));
    assert_eq!(code::hash(second.expose()), Ok(second_hash));
    assert_ne!(hash, second_hash);
    for flipped in single_bit_flips_of_text(code) {
        assert_ne!(code::hash(&flipped), Ok(hash), "{flipped}");
    }
    for end in 0..code.len() {
        assert!(code::hash(cut(code, end)).is_err(), "{end}");
    }
    for other in [
        "gta_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "aegis_code_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9",
        "aegis_code_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "aegis_code_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A",
        "aegis_code_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH é",
        ACCESS,
    ] {
        assert!(code::hash(other).is_err(), "{other}");
    }
}

#[test]
fn a_fingerprint_names_a_secret_under_one_root() {
    let ring_of_other = ring(&[other(), known()]);
    // Computed apart from this code.
    assert_eq!(code::fingerprint(&ring_of_known(), b"secret"), "6bc3321454cd");
    assert_eq!(
        code::fingerprint(&ring_of_known(), b"secret"),
        code::fingerprint(&ring_of_known(), b"secret")
    );
    assert_ne!(
        code::fingerprint(&ring_of_known(), b"secret"),
        code::fingerprint(&ring_of_known(), b"secreT")
    );
    assert_ne!(code::fingerprint(&ring_of_known(), b"secret"), code::fingerprint(&ring_of_other, b"secret"));
}

#[test]
fn arbitrary_text_is_no_token_and_never_panics() {
    let ring = ring_of_known();
    let bodies = ("(aegis_(at|rt|code)_)?", "\\PC{0,120}", "(_[0-9a-f]{8})?");
    runner()
        .run(&(bodies, any::<Vec<u8>>()), |((prefix, body, tail), bytes)| {
            let token = format!("{prefix}{body}{tail}");
            let at_frame = text::frame(access_token::PREFIX, &bytes);
            let rt_frame = text::frame(refresh_token::PREFIX, &bytes);
            for token in [token.as_str(), at_frame.expose(), rt_frame.expose()] {
                assert!(access_token::open(token, &ring, ORIGIN, at(NOW)).is_err());
                assert!(refresh_token::verify(token, &ring, "client-1").is_err());
                let _ = code::hash(token);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn debug_and_errors_show_no_token() {
    let ring = ring_of_known();
    let token = refresh_token::issue(&ring, ring.newest_kid(), FAMILY, 3, "client-1").unwrap();
    assert_eq!(format!("{token:?}"), "SecretText(..)");
    assert_eq!(format!("{:?}", code::generate(&Counting::default()).0), "SecretText(..)");
}
