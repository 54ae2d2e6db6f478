//! Gitea's API as somebody, for building a world: what is refused ends the run with what was said.

use aegis_tests::http::send;
use base64::Engine as _;
use serde_json::Value;

/// Somebody at a Gitea.
pub(super) struct Api {
    url: String,
    credential: String,
}

impl Api {
    /// By password, which no scope limits.
    pub(super) fn basic(url: &str, login: &str, password: &str) -> Self {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{login}:{password}"));
        Self { url: url.to_owned(), credential: format!("Basic {pair}") }
    }

    /// By token.
    pub(super) fn bearer(url: &str, token: &str) -> Self {
        Self { url: url.to_owned(), credential: format!("Bearer {token}") }
    }

    async fn ask(&self, method: &str, path: &str, body: &[u8]) -> Value {
        let headers = [("authorization", self.credential.as_str()), ("content-type", "application/json")];
        // A path below the host belongs to the target.
        let after = self.url.find("://").map_or(0, |at| at + 3);
        let host = self.url[after..].find('/').map_or(self.url.len(), |at| after + at);
        let target = format!("{}/api/v1{path}", &self.url[host..]);
        let answer =
            send(&self.url[..host], method, &target, &headers, body).await.expect("the Gitea answers");
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
        answer.json()
    }

    /// Read.
    pub(super) async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, b"").await
    }

    /// Read all pages of a list.
    pub(super) async fn list(&self, path: &str) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        for page in 1.. {
            let mark = if path.contains('?') { '&' } else { '?' };
            let rows = self.get(&format!("{path}{mark}limit=50&page={page}")).await;
            let rows = rows.as_array().cloned().unwrap_or_default();
            let full = rows.len() == 50;
            all.extend(rows);
            if !full {
                break;
            }
        }
        all
    }

    /// Create.
    pub(super) async fn post(&self, path: &str, body: Value) -> Value {
        self.ask("POST", path, body.to_string().as_bytes()).await
    }

    /// Put in place.
    pub(super) async fn put(&self, path: &str, body: Value) -> Value {
        self.ask("PUT", path, body.to_string().as_bytes()).await
    }

    /// Remove.
    pub(super) async fn delete(&self, path: &str) {
        self.ask("DELETE", path, b"").await;
    }

    /// Change.
    pub(super) async fn patch(&self, path: &str, body: Value) -> Value {
        self.ask("PATCH", path, body.to_string().as_bytes()).await
    }
}
