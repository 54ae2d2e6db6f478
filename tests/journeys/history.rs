//! What is in a repository and how it came to be: languages, topics, organisations, commits, differences, checks,
//! and lines of code.

use serde_json::{Value, json};

use crate::place::{Ground, Who};
use crate::repositories::each;
use crate::wire::{WIRES, Wire};

/// Languages, topics, and the organisation around it.
pub async fn describes_what_a_repository_is_made_of(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let found = stand.read("get_repo_languages", stand.at("alice/demo", json!({}))).await;
    let rust = found["languages"].as_array().expect("a list").iter().find(|row| row["language"] == "Rust");
    assert_eq!(rust.expect("Rust")["bytes"], 116, "{found}");
    let found = stand.read("get_repo_languages", stand.at("alice/empty", json!({}))).await;
    assert_eq!(found["languages"], json!([]));

    let found = stand.read("list_repo_topics", stand.at("acme/site", json!({}))).await;
    assert_eq!(found["topics"], json!(["docs", "website"]));
    let found = stand.read("list_repo_topics", stand.at("alice/demo", json!({}))).await;
    assert_eq!(found["topics"], json!([]));

    let acme = stand.login("acme");
    let found = stand.read("list_organizations", json!({})).await;
    assert_eq!(each(&found["organizations"], "/name"), [&json!(acme)]);
    assert_eq!(found["organizations"][0]["visibility"], "public");
    assert_eq!((&found["has_next"], &found["total"]), (&json!(false), &json!(1)));
    let found = stand.read("list_org_repositories", json!({ "org": acme })).await;
    let mut names = each(&found["repositories"], "/full_name");
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, [&json!(format!("{acme}/site")), &json!(format!("{acme}/vault"))]);
    stand.end().await;

    // The private one is not told of to somebody from outside, in the count neither.
    let stand = ground.stand(Who::Carol, |setup| setup).await;
    let found = stand.read("list_org_repositories", json!({ "org": acme })).await;
    assert_eq!(each(&found["repositories"], "/full_name"), [&json!(format!("{acme}/site"))]);
    assert_eq!(found.get("total"), None, "Gitea counts what is not shown");
    let unknown = json!({ "org": "no-organisation-of-this-name" });
    let said = stand.fails("list_org_repositories", unknown, 404, "not_found").await;
    assert!(said.contains("no-organisation-of-this-name"), "{said}");
    stand.end().await;
}

/// Commits page by page without loss, branches and tags that name them, and one commit with what it changed.
pub async fn walks_through_the_history(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let whole = stand.read("list_commits", stand.at("alice/demo", json!({}))).await;
    assert_eq!((&whole["commit"], &whole["has_next"]), (&json!(stand.commit("main")), &json!(false)));
    let all = each(&whole["commits"], "/sha");
    assert_eq!((all[0], whole["total"].as_u64()), (&json!(stand.commit("main")), Some(all.len() as u64)));
    assert!(all.contains(&&json!(stand.commit("v1.0"))), "{whole}");
    let mut walked: Vec<Value> = Vec::new();
    for page in 1..=all.len() {
        let more = json!({ "ref": "main", "page": page, "limit": 1 });
        let found = stand.once(Wire::Direct, "list_commits", &stand.at("alice/demo", more)).await;
        assert_eq!(found["has_next"], page < all.len(), "page {page}");
        walked.extend(each(&found["commits"], "/sha").into_iter().cloned());
    }
    assert_eq!(walked.iter().collect::<Vec<_>>(), all, "page by page the same");

    let at = stand.at("alice/demo", json!({ "ref": "feature/one", "limit": 1 }));
    let found = stand.read("list_commits", at).await;
    let newest = &found["commits"][0];
    assert_eq!(newest["sha"], stand.commit("feature/one"));
    assert_eq!((&newest["parents"], &found["has_next"]), (&json!([stand.commit("v1.0")]), &json!(true)));
    assert_eq!(newest["author_login"], stand.login("alice"));

    for sha in ["feature/one", stand.commit("feature/one"), &stand.commit("feature/one")[..10]] {
        let found = stand.read("get_commit_diff", stand.at("alice/demo", json!({ "sha": sha }))).await;
        assert_eq!(found["commit"]["sha"], stand.commit("feature/one"), "{sha}");
        assert_eq!(found["commit"]["parents"], json!([stand.commit("v1.0")]));
        let file = &found["files"][0];
        assert_eq!((&file["path"], &file["status"]), (&json!("feature.txt"), &json!("added")));
        assert_eq!((&file["additions"], &file["deletions"]), (&json!(1), &json!(0)));
        assert_eq!(file["patch"], "@@ -0,0 +1 @@\n+feature\n");
        assert_eq!((&found["total"], &found["has_next"]), (&json!(1), &json!(false)));
    }
    let unknown = stand.at("alice/demo", json!({ "sha": "no-such-branch" }));
    let said = stand.fails("get_commit_diff", unknown, 404, "not_found").await;
    assert!(said.contains("no-such-branch"), "{said}");

    let found = stand.read("list_tags", stand.at("alice/demo", json!({}))).await;
    assert_eq!(each(&found["tags"], "/name"), [&json!("v1.0")]);
    assert_eq!(found["tags"][0]["commit"], stand.commit("v1.0"));
    let found = stand.read("list_branches", stand.at("alice/demo", json!({}))).await;
    let mut names = each(&found["branches"], "/name");
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, [&json!("b1"), &json!("feature/one"), &json!("main")]);
    assert_eq!((&found["total"], &found["has_next"]), (&json!(3), &json!(false)));
    let at = stand.at("alice/demo", json!({ "branch": "feature/one" }));
    let branch = stand.read("get_branch", at).await["branch"].clone();
    assert_eq!(
        (&branch["name"], &branch["commit"]),
        (&json!("feature/one"), &json!(stand.commit("feature/one")))
    );
    assert_eq!((&branch["protected"], &branch["user_can_push"]), (&json!(false), &json!(true)));
    let said = stand
        .fails("get_branch", stand.at("alice/demo", json!({ "branch": "feature/two" })), 404, "not_found")
        .await;
    assert!(said.contains("feature/two"), "{said}");
    stand.end().await;
}

/// What two refs differ in, on every version: a new file, a renamed one, and nothing.
pub async fn compares_what_parted(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let compare = async |base: &str, head: &str| {
        stand.read("compare_refs", stand.at("alice/demo", json!({ "base": base, "head": head }))).await
    };
    let found = compare("main", "feature/one").await;
    assert_eq!(
        (&found["base_commit"], &found["head_commit"]),
        (&json!(stand.commit("main")), &json!(stand.commit("feature/one")))
    );
    assert_eq!((&found["total_commits"], found["files"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    assert_eq!(each(&found["commits"], "/sha"), [&json!(stand.commit("feature/one"))]);
    let file = &found["files"][0];
    assert_eq!(
        (&file["path"], &file["status"]),
        (&json!("feature.txt"), &json!("added")),
        "since both parted"
    );
    assert_eq!(file["patch"], "@@ -0,0 +1 @@\n+feature\n");

    let found = compare("v1.0", "main").await;
    let row = |path: &str| {
        let files = found["files"].as_array().expect("files");
        files.iter().find(|file| file["path"] == path).unwrap_or_else(|| panic!("{path} in {found}")).clone()
    };
    let moved = row("a/b/deeper.txt");
    assert_eq!((&moved["status"], &moved["previous_path"]), (&json!("renamed"), &json!("a/b/c/deep.txt")));
    assert_eq!(row("config.env")["patch"], "@@ -0,0 +1,2 @@\n+DEBUG=1\n+API_HOST=api.example.test\n");
    assert_eq!(row("assets/huge.bin")["binary"], true);
    let large = row("assets/large.txt");
    assert_eq!((&large["additions"], &large["truncated"]), (&json!(29_268), &json!(true)));

    // Both names may be remembered from above, and then there is nothing left to ask.
    let same = stand.at("alice/demo", json!({ "base": "v1.0", "head": "b1" }));
    for wire in WIRES {
        let found = stand.say(wire, "compare_refs", &same).await.result.expect("an answer");
        assert_eq!((&found["total_commits"], &found["files"]), (&json!(0), &json!([])));
    }
    let unknown = stand.at("alice/demo", json!({ "base": "main", "head": "no-such-branch" }));
    let said = stand.fails("compare_refs", unknown, 404, "not_found").await;
    assert!(said.contains("no-such-branch"), "{said}");
    stand.end().await;
}

/// Checks that reported, and that none ever did.
pub async fn tells_how_the_checks_went(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let status = async |repository: &str, sha: &str| {
        stand.read("get_commit_status", stand.at(repository, json!({ "sha": sha }))).await
    };
    let found = status("alice/demo", "main").await;
    assert_eq!((&found["commit"], &found["state"]), (&json!(stand.commit("main")), &json!("success")));
    assert_eq!(each(&found["statuses"], "/context"), [&json!("ci/test")]);
    let found = status("alice/demo", "v1.0").await;
    assert_eq!((&found["state"], &found["statuses"]), (&json!("none"), &json!([])), "not pending");
    // Gitea calls its first page a success; the failure is on the second.
    let found = status("acme/site", "main").await;
    assert_eq!((&found["state"], &found["total"]), (&json!("failure"), &json!(60)));
    let first = &found["statuses"][0];
    assert_eq!((&first["context"], &first["status"]), (&json!("ci/60"), &json!("failure")), "failures first");
    stand.end().await;
}

/// Lines in files, in any case and by expression, at any ref.
pub async fn finds_lines_of_code(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let more = json!({ "query": "START here", "ref": "v1.0" });
    let found = stand.read("search_code", stand.at("alice/demo", more)).await;
    assert_eq!(found["commit"], stand.commit("v1.0"));
    let row = &found["matches"][0];
    assert_eq!(
        (&row["path"], &row["line"], &row["text"]),
        (&json!("docs/guide.md"), &json!(3), &json!("Start here."))
    );
    assert_eq!((&found["total_matches"], &found["has_next"]), (&json!(1), &json!(false)));
    assert_eq!(found.get("incomplete"), None, "{found}");

    let more = json!({ "query": r"fn \w+\(", "regex": true, "ref": stand.commit("v1.0") });
    let found = stand.read("search_code", stand.at("alice/demo", more)).await;
    let places: Vec<_> = found["matches"].as_array().expect("matches").iter().collect();
    let places: Vec<_> = places.iter().map(|row| (&row["path"], &row["line"])).collect();
    assert_eq!(places, [(&json!("src/lib.rs"), &json!(4)), (&json!("src/main.rs"), &json!(1))]);

    let at = async |reference: &str| {
        let more = json!({ "query": "feature", "ref": reference });
        stand.read("search_code", stand.at("alice/demo", more)).await
    };
    let found = at("feature/one").await;
    assert_eq!(found["commit"], stand.commit("feature/one"));
    assert_eq!(each(&found["matches"], "/path"), [&json!("feature.txt")]);
    assert_eq!(at("v1.0").await["matches"], json!([]));
    // Ten megabytes of zeros weigh nothing in an archive; they are skipped, and that is told.
    let found = stand.read("search_code", stand.at("alice/demo", json!({ "query": "Start here" }))).await;
    assert_eq!(
        (&found["commit"], &found["matches"][0]["path"]),
        (&json!(stand.commit("main")), &json!("docs/guide.md"))
    );
    assert!(found["incomplete"].as_str().is_some_and(|why| why.contains("2 files are larger")), "{found}");
    let unknown = stand.at("alice/demo", json!({ "query": "feature", "ref": "no-such-branch" }));
    stand.fails("search_code", unknown, 404, "not_found").await;
    stand.end().await;
}
