//! Labels, milestones, issues, pull requests and comments, opened in the order of their numbers by the people who
//! opened them in the sample.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Site, building};

/// What is sent to make a label like this one.
pub(super) fn label(label: &Value) -> Value {
    let field = |name: &str| label[name].clone();
    json!({ "name": field("name"), "color": field("color"), "description": field("description"), "exclusive": field("exclusive") })
}

/// Everything that people say in one repository.
pub(super) async fn issues(site: &Site, owner: &str, name: &str) {
    let from = format!("/repos/{owner}/{name}");
    let to = format!("/repos/{}/{}", site.login(owner), building(name));
    let alice = site.by("alice");
    let mut labels = BTreeMap::new();
    for found in site.sample.list(&format!("{from}/labels")).await {
        let made = alice.post(&format!("{to}/labels"), label(&found)).await;
        labels.insert(found["id"].to_string(), made["id"].clone());
    }
    if owner == "acme" {
        let path = format!("/orgs/{}/labels", site.login("acme"));
        let ours = alice.list(&path).await;
        for found in site.sample.list("/orgs/acme/labels").await {
            let same = ours.iter().find(|label| label["name"] == found["name"]).expect("the same label");
            labels.insert(found["id"].to_string(), same["id"].clone());
        }
    }
    let mut milestones = BTreeMap::new();
    for found in site.sample.list(&format!("{from}/milestones?state=all")).await {
        let body = json!({ "title": found["title"], "due_on": found["due_on"], "state": found["state"] });
        let made = alice.post(&format!("{to}/milestones"), body).await;
        milestones.insert(found["id"].to_string(), made["id"].clone());
    }
    let mut all = site.sample.list(&format!("{from}/issues?state=all")).await;
    all.sort_by_key(|issue| issue["number"].as_u64());
    for issue in all {
        open(site, &from, &to, &issue, &labels, &milestones).await;
    }
}

async fn open(
    site: &Site,
    from: &str,
    to: &str,
    issue: &Value,
    labels: &BTreeMap<String, Value>,
    milestones: &BTreeMap<String, Value>,
) {
    let poster = site.by(issue["user"]["login"].as_str().expect("a poster"));
    let number = issue["number"].as_u64().expect("a number");
    let pull = !issue["pull_request"].is_null();
    let said = json!({ "title": issue["title"], "body": issue["body"] });
    let made = if pull {
        let head = if number == 36 { "feature/one" } else { "tidy" };
        let mut said = said;
        said["head"] = json!(head);
        said["base"] = json!("main");
        poster.post(&format!("{to}/pulls"), said).await
    } else {
        poster.post(&format!("{to}/issues"), said).await
    };
    assert_eq!(made["number"], number, "numbers agree");
    let at = format!("{to}/issues/{number}");
    let alice = site.by("alice");
    let rows = |name: &str| issue[name].as_array().cloned().unwrap_or_default();
    let ids: Vec<&Value> = rows("labels").iter().map(|label| &labels[&label["id"].to_string()]).collect();
    if !ids.is_empty() {
        alice.post(&format!("{at}/labels"), json!({ "labels": ids })).await;
    }
    let mut change = json!({});
    if let Some(id) = milestones.get(&issue["milestone"]["id"].to_string()) {
        change["milestone"] = id.clone();
    }
    let assigned: Vec<String> = rows("assignees")
        .iter()
        .filter_map(|user| user["login"].as_str())
        .map(|login| site.login(login))
        .collect();
    if !assigned.is_empty() {
        change["assignees"] = json!(assigned);
    }
    if !issue["due_date"].is_null() {
        change["due_date"] = issue["due_date"].clone();
    }
    if issue["state"] == "closed" {
        change["state"] = json!("closed");
    }
    if change != json!({}) {
        alice.patch(&at, change).await;
    }
    for comment in site.sample.list(&format!("{from}/issues/{number}/comments")).await {
        let author = site.by(comment["user"]["login"].as_str().expect("an author"));
        author.post(&format!("{at}/comments"), json!({ "body": comment["body"] })).await;
    }
    if issue["is_locked"] == true {
        alice.put(&format!("{at}/lock"), json!({})).await;
    }
}
