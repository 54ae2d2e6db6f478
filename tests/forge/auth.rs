//! Who asks: the Authorization header, and the scopes that a token must hold for a route.

use hyper::Method;
use serde_json::json;

use super::call::{Answer, Call};
use super::git::object_id;
use super::oauth::{Bearer, State, basic, bearer};
use super::world::{Account, World};

/// A part of the API that tokens are scoped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// Issues, labels, milestones.
    Issue,
    /// Organisations.
    Organization,
    /// Repositories.
    Repository,
    /// Users.
    User,
}

impl Category {
    fn word(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Organization => "organization",
            Self::Repository => "repository",
            Self::User => "user",
        }
    }
}

/// What the Authorization header turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Presented {
    /// No header, or none that Gitea reads as a credential.
    Nothing,
    /// A personal access token: its place in the world's list.
    Token(usize),
    /// An access token of OAuth.
    Grant(Bearer),
    /// Login and password; whose.
    Password(u64),
    /// A credential nobody was given, or one that died.
    Unknown,
}

impl Presented {
    /// Whose credential it is.
    #[must_use]
    pub fn user(&self, world: &World) -> Option<u64> {
        match self {
            Self::Nothing | Self::Unknown => None,
            Self::Token(at) => world.tokens.get(*at).map(|token| token.owner),
            Self::Grant(bearer) => Some(bearer.user),
            Self::Password(user) => Some(*user),
        }
    }
}

/// Read the header: `Bearer` or `token` with a token, or `Basic` with a password or with a token in its place.
pub(super) fn presented(header: Option<&str>, world: &World, oauth: &State) -> Presented {
    let Some(header) = header else { return Presented::Nothing };
    if let Some(secret) = bearer(header) {
        return by_token(&secret, world, oauth).unwrap_or(Presented::Unknown);
    }
    let Some((name, password)) = basic(header) else { return Presented::Nothing };
    let token = if matches!(password.as_str(), "" | "x-oauth-basic") { &name } else { &password };
    if let Some(found) = by_token(token, world, oauth) {
        return found;
    }
    let right =
        |account: &&Account| !account.organisation && !account.disabled && account.password == password;
    world.account(&name).filter(right).map_or(Presented::Unknown, |account| Presented::Password(account.id))
}

fn by_token(secret: &str, world: &World, oauth: &State) -> Option<Presented> {
    if secret.contains('.') {
        return oauth.bearer(secret).map(Presented::Grant);
    }
    world.tokens.iter().position(|token| token.secret == secret).map(Presented::Token)
}

/// URL of somebody's picture.
pub(super) fn avatar_of(root: &str, account: &Account) -> String {
    let hash = object_id("blob", account.email.as_bytes());
    format!("{root}/avatars/{}", hash.get(..32).unwrap_or(&hash))
}

/// Act as somebody else, which only a site admin may. None where the request does not ask for it.
pub(super) fn sudo(call: &mut Call, world: &World, header: Option<&str>) -> Option<Answer> {
    let name = call.query("sudo").or(header).filter(|name| !name.is_empty())?;
    let admin = call.viewer.is_some_and(|id| world.account_by_id(id).admin);
    if !admin {
        return Some(Answer::json(403, &json!({ "message": "Only administrators allowed to sudo." })));
    }
    let Some(account) = world.account(name).filter(|account| !account.organisation) else {
        return Some(call.not_found());
    };
    call.viewer = Some(account.id);
    None
}

/// The refusal of a token whose scopes are too small: every category is demanded, in order. Scopes never apply
/// to a password, nor to a request without a credential; its rights are those of a stranger.
#[must_use]
pub fn refused_scope(call: &Call, categories: &[Category]) -> Option<Answer> {
    let scopes = call.scopes.as_ref()?;
    let level = if call.method == Method::GET { "read" } else { "write" };
    categories.iter().find_map(|category| {
        let (needed, greater) = (format!("{level}:{}", category.word()), format!("write:{}", category.word()));
        let held = scopes.iter().any(|scope| *scope == "all" || *scope == needed || *scope == greater);
        (!held).then(|| {
            call.refuse(
                403,
                &format!(
                    "token does not have at least one of required scope(s), required=[{needed}], token scope={}",
                    scopes.join(",")
                ),
            )
        })
    })
}
