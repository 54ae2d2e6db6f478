//! Opening issues and commenting on them: what is set, what is checked before, and what Gitea left out.

use serde_json::{Value, json};

use crate::place::{Ground, Who, everything_writable};
use crate::repositories::each;
use crate::wire::{WIRES, Wire};

/// An issue with everything, by names; then it is there.
pub async fn opens_an_issue_with_everything(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let before = stand.read("list_issues", stand.at("alice/demo", json!({ "limit": 1 }))).await["total"]
        .as_u64()
        .expect("a total");
    for (count, wire) in (1..).zip(WIRES) {
        let posts = stand.count("POST");
        let arguments = stand.at(
            "alice/demo",
            json!({
                "title": format!("Opened over {wire:?}"),
                "body": "First line\n\n- [ ] `code` & <b>more</b> – ü 🦀\n",
                "labels": ["bug", "PRIO HIGH"],
                "assignees": [stand.login("bob")],
                "milestone": "v1 release",
            }),
        );
        let made = stand.once(wire, "create_issue", &arguments).await;
        assert_eq!(made["not_applied"], json!([]));
        let number = made["issue"]["number"].as_u64().expect("a number");
        let at = stand.at("alice/demo", json!({ "issue_number": number }));
        let found = stand.read("get_issue", at).await["issue"].clone();
        for issue in [&made["issue"], &found] {
            assert_eq!(issue["title"], format!("Opened over {wire:?}"));
            assert_eq!(issue["body"], "First line\n\n- [ ] `code` & <b>more</b> – ü 🦀\n");
            let mut labels = each(&issue["labels"], "");
            labels.sort_by_key(ToString::to_string);
            assert_eq!(labels, [&json!("Prio High"), &json!("bug")]);
            assert_eq!(issue["assignees"], json!([stand.login("bob")]));
            assert_eq!(
                (&issue["milestone"]["title"], &issue["state"]),
                (&json!("V1 Release"), &json!("open"))
            );
            assert_eq!(issue["author"], stand.login("alice"));
        }
        let list = stand.read("list_issues", stand.at("alice/demo", json!({ "limit": 1 }))).await;
        assert_eq!((&list["total"], &list["issues"][0]["number"]), (&json!(before + count), &json!(number)));
        assert_eq!(stand.count("POST") - posts, usize::from(stand.forge.is_some()), "sent once");
    }
    stand.end().await;
}

/// A milestone by id, a label of the organisation, and a title that is all there is.
pub async fn opens_issues_in_an_organisation(ground: Ground) {
    let stand = ground.stand(Who::Bob, everything_writable).await;
    let arguments = stand.at("acme/site", json!({ "title": "Plain" }));
    let made = stand.once(Wire::Legacy, "create_issue", &arguments).await;
    assert_eq!((&made["issue"]["labels"], &made["issue"]["assignees"]), (&json!([]), &json!([])));
    assert_eq!((made["issue"].get("milestone"), &made["not_applied"]), (None, &json!([])));
    assert_eq!(made["issue"]["author"], stand.login("bob"));

    let arguments =
        stand.at("acme/site", json!({ "title": "Labelled", "labels": ["org-wide"], "milestone": "LAUNCH" }));
    let made = stand.once(Wire::Modern, "create_issue", &arguments).await;
    assert_eq!((&made["issue"]["labels"], &made["not_applied"]), (&json!(["org-wide"]), &json!([])));
    assert_eq!(made["issue"]["milestone"]["title"], "Launch", "a closed one, in another case");
    let id = made["issue"]["milestone"]["id"].clone();
    let arguments = stand.at("acme/site", json!({ "title": "By id", "milestone": id.to_string() }));
    let made = stand.once(Wire::Direct, "create_issue", &arguments).await;
    assert_eq!(made["issue"]["milestone"]["id"], id);
    stand.end().await;
}

/// What cannot be so is refused before anything is written.
pub async fn writes_nothing_that_gitea_would_drop(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    let wrong = [
        (json!({ "labels": ["bgu"] }), 422, "unknown_label", "`bug`"),
        (json!({ "labels": ["bug", "nothing-like-it"] }), 422, "unknown_label", "nothing-like-it"),
        (json!({ "milestone": "V2 Release" }), 422, "unknown_milestone", "`V1 Release`"),
        (json!({ "milestone": "987654" }), 422, "unknown_milestone", "987654"),
    ];
    for (more, status, reason, hint) in wrong {
        let mut arguments = stand.at("alice/demo", more);
        arguments["title"] = json!("Never");
        let said = stand.fails("create_issue", arguments, status, reason).await;
        assert!(said.contains(hint), "{said}");
    }
    let archived = stand.at("alice/archived", json!({ "title": "Never" }));
    let said = stand.fails("create_issue", archived, 409, "repository_archived").await;
    assert!(said.contains("archived"), "{said}");
    let archived = stand.at("alice/archived", json!({ "issue_number": 1, "body": "Never" }));
    stand.fails("create_issue_comment", archived, 409, "repository_archived").await;
    let pull = stand.at("alice/demo", json!({ "issue_number": 36, "body": "Never" }));
    let said = stand.fails("create_issue_comment", pull, 422, "is_a_pull_request").await;
    assert!(said.contains("36"), "{said}");
    let unknown = stand.at("alice/demo", json!({ "issue_number": 5000, "body": "Never" }));
    let said = stand.fails("create_issue_comment", unknown, 404, "not_found").await;
    assert!(said.contains("5000"), "{said}");
    assert_eq!(stand.count("POST"), 0, "nothing was sent");

    // Who cannot be assigned is found out before anything is made.
    let total = |list: Value| list["total"].clone();
    let before = total(stand.read("list_issues", stand.at("alice/demo", json!({ "limit": 1 }))).await);
    let nobody = stand.at("alice/demo", json!({ "title": "Never", "assignees": ["nobody-of-this-name"] }));
    let said = stand.fails("create_issue", nobody, 422, "not_assignable").await;
    assert!(said.contains("nobody-of-this-name"), "{said}");
    assert_eq!(stand.count("POST"), 0, "nothing was sent");
    assert_eq!(before, total(stand.read("list_issues", stand.at("alice/demo", json!({ "limit": 1 }))).await));
    stand.end().await;
}

/// Somebody without write permission: Gitea makes the issue and drops the rest without a word; the answer tells.
pub async fn tells_what_gitea_left_out(ground: Ground) {
    let stand = ground.stand(Who::Carol, everything_writable).await;
    let more = json!({ "title": "From outside", "labels": ["bug"], "assignees": [stand.login("bob")], "milestone": "Backlog" });
    let made = stand.once(Wire::Modern, "create_issue", &stand.at("alice/demo", more)).await;
    assert_eq!(made["issue"]["author"], stand.login("carol"));
    assert_eq!((&made["issue"]["labels"], &made["issue"]["assignees"]), (&json!([]), &json!([])));
    let rows = &made["not_applied"];
    assert_eq!(each(rows, "/field"), [&json!("labels"), &json!("assignees"), &json!("milestone")]);
    assert_eq!(each(rows, "/wanted"), [&json!("bug"), &json!(stand.login("bob")), &json!("Backlog")]);
    for reason in each(rows, "/reason") {
        assert!(reason.as_str().is_some_and(|reason| reason.contains("may not set it")), "{reason}");
    }
    // A locked discussion is for writers.
    let locked = stand.at("alice/demo", json!({ "issue_number": 43, "body": "Hear me" }));
    stand.fails("create_issue_comment", locked, 403, "repository_permission_denied").await;
    stand.end().await;

    let stand = ground.stand(Who::Reading, everything_writable).await;
    for (tool, more) in [
        ("create_issue", json!({ "title": "x" })),
        ("create_issue_comment", json!({ "issue_number": 1, "body": "x" })),
    ] {
        let said = stand.fails(tool, stand.at("alice/demo", more), 403, "repository_permission_denied").await;
        assert!(said.contains("write:issue"), "it names the scope: {said}");
    }
    stand.end().await;
}

/// A token that cannot list the organisation's labels: Gitea is asked to add them by name afterwards, and what it
/// does not know is told.
pub async fn adds_labels_by_name_where_the_organisation_cannot_be_read(ground: Ground) {
    let stand = ground.stand(Who::NoOrganisation, everything_writable).await;
    let labels = json!(["bug", "org-wide", "no-such-label"]);
    let arguments = stand.at("acme/vault", json!({ "title": "By name", "labels": labels }));
    let made = stand.once(Wire::Modern, "create_issue", &arguments).await;
    assert_eq!(made["issue"]["labels"], json!(["org-wide"]));
    let left = &made["not_applied"];
    assert_eq!(each(left, "/wanted"), [&json!("bug"), &json!("no-such-label")]);
    for reason in each(left, "/reason") {
        assert!(reason.as_str().is_some_and(|reason| reason.contains("no such label")), "{reason}");
    }
    let at = stand.at("acme/vault", json!({ "issue_number": made["issue"]["number"] }));
    assert_eq!(stand.read("get_issue", at).await["issue"]["labels"], json!(["org-wide"]));

    let at = stand.at("acme/site", json!({ "labels": ["org-wide"] }));
    let said = stand.fails("list_issues", at, 422, "unknown_label").await;
    assert!(said.contains("read:organization"), "a filter that cannot be checked is refused: {said}");
    stand.end().await;
}

/// A comment arrives as it was sent, on an issue of any state.
pub async fn comments_on_issues(ground: Ground) {
    let stand = ground.stand(Who::Bob, everything_writable).await;
    let comments = async |number: u64| {
        let at = stand.at("alice/demo", json!({ "issue_number": number }));
        stand.read("get_issue", at).await["issue"]["comments"].as_u64().expect("a count")
    };
    for (wire, number) in WIRES.into_iter().zip([1, 2, 42, 43]) {
        let before = comments(number).await;
        let body = format!("Seen over {wire:?}.\n\n> quoted <i>text</i> & `code`");
        let arguments = stand.at("alice/demo", json!({ "issue_number": number, "body": body }));
        let made = stand.once(wire, "create_issue_comment", &arguments).await;
        assert_eq!((&made["comment"]["body"], &made["not_applied"]), (&json!(body), &json!([])));
        assert_eq!(made["comment"]["author"], stand.login("bob"));
        assert!(made["comment"]["id"].is_u64() && made["comment"]["html_url"].is_string(), "{made}");
        assert_eq!(comments(number).await, before + 1, "one comment on {number}");
    }
    stand.end().await;
}
