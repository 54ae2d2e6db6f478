//! What headers and settings leave, as tables.

use http::{HeaderName, HeaderValue};

use super::*;
use crate::tools::CATALOGUE;

fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
    let pair = |(name, value): &(&str, &[u8])| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value).unwrap())
    };
    // `collect` would keep the last of two with the same name.
    let mut all = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        all.append(name, value);
    }
    all
}

fn settings(sets: &str, denied: &str) -> Tools {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Tools::of(&[pair("TOOLSETS", sets), pair("TOOLS_DENY", denied)])
}

/// Names of the tools that are left, in the order of the catalogue.
fn left(settings: &Tools, pairs: &[(&str, &str)]) -> Vec<&'static str> {
    let pairs: Vec<(&str, &[u8])> = pairs.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let selection = Selection::of(&headers(&pairs)).expect("readable");
    let tools = CATALOGUE.tools().filter(|tool| selection.left_out(settings, &CATALOGUE, *tool).is_none());
    tools.map(Entry::name).collect()
}

fn in_set(name: &str) -> Vec<&'static str> {
    let set = CATALOGUE.toolsets.iter().find(|set| set.name == name).expect("a set");
    set.tools.iter().map(|tool| tool.name()).collect()
}

#[test]
fn without_settings_and_headers_everything_is_there() {
    let every: Vec<&str> = CATALOGUE.tools().map(Entry::name).collect();
    for sets in ["", "all", "ALL", "search,all"] {
        assert_eq!(left(&settings(sets, ""), &[]), every, "{sets}");
    }
    for (name, value) in [
        (READONLY, ""),
        (READONLY, "false"),
        (READONLY, "0"),
        (READONLY, " False "),
        (TOOLSETS, ""),
        (TOOLSETS, " "),
        (TOOLSETS, "all"),
        (TOOLSETS, "labels, All"),
        (TOOLS, ""),
    ] {
        assert_eq!(left(&Tools::default(), &[(name, value)]), every, "{name}: {value}");
    }
    assert!(
        left(&Tools::default(), &[(TOOLSETS, ",")]).is_empty(),
        "a list that names nothing leaves nothing"
    );
}

#[test]
fn settings_name_sets_and_take_away_tools() {
    assert_eq!(left(&settings("files", ""), &[]), in_set("files"));
    assert_eq!(left(&settings(" Search , FILES", ""), &[]), [in_set("files"), in_set("search")].concat());
    assert_eq!(left(&settings("files", "get_file_tree"), &[]), ["get_file_contents"]);
    assert_eq!(left(&settings("search", "Search_Code"), &[]), [""; 0]);
}

#[test]
fn headers_choose_within_what_the_settings_leave_and_never_beyond() {
    let all = Tools::default();
    assert_eq!(left(&all, &[(TOOLSETS, "files")]), in_set("files"));
    assert_eq!(left(&all, &[(TOOLS, "get_issue, SEARCH_CODE")]), ["search_code", "get_issue"]);
    // Tools by name come besides those of the sets.
    assert_eq!(
        left(&all, &[(TOOLSETS, "files"), (TOOLS, "get_issue")]),
        [in_set("files"), vec!["get_issue"]].concat()
    );
    // Unknown names name nothing, and do not open anything either.
    assert_eq!(left(&all, &[(TOOLSETS, "nothing")]), [""; 0]);
    assert_eq!(left(&all, &[(TOOLS, "no_such_tool,get_issue")]), ["get_issue"]);

    let some = settings("files,issues", "get_issue");
    assert_eq!(left(&some, &[(TOOLSETS, "all")]), left(&some, &[]));
    assert_eq!(left(&some, &[(TOOLSETS, "search"), (TOOLS, "search_code,get_issue")]), [""; 0]);
    assert_eq!(left(&some, &[(TOOLSETS, "search"), (TOOLS, "get_file_tree")]), ["get_file_tree"]);
}

#[test]
fn readonly_takes_away_every_write_even_one_that_is_named() {
    for value in ["true", "1", "TRUE"] {
        let names = left(&Tools::default(), &[(READONLY, value)]);
        let reads = CATALOGUE.tools().filter(|tool| tool.class() == Class::Read);
        assert_eq!(names, reads.map(Entry::name).collect::<Vec<_>>());
    }
    let both = [(READONLY, "true"), (TOOLS, "create_issue,get_issue")];
    assert_eq!(left(&Tools::default(), &both), ["get_issue"]);
}

#[test]
fn the_refusal_names_what_left_the_tool_out() {
    let tool = CATALOGUE.find("create_issue").unwrap();
    for (sets, denied, sent, kind, name) in [
        ("files", "create_issue", &[(READONLY, "true")][..], "setting", "TOOLSETS"),
        ("", "create_issue", &[(READONLY, "true")], "setting", "TOOLS_DENY"),
        ("", "", &[(READONLY, "true"), (TOOLS, "get_issue")], "header", READONLY),
        ("", "", &[(TOOLSETS, "files")], "header", TOOLSETS),
        ("", "", &[(TOOLS, "get_issue")], "header", TOOLS),
        ("", "", &[(TOOLSETS, "files"), (TOOLS, "x")], "header", "X-MCP-Toolsets and X-MCP-Tools"),
    ] {
        let pairs: Vec<(&str, &[u8])> = sent.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let selection = Selection::of(&headers(&pairs)).unwrap();
        let left_out = selection.left_out(&settings(sets, denied), &CATALOGUE, tool).expect("left out");
        assert_eq!(left_out.detail(), (kind.to_owned(), name.to_owned()));
        let message = left_out.message("create_issue");
        assert!(message.contains("`create_issue`") && message.contains(name), "{message}");
    }
}

#[test]
fn a_header_that_cannot_be_understood_is_an_error() {
    let long = vec![b'a'; HEADER_BYTES + 1];
    let fits = vec![b'a'; HEADER_BYTES];
    assert!(Selection::of(&headers(&[(TOOLS, &fits)])).is_ok());
    for (pairs, header) in [
        (&[(READONLY, &b"yes"[..])][..], READONLY),
        (&[(READONLY, b"true,true")], READONLY),
        (&[(READONLY, b"true"), (READONLY, b"true")], READONLY),
        (&[(TOOLSETS, b"files"), (TOOLSETS, b"")], TOOLSETS),
        (&[(TOOLSETS, b"fil\xc3\xa9s")], TOOLSETS),
        (&[(TOOLS, b"get_issue"), (TOOLS, b"get_issue")], TOOLS),
        (&[(TOOLS, b"\xff")], TOOLS),
        (&[(TOOLS, &long)], TOOLS),
        (&[(READONLY, &long)], READONLY),
    ] {
        let unreadable = Selection::of(&headers(pairs)).expect_err("unreadable");
        assert_eq!(unreadable.header, header);
        assert!(!unreadable.why.is_empty());
    }
}

#[test]
fn names_that_do_not_exist_are_told_with_those_that_do() {
    assert_eq!(unknown_names(&settings("All, FILES", "Get_Issue"), &CATALOGUE), []);
    let problems = unknown_names(&settings("files,fils,x", "get_issue,hunter2"), &CATALOGUE);
    let [sets, denied] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!((sets.name, denied.name), ("TOOLSETS", "TOOLS_DENY"));
    assert!(sets.message.starts_with("has an entry 2 that") && sets.message.contains("all, repositories, "));
    assert!(denied.message.starts_with("has an entry 2 that") && denied.message.contains("create_issue, "));
    // What stands there may be a password in the wrong place.
    assert!(!denied.message.contains("hunter2"));
}

#[test]
fn every_set_has_one_lower_case_word_of_its_own() {
    for set in CATALOGUE.toolsets {
        assert!(set.name.bytes().all(|byte| byte.is_ascii_lowercase()) && set.name != ALL, "{}", set.name);
        assert_eq!(
            CATALOGUE.toolsets.iter().filter(|other| other.name == set.name).count(),
            1,
            "{}",
            set.name
        );
        assert!(!set.tools.is_empty());
    }
}
