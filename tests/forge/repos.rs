//! Repositories: one, the listings, the search, and who may do what on them.

use serde_json::{Value, json};

use super::Version;
use super::call::{Answer, Call};
use super::paging::{Page, counted, linked};
use super::people::{unknown_user, user};
use super::time::{NEVER, rfc3339};
use super::world::{Mode, Repo, Unit, World};

/// `GET /repos/{owner}/{repo}`.
pub(super) fn one(call: &Call, world: &World, repo: &Repo) -> Answer {
    Answer::json(200, &render(call, world, repo))
}

/// `GET /user/repos`: own, by collaboration, by team, and public ones of one's organisations, by name.
pub(super) fn mine(call: &Call, world: &World) -> Answer {
    let Some(viewer) = call.viewer else { return call.refuse(401, "token is required") };
    let mut found: Vec<&Repo> =
        world.repos.iter().filter(|repo| belongs(world, repo, viewer, false)).collect();
    by_name(world, &mut found);
    let page = Page::of(call);
    let shown: Vec<Value> = page.cut(&found).iter().map(|repo| render(call, world, repo)).collect();
    linked(Answer::json(200, &json!(shown)), call, page, found.len())
}

/// `GET /repos/search`.
pub(super) fn search(call: &Call, world: &World) -> Answer {
    let mode = call.query("mode").unwrap_or_default();
    if !matches!(mode, "" | "fork" | "source" | "mirror" | "collaborative") {
        return call.refuse(422, &format!("Invalid search mode: \"{mode}\""));
    }
    let owner: Option<u64> = call.query("uid").and_then(|uid| uid.parse().ok()).filter(|uid| *uid > 0);
    let exclusive = call.flag("exclusive").unwrap_or(false);
    let mut found: Vec<&Repo> = world
        .repos
        .iter()
        .filter(|repo| world.rights(repo, call.viewer) >= Mode::Read)
        .filter(|repo| owner.is_none_or(|owner| belongs(world, repo, owner, exclusive)))
        .filter(|repo| !repo.private || call.flag("private").unwrap_or(true))
        .filter(|repo| call.flag("is_private").is_none_or(|wanted| repo.private == wanted))
        .filter(|repo| call.flag("archived").is_none_or(|wanted| repo.archived == wanted))
        .filter(|_| !call.flag("template").unwrap_or(false) && !matches!(mode, "fork" | "mirror"))
        .filter(|repo| mode != "collaborative" || owner.is_some_and(|owner| repo.owner != owner))
        .filter(|repo| matches(call, repo))
        .collect();
    by_name(world, &mut found);
    if let Some(refusal) = sort(call, &mut found) {
        return refusal;
    }
    let page = Page::of(call);
    let shown: Vec<Value> = page.cut(&found).iter().map(|repo| render(call, world, repo)).collect();
    linked(Answer::json(200, &json!({ "ok": true, "data": shown })), call, page, found.len())
}

/// `q` is split at commas; any part may be met, by the name or, when asked for, by the description.
fn matches(call: &Call, repo: &Repo) -> bool {
    let Some(wanted) = call.query("q") else { return true };
    if call.flag("topic").unwrap_or(false) {
        return false;
    }
    let in_description = call.flag("includeDesc").unwrap_or(false);
    wanted.to_lowercase().split(',').filter(|part| !part.is_empty()).any(|part| {
        repo.name.to_lowercase().contains(part)
            || (in_description && repo.description.to_lowercase().contains(part))
    })
}

fn sort(call: &Call, found: &mut [&Repo]) -> Option<Answer> {
    let by = call.query("sort")?;
    let order = call.query("order").unwrap_or("asc");
    if !matches!(order, "asc" | "desc") {
        return Some(call.refuse(422, &format!("Invalid sort order: \"{order}\"")));
    }
    match by {
        "alpha" | "size" | "git_size" | "lfs_size" | "stars" | "forks" => {}
        "created" => found.sort_by_key(|repo| repo.created),
        "updated" => found.sort_by_key(|repo| repo.updated),
        "id" => found.sort_by_key(|repo| repo.id),
        _ => return Some(call.refuse(422, &format!("Invalid sort mode: \"{by}\""))),
    }
    if order == "desc" {
        found.reverse();
    }
    None
}

fn by_name(world: &World, repos: &mut [&Repo]) {
    repos.sort_by_key(|repo| world.full_name(repo).to_lowercase());
}

/// Whether a repository counts as somebody's: owned; or, unless only owned ones are wanted, shared with them.
fn belongs(world: &World, repo: &Repo, person: u64, owned_only: bool) -> bool {
    let shared =
        || repo.collaborators.iter().any(|(id, _)| *id == person) || world.is_member(repo.owner, person);
    repo.owner == person || (!owned_only && shared())
}

/// `GET /repos/{owner}/{repo}/languages`: bytes by language, nothing until somebody has counted.
pub(super) fn languages(repo: &Repo) -> Answer {
    let head = repo.git.resolve("HEAD").filter(|_| !repo.language.is_empty());
    let files = head.map(|head| head.tree.walk()).unwrap_or_default();
    let code = files.iter().filter(|(path, _)| path.ends_with(".rs")).filter_map(|(_, node)| node.blob());
    let bytes: usize = code.map(|blob| blob.bytes.len()).sum();
    let mut counted = json!({});
    if bytes > 0 {
        counted[repo.language] = json!(bytes);
    }
    Answer::json(200, &counted)
}

/// `GET /repos/{owner}/{repo}/topics`: counted, not linked.
pub(super) fn topics(call: &Call, repo: &Repo) -> Answer {
    let shown = Page::of(call).cut(&repo.topics);
    counted(Answer::json(200, &json!({ "topics": shown })), repo.topics.len())
}

/// `GET /repos/{owner}/{repo}/assignees`.
pub(super) fn assignees(call: &Call, world: &World, repo: &Repo) -> Answer {
    if call.viewer.is_none() {
        return call.refuse(401, "token is required");
    }
    let people: Vec<Value> =
        world.assignable(repo).into_iter().map(|id| user(call, world.account_by_id(id))).collect();
    Answer::json(200, &json!(people))
}

/// `GET /repos/{owner}/{repo}/collaborators/{login}/permission`: of oneself, or of anybody for an admin.
pub(super) fn permission(call: &Call, world: &World, repo: &Repo, login: &str) -> Answer {
    let Some(viewer) = call.viewer else { return call.refuse(401, "token is required") };
    let about_oneself = world.account_by_id(viewer).login.eq_ignore_ascii_case(login);
    if !about_oneself && world.rights(repo, Some(viewer)) < Mode::Admin {
        return call.refuse(
            403,
            "Only admins can query all permissions, repo admins can query all repo permissions, collaborators can query only their own",
        );
    }
    let Some(account) = world.account(login) else { return unknown_user(call, login, false) };
    let mode = world.base_rights(repo, Some(account.id)).name();
    Answer::json(200, &json!({ "permission": mode, "role_name": mode, "user": user(call, account) }))
}

/// A repository as shown to the one who asks.
pub(super) fn render(call: &Call, world: &World, repo: &Repo) -> Value {
    let full_name = world.full_name(repo);
    let rights = world.rights(repo, call.viewer);
    let code = world.sees(repo, call.viewer, Unit::Code);
    let open =
        |pulls: bool| repo.issues.iter().filter(|i| i.pull.is_some() == pulls && i.closed.is_none()).count();
    let mut shown = json!({
        "id": repo.id,
        "owner": user(call, world.account_by_id(repo.owner)),
        "name": repo.name,
        "full_name": full_name,
        "description": call.seeding.text(&repo.description),
        "empty": repo.git.is_empty(),
        "private": repo.private,
        "fork": false,
        "template": false,
        "mirror": false,
        "size": if repo.git.is_empty() { 24 } else { 34 },
        "language": repo.language,
        "languages_url": call.api(&format!("/repos/{full_name}/languages")),
        "html_url": format!("{}/{full_name}", call.root),
        "url": call.api(&format!("/repos/{full_name}")),
        "link": "",
        "ssh_url": format!("git@localhost:{full_name}.git"),
        "clone_url": format!("{}/{full_name}.git", call.root),
        "original_url": "",
        "website": "",
        "stars_count": 0,
        "forks_count": 0,
        "watchers_count": 1,
        "branch_count": repo.git.branches.len(),
        "open_issues_count": open(false),
        "open_pr_counter": open(true),
        "release_counter": repo.releases.iter().filter(|release| !release.draft).count(),
        "default_branch": repo.git.default_branch(),
        "archived": repo.archived,
        "created_at": rfc3339(repo.created),
        "updated_at": rfc3339(repo.updated),
        "archived_at": rfc3339(if repo.archived { repo.updated } else { 0 }),
        "permissions": {
            "admin": rights >= Mode::Admin, "push": code && rights >= Mode::Write, "pull": code && rights >= Mode::Read,
        },
    });
    merge(&mut shown, units(call.version));
    shown["topics"] = json!(repo.topics);
    if let (true, Some(fields)) = (call.version < Version::V1_26, shown.as_object_mut()) {
        fields.remove("branch_count");
    }
    shown
}

/// Units and merge settings: the same for every repository here.
fn units(version: Version) -> Value {
    let mut units = json!({
        "has_code": true,
        "has_issues": true,
        "internal_tracker": {
            "enable_time_tracker": true,
            "allow_only_contributors_to_track_time": true,
            "enable_issue_dependencies": true,
        },
        "has_wiki": true,
        "has_pull_requests": true,
        "has_projects": true,
        "projects_mode": "all",
        "has_releases": true,
        "has_packages": true,
        "has_actions": true,
        "ignore_whitespace_conflicts": false,
        "allow_merge_commits": true,
        "allow_rebase": true,
        "allow_rebase_explicit": true,
        "allow_squash_merge": true,
        "allow_fast_forward_only_merge": true,
        "allow_rebase_update": true,
        "allow_manual_merge": false,
        "autodetect_manual_merge": false,
        "default_delete_branch_after_merge": false,
        "default_merge_style": "merge",
        "default_allow_maintainer_edit": true,
        "avatar_url": "",
        "internal": false,
        "mirror_interval": "",
        "object_format_name": "sha1",
        "mirror_updated": NEVER,
        "topics": [],
        "licenses": [],
    });
    if version == Version::V1_27 {
        merge(
            &mut units,
            json!({ "allow_merge_update": true, "default_update_style": "merge", "mirror_last_sync_at": NEVER }),
        );
    }
    units
}

/// Add the fields of one object to another.
pub(super) fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
