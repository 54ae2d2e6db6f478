//! Commits and branches of a repository.

use serde_json::{Value, json};

use super::Version;
use super::call::{Answer, Call};
use super::git::{Change, Commit, Node};
use super::paging::{LARGEST_SIZE, Page, linked, links};
use super::people::user_unseen;
use super::time::{NEVER, rfc3339};
use super::world::{Mode, Repo, World};

/// `GET /repos/{owner}/{repo}/commits`.
pub(super) fn list(call: &Call, world: &World, repo: &Repo) -> Answer {
    if repo.git.is_empty() {
        return call.refuse(409, "Git Repository is empty.");
    }
    let name = call.query("sha").unwrap_or_else(|| repo.git.default_branch());
    let Some(start) = repo.git.resolve(name) else { return unknown(call, name) };
    let mut found = match call.query("path") {
        None => repo.git.history(&start),
        Some(path) => repo.git.history_of(&start, &call.seeding.plain(path)),
    };
    for bound in ["since", "until"] {
        let Some(text) = call.query(bound) else { continue };
        let Some(time) = super::time::parse(text) else {
            return call.refuse(422, &format!("parsing time \"{text}\" as RFC 3339 failed"));
        };
        found.retain(|commit| if bound == "since" { commit.time >= time } else { commit.time <= time });
    }
    if let Some(not) = call.query("not").and_then(|not| repo.git.resolve(not)) {
        let out: Vec<String> = repo.git.history(&not).iter().map(|commit| commit.sha.clone()).collect();
        found.retain(|commit| !out.contains(&commit.sha));
    }
    if call.query("path").is_some() && found.is_empty() {
        return call.not_found();
    }
    let page = Page::of(call);
    // With a path the server cuts by its own page size and uses `limit` for the totals alone.
    let cut = if call.query("path").is_some() { Page { size: LARGEST_SIZE, ..page } } else { page };
    let shown: Vec<Value> = cut.cut(&found).iter().map(|commit| render(call, world, repo, commit)).collect();
    let links = links(call, page, found.len());
    let pages = page.count(found.len());
    let mut exposed = "X-Total-Count, X-Page, X-PerPage, X-Total, X-PageCount, X-HasMore".to_owned();
    let mut answer = Answer::json(200, &json!(shown))
        .with("X-Total-Count", found.len())
        .with("X-Page", page.number)
        .with("X-PerPage", page.size)
        .with("X-Total", found.len())
        .with("X-PageCount", pages)
        .with("X-HasMore", page.number < pages);
    if !links.is_empty() {
        answer = answer.with("Link", links);
        exposed.insert_str(0, "Link, ");
    }
    answer.with("Access-Control-Expose-Headers", exposed)
}

/// 1.26 answers an unknown ref with 404 and the body `null`.
fn unknown(call: &Call, name: &str) -> Answer {
    match call.version {
        Version::V1_27 => call.refuse(404, &format!("object does not exist [id: {name}, rel_path: ]")),
        Version::V1_26 | Version::V1_24 => Answer::json(404, &Value::Null),
    }
}

/// A commit as lists show it.
pub(super) fn render(call: &Call, world: &World, repo: &Repo, commit: &Commit) -> Value {
    let full_name = world.full_name(repo);
    let url = call.api(&format!("/repos/{full_name}/git/commits/{}", commit.sha));
    let time = rfc3339(commit.time);
    let person =
        json!({ "name": call.seeding.text(&commit.author.0), "email": commit.author.1, "date": time });
    let account = world.accounts.iter().find(|account| account.email == commit.author.1);
    let account = account.map(|account| user_unseen(call, account));
    let parents: Vec<Value> = commit
        .parents
        .iter()
        .map(|sha| {
            let url = call.api(&format!("/repos/{full_name}/git/commits/{sha}"));
            json!({ "url": url, "sha": sha, "created": NEVER })
        })
        .collect();
    let wants = |name: &str| call.flag(name).unwrap_or(true);
    let changes = if wants("files") || wants("stat") { repo.git.changes(commit) } else { Vec::new() };
    json!({
        "url": url,
        "sha": commit.sha,
        "created": time,
        "html_url": format!("{}/{full_name}/commit/{}", call.root, commit.sha),
        "commit": {
            "url": url,
            "author": person,
            "committer": person,
            "message": call.seeding.text(&commit.message),
            // Gitea puts the commit's id where the tree's should be.
            "tree": {
                "url": call.api(&format!("/repos/{full_name}/git/trees/{}", commit.sha)),
                "sha": commit.sha,
                "created": time,
            },
            "verification": if wants("verification") { unsigned() } else { Value::Null },
        },
        "author": account,
        "committer": account,
        "parents": parents,
        "files": if wants("files") { files(call, &changes) } else { Value::Null },
        "stats": if wants("stat") { stats(&changes) } else { Value::Null },
    })
}

fn files(call: &Call, changes: &[Change]) -> Value {
    let shown = changes.iter().map(|(path, before, after)| {
        let status = match (before, after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "modified",
        };
        json!({ "filename": call.seeding.path(path), "status": status })
    });
    shown.collect()
}

/// Lines added and removed: what differs between the common beginning and the common end of each file.
pub(super) fn stats(changes: &[Change]) -> Value {
    let (mut additions, mut deletions) = (0, 0);
    for (_, before, after) in changes {
        let text = |node: &Option<Node>| {
            let bytes = node.as_ref().and_then(Node::blob).map(|blob| blob.bytes.clone());
            bytes
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .filter(|t| !t.contains('\0'))
                .unwrap_or_default()
        };
        let (before, after) = (text(before), text(after));
        let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
        let start = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
        let end =
            before[start..].iter().rev().zip(after[start..].iter().rev()).take_while(|(a, b)| a == b).count();
        additions += after.len() - start - end;
        deletions += before.len() - start - end;
    }
    json!({ "total": additions + deletions, "additions": additions, "deletions": deletions })
}

fn unsigned() -> Value {
    json!({
        "verified": false, "reason": "gpg.error.not_signed_commit", "signature": "", "signer": null, "payload": "",
    })
}

/// `GET /repos/{owner}/{repo}/branches`.
pub(super) fn branches(call: &Call, world: &World, repo: &Repo) -> Answer {
    let mut found: Vec<&(String, String)> = repo.git.branches.iter().collect();
    if let Some(part) = call.query("q").filter(|_| call.version == Version::V1_27) {
        found.retain(|(name, _)| name.to_lowercase().contains(&part.to_lowercase()));
    }
    let page = Page::of(call);
    let shown: Vec<Value> =
        page.cut(&found).iter().map(|(name, head)| render_branch(call, world, repo, name, head)).collect();
    linked(Answer::json(200, &json!(shown)), call, page, found.len())
}

/// `GET /repos/{owner}/{repo}/branches/{branch}`.
pub(super) fn branch(call: &Call, world: &World, repo: &Repo, name: &str) -> Answer {
    match repo.git.branches.iter().find(|(branch, _)| branch == name) {
        Some((name, head)) => Answer::json(200, &render_branch(call, world, repo, name, head)),
        None => call.not_found(),
    }
}

pub(super) fn render_branch(call: &Call, world: &World, repo: &Repo, name: &str, head: &str) -> Value {
    let Some(commit) = repo.git.get(head) else { return Value::Null };
    let account = world.accounts.iter().find(|account| account.email == commit.author.1);
    let person = json!({
        "name": call.seeding.text(&commit.author.0),
        "email": commit.author.1,
        "username": account.map_or("", |account| account.login.as_str()),
    });
    let may_push = world.rights(repo, call.viewer) >= Mode::Write;
    json!({
        "name": name,
        "commit": {
            "id": commit.sha,
            "message": call.seeding.text(&commit.message),
            "url": format!("{}/{}/commit/{}", call.root, world.full_name(repo), commit.sha),
            "author": person,
            "committer": person,
            "verification": unsigned(),
            "timestamp": rfc3339(commit.time),
            "added": null,
            "removed": null,
            "modified": null,
        },
        "protected": false,
        "required_approvals": 0,
        "enable_status_check": false,
        "status_check_contexts": [],
        "user_can_push": may_push,
        "user_can_merge": may_push,
        "effective_branch_protection_name": "",
    })
}
