//! `audit query`: rows, filters, forms, and every way to be told that not all could be read.

use std::io::Write as _;
use std::path::PathBuf;

use aegis_tests::server::{Folder, program};
use serde_json::Value;

use super::lines::Log;

/// Three calls, two refusals, an event, and a call that never ended.
fn written() -> (Folder, PathBuf) {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    let mut log = Log::new();
    log.call("t1", "alice", "list_issues", "read", "success");
    log.call("t2", "alice", "create_issue", "write", "error");
    log.call("t3", "bob", "create_branch", "write", "success");
    log.line(
        "access_denied",
        r#""detail":{"rule":"tools.deny"},"owner":"acme","principal":"bob","reason":"policy_denied","repo":"vault","tool":"get_issue""#,
    );
    log.line("access_denied", r#""address":"192.0.2.0/24","reason":"rate_limited","suppressed":40"#);
    log.line("security_event", r#""detail":{"by":"file"},"reason":"policy_reloaded""#);
    log.line(
        "tool_invocation",
        r#""class":"write","owner":"Acme","principal":"carol","repo":"Site","status":"pending","ticket":"t4","tool":"merge_pull_request""#,
    );
    log.write(&path);
    (folder, path)
}

async fn query(arguments: &[&str]) -> (i32, String, String) {
    program(&[&["audit", "query"], arguments].concat(), &[]).await
}

/// The rows as JSON.
async fn rows(arguments: &[&str]) -> Vec<Value> {
    let (code, out, err) = query(&[arguments, &["--format", "json"]].concat()).await;
    assert_eq!(code, 0, "{err}");
    out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What a member of each row says.
fn each<'a>(rows: &'a [Value], name: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[name].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn intent_and_outcome_are_one_row_and_a_call_without_an_outcome_is_open() {
    let (_folder, log) = written();
    let rows = rows(&[&log.display().to_string()]).await;
    assert_eq!(each(&rows, "outcome"), ["success", "error", "success", "denied", "denied", "open"]);
    let second = &rows[1];
    for (name, value) in [
        ("user", "alice"),
        ("client", "Claude"),
        ("tool", "create_issue"),
        ("class", "write"),
        ("repository", "acme/site"),
        ("target", "src/a.rs, issue_number=7"),
        ("ticket", "t2"),
        ("request_id", "r-t2"),
    ] {
        assert_eq!(second[name], value, "{name}");
    }
    assert_eq!(second["duration_ms"], 60_000);
    assert_eq!(second["requests"], 0);
    assert_eq!((&rows[4]["count"], &rows[5]["duration_ms"]), (&Value::from(40), &Value::Null));
}

#[tokio::test]
async fn every_option_narrows() {
    let (_folder, log) = written();
    let log = log.display().to_string();
    for (arguments, tickets) in [
        (&["--user", "ALICE"][..], &["t1", "t2"][..]),
        (&["--user", "alice", "--user", "carol"], &["t1", "t2", "t4"]),
        (&["--client", "claude"], &["t1", "t2", "t3"]),
        (&["--tool", "create_*"], &["t2", "t3"]),
        (&["--repo", "acme/*"], &["t1", "t2", "t3", "-", "t4"]),
        (&["--repo", "acme/vault"], &["-"]),
        (&["--outcome", "success", "--outcome", "open"], &["t1", "t3", "t4"]),
        (&["--denied"], &["-", "-"]),
        (&["--denied", "--outcome", "error"], &["t2", "-", "-"]),
        (&["--writes"], &["t2", "t3", "t4"]),
        (&["--writes", "--user", "alice"], &["t2"]),
        (&["--reason", "policy_*"], &["-"]),
        (&["--request-id", "r-t3"], &["t3"]),
        (&["--request-id", "t3"], &["t3"]),
        (&["--since", "2026-05-01T00:05Z"], &["t3", "-", "-", "t4"]),
        (&["--until", "2026-05-01T00:03Z"], &["t1"]),
        (&["--since", "2026-05-01", "--until", "2026-05-01", "--limit", "2"], &["t1", "t2"]),
        (&["--until", "2026-04-30"], &[]),
        (&["--events", "--reason", "policy_reloaded"], &["-"]),
    ] {
        let found = rows(&[&[log.as_str()], arguments].concat()).await;
        assert_eq!(each(&found, "ticket"), tickets, "{arguments:?}");
    }
}

#[tokio::test]
async fn nothing_found_is_no_failure_and_says_how_much_was_looked_at() {
    let (_folder, log) = written();
    let (code, out, err) = query(&[&log.display().to_string(), "--user", "nobody"]).await;
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.contains("0 of 8 rows, from 11 lines in 1 files; not verified"), "{err}");
}

#[tokio::test]
async fn segments_are_read_in_their_order_also_compressed_and_once() {
    let (folder, log) = written();
    let text = String::from_utf8(std::fs::read(&log).expect("written")).expect("UTF-8");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let closed = folder.0.join("audit-000000000001-000000000004.jsonl");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(lines[..4].concat().as_bytes()).expect("compressed");
    std::fs::write(
        folder.0.join("audit-000000000001-000000000004.jsonl.gz"),
        gz.finish().expect("compressed"),
    )
    .expect("written");
    // The same segment as it was before it was compressed: the second call's intent is in it, its outcome is not.
    std::fs::write(&closed, lines[..4].concat()).expect("written");
    std::fs::write(&log, lines[4..].concat()).expect("written");
    let found = rows(&[&folder.0.display().to_string()]).await;
    assert_eq!(each(&found, "outcome"), ["success", "error", "success", "denied", "denied", "open"]);
    // Named one by one, in any order, they are the same log.
    let (log, closed) = (log.display().to_string(), closed.display().to_string());
    assert_eq!(rows(&[&log, &closed]).await, found);
    // The active file alone does not know how its first call began.
    let (code, out, err) = query(&[&log, "--format", "json"]).await;
    assert!(code == 0 && err.contains("1 calls began before the lines that were given"), "{err}");
    let first: Value = serde_json::from_str(out.lines().next().expect("a row")).expect("JSON");
    assert_eq!((&first["class"], &first["duration_ms"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn broken_and_missing_lines_are_told_and_the_rest_is_shown() {
    let (_folder, log) = written();
    let name = log.display().to_string();
    let text = std::fs::read_to_string(&log).expect("written");
    std::fs::write(&log, text.replace("\"tool\":\"create_branch\",\"status\":\"pending\"", "\"tool\":7"))
        .expect("written");
    let cut = text.split_inclusive('\n').enumerate().filter(|(at, _)| *at != 3).map(|(_, line)| line);
    std::fs::write(&log, cut.collect::<String>()).expect("written");
    let (code, _, err) = query(&[&name]).await;
    assert!(code == 0 && err.contains("lines 4 to 4 are not among what was given"), "{code} {err}");
    std::fs::write(&log, text.replacen("create_issue", "create\u{1b}issue", 1)).expect("written");
    let (code, out, err) = query(&[&name]).await;
    assert!(code == 2 && err.contains("line 4 is left out: not a valid entry"), "{code} {err}");
    assert!(err.contains("audit verify") && out.contains("create_branch"), "{out}{err}");
    assert!(!out.contains('\u{1b}') && !err.contains('\u{1b}'), "{out}{err}");
    // A line that is being written is none yet.
    std::fs::write(&log, text.get(..text.len() - 40).expect("shorter")).expect("written");
    assert_eq!(query(&[&name]).await.0, 0);
}

#[tokio::test]
async fn what_cannot_be_read_or_understood_ends_with_2() {
    let (folder, log) = written();
    let log = log.display().to_string();
    let empty = folder.0.join("empty");
    std::fs::create_dir(&empty).expect("made");
    let gz = folder.0.join("audit-000000000001-000000000009.jsonl.gz");
    std::fs::write(&gz, b"this is not gzip").expect("written");
    for (arguments, says) in [
        (&["/not/there"][..], "cannot be read"),
        (&[&empty.display().to_string()], "holds neither audit.log"),
        (&[&gz.display().to_string()], "cannot be read"),
        (&[], "PATHS"),
        (&[&log, "--since", "yesterday"], "how long ago"),
        (&[&log, "--outcome", "fine"], "possible values"),
        (&[&log, "--format", "xml"], "possible values"),
    ] {
        let (code, out, err) = query(arguments).await;
        assert!(code == 2 && err.contains(says) && out.is_empty(), "{arguments:?}: {code} {out}{err}");
    }
}

#[tokio::test]
async fn cells_are_quoted_and_no_spreadsheet_takes_one_for_a_formula() {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    let mut log = Log::new();
    for (ticket, name) in [
        ("t1", "=1+1"),
        ("t2", "+1"),
        ("t3", "-1"),
        ("t4", "@SUM(A1)"),
        ("t5", "a \"b\", c\\u000ad"),
        ("t6", "\\t=1"),
    ] {
        let name = name.replace('"', "\\\"");
        log.line(
            "access_denied",
            &format!(
                r#""principal":"{name}","reason":"policy_denied","request_id":"{ticket}","tool":"get_issue""#
            ),
        );
    }
    log.write(&path);
    let (code, out, _) = query(&[&path.display().to_string(), "--format", "csv"]).await;
    assert_eq!(code, 0);
    let lines: Vec<&str> = out.split("\r\n").collect();
    assert!(lines[0].starts_with("time,seq,kind,event,user,client"), "{out}");
    assert_eq!((lines.len(), lines[7]), (8, ""), "{out}");
    for (line, cell) in lines[1..].iter().zip([
        ",'=1+1,",
        ",'+1,",
        ",'-1,",
        ",'@SUM(A1),",
        ",\"a \"\"b\"\", c\u{fffd}d\",",
        ",\u{fffd}=1,",
    ]) {
        assert!(line.contains(cell), "{cell}: {line}");
    }
}

#[tokio::test]
async fn nothing_that_a_terminal_acts_on_reaches_it() {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    let mut log = Log::new();
    log.line(
        "access_denied",
        r#""principal":"a\u001b[31mb\u202ec\u009b1m","reason":"policy_denied","tool":"get_issue""#,
    );
    log.write(&path);
    for format in ["table", "json", "csv"] {
        let (code, out, _) = query(&[&path.display().to_string(), "--format", format]).await;
        assert_eq!(code, 0);
        assert!(!out.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{format}: {out:?}");
        assert!(out.contains("[31mb"), "{format}: {out:?}");
    }
}
