//! Runs the files of `policy/cases` and `policy/examples`. A new file there is run without being named here.

use crate::cases::{Cases, Prepared};
use crate::problem::Problems;
use crate::shape::{list, map, text};
use crate::{DEFAULT_DOCUMENT, Document, yaml};
use std::path::{Path, PathBuf};

fn files(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = folder
        .read_dir()
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            #[expect(clippy::disallowed_methods, reason = "the tables are files, and this is their test")]
            let content = std::fs::read(&path).expect("readable");
            (path, content)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_case_is_decided_as_its_table_says() {
    let mut run = 0;
    let mut wrong = Vec::new();
    for (path, content) in files("cases") {
        let cases =
            Cases::parse(&content).unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()));
        let policy = cases.policy.as_deref().unwrap_or(DEFAULT_DOCUMENT);
        let document =
            Document::parse(policy.as_bytes()).unwrap_or_else(|p| panic!("{}: {p:?}", path.display()));
        let prepared = Prepared::from(&document);
        for case in &cases.cases {
            run += 1;
            if let Err(difference) = case.check(&prepared, &|_| None) {
                wrong.push(format!("{}:{}: {}\n    {difference}", path.display(), case.line, case.it));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {run} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(run >= 45, "only {run} cases were found");
}

#[test]
fn a_case_that_expects_the_wrong_answer_or_rule_fails() {
    let row = |expect: &str| {
        let file = format!("cases: [{{it: x, tool: list_issues, class: read, {expect}}}]");
        let cases = Cases::parse(file.as_bytes()).expect("a case file");
        let document = Document::parse(DEFAULT_DOCUMENT.as_bytes()).expect("the default");
        cases.cases[0]
            .check(&Prepared::from(&document), &|_| None)
            .map_err(|difference| difference.to_string())
    };
    assert_eq!(row("expect: allow, rule: defaults.read"), Ok(()));
    let wrong = row("expect: deny").unwrap_err();
    assert!(wrong.starts_with("expected deny, got allow by defaults.read: "), "{wrong}");
    let wrong = row("expect: allow, rule: tools.allow").unwrap_err();
    assert!(wrong.starts_with("expected allow by tools.allow, got allow by defaults.read: "), "{wrong}");
}

#[test]
fn a_case_file_with_a_mistake_says_where() {
    for (file, place, says) in [
        ("cases: []", (1, 1), "no cases"),
        ("cases:\n  - it: x\n    expects: deny", (3, 5), "allowed: it, tool"),
        ("cases:\n  - {it: x, tool: a, expect: deny}", (2, 5), "`tool` and `class`"),
        ("cases:\n  - {it: x, file: a, rule: b, expect: deny}", (2, 5), "`file` or `directory` alone"),
        ("cases:\n  - {it: x, file: a}", (2, 5), "`expect`"),
        ("cases:\n  - {it: x, tool: a, class: admin, expect: deny}", (2, 29), "write read or write"),
        ("cases:\n  - {it: x, file: a, repository: acme, expect: deny}", (2, 34), "write owner/repo"),
    ] {
        let problems = Cases::parse(file.as_bytes()).expect_err(file);
        let hit = problems.iter().any(|p| (p.line, p.column) == place && p.message.contains(says));
        assert!(hit, "{file}\n{problems:?}");
    }
}

#[test]
fn every_malformed_document_is_refused_at_its_place_with_its_message() {
    let mut run = 0;
    let mut wrong = Vec::new();
    for (path, content) in files("cases/malformed") {
        let root = yaml::read(&content).unwrap_or_else(|p| panic!("{}: {p:?}", path.display()));
        let mut problems = Problems::default();
        for row in list(&root, "the file", &mut problems).expect("a list of rows") {
            run += 1;
            let field = |name: &str| {
                let fields = map(row, "a row", &mut Problems::default()).expect("a mapping");
                let node = &fields.iter().find(|entry| entry.key == name).expect(name).value;
                text(node, name, &mut Problems::default()).expect(name).to_owned()
            };
            let found = Document::parse(field("document").as_bytes()).expect_err(&field("it"));
            let (at, says) = (field("at"), field("says"));
            let hit =
                found.iter().any(|p| format!("{}:{}", p.line, p.column) == at && p.message.contains(&says));
            if !hit {
                wrong.push(format!("{}: wanted {at} {says:?}, found {found:?}", field("it")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {run} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(run >= 35, "only {run} malformed documents were found");
}

#[test]
fn the_default_and_every_example_are_valid_and_name_well_formed_tools() {
    let examples = files("examples");
    assert!(examples.len() >= 3);
    for (path, content) in &examples {
        let document = Document::parse(content).unwrap_or_else(|p| panic!("{}: {p:?}", path.display()));
        assert!(document.prepare().len() > 1, "{}", path.display());
    }
    assert_eq!(Document::parse(DEFAULT_DOCUMENT.as_bytes()).expect("valid").prepare().len(), 1);
}

#[test]
fn the_part_of_the_default_that_is_commented_out_is_valid_too() {
    let uncommented: Vec<&str> = DEFAULT_DOCUMENT
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(yaml) if yaml.starts_with(' ') || yaml == "tools:" || yaml == "repositories:" => yaml,
            _ => line,
        })
        .collect();
    let document = super::document(&uncommented.join("\n"));
    assert_eq!(document.tool_names().map(|(name, ..)| name).collect::<Vec<_>>().len(), 4);
}

#[test]
fn every_yaml_block_of_the_guide_is_valid_and_its_cases_hold() {
    let guide = include_str!("../../../docs/policy.md");
    let blocks: Vec<&str> = guide
        .split("\n```yaml\n")
        .skip(1)
        .map(|rest| rest.split("\n```").next().expect("a block ends"))
        .collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        if !block.starts_with("policy:") {
            super::document(block);
            continue;
        }
        let cases = Cases::parse(block.as_bytes()).expect("the case file of the guide");
        let document = super::document(cases.policy.as_deref().expect("it brings a policy"));
        let prepared = Prepared::from(&document);
        for case in &cases.cases {
            assert_eq!(case.check(&prepared, &|_| None), Ok(()), "{}", case.it);
        }
    }
}

#[test]
fn the_problems_that_the_guide_shows_are_the_ones_that_are_reported() {
    let guide = include_str!("../../../docs/policy.md");
    let unknown = "repositories:\n  acme/site:\n    tool: {}\n";
    let boolean = "defaults:\n  write: no\n";
    for yaml in [unknown, boolean] {
        let problems = Document::parse(yaml.as_bytes()).expect_err(yaml);
        assert!(guide.contains(&problems[0].message), "{}", problems[0]);
    }
}
