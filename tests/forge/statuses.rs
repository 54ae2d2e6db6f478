//! What checks reported about commits.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::paging::{Page, counted};
use super::people::user_unseen;
use super::repos;
use super::time::rfc3339;
use super::world::{Repo, World};

/// The latest report of one check.
#[derive(Debug, Clone)]
pub struct Report {
    /// Commit.
    pub sha: String,
    /// Name of the check.
    pub context: String,
    /// What it says.
    pub state: &'static str,
    /// When.
    pub time: i64,
}

/// One good report on the head of `alice/demo`; sixty on the head of `acme/site`, of which the last one failed, so
/// that a first page of fifty looks good.
pub(super) fn plant(world: &mut World) {
    let head = |world: &World, name: &str| {
        let repo = world.repos.iter().find(|repo| world.full_name(repo) == name);
        repo.and_then(|repo| repo.git.branches.first()).map(|(_, sha)| sha.clone())
    };
    let report = |sha: &str, context: String, state: &'static str, time: i64| Report {
        sha: sha.to_owned(),
        context,
        state,
        time,
    };
    let mut reports = Vec::new();
    if let Some(sha) = head(world, "alice/demo") {
        reports.push(report(&sha, "ci/test".to_owned(), "success", world.clock));
    }
    if let Some(sha) = head(world, "acme/site") {
        for number in 1..=60 {
            let state = if number == 60 { "failure" } else { "success" };
            reports.push(report(&sha, format!("ci/{number:02}"), state, world.clock));
        }
    }
    world.statuses = reports;
}

/// `GET /repos/{owner}/{repo}/commits/{ref}/status`. State and count are of this page alone.
pub(super) fn combined(call: &Call, world: &World, repo: &Repo, name: &str) -> Answer {
    let hex = name.len() >= 7 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let exact = repo.git.exact(name).map(|(_, commit)| commit);
    let Some(commit) = exact.or_else(|| repo.git.resolve(name).filter(|_| hex)) else {
        return call.not_found();
    };
    let full_name = world.full_name(repo);
    let found: Vec<&Report> = world.statuses.iter().filter(|report| report.sha == commit.sha).collect();
    let shown = Page::of(call).cut(&found);
    let creator = world.accounts.iter().find(|account| account.login == "alice");
    let creator = creator.map(|account| user_unseen(call, account));
    let rows = shown.iter().zip(1..).map(|(report, id)| {
        json!({
            "id": id,
            "status": report.state,
            "target_url": "https://ci.example.test/1",
            "description": call.seeding.text("ok"),
            "url": call.api(&format!("/repos/{full_name}/statuses/{}", commit.sha)),
            "context": report.context,
            "creator": creator,
            "created_at": rfc3339(report.time),
            "updated_at": rfc3339(report.time),
        })
    });
    let rows: Vec<Value> = rows.collect();
    let state = if shown.iter().any(|report| matches!(report.state, "failure" | "error" | "warning")) {
        "failure"
    } else if !shown.is_empty() && shown.iter().all(|report| matches!(report.state, "success" | "skipped")) {
        "success"
    } else {
        "pending"
    };
    let body = json!({
        "state": state,
        "sha": commit.sha,
        "total_count": rows.len(),
        "statuses": if rows.is_empty() { Value::Null } else { json!(rows) },
        "repository": repos::render(call, world, repo),
        "commit_url": call.api(&format!("/repos/{full_name}/commits/{}", commit.sha)),
        "url": call.api(&format!("/repos/{full_name}/commits/{}/status", commit.sha)),
    });
    counted(Answer::json(200, &body), found.len())
}
