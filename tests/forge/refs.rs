//! Tags, and the making of branches.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::commits::render_branch;
use super::paging::{Page, counted};
use super::time::rfc3339;
use super::world::{Mode, Repo, World};

/// `GET /repos/{owner}/{repo}/tags`. No `Link`, whatever follows.
pub(super) fn tags(call: &Call, world: &World, repo: &Repo) -> Answer {
    let page = Page::of(call);
    let shown: Vec<Value> =
        page.cut(&repo.git.tags).iter().map(|(name, sha)| render_tag(call, world, repo, name, sha)).collect();
    counted(Answer::json(200, &json!(shown)), repo.git.tags.len())
}

/// `GET /repos/{owner}/{repo}/tags/{tag}`.
pub(super) fn tag(call: &Call, world: &World, repo: &Repo, name: &str) -> Answer {
    match repo.git.tags.iter().find(|(tag, _)| tag == name) {
        Some((name, sha)) => Answer::json(200, &render_tag(call, world, repo, name, sha)),
        None => call.not_found(),
    }
}

fn render_tag(call: &Call, world: &World, repo: &Repo, name: &str, sha: &str) -> Value {
    let full_name = world.full_name(repo);
    let Some(commit) = repo.git.get(sha) else { return Value::Null };
    let archive = format!("{}/{full_name}/archive/{name}", call.root);
    json!({
        "name": name,
        "message": call.seeding.text(&commit.message),
        "id": sha,
        "commit": {
            "url": call.api(&format!("/repos/{full_name}/git/commits/{sha}")),
            "sha": sha,
            "created": rfc3339(commit.time),
        },
        "zipball_url": format!("{archive}.zip"),
        "tarball_url": format!("{archive}.tar.gz"),
    })
}

/// `POST /repos/{owner}/{repo}/branches`.
pub(super) fn make_branch(call: &Call, world: &mut World, at: usize) -> Answer {
    let Some(viewer) = call.viewer else { return call.refuse(401, "token is required") };
    let repo = &world.repos[at];
    if world.rights(repo, Some(viewer)) < Mode::Write {
        return call.refuse(403, "user should have a permission to write to the repo");
    }
    if repo.archived {
        return call.refuse(423, &format!("{} is archived", world.full_name(repo)));
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    if !call.body_is_json || !body.is_object() {
        return call.refuse(422, "[]: Unsupported Content-Type");
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let name = text("new_branch_name");
    if name.is_empty() || name.len() > 100 {
        return call.refuse(422, "[BranchName]: Required");
    }
    if repo.git.is_empty() {
        return call.refuse(404, "Git Repository is empty.");
    }
    let old = if body["old_ref_name"].is_string() { text("old_ref_name") } else { text("old_branch_name") };
    let old = if old.is_empty() { repo.git.default_branch().to_owned() } else { old };
    // A user's mistake, and yet Gitea calls it its own, in no words.
    let Some((_, commit)) = repo.git.exact(&old) else { return call.refuse(500, "") };
    let below = |one: &str, other: &str| other.strip_prefix(one).is_some_and(|rest| rest.starts_with('/'));
    if repo.git.branches.iter().any(|(branch, _)| *branch == name) {
        return call.refuse(409, "The branch already exists.");
    }
    if repo.git.tags.iter().any(|(tag, _)| *tag == name) {
        return call.refuse(409, "The branch with the same tag already exists.");
    }
    if repo.git.branches.iter().any(|(branch, _)| below(branch, &name) || below(&name, branch)) {
        return call.refuse(409, "The branch name conflicts with an existing branch.");
    }
    let sha = commit.sha.clone();
    world.repos[at].git.branches.push((name.clone(), sha.clone()));
    Answer::json(201, &render_branch(call, world, &world.repos[at], &name, &sha))
}
