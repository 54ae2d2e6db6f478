//! The second verifier, in `tests/verifier`, against `audit verify`: of the files of a real server one by one, and with anchors
//! that somebody kept carelessly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aegis_tests::server::{KEY, program};
use serde_json::json;
use tokio::process::Command;

use crate::scene::{READ, Scene, call};

/// Exit code of the second verifier, and what it said.
async fn second(path: &str, anchor: &str) -> (i32, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier/verify.py");
    let mut command = Command::new("python3");
    let output =
        command.arg(script).args(["--anchor", anchor, path]).output().await.expect("python3 is there");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), text.into_owned())
}

#[tokio::test]
async fn both_verifiers_say_the_same_of_single_files_and_of_careless_anchors() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let audit = scene.audit.display().to_string();
    let registry = scene.folder.0.join("registry").join("dcr.json").display().to_string();
    let places = [("AUDIT_LOG_PATH", audit.as_str()), ("DCR_STORAGE_PATH", registry.as_str())];
    assert_eq!(program(&["audit", "rotate"], &places).await.0, 0);
    assert_eq!(call(&server.url, KEY, READ).await.expect("no panic").expect("an answer").status, 200);
    assert_eq!(server.stop().await.code, 0);

    let folder = scene.audit.parent().expect("a folder").to_owned();
    let notes = std::fs::read_to_string(folder.join("audit.checkpoints")).expect("signed");
    // The name of the log stands in the signature, too.
    let begins: Vec<usize> = notes.match_indices("aegis-audit/").map(|(at, _)| at).step_by(2).collect();
    let (first, last) = (&notes[..begins[1]], &notes[begins[begins.len() - 1]..]);
    let anchors = [
        ("as it is", last.to_owned()),
        ("CRLF", last.replace('\n', "\r\n")),
        ("among others", format!("<html>502</html>\n{first}\n\n{last}")),
        ("one and a part", format!("{first}{}", &last[..last.len() / 2])),
        ("a part in front", format!("{}{last}", &first[..first.len() / 2])),
        (
            "in the log of a container",
            format!("{}\n", json!({"log": json!({"checkpoint": last}).to_string()})),
        ),
        ("without its last line feed", format!("\u{feff}{}", last.trim_end())),
        ("a part", last[..last.len() / 2].to_owned()),
        ("of nobody", last.replace(&last[12..20], "01234567")),
        ("of other lines", last.replacen("number ", "number 1", 1)),
    ];
    let names = std::fs::read_dir(&folder).expect("it is there").map(|entry| entry.expect("a name").path());
    let mut paths: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|end| end == "jsonl" || end == "log")).collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    // Under any other name it is taken for an active file.
    let odd = folder.join("copy.of");
    std::fs::copy(folder.join("audit.log"), &odd).expect("copied");
    paths.extend([odd, folder]);
    let anchor = scene.folder.0.join("anchor").display().to_string();
    let mut codes: BTreeMap<i32, usize> = BTreeMap::new();
    for path in paths.iter().map(|path| path.display().to_string()) {
        for (what, text) in &anchors {
            std::fs::write(&anchor, text).expect("written");
            let (code, out, err) = program(&["audit", "verify", &path, "--anchor", &anchor], &[]).await;
            let (other, said) = second(&path, &anchor).await;
            assert_eq!(other, code, "{path}, {what}: {said}{out}{err}");
            *codes.entry(code).or_default() += 1;
        }
    }
    // Valid, damaged, no checkpoint in the file, and the later segment alone.
    assert_eq!(codes.into_keys().collect::<Vec<i32>>(), [0, 1, 2, 4]);
}
