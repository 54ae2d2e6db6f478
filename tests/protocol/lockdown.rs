//! LOCKDOWN from outside: whose text is marked or withheld in public repositories, how one item is asked for, and that
//! whatever cannot be found out counts against the author. In `alice/demo` alice and bob may write; carol may not.

use aegis_tests::forge::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::ground::{Ground, legacy};

/// The list of who may write.
const WRITERS: &str = "/repos/alice/demo/assignees";
/// What carol wrote in issue 38, and in the third comment of issue 2.
const WISH: &str = "Would be nice, @bob.";
const COMMENT: &str = "comment 3";

async fn ground(mode: &str) -> Ground {
    Ground::with(|setup| setup.set("LOCKDOWN", mode)).await
}

async fn read(ground: &Ground, tool: &str, arguments: Value) -> Value {
    let answer = ground.server.tool(tool, arguments).await;
    assert_eq!(answer.status, 200, "{tool}: {}", answer.text());
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
    answer.json()["result"].clone()
}

fn issue(number: u64) -> Value {
    json!({"owner": "alice", "repo": "demo", "issue_number": number})
}

fn with(mut arguments: Value, name: &str, value: Value) -> Value {
    arguments[name] = value;
    arguments
}

/// Whether a text is marked, and whether it is withheld.
fn covered(item: &Value) -> (bool, bool) {
    let mark = item.get("author_has_write_access");
    assert!(mark.is_none_or(|mark| *mark == json!(false)), "{item}");
    let body = item["body"].as_str().unwrap_or_default();
    let withheld = item.get("body_withheld") == Some(&json!(true));
    assert_eq!(
        withheld,
        body.starts_with("Withheld: its author has no write access here (LOCKDOWN=hide)"),
        "{item}"
    );
    (mark.is_some(), withheld)
}

fn asked_who_may_write(ground: &Ground) -> usize {
    ground.forge.times("GET", &format!("/api/v1{WRITERS}"))
}

#[tokio::test]
async fn a_strangers_text_is_marked_or_withheld_and_a_writers_is_not() {
    for (mode, expected) in [("off", (false, false)), ("mark", (true, false)), ("hide", (true, true))] {
        let ground = ground(mode).await;
        let list =
            read(&ground, "list_issues", json!({"owner": "alice", "repo": "demo", "limit": 100})).await;
        let issues = list["issues"].as_array().expect("issues");
        for issue in issues {
            let stranger = issue["author"] == "carol";
            assert_eq!(covered(issue), if stranger { expected } else { (false, false) }, "{mode} {issue}");
            assert!(issue["title"].as_str().is_some_and(|title| !title.is_empty()), "{issue}");
        }
        let by = |login: &str| issues.iter().filter(|issue| issue["author"] == login).count();
        assert_eq!((by("carol"), by("alice") > 0, by("bob") > 0), (4, true, true));

        let one = read(&ground, "get_issue", issue(38)).await["issue"].clone();
        assert_eq!(covered(&one), expected, "{mode}");
        assert_eq!(one["body"] == WISH, mode != "hide", "{mode} {one}");
        let comments = read(&ground, "list_issue_comments", issue(2)).await["comments"].clone();
        let comments: Vec<_> = comments.as_array().expect("comments").iter().map(covered).collect();
        assert_eq!(comments, [(false, false), (false, false), expected], "{mode}");
        let pull = json!({"owner": "alice", "repo": "demo", "pull_number": 36});
        assert_eq!(covered(&read(&ground, "get_pull_request", pull).await["pull_request"]), (false, false));
        // Both for all of these calls, and none where nobody wants to know.
        let once = usize::from(mode != "off");
        let repository = ground.forge.times("GET", "/api/v1/repos/alice/demo");
        assert_eq!((asked_who_may_write(&ground), repository), (once, once), "{mode}");
    }
}

#[tokio::test]
async fn both_eras_and_both_doors_say_the_same() {
    let ground = ground("hide").await;
    let direct = read(&ground, "get_issue", issue(38)).await;
    let call = json!({"name": "get_issue", "arguments": issue(38)});
    let old = ground.server.legacy(&legacy(json!(1), "tools/call", call.clone())).await.json();
    let new = ground.server.modern("tools/call", call).await.json();
    for said in [&old, &new] {
        assert_eq!(said["result"]["structuredContent"]["issue"], direct["issue"]);
        assert!(!said.to_string().contains(WISH), "{said}");
    }
}

#[tokio::test]
async fn members_of_a_team_are_known_and_private_repositories_left_alone() {
    let ground = ground("hide").await;
    let list = read(&ground, "list_issues", json!({"owner": "acme", "repo": "site", "limit": 100})).await;
    let issues = list["issues"].as_array().expect("issues");
    assert!(
        issues.iter().any(|issue| issue["author"] == "bob" && issue["body"] == "On the front page."),
        "{list}"
    );
    assert!(issues.iter().all(|issue| covered(issue) == (false, false)), "{list}");
    let private = json!({"owner": "acme", "repo": "vault", "issue_number": 1});
    assert_eq!(covered(&read(&ground, "get_issue", private).await["issue"]), (false, false));
    assert_eq!(ground.forge.times("GET", "/api/v1/repos/acme/vault/assignees"), 0);
}

#[tokio::test]
async fn deleted_people_and_imported_texts_count_as_strangers() {
    let ground = ground("hide").await;
    for patch in [
        json!({"user": {"id": -1, "login": "Ghost"}}),
        json!({"user": {"id": -2, "login": "gitea-actions"}}),
        json!({"user": null}),
        json!({"original_author": "somebody-elsewhere"}),
    ] {
        let fault = Fault::on("/repos/alice/demo/issues/4", FaultKind::Patch(patch.clone()));
        ground.forge.next_fault(fault);
        assert_eq!(covered(&read(&ground, "get_issue", issue(4)).await["issue"]), (true, true), "{patch}");
    }
    assert_eq!(covered(&read(&ground, "get_issue", issue(4)).await["issue"]), (false, false));
}

#[tokio::test]
async fn one_item_is_shown_when_it_is_asked_for_still_marked_and_on_record() {
    let ground = ground("hide").await;
    let shown =
        read(&ground, "get_issue", with(issue(38), "show_withheld", json!(true))).await["issue"].clone();
    assert_eq!((covered(&shown), &shown["body"]), ((true, false), &json!(WISH)));
    let third = with(with(issue(2), "limit", json!(1)), "page", json!(3));
    let shown = read(&ground, "list_issue_comments", with(third, "show_withheld", json!(true))).await;
    let shown = shown["comments"][0].clone();
    assert_eq!((covered(&shown), &shown["body"]), ((true, false), &json!(COMMENT)));
    let lines = ground.server.audit_when(|lines| lines.len() >= 4).await;
    let asked = |line: &&Value| line["status"] == "pending" && line.to_string().contains("show_withheld");
    let asked: Vec<&Value> = lines.iter().filter(asked).map(|line| &line["tool"]).collect();
    assert_eq!(asked, ["get_issue", "list_issue_comments"], "{lines:#?}");
    // The next call does not inherit it.
    assert_eq!(covered(&read(&ground, "get_issue", issue(38)).await["issue"]), (true, true));
}

#[tokio::test]
async fn nothing_is_asked_for_by_the_list_and_nothing_where_nothing_is_hidden() {
    let hiding = ground("hide").await;
    let some = hiding.server.tool("list_issue_comments", with(issue(2), "show_withheld", json!(true))).await;
    assert_eq!(
        (some.status, some.reason().as_deref()),
        (422, Some("one_comment_at_a_time")),
        "{}",
        some.text()
    );
    assert_eq!(hiding.forge.requests().len(), 0, "refused before Gitea is asked");
    let at = json!({"owner": "alice", "repo": "demo", "show_withheld": true});
    for (mode, tool, arguments) in [
        ("hide", "list_issues", at.clone()),
        ("hide", "list_commits", at.clone()),
        ("hide", "search_code", with(at.clone(), "query", json!("x"))),
        ("hide", "get_issue", with(issue(38), "show_withheld", json!("yes"))),
        ("mark", "get_issue", with(issue(38), "show_withheld", json!(true))),
        ("off", "get_issue", with(issue(38), "show_withheld", json!(true))),
    ] {
        let ground = ground(mode).await;
        let answer = ground.server.tool(tool, arguments).await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (400, Some("invalid_arguments")),
            "{mode} {tool}"
        );
        ground.assert_nothing_upstream();
        let line = ground.only_line(&answer).await;
        assert_eq!((&line["event"], &line["reason"]), (&json!("access_denied"), &json!("invalid_arguments")));
    }
}

#[tokio::test]
async fn the_argument_is_offered_while_text_is_hidden() {
    for (mode, expected) in [("off", 0), ("mark", 0), ("hide", 6)] {
        let ground = ground(mode).await;
        let listed = ground.server.modern("tools/list", json!({})).await.json();
        let tools = listed["result"]["tools"].as_array().expect("tools").clone();
        let has = |tool: &&Value| {
            tool.pointer("/inputSchema/properties/show_withheld/type") == Some(&json!("boolean"))
        };
        assert_eq!(tools.iter().filter(has).count(), expected, "{mode}");
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_had_counts_against_everybody_and_is_asked_for_again() {
    for kind in [
        FaultKind::Status(403),
        FaultKind::Status(404),
        FaultKind::Status(500),
        FaultKind::Instead(200, json!({"no": "list"})),
        FaultKind::Instead(200, json!([{"login": "alice"}])),
        FaultKind::Oversize(1_100_000),
        FaultKind::BadJson,
        FaultKind::Html,
        FaultKind::CloseMidBody,
    ] {
        let ground = ground("hide").await;
        ground.forge.every_fault(Fault::on(WRITERS, kind.clone()));
        for _ in 0..2 {
            let found = read(&ground, "get_issue", issue(4)).await;
            assert_eq!(covered(&found["issue"]), (true, true), "{kind:?} {found}");
            assert!(
                found["writers_unknown"].as_str().is_some_and(|why| why.contains("every author")),
                "{found}"
            );
        }
        assert!(asked_who_may_write(&ground) >= 2, "{kind:?}");
        ground.forge.mend();
        let found = read(&ground, "get_issue", issue(4)).await;
        assert_eq!(
            (covered(&found["issue"]), found.get("writers_unknown")),
            ((false, false), None),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn resources_show_what_the_calls_show() {
    for mode in ["mark", "hide"] {
        let ground = ground(mode).await;
        for (uri, says) in [("gitea://alice/demo/issues/38", WISH), ("gitea://alice/demo/issues/2", COMMENT)]
        {
            let answer = ground.server.modern("resources/read", json!({"uri": uri})).await.json();
            let text = answer["result"]["contents"][0]["text"].as_str().expect("a text").to_owned();
            assert!(text.contains("carol (no write access here)"), "{text}");
            assert!(!text.contains("alice (no write") && !text.contains("bob (no write"), "{text}");
            assert_eq!(text.contains(says), mode == "mark", "{text}");
        }
        ground.forge.every_fault(Fault::on(WRITERS, FaultKind::Status(403)));
        let other = json!({"uri": "gitea://alice/demo/pulls/36"});
        let answer = ground.server.modern("resources/read", other).await.json();
        assert!(answer.to_string().contains("closes #1"), "remembered: {answer}");
    }
}

/// A commit of `mallory/notes` that is neither in the default branch nor the tip of anything, as one of a fork would
/// be.
fn outside(ground: &Ground) -> String {
    ground.forge.commit("mallory/notes", "draft~1").expect("a commit")
}

#[tokio::test]
async fn text_of_a_commit_from_outside_is_marked_or_left_out() {
    for mode in ["off", "mark", "hide"] {
        let ground = ground(mode).await;
        let id = outside(&ground);
        let at = |more: Value| {
            let mut at = json!({"owner": "mallory", "repo": "notes"});
            at.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
            at
        };
        let calls = [
            ("get_file_contents", at(json!({"filepath": "chapters/one.md", "ref": id})), "on and on", true),
            ("get_commit_diff", at(json!({"sha": id})), "on and on", true),
            ("compare_refs", at(json!({"base": "book", "head": id})), "on and on", true),
            ("compare_refs", at(json!({"base": "book", "head": id})), "Write on", true),
            ("list_commits", at(json!({"ref": id})), "Write on", false),
            ("search_code", at(json!({"ref": id, "query": "on and on"})), "It goes on", false),
        ];
        for (tool, arguments, says, one) in calls {
            let found = read(&ground, tool, arguments.clone()).await;
            let (marked, withheld) =
                (found.get("commit_is_outside").is_some(), found.get("withheld").is_some());
            assert_eq!((marked, withheld), (mode != "off", mode == "hide"), "{mode} {tool}: {found}");
            assert_eq!(found.to_string().contains(says), mode != "hide", "{mode} {tool}: {found}");
            if mode == "hide" && one {
                let found = read(&ground, tool, with(arguments, "show_withheld", json!(true))).await;
                assert!(found.to_string().contains(says), "{tool}: {found}");
                assert_eq!(found["commit_is_outside"], true, "{tool}: still marked");
            }
        }
        // By a name that only who may write can move, and by its tip's id, they are the project's own.
        let tip = ground.forge.commit("mallory/notes", "draft").expect("a commit");
        for reference in ["draft", &tip] {
            let call = at(json!({"filepath": "chapters/one.md", "ref": reference}));
            let found = read(&ground, "get_file_contents", call).await;
            assert!(
                found.get("commit_is_outside").is_none() && found.to_string().contains("on and on"),
                "{found}"
            );
        }
        let uri = format!("gitea://mallory/notes/blob/{id}/chapters/one.md");
        let answer = ground.server.modern("resources/read", json!({"uri": uri})).await.json().to_string();
        assert_eq!(answer.contains("on and on"), mode != "hide", "{answer}");
        assert_eq!(
            answer.contains("commit_is_outside"),
            mode != "off",
            "a text without room says it as JSON: {answer}"
        );
    }
}

#[tokio::test]
async fn a_word_that_is_none_of_the_three_does_not_start() {
    let setup = aegis_tests::server::Setup::new("http://127.0.0.1:9", "x").set("LOCKDOWN", "on");
    let (code, said) = setup.refused().await;
    assert!(code != 0 && said.contains("LOCKDOWN") && said.contains("off, mark, hide"), "{code} {said}");
}
