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

/// `POST /repos/{owner}/{repo}/issues/{index}/labels` by name: the organisation's labels too, in exactly this case;
/// unknown names are dropped without a word.
pub(super) fn add(call: &Call, world: &mut World, at: usize, number: &str) -> Answer {
    let repo = &world.repos[at];
    let Some(place) = repo.issues.iter().position(|issue| issue.number.to_string() == number) else {
        return call.not_found();
    };
    if world.rights(repo, call.viewer) < Mode::Write {
        return call.refuse(403, "write permission is required");
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let names: Vec<&str> =
        body["labels"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let ours = world.org_labels.iter().filter(|(owner, _)| *owner == repo.owner).map(|(_, label)| label);
    let known = repo.labels.iter().chain(ours).filter(|label| names.contains(&label.name.as_str()));
    let mut ids: Vec<u64> = repo.issues[place].labels.clone();
    for label in known {
        if !ids.contains(&label.id) {
            ids.push(label.id);
        }
    }
    world.repos[at].issues[place].labels.clone_from(&ids);
    Answer::json(200, &of(call, world, &world.repos[at], &ids))
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
