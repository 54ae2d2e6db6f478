//! What the page for reviewers rests its claims on exists.

use aegis_tests::manual::root;

#[test]
fn every_test_that_a_claim_names_is_a_test() {
    let page = std::fs::read_to_string(root().join("docs/review.md")).expect("the page");
    let table = page.split("## What each claim rests on").nth(1).expect("the table");
    let mut seen = 0;
    for row in table.lines().filter(|line| line.starts_with("| ") && line.contains(".rs`")) {
        let quoted: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        let [file, name] = quoted[quoted.len() - 2..] else { panic!("{row}") };
        let source =
            std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let at = source.find(&format!("fn {name}(")).unwrap_or_else(|| panic!("{file} has no {name}"));
        let before = source[..at].trim_end().trim_end_matches("async").trim_end();
        assert!(
            before.ends_with(']') && before.rsplit('\n').take(3).any(|line| line.contains("test")),
            "{name} is no test"
        );
        seen += 1;
    }
    assert!(seen > 25, "{seen} claims were looked at");
}
