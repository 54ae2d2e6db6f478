//! Whose a token is: introspection (RFC 7662) and userinfo (OpenID Connect Core 1.0 section 5.3), as Gitea does them.
//!
//! Gitea takes the token in an introspection form for a credential of the request itself, so a dead one answers 401
//! and not `active: false`; wrong credentials of ours answer 401 too, with another text.

use serde_json::Value;

use super::Answer;
use super::discovery::without_slash;
use super::error::UpstreamError;
use super::id_token::is_user_id;
use super::strict;
use crate::Timestamp;

/// What Gitea's pages for people who may not go on have in common. It shows one, with status 200, in place of an
/// answer about a token whose user is blocked or not activated.
const BLOCKED_PAGE: &[u8] = b"page-content user ";
/// What errors call the endpoints.
pub const INTROSPECTION: &str = "its introspection endpoint";
/// What errors call the other one.
pub const USERINFO: &str = "its userinfo endpoint";
/// The most groups kept of one person.
const MOST_GROUPS: usize = 4_096;

/// What introspection says about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Introspection {
    /// It is good now.
    Active(Active),
    /// It is not, or is none, or belongs to another application (Gitea 1.27 and later).
    Inactive,
}

/// An active token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    /// The scope words of its grant as Gitea keeps them; see [`judge`](super::scopes::judge).
    pub words: Vec<String>,
    /// Login of the user.
    pub username: String,
    /// Id of the user, decimal.
    pub subject: String,
    /// Client ids it was made for.
    pub audience: Vec<String>,
}

/// What userinfo says about the holder of a token. A success does not prove an OAuth token: Gitea answers personal
/// access tokens alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Userinfo {
    /// Id of the user, decimal.
    pub subject: String,
    /// Login of the user.
    pub login: String,
    /// `org` and `org:team`.
    pub groups: Vec<String>,
}

/// Who signed in, and with what grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Id of the user, decimal: never reused by Gitea, unlike the login.
    pub subject: String,
    /// Login of the user, of letters, digits and `._-`.
    pub login: String,
    /// `org` and `org:team`.
    pub groups: Vec<String>,
    /// The scope words of the grant; see [`judge`](super::scopes::judge).
    pub words: Vec<String>,
}

/// A Gitea token that a client presented and that is good here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GiteaToken {
    /// Id of the user, decimal.
    pub subject: String,
    /// Login of the user.
    pub login: String,
    /// The scope words of its grant; see [`judge`](super::scopes::judge).
    pub words: Vec<String>,
    /// The accepted client id that it was made for.
    pub client_id: String,
    /// When it ends; unknown for an opaque token.
    pub expires: Option<Timestamp>,
}

impl Introspection {
    /// Reads the answer to a question of the application of that name, from the issuer.
    pub fn read(answer: &Answer, app: &'static str, issuer: &str) -> Result<Self, UpstreamError> {
        let wrong = |why| UpstreamError::Unreadable(INTROSPECTION, why);
        match answer.status {
            200 if is_blocked_page(&answer.body) => return Err(UpstreamError::UserBlocked),
            200 => {}
            401 if holds(&answer.body, OUR_CREDENTIALS) => return Err(UpstreamError::ClientRejected(app)),
            401 => return Ok(Self::Inactive),
            404 => return Err(UpstreamError::OauthDisabled(INTROSPECTION)),
            status => return Err(UpstreamError::Failed(INTROSPECTION, status)),
        }
        let members =
            strict::object(&answer.body).ok_or(wrong("is not one JSON object with each member once"))?;
        match members.get("active").and_then(Value::as_bool) {
            Some(true) => {}
            Some(false) => return Ok(Self::Inactive),
            None => return Err(wrong("does not say whether the token is active")),
        }
        if strict::text(&members, "iss").is_some_and(|iss| without_slash(iss) != issuer) {
            return Err(UpstreamError::IssuerDiffers);
        }
        let audience = match members.get("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(_)) => strict::texts(&members, "aud").ok_or(wrong("names no clients"))?,
            _ => return Err(wrong("names no clients")),
        };
        // Gitea leaves the member out where the grant was asked for without scope: full access, and judged so.
        let words = match members.get("scope") {
            None => Vec::new(),
            Some(Value::String(scope)) => scope.split_ascii_whitespace().map(str::to_owned).collect(),
            Some(_) => return Err(wrong("has a scope that is no text")),
        };
        let subject =
            strict::text(&members, "sub").filter(|sub| is_user_id(sub)).ok_or(wrong("names no user"))?;
        let username = strict::text(&members, "username").ok_or(wrong("names no user"))?;
        Ok(Self::Active(Active { words, username: login(username)?, subject: subject.to_owned(), audience }))
    }
}

/// What a 401 says that is about our credentials and not about the token.
const OUR_CREDENTIALS: &[u8] = b"no valid authorization";

/// A page, not JSON: a name inside an answer cannot pass for one.
fn is_blocked_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<") && holds(body, BLOCKED_PAGE)
}

fn holds(body: &[u8], words: &[u8]) -> bool {
    body.windows(words.len()).any(|window| window == words)
}

impl Userinfo {
    /// Reads the answer to the holder of a token.
    pub fn read(answer: &Answer) -> Result<Self, UpstreamError> {
        let wrong = |why| UpstreamError::Unreadable(USERINFO, why);
        match answer.status {
            200 if is_blocked_page(&answer.body) => return Err(UpstreamError::UserBlocked),
            200 => {}
            401 => return Err(UpstreamError::TokenInactive),
            404 => return Err(UpstreamError::OauthDisabled(USERINFO)),
            status => return Err(UpstreamError::Failed(USERINFO, status)),
        }
        let members =
            strict::object(&answer.body).ok_or(wrong("is not one JSON object with each member once"))?;
        let subject =
            strict::text(&members, "sub").filter(|sub| is_user_id(sub)).ok_or(wrong("names no user"))?;
        let name = strict::text(&members, "preferred_username").ok_or(wrong("names no user"))?;
        let groups = match members.get("groups") {
            None | Some(Value::Null) => Vec::new(),
            Some(_) => strict::texts(&members, "groups").ok_or(wrong("has groups that are no texts"))?,
        };
        // Entry may hang on a group, so none is dropped in silence.
        if groups.len() > MOST_GROUPS {
            return Err(wrong("has too many groups"));
        }
        Ok(Self { subject: subject.to_owned(), login: login(name)?, groups })
    }
}

/// A login that can stand in a header, a path and a log line as it is.
fn login(text: &str) -> Result<String, UpstreamError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=255).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(UpstreamError::StrangeLogin)
}

/// Logins are one whatever their case, as in Gitea.
pub fn same_person(active: &Active, info: &Userinfo) -> Result<(), UpstreamError> {
    if active.subject != info.subject {
        return Err(UpstreamError::Disagreement("who the user is"));
    }
    if !active.username.eq_ignore_ascii_case(&info.login) {
        return Err(UpstreamError::Disagreement("the user's login"));
    }
    Ok(())
}
