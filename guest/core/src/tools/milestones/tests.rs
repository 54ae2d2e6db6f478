//! Listing, and titles and days that Gitea would take as they come.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals are handed over as they are written")]

use serde_json::{Value, json};

use crate::tools::fake::{Route, World};
use crate::tools::kit::Error;

fn site(more: Value) -> Value {
    let mut all = json!({ "owner": "acme", "repo": "site" });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        all[key] = value;
    }
    all
}

fn milestone(id: u64, title: &str, due: Value) -> Value {
    json!({
        "id": id, "title": title, "description": "about", "state": "open", "open_issues": 2, "closed_issues": 1,
        "created_at": "2026-11-22T00:28:04Z", "updated_at": "2026-11-22T00:28:04Z", "closed_at": null,
        "due_on": due,
    })
}

fn repository() -> World {
    World::open().on("GET /repos/acme/site", json!({ "archived": false }))
}

fn sent(world: &World) -> Value {
    let written = world.written();
    assert_eq!(written.len(), 1, "one write");
    serde_json::from_slice(written[0].body.as_deref().unwrap_or_default()).expect("JSON")
}

#[test]
fn lists_open_milestones_unless_told_otherwise() {
    for (given, asked) in
        [(json!({}), "open"), (json!({ "state": "closed" }), "closed"), (json!({ "state": "all" }), "all")]
    {
        let world = World::open().route(
            Route::new(
                &format!("GET /repos/acme/site/milestones?state={asked}&page=1&limit=30"),
                200,
                json!([milestone(5, "V1", Value::Null)]),
            )
            .header("x-total-count", "41"),
        );
        let answer = world.answer("list_milestones", site(given));
        assert_eq!(
            answer["milestones"],
            json!([{
                "id": 5, "title": "V1", "state": "open", "description": "about", "open_issues": 2,
                "closed_issues": 1,
            }])
        );
        assert_eq!(
            (&answer["total"], &answer["has_next"]),
            (&json!(41), &json!(true)),
            "no Link: the total tells"
        );
    }
}

#[test]
fn a_long_description_is_a_preview_and_hides_no_secret_at_its_cut() {
    let token = ["aegis", "_key_", "Zm9vYmFyYmF6cXV4cXV1eGNvcmdl"].concat();
    let mut long = milestone(5, "V1", Value::Null);
    long["description"] = format!("{} {token} {}", "x".repeat(480), "y".repeat(5000)).into();
    let world =
        World::open().on("GET /repos/acme/site/milestones", json!([long, milestone(6, "V2", Value::Null)]));
    let finished = world.call("list_milestones", site(json!({}))).expect("a list");
    let rows = &finished.structured["milestones"];
    let shown = rows[0]["description"].as_str().unwrap_or_default();
    assert_eq!((shown.chars().count(), &rows[0]["description_truncated"]), (500, &json!(true)));
    assert!(!shown.contains("aegis_key_Zm9v"), "{shown}");
    assert_eq!(finished.removed.secrets, 1);
    assert!(rows[1].get("description_truncated").is_none() && rows[1]["description"] == "about");
    assert!(
        finished.structured["truncated_how"].as_str().unwrap_or_default().contains("Gitea shows the rest")
    );
}

#[test]
fn a_milestone_without_repository_says_what_it_may_be() {
    let error = World::open().failure("list_milestones", site(json!({})));
    assert!(matches!(&error, Error::NotFound { message } if message.contains("turned off")), "{error:?}");
}

#[test]
fn a_day_becomes_its_end_and_a_time_is_compared_as_an_instant() {
    for (given, sent_as, answered, applied) in [
        ("2026-12-31", "2026-12-31T23:59:59Z", json!("2026-12-31T23:59:59Z"), true),
        ("2026-12-31", "2026-12-31T23:59:59Z", json!("2027-01-01T00:59:59+01:00"), true),
        ("2026-12-31T18:00:00+02:00", "2026-12-31T18:00:00+02:00", json!("2026-12-31T16:00:00Z"), true),
        ("2026-12-31", "2026-12-31T23:59:59Z", json!("2026-12-31T00:00:00Z"), false),
        ("2026-12-31", "2026-12-31T23:59:59Z", Value::Null, false),
    ] {
        let world = repository().on("GET /repos/acme/site/milestones", json!([])).route(Route::new(
            "POST /repos/acme/site/milestones",
            201,
            milestone(7, "V2", answered),
        ));
        let wish = json!({ "title": " V2", "description": "about", "due_on": given });
        let answer = world.answer("create_milestone", site(wish));
        assert_eq!(sent(&world), json!({ "title": "V2", "description": "about", "due_on": sent_as }));
        assert_eq!(answer["not_applied"].as_array().is_some_and(Vec::is_empty), applied, "{given}");
        assert_eq!(answer["milestone"]["id"], 7);
    }
}

#[test]
fn a_second_milestone_of_a_title_is_refused_before_gitea_takes_it() {
    for (wished, known) in
        [("V1 Release", "V1 Release"), ("v1 release", "V1 Release"), ("V1", " V1 "), ("ÜBER", "über")]
    {
        let near = milestone(4, &format!("{known} candidate"), Value::Null);
        // What a database narrows down may miss other spellings of letters outside ASCII.
        let found = json!([near, milestone(5, known, Value::Null)]);
        let narrowed = if wished.is_ascii() { found.clone() } else { json!([]) };
        let world = repository()
            .on(&format!("GET /repos/acme/site/milestones?state=all&name={wished}"), narrowed)
            .on("GET /repos/acme/site/milestones?state=all", found)
            .route(Route::new("POST /repos/acme/site/milestones", 201, milestone(9, wished, Value::Null)));
        let error = world.failure("create_milestone", site(json!({ "title": wished })));
        assert!(matches!(error, Error::Conflict { reason: "milestone_exists", .. }), "{wished}: {error:?}");
        assert!(error.message().contains("(id 5)"), "{}", error.message());
        assert!(world.written().is_empty());
    }
}

#[test]
fn nothing_is_written_to_an_archived_repository_though_gitea_would_take_it() {
    let world = World::open()
        .on("GET /repos/acme/site", json!({ "archived": true }))
        .on("GET /repos/acme/site/milestones", json!([]))
        .route(Route::new("POST /repos/acme/site/milestones", 201, milestone(9, "V2", Value::Null)));
    let error = world.failure("create_milestone", site(json!({ "title": "V2" })));
    assert!(matches!(error, Error::Conflict { reason: "repository_archived", .. }), "{error:?}");
    assert!(world.written().is_empty());
}
