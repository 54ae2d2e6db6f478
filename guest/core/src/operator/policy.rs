//! A policy document asked about many calls: the cases of an operator's own table, or calls that a log recorded.

use std::collections::BTreeMap;

use aegis_policy::cases::Prepared;
use aegis_policy::{Class, Decision, Document, KnownTool, Request, Rules};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Unanswered;
use crate::access;
use crate::preflight::{named, unknown_tools};
use crate::tools::Catalogue;
use crate::tools::jobs::{CHANGES, IN_POLICIES, JOBS, REPORTS};
use crate::tools::kit::Entry;

/// The JSON schema of policy documents that name the tools of this catalogue.
pub(super) fn schema(catalogue: &Catalogue) -> Value {
    let described: Vec<(&str, String)> =
        catalogue.tools().map(|tool| (tool.name(), sentence(tool))).collect();
    let tools = described.iter().map(|(name, doc)| KnownTool { name, doc: doc.as_str() });
    let tools: Vec<KnownTool<'_>> = tools.chain(IN_POLICIES.iter().map(|name| automation(name))).collect();
    aegis_policy::schema(&tools)
}

/// A word that means what automation does.
fn automation(name: &'static str) -> KnownTool<'static> {
    let job = JOBS.iter().find(|job| job.tool == name);
    KnownTool { name, doc: job.map_or("Automation: a webhook's delivery is taken.", |job| job.about) }
}

/// The first sentence of what a model reads of a tool.
fn sentence(tool: &dyn Entry) -> String {
    let definition = tool.definition();
    let text = definition.get("description").and_then(Value::as_str).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    line.split_inclusive(". ").next().unwrap_or(line).trim_end().to_owned()
}

/// A document as the start takes it: without mistakes, and about tools that there are.
pub(super) fn document(text: &str, what: &str, catalogue: &Catalogue) -> Result<Document, Unanswered> {
    let broken = |problems: Vec<String>| Unanswered::with(&format!("{what} has mistakes"), problems);
    let told = |line: u32, column: u32, message: &str| format!("{what}:{line}:{column}: {message}");
    let document = Document::parse(text.as_bytes()).map_err(|found| {
        broken(found.iter().map(|problem| told(problem.line, problem.column, &problem.message)).collect())
    })?;
    let unknown = unknown_tools(&document, catalogue);
    if unknown.is_empty() {
        return Ok(document);
    }
    Err(broken(unknown.iter().map(|problem| told(problem.line, problem.column, &problem.message)).collect()))
}

/// The class of a tool of the catalogue, in the words of the policy.
pub(super) fn class_of(tool: &str, catalogue: &Catalogue) -> Option<Class> {
    catalogue.find(tool).map(class)
}

fn class(entry: &dyn Entry) -> Class {
    match entry.class() {
        crate::ports::Class::Read => Class::Read,
        crate::ports::Class::Write => Class::Write,
    }
}

/// The classes that a name of a policy is asked about by: that of the tool, or of a job, which looks first and may act by
/// the same name. None where nothing has the name.
pub(super) fn classes_of(name: &str, catalogue: &Catalogue) -> Vec<Class> {
    let found = [catalogue.find(name), REPORTS.find(name), CHANGES.find(name)];
    found.into_iter().flatten().map(class).collect()
}

/// Why a question about a name of a class cannot be meant; none where it can.
pub(super) fn misnamed(name: &str, asked: Class, catalogue: &Catalogue) -> Option<String> {
    match classes_of(name, catalogue).as_slice() {
        // What no tool can be called is the policy's own to deny.
        [] if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            || name.is_empty() =>
        {
            None
        }
        [] => Some(format!("there is no tool named {name:?}{}", named(name, catalogue))),
        [only] if *only != asked => Some(format!("`{name}` is a {0}: write `class: {0}`", only.name())),
        _ => None,
    }
}

/// Run a case file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cases {
    /// The case file.
    cases: String,
    /// The policy to ask; without it the file's own, or the built-in one.
    policy: Option<String>,
}

impl Cases {
    pub(super) fn run(self, catalogue: &Catalogue) -> Result<Value, Unanswered> {
        let file = aegis_policy::cases::Cases::parse(self.cases.as_bytes()).map_err(|found| {
            let told = found.iter().map(|problem| {
                format!("the case file:{}:{}: {}", problem.line, problem.column, problem.message)
            });
            Unanswered::with("the case file has mistakes", told.collect())
        })?;
        let (asked, text) = match (self.policy, file.policy) {
            (Some(given), _) => ("given", given),
            (None, Some(own)) => ("in the case file", own),
            (None, None) => ("built-in", aegis_policy::DEFAULT_DOCUMENT.to_owned()),
        };
        let what = if asked == "in the case file" { "the policy in the case file" } else { "the policy" };
        let prepared = Prepared::from(&document(&text, what, catalogue)?);
        let failed: Vec<Value> = file
            .cases
            .iter()
            .filter_map(|case| {
                let told = |expected: String, got: String, why: String| {
                    json!({"line": case.line, "it": case.it, "expected": expected, "got": got, "why": why})
                };
                if let Some((tool, class)) = case.asks_about()
                    && let Some(why) = misnamed(tool, class, catalogue)
                {
                    let real = classes_of(tool, catalogue).first().map(|real| format!("class {}", real.name()));
                    let got = real.unwrap_or_else(|| "no such tool".to_owned());
                    return Some(told(format!("class {}", class.name()), got, why));
                }
                let wrong = case.check(&prepared, &access::seen_as).err()?;
                Some(told(wrong.expected.to_string(), wrong.got.to_string(), wrong.why))
            })
            .collect();
        Ok(
            json!({"policy": asked, "digest": aegis_policy::digest(text.as_bytes()), "cases": file.cases.len(), "failed": failed}),
        )
    }
}

/// Judge calls that were made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replay {
    /// The document to judge them by.
    policy: String,
    /// The calls, in any order; they are answered in the same one.
    calls: Vec<Made>,
}

/// One call as a log names it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    tool: String,
    /// `read` or `write`; a refusal is recorded without.
    class: Option<String>,
    owner: Option<String>,
    repo: Option<String>,
    #[serde(default)]
    paths: Vec<String>,
}

impl Replay {
    pub(super) fn run(self, catalogue: &Catalogue) -> Result<Value, Unanswered> {
        let prepared: BTreeMap<String, Vec<u8>> =
            document(&self.policy, "the policy", catalogue)?.prepare().into_iter().collect();
        let answers = self.calls.iter().map(|call| match call.judge(&prepared, catalogue) {
            Some(decision) => {
                let why = decision.reasons.first().map(|reason| reason.message.as_str());
                json!({"allowed": decision.allowed(), "rule": decision.rule(), "why": why})
            }
            None => json!({"allowed": null}),
        });
        Ok(json!({ "calls": answers.collect::<Vec<_>>() }))
    }
}

impl Made {
    /// None where the class of the tool is not known any more.
    fn judge(&self, prepared: &BTreeMap<String, Vec<u8>>, catalogue: &Catalogue) -> Option<Decision> {
        let class = match self.class.as_deref() {
            Some("read") => Class::Read,
            Some("write") => Class::Write,
            _ => class_of(&self.tool, catalogue)?,
        };
        let repository = self.owner.as_deref().zip(self.repo.as_deref());
        let paths: Vec<&str> = self.paths.iter().map(String::as_str).collect();
        let paths = access::spellings(&paths);
        let paths: Vec<&str> = paths.iter().map(AsRef::as_ref).collect();
        let rules = Rules::from_prepared(|key| prepared.get(key).cloned(), repository).ok()?;
        Some(rules.decide(&Request { tool: &self.tool, class, repository, paths: &paths }))
    }
}
