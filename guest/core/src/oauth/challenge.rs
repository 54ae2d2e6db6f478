//! `WWW-Authenticate` of this server as a resource: RFC 6750 section 3 with the parameters of RFC 9728 section
//! 5.1. It tells a client how to sign in, and which scopes that would need.

use super::resource::origin;
use crate::access::{READ_SCOPE, WRITE_SCOPE};
use crate::settings::Config;

/// Where clients of one resource learn how to sign in.
#[derive(Clone, Copy, Debug)]
pub struct SignIn<'a> {
    config: &'a Config,
    path: &'static str,
}

impl<'a> SignIn<'a> {
    /// For the resource at this path of the origin; empty for the origin itself.
    #[must_use]
    pub fn of(config: &'a Config, path: &'static str) -> Self {
        Self { config, path }
    }

    /// 401 where nothing was presented: no error, for nothing went wrong yet.
    #[must_use]
    pub fn missing(&self) -> String {
        format!("Bearer resource_metadata=\"{}\", scope=\"{READ_SCOPE}\"", self.document())
    }

    /// 401 where a token was presented. `why` is ASCII without `"` and `\`.
    #[must_use]
    pub fn invalid(&self, why: &str) -> String {
        format!("{}, error=\"invalid_token\", error_description=\"{why}\"", self.missing())
    }

    /// 403 where the token lacks a scope. It names all that the token should have then: a client asks for what
    /// it reads here, and would lose reading where only writing was named.
    #[must_use]
    pub fn insufficient(&self) -> String {
        format!(
            "Bearer error=\"insufficient_scope\", scope=\"{READ_SCOPE} {WRITE_SCOPE}\", \
             resource_metadata=\"{}\", error_description=\"Sign in again and grant it.\"",
            self.document()
        )
    }

    fn document(&self) -> String {
        format!("{}/.well-known/oauth-protected-resource{}", origin(self.config), self.path)
    }
}
