//! Dependency hygiene: what a repository's manifests and lock files leave to chance or to others. Files come from the
//! archive of the newest commit, as for `search_code`; nothing is asked of a registry, run or followed.

mod judge;
mod lines;
mod read;
mod rule;
mod scan;
mod sheet;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::report::{COMPLETE, TEXT, Told};
use super::{Job, Starts, busy};
use crate::access::Reader;
use crate::reply::Reply;
use crate::tools::args::Repo;
use crate::tools::kit::{Entry, Error, Key, Kind, ReadTool, Shape, read, tool};
use crate::tools::lookup;
use crate::tools::search::{self, ARCHIVE, BATCH, TREE};

pub(super) use rule::RULES;
pub(super) use scan::{Finding, Found};
pub(super) use sheet::shown;

pub(super) const JOB: Job = Job {
    name: "dependency_hygiene_scan",
    tool: "automation_dependency_hygiene_scan",
    about: "What manifests, lock files, images and actions leave to chance or to others, such as missing lock files and \
            floating tags: reported.",
    changes: false,
    starts_on: Starts::PushToDefaultBranch,
    pause_seconds: 600,
};
pub(super) const REPORT: &dyn Entry = read::<Scan>();

/// What a run reads.
pub(super) const READS: &[&str] = &[lookup::REPOSITORY, lookup::COMMITS, TREE, ARCHIVE, BATCH];

tool! {
    /// Report what manifests and lock files leave to chance or to others.
    "automation_dependency_hygiene_scan" ("Dependency hygiene") => struct Scan {
        repo: Repo,
    }
}

pub(super) const FINDING: Shape = Shape(&[
    Key::pluck("rule", "/rule", Kind::Text, "Name of the rule."),
    Key::pluck("severity", "/severity", Kind::Text, "high or medium."),
    Key::pluck("path", "/path", Kind::Text, "The file."),
    Key::pluck("line", "/line", Kind::Number, "Its line, where there is one."),
    Key::pluck("what", "/what", Kind::Text, "The piece of the file that it is about, masked."),
    Key::pluck("advice", "/advice", Kind::Text, "What to do."),
]);
const SKIPPED: Shape = Shape(&[
    Key::pluck("path", "/path", Kind::Text, "The file."),
    Key::pluck("reason", "/reason", Kind::Text, "Why it was not read."),
]);

pub(super) const COMMIT: Key = Key::own("commit", Kind::Text, "The commit that was looked at, in full.");
pub(super) const FINDINGS: Key =
    Key::own("findings", Kind::Each(&FINDING), "What was found, what matters most first.");
pub(super) const FILES: Key = Key::own("files_read", Kind::Number, "Files that were read.");
pub(super) const HIDDEN: Key = Key::own(
    "hidden_by_policy",
    Kind::Number,
    "Files that were not read since the policy does not show them.",
);
pub(super) const LEFT: Key = Key::own("skipped", Kind::Each(&SKIPPED), "Files that could not be read.");
pub(super) const INCOMPLETE: Key =
    Key::own("incomplete", Kind::Text, "Present when not everything was read or listed: why.");

impl ReadTool for Scan {
    const ANSWER: &'static Shape =
        &Shape(&[COMMIT, FINDINGS, FILES, HIDDEN, LEFT, INCOMPLETE, COMPLETE, TEXT]);
    const READS: &'static [&'static str] = READS;

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let _room = gitea.long_work().map_err(busy)?;
        let (commit, found) = run(gitea, &self.repo)?;
        let told = headline(&self.repo, &found).each(found.findings.iter().map(line));
        Ok(reply(commit, &found).with("text", told.text()))
    }
}

/// Look through the newest commit of the default branch. Whoever calls has room for long work.
pub(super) fn run(gitea: &Reader<'_>, repo: &Repo) -> Result<(String, Found), Error> {
    let repository = gitea.start(lookup::call(repo, lookup::REPOSITORY))?;
    let commit = lookup::commit_now(gitea, repo, None)?;
    let repository =
        repository.finish().map_err(|error| Error::or_not_found(error, || lookup::unseen(repo)))?;
    search::small_enough(gitea, &repository.body)?;
    let mut scan = scan::Scan::start(gitea);
    search::through(gitea, repo, &commit, &mut scan)?;
    Ok((commit, scan.finish()))
}

/// Everything but the text.
pub(super) fn reply(commit: String, found: &Found) -> Reply {
    let rows: Vec<Value> = found
        .findings
        .iter()
        .map(|one| {
            json!({
                "rule": one.rule.name(), "severity": one.rule.severity(), "path": one.path, "line": one.line,
                "what": one.what, "advice": one.rule.advice(),
            })
        })
        .collect();
    let skipped: Vec<Value> =
        found.skipped.iter().map(|(path, reason)| json!({ "path": path, "reason": reason })).collect();
    let complete = found.incomplete.is_empty();
    Reply::new()
        .with("commit", commit)
        .with("findings", FINDING.each(&rows))
        .with("files_read", found.files)
        .with_some("hidden_by_policy", (found.hidden > 0).then_some(found.hidden))
        .with("skipped", SKIPPED.each(&skipped))
        .with_some("incomplete", (!complete).then(|| found.incomplete.join("; ")))
        .with("complete", complete)
}

/// How much was found where.
pub(super) fn headline(repo: &Repo, found: &Found) -> Told {
    let high = found.findings.iter().filter(|one| one.rule.severity() == "high").count();
    let all = found.findings.len();
    let at_least = if found.incomplete.is_empty() { "" } else { "at least " };
    let told =
        Told::headline(repo, &format!("{at_least}{all} findings ({high} high) in {} files.", found.files));
    if found.incomplete.is_empty() {
        told
    } else {
        told.and(format!("Not all of it: {}.", found.incomplete.join("; ")))
    }
}

/// One finding, for a person.
pub(super) fn line(one: &Finding) -> String {
    let at = one.line.map_or_else(String::new, |line| format!(":{line}"));
    format!(
        "[{}] {} {}{at}: {} - {}",
        one.rule.severity(),
        one.rule.name(),
        one.path,
        one.what,
        one.rule.advice()
    )
}
