//! The title and text. Everything that comes from the repository stands in code spans that it cannot leave, where
//! Gitea reads neither mentions nor references, and is masked.

use aegis_redaction::Mode;
use sha2::{Digest, Sha256};

use super::super::hygiene::{Finding, Found, RULES, shown};
use super::JOB;

/// Findings that stand in the text.
const LISTED: usize = 100;
/// Hex digits of what a finding is known again by.
const ID_DIGITS: usize = 12;

/// What the issue says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) title: String,
    pub(super) body: String,
    /// What each finding is known again by. Lines do not count: they move when something else is changed.
    pub(super) ids: Vec<String>,
}

impl Text {
    pub(super) fn of(found: &Found, mode: Mode) -> Self {
        let mut ids: Vec<String> = found.findings.iter().map(id).collect();
        ids.sort();
        ids.dedup();
        let count = found.findings.len();
        let title = match count {
            0 => "Dependency hygiene: nothing left".to_owned(),
            1 => "Dependency hygiene: 1 finding".to_owned(),
            _ => format!("Dependency hygiene: {count} findings"),
        };
        let mut lines = vec![if count == 0 {
            "What this issue listed is mended. It can be closed.".to_owned()
        } else {
            "What the manifests of the default branch leave to chance or to others:".to_owned()
        }];
        lines.push(String::new());
        lines.extend(found.findings.iter().take(LISTED).map(|one| line(one, mode)));
        if count > LISTED {
            lines.push(format!("- and {} more", count.saturating_sub(LISTED)));
        }
        if !found.incomplete.is_empty() {
            lines.push(String::new());
            lines.push("Not everything was read; the report of the job says what is missing.".to_owned());
        }
        lines.push(String::new());
        lines.push(
            "This text is written anew when findings change. Write comments, and close the issue when it is \
             settled: it is opened again only for something new."
                .to_owned(),
        );
        lines.push(String::new());
        lines.push(format!("{}{} -->", mark(), ids.join(" ")));
        Self { title, body: lines.join("\n"), ids }
    }
}

fn line(one: &Finding, mode: Mode) -> String {
    let at = one.line.map_or_else(String::new, |line| format!(" line {line}"));
    format!(
        "- **{}** ({}) in {}{at}: {} {}",
        one.rule.name(),
        one.rule.severity(),
        code(&one.path, mode),
        code(&one.what, mode),
        one.rule.advice()
    )
}

/// A code span. A back-quote would end it, so there is none in it, nor a line break.
fn code(text: &str, mode: Mode) -> String {
    let text = shown(text, mode);
    format!("`{}`", if text.is_empty() { "-" } else { &text })
}

fn id(one: &Finding) -> String {
    digest(&[one.rule.name(), &one.path, &one.what])
}

fn digest(parts: &[&str]) -> String {
    let digest = Sha256::digest(parts.join("\n"));
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.chars().take(ID_DIGITS).collect()
}

/// How the line begins by which the issue is found again: the job and the rules, in digest.
fn mark() -> String {
    format!("<!-- aegis: {} {} ", JOB.name, digest(&[JOB.name, RULES]))
}

/// The findings that a text bearing the mark tells; none where it does not bear it.
pub(super) fn known(body: &str) -> Option<Vec<&str>> {
    let mark = mark();
    let inner = body.lines().rev().find_map(|line| line.trim().strip_prefix(&mark)?.strip_suffix("-->"))?;
    Some(inner.split_whitespace().collect())
}
