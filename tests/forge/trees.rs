//! `GET /repos/{owner}/{repo}/git/trees/{sha}`: its own paging words, and 400 for everything that goes wrong.

use serde_json::{Value, json};

use super::call::{Answer, Call, encoded};
use super::git::Node;
use super::paging::counted;
use super::world::{Repo, World};

/// `DEFAULT_GIT_TREES_PER_PAGE`, which is also the cap.
pub(super) const LARGEST_PAGE: usize = 1000;

/// Answer the route.
pub(super) fn tree(call: &Call, world: &World, repo: &Repo, name: &str) -> Answer {
    let Some((sha, root)) = repo.git.tree(name) else {
        return call.refuse(400, &format!("sha not found [{name}]"));
    };
    let recursive = call.flag("recursive").unwrap_or(false);
    let entries: Vec<(String, Node)> = if recursive { root.walk() } else { root.entries.clone() };
    let size = match call.number("per_page") {
        0 => LARGEST_PAGE,
        asked => asked.min(LARGEST_PAGE),
    };
    let page = call.number("page").max(1);
    let api = call.api(&format!("/repos/{}/git", world.full_name(repo)));
    let from = size.saturating_mul(page - 1);
    let shown: Value = if from >= entries.len() {
        Value::Null
    } else {
        let to = (from + size).min(entries.len());
        entries[from..to].iter().map(|(path, node)| entry(call, &api, path, node)).collect()
    };
    let more = from < entries.len() && from + size < entries.len();
    let body = json!({
        "sha": sha,
        "url": format!("{api}/trees/{}", encoded(&sha)),
        "tree": shown,
        "truncated": more,
        "page": page,
        "total_count": entries.len(),
    });
    counted(Answer::json(200, &body), entries.len())
}

fn entry(call: &Call, api: &str, path: &str, node: &Node) -> Value {
    let (kind, url, path) = match node {
        Node::File(_) | Node::Program(_) | Node::Link(_) => {
            ("blob", format!("{api}/blobs/{}", node.sha()), call.seeding.path(path))
        }
        Node::Directory(_) => ("tree", format!("{api}/trees/{}", node.sha()), path.to_owned()),
        Node::Module(_) => ("commit", String::new(), path.to_owned()),
    };
    json!({
        "path": path,
        "mode": node.mode(),
        "type": kind,
        "size": node.blob().map_or(0, |blob| blob.bytes.len()),
        "sha": node.sha(),
        "url": url,
    })
}
