//! Branches and tags.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals are handed over as they are written")]

use serde_json::{Value, json};

use crate::gitea;
use crate::ports::Failure;
use crate::tools::fake::{Route, Stopped, World};
use crate::tools::kit::Error;

fn id(digit: &str) -> String {
    digit.repeat(40)
}

fn branch(name: &str, digit: &str) -> Value {
    json!({
        "name": name,
        "commit": {
            "id": id(digit), "message": "add feature.txt\n", "url": "https://git.example.test/x",
            "author": { "name": "Alice", "email": "alice@example.test", "username": "alice" },
            "verification": { "verified": false }, "timestamp": "2026-11-22T00:25:46Z", "added": null,
        },
        "protected": true, "required_approvals": 2, "enable_status_check": true, "status_check_contexts": ["ci"],
        "user_can_push": false, "user_can_merge": true, "effective_branch_protection_name": "x",
    })
}

fn at(more: Value) -> Value {
    let mut arguments = json!({ "owner": "acme", "repo": "site" });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        arguments[key] = value;
    }
    arguments
}

#[test]
fn tags_and_branches_are_listed_slim_and_end_by_the_total() {
    let tag = json!({
        "name": "v1.0.0", "message": "m".repeat(600), "id": id("2"), "zipball_url": "x", "tarball_url": "x",
        "commit": { "url": "x", "sha": id("1"), "created": "2026-11-22T00:25:46Z" },
    });
    // Neither carries a Link.
    let world = World::open()
        .route(
            Route::new("GET /repos/acme/site/tags?page=1&limit=1", 200, json!([tag]))
                .header("x-total-count", "2"),
        )
        .route(
            Route::new(
                "GET /repos/acme/site/branches?page=1&limit=30",
                200,
                json!([branch("feature/one", "3")]),
            )
            .header("x-total-count", "1"),
        );
    let answer = world.answer("list_tags", at(json!({ "limit": 1 })));
    assert_eq!((&answer["has_next"], &answer["total"]), (&json!(true), &json!(2)));
    let row = &answer["tags"][0];
    assert_eq!(
        (&row["commit"], &row["id"], &row["message_truncated"]),
        (&json!(id("1")), &json!(id("2")), &json!(true))
    );

    let answer = world.answer("list_branches", at(json!({})));
    assert_eq!(answer["has_next"], false);
    assert_eq!(
        answer["branches"],
        json!([{
            "name": "feature/one", "commit": id("3"),
            "committed_at": "2026-11-22T00:25:46Z", "protected": true,
        }])
    );
}

#[test]
fn a_page_that_is_null_is_an_empty_one() {
    let world = World::open().on("GET /repos/acme/site/tags", Value::Null);
    assert_eq!(world.answer("list_tags", at(json!({ "page": 9 })))["tags"], json!([]));
}

#[test]
fn a_branch_is_found_by_its_whole_name() {
    let world = World::open().on("GET /repos/acme/site/branches/feature/one", branch("feature/one", "3"));
    let answer = world.answer("get_branch", at(json!({ "branch": "feature/one" })));
    let found = &answer["branch"];
    assert_eq!((&found["commit"], &found["required_approvals"]), (&json!(id("3")), &json!(2)));
    assert_eq!((&found["status_check_contexts"], &found["user_can_push"]), (&json!(["ci"]), &json!(false)));
    let error = world.failure("get_branch", at(json!({ "branch": "feature" })));
    let Error::NotFound { message } = error else { panic!("{error:?}") };
    assert!(message.contains("`feature`") && message.contains("list_branches"), "{message}");
    for bad in ["", "../x", "a//b", "a b", "bob:main"] {
        let stopped = world.call("get_branch", at(json!({ "branch": bad })));
        assert!(matches!(stopped, Err(Stopped::Argument(_))), "{bad}");
    }
}

fn place(more: Value) -> World {
    let mut repository =
        json!({ "archived": false, "empty": false, "mirror": false, "default_branch": "main" });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        repository[key] = value;
    }
    World::open()
        .on("GET /repos/acme/site", repository)
        .on("GET /repos/acme/site/commits?sha=v1", json!([{ "sha": id("5") }]))
        .on("GET /repos/acme/site/commits?sha=nosuch", json!([]))
        .on("GET /repos/acme/site/commits", json!([{ "sha": id("4") }]))
}

fn wanted(name: &str, old: Option<&str>) -> Value {
    at(json!({ "new_branch_name": name, "old_branch_name": old }))
}

fn post(status: u16, body: Value) -> Route {
    Route::new("POST /repos/acme/site/branches", status, body)
}

#[test]
fn a_branch_is_made_at_a_commit_that_is_known_before() {
    for (old, digit) in [(Some("v1"), "5"), (None, "4")] {
        let world = place(json!({})).route(post(201, branch("feature/two", digit)));
        let answer = world.answer("create_branch", wanted("feature/two", old));
        assert_eq!(
            (&answer["branch"]["name"], &answer["branch"]["commit"]),
            (&json!("feature/two"), &json!(id(digit)))
        );
        assert_eq!(answer["not_applied"], json!([]));
        let written = world.written();
        assert_eq!(written.len(), 1, "sent once");
        let body: Value = serde_json::from_slice(written[0].body.as_deref().unwrap_or_default()).unwrap();
        assert_eq!(body, json!({ "new_branch_name": "feature/two", "old_ref_name": id(digit) }));
    }
}

#[test]
fn what_gitea_made_of_it_is_compared_with_what_was_asked_for() {
    let world = place(json!({})).route(post(201, branch("other", "6")));
    let answer = world.answer("create_branch", wanted("new", None));
    let fields: Vec<&Value> =
        answer["not_applied"].as_array().into_iter().flatten().map(|row| &row["field"]).collect();
    assert_eq!(fields, ["new_branch_name", "old_branch_name"]);
}

#[test]
fn what_stands_in_the_way_is_named_and_nothing_is_sent() {
    let there = |path: &str, body: Value| Route::new(&format!("GET /repos/acme/site/{path}"), 200, body);
    let cases = [
        ("repository_archived", place(json!({ "archived": true })), "new"),
        ("repository_empty", place(json!({ "empty": true })), "new"),
        ("repository_is_a_mirror", place(json!({ "mirror": true })), "new"),
        ("branch_exists", place(json!({})).route(there("branches/new", branch("new", "7"))), "new"),
        (
            "branch_name_clashes",
            place(json!({})).route(there("branches/new", branch("new", "7"))),
            "new/part",
        ),
        ("tag_exists", place(json!({})).route(there("tags/v1.0", json!({ "name": "v1.0" }))), "v1.0"),
    ];
    for (expected, world, name) in cases {
        let error = world.failure("create_branch", wanted(name, None));
        let Error::Conflict { reason, message } = &error else { panic!("{error:?}") };
        assert_eq!(*reason, expected, "{message}");
        assert!(world.written().is_empty(), "{expected}");
    }
    let world = World::open().on("GET /repos/acme/site", json!({ "archived": false }));
    let error = world.failure("create_branch", wanted("new", Some("nosuch")));
    assert!(matches!(&error, Error::NotFound { message } if message.contains("nosuch")), "{error:?}");
    assert!(world.written().is_empty(), "Gitea would answer 500");
    let error = World::open().failure("create_branch", wanted("new", None));
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
}

#[test]
fn giteas_own_refusals_are_explained_and_a_lost_answer_is_not_tried_again() {
    let error = place(json!({}))
        .route(post(409, json!({ "message": "x" })))
        .failure("create_branch", wanted("a", None));
    let Error::Conflict { reason: "branch_name_clashes", message } = &error else { panic!("{error:?}") };
    assert!(message.contains("below `a/`"), "{message}");

    let world = place(json!({})).route(post(403, Value::Null));
    assert!(matches!(
        world.failure("create_branch", wanted("a", None)),
        Error::Gitea(gitea::Error::Forbidden { .. })
    ));

    for lost in [Route::failing("POST /repos/acme/site/branches", Failure::TimedOut), post(500, Value::Null)]
    {
        let world = place(json!({})).route(lost);
        let error = world.failure("create_branch", wanted("a", None));
        assert!(matches!(error, Error::Gitea(gitea::Error::OutcomeUnknown { .. })), "{error:?}");
        assert_eq!(world.written().len(), 1);
    }
}
