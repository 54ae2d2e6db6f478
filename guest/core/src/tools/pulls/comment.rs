//! A comment on a pull request.

use serde_json::{Value, json};

use super::{ONE_PULL, no_pull};
use crate::access::{Reader, Writer};
use crate::gitea::{self, CREATE_COMMENT, Write};
use crate::reply::Reply;
use crate::tools::applied::{self, NOT_APPLIED};
use crate::tools::args::{Comment, IssueNumber, Repo};
use crate::tools::kit::{Entry, Error, Hints, Key, Kind, Shape, WriteTool, tool, write};
use crate::tools::lookup;

pub(super) const CREATE_PR_COMMENT: &dyn Entry = write::<CreatePrComment>();

/// An issue, or a pull request by its number.
const ONE_ISSUE: &str = "/repos/{owner}/{repo}/issues/{index}";

tool! {
    /// Comment on a pull request, below it and not on its code.
    "create_pr_comment" ("Comment on pull request") => struct CreatePrComment {
        repo: Repo,
        pull_number: IssueNumber,
        /// Text, in Markdown.
        body: Comment,
    }
}

impl WriteTool for CreatePrComment {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("comment", Kind::Object(&COMMENT), "The new comment."), NOT_APPLIED]);
    const READS: &'static [&'static str] = &[lookup::REPOSITORY, ONE_PULL, ONE_ISSUE];
    const WRITES: &'static [&'static Write] = &[CREATE_COMMENT];
    const HINTS: Hints = Hints::ADDS;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        let reader = writer.reader();
        let repository = reader.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        let pull = reader.start(lookup::call(&self.repo, ONE_PULL).segment(self.pull_number.0))?;
        applied::writable(repository, &self.repo)?;
        // Gitea fails with a 500 on an unknown number, and takes the number of an issue.
        pull.finish().map_err(|error| self.no_such_pull(reader, error))?;

        let place = vec![self.repo.owner.clone(), self.repo.repo.clone(), self.pull_number.0.to_string()];
        let answer = writer.send(CREATE_COMMENT, place, &json!({ "body": self.body.0 }))?;
        let mut not_applied = Vec::new();
        applied::same_text(&answer.body, "body", &self.body.0, &mut not_applied);
        Ok(Reply::new().with("comment", COMMENT.of(&answer.body)).with("not_applied", not_applied))
    }
}

impl CreatePrComment {
    /// Whether the number is at least that of an issue: then another tool is meant.
    fn no_such_pull(&self, reader: &Reader<'_>, error: gitea::Error) -> Error {
        if !matches!(error, gitea::Error::NotFound { .. }) {
            return error.into();
        }
        let asked = reader.get(lookup::call(&self.repo, ONE_ISSUE).segment(self.pull_number.0));
        let is_issue = asked.is_ok_and(|found| found.body.get("pull_request").is_none_or(Value::is_null));
        if is_issue {
            return Error::Unprocessable {
                reason: "is_an_issue",
                message: format!(
                    "Number {} of {}/{} is an issue, not a pull request. create_issue_comment comments on issues.",
                    self.pull_number.0, self.repo.owner, self.repo.repo
                ),
            };
        }
        Error::NotFound { message: no_pull(&self.repo, self.pull_number) }
    }
}

const COMMENT: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("created_at", "/created_at", Kind::Time, "When it was written."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);
