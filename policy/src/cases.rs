//! A policy's tests as data: questions with the expected answers, run through the code that serves requests.
//!
//! A case file is YAML, read as strictly as a policy:
//!
//! ```yaml
//! policy: |            # optional; without it the cases are asked of the built-in policy
//!   defaults: {read: allow, write: deny}
//! cases:
//!   - it: denies writing where nothing is said
//!     tool: create_issue
//!     class: write
//!     repository: acme/site      # optional
//!     paths: [src/main.rs]       # optional
//!     expect: deny
//!     rule: defaults.write       # optional: the rule that must have decided
//!   - it: shows sources in listings
//!     repository: acme/site
//!     file: src/main.rs          # or `directory:`; allow means shown, deny means hidden
//!     expect: allow
//! ```
//!
//! This module asks and compares. It must not decide anything itself.

use crate::decision::{Class, Effect, Request};
use crate::document::Document;
use crate::near::hint;
use crate::problem::{At, Problem, Problems, quoted};
use crate::rules::Rules;
use crate::shape::{found, list, map, meant, text};
use crate::yaml::{self, Entry, Node};
use std::collections::BTreeMap;
use std::fmt;

/// The content of a case file.
#[derive(Clone, Debug)]
pub struct Cases {
    /// The policy that the file brings along.
    pub policy: Option<String>,
    /// The questions, in the order of the file. Never empty.
    pub cases: Vec<Case>,
}

/// One question with its expected answer.
#[derive(Clone, Debug)]
pub struct Case {
    /// The sentence that the case claims.
    pub it: String,
    /// Line of the case file, from 1.
    pub line: u32,
    repository: Option<(String, String)>,
    question: Question,
    expect: Effect,
    rule: Option<String>,
}

#[derive(Clone, Debug)]
enum Question {
    Call { tool: String, class: Class, paths: Vec<String> },
    Visible { path: String, is_dir: bool },
}

impl Cases {
    /// Read a case file.
    ///
    /// # Errors
    ///
    /// Every problem found in the file itself; its `policy` is not parsed here.
    pub fn parse(yaml: &[u8]) -> Result<Self, Vec<Problem>> {
        let root = yaml::read(yaml)?;
        let mut problems = Problems::default();
        let mut file = Cases { policy: None, cases: Vec::new() };
        for entry in map(&root, "the case file", &mut problems).unwrap_or_default() {
            match entry.key.as_str() {
                "policy" => file.policy = text(&entry.value, "policy", &mut problems).map(str::to_owned),
                "cases" => {
                    let rows = list(&entry.value, "cases", &mut problems).unwrap_or_default();
                    file.cases = rows.iter().filter_map(|row| case(row, &mut problems)).collect();
                }
                _ => unknown_key(entry, "at the top", &["policy", "cases"], &mut problems),
            }
        }
        if file.cases.is_empty() {
            problems.add(root.at, "the file holds no cases");
        }
        problems.or(file)
    }
}

impl Case {
    /// The tool that the question is about and the class that the case says it has; none for a listing.
    #[must_use]
    pub fn asks_about(&self) -> Option<(&str, Class)> {
        match &self.question {
            Question::Call { tool, class, .. } => Some((tool, *class)),
            Question::Visible { .. } => None,
        }
    }

    /// Ask the question of `document`, by the way that a request takes. `seen_as` is how a reader sees a path where that
    /// is not how it is spelled: a request is judged by both.
    ///
    /// # Errors
    ///
    /// How the answer differs from the expected one.
    pub fn check(
        &self,
        prepared: &Prepared,
        seen_as: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), Difference> {
        let target = self.repository.as_ref().map(|(owner, repo)| (owner.as_str(), repo.as_str()));
        let rules = Rules::from_prepared(|key| prepared.0.get(key).cloned(), target).map_err(|corrupt| {
            let told = Answer { effect: Effect::Deny, rule: None };
            Difference { expected: self.expected(), got: told, why: corrupt.to_string() }
        })?;
        let (effect, rule, message) = match &self.question {
            Question::Visible { path, is_dir } => {
                let shown = rules.path_visible(path, *is_dir)
                    && seen_as(path).is_none_or(|plain| rules.path_visible(&plain, *is_dir));
                let effect = if shown { Effect::Allow } else { Effect::Deny };
                (effect, String::new(), String::new())
            }
            Question::Call { tool, class, paths } => {
                let seen: Vec<String> = paths.iter().filter_map(|path| seen_as(path)).collect();
                let paths: Vec<&str> = paths.iter().chain(&seen).map(String::as_str).collect();
                let request = Request { tool, class: *class, repository: target, paths: &paths };
                let decision = rules.decide(&request);
                let message = decision.reasons.first().map_or_else(String::new, |r| r.message.clone());
                (decision.effect, decision.rule().to_owned(), message)
            }
        };
        let is_rule = self.rule.as_ref().is_none_or(|wanted| *wanted == rule);
        if effect == self.expect && is_rule {
            return Ok(());
        }
        let rule = Some(rule).filter(|rule| !rule.is_empty());
        Err(Difference { expected: self.expected(), got: Answer { effect, rule }, why: message })
    }

    fn expected(&self) -> Answer {
        Answer { effect: self.expect, rule: self.rule.clone() }
    }
}

/// A document in the form that requests are decided by, made once for all its cases.
#[derive(Clone, Debug)]
pub struct Prepared(BTreeMap<String, Vec<u8>>);

impl From<&Document> for Prepared {
    fn from(document: &Document) -> Self {
        Self(document.prepare().into_iter().collect())
    }
}

/// What a case expects, or what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Allowed (or shown), or denied (or hidden).
    pub effect: Effect,
    /// The rule that decided; none where the case does not ask, or where no single rule does.
    pub rule: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "{} by {rule}", self.effect.name()),
            None => write!(f, "{}", self.effect.name()),
        }
    }
}

/// An answer that is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What the case expects.
    pub expected: Answer,
    /// What was answered.
    pub got: Answer,
    /// The reason that the decision gave; empty for a listing.
    pub why: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.expected, self.got)?;
        if self.why.is_empty() { Ok(()) } else { write!(f, ": {}", self.why) }
    }
}

/// A row as it is written, before it is known which kind of question it is.
#[derive(Default)]
struct Row {
    it: Option<String>,
    tool: Option<String>,
    class: Option<Class>,
    repository: Option<(String, String)>,
    paths: Vec<String>,
    shown: Option<(String, bool)>,
    expect: Option<Effect>,
    rule: Option<String>,
}

const KEYS: [&str; 9] = ["it", "tool", "class", "repository", "paths", "file", "directory", "expect", "rule"];

fn case(node: &Node, problems: &mut Problems) -> Option<Case> {
    let mut row = Row::default();
    for entry in map(node, "a case", problems)? {
        let value = &entry.value;
        let key = entry.key.as_str();
        match key {
            "it" => row.it = owned(value, key, problems),
            "tool" => row.tool = owned(value, key, problems),
            "class" => {
                row.class = either(value, key, ("read", Class::Read), ("write", Class::Write), problems)
            }
            "repository" => row.repository = repository(value, problems),
            "paths" => {
                let items = list(value, key, problems)?;
                row.paths = items.iter().filter_map(|item| owned(item, "a path", problems)).collect();
            }
            "file" => row.shown = owned(value, key, problems).map(|path| (path, false)),
            "directory" => row.shown = owned(value, key, problems).map(|path| (path, true)),
            "expect" => {
                row.expect = either(value, key, ("allow", Effect::Allow), ("deny", Effect::Deny), problems)
            }
            "rule" => row.rule = owned(value, key, problems),
            _ => {
                unknown_key(entry, "in a case", &KEYS, problems);
                return None;
            }
        }
    }
    row.finish(node.at, problems)
}

impl Row {
    fn finish(self, at: At, problems: &mut Problems) -> Option<Case> {
        let question = match (self.tool, self.class, self.shown) {
            (Some(tool), Some(class), None) => Question::Call { tool, class, paths: self.paths },
            (None, None, Some((path, is_dir))) if self.paths.is_empty() && self.rule.is_none() => {
                Question::Visible { path, is_dir }
            }
            (_, _, _) => {
                problems.add(
                    at,
                    "a case asks either about `tool` and `class`, or about `file` or `directory` alone",
                );
                return None;
            }
        };
        let (Some(it), Some(expect)) = (self.it, self.expect) else {
            problems.add(at, "a case needs `it` (a sentence) and `expect` (allow or deny)");
            return None;
        };
        Some(Case { it, line: at.line, repository: self.repository, question, expect, rule: self.rule })
    }
}

fn unknown_key(entry: &Entry, whereabouts: &str, keys: &[&'static str], problems: &mut Problems) {
    let meant = hint(&entry.key, keys.iter().copied());
    let (key, allowed) = (quoted(&entry.key), keys.join(", "));
    problems.add(entry.at, format!("unknown key {key} {whereabouts}; allowed: {allowed}{meant}"));
}

fn owned(node: &Node, what: &str, problems: &mut Problems) -> Option<String> {
    text(node, what, problems).map(str::to_owned)
}

fn repository(node: &Node, problems: &mut Problems) -> Option<(String, String)> {
    let name = text(node, "repository", problems)?;
    let Some((owner, repo)) = name.split_once('/') else {
        problems.add(node.at, format!("{} is not a repository; write owner/repo", quoted(name)));
        return None;
    };
    Some((owner.to_owned(), repo.to_owned()))
}

fn either<T>(
    node: &Node,
    what: &str,
    a: (&'static str, T),
    b: (&'static str, T),
    problems: &mut Problems,
) -> Option<T> {
    match &node.value {
        yaml::Value::Text { text, .. } if text == a.0 => Some(a.1),
        yaml::Value::Text { text, .. } if text == b.0 => Some(b.1),
        yaml::Value::Text { .. } | yaml::Value::List(_) | yaml::Value::Map(_) => {
            let meant = meant(node, &[a.0, b.0]);
            problems.add(node.at, format!("{what} is {}; write {} or {}{meant}", found(node), a.0, b.0));
            None
        }
    }
}
