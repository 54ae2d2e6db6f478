//! Milestones: list them, make one. Closing, changing and deleting them is not built.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::applied::{self, NOT_APPLIED};
use super::args::{self, DueDate, FreeText, IssueState, Page, Repo, Title};
use super::kit::{Entry, Error, Hints, Key, Kind, ReadTool, Shape, WriteTool, read, tool, write};
use super::lookup;
use super::paging::{self, HAS_NEXT, PAGE, TOTAL};
use crate::access::{Reader, Writer};
use crate::gitea::{self, Write};
use crate::reply::Reply;

pub(super) const TOOLS: &[&dyn Entry] = &[read::<ListMilestones>(), write::<CreateMilestone>()];

/// So much of a description stands in a list.
const PREVIEW_CHARACTERS: usize = 500;

tool! {
    /// List milestones with how many issues each has. Long descriptions are cut.
    "list_milestones" ("List milestones") => struct ListMilestones {
        repo: Repo,
        /// Without it, open ones.
        state: Option<IssueState>,
        page: Page,
    }
}

impl ReadTool for ListMilestones {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("milestones", Kind::Each(&MILESTONE_LINE), "The milestones of this page."),
        PAGE,
        HAS_NEXT,
        TOTAL,
    ]);
    const READS: &'static [&'static str] = &[lookup::MILESTONES, paging::SETTINGS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let state = self.state.unwrap_or(IssueState::Open).word();
        let request = lookup::call(&self.repo, lookup::MILESTONES).query("state", state);
        let found = paging::rows(gitea, self.page, || request.clone())
            .map_err(|error| Error::or_not_found(error, || no_milestones(&self.repo)))?;
        let reply = Reply::new().with("milestones", MILESTONE_LINE.each(&found.rows));
        Ok(found.told(reply.preview("description", PREVIEW_CHARACTERS, "Gitea shows the rest")))
    }
}

tool! {
    /// Make a milestone. A title that another one has, in any case, is refused.
    "create_milestone" ("Create milestone") => struct CreateMilestone {
        repo: Repo,
        /// Title, one line.
        title: Title,
        /// Markdown.
        description: Option<FreeText>,
        /// A day such as `2026-12-31` (its end, UTC) or a full RFC 3339 time.
        due_on: Option<DueDate>,
    }
}

impl WriteTool for CreateMilestone {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("milestone", Kind::Object(&MILESTONE), "The new milestone."), NOT_APPLIED]);
    const READS: &'static [&'static str] = &[lookup::REPOSITORY, lookup::MILESTONES];
    const WRITES: &'static [&'static Write] = &[gitea::CREATE_MILESTONE];
    const HINTS: Hints = Hints::ADDS;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        let (reader, title) = (writer.reader(), self.title.0.trim());
        let repository = reader.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        applied::writable(repository, &self.repo)?;
        // Gitea takes a second one of the same title, which nobody could then name.
        if let Some((id, known)) = lookup::same_title(reader, &self.repo, title)?.first() {
            return Err(Error::Conflict {
                reason: "milestone_exists",
                message: format!(
                    "{}/{} has the milestone `{known}` (id {id}) already. Use it, or take another title.",
                    self.repo.owner, self.repo.repo
                ),
            });
        }
        let mut body = json!({ "title": title });
        let description = self.description.as_ref().map(|text| text.0.as_str());
        let due = self.due_on.as_ref().map(|due| due.0.as_str());
        for (field, value) in [("description", description), ("due_on", due)] {
            if let (Some(object), Some(value)) = (body.as_object_mut(), value) {
                object.insert(field.to_owned(), value.into());
            }
        }
        let place = vec![self.repo.owner.clone(), self.repo.repo.clone()];
        let made = writer.send(gitea::CREATE_MILESTONE, place, &body)?.body;

        let mut not_applied = Vec::new();
        applied::same_text(&made, "title", title, &mut not_applied);
        if let Some(description) = description {
            applied::same_text(&made, "description", description, &mut not_applied);
        }
        let found = made.get("due_on").and_then(Value::as_str).and_then(args::instant);
        if let Some(due) = due.filter(|due| args::instant(due) != found) {
            not_applied.push(applied::missing("due_on", due, "Gitea kept another time, or none"));
        }
        Ok(Reply::new().with("milestone", MILESTONE.of(&made)).with("not_applied", not_applied))
    }
}

fn no_milestones(repo: &Repo) -> String {
    format!(
        "There is no repository {}/{}, its issues and pull requests are turned off, or Gitea does not show them \
         to this user.",
        repo.owner, repo.repo
    )
}

const MILESTONE_LINE: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
    Key::pluck("state", "/state", Kind::Text, "open or closed."),
    Key::pluck(
        "description",
        "/description",
        Kind::Text,
        "What it is about; its beginning where it is long.",
    ),
    Key::own("description_truncated", Kind::Flag, "Present and true when the description goes on in Gitea."),
    Key::pluck("open_issues", "/open_issues", Kind::Number, "Open issues and pull requests in it."),
    Key::pluck("closed_issues", "/closed_issues", Kind::Number, "Closed ones."),
    Key::pluck("due_on", "/due_on", Kind::Time, "When it is due."),
    Key::pluck("closed_at", "/closed_at", Kind::Time, "When it was closed."),
]);

const MILESTONE: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
    Key::pluck("state", "/state", Kind::Text, "open or closed."),
    Key::pluck("due_on", "/due_on", Kind::Time, "When it is due."),
]);
