//! Labels on an issue or pull request, put on and taken off by name. Gitea drops unknown names without a word,
//! takes an exclusive label's siblings off, and says yes to taking off what was never on: so all of it is looked at
//! before and after.

use serde_json::{Value, json};

use super::{ONE_ISSUE, found, issue, no_issue, place};
use crate::access::{Reader, Writer};
use crate::gitea::{self, Call, REMOVE_LABEL, Write};
use crate::reply::Reply;
use crate::tools::applied::{self, NO_RIGHT, NOT_APPLIED, missing};
use crate::tools::args::{IssueNumber, Labels, Repo};
use crate::tools::kit::{Entry, Error, Hints, Key, Kind, Shape, WriteTool, tool, write};
use crate::tools::lookup::{self, LabelSearch, Resolved};

pub(super) const ADD_LABELS: &dyn Entry = write::<AddLabels>();
pub(super) const REMOVE_LABELS: &dyn Entry = write::<RemoveLabels>();

/// The labels that an issue or pull request bears.
const BORNE: &str = "/repos/{owner}/{repo}/issues/{index}/labels";

/// Most labels that are taken off in one call: each is a request, and a call may send only so many.
const MOST_REMOVED: usize = 20;

/// Why a name that could not be looked up is not on the issue afterwards.
pub(super) const NO_SUCH_LABEL: &str =
    "Gitea knows no such label, neither in the repository nor in its organisation";
/// Why one of two labels of an exclusive scope is not there.
const DISPLACED: &str = "another label of the same exclusive scope took its place";

tool! {
    /// Put labels on an issue or pull request, besides those it bears. An exclusive label takes the others of its
    /// scope off (removed).
    "add_labels" ("Add labels") => struct AddLabels {
        repo: Repo,
        issue_number: IssueNumber,
        /// Label names.
        labels: Labels,
    }
}

impl WriteTool for AddLabels {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("labels", Kind::Texts(""), "All labels that it bears now."),
        Key::own("removed", Kind::Texts(""), "Labels that it bore before and bears no more."),
        NOT_APPLIED,
    ]);
    const READS: &'static [&'static str] =
        &[lookup::REPOSITORY, ONE_ISSUE, lookup::REPOSITORY_LABELS, lookup::ORGANISATION_LABELS];
    const WRITES: &'static [&'static Write] = &[gitea::ADD_LABELS];
    const HINTS: Hints = Hints::ADDS_ONCE;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        let reader = writer.reader();
        let repository = reader.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        let issue = issue(reader, &self.repo, self.issue_number)?;
        let search = LabelSearch::start(reader, &self.repo, Some(&self.labels))?.ok_or_else(no_labels)?;
        applied::writable(repository, &self.repo)?;
        let issue = found(issue, &self.repo, self.issue_number)?;
        let resolved = search.finish(reader)?;
        let before = names(issue.get("labels"));
        let after = match wanted(&resolved, &before)? {
            None => before.clone(),
            Some(labels) => {
                let place = place(&self.repo, self.issue_number);
                let answer = writer.send(gitea::ADD_LABELS, place, &json!({ "labels": labels }))?;
                names(Some(&answer.body))
            }
        };
        let removed: Vec<&String> = before.iter().filter(|name| !after.contains(name)).collect();
        let not_applied = not_borne(&resolved, &after);
        Ok(Reply::new()
            .with("labels", after.clone())
            .with("removed", json!(removed))
            .with("not_applied", not_applied))
    }
}

/// What to send: ids, or names where an id could not be read; Gitea takes no mixture. Nothing where all are borne.
fn wanted(resolved: &Resolved, before: &[String]) -> Result<Option<Value>, Error> {
    let new = || resolved.labels.iter().filter(|label| !before.contains(&label.name));
    if resolved.unresolved.is_empty() {
        // By id, since by name Gitea would put on every label that bears it.
        let ids: Vec<u64> = new().map(|label| label.id).collect();
        return Ok(if ids.is_empty() { None } else { Some(json!(ids)) });
    }
    if let Some(label) = new().find(|label| label.ambiguous) {
        return Err(Error::Unprocessable {
            reason: "ambiguous_label",
            message: format!(
                "Several labels are called `{}`, and beside `{}`, which cannot be looked up with this token, only \
                 names can be sent: that would add all of them. Add the two in calls of their own.",
                label.name,
                resolved.unresolved.join("`, `")
            ),
        });
    }
    Ok(Some(json!(new().map(|label| &label.name).chain(&resolved.unresolved).collect::<Vec<_>>())))
}

fn not_borne(resolved: &Resolved, after: &[String]) -> Vec<Value> {
    let borne = |name: &str| after.iter().any(|found| found.to_lowercase() == name.to_lowercase());
    let scope = |name: &str| name.rsplit_once('/').map(|(scope, _)| scope.to_owned());
    let known = resolved.labels.iter().filter(|label| !borne(&label.name)).map(|label| {
        let of = scope(&label.name);
        let displaced = of.is_some() && after.iter().any(|found| scope(found) == of);
        missing("labels", &label.name, if displaced { DISPLACED } else { NO_RIGHT })
    });
    let unknown = resolved.unresolved.iter().filter(|name| !borne(name));
    known.chain(unknown.map(|name| missing("labels", name, NO_SUCH_LABEL))).collect()
}

tool! {
    /// Take labels off an issue or pull request. Those it does not bear are in not_set.
    "remove_labels" ("Remove labels") => struct RemoveLabels {
        repo: Repo,
        issue_number: IssueNumber,
        /// Label names.
        labels: Labels,
    }
}

impl WriteTool for RemoveLabels {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("labels", Kind::Texts(""), "Labels that it still bears. Absent where they cannot be read."),
        Key::own("not_set", Kind::Texts(""), "Labels that it did not bear."),
        NOT_APPLIED,
    ]);
    const READS: &'static [&'static str] =
        &[lookup::REPOSITORY, BORNE, lookup::REPOSITORY_LABELS, lookup::ORGANISATION_LABELS];
    const WRITES: &'static [&'static Write] = &[REMOVE_LABEL];
    const HINTS: Hints = Hints::REPLACES;

    fn call(self, writer: &Writer<'_>) -> Result<Reply, Error> {
        if self.labels.0.is_empty() {
            return Err(no_labels());
        }
        let reader = writer.reader();
        let repository = reader.start(lookup::call(&self.repo, lookup::REPOSITORY))?;
        let borne = reader.start(self.borne())?;
        applied::writable(repository, &self.repo)?;
        let unknown = || no_issue(&self.repo, self.issue_number);
        let borne = borne.finish().map_err(|error| Error::or_not_found(error, unknown))?.body;
        let chosen = Chosen::of(&self.labels, &borne)?;
        // A misspelled name must not read as one that was not on.
        let absent = Labels(chosen.not_set.clone());
        if let Some(search) = LabelSearch::start(reader, &self.repo, Some(&absent))? {
            search.exist(reader)?;
        }
        if chosen.labels.len() > MOST_REMOVED {
            return Err(too_many(chosen.labels.len()));
        }
        let mut not_applied = self.remove(writer, &chosen.labels)?;
        let after = self.labels_after(reader, &chosen, &mut not_applied);
        Ok(Reply::new()
            .with_some("labels", after)
            .with("not_set", chosen.not_set)
            .with("not_applied", not_applied))
    }
}

/// Which labels are meant.
struct Chosen {
    /// Id and name.
    labels: Vec<(u64, String)>,
    not_set: Vec<String>,
}

impl Chosen {
    /// By exact name, else in any case where that is one spelling; all labels of that name.
    fn of(wanted: &Labels, borne: &Value) -> Result<Self, Error> {
        let rows = borne.as_array().into_iter().flatten();
        let all: Vec<(u64, String)> = rows
            .filter_map(|row| Some((row.get("id")?.as_u64()?, row.get("name")?.as_str()?.to_owned())))
            .collect();
        let mut chosen = Self { labels: Vec::new(), not_set: Vec::new() };
        for name in &wanted.0 {
            let lower = name.to_lowercase();
            let mut spelled: Vec<&String> =
                all.iter().map(|(_, found)| found).filter(|found| found.to_lowercase() == lower).collect();
            if let Some(exact) = spelled.iter().copied().find(|found| *found == name) {
                spelled = vec![exact];
            }
            spelled.sort_unstable();
            spelled.dedup();
            match spelled.as_slice() {
                [] => chosen.not_set.push(name.clone()),
                [one] => {
                    let new = all.iter().filter(|label| label.1 == **one && !chosen.labels.contains(label));
                    let new: Vec<(u64, String)> = new.cloned().collect();
                    chosen.labels.extend(new);
                }
                several => return Err(ambiguous(name, several)),
            }
        }
        Ok(chosen)
    }
}

impl RemoveLabels {
    fn borne(&self) -> Call {
        lookup::call(&self.repo, BORNE).segment(self.issue_number.0)
    }

    /// One request for each label. The first refusal is the call's; a later one ends the work and is told with what
    /// is left, since labels are off by then.
    fn remove(&self, writer: &Writer<'_>, labels: &[(u64, String)]) -> Result<Vec<Value>, Error> {
        let mut left = Vec::new();
        for (at, (id, name)) in labels.iter().enumerate() {
            let mut place = place(&self.repo, self.issue_number);
            place.push(id.to_string());
            match writer.send(REMOVE_LABEL, place, &json!({})) {
                Ok(_) => {}
                Err(error) if at == 0 => return Err(error.into()),
                Err(error) => {
                    left.push(missing("labels", name, &error.message()));
                    let rest = labels.iter().skip(at.saturating_add(1));
                    let reason = "not tried, since the label before it could not be taken off";
                    left.extend(rest.map(|(_, name)| missing("labels", name, reason)));
                    break;
                }
            }
        }
        Ok(left)
    }

    /// What it bears now. Gitea says yes to every removal, so that is looked at; if it cannot be, the labels are
    /// off all the same and the call is no failure.
    fn labels_after(
        &self,
        reader: &Reader<'_>,
        chosen: &Chosen,
        not_applied: &mut Vec<Value>,
    ) -> Option<Vec<String>> {
        let after = names(Some(&reader.get(self.borne()).ok()?.body));
        let told: Vec<Value> = not_applied.iter().filter_map(|row| row.get("wanted").cloned()).collect();
        let still = chosen.labels.iter().filter(|(_, name)| after.contains(name));
        let untold = still.filter(|(_, name)| !told.contains(&Value::from(name.as_str())));
        not_applied.extend(untold.map(|(_, name)| missing("labels", name, "it is still there")));
        Some(after)
    }
}

fn ambiguous(name: &str, several: &[&String]) -> Error {
    let spelled: Vec<String> = several.iter().map(|found| format!("`{found}`")).collect();
    Error::Unprocessable {
        reason: "ambiguous_label",
        message: format!(
            "Several of its labels are called `{name}` but for case: {}. Use the exact spelling.",
            spelled.join(", ")
        ),
    }
}

fn too_many(labels: usize) -> Error {
    Error::Unprocessable {
        reason: "too_many_labels",
        message: format!(
            "That are {labels} labels of this issue; at most {MOST_REMOVED} are taken off in one call. None was: send \
             them in several calls."
        ),
    }
}

fn no_labels() -> Error {
    Error::Unprocessable {
        reason: "nothing_to_change",
        message: "`labels` is empty. Name at least one label; list_labels shows which there are.".to_owned(),
    }
}

/// The names in a list of labels.
fn names(labels: Option<&Value>) -> Vec<String> {
    let rows = labels.and_then(Value::as_array).into_iter().flatten();
    rows.filter_map(|row| Some(row.get("name")?.as_str()?.to_owned())).collect()
}
