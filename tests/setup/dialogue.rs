//! The dialogue, at a terminal that `script` (util-linux) makes: what is asked, that a secret is not shown, and that
//! Ctrl-C leaves everything as it was.

use std::process::Stdio;

use aegis_tests::server::dist;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::stage::{READS, Stage};

/// A program at a terminal.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    seen: String,
    /// How much of it was looked at.
    at: usize,
}

impl Terminal {
    fn open(stage: &Stage, arguments: &str) -> Self {
        let program = dist().join("aegis-mcp");
        let line = format!("{} {arguments}", std::fs::canonicalize(program).unwrap().display());
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(&stage.folder.0);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "dumb").env("SHELL", "/bin/sh");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut child = command.spawn().expect("script of util-linux is there");
        let (keys, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, keys, screen, seen: String::new(), at: 0 }
    }

    /// Wait until this is on the screen, behind what was waited for before.
    async fn shows(&mut self, text: &str) {
        let mut piece = [0; 4_096];
        loop {
            if let Some(found) = self.seen[self.at..].find(text) {
                self.at += found + text.len();
                return;
            }
            let read = self.screen.read(&mut piece).await.unwrap();
            assert!(read > 0, "{text:?} never came:\n{}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
    }

    async fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).await.unwrap();
    }

    /// Wait for the end: exit code and the whole screen.
    async fn ends(mut self) -> (i32, String) {
        let mut rest = Vec::new();
        self.screen.read_to_end(&mut rest).await.unwrap();
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        drop(self.keys);
        (self.child.wait().await.unwrap().code().unwrap_or(-1), self.seen)
    }
}

#[tokio::test]
async fn a_person_answers_a_few_questions_and_has_settings() {
    let stage = Stage::new().await;
    let (narrow, token) = (stage.token("narrow", &["read:user"]).await, stage.token("good", &READS).await);
    let mut terminal = Terminal::open(&stage, "setup");
    terminal.shows("1 or 2 [1]: ").await;
    terminal.types("1\n").await;
    terminal.shows("open your Gitea in the browser? [http://localhost:3000]: ").await;
    terminal.types("http://127.0.0.1:1\n").await;
    terminal.shows("No Gitea answers").await;
    terminal.shows("open your Gitea in the browser?").await;
    terminal.types(&format!("{}/\n", stage.forge.url())).await;
    terminal.shows("make changes too").await;
    terminal.types("n\n").await;
    terminal.shows("Make a token in Gitea").await;
    terminal.shows("Token (not shown): ").await;
    terminal.types(&format!("{narrow}\n")).await;
    terminal.shows("lacks read:repository, read:issue, read:organization").await;
    terminal.shows("Another token").await;
    // A slip of the fingers is mended without seeing it.
    terminal.types(&format!("oops\u{15}{token}x\u{7f}\n")).await;
    terminal.shows("Wrote ").await;
    let (code, screen) = terminal.ends().await;
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains(&token) && !screen.contains(&narrow), "a token is on the screen: {screen}");
    assert!(screen.contains("serve --env-file") && screen.contains("connect claude-code"), "{screen}");
    assert_eq!(stage.setting("GITEA_TOKEN"), Some(token));
}

#[tokio::test]
async fn a_team_is_set_up_with_a_one_time_token() {
    let stage = Stage::new().await;
    let token = stage.token("one-time", &["write:user"]).await;
    let public = format!("http://127.0.0.1:{}", aegis_tests::server::free_port());
    let mut terminal = Terminal::open(&stage, &format!("setup team --gitea-url {}", stage.forge.url()));
    terminal.shows("will clients reach this server?").await;
    terminal.types("http://mcp.example.test\n").await;
    terminal.shows("plain http").await;
    terminal.shows("will clients reach this server?").await;
    terminal.types(&format!("{public}\n")).await;
    terminal.shows("make changes too").await;
    terminal.types("\n").await;
    terminal.shows("or nothing to make the application by hand").await;
    terminal.types(&format!("{token}\n")).await;
    let (code, screen) = terminal.ends().await;
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains(&token) && !stage.env().contains(&token));
    assert_eq!(stage.setting("PUBLIC_BASE_URL"), Some(public));
    assert_eq!(crate::stage::applications(&stage.forge.url(), &token).await.len(), 1);
}

#[tokio::test]
async fn who_has_no_token_copies_from_giteas_page() {
    let stage = Stage::new().await;
    let public = format!("http://127.0.0.1:{}", aegis_tests::server::free_port());
    let app = stage.forge.register("alice", "by hand", &[&format!("{public}/oauth/callback")], true);
    let line = format!("setup team --gitea-url {} --public-url {public}", stage.forge.url());
    let mut terminal = Terminal::open(&stage, &line);
    terminal.shows("make changes too").await;
    terminal.types("n\n").await;
    terminal.shows("or nothing to make the application by hand").await;
    terminal.types("\n").await;
    terminal.shows("Confidential Client  checked").await;
    terminal.shows("Client ID: ").await;
    terminal.types(&format!("{}\n", app.client_id)).await;
    terminal.shows("Client secret (not shown): ").await;
    terminal.types(&format!("{}\n", app.client_secret)).await;
    let (code, screen) = terminal.ends().await;
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains(&app.client_secret));
    assert_eq!(stage.setting("GITEA_OAUTH_CLIENT_SECRET"), Some(app.client_secret));
}

#[tokio::test]
async fn ctrl_c_at_a_secret_leaves_everything_as_it_was() {
    let stage = Stage::new().await;
    std::fs::write(stage.path(".env"), "# mine\n").unwrap();
    let mut terminal = Terminal::open(&stage, &format!("setup solo --gitea-url {}", stage.forge.url()));
    terminal.shows("make changes too").await;
    terminal.types("n\n").await;
    terminal.shows("Token (not shown): ").await;
    terminal.types("half\u{3}").await;
    terminal.shows("Nothing was written").await;
    let (code, screen) = terminal.ends().await;
    assert_eq!(code, 130, "{screen}");
    assert_eq!(stage.env(), "# mine\n");
    assert_eq!(std::fs::read_dir(&stage.folder.0).unwrap().count(), 1);
}
