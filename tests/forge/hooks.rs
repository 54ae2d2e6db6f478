//! Webhooks: an issue that was opened and a push are delivered as Gitea 1.27 does, signed, without waiting for what comes of
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ring::hmac;
use serde_json::{Value, json};

use super::git::{Blob, Node};
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
    /// Give a repository (`owner/name`) a webhook for issues and pushes. `url` is an origin, `path` what follows it.
    pub fn hook(&self, repo: &str, url: &str, path: &str, secret: &str) {
        let target = (url.to_owned(), path.to_owned());
        held(&self.shared.hooks).push(Hook { repo: repo.to_owned(), target, secret: secret.to_owned() });
    }

    /// Take every webhook from a repository (`owner/name`). What is on its way still arrives.
    pub fn unhook(&self, repo: &str) {
        held(&self.shared.hooks).retain(|hook| hook.repo != repo);
    }

    /// Push one commit by its owner with these files to the default branch of a repository (`owner/name`), beside what is
    /// there.
    ///
    /// # Panics
    /// There is no such repository.
    pub fn push(&self, repo: &str, files: &[(&str, &str)]) {
        let mut world = held(&self.shared.world);
        world.clock += 60;
        let time = world.clock;
        let at = world.repos.iter().position(|known| world.full_name(known) == repo);
        let at = at.expect("a repository of the sample");
        let owner = world.account_by_id(world.repos[at].owner);
        let (person, mail) = (owner.full_name.clone(), format!("{}@example.test", owner.login));
        let git = &mut world.repos[at].git;
        let branch = git.default_branch().to_owned();
        let head = git.resolve(&branch);
        let mut all: BTreeMap<String, Node> = head.iter().flat_map(|commit| commit.tree.walk()).collect();
        all.retain(|_, node| !matches!(node, Node::Directory(_)));
        let node = |text: &str| Node::File(Blob::new(text.as_bytes().to_vec()));
        all.extend(files.iter().map(|(path, text)| ((*path).to_owned(), node(text))));
        let after = git.commit(&branch, &all, (&person, &mail), "Change", time);
        let before = head.map_or_else(|| "0".repeat(40), |commit| commit.sha.clone());
        drop(world);
        let body = json!({
            "ref": format!("refs/heads/{branch}"), "before": before, "after": after, "total_commits": 1,
            "repository": repository(repo, &branch),
        });
        for hook in of(&self.shared, repo) {
            tokio::spawn(send_to(hook, "push", after.clone(), body.clone()));
        }
    }
}

/// The webhooks of a repository.
fn of(shared: &Shared, repo: &str) -> Vec<Hook> {
    held(&shared.hooks).iter().filter(|hook| hook.repo == repo).cloned().collect()
}

/// What a delivery says of its repository.
fn repository(repo: &str, default_branch: &str) -> Value {
    let (owner, name) = repo.split_once('/').unwrap_or_default();
    json!({"name": name, "full_name": repo, "default_branch": default_branch, "owner": {"login": owner}})
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
    let body = json!({
        "action": "opened", "number": issue["number"], "issue": issue, "repository": repository(repo, "main"),
        "sender": issue["user"],
    });
    for hook in of(shared, repo) {
        tokio::spawn(send_to(hook, "issues", issue["id"].to_string(), body.clone()));
    }
}

/// `about` differs in each delivery of an event, so that each has a name of its own.
async fn send_to(hook: Hook, event: &'static str, about: String, body: Value) {
    let Hook { target: (origin, path), secret, .. } = hook;
    let body = body.to_string();
    let signed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
    let signature: String = signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let delivery = format!("delivery-{about}");
    let hub = format!("sha256={signature}");
    let headers = [
        ("content-type", "application/json"),
        ("x-gitea-event", event),
        ("x-gitea-event-type", event),
        ("x-gitea-delivery", delivery.as_str()),
        ("x-gitea-signature", signature.as_str()),
        ("x-hub-signature-256", hub.as_str()),
    ];
    // Gitea notes what came of it on a page; who waits for it here looks at the receiver.
    let _ = send(&origin, "POST", &path, &headers, body.as_bytes()).await;
}
