//! Hostile characters: what goes, what stays, and that none of them hides a secret.

use super::{hostile, invisible, mask, positives};
use crate::{Mode, Redactor};

#[track_caller]
fn stripped(text: &str, clean: &str, count: u32) {
    assert_eq!(hostile::strip(text), (clean.into(), count), "{text:?}");
}

/// Controls that begin a sequence, which may take more with it.
const SEQUENCES: &str = "\u{1b}\u{90}\u{98}\u{9b}\u{9d}\u{9e}\u{9f}";

/// `Default_Ignorable_Code_Point` as Unicode 16.0 publishes it.
const DEFAULT_IGNORABLE: [(u32, u32); 17] = [
    (0xad, 0xad),
    (0x34f, 0x34f),
    (0x61c, 0x61c),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x202a, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfff8),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0000, 0xe0fff),
];

/// General category `Cf`, likewise.
const FORMAT: [(u32, u32); 21] = [
    (0xad, 0xad),
    (0x600, 0x605),
    (0x61c, 0x61c),
    (0x6dd, 0x6dd),
    (0x70f, 0x70f),
    (0x890, 0x891),
    (0x8e2, 0x8e2),
    (0x180e, 0x180e),
    (0x200b, 0x200f),
    (0x202a, 0x202e),
    (0x2060, 0x2064),
    (0x2066, 0x206f),
    (0xfeff, 0xfeff),
    (0xfff9, 0xfffb),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0001, 0xe0001),
    (0xe0020, 0xe007f),
];

/// `Cf` that is seen: signs before or around numbers and words.
const SEEN: [(u32, u32); 7] = [
    (0x600, 0x605),
    (0x6dd, 0x6dd),
    (0x70f, 0x70f),
    (0x890, 0x891),
    (0x8e2, 0x8e2),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
];

/// Separators of lines and paragraphs, and what is neither format nor ignorable and draws nothing.
const BLANK: [(u32, u32); 5] =
    [(0x2028, 0x2029), (0x2800, 0x2800), (0x13440, 0x1345f), (0x16fe4, 0x16fe4), (0x1d159, 0x1d159)];

/// Every character that is not to leave, controls that begin no sequence among them.
fn every_hidden() -> Vec<char> {
    let among =
        |ranges: &[(u32, u32)], c: u32| ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
    let invisible =
        |c: u32| !among(&SEEN, c) && (among(&DEFAULT_IGNORABLE, c) || among(&FORMAT, c) || among(&BLANK, c));
    let control = |c: u32| char::from_u32(c).is_some_and(char::is_control) && ![9, 10, 13].contains(&c);
    (0..=0x0010_ffff).filter(|c| invisible(*c) || control(*c)).filter_map(char::from_u32).collect()
}

#[test]
fn what_is_hidden_is_what_unicode_says_and_nothing_else() {
    let wanted = every_hidden();
    let found: Vec<char> =
        (0..=0x0010_ffff).filter_map(char::from_u32).filter(|c| invisible::hidden(*c)).collect();
    assert_eq!(found, wanted);
    let missed: Vec<&char> =
        wanted.iter().filter(|c| !c.to_string().bytes().any(hostile::suspicious)).collect();
    assert!(missed.is_empty(), "{missed:x?} are taken for harmless at their first byte");
}

#[test]
fn removes_every_hostile_character_in_every_mode() {
    for c in every_hidden().into_iter().filter(|c| !SEQUENCES.contains(*c)) {
        for mode in [Mode::Off, Mode::Mask, Mode::Block] {
            let text = format!("a{c}b{c}ü{c}");
            let cleaned = Redactor::new(mode).clean(&text);
            assert_eq!((cleaned.text.as_ref(), cleaned.hostile), ("abü", 3), "{:x}", u32::from(c));
        }
    }
}

#[test]
fn every_hostile_character_in_a_secret_is_gone_before_it_is_looked_for() {
    let own = format!("{}{}", concat!("aegis", "_at_"), "a1B2".repeat(8));
    let (first, second) = own.split_at(17);
    for c in every_hidden().into_iter().filter(|c| !SEQUENCES.contains(*c)) {
        for mode in [Mode::Off, Mode::Mask] {
            let text = format!("x {first}{c}{second} y");
            let cleaned = Redactor::new(mode).clean(&text);
            let seen = (cleaned.text.as_ref(), cleaned.secrets, cleaned.hostile);
            assert_eq!(seen, ("x [redacted:aegis-token] y", 1, 1), "{:x}", u32::from(c));
        }
    }
}

#[test]
fn keeps_everything_that_draws_something() {
    for text in [
        "",
        "a\tb\r\nc",
        "Größe — “x”…",
        "日本語 한국어 ｶﾅ",
        "שלום مرحبا",
        "❤\u{fe0f} ☎\u{fe0e}",
        "1\u{fe0f}\u{20e3}",
        "👍🏽 🇩🇪",
        "葛\u{fe00}",
        "👩\u{200d}💻 👁\u{fe0f}\u{200d}🗨\u{fe0f} 👩🏽\u{200d}❤\u{fe0f}\u{200d}👨🏿",
        "©\u{fe0f} ™\u{fe0e}",
        "\u{600}١٢ \u{6dd}٣ \u{110bd}𑂃",
        "e\u{301}",
        "\u{a0}\u{3000}",
        "\u{fffd}",
    ] {
        stripped(text, text, 0);
    }
}

#[test]
fn removes_whole_terminal_sequences() {
    stripped("a\u{1b}[31mred\u{1b}[0m", "ared", 2);
    stripped("a\u{9b}1;2Hb", "ab", 1);
    stripped("\u{1b}]8;;http://evil.example\u{7}text\u{1b}]8;;\u{1b}\\", "text", 2);
    stripped("\u{9d}0;title\u{9c}x", "x", 1);
    stripped("\u{1b}Pq#0\u{1b}\\x\u{1b}_hidden\u{7}y", "xy", 2);
    stripped("\u{1b}(B\u{1b}7\u{1b}cx", "x", 3);
    stripped("x\u{1b}", "x", 1);
    stripped("x\u{1b}[", "x", 1);
    stripped("x\u{1b}[12\ny", "x\ny", 1);
}

#[test]
fn a_control_string_without_an_end_hides_no_text() {
    stripped("\u{1b}]0;never ends\nnext", "0;never ends\nnext", 1);
    stripped("\u{9d}a\u{1b}]b\u{7}", "a", 2);
}

#[test]
fn removes_selectors_that_select_nothing() {
    stripped("to\u{fe0f}ken", "token", 1);
    stripped("😀\u{fe0f}\u{e0101}\u{e0102}", "😀\u{fe0f}", 2);
    stripped("\u{fe0f}x", "x", 1);
    stripped("1\u{fe0f}2", "12", 1);
    stripped("葛\u{e0100}", "葛", 1);
    stripped("葛\u{fe0f} 葛\u{fe00}\u{fe01}", "葛 葛\u{fe00}", 2);
    stripped("é\u{fe0f}ж\u{fe00}—\u{fe0e}", "éж—", 3);
    stripped("😀\u{e0101}", "😀", 1);
    stripped("😀\u{fe0e}\u{fe0f}\u{fe0e}", "😀\u{fe0e}", 2);
}

#[test]
fn removes_joiners_that_join_no_emoji() {
    stripped("to\u{200d}ken", "token", 1);
    stripped("😀\u{200d}a a\u{200d}😀 😀\u{200d}", "😀a a😀 😀", 3);
    stripped("😀\u{200d}\u{200d}😀", "😀\u{200d}😀", 1);
    stripped("न\u{200d}", "न", 1);
    stripped("🏴\u{e0067}\u{e0062}\u{e007f}", "🏴", 3);
}

#[test]
fn no_hostile_character_hides_a_secret() {
    for wedge in [
        "\u{200b}",
        "\u{200d}",
        "\u{2060}",
        "\u{feff}",
        "\u{ad}",
        "\u{fe0f}",
        "\u{1b}[0m",
        "\u{0}",
        "\u{e0041}",
        "\u{e0400}",
        "\u{202e}",
        "\u{2800}",
        "\u{fe00}",
        "\u{1d173}",
        "\u{13440}",
    ] {
        for text in positives() {
            let split: String = text.chars().flat_map(|c| std::iter::once(c).chain(wedge.chars())).collect();
            let cleaned = Redactor::new(Mode::Mask).clean(&split);
            assert_eq!(cleaned.text, mask(&text), "{text:?} with {wedge:?}");
            assert!(cleaned.secrets > 0, "{text:?}");
        }
    }
}
