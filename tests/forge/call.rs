//! One API request as a handler sees it, and the answers Gitea gives. Knows nothing of routes or data.

use hyper::Method;
use serde_json::{Value, json};

use super::Version;
use super::seeding::Seeding;

/// A request below `/api/v1`, taken apart.
#[derive(Debug)]
pub struct Call {
    /// The method; HEAD has become GET.
    pub method: Method,
    /// Path and query as sent.
    pub target: String,
    /// Decoded path segments after `/api/v1`.
    pub segments: Vec<String>,
    /// Decoded query, in order.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the client called the body JSON.
    pub body_is_json: bool,
    /// Account behind the token; none for an anonymous request.
    pub viewer: Option<u64>,
    /// Index of the personal access token in the world's list.
    pub token: Option<usize>,
    /// Scopes that bound the credential; none for no credential or a password, which have none.
    pub scopes: Option<Vec<String>>,
    /// Whether the one who asks is a site admin.
    pub by_admin: bool,
    /// Whether a password proved who asks.
    pub by_password: bool,
    /// `http://127.0.0.1:PORT`.
    pub root: String,
    /// Which Gitea is played.
    pub version: Version,
    /// Whether strings are seeded.
    pub seeding: Seeding,
}

impl Call {
    /// The first value of a query parameter; an empty one counts as absent, as in Gitea.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// A number in the query; what does not parse is zero, as in Gitea.
    #[must_use]
    pub fn number(&self, name: &str) -> usize {
        self.query(name).and_then(|v| v.parse().ok()).unwrap_or(0)
    }

    /// A yes or no in the query.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.query(name).and_then(|v| match v {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        })
    }

    /// URL of an API path.
    #[must_use]
    pub fn api(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.root)
    }

    /// A refusal with Gitea's error body.
    #[must_use]
    pub fn refuse(&self, status: u16, message: &str) -> Answer {
        Answer::json(status, &json!({ "message": message, "url": format!("{}/api/swagger", self.root) }))
    }

    /// 404 for something absent or invisible: the two look the same.
    #[must_use]
    pub fn not_found(&self) -> Answer {
        self.not_found_because("not found", &[])
    }

    /// 404 where 1.27 says why; 1.26 lists the reason under `errors` beside a general message.
    #[must_use]
    pub fn not_found_because(&self, general: &str, errors: &[String]) -> Answer {
        let url = format!("{}/api/swagger", self.root);
        match self.version {
            Version::V1_27 => {
                let message = errors.first().map_or(general, String::as_str);
                Answer::json(404, &json!({ "message": message, "url": url }))
            }
            Version::V1_26 | Version::V1_24 => {
                let errors = if errors.is_empty() { Value::Null } else { json!(errors) };
                Answer::json(404, &json!({ "errors": errors, "message": general, "url": url }))
            }
        }
    }
}

/// What goes back to the client.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers besides length and date.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A JSON answer, ending in a line feed as Go's encoder does.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        let mut body = value.to_string().into_bytes();
        body.push(b'\n');
        let headers = vec![
            ("Cache-Control", "max-age=0, private, must-revalidate".to_owned()),
            ("Content-Type", "application/json;charset=utf-8".to_owned()),
        ];
        Self { status, headers, body }
    }

    /// What the router answers where no route is: plain text, no JSON.
    #[must_use]
    pub fn no_route() -> Self {
        let headers = vec![
            ("Content-Type", "text/plain; charset=utf-8".to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
        ];
        Self { status: 404, headers, body: b"404 page not found\n".to_vec() }
    }

    /// Text under this media type.
    #[must_use]
    pub fn text(status: u16, kind: &str, body: &str) -> Self {
        let headers = vec![
            ("Cache-Control", "max-age=0, private, must-revalidate".to_owned()),
            ("Content-Type", kind.to_owned()),
        ];
        Self { status, headers, body: body.as_bytes().to_vec() }
    }

    /// Plain text, as Go's `http.Error` writes it.
    #[must_use]
    pub fn plain(status: u16, body: &str) -> Self {
        Self::text(status, "text/plain; charset=utf-8", body).with("X-Content-Type-Options", "nosniff")
    }

    /// No body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        let headers = vec![("Cache-Control", "max-age=0, private, must-revalidate".to_owned())];
        Self { status, headers, body: Vec::new() }
    }

    /// 301 to a renamed repository: a path without host. Only a GET gets a body.
    #[must_use]
    pub fn moved(location: String, method: &Method) -> Self {
        let mut headers = vec![("Cache-Control", "max-age=0, private, must-revalidate".to_owned())];
        let mut body = Vec::new();
        if method == Method::GET {
            headers.push(("Content-Type", "text/html; charset=utf-8".to_owned()));
            body = format!("<a href=\"{}\">Moved Permanently</a>.\n\n", location.replace('&', "&amp;"))
                .into_bytes();
        }
        headers.push(("Location", location));
        Self { status: 301, headers, body }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// Percent-decoded text; none where the encoding is broken or the result is not UTF-8.
#[must_use]
pub fn decoded(text: &str, plus_is_space: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                out.push(u8::from_str_radix(digits, 16).ok()?);
            }
            b'+' if plus_is_space => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

/// Percent-encoded as Go's `url.PathEscape` does it, closely enough for links that nobody parses.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Each segment of a path percent-encoded, slashes kept.
#[must_use]
pub fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}
