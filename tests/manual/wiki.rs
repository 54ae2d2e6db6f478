//! The wiki is whole: its links stay inside of it, or lead to the repository where its address is known.

use std::collections::{BTreeMap, BTreeSet};

use aegis_tests::manual::markdown::{anchors, links};
use aegis_tests::manual::wiki::{name_of, pages};
use aegis_tests::manual::{documents, root};

const REPOSITORY: &str = "https://git.example.com/acme/aegis";

fn made(repository: Option<&str>) -> BTreeMap<String, String> {
    pages(&root(), repository).expect("the wiki")
}

#[test]
fn every_link_of_the_wiki_leads_to_a_page_and_a_heading_of_it() {
    let files = made(None);
    let mut seen = 0;
    for (name, text) in &files {
        for link in links(text) {
            if link.target.contains("://") {
                continue;
            }
            let (page, anchor) = link.target.split_once('#').unwrap_or((&link.target, ""));
            let page = if page.is_empty() { name.clone() } else { format!("{page}.md") };
            let there = files.get(&page).unwrap_or_else(|| panic!("{name}: {} is no page", link.target));
            assert!(
                anchor.is_empty() || anchors(there).iter().any(|name| name == anchor),
                "{name}: {}",
                link.target
            );
            seen += 1;
        }
    }
    assert!(seen > 300, "{seen} links were looked at");
}

#[test]
fn links_to_the_tree_lead_to_the_repository_or_are_text() {
    let with = made(Some(&format!("{REPOSITORY}/")));
    let mut seen = 0;
    for (name, text) in &with {
        for link in links(text) {
            if let Some(path) = link.target.strip_prefix(&format!("{REPOSITORY}/src/branch/main/")) {
                let path = path.split('#').next().unwrap_or_default();
                assert!(root().join(path).exists(), "{name}: {path}");
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen}");
    let without = made(None);
    assert!(without.values().all(|text| !text.contains("/src/branch/")));
    assert!(
        with["Policy.md"]
            .contains(&format!("[`policy/schema.json`]({REPOSITORY}/src/branch/main/policy/schema.json)"))
    );
    assert!(without["Policy.md"].contains("`policy/schema.json` is a JSON schema"));
}

#[test]
fn it_begins_at_home_and_the_sidebar_has_every_page_once() {
    let files = made(None);
    for name in [
        "Home.md",
        "_Sidebar.md",
        "_Footer.md",
        "Getting-Started.md",
        "API-Reference.md",
        "OAuth.md",
        "Runbook-Leaked-Token.md",
    ] {
        assert!(files.contains_key(name), "{name}");
    }
    assert!(files["Home.md"].starts_with("# The manual\n"));
    let listed: Vec<String> =
        links(&files["_Sidebar.md"]).into_iter().map(|link| format!("{}.md", link.target)).collect();
    let once: BTreeSet<&String> = listed.iter().collect();
    let all: BTreeSet<&String> = files.keys().filter(|name| !name.starts_with('_')).collect();
    assert_eq!(once, all);
    assert_eq!(once.len(), listed.len(), "a page is listed twice");
    assert!(
        files["_Sidebar.md"].contains("\n**Security**\n\n- [Security](Security)\n"),
        "{}",
        files["_Sidebar.md"]
    );
}

#[test]
fn names_are_such_that_gitea_keeps_them() {
    let sources = documents(&root(), "docs").expect("the pages");
    let names: Vec<String> = sources.iter().map(|page| name_of(&page.path)).collect();
    let told_apart: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(told_apart.len(), names.len());
    for name in made(None).keys() {
        let stem = name.strip_suffix(".md").expect("a page");
        // Gitea reads a hyphen as a blank, and gives anything else than these a form of its own.
        assert!(stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{name}");
    }
}

#[test]
fn nothing_in_it_is_for_machines() {
    for (name, text) in made(None) {
        let commented = text.lines().any(|line| line.trim_start().starts_with("<!--"));
        assert!(!commented, "{name}");
        assert!(text.ends_with('\n') && !text.trim().is_empty(), "{name}");
    }
}
