//! Which repositories there are, and what one of them is.

use serde_json::{Value, json};

use crate::place::{Ground, Who, everything_writable};

/// One field of every element of a list.
pub fn each<'v>(list: &'v Value, pointer: &str) -> Vec<&'v Value> {
    let all = list.as_array().unwrap_or_else(|| panic!("a list, not {list}"));
    all.iter().map(|one| one.pointer(pointer).unwrap_or(&Value::Null)).collect()
}

/// All repositories of the user, in one page and page by page.
pub async fn lists_all_repositories_once(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let mine = ["archived", "demo", "empty", "new-name", "private"].map(|name| ("alice", name));
    let ours = ["site", "vault"].map(|name| ("acme", name));
    let mut expected: Vec<String> =
        ours.iter().chain(&mine).map(|(owner, name)| format!("{}/{name}", stand.login(owner))).collect();
    expected.sort();

    let all = stand.read("list_repositories", json!({})).await;
    let mut names: Vec<&str> =
        each(&all["repositories"], "/full_name").into_iter().filter_map(Value::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(all["page"], 1);
    assert_eq!((&all["has_next"], &all["total"]), (&json!(false), &json!(7)));
    let row = |name: &str| {
        let rows = all["repositories"].as_array().expect("a list");
        rows.iter()
            .find(|row| row["full_name"].as_str().is_some_and(|full| full.ends_with(name)))
            .expect(name)
    };
    assert_eq!(row("/archived")["archived"], true);
    assert_eq!((&row("/private")["private"], &row("/demo")["private"]), (&json!(true), &json!(false)));
    assert_eq!(row("/demo")["description"], "demo of alice");
    assert_eq!(row("/demo")["open_issues_count"], 40);
    assert_eq!(row("/vault")["private"], true);

    let mut walked = Vec::new();
    for page in 1..=4 {
        let found = stand.read("list_repositories", json!({ "page": page, "limit": 2 })).await;
        assert_eq!(
            (&found["page"], found["repositories"].as_array().map(Vec::len)),
            (&json!(page), Some(if page < 4 { 2 } else { 1 }))
        );
        assert_eq!(found["has_next"], page < 4, "page {page}");
        assert_eq!(found.get("truncated"), None, "a page is not a cut");
        walked.extend(each(&found["repositories"], "/full_name").into_iter().cloned());
    }
    walked.sort_by_key(ToString::to_string);
    assert_eq!(walked, expected.iter().map(|name| json!(name)).collect::<Vec<_>>());
    let beyond = stand.read("list_repositories", json!({ "page": 9, "limit": 2 })).await;
    assert_eq!((&beyond["repositories"], &beyond["has_next"]), (&json!([]), &json!(false)));
    stand.end().await;
}

/// One repository, in any state.
pub async fn describes_a_repository(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let found = stand.read("get_repository_info", stand.at("alice/demo", json!({}))).await;
    let demo = &found["repository"];
    assert_eq!(demo["full_name"], format!("{}/demo", stand.login("alice")));
    assert_eq!((&demo["owner"], &demo["name"]), (&json!(stand.login("alice")), &json!("demo")));
    assert_eq!((&demo["default_branch"], &demo["description"]), (&json!("main"), &json!("demo of alice")));
    for (flag, expected) in [
        ("private", false),
        ("archived", false),
        ("empty", false),
        ("fork", false),
        ("mirror", false),
        ("has_issues", true),
        ("has_pull_requests", true),
    ] {
        assert_eq!(demo[flag], expected, "{flag}");
    }
    assert_eq!(demo["permissions"], json!({ "admin": true, "push": true, "pull": true }));
    assert_eq!((&demo["open_issues_count"], &demo["open_pr_counter"]), (&json!(40), &json!(1)));
    assert_eq!(demo["object_format_name"], "sha1");
    let page = demo["html_url"].as_str().expect("a URL");
    assert!(page.ends_with(&format!("/{}/demo", stand.login("alice"))), "{page}");
    let branches = demo["branch_count"].as_u64();
    assert!(branches.map_or(ground.tells_less(), |count| count >= 3), "{demo}");
    // Any case, as in Gitea.
    let upper = stand.read("get_repository_info", stand.at("alice/DEMO", json!({}))).await;
    assert_eq!(upper["repository"]["name"], "demo");

    let empty = stand.read("get_repository_info", stand.at("alice/empty", json!({}))).await;
    assert_eq!(empty["repository"]["empty"], true);
    let archived = stand.read("get_repository_info", stand.at("alice/archived", json!({}))).await;
    assert_eq!(archived["repository"]["archived"], true);
    let vault = stand.read("get_repository_info", stand.at("acme/vault", json!({}))).await;
    assert_eq!(
        (&vault["repository"]["private"], &vault["repository"]["owner"]),
        (&json!(true), &json!(stand.login("acme")))
    );
    stand.end().await;

    let stand = ground.stand(Who::Carol, |setup| setup).await;
    let found = stand.read("get_repository_info", stand.at("alice/demo", json!({}))).await;
    assert_eq!(found["repository"]["permissions"], json!({ "admin": false, "push": false, "pull": true }));
    stand.end().await;
}

/// A private repository and one that does not exist look the same, on every tool.
pub async fn hides_what_gitea_hides(ground: Ground) {
    let stand = ground.stand(Who::Carol, everything_writable).await;
    let calls = [
        ("get_repository_info", json!({})),
        ("get_file_tree", json!({})),
        ("get_file_contents", json!({ "filepath": "README.md" })),
        ("list_issues", json!({})),
        ("get_issue", json!({ "issue_number": 1 })),
        ("create_issue", json!({ "title": "Knock" })),
        ("create_issue_comment", json!({ "issue_number": 1, "body": "Knock" })),
    ];
    for (tool, more) in calls {
        let private = stand.fails(tool, stand.at("alice/private", more.clone()), 404, "not_found").await;
        let nowhere = stand.fails(tool, stand.at("alice/nowhere", more), 404, "not_found").await;
        assert_eq!(private.replace("/private", "/nowhere"), nowhere, "{tool} must not tell them apart");
        assert!(nowhere.contains("nowhere"), "it names what it looked for: {nowhere}");
    }
    assert_eq!(stand.count("POST"), 0, "nothing was written");
    stand.end().await;
}

/// A renamed repository is not followed: the new name is told, and has to be asked for.
pub async fn does_not_follow_a_rename(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let new = format!("{}/new-name", stand.login("alice"));
    let calls = [
        ("get_repository_info", json!({})),
        ("get_file_tree", json!({})),
        ("get_file_contents", json!({ "filepath": "README.md" })),
        ("list_issues", json!({})),
        ("get_issue", json!({ "issue_number": 1 })),
        ("create_issue", json!({ "title": "Late" })),
        ("create_issue_comment", json!({ "issue_number": 1, "body": "Late" })),
    ];
    for (tool, more) in calls {
        let said = stand.fails(tool, stand.at("alice/old-name", more), 404, "repository_renamed").await;
        assert!(said.contains(&new) && said.contains("policy"), "it says what to ask for: {said}");
    }
    assert_eq!(stand.count("POST"), 0);
    let found =
        stand.read("get_file_contents", stand.at("alice/new-name", json!({ "filepath": "README.md" }))).await;
    assert_eq!(found["content"], "# new-name\n");
    stand.end().await;
}
