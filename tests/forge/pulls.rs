//! Pull requests: one, the list that shows all unless told a state, their files and commits, and opening one.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::call::{Answer, Call, encoded_path};
use super::commits;
use super::git::Change;
use super::git::{Commit, Git, Node, Tree};
use super::issues;
use super::labels;
use super::paging::{Page, linked, links};
use super::people::{user, user_unseen};
use super::repos;
use super::time::rfc3339;
use super::world::{Issue, Mode, Pull, Repo, Source, World};

/// `GET /repos/{owner}/{repo}/pulls/{index}`: an issue is not found here.
pub(super) fn one(call: &Call, world: &World, repo: &Repo, number: &str) -> Answer {
    match numbered(repo, number) {
        Some((issue, pull)) => Answer::json(200, &alone(call, world, repo, issue, pull)),
        None => call.not_found(),
    }
}

fn numbered<'a>(repo: &'a Repo, number: &str) -> Option<(&'a Issue, &'a Pull)> {
    let number: u64 = number.parse().unwrap_or(0);
    let issue = repo.issues.iter().find(|issue| issue.number == number)?;
    Some((issue, issue.pull.as_ref()?))
}

/// `GET /repos/{owner}/{repo}/pulls`: without a state all of them, open and closed.
pub(super) fn list(call: &Call, world: &World, repo: &Repo) -> Answer {
    let mut found: Vec<(&Issue, &Pull)> =
        repo.issues.iter().filter_map(|issue| Some((issue, issue.pull.as_ref()?))).collect();
    match call.query("state") {
        Some("open") => found.retain(|(issue, _)| issue.closed.is_none()),
        Some("closed") => found.retain(|(issue, _)| issue.closed.is_some()),
        _ => {}
    }
    if let Some(base) = call.query("base_branch") {
        found.retain(|(_, pull)| pull.base == base);
    }
    if let Some(login) = call.query("poster") {
        let Some(account) = world.account(login) else {
            return call.refuse(400, &format!("user does not exist [uid: 0, name: {login}]"));
        };
        found.retain(|(issue, _)| issue.poster == account.id);
    }
    if let Some(id) = Some(call.number("milestone")).filter(|id| *id > 0) {
        found.retain(|(issue, _)| issue.milestone == u64::try_from(id).ok());
    }
    let labels: Vec<u64> = call
        .query
        .iter()
        .filter(|(name, _)| name == "labels")
        .filter_map(|(_, id)| id.parse().ok())
        .collect();
    found.retain(|(issue, _)| labels.is_empty() || issue.labels.iter().any(|id| labels.contains(id)));
    found.sort_by_key(|(issue, _)| std::cmp::Reverse((issue.created, issue.id)));
    match call.query("sort") {
        Some("oldest") => found.reverse(),
        Some("recentupdate") => found.sort_by_key(|(issue, _)| std::cmp::Reverse(issue.updated)),
        Some("leastupdate") => found.sort_by_key(|(issue, _)| issue.updated),
        Some("mostcomment") => found.sort_by_key(|(issue, _)| std::cmp::Reverse(issue.comments.len())),
        Some("leastcomment") => found.sort_by_key(|(issue, _)| issue.comments.len()),
        _ => {}
    }
    let page = Page::of(call);
    let shown: Vec<Value> =
        page.cut(&found).iter().map(|(issue, pull)| render(call, world, repo, issue, pull)).collect();
    linked(Answer::json(200, &json!(shown)), call, page, found.len())
}

/// A pull request as lists show it.
fn render(call: &Call, world: &World, repo: &Repo, issue: &Issue, pull: &Pull) -> Value {
    let html_url = format!("{}/{}/pulls/{}", call.root, world.full_name(repo), issue.number);
    let base = repo.git.resolve(&pull.base);
    let head = tip(repo, pull);
    let milestone = repo.milestones.iter().find(|milestone| Some(milestone.id) == issue.milestone);
    let assignees: Vec<Value> =
        issue.assignees.iter().map(|id| user_unseen(call, world.account_by_id(*id))).collect();
    let merge_base = base.as_ref().zip(head.as_ref()).and_then(|(a, b)| common(&repo.git, a, b));
    let older = world.repos.iter().flat_map(|repo| &repo.issues);
    let id = older.filter(|one| one.pull.is_some() && one.id <= issue.id).count();
    json!({
        "id": id,
        "url": html_url,
        "number": issue.number,
        "user": user(call, world.account_by_id(issue.poster)),
        "title": call.seeding.text(&issue.title),
        "body": call.seeding.text(&issue.body),
        "labels": labels::of(call, world, repo, &issue.labels),
        "milestone": milestone.map(|milestone| labels::milestone(call, repo, milestone)),
        "assignee": assignees.first(),
        "assignees": if assignees.is_empty() { Value::Null } else { json!(assignees) },
        "requested_reviewers": null,
        "requested_reviewers_teams": null,
        "state": if issue.closed.is_some() { "closed" } else { "open" },
        "draft": is_draft(&issue.title),
        "is_locked": issue.locked,
        "comments": issue.comments.len(),
        "html_url": html_url,
        "diff_url": format!("{html_url}.diff"),
        "patch_url": format!("{html_url}.patch"),
        "mergeable": pull.merged.is_none() && !is_draft(&issue.title),
        "merged": pull.merged.is_some(),
        "merged_at": pull.merged.map(rfc3339),
        "merge_commit_sha": pull.merged.and(base.as_ref()).map(|commit| commit.sha.clone()),
        "merged_by": pull.merged.map(|_| user(call, world.account_by_id(repo.owner))),
        "allow_maintainer_edit": true,
        "base": {
            "label": pull.base,
            "ref": pull.base,
            "sha": base.map(|commit| commit.sha.clone()).unwrap_or_default(),
            "repo_id": repo.id,
            "repo": repos::render(call, world, repo),
        },
        "head": render_head(call, world, repo, issue, pull),
        "merge_base": merge_base.map(|commit| commit.sha.clone()).unwrap_or_default(),
        "due_date": issue.due.map(rfc3339),
        "created_at": rfc3339(issue.created),
        "updated_at": rfc3339(issue.updated),
        "closed_at": issue.closed.map(rfc3339),
        "pin_order": 0,
        "content_version": 0,
    })
}

/// The same by its number: with its size, and with empty lists where a list of them has nulls.
fn alone(call: &Call, world: &World, repo: &Repo, issue: &Issue, pull: &Pull) -> Value {
    let mut shown = render(call, world, repo, issue, pull);
    for name in ["assignees", "requested_reviewers", "requested_reviewers_teams"] {
        if shown[name].is_null() {
            shown[name] = json!([]);
        }
    }
    let changed = changes(repo, pull);
    let lines = commits::stats(&changed);
    shown["additions"] = lines["additions"].clone();
    shown["deletions"] = lines["deletions"].clone();
    shown["changed_files"] = json!(renamed(changed).len());
    shown
}

/// A fork that is gone or that the viewer may not see has no repository; a branch that is gone has Gitea's own ref.
fn render_head(call: &Call, world: &World, repo: &Repo, issue: &Issue, pull: &Pull) -> Value {
    let place = match pull.source {
        Source::Here => Some(repo),
        Source::Fork(id) => world.repos.iter().find(|fork| fork.id == id),
        Source::Gone => None,
    };
    let place = place.filter(|place| world.rights(place, call.viewer) >= Mode::Read);
    let there = place.is_some_and(|place| place.git.branches.iter().any(|(name, _)| *name == pull.head));
    json!({
        "label": pull.head,
        "ref": if there { pull.head.clone() } else { format!("refs/pull/{}/head", issue.number) },
        "sha": tip(repo, pull).map(|commit| commit.sha.clone()).unwrap_or_default(),
        "repo_id": place.map_or(-1, |place| i64::try_from(place.id).unwrap_or(-1)),
        "repo": place.map(|place| repos::render(call, world, place)),
    })
}

fn is_draft(title: &str) -> bool {
    let title = title.to_lowercase();
    title.starts_with("wip:") || title.starts_with("[wip]")
}

/// The newest commit of the head: of the branch while it is here, else the one that is known of it.
fn tip(repo: &Repo, pull: &Pull) -> Option<Arc<Commit>> {
    let here = repo.git.branches.iter().find(|(name, _)| pull.source == Source::Here && *name == pull.head);
    repo.git.get(here.map_or(&pull.tip, |(_, head)| head))
}

/// The newest commit that both come from.
fn common(git: &Git, one: &Commit, other: &Commit) -> Option<Arc<Commit>> {
    let known: HashSet<String> = git.history(one).iter().map(|commit| commit.sha.clone()).collect();
    git.history(other).into_iter().find(|commit| known.contains(&commit.sha))
}

/// What the head has that the base has not, file by file, by path.
fn changes(repo: &Repo, pull: &Pull) -> Vec<Change> {
    let (Some(base), Some(head)) = (repo.git.resolve(&pull.base), tip(repo, pull)) else { return Vec::new() };
    let Some(from) = common(&repo.git, &base, &head) else { return Vec::new() };
    let flat = |tree: &Tree| -> Vec<(String, Node)> {
        tree.walk().into_iter().filter(|(_, node)| !matches!(node, Node::Directory(_))).collect()
    };
    let (mut before, mut changed) = (flat(&from.tree), Vec::new());
    for (path, after) in flat(&head.tree) {
        let old =
            before.iter().position(|(known, _)| *known == path).map(|place| before.swap_remove(place).1);
        if old.as_ref().is_none_or(|old| old.sha() != after.sha() || old.mode() != after.mode()) {
            changed.push((path, old, Some(after)));
        }
    }
    changed.extend(before.into_iter().map(|(path, old)| (path, Some(old), None)));
    changed.sort_by(|a, b| a.0.cmp(&b.0));
    changed
}

/// The same with where each file was before: one that went and one that came with the same content are one.
fn renamed(changed: Vec<Change>) -> Vec<(Option<String>, Change)> {
    let sha = |node: &Option<Node>| node.as_ref().map(|node| node.sha().to_owned());
    let went: Vec<(String, Option<Node>)> = changed
        .iter()
        .filter(|(_, _, after)| after.is_none())
        .map(|(p, b, _)| (p.clone(), b.clone()))
        .collect();
    let mut moved = HashSet::new();
    let rows: Vec<(Option<String>, Change)> = changed
        .into_iter()
        .map(|(path, before, after)| {
            let from = went.iter().find(|(_, old)| before.is_none() && sha(old) == sha(&after));
            match from.filter(|(old, _)| moved.insert(old.clone())) {
                Some((old, node)) => (Some(old.clone()), (path, node.clone(), after)),
                None => (None, (path, before, after)),
            }
        })
        .collect();
    rows.into_iter().filter(|(_, (path, ..))| !moved.contains(path)).collect()
}

/// `GET /repos/{owner}/{repo}/pulls/{index}/files`: no text of the changes.
pub(super) fn files(call: &Call, world: &World, repo: &Repo, number: &str) -> Answer {
    let Some((_, pull)) = numbered(repo, number) else { return call.not_found() };
    let Some(head) = tip(repo, pull) else { return call.not_found() };
    let full_name = world.full_name(repo);
    let rows: Vec<Value> = renamed(changes(repo, pull))
        .into_iter()
        .map(|(from, change)| {
            let lines = commits::stats(std::slice::from_ref(&change));
            let (path, before, after) = change;
            let status = match (&from, before, after) {
                (Some(_), ..) => "renamed",
                (None, None, _) => "added",
                (None, _, None) => "deleted",
                _ => "changed",
            };
            let at = encoded_path(&path);
            let mut row = json!({
                "filename": call.seeding.path(&path),
                "status": status,
                "additions": lines["additions"],
                "deletions": lines["deletions"],
                "changes": lines["total"],
                "html_url": format!("{}/{full_name}/src/commit/{}/{at}", call.root, head.sha),
                "contents_url": call.api(&format!("/repos/{full_name}/contents/{at}?ref={}", head.sha)),
                "raw_url": format!("{}/{full_name}/raw/commit/{}/{at}", call.root, head.sha),
            });
            if let Some(from) = from {
                row["previous_filename"] = json!(call.seeding.path(&from));
            }
            row
        })
        .collect();
    paged(call, &rows)
}

/// `GET /repos/{owner}/{repo}/pulls/{index}/commits`, newest first; none where the base is gone.
pub(super) fn commits(call: &Call, world: &World, repo: &Repo, number: &str) -> Answer {
    let Some((_, pull)) = numbered(repo, number) else { return call.not_found() };
    let base = repo.git.branches.iter().find(|(name, _)| *name == pull.base);
    let base = base.and_then(|(_, head)| repo.git.get(head));
    let (Some(base), Some(head)) = (base, tip(repo, pull)) else { return call.not_found() };
    let known: HashSet<String> = repo.git.history(&base).iter().map(|commit| commit.sha.clone()).collect();
    let own = repo.git.history(&head).into_iter().filter(|commit| !known.contains(&commit.sha));
    let rows: Vec<Value> = own.map(|commit| commits::render(call, world, repo, &commit)).collect();
    paged(call, &rows)
}

/// A page with the headers of commits and files.
fn paged(call: &Call, rows: &[Value]) -> Answer {
    let page = Page::of(call);
    let (links, pages) = (links(call, page, rows.len()), page.count(rows.len()));
    let mut exposed = "X-Total-Count, X-Page, X-PerPage, X-PageCount, X-HasMore".to_owned();
    let mut answer = Answer::json(200, &json!(page.cut(rows)))
        .with("X-Total-Count", rows.len())
        .with("X-Page", page.number)
        .with("X-PerPage", page.size)
        .with("X-PageCount", pages)
        .with("X-HasMore", page.number < pages);
    if !links.is_empty() {
        answer = answer.with("Link", links);
        exposed.insert_str(0, "Link, ");
    }
    answer.with("Access-Control-Expose-Headers", exposed)
}

/// `POST /repos/{owner}/{repo}/pulls`. A head of `owner:branch` is one of another repository, which is then read.
pub(super) fn open(call: &Call, world: &mut World, at: usize) -> Answer {
    let Some(viewer) = call.viewer else { return call.refuse(401, "token is required") };
    if world.repos[at].archived {
        return call.refuse(423, &format!("{} is archived", world.full_name(&world.repos[at])));
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    if let Some(name) = ["Head", "Base", "Title"].iter().find(|name| text(&name.to_lowercase()).is_empty()) {
        return call.refuse(422, &format!("[{name}]: Required"));
    }
    let pull = match between(call, world, at, &text("head"), &text("base")) {
        Ok(pull) => pull,
        Err(refusal) => return refusal,
    };
    let repo = &world.repos[at];
    if world.rights(repo, Some(viewer)) < Mode::Write && pull.source == Source::Here {
        return call.refuse(403, "user should have permission to write to the head branch");
    }
    let mut known = repo.issues.iter().filter_map(|issue| Some((issue, issue.pull.as_ref()?)));
    let same = |one: &Pull| (one.source, &one.head, &one.base) == (pull.source, &pull.head, &pull.base);
    if let Some((issue, _)) = known.find(|(issue, one)| issue.closed.is_none() && same(one)) {
        let message = format!(
            "pull request already exists for these targets [id: 1, issue_id: {}, head_repo_id: {}, base_repo_id: \
             {}, head_branch: {}, base_branch: {}]",
            issue.number, repo.id, repo.id, pull.head, pull.base
        );
        return call.refuse(409, &message);
    }
    let (title, text) = (text("title").chars().take(255).collect(), text("body"));
    let issue = issues::add(world, at, viewer, title, text, Some(pull.clone()));
    Answer::json(201, &alone(call, world, &world.repos[at], &issue, &pull))
}

/// The pull request between two branches; what is not a branch is refused.
fn between(call: &Call, world: &World, at: usize, head: &str, base: &str) -> Result<Pull, Answer> {
    let repo = &world.repos[at];
    if head == base {
        return Err(
            call.refuse(422, "Invalid PullRequest: There are no changes between the head and the base")
        );
    }
    let (source, from, head) = match head.split_once(':') {
        None => (Source::Here, repo, head),
        Some((owner, branch)) => {
            let (owner, name) = owner.split_once('/').unwrap_or((owner, &repo.name));
            let place = world.account(owner).and_then(|account| world.repo(account.id, name));
            let fork = place.map(|place| &world.repos[place]);
            let Some(fork) = fork.filter(|fork| world.rights(fork, call.viewer) >= Mode::Read) else {
                return Err(call.not_found());
            };
            (if fork.id == repo.id { Source::Here } else { Source::Fork(fork.id) }, fork, branch)
        }
    };
    let branch = |repo: &Repo, name: &str| {
        repo.git.branches.iter().find(|(known, _)| known == name).map(|(_, head)| head.clone())
    };
    match (branch(from, head), branch(repo, base)) {
        (Some(tip), Some(_)) => {
            Ok(Pull { merged: None, head: head.to_owned(), source, tip, base: base.to_owned() })
        }
        _ => Err(call.not_found()),
    }
}
