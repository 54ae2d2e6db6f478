//! What these tests share: a forge that looks for each intent on disk, a folder that outlives a server, and
//! calls that may be left alone while the server is stopped.

use std::path::PathBuf;
use std::time::Duration;

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::forge::{Forge, Options};
use aegis_tests::http::{Answer, send};
use aegis_tests::server::{Folder, KEY, Server, Setup, program};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A call that Gitea answers with one request.
pub const READ: (&str, &str) = ("get_repository_info", r#"{"owner":"alice","repo":"demo"}"#);
/// A call that changes something.
pub const WRITE: (&str, &str) =
    ("create_issue", r#"{"owner":"alice","repo":"demo","title":"From a test","body":"x"}"#);

/// A forge and a place for an audit log.
pub struct Scene {
    pub forge: Forge,
    pub audit: PathBuf,
    pub folder: Folder,
}

impl Scene {
    pub async fn new() -> Self {
        let folder = Folder::new();
        let audit = folder.0.join("trail").join("audit.log");
        let forge = Forge::start(Options { audit: Some(audit.clone()), ..Options::default() }).await;
        Self { forge, audit, folder }
    }

    /// A server for this forge that keeps its audit log here, and the key that signs it.
    pub fn setup(&self) -> Setup {
        Setup::new(&self.forge.url(), SVC_TOKEN)
            .set("AUDIT_LOG_PATH", &self.audit.display().to_string())
            .set("DCR_STORAGE_PATH", &self.folder.0.join("registry").join("dcr.json").display().to_string())
    }

    /// Wait until the forge has seen so many requests of a method.
    pub async fn seen(&self, method: &str, count: usize) {
        until("the forge sees the requests", async || {
            self.forge.requests().iter().filter(|seen| seen.method == method).count() >= count
        })
        .await;
    }

    /// `aegis-mcp audit verify`: its exit code and what it says.
    pub async fn verify(&self) -> (i32, String) {
        let folder = self.audit.parent().expect("a folder").display().to_string();
        let (code, out, err) = program(&["audit", "verify", &folder], &[]).await;
        (code, out + &err)
    }
}

/// Wait for a condition; a test fails when it never comes.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "this never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn body(call: (&str, &str)) -> String {
    let arguments: Value = serde_json::from_str(call.1).expect("JSON");
    json!({"tool": call.0, "arguments": arguments}).to_string()
}

/// A tool call in a task of its own; none where the connection ended without an answer.
pub fn call(url: &str, key: &str, call: (&str, &str)) -> JoinHandle<Option<Answer>> {
    let (url, bearer, body) = (url.to_owned(), format!("Bearer {key}"), body(call));
    tokio::spawn(async move {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        send(&url, "POST", "/mcp/tool/call", &headers, body.as_bytes()).await.ok()
    })
}

/// A tool call on a bare connection, which a test may drop before the answer.
pub async fn begun(server: &Server, call: (&str, &str)) -> TcpStream {
    let authority = server.url.strip_prefix("http://").expect("http");
    let mut stream = TcpStream::connect(authority).await.expect("it listens");
    let body = body(call);
    let head = format!(
        "POST /mcp/tool/call HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await.expect("sent");
    stream
}

/// The statuses of one ticket, in the order of the log.
pub fn statuses(lines: &[Value], ticket: &str) -> Vec<String> {
    lines
        .iter()
        .filter(|line| line["event"] == "tool_invocation" && line["ticket"] == ticket)
        .map(|line| line["status"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// All statuses of tool calls, in the order of the log.
pub fn outcomes(lines: &[Value]) -> Vec<String> {
    lines
        .iter()
        .filter(|line| line["event"] == "tool_invocation")
        .map(|line| line["status"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// The events of the log, in order.
pub fn events(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap_or_default()).collect()
}
