//! Releases: what is listed to whom, and what Gitea makes of a tag that exists, a target that does not, and a
//! repository that takes no writes.

use serde_json::{Value, json};

use super::call::{Answer, Call, encoded};
use super::paging::{Page, linked};
use super::people::user_unseen;
use super::time::rfc3339;
use super::world::{Mode, Release, Repo, World};

/// `GET /repos/{owner}/{repo}/releases`, newest first; counts what it shows.
pub(super) fn list(call: &Call, world: &World, repo: &Repo) -> Answer {
    let mut found: Vec<&Release> = repo
        .releases
        .iter()
        .filter(|release| !release.draft || sees_drafts(call, world, repo))
        .filter(|release| call.flag("draft").is_none_or(|wanted| release.draft == wanted))
        .filter(|release| call.flag("pre-release").is_none_or(|wanted| release.prerelease == wanted))
        .collect();
    found.sort_by_key(|release| std::cmp::Reverse((release.created, release.id)));
    let page = Page::of(call);
    let shown: Vec<Value> =
        page.cut(&found).iter().map(|release| render(call, world, repo, release)).collect();
    linked(Answer::json(200, &json!(shown)), call, page, found.len())
}

/// `GET /repos/{owner}/{repo}/releases/{id}`.
pub(super) fn one(call: &Call, world: &World, repo: &Repo, id: &str) -> Answer {
    shown(call, world, repo, repo.releases.iter().find(|release| release.id.to_string() == id))
}

/// `GET /repos/{owner}/{repo}/releases/tags/{tag}`: in any case.
pub(super) fn by_tag(call: &Call, world: &World, repo: &Repo, tag: &str) -> Answer {
    shown(call, world, repo, repo.releases.iter().find(|release| release.tag.eq_ignore_ascii_case(tag)))
}

/// `GET /repos/{owner}/{repo}/releases/latest`: neither draft nor prerelease.
pub(super) fn latest(call: &Call, world: &World, repo: &Repo) -> Answer {
    let full = repo.releases.iter().filter(|release| !release.draft && !release.prerelease);
    shown(call, world, repo, full.max_by_key(|release| (release.created, release.id)))
}

fn shown(call: &Call, world: &World, repo: &Repo, found: Option<&Release>) -> Answer {
    match found.filter(|release| !release.draft || sees_drafts(call, world, repo)) {
        Some(release) => Answer::json(200, &render(call, world, repo, release)),
        None => call.not_found(),
    }
}

/// Drafts are for those who may write, with a token that may.
fn sees_drafts(call: &Call, world: &World, repo: &Repo) -> bool {
    let may = |scopes: &Vec<String>| scopes.iter().any(|scope| scope == "all" || scope == "write:repository");
    world.rights(repo, call.viewer) >= Mode::Write && call.scopes.as_ref().is_none_or(may)
}

fn render(call: &Call, world: &World, repo: &Repo, release: &Release) -> Value {
    let full_name = world.full_name(repo);
    let (page, tag) = (format!("{}/{full_name}", call.root), encoded(&release.tag));
    let own = call.api(&format!("/repos/{full_name}/releases/{}", release.id));
    json!({
        "id": release.id,
        "tag_name": release.tag,
        "target_commitish": release.target,
        "name": call.seeding.text(&release.title),
        "body": call.seeding.text(&release.notes),
        "url": own,
        "html_url": format!("{page}/releases/tag/{tag}"),
        "tarball_url": format!("{page}/archive/{tag}.tar.gz"),
        "zipball_url": format!("{page}/archive/{tag}.zip"),
        "upload_url": format!("{own}/assets"),
        "draft": release.draft,
        "prerelease": release.prerelease,
        "created_at": rfc3339(release.created),
        "published_at": rfc3339(release.created),
        "author": user_unseen(call, world.account_by_id(release.author)),
        "assets": [],
    })
}

/// Who writes and the fields of the body, or Gitea's refusal.
fn writing(call: &Call, world: &World, at: usize) -> Result<(u64, Value), Answer> {
    let Some(viewer) = call.viewer else { return Err(call.refuse(401, "token is required")) };
    if world.rights(&world.repos[at], Some(viewer)) < Mode::Write {
        return Err(call.refuse(403, "user should have a permission to write to a repo"));
    }
    let Ok(body @ Value::Object(_)) = serde_json::from_slice::<Value>(&call.body) else {
        return Err(call.refuse(422, "[]: invalid JSON"));
    };
    // No refusal of its own for an archived repository: it fails.
    if world.repos[at].archived { Err(call.refuse(500, "")) } else { Ok((viewer, body)) }
}

/// `POST /repos/{owner}/{repo}/releases`.
pub(super) fn create(call: &Call, world: &mut World, at: usize) -> Answer {
    let (author, body) = match writing(call, world, at) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let flag = |name: &str| body[name].as_bool().unwrap_or(false);
    let (mut tag, mut target, draft) = (text("tag_name"), text("target_commitish"), flag("draft"));
    if tag.is_empty() {
        return call.refuse(422, "[TagName]: Required");
    }
    let repo = &world.repos[at];
    if repo.git.is_empty() {
        return call.refuse(422, "repo is empty");
    }
    if repo.releases.iter().any(|release| release.tag.eq_ignore_ascii_case(&tag)) {
        return call.refuse(409, "Release is has no Tag");
    }
    // A tag is known in any case, and keeps its own. The target is then ignored, but kept as it was sent.
    let existing = repo.git.tags.iter().find(|(name, _)| name.eq_ignore_ascii_case(&tag));
    if let Some((name, _)) = existing {
        tag.clone_from(name);
    } else {
        if target.is_empty() {
            target = repo.git.default_branch().to_owned();
        }
        if let Err(refusal) = put_tag(call, world, at, &tag, &target, draft) {
            return refusal;
        }
    }
    let id = world.repos.iter().flat_map(|repo| &repo.releases).map(|one| one.id).max().unwrap_or(0) + 1;
    let (title, notes, prerelease, created) = (text("name"), text("body"), flag("prerelease"), world.tick());
    let release = Release { id, tag, target, title, notes, draft, prerelease, author, created };
    world.repos[at].releases.push(release.clone());
    Answer::json(201, &render(call, world, &world.repos[at], &release))
}

/// Make the tag of what is published. A target that is nowhere is 404.
fn put_tag(
    call: &Call,
    world: &mut World,
    at: usize,
    tag: &str,
    target: &str,
    draft: bool,
) -> Result<(), Answer> {
    if draft {
        return Ok(());
    }
    let Some(commit) = world.repos[at].git.resolve(target) else {
        return Err(call.refuse(404, &format!("target \"{target}\" not found: object does not exist")));
    };
    world.repos[at].git.tags.push((tag.to_owned(), commit.sha.clone()));
    Ok(())
}

/// `PATCH /repos/{owner}/{repo}/releases/{id}`: empty texts are ignored; publishing makes the tag.
pub(super) fn edit(call: &Call, world: &mut World, at: usize, id: &str) -> Answer {
    let body = match writing(call, world, at) {
        Ok((_, body)) => body,
        Err(refusal) => return refusal,
    };
    let repo = &world.repos[at];
    let Some(place) = repo.releases.iter().position(|release| release.id.to_string() == id) else {
        return call.not_found();
    };
    let mut release = repo.releases[place].clone();
    let fields = [
        ("tag_name", &mut release.tag),
        ("target_commitish", &mut release.target),
        ("name", &mut release.title),
        ("body", &mut release.notes),
    ];
    for (name, field) in fields {
        if let Some(text) = body[name].as_str().filter(|text| !text.is_empty()) {
            text.clone_into(field);
        }
    }
    release.draft = body["draft"].as_bool().unwrap_or(release.draft);
    release.prerelease = body["prerelease"].as_bool().unwrap_or(release.prerelease);
    let tagged = repo.git.tags.iter().any(|(name, _)| *name == release.tag);
    if !tagged && put_tag(call, world, at, &release.tag, &release.target, release.draft).is_err() {
        return call.refuse(500, "");
    }
    world.repos[at].releases[place] = release.clone();
    Answer::json(200, &render(call, world, &world.repos[at], &release))
}
