//! The stanza of docs/audit.md, run by logrotate itself on the segments of a real log: compressed after a week, removed after a
//! year, the active files left alone, and `verify` content.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stand::{Stand, read};

/// The stanza as the manual prints it, for this folder and for whoever runs this.
fn stanza(folder: &Path) -> String {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/audit.md");
    let manual = std::fs::read_to_string(manual).expect("the manual");
    let blocks = manual.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    let stanza = blocks.into_iter().find(|block| block.contains("audit-*.jsonl {")).expect("a stanza");
    let me = |what: &str| {
        let output = Command::new("id").arg(what).output().expect("id");
        String::from_utf8(output.stdout).expect("a name").trim().to_owned()
    };
    let su = format!("su {} {}", me("-un"), me("-gn"));
    assert!(stanza.contains("su root root"), "{stanza}");
    stanza.replace("/var/log/aegis-mcp", &folder.display().to_string()).replace("su root root", &su)
}

/// Names in the folder that the stanza is about.
fn closed(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut names: Vec<_> = names.filter(|name| name.starts_with("audit-")).collect();
    names.sort();
    names
}

/// Make files look so many days old.
fn aged(folder: &Path, names: &[String], days: u32) {
    for name in names {
        let done =
            Command::new("touch").args(["-d", &format!("{days} days ago")]).arg(folder.join(name)).status();
        assert!(done.expect("touch").success());
    }
}

/// A day's run. What logrotate has not seen before it only remembers, so the file of its memory says that it has.
fn run(stand: &Stand, names: &[String]) {
    let (config, memory) = (stand.folder.0.join("logrotate.conf"), stand.folder.0.join("logrotate.state"));
    std::fs::write(&config, stanza(stand.trail())).expect("written");
    let seen =
        names.iter().map(|name| format!("\"{}\" 2020-1-1-0:0:0\n", stand.trail().join(name).display()));
    std::fs::write(&memory, format!("logrotate state -- version 2\n{}", seen.collect::<String>()))
        .expect("written");
    for path in [&config, &memory] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path, mode).expect("logrotate reads no file that others may write");
    }
    let program =
        ["/usr/sbin/logrotate", "/usr/bin/logrotate"].iter().map(PathBuf::from).find(|path| path.exists());
    let mut command = Command::new(program.expect("scripts/setup-faults installs logrotate"));
    let output = command.arg("-s").arg(&memory).arg(&config).output().expect("logrotate runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

#[tokio::test]
#[ignore = "needs logrotate: make faults-short"]
async fn the_stanza_of_the_manual_compresses_and_expires_closed_segments_alone() {
    let stand = Stand::new().await;
    let server = stand.setup().start().await;
    for _ in 0..3 {
        assert_eq!(read(&server.url).await.expect("an answer").status, 200);
        assert_eq!(stand.operator(&["audit", "rotate"]).await.0, 0);
    }
    assert_eq!(read(&server.url).await.expect("an answer").status, 200);
    let folder = stand.trail().to_owned();
    let segments = closed(&folder);
    assert_eq!(segments.len(), 3, "{segments:?}");

    // Two of them are older than a week.
    aged(&folder, &segments[..2], 9);
    run(&stand, &segments);
    let packed = [format!("{}.gz", segments[0]), format!("{}.gz", segments[1]), segments[2].clone()];
    assert_eq!(closed(&folder), packed);
    let (code, said) = stand.verify().await;
    assert_eq!(code, 0, "{said}");

    // One is older than a year. The server serves all the while.
    aged(&folder, &packed[..1], 400);
    run(&stand, &packed);
    assert_eq!(closed(&folder), packed[1..]);
    assert_eq!(read(&server.url).await.expect("an answer").status, 200);
    assert_eq!(server.stop().await.code, 0);
    let trail = folder.display().to_string();
    assert_eq!(stand.verify().await.0, 4);
    let (code, said) = stand.operator(&["audit", "verify", &trail, "--expired"]).await;
    assert_eq!(code, 0, "{said}");
    println!("logrotate: compressed 2, expired 1, 0 alarms");
}
