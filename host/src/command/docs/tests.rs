//! What is in the program is the manual, whole, and is found by the names that people type.

use super::pages::Manual;
use super::{list, shown, unknown};
use std::collections::BTreeSet;
use std::path::Path;

fn manual() -> Manual {
    Manual::open().expect("the manual is there")
}

#[test]
fn every_page_is_in_the_program_as_it_is_in_the_tree() {
    if std::env::var("BLESS").is_ok_and(|value| value == "1") {
        // Pages are being written anew; the next build packs them.
        return;
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let manual = manual();
    for page in manual.pages() {
        let text = std::fs::read_to_string(docs.join(format!("{}.md", page.name))).expect("a page");
        assert!(page.text == text, "{}", page.name);
    }
    assert!(manual.pages().len() > 30, "{}", manual.pages().len());
}

#[test]
fn the_index_lists_every_page_once_and_nothing_else() {
    let manual = manual();
    let listed: Vec<&str> = manual.listed().map(|row| row.name).collect();
    let once: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(listed.len(), once.len(), "a page is listed twice");
    let pages: BTreeSet<&str> = manual.pages().iter().map(|page| page.name.as_str()).collect();
    assert_eq!(once, pages, "docs/README.md lists what is in docs/");
    assert!(manual.listed().all(|row| !row.section.is_empty() && !row.says.is_empty()));
}

#[test]
fn short_names_are_told_apart() {
    let manual = manual();
    let names: BTreeSet<&str> = manual.pages().iter().map(super::pages::Page::short).collect();
    assert_eq!(names.len(), manual.pages().len());
}

#[test]
fn a_page_is_found_by_whatever_people_call_it() {
    let manual = manual();
    for name in [
        "leaked-token",
        "runbooks/leaked-token",
        "docs/runbooks/leaked-token.md",
        "Leaked_Token",
        "leaked token",
    ] {
        assert_eq!(manual.find(name).map(|page| page.name.as_str()), Some("runbooks/leaked-token"), "{name}");
    }
    for name in ["", "README", "nothing", "../README", "decisions/001"] {
        assert!(manual.find(name).is_none(), "{name}");
    }
}

#[test]
fn who_mistypes_a_name_is_told_the_nearest() {
    let manual = manual();
    assert_eq!(unknown(&manual, "polcy"), "There is no page of that name. Did you mean `policy`?");
    assert!(unknown(&manual, "audit-log").contains("`audit`"));
    assert!(unknown(&manual, "seccomp").contains("stands most often in `deployment`"));
    assert!(unknown(&manual, "xyzzy").contains("`aegis-mcp docs` lists"));
    assert!(unknown(&manual, "x").contains("`aegis-mcp docs` lists"));
}

#[test]
fn marks_for_machines_are_not_printed() {
    let manual = manual();
    let page = manual.find("backup").expect("a page");
    assert!(page.text.contains("<!-- run: "), "the page has marks");
    let shown = shown(page);
    assert!(shown.starts_with("# Backup and restore\n") && !shown.contains("<!--"), "{shown}");
    assert!(shown.contains("```sh\naegis-mcp registry backup"));
}

#[test]
fn the_list_has_every_page_with_a_sentence() {
    let said = list(&manual());
    assert!(said.contains("\nStart\n  getting-started "), "{said}");
    assert!(said.contains("runbooks/bad-upgrade"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() < 140), "{said}");
}
