//! `audit tail`: the last lines, those that come, and the change of segments between them.

use std::process::Stdio;

use aegis_tests::server::{Folder, KEY, dist, program};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::lines::Log;
use crate::scene::{READ, Scene, call};

async fn tail(arguments: &[&str]) -> (i32, String, String) {
    program(&[&["audit", "tail"], arguments].concat(), &[]).await
}

fn following(arguments: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut command = Command::new(dist().join("aegis-mcp"));
    command.args(["audit", "tail", "-f"]).args(arguments).env_clear().stdin(Stdio::null());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it is built");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    (child, lines)
}

/// Ctrl-C.
async fn interrupt(child: &mut Child) -> Option<i32> {
    let id = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.expect("kill is there").success());
    child.wait().await.expect("it ended").code()
}

#[tokio::test]
async fn the_last_lines_are_shown_with_what_their_intents_said() {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    let mut log = Log::new();
    log.call("t1", "alice", "list_issues", "read", "success");
    log.call("t2", "bob", "create_issue", "write", "denied");
    log.write(&path);
    let name = path.display().to_string();
    let (code, out, err) = tail(&[&name, "-n", "2"]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("TIME"), "{out}");
    assert!(lines[1].contains("create_issue") && lines[1].contains(" open "), "{out}");
    for part in ["2026-05-01 00:04:00Z", "bob", "Claude", "acme/site", "denied", "1 min 0 s", "src/a.rs"] {
        assert!(lines[2].contains(part), "{part}: {out}");
    }
    // What was asked for may lie far back; the folder is the same log; raw is raw.
    let (_, out, _) = tail(&[&folder.0.display().to_string(), "-n", "1", "--user", "alice", "--json"]).await;
    let text = String::from_utf8(log.bytes.clone()).expect("UTF-8");
    assert_eq!(out.as_str(), text.split_inclusive('\n').nth(2).expect("a line"));
    assert_eq!(tail(&[&name, "-n", "0"]).await.1, "");
}

#[tokio::test]
async fn older_segments_are_read_where_the_active_one_has_not_enough() {
    let folder = Folder::new();
    let mut log = Log::new();
    for n in 0..6 {
        log.call(&format!("t{n}"), "alice", "list_issues", "read", "success");
    }
    let text = String::from_utf8(log.bytes.clone()).expect("UTF-8");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (name, part) in [
        ("audit-000000000001-000000000005.jsonl", &lines[..5]),
        ("audit-000000000006-000000000010.jsonl", &lines[5..10]),
        ("audit.log", &lines[10..]),
    ] {
        std::fs::write(folder.0.join(name), part.concat()).expect("written");
    }
    for count in [1, 3, 4, 8, 9, 13] {
        let (_, out, _) =
            tail(&[&folder.0.display().to_string(), "--json", "--events", "-n", &count.to_string()]).await;
        assert_eq!(out, lines[lines.len() - count..].concat(), "{count}");
    }
}

#[tokio::test]
async fn what_comes_is_shown_across_segments_until_somebody_ends_it() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let folder = scene.audit.parent().expect("a folder").display().to_string();
    let (mut child, mut lines) = following(&[&folder, "--json", "--events", "-n", "1000"]);
    let mut expected: u64 = 1;
    for round in 0_u64..3 {
        assert_eq!(call(&server.url, KEY, READ).await.expect("no panic").expect("an answer").status, 200);
        let audit = scene.audit.display().to_string();
        let registry = scene.folder.0.join("registry").join("dcr.json").display().to_string();
        let places = [("AUDIT_LOG_PATH", audit.as_str()), ("DCR_STORAGE_PATH", registry.as_str())];
        let (code, out, err) = program(&["audit", "rotate"], &places).await;
        assert_eq!(code, 0, "{out}{err}");
        // Up to the first line of the segment that comes next, none left out and none twice.
        loop {
            let line = lines.next_line().await.expect("read").expect("it goes on");
            let line: Value = serde_json::from_str(&line).expect("a line of the log");
            assert_eq!(line["seq"], expected);
            expected += 1;
            if line["event"] == "segment_close" && line["number"] == round + 1 {
                break;
            }
        }
    }
    assert_eq!(interrupt(&mut child).await, Some(0));
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_ends_it_and_settings_name_the_log() {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    Log::new().call("t1", "alice", "list_issues", "read", "success").write(&path);
    let (code, out, err) =
        program(&["audit", "tail"], &[("AUDIT_LOG_PATH", &path.display().to_string())]).await;
    assert!(code == 0 && out.contains("list_issues"), "{code} {out}{err}");
    let (mut child, mut lines) = following(&[&path.display().to_string(), "--json"]);
    assert!(lines.next_line().await.expect("read").is_some());
    drop(lines);
    let mut log = Log::new();
    for n in 0..2 {
        log.call(&format!("t{n}"), "alice", "list_issues", "read", "success");
    }
    log.write(&path);
    assert_eq!(child.wait().await.expect("it ended").code(), Some(0));
}

#[tokio::test]
async fn a_hostile_line_is_told_and_never_shown_raw() {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    let mut log = Log::new();
    log.line("access_denied", r#""principal":"a\u001b[31mb","reason":"policy_denied","tool":"x""#);
    log.bytes.extend_from_slice(b"\x1b[2J this is no line\n");
    log.bytes.extend_from_slice(&[b'x'; 20_000]);
    log.bytes.push(b'\n');
    log.line("access_denied", r#""principal":"bob","reason":"policy_denied","tool":"x""#);
    log.write(&path);
    for more in [&[][..], &["--json"]] {
        let (code, out, err) = tail(&[&[path.display().to_string().as_str()], more].concat()).await;
        assert_eq!(code, 0, "{err}");
        assert!(!out.contains('\u{1b}') && !err.contains('\u{1b}'), "{out:?}{err:?}");
        assert!(
            out.contains("bob") && err.contains("line 3 is left out") && err.contains("longer than"),
            "{out}{err}"
        );
    }
    for arguments in [&["/not/there"][..], &["/not/there", "-f"]] {
        let (code, _, err) = tail(arguments).await;
        assert!(code == 2 && err.contains("cannot be read"), "{code} {err}");
    }
    let (code, _, err) = program(&["audit", "tail", "--env-file", "/not/there.env"], &[]).await;
    assert!(code == 64 && err.contains("/not/there.env"), "{code} {err}");
}
