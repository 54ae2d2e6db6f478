//! Reading issues: lists that say whether more follows, filters that do not lie, single issues whole.

use serde_json::{Value, json};

use crate::place::{Ground, Who};
use crate::repositories::each;

fn numbers(list: &Value) -> Vec<u64> {
    each(&list["issues"], "/number").into_iter().map(|number| number.as_u64().expect("a number")).collect()
}

/// Newest first, without pull requests, page by page, in each state.
pub async fn lists_issues(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let first = stand.read("list_issues", stand.at("alice/demo", json!({}))).await;
    let open: Vec<u64> = (1..=43).rev().filter(|n| ![36, 37, 42].contains(n)).collect();
    assert_eq!(numbers(&first), open[..30]);
    assert_eq!((&first["page"], &first["has_next"], &first["total"]), (&json!(1), &json!(true), &json!(40)));
    let second = stand.read("list_issues", stand.at("alice/demo", json!({ "page": 2 }))).await;
    assert_eq!(numbers(&second), open[30..]);
    assert_eq!((&second["has_next"], &second["total"]), (&json!(false), &json!(40)));
    let beyond = stand.read("list_issues", stand.at("alice/demo", json!({ "page": 3 }))).await;
    assert_eq!((&beyond["issues"], &beyond["has_next"]), (&json!([]), &json!(false)));
    let exact = stand.read("list_issues", stand.at("alice/demo", json!({ "page": 2, "limit": 20 }))).await;
    assert_eq!((numbers(&exact).len(), &exact["has_next"]), (20, &json!(false)), "the last page is full");

    let line =
        second["issues"].as_array().expect("a list").iter().find(|row| row["number"] == 5).expect("issue 5");
    assert_eq!((&line["title"], &line["state"]), (&json!("Issue number 5"), &json!("open")));
    assert_eq!((&line["author"], &line["milestone"]), (&json!(stand.login("alice")), &json!("V1 Release")));
    let mut labels = each(&line["labels"], "");
    labels.sort_by_key(ToString::to_string);
    assert_eq!(labels, [&json!("Prio High"), &json!("feature")]);
    assert_eq!(line["assignees"].as_array().map(Vec::len), Some(2));
    assert!(line["body"].is_string() && line["milestone_id"].is_u64(), "{line}");

    let closed = stand.read("list_issues", stand.at("alice/demo", json!({ "state": "closed" }))).await;
    assert_eq!((numbers(&closed), &closed["total"]), (vec![42], &json!(1)));
    assert_eq!(closed["issues"][0]["title"], "Crash on start");
    let all = stand.read("list_issues", stand.at("alice/demo", json!({ "state": "all", "limit": 50 }))).await;
    assert_eq!((numbers(&all).len(), &all["total"], &all["has_next"]), (41, &json!(41), &json!(false)));
    stand.end().await;
}

/// A filter shows what bears all the labels, or says that there is no such label: never everything.
pub async fn filters_issues_by_label(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let filtered = async |repository: &str, labels: Value| {
        stand.read("list_issues", stand.at(repository, json!({ "labels": labels }))).await
    };
    let bugs = filtered("alice/demo", json!(["bug"])).await;
    assert_eq!((numbers(&bugs), &bugs["total"]), (vec![10, 8, 6, 4, 2], &json!(5)));
    assert_eq!(numbers(&filtered("alice/demo", json!(["BUG"])).await), [10, 8, 6, 4, 2], "in any case");
    let both = filtered("alice/demo", json!(["feature", "prio high"])).await;
    assert_eq!(numbers(&both), [5]);
    let none = filtered("alice/demo", json!(["bug", "feature"])).await;
    assert_eq!((numbers(&none), &none["total"]), (vec![], &json!(0)), "all of them, not any");
    // A label of the organisation, which Gitea itself cannot filter by; and a name that two labels bear.
    assert_eq!(numbers(&filtered("acme/site", json!(["org-wide"])).await), [1]);
    assert_eq!(numbers(&filtered("acme/site", json!(["bug"])).await), [3, 2, 1]);
    assert_eq!(numbers(&filtered("acme/site", json!(["bug", "org-wide"])).await), [1]);

    for (labels, hint) in [(json!(["bgu"]), "`bug`"), (json!(["bug", "no-such"]), "no-such")] {
        let at = stand.at("alice/demo", json!({ "labels": labels }));
        let said = stand.fails("list_issues", at, 422, "unknown_label").await;
        assert!(said.contains(hint), "{said}");
    }
    stand.end().await;
}

/// One issue with everything that is set on it, a pull request by its number, and neither.
pub async fn reads_an_issue(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let issue = async |number: u64| {
        let at = stand.at("alice/demo", json!({ "issue_number": number }));
        stand.read("get_issue", at).await["issue"].clone()
    };
    let found = issue(5).await;
    assert_eq!((&found["number"], &found["title"]), (&json!(5), &json!("Issue number 5")));
    assert_eq!((&found["body"], &found["state"]), (&json!("Body of 5\n"), &json!("open")));
    assert_eq!((&found["author"], &found["comments"]), (&json!(stand.login("alice")), &json!(0)));
    assert_eq!(
        (&found["milestone"]["title"], &found["milestone"]["state"]),
        (&json!("V1 Release"), &json!("open"))
    );
    let mut assigned = each(&found["assignees"], "");
    assigned.sort_by_key(ToString::to_string);
    assert_eq!(assigned, [&json!(stand.login("alice")), &json!(stand.login("bob"))]);
    assert!(found["due_date"].as_str().expect("a time").starts_with("2026-12-01T"), "{found}");
    assert_eq!((found.get("closed_at"), found.get("pull_request")), (None, None));
    assert_eq!((&found["is_locked"], &issue(43).await["is_locked"]), (&json!(false), &json!(true)));

    let third = issue(3).await;
    assert_eq!((&third["author"], &third["comments"]), (&json!(stand.login("bob")), &json!(60)));
    let closed = issue(42).await;
    assert_eq!((&closed["state"], closed["closed_at"].is_string()), (&json!("closed"), true));
    let pull = issue(36).await;
    assert_eq!(pull["pull_request"]["merged"], false, "a pull request says that it is one");
    let said = stand
        .fails("get_issue", stand.at("alice/demo", json!({ "issue_number": 500 })), 404, "not_found")
        .await;
    assert!(said.contains("500"), "{said}");
    stand.end().await;
}

/// A token whose scopes do not cover issues: the refusal says which scope Gitea wants.
pub async fn names_the_scope_that_the_token_lacks(ground: Ground) {
    let stand = ground.stand(Who::RepositoryOnly, |setup| setup).await;
    let issues = [("list_issues", json!({})), ("get_issue", json!({ "issue_number": 1 }))];
    for (tool, more) in issues {
        let at = stand.at("alice/demo", more);
        let said = stand.fails(tool, at, 403, "repository_permission_denied").await;
        assert!(said.contains("read:issue"), "it names the scope: {said}");
        assert!(said.contains("sign in again"), "it says what to do: {said}");
    }
    let said = stand.fails("list_repositories", json!({}), 403, "repository_permission_denied").await;
    assert!(said.contains("read:user"), "{said}");
    let file =
        stand.read("get_file_contents", stand.at("alice/demo", json!({ "filepath": "README.md" }))).await;
    assert_eq!(file["content"], "# demo\n\nA small program.\n", "code it may read");
    stand.end().await;
}
