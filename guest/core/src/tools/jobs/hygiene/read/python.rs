//! Python: `pyproject.toml`, requirements files, and the lock files of poetry, uv and pdm.
//!
//! A requirement is a name and what is behind it (PEP 508). No crate of the ecosystem reads it in little: the parts that
//! matter here are the name, whether a version is named, and an address.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::super::judge::{self, is_any_version, is_plain};
use super::super::lines::{Lines, numbered};
use super::super::rule::Rule;
use super::super::sheet::{Read, Sheet, Workspace};
use super::toml::{each, packages, parse, table, text};

pub(super) fn pyproject(source: &str, sheet: &mut Sheet) -> Read {
    let document = parse(source)?;
    let (root, lines) = (&document.table, &document.lines);
    if let Some(project) = table(root, "project") {
        list(project.get("dependencies").map(|value| value.get_ref()), lines, sheet);
        for (_, extra) in table(project, "optional-dependencies").into_iter().flatten() {
            list(Some(extra.get_ref()), lines, sheet);
        }
    }
    for (_, group) in table(root, "dependency-groups").into_iter().flatten() {
        list(Some(group.get_ref()), lines, sheet);
    }
    let tool = table(root, "tool");
    let poetry = tool.and_then(|tool| table(tool, "poetry"));
    if let Some(poetry) = poetry {
        for name in ["dependencies", "dev-dependencies"] {
            poetry_table(table(poetry, name), lines, sheet);
        }
        for (_, group) in table(poetry, "group").into_iter().flatten() {
            poetry_table(
                group.get_ref().as_table().and_then(|group| table(group, "dependencies")),
                lines,
                sheet,
            );
        }
    }
    for source in poetry.and_then(|poetry| poetry.get("source")).map(each).into_iter().flatten() {
        plain_index(source.get_ref(), lines.at(source.span().start), sheet);
    }
    let uv = tool.and_then(|tool| table(tool, "uv"));
    for index in uv.and_then(|uv| uv.get("index")).map(each).into_iter().flatten() {
        plain_index(index.get_ref(), lines.at(index.span().start), sheet);
    }
    for (name, value) in uv.and_then(|uv| table(uv, "sources")).into_iter().flatten() {
        for one in each(value) {
            let inner = one.get_ref().as_table();
            let address = inner.and_then(|inner| text(inner, "git"));
            if let (Some(inner), Some(address)) = (inner, address) {
                in_git(name.get_ref(), inner, address, Some(lines.at(name.span().start)), sheet);
            }
        }
    }
    if uv.is_some_and(|uv| uv.get("workspace").is_some()) {
        sheet.workspace = Some(Workspace::default());
    }
    // A library that no locking tool builds has no lock file by custom.
    let locks = [("poetry", "poetry.lock"), ("uv", "uv.lock"), ("pdm", "pdm.lock")];
    let used = locks.iter().find(|(name, _)| tool.is_some_and(|tool| tool.get(*name).is_some()));
    if !sheet.needs.is_empty() {
        sheet.lock = used.map(|(_, lock)| *lock);
    }
    Ok(())
}

fn plain_index(index: &DeValue<'_>, line: u64, sheet: &mut Sheet) {
    if let Some(address) = index.as_table().and_then(|index| text(index, "url")).filter(|url| is_plain(url)) {
        sheet.tell(Rule::PlainHttp, Some(line), address);
    }
}

/// A list of requirements.
fn list(value: Option<&DeValue<'_>>, lines: &Lines, sheet: &mut Sheet) {
    for one in value.and_then(DeValue::as_array).into_iter().flat_map(|list| list.iter()) {
        if let Some(text) = one.get_ref().as_str() {
            requirement(text, Some(lines.at(one.span().start)), sheet);
        }
    }
}

fn poetry_table(found: Option<&DeTable<'_>>, lines: &Lines, sheet: &mut Sheet) {
    for (name, value) in found.into_iter().flatten() {
        let (name, line) = (name.get_ref(), Some(lines.at(name.span().start)));
        if name == "python" {
            continue;
        }
        sheet.need(&normal(name), line);
        for one in each(value) {
            let inner = one.get_ref().as_table();
            let version = one.get_ref().as_str().or_else(|| inner.and_then(|inner| text(inner, "version")));
            if let Some((inner, address)) = inner.and_then(|inner| Some((inner, text(inner, "git")?))) {
                in_git(name, inner, address, line, sheet);
            } else if let Some(address) =
                inner.and_then(|inner| text(inner, "url")).filter(|url| is_plain(url))
            {
                sheet.tell(Rule::PlainHttp, line, &format!("{name} from {address}"));
            } else if version.is_some_and(is_any_version) {
                sheet.tell(Rule::Wildcard, line, &format!("{name} = \"{}\"", version.unwrap_or_default()));
            }
        }
    }
}

fn in_git(name: &str, inner: &DeTable<'_>, address: &str, line: Option<u64>, sheet: &mut Sheet) {
    let named = ["rev", "tag"].iter().any(|key| text(inner, key).is_some());
    judge::git(sheet, line, &format!("{name} from {address}"), address, named.then_some("v0"));
}

pub(super) fn lock(source: &str, sheet: &mut Sheet) -> Read {
    sheet.locked = Some(BTreeSet::new());
    super::plain_sources(source, &["source = { registry = \"", "source = { git = \""], sheet);
    packages(source, &mut |name| sheet.lock_name(&normal(name)))
}

pub(super) fn requirements(source: &str, sheet: &mut Sheet) -> Read {
    let mut whole = String::new();
    let mut first = 1;
    for (line, text) in numbered(source) {
        if whole.is_empty() {
            first = line;
        }
        // A comment is `#` at the start or behind a blank: in an address it is part of it.
        let text =
            if text.trim_start().starts_with('#') { "" } else { text.split(" #").next().unwrap_or(text) };
        if let Some(begun) = text.strip_suffix('\\') {
            whole.push_str(begun);
            whole.push(' ');
            continue;
        }
        whole.push_str(text);
        one_line(whole.trim(), first, sheet);
        whole.clear();
    }
    one_line(whole.trim(), first, sheet);
    // Nothing else locks these.
    sheet.needs.clear();
    Ok(())
}

fn one_line(text: &str, line: u64, sheet: &mut Sheet) {
    let mut words = text.split([' ', '=']).filter(|word| !word.is_empty());
    match words.next() {
        None => {}
        Some("-e" | "--editable") => {
            requirement(text.split_once(char::is_whitespace).map_or("", |(_, rest)| rest), Some(line), sheet)
        }
        Some("-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links")
            if words.next().is_some_and(is_plain) =>
        {
            sheet.tell(Rule::PlainHttp, Some(line), text);
        }
        Some(word) if word.starts_with('-') => {}
        Some(_) => requirement(text.split(" --").next().unwrap_or(text), Some(line), sheet),
    }
}

/// One requirement: `name[extra] >=1; marker`, `name @ address`, or an address alone.
fn requirement(text: &str, line: Option<u64>, sheet: &mut Sheet) {
    let text = text.trim();
    if text.contains("://") && !text.contains(" @ ") && !text.contains("@ ") {
        address(text, text, line, sheet);
        return;
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let path = text.starts_with(['.', '/']) || rest.starts_with(['/', '\\']);
    if name.is_empty() || path {
        return;
    }
    sheet.need(&normal(name), line);
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']').map_or("", |(_, rest)| rest).trim_start(),
        None => rest,
    };
    if let Some(from) = rest.strip_prefix('@') {
        address(text, from.split(';').next().unwrap_or(from).trim(), line, sheet);
        return;
    }
    let version = rest.split(';').next().unwrap_or(rest).trim();
    let version = version.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(version);
    if is_any_version(version) {
        sheet.tell(Rule::Wildcard, line, text);
    }
}

/// `git+https://host/path@revision#egg=name`, or an archive.
fn address(whole: &str, from: &str, line: Option<u64>, sheet: &mut Sheet) {
    let from = from.split('#').next().unwrap_or(from);
    if !from.starts_with("git+") && !from.starts_with("git://") {
        if is_plain(from) {
            sheet.tell(Rule::PlainHttp, line, whole);
        }
        return;
    }
    let path =
        from.split_once("://").map_or(from, |(_, rest)| rest).split_once('/').map_or("", |(_, path)| path);
    let revision = path.rsplit_once('@').map(|(_, revision)| revision);
    judge::git(sheet, line, whole, from, revision);
}

/// Names are the same in any case, and `-`, `_` and `.` are one (PEP 503).
fn normal(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_ascii_lowercase()
}
