//! The table of traps in `forge/README.md`: every file and every test that it names exists, and every row names both.

use std::fs;
use std::path::{Path, PathBuf};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// The words in backticks of a cell.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Where a file of a row is: below the folder of its column, or where its path says.
fn found(name: &str, folder: &str) -> Option<PathBuf> {
    let of_product = name.split_once("/").filter(|(room, _)| *room == "guest").and_then(|(_, rest)| {
        let (piece, rest) = rest.split_once('/')?;
        Some(tests().join("..").join("guest").join(piece).join("src").join(rest))
    });
    let places = [of_product.unwrap_or_default(), tests().join(folder).join(name), tests().join(name)];
    places.into_iter().find(|path| path.exists() && !path.as_os_str().is_empty())
}

fn rows() -> Vec<Vec<String>> {
    let text = fs::read_to_string(tests().join("forge/README.md")).expect("the table");
    let table = text.split("## Traps of the API").nth(1).expect("the heading").lines();
    let rows = table.filter(|line| line.starts_with('|')).skip(2);
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn every_trap_has_a_place_a_check_and_a_test_that_exist() {
    let rows = rows();
    assert!(rows.len() >= 30, "{} rows", rows.len());
    for row in rows {
        let [trap, played, checked, caught] = row.as_slice() else { panic!("four cells: {row:?}") };
        for (cell, folder) in [(played, "forge"), (checked, "forge/checks")] {
            assert!(!cell.is_empty(), "{trap}");
            for name in named(cell) {
                assert!(found(name, folder).is_some(), "{trap}: there is no {name}");
            }
        }
        let mut file = None;
        for name in named(caught) {
            if name.ends_with(".rs") || name.ends_with('/') {
                file = Some(found(name, "journeys").unwrap_or_else(|| panic!("{trap}: there is no {name}")));
                continue;
            }
            let file = file.as_ref().unwrap_or_else(|| panic!("{trap}: {name} of which file"));
            let text = fs::read_to_string(file).expect("a file of tests");
            assert!(text.contains(&format!("fn {name}(")), "{trap}: {} has no {name}", file.display());
        }
        assert!(file.is_some(), "{trap}: no test");
    }
}
