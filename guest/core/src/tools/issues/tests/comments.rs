//! Listing comments and changing one.

use serde_json::{Value, json};

use super::{and, issue, reason, repository, sent, site};
use crate::ports::Failure;
use crate::tools::fake::{Route, World};

const ALL: &str = "GET /repos/acme/site/issues/7/comments";
const ONE: &str = "GET /repos/acme/site/issues/comments/19";
const PATCH: &str = "PATCH /repos/acme/site/issues/comments/19";

fn comment(id: u64, body: &str) -> Value {
    json!({
        "id": id, "body": body, "user": { "login": "bob", "email": "bob@example.test" }, "assets": [],
        "created_at": "2026-11-22T01:44:07Z", "updated_at": "2026-11-22T01:44:07Z",
        "html_url": "https://git.example.test/acme/site/issues/7#c", "pull_request_url": "",
        "issue_url": "https://git.example.test/acme/site/issues/7",
    })
}

fn discussion(comments: Vec<Value>) -> World {
    World::open().on("GET /repos/acme/site/issues/7", issue(7, &[])).on(ALL, comments.into())
}

fn page(page: u32, limit: u32) -> Value {
    and(site(), json!({ "issue_number": 7, "page": page, "limit": limit }))
}

#[test]
fn all_comments_come_back_from_gitea_and_are_paged_here() {
    let all: Vec<Value> = (1..=7).map(|id| comment(id, "text")).collect();
    let world = discussion(all);
    for (nth, ids, follows) in [(1, vec![1, 2, 3], true), (2, vec![4, 5, 6], true), (3, vec![7], false)] {
        let answer = world.answer("list_issue_comments", page(nth, 3));
        let found: Vec<u64> = answer["comments"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|comment| comment["id"].as_u64())
            .collect();
        assert_eq!(found, ids);
        assert_eq!((&answer["has_next"], &answer["total"]), (&json!(follows), &json!(7)));
        assert!(!answer.to_string().contains("bob@") && answer["comments"][0]["author"] == "bob");
    }
    assert_eq!(world.answer("list_issue_comments", page(9, 3))["comments"], json!([]));
    assert!(world.asked().iter().all(|line| !line.contains("page=")), "a page means nothing to Gitea here");
}

#[test]
fn an_unknown_issue_is_found_out_before_gitea_fails_on_its_comments() {
    let world = World::open().route(Route::new(ALL, 500, json!({ "message": "" })));
    let error = world.failure("list_issue_comments", page(1, 30));
    assert_eq!(reason(&error), "not_found");
    assert!(error.message().contains("no issue 7"), "{}", error.message());
    assert_eq!(world.asked().len(), 1);
}

#[test]
fn bodies_are_whole_where_they_fit_and_previews_where_they_do_not() {
    let long = "word ".repeat(1_000);
    let short = discussion(vec![comment(1, &long), comment(2, &long)]);
    let answer = short.answer("list_issue_comments", page(1, 30));
    assert_eq!(answer["comments"][1]["body"], json!(long));
    assert!(answer["comments"][1].get("body_truncated").is_none() && answer.get("truncated").is_none());

    let token = ["aegis", "_key_", "Zm9vYmFyYmF6cXV4cXV1eGNvcmdl"].concat();
    let across = format!("{}{token} {long}", "x ".repeat(245));
    let all = vec![comment(1, &long), comment(2, "short"), comment(3, &across), comment(4, &long)];
    let world = discussion(all);
    let finished = world.call("list_issue_comments", page(1, 30)).expect("comments");
    let rows = &finished.structured["comments"];
    for (at, truncated, characters) in [(0, true, 500), (1, false, 5), (2, true, 500)] {
        assert_eq!(rows[at]["body_truncated"], json!(if truncated { Some(true) } else { None }), "{at}");
        assert_eq!(rows[at]["body"].as_str().map(|body| body.chars().count()), Some(characters), "{at}");
    }
    assert!(!finished.text.contains("aegis_key_"), "a secret at the cut is masked before it is cut");
    assert_eq!(finished.removed.secrets, 1);
    let how = finished.structured["truncated_how"].as_str().unwrap_or_default();
    assert!(how.contains("3 body texts") && how.contains("limit=1 with page=N"), "{how}");
    let longer = "word ".repeat(3_000);
    let whole = discussion(vec![comment(1, &long), comment(2, &longer)]);
    let whole = whole.answer("list_issue_comments", page(2, 1));
    assert_eq!(whole["comments"][0]["body"], json!(longer), "and that is true");
    assert!(how.contains("edit_issue_comment replaces the whole text"), "{how}");
}

#[test]
fn a_long_comment_is_read_on_from_a_character() {
    let long = format!("{}{}", "é".repeat(20_000), "end");
    let world = discussion(vec![comment(1, "short"), comment(2, &long)]);
    let answer = world.answer("list_issue_comments", page(2, 1));
    let how = answer["truncated_how"].as_str().unwrap_or_default();
    assert!(how.contains("start_character=20001") && how.contains("edit_issue_comment replaces"), "{how}");
    let answer = world.answer("list_issue_comments", and(page(2, 1), json!({ "start_character": 20_001 })));
    assert_eq!(answer["comments"][0]["body"], "end");
}

/// A Gitea whose answer is longer than is read: it comes up to the bound, and then no more.
fn endless(comments: &[Value], cut_after: usize) -> World {
    let mut bytes = Value::from(comments).to_string().into_bytes();
    bytes.truncate(cut_after);
    let route = Route::bytes(ALL, "application/json", &bytes).failing_at_the_end(Failure::TooLarge);
    World::open().on("GET /repos/acme/site/issues/7", issue(7, &[])).route(route)
}

#[test]
fn of_a_discussion_that_is_too_large_the_beginning_is_told() {
    let all: Vec<Value> = (1..=5).map(|id| comment(id, "text")).collect();
    let four: usize = all.iter().take(4).map(|row| row.to_string().len() + 1).sum();
    let world = endless(&all, four + 20);
    let answer = world.answer("list_issue_comments", page(1, 3));
    assert_eq!(answer["comments"].as_array().map(Vec::len), Some(3));
    assert_eq!((&answer["has_next"], answer.get("total")), (&json!(true), None), "nobody knows how many");
    let how = answer["truncated_how"].as_str().unwrap_or_default();
    assert!(how.contains("the first 4 comments") && how.contains("8 MiB"), "{how}");
    let last = world.answer("list_issue_comments", page(2, 3));
    assert_eq!((last["comments"].as_array().map(Vec::len), &last["has_next"]), (Some(1), &json!(true)));
    let error = world.failure("list_issue_comments", page(3, 3));
    assert_eq!(reason(&error), "comments_too_large");
    assert!(error.message().contains("8 MiB") && error.message().contains("hold 4"), "{}", error.message());
    let requests = world.state.borrow().requests.clone();
    assert_eq!(requests[1].max_bytes, 9 * 1024 * 1024);
}

#[test]
fn an_answer_that_breaks_off_or_is_no_list_of_comments_is_no_short_discussion() {
    let at = |route: Route| World::open().on("GET /repos/acme/site/issues/7", issue(7, &[])).route(route);
    let whole = Value::from(vec![comment(1, "a"), comment(2, "b")]).to_string().into_bytes();
    let bytes = |bytes: &[u8]| Route::bytes(ALL, "application/json", bytes);
    for (route, expected) in [
        (bytes(&whole).broken(), "gitea_answer_broken"),
        (bytes(&whole[..whole.len() - 1]), "gitea_answer_not_json"),
        (bytes(&whole[..40]), "gitea_answer_not_json"),
        (bytes(&[&whole[..], b"x"].concat()), "gitea_answer_not_json"),
        (bytes(b"{\"id\": 1}"), "gitea_answer_not_json"),
        (Route::failing(ALL, Failure::TimedOut), "gitea_timeout"),
    ] {
        assert_eq!(reason(&at(route).failure("list_issue_comments", page(1, 1))), expected);
    }
    assert_eq!(at(bytes(b"null")).answer("list_issue_comments", page(1, 1))["comments"], json!([]));
}

#[test]
fn no_more_of_the_bodies_is_kept_than_fits_and_what_is_left_out_is_marked() {
    let (large, huge) = ("w ".repeat(200 << 10), "w ".repeat(300 << 10));
    let all: Vec<Value> = (1..=9)
        .map(|id| comment(id, if id == 2 { &huge } else { &large }))
        .chain([comment(10, "short")])
        .collect();
    let world = discussion(all);
    let answer = world.answer("list_issue_comments", page(1, 10));
    let rows = answer["comments"].as_array().expect("comments");
    let with_text: Vec<u64> =
        rows.iter().filter(|row| row["body"].is_string()).filter_map(|row| row["id"].as_u64()).collect();
    assert_eq!(with_text, [1, 3, 10], "400 KiB each, a mebibyte in all; what is over half of one never");
    assert_eq!(rows.iter().filter(|row| row["body_truncated"] == true).count(), 9);
    let how = answer["truncated_how"].as_str().unwrap_or_default();
    assert!(how.contains("7 bodies are left out") && how.contains("less than 512 KiB"), "{how}");
    let alone = world.answer("list_issue_comments", page(5, 1));
    assert!(alone["comments"][0]["body"].as_str().is_some_and(|body| body.starts_with("w w")), "as it says");
    let huge = world.answer("list_issue_comments", page(2, 1));
    assert_eq!(
        (huge["comments"][0].get("body"), &huge["comments"][0]["body_truncated"]),
        (None, &json!(true))
    );
}

#[test]
fn the_files_of_a_comment_are_named() {
    let files =
        json!({ "assets": [{ "id": 4, "name": "log.txt", "size": 12, "uuid": "x", "download_count": 1 }] });
    let answer = discussion(vec![and(comment(1, "see"), files)]).answer("list_issue_comments", page(1, 1));
    assert_eq!(answer["comments"][0]["assets"], json!([{ "name": "log.txt", "size": 12 }]));
}

fn edit(body: &str) -> Value {
    and(site(), json!({ "comment_id": 19, "body": body }))
}

#[test]
fn edits_a_comment_and_says_what_it_is_on() {
    let on_pull = and(
        comment(19, "old"),
        json!({ "issue_url": "", "pull_request_url": "https://git.example.test/acme/site/pulls/36" }),
    );
    for (before, number) in [(comment(19, "old"), 7), (on_pull, 36)] {
        let world = World::open()
            .on("GET /repos/acme/site", repository(json!({})))
            .on(ONE, before)
            .on(PATCH, comment(19, "new"));
        let answer = world.answer("edit_issue_comment", edit("new"));
        assert_eq!((&answer["issue_number"], &answer["not_applied"]), (&json!(number), &json!([])));
        assert_eq!((&answer["comment"]["id"], answer["comment"].get("body")), (&json!(19), None));
        assert_eq!(sent(&world, 0), json!({ "body": "new" }));
    }
}

#[test]
fn does_not_edit_what_is_no_comment_here() {
    let open = || World::open().on("GET /repos/acme/site", repository(json!({})));
    let archived = World::open()
        .on("GET /repos/acme/site", repository(json!({ "archived": true })))
        .on(ONE, comment(19, "old"));
    for (world, expected, said) in [
        (open(), "not_found", "Ids count over all repositories"),
        (open().route(Route::empty(ONE, 204)), "not_a_comment", "the id of an event"),
        (archived, "repository_archived", "is archived"),
    ] {
        let world = world.on(PATCH, comment(19, "new"));
        let error = world.failure("edit_issue_comment", edit("new"));
        assert_eq!(reason(&error), expected);
        assert!(error.message().contains(said), "{}", error.message());
        assert!(world.written().is_empty());
    }
}

#[test]
fn an_edit_that_was_refused_without_a_word_or_kept_out_is_told() {
    let world =
        || World::open().on("GET /repos/acme/site", repository(json!({}))).on(ONE, comment(19, "old"));
    let error = world().route(Route::empty(PATCH, 403)).failure("edit_issue_comment", edit("new"));
    assert_eq!(reason(&error), "repository_permission_denied");
    let answer = world().on(PATCH, comment(19, "old")).answer("edit_issue_comment", edit("new"));
    assert_eq!(answer["not_applied"][0]["field"], "body");
}
