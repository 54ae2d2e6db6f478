//! Making and changing labels and milestones. Gitea takes a second one of the same name, an archived repository, and
//! a milestone without a title.

use serde_json::Value;

use super::call::{Answer, Call};
use super::labels::{milestone, render};
use super::time::parse;
use super::world::{Label, Milestone, Mode, World};

/// The fields of a JSON body of somebody who may write, or Gitea's refusal. An archived repository is none here.
fn writing(call: &Call, world: &World, at: usize) -> Result<Value, Answer> {
    let Some(viewer) = call.viewer else { return Err(call.refuse(401, "token is required")) };
    if world.rights(&world.repos[at], Some(viewer)) < Mode::Write {
        return Err(call.refuse(403, "user should have a permission to write to a repo"));
    }
    match serde_json::from_slice::<Value>(&call.body) {
        Ok(body @ Value::Object(_)) => Ok(body),
        _ => Err(call.refuse(422, "[]: invalid JSON")),
    }
}

/// Six hex digits in lower case of three or six, with or without `#`; or Gitea's refusal.
fn color(call: &Call, given: &str) -> Result<String, Answer> {
    let digits = given.strip_prefix('#').unwrap_or(given).to_ascii_lowercase();
    if !matches!(digits.len(), 3 | 6) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(call.refuse(422, &format!("invalid color: #{}", given.trim_start_matches('#'))));
    }
    let short = digits.len() == 3;
    Ok(if short { digits.chars().flat_map(|digit| [digit, digit]).collect() } else { digits })
}

/// `POST /repos/{owner}/{repo}/labels`.
pub(super) fn create_label(call: &Call, world: &mut World, at: usize) -> Answer {
    let body = match writing(call, world, at) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    for (field, name) in [("name", "Name"), ("color", "Color")] {
        if text(field).is_empty() {
            return call.refuse(422, &format!("[{name}]: Required"));
        }
    }
    let color = match color(call, &text("color")) {
        Ok(color) => color,
        Err(refusal) => return refusal,
    };
    let own = world.repos.iter().flat_map(|repo| &repo.labels);
    let all = own.chain(world.org_labels.iter().map(|(_, label)| label));
    let id = all.map(|label| label.id).max().unwrap_or(0) + 1;
    let flag = |name: &str| body[name].as_bool().unwrap_or(false);
    let (exclusive, archived) = (flag("exclusive"), flag("is_archived"));
    let label =
        Label { id, name: text("name"), color, description: text("description"), exclusive, archived };
    world.repos[at].labels.push(label.clone());
    shown(call, world, at, 201, &label)
}

/// `PATCH /repos/{owner}/{repo}/labels/{id}`: an organisation's label is not there, and whoever does not say that the
/// label is archived brings it back.
pub(super) fn edit_label(call: &Call, world: &mut World, at: usize, id: &str) -> Answer {
    let body = match writing(call, world, at) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Some(place) = world.repos[at].labels.iter().position(|label| label.id.to_string() == id) else {
        return call.not_found();
    };
    let mut label = world.repos[at].labels[place].clone();
    if let Some(given) = body["color"].as_str() {
        match color(call, given) {
            Ok(color) => label.color = color,
            Err(refusal) => return refusal,
        }
    }
    for (field, kept) in [("name", &mut label.name), ("description", &mut label.description)] {
        if let Some(text) = body[field].as_str() {
            text.clone_into(kept);
        }
    }
    label.exclusive = body["exclusive"].as_bool().unwrap_or(label.exclusive);
    label.archived = body["is_archived"].as_bool().unwrap_or(false);
    world.repos[at].labels[place] = label.clone();
    shown(call, world, at, 200, &label)
}

fn shown(call: &Call, world: &World, at: usize, status: u16, label: &Label) -> Answer {
    let base = format!("/repos/{}/labels", world.full_name(&world.repos[at]));
    Answer::json(status, &render(call, &base, label))
}

/// `POST /repos/{owner}/{repo}/milestones`: any title, even none; the day must be a full time.
pub(super) fn create_milestone(call: &Call, world: &mut World, at: usize) -> Answer {
    let body = match writing(call, world, at) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let due = match body["due_on"].as_str() {
        None => None,
        Some(given) => match parse(given) {
            Some(time) => Some(time),
            None => {
                return call
                    .refuse(422, &format!("[]: parsing time {given:?} as \"2006-01-02T15:04:05Z07:00\""));
            }
        },
    };
    let id = world.repos.iter().flat_map(|repo| &repo.milestones).map(|one| one.id).max().unwrap_or(0) + 1;
    let created = world.tick();
    let closed = (text("state") == "closed").then_some(created);
    let made = Milestone { id, title: text("title"), description: text("description"), closed, created, due };
    world.repos[at].milestones.push(made.clone());
    Answer::json(201, &milestone(call, &world.repos[at], &made))
}
