//! Who asks: the Authorization header, and the scopes that a token must hold for a route.

use hyper::Method;

use super::call::{Answer, Call};
use super::world::World;

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
    /// No header, or none that Gitea reads as a token.
    Nothing,
    /// A known token: its place in the world's list.
    Token(usize),
    /// A token nobody was given.
    Unknown,
}

/// Read the header: `Bearer` or `token`, any case.
#[must_use]
pub fn presented(header: Option<&str>, world: &World) -> Presented {
    let Some((scheme, secret)) = header.and_then(|header| header.trim().split_once(' ')) else {
        return Presented::Nothing;
    };
    if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("token") {
        return Presented::Nothing;
    }
    match world.tokens.iter().position(|token| token.secret == secret.trim()) {
        Some(at) => Presented::Token(at),
        None => Presented::Unknown,
    }
}

/// The refusal of a token whose scopes are too small: every category is demanded, in order. Scopes never apply
/// to a request without a token; its rights are those of a stranger.
#[must_use]
pub fn refused_scope(call: &Call, world: &World, categories: &[Category]) -> Option<Answer> {
    let token = world.tokens.get(call.token?)?;
    let level = if call.method == Method::GET { "read" } else { "write" };
    categories.iter().find_map(|category| {
        let (needed, greater) = (format!("{level}:{}", category.word()), format!("write:{}", category.word()));
        let held = token.scopes.iter().any(|scope| *scope == "all" || *scope == needed || *scope == greater);
        (!held).then(|| {
            call.refuse(
                403,
                &format!(
                    "token does not have at least one of required scope(s), required=[{needed}], token scope={}",
                    token.scopes.join(",")
                ),
            )
        })
    })
}
