//! Whose text is whose in a public repository, as somebody is told who can only read there.

use serde_json::{Value, json};

use crate::place::{Ground, Who};
use crate::repositories::each;

/// Carol may not write to `demo`; alice, bob and a team of `acme` may. Who that is, Gitea tells to every reader.
pub async fn withholds_what_strangers_wrote(ground: Ground) {
    for who in [Who::Bob, Who::Carol] {
        let stand = ground.stand(who, |setup| setup.set("LOCKDOWN", "hide")).await;
        let withheld = |item: &Value| {
            assert_eq!(item["body_withheld"] == true, item["author_has_write_access"] == false, "{item}");
            item["body_withheld"] == true
        };
        let found = stand.read("list_issues", stand.at("alice/demo", json!({ "limit": 10 }))).await;
        for issue in found["issues"].as_array().expect("issues") {
            let strange = issue["author"] == stand.login("carol");
            assert_eq!(withheld(issue), strange, "{issue}");
        }
        let wish = |more: Value| {
            let mut at = stand.at("alice/demo", json!({ "issue_number": 38 }));
            at.as_object_mut().expect("arguments").extend(more.as_object().cloned().unwrap_or_default());
            at
        };
        let one = stand.read("get_issue", wish(json!({}))).await["issue"].clone();
        assert!(withheld(&one) && one["title"] == "Wish 38", "{one}");
        let one = stand.read("get_issue", wish(json!({ "show_withheld": true }))).await["issue"].clone();
        assert_eq!((one["author_has_write_access"].as_bool(), one.get("body_withheld")), (Some(false), None));
        let at = stand.at("alice/demo", json!({ "issue_number": 2 }));
        let found = stand.read("list_issue_comments", at).await;
        let told: Vec<bool> = found["comments"].as_array().expect("comments").iter().map(withheld).collect();
        assert_eq!(told, [false, false, true], "{found}");
        let found = stand.read("list_issues", stand.at("acme/site", json!({ "limit": 3 }))).await;
        assert_eq!(each(&found["issues"], "/author")[0], &json!(stand.login("bob")));
        assert!(
            !found["issues"].as_array().expect("issues").iter().any(withheld),
            "a member of a team: {found}"
        );
        // A branch, its tip's id, a tag, and what lies below the default branch.
        for reference in ["feature/one", stand.commit("feature/one"), "v1.0", stand.commit("v1.0")] {
            let at = stand.at("alice/demo", json!({ "filepath": "README.md", "ref": reference }));
            let found = stand.read("get_file_contents", at).await;
            assert_eq!(
                (&found["type"], found.get("commit_is_outside")),
                (&json!("text"), None),
                "{reference}"
            );
        }
        stand.end().await;
    }
}
