//! The journey of a job: run by schedule, by command and by a webhook that Gitea delivers, first with writes off and then
//! with writes on, at the sample Gitea and, where `AEGIS_TEST_GITEA_URL` and `AEGIS_TEST_GITEA_ADMIN` name one, at a real
//! one. That one must deliver to loopback addresses (`[webhook] ALLOWED_HOST_LIST = loopback`). Gitea's API makes no issue
//! old, so there `AEGIS_TEST_GITEA_SQL` names a shell command that runs what it reads on its standard input on Gitea's
//! database, such as `sqlite3 gitea.db`; without it every way to start the job is walked, and it finds nothing to mark.
//! Nothing is removed afterwards.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use aegis_tests::forge::world::{SVC_TOKEN, password};
use aegis_tests::forge::{Forge, Options};
use aegis_tests::http::send;
use aegis_tests::server::{Server, Setup, free_port, of_event, program};
use base64::Engine as _;
use serde_json::{Value, json};

const SECRET: &str = "a-webhook-secret-of-more-than-32-characters";
const HOOK: &str = "/automation/webhook";
const JOB: &str = "stale_issue_detection";
const TOOL: &str = "automation_stale_issue_detection";

/// A Gitea with a repository `demo`, whose issues can be made old.
struct Place {
    url: String,
    version: String,
    owner: String,
    service_token: String,
    /// None for a real one.
    forge: Option<Forge>,
    /// Runs SQL on a real one's database.
    sql: Option<String>,
}

fn basic(login: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{login}:{password}")))
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis()
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
    async fn forge() -> Self {
        let forge = Forge::start(Options::default()).await;
        let today = i64::try_from(now() / 1_000).expect("a time");
        forge.change(|world| {
            let demo = world.repos.iter_mut().find(|repo| repo.name == "demo").expect("the sample has it");
            demo.issues.iter_mut().for_each(|issue| issue.updated = today);
        });
        let (url, version) = (forge.url(), "sample".to_owned());
        Self {
            url,
            version,
            owner: "alice".to_owned(),
            service_token: SVC_TOKEN.to_owned(),
            forge: Some(forge),
            sql: None,
        }
    }

    /// The real one that the environment names, with two people and a repository of this run.
    async fn real() -> Option<Self> {
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = read("AEGIS_TEST_GITEA_URL")?.trim_end_matches('/').to_owned();
        let named =
            read("AEGIS_TEST_GITEA_ADMIN").expect("AEGIS_TEST_GITEA_ADMIN is user:password of an admin");
        let (login, secret) =
            named.split_once(':').expect("AEGIS_TEST_GITEA_ADMIN is user:password of an admin");
        let admin = basic(login, secret);
        let version = api(&url, "GET", "/version", &admin, &Value::Null).await;
        let suffix = format!("-jobs-{:x}", now());
        let (owner, bot) = (format!("alice{suffix}"), format!("svc{suffix}"));
        for person in [&owner, &bot] {
            let body = json!({
                "username": person, "email": format!("{person}@example.test"), "password": password(person),
                "must_change_password": false,
            });
            api(&url, "POST", "/admin/users", &admin, &body).await;
        }
        let by_owner = basic(&owner, &password(&owner));
        api(&url, "POST", "/user/repos", &by_owner, &json!({"name": "demo", "auto_init": true})).await;
        let path = format!("/repos/{owner}/demo/collaborators/{bot}");
        api(&url, "PUT", &path, &by_owner, &json!({"permission": "write"})).await;
        let scopes = json!({"name": "jobs", "scopes": ["write:repository", "write:issue", "read:user"]});
        let path = format!("/users/{bot}/tokens");
        let token = api(&url, "POST", &path, &basic(&bot, &password(&bot)), &scopes).await;
        let version = version["version"].as_str().expect("a version").to_owned();
        let service_token = token["sha1"].as_str().expect("a token").to_owned();
        Some(Self { url, version, owner, service_token, forge: None, sql: read("AEGIS_TEST_GITEA_SQL") })
    }

    async fn by_owner(&self, method: &str, path: &str, body: Value) -> Value {
        let path = format!("/repos/{}/demo{path}", self.owner);
        api(&self.url, method, &path, &basic(&self.owner, &password(&self.owner)), &body).await
    }

    async fn open(&self, title: &str) -> u64 {
        let issue = self.by_owner("POST", "/issues", json!({"title": title, "body": "x"})).await;
        issue["number"].as_u64().expect("a number")
    }

    /// An issue that nobody has touched for years.
    async fn old(&self, title: &str) -> u64 {
        let number = self.open(title).await;
        match &self.forge {
            Some(forge) => forge.change(|world| {
                let demo = world.repos.iter_mut().find(|repo| repo.name == "demo").expect("it is there");
                let found =
                    demo.issues.iter_mut().find(|issue| issue.number == number).expect("it was opened");
                found.updated = 1_577_836_800;
            }),
            None => self.age(number),
        }
        number
    }

    fn age(&self, number: u64) {
        let Some(sql) = &self.sql else { return };
        let mut child = Command::new("sh").args(["-c", sql]).stdin(Stdio::piped()).spawn().expect("a shell");
        let said = format!(
            "UPDATE issue SET updated_unix = 1577836800 WHERE \"index\" = {number} AND repo_id = (SELECT id FROM repository \
             WHERE lower_name = 'demo' AND owner_name = '{}');\n",
            self.owner
        );
        child.stdin.take().expect("piped").write_all(said.as_bytes()).expect("it reads");
        assert!(child.wait().expect("it ran").success(), "{sql}");
    }

    /// Whether issues can be made old here, so that there is something to mark.
    fn ages(&self) -> bool {
        self.forge.is_some() || self.sql.is_some()
    }

    /// The job has marked the issue, once.
    async fn is_marked(&self, number: u64, how: &str) -> usize {
        if !self.ages() {
            return 0;
        }
        assert_eq!(self.marks(number).await, (vec!["stale".to_owned()], 1), "{}: {how}", self.version);
        1
    }

    /// Its labels, and the comments of the job.
    async fn marks(&self, number: u64) -> (Vec<String>, usize) {
        let issue = self.by_owner("GET", &format!("/issues/{number}"), Value::Null).await;
        let labels = issue["labels"].as_array().cloned().unwrap_or_default();
        let names = labels.iter().filter_map(|label| label["name"].as_str().map(str::to_owned)).collect();
        let comments = self.by_owner("GET", &format!("/issues/{number}/comments"), Value::Null).await;
        let ours = |comment: &&Value| comment["body"].as_str().is_some_and(|body| body.contains(JOB));
        (names, comments.as_array().map(|all| all.iter().filter(ours).count()).unwrap_or_default())
    }

    async fn hook(&self, origin: &str) {
        match &self.forge {
            Some(forge) => forge.hook(&format!("{}/demo", self.owner), origin, HOOK, SECRET),
            None => {
                let config =
                    json!({"url": format!("{origin}{HOOK}"), "content_type": "json", "secret": SECRET});
                let hook = json!({"type": "gitea", "active": true, "events": ["issues"], "config": config});
                self.by_owner("POST", "/hooks", hook).await;
            }
        }
    }

    /// A server that finds the time of its schedule missed, and makes up for it at once.
    async fn server(&self, port: u16, writes: bool) -> Server {
        let repository = format!("{}/demo", self.owner);
        let setup = Setup::new(&self.url, &self.service_token)
            .set("MCP_PORT", &port.to_string())
            .set("AUTOMATION_ENABLED", "true")
            .set("WEBHOOK_SECRET", SECRET)
            .set("AUTOMATION_SCHEDULER_ENABLED", "true")
            .set("AUTOMATION_SCHEDULER_RUN_MISSED", "true")
            .set("AUTOMATION_SCHEDULE_STALE_ISSUE_DETECTION", "0 0 29 2 *")
            .set("AUTOMATION_REPOSITORIES", &repository);
        let setup = if writes { setup.writes(&repository) } else { setup };
        let kept = json!({"version": 1, "jobs": {JOB: {
            "scheduled": {"schedule": "0 0 29 2 *", "through": "2024-01-01T00:00:00.000Z"},
        }}});
        let file = format!("{}.jobs.json", setup.audit_path().display());
        std::fs::write(file, kept.to_string()).expect("written");
        setup.start().await
    }
}

/// The class of the newest run that succeeded, once there have been so many started by this.
async fn ran(server: &Server, by: Option<&str>, count: usize) -> String {
    let ours = |line: &Value| line["tool"] == TOOL && line["started_by"].as_str() == by;
    let done =
        |lines: &[Value]| lines.iter().filter(|line| ours(line) && line["status"] == "success").count();
    let lines = server.audit_when(|lines| done(lines) >= count).await;
    let begun = of_event(&lines, "tool_invocation")
        .into_iter()
        .filter(|line| ours(line) && line["status"] == "pending");
    let classes: Vec<&str> = begun.filter_map(|line| line["class"].as_str()).collect();
    assert!(lines.iter().filter(|line| ours(line)).all(|line| line["principal"] == "automation"));
    classes.last().copied().unwrap_or_default().to_owned()
}

async fn command(server: &Server, owner: &str, more: &[&str]) -> String {
    let (audit, repo) = (server.audit_path().display().to_string(), format!("{owner}/demo"));
    let arguments = [&["jobs", "run", JOB, "--repo", &repo], more].concat();
    let (code, out, err) = program(&arguments, &[("AUDIT_LOG_PATH", &audit)]).await;
    assert_eq!(code, 0, "{err}");
    out
}

async fn walk(place: &Place) -> usize {
    let label = json!({"name": "stale", "color": "#cccccc"});
    place.by_owner("POST", "/labels", label).await;
    let port = free_port();
    place.hook(&format!("http://127.0.0.1:{port}")).await;
    let mut held = 0;

    let first = place.old("Nobody has looked at this").await;
    let server = place.server(port, false).await;
    assert_eq!(ran(&server, Some("schedule"), 1).await, "read", "{}: by schedule", place.version);
    let said = command(&server, &place.owner, &[]).await;
    let found = usize::from(place.ages());
    assert!(said.contains(&format!("{found} open issues untouched")), "{said}");
    assert!(!place.ages() || said.contains(&format!("#{first} ")), "{said}");
    assert_eq!(ran(&server, Some("command"), 1).await, "read");
    place.open("Opened while writes are off").await;
    assert_eq!(ran(&server, None, 1).await, "read", "{}: by webhook", place.version);
    assert_eq!(place.marks(first).await, (vec![], 0), "with writes off nothing is changed");
    assert_eq!(server.stop().await.code, 0);
    held += 4;

    let server = place.server(port, true).await;
    assert_eq!(ran(&server, Some("schedule"), 1).await, "write");
    held += 1 + place.is_marked(first, "by schedule").await;
    // Opening it is a delivery already, which starts the job for the next hour. A server that has just begun knows nothing
    // of that, so the last one is another.
    let second = place.old("Nor at this").await;
    ran(&server, None, 1).await;
    command(&server, &place.owner, &["--apply"]).await;
    assert_eq!(ran(&server, Some("command"), 1).await, "write");
    held += 1 + place.is_marked(second, "by command").await;
    place.is_marked(first, "it is told once").await;
    assert_eq!(server.stop().await.code, 0);

    let third = place.old("And at this neither").await;
    let server = place.without_scheduler(port).await;
    place.open("Opened while writes are on").await;
    assert_eq!(ran(&server, None, 1).await, "write");
    held += 1 + place.is_marked(third, "by webhook").await;
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    assert!(!stopped.log.contains(SECRET) && !stopped.log.contains(&place.service_token));
    held
}

impl Place {
    /// Writes on, and nothing that runs by itself.
    async fn without_scheduler(&self, port: u16) -> Server {
        let repository = format!("{}/demo", self.owner);
        Setup::new(&self.url, &self.service_token)
            .set("MCP_PORT", &port.to_string())
            .set("AUTOMATION_ENABLED", "true")
            .set("WEBHOOK_SECRET", SECRET)
            .writes(&repository)
            .start()
            .await
    }
}

#[tokio::test]
async fn a_job_runs_by_schedule_command_and_webhook_at_the_sample_gitea() {
    let place = Place::forge().await;
    assert_eq!(walk(&place).await, 10);
    let forge = place.forge.as_ref().expect("a sample Gitea");
    assert!(forge.violations().is_empty(), "{:?}", forge.violations());
}

#[tokio::test]
async fn a_job_runs_by_schedule_command_and_webhook_at_a_real_gitea() {
    let report = match Place::real().await {
        Some(place) => {
            let held = walk(&place).await;
            let skipped = if place.ages() { 0 } else { 3 };
            json!({ "journey": "jobs", "gitea": place.version, "run": held, "passed": held, "skipped": skipped })
        }
        None => json!({ "journey": "jobs", "gitea": null, "run": 0, "passed": 0, "skipped": 1,
            "why": "AEGIS_TEST_GITEA_URL names no real Gitea" }),
    };
    println!("{report}");
}
