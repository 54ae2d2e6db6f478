//! Planning: labels, milestones, and what is agreed on in an issue.

use serde_json::json;

use crate::place::{Ground, Who, everything_writable};
use crate::repositories::each;
use crate::wire::Wire;

/// The repository's labels, then its organisation's; milestones in each state.
pub async fn lists_labels_and_milestones(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let found = stand.read("list_labels", stand.at("alice/demo", json!({}))).await;
    let mut names = each(&found["labels"], "/name");
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, [&json!("Prio High"), &json!("bug"), &json!("feature"), &json!("kind/question")]);
    assert_eq!((&found["total"], &found["has_next"]), (&json!(4), &json!(false)));
    let rows = found["labels"].as_array().expect("labels");
    let bug = rows.iter().find(|row| row["name"] == "bug").expect("bug");
    assert_eq!(
        (&bug["color"], &bug["scope"], &bug["exclusive"]),
        (&json!("ff00a0"), &json!("repo"), &json!(false))
    );

    let found = stand.read("list_labels", stand.at("acme/site", json!({}))).await;
    assert_eq!(
        each(&found["labels"], "/name"),
        [&json!("bug"), &json!("bug"), &json!("org-wide"), &json!("security")]
    );
    assert_eq!(
        each(&found["labels"], "/scope"),
        [&json!("repo"), &json!("repo"), &json!("org"), &json!("org")]
    );
    let mut walked = Vec::new();
    for page in 1..=2 {
        let at = stand.at("acme/site", json!({ "page": page, "limit": 3 }));
        let part = stand.read("list_labels", at).await;
        assert_eq!((&part["has_next"], &part["total"]), (&json!(page < 2), &json!(4)));
        walked.extend(part["labels"].as_array().expect("labels").clone());
    }
    assert_eq!(json!(walked), found["labels"], "a page goes over from one list to the other");

    for (state, titles) in
        [("open", vec!["Relaunch"]), ("closed", vec!["Launch"]), ("all", vec!["Launch", "Relaunch"])]
    {
        let found = stand.read("list_milestones", stand.at("acme/site", json!({ "state": state }))).await;
        let mut names = each(&found["milestones"], "/title");
        names.sort_by_key(ToString::to_string);
        let titles: Vec<_> = titles.into_iter().map(|title| json!(title)).collect();
        assert_eq!(names, titles.iter().collect::<Vec<_>>(), "{state}");
    }
    let found = stand.read("list_milestones", stand.at("alice/demo", json!({}))).await;
    let rows = found["milestones"].as_array().expect("milestones");
    let release = rows.iter().find(|row| row["title"] == "V1 Release").expect("the release");
    assert_eq!((&release["open_issues"], &release["closed_issues"]), (&json!(2), &json!(1)));
    assert!(release["due_on"].as_str().is_some_and(|due| due.starts_with("2027-01-30T")), "{release}");
    stand.end().await;
}

/// Gitea gives all comments at once; a page is a page all the same, on issues and on pull requests.
pub async fn lists_comments_that_gitea_gives_all_at_once(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let comments = async |number: u64, page: u64, limit: u64| {
        let more = json!({ "issue_number": number, "page": page, "limit": limit });
        stand.read("list_issue_comments", stand.at("alice/demo", more)).await
    };
    let found = comments(3, 2, 25).await;
    let expected: Vec<_> = (26..=50).map(|number| json!(format!("round {number}"))).collect();
    assert_eq!(each(&found["comments"], "/body"), expected.iter().collect::<Vec<_>>());
    assert_eq!((&found["page"], &found["has_next"], &found["total"]), (&json!(2), &json!(true), &json!(60)));
    let last = comments(3, 3, 25).await;
    assert_eq!((last["comments"].as_array().map(Vec::len), &last["has_next"]), (Some(10), &json!(false)));
    let found = comments(2, 1, 30).await;
    let authors = ["alice", "bob", "carol"].map(|name| json!(stand.login(name)));
    assert_eq!(each(&found["comments"], "/author"), authors.iter().collect::<Vec<_>>());
    assert_eq!(each(&comments(36, 1, 30).await["comments"], "/body"), [&json!("Looks good.")]);
    assert_eq!(comments(1, 1, 30).await["comments"], json!([]));
    let unknown = stand.at("alice/demo", json!({ "issue_number": 5000 }));
    let said = stand.fails("list_issue_comments", unknown, 404, "not_found").await;
    assert!(said.contains("5000"), "{said}");
    stand.end().await;
}

/// A milestone, an issue for it, who does it, what changes on the way, and its end.
pub async fn plans_a_release(ground: Ground) {
    let stand = ground.stand(Who::Bob, everything_writable).await;
    let site = |more| stand.at("acme/site", more);
    let more = json!({ "title": "Autumn", "description": "The new front page.", "due_on": "2027-10-15" });
    let made = stand.once(Wire::Modern, "create_milestone", &site(more)).await;
    assert_eq!(
        (&made["milestone"]["title"], &made["milestone"]["state"]),
        (&json!("Autumn"), &json!("open"))
    );
    assert_eq!(made["not_applied"], json!([]), "a day is its end");
    let id = made["milestone"]["id"].clone();

    let more = json!({ "title": "Front page", "body": "As drawn.\n", "milestone": "autumn" });
    let made = stand.once(Wire::Direct, "create_issue", &site(more)).await;
    assert_eq!(made["issue"]["milestone"]["id"], id);
    let number = made["issue"]["number"].clone();
    let on = |more: serde_json::Value| {
        let mut all = site(more);
        all["issue_number"] = number.clone();
        all
    };
    let issue = async || stand.read("get_issue", on(json!({}))).await["issue"].clone();

    let more = json!({ "assignees": [stand.login("alice"), stand.login("bob")] });
    let assigned = stand.once(Wire::Legacy, "assign_issue", &on(more.clone())).await;
    let mut people = each(&assigned["issue"]["assignees"], "");
    people.sort_by_key(ToString::to_string);
    assert_eq!(people, [&json!(stand.login("alice")), &json!(stand.login("bob"))]);
    let again = stand.once(Wire::Stream, "assign_issue", &on(more)).await;
    assert_eq!(again["not_applied"], json!([]), "who is assigned stays so");
    let said = stand
        .fails("assign_issue", on(json!({ "assignees": ["nobody-of-this-name"] })), 422, "not_assignable")
        .await;
    assert!(said.contains("nobody-of-this-name"), "{said}");

    let labelled =
        stand.once(Wire::Modern, "add_labels", &on(json!({ "labels": ["ORG-wide", "security"] }))).await;
    assert_eq!(each(&labelled["labels"], "").len(), 2);
    assert_eq!((&labelled["removed"], &labelled["not_applied"]), (&json!([]), &json!([])));
    let deletions = stand.count("DELETE");
    let more = json!({ "labels": ["Security", "bug"] });
    let left = stand.once(Wire::Direct, "remove_labels", &on(more)).await;
    assert_eq!((&left["labels"], &left["not_set"]), (&json!(["org-wide"]), &json!(["bug"])));
    assert_eq!(
        stand.count("DELETE") - deletions,
        usize::from(stand.forge.is_some()),
        "one label, one request"
    );

    let said =
        stand.once(Wire::Stream, "create_issue_comment", &on(json!({ "body": "Half of it is done" }))).await;
    let more = site(json!({ "comment_id": said["comment"]["id"], "body": "All of it is done – ü 🦀" }));
    let edited = stand.once(Wire::Legacy, "edit_issue_comment", &more).await;
    assert_eq!((&edited["issue_number"], &edited["not_applied"]), (&number, &json!([])));
    let comments = stand.read("list_issue_comments", on(json!({}))).await;
    assert_eq!(each(&comments["comments"], "/body"), [&json!("All of it is done – ü 🦀")]);
    assert_eq!(comments["comments"][0]["author"], stand.login("bob"));

    let more = json!({ "title": "Front page, second draft", "body": "", "milestone": "Relaunch" });
    let changed = stand.once(Wire::Modern, "update_issue", &on(more)).await;
    assert_eq!((&changed["issue"]["milestone"], &changed["not_applied"]), (&json!("Relaunch"), &json!([])));
    let found = issue().await;
    assert_eq!(
        (&found["title"], found["body"].as_str().unwrap_or_default()),
        (&json!("Front page, second draft"), "")
    );
    let changed =
        stand.once(Wire::Direct, "update_issue", &on(json!({ "state": "closed", "milestone": 0 }))).await;
    assert_eq!((&changed["issue"]["state"], changed["issue"].get("milestone")), (&json!("closed"), None));
    assert_eq!(changed["not_applied"], json!([]));
    let found = issue().await;
    assert_eq!((&found["state"], found.get("milestone")), (&json!("closed"), None));
    assert_eq!((&found["labels"], &found["comments"]), (&json!(["org-wide"]), &json!(1)));
    stand.end().await;
}

/// New labels, an exclusive scope, another name and colour, and an issue that keeps what was renamed.
pub async fn looks_after_the_labels(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let demo = |more| stand.at("alice/demo", more);
    for (wire, name, color) in [(Wire::Modern, "size/small", "#0a0"), (Wire::Legacy, "size/large", "A00000")]
    {
        let more = json!({ "name": name, "color": color, "description": "How much work", "exclusive": true });
        let made = stand.once(wire, "create_label", &demo(more)).await;
        assert_eq!((&made["label"]["name"], &made["not_applied"]), (&json!(name), &json!([])));
    }
    let on = json!({ "issue_number": 9, "labels": ["size/small"] });
    stand.once(Wire::Direct, "add_labels", &demo(on)).await;
    let on = json!({ "issue_number": 9, "labels": ["Size/Large"] });
    let labelled = stand.once(Wire::Stream, "add_labels", &demo(on)).await;
    assert_eq!((&labelled["labels"], &labelled["removed"]), (&json!(["size/large"]), &json!(["size/small"])));
    assert_eq!(labelled["not_applied"], json!([]));

    let more =
        json!({ "name": "SIZE/LARGE", "new_name": "size/huge", "color": "#b00000", "description": "" });
    let changed = stand.once(Wire::Direct, "update_label", &demo(more)).await;
    assert_eq!((&changed["label"]["name"], &changed["not_applied"]), (&json!("size/huge"), &json!([])));
    let issue = stand.read("get_issue", demo(json!({ "issue_number": 9 }))).await;
    assert_eq!(issue["issue"]["labels"], json!(["size/huge"]));
    let found = stand.read("list_labels", demo(json!({}))).await;
    let rows = found["labels"].as_array().expect("labels");
    let huge = rows.iter().find(|row| row["name"] == "size/huge").expect("the label");
    assert_eq!((&huge["color"], &huge["exclusive"]), (&json!("b00000"), &json!(true)), "it stays exclusive");
    assert_eq!(huge["description"].as_str().unwrap_or_default(), "");
    let small = rows.iter().find(|row| row["name"] == "size/small").expect("the label");
    assert_eq!((&small["color"], &small["description"]), (&json!("00aa00"), &json!("How much work")));
    stand.end().await;
}
