//! A folder, a Gitea, and the program as somebody would run it there.

use std::path::PathBuf;
use std::process::Stdio;

use aegis_tests::forge::world::password;
use aegis_tests::forge::{Forge, Options};
use aegis_tests::http::send;
use aegis_tests::server::{Folder, dist};
use base64::Engine as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

/// What the read tools need of a token.
pub const READS: [&str; 4] = ["read:user", "read:repository", "read:issue", "read:organization"];

/// An empty folder and a sample Gitea.
pub struct Stage {
    pub forge: Forge,
    pub folder: Folder,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// That it ended so, and said all of this.
    #[track_caller]
    pub fn says(&self, code: i32, words: &[&str]) -> &Self {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{all}");
        for word in words {
            assert!(all.contains(word), "{word:?} is not in:\n{all}");
        }
        self
    }

    /// That nothing of this is anywhere in what it said.
    #[track_caller]
    pub fn hides(&self, secrets: &[&str]) -> &Self {
        for secret in secrets {
            assert!(!self.out.contains(secret) && !self.err.contains(secret), "a secret is shown: {self:?}");
        }
        self
    }
}

/// The program in a folder, with nothing in its environment.
pub fn command(folder: &Folder) -> Command {
    let mut command = Command::new(dist().join("aegis-mcp"));
    command
        .env_clear()
        .env("GUEST_CACHE_DIR", dist().join("guests"))
        .current_dir(&folder.0)
        .kill_on_drop(true);
    command
}

/// Run it with a text on standard input.
pub async fn run(folder: &Folder, arguments: &[&str], input: &str) -> Ran {
    let mut command = command(folder);
    command.args(arguments);
    finish(command, input).await
}

/// Run a command to its end with a text on standard input.
pub async fn finish(mut command: Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("`make build` has built aegis-mcp");
    let mut stdin = child.stdin.take().expect("piped");
    // One that reads nothing closes it early.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.expect("it ran");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// Make a token of somebody through Gitea's API.
pub async fn token(url: &str, login: &str, secret: &str, name: &str, scopes: &[&str]) -> String {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{login}:{secret}"));
    let headers =
        [("authorization", format!("Basic {basic}")), ("content-type", "application/json".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = json!({ "name": name, "scopes": scopes }).to_string();
    let made = send(url, "POST", &format!("/api/v1/users/{login}/tokens"), &headers, body.as_bytes()).await;
    made.expect("Gitea answers").json()["sha1"].as_str().expect("a token").to_owned()
}

/// The applications of a token's account, by Gitea.
pub async fn applications(url: &str, token: &str) -> Vec<Value> {
    let authorization = format!("token {token}");
    let path = "/api/v1/user/applications/oauth2?limit=50";
    let answer =
        send(url, "GET", path, &[("authorization", &authorization)], b"").await.expect("Gitea answers");
    answer.json().as_array().expect("a list").clone()
}

/// A server that was started with an `.env` file.
pub struct Serving {
    pub url: String,
    child: Child,
}

impl Serving {
    /// Start it and wait until it listens.
    pub async fn start(folder: &Folder) -> Self {
        Self::start_with(folder, &[]).await
    }

    /// The same, with these variables in its environment.
    pub async fn start_with(folder: &Folder, variables: &[(&str, &str)]) -> Self {
        let mut command = command(folder);
        command.args(["serve", "--env-file", ".env"]).envs(variables.iter().copied()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = Vec::new();
        while let Ok(Some(line)) = lines.next_line().await {
            let parsed: Value = serde_json::from_str(&line).unwrap_or_default();
            said.push(line);
            if parsed["event"] == "listening" {
                let address = parsed["address"].as_str().expect("an address").to_owned();
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Self { url: format!("http://{address}"), child };
            }
        }
        panic!("it did not start:\n{}", said.join("\n"));
    }

    /// A direct call with a key.
    pub async fn call(&self, key: &str) -> aegis_tests::http::Answer {
        let authorization = format!("Bearer {key}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let body = br#"{"tool":"list_repositories","arguments":{}}"#;
        send(&self.url, "POST", "/mcp/tool/call", &headers, body).await.expect("an answer")
    }

    /// SIGTERM, and its exit code.
    pub async fn stop(mut self) -> i32 {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().await.expect("kill runs").success());
        self.child.wait().await.expect("it ran").code().unwrap_or(-1)
    }
}

/// One setting of an `.env` text.
pub fn setting(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(line.trim_matches('\'').to_owned())
}

/// Audit lines of a log.
pub fn audit(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

impl Stage {
    pub async fn new() -> Self {
        Self::at(Options::default()).await
    }

    /// Beside a Gitea with these properties.
    pub async fn at(options: Options) -> Self {
        Self { forge: Forge::start(options).await, folder: Folder::new() }
    }

    pub async fn run(&self, arguments: &[&str], input: &str) -> Ran {
        run(&self.folder, arguments, input).await
    }

    /// A token of alice.
    pub async fn token(&self, name: &str, scopes: &[&str]) -> String {
        let token = token(&self.forge.url(), "alice", &password("alice"), name, scopes).await;
        // Only what the program does is looked at.
        self.forge.forget();
        token
    }

    /// `setup solo` with a token that has exactly the read set.
    pub async fn solo(&self) -> String {
        let token = self.token("setup", &READS).await;
        let url = self.forge.url();
        let port = aegis_tests::server::free_port().to_string();
        let arguments =
            ["setup", "solo", "--gitea-url", &url, "--token-stdin", "--key-name", "laptop", "--port", &port];
        self.run(&arguments, &format!("{token}\n")).await.says(0, &["Wrote "]).hides(&[&token]);
        token
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// The `.env` file; empty where there is none.
    pub fn env(&self) -> String {
        std::fs::read_to_string(self.path(".env")).unwrap_or_default()
    }

    pub fn setting(&self, name: &str) -> Option<String> {
        setting(&self.env(), name)
    }

    /// What Gitea was asked, but for its version, which every start asks for.
    pub fn asked(&self) -> Vec<String> {
        let seen = self.forge.requests();
        seen.into_iter().map(|seen| seen.path).filter(|path| path != "/api/v1/version").collect()
    }

    /// Requests that change something at Gitea.
    pub fn changes(&self) -> Vec<String> {
        let seen = self.forge.requests();
        seen.iter()
            .filter(|seen| seen.method != "GET")
            .map(|seen| format!("{} {}", seen.method, seen.path))
            .collect()
    }
}
