//! Malformed documents as data, and a small generator of documents and damage.

use serde_json::{Value, json};

use super::{Invalid, MAX_DEPTH, MAX_VALUES, parse};
use crate::mcp::fake::dice::Dice;

/// (why, body, refusal). RFC 8259 unless another source is named.
const REFUSED: &[(&str, &[u8], Invalid)] = &[
    ("empty body, section 2", b"", Invalid::Syntax),
    ("white space only, section 2", b" \n", Invalid::Syntax),
    ("two documents, section 2", b"{} {}", Invalid::Syntax),
    ("trailing bytes, section 2", b"{}x", Invalid::Syntax),
    ("byte order mark, section 8.1", b"\xEF\xBB\xBF{}", Invalid::Syntax),
    ("UTF-16, section 8.1", b"\xFF\xFE{\x00}\x00", Invalid::Syntax),
    ("invalid UTF-8 in a string, section 8.1", b"{\"a\":\"\xC3\x28\"}", Invalid::Syntax),
    ("overlong UTF-8, RFC 3629 section 3", b"{\"a\":\"\xC0\xAF\"}", Invalid::Syntax),
    ("lone high surrogate, section 8.2", br#"{"a":"\uD800"}"#, Invalid::Syntax),
    ("lone low surrogate, section 8.2", br#"{"a":"\uDC00x"}"#, Invalid::Syntax),
    ("control character in a string, section 7", b"{\"a\":\"\n\"}", Invalid::Syntax),
    ("NUL after the document, section 2", b"{}\0", Invalid::Syntax),
    ("number beyond a double, section 6", b"{\"a\":1e400}", Invalid::Syntax),
    ("leading zero, section 6", b"[01]", Invalid::Syntax),
    ("not a number, section 6", b"[NaN]", Invalid::Syntax),
    ("hexadecimal, section 6", b"[0x10]", Invalid::Syntax),
    ("trailing comma, section 5", b"[1,]", Invalid::Syntax),
    ("comment, section 2", b"{/**/}", Invalid::Syntax),
    ("single quotes, section 7", b"{'a':1}", Invalid::Syntax),
    ("unclosed, section 4", b"{\"a\":[", Invalid::Syntax),
    ("duplicate key, section 4", br#"{"owner":"a","owner":"b"}"#, Invalid::DuplicateKey),
    ("duplicate key of equal value, section 4", br#"{"a":1,"a":1}"#, Invalid::DuplicateKey),
    ("duplicate key by escape, section 8.3", br#"{"owner":"a","\u006fwner":"b"}"#, Invalid::DuplicateKey),
    ("duplicate key deep inside, section 4", br#"{"p":{"q":[{"a":1,"a":2}]}}"#, Invalid::DuplicateKey),
];

#[test]
fn refuses_what_is_not_one_strict_document() {
    for (why, body, refusal) in REFUSED {
        assert_eq!(parse(body), Err(*refusal), "{why}");
    }
}

#[test]
fn reads_what_the_rfc_allows() {
    assert_eq!(
        parse(br#" {"a":[1,-2,1.5,"\u0041\ud83d\ude00",true,null]} "#).unwrap(),
        json!({"a":[1,-2,1.5,"A😀",true,null]})
    );
    assert_eq!(parse(b"18446744073709551615").unwrap(), json!(u64::MAX));
    assert_eq!(parse(br#"{"A":1,"a":2}"#).unwrap(), json!({"A":1,"a":2}), "keys differ by case");
}

#[test]
fn allows_thirty_two_levels_and_refuses_the_thirty_third() {
    let nested = |levels: usize| [b"[".repeat(levels), b"]".repeat(levels)].concat();
    let most = usize::from(MAX_DEPTH);
    assert!(parse(&nested(most)).is_ok());
    assert_eq!(parse(&nested(most + 1)), Err(Invalid::TooDeep));
    assert_eq!(parse(&b"[".repeat(100_000)), Err(Invalid::TooDeep), "no recursion beyond the limit");
    let objects = br#"{"a":"#.repeat(100_000);
    assert_eq!(parse(&objects), Err(Invalid::TooDeep));
}

fn document(dice: &mut Dice, depth: u8) -> Value {
    match dice.below(if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => json!(dice.below(2) == 0),
        2 => json!(i64::try_from(dice.below(1 << 30)).unwrap() - (1 << 29)),
        3 => json!("text \" \\ \u{7f} é 😀"),
        4 => json!(0.5),
        5 => (0..dice.below(4)).map(|_| document(dice, depth - 1)).collect(),
        _ => {
            Value::Object((0..dice.below(4)).map(|n| (format!("k{n}"), document(dice, depth - 1))).collect())
        }
    }
}

#[test]
fn agrees_with_the_ordinary_parser_on_every_generated_document() {
    for seed in 0..2_000 {
        let made = document(&mut Dice::new(seed), 6);
        let bytes = serde_json::to_vec(&made).unwrap();
        assert_eq!(parse(&bytes).unwrap(), made, "seed {seed}");
    }
}

#[test]
fn never_accepts_damaged_bytes_that_the_ordinary_parser_refuses() {
    for seed in 0..4_000 {
        let mut dice = Dice::new(seed);
        let mut bytes = serde_json::to_vec(&document(&mut dice, 5)).unwrap();
        for _ in 0..=dice.below(3) {
            let at = dice.below(bytes.len());
            match dice.below(3) {
                0 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, b"{}[]\",:\\u0e-"[dice.below(12)]),
            }
        }
        match (parse(&bytes), serde_json::from_slice::<Value>(&bytes)) {
            (Ok(strict), Ok(ordinary)) => assert_eq!(strict, ordinary, "seed {seed}"),
            (Ok(_), Err(why)) => panic!("seed {seed}: accepted what is not JSON: {why}"),
            (Err(Invalid::Syntax), Ok(_)) => panic!("seed {seed}: refused good JSON as a syntax error"),
            (Err(_), _) => {}
        }
    }
}

#[test]
fn counts_values_of_every_kind_and_stops_at_the_bound() {
    let most = usize::try_from(MAX_VALUES).unwrap();
    let list = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
    assert!(parse(list(most - 1).as_bytes()).is_ok());
    let members =
        |count: usize| (0..count).map(|nth| format!("\"k{nth}\":{{}}")).collect::<Vec<_>>().join(",");
    for document in
        [list(most), format!("{{{}}}", members(most)), format!("[{}]", vec!["[]"; most].join(","))]
    {
        assert_eq!(parse(document.as_bytes()), Err(Invalid::TooMany));
    }
}
