//! What is wanted of Gitea's answers leaves, in at most half of Gitea's bytes.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{answering, asked, body, exchange, golden, root};
use crate::tools::fake::{Route, World};

/// One tool on one recorded answer, and where each wanted field of it is in ours.
struct Compared {
    tool: &'static str,
    arguments: Value,
    recorded: &'static str,
    /// Gitea's object and ours.
    at: (&'static str, &'static str),
    /// Pairs of JSON pointers below these: Gitea's field, our field.
    fields: &'static [(&'static str, &'static str)],
    /// What the recorded object happens not to have, so that every field is compared.
    filled: Value,
}

const ISSUE: &[(&str, &str)] = &[
    ("/number", "/number"),
    ("/title", "/title"),
    ("/state", "/state"),
    ("/body", "/body"),
    ("/user/login", "/author"),
    ("/labels/0/name", "/labels/0"),
    ("/assignees/0/login", "/assignees/0"),
    ("/milestone/id", "/milestone/id"),
    ("/milestone/title", "/milestone/title"),
    ("/comments", "/comments"),
    ("/is_locked", "/is_locked"),
    ("/due_date", "/due_date"),
    ("/created_at", "/created_at"),
    ("/updated_at", "/updated_at"),
    ("/closed_at", "/closed_at"),
    ("/ref", "/ref"),
    ("/pull_request/merged", "/pull_request/merged"),
    ("/pull_request/merged_at", "/pull_request/merged_at"),
    ("/pull_request/draft", "/pull_request/draft"),
    ("/html_url", "/html_url"),
    ("/content_version", "/content_version"),
];

/// A list of issues holds no pull requests, and names a milestone flat.
const ISSUE_LINE: &[(&str, &str)] = &[
    ("/number", "/number"),
    ("/title", "/title"),
    ("/state", "/state"),
    ("/body", "/body"),
    ("/user/login", "/author"),
    ("/labels/0/name", "/labels/0"),
    ("/assignees/0/login", "/assignees/0"),
    ("/milestone/id", "/milestone_id"),
    ("/milestone/title", "/milestone"),
    ("/comments", "/comments"),
    ("/is_locked", "/is_locked"),
    ("/due_date", "/due_date"),
    ("/created_at", "/created_at"),
    ("/updated_at", "/updated_at"),
    ("/closed_at", "/closed_at"),
    ("/ref", "/ref"),
    ("/html_url", "/html_url"),
    ("/content_version", "/content_version"),
];

const PULL: &[(&str, &str)] = &[
    ("/number", "/number"),
    ("/title", "/title"),
    ("/state", "/state"),
    ("/body", "/body"),
    ("/user/login", "/author"),
    ("/labels/0/name", "/labels/0"),
    ("/assignees/0/login", "/assignees/0"),
    ("/milestone/id", "/milestone/id"),
    ("/milestone/title", "/milestone/title"),
    ("/comments", "/comments"),
    ("/is_locked", "/is_locked"),
    ("/due_date", "/due_date"),
    ("/created_at", "/created_at"),
    ("/updated_at", "/updated_at"),
    ("/closed_at", "/closed_at"),
    ("/html_url", "/html_url"),
    ("/content_version", "/content_version"),
    ("/draft", "/draft"),
    ("/merged", "/merged"),
    ("/merged_at", "/merged_at"),
    ("/merged_by/login", "/merged_by"),
    ("/merge_commit_sha", "/merge_commit_sha"),
    ("/mergeable", "/mergeable"),
    ("/merge_base", "/merge_base"),
    ("/base/ref", "/base/ref"),
    ("/base/sha", "/base/sha"),
    ("/base/repo/full_name", "/base/repository"),
    ("/head/ref", "/head/ref"),
    ("/head/label", "/head/label"),
    ("/head/sha", "/head/sha"),
    ("/head/repo/full_name", "/head/repository"),
    ("/requested_reviewers/0/login", "/requested_reviewers/0"),
    ("/review_comments", "/review_comments"),
    ("/additions", "/additions"),
    ("/deletions", "/deletions"),
    ("/changed_files", "/changed_files"),
];

/// Numbers, files and signatures are not asked for in a list: each row would cost Gitea a diff.
const COMMIT: &[(&str, &str)] = &[
    ("/sha", "/sha"),
    ("/commit/message", "/message"),
    ("/commit/author/name", "/author/name"),
    ("/commit/author/email", "/author/email"),
    ("/commit/author/date", "/author/date"),
    ("/commit/committer/name", "/committer/name"),
    ("/commit/committer/email", "/committer/email"),
    ("/commit/committer/date", "/committer/date"),
    ("/author/login", "/author_login"),
    ("/parents/0/sha", "/parents/0"),
    ("/html_url", "/html_url"),
];

/// Without the name, which is the end of the path, and the encoding, which is undone.
const FILE: &[(&str, &str)] = &[
    ("/path", "/path"),
    ("/sha", "/sha"),
    ("/size", "/size"),
    ("/last_commit_sha", "/last_commit_sha"),
    ("/html_url", "/html_url"),
];

fn compared() -> Vec<Compared> {
    let person = json!({ "login": "bob" });
    let of_both = json!({
        "labels": [{ "name": "bug" }], "assignees": [person], "milestone": { "id": 7, "title": "V1" },
        "is_locked": true, "due_date": "2026-12-31T23:59:59Z", "closed_at": "2026-11-23T00:00:00Z",
        "content_version": 3,
    });
    let with = |more: Value| merged(of_both.clone(), &more);
    vec![
        Compared {
            tool: "get_issue",
            arguments: json!({ "issue_number": 2 }),
            recorded: "issue",
            at: ("", "/issue"),
            fields: ISSUE,
            filled: with(json!({
                "ref": "main",
                "pull_request": { "merged": true, "merged_at": "2026-11-23T00:00:00Z", "draft": false },
            })),
        },
        Compared {
            tool: "list_issues",
            arguments: json!({ "limit": 2 }),
            recorded: "issues",
            at: ("/0", "/issues/0"),
            fields: ISSUE_LINE,
            filled: with(json!({ "ref": "main", "body": "text" })),
        },
        Compared {
            tool: "get_pull_request",
            arguments: json!({ "pull_number": 36 }),
            recorded: "pull",
            at: ("", "/pull_request"),
            fields: PULL,
            filled: with(json!({
                "merged": true, "merged_at": "2026-11-23T00:00:00Z", "merged_by": person,
                "merge_commit_sha": "becb3a66782b2f27113e5c02991eb37d077f0fdf", "requested_reviewers": [person],
                "review_comments": 4,
            })),
        },
        Compared {
            tool: "list_commits",
            arguments: json!({ "ref": "main", "limit": 2 }),
            recorded: "commits",
            at: ("/0", "/commits/0"),
            fields: COMMIT,
            filled: json!({ "commit": {
                "message": "what was done",
                "author": { "name": "Alice", "email": "alice@example.test", "date": "2026-11-22T00:29:50Z" },
                "committer": { "name": "Bob", "email": "bob@example.test", "date": "2026-11-23T00:29:50Z" },
            } }),
        },
        Compared {
            tool: "get_file_contents",
            arguments: json!({ "filepath": "src/main.rs", "ref": "main" }),
            recorded: "contents_ext_file",
            at: ("/file_contents", ""),
            fields: FILE,
            filled: json!({ "last_commit_sha": "cdc48bcfbdce682f04ff9378b4a6cff8e03e7853" }),
        },
    ]
}

fn merged(mut base: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        base[key] = value.clone();
    }
    base
}

impl Compared {
    /// What the tool answers where Gitea answers with this body.
    fn ours(&self, given: &Value) -> Value {
        let mut exchange = exchange(self.recorded);
        exchange["body"] = given.clone();
        let mut world = World::open().route(answering(&asked(&exchange), &exchange));
        if self.tool == "get_file_contents" {
            world = world.route(Route::new("GET /repos/alice/demo/commits", 200, body("commits")));
        }
        world.answer(self.tool, merged(json!({ "owner": "alice", "repo": "demo" }), &self.arguments))
    }
}

/// Bytes as they are sent; of a file, of everything but its content.
fn bytes(answer: &Value) -> usize {
    let mut answer = answer.clone();
    for at in ["/content", "/file_contents/content"] {
        if let Some(content) = answer.pointer_mut(at) {
            *content = "".into();
        }
    }
    answer.to_string().len()
}

#[test]
fn every_wanted_field_leaves() {
    for case in compared() {
        let mut given = body(case.recorded);
        let object = given.pointer_mut(case.at.0).expect("Gitea's object");
        *object = merged(object.take(), &case.filled);
        let ours = case.ours(&given);
        for (theirs, here) in case.fields {
            let wanted = given.pointer(&format!("{}{theirs}", case.at.0));
            assert!(wanted.is_some_and(|value| !value.is_null()), "{}: nothing at {theirs}", case.tool);
            let found = ours.pointer(&format!("{}{here}", case.at.1));
            assert_eq!(found, wanted, "{}: {theirs} as {here} in {ours}", case.tool);
        }
    }
}

#[test]
fn our_answers_have_at_most_half_of_giteas_bytes() {
    let mut table = "| Tool | Gitea's bytes | Ours | Ratio |\n|---|---|---|---|\n".to_owned();
    for case in compared() {
        let given = body(case.recorded);
        let (theirs, ours) = (bytes(&given), bytes(&case.ours(&given)));
        assert!(ours * 2 <= theirs, "{}: {ours} of {theirs} bytes", case.tool);
        writeln!(table, "| `{}` | {theirs} | {ours} | {} % |", case.tool, ours * 100 / theirs)
            .expect("a line");
    }
    golden(&root().join("tests/sizes.md"), &table);
}
