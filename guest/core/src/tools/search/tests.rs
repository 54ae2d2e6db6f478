//! Searches over packed commits.

use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::tools::fake::{OPEN_POLICY, Route, World};
use crate::tools::kit::Error;

const REPOSITORY: &str = "GET /repos/acme/Site";
const HIDING: &str = "repositories:\n  acme/site:\n    paths: {deny: [\"secrets/*\", \"*.pem\"]}\n";

fn id() -> String {
    "9".repeat(40)
}

fn packed(tar: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(tar).unwrap();
    gzip.finish().unwrap()
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(content.len()).unwrap());
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A repository `acme/Site` whose top level holds `top`, before its archive is known.
fn known(world: World, top: &[&str]) -> World {
    let rows: Vec<Value> = top.iter().map(|path| json!({ "path": path, "type": "tree" })).collect();
    world
        .on(REPOSITORY, json!({ "id": 7, "size": 100 }))
        .on("GET /repos/acme/Site/commits", json!([{ "sha": id() }]))
        .on(
            &format!("GET /repos/acme/Site/git/trees/{}?per_page=1000&page=1", id()),
            json!({ "tree": rows, "truncated": false }),
        )
}

fn archived(world: World, archive: &[u8]) -> World {
    let line = format!("GET /repos/acme/Site/archive/{}.tar.gz", id());
    known(world, &["src"]).route(Route::bytes(&line, "application/gzip", archive))
}

fn holding(files: &[(&str, &[u8])]) -> World {
    archived(World::open(), &packed(&tar(files)))
}

fn asking(query: &str) -> Value {
    json!({ "owner": "acme", "repo": "Site", "query": query })
}

fn hits(answer: &Value) -> Vec<(String, u64, String)> {
    let rows = answer["matches"].as_array().cloned().unwrap_or_default();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| (text(row, "path"), row["line"].as_u64().unwrap_or(0), text(row, "text"))).collect()
}

#[test]
fn lines_are_found_in_any_case_and_told_by_path_and_line() {
    let world = holding(&[
        ("site/src/z.rs", b"one\r\nthe Needle here\r\n"),
        ("site/src/a.rs", b"needle needle\nhay\nNEEDLE"),
        ("site/b.txt", b"nothing\n"),
    ]);
    let answer = world.answer("search_code", asking("needle"));
    let expected = [
        ("src/a.rs".to_owned(), 1, "needle needle".to_owned()),
        ("src/a.rs".to_owned(), 3, "NEEDLE".to_owned()),
        ("src/z.rs".to_owned(), 2, "the Needle here".to_owned()),
    ];
    assert_eq!(hits(&answer), expected);
    assert_eq!((&answer["total"], &answer["total_matches"]), (&json!(3), &json!(3)));
    assert_eq!((&answer["files_searched"], &answer["commit"]), (&json!(3), &json!(id())));
    assert!(answer.get("incomplete").is_none() && answer["has_next"] == false);
}

#[test]
fn a_query_is_text_unless_an_expression_is_asked_for() {
    let world = holding(&[("site/a", b"a.c\nabc\nAxC\n")]);
    assert_eq!(hits(&world.answer("search_code", asking("a.c"))).len(), 1);
    let expression = json!({ "owner": "acme", "repo": "Site", "query": "a.c", "regex": true });
    assert_eq!(hits(&world.answer("search_code", expression)).len(), 2, "case counts in expressions");
}

#[test]
fn expressions_that_cannot_be_run_are_refused_before_gitea_is_asked() {
    for (query, reason) in [
        ("(unclosed", "bad_expression"),
        ("(?=look)", "bad_expression"),
        (r"(a)\1", "bad_expression"),
        (r"\w{500}{50}", "bad_expression"),
        ("x*", "query_matches_everything"),
        ("^|y", "query_matches_everything"),
    ] {
        let world = holding(&[]);
        let arguments = json!({ "owner": "acme", "repo": "Site", "query": query, "regex": true });
        let Error::Unprocessable { reason: found, message } = world.failure("search_code", arguments) else {
            panic!("{query} was run");
        };
        assert_eq!(found, reason, "{query}: {message}");
        assert!(world.asked().is_empty(), "{query}");
    }
}

#[test]
fn hidden_binary_large_and_lfs_files_and_links_are_not_searched() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "site/needle-link", "needle").unwrap();
    let plain = tar(&[
        ("site/secrets/key", b"needle"),
        ("site/SECRETS/key2", b"needle"),
        ("site/ca.pem", b"needle"),
        ("site/binary", b"needle\0"),
        ("site/large", &b"needle ".repeat(1000)),
        ("site/lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:needle\n"),
        ("site/shown", b"needle"),
    ]);
    let mut both = builder.into_inner().unwrap();
    both.truncate(512);
    both.extend(plain);
    let world = archived(World::with(HIDING, &[("SEARCH_MAX_FILE_BYTES", "2000")]), &packed(&both));
    let answer = world.answer("search_code", asking("needle"));
    assert_eq!(hits(&answer), [("shown".to_owned(), 1, "needle".to_owned())]);
    assert!(answer["incomplete"].as_str().unwrap().contains("1 files are larger than 2000 bytes"));
    assert!(!answer.to_string().contains("secrets/"));
}

#[test]
fn an_archive_without_the_folder_around_it_is_read_as_well() {
    let answer = holding(&[("src/a.rs", b"needle")]).answer("search_code", asking("needle"));
    assert_eq!(hits(&answer)[0].0, "src/a.rs");
}

#[test]
fn where_the_folder_cannot_be_told_from_one_of_the_repository_the_files_are_asked_for_by_name() {
    let tree = json!({ "truncated": false, "tree": [
        { "path": "site/secret.pem", "type": "blob", "mode": "100644", "size": 6 },
        { "path": "site/x", "type": "blob", "mode": "100644", "size": 6 },
        { "path": "site/link", "type": "blob", "mode": "120000", "size": 6 },
        { "path": "site", "type": "tree", "mode": "040000", "size": 0 },
    ] });
    let content = json!({ "content": STANDARD.encode("needle") });
    let world = World::with(HIDING, &[])
        .on(&format!("GET /repos/acme/Site/git/trees/{}?recursive=true", id()), tree)
        .on("GET /repos/acme/Site/file-contents?body={\"files\":[\"site/x\"]}", json!([content]));
    let answer = known(world, &["Site"]).answer("search_code", asking("needle"));
    assert_eq!(hits(&answer), [("site/x".to_owned(), 1, "needle".to_owned())]);
}

#[test]
fn without_an_archive_the_files_are_asked_for_in_batches() {
    let rows: Vec<Value> = (0..40)
        .map(|nth| json!({ "path": format!("f{nth:02}"), "type": "blob", "mode": "100644", "size": 6 }))
        .collect();
    let mut world = World::open().on(
        &format!("GET /repos/acme/Site/git/trees/{}?recursive=true&page=1", id()),
        json!({ "tree": rows, "truncated": false }),
    );
    let content = json!({ "content": STANDARD.encode("needle") });
    for part in [0..30, 30..40] {
        let names: Vec<String> = part.map(|nth| format!("\"f{nth:02}\"")).collect();
        let answers: Vec<Value> = names.iter().map(|_| content.clone()).collect();
        let line = format!("GET /repos/acme/Site/file-contents?body={{\"files\":[{}]}}", names.join(","));
        world = world.on(&line, answers.into());
    }
    let answer = known(world, &["src"]).answer("search_code", asking("needle"));
    assert_eq!((&answer["files_searched"], &answer["total"]), (&json!(40), &json!(40)));
}

#[test]
fn one_file_does_not_hide_the_others_and_all_matches_are_counted() {
    let world = holding(&[("site/a", &b"needle\n".repeat(50)), ("site/b", b"needle")]);
    let answer = world.answer("search_code", asking("needle"));
    let paths: Vec<String> = hits(&answer).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(paths, ["a", "a", "a", "b"]);
    assert_eq!(answer["total_matches"], 51);
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
fn who_may_not_read_the_code_any_more_is_shown_nothing_of_what_was_found_before() {
    let kept = holding(&[("site/src/a.rs", b"the needle")]);
    for reference in [None, Some(id())] {
        let mut asked = asking("needle");
        if let Some(reference) = reference {
            asked["ref"] = reference.into();
        }
        assert_eq!(hits(&kept.answer("search_code", asked.clone())).len(), 1);
        // The issues are theirs still, and with them the repository.
        let gone = json!({ "message": "not found" });
        let lost = Route::new("GET /repos/acme/Site/commits", 404, gone).once();
        kept.state.borrow_mut().routes.insert(0, lost);
        let error = kept.failure("search_code", asked);
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    }
}

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
        let settings = [(setting, value), ("SEARCH_MAX_FILE_BYTES", "16777216")];
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
fn a_long_line_is_told_around_its_match() {
    let line = format!("{}needle{}", "é".repeat(1000), "ü".repeat(1000));
    let answer = holding(&[("site/min.js", line.as_bytes())]).answer("search_code", asking("needle"));
    let text = &hits(&answer)[0].2;
    assert!(text.starts_with('…') && text.ends_with('…') && text.contains("needle"), "{text}");
    assert!(text.chars().count() <= 302 && !text.contains('\u{fffd}'), "{text}");
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
fn queries_are_one_line_of_some_length() {
    let world = holding(&[]);
    for query in ["", "x", "  ", "a\nb", &"x".repeat(257)] {
        assert!(world.call("search_code", asking(query)).is_err(), "{query:?}");
    }
    assert!(world.asked().is_empty());
}
