//! Reading releases, and writes that Gitea would fail at, ignore or misread.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals are handed over as they are written")]

use serde_json::{Value, json};

use crate::tools::fake::{Route, World};
use crate::tools::kit::Error;

const MAIN: &str = "becb3a66782b2f27113e5c02991eb37d077f0fdf";
const OLD: &str = "900233057af24f7c8bf58bbfc5195c6a58766899";

fn site(more: Value) -> Value {
    let mut all = json!({ "owner": "acme", "repo": "site" });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        all[key] = value;
    }
    all
}

fn release(more: Value) -> Value {
    let mut release = json!({
        "id": 1, "tag_name": "v1.0", "target_commitish": "main", "name": "One", "body": "notes", "draft": false,
        "prerelease": false, "created_at": "2026-11-22T00:25:48Z", "published_at": "2026-11-22T00:25:48Z",
        "author": { "login": "alice", "email": "alice@example.test" },
        "assets": [{ "id": 9, "name": "a.zip", "size": 3, "download_count": 2, "uuid": "x" }],
        "html_url": "https://git.example.test/acme/site/releases/tag/v1.0",
        "tarball_url": "https://git.example.test/acme/site/archive/v1.0.tar.gz",
    });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        release[key] = value;
    }
    release
}

fn repository(more: Value) -> World {
    let mut repository = json!({ "archived": false, "empty": false, "has_releases": true });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        repository[key] = value;
    }
    let at = |name: &str| format!("GET /repos/acme/site/commits?sha={name}&limit=1");
    World::open()
        .on("GET /repos/acme/site", repository)
        .on(&at("refs/heads/main"), json!([{ "sha": MAIN }]))
        .on(&at("refs/heads/both"), json!([{ "sha": MAIN }]))
        .on(&at("refs/tags/both"), json!([{ "sha": OLD }]))
        .on(&at("refs/tags/old"), json!([{ "sha": OLD }]))
        .on(&at("main"), json!([{ "sha": MAIN }]))
        .on(&at("9002330"), json!([{ "sha": OLD }]))
        .on(&at(OLD), json!([{ "sha": OLD }]))
}

fn sent(world: &World) -> Value {
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

#[test]
fn lists_releases_without_their_notes() {
    let world = World::open().route(
        Route::new(
            "GET /repos/acme/site/releases?page=1&limit=30",
            200,
            json!([release(json!({ "draft": true }))]),
        )
        .header("x-total-count", "1"),
    );
    let answer = world.answer("list_releases", site(json!({})));
    assert_eq!(
        answer["releases"],
        json!([{
            "id": 1, "tag_name": "v1.0", "name": "One", "draft": true, "prerelease": false, "author": "alice",
            "created_at": "2026-11-22T00:25:48Z", "html_url": "https://git.example.test/acme/site/releases/tag/v1.0",
        }])
    );
    assert_eq!((&answer["total"], &answer["has_next"]), (&json!(1), &json!(false)));
}

#[test]
fn a_release_is_read_with_notes_and_files_and_no_addresses_of_people() {
    for (tool, path, arguments) in [
        ("get_release", "/repos/acme/site/releases/1", json!({ "release_id": 1 })),
        ("get_latest_release", "/repos/acme/site/releases/latest", json!({})),
    ] {
        let world = World::open().on(&format!("GET {path}"), release(json!({})));
        let answer = world.answer(tool, site(arguments));
        let expected = json!([{ "id": 9, "name": "a.zip", "size": 3, "download_count": 2 }]);
        assert_eq!((&answer["release"]["assets"], &answer["release"]["body"]), (&expected, &json!("notes")));
        assert!(!answer.to_string().contains("alice@"));
        let unowned = release(json!({ "author": null, "assets": null }));
        let answer = World::open().on(&format!("GET {path}"), unowned);
        let arguments = if tool == "get_release" { json!({ "release_id": 1 }) } else { json!({}) };
        assert_eq!(
            answer.answer(tool, site(arguments))["release"]["assets"],
            json!([]),
            "nulls fail nothing"
        );
    }
}

#[test]
fn a_missing_release_a_missing_repository_and_releases_turned_off_are_told_apart() {
    for (tool, arguments, none) in [
        ("list_releases", json!({}), "no releases"),
        ("get_release", json!({ "release_id": 7 }), "no release with the id 7"),
        ("get_latest_release", json!({}), "neither draft nor prerelease"),
    ] {
        for (world, word) in [
            (World::open(), "There is no repository acme/site"),
            (repository(json!({ "has_releases": false })), "Releases are turned off in acme/site"),
            (repository(json!({})), none),
        ] {
            let error = world.failure(tool, site(arguments.clone()));
            assert!(
                matches!(&error, Error::NotFound { message } if message.contains(word)),
                "{tool}: {error:?}"
            );
        }
    }
}

#[test]
fn the_id_of_a_release_is_a_number() {
    for id in [json!("v1.0"), json!("1"), json!(0), json!(1.5)] {
        let world = World::open();
        assert!(world.call("get_release", site(json!({ "release_id": id }))).is_err(), "{id}");
        assert!(world.asked().is_empty());
    }
}

#[test]
fn makes_a_release_with_a_new_tag_on_what_the_target_means() {
    for (target, told) in [
        (None, None),
        (Some("main"), Some("main")),
        (Some("old"), Some(OLD)),
        (Some("9002330"), Some(OLD)),
        (Some(OLD), Some(OLD)),
    ] {
        let mut wish = json!({ "tag_name": "v2.0", "name": "Two", "body": "new", "draft": false });
        let mut expected = wish.clone();
        if let (Some(target), Some(told)) = (target, told) {
            wish["target"] = target.into();
            expected["target_commitish"] = told.into();
        }
        let made = json!({
            "id": 2, "tag_name": "v2.0", "name": "Two", "body": "new", "target_commitish": told.unwrap_or("main"),
        });
        let world =
            repository(json!({})).route(Route::new("POST /repos/acme/site/releases", 201, release(made)));
        let answer = world.answer("create_release", site(wish));
        assert_eq!(sent(&world), expected, "{target:?}");
        assert_eq!(answer["not_applied"], json!([]), "{target:?}");
        assert_eq!((&answer["release"]["id"], answer["release"].get("body")), (&json!(2), None));
    }
}

#[test]
fn what_gitea_fails_at_or_ignores_is_refused_before_anything_is_written() {
    let taken = || {
        repository(json!({}))
            .on("GET /repos/acme/site/releases/tags/old", release(json!({ "id": 4, "tag_name": "old" })))
    };
    for (world, wish, why, word) in [
        (
            repository(json!({ "archived": true })),
            json!({ "tag_name": "v2" }),
            "repository_archived",
            "archived",
        ),
        (
            repository(json!({ "has_releases": false })),
            json!({ "tag_name": "v2" }),
            "releases_disabled",
            "turned off",
        ),
        (repository(json!({ "empty": true })), json!({ "tag_name": "v2" }), "repository_empty", "no commit"),
        (taken(), json!({ "tag_name": "old" }), "release_exists", "with the id 4"),
        (repository(json!({})), json!({ "tag_name": "old", "target": "main" }), "tag_exists", OLD),
        (repository(json!({})), json!({ "tag_name": "OLD" }), "tag_exists", "has the tag `old`"),
        (repository(json!({})), json!({ "tag_name": "v2", "target": "gone" }), "unknown_target", "`gone`"),
        (repository(json!({})), json!({ "tag_name": "v2", "target": "both" }), "ambiguous_target", MAIN),
    ] {
        let world = world.route(Route::new("POST /repos/acme/site/releases", 500, json!({ "message": "" })));
        let error = world.failure("create_release", site(wish));
        assert_eq!(reason(&error), why, "{error:?}");
        assert!(error.message().contains(word), "{}", error.message());
        assert!(world.written().is_empty(), "{why}");
    }
}

#[test]
fn an_existing_tag_is_released_where_it_stands() {
    for wish in [json!({ "tag_name": "old" }), json!({ "tag_name": "old", "target": "9002330" })] {
        let made = release(json!({ "tag_name": "old", "target_commitish": "main" }));
        let world = repository(json!({})).route(Route::new("POST /repos/acme/site/releases", 201, made));
        assert_eq!(world.answer("create_release", site(wish))["not_applied"], json!([]));
    }
}

#[test]
fn a_draft_that_holds_the_tag_is_told_though_its_tag_does_not_show_it() {
    let world = repository(json!({})).route(Route::new(
        "POST /repos/acme/site/releases",
        409,
        json!({ "message": "Release already exists" }),
    ));
    let error = world.failure("create_release", site(json!({ "tag_name": "v2", "draft": true })));
    assert_eq!(reason(&error), "release_exists");
    assert!(error.message().contains("perhaps as a draft"), "{}", error.message());
}

#[test]
fn what_gitea_left_out_of_a_new_release_is_told() {
    let world =
        repository(json!({})).route(Route::new("POST /repos/acme/site/releases", 201, release(json!({}))));
    let answer = world.answer(
        "create_release",
        site(json!({
            "tag_name": "v2", "name": "n", "body": "b", "draft": true, "prerelease": true, "target": OLD,
        })),
    );
    let fields: Vec<&Value> =
        answer["not_applied"].as_array().into_iter().flatten().map(|row| &row["field"]).collect();
    assert_eq!(fields, ["name", "body", "draft", "prerelease", "tag_name", "target"]);
}

#[test]
fn tags_that_git_does_not_take_are_refused_and_nothing_is_asked() {
    for tag in [
        "",
        "a b",
        "a..b",
        "-v1",
        "/v1",
        "v1/",
        "v1~",
        "v1^",
        "v1:",
        "v1?",
        "v1*",
        "v1[",
        "v1\\",
        "v1@{",
        "@",
        "v1.",
        ".v1",
        "x/.v1",
        "v1.lock",
        "x.lock/v1",
        "v1\n",
        OLD,
    ] {
        let world = World::open();
        assert!(world.call("create_release", site(json!({ "tag_name": tag }))).is_err(), "{tag:?}");
        assert!(world.asked().is_empty(), "{tag:?}");
    }
    for target in ["other:branch", "a b", "main~1", ""] {
        let world = World::open();
        let wish = site(json!({ "tag_name": "v1", "target": target }));
        assert!(world.call("create_release", wish).is_err(), "{target:?}");
        assert!(world.asked().is_empty(), "{target:?}");
    }
}

#[test]
fn changes_only_what_is_named() {
    let world = repository(json!({}))
        .on("GET /repos/acme/site/releases/1", release(json!({})))
        .route(Route::new("PATCH /repos/acme/site/releases/1", 200, release(json!({ "body": "other" }))));
    let answer = world.answer("edit_release", site(json!({ "release_id": 1, "body": "other" })));
    assert_eq!(sent(&world), json!({ "body": "other" }));
    assert_eq!(answer["not_applied"], json!([]));
    let wish = json!({ "release_id": 1, "name": "x", "body": "y", "draft": true, "prerelease": true });
    let answer = world.answer("edit_release", site(wish));
    let fields: Vec<&Value> =
        answer["not_applied"].as_array().into_iter().flatten().map(|row| &row["field"]).collect();
    assert_eq!(fields, ["name", "body", "draft", "prerelease"]);
}

#[test]
fn what_gitea_would_ignore_or_fail_at_is_no_change() {
    let drafted = |target: &str| {
        let draft = release(json!({ "draft": true, "tag_name": "v9", "target_commitish": target }));
        repository(json!({})).on("GET /repos/acme/site/releases/1", draft)
    };
    for (world, wish, why) in [
        (World::open(), json!({}), "nothing_to_change"),
        (World::open(), json!({ "name": "" }), "cannot_be_cleared"),
        (World::open(), json!({ "body": " \n" }), "cannot_be_cleared"),
        (repository(json!({ "archived": true })), json!({ "name": "x" }), "repository_archived"),
        (repository(json!({})), json!({ "name": "x" }), "not_found"),
        (drafted("gone"), json!({ "draft": false }), "target_missing"),
    ] {
        let world =
            world.route(Route::new("PATCH /repos/acme/site/releases/1", 500, json!({ "message": "" })));
        let mut wish = wish;
        wish["release_id"] = 1.into();
        let error = world.failure("edit_release", site(wish));
        assert_eq!(reason(&error), why, "{error:?}");
        assert!(world.written().is_empty(), "{why}");
    }
}

#[test]
fn a_draft_is_published_where_its_target_or_its_tag_is_there() {
    for (tag, target) in [("v9", "main"), ("old", "gone")] {
        let draft = json!({ "draft": true, "tag_name": tag, "target_commitish": target });
        let world = repository(json!({}))
            .on("GET /repos/acme/site/releases/1", release(draft))
            .route(Route::new("PATCH /repos/acme/site/releases/1", 200, release(json!({ "tag_name": tag }))));
        let answer = world.answer("edit_release", site(json!({ "release_id": 1, "draft": false })));
        assert_eq!((sent(&world), &answer["not_applied"]), (json!({ "draft": false }), &json!([])), "{tag}");
    }
}
