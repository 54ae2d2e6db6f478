//! The login journey over HTTP alone: at the sample Gitea in both versions and, where `AEGIS_TEST_GITEA_URL` and
//! `AEGIS_TEST_GITEA_ADMIN` (`user:password`) name one, at a real Gitea. The people, the repository and the
//! applications of a run bear names of their own, and nothing is removed afterwards.

use aegis_tests::browser::Browser;
use aegis_tests::forge::world::password;
use aegis_tests::forge::{Forge, Options, Version};
use aegis_tests::http::{Answer, send};
use aegis_tests::server::{Server, Setup, free_port, of_event};
use aegis_tests::sign_in::{Client, Tokens, call, parameter};
use base64::Engine as _;
use serde_json::{Value, json};

/// A Gitea, and what was made there for this run.
struct Place {
    url: String,
    version: String,
    /// What logins end in here.
    suffix: String,
    admin: String,
    /// Looks at everything that it is asked; a real one does not.
    forge: Option<Forge>,
}

/// An application with our redirect URI.
struct App {
    id: u64,
    client_id: String,
    secret: String,
}

fn basic(login: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{login}:{password}")))
}

impl Place {
    async fn forge(version: Version) -> Self {
        let forge = Forge::start(Options { version, ..Options::default() }).await;
        let admin = basic("root", &password("root"));
        let (url, version) = (forge.url(), version.number().to_owned());
        Self { url, version, suffix: String::new(), admin, forge: Some(forge) }
    }

    /// The real one that the environment names.
    async fn real() -> Option<Self> {
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = read("AEGIS_TEST_GITEA_URL")?.trim_end_matches('/').to_owned();
        let admin =
            read("AEGIS_TEST_GITEA_ADMIN").expect("AEGIS_TEST_GITEA_ADMIN is user:password of an admin");
        let (login, secret) =
            admin.split_once(':').expect("AEGIS_TEST_GITEA_ADMIN is user:password of an admin");
        let version = send(&url, "GET", "/api/v1/version", &[], b"").await.expect("a Gitea").json();
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let place = Self {
            version: version["version"].as_str().expect("a version").to_owned(),
            suffix: format!("-login-{:x}", since.as_millis()),
            admin: basic(login, secret),
            url,
            forge: None,
        };
        for person in ["alice", "bob"] {
            let login = place.login(person);
            let body = json!({
                "username": login, "email": format!("{login}@example.test"), "password": password(person),
                "must_change_password": false,
            });
            place.api("POST", "/admin/users", &place.admin, &body).await;
        }
        let demo = json!({ "name": "demo", "auto_init": true });
        place.api("POST", "/user/repos", &place.by("alice"), &demo).await;
        Some(place)
    }

    fn login(&self, person: &str) -> String {
        format!("{person}{}", self.suffix)
    }

    fn by(&self, person: &str) -> String {
        basic(&self.login(person), &password(person))
    }

    async fn api(&self, method: &str, path: &str, authorization: &str, body: &Value) -> Value {
        let headers = [("authorization", authorization), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = format!("/api/v1{path}");
        let answer =
            send(&self.url, method, &path, &headers, body.as_bytes()).await.expect("the Gitea answers");
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
        answer.json()
    }

    async fn app(&self, name: &str, port: u16) -> App {
        let redirect = format!("http://127.0.0.1:{port}/oauth/callback");
        let body = json!({ "name": name, "redirect_uris": [redirect], "confidential_client": true });
        let made = self.api("POST", "/user/applications/oauth2", &self.admin, &body).await;
        App {
            id: made["id"].as_u64().expect("an id"),
            client_id: made["client_id"].as_str().expect("a client id").to_owned(),
            secret: made["client_secret"].as_str().expect("a secret").to_owned(),
        }
    }

    /// Prohibit somebody from signing in, or allow it again.
    async fn disable(&self, person: &str, disabled: bool) {
        match &self.forge {
            Some(forge) => forge.disable(person, disabled),
            None => {
                let login = self.login(person);
                let body = json!({ "login_name": login, "source_id": 0, "prohibit_login": disabled });
                self.api("PATCH", &format!("/admin/users/{login}"), &self.admin, &body).await;
            }
        }
    }

    /// Revoke what somebody granted, as they would: on the page of their settings.
    async fn revoke(&self, person: &str, app: &App) {
        let mut browser = Browser::new();
        browser.get(&format!("{}/user/login", self.url)).await;
        browser.sign_in_at_gitea(&self.login(person), &password(person)).await;
        let settings = browser.get(&format!("{}/user/settings/applications", self.url)).await;
        let here = format!("/user/settings/applications/oauth2/{}/revoke/", app.id);
        let source = settings.text();
        let (_, rest) = source.split_once(&here).expect("the grant is listed");
        let grant: String = rest.chars().take_while(char::is_ascii_digit).collect();
        assert_eq!(browser.post(&format!("{}{here}{grant}", self.url), &[]).await.status(), 200);
    }
}

/// A journey under way: one server, one client, one person at a time.
struct Journey<'a> {
    place: &'a Place,
    server: Server,
    client: Client,
    /// Checks that held.
    held: usize,
}

impl Journey<'_> {
    async fn tokens(&self, person: &str, write: bool) -> Tokens {
        self.client.tokens(&self.place.login(person), &password(person), write).await
    }

    async fn read(&self, tokens: &Tokens) -> Answer {
        let arguments = json!({"owner": self.place.login("alice"), "repo": "demo"});
        call(&self.server.url, &tokens.access, "get_repository_info", &arguments).await
    }

    async fn write(&self, tokens: &Tokens, title: &str) -> Answer {
        let arguments = json!({"owner": self.place.login("alice"), "repo": "demo", "title": title});
        call(&self.server.url, &tokens.access, "create_issue", &arguments).await
    }

    /// The answer is this, and by this reason.
    fn is(&mut self, answer: &Answer, status: u16, reason: Option<&str>, what: &str) {
        let (version, text) = (&self.place.version, answer.text());
        assert_eq!(answer.status, status, "{version}, {what}: {text}");
        assert_eq!(answer.reason().as_deref(), reason, "{version}, {what}: {text}");
        if status == 401 {
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert!(challenge.contains("resource_metadata="), "{version}, {what}: {challenge}");
        }
        self.held += 1;
    }

    async fn reads_and_refreshes(&mut self) {
        let tokens = self.tokens("alice", false).await;
        assert_eq!(tokens.answer["scope"], "read:repository");
        let answer = self.read(&tokens).await;
        self.is(&answer, 200, None, "a read");
        let answer = self.write(&tokens, "No").await;
        self.is(&answer, 403, Some("insufficient_scope"), "a write with a token for reading");
        let answer = call(&self.server.url, &tokens.access, "list_repositories", &json!({})).await;
        self.is(&answer, 200, None, "list_repositories needs a scope of its own");
        let arguments = json!({"owner": self.place.login("alice"), "repo": "demo"});
        let answer = call(&self.server.url, &tokens.access, "list_issues", &arguments).await;
        self.is(&answer, 200, None, "list_issues needs another one");
        let next = Tokens::of(&self.client.refresh(&tokens.refresh, &[]).await);
        let answer = self.read(&next).await;
        self.is(&answer, 200, None, "a read after a refresh");
    }

    async fn writes_as_the_person(&mut self) {
        let tokens = self.tokens("alice", true).await;
        assert_eq!(tokens.answer["scope"], "read:repository write:repository");
        let answer = self.write(&tokens, "Written by a person's assistant").await;
        self.is(&answer, 200, None, "a write");
        let login = self.place.login("alice");
        let path = format!("/repos/{login}/demo/issues?type=issues&state=open");
        let found = self.place.api("GET", &path, &self.place.by("alice"), &Value::Null).await;
        let issues = found.as_array().cloned().unwrap_or_default();
        let ours = issues.iter().find(|issue| issue["title"] == "Written by a person's assistant");
        assert_eq!(ours.expect("it is there")["user"]["login"], login.as_str());
        self.held += 1;
        let next = Tokens::of(&self.client.refresh(&tokens.refresh, &[("scope", "read:repository")]).await);
        let answer = self.write(&next, "No").await;
        self.is(&answer, 403, Some("insufficient_scope"), "a write after narrowing");
    }

    async fn ends_when_it_is_revoked_in_gitea(&mut self, app: &App) {
        let tokens = self.tokens("bob", false).await;
        let answer = self.read(&tokens).await;
        self.is(&answer, 200, None, "bob reads");
        self.place.revoke("bob", app).await;
        let answer = self.read(&tokens).await;
        self.is(&answer, 401, Some("signed_out_in_gitea"), "the call after revoking");
        let answer = self.read(&tokens).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
        let refresh = self.client.refresh(&tokens.refresh, &[]).await;
        self.is(&refresh, 400, Some("invalid_grant"), "a refresh after revoking");
        let again = self.tokens("bob", false).await;
        let answer = self.read(&again).await;
        self.is(&answer, 200, None, "after signing in again");
    }

    async fn ends_when_the_user_is_disabled(&mut self) {
        let tokens = self.tokens("bob", false).await;
        self.place.disable("bob", true).await;
        let answer = self.read(&tokens).await;
        self.is(&answer, 401, Some("signed_out_in_gitea"), "the call of a disabled user");
        let refresh = self.client.refresh(&tokens.refresh, &[]).await;
        self.is(&refresh, 400, Some("invalid_grant"), "a disabled user's refresh");
        self.place.disable("bob", false).await;
        let tokens = self.tokens("bob", false).await;
        self.place.disable("bob", true).await;
        let refresh = self.client.refresh(&tokens.refresh, &[]).await;
        self.is(&refresh, 400, Some("invalid_grant"), "a refresh as the first thing");
        self.place.disable("bob", false).await;
        let tokens = self.tokens("bob", false).await;
        let answer = self.read(&tokens).await;
        self.is(&answer, 200, None, "allowed again");
    }

    /// Somebody granted reads, and then chooses writes.
    async fn needs_nothing_revoked_for_writes(&mut self) {
        self.tokens("bob", false).await;
        let mut browser = Browser::new();
        self.client.approve(&mut browser, true).await;
        browser.sign_in_at_gitea(&self.place.login("bob"), &password("bob")).await;
        let redirect = self.client.redirect.clone();
        let arrived = browser.follow_until(|url| url.starts_with(&redirect)).await;
        let back = arrived.stopped().expect("two applications, so that nobody has to revoke anything");
        let tokens = Tokens::of(&self.client.redeem(&parameter(&back, "code").unwrap(), &[]).await);
        assert_eq!(tokens.answer["scope"], "read:repository write:repository");
        self.held += 1;
    }
}

async fn walk(place: &Place) -> usize {
    let port = free_port();
    let (reads, writes) =
        (place.app("AegisGitea-MCP", port).await, place.app("AegisGitea-MCP, writes", port).await);
    let server = Setup::sign_in(&place.url, port, &reads.client_id, &reads.secret)
        .writes(&format!("{}/demo", place.login("alice")))
        .set("GITEA_OAUTH_WRITE_CLIENT_ID", &writes.client_id)
        .set("GITEA_OAUTH_WRITE_CLIENT_SECRET", &writes.secret)
        .start()
        .await;
    let client = Client::register(&server.url).await;
    let mut journey = Journey { place, server, client, held: 0 };
    journey.reads_and_refreshes().await;
    journey.writes_as_the_person().await;
    journey.ends_when_it_is_revoked_in_gitea(&reads).await;
    journey.ends_when_the_user_is_disabled().await;
    journey.needs_nothing_revoked_for_writes().await;
    let stopped = journey.server.stop().await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
    assert!(!stopped.log.contains(&reads.secret) && !stopped.log.contains(&writes.secret));
    assert!(!of_event(&stopped.audit, "tool_invocation").is_empty());
    journey.held
}

#[tokio::test]
async fn the_login_journey_holds_at_the_sample_gitea_in_both_versions() {
    for version in [Version::V1_27, Version::V1_26] {
        let place = Place::forge(version).await;
        assert!(walk(&place).await > 15);
        let forge = place.forge.as_ref().expect("a sample Gitea");
        assert!(forge.violations().is_empty(), "{:?}", forge.violations());
    }
}

#[tokio::test]
async fn the_login_journey_holds_at_a_real_gitea() {
    let report = match Place::real().await {
        Some(place) => {
            let held = walk(&place).await;
            json!({ "journey": "login", "gitea": place.version, "run": held, "passed": held, "skipped": 0 })
        }
        None => json!({ "journey": "login", "gitea": null, "run": 0, "passed": 0, "skipped": 1,
            "why": "AEGIS_TEST_GITEA_URL names no real Gitea" }),
    };
    println!("{report}");
}
