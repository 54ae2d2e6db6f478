//! What users run into: each refusal in the tool's own words, with what there is instead, and nothing written.

use serde_json::{Value, json};

use crate::place::{Ground, Who, everything_writable};
use crate::stand::Stand;
use crate::wire::WIRES;

/// A tool, the arguments beside owner and repository, status, reason, and what the message has to say.
type Case<'a> = (&'a str, Value, u16, &'a str, &'a [&'a str]);

/// Every one fails as it should, and no request of any of them could have changed anything.
async fn each_fails(stand: &Stand, repository: &str, cases: &[Case<'_>]) {
    for (tool, more, status, reason, hints) in cases {
        let said = stand.fails(tool, stand.at(repository, more.clone()), *status, reason).await;
        for hint in *hints {
            assert!(said.contains(hint), "{tool} {more} says `{hint}`: {said}");
        }
        assert!(!said.contains("http://") && !said.contains("Gitea answered"), "its own words: {said}");
    }
    nothing_written(stand);
}

fn nothing_written(stand: &Stand) {
    let written: Vec<_> = stand.requests().into_iter().filter(|seen| seen.method != "GET").collect();
    assert!(written.is_empty(), "nothing is sent that writes: {written:?}");
}

/// Gitea itself refuses an archived repository on some routes only, and fails on others.
pub async fn changes_nothing_in_an_archived_repository(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let writes = [
        ("create_issue", json!({ "title": "Never" })),
        ("update_issue", json!({ "issue_number": 1, "state": "closed" })),
        ("create_issue_comment", json!({ "issue_number": 1, "body": "Never" })),
        ("edit_issue_comment", json!({ "comment_id": 1, "body": "Never" })),
        ("add_labels", json!({ "issue_number": 1, "labels": ["bug"] })),
        ("remove_labels", json!({ "issue_number": 1, "labels": ["bug"] })),
        ("assign_issue", json!({ "issue_number": 1, "assignees": [stand.login("alice")] })),
        ("create_label", json!({ "name": "never", "color": "#000000" })),
        ("update_label", json!({ "name": "bug", "new_name": "never" })),
        ("create_milestone", json!({ "title": "Never" })),
        ("create_branch", json!({ "new_branch_name": "never" })),
        ("create_pull_request", json!({ "title": "Never", "head": "never", "base": "main" })),
        ("create_pr_comment", json!({ "pull_number": 1, "body": "Never" })),
        ("create_release", json!({ "tag_name": "v9" })),
        ("edit_release", json!({ "release_id": 1, "name": "Never" })),
    ];
    let hints: &[&str] = &["/archived is archived, so it cannot be changed."];
    let cases = writes.map(|(tool, more)| (tool, more, 409, "repository_archived", hints));
    assert_eq!(cases.len(), stand.writes(), "every tool that writes");
    each_fails(&stand, "alice/archived", &cases).await;
    stand.end().await;
}

/// Nothing to read is no failure of a list, and a reason everywhere else.
pub async fn says_that_a_repository_is_empty(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let cases: [Case<'_>; 8] = [
        ("get_file_tree", json!({}), 409, "repository_empty", &["empty"]),
        ("get_file_contents", json!({ "filepath": "README.md" }), 409, "repository_empty", &["empty"]),
        ("search_code", json!({ "query": "main" }), 409, "repository_empty", &["empty"]),
        ("list_commits", json!({}), 409, "repository_empty", &["empty"]),
        ("get_commit_diff", json!({ "sha": "main" }), 409, "repository_empty", &["empty"]),
        ("compare_refs", json!({ "base": "main", "head": "next" }), 409, "repository_empty", &["empty"]),
        (
            "create_branch",
            json!({ "new_branch_name": "next" }),
            409,
            "repository_empty",
            &["nothing to start a branch from"],
        ),
        (
            "create_release",
            json!({ "tag_name": "v1" }),
            409,
            "repository_empty",
            &["no commit that a tag could be put on"],
        ),
    ];
    each_fails(&stand, "alice/empty", &cases).await;
    let lists = [
        ("list_branches", "branches"),
        ("list_tags", "tags"),
        ("list_releases", "releases"),
        ("list_issues", "issues"),
        ("list_pull_requests", "pull_requests"),
    ];
    for (tool, rows) in lists {
        let found = stand.read(tool, stand.at("alice/empty", json!({}))).await;
        assert_eq!((&found[rows], &found["has_next"]), (&json!([]), &json!(false)), "{tool}");
    }
    stand.end().await;
}

/// Gitea numbers both alike, and takes one for the other on most routes.
pub async fn keeps_issues_and_pull_requests_apart(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let cases: [Case<'_>; 8] = [
        (
            "update_issue",
            json!({ "issue_number": 36, "state": "closed" }),
            422,
            "is_a_pull_request",
            &["36", "pull request"],
        ),
        (
            "create_issue_comment",
            json!({ "issue_number": 36, "body": "Never" }),
            422,
            "is_a_pull_request",
            &["36", "create_pr_comment"],
        ),
        (
            "create_pr_comment",
            json!({ "pull_number": 5, "body": "Never" }),
            422,
            "is_an_issue",
            &["5", "create_issue_comment"],
        ),
        ("create_pr_comment", json!({ "pull_number": 5000, "body": "Never" }), 404, "not_found", &["5000"]),
        ("get_pull_request", json!({ "pull_number": 5 }), 404, "not_found", &["5"]),
        ("list_pull_request_files", json!({ "pull_number": 5 }), 404, "not_found", &["5"]),
        ("list_pull_request_commits", json!({ "pull_number": 5 }), 404, "not_found", &["5"]),
        (
            "edit_issue_comment",
            json!({ "comment_id": 987_654_321, "body": "Never" }),
            404,
            "not_found",
            &["list_issue_comments"],
        ),
    ];
    each_fails(&stand, "alice/demo", &cases).await;
    stand.end().await;
}

/// Gitea accepts a second label or milestone of a name, and then nobody can name either.
pub async fn keeps_labels_and_milestones_unique(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let cases: [Case<'_>; 10] = [
        (
            "add_labels",
            json!({ "issue_number": 1, "labels": ["bgu"] }),
            422,
            "unknown_label",
            &["`bgu`", "`bug`"],
        ),
        (
            "add_labels",
            json!({ "issue_number": 1, "labels": ["bug", "nothing-like-it"] }),
            422,
            "unknown_label",
            &["nothing-like-it"],
        ),
        (
            "add_labels",
            json!({ "issue_number": 1, "labels": [] }),
            422,
            "nothing_to_change",
            &["list_labels"],
        ),
        (
            "update_label",
            json!({ "name": "featrue", "color": "#000000" }),
            422,
            "unknown_label",
            &["`featrue`", "`feature`"],
        ),
        (
            "update_label",
            json!({ "name": "bug", "new_name": "FEATURE" }),
            409,
            "label_exists",
            &["`feature`"],
        ),
        (
            "create_label",
            json!({ "name": "Bug", "color": "#000000" }),
            409,
            "label_exists",
            &["`bug`", "update_label"],
        ),
        (
            "create_label",
            json!({ "name": "huge", "color": "#000000", "exclusive": true }),
            422,
            "exclusive_without_scope",
            &["scope/huge"],
        ),
        (
            "create_milestone",
            json!({ "title": "v1 release" }),
            409,
            "milestone_exists",
            &["`V1 Release`", "id "],
        ),
        (
            "update_issue",
            json!({ "issue_number": 1, "milestone": "V2 Release" }),
            422,
            "unknown_milestone",
            &["`V1 Release`"],
        ),
        ("update_issue", json!({ "issue_number": 1 }), 422, "nothing_to_change", &["`title`"]),
    ];
    each_fails(&stand, "alice/demo", &cases).await;
    let cases: [Case<'_>; 3] = [
        (
            "create_label",
            json!({ "name": "Org-Wide", "color": "#000000" }),
            409,
            "label_exists",
            &["organisation", "`org-wide`"],
        ),
        (
            "update_label",
            json!({ "name": "org-wide", "color": "#000000" }),
            422,
            "organisation_label",
            &["settings of the organisation"],
        ),
        (
            "update_label",
            json!({ "name": "bug", "color": "#000000" }),
            422,
            "ambiguous_label",
            &["several labels"],
        ),
    ];
    each_fails(&stand, "acme/site", &cases).await;
    // What exists nowhere is refused; what an issue does not bear is told, and nothing is sent for either.
    let cases: [Case<'_>; 1] = [(
        "remove_labels",
        json!({ "issue_number": 1, "labels": ["bgu"] }),
        422,
        "unknown_label",
        &["`bgu`", "Did you mean `bug`?"],
    )];
    each_fails(&stand, "alice/demo", &cases).await;
    let at = stand.at("alice/demo", json!({ "issue_number": 1, "labels": ["feature"] }));
    for wire in WIRES {
        assert_eq!(stand.once(wire, "remove_labels", &at).await["not_set"], json!(["feature"]));
    }
    nothing_written(&stand);
    stand.end().await;
}

/// A name that is taken, branches that are not there, and a head in somebody else's repository.
pub async fn refuses_branches_that_cannot_be(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let pull = |head: &str, base: &str| json!({ "title": "Never", "head": head, "base": base });
    let branch = |new: &str, old: &str| json!({ "new_branch_name": new, "old_branch_name": old });
    let cases: [Case<'_>; 9] = [
        ("create_branch", branch("b1", "main"), 409, "branch_exists", &["`b1`", stand.commit("v1.0")]),
        ("create_branch", branch("main/new", "main"), 409, "branch_name_clashes", &["`main`"]),
        ("create_branch", branch("v1.0", "main"), 409, "tag_exists", &["`v1.0`"]),
        ("create_branch", branch("next", "no-such-branch"), 404, "not_found", &["no-such-branch"]),
        (
            "create_branch",
            json!({ "new_branch_name": "next", "old_branch_name": "0".repeat(40) }),
            404,
            "not_found",
            &["0000"],
        ),
        ("create_pull_request", pull("feature/one", "main"), 409, "pull_request_exists", &["number 36"]),
        ("create_pull_request", pull("main", "main"), 422, "same_branch", &["`main`"]),
        ("create_pull_request", pull("feature/two", "main"), 404, "not_found", &["feature/two"]),
        ("create_pull_request", pull("feature/one", "v1.0"), 404, "not_found", &["v1.0"]),
    ];
    let (told_by_gitea, checked): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|(_, _, _, reason, _)| *reason == "pull_request_exists");
    each_fails(&stand, "alice/demo", &checked).await;
    for head in ["bob:main", ":main", "alice/demo:feature/one"] {
        let at = stand.at("alice/demo", pull(head, "main"));
        let (said, _) = stand.refused("create_pull_request", at, 400, "invalid_arguments").await;
        assert!(said.contains("head"), "{said}");
    }
    nothing_written(&stand);
    // Only Gitea knows for sure which pull requests there are: it is asked, and opens none.
    for (tool, more, status, reason, hints) in told_by_gitea {
        let said = stand.fails(tool, stand.at("alice/demo", more), status, reason).await;
        assert!(hints.iter().all(|hint| said.contains(hint)), "{said}");
    }
    let open = stand.read("list_pull_requests", stand.at("alice/demo", json!({}))).await;
    assert_eq!(open["total"], 1);
    stand.end().await;
}

/// A tag that is released already, one that is elsewhere, a target that is nowhere, and texts that cannot be cleared.
pub async fn refuses_releases_that_cannot_be(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let list = stand.read("list_releases", stand.at("alice/demo", json!({}))).await;
    let id = list["releases"][1]["id"].clone();
    let known = format!("with the id {id}");
    let cases: [Case<'_>; 6] = [
        (
            "create_release",
            json!({ "tag_name": "v1.0" }),
            409,
            "release_exists",
            &["`v1.0`", "edit_release", &known],
        ),
        (
            "create_release",
            json!({ "tag_name": "v3", "target": "no-such-branch" }),
            422,
            "unknown_target",
            &["no-such-branch"],
        ),
        (
            "create_release",
            json!({ "tag_name": "V1.0", "target": "main" }),
            409,
            "release_exists",
            &["edit_release"],
        ),
        ("edit_release", json!({ "release_id": id, "body": "" }), 422, "cannot_be_cleared", &["`body`"]),
        ("edit_release", json!({ "release_id": id }), 422, "nothing_to_change", &["`name`"]),
        (
            "edit_release",
            json!({ "release_id": 987_654_321, "name": "Never" }),
            404,
            "not_found",
            &["list_releases"],
        ),
    ];
    each_fails(&stand, "alice/demo", &cases).await;
    stand.end().await;
}
