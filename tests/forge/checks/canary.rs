//! The canary switch: seeds in all free text, in nothing that a machine reads, and everything still works.

use std::collections::BTreeSet;
use std::io::Read as _;

use aegis_tests::forge::world::ALICE_TOKEN;
use aegis_tests::forge::{BIDI, CANARY, CANARY_TOKEN, Forge, Options};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tar::Archive;

use super::{get, post};

/// Keys whose strings are written by people.
const FREE_TEXT: &[&str] = &[
    "body",
    "description",
    "filename",
    "full_name",
    "last_commit_message",
    "location",
    "message",
    "name",
    "path",
    "previous_filename",
    "target",
    "title",
];

async fn seeded() -> Forge {
    Forge::start(Options { canary: true, ..Options::default() }).await
}

/// Each string with the key it stands under and the object around it.
fn strings<'a>(
    key: &'a str,
    value: &'a Value,
    around: &'a Value,
    all: &mut Vec<(&'a str, &'a str, &'a Value)>,
) {
    match value {
        Value::String(text) => all.push((key, text, around)),
        Value::Array(list) => list.iter().for_each(|one| strings(key, one, around, all)),
        Value::Object(object) => object.iter().for_each(|(key, one)| strings(key, one, value, all)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether this string is free text: some keys are free text in one object and an identifier in another.
fn free(key: &str, around: &Value) -> bool {
    let has = |name: &str| around.get(name).is_some();
    match key {
        // A user or an organisation has a name for people; a repository's is its address.
        "full_name" => has("login") || has("visibility"),
        // Commit authors and files; labels, branches, repositories and organisations have identifiers here.
        "name" => {
            (has("email") && !has("visibility"))
                || matches!(around["type"].as_str(), Some("file" | "symlink"))
                || has("tag_name")
        }
        "path" => matches!(around["type"].as_str(), Some("file" | "symlink" | "blob")),
        _ => FREE_TEXT.contains(&key),
    }
}

#[tokio::test]
async fn seeds_every_free_text_and_no_identifier() {
    let forge = seeded().await;
    let (mut seeded, mut plain) = (0, 0);
    for path in [
        "/user",
        "/orgs/acme",
        "/orgs/acme/labels",
        "/repos/search?uid=2",
        "/repos/alice/demo",
        "/repos/alice/demo/commits",
        "/repos/alice/demo/branches",
        "/repos/alice/demo/git/commits/main",
        "/repos/alice/demo/commits/main/status",
        "/repos/alice/demo/compare/main...feature/one",
        "/repos/alice/demo/tags",
        "/repos/alice/demo/git/trees/main?recursive=true",
        "/repos/alice/demo/contents-ext/src?includes=commit_metadata,commit_message",
        "/repos/alice/demo/contents",
        "/repos/alice/demo/issues?state=all&limit=50",
        "/repos/alice/demo/issues/2/comments",
        "/repos/alice/demo/issues/2/labels",
        "/repos/alice/demo/issues/comments/4",
        "/repos/alice/demo/labels",
        "/repos/alice/demo/milestones",
        "/repos/alice/demo/releases",
        "/repos/alice/demo/assignees",
        "/repos/alice/demo/collaborators/bob/permission",
        "/repos/alice/demo/pulls?state=all",
        "/repos/alice/demo/pulls/36",
        "/repos/alice/demo/pulls/36/commits",
        "/repos/mallory/notes/pulls/4/files",
        "/repos/alice/demo/languages",
        "/repos/acme/site/topics",
        "/orgs/acme/repos",
        "/user/orgs",
    ] {
        let answer = get(&forge, ALICE_TOKEN, path).await;
        assert_eq!(answer.status, 200, "{path}");
        let body = answer.json();
        let mut all = Vec::new();
        strings("", &body, &Value::Null, &mut all);
        for (key, text, around) in all {
            let found = [text.contains(CANARY), text.contains(CANARY_TOKEN), text.contains(BIDI)];
            let wanted = free(key, around);
            assert_eq!(found, [wanted; 3], "{path}: {key} is {text:?}");
            *(if wanted { &mut seeded } else { &mut plain }) += 1;
        }
    }
    assert!(seeded > 300 && plain > 1000, "{seeded} seeded, {plain} plain");
}

#[tokio::test]
async fn serves_a_file_under_its_seeded_and_its_plain_name() {
    let forge = seeded().await;
    let listed = get(&forge, ALICE_TOKEN, "/repos/alice/demo/contents-ext/src").await.json();
    let rows = listed["dir_contents"].as_array().expect("a directory");
    let path = rows
        .iter()
        .find_map(|row| row["path"].as_str().filter(|path| path.ends_with("main.rs")))
        .expect("a file");
    let encoded: String = path.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut contents = Vec::new();
    for name in [encoded.as_str(), "src/main.rs"] {
        let target = format!("/repos/alice/demo/contents-ext/{name}?includes=file_content");
        let file = get(&forge, ALICE_TOKEN, &target).await.json()["file_contents"].clone();
        let bytes = STANDARD.decode(file["content"].as_str().expect("content")).expect("base64");
        assert_eq!(file["size"], json!(bytes.len()), "size and content agree");
        contents.push(String::from_utf8(bytes).expect("text"));
    }
    assert_eq!(contents[0], contents[1]);
    assert!(contents[0].starts_with("fn main") && contents[0].contains(CANARY) && contents[0].contains(BIDI));
    let history = get(&forge, ALICE_TOKEN, &format!("/repos/alice/demo/commits?path={encoded}")).await;
    assert_eq!(history.status, 200);
}

#[tokio::test]
async fn packs_a_commit_as_git_does_with_seeds_in_contents_and_names() {
    let forge = seeded().await;
    let tree = get(&forge, ALICE_TOKEN, "/repos/alice/demo/git/trees/main?recursive=true").await.json();
    let rows = tree["tree"].as_array().expect("a tree").iter();
    let path = |row: &Value| row["path"].as_str().expect("a path").to_owned();
    let mut listed: Vec<String> = rows.map(path).collect();
    let packed = get(&forge, ALICE_TOKEN, "/repos/alice/demo/archive/main.tar.gz").await.body;
    let unpacked = || Archive::new(GzDecoder::new(packed.as_slice()));
    let mut kinds = BTreeSet::new();
    for entry in unpacked().entries().expect("an archive").raw(true) {
        kinds.insert(entry.expect("an entry").header().entry_type().as_byte());
    }
    assert_eq!(kinds, BTreeSet::from(*b"025gx"), "what Git writes, and no long name of another kind");
    let (mut paths, mut seeds) = (Vec::new(), 0);
    for entry in unpacked().entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let name = String::from_utf8(entry.path_bytes().into_owned()).expect("a name");
        if let Some(path) = name.trim_end_matches('/').strip_prefix("demo/") {
            let is_directory = entry.header().entry_type().is_dir();
            assert_eq!([CANARY, CANARY_TOKEN].map(|seed| path.contains(seed)), [!is_directory; 2], "{path}");
            paths.push(path.to_owned());
        }
        let link = entry.link_name_bytes();
        assert!(link.is_none_or(|link| String::from_utf8_lossy(&link).contains(CANARY)));
        let mut content = String::new();
        // What is no text is seeded in its name alone.
        let seen = entry.read_to_string(&mut content).is_ok() && content.contains(CANARY);
        seeds += usize::from(seen && content.contains(CANARY_TOKEN) && content.contains(BIDI));
    }
    listed.sort();
    paths.sort();
    assert_eq!(paths, listed, "the same names as in the tree");
    assert!(seeds >= 8, "{seeds} files");
}

#[tokio::test]
async fn finds_by_seeded_titles_and_seeds_what_clients_write() {
    let forge = seeded().await;
    let milestones = get(&forge, ALICE_TOKEN, "/repos/alice/demo/milestones?name=release").await.json();
    let title: String =
        milestones[0]["title"].as_str().expect("a title").bytes().map(|b| format!("%{b:02X}")).collect();
    let found =
        get(&forge, ALICE_TOKEN, &format!("/repos/alice/demo/issues?type=issues&milestones={title}")).await;
    assert_eq!(found.header("x-total-count"), Some("2"));
    let made =
        post(&forge, ALICE_TOKEN, "/repos/alice/demo/issues", &json!({ "title": "mine", "body": "text" }))
            .await
            .json();
    for key in ["title", "body"] {
        let text = made[key].as_str().expect("text");
        assert!(text.contains(CANARY) && text.contains(BIDI), "{key}: {text}");
    }
}
