//! Labels put on and taken off.

use serde_json::{Value, json};

use super::{and, issue, labelled, reason, repository, sent, site};
use crate::gitea::Error as GiteaError;
use crate::ports::{Failure, Method};
use crate::tools::fake::{Route, World};
use crate::tools::kit::Error;

const POST: &str = "POST /repos/acme/site/issues/7/labels";
const BORNE: &str = "GET /repos/acme/site/issues/7/labels";

fn asked(labels: &[&str]) -> Value {
    and(site(), json!({ "issue_number": 7, "labels": labels }))
}

fn labels(rows: &[(u64, &str)]) -> Value {
    rows.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect()
}

#[test]
fn adds_labels_by_id_so_that_two_of_one_name_are_not_both_added() {
    let world = labelled()
        .on("GET /repos/acme/site/issues/7", issue(7, &["Feature"]))
        .on(POST, labels(&[(1, "bug"), (2, "Feature"), (3, "twice"), (60, "org-wide")]));
    let answer = world.answer("add_labels", asked(&["bug", "FEATURE", "twice", "org-wide"]));
    assert_eq!(sent(&world, 0), json!({ "labels": [1, 3, 60] }), "what it bears already is not sent");
    assert_eq!(answer["labels"], json!(["bug", "Feature", "twice", "org-wide"]));
    assert_eq!((&answer["removed"], &answer["not_applied"]), (&json!([]), &json!([])));
}

#[test]
fn a_pull_request_may_be_labelled_too() {
    let pull = and(issue(7, &[]), json!({ "pull_request": { "merged": false } }));
    let world = labelled().on("GET /repos/acme/site/issues/7", pull).on(POST, labels(&[(1, "bug")]));
    assert_eq!(world.answer("add_labels", asked(&["bug"]))["labels"], json!(["bug"]));
}

#[test]
fn labels_that_are_there_already_are_not_sent_again() {
    let world = labelled().on("GET /repos/acme/site/issues/7", issue(7, &["bug"]));
    let answer = world.answer("add_labels", asked(&["Bug"]));
    assert_eq!((&answer["labels"], world.written().len()), (&json!(["bug"]), 0));
}

#[test]
fn an_exclusive_label_and_what_it_displaced_are_told() {
    let rows = labels(&[(1, "kind/bug"), (2, "kind/wish"), (3, "prio")]);
    let world = World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .on("GET /repos/acme/site/labels", rows)
        .on("GET /repos/acme/site/issues/7", issue(7, &["kind/old"]))
        .on(POST, labels(&[(2, "kind/wish")]));
    let answer = world.answer("add_labels", asked(&["kind/bug", "kind/wish", "prio"]));
    assert_eq!(answer["removed"], json!(["kind/old"]));
    let rows = answer["not_applied"].as_array().cloned().unwrap_or_default();
    assert_eq!((rows.len(), &rows[0]["wanted"], &rows[1]["wanted"]), (2, &json!("kind/bug"), &json!("prio")));
    assert!(rows[0]["reason"].as_str().is_some_and(|reason| reason.contains("exclusive")), "{answer}");
    assert!(rows[1]["reason"].as_str().is_some_and(|reason| reason.contains("may not set it")), "{answer}");
}

#[test]
fn names_are_sent_where_the_organisations_ids_cannot_be_read() {
    let unreadable = || {
        World::open()
            .on("GET /repos/acme/site", repository(json!({})))
            .on("GET /repos/acme/site/labels", labels(&[(1, "bug"), (3, "twice"), (4, "twice")]))
            .route(Route::new("GET /orgs/acme/labels", 403, json!({ "message": "scope" })))
            .on("GET /repos/acme/site/issues/7", issue(7, &[]))
    };
    let world = unreadable().on(POST, labels(&[(1, "bug"), (60, "org-wide")]));
    let answer = world.answer("add_labels", asked(&["bug", "org-wide", "nosuch"]));
    assert_eq!(sent(&world, 0), json!({ "labels": ["bug", "org-wide", "nosuch"] }), "never a mixture");
    assert_eq!(answer["not_applied"][0]["wanted"], "nosuch", "dropped without a word");
    assert_eq!(answer["not_applied"].as_array().map(Vec::len), Some(1));

    let world = unreadable().on(POST, labels(&[]));
    let error = world.failure("add_labels", asked(&["twice", "org-wide"]));
    assert_eq!(reason(&error), "ambiguous_label");
    assert!(world.written().is_empty());
}

#[test]
fn no_label_is_touched_when_a_check_fails() {
    let archived = || World::open().on("GET /repos/acme/site", repository(json!({ "archived": true })));
    let add = |world: World, names: &[&str]| ("add_labels", world, asked(names));
    let remove = |world: World, names: &[&str]| ("remove_labels", world, asked(names));
    let seven = |world: World| world.on("GET /repos/acme/site/issues/7", issue(7, &[]));
    for ((tool, world, arguments), expected) in [
        (add(seven(labelled()), &["bgu"]), "unknown_label"),
        (add(seven(labelled()), &[]), "nothing_to_change"),
        (add(labelled(), &["bug"]), "not_found"),
        (add(seven(archived()), &["bug"]), "repository_archived"),
        (remove(labelled(), &[]), "nothing_to_change"),
        (remove(labelled(), &["bug"]), "not_found"),
        (remove(archived().on(BORNE, labels(&[(1, "bug")])), &["bug"]), "repository_archived"),
        (remove(labelled().on(BORNE, labels(&[(1, "AA"), (2, "aA")])), &["aa"]), "ambiguous_label"),
    ] {
        let error = world.failure(tool, arguments.clone());
        assert_eq!(reason(&error), expected, "{tool} {arguments}");
        assert!(world.written().is_empty(), "{tool} {arguments}");
    }
}

/// An issue that bears these labels, and others when it is asked again.
fn bearing(before: &[(u64, &str)], after: &[(u64, &str)]) -> World {
    World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .route(Route::new(BORNE, 200, labels(before)).once())
        .on(BORNE, labels(after))
}

fn off(id: u64) -> Route {
    Route::empty(&format!("DELETE /repos/acme/site/issues/7/labels/{id}"), 204)
}

#[test]
fn takes_labels_off_one_by_one_and_tells_those_that_were_never_on() {
    let before = [(1, "bug"), (4, "bug"), (60, "Org-Wide"), (2, "Feature")];
    let world = bearing(&before, &[(2, "Feature")]).route(off(1)).route(off(4)).route(off(60));
    let world = world.on("GET /repos/acme/site/labels", labels(&[(8, "Elsewhere")]));
    let answer = world.answer("remove_labels", asked(&["bug", "org-wide", "Elsewhere"]));
    let lines: Vec<String> = world.asked().into_iter().filter(|line| line.starts_with("DELETE")).collect();
    let ids: Vec<&str> = lines.iter().filter_map(|line| line.rsplit('/').next()).collect();
    assert_eq!(ids, ["1", "4", "60"], "both of one name");
    assert_eq!((&answer["labels"], &answer["not_set"]), (&json!(["Feature"]), &json!(["Elsewhere"])));
    assert_eq!(answer["not_applied"], json!([]));
    assert!(world.written().iter().all(|request| request.method == Method::Delete));
    assert!(world.asked().iter().all(|line| !line.contains("/orgs/")), "no other scope is needed");
}

#[test]
fn nothing_is_sent_where_none_was_on() {
    let world = bearing(&[(2, "Feature")], &[(2, "Feature")])
        .on("GET /repos/acme/site/labels", labels(&[(1, "bug"), (9, "BUG")]))
        .on("GET /orgs/acme/labels", labels(&[(60, "org-wide")]));
    for names in [&["bug"], &["Bug"], &["ORG-wide"]] {
        let answer = world.answer("remove_labels", asked(names));
        assert_eq!((&answer["not_set"], world.written().len()), (&json!(names), 0));
    }
}

#[test]
fn a_label_that_exists_nowhere_is_refused_before_any_is_taken_off() {
    let world = || {
        bearing(&[(1, "bug"), (2, "Feature")], &[(2, "Feature")])
            .route(off(1))
            .on("GET /repos/acme/site/labels", labels(&[(1, "bug"), (2, "Feature")]))
    };
    for organisation in [404, 200] {
        let orgs = Route::new("GET /orgs/acme/labels", organisation, labels(&[(60, "feat")]));
        let world = world().route(orgs);
        let error = world.failure("remove_labels", asked(&["bug", "featur"]));
        assert_eq!((reason(&error), world.written().len()), ("unknown_label", 0));
        assert!(error.message().contains("`Feature`"), "{}", error.message());
    }
    // It may be one of the organisation's, which this token cannot read.
    let world = world().route(Route::new("GET /orgs/acme/labels", 403, json!({ "message": "scope" })));
    let answer = world.answer("remove_labels", asked(&["bug", "featur"]));
    assert_eq!((&answer["not_set"], world.written().len()), (&json!(["featur"]), 1));
}

#[test]
fn more_labels_than_a_call_may_send_requests_for_are_refused_before_the_first() {
    let all: Vec<(u64, String)> = (1..=21).map(|id| (id, format!("label-{id}"))).collect();
    let rows: Vec<(u64, &str)> = all.iter().map(|(id, name)| (*id, name.as_str())).collect();
    let names: Vec<&str> = rows.iter().map(|(_, name)| *name).collect();
    let world = bearing(&rows, &[]);
    let error = world.failure("remove_labels", asked(&names));
    assert_eq!((reason(&error), world.written().len()), ("too_many_labels", 0));
    let world = all.iter().fold(bearing(&rows, &rows[20..]), |world, (id, _)| world.route(off(*id)));
    let answer = world.answer("remove_labels", asked(&names[..20]));
    assert_eq!((&answer["not_applied"], world.written().len()), (&json!([]), 20));
    assert!(world.asked().len() < 32, "what the host lets one call send");
}

#[test]
fn a_yes_of_gitea_is_not_believed() {
    let world = bearing(&[(1, "bug")], &[(1, "bug")]).route(off(1));
    let answer = world.answer("remove_labels", asked(&["bug"]));
    assert_eq!(answer["not_applied"][0]["reason"], "it is still there");
}

#[test]
fn a_removal_that_stops_half_way_tells_what_is_left() {
    let before = [(1, "a"), (2, "b"), (3, "c")];
    let half = bearing(&before, &[(2, "b"), (3, "c")])
        .route(off(1))
        .route(Route::failing("DELETE /repos/acme/site/issues/7/labels/2", Failure::TimedOut));
    let answer = half.answer("remove_labels", asked(&["a", "b", "c"]));
    let rows = answer["not_applied"].as_array().cloned().unwrap_or_default();
    assert_eq!((rows.len(), &rows[0]["wanted"], &rows[1]["wanted"]), (2, &json!("b"), &json!("c")));
    assert!(rows[0]["reason"].as_str().is_some_and(|reason| reason.contains("State unknown")), "{answer}");
    assert_eq!(answer["labels"], json!(["b", "c"]));
    assert_eq!(half.written().len(), 2, "nothing after the failure, and nothing twice");

    let first = "DELETE /repos/acme/site/issues/7/labels/1";
    let world = bearing(&before, &before).route(Route::empty(first, 403));
    let error = world.failure("remove_labels", asked(&["a", "b"]));
    assert_eq!(reason(&error), "repository_permission_denied", "nothing happened, so it is an error");
    let world = bearing(&before, &before).route(Route::new(first, 500, json!({ "message": "" })));
    let error = world.failure("remove_labels", asked(&["a", "b"]));
    assert!(matches!(error, Error::Gitea(GiteaError::OutcomeUnknown { .. })), "{error:?}");
}

#[test]
fn labels_that_are_off_are_off_even_if_the_rest_cannot_be_read() {
    let world = World::open()
        .on("GET /repos/acme/site", repository(json!({})))
        .route(Route::new(BORNE, 200, labels(&[(1, "bug")])).once())
        .route(Route::new(BORNE, 502, json!(null)))
        .route(off(1));
    let answer = world.answer("remove_labels", asked(&["bug"]));
    assert_eq!((answer.get("labels"), &answer["not_applied"]), (None, &json!([])));
}
