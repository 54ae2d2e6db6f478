//! What becomes of the issue, by what was found and by what is there.

use aegis_redaction::Mode;
use serde_json::{Value, json};

use super::super::hygiene::Found;
use super::super::packed::{archived, run};
use super::told::{Text, known};
use crate::ports::Method;
use crate::tools::fake::{OPEN_POLICY, Route, World};

const JOB: &str = "auto_issue_creation";
const LIST: &str = "GET /repos/acme/Site/issues";
const BAD: &[(&str, &[u8])] = &[("Dockerfile", b"FROM node\n")];

fn issue(number: u64, author: &str, state: &str, body: &str) -> Value {
    json!({
        "number": number, "title": "Dependency hygiene: 1 finding", "state": state, "body": body,
        "user": { "login": author }, "html_url": format!("https://git.example.test/{number}"), "content_version": 3,
    })
}

/// The files, the account `svc`, and these issues. A write is answered with what was sent.
fn world(files: &[(&str, &[u8])], issues: &[Value]) -> World {
    archived(World::open(), files).on("GET /user", json!({ "login": "svc" })).on(LIST, json!(issues))
}

/// What the issue would say of these files.
fn text(files: &[(&str, &[u8])]) -> Text {
    let made = world(files, &[]).route(Route::new("POST /repos/acme/Site/issues", 201, json!({})));
    run(&made, JOB, true).unwrap();
    let written = made.written();
    let body: Value = serde_json::from_slice(written[0].body.as_deref().unwrap()).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let ids = known(&text("body")).unwrap().into_iter().map(str::to_owned).collect();
    Text { title: text("title"), body: text("body"), ids }
}

fn sent(world: &World) -> Vec<(Method, String, Value)> {
    let body =
        |body: Option<&[u8]>| body.map(|body| serde_json::from_slice(body).unwrap()).unwrap_or_default();
    let written = world.written();
    written.iter().map(|one| (one.method, one.segments.join("/"), body(one.body.as_deref()))).collect()
}

#[test]
fn one_issue_is_opened_for_all_that_was_found() {
    let said = text(&[("Dockerfile", b"FROM node\n"), ("sub/Dockerfile", b"FROM redis:latest\n")]);
    assert_eq!(said.title, "Dependency hygiene: 2 findings");
    assert!(
        said.body.contains("- **floating_image_tag** (medium) in `Dockerfile` line 1: `node` Name a version"),
        "{}",
        said.body
    );
    assert!(said.body.contains("`sub/Dockerfile` line 1: `redis:latest`"), "{}", said.body);
    let last = said.body.lines().last().unwrap();
    assert!(last.starts_with("<!-- aegis: auto_issue_creation ") && last.ends_with(" -->"), "{last}");
    assert_eq!(said.ids.len(), 2);
}

#[test]
fn what_is_there_decides_what_is_done() {
    let one = text(BAD);
    let two = text(&[("Dockerfile", b"FROM node\n"), ("b/Dockerfile", b"FROM redis\n")]);
    let (alike, more) = (one.body.as_str(), two.body.as_str());
    let unmarked = alike.replace("auto_issue_creation", "other");
    let same_with_breaks = alike.replace('\n', "\r\n");
    for (files, issues, action, method) in [
        (&[][..], vec![], "none", None),
        (BAD, vec![], "open", Some(Method::Post)),
        (BAD, vec![issue(4, "svc", "open", alike)], "unchanged", None),
        (BAD, vec![issue(4, "SVC", "open", &same_with_breaks)], "unchanged", None),
        (BAD, vec![issue(4, "svc", "open", more)], "update", Some(Method::Patch)),
        (&[], vec![issue(4, "svc", "open", alike)], "update", Some(Method::Patch)),
        // Somebody else's mark is none, and neither is an issue of the account without it.
        (BAD, vec![issue(4, "mallory", "open", alike)], "open", Some(Method::Post)),
        (BAD, vec![issue(4, "svc", "open", &unmarked)], "open", Some(Method::Post)),
        // What a person closed stays closed, unless there is something new.
        (BAD, vec![issue(4, "svc", "closed", alike)], "left_closed", None),
        (BAD, vec![issue(4, "svc", "closed", more)], "left_closed", None),
        (&[], vec![issue(4, "svc", "closed", more)], "left_closed", None),
        (
            BAD,
            vec![issue(4, "svc", "closed", &text(&[("x/Dockerfile", b"FROM x")]).body)],
            "reopen",
            Some(Method::Patch),
        ),
        // An open one goes before a newer closed one.
        (BAD, vec![issue(9, "svc", "closed", alike), issue(4, "svc", "open", alike)], "unchanged", None),
    ] {
        let world = world(files, &issues);
        let planned = run(&world, JOB, false).unwrap();
        assert_eq!((&planned["action"], world.written().len()), (&json!(action), 0), "{issues:?}");
        let answer = json!({ "number": 4, "state": "open", "title": planned["title"], "body": alike });
        let world = world
            .route(Route::new("POST /repos/acme/Site/issues", 201, answer.clone()))
            .route(Route::new("PATCH /repos/acme/Site/issues/4", 201, answer));
        let done = run(&world, JOB, true).unwrap();
        assert_eq!(done["action"], action, "{issues:?}");
        let sent = sent(&world);
        assert_eq!(sent.first().map(|(method, ..)| *method), method, "{issues:?}");
        assert!(sent.len() <= 1 && world.asked().len() <= 20, "a ticket is good for 32 requests");
        if let Some((Method::Patch, place, body)) = sent.first() {
            assert_eq!(place, "acme/Site/4");
            assert_eq!(
                body["content_version"], 3,
                "what somebody writes at the same moment is not overwritten"
            );
            assert_eq!(body.get("state"), (action == "reopen").then(|| json!("open")).as_ref());
        }
    }
}

#[test]
fn a_line_that_moved_is_brought_up_to_date_and_opens_nothing_again() {
    let before = text(BAD);
    let moved: &[(&str, &[u8])] = &[("Dockerfile", b"# one\nFROM node\n")];
    assert_eq!(before.ids, text(moved).ids);
    let closed = world(moved, &[issue(4, "svc", "closed", &before.body)]);
    assert_eq!(run(&closed, JOB, false).unwrap()["action"], "left_closed");
    let open = world(moved, &[issue(4, "svc", "open", &before.body)]);
    assert_eq!(run(&open, JOB, false).unwrap()["action"], "update");
}

#[test]
fn what_was_not_looked_at_is_not_taken_for_mended() {
    let told = text(BAD);
    let broken: &[(&str, &[u8])] = &[("package.json", b"{")];
    let open = world(broken, &[issue(4, "svc", "open", &told.body)]);
    assert_eq!(run(&open, JOB, true).unwrap()["action"], "unchanged");
    assert!(open.written().is_empty());
}

#[test]
fn text_of_the_repository_is_quoted_so_that_it_means_nothing() {
    let evil = "FROM x`@all`#12<img/src=x>-->`]()[a](http://e)\u{202e}\n";
    let odd = "a`b @root <!-- aegis: x -->/Dockerfile";
    let said = text(&[(odd, evil.as_bytes()), ("fine/Dockerfile", b"FROM node")]);
    for line in said.body.lines().filter(|line| line.starts_with("- ")) {
        assert_eq!(line.matches('`').count() % 2, 0, "{line}");
        // What is left outside of the code spans is ours.
        let ours: String = line.split('`').step_by(2).collect();
        for sign in ["@", "#", "<", ">", "[", "]", "http", "\u{202e}"] {
            assert!(!ours.contains(sign), "{sign}: {line}");
        }
    }
    assert!(!said.body.contains('\u{202e}'), "{}", said.body);
    assert_eq!(said.body.matches("auto_issue_creation").count(), 1);
    assert_eq!(known(&said.body).unwrap().len(), 2, "a mark in a path is none");
}

#[test]
fn secrets_are_masked_in_the_issue_also_where_detection_is_off() {
    let token = ["gh", "p_aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC2"].concat();
    let manifest = format!("[dependencies]\na = {{ git = \"https://h.example/{token}/x\" }}\n");
    let world = World::with(OPEN_POLICY, &[("SECRET_DETECTION_MODE", "off")]);
    let world = archived(world, &[("Cargo.toml", manifest.as_bytes())])
        .on("GET /user", json!({ "login": "svc" }))
        .on(LIST, json!([]))
        .route(Route::new("POST /repos/acme/Site/issues", 201, json!({})));
    run(&world, JOB, true).unwrap();
    let written = world.written();
    let body = String::from_utf8(written[0].body.clone().unwrap()).unwrap();
    assert!(!body.contains(&token) && body.contains("redacted"), "{body}");
}

#[test]
fn where_nothing_can_be_written_nothing_is_looked_for() {
    for (repository, reason) in [
        (json!({ "archived": true }), "repository_archived"),
        (json!({ "has_issues": false }), "issues_disabled"),
    ] {
        let made = World::open().on("GET /repos/acme/Site", repository);
        assert_eq!(run(&made, JOB, true).unwrap_err(), reason);
        assert_eq!(made.asked().len(), 1, "{reason}");
    }
    let busy = world(BAD, &[]);
    busy.state.borrow_mut().no_room = true;
    assert_eq!(run(&busy, JOB, true).unwrap_err(), "jobs_busy");
    assert!(busy.asked().is_empty());
}

#[test]
fn where_the_account_has_more_issues_than_are_looked_through_no_second_one_is_opened() {
    let many: Vec<Value> = (1..=50).map(|number| issue(number, "svc", "open", "other")).collect();
    let made = archived(World::open(), BAD)
        .on("GET /user", json!({ "login": "svc" }))
        .route(Route::new(LIST, 200, json!(many)).header("x-total-count", "1000"));
    assert_eq!(run(&made, JOB, true).unwrap_err(), "too_many_issues");
    assert!(made.written().is_empty());
    let nobody = archived(World::open(), BAD).on("GET /user", json!({})).on(LIST, json!([]));
    assert!(run(&nobody, JOB, true).is_err() && nobody.written().is_empty());
}

#[test]
fn what_gitea_did_not_apply_is_told() {
    let made = world(BAD, &[]).route(Route::new(
        "POST /repos/acme/Site/issues",
        201,
        json!({ "number": 1, "state": "closed" }),
    ));
    let done = run(&made, JOB, true).unwrap();
    assert_eq!(done["not_applied"].as_array().unwrap().len(), 3, "{done}");
}

#[test]
fn an_issue_of_nothing_says_so() {
    let said = Text::of(&Found::default(), Mode::Mask);
    assert_eq!((said.title.as_str(), said.ids.len()), ("Dependency hygiene: nothing left", 0));
    assert_eq!(known(&said.body), Some(Vec::new()));
    assert_eq!(known("<!-- aegis: auto_issue_creation 0123 -->"), None);
}
