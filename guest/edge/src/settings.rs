//! `settings` from environment variables. Only the names that `settings.toml` lets a guest read are answered, so
//! a secret cannot be asked for by any name, nor any other variable of the process.

use std::ops::RangeInclusive;

use sha2::{Digest as _, Sha256};

use crate::bindings::exports::aegis::gateway::settings::Guest;
use crate::{Adapter, environment};

include!(concat!(env!("OUT_DIR"), "/settings.rs"));

impl Guest for Adapter {
    fn get(name: String) -> Option<String> {
        if name == "policy-document" { Some(policy()) } else { effective(&name, environment::variable) }
    }

    /// None: nobody runs `preflight` here, so the gateway prepares the policy from `policy-document`.
    fn prepared(_key: String) -> Option<Vec<u8>> {
        None
    }

    fn policy_digest() -> String {
        policy_digest_hex()
    }
}

/// The policy document in force: `POLICY_DOCUMENT`, or the built-in one.
pub(crate) fn policy() -> String {
    environment::variable("POLICY_DOCUMENT").unwrap_or_else(|| DEFAULT_POLICY.to_owned())
}

/// SHA-256 of the policy document in force, in hex.
pub(crate) fn policy_digest_hex() -> String {
    environment::hex(&Sha256::digest(policy()))
}

/// The first 16 hex digits of the policy's digest, as audit lines carry it.
pub(crate) fn policy_digest_short() -> String {
    policy_digest_hex().chars().take(16).collect()
}

/// Whether changes may be sent to Gitea. Only the word `true` says so.
pub(crate) fn writes_enabled() -> bool {
    says_true("WRITE_MODE")
}

/// Whether people sign in; then keys count for nothing.
pub(crate) fn sign_in() -> bool {
    says_true("OAUTH_MODE")
}

fn says_true(name: &str) -> bool {
    environment::variable(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// A number that is set and within its range.
pub(crate) fn number(name: &str, range: RangeInclusive<u64>) -> Option<u64> {
    let number = environment::variable(name)?.trim().parse().ok()?;
    range.contains(&number).then_some(number)
}

/// Seconds that one request to Gitea may take.
pub(crate) fn timeout() -> u64 {
    number("REQUEST_TIMEOUT_SECONDS", 1..=600).unwrap_or(30)
}

/// The value of a readable setting, by what is set or by default; none for every other name.
fn effective(name: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (name, default) = READABLE.iter().find(|(readable, _)| *readable == name)?;
    if *name == "AUTH_ENABLED" {
        // A component cannot know that only this machine reaches it, so calls without a key are never accepted.
        return Some("true".to_owned());
    }
    if *name == "ACCEPT_GITEA_TOKENS" {
        // Tokens of Gitea are not taken here (`docs/edge.md`), so Gitea must not be advertised either.
        return Some("false".to_owned());
    }
    if *name == "CIMD_ALLOWED_HOSTS" {
        // Documents of clients are not read here: a component cannot see which address a name leads to.
        return Some("none".to_owned());
    }
    variable(name).or_else(|| default.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::{READABLE, effective};

    fn everything(name: &str) -> Option<String> {
        Some(format!("value of {name}"))
    }

    #[test]
    fn never_answers_for_a_secret_a_file_or_an_unknown_name() {
        for name in [
            "GITEA_TOKEN",
            "GITEA_TOKEN_FILE",
            "MCP_API_KEYS",
            "MCP_API_KEYS_FILE",
            "WRITE_MODE_FILE",
            "STATE_DIR",
            "PATH",
            "",
            "write_mode",
        ] {
            assert_eq!(effective(name, everything), None, "{name}");
        }
    }

    #[test]
    fn the_table_holds_no_secret() {
        assert!(READABLE.iter().any(|(name, _)| *name == "WRITE_MODE"));
        for (name, _) in READABLE {
            // A number of matches, and no file.
            let file = name.ends_with("_FILE") && *name != "SEARCH_MATCHES_PER_FILE";
            let secret = name.ends_with("_TOKEN") || name.ends_with("_KEYS") || file;
            assert!(!secret, "{name}");
        }
    }

    #[test]
    fn answers_what_is_set_and_else_the_default() {
        assert_eq!(effective("WRITE_MODE", everything).as_deref(), Some("value of WRITE_MODE"));
        assert_eq!(effective("WRITE_MODE", |_| None).as_deref(), Some("false"));
        assert_eq!(effective("GITEA_URL", |_| None), None);
    }

    #[test]
    fn tokens_of_gitea_are_never_advertised() {
        assert_eq!(effective("ACCEPT_GITEA_TOKENS", |_| Some("true".to_owned())).as_deref(), Some("false"));
    }

    #[test]
    fn authentication_cannot_be_turned_off() {
        assert_eq!(effective("AUTH_ENABLED", |_| Some("false".to_owned())).as_deref(), Some("true"));
    }
}
