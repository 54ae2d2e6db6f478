//! Pull requests: reading them, and the way of a change from a branch to its review.

use serde_json::json;

use crate::place::{Ground, Who, everything_writable};
use crate::repositories::each;
use crate::wire::Wire;

/// One by its number, its files and commits, and which there are.
pub async fn reads_a_pull_request(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    for (state, numbers) in [("open", vec![36]), ("closed", vec![37]), ("all", vec![37, 36])] {
        let found = stand.read("list_pull_requests", stand.at("alice/demo", json!({ "state": state }))).await;
        let numbers: Vec<_> = numbers.into_iter().map(|number| json!(number)).collect();
        assert_eq!(each(&found["pull_requests"], "/number"), numbers.iter().collect::<Vec<_>>(), "{state}");
        assert_eq!((&found["total"], &found["has_next"]), (&json!(numbers.len()), &json!(false)));
    }
    // Gitea would list those of every state.
    let found = stand.read("list_pull_requests", stand.at("alice/demo", json!({}))).await;
    let row = &found["pull_requests"][0];
    assert_eq!((&row["number"], found["pull_requests"].as_array().map(Vec::len)), (&json!(36), Some(1)));
    assert_eq!((&row["title"], &row["draft"]), (&json!("Add feature one"), &json!(false)));
    assert_eq!((&row["base"], &row["head"]), (&json!("main"), &json!("feature/one")));

    let one = |number: u64| stand.at("alice/demo", json!({ "pull_number": number }));
    let pull = stand.read("get_pull_request", one(36)).await["pull_request"].clone();
    assert_eq!((&pull["title"], &pull["body"]), (&json!("Add feature one"), &json!("closes #1")));
    assert_eq!((&pull["state"], &pull["merged"]), (&json!("open"), &json!(false)));
    assert_eq!((&pull["author"], &pull["comments"]), (&json!(stand.login("alice")), &json!(1)));
    assert_eq!((&pull["base"]["ref"], &pull["base"]["sha"]), (&json!("main"), &json!(stand.commit("main"))));
    assert_eq!(
        (&pull["head"]["ref"], &pull["head"]["sha"]),
        (&json!("feature/one"), &json!(stand.commit("feature/one")))
    );
    assert_eq!(pull["merge_base"], stand.commit("v1.0"));
    assert_eq!(
        (&pull["additions"], &pull["deletions"], &pull["changed_files"]),
        (&json!(1), &json!(0), &json!(1))
    );
    let found = stand.read("list_pull_request_files", one(36)).await;
    let file = &found["files"][0];
    assert_eq!((&file["path"], &file["status"]), (&json!("feature.txt"), &json!("added")));
    assert_eq!((&file["additions"], &found["total"]), (&json!(1), &json!(1)));
    let found = stand.read("list_pull_request_commits", one(36)).await;
    assert_eq!(each(&found["commits"], "/sha"), [&json!(stand.commit("feature/one"))]);
    assert_eq!(found["has_next"], false);
    stand.end().await;
}

/// A branch from a tag, a pull request into it, a remark and a correction of it, labels and people.
pub async fn takes_work_from_a_branch_to_review(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let demo = |more| stand.at("alice/demo", more);
    let more = json!({ "new_branch_name": "release/1.0", "old_branch_name": "v1.0" });
    let made = stand.once(Wire::Modern, "create_branch", &demo(more)).await;
    assert_eq!((&made["branch"]["name"], &made["not_applied"]), (&json!("release/1.0"), &json!([])));
    assert_eq!(made["branch"]["commit"], stand.commit("v1.0"));
    let branch = stand.read("get_branch", demo(json!({ "branch": "release/1.0" }))).await;
    assert_eq!(branch["branch"]["commit"], stand.commit("v1.0"));
    let short = &stand.commit("feature/one")[..12];
    let more = json!({ "new_branch_name": "hotfix", "old_branch_name": short });
    let made = stand.once(Wire::Legacy, "create_branch", &demo(more)).await;
    assert_eq!(made["branch"]["commit"], stand.commit("feature/one"), "a short id is enough");

    let more = json!({
        "title": "WIP: Bring feature one to 1.0", "head": "hotfix", "base": "release/1.0",
        "body": "Taken over from `feature/one`.\n\n- [ ] tested\n",
    });
    let made = stand.once(Wire::Direct, "create_pull_request", &demo(more)).await;
    assert_eq!((&made["pull_request"]["draft"], &made["not_applied"]), (&json!(true), &json!([])));
    assert_eq!(made["pull_request"]["state"], "open");
    let number = made["pull_request"]["number"].as_u64().expect("a number");
    let more = json!({ "title": "Again", "head": "hotfix", "base": "release/1.0" });
    let said = stand.fails("create_pull_request", demo(more), 409, "pull_request_exists").await;
    assert!(said.contains(&format!("number {number}")), "it says which: {said}");

    let pull = async || {
        stand.read("get_pull_request", demo(json!({ "pull_number": number }))).await["pull_request"].clone()
    };
    let found = pull().await;
    assert_eq!((&found["base"]["ref"], &found["head"]["ref"]), (&json!("release/1.0"), &json!("hotfix")));
    assert_eq!(
        (&found["draft"], &found["body"]),
        (&json!(true), &json!("Taken over from `feature/one`.\n\n- [ ] tested\n"))
    );
    let list = stand.read("list_pull_requests", demo(json!({}))).await;
    assert_eq!(each(&list["pull_requests"], "/number"), [&json!(number), &json!(36)], "newest first");

    let more = json!({ "pull_number": number, "body": "Please lok again." });
    let made = stand.once(Wire::Stream, "create_pr_comment", &demo(more)).await;
    let id = &made["comment"]["id"];
    let more = json!({ "comment_id": id, "body": "Please look again: `feature.txt` is new." });
    let edited = stand.once(Wire::Modern, "edit_issue_comment", &demo(more)).await;
    assert_eq!((&edited["comment"]["id"], &edited["issue_number"]), (id, &json!(number)));
    assert_eq!(edited["not_applied"], json!([]));
    let comments = stand.read("list_issue_comments", demo(json!({ "issue_number": number }))).await;
    assert_eq!(each(&comments["comments"], "/body"), [&json!("Please look again: `feature.txt` is new.")]);

    let more = json!({ "issue_number": number, "labels": ["feature"] });
    let labelled = stand.once(Wire::Direct, "add_labels", &demo(more)).await;
    assert_eq!((&labelled["labels"], &labelled["not_applied"]), (&json!(["feature"]), &json!([])));
    let more = json!({ "issue_number": number, "assignees": [stand.login("bob")] });
    let assigned = stand.once(Wire::Legacy, "assign_issue", &demo(more)).await;
    assert_eq!(assigned["issue"]["assignees"], json!([stand.login("bob")]));
    let found = pull().await;
    assert_eq!((&found["labels"], &found["assignees"]), (&json!(["feature"]), &json!([stand.login("bob")])));
    assert_eq!(found["comments"], 1);
    stand.end().await;
}
