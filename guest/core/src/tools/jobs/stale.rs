//! Stale issues: open, and untouched for `AUTOMATION_STALE_DAYS`. One form reports them, the other puts the label
//! `stale` on each and says so in a comment, once: what bears the label is left alone.
//!
//! Every number comes from Gitea at the time of the run, never from what started it.

use serde_json::{Value, json};

use super::report::{COMPLETE, TEXT, Told};
use super::{Job, Starts, busy};
use crate::access::{Reader, Writer};
use crate::gitea::{self, Write};
use crate::reply::Reply;
use crate::tools::applied;
use crate::tools::args::{Repo, day, instant};
use crate::tools::issues::no_milestone;
use crate::tools::kit::{Entry, Error, Hints, Key, Kind, ReadTool, Shape, WriteTool, read, tool, write};
use crate::tools::lookup;

pub(super) const JOB: Job = Job {
    name: "stale_issue_detection",
    tool: "automation_stale_issue_detection",
    about: "Open issues that nobody has touched for AUTOMATION_STALE_DAYS days: reported or, with writes, labelled \
            and commented on.",
    changes: true,
    starts_on: Starts::Event("issues", &["opened", "closed", "reopened"]),
    pause_seconds: 3_600,
};
pub(super) const REPORT: &dyn Entry = read::<Report>();
pub(super) const MARK: &dyn Entry = write::<Mark>();

/// The label of what was marked.
const LABEL: &str = "stale";
const ISSUES: &str = "/repos/{owner}/{repo}/issues";
/// Entries that every Gitea gives at once unless its operator lowered it.
const PER_PAGE: u32 = 50;
/// Pages that one run reads. A call may send only so many requests.
const PAGES: u32 = 8;
/// Pages of labels that are looked through for the one.
const LABEL_PAGES: u32 = 4;
/// Issues that one run marks, each by two requests.
const MARKED_AT_ONCE: usize = 8;
const DAY: i64 = 86_400;

/// Said in every comment, so that people and programs find it again.
const MARK_OF_COMMENT: &str = "<!-- aegis: stale_issue_detection -->";

tool! {
    /// Report open issues that nobody has touched for a while.
    "automation_stale_issue_detection" ("Stale issues") => struct Report {
        repo: Repo,
    }
}

tool! {
    /// Label open issues that nobody has touched for a while, and say so in a comment.
    "automation_stale_issue_detection" ("Mark stale issues") => struct Mark {
        repo: Repo,
    }
}

const LINE: Shape = Shape(&[
    Key::pluck("number", "/number", Kind::Number, "Number in its repository."),
    Key::pluck("title", "/title", Kind::Text, "Title."),
    Key::pluck("author", "/user/login", Kind::Text, "Who opened it."),
    Key::pluck("labels", "/labels", Kind::Texts("/name"), "Names of its labels."),
    Key::pluck("updated_at", "/updated_at", Kind::Time, "Last change."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);

const STALE: Key = Key::own("stale", Kind::Each(&LINE), "Stale issues, newest first.");
const SINCE: Key = Key::own("untouched_since", Kind::Time, "Stale is what was last touched before this.");

impl ReadTool for Report {
    const ANSWER: &'static Shape = &Shape(&[STALE, SINCE, COMPLETE, TEXT]);
    const READS: &'static [&'static str] = &[ISSUES];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let found = Found::read(gitea, &self.repo)?;
        let told = found.headline(gitea, &self.repo).each(found.rows.iter().map(line));
        Ok(found.reply(&told.text()))
    }
}

impl WriteTool for Mark {
    const ANSWER: &'static Shape = &Shape(&[
        STALE,
        SINCE,
        COMPLETE,
        Key::own("marked", Kind::Each(&LINE), "Issues that this run marked."),
        Key::own("waiting", Kind::Number, "Stale issues that a further run marks."),
        TEXT,
    ]);
    const READS: &'static [&'static str] = &[lookup::REPOSITORY, ISSUES, lookup::REPOSITORY_LABELS];
    const WRITES: &'static [&'static Write] = &[gitea::ADD_LABELS, gitea::CREATE_COMMENT];
    const HINTS: Hints = Hints::ADDS_ONCE;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        let reader = writer.reader();
        // Two runs at a time would comment twice.
        let _alone = reader.long_work().map_err(busy)?;
        let repository = reader.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        applied::writable(repository, &self.repo)?;
        let found = Found::read(reader, &self.repo)?;
        let fresh: Vec<&Value> = found.rows.iter().filter(|row| !is_marked(row) && !is_locked(row)).collect();
        let (now, later) = fresh.split_at(fresh.len().min(MARKED_AT_ONCE));
        if !now.is_empty() {
            let label = label(reader, &self.repo)?;
            let days = reader.config().automation.stale_days;
            for row in now {
                mark(writer, &self.repo, row, label, days)?;
            }
        }
        let told = found
            .headline(reader, &self.repo)
            .and(format!("{} marked in this run, {} left for the next.", now.len(), later.len()))
            .each(now.iter().map(|row| line(row)));
        let marked: Vec<Value> = now.iter().map(|row| LINE.of(row).into()).collect();
        Ok(found.reply(&told.text()).with("marked", marked).with("waiting", later.len()))
    }
}

/// Stale issues as Gitea gives them.
struct Found {
    rows: Vec<Value>,
    since: String,
    complete: bool,
}

impl Found {
    fn read(reader: &Reader<'_>, repo: &Repo) -> Result<Self, Error> {
        let since = since(reader.unix_seconds(), reader.config().automation.stale_days);
        let before = instant(&since);
        let is_stale = |row: &&Value| {
            let updated = row.get("updated_at").and_then(Value::as_str).and_then(instant);
            updated.zip(before).is_some_and(|(updated, before)| updated < before)
        };
        let (mut rows, mut complete) = (Vec::new(), false);
        for page in 1..=PAGES {
            let request = lookup::call(repo, ISSUES)
                .query("type", "issues")
                .query("state", "open")
                .query("milestones", no_milestone())
                .query("before", &since)
                .query("page", page)
                .query("limit", PER_PAGE);
            let answer = reader
                .get(request)
                .map_err(|error| Error::or_not_found(error, || lookup::no_labels(repo)))?;
            let list = answer.body.as_array().map(Vec::as_slice).unwrap_or_default();
            // Whether Gitea has filtered is looked at once more: marking what is not stale would be wrong.
            rows.extend(list.iter().filter(is_stale).cloned());
            if !answer.has_next(page, PER_PAGE) {
                complete = true;
                break;
            }
        }
        Ok(Self { rows, since, complete })
    }

    fn headline(&self, reader: &Reader<'_>, repo: &Repo) -> Told {
        let days = reader.config().automation.stale_days;
        let at_least = if self.complete { "" } else { "at least " };
        let count = self.rows.len();
        Told::headline(repo, &format!("{at_least}{count} open issues untouched for {days} days."))
    }

    fn reply(&self, text: &str) -> Reply {
        let reply = Reply::new()
            .with("stale", LINE.each(&self.rows))
            .with("untouched_since", self.since.clone())
            .with("complete", self.complete)
            .with("text", text);
        if self.complete {
            return reply;
        }
        reply.cut("one run looks at so many issues only; close or label what it names, and run it again")
    }
}

/// The beginning of the day that lies so many days back (UTC), as Gitea takes times.
fn since(now: u64, days: u32) -> String {
    let today = i64::try_from(now).unwrap_or_default().checked_div(DAY).unwrap_or_default();
    day(today.saturating_sub(i64::from(days))).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// One issue, for a person.
fn line(row: &Value) -> String {
    let text = |at: &str| row.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let number = row.get("number").and_then(Value::as_u64).unwrap_or_default();
    let touched = text("/updated_at").get(..10).unwrap_or_default();
    format!("#{number} {} (last touched {touched})", text("/title"))
}

fn is_marked(row: &Value) -> bool {
    let labels = row.get("labels").and_then(Value::as_array).into_iter().flatten();
    labels.filter_map(|label| label.get("name")?.as_str()).any(|name| name.eq_ignore_ascii_case(LABEL))
}

fn is_locked(row: &Value) -> bool {
    row.get("is_locked").and_then(Value::as_bool).unwrap_or(false)
}

/// The id of the label. Only the repository's own labels are looked at: those of an organisation are no repository's.
fn label(reader: &Reader<'_>, repo: &Repo) -> Result<u64, Error> {
    for page in 1..=LABEL_PAGES {
        let request =
            lookup::call(repo, lookup::REPOSITORY_LABELS).query("page", page).query("limit", PER_PAGE);
        let answer = reader.get(request)?;
        let list = answer.body.as_array().map(Vec::as_slice).unwrap_or_default();
        let named = |row: &&Value| {
            row.get("name").and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case(LABEL))
        };
        if let Some(id) = list.iter().find(named).and_then(|row| row.get("id")?.as_u64()) {
            return Ok(id);
        }
        if !answer.has_next(page, PER_PAGE) {
            break;
        }
    }
    Err(Error::Unprocessable {
        reason: "unknown_label",
        message: format!(
            "{}/{} has no label `{LABEL}` of its own, by which marked issues are known. Make one in Gitea or with \
             create_label.",
            repo.owner, repo.repo
        ),
    })
}

/// The label goes first: with it alone the issue is left alone, with the comment alone it would get another.
fn mark(writer: &Writer<'_>, repo: &Repo, row: &Value, label: u64, days: u32) -> Result<(), Error> {
    let number = row.get("number").and_then(Value::as_u64).ok_or(gitea::Error::NotJson)?;
    let place = || vec![repo.owner.clone(), repo.repo.clone(), number.to_string()];
    let borne = writer.send(gitea::ADD_LABELS, place(), &json!({ "labels": [label] }))?.body;
    if !is_marked(&json!({ "labels": borne })) {
        return Err(Error::Unprocessable {
            reason: "label_not_applied",
            message: format!("Gitea did not put the label `{LABEL}` on #{number}: {}.", applied::NO_RIGHT),
        });
    }
    let body = format!(
        "Nobody has touched this issue for {days} days, so it bears the label `{LABEL}` now. If it still matters, say \
         so and take the label off; if not, close it.\n\n{MARK_OF_COMMENT}"
    );
    writer.send(gitea::CREATE_COMMENT, place(), &json!({ "body": body }))?;
    Ok(())
}
