//! Every rule against text made from its own grammar. No secret stands here whole: they are made when a test
//! runs, so that scanners of this repository stay quiet.

use std::fmt::Write as _;

use crate::class::Class;
use crate::scan::scan;
use crate::table::{Anchor, Look, Near, Step, Token, every};
use crate::{Mode, Redactor, bound, hostile, invisible, name, rules};

mod class;
mod config;
mod context;
mod deception;
mod encodings;
mod examples;
mod listing;
mod near;
mod vendored;
mod work;

/// A reproducible source of choices (the multiplier of Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn of(&mut self, class: Class, length: usize) -> String {
        let letters: Vec<char> = (0..128_u8)
            .filter(|byte| class.has(*byte) && !b".=-_/+".contains(byte))
            .map(char::from)
            .collect();
        (0..length).map(|_| letters[self.below(letters.len())]).collect()
    }
}

/// The last run of `steps`: its place, its least and its greatest length, and how much stands behind it.
fn last_run(steps: &[Step]) -> Option<(usize, usize, usize, usize)> {
    let mut behind = 0;
    for (index, step) in steps.iter().enumerate().rev() {
        match step {
            Step::Literal(text) => behind += text.len(),
            Step::Run { min, max, .. } => return Some((index, *min, *max, behind)),
        }
    }
    None
}

/// Text that fits `steps`, the last run of the length that `last` gives for its least one.
fn fitting(dice: &mut Dice, steps: &[Step], needs: &[Class], last: impl Fn(usize) -> usize) -> String {
    let last_place = last_run(steps).map(|(place, ..)| place);
    loop {
        let mut out = String::new();
        for (index, step) in steps.iter().enumerate() {
            match step {
                Step::Literal(text) => out.push_str(text),
                Step::Run { class, min, .. } => {
                    let length = if Some(index) == last_place { last(*min) } else { *min };
                    out.push_str(&dice.of(*class, length));
                }
            }
        }
        if needs.iter().all(|class| out.bytes().any(|byte| class.has(byte))) {
            return out;
        }
    }
}

fn token_text(dice: &mut Dice, anchor: &Anchor, token: &Token, last: impl Fn(usize) -> usize) -> String {
    let before = token.behind.map_or(String::new(), |(class, min, _)| dice.of(class, min));
    format!("{before}{}{}", anchor.literal, fitting(dice, token.steps, token.needs, last))
}

fn tokens() -> impl Iterator<Item = (&'static Anchor, &'static Token)> {
    every().iter().filter_map(
        |anchor| {
            if let Look::Token(token) = anchor.look { Some((anchor, token)) } else { None }
        },
    )
}

fn nears() -> impl Iterator<Item = (&'static Anchor, &'static Near)> {
    every().iter().filter_map(
        |anchor| {
            if let Look::Near(near) = anchor.look { Some((anchor, near)) } else { None }
        },
    )
}

fn mask(text: &str) -> String {
    Redactor::new(Mode::Mask).clean(text).text.into_owned()
}

#[track_caller]
fn untouched(text: &str) {
    let cleaned = Redactor::new(Mode::Mask).clean(text);
    assert_eq!((cleaned.text.as_ref(), cleaned.secrets), (text, 0));
}

/// Nothing of `text` is masked, save what is assigned to a name that says so: some tokens begin with one.
#[track_caller]
fn not_a_token(text: &str) {
    let masked = mask(text);
    assert!(masked == text || masked.contains("=[redacted:assigned-secret]"), "{text} is {masked}");
}

fn base64(text: &str) -> String {
    base64_of(text.as_bytes())
}

fn base64_of(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            if place <= three.len() {
                out.push(char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[test]
fn masks_every_token_wherever_a_word_may_stand() {
    let mut dice = Dice(1);
    let frames = [
        ("", ""),
        ("see ", " there"),
        ("x = \"", "\""),
        ("`", "`."),
        ("(", ")"),
        ("\n+", "\n"),
        ("\n-", "\n"),
        ("{\\\"a\\\":\\\"", "\\\"}"),
        ("line\\n", "\\nnext"),
        ("a%3D", "%0Ab"),
        ("\\u0022", "\\u0022"),
        ("é", "é"),
    ];
    for (anchor, token) in tokens() {
        for (before, after) in frames {
            let secret = token_text(&mut dice, anchor, token, |least| least);
            let text = format!("{before}{secret}{after}");
            let masked = mask(&text);
            let kept = if token.keep { anchor.literal } else { "" };
            let expected = format!("{before}{kept}[redacted:{}]{after}", name(anchor.rule));
            let signs =
                token.steps.iter().any(|step| matches!(step, Step::Run { class, .. } if class.has(b'%')));
            if signs || anchor.literal.ends_with('=') && before == "a%3D" {
                // What is assigned may hold a percent sign or a bracket, so more of the text may go.
                assert!(masked.contains("[redacted:") && !masked.contains(&secret), "{masked} from {text}");
                continue;
            }
            assert_eq!(masked, expected, "from {text}");
        }
    }
}

#[test]
fn leaves_a_token_that_is_too_short_or_has_a_wrong_character() {
    let mut dice = Dice(2);
    for (anchor, token) in tokens() {
        not_a_token(&token_text(&mut dice, anchor, token, |least| least - 1));
        let mut whole = token_text(&mut dice, anchor, token, |least| least);
        let (_, min, _, behind) = last_run(token.steps).expect("a token has a run");
        let wrong = whole.len() - behind - min.div_ceil(2);
        whole.replace_range(wrong..=wrong, " ");
        not_a_token(&whole);
    }
}

#[test]
fn leaves_a_fixed_length_token_that_goes_on() {
    let mut dice = Dice(3);
    let mut fixed = 0;
    for (anchor, token) in tokens() {
        if let Some((_, _, max, _)) = last_run(token.steps)
            && max < 1000
        {
            not_a_token(&token_text(&mut dice, anchor, token, |_| max + 1));
            fixed += 1;
        }
    }
    assert!(fixed > 20);
}

#[test]
fn leaves_a_token_inside_a_longer_word() {
    let mut dice = Dice(4);
    for (anchor, token) in tokens() {
        let inner_start = anchor.literal.contains('.') || anchor.literal.contains('/');
        if token.free || inner_start || token.behind.is_some() {
            continue;
        }
        let secret = token_text(&mut dice, anchor, token, |least| least);
        not_a_token(&format!("Q{secret}"));
        not_a_token(&format!("my_{secret}"));
    }
}

#[test]
fn masks_the_base64_form_of_a_token() {
    let mut dice = Dice(7);
    for (anchor, token) in tokens() {
        let secret = token_text(&mut dice, anchor, token, |least| least);
        for before in ["", "a: ", "{\"a\":\"", "user = somebody\nkey = "] {
            let masked = mask(&format!("value: {}\n", base64(&format!("{before}{secret}\n"))));
            assert_eq!(masked, format!("value: [redacted:{}]\n", name(anchor.rule)), "{before}{secret}");
        }
        if anchor.literal.ends_with('=') {
            continue;
        }
        let short = token_text(&mut dice, anchor, token, |least| least - 1);
        untouched(&format!("value: {}\n", base64(&short)));
    }
}

#[test]
fn masks_the_products_own_tokens_in_every_mode_and_inside_words() {
    for start in ["aegis_at_", "aegis_rt_", "aegis_key_"] {
        let token = format!("{start}{}", Dice(8).of(Class::ALNUM, 20));
        assert_eq!(Redactor::new(Mode::Off).clean(&format!("x{token}.")).text, "x[redacted:aegis-token].");
        assert_eq!(mask(&format!("x_{token}-a.b_c")), "x_[redacted:aegis-token]");
        assert_eq!(Redactor::new(Mode::Block).clean(&token).text, "[blocked: contains aegis-token]");
        assert_eq!(Redactor::new(Mode::Off).clean(&base64(&token)).text, "[redacted:aegis-token]");
    }
}

#[test]
fn off_masks_nothing_else() {
    for text in positives() {
        let cleaned = Redactor::new(Mode::Off).clean(&text);
        if text.contains("aegis_") {
            continue;
        }
        assert_eq!((cleaned.text.as_ref(), cleaned.secrets), (text.as_str(), 0));
    }
}

#[test]
fn block_replaces_the_whole_text_and_names_the_rule() {
    let text = format!("before {}{} after", concat!("gh", "p_"), "a1".repeat(18));
    let cleaned = Redactor::new(Mode::Block).clean(&text);
    assert_eq!(cleaned.text, "[blocked: contains github-token]");
    assert_eq!(cleaned.secrets, 1);
}

#[test]
fn counts_each_secret_once() {
    let text = format!("a {0} b {0} c", format_args!("{}{}", concat!("np", "m_"), "b2".repeat(18)));
    assert_eq!(Redactor::new(Mode::Mask).clean(&text).secrets, 2);
}

#[test]
fn reads_modes_and_refuses_other_words() {
    assert_eq!("off".parse(), Ok(Mode::Off));
    assert_eq!("mask".parse(), Ok(Mode::Mask));
    assert_eq!("block".parse(), Ok(Mode::Block));
    for word in ["", "Mask", "on", " mask"] {
        let refused = word.parse::<Mode>().map_err(|error| error.to_string());
        assert_eq!(refused, Err("secret detection is one of `off`, `mask` and `block`".to_owned()), "{word}");
    }
}

#[test]
fn bounds_by_characters_not_bytes() {
    assert_eq!(bound("grün", 4), None);
    assert_eq!(bound("grün", 3), Some("grü"));
    assert_eq!(bound("grün", 0), Some(""));
    assert_eq!(bound("", 0), None);
    assert_eq!(bound("日本語", 2), Some("日本"));
}

#[test]
fn names_are_unique_and_plain_and_every_one_can_be_found() {
    let names: Vec<_> = rules().collect();
    let text: Vec<String> = positives();
    for (index, rule) in names.iter().enumerate() {
        assert!(!names[..index].contains(rule));
        assert!(
            rule.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
            "{rule}"
        );
        let tag = format!("[redacted:{rule}]");
        assert!(text.iter().any(|text| mask(text).contains(&tag)), "{rule}");
    }
    assert!(names.len() >= 100, "{}", names.len());
}

#[test]
fn ordinary_files_pass_untouched() {
    untouched(include_str!("../tests/data/ordinary.rs.txt"));
    untouched(include_str!("../tests/data/ordinary.go.txt"));
    untouched(include_str!("../tests/data/ordinary.md"));
}

/// One text at least for each rule.
fn positives() -> Vec<String> {
    let mut dice = Dice(9);
    let mut out: Vec<String> =
        tokens().map(|(anchor, token)| token_text(&mut dice, anchor, token, |least| least)).collect();
    for (anchor, near) in nears() {
        out.push(format!(
            "{} = {}",
            anchor.literal,
            fitting(&mut dice, near.steps, near.needs, |least| least)
        ));
    }
    out.push(context::block("RSA PRIVATE KEY", "\n"));
    out.push(base64(&context::block("PRIVATE KEY", "\n")));
    out.push("Authorization: Basic dXNlcjpwYXNzd29yZA==".to_owned());
    out.push("postgres://app:hunter2@db.example/app".to_owned());
    out.push("password = \"k3J9xQ2mW8rT5vB1\"".to_owned());
    out.push("machine git.example login me password hunter2".to_owned());
    out.push("Server=db;User Id=sa;Password=hunter2;".to_owned());
    out.push(format!("{{\"auths\":{{\"r.example\":{{\"auth\":\"{}\"}}}}}}", base64("me:hunter2")));
    out.push(format!("Private-Lines: 1\n{}\n", dice.of(Class::BASE64, 64)));
    out
}

/// A text in which secrets, their pieces, masks and hostile characters stand in any order.
fn jumble(dice: &mut Dice, parts: &[String]) -> String {
    let glue =
        ["", "", " ", "\n", "\"", ":", "=", "-", "@", "/", ".", "\\n", "%3D", "\u{200b}", "\u{1b}[", "x"];
    let mut out = String::new();
    for _ in 0..=dice.below(8) {
        let part = &parts[dice.below(parts.len())];
        let end = if dice.below(3) == 0 { dice.below(part.len() + 1) } else { part.len() };
        let _ = write!(out, "{}{}", part.get(..end).unwrap_or(part), glue[dice.below(glue.len())]);
    }
    out
}

#[test]
fn cleaning_a_clean_text_changes_nothing() {
    let mut dice = Dice(10);
    let mut parts = positives();
    parts.extend(every().iter().map(|anchor| anchor.literal.to_owned()));
    parts.extend(rules().map(|rule| format!("[redacted:{rule}]")));
    parts.extend(
        ["0123456789abcdef0123456789abcdef01234567", "-----END PRIVATE KEY-----", "\u{1b}]0;t\u{7}"]
            .map(str::to_owned),
    );
    for round in 0..2500 {
        let text = jumble(&mut dice, &parts);
        for mode in [Mode::Off, Mode::Mask, Mode::Block] {
            let once = Redactor::new(mode).clean(&text);
            let twice = Redactor::new(mode).clean(&once.text);
            assert_eq!(twice.text, once.text, "round {round}: {text:?}");
            assert_eq!((twice.secrets, twice.hostile), (0, 0), "round {round}: {text:?}");
        }
    }
}

#[test]
fn lines_keep_their_numbers_where_a_secret_runs_over_several() {
    let [begin, end] = ["BEGIN", "END"].map(|word| format!("-----{word} PRIVATE KEY-----"));
    let key = format!("{begin}\nMIIabc\nMIIdef\n{end}");
    let token = concat!("gh", "p_", "abcdefghijklmnopqrstuvwxyz0123456789");
    let text = format!("one\n{key}\r\nsix\u{202e}\n\u{1b}]8;;\nseven {token}\n");
    let cleaned = Redactor::new(Mode::Mask).clean_lines(&text).expect("it may be told");
    let lines: Vec<&str> = cleaned.text.split('\n').collect();
    assert_eq!(lines.len(), text.split('\n').count());
    assert_eq!(lines.get(..3), Some(["one", "[redacted:private-key]", ""].as_slice()));
    assert_eq!((lines.get(5), lines.get(6)), (Some(&"six"), Some(&"8;;")));
    assert!(lines.get(7).is_some_and(|line| line.starts_with("seven [redacted:")), "{lines:?}");
    assert!(!cleaned.text.contains("MII"), "{lines:?}");
    assert_eq!(Redactor::new(Mode::Block).clean_lines(&text), None);
    let harmless = "a\n\nb\n";
    assert_eq!(Redactor::new(Mode::Block).clean_lines(harmless).expect("told").text, harmless);
}
