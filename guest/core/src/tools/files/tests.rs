//! Trees and contents.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals are handed over as they are written")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ports::Failure;
use crate::tools::fake::{OPEN_POLICY, Route, Stopped, World};
use crate::tools::kit::Error;

const HIDING: &str = "repositories:\n  acme/site:\n    paths: {deny: [\"src/secrets/*\", \"*.pem\"]}\n";

fn id() -> String {
    "9".repeat(40)
}

fn entry(path: &str, kind: &str, mode: &str) -> Value {
    json!({ "path": path, "type": kind, "mode": mode, "size": 5, "sha": "1".repeat(40), "url": "x" })
}

fn at(path: &str) -> Value {
    json!({ "owner": "acme", "repo": "site", "filepath": path, "ref": id() })
}

fn file(kind: &str, more: Value) -> Value {
    let mut file = json!({
        "name": "x", "path": "x", "sha": "1".repeat(40), "type": kind, "size": 5, "encoding": null,
        "content": null, "target": null, "submodule_git_url": null, "html_url": "https://git.example.test/x",
    });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        file[key] = value;
    }
    file
}

/// A world where `id` is a commit.
fn known(world: World) -> World {
    world.on(&format!("GET /repos/acme/site/commits?sha={}", id()), json!([{ "sha": id() }]))
}

fn holding(world: World, path: &str, file: Value) -> World {
    known(world).on(
        &format!("GET /repos/acme/site/contents-ext/{path}?ref={}", id()),
        json!({ "file_contents": file }),
    )
}

fn text(content: &[u8]) -> Value {
    file("file", json!({ "content": STANDARD.encode(content), "encoding": "base64", "size": content.len() }))
}

#[test]
fn a_tree_names_kinds_and_hides_what_the_policy_hides() {
    let tree = json!({ "truncated": true, "total_count": 9, "page": 1, "tree": [
        entry("README.md", "blob", "100644"),
        entry("link", "blob", "120000"),
        entry("src", "tree", "040000"),
        entry("src/secrets", "tree", "040000"),
        entry("src/secrets/key", "blob", "100644"),
        entry("SRC/Secrets/x", "blob", "100644"),
        entry("ca.pem", "blob", "100644"),
        entry("vendored", "commit", "160000"),
        { "type": "blob" },
    ] });
    let world = known(World::with(HIDING, &[]))
        .on(&format!("GET /repos/acme/site/git/trees/{}?recursive=true&page=1&per_page=9", id()), tree);
    let arguments = json!({ "owner": "acme", "repo": "site", "ref": id(), "recursive": true, "limit": 9 });
    let answer = world.answer("get_file_tree", arguments);
    let shown: Vec<(&str, &str)> = answer["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| Some((entry["path"].as_str()?, entry["type"].as_str()?)))
        .collect();
    let expected =
        [("README.md", "file"), ("link", "symlink"), ("src", "directory"), ("vendored", "submodule")];
    assert_eq!(shown, expected);
    assert_eq!(answer["hidden_by_policy"], 5);
    assert_eq!(answer["has_next"], true);
    assert_eq!(answer["commit"], id());
    assert!(answer.get("total").is_none() && !answer.to_string().contains("secrets"));
}

#[test]
fn past_the_end_of_a_tree_is_an_empty_page() {
    let world = known(World::open()).on(
        &format!("GET /repos/acme/site/git/trees/{}?page=50", id()),
        json!({ "tree": null, "truncated": false, "total_count": 18 }),
    );
    let answer =
        world.answer("get_file_tree", json!({ "owner": "acme", "repo": "site", "ref": id(), "page": 50 }));
    assert_eq!(answer["entries"], json!([]));
    assert_eq!(answer["has_next"], false);
}

#[test]
fn an_unknown_commit_is_not_found_though_gitea_says_400() {
    let world = known(World::open()).route(Route::new(
        &format!("GET /repos/acme/site/git/trees/{}", id()),
        400,
        json!({ "message": "x" }),
    ));
    let error = world.failure("get_file_tree", json!({ "owner": "acme", "repo": "site", "ref": id() }));
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
}

#[test]
fn text_comes_with_its_lines_and_their_range() {
    let world = holding(World::open(), "src/main.rs", text(b"one\ntwo\nthree\n"));
    let answer = world.answer("get_file_contents", at("src/main.rs"));
    assert_eq!(answer["type"], "text");
    assert_eq!(answer["content"], "one\ntwo\nthree\n");
    assert_eq!(answer["total_lines"], 3);
    assert_eq!(world.asked().len(), 2, "the commit and the file: {:?}", world.asked());

    let mut some = at("src/main.rs");
    some["start_line"] = json!(2);
    some["end_line"] = json!(2);
    assert_eq!(world.answer("get_file_contents", some)["content"], "two\n");

    let mut backwards = at("src/main.rs");
    backwards["start_line"] = json!(3);
    backwards["end_line"] = json!(2);
    match world.call("get_file_contents", backwards) {
        Err(Stopped::Argument(error)) => {
            assert_eq!(error.to_string(), "`start_line` must not be after `end_line`");
        }
        other => panic!("{other:?}"),
    }

    let mut beyond = at("src/main.rs");
    beyond["start_line"] = json!(4);
    let answer = world.answer("get_file_contents", beyond);
    assert_eq!((&answer["content"], &answer["total_lines"]), (&json!(""), &json!(3)));
    let how = answer["truncated_how"].as_str().unwrap_or_default();
    assert!(how.contains("start_line=4 is beyond the last line, 3"), "{answer}");
}

#[test]
fn a_name_that_gitea_could_not_write_down_is_counted_and_not_shown() {
    let tree = json!({ "truncated": false, "total_count": 3, "page": 1, "tree": [
        entry("README.md", "blob", "100644"),
        entry("caf\u{fffd}.txt", "blob", "100644"),
        entry("a\nb", "blob", "100644"),
    ] });
    let world = known(World::open()).on(&format!("GET /repos/acme/site/git/trees/{}", id()), tree);
    let answer = world.answer("get_file_tree", json!({ "owner": "acme", "repo": "site", "ref": id() }));
    assert_eq!(answer["entries"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(answer["hidden_by_policy"], 2);
}

#[test]
fn an_empty_file_is_text_without_lines() {
    let answer = holding(World::open(), "empty", text(b"")).answer("get_file_contents", at("empty"));
    assert_eq!(answer["content"], "");
    assert_eq!(answer["total_lines"], 0);
}

#[test]
fn what_is_not_text_is_described_and_not_returned() {
    for (content, kind) in [(&b"a\0b"[..], "binary"), (&[0xff, 0xfe, 0x41][..], "binary")] {
        let answer = holding(World::open(), "x", text(content)).answer("get_file_contents", at("x"));
        assert_eq!(answer["type"], kind);
        assert!(answer.get("content").is_none(), "{answer}");
    }
    let broken = file("file", json!({ "content": "###", "encoding": "base64" }));
    let answer = holding(World::open(), "x", broken).answer("get_file_contents", at("x"));
    assert_eq!(answer["type"], "binary");
}

#[test]
fn an_lfs_object_is_not_passed_off_as_its_pointer() {
    let oid = "4".repeat(64);
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n");
    let mut known = text(pointer.as_bytes());
    known["lfs_oid"] = json!(oid);
    known["lfs_size"] = json!(12345);
    // Gitea before 1.25 does not say that it is a pointer.
    for file in [known, text(pointer.as_bytes())] {
        let answer = holding(World::open(), "x", file).answer("get_file_contents", at("x"));
        assert_eq!(answer["type"], "lfs");
        assert_eq!(answer["lfs_oid"], oid.as_str());
        assert_eq!(answer["lfs_size"], 12345);
        assert!(answer.get("content").is_none());
    }
}

#[test]
fn a_symlink_is_told_and_never_followed() {
    let link = |target: &str| file("symlink", json!({ "target": target }));
    let world = holding(World::with(HIDING, &[]), "a/link", link("../docs/x.md"));
    let answer = world.answer("get_file_contents", at("a/link"));
    assert_eq!((&answer["type"], &answer["target"]), (&json!("symlink"), &json!("../docs/x.md")));

    for target in ["../src/secrets/key", "../src/./secrets", "../x/../ca.pem"] {
        let world = holding(World::with(HIDING, &[]), "a/link", link(target));
        let answer = world.answer("get_file_contents", at("a/link"));
        assert_eq!(answer["target_hidden"], true, "{target}");
        assert!(answer.get("target").is_none(), "{answer}");
        assert_eq!(world.asked().len(), 2, "{:?}", world.asked());
    }
}

#[test]
fn a_submodule_and_a_directory_are_not_files() {
    let module = file("submodule", json!({ "submodule_git_url": "https://example.test/x.git" }));
    let answer = holding(World::open(), "x", module).answer("get_file_contents", at("x"));
    assert_eq!(answer["type"], "submodule");
    assert_eq!(answer["submodule_git_url"], "https://example.test/x.git");

    let directory =
        known(World::open()).on("GET /repos/acme/site/contents-ext/src", json!({ "dir_contents": [] }));
    let error = directory.failure("get_file_contents", at("src"));
    assert!(matches!(error, Error::Unprocessable { reason: "is_a_directory", .. }), "{error:?}");
}

#[test]
fn a_file_above_the_limit_is_described_without_being_read() {
    let world = known(World::with(OPEN_POLICY, &[("MAX_FILE_SIZE_BYTES", "1024")]))
        .route(Route::failing(
            "GET /repos/acme/site/contents-ext/big?includes=file_content,lfs_metadata",
            Failure::TooLarge,
        ))
        .on(
            "GET /repos/acme/site/contents-ext/big?includes=lfs_metadata",
            json!({ "file_contents": file("file", json!({ "size": 5_000_000 })) }),
        );
    let answer = world.answer("get_file_contents", at("big"));
    assert_eq!(
        (&answer["type"], &answer["size"], &answer["max_bytes"]),
        (&json!("too_large"), &json!(5_000_000), &json!(1024))
    );
    assert_eq!(answer["truncated"], true);
    assert!(answer["truncated_how"].as_str().unwrap_or_default().contains("MAX_FILE_SIZE_BYTES"));
    let requests = world.state.borrow().requests.clone();
    let mut files = requests.iter().filter(|request| request.template.contains("contents"));
    assert!(files.all(|request| request.max_bytes < 1024 * 2 + 65 * 1024), "{requests:?}");
    assert_eq!(requests.len(), 3, "the commit, the file, the file without its content");
}

#[test]
fn a_file_just_above_the_limit_that_fits_the_answer_is_not_returned_either() {
    let world = World::with(OPEN_POLICY, &[("MAX_FILE_SIZE_BYTES", "1024")]);
    let answer = holding(world, "x", text(&[b'a'; 1025])).answer("get_file_contents", at("x"));
    assert_eq!(answer["type"], "too_large");
    assert!(answer.get("content").is_none());
}

#[test]
fn a_blob_that_gitea_does_not_give_is_too_large() {
    let answer = holding(World::open(), "x", file("file", json!({ "size": 20_000_000 })))
        .answer("get_file_contents", at("x"));
    assert_eq!(answer["type"], "too_large");
}

#[test]
fn an_older_gitea_is_asked_the_older_way() {
    let older =
        known(World::open()).on(&format!("GET /repos/acme/site/contents/x?ref={}", id()), text(b"hi\n"));
    assert_eq!(older.answer("get_file_contents", at("x"))["content"], "hi\n");
    let directory = known(World::open()).on("GET /repos/acme/site/contents/x", json!([{ "type": "file" }]));
    let error = directory.failure("get_file_contents", at("x"));
    assert!(matches!(error, Error::Unprocessable { reason: "is_a_directory", .. }), "{error:?}");
}

#[test]
fn a_missing_file_is_not_found_by_either_way() {
    let world = known(World::open());
    let error = world.failure("get_file_contents", at("no/such"));
    assert!(error.message().contains("`no/such`"), "{}", error.message());
    assert_eq!(world.asked().len(), 3, "{:?}", world.asked());
}

#[test]
fn raw_and_media_are_never_used() {
    let world = known(World::open());
    let _ = world.call("get_file_contents", at("main/src/secrets/x"));
    assert!(world.asked().iter().all(|line| !line.contains("/raw") && !line.contains("/media")));
}

#[test]
fn a_denied_path_is_refused_in_every_spelling_before_anything_is_asked() {
    for path in ["src/secrets/key", "SRC/Secrets/KEY", "src/secrets", "deep/down/ca.pem", "CA.PEM"] {
        let world = World::with(HIDING, &[]);
        let mut arguments = at(path);
        for owner in ["acme", "ACME", "Acme"] {
            arguments["owner"] = json!(owner);
            let stopped = world.call("get_file_contents", arguments.clone());
            assert!(matches!(stopped, Err(Stopped::Refused(_))), "{owner} {path}: {stopped:?}");
        }
        assert!(world.asked().is_empty());
    }
}
