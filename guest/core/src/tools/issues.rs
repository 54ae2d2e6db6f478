//! Issues: list, read, open, comment; and in their own files change, label, assign, and what was said about them.

mod assign;
mod comments;
mod create;
mod labels;
mod update;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::applied::{self, NOT_APPLIED};
use super::args::{
    Character, Comment, FreeText, IssueNumber, IssueState, Labels, Logins, MilestoneChoice, Page, Repo, Title,
};
use super::diagnosis::Diagnosis;
use super::kit::{Entry, Error, Hints, Key, Kind, ReadTool, Shape, Tool as _, WriteTool, read, tool, write};
use super::lookup::{self, Label, LabelSearch};
use super::outsiders::{self, Outsiders};
use super::paging::{self, HAS_NEXT, PAGE, TOTAL};
use crate::access::{Reader, Writer};
use crate::gitea::{self, Started, Write};
use crate::reply::Reply;

pub(super) const TOOLS: &[&dyn Entry] = &[
    read::<ListIssues>(),
    read::<GetIssue>(),
    comments::LIST_ISSUE_COMMENTS,
    write::<CreateIssue>(),
    update::UPDATE_ISSUE,
    write::<CreateIssueComment>(),
    comments::EDIT_ISSUE_COMMENT,
    labels::ADD_LABELS,
    labels::REMOVE_LABELS,
    assign::ASSIGN_ISSUE,
];

/// What is said with a body that is not all of it.
const NOT_BACK: &str = "update_issue replaces the whole text: do not send a part of it back";
/// How to see what LOCKDOWN withholds.
const SHOW_ISSUE: &str = "get_issue with show_withheld=true.";
/// Members that Gitea may leave empty or say otherwise.
const CHECKED: [&str; 6] = ["user", "body", "assignees", "labels", "milestone", "pull_request"];
/// So much of a body stands in a list.
const PREVIEW_CHARACTERS: usize = 200;

const ISSUES: &str = "/repos/{owner}/{repo}/issues";
/// One issue or pull request.
const ONE_ISSUE: &str = "/repos/{owner}/{repo}/issues/{index}";

tool! {
    /// List issues, newest first; bodies are previews. Pull requests are not among them.
    "list_issues" ("List issues") => struct ListIssues {
        repo: Repo,
        /// Only issues in this state; open by default.
        state: Option<IssueState>,
        /// Only issues that bear all of these labels, by name.
        labels: Option<Labels>,
        page: Page,
    }
}

impl ReadTool for ListIssues {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("issues", Kind::Each(&ISSUE_LINE), "The issues of this page."),
        PAGE,
        HAS_NEXT,
        TOTAL,
    ]);
    const READS: &'static [&'static str] = &[
        ISSUES,
        lookup::REPOSITORY_LABELS,
        lookup::ORGANISATION_LABELS,
        paging::SETTINGS,
        lookup::REPOSITORY,
        outsiders::WRITERS,
    ];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let diagnosis = Diagnosis::start(gitea, Self::NAME);
        let labels = match LabelSearch::start(gitea, &self.repo, self.labels.as_ref())? {
            Some(search) => search.finish(gitea)?.all(&self.repo)?,
            None => Vec::new(),
        };
        // The rest is filtered here: Gitea takes the labels of an organisation, commas and double names for
        // something else.
        let (theirs, ours): (Vec<Label>, Vec<Label>) = labels
            .into_iter()
            .partition(|label| !label.organisation && !label.ambiguous && !label.name.contains(','));
        let mut request = lookup::call(&self.repo, ISSUES)
            .query("type", "issues")
            .query("state", self.state.unwrap_or(IssueState::Open).word())
            .query("milestones", no_milestone());
        if !theirs.is_empty() {
            let names: Vec<&str> = theirs.iter().map(|label| label.name.as_str()).collect();
            request = request.query("labels", names.join(","));
        }
        let found = if ours.is_empty() {
            paging::rows(gitea, self.page, || request.clone())
        } else {
            let wanted = |row: &Value| ours.iter().all(|label| bears(row, label));
            paging::sifted(gitea, self.page, || request.clone(), wanted)
        };
        let found = found.map_err(|error| Error::or_not_found(error, || no_issues(&self.repo)))?;
        diagnosis.rows(&found.rows, &CHECKED);
        let outsiders = Outsiders::of(gitea, &self.repo);
        let line = |row: &Value| {
            let mut line = ISSUE_LINE.of(row);
            outsiders.cover(row, &mut line, SHOW_ISSUE);
            Value::Object(line)
        };
        let reply =
            outsiders.told(Reply::new().with("issues", found.rows.iter().map(line).collect::<Vec<_>>()));
        Ok(found.told(reply.preview("body", PREVIEW_CHARACTERS, "get_issue reads on")))
    }
}

tool! {
    /// Read one issue, or a pull request as one: pull_request is set then.
    "get_issue" ("Get issue") => struct GetIssue {
        repo: Repo,
        issue_number: IssueNumber,
        start_character: Option<Character>,
    }
}

impl ReadTool for GetIssue {
    const ANSWER: &'static Shape = &Shape(&[Key::own("issue", Kind::Object(&ISSUE), "The issue.")]);
    const READS: &'static [&'static str] = &[ONE_ISSUE, lookup::REPOSITORY, outsiders::WRITERS];
    const ONE_ITEM: bool = true;

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let diagnosis = Diagnosis::start(gitea, Self::NAME);
        let issue = issue(gitea, &self.repo, self.issue_number)?;
        let issue = found(issue, &self.repo, self.issue_number)?;
        diagnosis.of(&issue, &CHECKED);
        let (outsiders, mut shown) = (Outsiders::of(gitea, &self.repo), ISSUE.of(&issue));
        let withheld = outsiders.cover(&issue, &mut shown, SHOW_ISSUE);
        let first = if withheld { 1 } else { self.start_character.map_or(1, |first| first.0) };
        Ok(outsiders.told(Reply::new().with("issue", shown)).part("body", first, NOT_BACK))
    }
}

tool! {
    /// Open an issue. Labels and milestone go by name and are checked before anything is written.
    "create_issue" ("Create issue") => struct CreateIssue {
        repo: Repo,
        /// Title, one line.
        title: Title,
        /// Text of the issue, in Markdown.
        body: Option<FreeText>,
        /// Names of labels.
        labels: Option<Labels>,
        /// Logins of the users to assign.
        assignees: Option<Logins>,
        /// Its id or title.
        milestone: Option<MilestoneChoice>,
    }
}

impl WriteTool for CreateIssue {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("issue", Kind::Object(&NEW_ISSUE), "The new issue."), NOT_APPLIED]);
    const READS: &'static [&'static str] = &[
        lookup::REPOSITORY,
        lookup::REPOSITORY_LABELS,
        lookup::ORGANISATION_LABELS,
        lookup::MILESTONE,
        lookup::MILESTONES,
        assign::ASSIGNABLE,
    ];
    const WRITES: &'static [&'static Write] = &[gitea::CREATE_ISSUE, gitea::ADD_LABELS];
    const HINTS: Hints = Hints::ADDS;

    fn call(self, gitea: &Writer<'_>) -> Result<Reply, Error> {
        create::create(&self, gitea)
    }
}

tool! {
    /// Comment on an issue; for pull requests there is create_pr_comment.
    "create_issue_comment" ("Comment on issue") => struct CreateIssueComment {
        repo: Repo,
        issue_number: IssueNumber,
        /// Text of the comment, in Markdown.
        body: Comment,
    }
}

impl WriteTool for CreateIssueComment {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("comment", Kind::Object(&COMMENT), "The new comment."), NOT_APPLIED]);
    const READS: &'static [&'static str] = &[lookup::REPOSITORY, ONE_ISSUE];
    const WRITES: &'static [&'static Write] = &[gitea::CREATE_COMMENT];
    const HINTS: Hints = Hints::ADDS;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        let reader = writer.reader();
        let repository = reader.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        let issue = issue(reader, &self.repo, self.issue_number)?;
        applied::writable(repository, &self.repo)?;
        // Gitea fails with a 500 on an unknown number, and takes the number of a pull request.
        let issue = found(issue, &self.repo, self.issue_number)?;
        no_pull(&issue, &self.repo, "create_pr_comment comments on those")?;
        let place = place(&self.repo, self.issue_number);
        let answer = writer.send(gitea::CREATE_COMMENT, place, &json!({ "body": self.body.0 }))?;
        let mut not_applied = Vec::new();
        applied::same_text(&answer.body, "body", &self.body.0, &mut not_applied);
        Ok(Reply::new().with("comment", COMMENT.of(&answer.body)).with("not_applied", not_applied))
    }
}

/// One issue or pull request as it is now.
fn issue(reader: &Reader<'_>, repo: &Repo, number: IssueNumber) -> Result<Started, Error> {
    Ok(reader.start(lookup::call(repo, ONE_ISSUE).segment(number.0))?)
}

/// The same once it came.
fn found(issue: Started, repo: &Repo, number: IssueNumber) -> Result<Value, Error> {
    let missing = || no_issue(repo, number);
    Ok(issue.finish().map_err(|error| Error::or_not_found(error, missing))?.body)
}

/// Refuse a pull request: Gitea's routes of issues take its number too.
fn no_pull(issue: &Value, repo: &Repo, instead: &str) -> Result<(), Error> {
    if issue.get("pull_request").is_none_or(Value::is_null) {
        return Ok(());
    }
    let number = issue.get("number").and_then(Value::as_u64).unwrap_or_default();
    Err(Error::Unprocessable {
        reason: "is_a_pull_request",
        message: format!("Number {number} of {}/{} is a pull request; {instead}.", repo.owner, repo.repo),
    })
}

/// The values of a write's placeholders for one issue.
fn place(repo: &Repo, number: IssueNumber) -> Vec<String> {
    vec![repo.owner.clone(), repo.repo.clone(), number.0.to_string()]
}

/// A milestone with an empty title (Gitea accepts one) filters every list that names no milestone. So one is
/// always named that is longer than any title a database column holds: unknown names filter nothing.
pub(super) fn no_milestone() -> String {
    format!("{:-<300}", "no-such-milestone")
}

fn bears(issue: &Value, label: &Label) -> bool {
    let labels = issue.get("labels").and_then(Value::as_array).into_iter().flatten();
    labels.filter_map(|found| found.get("name")?.as_str()).any(|name| name == label.name)
}

fn no_issues(repo: &Repo) -> String {
    format!(
        "There is no repository {}/{}, its issues are turned off, or Gitea does not show them to this user.",
        repo.owner, repo.repo
    )
}

fn no_issue(repo: &Repo, number: IssueNumber) -> String {
    format!("{}/{} has no issue {}, or Gitea does not show it to this user.", repo.owner, repo.repo, number.0)
}

const ISSUE_LINE: Shape = Shape(&[
    Key::pluck("number", "/number", Kind::Number, "Number in its repository."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
    Key::pluck("state", "/state", Kind::Text, "open or closed."),
    Key::pluck("body", "/body", Kind::Text, "Text, in Markdown; its beginning where it is long."),
    Key::own("body_truncated", Kind::Flag, "Present and true when get_issue has more of it."),
    Key::pluck("author", "/user/login", Kind::Text, "Who opened it."),
    Key::pluck("labels", "/labels", Kind::Texts("/name"), "Names of its labels."),
    Key::pluck("assignees", "/assignees", Kind::Texts("/login"), "Who is assigned."),
    Key::pluck("milestone", "/milestone/title", Kind::Text, "Title of its milestone."),
    Key::pluck("milestone_id", "/milestone/id", Kind::Number, "Its id."),
    Key::pluck("comments", "/comments", Kind::Number, "How many comments it has."),
    Key::pluck("is_locked", "/is_locked", Kind::Flag, "Only members can comment."),
    Key::pluck("ref", "/ref", Kind::Text, "Branch or tag it is about."),
    Key::pluck("due_date", "/due_date", Kind::Time, "When it is due."),
    Key::pluck("created_at", "/created_at", Kind::Time, "When it was opened."),
    Key::pluck("updated_at", "/updated_at", Kind::Time, "Last change."),
    Key::pluck("closed_at", "/closed_at", Kind::Time, "When it was closed."),
    Key::pluck("content_version", "/content_version", Kind::Number, "How often its text was edited."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);

const ISSUE: Shape = Shape(&[
    Key::pluck("number", "/number", Kind::Number, "Number in its repository."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
    Key::pluck("state", "/state", Kind::Text, "open or closed."),
    Key::pluck("body", "/body", Kind::Text, "Text, in Markdown."),
    Key::pluck("author", "/user/login", Kind::Text, "Who opened it."),
    Key::pluck("labels", "/labels", Kind::Texts("/name"), "Names of its labels."),
    Key::pluck("assignees", "/assignees", Kind::Texts("/login"), "Who is assigned."),
    Key::pluck("milestone", "/milestone", Kind::Object(&MILESTONE), "Its milestone."),
    Key::pluck("comments", "/comments", Kind::Number, "How many comments it has."),
    Key::pluck("is_locked", "/is_locked", Kind::Flag, "Only members can comment."),
    Key::pluck("ref", "/ref", Kind::Text, "Branch or tag it is about."),
    Key::pluck("due_date", "/due_date", Kind::Time, "When it is due."),
    Key::pluck("created_at", "/created_at", Kind::Time, "When it was opened."),
    Key::pluck("updated_at", "/updated_at", Kind::Time, "Last change."),
    Key::pluck("closed_at", "/closed_at", Kind::Time, "When it was closed."),
    Key::pluck("content_version", "/content_version", Kind::Number, "How often its text was edited."),
    Key::pluck("pull_request", "/pull_request", Kind::Object(&PULL), "Set when this is a pull request."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);

/// What a new issue has not had time to get is left out.
const NEW_ISSUE: Shape = Shape(&[
    Key::pluck("number", "/number", Kind::Number, "Number in its repository."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
    Key::pluck("state", "/state", Kind::Text, "open or closed."),
    Key::pluck("body", "/body", Kind::Text, "Text, in Markdown."),
    Key::pluck("author", "/user/login", Kind::Text, "Who opened it."),
    Key::pluck("labels", "/labels", Kind::Texts("/name"), "Names of its labels."),
    Key::pluck("assignees", "/assignees", Kind::Texts("/login"), "Who is assigned."),
    Key::pluck("milestone", "/milestone", Kind::Object(&MILESTONE), "Its milestone."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);

const MILESTONE: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
    Key::pluck("state", "/state", Kind::Text, "open or closed."),
    Key::pluck("due_on", "/due_on", Kind::Time, "When it is due."),
]);

const PULL: Shape = Shape(&[
    Key::pluck("merged", "/merged", Kind::Flag, "It is merged."),
    Key::pluck("merged_at", "/merged_at", Kind::Time, "When it was merged."),
    Key::pluck("draft", "/draft", Kind::Flag, "It is a draft."),
]);

const COMMENT: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("author", "/user/login", Kind::Text, "Who wrote it."),
    Key::pluck("body", "/body", Kind::Text, "Text, in Markdown."),
    Key::pluck("created_at", "/created_at", Kind::Time, "When it was written."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);
