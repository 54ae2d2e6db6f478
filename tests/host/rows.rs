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

/// What stands between the parentheses that `text` begins behind.
fn arguments(text: &str) -> &str {
    let mut depth = 1_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// The arguments of every call of a function in the product, with where it stands.
fn calls(function: &str) -> Vec<(String, String)> {
    let whole = |text: &str| !text.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
    let mut found = Vec::new();
    for (path, text) in product() {
        for (at, _) in text
            .match_indices(&format!("{function}("))
            .filter(|(at, _)| whole(&text[..*at]) && !text[..*at].ends_with("fn "))
        {
            let given = arguments(&text[at + function.len() + 1..]);
            found.push((path.display().to_string(), given.to_owned()));
        }
    }
    found
}

/// The templates that the product reads by: one in quotes in each call that begins a request.
fn reads() -> BTreeSet<String> {
    // These two hand on what another names: a template that was given to `call`, and a row of the changes.
    let handed_on = ["template", "row.template()"];
    let to = calls("Call::to").into_iter().filter(|(_, given)| !handed_on.contains(&given.trim()));
    let in_repository = calls("lookup::call");
    // Beside that function its name is shorter, and that of closures over a page, which take one value.
    let beside = calls("call")
        .into_iter()
        .filter(|(path, given)| path.contains("/tools/lookup") && given.contains(','));
    let all: Vec<(String, String)> = to.chain(in_repository).chain(beside).collect();
    all.into_iter()
        .map(|(path, given)| match &templates(&given)[..] {
            [one] => one.clone(),
            _ => panic!("{path}: name the template in quotes where the request is made: {given}"),
        })
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
        for never in ["/merge", "/contents", "/admin", "/branches", "/git/"] {
            assert!(!template.contains(never), "{method} {template} is promised never to be sent");
        }
    }
    assert!(host.iter().all(|(method, _)| method != "Delete"), "nothing is ever deleted");
}

#[test]
fn the_host_sends_exactly_the_reads_that_the_product_makes() {
    let rows = templates(&list("READ_ROWS"));
    let host: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), host.len(), "a row stands twice");
    assert!(host.len() >= 12, "the list was read: {host:?}");
    assert_eq!(host, reads());
}

#[test]
fn no_template_stands_in_the_product_but_those_that_the_host_sends() {
    // However a request may be begun: whatever looks like a path of a repository is one of the host's rows.
    let known: BTreeSet<String> =
        templates(&list("READ_ROWS")).into_iter().chain(templates(&list("WRITE_ROWS"))).collect();
    let mut seen = 0;
    for (path, text) in product() {
        for template in templates(&text) {
            if template.starts_with("/repos/") || template.contains('{') {
                assert!(known.contains(&template), "{}: {template}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= known.len() - 2, "the source was read: {seen}");
}
