//! The forge as an OAuth provider. What HTTP alone can show runs against the forge as 1.27 and as 1.26, and against a
//! real Gitea too when `AEGIS_TEST_GITEA_URL` and `AEGIS_TEST_GITEA_ADMIN` name one.

mod browser;
mod control;
mod credentials;
mod faults;
mod grants;
mod pages;
mod scopes;
mod tokens;

use aegis_tests::browser::{Arrived, Browser};
use aegis_tests::forge::world::password;
use aegis_tests::forge::{Forge, Options, Version};
use aegis_tests::http::{Answer, send};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

const CALLBACK: &str = "http://127.0.0.1:9/cb";
const READING: &str = "openid profile read:user read:repository read:issue read:organization";
const VERIFIER: &str = "a-verifier-of-forty-three-letters-or-some-more";

/// A Gitea with alice, bob, an administrator and a repository of alice's named `demo`.
struct Place {
    url: String,
    version: String,
    /// What names end in here.
    suffix: String,
    admin: (String, String),
    forge: Option<Forge>,
}

/// An application.
#[derive(Clone)]
struct App {
    id: u64,
    client_id: String,
    secret: String,
    redirect: &'static str,
}

impl Place {
    async fn forge(version: Version) -> Self {
        let forge = Forge::start(Options { version, ..Options::default() }).await;
        let admin = ("root".to_owned(), password("root"));
        let (url, version) = (forge.url(), version.number().to_owned());
        Self { url, version, suffix: String::new(), admin, forge: Some(forge) }
    }

    /// Every Gitea there is to hold this to.
    async fn all() -> Vec<Self> {
        let mut all = vec![Self::forge(Version::V1_27).await, Self::forge(Version::V1_26).await];
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(url) = read("AEGIS_TEST_GITEA_URL") {
            let admin = read("AEGIS_TEST_GITEA_ADMIN").expect("AEGIS_TEST_GITEA_ADMIN is user:password");
            all.push(Self::real(url.trim_end_matches('/'), &admin).await);
        }
        all
    }

    async fn real(url: &str, admin: &str) -> Self {
        let (login, secret) = admin.split_once(':').expect("AEGIS_TEST_GITEA_ADMIN is user:password");
        let version = send(url, "GET", "/api/v1/version", &[], b"").await.expect("a Gitea").json();
        let random =
            ring::rand::generate::<[u8; 4]>(&ring::rand::SystemRandom::new()).expect("chance").expose();
        let place = Self {
            url: url.to_owned(),
            version: version["version"].as_str().expect("a version").to_owned(),
            suffix: random.iter().map(|byte| format!("{byte:02x}")).collect(),
            admin: (login.to_owned(), secret.to_owned()),
            forge: None,
        };
        let admin = basic(&place.admin.0, &place.admin.1);
        for person in ["alice", "bob"] {
            let login = place.login_of(person);
            let body = json!({
                "username": login, "email": format!("{login}@example.test"), "password": password(person),
                "must_change_password": false,
            });
            assert_eq!(place.api("POST", "/admin/users", &admin, Some(&body)).await.status, 201);
        }
        let alice = place.password_of("alice");
        let demo = json!({ "name": "demo", "auto_init": true });
        assert_eq!(place.api("POST", "/user/repos", &alice, Some(&demo)).await.status, 201);
        let hidden = json!({ "name": "private", "private": true });
        assert_eq!(place.api("POST", "/user/repos", &alice, Some(&hidden)).await.status, 201);
        let org = json!({ "username": format!("acme{}", place.suffix) });
        assert_eq!(place.api("POST", "/orgs", &alice, Some(&org)).await.status, 201);
        place
    }

    fn is_1_27(&self) -> bool {
        self.version.starts_with("1.27")
    }

    fn login_of(&self, person: &str) -> String {
        format!("{person}{}", self.suffix)
    }

    /// A Basic header by password.
    fn password_of(&self, person: &str) -> String {
        basic(&self.login_of(person), &password(person))
    }

    async fn api(&self, method: &str, path: &str, authorization: &str, body: Option<&Value>) -> Answer {
        let body = body.map_or_else(String::new, Value::to_string);
        let headers = [("authorization", authorization), ("content-type", "application/json")];
        send(&self.url, method, &format!("/api/v1{path}"), &headers, body.as_bytes())
            .await
            .expect("an answer")
    }

    /// An application of alice's.
    async fn app(&self, redirect: &'static str, confidential: bool) -> App {
        let body = json!({ "name": "app", "redirect_uris": [redirect], "confidential_client": confidential });
        let made =
            self.api("POST", "/user/applications/oauth2", &self.password_of("alice"), Some(&body)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let made = made.json();
        App {
            id: made["id"].as_u64().expect("an id"),
            client_id: made["client_id"].as_str().expect("an id").to_owned(),
            secret: made["client_secret"].as_str().expect("a secret").to_owned(),
            redirect,
        }
    }

    /// An authorize URL with S256, a state and a nonce; each change replaces a parameter, an empty one removes it.
    fn authorize(&self, app: &App, scope: &str, changes: &[(&str, &str)]) -> String {
        let challenge = challenge();
        let mut query = vec![
            ("client_id", app.client_id.as_str()),
            ("redirect_uri", app.redirect),
            ("response_type", "code"),
            ("scope", scope),
            ("state", "a-state"),
            ("nonce", "a-nonce"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            query.retain(|(known, _)| known != name);
            if !value.is_empty() {
                query.push((name, value));
            }
        }
        format!("{}/login/oauth/authorize?{}", self.url, form(&query))
    }

    /// Sign in and consent; where the browser leaves Gitea for.
    async fn walk(&self, browser: &mut Browser, url: &str, person: &str) -> Arrived {
        browser.get(url).await;
        browser.sign_in_at_gitea(&self.login_of(person), &password(person)).await
    }

    /// A code for a person who has a new browser.
    async fn code(&self, app: &App, scope: &str, person: &str) -> String {
        let arrived = self.walk(&mut Browser::new(), &self.authorize(app, scope, &[]), person).await;
        parameter(&arrived.stopped().expect("the application's redirect"), "code").expect("a code")
    }

    async fn token(&self, fields: &[(&str, &str)], authorization: Option<&str>) -> Answer {
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        headers.extend(authorization.map(|value| ("authorization", value)));
        let body = form(fields);
        send(&self.url, "POST", "/login/oauth/access_token", &headers, body.as_bytes())
            .await
            .expect("an answer")
    }

    /// Exchange a code as it should be done, with some fields changed.
    async fn exchange(&self, app: &App, code: &str, changes: &[(&str, &str)]) -> Answer {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", app.redirect),
            ("client_id", app.client_id.as_str()),
            ("client_secret", app.secret.as_str()),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in changes {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        self.token(&fields, None).await
    }

    async fn refresh(&self, app: &App, token: &str) -> Answer {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", app.client_id.as_str()),
            ("client_secret", app.secret.as_str()),
        ];
        self.token(&fields, None).await
    }

    /// Tokens of a person.
    async fn sign_in(&self, app: &App, scope: &str, person: &str) -> Value {
        let code = self.code(app, scope, person).await;
        let answer = self.exchange(app, &code, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    async fn introspect(&self, app: &App, token: &str) -> Answer {
        let basic = basic(&app.client_id, &app.secret);
        let headers =
            [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let body = form(&[("token", token)]);
        send(&self.url, "POST", "/login/oauth/introspect", &headers, body.as_bytes())
            .await
            .expect("an answer")
    }

    async fn userinfo(&self, authorization: &str) -> Answer {
        let headers = [("authorization", authorization)];
        send(&self.url, "GET", "/login/oauth/userinfo", &headers, b"").await.expect("an answer")
    }

    /// Nothing that the sample Gitea does not play was asked for.
    fn nothing_unplanned(&self) {
        if let Some(forge) = &self.forge {
            let unplanned: Vec<String> =
                forge.violations().into_iter().filter(|line| line.contains("unplanned")).collect();
            assert_eq!(unplanned, [] as [String; 0]);
        }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn bearer(tokens: &Value) -> String {
    format!("Bearer {}", text(tokens, "access_token"))
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()))
}

fn word(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn form(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{}={}", word(name), word(value))).collect::<Vec<_>>().join("&")
}

/// A parameter of a URL's query, where none needs decoding but `+` and the usual escapes.
fn parameter(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.replace('+', " ").replace("%3A", ":").replace("%2F", "/"))
}

/// Header and claims of a token, unchecked.
fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap_or_default());
    let mut next = || serde_json::from_slice(&parts.next().unwrap_or_default()).unwrap_or(Value::Null);
    (next(), next())
}

/// Error and description of a refusal by the token endpoint, which is always a 400.
fn refusal(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 400, "{}", answer.text());
    (text(&answer.json(), "error"), text(&answer.json(), "error_description"))
}
