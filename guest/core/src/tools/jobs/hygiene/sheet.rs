//! What one file says: findings, the dependencies that it names, and what it locks.

use std::collections::{BTreeMap, BTreeSet};

use aegis_redaction::{Mode, Redactor};

use super::rule::Rule;

/// Findings of one file. No person reads more of one file, and a hostile one could hold any number.
const FINDINGS: usize = 50;
/// Dependencies of one file that are compared with its lock file.
const NEEDS: usize = 2_000;
/// Names that one lock file may hold.
const LOCKED: usize = 20_000;
/// Characters of a file that a finding repeats.
const SHOWN_CHARACTERS: usize = 160;

/// Why a file cannot be read, in words of ours: nothing of the file is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) String);

pub(super) type Read = Result<(), Malformed>;

/// A dependency that a lock file has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) name: String,
    pub(super) line: Option<u64>,
    /// It is described in the workspace, perhaps under another name.
    pub(super) inherited: bool,
}

/// A manifest that speaks for folders below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Workspace {
    /// Folders below it for which it does not speak.
    pub(super) excluded: Vec<String>,
    /// Its names of packages that have another one.
    pub(super) renamed: BTreeMap<String, String>,
}

/// What one file says.
#[derive(Default)]
pub(super) struct Sheet {
    pub(super) findings: Vec<(Rule, Option<u64>, String)>,
    /// Findings that were not kept.
    pub(super) more: u64,
    pub(super) needs: Vec<Need>,
    /// The lock file that should be there, if the file is one that has any.
    pub(super) lock: Option<&'static str>,
    /// What it locks, if it is a lock file whose names are read.
    pub(super) locked: Option<BTreeSet<String>>,
    pub(super) workspace: Option<Workspace>,
    /// Something was left out that has to be known to compare.
    pub(super) partly: bool,
    mode: Option<Mode>,
}

impl Sheet {
    pub(super) fn new(mode: Mode) -> Self {
        // A finding may end in an issue, where others read: what looks like a secret is masked in any case.
        let mode = if mode == Mode::Off { Mode::Mask } else { mode };
        Self { mode: Some(mode), ..Self::default() }
    }

    /// A finding. `what` is text of the file.
    pub(super) fn tell(&mut self, rule: Rule, line: Option<u64>, what: &str) {
        if self.findings.len() >= FINDINGS {
            self.more = self.more.saturating_add(1);
            return;
        }
        let what = shown(what, self.mode.unwrap_or(Mode::Mask));
        self.findings.push((rule, line, what));
    }

    /// A dependency.
    pub(super) fn need(&mut self, name: &str, line: Option<u64>) {
        self.needs_also(Need { name: name.to_owned(), line, inherited: false });
    }

    pub(super) fn needs_also(&mut self, need: Need) {
        if self.needs.len() < NEEDS {
            self.needs.push(need);
        } else {
            self.partly = true;
        }
    }

    /// A name that a lock file holds.
    pub(super) fn lock_name(&mut self, name: &str) {
        let locked = self.locked.get_or_insert_default();
        if locked.len() < LOCKED {
            locked.insert(name.to_owned());
        } else {
            self.partly = true;
        }
    }
}

/// A piece of a file as it is told: one line, without what stands before `@` in an address, masked and short.
pub(in crate::tools::jobs) fn shown(text: &str, mode: Mode) -> String {
    let mode = if mode == Mode::Off { Mode::Mask } else { mode };
    let line: String = text.chars().map(|c| if c.is_control() || c == '`' { ' ' } else { c }).collect();
    let cleaned = Redactor::new(mode).clean(&without_user(line.trim())).text.into_owned();
    match aegis_redaction::bound(&cleaned, SHOWN_CHARACTERS) {
        Some(shorter) => format!("{shorter}..."),
        None => cleaned,
    }
}

/// Addresses without name and password.
fn without_user(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = behind.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(behind.len());
        let (authority, path) = behind.split_at_checked(end).unwrap_or((behind, ""));
        out.push_str(authority.rsplit_once('@').map_or(authority, |(_, host)| host));
        rest = path;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_file_is_one_short_line_without_names_and_passwords() {
        for (text, told) in [
            ("a\nb`c", "a b c"),
            ("git+https://bob:hunter2@git.example/x.git@main y", "git+https://git.example/x.git@main y"),
            ("http://t0ken@a.example http://u:p@b.example/z", "http://a.example http://b.example/z"),
        ] {
            assert_eq!(shown(text, Mode::Mask), told);
        }
        assert_eq!(shown(&"é".repeat(400), Mode::Mask).chars().count(), SHOWN_CHARACTERS + 3);
        let token = format!("ghp_{}", "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC2".get(..36).unwrap());
        assert!(!shown(&format!("x = {token}"), Mode::Mask).contains(&token));
    }

    #[test]
    fn a_hostile_file_gives_so_much_and_no_more() {
        let mut sheet = Sheet::new(Mode::Off);
        for nth in 0..30_000_u32 {
            sheet.tell(Rule::Wildcard, None, "x");
            sheet.need("x", None);
            sheet.lock_name(&nth.to_string());
        }
        let locked = sheet.locked.as_ref().unwrap().len();
        assert_eq!((sheet.findings.len(), sheet.needs.len(), locked), (FINDINGS, NEEDS, LOCKED));
        assert!(sheet.partly && sheet.more == 29_950);
    }
}
