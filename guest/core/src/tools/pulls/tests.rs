//! Listing, reading, opening and commenting on pull requests.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals are handed over as they are written")]

mod counts;

use serde_json::{Value, json};

use crate::gitea::Error as GiteaError;
use crate::ports::Failure;
use crate::tools::fake::{Route, Stopped, World};
use crate::tools::kit::Error;

fn site() -> Value {
    json!({ "owner": "acme", "repo": "site" })
}

fn and(mut base: Value, more: Value) -> Value {
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        base[key] = value;
    }
    base
}

fn end(branch: &str, owner: &str) -> Value {
    let id = if owner == "acme" { 3 } else { 9 };
    json!({
        "label": branch, "ref": branch, "sha": "e2134ed367659bc1c7af5518e5f2f9ee250b62f1", "repo_id": id,
        "repo": {
            "id": id, "name": "site", "private": owner == "private", "full_name": format!("{owner}/site"),
            "owner": { "login": owner, "email": "o@example.test" }, "description": "long and wide",
        },
    })
}

fn pull(number: u64, head: &str, owner: &str) -> Value {
    json!({
        "id": 900, "number": number, "title": "A title", "body": "text", "state": "open", "draft": false,
        "user": { "login": "alice", "email": "alice@example.test" }, "labels": [{ "name": "bug" }],
        "assignees": null, "milestone": null, "requested_reviewers": null, "comments": 2, "is_locked": false,
        "mergeable": true, "merged": false, "merged_at": null, "merge_commit_sha": null, "merged_by": null,
        "merge_base": "becb3a66782b2f27113e5c02991eb37d077f0fdf", "base": end("main", "acme"),
        "head": end(head, owner), "additions": 1, "deletions": 0, "changed_files": 1, "due_date": null,
        "created_at": "2026-11-22T00:28:05Z", "updated_at": "2026-11-22T00:28:05Z", "closed_at": null,
        "content_version": 4, "html_url": "https://git.example.test/acme/site/pulls/36",
        "diff_url": "https://git.example.test/acme/site/pulls/36.diff",
    })
}

const HIDING: &str = "defaults: {write: allow}\nrepositories:\n  mallory/*:\n    tools: {deny: [\"*\"]}\n";

#[test]
fn a_list_without_a_state_is_of_open_ones_and_the_state_is_always_sent() {
    for (state, word) in [(None, "open"), (Some("closed"), "closed"), (Some("all"), "all")] {
        let line = format!("GET /repos/acme/site/pulls?state={word}&page=1&limit=30");
        let world = World::open()
            .route(Route::new(&line, 200, json!([pull(36, "one", "acme")])).header("x-total-count", "1"));
        let answer = world.answer("list_pull_requests", and(site(), json!({ "state": state })));
        let row = &answer["pull_requests"][0];
        assert_eq!((&row["number"], &row["head"], &row["base"]), (&json!(36), &json!("one"), &json!("main")));
        assert_eq!((&row["assignees"], &answer["total"]), (&json!([]), &json!(1)));
        let text = answer.to_string();
        assert!(row.get("body").is_none() && !text.contains("example.test\"") && !text.contains("wide"));
    }
}

#[test]
fn an_empty_repository_has_no_pull_requests_and_that_is_no_failure() {
    for (repository, listed) in [
        (json!({ "empty": true, "has_pull_requests": true }), true),
        (json!({ "empty": true, "has_pull_requests": false }), false),
        (json!({ "empty": false, "has_pull_requests": true }), false),
    ] {
        let world = World::open().on("GET /repos/acme/site", repository.clone());
        if listed {
            let answer = world.answer("list_pull_requests", site());
            assert_eq!((&answer["pull_requests"], &answer["has_next"]), (&json!([]), &json!(false)));
        } else {
            let error = world.failure("list_pull_requests", site());
            assert!(format!("{error:?}").contains("turned off"), "{repository}: {error:?}");
        }
    }
}

#[test]
fn a_fork_is_named_only_where_the_policy_lists_it_and_everybody_may_see_it() {
    for (policy, owner, named) in [
        ("defaults: {write: allow}\n", "acme", false),
        ("defaults: {write: allow}\n", "mallory", true),
        (HIDING, "mallory", false),
        // The credential in use may see more than the user for whom it is used.
        ("defaults: {write: allow}\n", "private", false),
    ] {
        let world = World::with(policy, &[])
            .on("GET /repos/acme/site/pulls", json!([pull(36, "one", owner)]))
            .on("GET /repos/acme/site/pulls/36", pull(36, "one", owner));
        let list = world.answer("list_pull_requests", site());
        assert_eq!(list["pull_requests"][0].get("head_repository").is_some(), named, "{owner} {policy}");
        let one = world.answer("get_pull_request", and(site(), json!({ "pull_number": 36 })));
        let fork = format!("{owner}/site");
        let told = owner != "acme" && (one.to_string().contains(&fork) || list.to_string().contains(&fork));
        assert_eq!(told, named, "{one} {list}");
        assert_eq!(one["pull_request"]["head"]["ref"], "one", "the branch itself is told");
    }
}

#[test]
fn a_pull_request_whose_fork_is_gone_is_still_read() {
    let gone = json!({
        "label": "refs/pull/36/head", "ref": "refs/pull/36/head", "sha": "e2134ed367659bc1c7af5518e5f2f9ee250b62f1",
        "repo_id": -1, "repo": null,
    });
    let row = and(pull(36, "one", "acme"), json!({ "head": gone }));
    let world =
        World::open().on("GET /repos/acme/site/pulls", json!([row])).on("GET /repos/acme/site/pulls/36", row);
    let list = world.answer("list_pull_requests", site());
    assert_eq!(list["pull_requests"][0]["head"], "refs/pull/36/head");
    assert!(list["pull_requests"][0].get("head_repository").is_none());
    let one = world.answer("get_pull_request", and(site(), json!({ "pull_number": 36 })));
    assert_eq!(one["pull_request"]["head"]["ref"], "refs/pull/36/head");
    assert!(one["pull_request"]["head"].get("repository").is_none());
}

#[test]
fn a_pull_request_is_read_with_all_that_matters_and_nothing_of_its_repositories() {
    let read = and(
        pull(36, "one", "acme"),
        json!({
            "milestone": { "id": 1, "title": "V1", "description": "d" }, "merged": true, "state": "closed",
            "merged_by": { "login": "bob" }, "requested_reviewers": [{ "login": "carol" }], "review_comments": 3,
        }),
    );
    let world = World::open().on("GET /repos/acme/site/pulls/36", read);
    let answer = world.answer("get_pull_request", and(site(), json!({ "pull_number": 36 })));
    let found = &answer["pull_request"];
    assert_eq!(found["milestone"], json!({ "id": 1, "title": "V1" }));
    assert_eq!(found["base"]["repository"], "acme/site");
    assert_eq!((&found["merged_by"], &found["requested_reviewers"]), (&json!("bob"), &json!(["carol"])));
    for (field, expected) in [
        ("body", json!("text")),
        ("mergeable", json!(true)),
        ("merge_base", json!("becb3a66782b2f27113e5c02991eb37d077f0fdf")),
        ("additions", json!(1)),
        ("changed_files", json!(1)),
        ("review_comments", json!(3)),
        ("content_version", json!(4)),
    ] {
        assert_eq!(found[field], expected, "{field}");
    }
    let text = answer.to_string();
    assert!(!text.contains("wide") && !text.contains("alice@") && !text.contains("diff_url"), "{text}");
}

#[test]
fn what_is_no_pull_request_is_told_with_where_to_look() {
    for tool in ["get_pull_request", "list_pull_request_files", "list_pull_request_commits"] {
        let error = World::open().failure(tool, and(site(), json!({ "pull_number": 7 })));
        let Error::NotFound { message } = &error else { panic!("{tool}: {error:?}") };
        assert!(message.contains("no pull request 7") && message.contains("get_issue"), "{tool}: {message}");
    }
    let error = World::open().failure("list_pull_requests", site());
    assert!(error.message().contains("turned off"), "{}", error.message());
}

#[test]
fn files_that_the_policy_hides_are_left_out_by_either_name() {
    let policy = "repositories:\n  acme/site:\n    paths: {deny: [\"secrets/**\"]}\n";
    let file = |path: &str, before: Option<&str>| {
        json!({
            "filename": path, "previous_filename": before, "status": "renamed", "additions": 1, "deletions": 2,
            "changes": 3, "html_url": "https://x/secret-url", "raw_url": "https://x/raw",
        })
    };
    let rows = json!([
        file("src/a.rs", None), file("secrets/key", None), file("src/b.rs", Some("secrets/b")),
        file("secrets/c", Some("src/c.rs")), file("src/d.rs", Some("src/e.rs")), { "status": "added" },
        file("caf\u{fffd}", None),
    ]);
    let route = Route::new("GET /repos/acme/site/pulls/36/files", 200, rows).header("x-total-count", "7");
    let answer = World::with(policy, &[])
        .route(route)
        .answer("list_pull_request_files", and(site(), json!({ "pull_number": 36 })));
    let expected = json!([
        { "path": "src/a.rs", "status": "renamed", "additions": 1, "deletions": 2 },
        { "path": "src/d.rs", "previous_path": "src/e.rs", "status": "renamed", "additions": 1, "deletions": 2 },
    ]);
    assert_eq!(answer["files"], expected);
    assert_eq!((&answer["hidden_by_policy"], &answer["total"]), (&json!(5), &json!(2)));
    assert!(!answer.to_string().contains("secret"), "{answer}");
}

#[test]
fn commits_are_asked_for_without_what_is_slow_and_shown_as_previews() {
    let long = format!("Subject\n\n{}\n", "x".repeat(600));
    let commit = |message: &str, author: Value| {
        json!({
            "sha": "e2134ed367659bc1c7af5518e5f2f9ee250b62f1", "html_url": "https://git.example.test/c",
            "commit": { "message": message, "author": { "name": "Alice", "email": "a@example.test", "date": "2026-11-22T00:25:46Z" } },
            "author": author, "parents": [], "files": null, "stats": { "total": 1, "additions": 1, "deletions": 0 },
        })
    };
    let rows = json!([commit("short\n", json!({ "login": "alice" })), commit(&long, Value::Null)]);
    let line = "GET /repos/acme/site/pulls/36/commits?verification=false&files=false&page=1&limit=30";
    let world = World::open().route(Route::new(line, 200, rows).header("x-total-count", "2"));
    let answer = world.answer("list_pull_request_commits", and(site(), json!({ "pull_number": 36 })));
    let (first, second) = (&answer["commits"][0], &answer["commits"][1]);
    assert_eq!((&first["message"], &first["login"]), (&json!("short"), &json!("alice")));
    assert_eq!(first["additions"], 1);
    assert!(first.get("message_truncated").is_none() && second.get("login").is_none());
    assert_eq!(second["message_truncated"], true);
    assert_eq!(second["message"].as_str().map(|text| text.chars().count()), Some(500));
    assert!(!answer.to_string().contains("a@example.test"), "{answer}");
}

fn repository(more: Value) -> Value {
    and(json!({ "archived": false, "has_pull_requests": true, "empty": false }), more)
}

/// A repository with the branches `main` and `feature/one`.
fn branched(more: Value) -> World {
    World::open()
        .on("GET /repos/acme/site", repository(more))
        .on("GET /repos/acme/site/branches/main", json!({ "name": "main" }))
        .on("GET /repos/acme/site/branches/feature/one", json!({ "name": "feature/one" }))
}

fn wanted(more: Value) -> Value {
    let base = json!({ "title": "A title", "head": "feature/one", "base": "main", "body": "text" });
    and(and(site(), base), more)
}

const OPEN: &str = "POST /repos/acme/site/pulls";

#[test]
fn opens_a_pull_request_once_and_says_what_became_of_it() {
    let opened = and(pull(44, "feature/one", "acme"), json!({ "title": "WIP: A title", "draft": true }));
    let world = branched(json!({})).route(Route::new(OPEN, 201, opened));
    let answer = world.answer("create_pull_request", wanted(json!({ "title": "WIP: A title" })));
    let expected = json!({
        "number": 44, "title": "WIP: A title", "state": "open", "draft": true,
        "html_url": "https://git.example.test/acme/site/pulls/36",
    });
    assert_eq!((&answer["pull_request"], &answer["not_applied"]), (&expected, &json!([])));
    let written = world.written();
    assert_eq!(written.len(), 1);
    let body: Value = serde_json::from_slice(written[0].body.as_deref().unwrap()).unwrap();
    let sent = json!({ "title": "WIP: A title", "head": "feature/one", "base": "main", "body": "text" });
    assert_eq!(body, sent);
}

#[test]
fn what_gitea_made_otherwise_is_told() {
    let opened = and(pull(44, "another", "acme"), json!({ "title": "Cut", "body": "" }));
    let answer = branched(json!({}))
        .route(Route::new(OPEN, 201, opened))
        .answer("create_pull_request", wanted(json!({})));
    let fields: Vec<&Value> =
        answer["not_applied"].as_array().into_iter().flatten().map(|row| &row["field"]).collect();
    assert_eq!(fields, ["title", "body", "head"]);
}

#[test]
fn nothing_is_written_where_it_cannot_work() {
    for (more, arguments, reason) in [
        (json!({}), json!({ "head": "main" }), "same_branch"),
        (json!({ "archived": true }), json!({}), "repository_archived"),
        (json!({ "has_pull_requests": false }), json!({}), "pull_requests_disabled"),
        (json!({ "empty": true }), json!({}), "repository_empty"),
    ] {
        let world = branched(more);
        let error = world.failure("create_pull_request", wanted(arguments));
        let (Error::Conflict { reason: found, .. } | Error::Unprocessable { reason: found, .. }) = &error
        else {
            panic!("{reason}: {error:?}")
        };
        assert_eq!(*found, reason);
        assert!(world.written().is_empty(), "{reason}");
    }
}

#[test]
fn the_branch_that_is_missing_is_named() {
    for field in ["head", "base"] {
        let world = branched(json!({}));
        let error = world.failure("create_pull_request", wanted(json!({ field: "v1.0" })));
        let Error::NotFound { message } = &error else { panic!("{error:?}") };
        assert!(message.contains("no branch `v1.0`") && message.contains(field), "{message}");
        assert!(world.written().is_empty());
    }
}

#[test]
fn a_branch_of_another_repository_is_refused_before_anything_is_sent() {
    for (field, value) in
        [("head", "mallory:main"), ("head", "mallory/secret:main"), ("base", "mallory:main")]
    {
        let world = branched(json!({}));
        let stopped =
            world.call("create_pull_request", wanted(json!({ field: value }))).expect_err("refused");
        assert!(
            matches!(&stopped, Stopped::Argument(error) if error.field == field && error.message.contains("another repository")),
            "{stopped:?}"
        );
        assert!(world.asked().is_empty());
    }
}

#[test]
fn the_open_pull_request_that_is_in_the_way_is_named_by_its_number() {
    let exists = json!({ "message": "pull request already exists for these targets [id: 1, issue_id: 999]" });
    // A fork's branch of the same name is not in the way, nor one into another branch.
    let other = and(pull(5, "feature/one", "acme"), json!({ "base": end("release", "acme") }));
    let first = json!([pull(4, "feature/one", "mallory"), other]);
    let second = json!([pull(36, "feature/one", "acme")]);
    let at = |page: u32| format!("GET /repos/acme/site/pulls?state=open&base_branch=main&page={page}");
    let world = branched(json!({}))
        .route(Route::new(OPEN, 409, exists.clone()))
        .route(Route::new(&at(1), 200, first.clone()).header("link", "<x>; rel=\"next\""))
        .route(Route::new(&at(2), 200, second));
    let error = world.failure("create_pull_request", wanted(json!({})));
    let Error::Conflict { reason: "pull_request_exists", message } = &error else { panic!("{error:?}") };
    assert!(message.contains("number 36") && !message.contains("999"), "{message}");
    assert_eq!(world.written().len(), 1);

    let world =
        branched(json!({})).route(Route::new(OPEN, 409, exists)).route(Route::new(&at(1), 200, first));
    let message = world.failure("create_pull_request", wanted(json!({}))).message();
    assert!(message.contains("list_pull_requests") && !message.contains("number "), "{message}");
}

#[test]
fn a_pull_request_whose_answer_is_lost_may_exist_and_is_not_sent_again() {
    let world = branched(json!({})).route(Route::failing(OPEN, Failure::TimedOut));
    let error = world.failure("create_pull_request", wanted(json!({})));
    assert!(matches!(error, Error::Gitea(GiteaError::OutcomeUnknown { .. })), "{error:?}");
    assert_eq!(world.written().len(), 1);
}

fn comment(number: u64) -> Value {
    and(site(), json!({ "pull_number": number, "body": "Looks good." }))
}

const SAY: &str = "POST /repos/acme/site/issues/36/comments";

#[test]
fn a_comment_lands_on_the_pull_request_and_is_not_sent_back_whole() {
    let said = json!({
        "id": 5, "body": "Looks good.\r\n", "user": { "login": "alice" }, "created_at": "2026-11-22T00:28:05Z",
        "html_url": "https://git.example.test/acme/site/pulls/36#issuecomment-5",
    });
    let world = World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on("GET /repos/acme/site/pulls/36", pull(36, "one", "acme"))
        .route(Route::new(SAY, 201, said));
    let answer = world.answer("create_pr_comment", comment(36));
    assert_eq!((&answer["comment"]["id"], &answer["not_applied"]), (&json!(5), &json!([])));
    assert!(answer["comment"].get("body").is_none());
    assert_eq!(world.written().len(), 1);
}

#[test]
fn the_number_of_an_issue_or_of_nothing_gets_no_comment() {
    let world = World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on("GET /repos/acme/site/issues/7", json!({ "number": 7, "pull_request": null }))
        .on("GET /repos/acme/site/issues/8", json!({ "number": 8, "pull_request": { "merged": false } }));
    let error = world.failure("create_pr_comment", comment(7));
    let Error::Unprocessable { reason: "is_an_issue", message } = &error else { panic!("{error:?}") };
    assert!(message.contains("create_issue_comment"), "{message}");
    // A pull request that may be seen as an issue but whose code may not: the number is right, the right is not.
    for number in [8, 9] {
        let error = world.failure("create_pr_comment", comment(number));
        assert!(matches!(error, Error::NotFound { .. }), "{number}: {error:?}");
    }
    assert!(world.written().is_empty());
}

#[test]
fn an_archived_repository_or_a_locked_discussion_takes_no_comment() {
    let world = World::open()
        .on("GET /repos/acme/site", repository(json!({ "archived": true })))
        .on("GET /repos/acme/site/pulls/36", pull(36, "one", "acme"));
    let error = world.failure("create_pr_comment", comment(36));
    assert!(matches!(error, Error::Conflict { reason: "repository_archived", .. }), "{error:?}");
    assert!(world.written().is_empty());

    let world = World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on("GET /repos/acme/site/pulls/36", pull(36, "one", "acme"))
        .route(Route::new(SAY, 403, json!({ "message": "issue is locked" })));
    let error = world.failure("create_pr_comment", comment(36));
    assert!(matches!(error, Error::Gitea(GiteaError::Forbidden { .. })), "{error:?}");
}
