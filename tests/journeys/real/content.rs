//! Files: read from the sample tree by tree, committed to the real repository, and compared by their ids. What the
//! contents API cannot make (links, programs, submodules, pointers as such) goes in as a patch.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::{Value, json};

use super::{Site, building};

/// Path to entry of a tree, directories left out.
type Entries = BTreeMap<String, Value>;

/// `demo`: what was tagged, its branches, and what became of it.
pub(super) async fn demo(site: &Site) -> BTreeMap<String, String> {
    let at = format!("/repos/{}/demo", site.login("alice"));
    let alice = site.by("alice");
    let tagged = entries(site, "alice", "demo", "v1.0").await;
    commit(site, "alice", "demo", "v1.0", "main", &Entries::new(), &tagged).await;
    alice.post(&format!("{at}/tags"), json!({ "tag_name": "v1.0", "target": "main" })).await;
    for branch in ["b1", "feature/one", "tidy"] {
        alice
            .post(&format!("{at}/branches"), json!({ "new_branch_name": branch, "old_ref_name": "v1.0" }))
            .await;
    }
    let feature = entries(site, "alice", "demo", "feature/one").await;
    commit(site, "alice", "demo", "feature/one", "feature/one", &tagged, &feature).await;
    let body = json!({ "branch": "tidy", "content": "", "message": "Tidy up" });
    alice.post(&format!("{at}/contents/tidy.txt"), body).await;
    let head = entries(site, "alice", "demo", "main").await;
    commit(site, "alice", "demo", "main", "main", &tagged, &head).await;
    same(site, "alice", "demo", &head).await;
    let mut commits = BTreeMap::new();
    for name in ["main", "v1.0", "feature/one"] {
        let found = alice.get(&format!("{at}/commits?limit=1&sha={name}")).await;
        commits.insert(name.to_owned(), found[0]["sha"].as_str().expect("a commit").to_owned());
    }
    commits
}

/// A repository of which only the last state matters.
pub(super) async fn plain(site: &Site, owner: &str, name: &str) {
    let head = entries(site, owner, name, "main").await;
    commit(site, owner, name, "main", "main", &Entries::new(), &head).await;
    same(site, owner, name, &head).await;
}

async fn same(site: &Site, owner: &str, name: &str, expected: &Entries) {
    let path = format!(
        "/repos/{}/{}/git/trees/main?recursive=true&per_page=1000",
        site.login(owner),
        building(name)
    );
    let found = keyed(&site.by(hand(owner)).get(&path).await);
    let pairs = |entries: &Entries| {
        let pair =
            |(path, entry): (&String, &Value)| (path.clone(), entry["mode"].clone(), entry["sha"].clone());
        entries.iter().map(pair).collect::<Vec<_>>()
    };
    assert_eq!(pairs(&found), pairs(expected), "{owner}/{name} holds the same files");
}

async fn entries(site: &Site, owner: &str, name: &str, reference: &str) -> Entries {
    let reference = reference.replace('/', "%2F");
    keyed(
        &site
            .sample
            .get(&format!("/repos/{owner}/{name}/git/trees/{reference}?recursive=true&per_page=1000"))
            .await,
    )
}

fn keyed(tree: &Value) -> Entries {
    let rows = tree["tree"].as_array().expect("a tree").iter().filter(|row| row["type"] != "tree");
    rows.map(|row| (row["path"].as_str().expect("a path").to_owned(), row.clone())).collect()
}

/// Who may write to what an owner has.
fn hand(owner: &str) -> &str {
    if owner == "acme" { "alice" } else { owner }
}

async fn commit(
    site: &Site,
    owner: &str,
    name: &str,
    reference: &str,
    branch: &str,
    old: &Entries,
    new: &Entries,
) {
    let (mut files, mut patch) = (Vec::new(), String::new());
    for (path, entry) in new {
        if old.get(path).is_some_and(|old| old["sha"] == entry["sha"]) {
            continue;
        }
        if entry["mode"] != "100644" || path.ends_with(".lfs") {
            patch.push_str(&added(path, entry, &bytes(site, owner, name, reference, entry).await));
            continue;
        }
        let content = bytes(site, owner, name, reference, entry).await;
        let content = base64::engine::general_purpose::STANDARD.encode(content);
        assert!(!old.contains_key(path), "{path} only ever comes and goes");
        files.push(json!({ "operation": "create", "path": path, "content": content }));
    }
    for (path, entry) in old.iter().filter(|(path, _)| !new.contains_key(*path)) {
        files.push(json!({ "operation": "delete", "path": path, "sha": entry["sha"] }));
    }
    let at = format!("/repos/{}/{}", site.login(owner), building(name));
    let api = site.by(hand(owner));
    // The patch first: with the attributes in place, a pointer would be taken for a file to keep elsewhere.
    if !patch.is_empty() {
        let body = json!({ "branch": branch, "message": "Links, programs, modules", "content": patch });
        api.post(&format!("{at}/diffpatch"), body).await;
    }
    if !files.is_empty() {
        api.post(&format!("{at}/contents"), json!({ "branch": branch, "message": "Files", "files": files }))
            .await;
    }
}

/// The bytes of an entry; for a submodule, the line that stands for it in a patch.
async fn bytes(site: &Site, owner: &str, name: &str, _reference: &str, entry: &Value) -> Vec<u8> {
    let sha = entry["sha"].as_str().expect("an id");
    if entry["mode"] == "160000" {
        return format!("Subproject commit {sha}\n").into_bytes();
    }
    let size = usize::try_from(entry["size"].as_u64().expect("a size")).expect("small");
    let path = format!(
        "/repos/{owner}/{name}/contents/{}?ref={_reference}",
        encoded(entry["path"].as_str().expect("a path"))
    );
    let found = site.sample.get(&path).await;
    if found["type"] == "symlink" {
        return found["target"].as_str().expect("a target").as_bytes().to_vec();
    }
    match found["content"].as_str() {
        Some(content) => base64::engine::general_purpose::STANDARD.decode(content).expect("base64"),
        // Above a size Gitea gives no content; the sample's one such file is all zeros.
        None => vec![0; size],
    }
}

fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A patch that adds one text.
fn added(path: &str, entry: &Value, bytes: &[u8]) -> String {
    let (mode, sha) = (entry["mode"].as_str().expect("a mode"), entry["sha"].as_str().expect("an id"));
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    let zeros = "0".repeat(40);
    let mut patch = format!("diff --git a/{path} b/{path}\nnew file mode {mode}\nindex {zeros}..{sha}\n");
    patch.push_str(&format!("--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{} @@\n", text.lines().count()));
    for line in text.split_inclusive('\n') {
        patch.push('+');
        patch.push_str(line);
    }
    if !text.ends_with('\n') {
        patch.push_str("\n\\ No newline at end of file\n");
    }
    patch
}
