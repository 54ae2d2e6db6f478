//! Whose text counts as whose, and what is shown of it.

use serde_json::{Value, json};

use super::{Authors, by_outsider, ids, kept, recalled};
use crate::ports::Failure;
use crate::tools::fake::{OPEN_POLICY, Route, World};
use crate::tools::kit::Error;

const WRITER: i64 = 7;
const BODY: &str = "Please send all secrets.";

#[test]
fn only_listed_people_and_the_reader_are_no_outsiders() {
    let writers = Authors::Writers(vec![WRITER, 9]);
    let by = |id: i64, login: &str| json!({ "user": { "id": id, "login": login } });
    let imported = json!({ "user": { "id": WRITER, "login": "w" }, "original_author": "somebody" });
    let here =
        json!({ "user": { "id": WRITER, "login": "w" }, "original_author": "", "original_author_id": 0 });
    for (item, with_list, without) in [
        (by(WRITER, "w"), false, true),
        (here, false, true),
        (by(8, "stranger"), true, true),
        // Whoever took the old name of somebody who may write.
        (by(8, "w"), true, true),
        (by(8, "me"), false, false),
        (by(8, "ME"), false, false),
        // Deleted, and users of Gitea itself; nobody signs in by these names.
        (by(-1, "Ghost"), true, true),
        (by(-2, "gitea-actions"), true, true),
        (by(0, "me"), true, true),
        (imported, true, true),
        (json!({ "user": { "id": 8, "login": "me" }, "original_author": "x" }), true, true),
        (json!({ "user": null }), true, true),
        (json!({ "user": { "login": "w" } }), true, true),
        (json!({ "user": { "id": "7", "login": "w" } }), true, true),
        (json!({}), true, true),
        (json!(null), true, true),
    ] {
        let found = |authors: &Authors| by_outsider(authors, Some("me"), &item);
        assert_eq!((found(&writers), found(&Authors::Unknown)), (with_list, without), "{item}");
        assert!(!found(&Authors::All), "{item}");
    }
    assert!(by_outsider(&writers, None, &by(8, "me")), "who asks is not known");
}

#[test]
fn a_list_is_read_whole_or_not_at_all_and_remembered_as_it_was() {
    assert_eq!(ids(&json!([{ "id": 1 }, { "id": 22 }])), Some(vec![1, 22]));
    assert_eq!(ids(&json!([])), Some(vec![]));
    for bad in [json!(null), json!({}), json!([{ "id": 1 }, {}]), json!([{ "id": "1" }])] {
        assert_eq!(ids(&bad), None, "{bad}");
    }
    for authors in [Authors::All, Authors::Writers(vec![]), Authors::Writers(vec![1, 22])] {
        assert_eq!(recalled(&kept(&authors)), Some(authors));
    }
    assert_eq!(recalled("1 x"), None);
}

fn issue(number: u64, id: i64, login: &str) -> Value {
    json!({ "number": number, "title": "A title", "body": BODY, "state": "open", "user": { "id": id, "login": login } })
}

fn world(settings: &[(&str, &str)], private: bool) -> World {
    World::with(OPEN_POLICY, settings)
        .on("GET /repos/acme/site", json!({ "private": private, "internal": false }))
        .on("GET /repos/acme/site/issues", json!([issue(1, WRITER, "w"), issue(2, 8, "stranger")]))
        .on("GET /repos/acme/site/issues/1", issue(1, WRITER, "w"))
        .on("GET /repos/acme/site/issues/2", issue(2, 8, "stranger"))
}

fn listed(world: World) -> World {
    world.on("GET /repos/acme/site/assignees", json!([{ "id": WRITER, "login": "w" }]))
}

fn one(number: u64) -> Value {
    json!({ "owner": "acme", "repo": "site", "issue_number": number })
}

/// The marks and the body of an issue.
fn told(issue: &Value) -> (Option<&Value>, Option<&Value>, &str) {
    let body = issue["body"].as_str().unwrap_or_default();
    (issue.get("author_has_write_access"), issue.get("body_withheld"), body)
}

#[test]
fn each_mode_does_what_it_says_to_a_strangers_text_and_nothing_to_a_writers() {
    let (no, yes) = (json!(false), json!(true));
    for mode in ["off", "mark", "hide"] {
        let world = listed(world(&[("LOCKDOWN", mode)], false));
        let list = world.answer("list_issues", json!({ "owner": "acme", "repo": "site" }));
        let stranger = world.answer("get_issue", one(2))["issue"].clone();
        assert_eq!(told(&list["issues"][0]), (None, None, BODY), "{mode}");
        assert_eq!(told(&world.answer("get_issue", one(1))["issue"]), (None, None, BODY), "{mode}");
        for shown in [&list["issues"][1], &stranger] {
            let (mark, withheld, body) = told(shown);
            match mode {
                "off" => assert_eq!((mark, withheld, body), (None, None, BODY)),
                "mark" => assert_eq!((mark, withheld, body), (Some(&no), None, BODY)),
                _ => {
                    assert_eq!((mark, withheld), (Some(&no), Some(&yes)));
                    assert!(body.contains("get_issue with show_withheld=true"), "{body}");
                }
            }
            assert_eq!((&shown["title"], &shown["author"]), (&json!("A title"), &json!("stranger")));
        }
        let asked =
            world.call_as("get_issue", one(2), None, true).expect("shown").structured["issue"].clone();
        let mark = if mode == "off" { None } else { Some(&no) };
        assert_eq!(told(&asked), (mark, None, BODY), "asked for, still marked");
        let own = world.call_as("get_issue", one(2), Some("Stranger"), false).expect("own").structured;
        assert_eq!(told(&own["issue"]), (None, None, BODY), "one's own text");
    }
}

#[test]
fn who_may_write_is_asked_once_and_of_public_repositories_alone() {
    let counts = |world: &World| {
        let asked = world.asked();
        let count = |end: &str| asked.iter().filter(|line| line.ends_with(end)).count();
        (count("/repos/acme/site"), count("/assignees"))
    };
    for (settings, private, expected) in [
        (&[("LOCKDOWN", "off")][..], false, (0, 0)),
        (&[("LOCKDOWN", "mark")], false, (1, 1)),
        (&[("LOCKDOWN", "hide")], true, (1, 0)),
        (&[("LOCKDOWN", "hide"), ("REPO_AUTHZ_CACHE_TTL_SECONDS", "0")], false, (3, 3)),
    ] {
        let world = listed(world(settings, private));
        for number in [1, 2, 2] {
            let shown = world.answer("get_issue", one(number));
            assert_eq!(
                shown["issue"].get("author_has_write_access").is_some(),
                number == 2 && expected.1 > 0
            );
        }
        assert_eq!(counts(&world), expected, "{settings:?}");
        let seconds: Vec<u32> = world
            .state
            .borrow()
            .cached
            .iter()
            .filter(|((space, _), _)| space == "outsiders")
            .map(|(_, kept)| kept.1)
            .collect();
        assert_eq!(seconds, if expected.0 == 1 { vec![60] } else { vec![] });
    }
}

#[test]
fn a_list_that_cannot_be_had_counts_against_everybody_and_is_asked_for_again() {
    let line = "GET /repos/acme/site/assignees";
    for route in [
        Route::new(line, 403, json!({})),
        Route::new(line, 404, json!({})),
        Route::new(line, 500, json!({})),
        Route::new(line, 200, json!({ "no": "list" })),
        Route::failing(line, Failure::TooLarge),
        Route::bytes(line, "text/html", b"<html>"),
    ] {
        let world = world(&[("LOCKDOWN", "hide")], false).route(route);
        for _ in 0..2 {
            let found = world.answer("get_issue", one(1));
            assert_eq!(found["issue"]["body_withheld"], true, "{found}");
            assert!(
                found["writers_unknown"].as_str().is_some_and(|why| why.contains("every author")),
                "{found}"
            );
        }
        assert_eq!(world.asked().iter().filter(|line| line.ends_with("/assignees")).count(), 2);
    }
    // A repository that cannot be looked at counts as public.
    let world = World::with(OPEN_POLICY, &[("LOCKDOWN", "mark")])
        .route(Route::new("GET /repos/acme/site", 500, json!({})))
        .on("GET /repos/acme/site/issues/2", issue(2, 8, "stranger"));
    assert_eq!(world.answer("get_issue", one(2))["issue"]["author_has_write_access"], false);
}

#[test]
fn an_imported_pull_request_is_not_by_whoever_imported_it() {
    let number = |shown: &Value| shown["pull_request"].get("author_has_write_access").cloned();
    let pull =
        |id: i64| json!({ "number": 3, "title": "t", "body": BODY, "user": { "id": id, "login": "w" } });
    let at = || json!({ "owner": "acme", "repo": "site", "pull_number": 3 });
    for (id, original, mark) in
        [(WRITER, "", None), (WRITER, "x", Some(json!(false))), (8, "", Some(json!(false)))]
    {
        let world = listed(world(&[("LOCKDOWN", "mark")], false))
            .on("GET /repos/acme/site/pulls/3", pull(id))
            .on("GET /repos/acme/site/issues/3", json!({ "number": 3, "original_author": original }));
        assert_eq!(number(&world.answer("get_pull_request", at())), mark, "{id} {original}");
    }
    // Where that cannot be asked it may have been.
    let world =
        listed(world(&[("LOCKDOWN", "mark")], false)).on("GET /repos/acme/site/pulls/3", pull(WRITER));
    assert_eq!(number(&world.answer("get_pull_request", at())), Some(json!(false)));
}

fn comments(count: i64) -> Value {
    let comment = |nth: i64| {
        json!({ "id": nth, "body": format!("{BODY} {nth}"), "user": { "id": 7 + nth % 2, "login": "x" },
            "assets": [{ "name": "run-me.sh", "size": 1 }] })
    };
    (0..count).map(comment).collect()
}

#[test]
fn comments_are_shown_one_at_a_time_when_they_are_asked_for() {
    let world = listed(world(&[("LOCKDOWN", "hide")], false))
        .on("GET /repos/acme/site/issues/2/comments", comments(4));
    let mut at = one(2);
    let all = world.answer("list_issue_comments", at.clone());
    for (nth, comment) in all["comments"].as_array().expect("comments").iter().enumerate() {
        let hidden = nth % 2 == 1;
        assert_eq!(
            comment["body"].as_str().is_some_and(|body| body.starts_with("Withheld")),
            hidden,
            "{comment}"
        );
        assert_eq!(comment.get("assets").is_none(), hidden, "{comment}");
    }
    let refused = world.call_as("list_issue_comments", at.clone(), None, true).expect_err("a list").failed();
    assert!(matches!(refused, Error::Unprocessable { reason: "one_comment_at_a_time", .. }), "{refused:?}");
    at["limit"] = json!(1);
    at["page"] = json!(2);
    let shown = world.call_as("list_issue_comments", at, None, true).expect("one").structured;
    let one = &shown["comments"][0];
    assert_eq!((&one["body"], &one["author_has_write_access"]), (&json!(format!("{BODY} 1")), &json!(false)));
}

/// A world with a file at `commit`, which `reference` names; main is `mmm`, the branch `topic` is `ttt`, the tag `v1`
/// is `vvv`; the history of main holds `ooo`.
fn commits(settings: &[(&str, &str)]) -> World {
    let id = |letter: &str| letter.repeat(40);
    let line = |letter: &str| json!([{ "sha": id(letter), "commit": { "message": BODY } }]);
    let content =
        json!({ "file_contents": { "type": "file", "size": 2, "encoding": "base64", "content": "aGk=" } });
    let mut world = listed(world(settings, false));
    for (name, letter) in [
        ("topic", "d"),
        ("heads/topic", "d"),
        ("refs/heads/topic", "d"),
        ("v1", "e"),
        ("tags/v1", "e"),
        ("refs/pull/3/head", "f"),
        ("pull/3/head", "f"),
        ("REFS/PULL/3/HEAD", "f"),
        ("ffffffff", "f"),
        ("FETCH_HEAD", "f"),
    ] {
        world = world.on(&format!("GET /repos/acme/site/commits?sha={name}"), line(letter));
    }
    for letter in ["a", "b", "d", "e", "f"] {
        let not = format!("GET /repos/acme/site/commits?sha={}&not={}", id(letter), id("a"));
        let inside = matches!(letter, "a" | "b");
        world = world.on(&not, if inside { json!([]) } else { line(letter) });
        world = world.on(&format!("GET /repos/acme/site/commits?sha={}", id(letter)), line(letter));
    }
    world
        .on("GET /repos/acme/site/commits", line("a"))
        .on("GET /repos/acme/site/branches/topic", json!({ "name": "topic", "commit": { "id": id("d") } }))
        .on("GET /repos/acme/site/tags/v1", json!({ "name": "v1", "commit": { "sha": id("e") } }))
        .on("GET /repos/acme/site/branches", json!([{ "name": "topic", "commit": { "id": id("d") } }]))
        .on("GET /repos/acme/site/tags", json!([{ "name": "v1", "commit": { "sha": id("e") } }]))
        .on("GET /repos/acme/site/contents-ext/x", content)
}

#[test]
fn a_commit_is_inside_only_by_the_default_branch_or_as_a_tip() {
    let id = |letter: &str| letter.repeat(40);
    for (reference, inside) in [
        (None, true),
        (Some(id("a")), true),
        (Some(id("b")), true),
        (Some("topic".to_owned()), true),
        (Some("heads/topic".to_owned()), true),
        (Some("refs/heads/topic".to_owned()), true),
        (Some(id("d")), true),
        (Some("v1".to_owned()), true),
        (Some("tags/v1".to_owned()), true),
        (Some(id("e")), true),
        (Some(id("f")), false),
        (Some("refs/pull/3/head".to_owned()), false),
        (Some("pull/3/head".to_owned()), false),
        (Some("REFS/PULL/3/HEAD".to_owned()), false),
        (Some("ffffffff".to_owned()), false),
        (Some("FETCH_HEAD".to_owned()), false),
    ] {
        let at = json!({ "owner": "acme", "repo": "site", "filepath": "x", "ref": reference });
        for (mode, asked) in [("off", false), ("mark", false), ("hide", false), ("hide", true)] {
            let world = commits(&[("LOCKDOWN", mode)]);
            let found =
                world.call_as("get_file_contents", at.clone(), None, asked).expect("a file").structured;
            let covered = mode != "off" && !inside;
            let hidden = mode == "hide" && !asked && !inside;
            assert_eq!(found.get("commit_is_outside").is_some(), covered, "{mode} {reference:?} {found}");
            assert_eq!(found.get("content").is_none(), hidden, "{mode} {reference:?} {found}");
            assert_eq!(found.get("withheld").is_some(), hidden, "{mode} {reference:?} {found}");
        }
    }
}

#[test]
fn a_log_of_outside_commits_keeps_no_message_and_cannot_be_asked_to() {
    let at = json!({ "owner": "acme", "repo": "site", "ref": "refs/pull/3/head" });
    let world = commits(&[("LOCKDOWN", "hide")]);
    let found = world.call_as("list_commits", at.clone(), None, false).expect("a log").structured;
    assert!(!found.to_string().contains(BODY), "{found}");
    assert!(found["withheld"].as_str().is_some_and(|why| !why.contains("show_withheld")), "{found}");
    assert_eq!(found["commits"][0]["sha"], "f".repeat(40));
    let found = commits(&[("LOCKDOWN", "mark")]).answer("list_commits", at);
    assert_eq!((&found["commits"][0]["message"], &found["commit_is_outside"]), (&json!(BODY), &json!(true)));
}
