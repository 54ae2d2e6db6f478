//! The bounds of documents, paths, patterns and names: what is just within them is taken, what is just beyond is not. And
//! the schema that editors use, from the tools that it names itself.

use serde_json::Value;

use crate::cases::Cases;
use crate::near::nearest;
use crate::schema::{KnownTool, schema};
use crate::{Class, path, pattern, yaml};

#[test]
fn a_path_has_at_most_4096_bytes() {
    for (length, taken) in
        [(1, true), (4095, true), (4096, true), (4097, false), (4098, false), (9000, false)]
    {
        assert_eq!(path::check(&"a".repeat(length)).is_ok(), taken, "{length}");
    }
}

#[test]
fn a_pattern_has_at_most_256_characters_however_many_bytes() {
    for letter in ["a", "é", "日"] {
        for (length, taken) in [(1, true), (256, true), (257, false), (258, false)] {
            assert_eq!(pattern::check(&letter.repeat(length)).is_ok(), taken, "{length} of {letter}");
        }
    }
}

#[test]
fn a_name_of_at_most_64_bytes_is_compared() {
    let known = "n".repeat(64);
    for (length, meant) in [(63, true), (64, true), (65, false), (66, false)] {
        let unknown = "n".repeat(length);
        assert_eq!(nearest(&unknown, [known.as_str()]).is_some(), meant, "{length}");
    }
    assert_eq!(nearest("", [""]), None, "nothing is meant by nothing");
}

/// What is said of a document; nothing where it is read.
fn said(source: &str) -> String {
    yaml::read(source.as_bytes()).err().map(|problems| format!("{problems:?}")).unwrap_or_default()
}

#[test]
fn a_document_has_at_most_256_kib() {
    for (length, beyond) in [(1_000, false), (262_144, false), (262_145, true), (300_000, true)] {
        let source = format!("a: b\n#{}", "x".repeat(length - 6));
        assert_eq!(source.len(), length);
        assert_eq!(said(&source).contains("larger than 256 KiB"), beyond, "{length}");
    }
}

#[test]
fn a_document_has_at_most_20000_values() {
    for (items, beyond) in [(1, false), (19_999, false), (20_000, true), (20_001, true), (30_000, true)] {
        let source = format!("[{}]", vec!["a"; items].join(","));
        assert_eq!(said(&source).contains("more than 20000 values"), beyond, "{items}");
    }
}

#[test]
fn a_document_nests_at_most_8_levels() {
    for (levels, beyond) in [(1, false), (8, false), (9, true), (10, true), (20, true)] {
        let source = format!("{}a{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(
            said(&source).contains("nested deeper than 8 levels"),
            beyond,
            "{levels}: {}",
            said(&source)
        );
    }
}

#[test]
fn a_case_says_which_tool_it_asks_about_and_a_listing_about_none() {
    let cases = "cases:\n  - {it: a, tool: get_issue, class: read, repository: acme/site, expect: allow}\n";
    let cases = Cases::parse(cases.as_bytes()).unwrap();
    assert_eq!(cases.cases[0].asks_about(), Some(("get_issue", Class::Read)));
}

#[test]
fn the_schema_is_the_one_that_is_shipped() {
    let shipped: Value = serde_json::from_str(include_str!("../../schema.json")).unwrap();
    let named = shipped.pointer("/definitions/tools/properties/allow/items/anyOf").unwrap();
    let named: Vec<(&str, &str)> = named
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| (tool["const"].as_str().unwrap(), tool["description"].as_str().unwrap()))
        .collect();
    let tools: Vec<KnownTool<'_>> = named.iter().map(|(name, doc)| KnownTool { name, doc }).collect();
    assert!(tools.len() > 40, "{}", tools.len());
    assert_eq!(schema(&tools), shipped);
}
