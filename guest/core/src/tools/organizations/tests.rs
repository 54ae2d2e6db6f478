//! Listing organisations and what is in one.

use serde_json::{Value, json};

use crate::gitea;
use crate::tools::fake::{OPEN_POLICY, Route, Stopped, World};
use crate::tools::kit::Error;

fn repository(owner: &str, name: &str) -> Value {
    json!({
        "id": 1, "name": name, "full_name": format!("{owner}/{name}"), "owner": { "login": owner },
        "description": "d", "private": false, "archived": false, "fork": false, "default_branch": "main",
        "open_issues_count": 3, "html_url": "https://git.example.test/x",
    })
}

fn names(answer: &Value) -> Vec<&str> {
    let rows = answer["repositories"].as_array().into_iter().flatten();
    rows.filter_map(|row| row["full_name"].as_str()).collect()
}

const ORG_REPOS: &str = "GET /orgs/acme/repos";

#[test]
fn lists_the_organisations_of_the_user_and_not_all_of_the_instance() {
    let acme = json!({
        "id": 7, "name": "acme", "full_name": "Acme Inc", "email": "boss@example.test", "visibility": "public",
        "avatar_url": "https://x/avatar", "description": "", "website": "", "location": "", "username": "acme",
        "repo_admin_change_team_access": false,
    });
    let world = World::open()
        .route(Route::new("GET /user/orgs?page=1&limit=30", 200, json!([acme])).header("x-total-count", "1"));
    let answer = world.answer("list_organizations", json!({}));
    assert_eq!(answer["organizations"][0]["name"], "acme");
    assert_eq!((&answer["total"], &answer["has_next"]), (&json!(1), &json!(false)));
    let text = answer.to_string();
    assert!(!text.contains("boss@") && !text.contains("avatar"), "{text}");
    assert_eq!(world.asked(), ["GET /user/orgs?page=1&limit=30"]);
}

#[test]
fn an_organisation_whose_every_repository_is_hidden_is_not_named() {
    let rows = json!([{ "id": 1, "name": "acme" }, { "id": 2, "name": "Mallory" }, { "id": 3, "name": "tools" }, { "id": 4 }]);
    let policy = "repositories:\n  mallory/*: {tools: {deny: ['*']}}\n  mallory/open: {tools: {allow: [get_repository_info]}}\n  \
                  acme/site: {tools: {deny: ['*']}}\n  tools/*: {tools: {deny: [search_code]}}\n";
    let world = World::with(policy, &[])
        .route(Route::new("GET /user/orgs?page=1&limit=30", 200, rows).header("x-total-count", "4"));
    let answer = world.answer("list_organizations", json!({}));
    let names: Vec<_> =
        answer["organizations"].as_array().into_iter().flatten().map(|row| &row["name"]).collect();
    assert_eq!(names, ["acme", "tools"]);
    assert_eq!((&answer["hidden_by_policy"], &answer["total"]), (&json!(2), &json!(2)), "{answer}");
}

#[test]
fn a_token_without_the_scope_is_told_gitea_s_words() {
    let said = "token does not have at least one of required scope(s), required=[read:organization]";
    for (tool, line, arguments) in [
        ("list_organizations", "GET /user/orgs", json!({})),
        ("list_org_repositories", ORG_REPOS, json!({ "org": "acme" })),
    ] {
        let error =
            World::open().route(Route::new(line, 403, json!({ "message": said }))).failure(tool, arguments);
        assert!(matches!(error, Error::Gitea(gitea::Error::Forbidden { .. })), "{error:?}");
        assert!(error.message().contains("read:organization"), "{}", error.message());
    }
}

#[test]
fn what_gitea_counts_but_does_not_show_is_not_told() {
    // The second repository is invisible to this user: Gitea takes it off the page and counts it still.
    let rows = json!([repository("acme", "site")]);
    let route = Route::new("GET /orgs/acme/repos?page=1&limit=2", 200, rows).header("x-total-count", "2");
    let answer =
        World::open().route(route).answer("list_org_repositories", json!({ "org": "acme", "limit": 2 }));
    assert_eq!((names(&answer), &answer["has_next"]), (vec!["acme/site"], &json!(false)));
    assert!(answer.get("total").is_none(), "{answer}");
}

#[test]
fn a_short_or_empty_page_is_not_the_end() {
    for rows in [json!([]), json!([repository("acme", "site")])] {
        let route = Route::new("GET /orgs/acme/repos?page=1&limit=30", 200, rows)
            .header("x-total-count", "31")
            .header("link", "<https://x/?page=2>; rel=\"next\"");
        let answer = World::open().route(route).answer("list_org_repositories", json!({ "org": "acme" }));
        assert_eq!(answer["has_next"], true, "{answer}");
    }
}

#[test]
fn repositories_that_the_policy_does_not_list_are_left_out_and_counted() {
    let policy = "repositories:\n  ACME/secret:\n    tools: {deny: [get_repository_info]}\n";
    let rows = json!([repository("acme", "site"), repository("Acme", "Secret")]);
    let route = Route::new(ORG_REPOS, 200, rows).header("x-total-count", "2");
    let answer =
        World::with(policy, &[]).route(route).answer("list_org_repositories", json!({ "org": "acme" }));
    assert_eq!((names(&answer), &answer["hidden_by_policy"]), (vec!["acme/site"], &json!(1)));
    assert!(answer.get("total").is_none(), "{answer}");
}

#[test]
fn an_unknown_organisation_or_a_person_is_told_where_to_look() {
    let error = World::with(OPEN_POLICY, &[]).failure("list_org_repositories", json!({ "org": "alice" }));
    let Error::NotFound { message } = &error else { panic!("{error:?}") };
    assert!(message.contains("no organisation alice") && message.contains("list_repositories"), "{message}");
}

#[test]
fn a_name_that_would_reach_another_route_is_refused_before_anything_is_sent() {
    let world = World::open();
    for org in ["acme/repos", "..", "acme?sudo=root", ""] {
        let stopped = world.call("list_org_repositories", json!({ "org": org })).expect_err("refused");
        assert!(matches!(&stopped, Stopped::Argument(error) if error.field == "org"), "{stopped:?}");
    }
    assert!(world.asked().is_empty());
}
