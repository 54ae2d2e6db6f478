//! The bounds of paths, patterns and names: what is just within them is taken, what is just beyond is not.

use crate::near::nearest;
use crate::{path, pattern};

#[test]
fn a_path_has_at_most_4096_bytes() {
    for (length, taken) in
        [(1, true), (4095, true), (4096, true), (4097, false), (4098, false), (9000, false)]
    {
        assert_eq!(path::check(&"a".repeat(length)).is_ok(), taken, "{length}");
    }
}

#[test]
fn a_pattern_has_at_most_256_characters_however_many_bytes() {
    for letter in ["a", "é", "日"] {
        for (length, taken) in [(1, true), (256, true), (257, false), (258, false)] {
            assert_eq!(pattern::check(&letter.repeat(length)).is_ok(), taken, "{length} of {letter}");
        }
    }
}

#[test]
fn a_name_of_at_most_64_bytes_is_compared() {
    let known = "n".repeat(64);
    for (length, meant) in [(63, true), (64, true), (65, false), (66, false)] {
        let unknown = "n".repeat(length);
        assert_eq!(nearest(&unknown, [known.as_str()]).is_some(), meant, "{length}");
    }
    assert_eq!(nearest("", [""]), None, "nothing is meant by nothing");
}
