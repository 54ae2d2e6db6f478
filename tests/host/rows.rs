//! The requests that the product makes and the requests that the host sends are one list, written twice on
//! purpose. This holds the two texts together: a row that is missing in the host could never be sent, and one
//! that is too much would be a door that nobody watches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The host's list of this name, as text.
fn list(name: &str) -> String {
    let text = read(&place("host/custody/src/egress/rows.rs"));
    let (_, list) = text.split_once(&format!("pub const {name}:")).expect("the host's list");
    list.split_once("\n];").expect("its end").0.to_owned()
}

/// Every text in quotes that begins with a slash.
fn templates(text: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/')).map(str::to_owned).collect()
}

/// Every `Method::X` that a template in quotes follows.
fn changes(text: &str) -> BTreeSet<(String, String)> {
    let pieces = text.split("Method::").skip(1);
    pieces
        .filter_map(|piece| {
            let method: String = piece.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
            Some((method, templates(piece).into_iter().next()?))
        })
        .collect()
}

/// The product's own source, file by file, without comments and tests.
fn product() -> Vec<(PathBuf, String)> {
    let mut folders = vec![place("guest/core/src")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let text = read(&path);
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                found.push((path.clone(), lines.collect::<Vec<_>>().join("\n")));
            }
        }
    }
    found
}

/// Whatever looks like a path of Gitea's API in the modules that make requests, however one may be begun with it. What
/// a tool sends without declaring it fails its own tests, so a text here is a request that some tool makes.
fn paths() -> BTreeSet<String> {
    let rooms = ["/repos/", "/orgs", "/user", "/settings/", "/notifications", "/topics/", "/teams"];
    // A JSON pointer into an answer looks alike; these are the ones that do.
    let pointers = ["/user/login", "/user/id", "/topics", "/user_can_push", "/user_can_merge"];
    let asks = |path: &Path| {
        ["/tools", "/gitea", "/access"].iter().any(|room| path.to_string_lossy().contains(room))
    };
    let all = product().into_iter().filter(|(path, _)| asks(path)).flat_map(|(_, text)| templates(&text));
    all.filter(|text| !pointers.contains(&text.as_str()))
        .filter(|text| rooms.iter().any(|room| text.starts_with(room)) || text.contains('{'))
        .collect()
}

#[test]
fn the_host_sends_exactly_the_changes_that_the_product_makes() {
    let host = changes(&list("WRITE_ROWS"));
    let core = read(&place("guest/core/src/gitea/writes.rs"));
    let core = changes(core.split("#[cfg(test)]").next().unwrap_or_default());
    assert!(host.len() >= 3, "the list was read: {host:?}");
    assert_eq!(host, core);
    for (method, template) in &host {
        assert_ne!(method, "Get", "{template}");
        for never in ["/merge", "/contents", "/admin", "/branches/", "/git/"] {
            assert!(!template.contains(never), "{method} {template} is promised never to be sent");
        }
    }
    let deletions: Vec<&str> =
        host.iter().filter(|(method, _)| method == "Delete").map(|(_, template)| template.as_str()).collect();
    assert_eq!(deletions, ["/repos/{owner}/{repo}/issues/{index}/labels/{id}"], "all that is ever deleted");
}

#[test]
fn the_host_sends_exactly_the_reads_that_the_product_makes() {
    let rows = templates(&list("READ_ROWS"));
    let host: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), host.len(), "a row stands twice");
    let changes: BTreeSet<String> =
        changes(&list("WRITE_ROWS")).into_iter().map(|(_, template)| template).collect();
    let all: BTreeSet<String> = host.union(&changes).cloned().collect();
    assert_eq!(all, paths());
}
