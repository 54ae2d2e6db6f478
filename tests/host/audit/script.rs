//! `scripts/validate_audit_log.py`, which is a verifier by other hands: over the same files it must say what `audit verify` says,
//! save for what only checkpoints tell.

use std::path::{Path, PathBuf};

use aegis_tests::server::{Folder, KEY, program};
use tokio::process::Command;

use super::lines::Log;
use crate::scene::{READ, Scene, call};

async fn script(path: &Path) -> (i32, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/validate_audit_log.py");
    let output =
        Command::new("python3").arg(script).arg("--path").arg(path).output().await.expect("python3 is there");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), text.into_owned())
}

/// The program's verdict, without what it says of missing checkpoints.
async fn verdict(path: &Path) -> i32 {
    match program(&["audit", "verify", &path.display().to_string()], &[]).await.0 {
        4 => 0,
        code => code,
    }
}

/// A few lines, with text that needs care.
fn written() -> Vec<u8> {
    let mut log = Log::new();
    log.call("t1", "al\\ud83d\\ude00ice", "list_issues", "read", "success");
    log.line("some_later_event", r#""n":-0.5e+3,"list":[[],{},null,true,"\u202e\/"]"#);
    log.bytes
}

#[tokio::test]
async fn what_a_server_wrote_is_honest_and_its_root_is_the_signed_one() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    assert_eq!(call(&server.url, KEY, READ).await.expect("no panic").expect("an answer").status, 200);
    let audit = scene.audit.display().to_string();
    let registry = scene.folder.0.join("registry").join("dcr.json").display().to_string();
    let places = [("AUDIT_LOG_PATH", audit.as_str()), ("DCR_STORAGE_PATH", registry.as_str())];
    assert_eq!(program(&["audit", "rotate"], &places).await.0, 0);
    assert_eq!(call(&server.url, KEY, READ).await.expect("no panic").expect("an answer").status, 200);
    assert_eq!(server.stop().await.code, 0);
    let notes = std::fs::read_to_string(scene.audit.with_file_name("audit.checkpoints")).expect("signed");
    let names = std::fs::read_dir(scene.audit.parent().expect("a folder")).expect("it is there");
    let segments: Vec<PathBuf> = names
        .map(|entry| entry.expect("a name").path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl" || end == "log"))
        .collect();
    assert_eq!(segments.len(), 2, "{segments:?}");
    for segment in segments {
        let (code, said) = script(&segment).await;
        assert_eq!(code, 0, "{said}");
        let root =
            said.lines().last().and_then(|line| line.rsplit_once("root ")).expect("a root").1.to_owned();
        assert!(notes.contains(&format!("\n{root}\n")), "{said}{notes}");
    }
}

#[tokio::test]
async fn both_verifiers_say_the_same_of_every_damage() {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    let whole = written();
    let text = String::from_utf8(whole.clone()).expect("UTF-8");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut cases: Vec<(String, Vec<u8>, i32)> = vec![
        ("as it is".into(), whole.clone(), 0),
        ("nothing".into(), Vec::new(), 2),
        ("cut between lines".into(), lines[..2].concat().into(), 0),
        ("cut within a line".into(), whole[..whole.len() - 9].to_vec(), 3),
        ("a hole at the end".into(), [&whole[..], &[0; 4096]].concat(), 3),
        ("a hole with a line feed".into(), [&whole[..], b"\0\0\n\0"].concat(), 3),
        ("a line of its own behind a hole".into(), [&whole[..], b"\0\n", lines[3].as_bytes()].concat(), 1),
        ("rubbish at the end".into(), [&whole[..], b"rubbish\n"].concat(), 1),
        ("a long line".into(), [&whole[..], &[b'x'; 10_000], b"\n"].concat(), 1),
        ("without its beginning".into(), lines[1..].concat().into(), 1),
        ("a line less".into(), [lines[0], lines[2], lines[3]].concat().into(), 1),
        ("a line twice".into(), [lines[0], lines[1], lines[1], lines[2]].concat().into(), 1),
        ("two lines swapped".into(), [lines[0], lines[2], lines[1], lines[3]].concat().into(), 1),
        ("a carriage return".into(), text.replacen('\n', "\r\n", 1).into(), 1),
        ("a space".into(), text.replacen(",\"seq\":2", ", \"seq\":2", 1).into(), 1),
        ("another version".into(), text.replacen("\"v\":1,\"seq\":3", "\"v\":2,\"seq\":3", 1).into(), 1),
        ("no bytes of text".into(), [&whole[..10], &[0xff], &whole[10..]].concat(), 1),
    ];
    for at in (0..whole.len() - 1).step_by(97) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        // The last line may be the rest of a write, as far as anybody can tell, where its line feed is gone alone.
        cases.push((format!("a bit of byte {at}"), changed, 1));
    }
    for (name, bytes, expected) in cases {
        std::fs::write(&path, bytes).expect("written");
        let (code, said) = script(&path).await;
        assert_eq!((code, verdict(&path).await), (expected, expected), "{name}: {said}");
    }
    let (code, said) = script(Path::new("/not/there")).await;
    assert!(code == 2 && said.contains("cannot be read"), "{code} {said}");
}

#[tokio::test]
async fn forms_that_the_document_refuses_are_refused_under_a_hash_that_fits() {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    for members in [
        r#""a":1,"a":2"#,
        r#""a":{"b":1,"\u0062":2}"#,
        r#""a":"\ud800""#,
        r#""a":"\ude00\ud83d""#,
        r#""a":01"#,
        r#""a":NaN"#,
        r#""a":1."#,
        r#""a":'x'"#,
        r#""a":"\x41""#,
        r#""a": 1"#,
        r#""a":[1,]"#,
        "\"a\":\"\u{202e}\"",
        "\"a\":\"\u{7f}\"",
        "\"a\":\"\t\"",
        r#""a":[[[[[[[[1]]]]]]]]"#,
        r#""v":1"#,
    ] {
        let mut log = Log::new();
        log.line("security_event", members);
        log.line("security_event", "");
        log.write(&path);
        let (code, said) = script(&path).await;
        assert_eq!((code, verdict(&path).await), (1, 1), "{members}: {said}");
    }
    for event in ["Event", "", "e".repeat(33).as_str()] {
        let mut log = Log::new();
        log.line(event, "").line("security_event", "").write(&path);
        assert_eq!((script(&path).await.0, verdict(&path).await), (1, 1), "{event}");
    }
    // As deep as it may be, and a number that no counter is.
    let mut log = Log::new();
    log.line("security_event", r#""a":[[[[[[[1]]]]]]],"n":123456789012345678901234567890"#).write(&path);
    let (code, said) = script(&path).await;
    assert_eq!((code, verdict(&path).await), (0, 0), "{said}");
}

#[tokio::test]
async fn a_pipe_in_place_of_a_file_is_refused_at_once() {
    let folder = Folder::new();
    let pipe = folder.0.join("audit.log");
    assert!(Command::new("mkfifo").arg(&pipe).status().await.expect("mkfifo is there").success());
    let (code, said) = script(&pipe).await;
    assert!(code == 2 && said.contains("no regular file"), "{said}");
}
