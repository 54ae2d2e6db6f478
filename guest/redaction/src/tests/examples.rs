//! Every example of `examples/*.txt` is masked, as it stands and encoded once; what misses being one by a little
//! stays.

#![expect(clippy::disallowed_macros, reason = "a test may say how many it found")]

use super::{Dice, base64, mask, untouched};
use crate::{Mode, Redactor, rules};

const FILES: [(&str, &str); 7] = [
    ("own", include_str!("../../examples/own.txt")),
    ("code", include_str!("../../examples/code.txt")),
    ("ai", include_str!("../../examples/ai.txt")),
    ("cloud", include_str!("../../examples/cloud.txt")),
    ("data", include_str!("../../examples/data.txt")),
    ("talk", include_str!("../../examples/talk.txt")),
    ("work", include_str!("../../examples/work.txt")),
];

/// How many characters of a secret in a row must not be told.
const TOLD: usize = 10;

struct Example {
    kind: String,
    /// How many characters the last part needs.
    least: Option<usize>,
    before: String,
    parts: Vec<String>,
    after: String,
}

impl Example {
    fn secret(&self) -> String {
        self.parts.concat()
    }

    fn text(&self) -> String {
        format!("{}{}{}", self.before, self.secret(), self.after)
    }

    /// Whether the secret names itself: it is one without what stands before.
    fn alone(&self) -> bool {
        self.before.is_empty()
    }

    /// Whether its kind counts inside words too.
    fn anywhere(&self) -> bool {
        ["aegis-token", "azure-shared-access-key", "teams-webhook"].contains(&self.kind.as_str())
            || self.secret().starts_with("-----")
    }
}

fn examples() -> Vec<Example> {
    let plain = |text: &str| text.replace("\\n", "\n").replace("\\s", " ");
    let lines = FILES.iter().flat_map(|(_, text)| text.lines());
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut cells = line.split(" |").map(|cell| cell.strip_prefix(' ').unwrap_or(cell));
            let mut next = || cells.next().unwrap_or_default();
            let (kind, least, before, parts, after) = (next(), next(), next(), next(), next());
            Example {
                kind: kind.to_owned(),
                least: least.parse().ok(),
                before: plain(before),
                parts: parts.split(' ').map(plain).collect(),
                after: plain(after),
            }
        })
        .collect()
}

/// Whether `told` has `TOLD` characters in a row of `secret`.
fn tells(told: &str, secret: &str) -> bool {
    let windows = secret.as_bytes().windows(TOLD.min(secret.len()));
    windows.filter_map(|part| std::str::from_utf8(part).ok()).any(|part| told.contains(part))
}

#[test]
fn every_example_is_masked_under_its_own_name() {
    for example in examples() {
        let masked = mask(&example.text());
        let tag = format!("[redacted:{}]", example.kind);
        assert!(masked.contains(&tag), "{}: {masked} from {}", example.kind, example.text());
        let body = example.parts.iter().max_by_key(|part| part.len()).expect("a part");
        let kept = matches!(example.kind.as_str(), "private-key");
        assert!(kept || !tells(&masked, body), "{}: {masked}", example.kind);
        let rest = Redactor::new(Mode::Off).clean(&example.text()).secrets;
        assert_eq!(rest > 0, example.kind == "aegis-token", "{} where redaction is off", example.kind);
    }
}

#[test]
fn every_kind_has_an_example_and_there_are_at_least_a_hundred() {
    let examples = examples();
    let kinds: Vec<&str> = rules().collect();
    for kind in &kinds {
        assert!(examples.iter().any(|example| example.kind == *kind), "{kind} has no example");
    }
    for example in &examples {
        assert!(kinds.contains(&example.kind.as_str()), "{} is no rule", example.kind);
    }
    assert!(kinds.len() >= 100, "{}", kinds.len());
}

#[test]
fn one_character_too_few_is_no_secret() {
    let mut seen = 0;
    for example in examples().into_iter().filter(Example::alone) {
        let Some(least) = example.least else { continue };
        let (last, first) = example.parts.split_last().expect("a part");
        let short = format!("{}{}", first.concat(), last.get(..least - 1).expect("ASCII"));
        untouched(&short);
        untouched(&format!("see {short} there"));
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn a_character_of_another_alphabet_breaks_a_secret() {
    for example in examples().into_iter().filter(Example::alone) {
        let Some(least) = example.least else { continue };
        let (last, first) = example.parts.split_last().expect("a part");
        for wrong in ["ß", "|", " ", "\n"] {
            let cut = last.get(..least / 2).expect("ASCII");
            let rest = last.get(least / 2 + 1..least).expect("ASCII");
            untouched(&format!("{}{cut}{wrong}{rest}", first.concat()));
        }
    }
}

#[test]
fn a_wrong_prefix_makes_no_secret_of_that_kind() {
    let mut dice = Dice(40);
    for example in examples().into_iter().filter(Example::alone) {
        let secret = example.secret();
        let first = example.parts.first().expect("a part").len();
        if first > 8 {
            continue;
        }
        // A character of the mark becomes one that no mark has there.
        let place = dice.below(first);
        let mut wrong = secret.clone();
        wrong.replace_range(place..=place, "§");
        let tag = format!("[redacted:{}]", example.kind);
        assert!(!mask(&wrong).contains(&tag) || example.kind == "private-key", "{wrong}");
    }
}

#[test]
fn inside_a_longer_word_is_no_secret() {
    for example in examples().into_iter().filter(Example::alone) {
        let secret = example.secret();
        if example.anywhere() || !secret.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        let tag = format!("[redacted:{}]", example.kind);
        for word in ["my", "x_", "Q7"] {
            let masked = mask(&format!("{word}{secret}"));
            assert!(!masked.contains(&tag), "{masked}");
        }
    }
}

fn percent(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let one = |byte: u8| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

fn escaped(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let one = |byte: u8| if keep(byte) { char::from(byte).to_string() } else { format!("\\u{byte:04x}") };
    text.bytes().map(one).collect()
}

fn json(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    text.replace('/', "\\/")
}

/// `text` in lines of 76 characters with `between` where one ends.
fn wrapped(text: &str, between: &str) -> String {
    let lines: Vec<&str> =
        text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join(between)
}

/// The example's text, encoded once in many ways, each with its name.
fn variants(example: &Example) -> Vec<(&'static str, String)> {
    let text = example.text();
    let url = base64(&text).replace('+', "-").replace('/', "_").replace('=', "");
    let around = format!("# settings\nuser: me\n{text}\nport: 1\n");
    let mut out = vec![
        ("base64", base64(&text)),
        ("base64 of a line", format!("value: {}\n", base64(&format!("{text}\n")))),
        ("base64 of a file", format!("data: {}", base64(&around))),
        ("base64 of a file, shifted by one", format!("data: {}", base64(&format!("#{around}")))),
        ("base64 of a file, shifted by two", format!("data: {}", base64(&format!("##{around}")))),
        ("base64 in lines", wrapped(&base64(&around), "\n")),
        ("base64 in indented lines", format!("k: |\n  {}\n", wrapped(&base64(&around), "\n  "))),
        ("base64 in a diff", format!("@@\n+  k: {}\n", base64(&text))),
        ("base64 for URLs", format!("https://x.example/?state={url}&n=1")),
        ("base64 behind a path", format!("https://x.example/a/{}", base64(&around))),
        (
            "url, what is reserved",
            percent(&text, |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)),
        ),
        ("url, all of it", percent(&text, |_| false)),
        (
            "url, in a query",
            format!(
                "https://x.example/?q={}&n=1",
                percent(&text, |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
            ),
        ),
        ("json", format!("{{\"text\":\"{}\"}}", json(&text))),
        (
            "json, signs as numbers",
            format!("{{\"text\":\"{}\"}}", escaped(&text, |byte| byte.is_ascii_alphanumeric())),
        ),
        ("json, all as numbers", format!("{{\"text\":\"{}\"}}", escaped(&text, |_| false))),
        ("json in json", format!("{{\"body\":\"{{\\\"text\\\":\\\"{}\\\"}}\"}}", json(&text))),
        ("diff, added", diff(&text, '+')),
        ("diff, removed", diff(&text, '-')),
        ("diff, untouched", diff(&text, ' ')),
    ];
    if !example.secret().contains('\n') {
        for (name, end) in [
            ("continued in a shell", "\\\n"),
            ("continued, indented", "\\\n    "),
            ("continued in a diff", "\\\n+    "),
            ("joined strings", "\" +\n    \""),
            ("joined strings in a diff", "\" +\n+    \""),
            ("strings side by side", "\"\n    \""),
            ("joined by dots", "' .\n  '"),
        ] {
            let secret = example.secret();
            let (first, second) = secret.split_at(secret.len() / 2);
            let before = if end.contains("+    ") { "@@\n+" } else { "" };
            out.push((name, format!("{before}{}{first}{end}{second}{}", example.before, example.after)));
        }
        if example.alone() && !example.secret().contains('/') {
            for (name, before, after) in [
                ("file name", "config/", ".txt"),
                ("file name in a diff", "diff --git a/keys/", ".pem b/x"),
                ("folder", "backup/", "/readme.md"),
            ] {
                out.push((name, format!("{before}{}{after}", example.secret())));
            }
        }
    }
    out
}

fn diff(text: &str, mark: char) -> String {
    let lines: String = text.lines().map(|line| format!("{mark}{line}\n")).collect();
    format!("@@ -1,2 +1,2 @@\n{lines} end\n")
}

/// Of the secret's longest part: no piece in clear, and no piece in any of its encodings either.
fn caught(variant: &str, masked: &str, example: &Example) -> bool {
    let body = example.parts.iter().max_by_key(|part| part.len()).expect("a part");
    let line = body.lines().max_by_key(|line| line.len()).expect("a line");
    let tail = line.get(line.len().saturating_sub(TOLD)..).unwrap_or(line);
    let rest = variant.len().saturating_sub(masked.len());
    masked.contains("[redacted:") && !tells(masked, line) && !masked.contains(tail) && {
        // What was masked is as long as the secret was, encoded or not.
        let mask = format!("[redacted:{}]", example.kind).len();
        rest + mask + 40 >= line.len()
    }
}

#[test]
fn at_least_95_in_100_of_what_is_encoded_once_is_masked() {
    let (mut all, mut missed) = (0, Vec::new());
    for example in examples() {
        for (name, variant) in variants(&example) {
            all += 1;
            if !caught(&variant, &mask(&variant), &example) {
                missed.push(format!("{}, {name}: {variant} -> {}", example.kind, mask(&variant)));
            }
        }
    }
    println!("{} of {all} are masked", all - missed.len());
    for miss in &missed {
        println!("  {miss}");
    }
    assert!(missed.len() * 100 <= all * 5, "{} of {all} are not masked", missed.len());
}
