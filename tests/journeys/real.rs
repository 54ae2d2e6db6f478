//! A real Gitea as a place for journeys: the sample world is read from a sample Gitea over its API and built anew
//! through the real one's, under account names of this run alone. Nothing is removed afterwards.

mod api;
mod content;
mod facts;
mod talk;

use std::collections::{BTreeMap, HashMap};

use aegis_tests::forge::world::ALICE_TOKEN;
use aegis_tests::forge::{Forge, Options};
use serde_json::json;

use crate::place::{EVERYBODY, Who};
use api::Api;

const PASSWORD: &str = "journeys-of-aegis";
const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "mallory"];
/// Owner, name, whether private.
const REPOSITORIES: [(&str, &str, bool); 8] = [
    ("alice", "demo", false),
    ("alice", "new-name", false),
    ("alice", "empty", false),
    ("alice", "archived", false),
    ("alice", "private", true),
    ("acme", "vault", true),
    ("acme", "site", false),
    ("mallory", "secret", true),
];

/// A real Gitea and its admin, as the environment names them.
pub struct Admin {
    url: String,
    credential: String,
}

/// The real Gitea of this run, if any.
pub fn named() -> Option<Admin> {
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let url = read("AEGIS_TEST_GITEA_URL")?;
    let credential =
        read("AEGIS_TEST_GITEA_ADMIN").expect("AEGIS_TEST_GITEA_ADMIN is user:password of an admin");
    assert!(credential.contains(':'), "AEGIS_TEST_GITEA_ADMIN is user:password of an admin");
    Some(Admin { url: url.trim_end_matches('/').to_owned(), credential })
}

/// The sample world inside a real Gitea.
pub struct RealWorld {
    /// Its address.
    pub url: String,
    /// Its version, as it says it.
    pub version: String,
    /// What account names of the sample world end in here.
    pub suffix: String,
    /// Tokens made for this run.
    pub tokens: HashMap<Who, String>,
    /// Commits of `demo` by name.
    pub commits: BTreeMap<String, String>,
}

/// What the builders share.
struct Site {
    /// The sample to copy from, with alice's token.
    sample: Api,
    /// Where to.
    url: String,
    suffix: String,
}

impl Site {
    /// The real Gitea as one of its people.
    fn by(&self, name: &str) -> Api {
        Api::basic(&self.url, &self.login(name), PASSWORD)
    }

    fn login(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }
}

impl RealWorld {
    /// Build the world.
    pub async fn build(admin: &Admin) -> Self {
        let forge = Forge::start(Options::default()).await;
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let suffix = format!("-{:x}", since.as_millis());
        let sample = Api::bearer(&forge.url(), ALICE_TOKEN);
        let site = Site { sample, url: admin.url.clone(), suffix };
        let (user, password) = admin.credential.split_once(':').expect("user:password");
        let root = Api::basic(&site.url, user, password);
        let version = root.get("/version").await["version"].as_str().expect("a version").to_owned();
        people(&site, &root).await;
        for (owner, name, private) in REPOSITORIES {
            repository(&site, owner, name, private).await;
        }
        let commits = content::demo(&site).await;
        for (owner, name, _) in
            REPOSITORIES.into_iter().filter(|(_, name, _)| !matches!(*name, "demo" | "empty" | "secret"))
        {
            content::plain(&site, owner, name).await;
        }
        for (owner, name, _) in REPOSITORIES.into_iter().filter(|(_, name, _)| *name != "secret") {
            talk::issues(&site, owner, name).await;
        }
        facts::all(&site).await;
        let at = |name: &str| format!("/repos/{}/{name}", site.login("alice"));
        site.by("alice").patch(&at("archived"), json!({ "archived": true })).await;
        site.by("alice").patch(&at("old-name"), json!({ "name": "new-name" })).await;
        let mut tokens = HashMap::new();
        for who in EVERYBODY {
            let login = site.login(who.account());
            let body = json!({ "name": format!("{who:?}"), "scopes": who.scopes() });
            let made = site.by(who.account()).post(&format!("/users/{login}/tokens"), body).await;
            tokens.insert(who, made["sha1"].as_str().expect("a token").to_owned());
        }
        Self { url: site.url, version, suffix: site.suffix, tokens, commits }
    }
}

async fn people(site: &Site, root: &Api) {
    for name in PEOPLE {
        let login = site.login(name);
        let body = json!({
            "username": login, "email": format!("{login}@example.test"), "password": PASSWORD,
            "must_change_password": false,
        });
        root.post("/admin/users", body).await;
    }
    let (alice, acme) = (site.by("alice"), site.login("acme"));
    alice.post("/orgs", json!({ "username": acme, "visibility": "public" })).await;
    let units = ["repo.code", "repo.issues", "repo.pulls", "repo.releases"]
        .map(|unit| (unit.to_owned(), json!("write")));
    let body = json!({
        "name": "writers", "permission": "write", "includes_all_repositories": true,
        "units_map": serde_json::Map::from_iter(units),
    });
    let team = alice.post(&format!("/orgs/{acme}/teams"), body).await["id"].clone();
    alice.put(&format!("/teams/{team}/members/{}", site.login("bob")), json!({})).await;
    for label in site.sample.list("/orgs/acme/labels").await {
        alice.post(&format!("/orgs/{acme}/labels"), talk::label(&label)).await;
    }
}

async fn repository(site: &Site, owner: &str, name: &str, private: bool) {
    // It gets its present name at the end, so that its old one redirects.
    let first = building(name);
    let body = json!({
        "name": first, "description": format!("{name} of {owner}"), "private": private, "default_branch": "main",
    });
    if owner == "acme" {
        site.by("alice").post(&format!("/orgs/{}/repos", site.login("acme")), body).await;
    } else {
        site.by(owner).post("/user/repos", body).await;
    }
    if name == "demo" {
        let path = format!("/repos/{}/demo/collaborators/{}", site.login("alice"), site.login("bob"));
        site.by("alice").put(&path, json!({ "permission": "write" })).await;
    }
}

/// The name that a repository bears while it is built.
fn building(name: &str) -> &str {
    if name == "new-name" { "old-name" } else { name }
}
