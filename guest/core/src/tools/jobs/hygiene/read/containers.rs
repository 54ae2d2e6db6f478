//! Images and actions: Dockerfiles (lines, as their own grammar has it), compose files, workflows.

use std::collections::{BTreeMap, BTreeSet};

use super::super::judge::{self, is_plain, is_revision};
use super::super::lines::numbered;
use super::super::rule::Rule;
use super::super::sheet::{Read, Sheet};
use super::yaml::walk;

/// Services of one file that are told apart.
const SERVICES: usize = 2_000;

pub(super) fn dockerfile(source: &str, sheet: &mut Sheet) -> Read {
    let mut stages: BTreeSet<String> = BTreeSet::new();
    let mut arguments: BTreeMap<String, String> = BTreeMap::new();
    for (line, text) in instructions(source) {
        let mut words = text.split_whitespace();
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        let mut plain = words.clone().filter(|word| !word.starts_with("--"));
        match verb.as_str() {
            "ARG" => {
                if let Some((name, value)) = plain.next().and_then(|word| word.split_once('=')) {
                    arguments.insert(name.to_owned(), value.trim_matches(['"', '\'']).to_owned());
                }
            }
            "FROM" => {
                let image = substituted(plain.next().unwrap_or_default(), &arguments);
                if !stages.contains(&image.to_ascii_lowercase()) {
                    judge::image(sheet, Some(line), &image);
                }
                if plain.next().is_some_and(|word| word.eq_ignore_ascii_case("as")) {
                    stages.extend(plain.next().map(str::to_ascii_lowercase));
                }
            }
            "COPY" | "ADD" => {
                let from = words.find_map(|word| word.strip_prefix("--from="));
                let from = from.map(|from| substituted(from, &arguments)).unwrap_or_default();
                let stage = stages.contains(&from.to_ascii_lowercase())
                    || from.bytes().all(|byte| byte.is_ascii_digit());
                if !stage {
                    judge::image(sheet, Some(line), &from);
                }
                if verb == "ADD" && plain.any(is_plain) {
                    sheet.tell(Rule::PlainHttp, Some(line), &text);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Instructions with the line that each begins in: continued lines are one, and the bodies of documents are left out.
fn instructions(source: &str) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    let (mut whole, mut first) = (String::new(), 1);
    let mut until: Option<String> = None;
    for (line, text) in numbered(source) {
        if let Some(end) = &until {
            if text.trim() == end {
                until = None;
            }
            continue;
        }
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if whole.is_empty() {
            first = line;
        }
        if let Some(begun) = text.strip_suffix(['\\', '`']) {
            whole.push_str(begun);
            whole.push(' ');
            continue;
        }
        whole.push_str(text);
        let verb = whole.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        if matches!(verb.as_str(), "RUN" | "COPY" | "ADD") {
            until = whole.split_once("<<").map(|(_, behind)| {
                let word = behind.trim_start_matches('-').split_whitespace().next().unwrap_or_default();
                word.trim_matches(['"', '\'']).to_owned()
            });
            until = until.filter(|word| word.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic()));
        }
        found.push((first, std::mem::take(&mut whole)));
    }
    if !whole.is_empty() {
        found.push((first, whole));
    }
    found
}

/// A word with the variables whose value is known; what is not known stays.
fn substituted(word: &str, known: &BTreeMap<String, String>) -> String {
    let word = word.trim_matches(['"', '\'']);
    let mut out = String::new();
    let mut rest = word;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        let braced = behind.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, tail) = match braced {
            Some(parts) => parts,
            None => {
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = behind.find(|c| !fits(c)).unwrap_or(behind.len());
                behind.split_at_checked(end).unwrap_or((behind, ""))
            }
        };
        let (name, default) = match name.split_once(":-").or_else(|| name.split_once('-')) {
            Some((name, default)) => (name, Some(default)),
            None => (name, None),
        };
        match known.get(name).map(String::as_str).or(default) {
            Some(value) => out.push_str(value),
            None => {
                out.push('$');
                out.push_str(name);
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

pub(super) fn compose(source: &str, sheet: &mut Sheet) -> Read {
    let mut images: BTreeMap<String, (String, u64)> = BTreeMap::new();
    let mut built: BTreeSet<String> = BTreeSet::new();
    let none = BTreeMap::new();
    walk(source, &mut |way, value, line| {
        let service = way.key(1);
        if images.len() >= SERVICES || built.len() >= SERVICES {
            return;
        }
        if way.is(&["services", "*", "image"]) {
            images.insert(service.to_owned(), (substituted(value, &none), line));
        } else if way.key(0) == "services" && way.key(2) == "build" {
            built.insert(service.to_owned());
        }
    })?;
    for (service, (image, line)) in &images {
        // What is built here is only named by it.
        if !built.contains(service) {
            judge::image(sheet, Some(*line), image);
        }
    }
    Ok(())
}

pub(super) fn workflow(source: &str, sheet: &mut Sheet) -> Read {
    walk(source, &mut |way, value, line| {
        let uses = [
            &["jobs", "*", "steps", "[]", "uses"][..],
            &["jobs", "*", "uses"],
            &["runs", "steps", "[]", "uses"],
        ];
        let images = [
            &["jobs", "*", "container"][..],
            &["jobs", "*", "container", "image"],
            &["jobs", "*", "services", "*", "image"],
        ];
        if uses.iter().any(|pattern| way.is(pattern)) {
            action(value, line, sheet);
        } else if images.iter().any(|pattern| way.is(pattern)) {
            judge::image(sheet, Some(line), value);
        } else if way.is(&["runs", "image"]) {
            image_of(value, line, sheet);
        }
    })
}

/// What a step uses: a folder of the repository, an image, or an action at a revision.
fn action(uses: &str, line: u64, sheet: &mut Sheet) {
    let uses = uses.trim();
    if uses.is_empty() || uses.starts_with("./") || uses.contains("${{") {
        return;
    }
    if uses.starts_with("docker://") {
        image_of(uses, line, sheet);
        return;
    }
    if is_plain(uses) {
        sheet.tell(Rule::PlainHttp, Some(line), uses);
    }
    if !uses.rsplit_once('@').is_some_and(|(_, revision)| is_revision(revision)) {
        sheet.tell(Rule::ActionByBranch, Some(line), uses);
    }
}

fn image_of(text: &str, line: u64, sheet: &mut Sheet) {
    if let Some(image) = text.strip_prefix("docker://") {
        judge::image(sheet, Some(line), image);
    }
}
