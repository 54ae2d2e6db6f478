//! Every relative link of every document leads to something, and every anchor to a heading.

use std::collections::BTreeMap;

use aegis_tests::manual::markdown::{anchors, links};
use aegis_tests::manual::{Document, documents, resolve, root};

/// Where documents are.
const PLACES: &[&str] = &[
    "README.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "THIRD_PARTY.md",
    "docs",
    "tests/README.md",
];
/// Folders of tests with documents of their own.
const MORE: &[&str] = &[
    "tests/bench/README.md",
    "tests/clients/README.md",
    "tests/conformance/README.md",
    "tests/forge/README.md",
    "tests/forge/recorded/README.md",
];

fn all() -> Vec<Document> {
    let read = |place: &&str| documents(&root(), place).unwrap_or_else(|error| panic!("{place}: {error}"));
    PLACES.iter().chain(MORE).flat_map(read).collect()
}

/// What is wrong with the links of a document.
fn broken(document: &Document, headings: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for link in links(&document.text) {
        if link.target.contains("://") || link.target.starts_with("mailto:") {
            continue;
        }
        let (path, anchor) = link.target.split_once('#').unwrap_or((&link.target, ""));
        let path = if path.is_empty() { Some(document.path.clone()) } else { resolve(&document.path, path) };
        let Some(path) = path.filter(|path| root().join(path).exists()) else {
            wrong.push(format!("{}: {} leads nowhere", document.path, link.target));
            continue;
        };
        let is_there = headings.get(&path).is_some_and(|headings| headings.iter().any(|name| name == anchor));
        if !anchor.is_empty() && !is_there {
            wrong.push(format!("{}: there is no heading for {}", document.path, link.target));
        }
    }
    wrong
}

#[test]
fn every_link_of_every_document_leads_somewhere() {
    let all = all();
    let headings: BTreeMap<String, Vec<String>> =
        all.iter().map(|document| (document.path.clone(), anchors(&document.text))).collect();
    let wrong: Vec<String> = all.iter().flat_map(|document| broken(document, &headings)).collect();
    assert_eq!(wrong, [] as [&str; 0]);
    let links: usize = all.iter().map(|document| links(&document.text).len()).sum();
    assert!(links > 500, "{links} links were looked at");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let headings = BTreeMap::from([(
        "docs/policy.md".to_owned(),
        anchors("# A\n\n## What's `here`?\n\n## Twice\n\n## Twice\n"),
    )]);
    let check = |text: &str| {
        broken(&Document { path: "docs/policy.md".to_owned(), text: text.to_owned() }, &headings)
    };
    for good in [
        "[x](#a)",
        "[x](#whats-here)",
        "[x](#twice-1)",
        "[x](../README.md)",
        "[x](policy.md)",
        "[x](https://example.com/nothing.md)",
        "`[x](nothing.md)`",
        "```\n[x](nothing.md)\n```",
        "[the `[code]` of it](policy.md)",
    ] {
        assert_eq!(check(good), [] as [&str; 0], "{good}");
    }
    for bad in [
        "[x](nothing.md)",
        "[x](#nothing)",
        "[x](#twice-2)",
        "[x](../../README.md)",
        "`a` [x](nothing.md) `b`",
    ] {
        assert_eq!(check(bad).len(), 1, "{bad}");
    }
    assert_eq!(check("[x](nothing.md) and [y](policy.md), [z](nowhere.md)").len(), 2);
}

#[test]
fn every_page_that_the_manual_promises_is_there() {
    let index = std::fs::read_to_string(root().join("docs/README.md")).expect("the index");
    for page in [
        "getting-started",
        "configuration",
        "write-mode",
        "architecture",
        "security",
        "hardening",
        "policy",
        "audit",
        "observability",
        "automation",
        "deployment",
        "governance",
        "troubleshooting",
        "api-reference",
        "roadmap",
        "storage",
        "upgrade",
        "backup",
        "review",
        "commands",
    ] {
        assert!(index.contains(&format!("]({page}.md)")), "{page}");
    }
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    assert!(
        readme.contains("](docs/README.md)")
            && readme.contains("](SECURITY.md)")
            && readme.contains("](docs/review.md)")
    );
}
