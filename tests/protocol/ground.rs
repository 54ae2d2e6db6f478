//! A sample Gitea and a server before it, and what every test of a refusal asserts: the answer, its name, its one
//! audit line, and that Gitea heard nothing.

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::forge::{Forge, Options};
use aegis_tests::http::Answer;
use aegis_tests::server::{Server, Setup};
use serde_json::{Value, json};

/// A server and its Gitea.
pub struct Ground {
    pub forge: Forge,
    pub server: Server,
}

impl Ground {
    /// With the settings of [`Setup::new`].
    pub async fn new() -> Self {
        Self::with(|setup| setup).await
    }

    /// With further settings. Gitea demands an intent on disk before each call.
    pub async fn with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let setup = Setup::new("", SVC_TOKEN);
        let forge = Forge::start(Options { audit: Some(setup.audit_path()), ..Options::default() }).await;
        let url = forge.url();
        let server = change(setup.set("GITEA_URL", &url)).start().await;
        Self { forge, server }
    }

    /// `POST` JSON with the key `laptop` and these headers.
    pub async fn post(&self, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.server.ask("POST", target, &all, body).await
    }

    /// Gitea heard nothing, and nothing it should not have heard.
    pub fn assert_nothing_upstream(&self) {
        let heard: Vec<String> =
            self.forge.requests().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
        assert_eq!(heard, [] as [String; 0]);
        assert_eq!(self.forge.violations(), [] as [String; 0]);
    }

    /// The one audit line of the request that got this answer.
    pub async fn only_line(&self, answer: &Answer) -> Value {
        let id = request_id(answer);
        let of_request = |line: &&Value| line["request_id"] == id;
        let lines = self.server.audit_when(|lines| lines.iter().any(|line| of_request(&line))).await;
        let found: Vec<&Value> = lines.iter().filter(of_request).collect();
        assert_eq!(found.len(), 1, "one line a refusal: {found:#?}");
        found[0].clone()
    }

    /// A refusal by the guest outside MCP: status, name, sentence, and its line.
    pub async fn refused(&self, answer: &Answer, status: u16, event: &str, reason: &str) {
        let said = answer.json();
        assert_eq!((answer.status, answer.reason().as_deref()), (status, Some(reason)), "{}", answer.text());
        let message = if said["success"] == false {
            assert_eq!(said["correlation_id"].as_str(), answer.header("x-request-id"), "{said}");
            &said["error"]["message"]
        } else {
            &said["message"]
        };
        assert!(message.as_str().is_some_and(|text| text.len() > 10), "{said}");
        let line = self.only_line(answer).await;
        assert_eq!((&line["event"], &line["reason"]), (&json!(event), &json!(reason)), "{line}");
        assert_eq!(line["address"], "127.0.0.1", "{line}");
    }

    /// A message that breaks the protocol: status, code, id, and its line.
    pub async fn fault(&self, answer: &Answer, status: u16, code: i64, reason: &str) {
        let said = answer.json();
        assert_eq!(
            (answer.status, &said["error"]["code"]),
            (status, &json!(code)),
            "{reason}: {}",
            answer.text()
        );
        assert_eq!(said["jsonrpc"], "2.0");
        assert!(said.get("id").is_some(), "an error carries the id or null: {said}");
        assert_eq!(said.get("result"), None);
        let line = self.only_line(answer).await;
        assert_eq!((&line["event"], &line["reason"]), (&json!("access_denied"), &json!(reason)), "{line}");
        assert_eq!(line["principal"], "laptop", "{line}");
    }

    /// A refusal by the host, before or instead of a guest: status, name, and the count; no audit line.
    pub async fn refused_by_host(&self, answer: &Answer, status: u16, reason: &str) {
        let said = answer.json();
        assert_eq!((answer.status, &said["error"]), (status, &json!(reason)), "{}", answer.text());
        assert_eq!(said["request_id"], request_id(answer));
        let line = format!("aegis_host_refusals_total{{reason=\"{reason}\"}}");
        assert!(self.server.metric(&line).await >= 1.0, "{line}");
    }
}

/// The id that an answer bears.
pub fn request_id(answer: &Answer) -> String {
    answer.header("x-request-id").expect("every answer bears an id").to_owned()
}

/// A legacy request.
pub fn legacy(id: Value, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// A tool call that succeeds.
pub fn good_call() -> (&'static str, Value) {
    ("get_repository_info", json!({"owner": "alice", "repo": "demo"}))
}
