//! Ruby: `Gemfile`, which is a program and so is only looked at line by line, and `Gemfile.lock`.

use std::collections::BTreeSet;

use super::super::judge::{self, is_any_version, is_plain};
use super::super::lines::numbered;
use super::super::rule::Rule;
use super::super::sheet::{Malformed, Read, Sheet};

pub(super) fn manifest(source: &str, sheet: &mut Sheet) -> Read {
    for (line, text) in numbered(source) {
        let text = text.trim();
        let at = Some(line);
        let Some((verb, rest)) = text.split_once([' ', '(']) else { continue };
        let texts = quoted(rest);
        let first = texts.first().copied().unwrap_or_default();
        match verb {
            "source" | "git_source" if is_plain(first) => sheet.tell(Rule::PlainHttp, at, text),
            // The gems of the block come from there.
            "git" => from_git(rest, first, text, at, sheet),
            "gem" if !first.is_empty() => {
                sheet.need(first, at);
                let address = option(rest, "git").or_else(|| option(rest, "github"));
                match address {
                    Some(address) => from_git(rest, address, text, at, sheet),
                    None => {
                        if option(rest, "source").is_some_and(is_plain) {
                            sheet.tell(Rule::PlainHttp, at, text);
                        }
                        // Without any version the lock file decides, which is the custom.
                        let second = texts.get(1).copied();
                        if second.is_some_and(|range| !range.is_empty() && is_any_version(range)) {
                            sheet.tell(Rule::Wildcard, at, text);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    if !sheet.needs.is_empty() {
        sheet.lock = Some("Gemfile.lock");
    }
    Ok(())
}

fn from_git(rest: &str, address: &str, text: &str, at: Option<u64>, sheet: &mut Sheet) {
    let named = ["ref", "tag"].iter().any(|key| option(rest, key).is_some());
    judge::git(sheet, at, text, address, named.then_some("v0"));
}

/// The texts in quotes.
fn quoted(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\'']) {
        let (_, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let mut marks = tail.chars();
        let Some(mark) = marks.next() else { break };
        let Some((inner, behind)) = marks.as_str().split_once(mark) else { break };
        found.push(inner);
        rest = behind;
    }
    found
}

/// `key: "value"` or `:key => "value"`.
fn option<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let (_, behind) =
        text.split_once(&format!("{key}:")).or_else(|| text.split_once(&format!(":{key} =>")))?;
    let behind = behind.trim_start();
    behind.starts_with(['"', '\'']).then(|| quoted(behind).first().copied()).flatten()
}

/// The names below `DEPENDENCIES`, indented by two blanks.
pub(super) fn lock(source: &str, sheet: &mut Sheet) -> Read {
    sheet.locked = Some(BTreeSet::new());
    super::plain_sources(source, &["remote: "], sheet);
    let (mut inside, mut known) = (false, false);
    for line in source.lines() {
        if !line.starts_with(' ') {
            inside = line == "DEPENDENCIES";
            known |= inside;
        } else if inside {
            let name = line.split_whitespace().next().unwrap_or_default().trim_end_matches('!');
            sheet.lock_name(name);
        }
    }
    if known { Ok(()) } else { Err(Malformed("it is no lock file of bundler".to_owned())) }
}
