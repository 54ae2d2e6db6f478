//! Where jobs are walked: the sample Gitea or a real one, with one repository, what people do in it, and what is seen there
//! afterwards.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use aegis_tests::forge::world::{SVC_TOKEN, password};
use aegis_tests::forge::{Forge, Options};
use aegis_tests::http::send;
use base64::Engine as _;
use serde_json::{Value, json};

use crate::push::push;

/// The sample's own, where hardly anything is; a real one gets one of that name.
const REPO: &str = "private";
pub const SECRET: &str = "a-webhook-secret-of-more-than-32-characters";
const HOOK: &str = "/automation/webhook";
/// A day in the year 2020.
const LONG_AGO: i64 = 1_577_836_800;

/// A Gitea with a repository whose issues can be made old.
pub struct Place {
    pub url: String,
    pub version: String,
    pub service_token: String,
    /// Login of the account that jobs act as.
    pub service: String,
    /// None for a real one.
    pub forge: Option<Forge>,
    owner: String,
    /// Runs SQL on a real one's database.
    sql: Option<String>,
}

/// An issue as its readers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub number: u64,
    pub title: String,
    pub author: String,
    pub body: String,
    pub state: String,
    pub labels: Vec<String>,
    pub comments: Vec<String>,
}

fn basic(login: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{login}:{password}")))
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

async fn api(url: &str, method: &str, path: &str, authorization: &str, body: &Value) -> Value {
    let headers = [("authorization", authorization), ("content-type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let path = format!("/api/v1{path}");
    let answer = send(url, method, &path, &headers, body.as_bytes()).await.expect("the Gitea answers");
    assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

impl Place {
    pub async fn forge() -> Self {
        let forge = Forge::start(Options::default()).await;
        let today = i64::try_from(now() / 1_000).expect("a time");
        // Only what a test makes old is old.
        forge.change(|world| {
            world.clock = today;
            let issues = world.repos.iter_mut().flat_map(|repo| &mut repo.issues);
            issues.for_each(|issue| issue.updated = today);
        });
        Self {
            url: forge.url(),
            version: "sample".to_owned(),
            owner: "alice".to_owned(),
            service: "svc".to_owned(),
            service_token: SVC_TOKEN.to_owned(),
            forge: Some(forge),
            sql: None,
        }
    }

    /// The real one that the environment names, with two people and a repository of this run.
    pub async fn real() -> Option<Self> {
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = read("AEGIS_TEST_GITEA_URL")?.trim_end_matches('/').to_owned();
        let named =
            read("AEGIS_TEST_GITEA_ADMIN").expect("AEGIS_TEST_GITEA_ADMIN is user:password of an admin");
        let (login, secret) =
            named.split_once(':').expect("AEGIS_TEST_GITEA_ADMIN is user:password of an admin");
        let admin = basic(login, secret);
        let version = api(&url, "GET", "/version", &admin, &Value::Null).await;
        let suffix = format!("-jobs-{:x}", now());
        let (owner, service) = (format!("alice{suffix}"), format!("svc{suffix}"));
        for person in [&owner, &service] {
            let body = json!({
                "username": person, "email": format!("{person}@example.test"), "password": password(person),
                "must_change_password": false,
            });
            api(&url, "POST", "/admin/users", &admin, &body).await;
        }
        let by_owner = basic(&owner, &password(&owner));
        let repository = json!({"name": REPO, "auto_init": true, "private": true, "default_branch": "main"});
        api(&url, "POST", "/user/repos", &by_owner, &repository).await;
        let path = format!("/repos/{owner}/{REPO}/collaborators/{service}");
        api(&url, "PUT", &path, &by_owner, &json!({"permission": "write"})).await;
        let scopes = json!({"name": "jobs", "scopes": ["write:repository", "write:issue", "read:user"]});
        let path = format!("/users/{service}/tokens");
        let token = api(&url, "POST", &path, &basic(&service, &password(&service)), &scopes).await;
        let (version, service_token) = (text(&version["version"]), text(&token["sha1"]));
        let sql = read("AEGIS_TEST_GITEA_SQL");
        Some(Self { url, version, owner, service, service_token, forge: None, sql })
    }

    /// As `owner/name`.
    pub fn repository(&self) -> String {
        format!("{}/{REPO}", self.owner)
    }

    /// Ask for something in the repository, as its owner.
    pub async fn by_owner(&self, method: &str, path: &str, body: Value) -> Value {
        let path = format!("/repos/{}{path}", self.repository());
        api(&self.url, method, &path, &basic(&self.owner, &password(&self.owner)), &body).await
    }

    /// Push files to the default branch.
    pub async fn push(&self, files: &[(&str, &str)]) {
        match &self.forge {
            Some(forge) => forge.push(&self.repository(), files),
            None => {
                let authorization = basic(&self.owner, &password(&self.owner));
                push(&self.url, &authorization, &self.repository(), files).await;
            }
        }
    }

    pub async fn open(&self, title: &str) -> u64 {
        let issue = self.by_owner("POST", "/issues", json!({"title": title, "body": "x"})).await;
        issue["number"].as_u64().expect("a number")
    }

    /// An issue that nobody has touched for years.
    pub async fn old(&self, title: &str) -> u64 {
        let number = self.open(title).await;
        match &self.forge {
            Some(forge) => forge.change(|world| {
                let name = self.repository();
                let at = world.repos.iter().position(|repo| world.full_name(repo) == name);
                let issues = &mut world.repos[at.expect("the sample has it")].issues;
                let issue = issues.iter_mut().find(|issue| issue.number == number);
                issue.expect("it was opened").updated = LONG_AGO;
            }),
            None => self.age(number),
        }
        number
    }

    fn age(&self, number: u64) {
        let Some(sql) = &self.sql else { return };
        let mut child = Command::new("sh").args(["-c", sql]).stdin(Stdio::piped()).spawn().expect("a shell");
        let said = format!(
            "UPDATE issue SET updated_unix = {LONG_AGO} WHERE \"index\" = {number} AND repo_id = (SELECT id FROM repository \
             WHERE lower_name = '{REPO}' AND owner_name = '{}');\n",
            self.owner
        );
        child.stdin.take().expect("piped").write_all(said.as_bytes()).expect("it reads");
        assert!(child.wait().expect("it ran").success(), "{sql}");
    }

    /// Whether issues can be made old here, so that there is something to mark.
    pub fn ages(&self) -> bool {
        self.forge.is_some() || self.sql.is_some()
    }

    /// Every issue, by number.
    pub async fn issues(&self) -> Vec<Issue> {
        let all = self.by_owner("GET", "/issues?state=all&type=issues&limit=50", Value::Null).await;
        let mut issues = Vec::new();
        for issue in all.as_array().expect("a list") {
            let number = issue["number"].as_u64().expect("a number");
            let comments = self.by_owner("GET", &format!("/issues/{number}/comments"), Value::Null).await;
            let labels = issue["labels"].as_array().into_iter().flatten();
            let comments = comments.as_array().expect("a list").iter();
            issues.push(Issue {
                number,
                title: text(&issue["title"]),
                author: text(&issue["user"]["login"]),
                body: text(&issue["body"]),
                state: text(&issue["state"]),
                labels: labels.map(|label| text(&label["name"])).collect(),
                comments: comments.map(|comment| text(&comment["body"])).collect(),
            });
        }
        issues.sort_by_key(|issue| issue.number);
        issues
    }

    /// Have issues and pushes delivered to a server at this origin, until [`Place::unhook`].
    pub async fn hook(&self, origin: &str) {
        match &self.forge {
            Some(forge) => forge.hook(&self.repository(), origin, HOOK, SECRET),
            None => {
                let config =
                    json!({"url": format!("{origin}{HOOK}"), "content_type": "json", "secret": SECRET});
                let events = ["issues", "push"];
                let hook = json!({"type": "gitea", "active": true, "events": events, "config": config});
                self.by_owner("POST", "/hooks", hook).await;
            }
        }
    }

    /// Nothing that happens from now on is delivered anywhere.
    pub async fn unhook(&self) {
        if let Some(forge) = &self.forge {
            return forge.unhook(&self.repository());
        }
        let hooks = self.by_owner("GET", "/hooks", Value::Null).await;
        for hook in hooks.as_array().expect("a list") {
            self.by_owner("DELETE", &format!("/hooks/{}", hook["id"]), Value::Null).await;
        }
    }
}
