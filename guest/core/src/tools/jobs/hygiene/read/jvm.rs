//! Java and its kin: `pom.xml` by `quick-xml`, which streams and follows no entity, and `build.gradle`, which is a program
//! and so is only looked at line by line. Neither has a lock file by custom.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::super::judge::is_plain;
use super::super::lines::{Lines, numbered};
use super::super::rule::Rule;
use super::super::sheet::{Malformed, Read, Sheet};

/// Deepest nesting of elements.
const DEPTH: usize = 64;

pub(super) fn pom(source: &str, sheet: &mut Sheet) -> Read {
    let lines = Lines::of(source);
    let mut reader = Reader::from_str(source);
    let mut names: Vec<String> = Vec::new();
    let mut known = false;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let line = lines.at(at);
        let event = reader.read_event().map_err(|_| Malformed(format!("it is not XML (line {line})")))?;
        match event {
            Event::Eof => break,
            Event::Start(start) => {
                if names.len() >= DEPTH {
                    return Err(Malformed("it is nested too deeply".to_owned()));
                }
                known |= names.is_empty() && start.local_name().as_ref() == "project";
                names.push(start.local_name().as_ref().to_owned());
            }
            Event::End(_) => {
                names.pop();
            }
            Event::Text(text) => {
                said(&names, text.trim(), line, sheet);
            }
            Event::Empty(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
    if known && names.is_empty() { Ok(()) } else { Err(Malformed("it is no project of Maven".to_owned())) }
}

/// The text of an element.
fn said(names: &[String], text: &str, line: u64, sheet: &mut Sheet) {
    let mut inner = names.iter().rev().map(String::as_str);
    match (inner.next(), inner.next()) {
        (Some("version"), Some("dependency" | "plugin" | "parent" | "extension")) if moves(text) => {
            sheet.tell(Rule::Wildcard, Some(line), &format!("<version>{text}</version>"));
        }
        (Some("url"), Some("repository" | "pluginRepository" | "snapshotRepository")) if is_plain(text) => {
            sheet.tell(Rule::PlainHttp, Some(line), text);
        }
        _ => {}
    }
}

/// Versions that are decided when it is built: the newest, or a range without an end.
fn moves(version: &str) -> bool {
    let open =
        version.starts_with(['[', '(']) && version.trim_end_matches([')', ']']).trim_end().ends_with(',');
    open || matches!(version, "LATEST" | "RELEASE" | "+" | "latest.release" | "latest.integration")
}

pub(super) fn gradle(source: &str, sheet: &mut Sheet) -> Read {
    for (line, text) in numbered(source) {
        let text = text.trim();
        if text.starts_with("//") || text.starts_with('*') {
            continue;
        }
        for word in text.split(['"', '\'']).skip(1).step_by(2) {
            let mut parts = word.split(':');
            let version = parts.nth(2).map(|version| version.split('@').next().unwrap_or(version));
            if version.is_some_and(|version| moves(version) || version.ends_with(".+"))
                && !word.contains("://")
            {
                sheet.tell(Rule::Wildcard, Some(line), text);
            } else if is_plain(word) {
                sheet.tell(Rule::PlainHttp, Some(line), text);
            }
        }
    }
    Ok(())
}
