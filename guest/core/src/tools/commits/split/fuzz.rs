//! Damaged and hostile diffs: alone, in pieces, and through the whole tool.

use aegis_fuzz::campaign;
use serde_json::json;

use super::{FileDiff, Splitter};
use crate::tools::fake::{Route, Stopped, World};

const POLICY: &str = "repositories:\n  acme/site:\n    paths: {deny: [\"secrets/*\", \"*.pem\"]}\n";
const WORDS: &[&str] = &[
    "diff --git a/",
    " b/",
    "--- a/",
    "+++ b/",
    "--- /dev/null",
    "@@ -1 +1 @@\n",
    "@@ -0,0 +1,3 @@\n",
    "rename from ",
    "rename to ",
    "new file mode 120000\n",
    "Binary files ",
    "secrets/k",
    "\\ No newline at end of file\n",
    "\\303\\244",
];
const COMMIT: &str = "9999999999999999999999999999999999999999";
/// Characters of each patch that are kept.
const KEPT: usize = 200;

/// The files of a diff that arrives in pieces of this size.
fn files(input: &[u8], piece: usize) -> Vec<FileDiff> {
    let mut found = Vec::new();
    let mut splitter = Splitter::new(KEPT);
    for piece in input.chunks(piece) {
        splitter.push(piece, |file| found.push(file));
    }
    splitter.finish(true, |file| found.push(file));
    found
}

#[test]
fn diffs() {
    campaign("diffs", WORDS, |input| {
        let found = files(input, usize::MAX);
        for piece in [1, 7, 1000] {
            assert_eq!(found, files(input, piece), "pieces of {piece} bytes make other files");
        }
        assert!(found.iter().all(|file| file.patch.chars().count() <= KEPT), "{found:?}");
        through_the_tool(input);
        let behaviour = found.iter().take(5).map(|file| {
            let FileDiff { status, binary, link, cut, .. } = file;
            let named = file.names().map(|(_, old)| old.is_some());
            format!("{status:?} {binary} {link} {cut} {named:?} {}", file.additions.min(3))
        });
        behaviour.collect::<Vec<_>>().join("; ")
    });
}

/// Whatever a diff claims, a file that the policy hides is not shown under the name it has in it.
fn through_the_tool(input: &[u8]) {
    let commit = json!({ "sha": COMMIT, "commit": { "message": "m" }, "parents": [] });
    let one = format!("GET /repos/acme/site/git/commits/{COMMIT}");
    let world = World::with(POLICY, &[])
        .on("GET /repos/acme/site/commits", json!([commit]))
        .on(&one, commit)
        .route(Route::bytes(&format!("{one}.diff"), "text/plain", input));
    match world.call("get_commit_diff", json!({ "owner": "acme", "repo": "site", "sha": "main" })) {
        Ok(finished) => {
            for file in finished.structured["files"].as_array().into_iter().flatten() {
                for name in ["path", "previous_path"] {
                    let path = file[name].as_str().unwrap_or_default();
                    assert!(!path.starts_with("secrets/") && !path.ends_with(".pem"), "{path:?}");
                }
            }
        }
        Err(Stopped::Failed(_)) => {}
        Err(stopped) => panic!("{stopped:?}"),
    }
}
