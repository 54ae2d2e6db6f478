//! The surprises of pull requests and organisations, and what happens when a pull request is opened.

use aegis_tests::forge::world::{
    ALICE_TOKEN, BOB_TOKEN, CAROL_TOKEN, MALLORY_TOKEN, NO_ORGANISATION_TOKEN, REPOSITORY_ONLY_TOKEN,
};
use aegis_tests::forge::{Forge, Options, Version};
use serde_json::{Value, json};

use super::{each, forge, get, post};

const NOTES: &str = "/repos/mallory/notes/pulls";

async fn numbers(forge: &Forge, path: &str) -> Vec<Value> {
    each(&get(forge, ALICE_TOKEN, path).await.json(), "/number")
}

#[tokio::test]
async fn lists_pull_requests_of_every_state_unless_told_one() {
    let forge = forge().await;
    for (query, expected) in [
        ("", vec![37, 36]),
        ("?state=open", vec![36]),
        ("?state=closed", vec![37]),
        ("?state=all&sort=oldest", vec![36, 37]),
        ("?state=open&base_branch=main", vec![36]),
        ("?state=all&base_branch=nosuch", vec![]),
        ("?state=all&poster=bob", vec![37]),
    ] {
        assert_eq!(numbers(&forge, &format!("/repos/alice/demo/pulls{query}")).await, expected, "{query}");
    }
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/alice/demo/pulls?poster=nobody").await.status, 400);
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/alice/demo/pulls/1").await.status, 404, "an issue");
    let paged = get(&forge, ALICE_TOKEN, &format!("{NOTES}?state=open&limit=1&page=2")).await;
    assert_eq!((each(&paged.json(), "/number"), paged.header("x-total-count")), (vec![json!(4)], Some("4")));
}

#[tokio::test]
async fn gives_a_head_no_repository_where_the_fork_is_gone_or_unseen() {
    let forge = forge().await;
    let head = async |token: &str, number: u64| {
        get(&forge, token, &format!("{NOTES}/{number}")).await.json()["head"].clone()
    };
    let unseen = head(ALICE_TOKEN, 1).await;
    assert_eq!(
        (&unseen["repo"], &unseen["repo_id"], &unseen["ref"]),
        (&Value::Null, &json!(-1), &json!("refs/pull/1/head"))
    );
    let seen = head(MALLORY_TOKEN, 1).await;
    assert_eq!((&seen["repo"]["full_name"], &seen["ref"]), (&json!("mallory/secret"), &json!("main")));
    let gone = head(MALLORY_TOKEN, 2).await;
    assert_eq!((&gone["repo"], &gone["ref"]), (&Value::Null, &json!("refs/pull/2/head")));
    let merged = get(&forge, ALICE_TOKEN, "/repos/alice/demo/pulls/37").await.json();
    assert_eq!(
        (&merged["head"]["ref"], &merged["head"]["repo"]["full_name"], &merged["merged"]),
        (&json!("refs/pull/37/head"), &json!("alice/demo"), &json!(true)),
        "a branch that was deleted after the merge"
    );
    let draft = get(&forge, ALICE_TOKEN, &format!("{NOTES}/4")).await.json();
    assert_eq!((&draft["draft"], &draft["changed_files"]), (&json!(true), &json!(4)));
    assert_eq!((&draft["assignees"], &draft["requested_reviewers"]), (&json!([]), &json!([])));
    let listed = get(&forge, ALICE_TOKEN, NOTES).await.json();
    assert_eq!((&listed[0]["assignees"], &listed[0].get("additions")), (&Value::Null, &None));
}

#[tokio::test]
async fn tells_the_files_and_commits_of_a_pull_request_by_pages() {
    let forge = forge().await;
    let files = get(&forge, ALICE_TOKEN, &format!("{NOTES}/4/files")).await.json();
    let rows: Vec<(&str, &str, Option<&str>)> = files
        .as_array()
        .expect("files")
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str();
            (
                text("filename").unwrap_or_default(),
                text("status").unwrap_or_default(),
                text("previous_filename"),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("README.md", "deleted", None),
            ("chapters/one.md", "changed", None),
            ("chapters/plan.md", "renamed", Some("secrets/plan.md")),
            ("chapters/two.md", "added", None),
        ]
    );
    assert_eq!((&files[1]["additions"], &files[1]["deletions"]), (&json!(2), &json!(1)));
    assert_eq!(files[2]["changes"], 0);

    let page =
        get(&forge, ALICE_TOKEN, &format!("{NOTES}/4/commits?limit=1&verification=false&files=false")).await;
    let rows = page.json();
    assert_eq!(each(&rows, "/commit/message"), ["Move the plan\n"], "newest first");
    assert_eq!(
        (&rows[0]["files"], &rows[0]["commit"]["verification"]),
        (&Value::Null, &Value::Null),
        "left out when asked to"
    );
    assert_eq!((page.header("x-hasmore"), page.header("x-pagecount")), (Some("true"), Some("2")));
    assert!(page.header("link").is_some_and(|link| link.contains("rel=\"next\"")));
    let same = get(&forge, ALICE_TOKEN, &format!("{NOTES}/5/commits")).await;
    assert_eq!((same.json(), same.header("x-total-count")), (json!([]), Some("0")));
    for part in ["files", "commits"] {
        assert_eq!(get(&forge, ALICE_TOKEN, &format!("{NOTES}/6/{part}")).await.status, 404, "an issue");
    }
}

#[tokio::test]
async fn opens_a_pull_request_once_and_refuses_as_gitea_does() {
    for version in [Version::V1_27, Version::V1_26] {
        let forge = Forge::start(Options { version, ..Options::default() }).await;
        let to = async |token: &str, repo: &str, title: &str, head: &str, base: &str| {
            let body = json!({ "title": title, "head": head, "base": base });
            post(&forge, token, &format!("/repos/{repo}/pulls"), &body).await
        };
        let demo = "alice/demo";
        let made = to(BOB_TOKEN, demo, "[WIP] One", "b1", "feature/one").await;
        assert_eq!(
            (made.status, &made.json()["number"], &made.json()["draft"]),
            (201, &json!(44), &json!(true))
        );
        assert_eq!(
            get(&forge, ALICE_TOKEN, "/repos/alice/demo/pulls/44").await.json()["user"]["login"],
            "bob"
        );
        assert_eq!(
            get(&forge, ALICE_TOKEN, "/repos/alice/demo/issues/44").await.json()["pull_request"]["draft"],
            true,
            "it is an issue too"
        );
        for (token, title, head, base, status) in [
            (ALICE_TOKEN, "x", "feature/one", "main", 409),
            (BOB_TOKEN, "x", "b1", "feature/one", 409),
            (ALICE_TOKEN, "x", "main", "main", 422),
            (ALICE_TOKEN, "", "b1", "main", 422),
            (ALICE_TOKEN, "x", "nosuch", "main", 404),
            (ALICE_TOKEN, "x", "b1", "nosuch", 404),
            (ALICE_TOKEN, "x", "v1.0", "main", 404),
            (CAROL_TOKEN, "x", "b1", "main", 403),
        ] {
            let answer = to(token, demo, title, head, base).await;
            assert_eq!(answer.status, status, "{title} {head} {base}: {}", answer.text());
        }
        let said = to(ALICE_TOKEN, demo, "x", "feature/one", "main").await.json();
        assert!(said["message"].as_str().is_some_and(|text| text.contains("issue_id: 36,")), "{said}");
        assert_eq!(to(ALICE_TOKEN, "alice/archived", "x", "a", "main").await.status, 423);
        // The trap: with a colon the head is one of another repository, private ones of the credential included.
        let other = to(MALLORY_TOKEN, "mallory/notes", "x", "mallory/secret:main", "main").await.json();
        assert_eq!(other["head"]["repo"]["full_name"], "mallory/secret");
        assert_eq!(to(ALICE_TOKEN, "mallory/notes", "x", "mallory/secret:main", "main").await.status, 404);
    }
}

#[tokio::test]
async fn counts_the_repositories_of_an_organisation_that_it_takes_off_the_page() {
    let forge = forge().await;
    let page = async |token: &str, query: &str| {
        let answer = get(&forge, token, &format!("/orgs/acme/repos{query}")).await;
        let link = answer.header("link").is_some_and(|link| link.contains("rel=\"next\""));
        (each(&answer.json(), "/full_name"), answer.header("x-total-count").map(str::to_owned), link)
    };
    let two = Some("2".to_owned());
    assert_eq!(
        page(ALICE_TOKEN, "").await,
        (vec![json!("acme/vault"), json!("acme/site")], two.clone(), false)
    );
    assert_eq!(page(CAROL_TOKEN, "").await, (vec![json!("acme/site")], two.clone(), false));
    assert_eq!(
        page(CAROL_TOKEN, "?limit=1").await,
        (vec![], two, true),
        "an empty page that is not the last"
    );
    assert_eq!(get(&forge, ALICE_TOKEN, "/orgs/alice/repos").await.status, 404, "a person");
    let orgs = async |token: &str| get(&forge, token, "/user/orgs").await;
    assert_eq!(each(&orgs(BOB_TOKEN).await.json(), "/name"), ["acme"]);
    assert_eq!(orgs(CAROL_TOKEN).await.json(), json!([]), "only one's own");
    for path in ["/user/orgs", "/orgs/acme/repos"] {
        assert_eq!(get(&forge, REPOSITORY_ONLY_TOKEN, path).await.status, 403, "{path}");
        let refused = get(&forge, NO_ORGANISATION_TOKEN, path).await;
        let said = refused.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(refused.status == 403 && said.contains("read:organization"), "{path}: {said}");
    }
}

#[tokio::test]
async fn counts_languages_where_there_is_code_and_links_no_topics() {
    let forge = forge().await;
    let languages =
        async |repo: &str| get(&forge, ALICE_TOKEN, &format!("/repos/{repo}/languages")).await.json();
    assert!(languages("alice/demo").await["Rust"].as_u64() > Some(100));
    assert_eq!(languages("alice/empty").await, json!({}));
    let topics = get(&forge, ALICE_TOKEN, "/repos/acme/site/topics?limit=1&page=2").await;
    assert_eq!(topics.json(), json!({ "topics": ["website"] }));
    assert_eq!((topics.header("x-total-count"), topics.header("link")), (Some("2"), None));
}

#[tokio::test]
async fn an_empty_repository_has_no_list_of_pull_requests() {
    let forge = forge().await;
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/alice/empty/pulls?state=open").await.status, 404);
    let issues = get(&forge, ALICE_TOKEN, "/repos/alice/empty/issues").await;
    assert_eq!((issues.status, issues.json()), (200, json!([])), "issues it has");
}
