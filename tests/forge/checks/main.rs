//! The forge held against what is known of Gitea: recorded answers, the traps of its API, and its own duties.

mod access;
mod canary;
mod changes;
mod commits;
mod issues;
mod oauth;
mod oversight;
mod pulls;
mod releases;
mod replay;
mod table;
mod traps;

use aegis_tests::forge::{Forge, Options};
use aegis_tests::http::{Answer, send};
use serde_json::Value;

/// A forge with the default options.
async fn forge() -> Forge {
    Forge::start(Options::default()).await
}

/// A GET below `/api/v1` with a bearer token.
async fn get(forge: &Forge, token: &str, path: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    send(&forge.url(), "GET", &format!("/api/v1{path}"), &[("authorization", &bearer)], b"")
        .await
        .expect("an answer")
}

/// A POST of JSON below `/api/v1` with a bearer token.
async fn post(forge: &Forge, token: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = body.to_string();
    send(&forge.url(), "POST", &format!("/api/v1{path}"), &headers, body.as_bytes()).await.expect("an answer")
}

/// One field of every element of a list.
fn each(list: &Value, pointer: &str) -> Vec<Value> {
    let all = list.as_array().expect("a list");
    all.iter().map(|one| one.pointer(pointer).cloned().unwrap_or(Value::Null)).collect()
}
