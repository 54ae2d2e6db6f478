//! What is masked of encoded text exactly, and what is left although it decodes to something.

use super::{Dice, base64, mask, untouched};
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

#[test]
fn base64_of_anything_else_stays() {
    let mut dice = Dice(60);
    untouched(&base64("nothing but words, and no secret in them at all"));
    untouched(&base64(&base64(&token())));
    untouched(&format!("Q{}", base64(&token())));
    untouched(&base64(&format!("\u{1}{}", token())));
    untouched(&dice.of(Class::BASE64, 4000));
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
