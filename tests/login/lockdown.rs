//! LOCKDOWN for people who signed in: what somebody wrote themselves is theirs to read, and what one person was told of
//! writers is not told to another.

use aegis_tests::sign_in::{Client, call};
use serde_json::{Value, json};

use crate::scene::{Scene, password};

#[tokio::test]
async fn ones_own_text_is_shown_to_oneself_alone() {
    let scene = Scene::new().await;
    let server = scene.setup().set("LOCKDOWN", "hide").start().await;
    let client = Client::register(&server.url).await;
    let wish = json!({"owner": "alice", "repo": "demo", "issue_number": 38});
    for (login, own) in [("carol", true), ("bob", false), ("alice", false)] {
        let tokens = client.tokens(login, &password(login), false).await;
        scene.forge.forget();
        for _ in 0..2 {
            let answer = call(&server.url, &tokens.access, "get_issue", &wish).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let issue: Value = answer.json()["result"]["issue"].clone();
            assert_eq!(
                (&issue["author"], issue["body"] == "Would be nice, @bob."),
                (&json!("carol"), own),
                "{login}: {issue}"
            );
            assert_eq!(issue.get("author_has_write_access").is_none(), own, "{login}: {issue}");
        }
        // Each asks for themselves, once.
        assert_eq!(scene.forge.times("GET", "/api/v1/repos/alice/demo/assignees"), 1, "{login}");
    }
    assert_eq!(scene.forge.violations(), [] as [String; 0]);
}
