//! Files that are asked for by name, where the archive is not read, and what is told of files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{HIDING, archived, asking, hits, holding, id, known, packed, tar};
use crate::tools::fake::{OPEN_POLICY, Route, World};

#[test]
fn without_an_archive_the_files_are_asked_for_in_batches() {
    let rows: Vec<Value> = (0..40)
        .map(|nth| json!({ "path": format!("f{nth:02}"), "type": "blob", "mode": "100644", "size": 6 }))
        .collect();
    let mut world = World::open().on(
        &format!("GET /repos/acme/Site/git/trees/{}?recursive=true&page=1", id()),
        json!({ "tree": rows, "truncated": false }),
    );
    for part in [0..30, 30..40] {
        let names: Vec<String> = part.map(|nth| format!("\"f{nth:02}\"")).collect();
        let answers: Vec<Value> =
            names.iter().map(|name| content(name.trim_matches('"'), "needle")).collect();
        let line = format!("GET /repos/acme/Site/file-contents?body={{\"files\":[{}]}}", names.join(","));
        world = world.on(&line, answers.into());
    }
    let answer = known(world, &["src"]).answer("search_code", asking("needle"));
    assert_eq!((&answer["files_searched"], &answer["total"]), (&json!(40), &json!(40)));
}

#[test]
fn where_the_folder_cannot_be_told_from_one_of_the_repository_the_files_are_asked_for_by_name() {
    let tree = json!({ "truncated": false, "tree": [
        { "path": "site/secret.pem", "type": "blob", "mode": "100644", "size": 6 },
        { "path": "site/x", "type": "blob", "mode": "100644", "size": 6 },
        { "path": "site/link", "type": "blob", "mode": "120000", "size": 6 },
        { "path": "site", "type": "tree", "mode": "040000", "size": 0 },
    ] });
    let content = json!({ "path": "site/x", "content": STANDARD.encode("needle") });
    let world = World::with(HIDING, &[])
        .on(&format!("GET /repos/acme/Site/git/trees/{}?recursive=true", id()), tree)
        .on("GET /repos/acme/Site/file-contents?body={\"files\":[\"site/x\"]}", json!([content]));
    // Both the commit and its directory `site` begin with `x`, so `site/x` may be either.
    let archive = packed(&tar(&[("site/x", b"needle"), ("site/y", b"needle")]));
    let inside = json!({ "tree": [{ "path": "x", "type": "blob" }], "truncated": false });
    let world = world.on(&format!("GET /repos/acme/Site/git/trees/{}?page=1", "5".repeat(40)), inside);
    let answer = archived_with(world, &["site", "x"], &archive).answer("search_code", asking("needle"));
    assert_eq!(hits(&answer), [("site/x".to_owned(), 1, "needle".to_owned())]);
    assert_eq!((&answer["files_searched"], answer.get("incomplete")), (&json!(1), None));
}

/// A row of `file-contents`.
fn content(path: &str, text: &str) -> Value {
    json!({ "path": path, "content": STANDARD.encode(text) })
}

/// As `archived`, with this top level.
fn archived_with(world: World, top: &[&str], archive: &[u8]) -> World {
    let line = format!("GET /repos/acme/Site/archive/{}.tar.gz", id());
    known(world, top).route(Route::bytes(&line, "application/gzip", archive))
}

/// A repository without an archive that holds these files.
fn listed(paths: &[&str], given: Value) -> World {
    let rows: Vec<Value> = paths
        .iter()
        .map(|path| json!({ "path": path, "type": "blob", "mode": "100644", "size": 6 }))
        .collect();
    let tree = json!({ "tree": rows, "truncated": false });
    let world = World::open()
        .on(&format!("GET /repos/acme/Site/git/trees/{}?recursive=true&page=1", id()), tree)
        .on("GET /repos/acme/Site/file-contents", given);
    known(world, &["src"])
}

#[test]
fn a_name_that_gitea_could_not_write_down_is_told_and_not_asked_for() {
    let world = listed(&["a", "caf\u{fffd}"], json!([content("a", "needle")]));
    let answer = world.answer("search_code", asking("needle"));
    assert_eq!(hits(&answer).len(), 1);
    let why = answer["incomplete"].as_str().unwrap_or_default();
    assert!(why.contains("1 files were not searched: their names cannot be read"), "{why}");
    assert!(world.asked().iter().all(|line| !line.contains('\u{fffd}')), "{:?}", world.asked());
}

#[test]
fn a_file_that_gitea_names_and_does_not_give_is_told() {
    let given = content("a", "needle");
    for (answered, missing) in [
        (json!([given]), 2),
        (json!([given, null, { "path": "c", "content": null }]), 2),
        (json!([given, content("b", "needle"), { "path": "c", "content": "no base64" }]), 1),
        (json!([content("b", "needle"), content("a", "needle"), content("c", "x")]), 2),
        (json!([null, null, null]), 3),
        (json!({}), 3),
    ] {
        let answer = listed(&["a", "b", "c"], answered.clone()).answer("search_code", asking("needle"));
        assert_eq!(answer["files_searched"], 3 - missing, "{answered}");
        let why = answer["incomplete"].as_str().unwrap_or_default();
        assert!(why.contains(&format!("{missing} files were not searched: Gitea gave no content")), "{why}");
        assert!(hits(&answer).iter().all(|(path, ..)| path == "a" || path == "b"), "{answer}");
    }
}

#[test]
fn more_files_than_are_asked_for_by_name_are_told_with_the_reason() {
    let paths: Vec<String> = (0..501).map(|nth| format!("f{nth:03}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let answer = listed(&paths, json!([])).answer("search_code", asking("needle"));
    let why = answer["incomplete"].as_str().unwrap_or_default();
    assert!(why.contains("Gitea gives no archive") && why.contains("only 500"), "{why}");
}

#[test]
fn the_archive_is_read_although_a_directory_bears_the_repositorys_name() {
    for (archive, why) in [
        (tar(&[("site/README", b""), ("site/site/app", b"needle"), ("site/ca.pem", b"needle")]), "around it"),
        (tar(&[("README", b""), ("site/app", b"needle"), ("ca.pem", b"needle")]), "no folder around it"),
        (tar(&[("site/app", b"needle")]), "no folder, and the README is not exported"),
    ] {
        let inside = json!({ "tree": [{ "path": "app", "type": "blob" }], "truncated": false });
        let world = World::with(HIDING, &[])
            .on(&format!("GET /repos/acme/Site/git/trees/{}?page=1", "5".repeat(40)), inside);
        let world = archived_with(world, &["README", "ca.pem", "site"], &packed(&archive));
        let answer = world.answer("search_code", asking("needle"));
        assert_eq!(hits(&answer), [("site/app".to_owned(), 1, "needle".to_owned())], "{why}");
        assert!(!world.asked().iter().any(|line| line.contains("recursive")), "{why}");
    }
}

#[test]
fn more_than_a_thousand_entries_at_the_top_are_read_in_pages() {
    for (pages, archived) in [(3, true), (11, false)] {
        let mut world = World::open();
        for page in 1..=pages {
            let rows: Vec<Value> = (0..1000)
                .map(|nth| json!({ "path": format!("f{page:02}{nth:03}"), "type": "blob" }))
                .collect();
            let line = format!("GET /repos/acme/Site/git/trees/{}?page={page}&per_page=1000", id());
            world = world.on(&line, json!({ "tree": rows, "truncated": page < pages }));
        }
        let archive = packed(&tar(&[("site/f01000", b"needle")]));
        let answer = archived_with(world.clone(), &[], &archive).answer("search_code", asking("needle"));
        assert_eq!(hits(&answer).len(), usize::from(archived), "{answer}");
        let asked = world.asked();
        assert_eq!(asked.iter().any(|line| line.contains("recursive")), !archived);
        assert!(
            !asked.iter().any(|line| line.contains("page=11&per_page=1000") && !line.contains("recursive"))
        );
    }
}

#[test]
fn a_file_is_masked_as_a_whole_and_lines_keep_their_numbers() {
    let body = "bm90IGEga2V5IGJ1dCBsb25nIGVub3VnaCB0byBsb29rIGxpa2Ugb25lMTIz";
    let [begin, end] = ["BEGIN", "END"].map(|word| format!("-----{word} PRIVATE KEY-----"));
    let key = format!("needle\n{begin}\n{body}\n{body}\n{end}\nneedle {body}\n");
    let world = holding(&[("site/key.txt", key.as_bytes())]);
    let found = hits(&world.answer("search_code", asking("needle")));
    assert_eq!(
        found,
        [("key.txt".to_owned(), 1, "needle".to_owned()), ("key.txt".to_owned(), 6, format!("needle {body}")),]
    );
    for query in [body.get(..20).unwrap(), body.get(30..50).unwrap(), "PRIVATE KEY"] {
        let answer = world.answer("search_code", asking(query));
        let lines: Vec<u64> = hits(&answer).into_iter().map(|(_, line, _)| line).collect();
        let told = u64::from(query != "PRIVATE KEY");
        assert_eq!((lines.len() as u64, &answer["total_matches"]), (told, &json!(told)), "{query}: {answer}");
        assert!(lines.iter().all(|line| *line == 6), "{query}: {answer}");
    }
    // The mask is no text of the file.
    assert_eq!(hits(&world.answer("search_code", asking("redacted"))), []);
}

#[test]
fn what_was_taken_out_is_counted_for_the_lines_that_are_shown() {
    let token = concat!("gh", "p_", "abcdefghijklmnopqrstuvwxyz0123456789");
    let text = format!("needle {token} {token}\nneedle\u{202e}\n{token} \u{202e}\nneedle [redacted:jwt]\n");
    let world = holding(&[("site/a", text.as_bytes())]);
    let count = |more: Value| {
        let mut arguments = asking("needle");
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let removed = world.call("search_code", arguments).expect("an answer").removed;
        (removed.secrets, removed.characters)
    };
    // Twice: the second is told from memory.
    for _ in 0..2 {
        assert_eq!(count(json!({})), (2, 1));
        assert_eq!(count(json!({ "limit": 1, "page": 1 })), (2, 0));
        assert_eq!(count(json!({ "limit": 1, "page": 2 })), (0, 1));
        assert_eq!(count(json!({ "limit": 1, "page": 3 })), (0, 0));
    }
}

#[test]
fn a_file_with_a_secret_is_withheld_where_secrets_block() {
    let token = concat!("gh", "p_", "abcdefghijklmnopqrstuvwxyz0123456789");
    let files = [("site/a", format!("needle\n{token}\n")), ("site/b", "needle".to_owned())];
    let files = files.each_ref().map(|(path, text)| (*path, text.as_bytes()));
    for (mode, expected) in [("block", vec!["b"]), ("mask", vec!["a", "b"]), ("off", vec!["a", "b"])] {
        let world = World::with(OPEN_POLICY, &[("SECRET_DETECTION_MODE", mode)]);
        let world = archived(world, &packed(&tar(&files)));
        let answer = world.answer("search_code", asking("needle"));
        let paths: Vec<String> = hits(&answer).into_iter().map(|(path, ..)| path).collect();
        assert_eq!(paths, expected, "{mode}");
        let why = |answer: &Value| answer["incomplete"].as_str().unwrap_or_default().to_owned();
        assert_eq!(why(&answer).contains("SECRET_DETECTION_MODE"), mode == "block");
        // Whether a guess at the secret is right makes no difference.
        if mode == "block" {
            let [right, wrong] = [token.get(..12).unwrap(), "ghp_zzzzzzzz"]
                .map(|query| world.answer("search_code", asking(query)));
            assert_eq!(right, wrong);
        }
    }
}
