//! What is known about repositories beside their files and talks: topics, releases, reports of checks, and which
//! branches are left.

use serde_json::{Value, json};

use super::Site;

/// All of it, read from the sample.
pub(super) async fn all(site: &Site) {
    let alice = site.by("alice");
    for (owner, name) in [("acme", "site"), ("alice", "demo")] {
        let (from, to) = (format!("/repos/{owner}/{name}"), format!("/repos/{}/{name}", site.login(owner)));
        let topics = site.sample.get(&format!("{from}/topics")).await;
        alice.put(&format!("{to}/topics"), topics).await;
        let head = alice.get(&format!("{to}/branches/main")).await["commit"]["id"].clone();
        let head = head.as_str().expect("a commit").to_owned();
        for report in reports(site, &from).await {
            alice.post(&format!("{to}/statuses/{head}"), status(&report)).await;
        }
        let mut releases = site.sample.list(&format!("{from}/releases")).await;
        releases.reverse();
        for found in releases {
            let field = |name: &str| found[name].clone();
            let body = json!({
                "tag_name": field("tag_name"), "target_commitish": field("target_commitish"), "name": field("name"),
                "body": field("body"), "draft": field("draft"), "prerelease": field("prerelease"),
            });
            alice.post(&format!("{to}/releases"), body).await;
        }
    }
    // In the sample the branch of the closed pull request is gone.
    alice.delete(&format!("/repos/{}/demo/branches/tidy", site.login("alice"))).await;
}

/// The latest report of every check of the default branch.
async fn reports(site: &Site, repository: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for page in 1.. {
        let found = site.sample.get(&format!("{repository}/commits/main/status?limit=50&page={page}")).await;
        let Some(rows) = found["statuses"].as_array().filter(|rows| !rows.is_empty()) else { break };
        all.extend(rows.clone());
    }
    all
}

fn status(report: &Value) -> Value {
    json!({ "context": report["context"], "state": report["status"], "description": report["description"] })
}
