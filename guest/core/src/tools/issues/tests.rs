//! Reading, opening and commenting.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals are handed over as they are written")]

mod assign;
mod comments;
mod diagnosis;
mod labels;
mod lists;
mod update;

use serde_json::{Value, json};

use crate::gitea::Error as GiteaError;
use crate::ports::{Failure, Method};
use crate::tools::fake::{OPEN_POLICY, Route, World};
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

fn issue(number: u64, labels: &[&str]) -> Value {
    let labels: Vec<Value> = labels.iter().map(|name| json!({ "id": 1, "name": name })).collect();
    json!({
        "id": 900, "number": number, "title": "A title", "body": "text", "state": "open",
        "user": { "login": "alice", "email": "alice@example.test" }, "labels": labels, "assignees": null,
        "milestone": null, "comments": 0, "is_locked": false, "created_at": "2026-11-22T00:28:04Z",
        "updated_at": "2026-11-22T00:28:04Z", "closed_at": null, "due_date": null, "ref": "",
        "pull_request": null, "html_url": "https://git.example.test/acme/site/issues/1",
    })
}

/// The name of an error.
fn reason(error: &Error) -> &'static str {
    match error {
        Error::Conflict { reason, .. } | Error::Busy { reason, .. } | Error::Unprocessable { reason, .. } => {
            reason
        }
        Error::NotFound { .. } => "not_found",
        Error::Gitea(error) => error.reason(),
    }
}

/// What was sent as the body of a write.
fn sent(world: &World, nth: usize) -> Value {
    let written = world.written();
    serde_json::from_slice(written[nth].body.as_deref().unwrap_or_default()).expect("JSON")
}

fn repository(more: Value) -> Value {
    and(json!({ "archived": false, "has_issues": true, "permissions": { "pull": true } }), more)
}

fn labelled() -> World {
    World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on(
            "GET /repos/acme/site/labels",
            json!([
                { "id": 1, "name": "bug" }, { "id": 2, "name": "Feature" },
                { "id": 3, "name": "twice" }, { "id": 4, "name": "twice" }, { "id": 5, "name": "a,b" },
            ]),
        )
        .on("GET /orgs/acme/labels", json!([{ "id": 60, "name": "org-wide" }]))
        .on("GET /repos/acme/site/assignees", json!([{ "login": "bob" }]))
}

#[test]
fn a_long_body_is_read_on_from_a_character() {
    let long = and(issue(7, &[]), json!({ "body": "é".repeat(2500) }));
    let world = World::with(OPEN_POLICY, &[("MAX_TOOL_RESPONSE_CHARS", "1000")])
        .on("GET /repos/acme/site/issues/7", long);
    let part = |first: u64| {
        let asked = json!({ "issue_number": 7, "start_character": first });
        let answer = world.answer("get_issue", and(site(), asked));
        let length = answer["issue"]["body"].as_str().map(|body| body.chars().count());
        (length, answer["truncated_how"].as_str().unwrap_or_default().to_owned())
    };
    let (length, how) = part(1);
    assert_eq!(length, Some(1000));
    assert!(how.contains("start_character=1001") && how.contains("do not send a part of it back"), "{how}");
    let (length, how) = part(2001);
    assert_eq!(length, Some(500));
    assert!(how.contains("2001 to 2500 of 2500") && !how.contains("to go on"), "{how}");
}

#[test]
fn an_issue_is_read_with_its_body_and_a_pull_request_says_what_it_is() {
    let pull =
        and(issue(36, &[]), json!({ "pull_request": { "merged": false, "merged_at": null, "draft": true } }));
    let world = World::open()
        .on("GET /repos/acme/site/issues/7", issue(7, &[]))
        .on("GET /repos/acme/site/issues/36", pull);
    let answer = world.answer("get_issue", and(site(), json!({ "issue_number": 7 })));
    assert_eq!(answer["issue"]["body"], "text");
    assert!(answer["issue"].get("pull_request").is_none() && answer["issue"].get("closed_at").is_none());
    let answer = world.answer("get_issue", and(site(), json!({ "issue_number": 36 })));
    assert_eq!(answer["issue"]["pull_request"], json!({ "merged": false, "draft": true }));
    let error = world.failure("get_issue", and(site(), json!({ "issue_number": 99 })));
    assert!(matches!(error, Error::NotFound { .. }) && error.message().contains("no issue 99"));
}

#[test]
fn secrets_and_hostile_characters_of_an_issue_do_not_leave() {
    let token = ["aegis", "_key_", "Zm9vYmFyYmF6cXV4cXV1eGNvcmdl"].concat();
    let hostile = and(issue(7, &[]), json!({ "title": "a\u{202e}b", "body": format!("key {token}") }));
    let world = World::open().on("GET /repos/acme/site/issues/7", hostile);
    let finished = world.call("get_issue", and(site(), json!({ "issue_number": 7 }))).expect("an issue");
    assert!(
        !finished.text.contains(&token) && finished.text.contains("\"title\":\"ab\""),
        "{}",
        finished.text
    );
    assert_eq!((finished.removed.secrets, finished.removed.characters), (1, 1));
}

#[test]
fn opens_an_issue_with_names_resolved_to_ids() {
    let opened = and(
        issue(8, &["bug", "Feature"]),
        json!({
            "assignees": [{ "login": "Bob" }], "milestone": { "id": 5, "title": "V1 Release", "state": "open" },
        }),
    );
    let world = labelled()
        .on(
            "GET /repos/acme/site/milestones?name=v1 release&state=all",
            json!([
                { "id": 5, "title": "V1 Release" }, { "id": 6, "title": "V1 Release candidate" },
            ]),
        )
        .route(Route::new("POST /repos/acme/site/issues", 201, opened));
    let answer = world.answer(
        "create_issue",
        and(
            site(),
            json!({
                "title": "A title", "body": "text\r\n", "labels": ["bug", "feature"], "assignees": ["BOB"],
                "milestone": "v1 release",
            }),
        ),
    );
    assert_eq!(answer["not_applied"], json!([]));
    assert_eq!(answer["issue"]["number"], 8);
    let written = world.written();
    assert_eq!(written.len(), 1);
    let body: Value = serde_json::from_slice(written[0].body.as_deref().unwrap_or_default()).expect("JSON");
    assert_eq!(
        body,
        json!({
            "title": "A title", "body": "text\r\n", "labels": [1, 2], "assignees": ["bob"], "milestone": 5,
        })
    );
    assert_eq!(written[0].method, Method::Post);
}

#[test]
fn a_milestone_may_be_an_id_as_number_or_text_or_a_title_of_digits() {
    let world = || {
        World::open()
            .on("GET /repos/acme/site", repository(json!({})))
            .on("GET /repos/acme/site/milestones/5", json!({ "id": 5, "title": "x" }))
            .on("GET /repos/acme/site/milestones?name=2026", json!([{ "id": 9, "title": "2026" }]))
            .route(Route::new("POST /repos/acme/site/issues", 201, issue(8, &[])))
    };
    for (choice, id) in [(json!(5), 5), (json!("5"), 5), (json!("2026"), 9)] {
        let world = world();
        world.answer("create_issue", and(site(), json!({ "title": "A title", "milestone": choice })));
        let written = world.written();
        let body: Value =
            serde_json::from_slice(written[0].body.as_deref().unwrap_or_default()).expect("JSON");
        assert_eq!(body["milestone"], id);
    }
}

#[test]
fn what_gitea_left_out_is_reported() {
    let world = labelled()
        .on("GET /repos/acme/site/milestones/5", json!({ "id": 5, "title": "x" }))
        .route(Route::new("POST /repos/acme/site/issues", 201, issue(8, &[])));
    let answer = world.answer("create_issue", and(site(), json!({
        "title": "Another title", "body": "other", "labels": ["bug"], "assignees": ["bob"], "milestone": "5",
    })));
    let fields: Vec<&Value> =
        answer["not_applied"].as_array().into_iter().flatten().map(|entry| &entry["field"]).collect();
    assert_eq!(fields, ["title", "body", "labels", "assignees", "milestone"]);
}

#[test]
fn nothing_is_written_when_a_check_fails() {
    let title = json!({ "title": "t" });
    let rows: [(&str, World, Value, &str); 7] = [
        ("unknown assignee", labelled(), json!({ "assignees": ["bob", "bbo"] }), "not_assignable"),
        ("unknown label", labelled(), json!({ "labels": ["nope"] }), "unknown_label"),
        (
            "unknown milestone",
            labelled().on("GET /repos/acme/site/milestones", json!([])),
            json!({ "milestone": "nope" }),
            "unknown_milestone",
        ),
        (
            "two milestones",
            labelled().on(
                "GET /repos/acme/site/milestones",
                json!([{ "id": 1, "title": "A" }, { "id": 2, "title": "a" }]),
            ),
            json!({ "milestone": " a " }),
            "",
        ),
        (
            "archived",
            World::open().on("GET /repos/acme/site", repository(json!({ "archived": true }))),
            json!({}),
            "repository_archived",
        ),
        (
            "issues off",
            World::open().on("GET /repos/acme/site", repository(json!({ "has_issues": false }))),
            json!({}),
            "issues_disabled",
        ),
        ("unseen", World::open(), json!({}), ""),
    ];
    for (name, world, more, expected) in rows {
        let world = world.route(Route::new("POST /repos/acme/site/issues", 201, issue(8, &[])));
        let outcome = world.call("create_issue", and(and(site(), title.clone()), more));
        if name == "two milestones" {
            // The exact spelling decides between two.
            assert!(outcome.is_ok(), "{outcome:?}");
            continue;
        }
        let error = outcome.expect_err(name).failed();
        let reason = match &error {
            Error::Conflict { reason, .. }
            | Error::Busy { reason, .. }
            | Error::Unprocessable { reason, .. } => reason,
            Error::NotFound { .. } => "",
            Error::Gitea(error) => error.reason(),
        };
        assert_eq!(reason, expected, "{name}");
        assert!(world.written().is_empty(), "{name}");
    }
}

#[test]
fn several_milestones_of_one_name_are_told_with_their_ids() {
    let world = labelled().on(
        "GET /repos/acme/site/milestones",
        json!([{ "id": 1, "title": "AA" }, { "id": 2, "title": "aA" }]),
    );
    let error = world.failure("create_issue", and(site(), json!({ "title": "t", "milestone": "aa" })));
    assert!(error.message().contains("1 (`AA`), 2 (`aA`)"), "{}", error.message());
}

#[test]
fn labels_of_an_organisation_that_cannot_be_read_are_added_by_name() {
    let world = || {
        World::open()
            .on("GET /repos/acme/site", repository(json!({})))
            .on("GET /repos/acme/site/labels", json!([{ "id": 1, "name": "bug" }]))
            .route(Route::new("GET /orgs/acme/labels", 403, json!({ "message": "scope" })))
            .route(Route::new("POST /repos/acme/site/issues", 201, issue(8, &["bug"])))
    };
    let arguments = and(site(), json!({ "title": "A title", "labels": ["bug", "org-wide"] }));
    let good = world()
        .on("POST /repos/acme/site/issues/8/labels", json!([{ "name": "bug" }, { "name": "org-wide" }]));
    let answer = good.answer("create_issue", arguments.clone());
    assert_eq!(answer["issue"]["labels"], json!(["bug", "org-wide"]));
    assert_eq!(answer["not_applied"], json!([]));

    for labels in [
        Route::new("POST /repos/acme/site/issues/8/labels", 200, json!([{ "name": "bug" }])),
        Route::new("POST /repos/acme/site/issues/8/labels", 403, json!({})),
        Route::failing("POST /repos/acme/site/issues/8/labels", Failure::TimedOut),
    ] {
        let answer = world().route(labels).answer("create_issue", arguments.clone());
        assert_eq!(answer["issue"]["number"], 8);
        assert_eq!(answer["not_applied"][0]["wanted"], "org-wide", "{answer}");
    }
}

#[test]
fn a_write_whose_answer_is_lost_is_sent_once_and_its_state_is_unknown() {
    let post = "POST /repos/acme/site/issues";
    for lost in [
        Route::failing(post, Failure::TimedOut),
        Route::failing(post, Failure::Broken("reset".into())),
        Route::failing(post, Failure::TooLarge),
        Route::new(post, 500, json!({ "message": "" })),
        Route::new(post, 502, json!(null)),
        Route::new(post, 503, json!(null)),
    ] {
        let world = World::open().on("GET /repos/acme/site", repository(json!({}))).route(lost);
        let error = world.failure("create_issue", and(site(), json!({ "title": "t" })));
        assert!(matches!(error, Error::Gitea(GiteaError::OutcomeUnknown { .. })), "{error:?}");
        assert!(error.message().contains("State unknown"));
        assert_eq!(world.written().len(), 1);
    }
    let world = World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .route(Route::failing(post, Failure::Unreachable("refused".into())));
    let error = world.failure("create_issue", and(site(), json!({ "title": "t" })));
    assert_eq!(error, Error::Gitea(GiteaError::Unreachable), "nothing was sent");
}

#[test]
fn comments_on_an_issue() {
    let world = World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on("GET /repos/acme/site/issues/7", issue(7, &[]))
        .route(Route::new(
            "POST /repos/acme/site/issues/7/comments",
            201,
            json!({
                "id": 19, "body": "hello", "user": { "login": "alice" }, "created_at": "2026-11-22T01:44:07Z",
                "html_url": "https://git.example.test/c",
            }),
        ));
    let answer =
        world.answer("create_issue_comment", and(site(), json!({ "issue_number": 7, "body": "hello" })));
    assert_eq!((&answer["comment"]["id"], &answer["not_applied"]), (&json!(19), &json!([])));
    assert_eq!(world.written().len(), 1);
}

#[test]
fn does_not_comment_where_it_must_not() {
    let pull = and(issue(36, &[]), json!({ "pull_request": { "merged": false } }));
    let open = || World::open().on("GET /repos/acme/site", repository(json!({})));
    let archived = World::open()
        .on("GET /repos/acme/site", repository(json!({ "archived": true })))
        .on("GET /repos/acme/site/issues/7", issue(7, &[]));
    for (world, number, said) in [
        (open(), 99, "no issue 99"),
        (open().on("GET /repos/acme/site/issues/36", pull), 36, "is a pull request; create_pr_comment"),
        (archived, 7, "is archived"),
    ] {
        let error = world
            .failure("create_issue_comment", and(site(), json!({ "issue_number": number, "body": "x" })));
        assert!(error.message().contains(said), "{}", error.message());
        assert!(world.written().is_empty());
    }
}
