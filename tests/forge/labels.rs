//! Labels of repositories and organisations, and milestones: lists that count but do not link.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::paging::{Page, counted};
use super::time::rfc3339;
use super::world::{Label, Milestone, Mode, Repo, World};

/// `GET /repos/{owner}/{repo}/labels`: the repository's own only.
pub(super) fn list(call: &Call, world: &World, repo: &Repo) -> Answer {
    let base = format!("/repos/{}/labels", world.full_name(repo));
    page(call, &base, repo.labels.iter().collect())
}

/// `GET /orgs/{org}/labels`; a person is no organisation.
pub(super) fn of_organisation(call: &Call, world: &World, name: &str) -> Answer {
    let Some(org) = world.account(name).filter(|account| account.organisation) else {
        return call.not_found();
    };
    let labels = world.org_labels.iter().filter(|(owner, _)| *owner == org.id).map(|(_, label)| label);
    page(call, &format!("/orgs/{}/labels", org.login), labels.collect())
}

fn page(call: &Call, base: &str, mut labels: Vec<&Label>) -> Answer {
    labels.sort_by(|a, b| a.name.cmp(&b.name));
    if call.query("sort") == Some("reversealphabetically") {
        labels.reverse();
    }
    let shown: Vec<Value> =
        Page::of(call).cut(&labels).iter().map(|label| render(call, base, label)).collect();
    counted(Answer::json(200, &json!(shown)), labels.len())
}

/// A label as Gitea shows it; `base` is the path of the list that it is in.
pub(super) fn render(call: &Call, base: &str, label: &Label) -> Value {
    json!({
        "id": label.id,
        "name": label.name,
        "exclusive": label.exclusive,
        "is_archived": label.archived,
        "color": label.color,
        "description": call.seeding.text(&label.description),
        "url": call.api(&format!("{base}/{}", label.id)),
    })
}

/// The labels of an issue, by name.
pub(super) fn of(call: &Call, world: &World, repo: &Repo, ids: &[u64]) -> Value {
    let mut found: Vec<&Label> = ids.iter().filter_map(|id| world.label(repo, *id)).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let base = |label: &Label| {
        if repo.labels.iter().any(|own| own.id == label.id) {
            format!("/repos/{}/labels", world.full_name(repo))
        } else {
            format!("/orgs/{}/labels", world.account_by_id(repo.owner).login)
        }
    };
    found.into_iter().map(|label| render(call, &base(label), label)).collect()
}

/// `POST /repos/{owner}/{repo}/issues/{index}/labels`, all by id or all by name: the organisation's labels too, names
/// in exactly this case and every label of a name; unknown ones are dropped without a word. A label that is exclusive
/// in its scope takes the exclusive others of that scope off.
pub(super) fn add(call: &Call, world: &mut World, at: usize, number: &str) -> Answer {
    let repo = &world.repos[at];
    let Some(place) = repo.issues.iter().position(|issue| issue.number.to_string() == number) else {
        return call.not_found();
    };
    if world.rights(repo, call.viewer) < Mode::Write {
        return call.refuse(403, "write permission is required");
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let wanted: Vec<&Value> = body["labels"].as_array().into_iter().flatten().collect();
    let names: Vec<&str> = wanted.iter().filter_map(|label| label.as_str()).collect();
    let numbers: Vec<u64> = wanted.iter().filter_map(|label| label.as_u64()).collect();
    if names.len() + numbers.len() < wanted.len() || (!names.is_empty() && !numbers.is_empty()) {
        return call.refuse(400, "labels should be an array of strings or integers");
    }
    let ours = world.org_labels.iter().filter(|(owner, _)| *owner == repo.owner).map(|(_, label)| label);
    let all = repo.labels.iter().chain(ours);
    let known = all.filter(|label| names.contains(&label.name.as_str()) || numbers.contains(&label.id));
    let mut ids: Vec<u64> = repo.issues[place].labels.clone();
    for label in known {
        if !ids.contains(&label.id) {
            let scope = exclusive_scope(label);
            ids.retain(|id| scope.is_none() || world.label(repo, *id).and_then(exclusive_scope) != scope);
            ids.push(label.id);
        }
    }
    world.repos[at].issues[place].labels.clone_from(&ids);
    Answer::json(200, &of(call, world, &world.repos[at], &ids))
}

/// What stands before the last slash of a label that is exclusive.
fn exclusive_scope(label: &Label) -> Option<&str> {
    label.name.rsplit_once('/').filter(|_| label.exclusive).map(|(scope, _)| scope)
}

/// `GET /repos/{owner}/{repo}/issues/{index}/labels`: all at once.
pub(super) fn borne(call: &Call, world: &World, repo: &Repo, number: &str) -> Answer {
    match repo.issues.iter().find(|issue| issue.number.to_string() == number) {
        Some(issue) => Answer::json(200, &of(call, world, repo, &issue.labels)),
        None => call.not_found(),
    }
}

/// `DELETE /repos/{owner}/{repo}/issues/{index}/labels/{id}`: 204 also where the issue never bore it, and in an
/// archived repository.
pub(super) fn remove(call: &Call, world: &mut World, at: usize, number: &str, id: &str) -> Answer {
    let repo = &world.repos[at];
    let Some(place) = repo.issues.iter().position(|issue| issue.number.to_string() == number) else {
        return call.not_found();
    };
    if world.rights(repo, call.viewer) < Mode::Write {
        return Answer::empty(403);
    }
    let id: u64 = id.parse().unwrap_or(0);
    if world.label(repo, id).is_none() {
        return call.refuse(422, &format!("label does not exist [label_id: {id}]"));
    }
    world.repos[at].issues[place].labels.retain(|borne| *borne != id);
    Answer::empty(204)
}

/// `GET /repos/{owner}/{repo}/milestones`.
pub(super) fn milestones(call: &Call, repo: &Repo) -> Answer {
    let state = call.query("state").unwrap_or("open");
    let name = call.query("name").unwrap_or_default().to_lowercase();
    let mut found: Vec<&Milestone> = repo
        .milestones
        .iter()
        .filter(|milestone| match state {
            "all" => true,
            "closed" => milestone.closed.is_some(),
            _ => milestone.closed.is_none(),
        })
        .filter(|milestone| call.seeding.text(&milestone.title).to_lowercase().contains(&name))
        .collect();
    found.sort_by_key(|milestone| (milestone.due.unwrap_or(0), milestone.id));
    let page = Page::of(call);
    let shown: Vec<Value> = page.cut(&found).iter().map(|one| self::milestone(call, repo, one)).collect();
    counted(Answer::json(200, &json!(shown)), found.len())
}

/// `GET /repos/{owner}/{repo}/milestones/{id}`: an id, else a title in exactly this case.
pub(super) fn one_milestone(call: &Call, repo: &Repo, id: &str) -> Answer {
    let by_id = repo.milestones.iter().find(|milestone| milestone.id.to_string() == id);
    let by_title = || repo.milestones.iter().find(|milestone| call.seeding.same(&milestone.title, id));
    match by_id.or_else(by_title) {
        Some(found) => Answer::json(200, &milestone(call, repo, found)),
        None => call.not_found(),
    }
}

/// A milestone, also inside an issue.
pub(super) fn milestone(call: &Call, repo: &Repo, milestone: &Milestone) -> Value {
    let count = |closed: bool| {
        let here = repo.issues.iter().filter(|issue| issue.milestone == Some(milestone.id));
        here.filter(|issue| issue.closed.is_some() == closed).count()
    };
    json!({
        "id": milestone.id,
        "title": call.seeding.text(&milestone.title),
        "description": call.seeding.text(&milestone.description),
        "state": if milestone.closed.is_some() { "closed" } else { "open" },
        "open_issues": count(false),
        "closed_issues": count(true),
        "created_at": rfc3339(milestone.created),
        "updated_at": rfc3339(milestone.closed.unwrap_or(milestone.created)),
        "closed_at": milestone.closed.map(rfc3339),
        "due_on": milestone.due.map(rfc3339),
    })
}
