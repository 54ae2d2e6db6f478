//! What a naive fake would hide: paging, refs, trees, contents, renames, archives, versions.

use aegis_tests::forge::world::{ALICE_TOKEN, CAROL_TOKEN, SVC_TOKEN};
use aegis_tests::forge::{Forge, Options, Version};
use serde_json::{Value, json};

use super::{each, forge, get, post};

#[tokio::test]
async fn cuts_pages_silently_and_counts_all() {
    let forge = forge().await;
    let page = async |query: &str| {
        let answer = get(&forge, SVC_TOKEN, &format!("/repos/search?uid=4{query}")).await;
        let rows = answer.json()["data"].as_array().map_or(0, Vec::len);
        let total = answer.header("x-total-count").map(str::to_owned);
        (rows, total, answer.header("link").unwrap_or_default().to_owned())
    };
    let (rows, total, link) = page("").await;
    assert_eq!((rows, total.as_deref()), (30, Some("65")));
    let next = format!("<{}/api/v1/repos/search?page=2&uid=4>; rel=\"next\"", forge.url());
    assert!(link.starts_with(&next) && link.contains("page=3&uid=4>; rel=\"last\""), "{link}");
    assert_eq!(page("&limit=1000").await.0, 50);
    assert_eq!(page("&limit=50&page=2").await.0, 15);
    let (rows, total, link) = page("&page=99").await;
    assert_eq!((rows, total.as_deref()), (0, Some("65")), "past the end is an empty page");
    assert!(link.contains("rel=\"first\"") && !link.contains("rel=\"next\""), "{link}");
}

#[tokio::test]
async fn sends_no_link_where_gitea_sends_none() {
    let forge = forge().await;
    for path in ["/labels?limit=1", "/milestones?limit=1", "/issues/3/comments?limit=1"] {
        let answer = get(&forge, ALICE_TOKEN, &format!("/repos/alice/demo{path}")).await;
        assert_eq!((answer.status, answer.header("link")), (200, None), "{path}");
        assert!(answer.header("x-total-count").is_some(), "{path}");
    }
    let comments =
        get(&forge, ALICE_TOKEN, "/repos/alice/demo/issues/3/comments?limit=1&page=2").await.json();
    assert_eq!(comments.as_array().map(Vec::len), Some(60), "comments ignore paging");
    let branches = get(&forge, ALICE_TOKEN, "/repos/acme/site/branches").await;
    assert_eq!(branches.json().as_array().map(Vec::len), Some(30));
    assert!(branches.header("link").is_some());
}

#[tokio::test]
async fn pages_trees_by_their_own_words() {
    let forge = forge().await;
    let tree = async |query: &str| {
        get(&forge, CAROL_TOKEN, &format!("/repos/carol/wide/git/trees/main?recursive=true{query}"))
            .await
            .json()
    };
    let first = tree("&per_page=5000&limit=1").await;
    assert_eq!(first["tree"].as_array().map(Vec::len), Some(1000));
    assert_eq!((&first["truncated"], &first["total_count"]), (&json!(true), &json!(1118)));
    assert_eq!(first["tree"][0]["path"], "data");
    assert_eq!(first["sha"], json!(forge.commit("carol/wide", "main")), "a name resolves to its commit");
    let last = tree("&page=2").await;
    assert_eq!((last["tree"].as_array().map(Vec::len), &last["truncated"]), (Some(118), &json!(false)));
    assert_eq!(tree("&page=3").await["tree"], Value::Null);
    assert_eq!(get(&forge, CAROL_TOKEN, "/repos/carol/wide/git/trees/nosuch").await.status, 400);
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/alice/empty/git/trees/main").await.status, 400);
    let below = first["tree"][0]["sha"].as_str().expect("a tree id").to_owned();
    let data = get(&forge, CAROL_TOKEN, &format!("/repos/carol/wide/git/trees/{below}")).await.json();
    assert_eq!(data["tree"][0]["path"], "00", "without `recursive` a bare name");
}

#[tokio::test]
async fn gives_objects_the_ids_that_git_gives_them() {
    let forge = forge().await;
    let file = get(&forge, ALICE_TOKEN, "/repos/alice/demo/contents-ext/empty.txt").await.json();
    assert_eq!(file["file_contents"]["sha"], "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    let link = get(&forge, ALICE_TOKEN, "/repos/alice/demo/contents-ext/link-to-secret").await.json();
    assert_eq!(link["file_contents"]["sha"], "ad19fbe2c25d9021c1936ec4b59915e3d34e9288");
    let main = get(&forge, ALICE_TOKEN, "/repos/alice/demo/git/trees/v1.0?recursive=1").await.json();
    let rows = main["tree"].as_array().expect("entries");
    let secrets = rows.iter().find(|row| row["path"] == "src/secrets").expect("a directory");
    assert_eq!(
        (&secrets["mode"], &secrets["type"], &secrets["size"]),
        (&json!("040000"), &json!("tree"), &json!(0))
    );
}

#[tokio::test]
async fn resolves_refs_by_the_rules_of_each_route() {
    let forge = forge().await;
    let head = forge.commit("alice/demo", "main").expect("a head");
    let commits = async |sha: &str| {
        get(
            &forge,
            ALICE_TOKEN,
            &format!("/repos/alice/demo/commits?sha={sha}&limit=1&stat=false&files=false&verification=false"),
        )
        .await
    };
    for name in ["main", "HEAD", &head, &head[..7], "refs%2Fheads%2Fmain"] {
        assert_eq!(commits(name).await.json()[0]["sha"], json!(head), "{name}");
    }
    assert_eq!(
        commits("feature%2Fone").await.json()[0]["sha"],
        json!(forge.commit("alice/demo", "feature/one"))
    );
    assert_eq!(commits("v1.0").await.json()[0]["sha"], json!(forge.commit("alice/demo", "b1")));
    assert_eq!(
        commits("main~1").await.json()[0]["sha"],
        commits("main").await.json()[0]["parents"][0]["sha"]
    );
    assert_eq!(commits("nosuch").await.status, 404);
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/alice/empty/commits").await.status, 409);
    let top = get(&forge, ALICE_TOKEN, "/repos/alice/demo/git/trees/main").await.json();
    for path in ["src", "README.md"] {
        let rows = top["tree"].as_array().expect("entries");
        let entry = rows.iter().find(|row| row["path"] == path).expect("an entry");
        let id = entry["sha"].as_str().expect("an id");
        assert_eq!(commits(id).await.status, 404, "{path} is no commit");
        assert_eq!(commits(&id[..10]).await.status, 404, "{path} is no commit by a short id either");
        let at = get(&forge, ALICE_TOKEN, &format!("/repos/alice/demo/contents-ext/main.rs?ref={id}")).await;
        assert_eq!(at.status, 404, "{path} is no commit to read files at");
    }
    let contents = async |name: &str| {
        get(&forge, ALICE_TOKEN, &format!("/repos/alice/demo/contents-ext/src?ref={name}")).await.status
    };
    assert_eq!(
        (contents("v1.0").await, contents(&head).await, contents("feature/one").await),
        (200, 200, 200)
    );
    assert_eq!(
        (contents(&head[..7]).await, contents("HEAD").await, contents("nosuch").await),
        (404, 404, 404)
    );
}

#[tokio::test]
async fn ignores_the_limit_of_commits_by_path_but_counts_with_it() {
    let forge = forge().await;
    let path = "/repos/acme/site/commits?path=pages&limit=2&stat=false&files=false&verification=false";
    let answer = get(&forge, ALICE_TOKEN, path).await;
    assert_eq!(answer.json().as_array().map(Vec::len), Some(50));
    assert_eq!((answer.header("x-pagecount"), answer.header("x-total-count")), (Some("33"), Some("65")));
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/acme/site/commits?path=nosuch").await.status, 404);
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/acme/site/commits?since=yesterday").await.status, 422);
    let full = get(&forge, ALICE_TOKEN, "/repos/alice/demo/commits?limit=1").await.json();
    assert_eq!(each(&full[0]["files"], "/status"), ["added", "removed"]);
    assert_eq!(
        full[0]["commit"]["tree"]["sha"], full[0]["sha"],
        "the commit's id where the tree's should be"
    );
}

#[tokio::test]
async fn shows_each_kind_of_file_as_gitea_does() {
    let forge = forge().await;
    let file = async |path: &str| {
        let path = format!("/repos/alice/demo/contents-ext/{path}?includes=file_content,lfs_metadata");
        get(&forge, ALICE_TOKEN, &path).await.json()["file_contents"].clone()
    };
    let huge = file("assets/huge.bin").await;
    assert_eq!(
        (&huge["content"], &huge["encoding"], &huge["size"]),
        (&Value::Null, &Value::Null, &json!(10_485_761))
    );
    let large = file("assets/large.txt").await;
    assert!(large["size"].as_u64() > Some(1 << 20) && large["content"].is_string());
    assert_eq!(file("docs/%C3%BCbersicht.md").await["name"], "übersicht.md");
    let link = file("link-to-secret").await;
    assert_eq!(
        (&link["type"], &link["content"]),
        (&json!("symlink"), &Value::Null),
        "a link is never followed"
    );
    assert_eq!(file("model.lfs").await["lfs_size"], 12_345);
    assert_eq!(file("vendored").await["submodule_git_url"], "https://example.test/x.git");
    assert_eq!(file("src/../config.env").await["path"], "config.env", "Gitea cleans a path before it looks");
    assert!(get(&forge, ALICE_TOKEN, "/repos/alice/demo/contents/src").await.json().is_array());
    assert!(get(&forge, ALICE_TOKEN, "/repos/alice/demo/contents/src/main.rs").await.json().is_object());
    let root = get(&forge, ALICE_TOKEN, "/repos/alice/demo/contents-ext").await.json();
    assert!(root.get("file_contents").is_none() && root["dir_contents"].is_array());
    let unknown = get(&forge, ALICE_TOKEN, "/repos/alice/demo/contents-ext/src?includes=everything").await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn redirects_a_renamed_repository_for_every_method_without_a_host() {
    let forge = forge().await;
    let read = get(&forge, CAROL_TOKEN, "/repos/Alice/Old-Name/issues?type=issues").await;
    assert_eq!(
        (read.status, read.header("location")),
        (301, Some("/api/v1/repos/alice/new-name/issues?type=issues"))
    );
    let write = post(&forge, CAROL_TOKEN, "/repos/alice/old-name/issues", &json!({ "title": "x" })).await;
    assert_eq!(
        (write.status, write.header("location"), write.text().as_str()),
        (301, Some("/api/v1/repos/alice/new-name/issues"), "")
    );
    assert_eq!(get(&forge, CAROL_TOKEN, "/repos/ALICE/New-Name").await.json()["full_name"], "alice/new-name");
}

#[tokio::test]
async fn plays_1_26_where_it_differs() {
    let forge = Forge::start(Options { version: Version::V1_26, ..Options::default() }).await;
    assert_eq!(get(&forge, ALICE_TOKEN, "/version").await.json()["version"], "1.26.3");
    assert_eq!(get(&forge, ALICE_TOKEN, "/token").await.text(), "404 page not found\n");
    assert!(forge.violations().is_empty(), "a probe for a newer feature is no mistake");
    let unknown = get(&forge, ALICE_TOKEN, "/repos/alice/demo/commits?sha=nosuch").await;
    assert_eq!((unknown.status, unknown.text().trim()), (404, "null"));
    assert_eq!(get(&forge, ALICE_TOKEN, "/repos/alice/demo/contents-ext/.git/config").await.status, 500);
    let newer = super::forge().await;
    assert_eq!(get(&newer, ALICE_TOKEN, "/repos/alice/demo/contents-ext/.git/config").await.status, 400);
}
