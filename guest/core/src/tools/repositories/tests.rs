//! Listing and describing repositories.

use serde_json::{Value, json};

use crate::gitea;
use crate::tools::fake::{OPEN_POLICY, Route, Stopped, World};
use crate::tools::kit::Error;

fn row(owner: &str, name: &str) -> Value {
    json!({
        "id": 1, "name": name, "full_name": format!("{owner}/{name}"), "owner": { "login": owner, "email": "a@example.test" },
        "description": "", "private": true, "archived": false, "fork": false, "default_branch": "main",
        "language": "Rust", "open_issues_count": 3, "updated_at": "2026-11-22T01:44:06Z",
        "html_url": "https://git.example.test/x", "parent": { "full_name": "secret/parent" },
        "archived_at": "1970-01-01T00:00:00Z", "permissions": { "admin": false, "push": true, "pull": true },
        "topics": ["one"], "licenses": null,
    })
}

#[test]
fn lists_a_page_slim_and_says_whether_more_follows() {
    let world = World::open().route(
        Route::new("GET /user/repos?page=2&limit=10", 200, json!([row("acme", "site")]))
            .header("x-total-count", "11")
            .header("link", "<https://x/?page=1>; rel=\"prev\""),
    );
    let answer = world.answer("list_repositories", json!({ "page": 2, "limit": 10 }));
    assert_eq!(answer["repositories"][0]["full_name"], "acme/site");
    assert_eq!(answer["has_next"], false);
    assert!(answer.get("total").is_none(), "the total would count what the policy hides");
    assert!(!answer.to_string().contains("example.test\"}"), "no mail address leaves: {answer}");
}

#[test]
fn repositories_that_the_policy_does_not_list_are_left_out_and_counted() {
    let policy = "repositories:\n  ACME/secret:\n    tools: {deny: [get_repository_info]}\n  hidden/*:\n    tools: {deny: [get_repository_info]}\n";
    let rows = json!([row("acme", "site"), row("Acme", "Secret"), row("hidden", "x"), { "name": "broken" }]);
    let world = World::with(policy, &[]).on("GET /user/repos", rows);
    let answer = world.answer("list_repositories", json!({}));
    let names: Vec<&Value> =
        answer["repositories"].as_array().into_iter().flatten().map(|row| &row["full_name"]).collect();
    assert_eq!(names, ["acme/site"]);
    assert_eq!(answer["hidden_by_policy"], 3);
    assert_eq!(answer["total"], 1);
}

#[test]
fn what_gitea_finds_out_from_all_files_is_left_out_under_path_rules() {
    let mut site = row("acme", "site");
    site["size"] = json!(4711);
    site["licenses"] = json!(["MIT"]);
    let policy = "repositories: {acme/*: {paths: {deny: ['src/*']}}}";
    for (policy, shown) in [(policy, false), (OPEN_POLICY, true)] {
        let world = World::with(policy, &[]).on("GET /repos/acme/site", site.clone());
        let answer = world.answer("get_repository_info", json!({ "owner": "acme", "repo": "site" }));
        for name in ["language", "size", "licenses"] {
            assert_eq!(answer["repository"].get(name).is_some(), shown, "{name}: {answer}");
        }
        assert_eq!(answer.get("uncounted").is_some(), !shown, "{answer}");
        assert_eq!(answer["repository"]["full_name"], "acme/site");

        let rows = json!([row("acme", "site"), row("other", "site")]);
        let answer =
            World::with(policy, &[]).on("GET /user/repos", rows).answer("list_repositories", json!({}));
        assert_eq!(answer["repositories"][0].get("language").is_some(), shown, "{answer}");
        assert_eq!(answer["repositories"][1]["language"], "Rust");
    }
}

#[test]
fn no_more_is_asked_for_than_may_be_answered_with() {
    let world = World::with(OPEN_POLICY, &[("MAX_TOOL_RESPONSE_ITEMS", "7")])
        .route(Route::new("GET /user/repos", 200, json!([row("acme", "site")])).header("x-total-count", "8"));
    let bounded = world.answer("list_repositories", json!({ "limit": 50 }));
    assert!(bounded["truncated_how"].as_str().unwrap_or_default().contains("at most 7 entries"), "{bounded}");
    assert_eq!(world.asked(), ["GET /user/repos?page=1&limit=7"]);
}

#[test]
fn describes_a_repository_without_its_parent_and_mail_addresses() {
    let world = World::open().on("GET /repos/acme/site", row("acme", "site"));
    let answer = world.answer("get_repository_info", json!({ "owner": "acme", "repo": "site" }));
    assert_eq!(answer["repository"]["permissions"], json!({ "admin": false, "push": true, "pull": true }));
    assert_eq!(answer["repository"]["topics"], json!(["one"]));
    assert_eq!(answer["repository"]["licenses"], json!([]));
    let text = answer.to_string();
    assert!(!text.contains("parent") && !text.contains("a@example.test") && !text.contains("1970"), "{text}");
}

#[test]
fn a_renamed_repository_is_told_and_not_followed() {
    let moved =
        Route::new("GET /repos/acme/old", 301, json!(null)).header("location", "/api/v1/repos/acme/new-name");
    let world = World::open().route(moved);
    let error = world.failure("get_repository_info", json!({ "owner": "acme", "repo": "old" }));
    let renamed = gitea::Error::Renamed { owner: "acme".into(), repo: "new-name".into(), told: true };
    assert_eq!(error, Error::Gitea(renamed));
    assert!(error.message().contains("acme/new-name"));
    assert_eq!(world.asked().len(), 1);
}

#[test]
fn the_new_name_of_a_renamed_repository_is_told_only_where_the_policy_lists_it() {
    let moved = |line: &str| {
        Route::new(line, 301, json!(null)).header("location", "/api/v1/repos/hidden/merger-plans?page=1")
    };
    let hiding = "defaults: {write: allow}\nrepositories:\n  Hidden/*:\n    tools: {deny: [\"*\"]}\n";
    let number = json!({ "owner": "acme", "repo": "old", "issue_number": 1 });
    let old = json!({ "owner": "acme", "repo": "old" });
    let mut title = old.clone();
    title["title"] = json!("t");
    for (tool, arguments, line) in [
        ("get_repository_info", old.clone(), "GET /repos/acme/old"),
        ("get_file_tree", old, "GET /repos/acme/old/commits"),
        ("get_issue", number, "GET /repos/acme/old/issues/1"),
        ("create_issue", title, "GET /repos/acme/old"),
    ] {
        let error = World::with(hiding, &[]).route(moved(line)).failure(tool, arguments.clone());
        assert!(
            matches!(error, Error::Gitea(gitea::Error::Renamed { told: false, .. })),
            "{tool}: {error:?}"
        );
        let message = error.message();
        assert!(message.contains("renamed"), "{tool}: {message}");
        assert!(
            !message.to_lowercase().contains("hidden") && !message.contains("merger"),
            "{tool}: {message}"
        );

        let message = World::open().route(moved(line)).failure(tool, arguments).message();
        assert!(message.contains("now called hidden/merger-plans"), "{tool}: {message}");
    }
}

#[test]
fn redirects_to_anywhere_else_are_errors() {
    for (status, location) in [
        (301, "https://evil.example/login"),
        (302, "/api/v1/repos/acme/new-name"),
        (307, "http://evil.example/api/v1/repos/a/b"),
        (301, "/api/v1/repos/../b"),
    ] {
        let world = World::open()
            .route(Route::new("GET /repos/acme/old", status, json!(null)).header("location", location));
        let error = world.failure("get_repository_info", json!({ "owner": "acme", "repo": "old" }));
        assert_eq!(error, Error::Gitea(gitea::Error::Redirected { status }), "{status} {location}");
        assert_eq!(world.asked().len(), 1);
    }
}

#[test]
fn an_unseen_repository_is_not_found_and_a_forbidden_one_is_a_permission_matter() {
    let arguments = json!({ "owner": "acme", "repo": "site" });
    let error = World::open().failure("get_repository_info", arguments.clone());
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    let refused = Route::new("GET /repos/acme/site", 403, json!({ "message": "required=[read:repository]" }));
    let error = World::open().route(refused).failure("get_repository_info", arguments);
    let Error::Gitea(forbidden) = &error else { panic!("{error:?}") };
    assert_eq!(forbidden.reason(), "repository_permission_denied");
    assert!(error.message().contains("required=[read:repository]"));
}

#[test]
fn a_denied_tool_asks_nothing() {
    let world = World::with("tools: {deny: [list_repositories]}\n", &[]);
    let stopped = world.call("list_repositories", json!({})).expect_err("denied");
    assert!(matches!(stopped, Stopped::Refused(_)), "{stopped:?}");
    assert!(world.asked().is_empty());
}
