//! Refs become commits once, names become ids or a clear error.

use serde_json::json;

use crate::gitea;
use crate::tools::fake::{Route, World};
use crate::tools::kit::Error;

fn commit() -> String {
    "9".repeat(40)
}

fn tree(world: &World, reference: Option<&str>) -> Result<serde_json::Value, Error> {
    let mut arguments = json!({ "owner": "acme", "repo": "site" });
    if let Some(reference) = reference {
        arguments["ref"] = json!(reference);
    }
    world.call("get_file_tree", arguments).map(|finished| finished.structured).map_err(|error| error.failed())
}

fn with_tree(world: World) -> World {
    world.on(
        &format!("GET /repos/acme/site/git/trees/{}", commit()),
        json!({ "tree": [], "truncated": false }),
    )
}

#[test]
fn a_ref_is_resolved_once_and_remembered_for_a_breath() {
    let world =
        with_tree(World::open().on("GET /repos/acme/site/commits?sha=main", json!([{ "sha": commit() }])));
    assert_eq!(tree(&world, Some("main")).expect("a tree")["commit"], commit());
    tree(&world, Some("main")).expect("a tree");
    let asked = world.asked();
    assert_eq!(asked.iter().filter(|line| line.contains("/commits")).count(), 1, "{asked:?}");
    assert!(world.state.borrow().cached.values().all(|(_, seconds)| *seconds <= 5));
}

#[test]
fn without_a_ref_the_default_branch_is_asked_for() {
    let world = with_tree(World::open().on("GET /repos/acme/site/commits", json!([{ "sha": commit() }])));
    tree(&world, None).expect("a tree");
    assert!(!world.asked()[0].contains("sha="), "{:?}", world.asked());
}

/// Answers as Gitea does: what is not a commit, nor a tag of one, has no commits.
fn knowing(world: World, reference: &str, id: &str) -> World {
    world.on(&format!("GET /repos/acme/site/commits?sha={reference}"), json!([{ "sha": id }]))
}

#[test]
fn a_full_id_is_looked_up_like_any_ref_and_remembered_for_long() {
    let world = knowing(with_tree(World::open()), &commit(), &commit());
    assert_eq!(tree(&world, Some(&commit())).expect("a tree")["commit"], commit());
    tree(&world, Some(&commit())).expect("a tree");
    let asked = world.asked();
    assert_eq!(asked.iter().filter(|line| line.contains("/commits?")).count(), 1, "{asked:?}");
    assert_eq!(world.state.borrow().cached.values().map(|(_, seconds)| *seconds).max(), Some(3600));
}

#[test]
fn the_id_of_a_directory_or_file_is_not_a_commit_though_the_trees_endpoint_takes_it() {
    let policy = "repositories: {acme/site: {paths: {deny: [\"src/secrets/*\"]}}}\n";
    for id in ["7".repeat(40), "7".repeat(64), "7777777".to_owned()] {
        // What is below `src` has a harmless name where `src` is taken for the root.
        let world = with_tree(World::with(policy, &[])).on(
            &format!("GET /repos/acme/site/git/trees/{id}"),
            json!({ "tree": [{ "path": "secrets/key.pem", "type": "blob", "mode": "100644" }] }),
        );
        let error = tree(&world, Some(&id)).expect_err("not a commit");
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
        assert!(error.message().contains(&format!("no branch, tag or commit `{id}`")), "{}", error.message());
        assert_eq!(error.message().contains("the id of a directory"), id.len() > 7, "{}", error.message());
        assert!(world.asked().iter().all(|line| !line.contains("/git/trees/")), "{:?}", world.asked());
        assert!(world.state.borrow().cached.is_empty(), "a refusal is not remembered");
    }
}

#[test]
fn contents_are_not_asked_for_at_what_is_not_a_commit() {
    let id = "7".repeat(40);
    let world = World::open().on(
        "GET /repos/acme/site/contents-ext/key.pem",
        json!({ "file_contents": { "type": "file", "content": "a2V5" } }),
    );
    let arguments = json!({ "owner": "acme", "repo": "site", "ref": id, "filepath": "key.pem" });
    let error = world.failure("get_file_contents", arguments);
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    assert_eq!(world.asked().len(), 1, "{:?}", world.asked());
}

#[test]
fn the_id_of_a_tag_object_becomes_its_commit() {
    let tag = "5".repeat(40);
    let world = knowing(with_tree(World::open()), &tag, &commit());
    assert_eq!(tree(&world, Some(&tag)).expect("a tree")["commit"], commit());
    assert!(world.asked().iter().all(|line| !line.contains(&format!("trees/{tag}"))), "{:?}", world.asked());
    assert!(world.state.borrow().cached.values().all(|(_, seconds)| *seconds <= 5));
}

#[test]
fn a_short_id_that_is_unknown_is_not_found() {
    let error = tree(&with_tree(World::open()), Some("9999999")).expect_err("unknown");
    assert!(matches!(error, Error::NotFound { .. }));
    assert!(error.message().contains("no branch, tag or commit `9999999`"), "{}", error.message());
}

#[test]
fn an_empty_repository_is_named_as_such() {
    let world =
        World::open().route(Route::new("GET /repos/acme/site/commits", 409, json!({ "message": "x" })));
    let error = tree(&world, None).expect_err("empty");
    assert!(matches!(error, Error::Conflict { reason: "repository_empty", .. }), "{error:?}");
}

#[test]
fn a_resolved_id_that_is_none_is_refused() {
    for body in [json!([]), json!(null), json!([{ "sha": "../x" }]), json!([{ "sha": "main" }])] {
        let world = World::open().on("GET /repos/acme/site/commits", body);
        assert_eq!(tree(&world, None).expect_err("no id"), Error::Gitea(gitea::Error::NotJson));
    }
}

#[test]
fn labels_are_read_to_the_last_page_even_when_pages_are_small() {
    let page = |names: &[&str], first: u64| {
        let rows = names.iter().zip(first..).map(|(name, id)| json!({ "id": id, "name": name }));
        serde_json::Value::Array(rows.collect())
    };
    let world = World::open()
        .route(
            Route::new("GET /repos/acme/site/labels?page=1", 200, page(&["a", "b"], 1))
                .header("x-total-count", "3"),
        )
        .route(
            Route::new("GET /repos/acme/site/labels?page=2", 200, page(&["c"], 3))
                .header("x-total-count", "3"),
        )
        .on("GET /repos/acme/site/issues?labels=c", json!([]));
    world.answer("list_issues", json!({ "owner": "acme", "repo": "site", "labels": ["c"] }));
    assert_eq!(world.asked().len(), 3, "{:?}", world.asked());
}

#[test]
fn a_label_is_found_in_any_case_unless_two_differ_only_by_case() {
    let labels =
        json!([{ "id": 1, "name": "Bug" }, { "id": 2, "name": "docs" }, { "id": 3, "name": "DOCS" }]);
    let world = World::open()
        .on("GET /repos/acme/site/labels", labels)
        .on("GET /repos/acme/site/issues?labels=Bug", json!([]));
    world.answer("list_issues", json!({ "owner": "acme", "repo": "site", "labels": ["bug"] }));
    let error = world.failure("list_issues", json!({ "owner": "acme", "repo": "site", "labels": ["Docs"] }));
    assert!(error.message().contains("`docs`, `DOCS`"), "{}", error.message());
    assert!(matches!(error, Error::Unprocessable { reason: "ambiguous_label", .. }));
}

#[test]
fn the_exact_spelling_of_a_label_wins_over_any_other() {
    let labels = json!([{ "id": 1, "name": "Bug" }, { "id": 2, "name": "bug" }]);
    let world = World::open()
        .on("GET /repos/acme/site/labels", labels)
        .on("GET /repos/acme/site/issues?labels=bug", json!([]));
    world.answer("list_issues", json!({ "owner": "acme", "repo": "site", "labels": ["bug"] }));
    assert!(world.asked().iter().all(|line| !line.starts_with("GET /orgs")), "{:?}", world.asked());
}

#[test]
fn a_label_that_cannot_be_looked_up_everywhere_is_not_left_out_of_a_filter() {
    let world = World::open()
        .on("GET /repos/acme/site/labels", json!([{ "id": 1, "name": "bug" }]))
        .route(Route::new("GET /orgs/acme/labels", 403, json!({})))
        .on("GET /repos/acme/site/issues", json!([]));
    let error =
        world.failure("list_issues", json!({ "owner": "acme", "repo": "site", "labels": ["org-wide"] }));
    assert!(error.message().contains("read:organization"), "{}", error.message());
    assert!(world.asked().iter().all(|line| !line.contains("/issues")), "{:?}", world.asked());
}
