//! Listing issues: what is asked of Gitea, and what is filtered here.

use serde_json::{Value, json};

use super::{and, issue, labelled, site};
use crate::tools::fake::{Route, World};
use crate::tools::kit::Error;

#[test]
fn lists_open_issues_only_and_never_pull_requests() {
    let world = World::open().route(
        Route::new("GET /repos/acme/site/issues?type=issues&state=open", 200, json!([issue(7, &["bug"])]))
            .header("x-total-count", "41")
            .header("link", "<https://x/?page=2>; rel=\"next\""),
    );
    let answer = world.answer("list_issues", site());
    assert_eq!(answer["issues"][0]["labels"], json!(["bug"]));
    assert_eq!(answer["issues"][0]["assignees"], json!([]));
    assert_eq!((&answer["total"], &answer["has_next"]), (&json!(41), &json!(true)));
    let text = answer.to_string();
    assert!(!text.contains("alice@"), "{text}");
}

#[test]
fn a_list_shows_the_beginning_of_each_body_and_says_where_the_rest_is() {
    let long =
        and(issue(7, &[]), json!({ "body": "é".repeat(300), "milestone": { "id": 5, "title": "V1" } }));
    let world = World::open().on("GET /repos/acme/site/issues", json!([long, issue(8, &[])]));
    let answer = world.answer("list_issues", site());
    let rows = &answer["issues"];
    assert_eq!(rows[0]["body"].as_str().map(|text| text.chars().count()), Some(200));
    assert_eq!((&rows[0]["body_truncated"], &rows[0]["milestone_id"]), (&json!(true), &json!(5)));
    assert_eq!((&rows[1]["body"], rows[1].get("body_truncated")), (&json!("text"), None));
    assert!(answer["truncated_how"].as_str().is_some_and(|how| how.contains("get_issue")), "{answer}");
}

#[test]
fn a_milestone_without_a_title_cannot_hide_issues() {
    let world = World::open().on("GET /repos/acme/site/issues", json!([]));
    world.answer("list_issues", site());
    let requests = world.state.borrow().requests.clone();
    let guard = requests[0].query.iter().find(|(name, _)| *name == "milestones");
    assert!(guard.is_some_and(|(_, value)| value.len() > 255), "{guard:?}");
}

#[test]
fn an_unknown_label_is_an_error_with_near_names_and_not_an_unfiltered_list() {
    let world = labelled().on("GET /repos/acme/site/issues", json!([issue(1, &[])]));
    let error = world.failure("list_issues", and(site(), json!({ "labels": ["bgu"] })));
    assert!(matches!(error, Error::Unprocessable { reason: "unknown_label", .. }), "{error:?}");
    assert!(error.message().contains("Did you mean `bug`?"), "{}", error.message());
    assert!(world.asked().iter().all(|line| !line.contains("/issues")));
}

#[test]
fn labels_that_gitea_cannot_filter_by_are_filtered_here() {
    for (label, bearer) in [("org-wide", "org-wide"), ("twice", "twice"), ("a,b", "a,b")] {
        let world = labelled().route(
            Route::new(
                "GET /repos/acme/site/issues?labels=bug",
                200,
                json!([issue(1, &["bug", bearer]), issue(2, &["bug"])]),
            )
            .header("x-total-count", "2"),
        );
        let answer = world.answer("list_issues", and(site(), json!({ "labels": ["bug", label] })));
        let numbers: Vec<&Value> =
            answer["issues"].as_array().into_iter().flatten().map(|row| &row["number"]).collect();
        assert_eq!(numbers, [1], "{label}");
        assert_eq!(answer["total"], 1, "{label}");
    }
}

/// A Gitea with `all` issues, of which every tenth bears the label of the organisation.
fn many(all: u64) -> World {
    let rows: Vec<Value> =
        (1..=all).map(|number| issue(number, if number % 10 == 0 { &["org-wide"] } else { &[] })).collect();
    let mut world = labelled();
    for (page, rows) in (1..).zip(rows.chunks(50)) {
        let line = format!("GET /repos/acme/site/issues?page={page}&limit=50");
        world = world.route(Route::new(&line, 200, rows.into()).header("x-total-count", &all.to_string()));
    }
    world
}

#[test]
fn a_page_that_is_filtered_here_is_as_full_as_any_other() {
    let world = many(230);
    let page = |page: u64| {
        let asked = json!({ "labels": ["org-wide"], "limit": 10, "page": page });
        let answer = world.answer("list_issues", and(site(), asked));
        let rows = answer["issues"].as_array().cloned().unwrap_or_default();
        (rows.iter().filter_map(|row| row["number"].as_u64()).collect::<Vec<_>>(), answer)
    };
    for (nth, numbers, follows, total) in [
        (1, (10..=100).step_by(10).collect::<Vec<u64>>(), true, json!(23)),
        (2, (110..=200).step_by(10).collect(), true, json!(23)),
        (3, vec![210, 220, 230], false, json!(23)),
        (4, vec![], false, json!(23)),
    ] {
        let (found, answer) = page(nth);
        assert_eq!((found, &answer["has_next"]), (numbers, &json!(follows)), "page {nth}");
        assert_eq!((&answer["total"], answer.get("truncated")), (&total, None), "page {nth}");
    }
}

#[test]
fn what_nobody_looked_through_is_told_and_not_promised_on_a_next_page() {
    let world = many(1000);
    let asked = json!({ "labels": ["org-wide"], "limit": 100 });
    let answer = world.answer("list_issues", and(site(), asked));
    assert_eq!(answer["issues"].as_array().map(Vec::len), Some(85), "of 17 pages of Gitea");
    assert_eq!((&answer["has_next"], answer.get("total")), (&json!(false), None));
    let how = answer["truncated_how"].as_str().unwrap_or_default();
    assert!(how.contains("only the first 850 entries") && how.contains("narrow it"), "{how}");
    assert!(world.asked().len() < 32, "what the host lets one call send");
}
