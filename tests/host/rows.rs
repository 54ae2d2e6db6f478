//! The changes that the product makes and the changes that the host sends are one list, written twice on
//! purpose. This holds the two texts together: a row that is missing in the host could never be sent, and one
//! that is too much would be a door that nobody watches.

use std::collections::BTreeSet;
use std::path::Path;

fn source(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every `Method::X` that a template in quotes follows, up to the end mark.
fn rows(text: &str, end: &str) -> BTreeSet<(String, String)> {
    let text = text.split_once(end).map_or(text, |(before, _)| before);
    let pieces = text.split("Method::").skip(1);
    pieces
        .filter_map(|piece| {
            let method: String = piece.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
            let template = piece.split('"').nth(1).filter(|text| text.starts_with('/'))?;
            Some((method, template.to_owned()))
        })
        .collect()
}

#[test]
fn the_host_sends_exactly_the_changes_that_the_product_makes() {
    let host = source("host/custody/src/egress.rs");
    let (_, host) = host.split_once("pub const WRITE_ROWS").expect("the host's list");
    let host = rows(host, "];");
    let core = rows(&source("guest/core/src/gitea/writes.rs"), "#[cfg(test)]");
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
