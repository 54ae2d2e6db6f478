//! Lists longer than a page of Gitea.

use serde_json::json;

use crate::place::{Ground, Who, everything_writable};
use crate::repositories::each;
use crate::wire::Wire;

/// Who asks for 120 gets 120, though Gitea gives at most 50 a request; the rest is on the second page.
pub async fn lists_a_hundred_and_twenty_at_once(ground: Ground) {
    let stand = ground.stand(Who::Alice, everything_writable).await;
    for number in 1..=125 {
        let more = json!({ "title": format!("Report {number}"), "body": "Measured again.\n" });
        let made = stand.once(Wire::Direct, "create_issue", &stand.at("alice/new-name", more)).await;
        assert_eq!(made["issue"]["number"], number);
    }
    let asked = stand.requests().len();
    let at = |page: u64| stand.at("alice/new-name", json!({ "limit": 120, "page": page }));
    let first = stand.once(Wire::Modern, "list_issues", &at(1)).await;
    let lists = stand.requests().split_off(asked).into_iter();
    let lists = lists.filter(|seen| seen.path.ends_with("/issues")).count();
    assert_eq!(lists, if stand.forge.is_some() { 3 } else { 0 }, "no more pages than it takes");
    let numbers: Vec<_> = (6..=125).rev().map(|number| json!(number)).collect();
    assert_eq!(each(&first["issues"], "/number"), numbers.iter().collect::<Vec<_>>());
    assert_eq!((&first["has_next"], &first["total"]), (&json!(true), &json!(125)));
    assert_eq!(first.get("truncated"), None);
    let second = stand.once(Wire::Legacy, "list_issues", &at(2)).await;
    assert_eq!(
        each(&second["issues"], "/number"),
        [5, 4, 3, 2, 1].map(|n| json!(n)).iter().collect::<Vec<_>>()
    );
    assert_eq!((&second["has_next"], &second["total"]), (&json!(false), &json!(125)));

    for number in 1..=125 {
        let more = json!({ "issue_number": 7, "body": format!("Run {number} agrees.") });
        stand.once(Wire::Direct, "create_issue_comment", &stand.at("alice/new-name", more)).await;
    }
    let comments = async |page: u64| {
        let more = json!({ "issue_number": 7, "limit": 120, "page": page });
        stand.once(Wire::Stream, "list_issue_comments", &stand.at("alice/new-name", more)).await
    };
    let first = comments(1).await;
    assert_eq!(first["comments"].as_array().map(Vec::len), Some(120));
    assert_eq!((&first["has_next"], &first["total"]), (&json!(true), &json!(125)));
    let second = comments(2).await;
    let bodies: Vec<_> = (121..=125).map(|number| json!(format!("Run {number} agrees."))).collect();
    assert_eq!(each(&second["comments"], "/body"), bodies.iter().collect::<Vec<_>>());
    assert_eq!(second["has_next"], false);
    stand.end().await;
}
