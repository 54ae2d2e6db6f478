//! Policy documents, their patterns, and the entries that a request loads.

use aegis_fuzz::campaign;
use aegis_policy::{Class, Document, Effect, Request, Rules};

const WORDS: &[&str] = &[
    "defaults: {read: allow, write: deny}\n",
    "repositories:\n",
    "  acme/site:\n",
    "  acme/*:\n",
    "    paths:\n",
    "      deny: [\"**\"]\n",
    "      allow: [\"docs/**\"]\n",
    "    tools: {deny: [\"*\"]}\n",
    "tools:\n  deny: [get_issue]\n",
    "&a [*a, *a]",
    "<<: *a",
    "!!binary ",
    "? ",
    "\t",
    "\"\\u0000\"",
    "{{{{{{{{",
    "**/*",
    "[a-",
];

fn rules(entries: &[(String, Vec<u8>)]) -> Result<Rules, String> {
    let get = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, bytes)| bytes.clone());
    Rules::from_prepared(get, Some(("acme", "site"))).map_err(|error| error.to_string())
}

/// A document is refused or means something; damaged entries of one are refused or mean something, and decide for a reason.
#[test]
fn policies() {
    campaign("policies", WORDS, |input| {
        let document = match Document::parse(input) {
            Ok(document) => document,
            Err(problems) => {
                assert!(!problems.is_empty() && problems.len() <= 50, "{}", problems.len());
                return format!("{} problems", problems.len().min(5));
            }
        };
        let mut entries = document.prepare();
        let loaded = rules(&entries).expect("what was just prepared");
        let mut behaviour = String::new();
        for (tool, class, paths) in [
            ("get_issue", Class::Read, &[][..]),
            ("create_issue", Class::Write, &[][..]),
            ("get_file_contents", Class::Read, &["docs/a.md"][..]),
            ("get_file_contents", Class::Read, &["../x"][..]),
        ] {
            let request = Request { tool, class, repository: Some(("acme", "site")), paths };
            let decision = loaded.decide(&request);
            assert!(!decision.reasons.is_empty());
            assert!(!paths.contains(&"../x") || decision.effect == Effect::Deny, "a path that is not clean");
            assert!(
                decision.effect == Effect::Deny || paths.iter().all(|path| loaded.path_visible(path, false)),
                "{tool}"
            );
            behaviour.push_str(decision.effect.name());
        }
        for (_, bytes) in &mut entries {
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= input.len() as u8 | 1;
            }
        }
        behaviour + if rules(&entries).is_ok() { " read" } else { " corrupt" }
    });
}

/// A path, then the pattern that denies it, against a matcher that is slow and simple.
#[test]
fn globs() {
    campaign("globs", &["**", "/", "*", "docs/", "a", ".", "?", "[", "\\", "é", "A"], |input| {
        let text = String::from_utf8_lossy(input).into_owned();
        let (path, pattern) = text.split_once('\n').unwrap_or((&text, "**"));
        let written = serde_json::to_string(pattern).expect("text");
        let yaml = format!(
            "defaults: {{read: allow}}\nrepositories:\n  acme/site:\n    paths:\n      allow: [{written}]\n"
        );
        let Ok(document) = Document::parse(yaml.as_bytes()) else { return "no pattern".to_owned() };
        let seen = rules(&document.prepare()).expect("prepared").path_visible(path, false);
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        assert!(!seen || slow(&letters(pattern), &letters(path)), "{pattern} lets {path} be seen");
        format!("{seen} {}", pattern.matches('*').count().min(4))
    });
}

/// What `policy/src/pattern.rs` promises, read from the end: `*` is any run, `**/` any directories or none, `?` one letter.
fn slow(pattern: &[char], path: &[char]) -> bool {
    let mut table = vec![vec![false; path.len() + 1]; pattern.len() + 1];
    table[pattern.len()][path.len()] = true;
    for at in (0..pattern.len()).rev() {
        for from in (0..=path.len()).rev() {
            let directories = pattern[at..].starts_with(&['*', '*', '/'])
                && (table[at + 3][from]
                    || (from..path.len()).any(|end| path[end] == '/' && table[at + 3][end + 1]));
            let run =
                pattern[at] == '*' && (table[at + 1][from] || (from < path.len() && table[at][from + 1]));
            let one = from < path.len()
                && (pattern[at] == '?' || (pattern[at] != '*' && pattern[at] == path[from]))
                && table[at + 1][from + 1];
            table[at][from] = directories || run || one;
        }
    }
    table[0][0]
}
