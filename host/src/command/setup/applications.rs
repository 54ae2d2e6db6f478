//! The OAuth2 applications in Gitea, made with a token that is used here and kept nowhere. It looks before it makes one,
//! takes back what it made where the rest fails, and never deletes what it did not make.

use http::Method;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Done, Stop};
use crate::command::doctor::visitor::{Answer, Asked, Visitor};
use crate::settings::Secret;

/// Applications of the account that a token belongs to.
const APPLICATIONS: &str = "/api/v1/user/applications/oauth2";
/// Most pages of applications that are looked at.
const PAGES: u32 = 40;

/// Gitea, as the holder of a token.
pub(super) struct Workshop<'a> {
    visitor: &'a Visitor,
    base: &'a str,
    authorization: Zeroizing<String>,
}

/// An application as Gitea lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) client_id: String,
    pub(super) redirects: Vec<String>,
    pub(super) is_confidential: bool,
}

/// An application whose secret is known.
pub(super) struct Made {
    pub(super) client_id: String,
    pub(super) secret: Secret,
    /// Its number, where this run made it.
    pub(super) fresh: Option<u64>,
}

impl<'a> Workshop<'a> {
    /// With a token that has `write:user`.
    pub(super) fn new(visitor: &'a Visitor, base: &'a str, token: &Secret) -> Self {
        Self { visitor, base, authorization: Zeroizing::new(format!("token {}", token.expose())) }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Done<Answer> {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let url = format!("{}{path}", self.base);
        let headers = [
            ("authorization", self.authorization.as_str()),
            ("accept", "application/json"),
            ("content-type", "application/json"),
        ];
        let asked = Asked { method, url: &url, headers: &headers, body: text.as_bytes() };
        let answer = self.visitor.send(&asked).await.map_err(|trouble| Stop::failed(trouble.to_string()))?;
        match answer.status {
            200..=299 => Ok(answer),
            401 => Err(Stop::refused(
                "Gitea does not take this token: it is mistyped, deleted or of another Gitea",
            )),
            403 => Err(Stop::refused(
                "this token may not make applications: make one with the scope `user: Read and Write` (write:user)",
            )),
            404 => Err(Stop::refused(
                "Gitea has no such page: its OAuth2 provider is off ([oauth2] ENABLED in app.ini), or the application is gone",
            )),
            status => Err(Stop::refused(format!("Gitea answers {status} when asked about applications"))),
        }
    }

    /// All applications of the token's account.
    pub(super) async fn list(&self) -> Done<Vec<Listed>> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let answer =
                self.send(Method::GET, &format!("{APPLICATIONS}?page={page}&limit=50"), &Value::Null).await?;
            let found = answer.json().as_array().cloned().unwrap_or_default();
            let before = all.len();
            for listed in found.iter().filter_map(listed) {
                if !all.contains(&listed) {
                    all.push(listed);
                }
            }
            // A Gitea that does not page answers the same again.
            if all.len() == before {
                break;
            }
        }
        Ok(all)
    }

    /// A new confidential application.
    pub(super) async fn make(&self, name: &str, redirect: &str) -> Done<Made> {
        let answer = self.send(Method::POST, APPLICATIONS, &wanted(name, redirect)).await?;
        made(&answer, true)
    }

    /// The same application with our redirect and a new secret: Gitea makes one with every change.
    pub(super) async fn renew(&self, listed: &Listed, redirect: &str) -> Done<Made> {
        let path = format!("{APPLICATIONS}/{}", listed.id);
        let answer = self.send(Method::PATCH, &path, &wanted(&listed.name, redirect)).await?;
        made(&answer, false)
    }

    /// Take back what this run made.
    pub(super) async fn unmake(&self, id: u64) -> Done<()> {
        self.send(Method::DELETE, &format!("{APPLICATIONS}/{id}"), &Value::Null).await.map(drop)
    }
}

fn wanted(name: &str, redirect: &str) -> Value {
    // Left out, `confidential_client` means public.
    json!({ "name": name, "redirect_uris": [redirect], "confidential_client": true })
}

fn listed(value: &Value) -> Option<Listed> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let redirects = value.get("redirect_uris").and_then(Value::as_array).into_iter().flatten();
    Some(Listed {
        id: value.get("id")?.as_u64()?,
        name: text("name")?,
        client_id: text("client_id")?,
        redirects: redirects.filter_map(Value::as_str).map(str::to_owned).collect(),
        is_confidential: value.get("confidential_client").and_then(Value::as_bool).unwrap_or_default(),
    })
}

fn made(answer: &Answer, is_fresh: bool) -> Done<Made> {
    let body = answer.json();
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("client_id"), text("client_secret"), body.get("id").and_then(Value::as_u64)) {
        (Some(client_id), Some(secret), Some(id)) => Ok(Made {
            client_id: client_id.to_owned(),
            secret: Secret::new(secret.to_owned()),
            fresh: is_fresh.then_some(id),
        }),
        _ => Err(Stop::refused("Gitea made an application and did not tell its secret; delete it there")),
    }
}
