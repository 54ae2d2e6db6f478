use super::forms::SHORTEST;
use super::*;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

const TOKEN: &str = "5bc05bc0a1b2c3d4e5f60718293a4b5c6d7e8f90";
/// In which every spelling differs.
const ODD: &str = "a \"quoted\"\\word?>~ of/our+own";

fn own(secrets: &[&str]) -> Own {
    Own::all(secrets.iter().map(|secret| secret.as_bytes())).unwrap()
}

fn starred(own: &Own, text: &str) -> String {
    let mut places = Places::default();
    own.add_places(text.as_bytes(), &mut places);
    let mut bytes = text.as_bytes().to_vec();
    places.star(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// Both ways of looking.
fn both(secret: &str) -> [Own; 2] {
    [own(&[secret]), Own::single(secret.as_bytes())]
}

#[test]
fn every_spelling_is_starred_out_and_nothing_beside_it() {
    for secret in [TOKEN, ODD] {
        let once = serde_json::Value::from(secret).to_string();
        let once = once.get(1..once.len() - 1).unwrap().to_owned();
        let twice = serde_json::Value::from(once.clone()).to_string();
        let twice = twice.get(1..twice.len() - 1).unwrap().to_owned();
        let percent: String = secret
            .bytes()
            .map(|byte| match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            })
            .collect();
        let escaped: String = secret.bytes().map(|byte| format!("\\u00{byte:02x}")).collect();
        let lower = percent
            .replace("%2F", "%2f")
            .replace("%2B", "%2b")
            .replace("%5C", "%5c")
            .replace("%3F", "%3f")
            .replace("%3E", "%3e");
        for form in [secret.to_owned(), once, twice, percent, lower, escaped] {
            for own in both(secret) {
                let text = format!("before:{form}:after");
                assert_eq!(
                    starred(&own, &text),
                    format!("before:{}:after", "*".repeat(form.len())),
                    "{form}"
                );
            }
        }
    }
}

#[test]
fn base64_is_found_at_each_place_in_both_alphabets() {
    for secret in [TOKEN, ODD, "sixteen letters!"] {
        for own in both(secret) {
            for before in 0..7 {
                for after in 0..4 {
                    let text = format!("{}{secret}{}", "<".repeat(before), "?".repeat(after));
                    for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                        let told = starred(&own, &encoded);
                        let stars = told.bytes().filter(|byte| *byte == b'*').count();
                        assert!(stars >= secret.len() * 8 / 6 - 2, "{secret} {before} {after}: {told}");
                        assert_eq!(told.len(), encoded.len());
                        // What is left of it is its neighbours'.
                        let (head, tail) = (before * 8 / 6, after * 8 / 6);
                        assert_eq!(told.get(..head), encoded.get(..head));
                        assert!(told.trim_end_matches('=').len() - stars - head <= tail + 4, "{told}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_too_short_or_only_a_part_is_left_alone() {
    let short = "x".repeat(SHORTEST - 1);
    assert_eq!(starred(&own(&[&short]), &short.repeat(3)), short.repeat(3));
    assert!(own(&[&short]).patterns.is_empty());
    let part = TOKEN.get(..TOKEN.len() - 1).unwrap();
    for own in both(TOKEN) {
        assert_eq!(starred(&own, part), part);
        assert_eq!(starred(&own, &TOKEN.to_uppercase()), TOKEN.to_uppercase());
    }
}

#[test]
fn secrets_that_overlap_or_hold_each_other_are_starred_out_whole() {
    let (one, two) = ("0123456789abcdefgh", "89abcdefghijklmnop");
    let longer = format!("{one}-and-more-of-it");
    let own = own(&[one, two, &longer]);
    assert_eq!(starred(&own, &format!("<{one}ijklmnop>")), format!("<{}>", "*".repeat(26)));
    assert_eq!(starred(&own, &format!("<{longer}>")), format!("<{}>", "*".repeat(longer.len())));
}

#[test]
fn places_join_where_they_touch_whatever_their_order() {
    let joined = |all: &[Range<usize>]| {
        let mut places = Places::default();
        all.iter().for_each(|place| places.add(place.clone()));
        places.0
    };
    assert_eq!(joined(&[0..3, 3..5, 7..9]), [0..5, 7..9]);
    assert_eq!(joined(&[7..9, 0..3, 2..8]), std::iter::once(0..9).collect::<Vec<_>>());
    assert_eq!(joined(&[20..30, 0..3, 10..12, 11..13]), [0..3, 10..13, 20..30]);
}

#[test]
fn the_longest_beginning_at_the_end_is_told() {
    for own in both(TOKEN) {
        for length in 1..TOKEN.len() {
            let text = format!("zz{}", TOKEN.get(..length).unwrap());
            assert_eq!(own.begun(text.as_bytes()), length, "{text}");
        }
        assert_eq!(own.begun(b"an event\n\n"), 0);
        assert_eq!(own.begun(b""), 0);
    }
    // The end begins two of them.
    let own = own(&["0123456789abcdefgh", "89abcdefghijklmnop"]);
    assert_eq!(own.begun(b"<0123456789abcdefg"), 17);
    assert_eq!(own.begun(b"<x9abcdefg89abcdefgh"), 10);
}

#[test]
fn a_proxys_password_is_known_as_written_and_as_meant() {
    let found = |address: &str| -> Vec<String> {
        passwords(address).iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    };
    assert_eq!(found("http://me:p%40ss@proxy:3128"), ["p%40ss", "p@ss"]);
    assert!(found("http://proxy:3128").is_empty() && found("http://me@proxy").is_empty());
}

#[test]
fn it_shows_nothing_of_what_it_knows() {
    assert!(!format!("{:?}", own(&[TOKEN])).contains("5bc0"));
}
