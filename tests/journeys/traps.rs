//! Traps of Gitea that only the sample one can set at will, and worlds too large to build anew.

use aegis_tests::forge::{Options, Version};
use serde_json::json;

use crate::place::{Ground, Who, everything_writable, forge};
use crate::repositories::each;
use crate::wire::{WIRES, Wire};

#[tokio::test]
async fn a_milestone_without_a_title_does_not_empty_the_lists() {
    let options = Options { empty_milestone: true, ..Options::default() };
    let stand = forge(options, Who::Alice, everything_writable).await;
    let found = stand.read("list_issues", stand.at("alice/demo", json!({}))).await;
    assert_eq!((&found["total"], found["issues"].as_array().map(Vec::len)), (&json!(40), Some(30)));
    let found = stand.read("list_issues", stand.at("alice/demo", json!({ "labels": ["bug"] }))).await;
    assert_eq!(found["total"], 5);
    let arguments = stand.at("alice/demo", json!({ "title": "Planned", "milestone": "backlog" }));
    let made = stand.once(Wire::Modern, "create_issue", &arguments).await;
    assert_eq!(made["issue"]["milestone"]["title"], "Backlog");
    let blank = stand.at("alice/demo", json!({ "title": "Planned", "milestone": "" }));
    let (said, _) = stand.refused("create_issue", blank, 400, "invalid_arguments").await;
    assert!(said.contains("milestone"), "{said}");
    stand.end().await;
}

#[tokio::test]
async fn sixty_five_repositories_come_in_three_pages_without_loss() {
    for version in [Version::V1_27, Version::V1_26] {
        let stand = Ground::Forge(version).stand(Who::Carol, |setup| setup).await;
        let mut names = Vec::new();
        for (page, rows) in [(1, 30), (2, 30), (3, 5)] {
            let found = stand.read("list_repositories", json!({ "page": page })).await;
            assert_eq!(found["repositories"].as_array().map(Vec::len), Some(rows), "page {page}");
            assert_eq!(found["has_next"], page < 3);
            assert_eq!(found.get("total"), None, "not known from one page that was filtered");
            names.extend(each(&found["repositories"], "/full_name").into_iter().map(ToString::to_string));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 65);
        stand.end().await;
    }
}

#[tokio::test]
async fn a_tree_of_more_entries_than_an_answer_holds_says_that_more_follow() {
    let stand = forge(Options::default(), Who::Carol, |setup| setup).await;
    let found = stand.read("get_file_tree", stand.at("carol/wide", json!({ "recursive": true }))).await;
    assert_eq!((found["entries"].as_array().map(Vec::len), &found["has_next"]), (Some(200), &json!(true)));
    // No setting lets an answer hold more than it may: the page shrinks to the bound, and nothing is lost.
    let asked = stand
        .read("get_file_tree", stand.at("carol/wide", json!({ "recursive": true, "limit": 1000 })))
        .await;
    assert_eq!(asked["entries"].as_array().map(Vec::len), Some(200));
    assert!(
        asked["truncated_how"].as_str().is_some_and(|how| how.contains("at most 200 entries")),
        "{asked}"
    );
    let mut paths = Vec::new();
    for page in 1.. {
        let more = json!({ "recursive": true, "page": page });
        let found = stand.once(Wire::Direct, "get_file_tree", &stand.at("carol/wide", more)).await;
        paths.extend(each(&found["entries"], "/path").into_iter().map(ToString::to_string));
        if found["has_next"] == false {
            break;
        }
    }
    let files = paths.iter().filter(|path| path.ends_with(".txt\"")).count();
    assert_eq!(files, 1105);
    let whole = paths.len();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), whole, "no entry twice");
    stand.end().await;
}

#[tokio::test]
async fn a_tree_larger_than_the_bound_is_read_in_pages_of_the_bound() {
    let stand =
        forge(Options::default(), Who::Alice, |setup| setup.set("MAX_TOOL_RESPONSE_ITEMS", "5")).await;
    let found = stand.read("list_issues", stand.at("alice/demo", json!({}))).await;
    assert_eq!((&found["has_next"], &found["total"]), (&json!(true), &json!(40)));
    assert_eq!(
        each(&found["issues"], "/number"),
        [43, 41, 40, 39, 38].map(|n| json!(n)).iter().collect::<Vec<_>>()
    );
    let found = stand.read("list_issues", stand.at("alice/demo", json!({ "page": 8 }))).await;
    assert_eq!((&found["has_next"], found["issues"].as_array().map(Vec::len)), (&json!(false), Some(5)));
    stand.end().await;
}

#[tokio::test]
async fn a_long_text_is_cut_and_says_so() {
    let options = Options::default();
    let stand =
        forge(options, Who::Alice, |setup| everything_writable(setup).set("MAX_TOOL_RESPONSE_CHARS", "100"))
            .await;
    let body = "0123456789 ".repeat(30);
    let arguments = stand.at("alice/demo", json!({ "title": "Long", "body": body }));
    let made = stand.once(Wire::Legacy, "create_issue", &arguments).await;
    assert_eq!((&made["not_applied"], &made["truncated"]), (&json!([]), &json!(true)), "cut is not left out");
    let at = stand.at("alice/demo", json!({ "issue_number": made["issue"]["number"] }));
    let found = stand.read("get_issue", at).await;
    let shown = found["issue"]["body"].as_str().expect("a body");
    assert!(shown.chars().count() <= 101 && body.starts_with(shown.trim_end_matches('…')), "{shown}");
    let how = found["truncated_how"].as_str().expect("how");
    assert!(how.contains("start_character=101") && how.contains("do not send a part of it back"), "{how}");
    let on = json!({ "issue_number": made["issue"]["number"], "start_character": 101 });
    let found = stand.read("get_issue", stand.at("alice/demo", on)).await;
    assert_eq!(found["issue"]["body"], body[100..200], "without gap or overlap");
    stand.end().await;
}

#[tokio::test]
async fn arguments_that_are_not_listed_or_out_of_bounds_are_refused_before_gitea_is_asked() {
    let stand = forge(Options::default(), Who::Alice, everything_writable).await;
    let demo = |more| stand.at("alice/demo", more);
    let wrong = [
        ("list_repositories", json!({ "sudo": "root" }), "sudo"),
        ("list_repositories", json!({ "page": 0 }), "page"),
        ("get_repository_info", json!({ "owner": "alice" }), "repo"),
        ("get_repository_info", json!({ "owner": "alice", "repo": "demo/../private" }), "repo"),
        ("get_file_tree", demo(json!({ "ref": "main..v1.0" })), "ref"),
        ("get_file_tree", demo(json!({ "recursive": "yes" })), "recursive"),
        ("get_file_contents", demo(json!({ "filepath": "src/../README.md" })), "filepath"),
        ("get_file_contents", demo(json!({ "filepath": "/README.md" })), "filepath"),
        ("get_file_contents", demo(json!({ "filepath": ".git/config" })), "filepath"),
        ("list_issues", demo(json!({ "state": "merged" })), "state"),
        ("list_issues", demo(json!({ "limit": 10_001 })), "limit"),
        ("get_issue", demo(json!({ "issue_number": "5" })), "issue_number"),
        ("get_issue", demo(json!({ "issue_number": -1 })), "issue_number"),
        ("create_issue", demo(json!({})), "title"),
        ("create_issue", demo(json!({ "title": "two\nlines" })), "title"),
        ("create_issue_comment", demo(json!({ "issue_number": 1, "body": "" })), "body"),
    ];
    for (tool, arguments, field) in wrong {
        let (said, _) = stand.refused(tool, arguments, 400, "invalid_arguments").await;
        assert!(said.contains(field), "{tool}: it names the field: {said}");
    }
    assert_eq!(stand.requests().iter().filter(|seen| seen.x_request_id.is_some()).count(), 0);
    stand.end().await;
}

#[tokio::test]
async fn a_tool_that_does_not_exist_is_refused_on_every_wire() {
    let stand = forge(Options::default(), Who::Alice, |setup| setup).await;
    for (wire, status) in WIRES.into_iter().zip([400, 200, 200, 404]) {
        let said = stand.say(wire, "merge_pull_request", &json!({})).await;
        assert_eq!((said.status, said.reason.as_str()), (status, "unknown_tool"), "{wire:?} {}", said.seen);
        let line = crate::audit::denied(&stand.server, &said.correlation_id).await;
        assert_eq!((&line["reason"], &line["tool"]), (&json!("unknown_tool"), &json!("merge_pull_request")));
    }
    assert_eq!(stand.requests().iter().filter(|seen| seen.x_request_id.is_some()).count(), 0);
    stand.end().await;
}
