//! Names in archives: long ones, odd ones, and records that lie about them.

use serde_json::Value;

use super::{HIDING, archived, asking, hits, holding, packed};
use crate::tools::fake::World;

#[test]
fn an_archive_without_the_folder_around_it_is_read_as_well() {
    let answer = holding(&[("src/a.rs", b"needle")]).answer("search_code", asking("needle"));
    assert_eq!(hits(&answer)[0].0, "src/a.rs");
}

/// A header and content as Git writes them, whatever the name.
fn entry(kind: tar::EntryType, name: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o664);
    header.set_size(u64::try_from(content.len()).unwrap());
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// The record `<length> <keyword>=<value>\n`.
fn record(keyword: &str, value: &str) -> String {
    let rest = format!(" {keyword}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

/// What Git writes where a path has no room in a header.
fn long(path: &str, kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
    let mut bytes = entry(tar::EntryType::XHeader, b"site/0123.paxheader", record("path", path).as_bytes());
    bytes.extend(entry(kind, b"site/0123.data", content));
    bytes
}

fn regular(name: &str, content: &[u8]) -> Vec<u8> {
    entry(tar::EntryType::Regular, name.as_bytes(), content)
}

fn search(world: World, parts: &[Vec<u8>]) -> Value {
    let mut tar = parts.concat();
    tar.resize(tar.len() + 1024, 0);
    archived(world, &packed(&tar)).answer("search_code", asking("needle"))
}

#[test]
fn a_long_path_with_a_line_break_is_judged_and_told_as_it_is() {
    let hidden = format!("site/secrets/{}\n/{}", "a".repeat(99), "b".repeat(20));
    let pem = format!("site/{}\nx.pem", "c/".repeat(99));
    let odd = format!("site/{}\n19 path=site/shown", "d/".repeat(99));
    let shown = format!("site/{}z", "d/".repeat(99));
    let world = World::with(
        "repositories:\n  acme/site:\n    paths: {deny: [\"secrets/**\", \"**/*.pem\", \"*.pem\"]}\n",
        &[],
    );
    let answer = search(
        world,
        &[
            long(&hidden, tar::EntryType::Regular, b"needle"),
            long(&pem, tar::EntryType::Regular, b"needle"),
            long(&odd, tar::EntryType::Regular, b"needle"),
            long(&shown, tar::EntryType::Regular, b"needle"),
            regular("site/a\nb", b"needle"),
        ],
    );
    let paths: Vec<String> = hits(&answer).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(paths, [shown.strip_prefix("site/").unwrap()], "{answer}");
    assert_eq!(answer.get("incomplete"), None);
}

#[test]
fn a_link_with_an_endless_target_does_not_end_the_search() {
    let target = record("linkpath", &"x".repeat(20 * 1024 * 1024));
    let answer = search(
        World::open(),
        &[
            entry(tar::EntryType::XHeader, b"site/0123.paxheader", target.as_bytes()),
            entry(tar::EntryType::Symlink, b"site/link", b""),
            regular("site/a", b"needle"),
        ],
    );
    assert_eq!(hits(&answer).len(), 1, "{answer}");
    assert_eq!(answer.get("incomplete"), None);
}

#[test]
fn records_that_cannot_be_believed_end_the_search_before_what_they_speak_of() {
    let x = |records: &str| entry(tar::EntryType::XHeader, b"site/0123.paxheader", records.as_bytes());
    let path = record("path", "site/shown");
    let cut = path.get(..path.len() - 1).unwrap();
    for (records, why) in [
        (format!("{cut}x"), "no line break at the end"),
        (format!("9{path}"), "longer than what is there"),
        (format!("5 a={path}"), "shorter than what is there"),
        ("0 path=site/shown\n".to_owned(), "no length"),
        ("99999999999999999999 path=site/shown\n".to_owned(), "a length beyond numbers"),
        ("path=site/shown\n".to_owned(), "not a record"),
        (record("path", &"x".repeat(70_000)), "too long"),
        (record("size", "9000000000"), "a length of its own"),
        (format!("{path}\0\0\0"), "something behind"),
    ] {
        let answer = search(
            World::with(HIDING, &[]),
            &[
                regular("site/before", b"needle"),
                x(&records),
                regular("site/0123.data", b"needle"),
                regular("site/after", b"needle"),
            ],
        );
        let found = hits(&answer);
        assert_eq!(found, [("before".to_owned(), 1, "needle".to_owned())], "{why}");
        assert!(
            answer["incomplete"].as_str().is_some_and(|said| said.contains("ended early")),
            "{why}: {answer}"
        );
    }
}

#[test]
fn what_git_does_not_write_ends_the_search() {
    use tar::EntryType;
    let records = || entry(EntryType::XHeader, b"site/x", record("path", "site/secrets/key").as_bytes());
    for between in [
        vec![entry(EntryType::GNULongName, b"././@LongLink", b"site/other\0")],
        vec![entry(EntryType::GNUSparse, b"site/sparse", b"needle")],
        vec![entry(EntryType::Link, b"site/hard", b"")],
        vec![records(), records()],
        vec![records(), entry(EntryType::XGlobalHeader, b"g", record("comment", "x").as_bytes())],
    ] {
        let answer = search(World::with(HIDING, &[]), &[between.concat(), regular("site/a", b"needle")]);
        assert_eq!(hits(&answer), [], "{answer}");
        assert!(
            answer["incomplete"].as_str().is_some_and(|said| said.contains("does not write")),
            "{answer}"
        );
    }
}

#[test]
fn names_that_nobody_can_read_for_sure_are_counted() {
    let answer = search(
        World::open(),
        &[
            entry(tar::EntryType::Regular, b"site/\xff\xfe", b"needle"),
            regular("site/../up", b"needle"),
            regular("elsewhere/x", b"needle"),
            regular("site/a\nb", b"needle"),
            regular("site/a", b"needle"),
        ],
    );
    assert_eq!(hits(&answer).len(), 1, "{answer}");
    let why = answer["incomplete"].as_str().unwrap_or_default();
    assert!(why.contains("4 files were not searched: their names cannot be read"), "{why}");
    // Where the very first name is none of the commit's, the archive is not read at all.
    let world = holding(&[("elsewhere/x", b"needle")]);
    assert_eq!(hits(&world.answer("search_code", asking("needle"))), []);
    assert!(world.asked().iter().any(|line| line.contains("recursive")), "the files are asked for by name");
}
