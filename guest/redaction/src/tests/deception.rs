//! Hostile characters: what goes, what stays, and that none of them hides a secret.

use super::{hostile, mask, positives};
use crate::{Mode, Redactor};

#[track_caller]
fn stripped(text: &str, clean: &str, count: u32) {
    assert_eq!(hostile::strip(text), (clean.into(), count), "{text:?}");
}

#[test]
fn removes_every_hostile_character_in_every_mode() {
    let ranges = [
        0..=8_u32,
        0x0b..=0x0c,
        0x0e..=0x1a,
        0x1c..=0x1f,
        0x7f..=0x8f,
        0x91..=0x97,
        0x99..=0x9a,
        0x9c..=0x9c,
        0xad..=0xad,
        0x34f..=0x34f,
        0x61c..=0x61c,
        0x115f..=0x1160,
        0x180e..=0x180e,
        0x200b..=0x200f,
        0x2028..=0x202e,
        0x2060..=0x206f,
        0x3164..=0x3164,
        0xfeff..=0xfeff,
        0xffa0..=0xffa0,
        0xfff9..=0xfffb,
        0xe0000..=0xe007f,
    ];
    for c in ranges.into_iter().flatten().filter_map(char::from_u32) {
        for mode in [Mode::Off, Mode::Mask, Mode::Block] {
            let text = format!("a{c}b{c}");
            let cleaned = Redactor::new(mode).clean(&text);
            assert_eq!((cleaned.text.as_ref(), cleaned.hostile), ("ab", 2), "{:x}", u32::from(c));
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
        "葛\u{e0100}",
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
        "\u{202e}",
    ] {
        for text in positives() {
            let split: String = text.chars().flat_map(|c| std::iter::once(c).chain(wedge.chars())).collect();
            let cleaned = Redactor::new(Mode::Mask).clean(&split);
            assert_eq!(cleaned.text, mask(&text), "{text:?} with {wedge:?}");
            assert!(cleaned.secrets > 0, "{text:?}");
        }
    }
}
