//! Assigning people.

use serde_json::{Value, json};

use super::{and, issue, reason, repository, sent, site};
use crate::gitea::Error as GiteaError;
use crate::ports::Failure;
use crate::tools::fake::{Route, World};
use crate::tools::kit::Error;

const POST: &str = "POST /repos/acme/site/issues/7/assignees";
const PATCH: &str = "PATCH /repos/acme/site/issues/7";

fn assigned(logins: &[&str]) -> Value {
    let users: Vec<Value> = logins.iter().map(|login| json!({ "login": login })).collect();
    and(issue(7, &[]), json!({ "assignees": if users.is_empty() { Value::Null } else { users.into() } }))
}

fn world(present: &[&str]) -> World {
    World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on("GET /repos/acme/site/issues/7", assigned(present))
        .on("GET /repos/acme/site/assignees", json!([{ "login": "Alice" }, { "login": "bob" }]))
}

fn asked(assignees: &[&str]) -> Value {
    and(site(), json!({ "issue_number": 7, "assignees": assignees }))
}

#[test]
fn adds_people_by_the_route_of_its_own() {
    let world = world(&["bob"]).route(Route::new(POST, 201, assigned(&["bob", "Alice"])));
    let answer = world.answer("assign_issue", asked(&["alice", "ALICE", "bob"]));
    assert_eq!(sent(&world, 0), json!({ "assignees": ["Alice"] }), "who is assigned is not sent again");
    assert_eq!(answer["issue"]["assignees"], json!(["bob", "Alice"]));
    assert_eq!((&answer["not_applied"], world.written().len()), (&json!([]), 1));
}

#[test]
fn an_older_gitea_is_given_the_whole_list_so_that_nobody_is_lost() {
    // Where there is no such route, the fake answers 404 as the router of Gitea does.
    let world = world(&["carol"]).route(Route::new(PATCH, 201, assigned(&["carol", "Alice"])));
    let answer = world.answer("assign_issue", asked(&["alice"]));
    assert_eq!(sent(&world, 1), json!({ "assignees": ["carol", "Alice"] }));
    assert_eq!((&answer["not_applied"], world.written().len()), (&json!([]), 2));
}

#[test]
fn a_write_that_may_have_happened_is_not_tried_another_way() {
    for (status, expected) in [(500, "write_outcome_unknown"), (403, "repository_permission_denied")] {
        let world =
            world(&[]).route(Route::empty(POST, status)).route(Route::new(PATCH, 201, assigned(&["Alice"])));
        let error = world.failure("assign_issue", asked(&["alice"]));
        assert_eq!((reason(&error), world.written().len()), (expected, 1));
    }
    let world = world(&[]).route(Route::failing(POST, Failure::TimedOut));
    let error = world.failure("assign_issue", asked(&["alice"]));
    assert!(matches!(error, Error::Gitea(GiteaError::OutcomeUnknown { .. })), "{error:?}");
    assert_eq!(world.written().len(), 1);
}

#[test]
fn whoever_is_assigned_already_is_not_assigned_again() {
    let world = world(&["Carol", "bob"]);
    let answer = world.answer("assign_issue", asked(&["carol", "Bob"]));
    assert_eq!(answer["issue"]["assignees"], json!(["Carol", "bob"]), "even who could not be by now");
    assert!(world.written().is_empty());
}

#[test]
fn what_gitea_left_out_is_reported() {
    let world = world(&[]).route(Route::new(PATCH, 201, assigned(&[])));
    let answer = world.answer("assign_issue", asked(&["alice"]));
    let row = &answer["not_applied"][0];
    assert_eq!((&row["field"], &row["wanted"]), (&json!("assignees"), &json!("alice")));
}

#[test]
fn nobody_is_assigned_when_a_check_fails() {
    let archived = World::open()
        .on("GET /repos/acme/site", repository(json!({ "archived": true })))
        .on("GET /repos/acme/site/issues/7", assigned(&[]));
    let unknown = World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on("GET /repos/acme/site/assignees", json!([]));
    for (world, people, expected, said) in [
        (world(&[]), vec![], "nothing_to_change", "at least one login"),
        (world(&[]), vec!["bob", "alic"], "not_assignable", "Did you mean `Alice`?"),
        (archived, vec!["bob"], "repository_archived", "is archived"),
        (unknown, vec!["bob"], "not_found", "no issue 7"),
    ] {
        let world = world.route(Route::new(POST, 201, assigned(&["bob"])));
        let error = world.failure("assign_issue", asked(&people));
        assert_eq!(reason(&error), expected);
        assert!(error.message().contains(said), "{}", error.message());
        assert!(world.written().is_empty());
    }
}
