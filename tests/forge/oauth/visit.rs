//! A request to a page or an OAuth endpoint, taken apart: its fields, its cookies, its session.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{HeaderMap, Method, Uri};
use serde_json::Value;

use super::uri::pairs;
use super::{Session, State, hex};
use crate::forge::Version;
use crate::forge::call::{Answer, decoded};

/// Name of the session cookie.
const COOKIE: &str = "i_like_gitea";

/// A request outside the API.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(super) method: String,
    pub(super) path: String,
    /// Path and query as sent.
    pub(super) target: String,
    /// Fields of the query, then of a form body: where both hold a name, Go reads the body first.
    pub(super) query: Vec<(String, String)>,
    pub(super) form: Vec<(String, String)>,
    json: Option<Value>,
    cookies: Vec<(String, String)>,
    pub(super) authorization: Option<String>,
    origin: Option<String>,
    fetch_site: Option<String>,
    host: String,
    /// `http://127.0.0.1:PORT`.
    pub(super) root: String,
    pub(super) version: Version,
}

impl Visit {
    pub(crate) fn new(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
        root: &str,
        version: Version,
    ) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let kind = text("content-type").unwrap_or_default().to_ascii_lowercase();
        let body = String::from_utf8_lossy(body);
        let form = kind.contains("x-www-form-urlencoded");
        let cookies = headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
        let cookies = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        Self {
            method: if method == Method::HEAD { "GET".to_owned() } else { method.to_string() },
            path: uri.path().to_owned(),
            target: uri.path_and_query().map_or_else(String::new, ToString::to_string),
            query: pairs(uri.query().unwrap_or_default()),
            form: if form { pairs(&body) } else { Vec::new() },
            json: if kind.contains("json") { serde_json::from_str(&body).ok() } else { None },
            cookies: cookies.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            authorization: text("authorization"),
            origin: text("origin"),
            fetch_site: text("sec-fetch-site"),
            host: text("host").unwrap_or_default(),
            root: root.to_owned(),
            version,
        }
    }

    /// A field of the form, the query, or a JSON body; empty if absent.
    pub(super) fn field(&self, name: &str) -> &str {
        let of = |pairs: &'_ [(String, String)]| pairs.iter().position(|(n, _)| n == name);
        if let Some(at) = of(&self.form) {
            return &self.form[at].1;
        }
        if let Some(at) = of(&self.query) {
            return &self.query[at].1;
        }
        self.json.as_ref().and_then(|json| json[name].as_str()).unwrap_or_default()
    }

    /// A cookie as sent.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A cookie's value, decoded.
    pub(super) fn cookie_text(&self, name: &str) -> Option<String> {
        self.cookie(name).and_then(|value| decoded(value, true)).filter(|value| !value.is_empty())
    }

    /// The value of the session cookie.
    pub(crate) fn session(&self) -> Option<&str> {
        self.cookie(COOKIE)
    }

    pub(crate) fn method(&self) -> &str {
        &self.method
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// User and password of a Basic header.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        basic(self.authorization.as_deref()?)
    }

    /// What Gitea takes for a token: the form's or query's `token`, then `access_token`, then the header.
    pub(super) fn token(&self) -> Option<String> {
        for name in ["token", "access_token"] {
            let found = self.form.iter().chain(&self.query).find(|(n, v)| n == name && !v.is_empty());
            if let Some((_, value)) = found {
                return Some(value.clone());
            }
        }
        bearer(self.authorization.as_deref()?)
    }

    /// Why a write of a page is refused: Go's protection against requests from other sites.
    pub(super) fn cross_origin(&self) -> Option<&'static str> {
        if self.method == "GET" || self.method == "OPTIONS" {
            return None;
        }
        match self.fetch_site.as_deref() {
            Some("same-origin" | "none") => return None,
            Some("") | None => {}
            Some(_) => return Some("cross-origin request detected from Sec-Fetch-Site header"),
        }
        let origin = self.origin.as_deref().filter(|origin| !origin.is_empty())?;
        let same = origin.split_once("://").is_some_and(|(_, host)| host == self.host);
        (!same).then_some(
            "cross-origin request detected, and/or browser is out of date: Sec-Fetch-Site is missing, and Origin does not match Host",
        )
    }

    /// Place of the browser's session in the list, if it has one.
    pub(super) fn known_session(&self, state: &State) -> Option<usize> {
        let id = self.session()?;
        state.sessions.iter().position(|session| session.id == id)
    }

    /// Place of the browser's session, made if need be, and the cookie to set then.
    pub(super) fn open_session(&self, state: &mut State) -> (usize, Option<String>) {
        if let Some(at) = self.known_session(state) {
            return (at, None);
        }
        let id = hex::<8>();
        let cookie = session_cookie(&id);
        state.sessions.push(Session { id, ..Session::default() });
        (state.sessions.len() - 1, Some(cookie))
    }

    /// An answer with the cookie of a new session where the request had none, as every page of Gitea sends it.
    pub(super) fn with_session(&self, state: &mut State, answer: Answer) -> Answer {
        match self.open_session(state) {
            (_, Some(cookie)) => answer.with("Set-Cookie", cookie),
            (_, None) => answer,
        }
    }
}

/// The session cookie.
pub(super) fn session_cookie(id: &str) -> String {
    format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax")
}

fn credential(header: &str) -> Option<(String, &str)> {
    let mut words = header.split_whitespace();
    let (scheme, value) = (words.next()?, words.next()?);
    words.next().is_none().then(|| (scheme.to_ascii_lowercase(), value))
}

/// The token of an Authorization header: `Bearer` or `token`, any case.
pub(crate) fn bearer(header: &str) -> Option<String> {
    let (scheme, value) = credential(header)?;
    matches!(scheme.as_str(), "bearer" | "token").then(|| value.to_owned())
}

/// User and password of an Authorization header.
pub(crate) fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, value) = credential(header)?;
    if scheme != "basic" {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}
