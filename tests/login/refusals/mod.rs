//! Every way to be refused while signing in, and what each of them is held against: the answer, what Gitea heard, the
//! lines on record under the answer's request id, and that no secret is anywhere.

mod authorize;
mod callback;
mod causes;
mod claims;
mod clients;
mod consent;
mod held;
mod old;

use std::path::Path;

use aegis_tests::browser::{Arrived, Browser, Page};
use aegis_tests::forge::Options;
use aegis_tests::http::Answer;
use aegis_tests::server::{STATE_SECRET, Server, Setup};
use aegis_tests::sign_in::{Client, REDIRECT, Tokens, VERIFIER, parameter};
use serde_json::Value;

use crate::scene::{Scene, password};

/// What programs ask Gitea for while a person comes back: the code, and twice who it is. The keys are known from the
/// start.
pub const WHOLE_EXCHANGE: &[&str] =
    &["POST /login/oauth/access_token", "POST /login/oauth/introspect", "GET /login/oauth/userinfo"];

/// The event and the reason of an audit line.
pub type Line<'a> = (&'a str, &'a str);

/// A server, its Gitea, a registered client, and everything that must not be repeated.
pub struct Desk {
    pub scene: Scene,
    pub server: Server,
    pub client: Client,
    heard: Vec<String>,
    secrets: Vec<String>,
    /// Ids of the requests whose answer was a page, each of which is in the log at the end.
    pages: Vec<String>,
}

impl Desk {
    pub async fn new() -> Self {
        Self::with(|setup| setup).await
    }

    /// With further settings.
    pub async fn with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let scene = Scene::with(Options::default()).await;
        let server = change(scene.setup()).start().await;
        let client = Client::register(&server.url).await;
        let desk = Self { scene, server, client, heard: Vec::new(), secrets: Vec::new(), pages: Vec::new() };
        desk.scene.forge.forget();
        desk.keeping(&[STATE_SECRET, VERIFIER, &password("alice")])
    }

    /// Stopped and started again over the same files, with further settings.
    pub async fn restarted(self, change: impl FnOnce(Setup) -> Setup) -> Self {
        let Self { scene, server, client, heard, secrets, .. } = self;
        let stopped = server.stop().await;
        assert_eq!(stopped.code, 0, "{}", stopped.log);
        let server = change(scene.setup()).start().await;
        scene.forge.forget();
        Self { scene, server, client, heard, secrets, pages: Vec::new() }
    }

    fn keeping(mut self, secrets: &[&str]) -> Self {
        self.secrets.extend(secrets.iter().map(|&secret| secret.to_owned()));
        self
    }

    /// From now on no refusal, line or log may hold this.
    pub fn secret(&mut self, text: &str) {
        assert!(text.len() > 7, "too short to be searched for: {text:?}");
        self.secrets.push(text.to_owned());
    }

    /// The lines on record of the request that got this answer; waits for as many as are wanted.
    async fn lines_of(&self, answer: &Answer, wanted: usize) -> Vec<Value> {
        let id = answer.header("x-request-id").expect("every answer bears an id").to_owned();
        let of_request = |line: &&Value| line["request_id"] == id.as_str();
        let lines = self.server.audit_when(|lines| lines.iter().filter(of_request).count() >= wanted).await;
        lines.into_iter().filter(|line| line["request_id"] == id.as_str()).collect()
    }

    /// Exactly these lines are on record, from this address, and Gitea heard exactly these requests of programs since
    /// it was last looked.
    pub async fn recorded(&mut self, answer: &Answer, lines: &[Line<'_>], upstream: &[&str]) {
        let found = self.lines_of(answer, lines.len()).await;
        let said: Vec<Line<'_>> = found
            .iter()
            .map(|line| {
                (line["event"].as_str().unwrap_or_default(), line["reason"].as_str().unwrap_or_default())
            })
            .collect();
        assert_eq!(said, lines, "{found:#?}\n{}", answer.text());
        assert!(found.iter().all(|line| line["address"] == "127.0.0.1"), "{found:#?}");
        assert_eq!(self.scene.forge.upstream(), upstream, "for {lines:?}");
        assert_eq!(self.scene.forge.violations(), [] as [String; 0]);
        self.scene.forge.forget();
        self.hear(answer);
    }

    /// Keep an answer for the search at the end.
    pub fn hear(&mut self, answer: &Answer) {
        let head: Vec<String> =
            answer.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        self.heard.push(format!("{}\n\n{}", head.join("\n"), answer.text()));
    }

    /// Refused on a page of ours: the browser goes nowhere, keeps nothing, and reads the name.
    pub async fn page(&mut self, page: &Page, status: u16, lines: &[Line<'_>], upstream: &[&str]) {
        let (answer, (_, reason)) = (&page.answer, *lines.last().expect("a refusal leaves a line"));
        assert_eq!(answer.status, status, "{reason}: {}", answer.text());
        assert!(answer.text().contains(&format!("<code>{reason}</code>")), "{reason}: {}", answer.text());
        assert_eq!(answer.header("location"), None, "{reason}");
        page_headers(answer);
        self.is_logged(answer);
        let set: Vec<&str> = cookies(answer);
        assert!(set.iter().all(|cookie| cookie.contains("Max-Age=0")), "{reason} keeps nothing: {set:?}");
        self.recorded(answer, lines, upstream).await;
    }

    /// A page shows its id, which the log must hold when all is over.
    pub fn is_logged(&mut self, answer: &Answer) {
        let id = answer.header("x-request-id").expect("every answer bears an id").to_owned();
        assert!(answer.text().contains(&format!("<code>{id}</code>")), "{}", answer.text());
        self.pages.push(id);
    }

    /// Refused to the client by redirect, with its state and the issuer and without a code.
    pub async fn told(&mut self, page: &Page, error: &str, lines: &[Line<'_>], upstream: &[&str]) {
        assert_eq!(page.status(), 303, "{error}: {}", page.text());
        let to = page.redirect().unwrap_or_default();
        assert!(to.starts_with(&format!("{REDIRECT}?error={error}&error_description=")), "{error}: {to}");
        assert_eq!(parameter(&to, "iss").as_deref(), Some(self.server.url.as_str()), "{to}");
        assert_eq!(parameter(&to, "code"), None, "{to}");
        let set = cookies(&page.answer);
        assert!(set.iter().all(|cookie| cookie.contains("Max-Age=0")), "{error} keeps nothing: {set:?}");
        assert_eq!(page.answer.header("cache-control"), Some("no-store"));
        self.recorded(&page.answer, lines, upstream).await;
    }

    /// Refused to a client that asks for tokens or registers (RFC 6749 section 5.2).
    pub async fn error(
        &mut self,
        answer: &Answer,
        status: u16,
        error: &str,
        line: Line<'_>,
        upstream: &[&str],
    ) {
        self.errors(answer, status, error, &[line], upstream).await;
    }

    /// The same with several lines.
    pub async fn errors(
        &mut self,
        answer: &Answer,
        status: u16,
        error: &str,
        lines: &[Line<'_>],
        upstream: &[&str],
    ) {
        let said = answer.json();
        assert_eq!(
            (answer.status, said["error"].as_str()),
            (status, Some(error)),
            "{lines:?}: {}",
            answer.text()
        );
        let description = said["error_description"].as_str().unwrap_or_default();
        assert!(description.len() > 20 && description.is_ascii(), "{lines:?}: {said}");
        assert!(!description.contains(['"', '\\']), "RFC 6749 section 5.2 leaves both out: {description}");
        assert_eq!(said.as_object().map(serde_json::Map::len), Some(2), "{said}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("pragma"), Some("no-cache"));
        self.recorded(answer, lines, upstream).await;
    }

    /// Somebody signs in and their client redeems; what Gitea heard meanwhile is forgotten.
    pub async fn tokens(&mut self, login: &str, write: bool) -> Tokens {
        let tokens = self.client.tokens(login, &password(login), write).await;
        self.secret(&tokens.access);
        self.secret(&tokens.refresh);
        self.scene.forge.forget();
        tokens
    }

    /// A code for the client, unredeemed.
    pub async fn code(&mut self, login: &str) -> String {
        let url = self.client.sign_in(&mut Browser::new(), login, &password(login), false).await;
        let code = parameter(&url, "code").unwrap_or_else(|| panic!("no code in {url}"));
        self.secret(&code);
        self.scene.forge.forget();
        code
    }

    /// Approve and sign in at Gitea, and stand before the way back.
    pub async fn before_return(&mut self, browser: &mut Browser, write: bool) -> String {
        self.client.approve(browser, write).await;
        let back = format!("{}/oauth/callback", self.server.url);
        let arrived = browser.sign_in_at_gitea("alice", &password("alice")).await;
        let Arrived::Stopped(url) = arrived else { panic!("{arrived:?}") };
        assert!(url.starts_with(&back), "{url}");
        self.scene.forge.forget();
        url
    }

    /// Stop the server; nothing that came out of it holds a secret, and nothing that it left on its volumes.
    pub async fn end(self) {
        let metrics = self.server.stranger("GET", "/metrics", &[], b"").await.text();
        let stopped = self.server.stop().await;
        assert_eq!(stopped.code, 0, "{}", stopped.log);
        let trail = std::fs::read_to_string(&stopped.audit_path).expect("the audit log can be read");
        assert!(!trail.is_empty());
        for id in &self.pages {
            let line = |line: &&str| line.contains("page_shown") && line.contains(id.as_str());
            assert_eq!(stopped.log.lines().filter(line).count(), 1, "the log lacks the page {id}");
        }
        let kept = files(self.scene.folder());
        assert!(kept.iter().any(|(name, _)| name.contains("registry")), "no registry was written");
        for secret in &self.secrets {
            let hint: String = secret.chars().take(14).collect();
            for (place, text) in [("audit", &trail), ("log", &stopped.log), ("metrics", &metrics)] {
                assert!(!text.contains(secret.as_str()), "{place} holds {hint}..");
            }
            for (name, bytes) in &kept {
                let held = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!held, "{name} holds {hint}..");
            }
            for answer in &self.heard {
                assert!(!answer.contains(secret.as_str()), "an answer holds {hint}..: {answer}");
            }
        }
    }
}

/// Every file of a folder and of those in it, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let name = path.display().to_string();
            found.push((name, std::fs::read(&path).expect("the file can be read")));
        }
    }
    found
}

/// Every cookie that an answer sets.
fn cookies(answer: &Answer) -> Vec<&str> {
    answer.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.as_str()).collect()
}

/// What every page of ours wears.
pub fn page_headers(answer: &Answer) {
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!answer.text().contains("<script"), "{}", answer.text());
}
