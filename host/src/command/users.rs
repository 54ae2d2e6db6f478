//! `aegis-mcp users`: who signed in, and how everything of somebody is ended.

use std::process::ExitCode;

use super::registry::ask;
use super::{EnvFile, named_keys};
use crate::admin::Request;

/// People are named by their Gitea login, or by `id:` and their number at Gitea.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Users {
    /// List everybody who signed in; without sign-in, the keys by name and fingerprint.
    List {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one person: clients, approvals, and what is held from Gitea.
    Show {
        /// Login at Gitea, or `id:NUMBER`.
        login: String,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// End everything of one person: tokens, approvals, and what is held from Gitea.
    ///
    /// The next call with any of their tokens is refused. They can sign in again: disable the account in Gitea or narrow
    /// SIGNIN_ALLOW to keep them out. With ACCEPT_GITEA_TOKENS that counts for tokens of Gitea too: those issued up to now
    /// are refused for good, and those that do not say when (personal and opaque ones) until `users allow`.
    ///
    /// `key:NAME` revokes the API key of that name: the running server refuses it at once, and it is taken out of the file
    /// that it came from.
    Revoke {
        /// Login at Gitea, `id:NUMBER`, or `key:NAME`.
        login: String,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take tokens of Gitea of somebody again who was revoked.
    ///
    /// It matters with ACCEPT_GITEA_TOKENS alone, for tokens that are presented directly: from now on they are asked
    /// about at Gitea again, whenever they were issued. What was ended here stays ended.
    Allow {
        /// Login at Gitea, or `id:NUMBER`.
        login: String,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Users) -> ExitCode {
    match command {
        Users::List { env, json } => {
            named_keys::list(&env, json).unwrap_or_else(|| ask(&env, Request::UsersList, json))
        }
        Users::Show { login, env, json } => ask(&env, Request::UsersShow { login }, json),
        Users::Allow { login, env, json } => ask(&env, Request::UsersAllow { login }, json),
        Users::Revoke { login, env, json } => match login.strip_prefix("key:") {
            Some(name) => named_keys::revoke(name, &env),
            None => ask(&env, Request::UsersRevoke { login }, json),
        },
    }
}
