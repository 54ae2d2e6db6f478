//! The world of the examples, and which calls are made in it. Every tool has one line.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::{answering, asked, body, exchange};
use crate::tools::fake::{Route, World};

/// The newest commit of `main`.
const MAIN: &str = "900233057af24f7c8bf58bbfc5195c6a58766899";

/// Recorded exchanges that answer every request for their method and path.
const RECORDED: &[&str] = &[
    "add_labels",
    "assign",
    "assignees",
    "branch",
    "branches",
    "comments",
    "commit",
    "commit_diff",
    "commits",
    "contents_ext_file",
    "create_branch",
    "create_comment",
    "create_issue",
    "create_label",
    "create_milestone",
    "create_pull",
    "create_release",
    "edit_comment",
    "edit_release",
    "issue",
    "issues",
    "labels",
    "languages",
    "milestones",
    "org_labels",
    "org_repos",
    "pull",
    "pull_commits",
    "pull_files",
    "pulls",
    "release",
    "release_latest",
    "releases",
    "remove_label",
    "repo",
    "settings_api",
    "status_combined",
    "tags",
    "topics",
    "tree",
    "update_issue",
    "update_label",
    "user_orgs",
    "user_repos",
];

/// Every tool with the arguments of its example, beside the repository.
fn table() -> Vec<(&'static str, Value)> {
    vec![
        ("list_repositories", json!({ "limit": 2 })),
        ("get_repository_info", json!({})),
        ("get_repo_languages", json!({})),
        ("list_repo_topics", json!({})),
        ("list_organizations", json!({})),
        ("list_org_repositories", json!({ "org": "acme", "limit": 1 })),
        ("get_file_tree", json!({ "ref": "main" })),
        ("get_file_contents", json!({ "filepath": "src/main.rs", "ref": "main" })),
        ("search_code", json!({ "query": "println" })),
        ("list_commits", json!({ "ref": "main", "limit": 2 })),
        ("get_commit_diff", json!({ "sha": "main" })),
        ("compare_refs", json!({ "base": "main", "head": "feature/one" })),
        ("get_commit_status", json!({ "sha": "main" })),
        ("list_tags", json!({})),
        ("list_branches", json!({})),
        ("get_branch", json!({ "branch": "feature/one" })),
        ("create_branch", json!({ "new_branch_name": "rec-311846", "old_branch_name": "feature/one" })),
        ("list_issues", json!({ "limit": 2 })),
        ("get_issue", json!({ "issue_number": 2 })),
        ("list_issue_comments", json!({ "issue_number": 2, "limit": 1 })),
        (
            "create_issue",
            json!({
                "title": "Recorded 311846", "body": "text", "labels": ["bug"], "milestone": "1",
                "assignees": ["bob"],
            }),
        ),
        ("update_issue", json!({ "issue_number": 44, "title": "Recorded again 311846", "state": "closed" })),
        ("create_issue_comment", json!({ "issue_number": 44, "body": "a comment" })),
        ("edit_issue_comment", json!({ "comment_id": 19, "body": "edited" })),
        ("add_labels", json!({ "issue_number": 44, "labels": ["bug"] })),
        ("remove_labels", json!({ "issue_number": 44, "labels": ["bug"] })),
        ("assign_issue", json!({ "issue_number": 44, "assignees": ["alice"] })),
        ("list_labels", json!({ "limit": 2 })),
        ("create_label", json!({ "name": "rec-311846", "color": "#00aabb", "description": "d" })),
        ("update_label", json!({ "name": "rec-311846", "description": "e" })),
        ("list_milestones", json!({ "state": "all" })),
        ("create_milestone", json!({ "title": "rec-311846", "due_on": "2027-05-01" })),
        ("list_pull_requests", json!({ "limit": 1 })),
        ("get_pull_request", json!({ "pull_number": 36 })),
        ("list_pull_request_files", json!({ "pull_number": 36 })),
        ("list_pull_request_commits", json!({ "pull_number": 36 })),
        (
            "create_pull_request",
            json!({ "title": "Recorded 311846", "head": "rec-311846", "base": "main", "body": "b" }),
        ),
        ("create_pr_comment", json!({ "pull_number": 36, "body": "a comment" })),
        ("list_releases", json!({})),
        ("get_release", json!({ "release_id": 1 })),
        ("get_latest_release", json!({})),
        ("create_release", json!({ "tag_name": "rec-311846", "name": "r", "draft": true })),
        ("edit_release", json!({ "release_id": 3, "body": "notes" })),
    ]
}

/// The same with the repository of the world, where a tool is about one.
pub(super) fn calls() -> Vec<(&'static str, Value)> {
    let mut calls = table();
    for (tool, arguments) in &mut calls {
        if !matches!(*tool, "list_repositories" | "list_organizations" | "list_org_repositories") {
            arguments["owner"] = "alice".into();
            arguments["repo"] = "demo".into();
        }
    }
    calls
}

/// A Gitea that answers each request as it was recorded, and what a recording of single requests does not hold:
/// other refs, an archive, and objects as they were before this tool changed them.
pub(super) fn world(tool: &str) -> World {
    let mut world = between(before(World::open()));
    if tool == "update_label" {
        let mut label = body("update_label");
        label["description"] = "d".into();
        world = world.on("GET /repos/alice/demo/labels", json!([label]));
    }
    if tool == "create_pull_request" {
        world = world.on("GET /repos/alice/demo/branches/rec-311846", body("create_branch"));
    }
    for name in RECORDED {
        let exchange = exchange(name);
        let mut line = asked(&exchange);
        if *name == "status_combined" {
            line = format!("GET /repos/alice/demo/commits/{MAIN}/status");
        }
        world = world.route(answering(&line, &exchange));
    }
    world
}

/// What the writes change, as it was before.
fn before(world: World) -> World {
    let mut fresh = body("create_issue");
    for field in ["labels", "assignees"] {
        fresh[field] = json!([]);
    }
    let label = body("issue_labels")[0].clone();
    let release = body("edit_release");
    world
        .on("GET /repos/alice/demo/issues/44", fresh)
        .route(Route::new("GET /repos/alice/demo/issues/44/labels", 200, json!([label])).once())
        .on("GET /repos/alice/demo/issues/44/labels", json!([]))
        .on("GET /repos/alice/demo/issues/36", body("issue_that_is_a_pull"))
        .on("GET /repos/alice/demo/issues/comments/19", body("create_comment"))
        .on("GET /repos/alice/demo/milestones/1", body("milestones")[1].clone())
        .on("GET /repos/alice/demo/branches/main", body("branches")[0].clone())
        .on("GET /repos/alice/demo/releases/3", release)
        .route(Route::new("POST /repos/alice/demo/issues/36/comments", 201, body("create_comment")))
}

/// What lies between `main` and `feature/one`, and the packed commit.
fn between(world: World) -> World {
    let head = body("pull_commits");
    let tip = head[0]["sha"].as_str().unwrap_or_default().to_owned();
    let range = format!("GET /repos/alice/demo/compare/{MAIN}...{tip}?output=diff");
    let archive = format!("GET /repos/alice/demo/archive/{MAIN}.tar.gz");
    world
        .on("GET /repos/alice/demo/commits?sha=feature/one", head.clone())
        .on(&format!("GET /repos/alice/demo/commits?sha={tip}"), head)
        .route(answering(&range, &exchange("compare_diff")))
        .route(Route::bytes(&archive, "application/gzip", &packed()))
}

/// The archive of a commit with one file.
fn packed() -> Vec<u8> {
    let content = b"fn main() {\n    println!(\"hello\");\n}\n";
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(content.len()).expect("a size"));
    header.set_mode(0o644);
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    builder.append_data(&mut header, "demo/src/main.rs", &content[..]).expect("an entry");
    let mut gzip = builder.into_inner().expect("a tar");
    gzip.flush().expect("all of it");
    gzip.finish().expect("an archive")
}
