//! Assigning people to an issue or pull request, besides those who are. Gitea 1.27 has a route for it; older ones
//! replace the whole list, fail on whoever cannot be assigned and drop the field where the user may not set it.

use serde_json::{Value, json};

use super::{ONE_ISSUE, found, issue, place};
use crate::access::Writer;
use crate::gitea::{self, ADD_ASSIGNEES, EDIT_ISSUE, Write};
use crate::reply::Reply;
use crate::tools::applied::{self, NO_RIGHT, NOT_APPLIED, missing, texts};
use crate::tools::args::{IssueNumber, Logins, Repo};
use crate::tools::kit::{Entry, Error, Hints, Key, Kind, Shape, WriteTool, tool, write};
use crate::tools::lookup;

pub(super) const ASSIGN_ISSUE: &dyn Entry = write::<AssignIssue>();

/// Who can be assigned in a repository.
pub(super) const ASSIGNABLE: &str = "/repos/{owner}/{repo}/assignees";

tool! {
    /// Assign people to an issue or pull request, besides those who are; takes nobody off.
    "assign_issue" ("Assign issue") => struct AssignIssue {
        repo: Repo,
        issue_number: IssueNumber,
        /// Logins.
        assignees: Logins,
    }
}

impl WriteTool for AssignIssue {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("issue", Kind::Object(&ASSIGNED), "The issue after the change."), NOT_APPLIED]);
    const READS: &'static [&'static str] = &[lookup::REPOSITORY, ONE_ISSUE, ASSIGNABLE];
    const WRITES: &'static [&'static Write] = &[ADD_ASSIGNEES, EDIT_ISSUE];
    const HINTS: Hints = Hints::ADDS_ONCE;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        if self.assignees.0.is_empty() {
            return Err(Error::Unprocessable {
                reason: "nothing_to_change",
                message: "`assignees` is empty. Name at least one login; nobody can be taken off here."
                    .to_owned(),
            });
        }
        let reader = writer.reader();
        let repository = reader.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        let issue = issue(reader, &self.repo, self.issue_number)?;
        let assignable = reader.start(lookup::call(&self.repo, ASSIGNABLE))?;
        applied::writable(repository, &self.repo)?;
        let issue = found(issue, &self.repo, self.issue_number)?;
        let assignable = logins(Some(&assignable.finish()?.body));
        let new = self.not_yet(&issue, &assignable)?;
        let assigned = if new.is_empty() { issue } else { self.assign(writer, &issue, &new)? };

        let now = texts(&assigned, "assignees", "login");
        let absent = self.assignees.0.iter().filter(|login| !now.contains(&login.to_lowercase()));
        let not_applied: Vec<Value> = absent.map(|login| missing("assignees", login, NO_RIGHT)).collect();
        Ok(Reply::new().with("issue", ASSIGNED.of(&assigned)).with("not_applied", not_applied))
    }
}

impl AssignIssue {
    /// Those who are not assigned yet, as Gitea spells them.
    fn not_yet(&self, issue: &Value, assignable: &[String]) -> Result<Vec<String>, Error> {
        let present = logins(issue.get("assignees"));
        let absent = |login: &&String| !present.iter().any(|known| known.eq_ignore_ascii_case(login));
        spelled(&self.repo, self.assignees.0.iter().filter(absent), assignable)
    }

    /// By the route of Gitea 1.27, and where there is none by the one before it. A route that does not exist has
    /// done nothing, so this is no second try of a write that may have happened.
    fn assign(&self, writer: &Writer<'_>, issue: &Value, new: &[String]) -> Result<Value, Error> {
        let place = || place(&self.repo, self.issue_number);
        match writer.send(ADD_ASSIGNEES, place(), &json!({ "assignees": new })) {
            Ok(answer) => Ok(answer.body),
            Err(gitea::Error::NotFound { .. }) => {
                let all: Vec<String> =
                    logins(issue.get("assignees")).into_iter().chain(new.iter().cloned()).collect();
                Ok(writer.send(EDIT_ISSUE, place(), &json!({ "assignees": all }))?.body)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// These logins as Gitea spells them, each once. Refuse whoever is not among those who can be assigned: Gitea fails on
/// them with words of its own, or drops them without any.
pub(super) fn spelled<'l>(
    repo: &Repo,
    wanted: impl Iterator<Item = &'l String>,
    assignable: &[String],
) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for login in wanted {
        let Some(known) = assignable.iter().find(|known| known.eq_ignore_ascii_case(login)) else {
            return Err(Error::Unprocessable {
                reason: "not_assignable",
                message: format!(
                    "`{login}` cannot be assigned in {}/{}: there is no such user, or they may not write there. {} \
                     Nothing was written.",
                    repo.owner,
                    repo.repo,
                    lookup::hint(login, assignable.iter().map(String::as_str))
                ),
            });
        };
        if !found.contains(known) {
            found.push(known.clone());
        }
    }
    Ok(found)
}

/// The logins in a list of users; none where it is null.
pub(super) fn logins(users: Option<&Value>) -> Vec<String> {
    let rows = users.and_then(Value::as_array).into_iter().flatten();
    rows.filter_map(|row| Some(row.get("login")?.as_str()?.to_owned())).collect()
}

const ASSIGNED: Shape = Shape(&[
    Key::pluck("number", "/number", Kind::Number, "Number in its repository."),
    Key::pluck("assignees", "/assignees", Kind::Texts("/login"), "Everybody who is assigned now."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);
