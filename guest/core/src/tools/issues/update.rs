//! Changing an issue. Gitea applies the fields one after the other and stops where it refuses one, so a refusal
//! is told with what is as asked by then. Pull requests are refused: the same route would change and close them.

use serde_json::{Map, Value};

use super::{ONE_ISSUE, found, issue, no_pull, place};
use crate::access::{Reader, Writer};
use crate::gitea::{self, EDIT_ISSUE, Write};
use crate::reply::Reply;
use crate::tools::applied::{self, NO_RIGHT, NOT_APPLIED, missing, same_text};
use crate::tools::args::{ContentVersion, FreeText, IssueNumber, NewMilestone, NewState, Repo, Title};
use crate::tools::kit::{Entry, Error, Hints, Key, Kind, Shape, WriteTool, tool, write};
use crate::tools::lookup;

pub(super) const UPDATE_ISSUE: &dyn Entry = write::<UpdateIssue>();

tool! {
    /// Change title, text, state or milestone of an issue. Not for pull requests. A new text replaces the whole old
    /// one.
    "update_issue" ("Update issue") => struct UpdateIssue {
        repo: Repo,
        issue_number: IssueNumber,
        /// New title.
        title: Option<Title>,
        /// New text, in Markdown; empty clears it.
        body: Option<FreeText>,
        /// New state.
        state: Option<NewState>,
        /// Id or title of a milestone; 0 clears it.
        milestone: Option<NewMilestone>,
        /// The one of get_issue: refused if the text was changed since.
        content_version: Option<ContentVersion>,
    }
}

impl WriteTool for UpdateIssue {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("issue", Kind::Object(&CHANGED), "The issue after the change."), NOT_APPLIED]);
    const READS: &'static [&'static str] =
        &[lookup::REPOSITORY, ONE_ISSUE, lookup::MILESTONE, lookup::MILESTONES];
    const WRITES: &'static [&'static Write] = &[EDIT_ISSUE];
    const HINTS: Hints = Hints::REPLACES;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        if self.asked().is_empty() {
            return Err(Error::Unprocessable {
                reason: "nothing_to_change",
                message: "Name at least one of `title`, `body`, `state` and `milestone`.".to_owned(),
            });
        }
        let reader = writer.reader();
        let repository = reader.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        let present = issue(reader, &self.repo, self.issue_number)?;
        applied::writable(repository, &self.repo)?;
        let present = found(present, &self.repo, self.issue_number)?;
        no_pull(
            &present,
            &self.repo,
            "this tool changes issues only, and no other changes title, text or state of a pull request: that is \
             done on its page in Gitea",
        )?;
        self.same_version(&present)?;
        let milestone = self.milestone_id(reader)?;
        let request = self.request(&present, milestone);
        let sent = writer.send(EDIT_ISSUE, place(&self.repo, self.issue_number), &request);
        let changed = sent.map_err(|error| self.refused(reader, milestone, error))?.body;
        let not_applied = self.compare(milestone, &changed);
        Ok(Reply::new().with("issue", CHANGED.of(&changed)).with("not_applied", not_applied))
    }
}

impl UpdateIssue {
    /// The arguments that ask for a change.
    fn asked(&self) -> Vec<&'static str> {
        let all = [
            ("title", self.title.is_some()),
            ("body", self.body.is_some()),
            ("state", self.state.is_some()),
            ("milestone", self.milestone.is_some()),
        ];
        all.into_iter().filter(|(_, asked)| *asked).map(|(name, _)| name).collect()
    }

    /// The id toward Gitea, which fails on an unknown one: 0 clears.
    fn milestone_id(&self, reader: &Reader<'_>) -> Result<Option<u64>, Error> {
        match &self.milestone {
            None => Ok(None),
            Some(NewMilestone::Cleared) => Ok(Some(0)),
            Some(NewMilestone::Chosen(choice)) => lookup::milestone(reader, &self.repo, choice).map(Some),
        }
    }

    /// Refuse a change that was made from another text than the one that is there, before anything is written.
    fn same_version(&self, present: &Value) -> Result<(), Error> {
        let Some(ContentVersion(given)) = self.content_version else { return Ok(()) };
        let number = self.issue_number.0;
        match version(present) {
            Some(now) if now == given => Ok(()),
            Some(now) => Err(Error::Conflict {
                reason: "issue_changed",
                message: format!(
                    "The text of issue {number} was changed since: its content_version is {now}, not {given}. \
                     Nothing was written. Read it again with get_issue, and send what shall be there now."
                ),
            }),
            None => Err(Error::Unprocessable {
                reason: "no_content_version",
                message:
                    "This Gitea does not count how often a text was edited. Leave `content_version` out."
                        .to_owned(),
            }),
        }
    }

    fn request(&self, present: &Value, milestone: Option<u64>) -> Value {
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        put("title", self.title.as_ref().map(|title| title.0.clone().into()));
        if let Some(text) = &self.body {
            put("body", Some(text.0.clone().into()));
            // Whoever changed the text in the meantime must not be overwritten.
            // A version that was given is that of `present` by now.
            put("content_version", version(present).map(Value::from));
        }
        put("state", self.state.map(|state| state.word().into()));
        put("milestone", milestone.map(Value::from));
        Value::Object(body)
    }

    fn compare(&self, milestone: Option<u64>, changed: &Value) -> Vec<Value> {
        let mut not_applied = Vec::new();
        if let Some(title) = &self.title {
            same_text(changed, "title", &title.0, &mut not_applied);
        }
        if let Some(body) = &self.body {
            same_text(changed, "body", &body.0, &mut not_applied);
        }
        let state = changed.get("state").and_then(Value::as_str);
        if let Some(wanted) = self.state.map(NewState::word).filter(|wanted| state != Some(*wanted)) {
            not_applied.push(missing("state", wanted, NO_RIGHT));
        }
        let found = changed.pointer("/milestone/id").and_then(Value::as_u64).unwrap_or(0);
        if milestone.is_some_and(|wanted| wanted != found) {
            let wanted = match &self.milestone {
                Some(NewMilestone::Chosen(choice)) => choice.0.as_str(),
                Some(NewMilestone::Cleared) | None => "0",
            };
            not_applied.push(missing("milestone", wanted, NO_RIGHT));
        }
        not_applied
    }

    /// What a refusal means, and what had happened before it.
    fn refused(&self, reader: &Reader<'_>, milestone: Option<u64>, error: gitea::Error) -> Error {
        let number = self.issue_number.0;
        let closes = self.state == Some(NewState::Closed);
        let (reason, what) = if closes && matches!(error, gitea::Error::Precondition { .. }) {
            (
                "open_dependencies",
                format!(
                    "Issue {number} cannot be closed: issues that it depends on are still open. Its page in Gitea \
                     lists them; close those first."
                ),
            )
        } else if self.body.is_some() && matches!(error, gitea::Error::Conflict { .. }) {
            (
                "issue_changed",
                format!(
                    "The text of issue {number} was changed by somebody else at the same moment and was not \
                     overwritten. Read it with get_issue, and send what shall be there now."
                ),
            )
        } else {
            return Error::Gitea(error);
        };
        Error::Conflict { reason, message: format!("{what}{}", self.told_so_far(reader, milestone)) }
    }

    fn told_so_far(&self, reader: &Reader<'_>, milestone: Option<u64>) -> String {
        let asked = self.asked();
        if asked.len() == 1 {
            return String::new();
        }
        let now = issue(reader, &self.repo, self.issue_number)
            .and_then(|started| found(started, &self.repo, self.issue_number));
        let Ok(now) = now else {
            return " Whether the other changes were made is not known: look with get_issue.".to_owned();
        };
        let not_applied = self.compare(milestone, &now);
        let open: Vec<&str> =
            not_applied.iter().filter_map(|row| row.get("field").and_then(Value::as_str)).collect();
        let done: Vec<&str> = asked.into_iter().filter(|name| !open.contains(name)).collect();
        let list = |names: &[&str]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        format!(" As asked by now: {}. Not: {}.", list(&done), list(&open))
    }
}

/// How often the text was edited, where Gitea counts it.
fn version(issue: &Value) -> Option<u64> {
    issue.get("content_version").and_then(Value::as_u64)
}

const CHANGED: Shape = Shape(&[
    Key::pluck("number", "/number", Kind::Number, "Number in its repository."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
    Key::pluck("state", "/state", Kind::Text, "open or closed."),
    Key::pluck("milestone", "/milestone/title", Kind::Text, "Title of its milestone."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);
