//! A server that is about to start: its settings, and starting it with them or being refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use super::{Folder, KEY, OTHER_KEY, PATIENCE, STATE_SECRET, Server, dist};
use crate::outputs::Outputs;

/// Settings of a server that is about to start.
pub struct Setup {
    variables: BTreeMap<String, String>,
    folder: Folder,
    wrapper: Vec<String>,
    dist: PathBuf,
    env_file: Option<String>,
}

impl Setup {
    /// A server for the Gitea at this URL: two keys, writes off, the built-in policy, everything in its folder. It
    /// does not look at Gitea by itself.
    #[must_use]
    pub fn new(gitea: &str, token: &str) -> Self {
        let folder = Folder::new();
        let audit = folder.0.join("audit.log").display().to_string();
        let registry = folder.0.join("registry").join("dcr_clients.json").display().to_string();
        let keys = format!("laptop={KEY},ci={OTHER_KEY}");
        let cache = dist().join("guests").display().to_string();
        let variables = [
            ("GITEA_URL", gitea),
            ("GITEA_TOKEN", token),
            ("MCP_API_KEYS", &keys),
            ("MCP_PORT", "0"),
            ("AUDIT_LOG_PATH", &audit),
            ("DCR_STORAGE_PATH", &registry),
            ("GUEST_CACHE_DIR", &cache),
            ("STARTUP_VALIDATE_GITEA", "false"),
            ("RATE_LIMIT_PER_MINUTE", "100000"),
            ("TOKEN_RATE_LIMIT_PER_MINUTE", "100000"),
        ];
        Self {
            variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            folder,
            wrapper: Vec::new(),
            dist: dist(),
            env_file: None,
        }
    }

    /// A server at which people sign in through this Gitea, by one application; on a port that was free a moment ago.
    #[must_use]
    pub fn sign_in(gitea: &str, port: u16, client_id: &str, client_secret: &str) -> Self {
        let setup = Self::new(gitea, "");
        let port = port.to_string();
        let variables = [
            ("OAUTH_MODE", "true"),
            ("GITEA_OAUTH_CLIENT_ID", client_id),
            ("GITEA_OAUTH_CLIENT_SECRET", client_secret),
            ("OAUTH_STATE_SECRET", STATE_SECRET),
            ("MCP_PORT", &port),
            ("LOGIN_RATE_LIMIT_PER_MINUTE", "1000000"),
            ("REGISTER_RATE_LIMIT_PER_MINUTE", "1000000"),
            ("TOKEN_ENDPOINT_RATE_LIMIT_PER_MINUTE", "1000000"),
        ];
        let setup = setup.unset("GITEA_TOKEN").unset("MCP_API_KEYS").unset("STARTUP_VALIDATE_GITEA");
        variables.into_iter().fold(setup, |setup, (name, value)| setup.set(name, value))
    }

    /// Set a variable.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The value of a variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Leave a variable out.
    #[must_use]
    pub fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Write a policy document and use it.
    #[must_use]
    pub fn policy(self, yaml: &str) -> Self {
        let path = self.folder.0.join("policy.yaml");
        std::fs::write(&path, yaml).expect("the policy is written");
        self.set("POLICY_FILE_PATH", &path.display().to_string())
    }

    /// Allow writes to these repositories, by setting and by policy.
    #[must_use]
    pub fn writes(self, repositories: &str) -> Self {
        self.set("WRITE_MODE", "true")
            .set("WRITE_REPOSITORY_WHITELIST", repositories)
            .policy("defaults: {read: allow, write: allow}\n")
    }

    /// Serve another component, by its file name among the built ones (`hostile.wasm`).
    #[must_use]
    pub fn guest(self, file: &str) -> Self {
        let path = dist().join(file).display().to_string();
        self.set("GUEST_PATH", &path)
    }

    /// Another build of the program, with its own guest, from the folder where `make build` has left it.
    #[must_use]
    pub fn built_in(mut self, dist: &Path) -> Self {
        dist.clone_into(&mut self.dist);
        self.set("GUEST_CACHE_DIR", &dist.join("guests").display().to_string())
    }

    /// Start the server by another program, such as `unshare --pid --fork`; signals then go to that program.
    #[must_use]
    pub fn wrapped_in(mut self, program: &[&str]) -> Self {
        self.wrapper = program.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Hand the settings over in a file of this name in its folder, and none in the environment.
    ///
    /// # Panics
    /// The file cannot be written.
    #[must_use]
    pub fn from_env_file(mut self, name: &str) -> Self {
        let lines = self.variables.iter().map(|(name, value)| format!("{name}={value}\n"));
        std::fs::write(self.folder.0.join(name), lines.collect::<String>()).expect("the file is written");
        self.env_file = Some(name.to_owned());
        self
    }

    /// Where the audit log will be.
    #[must_use]
    pub fn audit_path(&self) -> PathBuf {
        self.variables.get("AUDIT_LOG_PATH").map(PathBuf::from).unwrap_or_default()
    }

    /// The folder of this server.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    fn command(&self) -> Command {
        let server = self.dist.join("aegis-mcp");
        let mut command = match self.wrapper.split_first() {
            Some((program, rest)) => {
                let mut command = Command::new(program);
                command.args(rest).arg(server);
                command
            }
            None => Command::new(server),
        };
        command.arg("serve").env_clear().current_dir(&self.folder.0);
        match &self.env_file {
            Some(file) => command.args(["--env-file", file]),
            None => command.envs(&self.variables),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Start, and wait until it listens.
    ///
    /// # Panics
    /// It ends instead; its output is in the message.
    pub async fn start(self) -> Server {
        self.try_start().await.unwrap_or_else(|said| panic!("the server ended:\n{said}"))
    }

    /// Start, and wait until it listens or ends.
    ///
    /// # Errors
    /// It ends instead: what it said.
    ///
    /// # Panics
    /// It does neither.
    pub async fn try_start(self) -> Result<Server, String> {
        let mut child = self.command().spawn().expect("`make build` has built aegis-mcp");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut early = Vec::new();
        let address = loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it starts in time");
            let Ok(Some(line)) = line else { return Err(early.join("\n")) };
            let parsed: Value = serde_json::from_str(&line).unwrap_or_default();
            early.push(line);
            if parsed["event"] == "listening" {
                break parsed["address"].as_str().unwrap_or_default().to_owned();
            }
        };
        log.lock().expect("not poisoned").extend(early);
        let sink = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                sink.lock().expect("not poisoned").push(line);
            }
        });
        let outputs = Outputs { audit: self.audit_path(), log };
        Ok(Server { url: format!("http://{address}"), outputs, folder: self.folder, child })
    }

    /// Start a server that must not: its exit code and what it said.
    ///
    /// # Panics
    /// It goes on running.
    pub async fn refused(self) -> (i32, String) {
        let mut child = self.command().spawn().expect("`make build` has built aegis-mcp");
        let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").expect("it ran");
        let mut text = String::new();
        child.stderr.take().expect("stderr is piped").read_to_string(&mut text).await.expect("readable");
        (status.code().unwrap_or(-1), text)
    }
}
