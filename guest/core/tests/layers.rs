//! Imports point down the order in which `lib.rs` describes the modules: one uses only those described after it.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::string_slice,
    reason = "a test that reads the sources of its own crate and fails where it cannot"
)]

use std::fs;
use std::path::{Path, PathBuf};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The list at the head of `lib.rs`. The declarations below it cannot tell: rustfmt sorts them by name.
fn order() -> Vec<String> {
    let lib = fs::read_to_string(source().join("lib.rs")).expect("lib.rs");
    let described: Vec<String> =
        lib.lines().filter_map(|line| line.strip_prefix("//! - [`")).map(word).collect();
    let mut sorted = described.clone();
    sorted.sort();
    let declared = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let mut declared: Vec<&str> = declared.collect();
    declared.sort_unstable();
    assert_eq!(sorted, declared, "lib.rs describes each module that it declares, once");
    described
}

fn files(at: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(at).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Modules of the crate that a text names: `crate::x` and the first names in `use crate::{x, y::z}`.
fn used(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(list) => {
                let mut depth = 0_u32;
                let mut start = true;
                for (at, character) in list.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        character if start && depth == 0 && !character.is_whitespace() => {
                            found.push(word(&list[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

/// The text without comments: prose may name any module.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn modules_use_only_what_is_declared_below_them() {
    let order = order();
    let rank = |name: &str| order.iter().position(|module| module == name);
    let mut all = Vec::new();
    files(&source(), &mut all);
    let mut seen = 0;
    for path in all {
        let relative = path.strip_prefix(source()).expect("below src").to_string_lossy().into_owned();
        let module = word(&relative);
        let Some(own) = rank(&module) else { continue };
        for name in used(&code(&fs::read_to_string(&path).expect("a source file"))) {
            seen += 1;
            if let Some(other) = rank(&name) {
                assert!(other >= own, "{relative} uses crate::{name}, which lib.rs describes above {module}");
            }
        }
    }
    assert!(
        order.len() >= 10 && seen > 100,
        "the scan has lost its sight: {} modules, {seen} uses",
        order.len()
    );
}

#[test]
fn tools_reach_neither_ports_that_send_nor_the_policy() {
    let mut all = Vec::new();
    files(&source().join("tools"), &mut all);
    for path in all.iter().filter(|path| {
        let name = path.to_string_lossy();
        !name.contains("/fake") && !name.ends_with("tests.rs")
    }) {
        let text = code(&fs::read_to_string(path).expect("a source file"));
        for forbidden in [
            "aegis_policy",
            "ports::Ticket",
            "ports::Exchange",
            "ports::Request",
            "gitea::get",
            "gitea::write(",
        ] {
            assert!(!text.contains(forbidden), "{} names {forbidden}", path.display());
        }
    }
}

#[test]
fn only_the_gate_asks_the_policy() {
    let mut all = Vec::new();
    files(&source(), &mut all);
    for path in all {
        let relative = path.strip_prefix(source()).expect("below src").to_string_lossy().into_owned();
        // Preflight checks the document before anything is served; tests make policies of their own.
        let may =
            relative.starts_with("access") || relative.contains("fake") || relative.ends_with("tests.rs");
        let text = code(&fs::read_to_string(&path).expect("a source file"));
        assert!(may || !text.contains("aegis_policy::Rules"), "{relative} asks the policy by itself");
    }
}

#[test]
fn the_scan_reads_every_form_of_import() {
    let text = "use crate::ports::Class;\nuse crate::{tools::kit::{A, B}, access, reply::Reply};\nlet x = crate::mcp::call();";
    assert_eq!(used(text), ["ports", "tools", "access", "reply", "mcp"]);
}
