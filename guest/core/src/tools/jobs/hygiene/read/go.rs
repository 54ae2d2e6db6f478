//! Go: `go.mod` and `go.sum`, which are lines of words.

use std::collections::BTreeSet;

use super::super::lines::numbered;
use super::super::rule::Rule;
use super::super::sheet::{Malformed, Read, Sheet};

pub(super) fn manifest(source: &str, sheet: &mut Sheet) -> Read {
    let (mut block, mut known) = (None, false);
    let mut replaced = BTreeSet::new();
    for (line, text) in numbered(source) {
        let text = text.split("//").next().unwrap_or(text).trim();
        let mut words = text.split_whitespace();
        let Some(first) = words.next() else { continue };
        if first == ")" {
            block = None;
            continue;
        }
        let (verb, name) = match block {
            Some(verb) => (verb, Some(first)),
            None => (first, words.next()),
        };
        known |= verb == "module";
        if name == Some("(") {
            block = Some(verb);
            continue;
        }
        let Some(name) = name else { continue };
        match (verb, words.next()) {
            ("require", Some(version)) => {
                if !version.starts_with('v') {
                    sheet.tell(Rule::Wildcard, Some(line), &format!("{name} {version}"));
                }
                sheet.need(&format!("{name} {version}"), Some(line));
            }
            ("replace", _) => {
                replaced.insert(name.trim_matches('"').to_owned());
            }
            _ => {}
        }
    }
    if !known {
        return Err(Malformed("it names no module".to_owned()));
    }
    sheet.needs.retain(|need| !need.name.split(' ').next().is_some_and(|name| replaced.contains(name)));
    if !sheet.needs.is_empty() {
        sheet.lock = Some("go.sum");
    }
    Ok(())
}

/// `module version[/go.mod] hash`.
pub(super) fn sum(source: &str, sheet: &mut Sheet) -> Read {
    sheet.locked = Some(BTreeSet::new());
    for (line, text) in numbered(source) {
        let words: Vec<&str> = text.split_whitespace().take(4).collect();
        match words.as_slice() {
            [] => {}
            [name, version, hash] if hash.starts_with("h1:") => {
                let version = version.strip_suffix("/go.mod").unwrap_or(version);
                sheet.lock_name(&format!("{name} {version}"));
            }
            _ => return Err(Malformed(format!("line {line} of it is no line of go.sum"))),
        }
    }
    Ok(())
}
