//! `audit report`: what the page says, that it is safe to open, and its exit codes.

use std::os::unix::fs::PermissionsExt as _;

use aegis_tests::server::{Folder, KEY, program};

use super::lines::Log;
use crate::scene::{READ, Scene, call};

async fn report(arguments: &[&str]) -> (i32, String, String) {
    program(&[&["audit", "report"], arguments].concat(), &[]).await
}

/// The page on standard output, without the places where a name may be broken.
async fn page(log: &str, more: &[&str]) -> (i32, String) {
    let (code, out, err) = report(&[&[log, "-o", "-"], more].concat()).await;
    assert!(out.ends_with("</html>"), "{out}{err}");
    (code, out.replace("<wbr>", ""))
}

#[tokio::test]
async fn a_page_about_what_a_server_wrote_says_that_it_is_whole() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    assert_eq!(call(&server.url, KEY, READ).await.expect("no panic").expect("an answer").status, 200);
    assert_eq!(server.stop().await.code, 0);
    let folder = scene.audit.parent().expect("a folder").display().to_string();
    let file = scene.folder.0.join("report.html");
    std::fs::write(&file, "what was there").expect("written");
    let (code, out, err) = report(&[&folder, "--output", &file.display().to_string()]).await;
    assert!(code == 0 && out.is_empty() && err.contains("whole and unchanged"), "{code} {out}{err}");
    let html = std::fs::read_to_string(&file).expect("it is there").replace("<wbr>", "");
    for part in [
        "The log is whole and unchanged",
        "exit code 0",
        "get_repository_info",
        "Server stopped",
        "alice/demo",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert!(!scene.folder.0.join("report.html.new").exists());
}

#[tokio::test]
async fn the_exit_code_and_the_first_words_are_those_of_verify() {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    let mut log = Log::new();
    log.call("t1", "alice", "create_issue", "write", "success");
    log.write(&path);
    let name = path.display().to_string();
    let (code, html) = page(&name, &[]).await;
    assert!(
        code == 4 && html.contains("not fully proven") && html.contains("names no signing key"),
        "{code} {html}"
    );
    std::fs::write(&path, [&log.bytes[..], b"{\"v\":1,\"se"].concat()).expect("written");
    let (code, html) = page(&name, &[]).await;
    assert!(code == 3 && html.contains("10 bytes at the end are an unfinished write"), "{code} {html}");
    let text = String::from_utf8(log.bytes.clone()).expect("UTF-8");
    std::fs::write(&path, text.replacen("alice", "malice", 1)).expect("written");
    let (code, html) = page(&name, &[]).await;
    assert!(code == 1 && html.contains("The log is DAMAGED") && html.contains("line 2"), "{code} {html}");
    assert!(html.contains("malice"), "what can be read is shown all the same");
    std::fs::write(&path, b"").expect("written");
    let (code, html) = page(&name, &[]).await;
    assert!(code == 2 && html.contains("holds no line"), "{code} {html}");
    for (arguments, says) in [
        (&["/not/there", "-o", "-"][..], "cannot be read"),
        (&[name.as_str()], "--output"),
        (&[&name, "-o", "/not/there/report.html"], "cannot be written"),
        (&[&name, "-o", "-", "--since", "never"], "how long ago"),
    ] {
        let (code, out, err) = report(arguments).await;
        assert!(code == 2 && err.contains(says) && out.is_empty(), "{code} {out}{err}");
    }
}

#[tokio::test]
async fn hostile_names_are_text_on_a_page_that_runs_and_loads_nothing() {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    let mut log = Log::new();
    let hostile = "<script>alert(1)</script>";
    log.call("t1", hostile, "create_issue", "write", "success");
    log.call("t2", "\" onload=\"alert(2)", "<img src=x onerror=alert(3)>", "write", "denied");
    log.line(
        "access_denied",
        r#""owner":"</style><b>","principal":"a\u202eb\u001bc","reason":"</title><svg onload=alert(4)>","repo":"x","tool":"y""#,
    );
    log.line("security_event", r#""detail":{"<u>":"<s>"},"reason":"policy_<i>""#);
    log.write(&path);
    let (_, html) = page(&path.display().to_string(), &[]).await;
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{html}");
    for raw in
        ["<script", "<img", "<b>", "<svg onload", "<i>", "<s>", "<u>", "\" onload", "\u{202e}", "\u{1b}"]
    {
        assert!(!html.contains(raw), "{raw}: {html}");
    }
    let policy = "content=\"default-src 'none'; style-src 'sha256-";
    assert!(html.contains(policy), "{html}");
    for loads in [" href=", "url(", "@import", " style=", "<link", "<iframe"] {
        assert!(!html.contains(loads), "{loads}");
    }
}

#[tokio::test]
async fn a_span_is_counted_alone_and_long_lists_name_the_command_that_has_all() {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    let mut log = Log::new();
    for n in 0..1_003 {
        log.call(&format!("t{n}"), "alice", "create_issue", "write", "success");
    }
    log.line("access_denied", r#""principal":"bob","reason":"policy_denied","tool":"delete_branch""#);
    log.write(&path);
    let name = path.display().to_string();
    let (_, html) = page(&name, &[]).await;
    assert_eq!(html.matches("data-head=\"Request\"").count(), 1_000);
    assert!(html.contains("3 earlier ones are left out"), "{html}");
    assert!(html.contains(&format!("aegis-mcp audit query {name} --writes")), "{html}");
    assert!(html.contains("1\u{202f}004"), "all are counted");
    let (_, html) = page(&name, &["--since", "2026-05-01T00:03Z", "--until", "2026-05-01T00:05Z"]).await;
    assert!(html.contains("from 2026-05-01 00:03:00Z up to 2026-05-01 00:05:00Z"), "{html}");
    assert_eq!(html.matches("data-head=\"Request\"").count(), 1);
    assert!(!html.contains("policy_denied") && html.contains("Nothing of the kind"), "{html}");
}

#[tokio::test]
async fn verify_says_how_far_it_is_where_it_is_asked_to_and_the_same_with_any_number_of_threads() {
    let folder = Folder::new();
    let path = folder.0.join("audit.log");
    let mut log = Log::new();
    for n in 0..2_000 {
        log.call(&format!("t{n}"), "alice", "create_issue", "write", "success");
    }
    log.write(&path);
    let name = path.display().to_string();
    let (code, plain, err) = program(&["audit", "verify", &name], &[]).await;
    assert_eq!((code, err.as_str()), (4, ""), "nobody watches");
    for threads in ["1", "2", "5"] {
        let (code, out, err) =
            program(&["audit", "verify", &name, "--threads", threads, "--progress"], &[]).await;
        assert_eq!((code, &out), (4, &plain), "{threads}");
        let all = log.bytes.len();
        assert!(err.ends_with(&format!("{all} of {all} bytes read (100 %)\n")), "{err}");
    }
    let (code, _, err) = program(&["audit", "verify", &name, "--threads", "0"], &[]).await;
    assert!(code == 2 && err.contains("--threads"), "{code} {err}");
}
