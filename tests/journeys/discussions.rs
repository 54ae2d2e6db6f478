//! What stands against a change of an issue, and discussions that are longer than an answer: what only the sample Gitea
//! can be brought to.

use aegis_tests::forge::world::Comment;
use aegis_tests::forge::{Fault, FaultKind, Options, Version};
use serde_json::{Value, json};

use crate::place::{Ground, Who, everything_writable, forge};
use crate::stand::Stand;
use crate::wire::Wire;

#[tokio::test]
async fn an_issue_that_waits_for_another_is_not_closed_and_what_was_changed_before_is_told() {
    for version in [Version::V1_27, Version::V1_26] {
        let stand = Ground::Forge(version).stand(Who::Alice, everything_writable).await;
        let close = |more: Value| {
            let mut at = stand.at("alice/demo", json!({ "issue_number": 34, "state": "closed" }));
            at.as_object_mut().expect("arguments").extend(more.as_object().cloned().unwrap_or_default());
            at
        };
        let said = stand.fails("update_issue", close(json!({})), 409, "open_dependencies").await;
        assert!(said.contains("Issue 34 cannot be closed") && said.contains("close those first"), "{said}");
        let (wire, titled) = (Wire::Modern, close(json!({ "title": "Waiting" })));
        let said = stand.fails_on(wire, "update_issue", &titled, 409, "open_dependencies").await;
        assert!(said.contains("As asked by now: title. Not: state."), "{said}");
        let at = |number: u64| stand.at("alice/demo", json!({ "issue_number": number }));
        let found = stand.read("get_issue", at(34)).await;
        assert_eq!((&found["issue"]["state"], &found["issue"]["title"]), (&json!("open"), &json!("Waiting")));
        // What it waits for first, and then it goes.
        let mut first = at(33);
        first["state"] = "closed".into();
        stand.once(wire, "update_issue", &first).await;
        let closed = stand.once(wire, "update_issue", &close(json!({}))).await;
        assert_eq!((&closed["issue"]["state"], &closed["not_applied"]), (&json!("closed"), &json!([])));
        stand.end().await;
    }
}

#[tokio::test]
async fn a_text_that_somebody_else_changed_at_the_same_moment_is_not_overwritten() {
    let stand = forge(Options::default(), Who::Alice, everything_writable).await;
    let at = stand.at("alice/demo", json!({ "issue_number": 5, "body": "Mine" }));
    // Between the look and the change the text moved on.
    let seen_before = FaultKind::Patch(json!({ "content_version": 7000 }));
    let read = Fault {
        method: Some("GET".parse().expect("a method")),
        ..Fault::on("/repos/alice/demo/issues/5", seen_before)
    };
    stand.forge.as_ref().expect("a forge").next_fault(read);
    let said = stand.fails_on(Wire::Modern, "update_issue", &at, 409, "issue_changed").await;
    assert!(said.contains("somebody else") && said.contains("get_issue"), "{said}");
    let sent = stand.requests().into_iter().rfind(|seen| seen.method == "PATCH").expect("a change");
    let sent: Value = serde_json::from_slice(&sent.body).expect("JSON");
    assert_eq!(sent, json!({ "body": "Mine", "content_version": 7000 }));
    let issue = stand.read("get_issue", stand.at("alice/demo", json!({ "issue_number": 5 }))).await;
    assert_ne!(issue["issue"]["body"], "Mine");
    stand.end().await;
}

#[tokio::test]
async fn a_change_made_from_a_text_that_was_changed_since_is_refused_before_anything_is_written() {
    let stand = forge(Options::default(), Who::Alice, everything_writable).await;
    let five = stand.at("alice/demo", json!({ "issue_number": 5 }));
    let version =
        stand.read("get_issue", five).await["issue"]["content_version"].as_u64().expect("a version");
    let at = |version: u64| {
        let more = json!({ "issue_number": 5, "title": "Mine", "body": "Mine", "content_version": version });
        stand.at("alice/demo", more)
    };
    let said = stand.fails("update_issue", at(version + 1), 409, "issue_changed").await;
    assert!(said.contains("Nothing was written") && said.contains("get_issue"), "{said}");
    assert_eq!(stand.count("PATCH"), 0, "nothing was sent");
    let made = stand.once(Wire::Modern, "update_issue", &at(version)).await;
    assert_eq!((&made["issue"]["title"], &made["not_applied"]), (&json!("Mine"), &json!([])));
    // A Gitea that counts no versions cannot tell.
    let uncounted = Fault {
        method: Some("GET".parse().expect("a method")),
        ..Fault::on("/repos/alice/demo/issues/5", FaultKind::Patch(json!({ "content_version": null })))
    };
    stand.forge.as_ref().expect("a forge").every_fault(uncounted);
    let said = stand.fails("update_issue", at(version), 422, "no_content_version").await;
    assert!(said.contains("Leave `content_version` out"), "{said}");
    assert_eq!(stand.count("PATCH"), 1, "nothing more was sent");
    stand.end().await;
}

/// So many comments of so many bytes are put to issue 1, which has none.
fn discuss(stand: &Stand, comments: u64, bytes: usize) {
    stand.forge.as_ref().expect("a forge").change(|world| {
        let poster = world.account("bob").expect("bob").id;
        let now = world.tick();
        let repo = world.repos.iter_mut().find(|repo| repo.name == "demo").expect("the repository");
        let text = |nth: u64| format!("{nth} {}", "word ".repeat(bytes / 5));
        repo.issues[0].comments = (1..=comments)
            .map(|nth| Comment { id: 70_000 + nth, poster, body: text(nth), created: now, updated: now })
            .collect();
    });
}

#[tokio::test]
async fn eight_megabytes_of_comments_are_read_in_the_memory_of_one_request() {
    let stand = forge(Options::default(), Who::Alice, |setup| setup).await;
    discuss(&stand, 1500, 4500);
    let page = |page: u64, limit: u64| {
        stand.at("alice/demo", json!({ "issue_number": 1, "page": page, "limit": limit }))
    };
    let found = stand.read("list_issue_comments", page(1, 30)).await;
    assert_eq!((&found["total"], &found["has_next"]), (&json!(1500), &json!(true)));
    assert_eq!(found["comments"].as_array().map(Vec::len), Some(30));
    assert!(found["comments"].as_array().into_iter().flatten().all(|row| row["body_truncated"] == true));
    let last = stand.read("list_issue_comments", page(1500, 1)).await;
    assert_eq!(last["comments"][0]["id"], 71_500);
    let body = last["comments"][0]["body"].as_str().expect("a text");
    assert!(body.starts_with("1500 word") && body.len() > 4000, "one alone is whole");

    // More than is read: its beginning is told, and that there is more.
    discuss(&stand, 3000, 4500);
    let found = stand.read("list_issue_comments", page(2, 30)).await;
    assert_eq!((found.get("total"), &found["has_next"]), (None, &json!(true)));
    let how = found["truncated_how"].as_str().expect("how");
    assert!(how.contains("comments can be read here") && how.contains("8 MiB"), "{how}");
    let said = stand.fails("list_issue_comments", page(3000, 1), 422, "comments_too_large").await;
    assert!(said.contains("8 MiB"), "{said}");

    // A few that are long each: what does not fit is left out by name, and the page stands.
    discuss(&stand, 6, 700 << 10);
    let found = stand.read("list_issue_comments", page(1, 6)).await;
    assert_eq!(found["comments"].as_array().map(Vec::len), Some(6));
    assert!(found["comments"].as_array().into_iter().flatten().all(|row| row.get("body").is_none()));
    let how = found["truncated_how"].as_str().expect("how");
    assert!(how.contains("6 bodies are left out"), "{how}");
    // One of almost everything.
    discuss(&stand, 1, (8 << 20) - 2000);
    let found = stand.read("list_issue_comments", page(1, 1)).await;
    assert_eq!(found["comments"][0]["body_truncated"], true);
    stand.end().await;
}
