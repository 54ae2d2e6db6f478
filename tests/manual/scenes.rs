//! Where commands of the manual are run: a folder that stands for the directories and addresses of the examples, and, where
//! the scene has one, a server that serves there in front of a Gitea of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::forge::{Forge, Options};
use aegis_tests::manual::root;
use aegis_tests::server::{Folder, KEY, STATE_SECRET, Server, Setup, dist, free_port};
use aegis_tests::sign_in::Client;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use tokio::sync::Mutex;

/// Names of the scenes, as marks have them.
pub const SCENES: [&str; 4] = ["files", "server", "swap", "sign-in"];

/// One compiles at a time, and the others find it.
static COMPILING: Mutex<()> = Mutex::const_new(());

/// A policy that allows what the examples do.
const POLICY: &str = "defaults: {read: allow, write: allow}\n";

/// Where commands are run.
pub struct Scene {
    /// What was written in the examples, and what is there in its place.
    stands_for: Vec<(&'static str, String)>,
    variables: Vec<(&'static str, String)>,
    at: PathBuf,
    _server: Option<(Server, Forge)>,
    _folder: Option<Folder>,
}

/// How a block ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub said: String,
}

impl Scene {
    /// The scene of that name.
    pub async fn new(name: &str) -> Self {
        match name {
            "files" => Self::of_files(),
            "server" => Self::by_key().await,
            "swap" => Self::by_key().await.with_a_guest().await,
            "sign-in" => Self::by_sign_in().await,
            other => panic!("there is no scene {other}: {SCENES:?}"),
        }
    }

    fn of_files() -> Self {
        let folder = Folder::new();
        let mut scene = Self::at(&folder.0);
        scene._folder = Some(folder);
        scene
    }

    /// Clients have keys; writes and automation are on.
    async fn by_key() -> Self {
        let setup = Setup::new("", SVC_TOKEN).policy(POLICY);
        let (setup, forge) = placed(setup, None).await;
        let secret = "a-secret-of-a-webhook-of-the-tests-0123";
        let setup =
            setup.set("AUTOMATION_ENABLED", "true").set("WEBHOOK_SECRET", secret).from_env_file(".env");
        Self::serving(setup.start().await, forge, KEY.to_owned())
    }

    /// A component `gateway.wasm` is there, which is not the one in force.
    async fn with_a_guest(self) -> Self {
        let _alone = COMPILING.lock().await;
        let mut bytes = std::fs::read(dist().join("gateway.wasm")).expect("`make build` has built it");
        // A custom section that says nothing: another digest.
        bytes.extend_from_slice(b"\x00\x07\x06manual");
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(self.at.join("gateway.wasm"), bytes).expect("written");
        let cache = std::fs::read_dir(dist().join("guests")).into_iter().flatten().flatten();
        let mut names = cache.map(|file| file.file_name().to_string_lossy().into_owned());
        if !names.any(|name| name.starts_with(&digest) && name.ends_with(".cwasm")) {
            let compiled = self.run("aegis-mcp guest compile --into \"$GUEST_CACHE_DIR\" gateway.wasm").await;
            assert_eq!(compiled.code, 0, "{}", compiled.said);
        }
        self
    }

    /// People sign in; alice and mallory have, and writes are on.
    async fn by_sign_in() -> Self {
        let port = free_port();
        let (forge, app) = {
            let forge = Forge::start(Options::default()).await;
            let app = forge.register(
                "root",
                "AegisGitea-MCP",
                &[&format!("http://127.0.0.1:{port}/oauth/callback")],
                true,
            );
            (forge, app)
        };
        let setup = Setup::sign_in(&forge.url(), port, &app.client_id, &app.client_secret).policy(POLICY);
        let keyring = setup.folder().join("lib/keyring").display().to_string();
        let (setup, forge) = placed(setup.set("OAUTH_KEYRING_FILE", &keyring), Some(forge)).await;
        let server = setup.from_env_file(".env").start().await;
        let client = Client::register(&server.url).await;
        client.tokens("mallory", "mallory-has-a-password", false).await;
        let tokens = client.tokens("alice", "alice-has-a-password", true).await;
        let bearer = format!("Bearer {}", tokens.access);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = br#"{"tool":"list_labels","arguments":{"owner":"alice","repo":"demo"}}"#;
        let called = server.stranger("POST", "/mcp/tool/call", &headers, body).await;
        assert_eq!(called.status, 200, "{}", called.text());
        let mut scene = Self::serving(server, forge, String::new());
        scene.variables.push(("TOKEN", tokens.access));
        scene.variables.push(("OAUTH_STATE_SECRET", STATE_SECRET.to_owned()));
        scene
    }

    fn serving(server: Server, forge: Forge, key: String) -> Self {
        let at = server.folder().to_owned();
        let mut scene = Self::at(&at);
        let gitea = forge.url();
        scene.stands_for.extend([
            ("http://127.0.0.1:8080", server.url.clone()),
            ("https://mcp.example.com", server.url.clone()),
            ("https://git.example.com", gitea),
        ]);
        scene.variables.push(("KEY", key));
        // There are more servers than this one on the machine.
        script(&at.join("bin/pidof"), &format!("echo {}", server.pid()));
        scene._server = Some((server, forge));
        scene
    }

    fn at(at: &Path) -> Self {
        let place = |name: &str| {
            let place = at.join(name);
            std::fs::create_dir_all(&place).expect("a folder");
            place.display().to_string()
        };
        std::os::unix::fs::symlink(root().join("policy"), at.join("policy")).expect("a link");
        let stands_for = vec![
            ("/var/log/aegis-mcp", place("log")),
            ("/var/lib/aegis-mcp", place("lib")),
            ("/backup", place("backup")),
            ("/evidence", place("evidence")),
        ];
        let path =
            format!("{}:{}:{}", place("bin"), dist().display(), std::env::var("PATH").unwrap_or_default());
        let variables = vec![
            ("PATH", path),
            ("AUDIT_LOG_PATH", at.join("log/audit.log").display().to_string()),
            ("DCR_STORAGE_PATH", at.join("lib/dcr_clients.json").display().to_string()),
            ("OAUTH_KEYRING_FILE", at.join("lib/keyring").display().to_string()),
            ("GUEST_CACHE_DIR", dist().join("guests").display().to_string()),
        ];
        Self { stands_for, variables, at: at.to_owned(), _server: None, _folder: None }
    }

    /// Put a file there.
    pub fn file(&self, name: &str, text: &str) {
        std::fs::write(self.at.join(name), text).expect("written");
    }

    /// Run commands in a shell that ends at the first that fails.
    pub async fn run(&self, commands: &str) -> Ran {
        let commands = self
            .stands_for
            .iter()
            .fold(commands.to_owned(), |text, (example, here)| replaced(&text, example, here));
        let mut shell = Command::new("sh");
        shell
            .args(["-eu", "-c", &commands])
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        let ran = shell
            .current_dir(&self.at)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("a shell");
        let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        Ran { code: ran.status.code().unwrap_or(-1), said }
    }
}

/// A server's files where the examples have them, its Gitea, and writes.
async fn placed(setup: Setup, forge: Option<Forge>) -> (Setup, Forge) {
    let at = |name: &str| setup.folder().join(name).display().to_string();
    let (audit, registry) = (at("log/audit.log"), at("lib/dcr_clients.json"));
    let forge = match forge {
        Some(forge) => forge,
        None => Forge::start(Options { audit: Some(audit.clone().into()), ..Options::default() }).await,
    };
    let url = forge.url();
    let setup = setup
        .set("GITEA_URL", &url)
        .set("AUDIT_LOG_PATH", &audit)
        .set("DCR_STORAGE_PATH", &registry)
        .set("WRITE_MODE", "true")
        .set("WRITE_REPOSITORY_WHITELIST", "alice/demo,acme/site");
    (setup, forge)
}

fn script(path: &Path, line: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{line}\n")).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("made to be run");
}

/// The text with what stands for an example's address or folder; within a longer path it is none.
fn replaced(text: &str, example: &str, here: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(example) {
        let (before, after) = rest.split_at(at);
        let within = example.starts_with('/')
            && before.ends_with(|c: char| c.is_alphanumeric() || "-_.~/".contains(c));
        out.push_str(before);
        out.push_str(if within { example } else { here });
        rest = &after[example.len()..];
    }
    out + rest
}
