//! What ends a search, what it says then, and what is kept for the next page.

use serde_json::{Value, json};

use super::{archived, asking, hits, holding, packed, tar};
use crate::tools::fake::{OPEN_POLICY, World};
use crate::tools::kit::Error;

#[test]
fn every_bound_ends_a_search_with_what_was_found_and_says_which() {
    let many: Vec<(String, Vec<u8>)> =
        (0..200).map(|nth| (format!("site/f{nth:03}"), vec![b'n'; 1000])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let noise: Vec<u8> =
        (0_u32..300_000).flat_map(|nth| nth.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let zeros = vec![b' '; 9 * 1024 * 1024];
    for (setting, value, files) in [
        ("SEARCH_MAX_ENTRIES", "100", many.as_slice()),
        ("SEARCH_MAX_UNPACKED_BYTES", "65536", many.as_slice()),
        ("SEARCH_MAX_MATCHES", "10", many.as_slice()),
        ("SEARCH_MAX_ARCHIVE_BYTES", "65536", &[("site/noise", noise.as_slice())]),
        ("SEARCH_MAX_EXPANSION", "100", &[("site/zeros", zeros.as_slice())]),
    ] {
        let unpacked = if setting == "SEARCH_MAX_UNPACKED_BYTES" { value } else { "16777216" };
        let settings = [(setting, value), ("SEARCH_MAX_UNPACKED_BYTES", unpacked)];
        let world = archived(World::with(OPEN_POLICY, &settings), &packed(&tar(files)));
        let answer = world.answer("search_code", asking("nn"));
        let why = answer["incomplete"].as_str().unwrap_or_default();
        assert!(why.contains(setting), "{setting}: {why:?}");
    }
}

#[test]
fn a_search_ends_in_time() {
    let world = archived(
        World::with(OPEN_POLICY, &[("SEARCH_MAX_SECONDS", "1")]),
        &packed(&tar(&[("site/a", b"needle"), ("site/b", b"needle"), ("site/c", b"needle")])),
    );
    world.state.borrow_mut().tick = 600_000;
    let answer = world.answer("search_code", asking("needle"));
    assert_eq!(hits(&answer).len(), 2);
    assert!(answer["incomplete"].as_str().unwrap().contains("SEARCH_MAX_SECONDS"));
}

#[test]
fn a_repository_that_is_too_large_is_not_read() {
    let world = World::with(OPEN_POLICY, &[("SEARCH_MAX_REPOSITORY_KIB", "99")]);
    let world = archived(world, &packed(&tar(&[])));
    let error = world.failure("search_code", asking("needle"));
    assert!(matches!(error, Error::Unprocessable { reason: "repository_too_large", .. }), "{error:?}");
    assert!(!world.asked().iter().any(|line| line.contains("/archive/")));
}

#[test]
fn where_too_many_searches_run_it_is_said_when_to_try_again() {
    let world = holding(&[]);
    world.state.borrow_mut().no_room = true;
    let error = world.failure("search_code", asking("needle"));
    assert!(matches!(error, Error::Busy { reason: "searches_busy", seconds: 5, .. }), "{error:?}");
    assert!(!world.asked().iter().any(|line| line.contains("/archive/")));
}

#[test]
fn a_second_page_is_cut_from_what_was_found_a_moment_ago() {
    let files: Vec<(String, Vec<u8>)> =
        (0..5).map(|nth| (format!("site/f{nth}"), b"needle".to_vec())).collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let world = holding(&files);
    let page =
        |page: u32| json!({ "owner": "acme", "repo": "Site", "query": "needle", "page": page, "limit": 2 });
    let paths = |answer: &Value| hits(answer).into_iter().map(|(path, ..)| path).collect::<Vec<String>>();
    let first = world.answer("search_code", page(1));
    assert_eq!((paths(&first), &first["has_next"]), (vec!["f0".into(), "f1".into()], &json!(true)));
    let last = world.answer("search_code", page(3));
    assert_eq!((paths(&last), &last["has_next"]), (vec!["f4".into()], &json!(false)));
    let archives = world.asked().iter().filter(|line| line.contains("/archive/")).count();
    assert_eq!(archives, 1, "one search, two pages");
}

#[test]
fn one_file_does_not_hide_the_others_and_all_matches_are_counted() {
    let world = holding(&[("site/a", &b"needle\n".repeat(50)), ("site/b", b"needle")]);
    let answer = world.answer("search_code", asking("needle"));
    let paths: Vec<String> = hits(&answer).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(paths, ["a", "a", "a", "b"]);
    assert_eq!((&answer["total_matches"], &answer["total"]), (&json!(51), &json!(4)));
    let why = answer["incomplete"].as_str().unwrap_or_default();
    assert!(why.contains("1 files have more") && why.contains("SEARCH_MATCHES_PER_FILE"), "{why}");
}

#[test]
fn an_archive_that_breaks_off_or_is_none_is_searched_as_far_as_it_came() {
    let whole = packed(&tar(&[("site/a", b"needle"), ("site/b", &b"needle\n".repeat(100_000))]));
    let cut = whole.get(..whole.len() / 2).unwrap();
    for (archive, found) in
        [(cut, true), (b"<html>sign in</html>".as_slice(), false), (b"".as_slice(), false)]
    {
        let answer = archived(World::open(), archive).answer("search_code", asking("needle"));
        assert_eq!(!hits(&answer).is_empty(), found);
        assert!(answer["incomplete"].as_str().unwrap().contains("broke off or is damaged"), "{answer}");
    }
}

#[test]
fn a_bound_that_is_met_and_not_passed_is_not_told() {
    for (lines, more) in [(10, false), (11, true)] {
        let files: Vec<(String, Vec<u8>)> =
            (0..lines).map(|nth| (format!("site/f{nth:02}"), b"needle".to_vec())).collect();
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
        let world = World::with(OPEN_POLICY, &[("SEARCH_MAX_MATCHES", "10")]);
        let answer = archived(world, &packed(&tar(&files))).answer("search_code", asking("needle"));
        assert_eq!((hits(&answer).len(), answer.get("incomplete").is_some()), (10, more), "{answer}");
    }
    let answer = holding(&[("site/a", b"needle\nneedle\nneedle\n")]).answer("search_code", asking("needle"));
    assert_eq!((hits(&answer).len(), answer.get("incomplete")), (3, None));
}

#[test]
fn a_large_file_of_zeros_does_not_end_the_search() {
    let zeros = vec![0; 9 * 1024 * 1024];
    let world = holding(&[("site/a.img", &zeros), ("site/b", b"needle")]);
    let answer = world.answer("search_code", asking("needle"));
    assert_eq!(hits(&answer), [("b".to_owned(), 1, "needle".to_owned())]);
    assert!(
        answer["incomplete"].as_str().is_some_and(|why| why.starts_with("1 files are larger")),
        "{answer}"
    );
}

#[test]
fn time_is_looked_at_within_a_file() {
    for (text, found) in [("hay\n".repeat(20_000), 0), ("needle\n".repeat(20_000), 3)] {
        let world = World::with(OPEN_POLICY, &[("SEARCH_MAX_SECONDS", "1")]);
        let world = archived(world, &packed(&tar(&[("site/a", text.as_bytes()), ("site/b", b"needle")])));
        world.state.borrow_mut().tick = 400_000;
        let expression = json!({ "owner": "acme", "repo": "Site", "query": "needl[e]", "regex": true });
        let answer = world.answer("search_code", expression);
        assert_eq!(hits(&answer).len(), found);
        assert!(answer["incomplete"].as_str().unwrap().contains("SEARCH_MAX_SECONDS"), "{answer}");
    }
}

#[test]
fn an_expression_that_reaches_for_the_end_of_the_text_takes_each_line_by_itself() {
    let text = "a\n".repeat(500_000);
    for query in ["(?s)a.*z|a", "a[^b]*z|a", r"a(\s|.)*z|a"] {
        let world = holding(&[("site/a", text.as_bytes())]);
        let expression = json!({ "owner": "acme", "repo": "Site", "query": query, "regex": true });
        let answer = world.answer("search_code", expression);
        assert_eq!((hits(&answer).len(), &answer["total_matches"]), (3, &json!(500_000)), "{query}");
    }
}

#[test]
fn pages_of_a_result_that_is_too_long_for_one_value_are_cut_from_one_search() {
    let line = format!("needle {}", "ü".repeat(280));
    let files: Vec<(String, Vec<u8>)> =
        (0..400).map(|nth| (format!("site/f{nth:03}"), line.clone().into_bytes())).collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let world = holding(&files);
    let page =
        |page: u32| json!({ "owner": "acme", "repo": "Site", "query": "needle", "page": page, "limit": 30 });
    let paths = |answer: &Value| -> Vec<String> { hits(answer).into_iter().map(|(path, ..)| path).collect() };
    let mut all = Vec::new();
    for number in 1..=14 {
        all.extend(paths(&world.answer("search_code", page(number))));
    }
    assert_eq!(all, files.iter().map(|(path, _)| path.replace("site/", "")).collect::<Vec<_>>());
    let archives = |world: &World| world.asked().iter().filter(|line| line.contains("/archive/")).count();
    assert_eq!(archives(&world), 1, "one search, fourteen pages");
    // A part that is gone takes the whole with it.
    let part = world
        .state
        .borrow()
        .cached
        .iter()
        .filter(|(_, (value, _))| value.first() == Some(&b'['))
        .map(|(key, _)| key.clone())
        .next_back();
    world.state.borrow_mut().cached.remove(&part.expect("parts are kept"));
    assert_eq!(paths(&world.answer("search_code", page(2))).first().map(String::as_str), Some("f030"));
    assert_eq!(archives(&world), 2);
}
