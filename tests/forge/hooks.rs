//! Webhooks: an issue that was opened is delivered as Gitea 1.27 does, signed, without waiting for what comes of it.

use std::sync::Arc;

use ring::hmac;
use serde_json::{Value, json};

use super::{Forge, Shared, held};
use crate::http::send;

/// A webhook of a repository.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    /// `owner/name`.
    repo: String,
    /// Origin and path of where it goes.
    target: (String, String),
    secret: String,
}

impl Forge {
    /// Give a repository (`owner/name`) a webhook for issues. `url` is an origin, `path` what follows it.
    pub fn hook(&self, repo: &str, url: &str, path: &str, secret: &str) {
        let target = (url.to_owned(), path.to_owned());
        held(&self.shared.hooks).push(Hook { repo: repo.to_owned(), target, secret: secret.to_owned() });
    }
}

/// Deliver what a request has brought about, if it has.
pub(super) fn deliver(shared: &Arc<Shared>, method: &str, path: &str, status: u16, answer: &[u8]) {
    let Some(repo) = path.strip_prefix("/api/v1/repos/").and_then(|rest| rest.strip_suffix("/issues")) else {
        return;
    };
    if method != "POST" || status != 201 {
        return;
    }
    let issue: Value = serde_json::from_slice(answer).unwrap_or_default();
    let hooks: Vec<Hook> = held(&shared.hooks).iter().filter(|hook| hook.repo == repo).cloned().collect();
    for hook in hooks {
        tokio::spawn(send_to(hook, issue.clone()));
    }
}

async fn send_to(hook: Hook, issue: Value) {
    let Hook { repo, target: (origin, path), secret } = hook;
    let (owner, name) = repo.split_once('/').unwrap_or_default();
    let repository = json!({"name": name, "full_name": repo, "owner": {"login": owner}});
    let body = json!({
        "action": "opened", "number": issue["number"], "issue": issue, "repository": repository,
        "sender": issue["user"],
    });
    let body = body.to_string();
    let signed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
    let signature: String = signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    // A name of its own for each delivery, as long as the issues differ.
    let delivery = format!("delivery-{}", issue["id"]);
    let hub = format!("sha256={signature}");
    let headers = [
        ("content-type", "application/json"),
        ("x-gitea-event", "issues"),
        ("x-gitea-event-type", "issues"),
        ("x-gitea-delivery", delivery.as_str()),
        ("x-gitea-signature", signature.as_str()),
        ("x-hub-signature-256", hub.as_str()),
    ];
    // Gitea notes what came of it on a page; who waits for it here looks at the receiver.
    let _ = send(&origin, "POST", &path, &headers, body.as_bytes()).await;
}
