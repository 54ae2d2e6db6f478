//! What was said about an issue or pull request: list it, and change a comment. Gitea gives all comments of an
//! issue at once, whatever page is asked for, and fails on an unknown number.

mod discussion;

use discussion::Discussion;
use serde_json::{Value, json};

use super::{ONE_ISSUE, found, issue};
use crate::access::{Reader, Writer};
use crate::gitea::{EDIT_COMMENT, Write};
use crate::reply::Reply;
use crate::tools::applied::{self, NOT_APPLIED, same_text};
use crate::tools::args::{Character, Comment, CommentId, IssueNumber, Page, Repo};
use crate::tools::kit::{Entry, Error, Hints, Key, Kind, ReadTool, Shape, WriteTool, read, tool, write};
use crate::tools::lookup;
use crate::tools::outsiders::{self, Outsiders};
use crate::tools::paging::{self, HAS_NEXT, PAGE, TOTAL};

pub(super) const LIST_ISSUE_COMMENTS: &dyn Entry = read::<ListIssueComments>();
pub(super) const EDIT_ISSUE_COMMENT: &dyn Entry = write::<EditIssueComment>();

const COMMENTS: &str = "/repos/{owner}/{repo}/issues/{index}/comments";
const ONE_COMMENT: &str = "/repos/{owner}/{repo}/issues/comments/{id}";

/// So many characters of bodies on one page are given whole ...
const WHOLE_CHARACTERS: usize = 12_000;
/// ... and of longer pages each body is cut to so many.
const PREVIEW_CHARACTERS: usize = 500;
/// How to see what LOCKDOWN withholds.
const SHOW_COMMENT: &str = "list_issue_comments with limit=1, page=N for comment N and show_withheld=true.";
/// How to read the rest of a preview.
const READ_ON: &str = "limit=1 with page=N shows more of comment N";
/// The same, with what a preview is not for.
const PREVIEWED: &str = "limit=1 with page=N shows more of comment N; edit_issue_comment replaces the whole text: do \
                         not send a part of it back";
/// What is said with a body that is not all of it.
const NOT_BACK: &str = "edit_issue_comment replaces the whole text: do not send a part of it back";

tool! {
    /// List comments of an issue or pull request, oldest first, without reviews. Long pages hold previews: limit=1
    /// with page=N shows more of comment N.
    "list_issue_comments" ("List comments") => struct ListIssueComments {
        repo: Repo,
        issue_number: IssueNumber,
        start_character: Option<Character>,
        page: Page,
    }
}

impl ReadTool for ListIssueComments {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("comments", Kind::Each(&COMMENT_LINE), "The comments of this page."),
        PAGE,
        HAS_NEXT,
        TOTAL,
    ]);
    const READS: &'static [&'static str] = &[ONE_ISSUE, COMMENTS, lookup::REPOSITORY, outsiders::WRITERS];
    const ONE_ITEM: bool = true;

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        if gitea.show_withheld() && paging::limit(gitea, self.page) != 1 {
            return Err(Error::Unprocessable {
                reason: "one_comment_at_a_time",
                message: "show_withheld shows one comment: ask with limit=1 and page=N for comment N."
                    .to_owned(),
            });
        }
        // One after the other: an unknown number makes Gitea fail, and a failure counts against it.
        found(issue(gitea, &self.repo, self.issue_number)?, &self.repo, self.issue_number)?;
        let (page, limit) = (self.page.page, paging::limit(gitea, self.page));
        let request = lookup::call(&self.repo, COMMENTS).segment(self.issue_number.0);
        let discussion = Discussion::read(gitea, request, page, limit)?;
        if discussion.ends_before_page() {
            return Err(self.too_large(discussion.seen()));
        }
        let over = paging::over(gitea, self.page);
        let first = self.start_character.map_or(1, |first| first.0);
        let outsiders = Outsiders::of(gitea, &self.repo);
        let reply = outsiders.told(told(&discussion, &outsiders, first));
        Ok(paging::told(reply, page, over, discussion.has_next(), discussion.total()))
    }
}

/// The comments of a page, whole, as previews, or without the texts that were too long to keep. Who reads on from the
/// `first` character wants no preview.
fn told(discussion: &Discussion, outsiders: &Outsiders<'_>, first: u64) -> Reply {
    let line = |row: &discussion::Row| {
        let mut line = COMMENT_LINE.of(&row.comment);
        if row.too_long {
            line.insert("body_truncated".to_owned(), true.into());
        }
        let withheld = outsiders.cover(&row.comment, &mut line, SHOW_COMMENT);
        (Value::Object(line), withheld)
    };
    let rows = discussion.rows();
    let (lines, withheld): (Vec<Value>, Vec<bool>) = rows.iter().map(line).unzip();
    // What stands in place of a text has one part.
    let first = if withheld.contains(&true) { 1 } else { first };
    let bodies = lines.iter().filter_map(|line| line.get("body")?.as_str());
    let characters: usize = bodies.map(|body| body.chars().count()).sum();
    let mut reply = Reply::new().with("comments", lines).part("body", first, NOT_BACK);
    if rows.len() > 1 && characters > WHOLE_CHARACTERS && first == 1 {
        reply = reply.preview("body", PREVIEW_CHARACTERS, PREVIEWED);
    }
    let left_out = rows.iter().filter(|row| row.too_long).count();
    if left_out > 0 {
        let how = format!(
            "{left_out} bodies are left out, since they or the page are too long; {READ_ON} if it has less than {} \
             KiB, and Gitea shows it in any case",
            discussion::BODY_BYTES >> 10
        );
        reply = reply.cut(&how);
    }
    if discussion.is_cut() {
        let how = format!(
            "only the first {} comments can be read here: Gitea gives all at once, and they are more than {} MiB; \
             the others are on the issue's page in Gitea",
            discussion.seen(),
            discussion::ALL_BYTES >> 20
        );
        reply = reply.cut(&how);
    }
    reply
}

impl ListIssueComments {
    fn too_large(&self, seen: u64) -> Error {
        Error::Unprocessable {
            reason: "comments_too_large",
            message: format!(
                "Gitea gives the comments of number {} of {}/{} only all at once, and they are more than the {} \
                 MiB that are read here, which hold {seen} of them. This page is not among those; it is on the \
                 issue's page in Gitea.",
                self.issue_number.0,
                self.repo.owner,
                self.repo.repo,
                discussion::ALL_BYTES >> 20
            ),
        }
    }
}

tool! {
    /// Replace the whole text of a comment on an issue or pull request.
    "edit_issue_comment" ("Edit comment") => struct EditIssueComment {
        repo: Repo,
        /// Its id, from list_issue_comments.
        comment_id: CommentId,
        /// New text, in Markdown.
        body: Comment,
    }
}

impl WriteTool for EditIssueComment {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("comment", Kind::Object(&EDITED), "The comment after the change."),
        Key::own("issue_number", Kind::Number, "Number of the issue or pull request that it is on."),
        NOT_APPLIED,
    ]);
    const READS: &'static [&'static str] = &[lookup::REPOSITORY, ONE_COMMENT];
    const WRITES: &'static [&'static Write] = &[EDIT_COMMENT];
    const HINTS: Hints = Hints::REPLACES;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        let reader = writer.reader();
        let repository = reader.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        let comment = reader.start(lookup::call(&self.repo, ONE_COMMENT).segment(self.comment_id.0))?;
        applied::writable(repository, &self.repo)?;
        let missing = || self.no_comment();
        let comment = comment.finish().map_err(|error| Error::or_not_found(error, missing))?.body;
        // Gitea answers with nothing where the id is that of an event.
        if comment.is_null() {
            return Err(Error::Unprocessable {
                reason: "not_a_comment",
                message: format!(
                    "{} is the id of an event, such as a label or a reference, and has no text. \
                     list_issue_comments shows the comments and their ids.",
                    self.comment_id.0
                ),
            });
        }
        let place = vec![self.repo.owner.clone(), self.repo.repo.clone(), self.comment_id.0.to_string()];
        let edited = writer.send(EDIT_COMMENT, place, &json!({ "body": self.body.0 }))?.body;
        let mut not_applied = Vec::new();
        same_text(&edited, "body", &self.body.0, &mut not_applied);
        Ok(Reply::new()
            .with("comment", EDITED.of(&edited))
            .with_some("issue_number", number_of(&comment))
            .with("not_applied", not_applied))
    }
}

impl EditIssueComment {
    fn no_comment(&self) -> String {
        format!(
            "{}/{} has no comment {}, or Gitea does not show it to this user. Ids count over all repositories; \
             list_issue_comments tells them.",
            self.repo.owner, self.repo.repo, self.comment_id.0
        )
    }
}

/// The number at the end of the URL of what a comment is on.
fn number_of(comment: &Value) -> Option<u64> {
    let urls = ["issue_url", "pull_request_url"];
    let urls = urls.iter().filter_map(|name| comment.get(*name)?.as_str());
    urls.filter_map(|url| url.rsplit('/').next()?.parse().ok()).next()
}

const COMMENT_LINE: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id, for edit_issue_comment."),
    Key::pluck("author", "/user/login", Kind::Text, "Who wrote it."),
    Key::pluck("body", "/body", Kind::Text, "Text, in Markdown; its beginning where the page is long."),
    Key::own(
        "body_truncated",
        Kind::Flag,
        "Present and true where the body is only its beginning, or left out.",
    ),
    Key::pluck("created_at", "/created_at", Kind::Time, "When it was written."),
    Key::pluck("updated_at", "/updated_at", Kind::Time, "Last change."),
    Key::pluck("assets", "/assets", Kind::Each(&ATTACHED), "Files attached to it."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its place in Gitea."),
]);

const ATTACHED: Shape = Shape(&[
    Key::pluck("name", "/name", Kind::Text, "File name."),
    Key::pluck("size", "/size", Kind::Number, "Bytes."),
]);

const EDITED: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("author", "/user/login", Kind::Text, "Who wrote it first."),
    Key::pluck("updated_at", "/updated_at", Kind::Time, "Last change."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its place in Gitea."),
]);
