//! The bytes looked at stay within a multiple of the length, whatever the text.

use super::{Dice, base64, every, jumble, positives, scan};
use crate::class::Class;

/// No text may cost more looks per byte than this, in all views of it together.
const LOOKS: u64 = 64;
/// How many bytes a text has at least: were a look to go over all of it at each byte, it would show.
const LENGTH: usize = 1_500;
/// No answer of ordinary source may cost more looks per byte than this.
const ORDINARY: u64 = 8;

#[track_caller]
fn linear(piece: &str) {
    let text = piece.repeat(LENGTH / piece.len() + 1);
    let work = scan(&text, false).work;
    assert!(work <= LOOKS * text.len() as u64, "{} looks per byte: {piece:?}", work / text.len() as u64);
}

#[test]
fn repeated_starts_cost_a_bounded_number_of_looks() {
    for anchor in every() {
        for end in [
            "", " ", "=", ":", "-", "/", ".", "_", "\"", "=\"", ": ", "\\n", "%3D", "@", "a", "-----",
            ".eyJa.",
        ] {
            linear(&format!("{}{end}", anchor.literal));
            linear(&format!("{end}{}a1B2c3", anchor.literal));
        }
    }
}

#[test]
fn repeated_secrets_and_broken_ones_cost_a_bounded_number_of_looks() {
    for text in positives() {
        linear(&text);
        linear(&format!("{text} "));
        linear(text.get(..text.len() - 1).unwrap());
    }
    linear("-----BEGIN PRIVATE KEY-----");
    linear("-----BEGIN PRIVATE KEY----- END ");
    linear("-----BEGIN PRIVATE KEY-----\n-----END CERTIFICATE-----\n");
    linear(&format!("{}-----END PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----".repeat(400)));
    let line = format!("{}\n", "MIIa1".repeat(16).split_at(64).0);
    linear(&format!("{}-----END PRIVATE KEY-----\n", line.repeat(30)));
    linear(&format!("{line}-----END PRIVATE KEY-----\n"));
    linear(&format!("{line}-----END CERTIFICATE-----\n"));
    linear("https://a:b");
    linear("://");
    linear("x://a:b@");
    linear("x://a:");
    linear("x:@");
    linear("authorization: bearer a");
}

#[test]
fn wrapped_base64_is_decoded_a_few_times_however_many_lines_it_has() {
    let prose = "The quick brown fox jumps over the lazy dog. Any zephyr vexes a bold knight.\n";
    for columns in [32, 40, 56, 60, 64, 72, 76] {
        for end in ["\n", "\r\n", "\n  ", "\n+", "\\n"] {
            let cost = |length: usize| {
                let word = base64(&prose.repeat(length / prose.len() + 1));
                let lines: Vec<&str> =
                    word.as_bytes().chunks(columns).map(|line| std::str::from_utf8(line).unwrap()).collect();
                scan(&lines.join(end), false).work as f64 / word.len() as f64
            };
            let (short, long) = (cost(6_000), cost(40_000));
            assert!(long < 24.0, "{long} looks per byte: {columns} columns, {end:?}");
            assert!(long < 1.1 * short, "{long} after {short} looks per byte: {columns} columns, {end:?}");
        }
    }
}

#[test]
fn long_runs_of_every_class_cost_a_bounded_number_of_looks() {
    let mut dice = Dice(30);
    for class in [Class::HEX, Class::ALNUM, Class::BASE64, Class::BASE64URL, Class::DIGITS, Class::VALUE] {
        linear(&dice.of(class, 20_000));
        for anchor in every() {
            linear(&format!("{}{}", anchor.literal, dice.of(class, LENGTH)));
        }
    }
    linear("-");
    linear("[redacted:");
    linear("[redacted:jwt]");
}

#[test]
fn any_jumble_costs_a_bounded_number_of_looks() {
    let mut dice = Dice(31);
    let mut parts = positives();
    parts.extend(every().iter().map(|anchor| anchor.literal.to_owned()));
    for _ in 0..300 {
        let piece = jumble(&mut dice, &parts);
        if !piece.is_empty() {
            linear(&piece);
        }
    }
}

#[test]
fn twenty_kilobytes_of_ordinary_source_cost_a_few_looks_per_byte() {
    for file in [
        include_str!("../../tests/data/ordinary.rs.txt"),
        include_str!("../../tests/data/ordinary.go.txt"),
        include_str!("../../tests/data/ordinary.md"),
        include_str!("../scan.rs"),
        include_str!("../../../../Cargo.lock"),
        include_str!("../../../../docs/tools.md"),
    ] {
        let text: String = file.chars().cycle().take(20_000).collect();
        let work = scan(&text, false).work;
        assert!(work <= ORDINARY * text.len() as u64, "{} looks per byte", work / text.len() as u64);
    }
}
