//! Changing an issue.

use serde_json::{Value, json};

use super::{and, issue, reason, repository, sent, site};
use crate::gitea::Error as GiteaError;
use crate::ports::Failure;
use crate::tools::fake::{Route, Stopped, World};
use crate::tools::kit::Error;

const PATCH: &str = "PATCH /repos/acme/site/issues/7";

/// A repository with issue 7 as it is before the change.
fn world() -> World {
    World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on("GET /repos/acme/site/issues/7", and(issue(7, &[]), json!({ "content_version": 3 })))
        .on("GET /repos/acme/site/milestones/5", json!({ "id": 5, "title": "V1" }))
}

fn seven(more: Value) -> Value {
    and(and(site(), json!({ "issue_number": 7 })), more)
}

#[test]
fn changes_what_is_asked_for_and_nothing_else() {
    let milestone = json!({ "id": 5, "title": "V1" });
    for (asked, request, after) in [
        (json!({ "title": "New" }), json!({ "title": "New" }), json!({ "title": "New" })),
        (json!({ "body": "" }), json!({ "body": "", "content_version": 3 }), json!({ "body": "" })),
        (json!({ "state": "closed" }), json!({ "state": "closed" }), json!({ "state": "closed" })),
        (json!({ "milestone": 5 }), json!({ "milestone": 5 }), json!({ "milestone": milestone })),
        (json!({ "milestone": 0 }), json!({ "milestone": 0 }), json!({})),
        (json!({ "milestone": " 0 " }), json!({ "milestone": 0 }), json!({})),
    ] {
        // Gitea answers a change with 201.
        let world = world().route(Route::new(PATCH, 201, and(issue(7, &[]), after)));
        let answer = world.answer("update_issue", seven(asked.clone()));
        assert_eq!(answer["not_applied"], json!([]), "{asked}");
        assert_eq!(answer["issue"]["number"], 7);
        assert!(answer["issue"].get("body").is_none(), "the text is not sent back");
        assert_eq!(sent(&world, 0), request, "{asked}");
        assert_eq!(world.written().len(), 1);
    }
}

#[test]
fn a_change_made_from_another_text_is_refused_before_anything_is_written() {
    for given in [2, 4, 0] {
        let world = world().route(Route::new(PATCH, 201, issue(7, &[])));
        let asked = json!({ "title": "New", "body": "mine", "content_version": given });
        let error = world.failure("update_issue", seven(asked));
        assert_eq!((reason(&error), world.written().len()), ("issue_changed", 0), "{given}");
        let said = format!("is 3, not {given}. Nothing was written. Read it again");
        assert!(error.message().contains(&said), "{}", error.message());
    }
    let world = world().route(Route::new(PATCH, 201, and(issue(7, &[]), json!({ "body": "mine" }))));
    world.answer("update_issue", seven(json!({ "body": "mine", "content_version": 3 })));
    assert_eq!(sent(&world, 0), json!({ "body": "mine", "content_version": 3 }));
    let world = self::world();
    let error = world.failure("update_issue", seven(json!({ "content_version": 3 })));
    assert_eq!(reason(&error), "nothing_to_change", "a version alone is no change");
}

#[test]
fn a_version_that_nobody_can_check_is_refused() {
    let world = World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on("GET /repos/acme/site/issues/7", issue(7, &[]))
        .route(Route::new(PATCH, 201, issue(7, &[])));
    let error = world.failure("update_issue", seven(json!({ "body": "mine", "content_version": 0 })));
    assert_eq!((reason(&error), world.written().len()), ("no_content_version", 0));
}

#[test]
fn a_gitea_without_versions_of_texts_is_sent_none() {
    let world = World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on("GET /repos/acme/site/issues/7", issue(7, &[]))
        .route(Route::new(PATCH, 201, issue(7, &[])));
    world.answer("update_issue", seven(json!({ "body": "text" })));
    assert_eq!(sent(&world, 0), json!({ "body": "text" }));
}

#[test]
fn what_gitea_left_out_is_reported() {
    let world = world().route(Route::new(PATCH, 201, issue(7, &[])));
    let answer = world.answer(
        "update_issue",
        seven(json!({ "title": "New", "body": "new", "state": "closed", "milestone": "5" })),
    );
    let fields: Vec<&Value> =
        answer["not_applied"].as_array().into_iter().flatten().map(|row| &row["field"]).collect();
    assert_eq!(fields, ["title", "body", "state", "milestone"]);
    let kept = and(issue(7, &[]), json!({ "milestone": { "id": 5, "title": "V1" } }));
    let world = self::world().route(Route::new(PATCH, 201, kept));
    let answer = world.answer("update_issue", seven(json!({ "milestone": 0 })));
    assert_eq!(answer["not_applied"][0]["wanted"], "0", "a milestone that stayed");
}

#[test]
fn nothing_is_written_when_a_check_fails() {
    let pull = and(issue(7, &[]), json!({ "pull_request": { "merged": false } }));
    let on_pull = World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on("GET /repos/acme/site/issues/7", pull);
    let archived = World::open()
        .on("GET /repos/acme/site", repository(json!({ "archived": true })))
        .on("GET /repos/acme/site/issues/7", issue(7, &[]));
    let unknown = World::open().on("GET /repos/acme/site", repository(json!({})));
    let title = json!({ "title": "t" });
    for (world, asked, expected) in [
        (world(), json!({}), "nothing_to_change"),
        (on_pull, title.clone(), "is_a_pull_request"),
        (archived, title.clone(), "repository_archived"),
        (unknown, title, "not_found"),
        (
            world().on("GET /repos/acme/site/milestones", json!([{ "id": 5, "title": "V1" }])),
            json!({ "milestone": "V2" }),
            "unknown_milestone",
        ),
    ] {
        let world = world.route(Route::new(PATCH, 201, issue(7, &[])));
        let error = world.failure("update_issue", seven(asked.clone()));
        assert_eq!(reason(&error), expected, "{asked}");
        assert!(world.written().is_empty(), "{asked}");
    }
}

#[test]
fn an_issue_cannot_be_made_what_only_a_search_can_be() {
    for (asked, said) in [
        (json!({ "state": "all" }), "`state` must be one of `open`, `closed`"),
        (
            json!({ "milestone": -1 }),
            "`milestone` must be the title of a milestone, or its id, an integer from 1",
        ),
        (
            json!({ "milestone": 1.5 }),
            "`milestone` must be the title of a milestone, or its id, an integer from 1",
        ),
        (
            json!({ "milestone": [] }),
            "`milestone` must be the title of a milestone, or its id, an integer from 1",
        ),
        (json!({ "content_version": -1 }), "`content_version` must be an integer from 0"),
        (json!({ "content_version": "3" }), "`content_version` must be an integer from 0"),
        (json!({ "milestone": "" }), "`milestone` must"),
        (json!({ "title": " " }), "`title` must"),
        (json!({ "assignees": [] }), "`assignees` is not an argument"),
    ] {
        let world = world();
        match world.call("update_issue", seven(asked.clone())) {
            Err(Stopped::Argument(error)) => {
                assert!(error.to_string().starts_with(said), "{error}");
                let clears = error.to_string().ends_with(", or 0 for none");
                assert_eq!(clears, error.field == "milestone", "{error}");
            }
            other => panic!("{asked}: {other:?}"),
        }
        assert!(world.asked().is_empty());
    }
}

#[test]
fn a_refusal_half_way_is_told_with_what_was_changed_before_it() {
    let refused = |status: u16, after: Value| {
        World::open()
            .on("GET /repos/acme/site", repository(json!({})))
            .route(Route::new("GET /repos/acme/site/issues/7", 200, issue(7, &[])).once())
            .on("GET /repos/acme/site/issues/7", and(issue(7, &[]), after))
            .route(Route::new(PATCH, status, json!({ "message": "no" })))
    };
    let asked = json!({ "title": "New", "state": "closed" });
    let error = refused(412, json!({ "title": "New" })).failure("update_issue", seven(asked));
    assert_eq!(reason(&error), "open_dependencies");
    assert!(error.message().contains("depends on are still open"), "{}", error.message());
    assert!(error.message().ends_with("As asked by now: title. Not: state."), "{}", error.message());

    let asked = json!({ "title": "New", "body": "mine" });
    let error = refused(409, json!({ "body": "theirs" })).failure("update_issue", seven(asked));
    assert_eq!(reason(&error), "issue_changed");
    assert!(error.message().ends_with("As asked by now: nothing. Not: title, body."), "{}", error.message());

    let world = refused(412, json!({}));
    let error = world.failure("update_issue", seven(json!({ "state": "closed" })));
    assert!(!error.message().contains("by now"), "one field is all or nothing: {}", error.message());
    let reads = world.asked().iter().filter(|line| line.ends_with("/issues/7")).count();
    assert_eq!(reads, 2, "it is not read again: one GET and the PATCH");
}

#[test]
fn a_refusal_without_a_word_is_still_explained() {
    let world = world().route(Route::empty(PATCH, 403));
    let error = world.failure("update_issue", seven(json!({ "title": "New" })));
    assert_eq!(reason(&error), "repository_permission_denied");
    let message = error.message();
    assert!(message.contains("may not do this") && !message.contains("Gitea says"), "{message}");
}

#[test]
fn a_lost_answer_is_not_sent_again() {
    for lost in [Route::failing(PATCH, Failure::TimedOut), Route::new(PATCH, 500, json!({ "message": "" }))] {
        let world = world().route(lost);
        let error = world.failure("update_issue", seven(json!({ "milestone": 5 })));
        assert!(matches!(error, Error::Gitea(GiteaError::OutcomeUnknown { .. })), "{error:?}");
        assert_eq!(world.written().len(), 1);
    }
}
