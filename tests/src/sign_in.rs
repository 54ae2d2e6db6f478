//! Signing in as a client and a person would: register, ask, approve, sign in at Gitea, come back, redeem, refresh.
//! Each step can be taken alone, so that a test can go wrong at any of them.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::browser::{Arrived, Browser};
use crate::http::{Answer, send};

/// A redirect URI that everybody may register.
pub const REDIRECT: &str = "http://127.0.0.1:43117/callback";

/// A verifier of a test; its challenge is computed.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mBqKs1XuSOBDH5ELZmWn1tqGZJYNmE";

/// The S256 challenge of a verifier (RFC 7636 section 4.2).
#[must_use]
pub fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// `application/x-www-form-urlencoded`.
#[must_use]
pub fn form(fields: &[(&str, &str)]) -> String {
    let coded = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    out.push(char::from(byte))
                }
                byte => out.push_str(&format!("%{byte:02X}")),
            }
            out
        })
    };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", coded(name), coded(value))).collect();
    pairs.join("&")
}

/// The value of one parameter of a URL, decoded.
#[must_use]
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?')?.1.split('#').next()?;
    let raw = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut out = Vec::new();
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

/// An OAuth client of a test.
#[derive(Clone, Debug)]
pub struct Client {
    /// `http://127.0.0.1:PORT` of the server.
    pub server: String,
    /// Its id.
    pub id: String,
    /// Its redirect URI.
    pub redirect: String,
}

/// What a client holds after a sign-in.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// For calls.
    pub access: String,
    /// For the next ones.
    pub refresh: String,
    /// The whole answer.
    pub answer: Value,
}

impl Client {
    /// Register a public client with [`REDIRECT`].
    ///
    /// # Panics
    /// It is refused.
    pub async fn register(server: &str) -> Self {
        let body = json!({
            "client_name": "A test", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none",
        });
        let answer = register(server, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let id = answer.json()["client_id"].as_str().unwrap_or_default().to_owned();
        Self { server: server.to_owned(), id, redirect: REDIRECT.to_owned() }
    }

    /// The authorize URL, with these parameters changed, added, or (with an empty value) left out.
    #[must_use]
    pub fn authorize_url(&self, changed: &[(&str, &str)]) -> String {
        let challenge = challenge(VERIFIER);
        let usual = [
            ("response_type", "code"),
            ("client_id", self.id.as_str()),
            ("redirect_uri", self.redirect.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("state", "the client's own state"),
            ("scope", "read:repository"),
        ];
        let is_changed = |name: &str| changed.iter().any(|(other, _)| *other == name);
        let mut all: Vec<(&str, &str)> =
            usual.iter().copied().filter(|(name, _)| !is_changed(name)).collect();
        all.extend(changed.iter().copied().filter(|(_, value)| !value.is_empty()));
        format!("{}/oauth/authorize?{}", self.server, form(&all))
    }

    /// Ask and approve: the browser stands before the redirect to Gitea.
    ///
    /// # Panics
    /// There is no consent page, or approving does not lead to Gitea.
    pub async fn approve(&self, browser: &mut Browser, write: bool) {
        let page = browser.get(&self.authorize_url(&[])).await;
        assert_eq!(page.status(), 200, "{}", page.text());
        let consent = page.form("decision");
        let access = if write { "write" } else { "read" };
        let mut fields = vec![("decision", "approve")];
        if page.text().contains("name=\"access\"") {
            fields.push(("access", access));
        }
        let sent = browser.submit(&consent, &fields).await;
        assert_eq!(sent.status(), 303, "{}", sent.text());
    }

    /// The whole way of a person, to the URL at which the client gets its code.
    ///
    /// # Panics
    /// It ends elsewhere.
    pub async fn sign_in(&self, browser: &mut Browser, login: &str, password: &str, write: bool) -> String {
        self.approve(browser, write).await;
        let arrived = browser.sign_in_at_gitea(login, password).await;
        assert!(matches!(arrived, Arrived::Stopped(_)), "{arrived:?}");
        let redirect = self.redirect.clone();
        let left = browser.follow_until(|url| url.starts_with(&redirect)).await;
        match left {
            Arrived::Stopped(url) => url,
            Arrived::Page(page) => panic!("{}: {}", page.status(), page.text()),
            Arrived::Blocked(url) => panic!("blocked: {url}"),
        }
    }

    /// Redeem a code, with these fields changed, added or left out.
    pub async fn redeem(&self, code: &str, changed: &[(&str, &str)]) -> Answer {
        let usual = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect.as_str()),
            ("client_id", self.id.as_str()),
            ("code_verifier", VERIFIER),
        ];
        self.token(&usual, changed).await
    }

    /// Refresh, with these fields changed, added or left out.
    pub async fn refresh(&self, token: &str, changed: &[(&str, &str)]) -> Answer {
        let usual =
            [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", self.id.as_str())];
        self.token(&usual, changed).await
    }

    async fn token(&self, usual: &[(&str, &str)], changed: &[(&str, &str)]) -> Answer {
        let is_changed = |name: &str| changed.iter().any(|(other, _)| *other == name);
        let mut all: Vec<(&str, &str)> =
            usual.iter().copied().filter(|(name, _)| !is_changed(name)).collect();
        all.extend(changed.iter().copied().filter(|(_, value)| !value.is_empty()));
        post_form(&self.server, "/oauth/token", &all).await
    }

    /// Sign somebody in with a browser of their own and redeem the code.
    ///
    /// # Panics
    /// Any step fails.
    pub async fn tokens(&self, login: &str, password: &str, write: bool) -> Tokens {
        let mut browser = Browser::new();
        let url = self.sign_in(&mut browser, login, password, write).await;
        let code = parameter(&url, "code").unwrap_or_else(|| panic!("no code in {url}"));
        Tokens::of(&self.redeem(&code, &[]).await)
    }
}

impl Tokens {
    /// From an answer of the token endpoint.
    ///
    /// # Panics
    /// It is a refusal.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token"), answer: body }
    }
}

/// `POST /register`.
///
/// # Panics
/// There is no answer.
pub async fn register(server: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    send(server, "POST", "/register", &headers, body.to_string().as_bytes()).await.expect("an answer")
}

/// A form by POST.
///
/// # Panics
/// There is no answer.
pub async fn post_form(server: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    send(server, "POST", path, &headers, form(fields).as_bytes()).await.expect("an answer")
}

/// A tool call with a token, by `POST /mcp/tool/call`.
///
/// # Panics
/// There is no answer.
pub async fn call(server: &str, token: &str, tool: &str, arguments: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let body = json!({"tool": tool, "arguments": arguments}).to_string();
    send(server, "POST", "/mcp/tool/call", &headers, body.as_bytes()).await.expect("an answer")
}
