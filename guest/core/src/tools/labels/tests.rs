//! Two lists as one, names that are taken, and what Gitea would change behind one's back.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals are handed over as they are written")]

use serde_json::{Value, json};

use crate::gitea::Error as GiteaError;
use crate::tools::fake::{Route, World};
use crate::tools::kit::Error;

fn site(more: Value) -> Value {
    let mut all = json!({ "owner": "acme", "repo": "site" });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        all[key] = value;
    }
    all
}

fn label(id: u64, name: &str) -> Value {
    json!({
        "id": id, "name": name, "color": "00aabb", "description": "d", "exclusive": false, "is_archived": false,
        "url": "https://git.example.test/api/v1/x",
    })
}

fn body(world: &World) -> Value {
    let written = world.written();
    assert_eq!(written.len(), 1, "one write");
    serde_json::from_slice(written[0].body.as_deref().unwrap_or_default()).expect("JSON")
}

fn reason(error: &Error) -> &'static str {
    match error {
        Error::Gitea(error) => error.reason(),
        Error::NotFound { .. } => "not_found",
        Error::Conflict { reason, .. } | Error::Busy { reason, .. } | Error::Unprocessable { reason, .. } => {
            reason
        }
    }
}

/// A repository with `own` labels in an organisation with `shared`, asked for pages of `limit`.
fn lists(own: u64, shared: u64, limit: u64) -> World {
    let size = limit.min(50);
    let mut world = World::open().on("GET /settings/api", json!({ "max_response_items": 50 }));
    for (path, prefix, all) in
        [("/repos/acme/site/labels", "own", own), ("/orgs/acme/labels", "shared", shared)]
    {
        for page in 1..=20 {
            let rows: Vec<Value> = ((page - 1) * size..(page * size).min(all))
                .map(|at| label(at, &format!("{prefix}-{at}")))
                .collect();
            world = world.route(
                Route::new(&format!("GET {path}?page={page}&limit={size}"), 200, rows.into())
                    .header("x-total-count", &all.to_string()),
            );
        }
    }
    world
}

fn names(answer: &Value) -> Vec<String> {
    let rows = answer["labels"].as_array().cloned().unwrap_or_default();
    rows.iter()
        .map(|row| format!("{}:{}", row["scope"].as_str().unwrap(), row["name"].as_str().unwrap()))
        .collect()
}

#[test]
fn every_label_of_both_lists_is_on_one_page_and_none_on_two() {
    for (own, shared, limit) in [
        (7, 5, 3),
        (6, 5, 3),
        (0, 5, 3),
        (7, 0, 3),
        (2, 1, 4),
        (3, 9, 4),
        (0, 0, 3),
        (7, 5, 12),
        (70, 130, 60),
        (10, 55, 60),
    ] {
        let world = lists(own, shared, limit);
        let mut seen = Vec::new();
        for page in 1..=20 {
            let answer = world.answer("list_labels", site(json!({ "page": page, "limit": limit })));
            assert_eq!(answer["total"], own + shared, "{own}+{shared} by {limit}");
            let rows = names(&answer);
            assert!(rows.len() as u64 <= limit);
            seen.extend(rows);
            let follows = (seen.len() as u64) < own + shared;
            assert_eq!(answer["has_next"], follows, "page {page} of {own}+{shared} by {limit}");
            if !follows {
                break;
            }
        }
        let mut expected: Vec<String> = (0..own).map(|at| format!("repo:own-{at}")).collect();
        expected.extend((0..shared).map(|at| format!("org:shared-{at}")));
        assert_eq!(seen, expected, "{own}+{shared} by {limit}");
    }
}

#[test]
fn a_page_past_the_end_is_empty() {
    let answer = lists(3, 2, 4).answer("list_labels", site(json!({ "page": 9, "limit": 4 })));
    assert_eq!((&answer["labels"], &answer["has_next"]), (&json!([]), &json!(false)));
}

#[test]
fn a_label_leaves_with_its_fields_and_no_more() {
    let world = World::open().on("GET /repos/acme/site/labels", json!([label(1, "bug")]));
    let answer = world.answer("list_labels", site(json!({})));
    assert_eq!(
        answer["labels"],
        json!([{
            "id": 1, "name": "bug", "scope": "repo", "color": "00aabb", "description": "d", "exclusive": false,
            "is_archived": false,
        }])
    );
    assert!(answer.get("organisation_unread").is_none(), "a user has no labels to share");
}

#[test]
fn labels_of_the_organisation_that_cannot_be_read_are_told() {
    let world = World::open()
        .route(
            Route::new("GET /repos/acme/site/labels", 200, json!([label(1, "bug")]))
                .header("x-total-count", "1"),
        )
        .route(Route::new(
            "GET /orgs/acme/labels",
            403,
            json!({ "message": "required=[read:organization]" }),
        ));
    let answer = world.answer("list_labels", site(json!({})));
    assert_eq!((&answer["organisation_unread"], names(&answer)), (&json!(true), vec!["repo:bug".to_owned()]));
    assert!(answer.get("total").is_none(), "nobody knows how many there are");
}

#[test]
fn another_failure_of_the_organisation_is_no_short_list() {
    let world = World::open().on("GET /repos/acme/site/labels", json!([label(1, "bug")])).route(Route::new(
        "GET /orgs/acme/labels",
        500,
        json!({ "message": "" }),
    ));
    let error = world.failure("list_labels", site(json!({})));
    assert_eq!(error, Error::Gitea(GiteaError::Failed { status: 500 }));
    let error = World::open().failure("list_labels", site(json!({})));
    assert!(matches!(&error, Error::NotFound { message } if message.contains("acme/site")), "{error:?}");
}

fn repository(archived: bool) -> World {
    let mut old = label(3, "Old");
    old["is_archived"] = true.into();
    World::open()
        .on("GET /repos/acme/site", json!({ "archived": archived }))
        .route(
            Route::new(
                "GET /repos/acme/site/labels",
                200,
                json!([
                    label(1, "bug"),
                    label(2, "Feature"),
                    old,
                    label(4, "twice"),
                    label(5, "twice"),
                    label(6, "Case"),
                    label(7, "case")
                ]),
            )
            .header("x-total-count", "7"),
        )
        .on("GET /orgs/acme/labels", json!([label(60, "Org-wide")]))
}

#[test]
fn makes_a_label_with_its_colour_as_gitea_takes_it() {
    for (given, sent) in [("#0AB", "#00aabb"), ("00aabb", "#00aabb")] {
        let mut made = label(8, "kind/new");
        made["exclusive"] = true.into();
        let world = repository(false).route(Route::new("POST /repos/acme/site/labels", 201, made));
        let wish = json!({ "name": " kind/new", "color": given, "description": "d", "exclusive": true });
        let answer = world.answer("create_label", site(wish));
        assert_eq!(
            answer["label"],
            json!({ "id": 8, "name": "kind/new", "color": "00aabb", "description": "d" })
        );
        assert_eq!(answer["not_applied"], json!([]));
        let expected = json!({ "name": "kind/new", "color": sent, "description": "d", "exclusive": true });
        assert_eq!(body(&world), expected);
    }
}

#[test]
fn a_second_label_of_a_name_is_refused_before_gitea_takes_it() {
    for (name, word) in [
        ("bug", "has the label `bug` already"),
        ("BUG", "has the label `bug` already"),
        (" bug ", "has the label `bug` already"),
        ("feature", "has the label `Feature` already"),
        ("org-wide", "The organisation acme has the label `Org-wide`"),
    ] {
        let world = repository(false).route(Route::new("POST /repos/acme/site/labels", 201, label(8, name)));
        let error = world.failure("create_label", site(json!({ "name": name, "color": "#00aabb" })));
        assert_eq!(reason(&error), "label_exists");
        assert!(error.message().contains(word), "{}", error.message());
        assert!(world.written().is_empty(), "{name}");
    }
}

#[test]
fn a_taken_name_is_seen_on_every_page() {
    let rows =
        |from: u64, to: u64| (from..to).map(|at| label(at, &format!("l-{at}"))).collect::<Vec<Value>>();
    let mut world = World::open().on("GET /repos/acme/site", json!({ "archived": false }));
    for (page, rows) in [(1, rows(0, 50)), (2, rows(50, 70))] {
        world = world.route(
            Route::new(&format!("GET /repos/acme/site/labels?page={page}"), 200, rows.into())
                .header("x-total-count", "70"),
        );
    }
    let error = world.failure("create_label", site(json!({ "name": "L-69", "color": "#00aabb" })));
    assert_eq!(reason(&error), "label_exists");
}

#[test]
fn an_exclusive_label_needs_a_scope_to_exclude_others_from() {
    for name in ["new", "/new", "new/"] {
        let world = repository(false);
        let wish = json!({ "name": name, "color": "#00aabb", "exclusive": true });
        let error = world.failure("create_label", site(wish));
        assert_eq!(reason(&error), "exclusive_without_scope", "{name}");
        assert!(world.asked().is_empty());
    }
}

#[test]
fn nothing_is_written_to_an_archived_repository_though_gitea_would_take_it() {
    let world = repository(true)
        .route(Route::new("POST /repos/acme/site/labels", 201, label(8, "new")))
        .route(Route::new("PATCH /repos/acme/site/labels/1", 200, label(1, "bug")));
    for (tool, wish) in [
        ("create_label", json!({ "name": "new", "color": "#00aabb" })),
        ("update_label", json!({ "name": "bug", "color": "#00aabb" })),
    ] {
        assert_eq!(reason(&world.failure(tool, site(wish))), "repository_archived");
    }
    assert!(world.written().is_empty());
}

#[test]
fn a_changed_label_stays_archived_or_not_as_it_was() {
    for (name, id, archived) in [("bug", 1, false), ("OLD", 3, true)] {
        let world = repository(false).route(Route::new(
            &format!("PATCH /repos/acme/site/labels/{id}"),
            200,
            label(id, "renamed"),
        ));
        let answer = world.answer("update_label", site(json!({ "name": name, "new_name": "renamed" })));
        assert_eq!(answer["not_applied"], json!([]), "{name}");
        assert_eq!(body(&world), json!({ "name": "renamed", "is_archived": archived }), "{name}");
    }
}

#[test]
fn a_label_may_change_the_case_of_its_own_name_and_lose_its_description() {
    let mut changed = label(1, "Bug");
    changed["description"] = "".into();
    let world = repository(false).route(Route::new("PATCH /repos/acme/site/labels/1", 200, changed));
    let wish = json!({ "name": "bug", "new_name": "Bug", "description": "", "color": "0ab" });
    assert_eq!(world.answer("update_label", site(wish))["not_applied"], json!([]));
    let sent = json!({ "name": "Bug", "description": "", "color": "#00aabb", "is_archived": false });
    assert_eq!(body(&world), sent);
}

#[test]
fn a_label_is_found_by_its_exact_name_or_by_the_only_one_in_any_case() {
    for (name, id) in [("bug", 1), ("feature", 2), ("Case", 6), ("case", 7)] {
        let world = repository(false).route(Route::new(
            &format!("PATCH /repos/acme/site/labels/{id}"),
            200,
            label(id, name),
        ));
        world.answer("update_label", site(json!({ "name": name, "description": "d" })));
    }
    for (name, why, word) in [
        ("twice", "ambiguous_label", "`twice` (id 4), `twice` (id 5)"),
        ("CASE", "ambiguous_label", "exact spelling"),
        ("bgu", "unknown_label", "Did you mean `bug`?"),
        ("org-wide", "organisation_label", "settings of the organisation"),
    ] {
        let world = repository(false);
        let error = world.failure("update_label", site(json!({ "name": name, "description": "d" })));
        assert_eq!(reason(&error), why);
        assert!(error.message().contains(word), "{}", error.message());
        assert!(world.written().is_empty());
    }
}

#[test]
fn a_label_is_not_renamed_to_a_name_that_is_taken() {
    for taken in ["FEATURE", "org-wide"] {
        let error =
            repository(false).failure("update_label", site(json!({ "name": "bug", "new_name": taken })));
        assert_eq!(reason(&error), "label_exists", "{taken}");
    }
}

#[test]
fn a_change_without_a_change_is_refused_and_what_gitea_left_out_is_told() {
    let error = World::open().failure("update_label", site(json!({ "name": "bug" })));
    assert_eq!(reason(&error), "nothing_to_change");
    let world = repository(false).route(Route::new("PATCH /repos/acme/site/labels/1", 200, label(1, "bug")));
    let wish = json!({ "name": "bug", "new_name": "x", "color": "#ffffff", "description": "other" });
    let answer = world.answer("update_label", site(wish));
    let fields: Vec<&Value> =
        answer["not_applied"].as_array().into_iter().flatten().map(|row| &row["field"]).collect();
    assert_eq!(fields, ["name", "color", "description"]);
}

#[test]
fn a_write_without_an_answer_is_not_repeated() {
    let world = repository(false).route(Route::new("POST /repos/acme/site/labels", 502, json!({})));
    let error = world.failure("create_label", site(json!({ "name": "new", "color": "#00aabb" })));
    assert_eq!(reason(&error), "write_outcome_unknown");
    assert_eq!(world.written().len(), 1);
}
