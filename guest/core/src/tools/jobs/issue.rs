//! One issue for what the dependency scan found: opened once, found again by its mark, and kept up to date instead of
//! repeated. One form says what it would do, the other does it.
//!
//! The mark counts in issues of the account alone that jobs write as: anybody can copy it into theirs. What a person
//! closed stays closed until something is found that the issue has not told.

mod told;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::hygiene::{self, COMMIT, FILES, FINDINGS, Found, HIDDEN, INCOMPLETE, LEFT, READS as SCANNED};
use super::report::{COMPLETE, TEXT, Told};
use super::{Job, Starts, busy};
use crate::access::{Reader, Writer};
use crate::gitea::{self, Write};
use crate::reply::Reply;
use crate::tools::applied::{self, NO_RIGHT, NOT_APPLIED, missing, same_text};
use crate::tools::args::Repo;
use crate::tools::issues::no_milestone;
use crate::tools::kit::{Entry, Error, Hints, Key, Kind, ReadTool, Shape, WriteTool, read, tool, write};
use crate::tools::lookup;
use told::Text;

pub(super) const JOB: Job = Job {
    name: "auto_issue_creation",
    tool: "automation_auto_issue_creation",
    about: "One issue for what dependency_hygiene_scan finds: reported or, with writes, opened and kept up to date.",
    changes: true,
    starts_on: Starts::PushToDefaultBranch,
    pause_seconds: 600,
};
pub(super) const REPORT: &dyn Entry = read::<Report>();
pub(super) const KEEP: &dyn Entry = write::<Keep>();

const ISSUES: &str = "/repos/{owner}/{repo}/issues";
/// Who the account is that jobs write as.
const MYSELF: &str = "/user";
const PER_PAGE: u32 = 50;
/// Pages of the account's own issues that are looked through for the mark.
const PAGES: u32 = 8;

const READS: [&str; SCANNED.len() + 2] = {
    let mut all = [ISSUES; SCANNED.len() + 2];
    let (mut rest, mut nth) = (SCANNED, 0);
    while let Some((first, behind)) = rest.split_first() {
        if let Some((place, _)) = all.split_at_mut(nth).1.split_first_mut() {
            *place = first;
        }
        (rest, nth) = (behind, nth + 1);
    }
    if let Some(last) = all.last_mut() {
        *last = MYSELF;
    }
    all
};

tool! {
    /// Say what would become of the issue about what the dependency scan finds.
    "automation_auto_issue_creation" ("Issue for findings") => struct Report {
        repo: Repo,
    }
}

tool! {
    /// Open one issue about what the dependency scan finds, or bring it up to date.
    "automation_auto_issue_creation" ("Keep an issue for findings") => struct Keep {
        repo: Repo,
    }
}

const LINE: Shape = Shape(&[
    Key::pluck("number", "/number", Kind::Number, "Number in its repository."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
    Key::pluck("state", "/state", Kind::Text, "open or closed."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);
const ACTION: Key = Key::own(
    "action",
    Kind::Text,
    "open, update or reopen; unchanged, left_closed or none where nothing is to be done.",
);
const ISSUE: Key = Key::own("issue", Kind::Object(&LINE), "The issue, where there is one.");
const TITLE: Key = Key::own("title", Kind::Text, "The title that it has, or would have.");

impl ReadTool for Report {
    const ANSWER: &'static Shape =
        &Shape(&[COMMIT, FINDINGS, FILES, HIDDEN, LEFT, INCOMPLETE, COMPLETE, TEXT, ACTION, ISSUE, TITLE]);
    const READS: &'static [&'static str] = &READS;

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let _room = gitea.long_work().map_err(busy)?;
        let plan = Plan::make(gitea, &self.repo)?;
        let sentence = format!("Nothing was changed. {}", plan.action.would());
        let told = plan.headline(&self.repo, &sentence);
        let issue = plan.existing.as_ref().map(|issue| LINE.of(issue));
        Ok(plan.reply(&told).with_some("issue", issue))
    }
}

impl WriteTool for Keep {
    const ANSWER: &'static Shape = &Shape(&[
        COMMIT,
        FINDINGS,
        FILES,
        HIDDEN,
        LEFT,
        INCOMPLETE,
        COMPLETE,
        TEXT,
        ACTION,
        ISSUE,
        TITLE,
        NOT_APPLIED,
    ]);
    const READS: &'static [&'static str] = &READS;
    const WRITES: &'static [&'static Write] = &[gitea::CREATE_ISSUE, gitea::EDIT_ISSUE];
    const HINTS: Hints = Hints::REPLACES;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        let reader = writer.reader();
        // Two runs at a time would open two issues.
        let _alone = reader.long_work().map_err(busy)?;
        let repository = reader.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        let repository = applied::writable(repository, &self.repo)?;
        if repository.get("has_issues").and_then(Value::as_bool) == Some(false) {
            return Err(Error::Conflict {
                reason: "issues_disabled",
                message: format!("Issues are turned off in {}/{}.", self.repo.owner, self.repo.repo),
            });
        }
        let plan = Plan::make(reader, &self.repo)?;
        let mut not_applied = Vec::new();
        let written = plan.carry_out(writer, &self.repo, &mut not_applied)?;
        let told = plan.headline(&self.repo, plan.action.did());
        let issue = written.as_ref().or(plan.existing.as_ref()).map(|issue| LINE.of(issue));
        Ok(plan.reply(&told).with_some("issue", issue).with("not_applied", not_applied))
    }
}

/// What is to become of the issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Open,
    Update,
    Reopen,
    Unchanged,
    LeftClosed,
    Nothing,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Update => "update",
            Self::Reopen => "reopen",
            Self::Unchanged => "unchanged",
            Self::LeftClosed => "left_closed",
            Self::Nothing => "none",
        }
    }

    const fn would(self) -> &'static str {
        match self {
            Self::Open => "With writes it would open an issue.",
            Self::Update => "With writes it would bring the issue up to date.",
            Self::Reopen => {
                "With writes it would open the closed issue again: there are findings that it does not tell."
            }
            Self::Unchanged | Self::LeftClosed | Self::Nothing => self.did(),
        }
    }

    const fn did(self) -> &'static str {
        match self {
            Self::Open => "An issue was opened.",
            Self::Update => "The issue was brought up to date.",
            Self::Reopen => "The closed issue was opened again: there are findings that it did not tell.",
            Self::Unchanged => "The issue says so already.",
            Self::LeftClosed => "The issue was closed by somebody and tells all of this, so it stays closed.",
            Self::Nothing => "There is nothing to open an issue for.",
        }
    }
}

/// What was found, and what follows from it.
struct Plan {
    commit: String,
    found: Found,
    text: Text,
    existing: Option<Value>,
    action: Action,
}

impl Plan {
    fn make(reader: &Reader<'_>, repo: &Repo) -> Result<Self, Error> {
        let (commit, found) = hygiene::run(reader, repo)?;
        let text = Text::of(&found, reader.config().secret_detection_mode);
        let existing = existing(reader, repo)?;
        let action = decide(&text, found.incomplete.is_empty(), existing.as_ref());
        Ok(Self { commit, found, text, existing, action })
    }

    fn headline(&self, repo: &Repo, sentence: &str) -> Told {
        hygiene::headline(repo, &self.found).and(sentence).each(self.found.findings.iter().map(hygiene::line))
    }

    fn reply(&self, told: &Told) -> Reply {
        hygiene::reply(self.commit.clone(), &self.found)
            .with("action", self.action.name())
            .with("title", self.text.title.as_str())
            .with("text", told.text())
    }

    /// Do it, by one write at most.
    fn carry_out(
        &self,
        writer: &Writer<'_>,
        repo: &Repo,
        not_applied: &mut Vec<Value>,
    ) -> Result<Option<Value>, Error> {
        let Text { title, body, .. } = &self.text;
        let mut place = vec![repo.owner.clone(), repo.repo.clone()];
        let answer = match (self.action, &self.existing) {
            (Action::Open, _) => {
                writer.send(gitea::CREATE_ISSUE, place, &json!({ "title": title, "body": body }))?.body
            }
            (Action::Update | Action::Reopen, Some(issue)) => {
                let number = issue.get("number").and_then(Value::as_u64).ok_or(gitea::Error::NotJson)?;
                place.push(number.to_string());
                let mut request = json!({ "title": title, "body": body });
                if let Some(request) = request.as_object_mut() {
                    // Whoever changed the text at the same moment is not overwritten.
                    let version = issue.get("content_version").filter(|version| version.is_u64());
                    request.extend(version.map(|version| ("content_version".to_owned(), version.clone())));
                    if self.action == Action::Reopen {
                        request.insert("state".to_owned(), "open".into());
                    }
                }
                writer.send(gitea::EDIT_ISSUE, place, &request)?.body
            }
            _ => return Ok(None),
        };
        same_text(&answer, "title", title, not_applied);
        same_text(&answer, "body", body, not_applied);
        if answer.get("state").and_then(Value::as_str) != Some("open") {
            not_applied.push(missing("state", "open", NO_RIGHT));
        }
        Ok(Some(answer))
    }
}

fn decide(text: &Text, complete: bool, existing: Option<&Value>) -> Action {
    let Some(issue) = existing else {
        return if text.ids.is_empty() { Action::Nothing } else { Action::Open };
    };
    let body = issue.get("body").and_then(Value::as_str).unwrap_or_default();
    let known = told::known(body).unwrap_or_default();
    let news = text.ids.iter().any(|id| !known.contains(&id.as_str()));
    if issue.get("state").and_then(Value::as_str) != Some("open") {
        return if news { Action::Reopen } else { Action::LeftClosed };
    }
    let mut differs = Vec::new();
    same_text(issue, "title", &text.title, &mut differs);
    same_text(issue, "body", &text.body, &mut differs);
    // What was not looked at must not be taken for mended.
    if differs.is_empty() || (!complete && !news) { Action::Unchanged } else { Action::Update }
}

/// The issue that bears the mark and was written by the account that jobs write as: the newest open one, or else the
/// newest.
fn existing(reader: &Reader<'_>, repo: &Repo) -> Result<Option<Value>, Error> {
    let account = reader.get(gitea::Call::to(MYSELF))?.body;
    let login = account.get("login").and_then(Value::as_str).filter(|login| !login.is_empty());
    let login = login.ok_or(gitea::Error::NotJson)?;
    let ours = |issue: &&Value| {
        let author = issue.pointer("/user/login").and_then(Value::as_str).unwrap_or_default();
        let body = issue.get("body").and_then(Value::as_str).unwrap_or_default();
        author.eq_ignore_ascii_case(login) && told::known(body).is_some()
    };
    let mut closed = None;
    for page in 1..=PAGES {
        let request = lookup::call(repo, ISSUES)
            .query("type", "issues")
            .query("state", "all")
            .query("created_by", login)
            .query("milestones", no_milestone())
            .query("page", page)
            .query("limit", PER_PAGE);
        let answer =
            reader.get(request).map_err(|error| Error::or_not_found(error, || lookup::no_labels(repo)))?;
        let list = answer.body.as_array().map(Vec::as_slice).unwrap_or_default();
        for issue in list.iter().filter(ours) {
            if issue.get("state").and_then(Value::as_str) == Some("open") {
                return Ok(Some(issue.clone()));
            }
            closed = closed.or_else(|| Some(issue.clone()));
        }
        if !answer.has_next(page, PER_PAGE) {
            return Ok(closed);
        }
    }
    // One that is further back may still be there, and a second one must not be opened.
    closed.map_or_else(
        || {
            Err(Error::Conflict {
                reason: "too_many_issues",
                message: format!(
                    "{login} has opened more issues in {}/{} than one run looks through, so whether the one about \
                     findings is among them is not known. Nothing was changed.",
                    repo.owner, repo.repo
                ),
            })
        },
        |issue| Ok(Some(issue)),
    )
}
