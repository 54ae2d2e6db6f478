//! Diffs, comparisons, checks, tags and new branches: the traps that they hold.

use aegis_tests::forge::world::{ALICE_TOKEN, CAROL_TOKEN, MALLORY_TOKEN, READONLY_TOKEN};
use aegis_tests::forge::{Forge, Options, Version};
use serde_json::{Value, json};

use super::{each, forge, get, post};

const SITE: &str = "/repos/acme/site";
const DEMO: &str = "/repos/alice/demo";

async fn diff(forge: &Forge, name: &str) -> String {
    let answer = get(forge, ALICE_TOKEN, &format!("{DEMO}/git/commits/{name}.diff")).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    answer.text()
}

#[tokio::test]
async fn a_diff_is_written_as_git_writes_it() {
    let forge = forge().await;
    assert_eq!(
        diff(&forge, "main").await,
        "diff --git a/a/b/c/deep.txt b/a/b/deeper.txt\nsimilarity index 100%\nrename from a/b/c/deep.txt\n\
         rename to a/b/deeper.txt\n"
    );
    let added = diff(&forge, "feature%2Fone").await;
    assert_eq!(
        added,
        "diff --git a/feature.txt b/feature.txt\nnew file mode 100644\nindex 0000000..a7453f0\n--- /dev/null\n\
         +++ b/feature.txt\n@@ -0,0 +1 @@\n+feature\n"
    );
    let odd = diff(&forge, &forge_commit(&forge, "Symlink").await).await;
    for part in [
        "+++ b/link-to-secret\n@@ -0,0 +1 @@\n+src/secrets/key.pem\n\\ No newline at end of file\n",
        "new file mode 160000\nindex 0000000..6fcc47b\n",
        "@@ -0,0 +1,3 @@\n+version https://git-lfs",
    ] {
        assert!(odd.contains(part), "{part}\n{odd}");
    }
    let quoted = diff(&forge, &forge_commit(&forge, "add docs/ü").await).await;
    assert!(
        quoted.starts_with("diff --git \"a/docs/\\303\\274bersicht.md\" \"b/docs/\\303\\274"),
        "{quoted}"
    );
    let binary = diff(&forge, &forge_commit(&forge, "add bin/logo.png").await).await;
    assert!(binary.ends_with("Binary files /dev/null and b/bin/logo.png differ\n"), "{binary}");
    let empty = diff(&forge, &forge_commit(&forge, "add empty.txt").await).await;
    assert!(empty.ends_with("new file mode 100644\nindex 0000000..e69de29\n"), "{empty}");
}

/// The id of the commit whose message begins so.
async fn forge_commit(forge: &Forge, message: &str) -> String {
    let log = get(forge, ALICE_TOKEN, &format!("{DEMO}/commits?limit=50")).await.json();
    let rows = log.as_array().expect("a log");
    let says = |row: &&Value| row["commit"]["message"].as_str().is_some_and(|text| text.starts_with(message));
    rows.iter().find(says).expect("such a commit")["sha"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn the_diff_of_a_first_commit_comes_after_its_header_and_a_change_keeps_its_surroundings() {
    let forge = forge().await;
    let root = diff(&forge, &forge_commit(&forge, "Initial commit").await).await;
    assert!(
        root.starts_with("commit ") && root.contains("\n    Initial commit\n\ndiff --git a/README.md"),
        "{root}"
    );
    let edited = get(&forge, ALICE_TOKEN, &format!("{SITE}/git/commits/main.diff")).await.text();
    assert!(edited.contains("@@ -1 +1 @@\n-# Page, edition 45\n+# Page, edition 65\n"), "{edited}");
    let large = forge_commit(&forge, "large").await;
    let long = get(&forge, ALICE_TOKEN, &format!("{DEMO}/git/commits/{large}.diff")).await;
    assert!(
        long.header("content-length").is_none() && long.body.len() > 1_000_000,
        "in pieces of no announced length"
    );
}

#[tokio::test]
async fn a_comparison_is_against_the_common_ancestor_and_older_versions_ignore_the_wish_for_text() {
    let path = format!("{DEMO}/compare/main...feature/one?output=diff");
    let newer = forge().await;
    let text = get(&newer, ALICE_TOKEN, &path).await.text();
    assert!(text.starts_with("diff --git a/feature.txt") && !text.contains("config.env"), "{text}");
    let direct = get(&newer, ALICE_TOKEN, &path.replace("...", "..")).await.text();
    assert!(direct.contains("deleted file mode 100644") && direct.contains("config.env"), "{direct}");

    let older = Forge::start(Options { version: Version::V1_26, ..Options::default() }).await;
    let answer = get(&older, ALICE_TOKEN, &path).await;
    assert_eq!((answer.status, answer.json()["total_commits"].as_u64()), (200, Some(1)));

    let nothing = get(&newer, ALICE_TOKEN, &format!("{DEMO}/compare/main...main?output=diff")).await;
    assert_eq!((nothing.status, nothing.header("content-type"), nothing.text().as_str()), (200, None, ""));

    // What has a colon reads another repository, by the rights of whoever asks.
    let foreign = format!("{DEMO}/compare/main...mallory/secret:main");
    assert_eq!(get(&newer, CAROL_TOKEN, &foreign).await.status, 404);
    let foreign = format!("{DEMO}/compare/main..mallory/secret:main?output=diff");
    assert!(get(&newer, MALLORY_TOKEN, &foreign).await.text().contains("# secret"));
    for (range, status) in [("main", 400), ("main...nosuch", 404)] {
        assert_eq!(
            get(&newer, ALICE_TOKEN, &format!("{DEMO}/compare/{range}")).await.status,
            status,
            "{range}"
        );
    }
}

#[tokio::test]
async fn the_summary_of_checks_covers_one_page_and_calls_none_pending() {
    let forge = forge().await;
    let page = async |number: u32| {
        get(&forge, ALICE_TOKEN, &format!("{SITE}/commits/main/status?limit=50&page={number}")).await
    };
    let first = page(1).await;
    assert_eq!(first.header("x-total-count"), Some("60"));
    assert!(first.header("link").is_none());
    assert_eq!((&first.json()["state"], &first.json()["total_count"]), (&json!("success"), &json!(50)));
    assert_eq!(page(2).await.json()["state"], "failure");
    let past = page(3).await.json();
    assert_eq!((&past["state"], &past["statuses"]), (&json!("pending"), &Value::Null));
    let none = get(&forge, ALICE_TOKEN, &format!("{DEMO}/commits/feature/one/status")).await.json();
    assert_eq!(
        (&none["state"], &none["total_count"], &none["statuses"]),
        (&json!("pending"), &json!(0), &Value::Null)
    );
    assert_eq!(get(&forge, ALICE_TOKEN, &format!("{DEMO}/commits/nosuch/status")).await.status, 404);
}

#[tokio::test]
async fn tags_come_without_links() {
    let forge = forge().await;
    let answer = get(&forge, ALICE_TOKEN, &format!("{DEMO}/tags?limit=1")).await;
    assert_eq!((answer.header("link"), answer.header("x-total-count")), (None, Some("1")));
    assert_eq!(each(&answer.json(), "/name"), ["v1.0"]);
    assert_eq!(get(&forge, ALICE_TOKEN, &format!("{DEMO}/tags/v1.0")).await.json()["name"], "v1.0");
    assert_eq!(get(&forge, ALICE_TOKEN, &format!("{DEMO}/tags/v2")).await.status, 404);
}

#[tokio::test]
async fn a_branch_is_refused_in_as_many_ways_as_gitea_has() {
    let forge = forge().await;
    let make = async |token: &str, repo: &str, name: &str, old: &str| {
        let body = json!({ "new_branch_name": name, "old_ref_name": old });
        post(&forge, token, &format!("/repos/{repo}/branches"), &body).await
    };
    let sha = forge.commit("alice/demo", "main").expect("a commit");
    for (old, name) in [("v1.0", "from-tag"), ("feature/one", "from-branch"), (sha.as_str(), "from-commit")] {
        let made = make(ALICE_TOKEN, "alice/demo", name, old).await;
        assert_eq!((made.status, &made.json()["name"]), (201, &json!(name)));
        assert_eq!(get(&forge, ALICE_TOKEN, &format!("{DEMO}/branches/{name}")).await.status, 200);
    }
    for (token, repo, name, old, status) in [
        (ALICE_TOKEN, "alice/demo", "x", "nosuch", 500),
        (ALICE_TOKEN, "alice/demo", "main", "main", 409),
        (ALICE_TOKEN, "alice/demo", "v1.0", "main", 409),
        (ALICE_TOKEN, "alice/demo", "feature", "main", 409),
        (ALICE_TOKEN, "alice/demo", "main/x", "main", 409),
        (ALICE_TOKEN, "alice/demo", "", "main", 422),
        (ALICE_TOKEN, "alice/archived", "x", "main", 423),
        (ALICE_TOKEN, "alice/empty", "x", "main", 404),
        (CAROL_TOKEN, "alice/demo", "x", "main", 403),
        (READONLY_TOKEN, "alice/demo", "x", "main", 403),
        (CAROL_TOKEN, "alice/private", "x", "main", 404),
    ] {
        let answer = make(token, repo, name, old).await;
        assert_eq!(answer.status, status, "{repo} {name} from {old}: {}", answer.text());
    }
    assert_eq!(make(ALICE_TOKEN, "alice/demo", "x", "nosuch").await.json()["message"], "");
}

#[tokio::test]
async fn packs_a_commit_into_a_folder_of_the_repositorys_name() {
    let forge = forge().await;
    let at = |name: &str| format!("/repos/alice/demo/archive/{name}");
    let sha = forge.commit("alice/demo", "main").expect("a commit");
    let answer = get(&forge, ALICE_TOKEN, &at(&format!("{sha}.tar.gz"))).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/octet-stream")));
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(answer.body.as_slice()));
    let mut found = std::collections::BTreeMap::new();
    for entry in archive.entries().expect("entries") {
        let entry = entry.expect("an entry");
        let path = String::from_utf8(entry.path_bytes().into_owned()).expect("text");
        if entry.header().entry_type() != tar::EntryType::XGlobalHeader {
            found.insert(path, (entry.header().entry_type(), entry.size()));
        }
    }
    assert_eq!(found["demo/docs/guide.md"], (tar::EntryType::Regular, 21));
    assert_eq!(found["demo/assets/huge.bin"], (tar::EntryType::Regular, 10 * 1024 * 1024 + 1));
    assert_eq!(found["demo/link-to-secret"], (tar::EntryType::Symlink, 0), "a link is not followed");
    assert_eq!(found["demo/vendored/"], (tar::EntryType::Directory, 0), "a submodule is empty");
    assert!(found.keys().all(|path| path.starts_with("demo/")), "{found:?}");
    assert_eq!(get(&forge, ALICE_TOKEN, &at("no-such.tar.gz")).await.status, 404);
    assert_eq!(get(&forge, ALICE_TOKEN, &at("main.rar")).await.status, 400);
}
