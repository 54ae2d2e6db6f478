//! Changes to issues that are there: fields, comments, assignees. Gitea applies the fields of a change one after
//! the other and stops where it refuses one; what came before stays done.

use serde_json::Value;

use super::Version;
use super::call::{Answer, Call};
use super::issues::{fields, numbered, render, render_comment};
use super::world::{Comment, Issue, Mode, Repo, World};

/// `PATCH /repos/{owner}/{repo}/issues/{index}`: of pull requests too, and of archived repositories.
pub(super) fn edit(call: &Call, world: &mut World, at: usize, number: &str) -> Answer {
    let Some(viewer) = call.viewer else { return call.refuse(401, "token is required") };
    let body = match fields(call, None) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Some(place) = place(&world.repos[at], number) else { return call.not_found() };
    let writes = world.rights(&world.repos[at], Some(viewer)) >= Mode::Write;
    if world.repos[at].issues[place].poster != viewer && !writes {
        return Answer::empty(403);
    }
    let now = world.tick();
    let steps = [text, assignees, milestone, state];
    for step in steps {
        if let Err(refusal) = step(call, world, (at, place), &body, Who { writes, now }) {
            return refusal;
        }
    }
    world.repos[at].issues[place].updated = now;
    let repo = &world.repos[at];
    Answer::json(201, &render(call, world, repo, &repo.issues[place]))
}

/// What the one who changes may do, and when it is.
#[derive(Clone, Copy)]
struct Who {
    writes: bool,
    now: i64,
}

type Step = Result<(), Answer>;

/// An empty title is ignored, an empty body is not.
fn text(call: &Call, world: &mut World, (at, place): (usize, usize), body: &Value, _: Who) -> Step {
    let issue = &mut world.repos[at].issues[place];
    if let Some(title) = body["title"].as_str().filter(|title| !title.is_empty()) {
        issue.title = title.chars().take(255).collect();
    }
    if let Some(text) = body["body"].as_str() {
        if body["content_version"].as_u64().is_some_and(|version| version != issue.content_version) {
            return Err(call.refuse(409, "content has been changed by another user"));
        }
        text.clone_into(&mut issue.body);
        issue.content_version += 1;
    }
    Ok(())
}

/// The whole list, dropped without a word for whoever may not write; a name that cannot be assigned is a failure.
fn assignees(call: &Call, world: &mut World, (at, place): (usize, usize), body: &Value, who: Who) -> Step {
    let Some(logins) = body["assignees"].as_array().filter(|_| who.writes) else { return Ok(()) };
    let allowed = world.assignable(&world.repos[at]);
    let mut ids = Vec::new();
    for login in logins.iter().filter_map(Value::as_str) {
        match world.account(login).filter(|account| allowed.contains(&account.id)) {
            Some(account) => ids.push(account.id),
            None => return Err(call.refuse(500, "")),
        }
    }
    world.repos[at].issues[place].assignees = ids;
    Ok(())
}

/// Dropped for whoever may not write; an unknown id is a failure.
fn milestone(call: &Call, world: &mut World, (at, place): (usize, usize), body: &Value, who: Who) -> Step {
    let Some(id) = body["milestone"].as_u64().filter(|_| who.writes) else { return Ok(()) };
    let repo = &mut world.repos[at];
    if id != 0 && repo.milestones.iter().all(|milestone| milestone.id != id) {
        return Err(call.refuse(500, ""));
    }
    repo.issues[place].milestone = Some(id).filter(|id| *id != 0);
    Ok(())
}

fn state(call: &Call, world: &mut World, (at, place): (usize, usize), body: &Value, who: Who) -> Step {
    let repo = &mut world.repos[at];
    let issue = &repo.issues[place];
    let waits = issue
        .blocked_by
        .iter()
        .any(|number| repo.issues.iter().any(|other| other.number == *number && other.closed.is_none()));
    let merged = issue.pull.as_ref().is_some_and(|pull| pull.merged.is_some());
    match body["state"].as_str() {
        None => return Ok(()),
        Some("open" | "closed") if merged => {
            return Err(call.refuse(412, "cannot change state of this pull request, it was already merged"));
        }
        Some("closed") if waits => {
            let message = "cannot close this issue or pull request because it still has open dependencies";
            return Err(call.refuse(412, message));
        }
        Some("closed") => {
            let closed = issue.closed.or(Some(who.now));
            repo.issues[place].closed = closed;
        }
        Some("open") => repo.issues[place].closed = None,
        Some(other) => return Err(call.refuse(412, &format!("unknown state: {other}"))),
    }
    Ok(())
}

/// `POST /repos/{owner}/{repo}/issues/{index}/assignees`, since 1.27: adds.
pub(super) fn assign(call: &Call, world: &mut World, at: usize, number: &str) -> Answer {
    if call.version < Version::V1_27 {
        return Answer::no_route();
    }
    let Some(viewer) = call.viewer else { return call.refuse(401, "token is required") };
    let repo = &world.repos[at];
    if repo.archived {
        return call.refuse(423, &format!("{} is archived", world.full_name(repo)));
    }
    let Some(place) = place(repo, number) else { return call.not_found() };
    if world.rights(repo, Some(viewer)) < Mode::Write {
        return Answer::empty(403);
    }
    let body = match fields(call, None) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let mut ids = repo.issues[place].assignees.clone();
    for login in body["assignees"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let Some(account) = world.account(login) else {
            return call.refuse(422, &format!("user does not exist [uid: 0, name: {login}]"));
        };
        if !world.assignable(repo).contains(&account.id) {
            return call.refuse(403, &format!("user {login} cannot be assigned"));
        }
        if !ids.contains(&account.id) {
            ids.push(account.id);
        }
    }
    let now = world.tick();
    world.repos[at].issues[place].assignees = ids;
    world.repos[at].issues[place].updated = now;
    let repo = &world.repos[at];
    Answer::json(201, &render(call, world, repo, &repo.issues[place]))
}

/// `GET /repos/{owner}/{repo}/issues/comments/{id}`: nothing where the id is that of an event.
pub(super) fn one_comment(call: &Call, world: &World, repo: &Repo, id: &str) -> Answer {
    match comment(repo, id) {
        Some((issue, comment)) => Answer::json(200, &render_comment(call, world, repo, issue, comment)),
        None if event(repo, id) => Answer::empty(204),
        None => call.not_found(),
    }
}

/// `PATCH /repos/{owner}/{repo}/issues/comments/{id}`.
pub(super) fn edit_comment(call: &Call, world: &mut World, at: usize, id: &str) -> Answer {
    let Some(viewer) = call.viewer else { return call.refuse(401, "token is required") };
    let repo = &world.repos[at];
    if repo.archived {
        return call.refuse(423, &format!("{} is archived", world.full_name(repo)));
    }
    let body = match fields(call, Some("body")) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Some((_, found)) = comment(repo, id) else {
        return if event(repo, id) { Answer::empty(204) } else { call.not_found() };
    };
    if found.poster != viewer && world.rights(repo, Some(viewer)) < Mode::Write {
        return Answer::empty(403);
    }
    let (id, now) = (found.id, world.tick());
    let comments = world.repos[at].issues.iter_mut().flat_map(|issue| &mut issue.comments);
    for comment in comments.filter(|comment| comment.id == id) {
        body["body"].as_str().unwrap_or_default().clone_into(&mut comment.body);
        comment.updated = now;
    }
    one_comment(call, world, &world.repos[at], &id.to_string())
}

fn place(repo: &Repo, number: &str) -> Option<usize> {
    let number = numbered(repo, number)?.number;
    repo.issues.iter().position(|issue| issue.number == number)
}

/// A comment of this repository: ids count over all of them.
fn comment<'a>(repo: &'a Repo, id: &str) -> Option<(&'a Issue, &'a Comment)> {
    let id: u64 = id.parse().unwrap_or(0);
    let comments = repo.issues.iter().flat_map(|issue| issue.comments.iter().map(move |one| (issue, one)));
    comments.into_iter().find(|(_, comment)| comment.id == id)
}

fn event(repo: &Repo, id: &str) -> bool {
    let id: u64 = id.parse().unwrap_or(0);
    repo.issues.iter().any(|issue| issue.events.contains(&id))
}
