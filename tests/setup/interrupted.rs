//! A disk without room, and Ctrl-C in the middle: what was there stays as it was, and nothing is left behind, neither in the
//! folder nor at Gitea.

use std::process::Stdio;
use std::time::Duration;

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::{dist, free_port};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::stage::{READS, Ran, Stage, applications, command, finish};

/// What is in the folder.
fn left(stage: &Stage) -> Vec<String> {
    let entries = std::fs::read_dir(&stage.folder.0).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Run setup where no file can take a byte: writing fails with an error instead of a signal, as on a full disk.
async fn without_room(stage: &Stage, arguments: &[&str], input: &str) -> Ran {
    let mut shell = Command::new("sh");
    let line = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
    let program = std::fs::canonicalize(dist().join("aegis-mcp")).unwrap();
    shell.args(["-c", line, "sh"]).arg(program).args(arguments).env_clear().current_dir(&stage.folder.0);
    finish(shell, input).await
}

#[tokio::test]
async fn a_full_disk_is_met_before_anything_is_made_and_leaves_everything_as_it_was() {
    let stage = Stage::new().await;
    let url = stage.forge.url();
    let token = stage.token("setup", &[&READS[..], &["write:repository", "write:issue"]].concat()).await;
    let solo = ["setup", "solo", "--gitea-url", &url, "--token-stdin", "--writes=alice/demo"];
    let words = [".env cannot be written", "nothing was changed", "free some space"];
    without_room(&stage, &solo, &token).await.says(1, &words).hides(&[&token]);
    assert_eq!(left(&stage), [] as [&str; 0]);

    std::fs::write(stage.path(".env"), "# mine\n").unwrap();
    without_room(&stage, &solo, &token).await.says(1, &words);
    assert_eq!((stage.env().as_str(), left(&stage).as_slice()), ("# mine\n", &[".env".to_owned()][..]));

    let makes = stage.token("one-time", &["write:user"]).await;
    let public = format!("http://127.0.0.1:{}", free_port());
    let team =
        ["setup", "team", "--gitea-url", &url, "--public-url", &public, "--admin-token-stdin", "--writes"];
    without_room(&stage, &team, &makes).await.says(1, &words).hides(&[&makes]);
    assert_eq!(stage.changes(), [] as [&str; 0], "no application is made");
    assert_eq!((stage.env().as_str(), left(&stage).as_slice()), ("# mine\n", &[".env".to_owned()][..]));

    // With room the same lines do what they say.
    stage.run(&team, &makes).await.says(0, &["Wrote "]);
}

/// Setup under way, whose Gitea holds an answer back.
struct Underway {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
}

impl Underway {
    /// Start it, and wait until Gitea has this request.
    async fn until(stage: &Stage, arguments: &[&str], input: &str, method: &str, path: &str) -> Self {
        let method_alone = Some(method.parse().unwrap());
        stage.forge.next_fault(Fault { method: method_alone, ..Fault::on(path, FaultKind::Hold) });
        let before = stage.forge.times(method, path);
        let mut child = command(&stage.folder);
        child.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while stage.forge.times(method, path) == before {
            assert!(tokio::time::Instant::now() < deadline, "{method} {path} never came");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { child, out }
    }

    /// What Ctrl-C sends.
    async fn interrupt(&self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &pid]).status().await.unwrap().success());
    }

    async fn says(&mut self, words: &str) {
        while let Some(line) = self.out.next_line().await.unwrap() {
            if line.contains(words) {
                return;
            }
        }
        panic!("it never said {words:?}");
    }

    /// Exit code, none where a signal ended it; and what it said on standard error.
    async fn ends(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
        (self.child.wait().await.unwrap().code(), said)
    }
}

#[tokio::test]
async fn ctrl_c_while_gitea_is_looked_at_ends_it_at_once() {
    let stage = Stage::new().await;
    let url = stage.forge.url();
    let token = stage.token("setup", &READS).await;
    std::fs::write(stage.path(".env"), "# mine\n").unwrap();
    let solo = ["setup", "solo", "--gitea-url", &url, "--token-stdin"];
    let setup = Underway::until(&stage, &solo, &token, "GET", "/api/v1/version").await;
    setup.interrupt().await;
    assert_eq!(setup.ends().await.0, None, "the signal ends it");
    assert_eq!((stage.env().as_str(), left(&stage).as_slice()), ("# mine\n", &[".env".to_owned()][..]));
}

#[tokio::test]
async fn ctrl_c_once_an_application_was_made_takes_it_back() {
    let stage = Stage::new().await;
    let url = stage.forge.url();
    let token = stage.token("one-time", &["write:user"]).await;
    let public = format!("http://127.0.0.1:{}", free_port());
    let team =
        ["setup", "team", "--gitea-url", &url, "--public-url", &public, "--admin-token-stdin", "--writes"];
    for path in ["/api/v1/user/applications/oauth2", "/login/oauth/access_token"] {
        let mut setup = Underway::until(&stage, &team, &token, "POST", path).await;
        setup.interrupt().await;
        setup.says("as soon as what was begun is written or taken back").await;
        stage.forge.release(1);
        let (code, said) = setup.ends().await;
        assert_eq!(code, Some(130), "{said}");
        assert_eq!(said.matches("was deleted again").count(), 2, "{said}");
        assert!(!said.contains(&token));
        assert_eq!(left(&stage), [] as [&str; 0]);
        assert_eq!(applications(&url, &token).await.len(), 0, "nothing is left at Gitea");
    }
    stage.run(&team, &token).await.says(0, &["Wrote "]);
}
