//! What the campaigns share: a server with its forge, calls whose answers are kept, and the judgement of its log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::forge::{Forge, Options};
use aegis_tests::http::{Answer, send};
use aegis_tests::server::{Folder, KEY, Setup, dist, program};
use serde_json::{Value, json};

/// A forge that looks for each intent on disk, and a folder for the log.
pub struct Stand {
    pub forge: Forge,
    pub folder: Folder,
    pub audit: PathBuf,
}

impl Stand {
    pub async fn new() -> Self {
        let folder = Folder::new();
        let audit = folder.0.join("trail").join("audit.log");
        let forge = Forge::start(Options { audit: Some(audit.clone()), ..Options::default() }).await;
        Self { forge, folder, audit }
    }

    /// A folder to try something in.
    pub fn probe() -> Folder {
        Folder::new()
    }

    /// A server for this forge that keeps its log and its signing key here, and knows the keys of [`callers`].
    pub fn setup(&self) -> Setup {
        let keys: Vec<String> =
            callers().iter().enumerate().map(|(number, key)| format!("caller{number}={key}")).collect();
        Setup::new(&self.forge.url(), SVC_TOKEN)
            .set("AUDIT_LOG_PATH", &self.audit.display().to_string())
            .set("DCR_STORAGE_PATH", &self.registry())
            .set("MCP_API_KEYS", &keys.join(","))
    }

    fn registry(&self) -> String {
        self.folder.0.join("registry").join("dcr.json").display().to_string()
    }

    /// The signing key.
    pub fn key(&self) -> PathBuf {
        self.folder.0.join("registry").join("audit-signing.key")
    }

    /// The folder of the log.
    pub fn trail(&self) -> &Path {
        self.audit.parent().expect("a folder")
    }

    /// A command of the operator on this log: exit code and what it says.
    pub async fn operator(&self, arguments: &[&str]) -> (i32, String) {
        let audit = self.audit.display().to_string();
        let registry = self.registry();
        let variables = [("AUDIT_LOG_PATH", audit.as_str()), ("DCR_STORAGE_PATH", registry.as_str())];
        let (code, out, err) = program(arguments, &variables).await;
        (code, out + &err)
    }

    /// `aegis-mcp audit verify` by the program: exit code and what it says.
    pub async fn verify(&self) -> (i32, String) {
        let folder = self.trail().display().to_string();
        self.operator(&["audit", "verify", &folder]).await
    }

    /// All whole lines of the log, from the first segment on.
    pub fn lines(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        for path in segments(self.trail()) {
            // Closed, and so renamed, since it was listed.
            let Ok(text) = std::fs::read(path) else { return self.lines() };
            let whole = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
            lines.extend(whole.filter_map(|line| serde_json::from_slice(line).ok()));
        }
        lines
    }

    /// Everything that must hold of a log whatever happened to its server: it verifies, numbers come once, and each
    /// call that was answered has its intent and its outcome in it. `case` is said where it does not.
    pub async fn judge(&self, answered: &BTreeSet<String>, case: &str) {
        let (code, said) = self.verify().await;
        assert!(code == 0 || code == 3, "{case}: exit {code}: {said}");
        let lines = self.lines();
        holds(&lines, answered, case);
    }
}

/// Each number comes once and in order, and each answered call has its two lines.
pub fn holds(lines: &[Value], answered: &BTreeSet<String>, case: &str) {
    let numbers: Vec<u64> = lines.iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{case}: numbers are missing or come twice"
    );
    let (mut begun, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for line in lines.iter().filter(|line| line["event"] == "tool_invocation") {
        let ticket = line["ticket"].as_str().unwrap_or_default();
        match line["status"].as_str() {
            Some("pending") => begun.insert(ticket),
            _ => ended.insert(ticket),
        };
    }
    for id in answered {
        assert!(begun.contains(id.as_str()), "{case}: {id} was answered and has no intent");
        assert!(ended.contains(id.as_str()), "{case}: {id} was answered and has no outcome");
    }
}

/// The files of a log in their order.
pub fn segments(trail: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(trail).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = names
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    paths.sort();
    paths.extend(Some(trail.join("audit.log")).filter(|active| active.exists()));
    paths
}

/// Keys of callers: one alone may have few calls under way at a time.
pub fn callers() -> &'static [String] {
    static KEYS: OnceLock<Vec<String>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let fresh = || {
            let made = Command::new(dist().join("aegis-mcp")).arg("generate-key").output().expect("it runs");
            let said = String::from_utf8(made.stdout).expect("text");
            let key = said.split_whitespace().find(|word| word.starts_with("aegis_key_"));
            key.expect("a key").to_owned()
        };
        std::iter::once(KEY.to_owned()).chain((1..16).map(|_| fresh())).collect()
    })
}

/// The same as [`read`], by one of many callers.
pub async fn read_as(url: &str, caller: usize) -> Option<Answer> {
    let key = &callers()[caller % callers().len()];
    call(url, key, "get_repository_info", json!({"owner": "alice", "repo": "demo"})).await
}

/// A call that Gitea answers with one request; none where the connection ended without a whole answer.
pub async fn read(url: &str) -> Option<Answer> {
    read_as(url, 0).await
}

/// A call that changes something.
pub async fn write(url: &str) -> Option<Answer> {
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "From a campaign", "body": "x"});
    call(url, KEY, "create_issue", arguments).await
}

async fn call(url: &str, key: &str, tool: &str, arguments: Value) -> Option<Answer> {
    let body = json!({"tool": tool, "arguments": arguments}).to_string();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = send(url, "POST", "/mcp/tool/call", &headers, body.as_bytes()).await.ok()?;
    answer.complete.then_some(answer)
}

/// The id of a call that was answered with its result; none for a refusal.
///
/// # Panics
/// The answer is neither a result nor a refusal with 503 and a name.
pub fn result_of(answer: &Answer) -> Option<String> {
    if answer.status == 200 {
        return Some(answer.json()["correlation_id"].as_str().expect("an id").to_owned());
    }
    let name = answer.reason().unwrap_or_default();
    let refused = ["audit_unavailable", "outcome_not_recorded", "shutting_down"].contains(&name.as_str());
    assert!(answer.status == 503 && refused, "{} {}", answer.status, answer.text());
    None
}

/// Wait for a condition; a campaign fails when it never comes.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "this never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
