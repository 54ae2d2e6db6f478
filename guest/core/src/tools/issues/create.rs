//! Opening an issue: what is checked before, and what is compared after.
//!
//! Gitea drops unknown labels and milestones, and whatever the user may not set, without a word. So names are
//! resolved first, and the answer is held against the request.

use serde_json::{Value, json};

use super::assign::{ASSIGNABLE, logins, spelled};
use super::labels::NO_SUCH_LABEL;
use super::{CreateIssue, NEW_ISSUE};
use crate::access::Writer;
use crate::gitea::{ADD_LABELS, CREATE_ISSUE};
use crate::reply::Reply;
use crate::tools::applied::{NO_RIGHT, missing, same_text, texts, writable};
use crate::tools::kit::Error;
use crate::tools::lookup::{self, Label, LabelSearch, Resolved};

pub(super) fn create(wanted: &CreateIssue, gitea: &Writer<'_>) -> Result<Reply, Error> {
    let reader = gitea.reader();
    let repository = reader.start(lookup::call(&wanted.repo, lookup::REPOSITORY))?;
    let search = LabelSearch::start(reader, &wanted.repo, wanted.labels.as_ref())?;
    let named = wanted.assignees.as_ref().filter(|logins| !logins.0.is_empty());
    let assignable = named.map(|_| reader.start(lookup::call(&wanted.repo, ASSIGNABLE))).transpose()?;
    let repository = writable(repository, &wanted.repo)?;
    if repository.get("has_issues").and_then(Value::as_bool) == Some(false) {
        return Err(Error::Conflict {
            reason: "issues_disabled",
            message: format!("Issues are turned off in {}/{}.", wanted.repo.owner, wanted.repo.repo),
        });
    }
    let labels = search.map(|search| search.finish(reader)).transpose()?.unwrap_or_default();
    let milestone = wanted
        .milestone
        .as_ref()
        .map(|choice| lookup::milestone(reader, &wanted.repo, choice))
        .transpose()?;
    let assignees = match (named, assignable) {
        (Some(named), Some(assignable)) => {
            spelled(&wanted.repo, named.0.iter(), &logins(Some(&assignable.finish()?.body)))?
        }
        (None, _) | (_, None) => Vec::new(),
    };

    let place = vec![wanted.repo.owner.clone(), wanted.repo.repo.clone()];
    let answer = gitea.send(CREATE_ISSUE, place, &request(wanted, &labels.labels, &assignees, milestone))?;
    let mut issue = answer.body;
    let mut not_applied = Vec::new();
    add_by_name(wanted, &labels, gitea, &mut issue, &mut not_applied);
    compare(wanted, &labels.labels, milestone, &issue, &mut not_applied);
    Ok(Reply::new().with("issue", NEW_ISSUE.of(&issue)).with("not_applied", not_applied))
}

fn request(wanted: &CreateIssue, labels: &[Label], assignees: &[String], milestone: Option<u64>) -> Value {
    let mut body = json!({ "title": wanted.title.0 });
    let mut put = |name: &str, value: Option<Value>| {
        if let (Some(object), Some(value)) = (body.as_object_mut(), value) {
            object.insert(name.to_owned(), value);
        }
    };
    put("body", wanted.body.as_ref().map(|text| text.0.clone().into()));
    let ids: Vec<u64> = labels.iter().map(|label| label.id).collect();
    put("labels", if ids.is_empty() { None } else { Some(ids.into()) });
    put("assignees", if assignees.is_empty() { None } else { Some(assignees.into()) });
    put("milestone", milestone.map(Value::from));
    body
}

/// Labels whose ids could not be read are added by name once the issue is there. That may fail without
/// undoing anything: then it is told, not raised.
fn add_by_name(
    wanted: &CreateIssue,
    labels: &Resolved,
    gitea: &Writer<'_>,
    issue: &mut Value,
    not_applied: &mut Vec<Value>,
) {
    let Some(number) = issue.get("number").and_then(Value::as_u64).filter(|_| !labels.unresolved.is_empty())
    else {
        not_applied.extend(labels.unresolved.iter().map(|name| missing("labels", name, NO_RIGHT)));
        return;
    };
    let place = vec![wanted.repo.owner.clone(), wanted.repo.repo.clone(), number.to_string()];
    let reason = match gitea.send(ADD_LABELS, place, &json!({ "labels": labels.unresolved })) {
        Ok(answer) => {
            if let Some(object) = issue.as_object_mut() {
                object.insert("labels".to_owned(), answer.body);
            }
            NO_SUCH_LABEL.to_owned()
        }
        Err(error) => error.message(),
    };
    let borne = texts(issue, "labels", "name");
    let absent = labels.unresolved.iter().filter(|name| !borne.contains(&name.to_lowercase()));
    not_applied.extend(absent.map(|name| missing("labels", name, &reason)));
}

fn compare(
    wanted: &CreateIssue,
    labels: &[Label],
    milestone: Option<u64>,
    issue: &Value,
    not_applied: &mut Vec<Value>,
) {
    same_text(issue, "title", &wanted.title.0, not_applied);
    if let Some(body) = &wanted.body {
        same_text(issue, "body", &body.0, not_applied);
    }
    let borne = texts(issue, "labels", "name");
    let absent = labels.iter().filter(|label| !borne.contains(&label.name.to_lowercase()));
    not_applied.extend(absent.map(|label| missing("labels", &label.name, NO_RIGHT)));

    let assigned = texts(issue, "assignees", "login");
    let logins = wanted.assignees.iter().flat_map(|logins| &logins.0);
    let absent = logins.filter(|login| !assigned.contains(&login.to_lowercase()));
    not_applied.extend(absent.map(|login| missing("assignees", login, NO_RIGHT)));

    let found = issue.pointer("/milestone/id").and_then(Value::as_u64);
    if let (Some(choice), true) = (&wanted.milestone, milestone != found) {
        not_applied.push(missing("milestone", &choice.0, NO_RIGHT));
    }
}
