//! Searches over packed commits.

mod bounds;
mod files;
mod names;

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::tools::fake::{Route, World};
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
    let rows: Vec<Value> =
        top.iter().map(|path| json!({ "path": path, "type": "tree", "sha": "5".repeat(40) })).collect();
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
    assert_eq!(answer["hidden_by_policy"], 3);
    let again = world.answer("search_code", asking("needle"));
    assert_eq!(again["hidden_by_policy"], 3, "what was found a moment ago says it too");
    assert!(
        holding(&[("site/a", b"x")])
            .answer("search_code", asking("needle"))
            .get("hidden_by_policy")
            .is_none()
    );
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
fn a_long_line_is_told_around_its_match() {
    let line = format!("{}needle{}", "é".repeat(1000), "ü".repeat(1000));
    let answer = holding(&[("site/min.js", line.as_bytes())]).answer("search_code", asking("needle"));
    let text = &hits(&answer)[0].2;
    assert!(text.starts_with('…') && text.ends_with('…') && text.contains("needle"), "{text}");
    assert!(text.chars().count() <= 302 && !text.contains('\u{fffd}'), "{text}");
}

#[test]
fn queries_are_one_line_of_some_length() {
    let world = holding(&[]);
    for query in ["", "x", "  ", "a\nb", &"x".repeat(257)] {
        assert!(world.call("search_code", asking(query)).is_err(), "{query:?}");
    }
    assert!(world.asked().is_empty());
}
