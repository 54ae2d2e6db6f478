//! What is masked of encoded text exactly, and what is left although it decodes to something.

use super::{Dice, base64, base64_of, mask, positives, untouched};
use crate::class::Class;
use crate::scan::scan;

fn token() -> String {
    format!("{}{}", concat!("gh", "p_"), "a1B2".repeat(9))
}

const MASK: &str = "[redacted:github-token]";

#[test]
fn a_base64_word_goes_whole_and_what_stands_around_it_stays() {
    for inner in ["", "k: ", "ab: ", "abc: "] {
        let word = base64(&format!("{inner}{}", token()));
        for (before, after) in [
            ("", ""),
            ("data: ", "\nnext: 1"),
            ("{\"a\":\"", "\"}"),
            ("x\\n", "\\ny: 1"),
            ("a%3D", "&b"),
            ("\\u003d", " z"),
            ("\n+", "\n"),
            ("\n-", "\n"),
            ("https://x.example/files/", " z"),
        ] {
            let masked = mask(&format!("{before}{word}{after}"));
            assert_eq!(masked, format!("{before}{MASK}{after}"), "{before}{word}{after}");
        }
    }
}

#[test]
fn base64_in_lines_goes_over_all_of_them() {
    let word = base64(&format!("# {}\n{}\n# {}", "x".repeat(50), token(), "y".repeat(50)));
    let lines: Vec<&str> =
        word.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    for end in ["\n", "\r\n", "\n    ", "\n\t", "\n+", "\n-  ", "\\n", "\\r\\n"] {
        let masked = mask(&format!("k:\n{}\nnext: 1\n", lines.join(end)));
        assert_eq!(masked, format!("k:\n{MASK}\nnext: 1\n"), "{end:?}");
    }
    // What is no Base64 to its end does not belong to it.
    let short = base64(&format!("{}: {}", "x".repeat(2), token()));
    let padded = short.len().next_multiple_of(4) == short.len();
    assert!(padded && short.len() >= 56);
    assert_eq!(mask(&format!("{short}\nnext: 1")), format!("{MASK}\nnext: 1"));
}

/// `text` in lines of `columns`.
fn wrapped(text: &str, columns: usize, end: &str) -> String {
    let lines: Vec<&str> =
        text.as_bytes().chunks(columns).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join(end)
}

#[test]
fn base64_that_is_not_ascii_throughout_is_read_as_far_as_it_is() {
    let token = token();
    let bytes = |before: &[u8], after: &[u8]| [before, token.as_bytes(), after].concat();
    let units = |order: fn(u16) -> [u8; 2]| {
        let text = format!("\u{feff}naïve: {token} é\r\n");
        text.encode_utf16().flat_map(order).collect::<Vec<u8>>()
    };
    for (name, content) in [
        ("UTF-8 at its head", bytes("# clé\nk: ".as_bytes(), b"\n")),
        ("no letter of ASCII before", bytes("ключ от сервера: ".as_bytes(), "\nи всё".as_bytes())),
        ("Latin-1 far behind the head", bytes(b"a config file in here # cl\xe9\nk=", b"")),
        ("one byte that is none of UTF-8", bytes(b"a config file in here \xff", b"\xff")),
        ("a control", bytes(b"\x01", b"\x02")),
        ("an archive", bytes(b"PK\x03\x04\x14\0\0\0\x08\0\xd1\x8f\x9a k=", b"\0\xee\xff\x90")),
        ("a question behind it", bytes("é k: ".as_bytes(), b" ?????????? and plain words go on from here")),
        (
            "an invisible character within",
            [&token.as_bytes()[..9], b"\xe2\x80\x8b", &token.as_bytes()[9..]].concat(),
        ),
        ("UTF-16, little end first", units(u16::to_le_bytes)),
        ("UTF-16, big end first", units(u16::to_be_bytes)),
    ] {
        let word = base64_of(&content);
        for (before, after) in
            [("", ""), ("data: ", "\nnext: 1"), ("x\\n", "\\ny: 1"), ("\n+", "\n"), ("\\u003d", " z")]
        {
            assert_eq!(mask(&format!("{before}{word}{after}")), format!("{before}{MASK}{after}"), "{name}");
        }
        for glued in ["Q", "QR", "abc", "data/", "data/ab/"] {
            let masked = mask(&format!("({glued}{word})"));
            let whole = masked == format!("({MASK})") || masked == format!("({glued}{MASK})");
            assert!(whole, "{name}, {glued}: {masked}");
        }
    }
    // What stands before the first sign behind which there is a text is no part of it.
    assert_eq!(mask(&base64_of(&bytes(b"\xef\xbb\xbf", b""))), format!("77u/{MASK}"));
    for glued in ["Q", "QR", "QRS"] {
        assert_eq!(mask(&format!("{glued}{}", base64(&token))), MASK, "{glued}");
    }
}

#[test]
fn every_kind_is_found_in_base64_whose_head_is_not_ascii() {
    let mut missed = Vec::new();
    // What is in Base64 already would be encoded twice.
    for text in positives().into_iter().filter(|text| !text.starts_with(&base64("-----BEGIN P"))) {
        let utf16 = format!("é\n{text}\n").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let forms = ["é\n", "éé\n", "ééé\n"].map(|head| format!("{head}{text}\n").into_bytes());
        for form in forms.into_iter().chain([utf16]) {
            let masked = mask(&format!("v: {}\n", base64_of(&form)));
            if !masked.contains("[redacted:") {
                missed.push((text.clone(), masked));
            }
        }
    }
    assert!(missed.is_empty(), "{}: {missed:#?}", missed.len());
}

#[test]
fn base64_in_narrow_lines_is_one_text() {
    // The secret goes over line ends at every width, also where the first bytes are not ASCII.
    for before in ["# of the build server\nk: ", "# clé du serveur\nk: "] {
        let word = base64(&format!("{before}{}\n# {}", token(), "y".repeat(90)));
        for columns in (32..=76).step_by(4) {
            for end in ["\n", "\r\n", "\n    ", "\n+", "\\n"] {
                let text = format!("k:\n{}\nnext: 1\n", wrapped(&word, columns, end));
                assert_eq!(mask(&text), format!("k:\n{MASK}\nnext: 1\n"), "{columns} {end:?}");
            }
        }
    }
}

#[test]
fn a_sign_at_the_start_of_a_line_is_not_taken_for_a_mark_where_it_belongs_to_the_word() {
    let (first, second) = (token().split_at(6).0.to_owned(), token().split_at(6).1.to_owned());
    let plain = b"x".repeat(48);
    let signed = [b"\xfb".as_slice(), &b"x".repeat(40), b" ", first.as_bytes()].concat();
    // In the second line, and in the last one, which is shorter than the others.
    let word = base64_of(&[&plain, &signed, second.as_bytes(), b" end"].concat());
    assert!(word.get(64..).unwrap().starts_with('+'));
    assert_eq!(mask(&wrapped(&word, 64, "\n")), MASK);
    let crossing = [&plain[..], &plain[..41], b" ", first.as_bytes(), b"\xfb", token().as_bytes()].concat();
    let word = base64_of(&crossing);
    assert!(word.get(128..).unwrap().starts_with('+'));
    assert_eq!(mask(&wrapped(&word, 64, "\n")), MASK);
}

#[test]
fn each_line_of_base64_is_read_with_others_and_alone() {
    let words: Vec<String> =
        (0..4).map(|line| base64(&format!("plain words {line} {}", "x".repeat(34)))).collect();
    let own = base64(&format!("{}{}", token(), " ".repeat(8)));
    assert!(own.len() == 64 && words.iter().all(|word| word.len() == 64));
    let lines = words.join("\n");
    assert_eq!(mask(&format!("{lines}\n{own}\n{lines}")), format!("{lines}\n{MASK}\n{lines}"));
}

#[test]
fn base64_of_anything_else_stays() {
    let mut dice = Dice(60);
    untouched(&base64("nothing but words, and no secret in them at all"));
    untouched(&base64(&base64(&token())));
    untouched(&dice.of(Class::BASE64, 4000));
    untouched(&base64_of(&[0xe9; 60]));
    untouched(&format!("pkg/{}\n", dice.of(Class::BASE64, 64)).repeat(40));
    // Twenty characters are looked at, fewer are not.
    untouched(&base64("pw: x").repeat(2));
}

#[test]
fn escapes_are_read_and_the_mask_covers_them_as_they_are_written() {
    let token = token();
    let (first, second) = token.split_at(20);
    let tail = second.split_at(1).1;
    for (text, masked) in [
        (format!("a {first}\\u{:04x}{} b", u32::from(second.as_bytes()[0]), tail), format!("a {MASK} b")),
        (format!("a {first}\\x{:02X}{} b", second.as_bytes()[0], tail), format!("a {MASK} b")),
        (format!("a {first}%{:02x}{} b", second.as_bytes()[0], tail), format!("a {MASK} b")),
        (format!("a%20{token}%20b%20"), format!("a%20{MASK}%20b%20")),
        (format!("%67{}", token.split_at(1).1), MASK.to_owned()),
        (format!("{}%32", token.split_at(token.len() - 1).0), MASK.to_owned()),
        (format!("é%20{first}\\u{:04X}{}é", u32::from(second.as_bytes()[0]), tail), format!("é%20{MASK}é")),
    ] {
        assert_eq!(mask(&text), masked, "{text}");
    }
    let slashes = "xoxb/services";
    untouched(&slashes.replace('/', "\\/"));
}

#[test]
fn what_looks_like_an_escape_and_is_none_stays_as_it_is() {
    for text in
        ["100% sure", "%zz %2", "\\u12", "\\x4", "\\", "a\\ub", "%", "50%2 of", "\\u00e9 %C3%A9", "%00%01"]
    {
        untouched(text);
    }
}

#[test]
fn a_secret_that_is_continued_in_the_next_line_is_one() {
    let token = token();
    let (first, second) = token.split_at(17);
    for (before, joint, after) in [
        ("x=", "\\\n", "\ny"),
        ("x=", "\\\r\n\t", ""),
        ("x = \"", "\" +\n    \"", "\";"),
        ("x = '", "' .\n'", "'"),
        ("x = \"", "\" ..\n  \"", "\""),
        ("x = \"", "\" &\r\n  \"", "\""),
        ("x = `", "`\n  `", "`"),
        ("x = (\"", "\" \\\n  \"", "\")"),
        ("+x = \"", "\" +\n+    \"", "\""),
        ("-x=", "\\\n-  ", "\n"),
    ] {
        let masked = mask(&format!("{before}{first}{joint}{second}{after}"));
        assert_eq!(masked, format!("{before}{MASK}{after}"), "{joint:?}");
    }
    let ((first, rest), third) = (token.split_at(9), token.split_at(30).1);
    let second = rest.split_at(21).0;
    let thirds = format!("a {first}\\\n{second}\\\n{third} b\nc");
    assert_eq!(mask(&thirds), format!("a {MASK} b\nc"));
}

#[test]
fn lines_that_do_not_go_on_in_each_other_stay() {
    let token = token();
    let (first, second) = token.split_at(17);
    for joint in ["\n", "\",\n\"", "\" +\n'", "\" -\n\"", "\\ \n", "/\n", "\n\"", "\" +\nx\""] {
        untouched(&format!("x = \"{first}{joint}{second}\""));
    }
}

#[test]
fn a_secret_before_a_line_end_does_not_take_the_next_line_with_it() {
    let token = token();
    assert_eq!(mask(&format!("a {token} \\\n  b c\nd")), format!("a {MASK} \\\n  b c\nd"));
    assert_eq!(mask(&format!("\"{token}\" +\n\" b\"")), format!("\"{MASK}\" +\n\" b\""));
}

#[test]
fn every_view_is_counted() {
    let text = "a%20b ".repeat(3_500);
    let words = base64(&"plain words ".repeat(1_200));
    assert!(scan(&text, false).work > 2 * text.len() as u64);
    assert!(scan(&words, false).work > 3 * words.len() as u64);
}

#[test]
fn half_an_escape_begins_no_word_and_a_token_needs_its_kinds_of_characters() {
    let token = token();
    for before in ["%g1", "%1g", "\\u00g1", "u0041", "x41"] {
        untouched(&format!("{before}{token}"));
    }
    let letters = "abcdefghijklmnopqrstuvwxyzabcdefghij";
    untouched(&format!("{}{letters}", concat!("s", "k-")));
    assert!(mask(&format!("{}{letters}1", concat!("s", "k-"))).starts_with("[redacted:openai-key"));
}
