//! Trees and files, at branches, tags and commits, of every kind that Git knows.

use serde_json::{Value, json};

use crate::place::{Ground, Who};
use crate::repositories::each;

const EVERYTHING: [(&str, &str); 25] = [
    (".gitattributes", "file"),
    (".gitmodules", "file"),
    ("README.md", "file"),
    ("a", "directory"),
    ("a/b", "directory"),
    ("a/b/deeper.txt", "file"),
    ("assets", "directory"),
    ("assets/huge.bin", "file"),
    ("assets/large.txt", "file"),
    ("bin", "directory"),
    ("bin/logo.png", "file"),
    ("bin/tool", "file"),
    ("config.env", "file"),
    ("docs", "directory"),
    ("docs/guide.md", "file"),
    ("docs/übersicht.md", "file"),
    ("empty.txt", "file"),
    ("link-to-secret", "symlink"),
    ("model.lfs", "file"),
    ("src", "directory"),
    ("src/lib.rs", "file"),
    ("src/main.rs", "file"),
    ("src/secrets", "directory"),
    ("src/secrets/key.pem", "file"),
    ("vendored", "submodule"),
];

fn entries(tree: &Value) -> Vec<(&str, &str)> {
    let rows = tree["entries"].as_array().expect("entries");
    rows.iter()
        .map(|row| (row["path"].as_str().expect("a path"), row["type"].as_str().expect("a type")))
        .collect()
}

/// The tree of a repository, whole, level by level and page by page.
pub async fn lists_a_tree(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let whole = stand.read("get_file_tree", stand.at("alice/demo", json!({ "recursive": true }))).await;
    assert_eq!(entries(&whole), EVERYTHING);
    assert_eq!(whole["commit"], stand.commit("main"));
    assert_eq!((&whole["has_next"], &whole["total"]), (&json!(false), &json!(25)));
    assert_eq!(whole.get("truncated"), None);
    let row = |path: &str| {
        whole["entries"].as_array().expect("a list").iter().find(|row| row["path"] == path).expect("an entry")
    };
    assert_eq!((&row("bin/tool")["mode"], &row("README.md")["mode"]), (&json!("100755"), &json!("100644")));
    assert_eq!(row("README.md")["size"], 25);
    assert_eq!(row("README.md")["sha"], "2c064af80339c702a60df450a8cb7a03be6031e5");
    assert_eq!(
        (row("a").get("size"), row("vendored").get("size")),
        (None, None),
        "no size where there is none"
    );

    let top = stand.read("get_file_tree", stand.at("alice/demo", json!({ "ref": "main" }))).await;
    let expected: Vec<_> = EVERYTHING.into_iter().filter(|(path, _)| !path.contains('/')).collect();
    assert_eq!(entries(&top), expected);

    let mut walked = Vec::new();
    for page in 1..=3 {
        let arguments = stand.at("alice/demo", json!({ "recursive": true, "page": page, "limit": 10 }));
        let found = stand.read("get_file_tree", arguments).await;
        assert_eq!(found["page"], page);
        assert_eq!(found["has_next"], page < 3);
        assert_eq!(found.get("total"), None, "a page does not know the total");
        walked.extend(found["entries"].as_array().expect("a list").clone());
    }
    assert_eq!(json!(walked), whole["entries"], "the pages together are the whole");
    let beyond = stand.read("get_file_tree", stand.at("alice/demo", json!({ "page": 9, "limit": 10 }))).await;
    assert_eq!((&beyond["entries"], &beyond["has_next"]), (&json!([]), &json!(false)));
    stand.end().await;
}

/// A branch with a slash, a tag, a full and a short commit id, and what is none of them.
pub async fn reads_at_every_kind_of_ref(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let tagged = stand.commit("v1.0").to_owned();
    for reference in ["v1.0", &tagged, &tagged[..10]] {
        let at = stand.at("alice/demo", json!({ "ref": reference, "recursive": true }));
        let tree = stand.read("get_file_tree", at).await;
        assert_eq!(tree["commit"], tagged, "{reference}");
        let paths = each(&tree["entries"], "/path");
        assert!(
            paths.contains(&&json!("a/b/c/deep.txt")) && !paths.contains(&&json!("bin/tool")),
            "{paths:?}"
        );
        let at = stand.at("alice/demo", json!({ "ref": reference, "filepath": "a/b/c/deep.txt" }));
        let file = stand.read("get_file_contents", at).await;
        assert_eq!((&file["content"], &file["commit"]), (&json!("deep\n"), &json!(tagged)));
    }
    let at = stand.at("alice/demo", json!({ "ref": "feature/one", "filepath": "feature.txt" }));
    let file = stand.read("get_file_contents", at).await;
    assert_eq!(
        (&file["content"], &file["commit"]),
        (&json!("feature\n"), &json!(stand.commit("feature/one")))
    );

    for (tool, more) in
        [("get_file_tree", json!({})), ("get_file_contents", json!({ "filepath": "README.md" }))]
    {
        let mut at = stand.at("alice/demo", more.clone());
        at["ref"] = json!("no-such-branch");
        let said = stand.fails(tool, at, 404, "not_found").await;
        assert!(said.contains("no-such-branch"), "{said}");
        let said = stand.fails(tool, stand.at("alice/empty", more.clone()), 409, "repository_empty").await;
        assert!(said.contains("empty"), "{said}");
        let mut at = stand.at("alice/demo", more);
        at["ref"] = json!("0".repeat(40));
        stand.fails(tool, at, 404, "not_found").await;
    }
    stand.end().await;
}

/// What a file is decides what is told of it.
pub async fn reads_files_of_every_kind(ground: Ground) {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let file = async |path: &str| {
        let found =
            stand.read("get_file_contents", stand.at("alice/demo", json!({ "filepath": path }))).await;
        assert_eq!((&found["path"], &found["commit"]), (&json!(path), &json!(stand.commit("main"))));
        found
    };
    let readme = file("README.md").await;
    assert_eq!(
        (&readme["type"], &readme["content"]),
        (&json!("text"), &json!("# demo\n\nA small program.\n"))
    );
    assert_eq!((&readme["size"], &readme["total_lines"]), (&json!(25), &json!(3)));
    assert_eq!((&readme["start_line"], &readme["end_line"]), (&json!(1), &json!(3)));
    assert_eq!(readme["sha"], "2c064af80339c702a60df450a8cb7a03be6031e5");
    assert_eq!(file("docs/übersicht.md").await["content"], "# Übersicht\n\nGrüße aus Köln.\n");
    let empty = file("empty.txt").await;
    assert_eq!((&empty["type"], &empty["content"], &empty["size"]), (&json!("text"), &json!(""), &json!(0)));

    for (path, kind) in [("bin/logo.png", "binary"), ("vendored", "submodule"), ("link-to-secret", "symlink")]
    {
        let found = file(path).await;
        assert_eq!((&found["type"], found.get("content")), (&json!(kind), None), "{path}");
    }
    assert_eq!(file("link-to-secret").await["target"], "src/secrets/key.pem");
    assert_eq!(file("vendored").await["submodule_git_url"], "https://example.test/x.git");
    let pointer = file("model.lfs").await;
    assert_eq!(
        (&pointer["type"], pointer.get("content")),
        (&json!("lfs"), None),
        "a pointer is not the file"
    );
    assert_eq!(pointer["lfs_size"], 12345);
    assert_eq!(pointer["lfs_oid"], "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393");
    for (path, size) in [("assets/large.txt", 1_199_988), ("assets/huge.bin", 10 * 1024 * 1024 + 1)] {
        let found = file(path).await;
        assert_eq!((&found["type"], found.get("content")), (&json!("too_large"), None), "{path}");
        assert_eq!(found["max_bytes"], 1_048_576);
        // Without a way to ask for the description alone, only Gitea's own limit leaves one to be read.
        if !ground.tells_less() || path == "assets/huge.bin" {
            assert_eq!(found["size"], size, "{path}");
        }
        assert_eq!(found["truncated"], true);
        assert!(found["truncated_how"].as_str().expect("a text").contains("MAX_FILE_SIZE_BYTES"));
    }
    let said = stand
        .fails(
            "get_file_contents",
            stand.at("alice/demo", json!({ "filepath": "src" })),
            422,
            "is_a_directory",
        )
        .await;
    assert!(said.contains("get_file_tree"), "it says which tool lists it: {said}");
    let at = stand.at("alice/demo", json!({ "filepath": "src/none.rs" }));
    let said = stand.fails("get_file_contents", at, 404, "not_found").await;
    assert!(said.contains("src/none.rs") && said.contains(stand.commit("main")), "{said}");
    stand.end().await;
}

/// Lines are counted as they are shown, and what does not fit tells where to go on.
pub async fn reads_a_long_file_in_parts(ground: Ground) {
    let stand = ground
        .stand(Who::Alice, |setup| {
            setup.set("MAX_FILE_SIZE_BYTES", "2097152").set("MAX_TOOL_RESPONSE_CHARS", "1000")
        })
        .await;
    let part = async |start: u64| {
        let more = json!({ "filepath": "assets/large.txt", "start_line": start });
        stand.read("get_file_contents", stand.at("alice/demo", more)).await
    };
    let (line, total) = ("All work and no play makes a large file.\n", 29_268);
    let first = part(1).await;
    assert_eq!(first["total_lines"], total);
    assert_eq!((&first["truncated"], &first["start_line"]), (&json!(true), &json!(1)));
    let end = first["end_line"].as_u64().expect("a line");
    assert_eq!(first["content"], line.repeat(usize::try_from(end).expect("small")), "whole lines");
    let next = first["next_start_line"].as_u64().expect("where to go on");
    assert_eq!(next, end + 1);
    assert!(first["truncated_how"].as_str().expect("a text").contains("start_line"), "{first}");
    let second = part(next).await;
    assert_eq!((&second["start_line"], &second["total_lines"]), (&json!(next), &json!(total)));
    let last = part(total).await;
    assert_eq!((&last["content"], last.get("truncated")), (&json!(line), None));

    let more = json!({ "filepath": "src/lib.rs", "start_line": 3, "end_line": 4 });
    let found = stand.read("get_file_contents", stand.at("alice/demo", more)).await;
    assert_eq!(found["content"], "/// Twice.\npub fn twice(n: u32) -> u32 {\n");
    assert_eq!((&found["start_line"], &found["end_line"]), (&json!(3), &json!(4)));
    let more = json!({ "filepath": "src/lib.rs", "start_line": 4, "end_line": 3 });
    let at = stand.at("alice/demo", more);
    let (said, _) = stand.refused("get_file_contents", at, 400, "invalid_arguments").await;
    assert!(said.contains("start_line"), "{said}");
    let beyond = part(total + 1).await;
    assert_eq!((&beyond["content"], &beyond["total_lines"]), (&json!(""), &json!(total)));
    assert!(
        beyond["truncated_how"].as_str().is_some_and(|how| how.contains("beyond the last line")),
        "{beyond}"
    );
    stand.end().await;
}
