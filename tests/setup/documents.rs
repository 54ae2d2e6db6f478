//! Every command that README and the guide show is run here as it stands there, or is named below with what else runs it.
//! The picture of a session in the README is what a run says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use aegis_tests::manual::{Document, documents};
use aegis_tests::server::{dist, free_port};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::stage::{READS, Serving, Stage, setting};

/// What becomes of a command here.
enum How {
    /// It is run, and succeeds.
    Runs,
    /// The same, and says this.
    Says(&'static str),
    /// A server that is started, asked, and stopped.
    Serves,
    /// It asks at a terminal (`dialogue.rs` answers it there); these flags give the same answers, and it succeeds.
    Asks(&'static str),
    /// A verb of the Makefile, which the run of all checks goes through, or a test.
    Verb(&'static str),
}
use How::{Asks, Runs, Says, Serves, Verb};

const SOLO: &str = "aegis-mcp setup solo --gitea-url https://git.example.com --token-stdin < token.txt";
const TEAM: &str = "aegis-mcp setup team --gitea-url https://git.example.com --public-url https://mcp.example.com --admin-token-stdin < token.txt";

const README: &[(&str, How)] = &[
    ("aegis-mcp setup solo", Asks(SOLO)),
    ("aegis-mcp serve --env-file .env", Serves),
    ("aegis-mcp connect claude-code --env-file .env", Says("claude mcp add --transport http aegis-gitea")),
    ("aegis-mcp setup team", Asks(TEAM)),
    ("aegis-mcp connect claude --env-file .env", Says("/mcp")),
    ("make test", Verb(".ci/run")),
    ("make ci", Verb(".ci/run")),
];

const GUIDE: &[(&str, How)] = &[
    ("aegis-mcp setup solo", Asks(SOLO)),
    (SOLO, Runs),
    ("aegis-mcp serve --env-file .env", Serves),
    ("aegis-mcp connect claude-code --env-file .env", Says("claude mcp add --transport http aegis-gitea")),
    ("aegis-mcp connect claude-code --stdio --env-file .env", Says("stdio")),
    ("aegis-mcp generate-key --name phone --env-file .env", Says("phone")),
    ("aegis-mcp users list --env-file .env", Says("phone")),
    ("aegis-mcp users revoke key:phone --env-file .env", Runs),
    ("aegis-mcp setup team", Asks(TEAM)),
    (TEAM, Runs),
    ("aegis-mcp connect claude --env-file .env", Says("/mcp")),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every document.
fn all() -> Vec<Document> {
    let places = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs", "tests/README.md"];
    places.iter().flat_map(|place| documents(&root(), place).expect("it is there")).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("the file is there")
}

/// The commands of a document's shell blocks, in order: lines joined at backslashes, without comments.
fn commands(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    for block in document.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default().replace("\\\n", " ");
        let lines = block.lines().map(|line| line.split(" #").next().unwrap_or_default());
        found.extend(lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    found.retain(|line| !line.is_empty());
    found
}

/// A folder with a token in it, and what stands for the examples' addresses there.
struct Reader {
    stage: Stage,
    public: String,
}

impl Reader {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let public = format!("http://127.0.0.1:{}", free_port());
        Self { stage, public }
    }

    async fn token(&self, name: &str, scopes: &[&str]) {
        let token = self.stage.token(name, scopes).await;
        std::fs::write(self.stage.path("token.txt"), token).expect("written");
    }

    fn here(&self, text: &str) -> String {
        text.replace("https://git.example.com", &self.stage.forge.url())
            .replace("https://mcp.example.com", &self.public)
    }

    /// Type a line into a shell; what it said, and whether it ended well.
    async fn types(&self, line: &str) -> (bool, String) {
        let path = format!("{}:{}", dist().display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.args(["-c", &self.here(line)]).env("PATH", path).current_dir(&self.stage.folder.0);
        let ran = shell.stdin(Stdio::null()).output().await.expect("a shell");
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    async fn succeeds(&self, line: &str) -> String {
        let scopes = if line.contains("--admin-token-stdin") { &["write:user"][..] } else { &READS };
        if line.contains("< token.txt") {
            self.token(&format!("token {}", free_port()), scopes).await;
        }
        let (well, said) = self.types(line).await;
        assert!(well, "{line}: {said}");
        said
    }

    async fn follows(&self, (command, how): &(&str, How)) {
        match how {
            Verb(file) => {
                let verb = command.strip_prefix("make ").expect("a verb");
                assert!(read("Makefile").contains(&format!("\n{verb}:")), "{command}");
                assert!(read(file).contains("make test"), "{file}");
            }
            Serves => {
                let server = Serving::start(&self.stage.folder).await;
                assert_eq!(server.stop().await, 0, "{command}");
            }
            Runs => drop(self.succeeds(command).await),
            Asks(flags) => drop(self.succeeds(flags).await),
            Says(words) => {
                let said = self.succeeds(command).await;
                assert!(said.contains(words), "{command}: {said}");
            }
        }
    }
}

/// A reader who has done the solo way, with the port that the machine has free.
async fn solo() -> Reader {
    let reader = Reader::new().await;
    reader.succeeds(&SOLO.replace(" < ", &format!(" --port {} < ", free_port()))).await;
    reader
}

#[tokio::test]
async fn every_command_of_the_readme_does_what_it_says() {
    let shown = commands(&read("README.md"));
    let mut unseen: Vec<&str> = README.iter().map(|(command, _)| *command).collect();
    let reader = solo().await;
    for command in &shown {
        let row = README.iter().find(|(known, _)| known == command);
        reader.follows(row.unwrap_or_else(|| panic!("nobody runs {command:?}"))).await;
        unseen.retain(|known| known != command);
    }
    assert_eq!(unseen, [] as [&str; 0], "the README does not show them any more");
}

#[tokio::test]
async fn every_command_of_the_guide_does_what_it_says() {
    let shown = commands(&read("docs/getting-started.md"));
    let mut unseen: Vec<&str> = GUIDE.iter().map(|(command, _)| *command).collect();
    let reader = solo().await;
    for command in &shown {
        let row = GUIDE.iter().find(|(known, _)| known == command);
        reader.follows(row.unwrap_or_else(|| panic!("nobody runs {command:?}"))).await;
        unseen.retain(|known| known != command);
    }
    assert_eq!(unseen, [] as [&str; 0], "the guide does not show them any more");
}

/// `line` is what was said, where an ellipsis stands for anything.
fn fits(line: &str, said: &str) -> bool {
    said.lines().any(|said| {
        let mut rest = Some(said);
        for (nth, part) in line.split('…').enumerate() {
            rest = rest.and_then(|rest| {
                let at = rest.find(part)?;
                (nth > 0 || at == 0).then(|| rest.get(at + part.len()..)).flatten()
            });
        }
        rest.is_some_and(|rest| rest.is_empty() || line.ends_with('…'))
    })
}

#[tokio::test]
async fn the_session_in_the_readme_is_what_a_run_says() {
    let reader = solo().await;
    let server = Serving::start(&reader.stage.folder).await;
    let entry = setting(&reader.stage.env(), "MCP_API_KEYS").expect("a key");
    let key = entry.rsplit('=').next().expect("a key").to_owned();
    let readme = read("README.md");
    let picture =
        readme.split("```console\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a picture");
    let mut said = String::new();
    let mut lines = 0;
    for line in picture.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            said = match command.strip_prefix("call ") {
                Some(call) => called(&server.url, &key, call).await,
                // It serves already.
                None if command.ends_with('&') => String::new(),
                None => reader.types(&again(command)).await.1,
            };
        } else {
            assert!(fits(&reader.here(line), &said), "{line}\nis not what is said:\n{said}");
            lines += 1;
        }
    }
    assert!(lines > 5, "there is a picture");
    assert_eq!(server.stop().await, 0);
}

/// The same command for a file of its own, where its settings are there already.
fn again(command: &str) -> String {
    if command.contains("setup") {
        command.replace(" < ", " --env-file again.env < ")
    } else {
        command.to_owned()
    }
}

/// `call TOOL ARGUMENTS`: a direct call.
async fn called(url: &str, key: &str, call: &str) -> String {
    let (tool, arguments) = call.split_once(' ').expect("a tool and its arguments");
    let body = format!(r#"{{"tool":"{tool}","arguments":{}}}"#, arguments.trim_matches('\''));
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    aegis_tests::http::send(url, "POST", "/mcp/tool/call", &headers, body.as_bytes())
        .await
        .expect("an answer")
        .text()
}

/// Flags and subcommands of commands that stand within sentences and tables: known to the program, whatever they say.
#[tokio::test]
async fn every_command_within_a_sentence_is_one_that_the_program_knows() {
    let reader = Reader::new().await;
    let mut seen = BTreeSet::new();
    for Document { path: file, text } in all() {
        for named in text.split('`').skip(1).step_by(2).filter(|named| named.starts_with("aegis-mcp ")) {
            let words = named.split(" < ").next().unwrap_or_default();
            let is_no_command = words.starts_with("aegis-mcp --");
            if is_no_command
                || words.contains(['\n', '|', '…', '[', '>'])
                || words.contains("...")
                || !seen.insert(words.to_owned())
            {
                continue;
            }
            let (well, said) = reader.types(&format!("{} --help", words.replace("CLIENT", "generic"))).await;
            assert!(well && said.contains("Usage:"), "{file}: {named}: {said}");
        }
    }
    assert!(seen.len() > 50, "{}", seen.len());
}

#[test]
fn every_verb_that_a_document_names_is_there() {
    let makefile = read("Makefile");
    for Document { path: file, text } in all() {
        for named in text.split("`make ").skip(1) {
            let verb: String = named.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            assert!(
                verb.is_empty()
                    || makefile.contains(&format!("\n{verb}:"))
                    || makefile.contains(&format!(" {verb}:")),
                "{file}: make {verb}"
            );
        }
    }
}

#[tokio::test]
async fn the_lines_that_the_demo_prints_work_when_pasted() {
    let mut demo = Command::new(root().join("scripts/demo"));
    demo.env("AEGIS_DIST", dist()).env("DEMO_PORT", free_port().to_string()).current_dir(root());
    let mut demo = demo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(demo.stdout.take().expect("piped")).lines();
    let mut calls = Vec::new();
    while let Some(line) = lines.next_line().await.expect("text") {
        calls.extend(line.trim().starts_with("curl ").then(|| line.clone()));
        if line.starts_with("Ctrl-C") {
            break;
        }
    }
    assert_eq!(calls.len(), 3);
    for call in calls {
        let ran = Command::new("sh").args(["-c", &call]).output().await.expect("a shell");
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(said.contains("\"success\":true") || said.contains("\"tools\":["), "{call}: {said}");
    }
    let pid = demo.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-s", "INT", &pid]).status().await.expect("kill runs").success());
    assert!(demo.wait().await.expect("it ran").success());
}
